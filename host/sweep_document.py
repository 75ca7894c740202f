"""The NIC of the kernel's document, as far as a sweep needs it: packets and boundaries, no bytes.

In: the segments of one stream as they arrive, given as their bytes' places in it, and the host's
answers. Out: whether the device would decrypt them, and what it asks the host. It is in order: it
decrypts a segment only if it is the very next one (Documentation/networking/tls-offload.rst; B.
Pismenny et al., "Autonomous NIC Offloads", ASPLOS 2021, 4.3 and figures 7, 8):

    OFFLOADING  the next segment is decrypted. Any other passes; nothing changes if it is older, or
                ends before the next record header. If it has that header, the device goes on behind
                it, and decrypts it if the header comes first in it. If it begins behind the header,
                the boundary is lost.
    SEARCHING   for a header, also one that is cut in two by segments that follow one another.
    TRACKING    one was found, the host was asked, and from header to header the lengths are
                followed. A segment that begins behind the next one of them: search again. With the
                host's yes, the device goes on as if that next header were the one it waits for.

All records have the same size here, and no payload looks like a header.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from host.record import HEADER

_SPLIT: Final = HEADER - 1  # bytes of a header that may end the segment before


class State(Enum):
    """What the device does."""

    OFFLOADING = auto()
    SEARCHING = auto()
    TRACKING = auto()


class Document:
    """One stream of records of `size` bytes, from its first byte on.

    Attributes:
        asked: the header that the host was asked about last; None if not, or if it does not matter
            any more.
    """

    def __init__(self, size: int) -> None:
        self.state = State.OFFLOADING
        self.asked: int | None = None
        self._size = size
        self._expected = 0
        self._header = 0  # the next one: expected, or tracked
        self._end = 0  # of the segment before

    def receive(self, start: int, end: int) -> bool:
        """Take the segment [start, end); whether it is decrypted."""
        follows, self._end = start == self._end, end
        if self.state is State.OFFLOADING:
            if start == self._expected:
                self._go_on(end)
                return True
            if start < self._expected or end <= self._header:
                return False
            if start <= self._header:
                begins = start == self._header
                self._go_on(end)
                return begins
            self.state = State.SEARCHING
        seen = max(0, start - _SPLIT * follows)
        if self.state is State.TRACKING:
            if self._found(self._header, seen, end):
                self._header += self._size
            elif start > self._header:
                self.state, self.asked = State.SEARCHING, None
        if self.state is State.SEARCHING:
            first = -(-seen // self._size) * self._size
            if self._found(first, seen, end):
                self.state, self.asked = State.TRACKING, first
                self._header = first + self._size
        return False

    def confirm(self, header: int) -> bool:
        """The host says that there is a header; whether that is what it was asked."""
        if header != self.asked:
            return False
        self.state, self.asked = State.OFFLOADING, None
        self._expected = -1  # no segment, until one has the next header
        return True

    def _go_on(self, end: int) -> None:
        self._expected = end
        while self._header + HEADER <= end:
            self._header += self._size

    @staticmethod
    def _found(header: int, start: int, end: int) -> bool:
        return start <= header and header + HEADER <= end
