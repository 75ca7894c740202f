"""A peer for the walk's and the search's tests: a stream of records, sent with losses and repeats.

Bytes of the records look like headers now and then, or nearly so.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from model.record import HALF, HEADER, LENGTHS, PREFIX, SEQ, TAG, WIRE_VERSION, size_of
from model.regs import TlsVersion
from model.rx_search import LONGEST
from model.rx_walk import Walk

LIMIT = 1 << 20  # bytes of a stream


def some_header(version: TlsVersion, rng: random.Random, *, small: bool = True) -> bytes:
    """A header that may start a record, mostly; else one that is wrong by little."""
    lengths = LENGTHS[version]
    length = lengths.start + rng.choice([0, 0, 1, rng.randrange(12), rng.randrange(120)])
    if not small or rng.random() < 0.1:
        length = rng.choice([lengths.stop - 1, rng.choice(lengths), rng.randrange(400, 3000)])
    kind = 23 if version is TlsVersion.TLS_1_3 or rng.random() < 0.5 else rng.randint(20, 23)
    wire = WIRE_VERSION
    wrong = rng.random()
    if wrong < 0.05:
        length = rng.choice([lengths.start - 1, lengths.stop, 0, 0xFFFF, length | 0x8000])
    elif wrong < 0.1:
        kind = rng.choice([19, 20, 21, 22, 24, 0x97])
    elif wrong < 0.15:
        wire = rng.choice([b"\3\1", b"\2\3", b"\3\4", b"\x83\3"])
    return bytes([kind]) + wire + length.to_bytes(2)


@dataclass
class Stream:
    """What a peer sends: bytes from a sequence number on, records one after the other.

    Attributes:
        looks: how often bytes of a record look like headers.
    """

    version: TlsVersion
    first: int
    data: bytearray
    rng: random.Random
    looks: float = 0.0
    marks: list[int] = field(default_factory=list)  # where something starts or ends

    def grow(self) -> None:
        """Add a record."""
        rng = self.rng
        lengths = LENGTHS[self.version]
        kind = rng.random()
        length = lengths.start + rng.choice([0, 1, 2, rng.randrange(40), rng.randrange(200)])
        if kind < 0.02:
            length = rng.choice([lengths.stop - 1, rng.choice(lengths)])
        at = len(self.data)
        prefix = PREFIX[self.version]
        end = at + HEADER + length
        self.marks += [at, at + HEADER, at + prefix, end - TAG, end]
        content = 23 if self.looks and rng.random() < 0.9 else rng.randint(20, 23)
        record = bytearray([content]) + WIRE_VERSION + length.to_bytes(2) + rng.randbytes(length)
        if rng.random() < self.looks:
            place = rng.randrange(HEADER, max(len(record) - HEADER, HEADER + 1))
            while place + HEADER <= len(record):
                header = some_header(self.version, rng)
                record[place : place + HEADER] = header
                place += size_of(header)
                if rng.random() < 0.3:
                    break
        self.data += record[: HEADER + length]

    def bytes_at(self, place: int, count: int) -> bytes:
        """So many from a place; before the first one there is noise."""
        while place + count > len(self.data):
            self.grow()
        if place < 0:
            return self.rng.randbytes(-place) + bytes(self.data[: max(count + place, 0)])
        return bytes(self.data[place : place + count])

    def place_of(self, seq: int) -> int:
        """Where the byte with a sequence number is; negative before the first one."""
        place = (seq - self.first) % SEQ
        return place - SEQ if place >= HALF else place


def some_first(rng: random.Random) -> int:
    """A sequence number to start with: any, or one whose highest bit will change soon."""
    return rng.choice([rng.getrandbits(32), SEQ - rng.randint(1, 600), HALF - rng.randint(1, 600)])


@dataclass
class Peer:
    """Sends a stream in segments. Some are lost, and come later, again, or never."""

    stream: Stream
    cursor: int = 0
    lost: list[tuple[int, int]] = field(default_factory=list)

    def segment(self, walk: Walk, longest: int, known: Sequence[int] = ()) -> tuple[int, bytes]:
        """The next one, of so many bytes at most: place and bytes.

        Args:
            walk: the boundary now.
            known: sequence numbers up to which what is missing may be sent.
        """
        rng, stream = self.stream.rng, self.stream
        count = rng.choice([rng.randint(1, 16), rng.randint(1, 100), rng.randint(1, 400), 200])
        if rng.random() < 0.05:
            count = rng.randint(400, longest)
        kind = rng.random()
        place = self.cursor
        if kind < 0.5:
            self.cursor += count
        elif kind < 0.62:  # some before it are lost
            gap = rng.choice([1, rng.randint(1, 30), rng.randint(1, 300), rng.randint(1, 300)])
            if rng.random() < 0.15:
                gap = LONGEST + rng.choice([0, 1, 2, rng.randint(0, 300)])
            self.lost.append((place, place + gap))
            place += gap
            self.cursor = place + count
        elif kind < 0.78 and self.lost:
            first, last = self.lost.pop(rng.choice([0, rng.randrange(len(self.lost))]))
            place, count = first, min(last - first, longest)
            if count < last - first:
                self.lost.append((first + count, last))
        elif kind < 0.85:  # what is missing at the boundary
            place = stream.place_of((walk.next + len(walk.prefix)) % SEQ)
            ends = [mark - place for mark in stream.marks if 0 < mark - place <= longest]
            ends += [
                far for seq in known if 0 < (far := stream.place_of(seq) - place) <= longest
            ] * 3
            if ends and rng.random() < 0.7:
                count = rng.choice(ends)
        elif kind < 0.93:
            place += rng.randint(-250, 40)
        else:  # up to where something starts, or from there
            near = [mark for mark in stream.marks if abs(mark - place) < 250] or [place]
            place = rng.choice(near) + rng.choice([0, 0, 0, 1, -1, -5])
        if not -1000 < place < LIMIT:
            place = 0
        payload = bytearray(stream.bytes_at(place, count))
        if rng.random() < 0.1:  # a bit is another; where a header is, mostly
            near = [mark - place for mark in stream.marks if 0 <= mark - place < count]
            at = rng.choice([*near, rng.randrange(count)]) + rng.randrange(5)
            payload[min(at, count - 1)] ^= 1 << rng.randrange(8)
        return place, bytes(payload)
