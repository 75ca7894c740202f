"""Two devices in one: what is done to the one is done to the other, and all must come out equal.

Compared are frames, their descriptors, and counters. What else is read (whether a command is done,
what events wait) may be there sooner in one than in the other: the second one's word counts.
"""

from __future__ import annotations

from collections.abc import Sequence

from host import regs
from host.device import Device, RxDescriptor, Sent, TxDescriptor


class Difference(Exception):
    """The two are not the same.

    Attributes:
        frame: which of those of one call; 0 for a counter.
    """

    def __init__(self, text: str, frame: int = 0) -> None:
        super().__init__(text)
        self.frame = frame


class Both:
    """A `Device` that is two: the model, and what must be like it."""

    def __init__(self, model: Device, other: Device) -> None:
        self._model = model
        self._other = other
        self.frames = 0

    def read(self, addr: int) -> int:
        """A register of the second; Difference if it is a counter, and not the same in both."""
        wanted, value = self._model.read(addr), self._other.read(addr)
        counter = regs.BLOCK_COUNTERS_FIRST <= addr <= regs.BLOCK_COUNTERS_LAST
        if counter and wanted != value:
            name = regs.Counter((addr - regs.BLOCK_COUNTERS_FIRST) // 8).name.lower()
            raise Difference(f"counter {name} is {value}, in the model {wanted}")
        return value

    def write(self, addr: int, value: int) -> None:
        """Write a register of both."""
        self._model.write(addr, value)
        self._other.write(addr, value)

    def receive(self, frames: Sequence[bytes]) -> list[tuple[bytes, RxDescriptor]]:
        """What the host gets of frames from the wire; Difference unless both say the same."""
        wanted, got = self._model.receive(frames), self._other.receive(frames)
        self.frames += len(frames)
        for number, (one, other) in enumerate(zip(wanted, got, strict=True)):
            if one != other:
                raise Difference(_difference(one, other), number)
        return got

    def send(self, items: Sequence[tuple[bytes, TxDescriptor]]) -> list[Sent]:
        """What became of items of the transmit queue; Difference unless both say the same."""
        wanted, got = self._model.send(items), self._other.send(items)
        self.frames += len(items)
        for number, (one, other) in enumerate(zip(wanted, got, strict=True)):
            if one != other:
                raise Difference(_unlike(one, other), number)
        return got

    def close(self) -> None:
        """Give up both."""
        self._model.close()
        self._other.close()


def _difference(wanted: tuple[bytes, RxDescriptor], got: tuple[bytes, RxDescriptor]) -> str:
    if wanted[1] != got[1]:
        return f"descriptor {got[1]}, in the model {wanted[1]}"
    return _bytes(wanted[0], got[0])


def _unlike(wanted: Sent, got: Sent) -> str:
    if wanted.frame and got.frame and wanted.frame != got.frame:
        return _bytes(wanted.frame, got.frame)
    return f"{_outcome(got)}; in the model {_outcome(wanted)}"


def _outcome(sent: Sent) -> str:
    return f"{'left' if sent.frame else 'did not leave'}, reason {sent.reason.name}, {sent.tags}"


def _bytes(wanted: bytes, got: bytes) -> str:
    if len(wanted) != len(got):
        return f"{len(got)} bytes, in the model {len(wanted)}"
    at = next(n for n, (a, b) in enumerate(zip(wanted, got, strict=True)) if a != b)
    return f"byte {at} is {got[at]:#04x}, in the model {wanted[at]:#04x}"
