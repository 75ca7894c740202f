"""A capture through the NIC of one of its addresses: what a server's stack would have made of it.

In: the packets of a capture in order, a key log, a driver. Out: for each packet the frame as the
host saw it with the verdict of the device, and a report. No I/O but the driver's. Nothing is raised
for what a capture holds: a connection that cannot be taken is in the report with its reason.

A connection is offloaded when its handshake has finished both ways, in the order of the capture.
What came by then is decrypted in software, and the device begins at the next record of which
nothing came yet. Beside the stack another one, which knows of no device, reads the same segments as
they were on the wire: any byte in which the two differ is a mismatch. Sent frames are decrypted in
software, for what they say; nothing is offloaded on transmit.

Frames go to the device some at a time, as by interrupt. But where the stack may have to tell the
device something, it is told at once: while a connection is not settled, or its last frame was not
decrypted, or comes out of order, its frames are handled one by one.
"""

from __future__ import annotations

import errno
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from host import ktls, tcp
from host.crypto_info import Version
from host.driver import Driver, Received, Refused
from host.handshake import Handshake, HandshakeError, Outcome, Side
from host.keylog import KeyLog
from host.ktls import Kind, Message
from host.packet import FIN, RST, SYN, Flow, Packet, Segment, endpoint, parse
from host.pcap import Captured
from host.record import ContentType

BUDGET: Final = 64  # frames a poll, as NAPI has it


@dataclass(frozen=True, slots=True)
class Seen:
    """A packet as the host saw it, and what became of it in words; none for what was sent."""

    time: int
    frame: bytes
    verdict: str


@dataclass(frozen=True, slots=True)
class DirectionReport:
    """One direction of a connection: its application data, and how its records came."""

    bytes: int
    sha256: str
    records: dict[str, int]
    resyncs: int


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """A connection that was followed.

    Attributes:
        offloaded: the device had it, from record `first_record` on.
        notes: what a reader should know, in words.
    """

    local: str
    remote: str
    version: str
    cipher: str
    offloaded: bool
    first_record: int
    rx: DirectionReport
    tx: DirectionReport
    notes: list[str]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A connection that was not, and why."""

    local: str
    remote: str
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a capture; `frames` are those to the NIC's address."""

    frames: int
    frames_decrypted: int
    frames_sent: int
    reasons: dict[str, int]
    refused: dict[str, int]
    mismatches: int
    connections: list[ConnectionReport]
    skipped: list[Skipped]
    warnings: list[str]
    tls_stat: dict[str, int]
    counters: dict[str, int]


class _Reader:
    """A program that reads all there is from kTLS, and hands it the next keys when it must."""

    def __init__(self, outcome: Outcome, seq: int, mib: Counter[str]) -> None:
        self.ktls = ktls.Receiver(outcome.keys.crypto_info(outcome.number), seq, mib)
        self.bytes = 0
        self.stopped = ""
        self._keys = outcome.keys
        self._digest = hashlib.sha256()

    def read(self, chunks: Sequence[tcp.Chunk]) -> list[Message]:
        """Take the stream's next bytes; return what can be read."""
        if not chunks:
            return []
        self.ktls.receive(chunks)
        messages = []
        while not self.stopped:
            try:
                message = self.ktls.recv()
            except OSError as error:
                self._failed(error)
                continue
            if message is None:
                break
            messages.append(message)
            if message.type == ContentType.DATA:
                self.bytes += len(message.data)
                self._digest.update(message.data)
            elif (
                message.type == ContentType.CHANGE_CIPHER_SPEC
                and self._keys.version is Version.TLS_1_2
            ):
                self.stopped = "a renegotiation, which is not followed"
        return messages

    def _failed(self, error: OSError) -> None:
        if error.errno == errno.EKEYEXPIRED:
            self._keys = self._keys.updated()
            self.ktls.rekey(self._keys.crypto_info(0))
        else:
            count = self.ktls.records.total()
            self.stopped = f"{errno.errorcode[error.errno or 0]} after {count} records"

    def report(self) -> DirectionReport:
        records = {kind.value: self.ktls.records[kind] for kind in Kind}
        return DirectionReport(self.bytes, self._digest.hexdigest(), records, self.ktls.resyncs)


class _Stream:
    """TCP of one direction. It begins with SYN, or else with the first segment that is there."""

    def __init__(self) -> None:
        self.first: int | None = None
        self.tcp = tcp.Receiver(0)
        self._end: int | None = None

    def receive(self, segment: Segment, payload: bytes, decrypted: bool) -> list[tcp.Chunk]:
        seq = segment.seq + 1 & tcp.MASK if segment.flags & SYN else segment.seq
        if self.first is None:
            self.first = seq
            self.tcp = tcp.Receiver(seq)
        if segment.flags & FIN:
            self._end = seq + len(payload) & tcp.MASK
        return self.tcp.receive(seq, payload, decrypted)

    @property
    def ended(self) -> bool:
        """FIN came, and all before it."""
        return self._end == self.tcp.next


class _Connection:
    """One TCP connection of the NIC's host.

    `wire` and `reference` are the receive direction without a device, `host` and `reader` with it.
    """

    def __init__(self, flow: Flow, key_log: KeyLog, mib: Counter[str]) -> None:
        self.flow = flow
        self.settled = False  # the device has it, or never will
        self.closed = False
        self.reason = ""  # why it is not followed
        self.mismatches = 0
        self.refused: OSError | None = None
        self._mib = mib
        self._handshake = Handshake(key_log)
        self._sides: tuple[Side, Side] | None = None  # of what is received, of what is sent
        self._wire, self._host, self._sent = _Stream(), _Stream(), _Stream()
        self._expected: int | None = None  # sequence number behind what was received
        self._passed = False  # the device did not decrypt the last frame that had data
        self._outcome: Outcome | None = None
        self._reader: _Reader | None = None
        self._reference: _Reader | None = None
        self._sent_reader: _Reader | None = None

    def receive(self, segment: Segment, wire: bytes, got: Received) -> None:
        """A segment that the host received: as it was, and as it came from the device."""
        if self.closed or self.reason:
            return
        payload = got.data[segment.start : segment.end]
        if payload and self._reader:
            self._passed = self._reader.ktls.on_device and not got.decrypted
        host = self._host.receive(segment, payload, got.decrypted)
        chunks = self._wire.receive(segment, wire[segment.start : segment.end], False)
        if self._reader and self._reference:
            self._compare(self._reader, self._reference, host, chunks)
        else:
            self._follow(chunks, received=True)
        self._end(segment)

    def send(self, segment: Segment, payload: bytes) -> None:
        """A segment that the host sent."""
        if self.closed or self.reason:
            return
        chunks = self._sent.receive(segment, payload, False)
        if self._sent_reader:
            self._sent_reader.read(chunks)
        else:
            self._follow(chunks, received=False)
        self._end(segment)

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

    def reopened(self, segment: Segment, received: bool) -> bool:
        """This SYN begins another connection with the same addresses and ports."""
        first = (self._wire if received else self._sent).first
        return first is not None and first != segment.seq + 1 & tcp.MASK

    def install(self, driver: Driver) -> None:
        """Offload it, if that can be done by now."""
        if self._reader is None or self.settled or self._host.tcp.waiting:
            return
        if self._reader.stopped:
            self.settled = True
        elif self._reader.ktls.offload(driver, self.flow):
            self.settled = True
            self.refused = self._reader.ktls.refused

    def close(self) -> None:
        """It is over, or the capture is."""
        if not self.closed and self._reader:
            self._reader.ktls.close()
        self.closed = self.settled = True

    def report(self) -> ConnectionReport | Skipped:
        """What became of it."""
        local = endpoint(self.flow.local, self.flow.local_port)
        remote = endpoint(self.flow.remote, self.flow.remote_port)
        if not (self._outcome and self._reader and self._sent_reader):
            return Skipped(local, remote, self.reason or self._unfinished())
        offloaded = self._reader.ktls.offloaded
        return ConnectionReport(
            local=local,
            remote=remote,
            version=str(self._outcome.keys.version),
            cipher=str(self._outcome.keys.cipher),
            offloaded=offloaded is not None,
            first_record=offloaded.number if offloaded else 0,
            rx=self._reader.report(),
            tx=self._sent_reader.report(),
            notes=self._notes(self._reader, self._sent_reader),
        )

    def _follow(self, chunks: list[tcp.Chunk], received: bool) -> None:
        """Bytes of the handshake; when it has finished, kTLS takes over."""
        try:
            for chunk in chunks:
                if self._sides is None:
                    first, second = Side.CLIENT, Side.SERVER
                    self._sides = (first, second) if received else (second, first)
                self._handshake.receive(self._sides[0 if received else 1], chunk.data)
        except HandshakeError as error:
            self.reason = str(error)
            self.settled = True
            return
        if self._handshake.done and self._sides:
            outcome = self._outcome = self._handshake.outcome(self._sides[0])
            sent = self._handshake.outcome(self._sides[1])
            self._reader = _reader(outcome, self._host, self._mib)
            self._reference = _reader(outcome, self._wire, Counter())
            self._sent_reader = _reader(sent, self._sent, Counter())
            queued = [tcp.Chunk(outcome.unread, decrypted=False)]
            self._compare(self._reader, self._reference, queued, queued)
            self._sent_reader.read([tcp.Chunk(sent.unread, decrypted=False)])

    def _compare(
        self,
        reader: _Reader,
        reference: _Reader,
        host: list[tcp.Chunk],
        wire: list[tcp.Chunk],
    ) -> None:
        got, wanted = reader.read(host), reference.read(wire)
        if got != wanted:
            self.mismatches += differences(got, wanted)

    def _end(self, segment: Segment) -> None:
        if segment.flags & RST or (self._wire.ended and self._sent.ended):
            self.close()

    def _unfinished(self) -> str:
        if self._wire.tcp.waiting or self._sent.tcp.waiting:
            return "bytes of the handshake are missing in the capture"
        if self._wire.tcp.taken == self._sent.tcp.taken == 0:
            return "no data"
        return "the handshake is not finished in the capture"

    def _notes(self, reader: _Reader, sent: _Reader) -> list[str]:
        notes = []
        for word, each, stream in (("received", reader, self._host), ("sent", sent, self._sent)):
            if each.stopped:
                notes.append(f"{word}: {each.stopped}")
            if stream.tcp.waiting:
                notes.append(f"{word}: {stream.tcp.waiting} bytes are behind a gap in the capture")
        if self.refused:
            notes.append(f"in software: {self.refused.strerror}")
        elif not reader.ktls.offloaded:
            notes.append("in software: nothing came at which the device could begin")
        return notes


def _reader(outcome: Outcome, stream: _Stream, mib: Counter[str]) -> _Reader:
    return _Reader(outcome, (stream.first or 0) + outcome.offset & tcp.MASK, mib)


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
    """A packet that the device has not had yet, or that came behind such a one."""

    captured: Captured
    received: bool
    segment: Segment | None
    connection: _Connection | None


@dataclass(slots=True)
class _Tally:
    frames: int = 0
    decrypted: int = 0
    sent: int = 0
    cut: int = 0
    bad_sums: int = 0
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
        self._waiting: list[_Waiting] = []
        self._budget = BUDGET

    def packet(self, captured: Captured) -> list[Seen]:
        """Take a packet; return those that are done with, in order."""
        packet = parse(captured.frame)
        if packet is None or self._nic not in (packet.source, packet.destination):
            self._waiting.append(_Waiting(captured, False, None, None))
            return []
        received, segment = packet.destination == self._nic, packet.segment
        self._count(captured, received, segment)
        if received and segment and not segment.good:
            segment = None  # the host's stack drops it
        seen, connection = [], None
        if segment:
            flow = _flow(packet, segment, received)
            connection = self._live.get(flow)
            if connection and segment.flags & SYN and connection.reopened(segment, received):
                seen = self._poll()
                connection.close()
                connection = None
            if connection is None:
                connection = self._live[flow] = _Connection(flow, self._key_log, self._mib)
                self._all.append(connection)
        self._waiting.append(_Waiting(captured, received, segment, connection))
        self._budget -= received
        urgent = connection and segment and connection.urgent(segment, received)
        if self._budget == 0 or urgent:
            seen += self._poll()
        return seen

    def finish(self) -> list[Seen]:
        """The capture is over: the packets still to be returned."""
        rest = self._poll()
        for connection in self._all:
            self._settle(connection)
            connection.close()
        return rest

    def report(self) -> Report:
        """What came of it."""
        tally = self._tally
        reports = [connection.report() for connection in self._all]
        warnings = []
        if tally.cut:
            warnings.append(f"{tally.cut} frames are cut short in the capture")
        if tally.bad_sums:
            warnings.append(f"{tally.bad_sums} received segments have a wrong checksum: dropped")
        return Report(
            frames=tally.frames,
            frames_decrypted=tally.decrypted,
            frames_sent=tally.sent,
            reasons=dict(tally.reasons),
            refused=dict(tally.refused),
            mismatches=sum(connection.mismatches for connection in self._all),
            connections=[each for each in reports if isinstance(each, ConnectionReport)],
            skipped=[each for each in reports if isinstance(each, Skipped)],
            warnings=warnings,
            tls_stat=dict(self._mib),
            counters=self._driver.stats(),
        )

    def _count(self, captured: Captured, received: bool, segment: Segment | None) -> None:
        self._tally.frames += received
        self._tally.sent += not received
        self._tally.cut += captured.cut
        self._tally.bad_sums += received and segment is not None and not segment.good

    def _poll(self) -> list[Seen]:
        """Have the device receive what waits; the stack, all in their order; then install."""
        waiting, self._waiting, self._budget = self._waiting, [], BUDGET
        now = waiting[-1].captured.time if waiting else 0
        frames = [each.captured.frame for each in waiting if each.received]
        got = iter(self._driver.receive(frames, now))
        seen = []
        for each in waiting:
            frame, verdict = each.captured.frame, ""
            if each.received:
                received = next(got)
                frame, verdict = received.data, self._judge(received)
                if each.connection and each.segment:
                    each.connection.receive(each.segment, each.captured.frame, received)
            elif each.connection and each.segment:
                payload = frame[each.segment.start : each.segment.end]
                each.connection.send(each.segment, payload)
            seen.append(Seen(each.captured.time, frame, verdict))
        for connection in {w.connection for w in waiting if w.connection}:
            self._settle(connection)
        return seen

    def _judge(self, received: Received) -> str:
        if received.decrypted:
            self._tally.decrypted += 1
            return f"decrypted, connection {received.context}"
        self._tally.reasons[received.reason.name] += 1
        return f"passed: {received.reason.name}"

    def _settle(self, connection: _Connection) -> None:
        if not connection.settled:
            connection.install(self._driver)
            if connection.refused:
                why = connection.refused
                reason = why.reason if isinstance(why, Refused) else str(why)
                self._tally.refused[reason] += 1
