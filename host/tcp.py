"""TCP's two sides of a direction: what comes, put in order; what is sent, held until acknowledged.

Receiving. In: segments as (sequence number, bytes, decrypted). Out: chunks, each byte of the stream
once and in order. A chunk's bytes come from one segment, so those with a different `decrypted` are
never joined, and where a segment is trimmed its bit stays with the bytes that are left. Of bytes
that come twice the first are kept. Bytes from before the stream, or too far beyond it, are not
taken.

Sending. In: bytes with a mark, acknowledgements. Out: any part that is held, to be sent again, but
no part has bytes with different marks, or from both sides of a fence.

RFC 9293, 3.4 (sequence numbers) and 3.10.7.4; windows, acknowledgements of what was not sent, and
flags are the caller's.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from dataclasses import dataclass
from typing import Final

MASK: Final = 0xFFFF_FFFF
WINDOW: Final = 1 << 30  # of a sequence number beyond what is expected: the largest window of TCP


def distance(a: int, b: int) -> int:
    """How far sequence number `a` is beyond `b`: -2^31 to 2^31 - 1."""
    return ((a - b + 0x8000_0000) & MASK) - 0x8000_0000


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes of the stream, in order, and whether the device decrypted them."""

    data: bytes
    decrypted: bool


class Receiver:
    """Puts a stream together that begins with sequence number `start`."""

    def __init__(self, start: int) -> None:
        self._start = start
        self.taken = 0  # bytes put out
        self._waiting: list[tuple[int, bytes, bool]] = []  # by place in the stream, disjoint

    @property
    def next(self) -> int:
        """Sequence number of the first byte that has not come in order."""
        return (self._start + self.taken) & MASK

    @property
    def waiting(self) -> int:
        """Bytes that came, and are behind others that have not."""
        return sum(len(data) for _, data, _ in self._waiting)

    def receive(self, seq: int, data: bytes, decrypted: bool) -> list[Chunk]:
        """Take a segment; return what is in order now."""
        if not data:
            return []
        expected = self.next
        if seq == expected and not self._waiting:  # the usual case
            self.taken += len(data)
            return [Chunk(data, decrypted)]
        ahead = distance(seq, expected)
        if ahead > WINDOW:
            return []
        self._keep(self.taken + ahead, data, decrypted)
        ready = []
        while self._waiting and self._waiting[0][0] == self.taken:
            _, piece, mark = self._waiting.pop(0)
            self.taken += len(piece)
            ready.append(Chunk(piece, mark))
        return ready

    def _keep(self, place: int, data: bytes, decrypted: bool) -> None:
        """Store those bytes of a segment that are not there yet."""
        end = place + len(data)
        pieces = []
        at = max(place, self.taken)
        for start, held, _ in self._waiting:
            if at < start and at < end:
                pieces.append((at, data[at - place : start - place], decrypted))
            at = max(at, start + len(held))
        if at < end:
            pieces.append((at, data[at - place :], decrypted))
        for piece in pieces:
            insort(self._waiting, piece)


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes to be sent; `marked`: in clear, and only who encrypts them may send them."""

    seq: int
    data: bytes
    marked: bool


@dataclass(frozen=True, slots=True)
class _Written:
    """What was written at once; `alone`: not to be joined to what is before it."""

    seq: int
    data: bytes
    marked: bool
    alone: bool


class Sender:
    """Holds what is sent, less than 2^31 bytes of it, from sequence number `start` on.

    Attributes:
        acknowledged: sequence number of the first byte that is not.
        next: sequence number of the next byte that is written (the kernel's `write_seq`).
    """

    def __init__(self, start: int) -> None:
        self.acknowledged = self.next = start
        self._taken = start
        self._held: list[_Written] = []
        self._fenced = False

    @property
    def held(self) -> int:
        """Bytes that are held; what was written at once is until the last of it is acknowledged."""
        return sum(len(written.data) for written in self._held)

    def write(self, data: bytes, marked: bool) -> None:
        """Append to the stream."""
        if data:
            last = self._held[-1].marked if self._held else marked
            alone = self._fenced or last != marked
            self._held.append(_Written(self.next, data, marked, alone))
            self._fenced = False
            self.next = self.next + len(data) & MASK

    def fence(self) -> None:
        """Join nothing that is written from now on to what was written by now."""
        self._fenced = True

    def take(self) -> list[Piece]:
        """What was written and not taken yet."""
        pieces = []
        while piece := self.segment(self._taken, distance(self.next, self._taken)):
            pieces.append(piece)
            self._taken = piece.seq + len(piece.data) & MASK
        return pieces

    def segment(self, seq: int, size: int) -> Piece | None:
        """At most `size` bytes from `seq` on; None if that one is not held."""
        if size <= 0 or not 0 <= distance(seq, self.acknowledged) < self._unacknowledged:
            return None
        first = self._index(seq)
        held = self._held[first]
        at = distance(seq, held.seq)
        parts = [held.data[at : at + size]]
        size -= len(parts[0])
        for more in self._held[first + 1 :]:
            if more.alone or not size:
                break
            parts.append(more.data[:size])
            size -= len(parts[-1])
        return Piece(seq, b"".join(parts), held.marked)

    def acked(self, seq: int) -> None:
        """All before `seq` was acknowledged; behind `next` that is a FIN, too."""
        end = min(distance(seq, self.acknowledged), self._unacknowledged)
        if end > 0:
            self.acknowledged = self.acknowledged + end & MASK
            if distance(self.acknowledged, self._taken) > 0:
                self._taken = self.acknowledged
            whole = self._index(self.acknowledged) if self._unacknowledged else len(self._held)
            del self._held[:whole]

    @property
    def _unacknowledged(self) -> int:
        return distance(self.next, self.acknowledged)

    def _index(self, seq: int) -> int:
        """Of what holds this byte."""
        base = self._held[0].seq
        at = distance(seq, base)
        return bisect_right(self._held, at, key=lambda held: distance(held.seq, base)) - 1
