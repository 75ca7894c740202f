"""The driver: the kernel's TLS offload operations on the registers of docs/registers.md.

In: connections with their keys, frames from the wire and frames to be sent, answers of the stack.
Out: contexts, frames with what the device says of them, frames that left, requests to the stack
(docs/resync.md; `driver_tx` for transmit), statistics. Errors are
the kernel's, as OSError. Probing: ENODEV for what is not this device or another register map,
EOPNOTSUPP for what it cannot be set to. `tls_dev_add`, as `Refused`, with the reason by which it is
counted: ENOSPC (the device is full), EEXIST, EINVAL, EOPNOTSUPP (it lacks direction, version or
cipher), ETIMEDOUT (no answer), EBUSY. Keys go to the mailbox, which wipes them, and are kept
nowhere here. Time is an argument, in nanoseconds.
"""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from host import regs
from host.crypto_info import CipherType, CryptoInfo, Version
from host.device import Device, RxDescriptor
from host.driver_resync import RxRequests
from host.driver_tx import RING, OutOfOrder, Skb, Transmit, TxSocket
from host.packet import Flow, parse
from host.regs import (
    Addr,
    Answer,
    Cipher,
    Direction,
    Event,
    IpVersion,
    Opcode,
    Reason,
    RxPass,
    TlsVersion,
)
from host.resync import ResyncType, RxResync

POLLS: Final = 10_000  # reads of CMD_STATUS before the device is taken for dead
KEY_AND_IV: Final = 4 * (regs.CMD_KEY_WORDS + regs.CMD_IV_WORDS)  # bytes, one behind the other

_DIRECTION: Final = {
    Direction.RX: regs.CAPS_RX_MASK,
    Direction.TX: regs.CAPS_TX_MASK,
}
_VERSION: Final = {
    Version.TLS_1_2: (TlsVersion.TLS_1_2, regs.CAPS_TLS_1_2_MASK),
    Version.TLS_1_3: (TlsVersion.TLS_1_3, regs.CAPS_TLS_1_3_MASK),
}
_CIPHER: Final = {
    CipherType.AES_GCM_128: (Cipher.AES_128_GCM, regs.CAPS_AES_128_GCM_MASK),
    CipherType.AES_GCM_256: (Cipher.AES_256_GCM, regs.CAPS_AES_256_GCM_MASK),
}
_ERRNO: Final = {
    Reason.NO_SPACE: errno.ENOSPC,
    Reason.BAD_ARGUMENT: errno.EINVAL,
    Reason.EXISTS: errno.EEXIST,
    Reason.NO_CONNECTION: errno.ENOENT,
    Reason.BUSY: errno.EBUSY,
}


class Refused(OSError):
    """The device does not take a connection; `reason` is one word, and counted."""

    def __init__(self, number: int, reason: str, text: str) -> None:
        super().__init__(number, text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Received:
    """A frame as the host gets it.

    Attributes:
        data: the frame, without FCS.
        decrypted: plaintext stands where ciphertext was on the wire.
        context: the connection of its addresses and ports; None if the device has none.
        reason: why it passed as it came; NONE if decrypted.
    """

    data: bytes
    decrypted: bool
    context: int | None
    reason: RxPass


class Driver:
    """A probed device, receiving and, if it is able to, transmitting.

    Args:
        device: the device.
        resync: who begins when it lost a record boundary.
        self_confirm: it is to find it again by itself, if it can; None: if it is able to.
        avoid_partials: it is to pass the rest of a record of which it passed a part.
        out_of_order: the best way to use for what is sent out of order.
        ring: entries of the transmit queue.

    Attributes:
        caps: what the device can do, as in CAPS.
        max_frame: bytes of the longest frame that the device takes.
        resync: who begins; the stack if the device cannot search.
        out_of_order: the best way that is used; not beyond what the device can do.
    """

    def __init__(
        self,
        device: Device,
        resync: ResyncType = ResyncType.DRIVER_REQ,
        *,
        self_confirm: bool | None = None,
        avoid_partials: bool = False,
        out_of_order: OutOfOrder = OutOfOrder.SEEK,
        ring: int = RING,
    ) -> None:
        self._device = device
        self._refused: Counter[str] = Counter()
        self._requests = RxRequests()
        self._now = 0
        self._lost = False  # events were; what the descriptors say is to be taken instead
        if (magic := device.read(Addr.ID)) != regs.ID_RESET:
            raise OSError(errno.ENODEV, f"no tlsnic: its magic is {magic:#010x}")
        version = device.read(Addr.VERSION)
        major, minor, _ = _version(version)
        wanted = _version(regs.VERSION_RESET)
        if major != wanted[0] or minor < wanted[1]:
            theirs, ours = (".".join(map(str, _version(v))) for v in (version, regs.VERSION_RESET))
            raise OSError(errno.ENODEV, f"its register map is {theirs}, this driver's is {ours}")
        self.caps = device.read(Addr.CAPS)
        if not self.caps & regs.CAPS_RX_MASK:
            raise OSError(errno.ENODEV, "the device does not receive")
        self._scans = bool(self.caps & regs.CAPS_HEADER_SCAN_MASK)
        self.resync = resync if self._scans else ResyncType.CORE_NEXT_HINT
        able = bool(self.caps & regs.CAPS_SELF_CONFIRM_MASK)
        if self_confirm and not able:
            raise OSError(errno.EOPNOTSUPP, "the device cannot confirm a record boundary itself")
        self.max_frame = device.read(Addr.CAP_MAX_FRAME)
        self._tx = Transmit(device, self.caps, self.max_frame, out_of_order, ring)
        self.out_of_order = self._tx.out_of_order
        control = device.read(Addr.CTRL) | regs.CTRL_RX_ENABLE_MASK
        if self.caps & regs.CAPS_TX_MASK:
            control |= regs.CTRL_TX_ENABLE_MASK
        for mask, switch in (
            (regs.CTRL_AVOID_PARTIALS_MASK, avoid_partials),
            (regs.CTRL_SELF_CONFIRM_MASK, able if self_confirm is None else self_confirm),
        ):
            control = control | mask if switch else control & ~mask
        device.write(Addr.CTRL, control)

    def tls_dev_add(
        self,
        flow: Flow,
        direction: Direction,
        crypto_info: CryptoInfo,
        start_offload_tcp_sn: int,
        sock: RxResync | TxSocket | None = None,
    ) -> int:
        """Offload a connection from the record on that starts at that sequence number.

        Returns its context. Raises Refused, counted by reason. `sock`, by direction:

        RX: is asked when the device loses a boundary; how, is set there. Need not be.
        TX: has the records; TypeError without it.
        """
        stack = sock if isinstance(sock, RxResync) else None
        sender = sock if not isinstance(sock, RxResync) else None
        if direction is Direction.TX and sender is None:
            raise TypeError("to transmit, a socket is needed that has the records")
        try:
            context = self._add(flow, direction, crypto_info, start_offload_tcp_sn)
        except Refused as refused:
            self._refused[refused.reason] += 1
            raise
        if direction is Direction.RX:
            self._requests.add(context, self.resync, stack)
        elif sender:
            self._tx.add(context, crypto_info.version, start_offload_tcp_sn, sender)
        return context

    def tls_dev_del(self, context: int, direction: Direction) -> None:
        """Forget a connection; the device wipes its key. OSError with ENOENT if there is none."""
        if direction is Direction.RX:
            self._requests.delete(context)
        else:
            self._tx.delete(context)
        self._device.write(Addr.CMD_CONNECTION, context)
        reason, _ = self._command(Opcode.DEL | direction << regs.CMD_OP_DIRECTION_LSB)
        if direction is Direction.RX and self._scans:
            self._settle({})  # what waits of it must not be taken for the next one's with this id
        if reason is not Reason.OK:
            raise _failed(context, reason)

    def tls_dev_resync(self, context: int, direction: Direction, seq: int, number: int) -> None:
        """Tell the device which record is at a place.

        RX: the place is as in `RxResync`. An answer to what is not asked any more goes no further.
        One that comes too late for the device is counted there.
        TX: the record that starts there is sent next.

        OSError, and nothing changed: ENOENT if there is no such context, EOPNOTSUPP for TX if the
        device does not transmit.
        """
        if direction is Direction.TX:
            self._resync_tx(context, seq, number)
            return
        start = self._requests.answer(context, seq)
        if start is None:
            return
        reason = self._resync_rx(context, Answer.ACCEPT, start, number)
        if reason not in (Reason.OK, Reason.STALE):
            raise _failed(context, reason)

    def transmit(self, skbs: Sequence[Skb]) -> list[bytes]:
        """Send frames; those that left towards the wire, in order.

        What cannot be sent is dropped and counted: TCP sends it again.
        """
        return self._tx.transmit(skbs)

    @property
    def tx_counters(self) -> Mapping[str, int]:
        """Those of `stats` that the driver itself counts of what is sent."""
        return self._tx.counters

    def receive(self, frames: Sequence[bytes], now: int = 0) -> list[Received]:
        """Have the device receive frames from the wire; one each, in order.

        The stacks of the connections are asked what the device asks. What they did not answer in
        time is rejected.
        """
        self._now = now
        self._requests.end()
        told = self._device.receive(frames)
        if self._scans:
            self._ask(told)
        return [
            Received(data, word.decrypted, word.connection if word.known else None, word.reason)
            for data, word in told
        ]

    def stats(self) -> dict[str, int]:
        """Counters by their names in ethtool: the device's, and the driver's own."""
        counters = {
            counter.name.lower(): self._counter(regs.BLOCK_COUNTERS_FIRST + 8 * counter)
            for counter in regs.Counter
        }
        refused = {f"tls_add_refused_{name}": n for name, n in self._refused.items()}
        return counters | self._requests.counters | self._tx.counters | refused

    def _add(self, flow: Flow, direction: Direction, info: CryptoInfo, seq: int) -> int:
        version, version_cap = _VERSION[info.version]
        cipher, cipher_cap = _CIPHER[info.cipher]
        for what, cap in (
            ("direction", _DIRECTION[direction]),
            ("version", version_cap),
            ("cipher", cipher_cap),
        ):
            if not self.caps & cap:
                raise Refused(errno.EOPNOTSUPP, what, f"the device lacks this {what}")
        if len(flow.local) != len(flow.remote) or len(flow.local) not in (4, 16):
            raise Refused(errno.EINVAL, "bad_argument", "addresses of 4 or 16 bytes, both alike")

        ip_version = IpVersion.IPV4 if len(flow.local) == 4 else IpVersion.IPV6
        write = self._device.write
        self._write_bytes(Addr.CMD_LOCAL_ADDR, flow.local)
        self._write_bytes(Addr.CMD_REMOTE_ADDR, flow.remote)
        write(Addr.CMD_PORTS, flow.local_port | flow.remote_port << regs.CMD_PORTS_REMOTE_LSB)
        write(Addr.CMD_SEQ, seq)
        write(Addr.CMD_RECORD_LO, info.number & 0xFFFF_FFFF)
        write(Addr.CMD_RECORD_HI, info.number >> 32)
        self._write_bytes(Addr.CMD_KEY, info.key)
        iv = info.salt + (info.iv if version is TlsVersion.TLS_1_3 else bytes(len(info.iv)))
        self._write_bytes(Addr.CMD_IV, iv)
        reason, context = self._command(
            Opcode.ADD
            | direction << regs.CMD_OP_DIRECTION_LSB
            | version << regs.CMD_OP_VERSION_LSB
            | ip_version << regs.CMD_OP_IP_VERSION_LSB
            | cipher << regs.CMD_OP_CIPHER_LSB
        )
        if reason is not Reason.OK:
            text = f"the device refuses: {reason.name}"
            raise Refused(_ERRNO.get(reason, errno.EIO), reason.name.lower(), text)
        return context

    def _ask(self, told: Sequence[tuple[bytes, RxDescriptor]]) -> None:
        """Pass on what the device asked with these frames; reject what has waited too long."""
        requests = self._requests
        spans: dict[tuple[int, int], tuple[int, int]] = {}
        for frame, word in told:
            if not word.known or not (word.resync or requests.waits(word.connection)):
                continue
            packet = parse(frame)
            if packet is None or packet.segment is None:
                continue
            segment = packet.segment
            if word.resync:
                spans[word.connection, word.candidate] = segment.seq, segment.end - segment.start
            else:
                requests.count(word.connection, segment.end - segment.start)
        self._settle(spans)
        if self._lost:  # then the last that was asked of each counts
            self._lost = False
            for (context, seq), span in spans.items():
                requests.request(context, seq, self._now, *span)
        for context, seq in requests.expired(self._now):
            self._resync_rx(context, Answer.REJECT, seq, 0)

    def _settle(self, spans: Mapping[tuple[int, int], tuple[int, int]]) -> None:
        """Take the events that wait; `spans` are of the frames with which something was asked."""
        read = self._device.read
        status = read(Addr.EVENT_STATUS)
        for _ in range(status & regs.EVENT_STATUS_WAITING_MASK):
            word, seq = read(Addr.EVENT_TYPE), read(Addr.EVENT_SEQ)
            read(Addr.EVENT_RECORDS)  # takes it off the queue
            event, context = word & regs.EVENT_TYPE_EVENT_MASK, word >> regs.EVENT_TYPE_ID_LSB
            if event == Event.RESYNC_WITHDRAWN:
                self._requests.withdraw(context, seq)
            elif event == Event.RESYNC_REQUEST:
                span = spans.get((context, seq), (seq, 0))
                self._requests.request(context, seq, self._now, *span)
        if status & regs.EVENT_STATUS_LOST_MASK:
            self._device.write(Addr.IRQ_STATUS, regs.IRQ_STATUS_EVENT_LOST_MASK)
            self._lost = True

    def _resync_rx(self, context: int, answer: Answer, seq: int, number: int) -> Reason:
        operation = Opcode.RESYNC_RX | answer << regs.CMD_OP_ANSWER_LSB
        return self._resync(operation, context, seq, number)

    def _resync_tx(self, context: int, seq: int, number: int) -> None:
        if not self.caps & regs.CAPS_TX_MASK:
            raise OSError(errno.EOPNOTSUPP, "the device does not transmit")
        operation = Opcode.RESYNC_TX | Direction.TX << regs.CMD_OP_DIRECTION_LSB
        reason = self._resync(operation, context, seq, number)
        if reason is not Reason.OK:
            raise _failed(context, reason)
        self._tx.resynced(context, seq)

    def _resync(self, operation: int, context: int, seq: int, number: int) -> Reason:
        write = self._device.write
        write(Addr.CMD_CONNECTION, context)
        write(Addr.CMD_SEQ, seq)
        write(Addr.CMD_RECORD_LO, number & 0xFFFF_FFFF)
        write(Addr.CMD_RECORD_HI, number >> 32)
        return self._command(operation)[0]

    def _write_bytes(self, addr: int, data: bytes) -> None:
        for at in range(0, len(data), 4):
            self._device.write(addr + at, int.from_bytes(data[at : at + 4], "little"))

    def _command(self, operation: int) -> tuple[Reason, int]:
        """Ring, and wait for the answer; Refused with ETIMEDOUT if none comes."""
        self._device.write(Addr.CMD_OP, operation)
        self._device.write(Addr.CMD_DOORBELL, regs.CMD_DOORBELL_START_MASK)
        for _ in range(POLLS):
            status = self._device.read(Addr.CMD_STATUS)
            if status & regs.CMD_STATUS_IGNORED_MASK:
                raise Refused(errno.EBUSY, "busy", "an earlier command is still under way")
            if status & regs.CMD_STATUS_DONE_MASK:
                reason = (status & regs.CMD_STATUS_REASON_MASK) >> regs.CMD_STATUS_REASON_LSB
                return Reason(reason), status >> regs.CMD_STATUS_ID_LSB
        self._write_bytes(Addr.CMD_KEY, bytes(KEY_AND_IV))
        raise Refused(errno.ETIMEDOUT, "timeout", "the device does not answer")

    def _counter(self, addr: int) -> int:
        low = self._device.read(addr)  # latches the high word
        return self._device.read(addr + 4) << 32 | low


def _failed(context: int, reason: Reason) -> OSError:
    return OSError(_ERRNO.get(reason, errno.EIO), f"context {context}: {reason.name}")


def _version(word: int) -> tuple[int, int, int]:
    """Major, minor, patch."""
    return (
        (word & regs.VERSION_MAJOR_MASK) >> regs.VERSION_MAJOR_LSB,
        (word & regs.VERSION_MINOR_MASK) >> regs.VERSION_MINOR_LSB,
        (word & regs.VERSION_PATCH_MASK) >> regs.VERSION_PATCH_LSB,
    )
