"""The driver's half of transmit: which frames the device encrypts, and how those out of order.

In: frames, those with plaintext marked as such; records and answers of their sockets. Out: items of
the device's queue (docs/transmit.md), frames that left, tags for the records, statistics under the
names of ethtool. Nothing is raised but what a socket or a device raises; a frame that cannot be
sent is dropped and counted, and TCP sends it again.

    not marked, or no payload       leaves as it is
    marked, the next byte           the device encrypts it
    marked, another byte            one of `OutOfOrder`; while a resync is pending, and if no other
                                    can be had, the socket encrypts it, and it leaves as it is then
    marked, and nobody encrypts it  dropped

A marked frame with payload never leaves as it is: `_plain` makes all items that do, and makes none
of it. Sequence numbers count payload alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Protocol

from host import regs
from host.crypto_info import Version
from host.device import Device, Sent, TxContext, TxDescriptor
from host.packet import Segment, elsewhere, parse
from host.record import PREFIX, TAG
from host.regs import TxDrop, TxKind
from host.tcp import MASK, distance
from host.tx_records import StartMarker, TxRecord, TxRecords

RING: Final = 1024  # entries
FEED_FRAME: Final = 9014  # bytes at most: the largest MTU in common use
RESYNC_AHEAD: Final = 1 << 30  # a segment that is further ahead is taken for one from long ago

COUNTERS: Final = (
    "tx_tls_skip_no_sync_data",  # frames from before the connection was offloaded
    "tx_tls_drop_no_sync_data",  # dropped: their record is not held any more
    "tx_tls_drop_bypass_req",  # dropped: plaintext would have left
    "tx_tls_resync",  # times the device was told which record is next
    "tx_ooo_seek",  # frames sent by that way
    "tx_ooo_rebuild",
    "tx_ooo_rebuild_packets",  # fed to the device before them
    "tx_ooo_rebuild_bytes",  # payload of these: bytes that are read again
    "tx_ooo_software",
    "tx_ooo_software_bytes",  # of their first record, in front of them
    "tx_ooo_ring_full",  # frames that would have needed more of the ring than there is
    "tx_ooo_unexpected",  # frames that the device did not expect, though they were next
    "tx_dropped",  # frames that the device's queue did not take
)


class OutOfOrder(IntEnum):
    """Ways to send a segment that is not the next one; what one cannot do, a lower one may."""

    SOFTWARE = 0  # the socket encrypts it
    REBUILD = 1  # the device is fed its record's bytes in front of it again, and goes on behind it
    SEEK = 2  # the device is told its record's place, number and tag, for this segment alone


_CAPS: Final = {
    OutOfOrder.SEEK: regs.CAPS_TX_SEEK_MASK,
    OutOfOrder.REBUILD: regs.CAPS_TX_REBUILD_MASK,
    OutOfOrder.SOFTWARE: 0,
}


@dataclass(frozen=True, slots=True)
class Skb:
    """A frame to be sent.

    Attributes:
        frame: all of it, without FCS.
        context: that of its socket; None if the socket has none.
        decrypted: its payload is plaintext, and is not to leave as that.
    """

    frame: bytes
    context: int | None = None
    decrypted: bool = False


class TxSocket(Protocol):
    """What the driver asks of a socket whose records the device encrypts."""

    @property
    def records(self) -> TxRecords:
        """All that is not acknowledged, in clear."""

    def encrypt_skb(self, frame: bytes) -> bytes | None:
        """A marked frame, encrypted; None if it is to be dropped."""

    def tx_resync_request(self, got_seq: int, expected_seq: int) -> None:
        """The device needs to be told which record is next; not while that is pending."""

    def tx_resync_pending(self) -> bool:
        """It was asked for, and the device was not told yet."""


@dataclass(slots=True)
class _Connection:
    """A connection that the device has.

    Attributes:
        id: what the device calls it.
        socket: its socket.
        prefix: bytes of its records' headers and explicit nonces.
        next: sequence number that the device encrypts next.
        expected: the same, once it has taken what is in the queue.
        lost: it did not expect what it should have: it must be told which record is next.
    """

    id: int
    socket: TxSocket
    prefix: int
    next: int
    expected: int
    lost: bool = False

    def item(self, kind: TxKind, data: bytes, following: int | None = None) -> _Item:
        """What is queued for it."""
        return _Item(data, TxDescriptor(self.id, kind), following)


@dataclass(frozen=True, slots=True)
class _Item:
    """An entry of the queue, and its connection's `next` behind it; None: that stays."""

    data: bytes
    descriptor: TxDescriptor
    next: int | None = None


@dataclass(frozen=True, slots=True)
class _Data:
    """A marked frame with payload, and the record in which that starts."""

    connection: _Connection
    frame: bytes
    segment: Segment
    record: TxRecord

    @property
    def at(self) -> int:
        """How far into the record it starts."""
        return distance(self.segment.seq, self.record.start)

    @property
    def end(self) -> int:
        """Sequence number behind it."""
        return _end(self.segment)

    @property
    def lacks_tag(self) -> bool:
        """It has bytes of that record's tag, which is not known."""
        text_ends = self.record.end - TAG & MASK
        return distance(self.end, text_ends) > 0 and self.record.tag is None


class Transmit:
    """The frames of all sockets on their way to a device, which gets them in batches.

    Args:
        device: the device.
        caps: what it can do, as in CAPS.
        max_frame: bytes of its longest frame.
        out_of_order: the best way to use.
        ring: entries of its queue.

    Attributes:
        out_of_order: the best way that is used, and that the device has.
        counters: statistics.
    """

    def __init__(
        self, device: Device, caps: int, max_frame: int, out_of_order: OutOfOrder, ring: int
    ) -> None:
        self.counters: Counter[str] = Counter(dict.fromkeys(COUNTERS, 0))
        self._device = device
        self._ways = {
            way for way, cap in _CAPS.items() if caps & cap == cap and way <= out_of_order
        }
        self.out_of_order = max(self._ways)
        self._feed_frame = min(max_frame, FEED_FRAME)
        self._ring = ring
        self._connections: dict[int, _Connection] = {}
        self._queue: list[_Item] = []
        self._left: list[bytes] = []

    def add(self, context: int, version: Version, seq: int, socket: TxSocket) -> None:
        """The device has a connection, and encrypts that sequence number next."""
        self._connections[context] = _Connection(context, socket, PREFIX[version], seq, seq)

    def delete(self, context: int) -> None:
        """It has it no more."""
        self._connections.pop(context, None)

    def resynced(self, context: int, seq: int) -> None:
        """The device was told which record starts there, and encrypts that next."""
        self.counters["tx_tls_resync"] += 1
        connection = self._connections.get(context)
        if connection:
            connection.next = connection.expected = seq
            connection.lost = False

    def transmit(self, skbs: Sequence[Skb]) -> list[bytes]:
        """Send frames; those that left, in order."""
        try:
            for skb in skbs:
                self._transmit(skb)
            self._post()
            return self._left
        finally:
            self._settle(self._queue)
            self._queue, self._left = [], []

    # -- what becomes of a frame ----------------------------------------------------------------

    def _transmit(self, skb: Skb) -> None:
        if len(self._queue) >= self._ring:
            self._post()
        packet = parse(skb.frame)
        segment = packet.segment if packet else None
        connection = None if skb.context is None else self._connections.get(skb.context)
        if not skb.decrypted:
            if segment is None or connection is None or self._passes(segment, connection):
                self._append([_plain(skb)])
        elif segment is not None and _is_bare(skb.frame, segment):
            self._append([_plain(skb)])
        elif segment is None or segment.start == segment.end or connection is None:
            self.counters["tx_tls_drop_bypass_req"] += 1
        else:
            self._encrypt(skb.frame, segment, connection)

    def _passes(self, segment: Segment, connection: _Connection) -> bool:
        """Whether an unmarked one does: not if it goes on beyond the start of the offload."""
        if segment.start == segment.end:
            return True
        start = connection.socket.records.get(segment.seq)
        if not isinstance(start, StartMarker):
            return True
        before = distance(_end(segment), start.seq) <= 0
        self.counters["tx_tls_skip_no_sync_data" if before else "tx_tls_drop_bypass_req"] += 1
        return before

    def _encrypt(self, frame: bytes, segment: Segment, connection: _Connection) -> None:
        """A marked frame with payload, whose connection the device has."""
        pending = connection.socket.tx_resync_pending()
        if segment.seq == connection.expected and not (pending or connection.lost):
            self._append([connection.item(TxKind.ENCRYPT, frame, _end(segment))])
            return
        record = connection.socket.records.get(segment.seq)
        if record is None:
            self.counters["tx_tls_drop_no_sync_data"] += 1
        elif isinstance(record, StartMarker):
            self.counters["tx_tls_drop_bypass_req"] += 1
        elif pending:
            self._encrypt_in_software(_Data(connection, frame, segment, record))
        else:
            self._out_of_order(_Data(connection, frame, segment, record))

    def _out_of_order(self, data: _Data) -> None:
        way, items = OutOfOrder.SEEK, self._seek(data)
        if not items:
            way, items = OutOfOrder.REBUILD, self._rebuild(data)
        tag_helps = data.lacks_tag and (OutOfOrder.SEEK in self._ways or not items)
        if self._queue and (tag_helps or len(self._queue) + len(items) > self._ring):
            self._post()
            self._encrypt(data.frame, data.segment, data.connection)  # as things are by now
        elif not items or len(items) > self._ring:
            self.counters["tx_ooo_ring_full"] += bool(items)
            self._encrypt_in_software(data)
        else:
            self._append(items)
            self.counters[f"tx_ooo_{way.name.lower()}"] += 1
            if way is OutOfOrder.REBUILD:
                self.counters["tx_ooo_rebuild_packets"] += len(items) - 2
                self.counters["tx_ooo_rebuild_bytes"] += data.at

    def _seek(self, data: _Data) -> list[_Item]:
        """Context and frame; none if it cannot be sent in this way."""
        connection, record = data.connection, data.record
        behind = distance(data.end, connection.expected) <= 0
        whole_text = data.at <= connection.prefix  # then the device makes the tag
        if (
            OutOfOrder.SEEK not in self._ways
            or not behind
            or (data.lacks_tag and not whole_text)
            or not _holds(connection.socket.records, record, data.end)
        ):
            return []
        prefix = record.data[: connection.prefix]
        context = TxContext(record.start, record.number, prefix, seek=True, tag=record.tag)
        return [
            connection.item(TxKind.CONTEXT, context.pack()),
            connection.item(TxKind.ENCRYPT, data.frame),
        ]

    def _rebuild(self, data: _Data) -> list[_Item]:
        """Context, what the record has in front of the frame, frame; none if it cannot be so."""
        if OutOfOrder.REBUILD not in self._ways:
            return []
        connection, record = data.connection, data.record
        context = TxContext(record.start, record.number)
        items = [connection.item(TxKind.CONTEXT, context.pack(), record.start)]
        size = max(self._feed_frame - data.segment.start, 1)
        for first in range(0, data.at, size):
            piece = record.data[first : min(first + size, data.at)]
            seq = record.start + first & MASK
            frame = elsewhere(data.frame, data.segment, seq, piece)
            items.append(connection.item(TxKind.FEED, frame, seq + len(piece) & MASK))
        items.append(connection.item(TxKind.ENCRYPT, data.frame, data.end))
        return items

    def _encrypt_in_software(self, data: _Data) -> None:
        socket, expected = data.connection.socket, data.connection.expected
        again = data.at if data.lacks_tag else 0
        frame = socket.encrypt_skb(data.frame)
        if frame is None:
            self.counters["tx_tls_drop_no_sync_data"] += 1
            return
        self.counters["tx_ooo_software"] += 1
        self.counters["tx_ooo_software_bytes"] += again
        ahead = data.segment.seq - expected & MASK
        if ahead < RESYNC_AHEAD and not socket.tx_resync_pending():
            socket.tx_resync_request(data.segment.seq, expected)
        self._append([_plain(Skb(frame))])

    # -- the queue ------------------------------------------------------------------------------

    def _append(self, items: Sequence[_Item]) -> None:
        self._queue += items
        for item in items:
            if item.next is not None:
                connection = self._connections[item.descriptor.connection]
                connection.expected = item.next
                connection.lost &= item.descriptor.kind is not TxKind.CONTEXT

    def _post(self) -> None:
        """Have the device take the queue."""
        queue, self._queue = self._queue, []
        if not queue:
            return
        try:
            told = self._device.send([(item.data, item.descriptor) for item in queue])
            for item, sent in zip(queue, told, strict=True):
                self._told(item, sent)
        except OSError:
            leave = (TxKind.PLAIN, TxKind.ENCRYPT)
            self.counters["tx_dropped"] += sum(item.descriptor.kind in leave for item in queue)
        finally:
            self._settle(queue)

    def _told(self, item: _Item, sent: Sent) -> None:
        """What became of an item."""
        if sent.frame is not None:
            self._left.append(sent.frame)
        connection = self._connections.get(item.descriptor.connection)
        if item.descriptor.kind is TxKind.PLAIN or connection is None:
            return
        if sent.reason:
            if sent.reason is TxDrop.OUT_OF_ORDER and item.next is not None:
                self.counters["tx_ooo_unexpected"] += 1
                connection.lost = True
            return
        if item.next is not None:
            connection.next = item.next
        for start, tag in sent.tags:
            record = connection.socket.records.get(start)
            if isinstance(record, TxRecord) and record.start == start:
                record.tag = tag

    def _settle(self, items: Sequence[_Item]) -> None:
        """Nothing of these is in the queue any more: what the device said counts."""
        for item in items:
            connection = self._connections.get(item.descriptor.connection)
            if connection:
                connection.expected = connection.next


def _plain(skb: Skb) -> _Item:
    """An item that leaves as it is; ValueError for plaintext that is not to. Only this makes them.

    What software encrypted is not marked any more.
    """
    packet = parse(skb.frame) if skb.decrypted else None
    segment = packet.segment if packet else None
    if skb.decrypted and (segment is None or not _is_bare(skb.frame, segment)):
        raise ValueError("a frame that is to be encrypted cannot leave as it is")
    return _Item(skb.frame, TxDescriptor(0, TxKind.PLAIN))


def _is_bare(frame: bytes, segment: Segment) -> bool:
    """Whether it has no payload, and nothing but padding behind it."""
    return segment.start == segment.end and not any(frame[segment.end :])


def _holds(records: TxRecords, record: TxRecord | StartMarker | None, end: int) -> bool:
    """Whether all bytes from this record's start to `end` are of records that are held."""
    while isinstance(record, TxRecord):
        if distance(end, record.end) <= 0:
            return True
        record = records.get(record.end)
    return False


def _end(segment: Segment) -> int:
    """Sequence number behind its payload."""
    return segment.seq + segment.end - segment.start & MASK
