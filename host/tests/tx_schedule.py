"""One connection that sends: program, kTLS, TCP, driver and device, and all that leaves is watched.

Nothing here is random. `Path` is the way from what a program writes to the wire. Whatever leaves is
compared with what a stack without a device would have sent there, records held with those that are
not acknowledged, and calls of the driver with what may still be sent.
"""

from __future__ import annotations

import errno
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from host.crypto_info import CryptoInfo, Version
from host.device_model import ModelDevice
from host.driver import Driver
from host.driver_tx import OutOfOrder, Skb
from host.ktls_send import MsgFlags, Sender
from host.packet import Flow
from host.regs import Direction
from host.tcp import MASK, Piece, distance
from host.tests.sending import V4, keys
from host.tests.wire import ACK, CLIENT, Tcp


@dataclass(frozen=True)
class Setting:
    """What is chosen for a connection before it starts; `before` bytes are sent by then."""

    version: Version = Version.TLS_1_3
    key_size: int = 16
    addresses: tuple[bytes, bytes] = V4
    seq: int = 1000
    number: int = 0
    before: int = 0
    way: OutOfOrder = OutOfOrder.SEEK
    ring: int = 1024


@dataclass
class Between:
    """Stands between stack and driver: resyncs fail, and each call is watched.

    Attributes:
        failures: whether each resync in turn fails. Afterwards none does.
        may_end: nothing of the connection can be sent any more by the device.
        calls: how often each was made.
    """

    driver: Driver
    failures: deque[bool] = field(default_factory=deque)
    may_end: bool = False
    calls: Counter[str] = field(default_factory=Counter)
    context: int | None = None

    def tls_dev_add(
        self, flow: Flow, direction: Direction, info: CryptoInfo, seq: int, socket: Sender
    ) -> int:
        """The driver's."""
        self.calls["add"] += 1
        self.context = self.driver.tls_dev_add(flow, direction, info, seq, socket)
        return self.context

    def tls_dev_del(self, context: int, direction: Direction) -> None:
        """The driver's, once, and when nothing is left to do."""
        assert self.may_end
        assert (context, direction) == (self.context, Direction.TX)
        self.calls["del"] += 1
        self.context = None
        self.driver.tls_dev_del(context, direction)

    def tls_dev_resync(self, context: int, direction: Direction, seq: int, number: int) -> None:
        """The driver's, if it does not fail."""
        assert (context, direction) == (self.context, Direction.TX)
        if self.failures and self.failures.popleft():
            raise OSError(errno.EIO, "no")
        self.driver.tls_dev_resync(context, direction, seq, number)


class Path:
    """A connection that the device has from its first record on.

    Attributes:
        wire: the stream as software alone sends it, from before the offload on.
        ends: of its records, by place in the stream.
        acked: how much of it was acknowledged.
        sent: how much of it TCP sent, whether it left or not.
        left: bytes of payload that left, again and again.
    """

    def __init__(self, setting: Setting) -> None:
        _, info = keys(setting.version, setting.key_size, setting.number)
        self.setting = setting
        self.driver = Driver(ModelDevice(), out_of_order=setting.way, ring=setting.ring)
        self.between = Between(self.driver)
        self.sender = Sender(info, setting.seq, Counter())
        self.software = Sender(info, setting.seq, Counter())
        self.wire = bytes(255 - n & 0xFF for n in range(setting.before))
        for sender in (self.sender, self.software):
            sender.tcp.write(self.wire, marked=False)
        self.software.take_stream()
        self.ends: list[int] = []
        self.acked = self.sent = self.left = 0
        self.closed = False
        self._marker = True  # the start marker is held
        self._tcp = Tcp(setting.addresses, (50000, 443))
        flow = Flow(setting.addresses[0], 50000, setting.addresses[1], 443)
        assert self.sender.offload(self.between, flow)

    # -- the program ----------------------------------------------------------------------------

    def send(
        self, data: bytes, flags: MsgFlags = MsgFlags.NONE, record_type: int | None = None
    ) -> None:
        """The program writes."""
        for sender in (self.software, self.sender):
            assert sender.send(data, flags, record_type) == len(data)
        self._written()
        self._check()

    def close(self) -> None:
        """It closes the socket."""
        self.closed = True
        self.software.close()
        self._written()
        self._may_end()
        self.sender.close()
        self._check()

    # -- TCP and below --------------------------------------------------------------------------

    def segments(self, start: int, end: int, size: int) -> list[Piece]:
        """Bytes of the stream as TCP cuts them."""
        pieces = []
        while start < end:
            piece = self.sender.segment(self.seq(start), min(size, end - start))
            assert piece
            pieces.append(piece)
            start += len(piece.data)
        return pieces

    def transmit(self, pieces: Sequence[Piece], elsewhere: bool = False, flags: int = ACK) -> int:
        """Frames on their way to the device, or to another one; how many left."""
        skbs = []
        for piece in pieces:
            frame = self._tcp.frame(CLIENT, piece.seq, flags, piece.data)
            device = None if elsewhere else self.between
            validated = self.sender.validate(frame, piece.marked, device)
            if validated:
                skbs.append(Skb(validated[0], self.sender.context, validated[1]))
        if elsewhere:
            assert not any(skb.decrypted for skb in skbs)
            left = [skb.frame for skb in skbs]
        else:
            left = self.driver.transmit(skbs)
        for frame in left:
            self._leaves(frame, flags)
        return len(left)

    def arrive(self, start: int, end: int, size: int) -> None:
        """Bytes of the stream are sent, and all of them leave."""
        before = self.left
        self.transmit(self.segments(start, end, size))
        assert self.left - before == end - start

    def acknowledge(self, end: int) -> None:
        """The peer has all of the stream up to there."""
        self.acked = max(self.acked, end)
        self._marker = self._marker and end < self.setting.before
        self._may_end()
        self.sender.acked(self.seq(end))
        self._check()

    def down(self) -> None:
        """The device goes away."""
        self.between.may_end = True
        self.sender.device_down()

    def seq(self, place: int) -> int:
        """Sequence number of a place in the stream."""
        return self.setting.seq + place & MASK

    # -- what is watched ------------------------------------------------------------------------

    def _written(self) -> None:
        """What software sends of it is what is to leave."""
        self.wire += b"".join(piece.data for piece in self.software.take_stream())
        at = self.ends[-1] if self.ends else self.setting.before
        while at < len(self.wire):
            at += 5 + int.from_bytes(self.wire[at + 3 : at + 5])
            self.ends.append(at)
        assert at == len(self.wire)

    def _leaves(self, frame: bytes, flags: int) -> None:
        """Each byte is what software would have sent there, and so is the frame around it."""
        header = len(self._tcp.frame(CLIENT, 0, flags))
        seq = int.from_bytes(frame[header - 16 : header - 12])
        at, size = distance(seq, self.setting.seq), len(frame) - header
        payload = self.wire[at : at + size] if size else b""
        assert frame == self._tcp.frame(CLIENT, seq, flags, payload)
        self.left += size

    def _may_end(self) -> None:
        if self.closed and self.acked == len(self.wire):
            self.between.may_end, self._marker = True, False

    def _check(self) -> None:
        """What is held is what was not acknowledged to its end."""
        held = sum(end > self.acked for end in self.ends)
        assert len(self.sender.records) == held + self._marker
