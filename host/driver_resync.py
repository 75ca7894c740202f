"""The driver's half of receive resynchronisation: what the device asks, and what becomes of it.

In: requests and withdrawals of the device, time in nanoseconds, bytes that came, answers of the
stack. Out: requests to the stack (`host/resync.py`), what to reject, statistics under the names of
ethtool. No I/O, and nothing is raised. Places here are those of a header's first byte, as the
device has them; towards the stack of DRIVER_REQ they are those of its last.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from host.record import HEADER
from host.resync import LENGTH_MASK, ResyncType, RxResync
from host.tcp import MASK, distance

# A request is rejected at once when the stack is past its place; else when both of these are
# exceeded. A header that is right waits behind a gap until that is filled, which takes a round
# trip, however many bytes come meanwhile; and without bytes there is nothing to decrypt.
PATIENCE_BYTES: Final = 32 * 1024
PATIENCE_TIME: Final = 2_500_000_000

COUNTERS: Final = (
    "rx_tls_resync_req_start",  # requests that were begun with the stack
    "rx_tls_resync_req_end",  # those of which the stack was told the place
    "rx_tls_resync_req_skip",  # those that were withdrawn or replaced before
    "rx_tls_resync_discard",  # answers to what was not asked any more
    "rx_tls_resync_nak",  # requests that were rejected: no answer came, or none could come
)


@dataclass(slots=True)
class _Pending:
    """What the device asked last, and since when the stack has not answered."""

    seq: int
    since: int
    bytes: int = 0
    ended: bool = False  # the stack knows the place


@dataclass(slots=True)
class _Connection:
    type: ResyncType
    stack: RxResync | None
    pending: _Pending | None = None


class RxRequests:
    """What the device asked about the connections that it has."""

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter(dict.fromkeys(COUNTERS, 0))
        self._connections: dict[int, _Connection] = {}

    def add(self, context: int, kind: ResyncType, stack: RxResync | None) -> None:
        """The device has a connection; its stack is to ask, or be asked, in this way."""
        if stack:
            stack.type = kind
        self._connections[context] = _Connection(kind, stack)

    def delete(self, context: int) -> None:
        """It has it no more."""
        self._connections.pop(context, None)

    def waits(self, context: int) -> bool:
        """The device waits for an answer on this connection."""
        connection = self._connections.get(context)
        return connection is not None and connection.pending is not None

    def request(self, context: int, seq: int, now: int, first: int, length: int) -> None:
        """The device asks about a place, with a frame that has `length` bytes from `first` on."""
        connection = self._connections.get(context)
        if connection is None or connection.type is ResyncType.CORE_NEXT_HINT:
            return
        self._give_up(connection)
        connection.pending = _Pending(seq, now)
        self.counters["rx_tls_resync_req_start"] += 1
        if connection.type is ResyncType.DRIVER_REQ:
            self._end(connection, connection.pending)
        elif connection.stack:
            before = max(distance(first, seq), 0)  # the place is in an earlier frame
            span = min(length + before, LENGTH_MASK)
            connection.stack.request_start(first - before & MASK, span)

    def withdraw(self, context: int, seq: int) -> None:
        """The device gave that place up."""
        connection = self._connections.get(context)
        if connection and connection.pending and connection.pending.seq == seq:
            self._give_up(connection)

    def end(self) -> None:
        """What was asked is final by now: let the stacks know that wait for it."""
        for connection in self._connections.values():
            if connection.pending and not connection.pending.ended:
                self._end(connection, connection.pending)

    def count(self, context: int, length: int) -> None:
        """Bytes came on a connection."""
        connection = self._connections.get(context)
        if connection and connection.pending:
            connection.pending.bytes += length

    def expired(self, now: int) -> list[tuple[int, int]]:
        """Connections and places for which no answer will come; they are asked no more."""
        rejected = []
        for context, connection in self._connections.items():
            pending = connection.pending
            if pending is None:
                continue
            late = pending.bytes > PATIENCE_BYTES and now - pending.since > PATIENCE_TIME
            if late or (pending.ended and connection.stack and connection.stack.gone_by):
                self._give_up(connection)
                self.counters["rx_tls_resync_nak"] += 1
                rejected.append((context, pending.seq))
        return rejected

    def answer(self, context: int, seq: int) -> int | None:
        """The place of which the stack speaks; None if the device does not ask about it."""
        connection = self._connections.get(context)
        if connection is None or connection.type is ResyncType.CORE_NEXT_HINT:
            return seq
        if connection.type is ResyncType.DRIVER_REQ:
            seq = seq - (HEADER - 1) & MASK
        if connection.pending is None or connection.pending.seq != seq:
            self.counters["rx_tls_resync_discard"] += 1
            return None
        connection.pending = None
        return seq

    def _end(self, connection: _Connection, pending: _Pending) -> None:
        pending.ended = True
        self.counters["rx_tls_resync_req_end"] += 1
        if connection.stack is None:
            return
        if connection.type is ResyncType.DRIVER_REQ:
            connection.stack.request(pending.seq + HEADER - 1 & MASK)
        else:
            connection.stack.request_end(pending.seq)

    def _give_up(self, connection: _Connection) -> None:
        """What is pending is it no more. A synchronous request cannot be taken back."""
        pending, connection.pending = connection.pending, None
        if pending is None:
            return
        self.counters["rx_tls_resync_req_skip"] += not pending.ended
        if connection.stack and connection.type is ResyncType.DRIVER_REQ_ASYNC:
            connection.stack.request_cancel()
