"""The receive side of TCP, one direction: segments in, the stream in order out.

In: segments as (sequence number, bytes, decrypted). Out: chunks, each byte of the stream once and
in order. A chunk's bytes come from one segment, so those with a different `decrypted` are never
joined, and where a segment is trimmed its bit stays with the bytes that are left. Of bytes that
come twice the first are kept. Bytes from before the stream, or too far beyond it, are not taken.
RFC 9293, 3.4 (sequence numbers) and 3.10.7.4; windows, acknowledgements and flags are the caller's.
"""

from __future__ import annotations

from bisect import insort
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
