"""What comparing a device with the model needs in either direction: differences, in words.

`Difference` ends an episode, and its text says where. `Situations` counts what came up in a model.
"""

from __future__ import annotations

from collections import Counter

from host import packet


class Difference(Exception):
    """The two do not agree; the text says where."""


class Stuck(Exception):
    """Nothing comes out any more; `came` did since the last drain."""

    def __init__(self, came: int) -> None:
        super().__init__(f"nothing comes out behind {came}")
        self.came = came


class Situations(Counter[str]):
    """What came up in the model, by name."""


def describe(frame: bytes) -> str:
    """A frame in short."""
    read = packet.parse(frame)
    text = f"{len(frame)} bytes, {frame[:96].hex()}"
    if read is None:
        return text
    segment = read.segment
    if segment is None:
        return f"IP without a whole TCP segment, {text}"
    ends = " > ".join(
        packet.endpoint(address, port)
        for address, port in (
            (read.source, segment.source_port),
            (read.destination, segment.destination_port),
        )
    )
    size = segment.end - segment.start
    return f"{ends} seq {segment.seq:#010x} flags {segment.flags:#04x} payload {size}, {text}"


def bytes_differ(got: bytes, want: bytes) -> list[str]:
    """How two frames differ, in words."""
    lines = []
    if len(got) != len(want):
        lines.append(f"{len(got)} bytes, model {len(want)}")
    at = next((n for n, (x, y) in enumerate(zip(got, want, strict=False)) if x != y), 0)
    bad = sum(x != y for x, y in zip(got, want, strict=False))
    lines.append(
        f"{bad} bytes differ, the first is {at}: {got[at : at + 16].hex()}, "
        f"model {want[at : at + 16].hex()}"
    )
    return lines
