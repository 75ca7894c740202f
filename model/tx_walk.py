"""Which records a payload in clear has bytes of.

Written from docs/transmit.md, 2 and 3. Knows no key. A place keeps the bytes of its record that
went before, so that ciphertext and tag can be made of the whole; the device keeps a sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from model.record import HEADER, NUMBERS, PREFIX, SEQ, Record, is_header, size_of
from model.regs import TlsVersion


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the records of a connection.

    Attributes:
        next: sequence number of the byte that comes next.
        number: of the record that it is in.
        before: the bytes of that record before it, in clear.
    """

    next: int
    number: int
    before: bytes = b""


class Part(NamedTuple):
    """Bytes [first, last) of a record, its prefix complete, that a payload has from `offset` on.

    Attributes:
        text: of the record, in clear, up to `last`.
    """

    record: Record
    first: int
    last: int
    offset: int
    text: bytes


class Walked(NamedTuple):
    """What came of a payload.

    Attributes:
        parts: in order.
        place: behind the payload; None if a header is none that a record can have.
    """

    parts: tuple[Part, ...]
    place: Place | None


def walk(version: TlsVersion, place: Place, payload: bytes) -> Walked:
    """Walk from the place over a payload that is not empty."""
    data = place.before + payload  # from the first byte of a record on
    went = len(place.before)
    start, number = 0, place.number  # of the record
    parts: list[Part] = []
    while len(data) - start >= HEADER:
        header = data[start : start + HEADER]
        if not is_header(header, version):
            return Walked(tuple(parts), None)
        total, size = size_of(header), PREFIX[version]
        last = min(total, len(data) - start)
        if last >= size:
            seq = (place.next - went + start) % SEQ
            record = Record(seq, total, number, data[start : start + size])
            first = max(went - start, 0)
            text = data[start + size : start + min(last, record.text_end)]
            parts.append(Part(record, first, last, start + first - went, text))
        if last < total:
            break
        start, number = start + total, (number + 1) % NUMBERS
    behind = Place((place.next + len(payload)) % SEQ, number, data[start:])
    return Walked(tuple(parts), behind)
