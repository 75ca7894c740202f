"""Which records a segment has bytes of, and which of these are new. Model of hdl/tls_rx_walk.v.

Written from docs/receive.md, 2, whose three steps are the three branches of `Walk.walk`. Knows no
key, and no way back when the boundary is lost: that is rx_search.py. Where the device keeps a sum
of the bytes of an open record, this keeps the bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from model.record import HALF, HEADER, NUMBERS, PREFIX, SEQ, Record, is_header, size_of
from model.regs import RxPass, TlsVersion

Runs = tuple[tuple[int, int], ...]  # [first, last) each; apart, in no order


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes [first, last) of a record, taken from a payload at `offset`."""

    record: Record
    first: int
    last: int
    offset: int


@dataclass(frozen=True, slots=True)
class Complete:
    """A record of which all bytes were taken, and the bytes."""

    record: Record
    data: bytes


class Walked(NamedTuple):
    """What came of a payload. Not a dataclass: there is one for each frame, and this is faster.

    Attributes:
        reason: why its frame is not decrypted, as far as that can be known without a key.
        pieces: what was taken, in order.
        complete: records that it completed, in order.
        broken: where the next header should have been there was none, whatever the reason is.
    """

    reason: RxPass
    pieces: tuple[Piece, ...] = ()
    complete: tuple[Complete, ...] = ()
    broken: bool = False


class Open:
    """A record of which bytes are missing, and those that there are."""

    __slots__ = ("data", "partial", "record", "runs")

    def __init__(self, record: Record, *, partial: bool) -> None:
        self.record = record
        self.partial = partial
        self.runs: Runs = ((0, len(record.prefix)),)
        self.data = bytearray(record.prefix.ljust(record.total, b"\0"))

    @property
    def complete(self) -> bool:
        """All its bytes were taken."""
        return self.runs == ((0, self.record.total),)

    def take(self, first: int, data: bytes, runs: int) -> RxPass:
        """Take these bytes, from `first` on, if there are so many runs then; or tell why not."""
        last = first + len(data)
        for run in self.runs:
            if run[0] < last and first < run[1]:
                return RxPass.OVERLAP
        joined = join(self.runs, first, last)
        if len(joined) > runs:
            return RxPass.WINDOW_FULL
        self.runs = joined
        self.data[first:last] = data
        return RxPass.NONE


def join(runs: Runs, first: int, last: int) -> Runs:
    """The runs with [first, last), which overlaps none; those that touch it become one with it."""
    apart = []
    for run in runs:
        if run[1] == first:
            first = run[0]
        elif run[0] == last:
            last = run[1]
        else:
            apart.append(run)
    return (*apart, (first, last))


class Walk:
    """A connection's place in its records."""

    def __init__(
        self, version: TlsVersion, seq: int, number: int, *, window: int, runs: int
    ) -> None:
        self.version = version
        self.next = seq
        self.number = number
        self.prefix = b""  # what there is of that of the record at `next`: `have` bytes
        self.runs = runs  # of a record, at most
        self._open: list[Open] = []  # the oldest first
        self._window = window

    def ahead(self, seq: int) -> int:
        """How far a frame from `seq` on is ahead, in bytes; 0 if it is not."""
        far = (seq - self.next - len(self.prefix)) % SEQ
        return far if far <= HALF else 0

    def walk(
        self,
        seq: int,
        payload: bytes,
        *,
        avoid_partials: bool,
        reason: RxPass = RxPass.NONE,
    ) -> Walked:
        """Take what is new of a payload that starts at `seq` and has this reason already."""
        if self.ahead(seq):
            return Walked(reason or RxPass.OUT_OF_SYNC)
        broken = False
        pieces: list[Piece] = []
        complete: list[Complete] = []
        at = 0  # of the payload; `pos` of docs/receive.md is seq + at
        while at < len(payload):
            pos = (seq + at) % SEQ
            if pos == (self.next + len(self.prefix)) % SEQ:
                joined = payload[at : at + PREFIX[self.version] - len(self.prefix)]
                broken = not self._join_prefix(joined, has_reason=bool(reason))
                if broken:
                    reason = reason or RxPass.BAD_RECORD
                    break
                at += len(joined)
            elif entry := self._open_at(pos):
                record = entry.record
                first = (pos - record.start) % SEQ
                last = min(record.total, first + len(payload) - at)
                alone = (seq - record.start) % SEQ + len(payload) <= record.total
                if avoid_partials and entry.partial and alone:
                    refused = RxPass.PARTIAL
                else:
                    refused = entry.take(first, payload[at : at + last - first], self.runs)
                if refused:
                    reason = reason or refused
                    entry.partial = True
                else:
                    pieces.append(Piece(record, first, last, at))
                if entry.complete:
                    self._open.remove(entry)
                    complete.append(Complete(record, bytes(entry.data)))
                at += last - first
            else:
                reason = reason or RxPass.OVERLAP
                starts = [entry.record.start for entry in self._open]
                starts.append(self.next + len(self.prefix))
                at += min((start - pos) % SEQ for start in starts)
        return Walked(reason, tuple(pieces), tuple(complete), broken)

    def move(self, seq: int, number: int) -> None:
        """The next header is at `seq`, of record `number`."""
        if (self.next ^ seq) & HALF:
            self._open.clear()
        self.next = seq
        self.number = number
        self.prefix = b""

    def open(self, prefix: bytes, *, partial: bool) -> None:
        """Open the record at `next`, which has this prefix; the next one is behind it."""
        record = Record(self.next, size_of(prefix), self.number, prefix)
        self.move((self.next + record.total) % SEQ, (self.number + 1) % NUMBERS)
        self.make_room()
        self._open.append(Open(record, partial=partial))

    def make_room(self) -> None:
        """Drop the oldest open record if the window is full."""
        if len(self._open) == self._window:
            del self._open[0]

    def _join_prefix(self, joined: bytes, *, has_reason: bool) -> bool:
        """Add to the prefix, and open the record that has all of it; False for a bad header."""
        prefix = self.prefix + joined
        if len(prefix) >= HEADER and not is_header(prefix[:HEADER], self.version):
            return False
        if len(prefix) == PREFIX[self.version]:
            self.open(prefix, partial=has_reason)
        else:
            self.prefix = prefix
        return True

    def _open_at(self, pos: int) -> Open | None:
        """The youngest open record that has the byte at this sequence number."""
        for entry in reversed(self._open):
            if (pos - entry.record.start) % SEQ < entry.record.total:
                return entry
        return None
