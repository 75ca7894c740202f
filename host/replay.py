"""A capture through the NIC of one of its addresses: what a server's stack would have made of it.

In: the packets of a capture in order, a key log, a driver. Out: for each packet the frame as the
host saw it with the verdict of the device, or as it left; and a report. No I/O but the driver's.
Nothing is raised for what a capture holds: a connection that cannot be taken is in the report with
its reason.

A connection is offloaded when its handshake has finished both ways, in the order of the capture.
What came by then is decrypted in software, and the device begins at the next record of which
nothing came yet, or was sent. Beside the stack another one, which knows of no device, reads the
same segments as they were on the wire (`replay_wire`): any byte in which the two differ is a
mismatch. It is ahead of the device, as what was sent must be known in clear before it can be sent
again (`replay_send`): any byte in which what leaves differs from the capture is a mismatch, too.

Frames go to the device some at a time, as by interrupt. But where the stack may have to tell the
device something, it is told at once: while a connection is not settled, or its last frame was not
decrypted, or comes out of order, its frames are handled one by one.
"""

from __future__ import annotations

import ipaddress
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final

from host import tcp
from host.driver import Driver, Received, Refused
from host.keylog import KeyLog
from host.ktls import Kind, Message
from host.packet import ACK, RST, SYN, Flow, Packet, Segment, endpoint, parse
from host.pcap import Captured
from host.regs import TxDrop
from host.replay_send import How, Outbox, SentConnection, SentReport, plain
from host.replay_wire import Reader, Step, Stream, Wire

BUDGET: Final = 64  # received frames a poll, as NAPI has it
READ_AHEAD: Final = 8192  # packets: how long one may wait for the records it has bytes of
DROPS: Final = (
    *(f"tx_drop_{drop.name.lower()}" for drop in TxDrop if drop is not TxDrop.NONE),
    "tx_tls_drop_no_sync_data",
    "tx_tls_drop_bypass_req",
    "tx_dropped",
)


@dataclass(frozen=True, slots=True)
class Seen:
    """A packet as the host saw it, or as it left, and what became of it in words.

    A frame that was dropped, or is not the NIC's, is as captured.
    """

    time: int
    frame: bytes
    verdict: str


@dataclass(frozen=True, slots=True)
class ReceivedReport:
    """What a connection received: its application data, and how its records came.

    `mismatches` are bytes in which it differs from what software alone delivers.
    """

    bytes: int
    sha256: str
    records: dict[str, int]
    resyncs: int
    mismatches: int


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """A connection that was followed.

    Attributes:
        offloaded: the device received it, from record `first_record` on.
        notes: what a reader should know, in words.
    """

    local: str
    remote: str
    version: str
    cipher: str
    offloaded: bool
    first_record: int
    rx: ReceivedReport
    tx: SentReport
    notes: list[str]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A connection that was not, and why."""

    local: str
    remote: str
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a capture.

    Attributes:
        frames: those to the NIC's address; `frames_decrypted` by the device, and of the others
            `reasons`.
        frames_sent: those from it; `sent` is what became of them, `dropped` why some did not leave.
        mismatches: bytes that differ, of which `mismatches_sent` left or should have.
    """

    frames: int
    frames_decrypted: int
    reasons: dict[str, int]
    frames_sent: int
    sent: dict[str, int]
    dropped: dict[str, int]
    refused: dict[str, int]
    mismatches: int
    mismatches_sent: int
    connections: list[ConnectionReport]
    skipped: list[Skipped]
    warnings: list[str]
    tls_stat: dict[str, int]
    counters: dict[str, int]


class _Connection:
    """One TCP connection of the NIC's host.

    `wire` is both directions without a device; `reader` and `sent` are the two with it.
    """

    def __init__(self, flow: Flow, key_log: KeyLog, driver: Driver, mib: Counter[str]) -> None:
        self.flow = flow
        self.wire = Wire(key_log)
        self.sent = SentConnection(flow, self.wire, driver, mib)
        self.settled = False  # the device receives it, or never will
        self.closed = False
        self.mismatches = 0
        self.refused: OSError | None = None
        self._driver = driver
        self._mib = mib
        self._host = Stream()
        self._expected: int | None = None  # sequence number behind what was received
        self._passed = False  # the device did not decrypt the last frame that had data
        self._reader: Reader | None = None

    def receive(self, segment: Segment, step: Step, got: Received) -> None:
        """A segment that the host received, as it came from the device."""
        if self.closed:
            return
        payload = got.data[segment.start : segment.end]
        if payload and self._reader:
            self._passed = self._reader.ktls.on_device and not got.decrypted
        chunks = self._host.receive(segment, payload, got.decrypted)
        if step.finished:
            self.begin(step)
        elif self._reader:
            self._compare(self._reader.read(chunks), step)

    def begin(self, step: Step) -> None:
        """The handshake has finished, with that: kTLS takes over."""
        outcome = self.wire.outcome
        if outcome is None:
            return
        self.sent.begin()
        seq = self.wire.received.seq(outcome.offset)
        self._reader = Reader(outcome, seq, self._mib)
        self._compare(self._reader.read([tcp.Chunk(outcome.unread, decrypted=False)]), step)

    def urgent(self, segment: Segment, received: bool) -> bool:
        """Take account of a segment: may what comes of it have to be known before the next frame?

        One that is received, if the device is not decrypting, or it is not the next in order.
        """
        if not self.settled:
            return True
        size = segment.end - segment.start
        if not (received and size):
            return False
        in_order = self._expected in (None, segment.seq)
        if self._expected is None or tcp.distance(segment.seq + size, self._expected) > 0:
            self._expected = segment.seq + size & tcp.MASK
        return self._passed or not in_order

    def install(self) -> list[OSError]:
        """Offload what can be by now; why the driver refused it, where it did."""
        if self.closed:
            return []
        refused = self.sent.offload()
        return [each for each in (refused, self._install_received()) if each]

    def _install_received(self) -> OSError | None:
        if self.wire.reason:
            self.settled = True
        if self._reader is None or self.settled or self._host.tcp.waiting:
            return None
        if self._reader.stopped or self._reader.ktls.offload(self._driver, self.flow):
            self.settled = True
        return self._reader.ktls.refused

    def close(self) -> None:
        """Both ends are done."""
        if not self.closed and self._reader:
            self._reader.ktls.close()
        self.sent.close()
        self.closed = self.settled = True

    def abort(self) -> None:
        """It is gone, or the capture is over: nothing is sent any more."""
        self.close()
        self.sent.abort()

    def report(self) -> ConnectionReport | Skipped:
        """What became of it."""
        local = endpoint(self.flow.local, self.flow.local_port)
        remote = endpoint(self.flow.remote, self.flow.remote_port)
        outcome, reader = self.wire.outcome, self._reader
        if not (outcome and reader):
            return Skipped(local, remote, self.wire.unfinished())
        offloaded = reader.ktls.offloaded
        return ConnectionReport(
            local=local,
            remote=remote,
            version=str(outcome.keys.version),
            cipher=str(outcome.keys.cipher),
            offloaded=offloaded is not None,
            first_record=offloaded.number if offloaded else 0,
            rx=ReceivedReport(
                bytes=reader.digest.bytes,
                sha256=reader.digest.sha256,
                records={kind.value: reader.ktls.records[kind] for kind in Kind},
                resyncs=reader.ktls.resyncs,
                mismatches=self.mismatches,
            ),
            tx=self.sent.report(),
            notes=self._notes(reader) + self.sent.notes(),
        )

    def _compare(self, got: list[Message], step: Step) -> None:
        if got != step.messages:
            self.mismatches += differences(got, step.messages)

    def _notes(self, reader: Reader) -> list[str]:
        notes = []
        if reader.stopped:
            notes.append(reader.stopped)
        if self._host.tcp.waiting:
            notes.append(f"a gap in the capture: {self._host.tcp.waiting:,} bytes behind it")
        if reader.ktls.refused:
            notes.append(f"in software: {reader.ktls.refused.strerror}")
        elif not reader.ktls.offloaded:
            notes.append("in software: nothing came at which the device could begin")
        return [f"received: {note}" for note in notes]


def _flow(packet: Packet, segment: Segment, received: bool) -> Flow:
    source = packet.source, segment.source_port
    destination = packet.destination, segment.destination_port
    return Flow(*destination, *source) if received else Flow(*source, *destination)


def differences(got: list[Message], wanted: list[Message]) -> int:
    """Bytes in which two readings differ, types and lengths among them."""
    one, other = (b"".join(bytes([m.type]) + m.data for m in each) for each in (got, wanted))
    return sum(a != b for a, b in zip(one, other, strict=False)) + abs(len(one) - len(other))


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A packet that the device has not had yet, or that came behind such a one.

    Attributes:
        received: it is to the NIC; `sent`: from it; neither: it is none of its.
        packet, segment: what the host takes it for; no segment if the host drops it.
        connection: of that segment; `step`: what came of it there.
        reopens: a connection with the same addresses and ports that ends with it.
    """

    captured: Captured
    received: bool = False
    sent: bool = False
    packet: Packet | None = None
    segment: Segment | None = None
    connection: _Connection | None = None
    step: Step | None = None
    reopens: _Connection | None = None

    @property
    def ready(self) -> bool:
        """Whether all is known that may be needed to send it."""
        if not self.sent or not (self.segment and self.connection and self.step):
            return True
        end = self.step.place + self.segment.end - self.segment.start
        return self.step.early or self.connection.wire.knows(end)


@dataclass(slots=True)
class _Tally:
    frames: int = 0
    decrypted: int = 0
    sent: int = 0
    cut: int = 0
    bad_sums: int = 0
    bad_sums_sent: int = 0
    others: Counter[bytes] = field(default_factory=Counter)  # addresses with TCP, not the NIC's
    reasons: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)


class Replay:
    """Replays a capture, packet by packet, for the NIC with the address `nic`."""

    def __init__(self, driver: Driver, nic: bytes, key_log: KeyLog) -> None:
        self._driver = driver
        self._nic = nic
        self._key_log = key_log
        self._mib: Counter[str] = Counter()
        self._tally = _Tally()
        self._live: dict[Flow, _Connection] = {}
        self._all: list[_Connection] = []
        self._ahead: deque[_Waiting] = deque()
        self._waiting: list[_Waiting] = []
        self._budget = BUDGET
        self._outbox = Outbox(driver)

    def packet(self, captured: Captured) -> list[Seen]:
        """Take a packet; return those that are done with, in order."""
        self._ahead.append(self._look(captured))
        seen = []
        while self._ahead and (self._ahead[0].ready or len(self._ahead) > READ_AHEAD):
            seen += self._replay(self._ahead.popleft())
        return seen

    def finish(self) -> list[Seen]:
        """The capture is over: the packets still to be returned."""
        seen = []
        while self._ahead:
            seen += self._replay(self._ahead.popleft())
        seen += self._poll()
        for connection in self._all:
            self._settle(connection)
            connection.abort()
        return seen

    def report(self) -> Report:
        """What came of it."""
        tally, outbox = self._tally, self._outbox
        reports = [connection.report() for connection in self._all]
        counters = self._driver.stats()
        received = sum(connection.mismatches for connection in self._all)
        return Report(
            frames=tally.frames,
            frames_decrypted=tally.decrypted,
            reasons=dict(tally.reasons),
            frames_sent=tally.sent,
            sent={how.name.lower(): outbox.hows[how] for how in How},
            dropped={name: counters[name] for name in DROPS if counters[name]},
            refused=dict(tally.refused),
            mismatches=received + outbox.mismatches,
            mismatches_sent=outbox.mismatches,
            connections=[each for each in reports if isinstance(each, ConnectionReport)],
            skipped=[each for each in reports if isinstance(each, Skipped)],
            warnings=self._warnings(),
            tls_stat=dict(self._mib),
            counters=counters,
        )

    def others(self) -> list[str]:
        """Addresses that have TCP in frames that are not the NIC's; those of most frames first."""
        return [str(ipaddress.ip_address(each)) for each, _ in self._tally.others.most_common()]

    def _warnings(self) -> list[str]:
        tally = self._tally
        warnings = (
            (tally.cut, "frames are cut short in the capture"),
            (tally.bad_sums, "received segments have a wrong checksum: dropped"),
            (tally.bad_sums_sent, "sent segments have a wrong checksum: sent with the right one"),
            (self._outbox.too_long, "sent frames are too long for the device: made in software"),
        )
        return [f"{count:,} {what}" for count, what in warnings if count]

    def _look(self, captured: Captured) -> _Waiting:
        """Read a packet as software alone does."""
        packet = parse(captured.frame)
        if packet is None or self._nic not in (packet.source, packet.destination):
            if packet and packet.segment:
                self._tally.others.update((packet.source, packet.destination))
            return _Waiting(captured)
        received, segment = packet.destination == self._nic, packet.segment
        self._count(captured, received, segment)
        if received and segment and not segment.good:
            segment = None  # the host's stack drops it
        if segment is None:
            return _Waiting(captured, received, not received, packet)
        flow = _flow(packet, segment, received)
        connection, reopens = self._live.get(flow), None
        if connection and segment.flags & SYN and connection.wire.reopened(segment, received):
            connection, reopens = None, connection
        if connection is None:
            connection = _Connection(flow, self._key_log, self._driver, self._mib)
            self._live[flow] = connection
            self._all.append(connection)
        payload = captured.frame[segment.start : segment.end]
        step = connection.wire.segment(segment, payload, received)
        return _Waiting(
            captured, received, not received, packet, segment, connection, step, reopens
        )

    def _count(self, captured: Captured, received: bool, segment: Segment | None) -> None:
        bad = segment is not None and not segment.good
        self._tally.frames += received
        self._tally.sent += not received
        self._tally.cut += captured.cut
        self._tally.bad_sums += received and bad
        self._tally.bad_sums_sent += not received and bad

    def _replay(self, each: _Waiting) -> list[Seen]:
        """Let a packet go, now or with the next; return those that are done with."""
        seen = []
        if each.reopens:
            seen = self._poll()
            each.reopens.abort()
        self._waiting.append(each)
        self._budget -= each.received
        urgent = (
            each.connection and each.segment and each.connection.urgent(each.segment, each.received)
        )
        if self._budget == 0 or urgent or len(self._waiting) >= READ_AHEAD:
            seen += self._poll()
        return seen

    def _poll(self) -> list[Seen]:
        """Have the device receive what waits; the stack, all in their order; then install."""
        waiting, self._waiting, self._budget = self._waiting, [], BUDGET
        now = waiting[-1].captured.time if waiting else 0
        frames = [each.captured.frame for each in waiting if each.received]
        got = self._driver.receive(frames, now)
        told = iter(got)
        for each in waiting:
            if each.connection and each.connection.sent.due():
                self._outbox.flush()
                each.connection.sent.acked()
            if each.received:
                self._receive(each, next(told))
            elif each.sent:
                self._send(each)
            if each.connection and each.step and each.step.ended:
                self._outbox.flush()
                each.connection.close()
        left, told = iter(self._outbox.take()), iter(got)
        seen = []
        for each in waiting:
            frame, verdict = each.captured.frame, "not of this NIC"
            if each.received:
                received = next(told)
                frame, verdict = received.data, self._judge(received)
            elif each.sent:
                became = next(left)
                frame, verdict = became.frame or frame, became.verdict
            seen.append(Seen(each.captured.time, frame, verdict))
        for connection in {w.connection for w in waiting if w.connection}:
            self._settle(connection)
        return seen

    def _receive(self, each: _Waiting, got: Received) -> None:
        if not (each.connection and each.segment and each.step):
            return
        each.connection.receive(each.segment, each.step, got)
        sent = each.connection.sent
        if each.segment.flags & ACK:
            sent.acknowledge(each.segment.ack)
        if each.segment.flags & RST:
            self._outbox.flush()
            sent.abort()

    def _send(self, each: _Waiting) -> None:
        frame, connection = each.captured.frame, each.connection
        if not (connection and each.packet and each.segment and each.step):
            self._outbox.add(plain(frame, self._driver))
            return
        self._settle(connection)
        sent = connection.sent
        self._outbox.add(sent.outgoing(frame, each.packet, each.segment, each.step.place))
        if each.step.finished:
            connection.begin(each.step)
        if each.segment.flags & RST:
            self._outbox.flush()
            sent.abort()

    def _judge(self, received: Received) -> str:
        if received.decrypted:
            self._tally.decrypted += 1
            return f"decrypted, connection {received.context}"
        self._tally.reasons[received.reason.name] += 1
        return f"passed: {received.reason.name}"

    def _settle(self, connection: _Connection) -> None:
        for why in connection.install():
            reason = why.reason if isinstance(why, Refused) else str(why)
            self._tally.refused[reason] += 1
