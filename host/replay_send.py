"""What the NIC's host sends in a capture, through kTLS, driver and device; and what leaves.

In: the captured frames, and the records of their streams in clear; acknowledgements. Out: of each
frame how it was sent, and in how many bytes what left differs from the capture. No I/O but the
driver's. What becomes of a frame with bytes of records:

    encrypted     kTLS holds the records of all its bytes: they are put into the frame in clear,
                  marked, and it goes the stack's and the driver's way to the device
    software      the driver has the socket encrypt it; or the device was not to have the
                  connection; or the frame is longer than the device takes
    as captured   the records of some of its bytes are not known, not held any more, or were sent
                  before kTLS began

All others are plain. An acknowledgement takes effect some packets later, or when the connection
ends: the capture may be from elsewhere, and there it is seen before the host has it. Checksums are
made where a host has them made, so those of a capture from before that count as if they were right.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter, deque
from dataclasses import dataclass, replace
from enum import Enum, IntFlag
from typing import Final

from host import tcp
from host.driver import Driver
from host.driver_tx import OutOfOrder, Skb
from host.handshake import TrafficKeys
from host.ktls_send import Sender
from host.packet import RST, SYN, Flow, Packet, Segment, parse, summed, unsummed, with_payload
from host.replay_wire import Digest, SentRecord, Wire

ACK_AFTER: Final = 256  # packets of a connection
_COUNTERS: Final = {way: f"tx_ooo_{way.name.lower()}" for way in OutOfOrder}
_AHEAD: Final = {  # what is done with a frame ahead of all that was sent
    OutOfOrder.SEEK: "rebuilt",
    OutOfOrder.REBUILD: "rebuilt",
    OutOfOrder.SOFTWARE: "encrypted in software",
}
_NOT_ALL: Final = "of records that are not all in the capture"
_REBUILT: Final = "tx_ooo_rebuild_bytes"


class How(Enum):
    """What became of a frame."""

    ENCRYPTED = "encrypted"
    SOFTWARE = "software"
    CAPTURED = "as captured"
    PLAIN = "plain"


class By(IntFlag):
    """Who encrypted a record."""

    NOBODY = 0
    DEVICE = 1
    SOFTWARE = 2


_FRAMES: Final = (How.ENCRYPTED, How.SOFTWARE, How.CAPTURED)
_RECORDS: Final = {
    "device": By.DEVICE,
    "mixed": By.DEVICE | By.SOFTWARE,
    "software": By.SOFTWARE,
}


@dataclass(frozen=True, slots=True)
class SentReport:
    """What a connection sent: its application data, and what became of it.

    Attributes:
        offloaded: the device had it, from record `first_record` on.
        records: how many were encrypted by the device, by software, or by both in part.
        frames: with payload behind the handshake, by what became of them.
        out_of_order: those that the device did not expect, by way.
        reread: bytes of records in front of these that were read again.
        resyncs: how often the device was told which record is next.
        mismatches: bytes that left and differ from the capture.
    """

    bytes: int
    sha256: str
    offloaded: bool
    first_record: int
    records: dict[str, int]
    frames: dict[str, int]
    out_of_order: dict[str, int]
    reread: int
    resyncs: int
    mismatches: int


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A frame on its way.

    Attributes:
        wanted: what is to leave.
        skb: what the driver is given; None if it is given nothing.
        made: what leaves then, made without a device.
        how: what is to become of it.
        sent: its connection, if it has bytes of records; from place `start` to `end` there.
        why: it leaves as captured; empty if it does not.
        in_order: nothing is known that would keep the device from taking it as it is.
    """

    wanted: bytes
    skb: Skb | None
    made: bytes | None = None
    how: How = How.PLAIN
    sent: SentConnection | None = None
    start: int = 0
    end: int = 0
    why: str = ""
    in_order: bool = True


@dataclass(frozen=True, slots=True)
class Left:
    """What became of a frame.

    Attributes:
        frame: as it left; None if it did not.
        verdict: the rest in words.
    """

    frame: bytes | None
    verdict: str


class SentConnection:
    """The sent direction of a connection.

    Attributes:
        sender: its kTLS; None while it has not begun.
    """

    def __init__(self, flow: Flow, wire: Wire, driver: Driver, mib: Counter[str]) -> None:
        self.sender: Sender | None = None
        self._flow = flow
        self._wire = wire
        self._driver = driver
        self._mib = mib
        self._begun = False  # the handshake has finished
        self._end = 0  # place behind what was sent
        self._start = 0  # place of the first record that kTLS has, and its number
        self._first_record = 0
        self._keys: TrafficKeys | None = None
        self._stopped = ""  # why kTLS gets no more records
        self._context_id: int | None = None  # what the device calls it
        self._next: int | None = None  # place that the device expects, where that is certain
        self._edges = array("q")  # places where records start, and where the last one ends
        self._by = bytearray()  # who encrypted them
        self._ahead: list[tuple[int, int]] = []  # places sent by software, of records not known yet
        self._frames: Counter[How] = Counter()
        self._captured: Counter[str] = Counter()  # why frames left as captured
        self._ways: Counter[OutOfOrder] = Counter()
        self._jumps = 0  # frames for the device ahead of all that was sent
        self._packets = 0  # both ways
        self._acks: deque[tuple[int, int]] = deque()  # behind how many packets, and which
        self._closed = False
        self._rebuilt = 0
        self._mismatches = 0

    # -- kTLS -----------------------------------------------------------------------------------

    def begin(self) -> None:
        """The handshake has finished."""
        self._begun = True

    def offload(self) -> OSError | None:
        """Have kTLS and the device begin at the next record, once it is known where that is.

        Returns why the driver refused, if it was asked just now.
        """
        records = self._wire.records
        if not self._begun or self.sender or records is None:
            return None
        self._take(self._end)
        place, number, keys = records.known, records.number, records.keys
        if records.queue:
            first = records.queue[0]
            place, number, keys = first.place, first.number, first.keys
        if place < self._end or (records.stopped and not records.queue):
            return None
        self._mark(0, self._end, By.SOFTWARE)
        self._start = self._next = place
        self._first_record, self._keys = number, keys
        self.sender = Sender(keys.crypto_info(number), self._wire.sent.seq(place), self._mib)
        self.sender.offload(self._driver, self._flow)
        self._context_id = self.sender.context
        return self.sender.refused

    def acknowledge(self, ack: int) -> None:
        """An acknowledgement came: all before that sequence number, if that was ever sent."""
        if self.sender is None or tcp.distance(ack, self._wire.sent.seq(self._end + 1)) > 0:
            return
        last = self._acks[-1][1] if self._acks else self.sender.tcp.acknowledged
        if tcp.distance(ack, last) > 0:
            self._acks.append((self._packets + (0 if self._closed else ACK_AFTER), ack))

    def due(self) -> bool:
        """Whether an acknowledgement takes effect now; to be called with each packet."""
        self._packets += 1
        return bool(self._acks) and self._acks[0][0] < self._packets

    def acked(self) -> None:
        """What is due takes effect: those records are not needed any more."""
        while self.sender and self._acks and (self._closed or self._acks[0][0] < self._packets):
            self.sender.acked(self._acks.popleft()[1])

    @property
    def name(self) -> str:
        """What the device calls it, or called it; in words."""
        offloaded = self._context_id is not None
        return f"connection {self._context_id}" if offloaded else "connection not offloaded"

    def close(self) -> None:
        """Nothing more is written; what was may be sent again until it is acknowledged."""
        if self.sender:
            self.sender.close()
        self._closed = True
        self.acked()

    def abort(self) -> None:
        """Nothing is sent any more."""
        if self.sender:
            self.sender.abort()

    def _take(self, end: int) -> None:
        """The records that start before that place: what is sent up to there has bytes of them."""
        queue = self._wire.records.queue if self._wire.records else ()
        if not (queue and queue[0].place < end):
            return
        while queue and queue[0].place < end:
            record = queue.popleft()
            if not self._edges:
                self._edges.append(record.place)
            self._edges.append(record.place + len(record.image))
            self._by.append(By.NOBODY)
            if self.sender and not self._stopped:
                self._push(self.sender, record)
        ahead, self._ahead = self._ahead, []
        for start, stop in ahead:
            self._mark(start, stop, By.SOFTWARE)

    def _push(self, sender: Sender, record: SentRecord) -> None:
        try:
            if record.keys is not self._keys:
                sender.rekey(record.keys.crypto_info(record.number))
                self._keys = record.keys
            sender.push_record(record.image)
        except OSError as error:
            what = "the keys were updated" if record.keys is not self._keys else error.strerror
            self._stopped = f"as captured from record {record.number:,} on: {what}"

    # -- frames ---------------------------------------------------------------------------------

    def outgoing(self, frame: bytes, packet: Packet, segment: Segment, start: int) -> Outgoing:
        """A captured frame as the host sends it; `start` is the place of its payload."""
        size = segment.end - segment.start
        end = start + size
        records = self._wire.records
        wanted = frame if segment.good else summed(frame, packet)
        if not size or not self._begun or records is None or end <= records.first:
            self._end = max(self._end, end)
            return plain(wanted, self._driver, self._context(end))
        self._take(end)
        ahead = start > self._end
        self._end = max(self._end, end)
        held = None if segment.flags & (SYN | RST) else self._held(segment.seq, size)
        if self.sender is None or held is None:
            why = self._why(segment, start)
            self._captured[why] += 1
            out = plain(wanted, self._driver, self._context(end))
            return replace(out, how=How.CAPTURED, sent=self, start=start, end=end, why=why)
        payload, marked = held
        made = (unsummed if marked else with_payload)(wanted, packet, payload)
        out = Outgoing(summed(frame, packet), None, None, How.SOFTWARE, self, start, end)
        if len(frame) > self._driver.max_frame:
            return replace(out, made=self.sender.encrypt_skb(made) if marked else made)
        validated = self.sender.validate(made, marked, self._driver)
        if validated is None:
            return out
        made, marked = validated
        out = replace(out, skb=Skb(made, self.sender.context, marked))
        if not marked:
            return out
        self._jumps += ahead
        in_order = start == self._next
        if in_order:
            self._next = end
        return replace(out, how=How.ENCRYPTED, in_order=in_order)

    def left(self, out: Outgoing, how: How | None, mismatches: int) -> None:
        """Take account of what became of a frame; of one that was dropped, `how` is None."""
        self._mismatches += mismatches
        if how is None:
            return
        self._frames[how] += 1
        self._mark(out.start, out.end, By.DEVICE if how is How.ENCRYPTED else By.SOFTWARE)

    def went(self, end: int, way: OutOfOrder | None, rebuilt: int) -> None:
        """Take account of the way of a frame that was not known to be in order."""
        if way is None or way is OutOfOrder.REBUILD:
            self._next = end
        elif way is OutOfOrder.SOFTWARE:
            self._next = None
        if way is not None:
            self._ways[way] += 1
            self._rebuilt += rebuilt

    def unsettle(self) -> None:
        """What the device expects is not certain."""
        self._next = None

    def _mark(self, start: int, end: int, by: By) -> None:
        """Records between these places have bytes that were encrypted so."""
        first = max(bisect_right(self._edges, start) - 1, 0)
        for n in range(first, min(bisect_left(self._edges, end), len(self._by))):
            self._by[n] |= by
        if by is By.SOFTWARE and (not self._edges or end > self._edges[-1]):
            if self._ahead and self._ahead[-1][1] == start:
                start, _ = self._ahead.pop()
            self._ahead.append((start, end))

    def _context(self, end: int) -> int | None:
        """The socket of a frame that ends there and is not marked; None if it is as of another."""
        return self.sender.context if self.sender and end <= self._start else None

    def _held(self, seq: int, size: int) -> tuple[bytes, bool] | None:
        """Bytes of the stream as kTLS has them, and whether in clear; None if not all, or both."""
        if self.sender is None:
            return None
        parts = list[bytes]()
        marks = set[bool]()
        while size:
            piece = self.sender.segment(seq, size)
            if piece is None:
                return None
            parts.append(piece.data)
            marks.add(piece.marked)
            seq, size = seq + len(piece.data) & tcp.MASK, size - len(piece.data)
        return (b"".join(parts), marks.pop()) if len(marks) == 1 else None

    def _why(self, segment: Segment, start: int) -> str:
        """Why a frame leaves as it was captured."""
        if self.sender is None or start < self._start:
            return "from before the device had the connection"
        if self._stopped:
            return "from behind the last record that the device could have"
        if tcp.distance(segment.seq, self.sender.tcp.acknowledged) < 0:
            return "of what was acknowledged, or given up, before"
        if segment.flags & (SYN | RST):
            return "with SYN or RST"
        return _NOT_ALL

    # -- what is said of it ---------------------------------------------------------------------

    def report(self) -> SentReport:
        """What became of it all."""
        sender, records = self.sender, self._wire.records
        digest = records.digest if records else Digest()
        offloaded = sender is not None and sender.refused is None
        by = Counter(self._by)
        return SentReport(
            bytes=digest.bytes,
            sha256=digest.sha256,
            offloaded=offloaded,
            first_record=self._first_record if offloaded else 0,
            records={name: by[who] for name, who in _RECORDS.items()},
            frames={how.name.lower(): self._frames[how] for how in _FRAMES},
            out_of_order={way.name.lower(): self._ways[way] for way in reversed(OutOfOrder)},
            reread=self._rebuilt + (sender.reread if sender else 0),
            resyncs=sender.resyncs if sender else 0,
            mismatches=self._mismatches,
        )

    def notes(self) -> list[str]:
        """What a reader should know."""
        notes = []
        captured = dict(self._captured)
        if self._wire.records and self._wire.records.stopped:
            notes.append(self._wire.records.stopped)
        if self._wire.sent.tcp.waiting:
            notes.append(self._gap(captured.pop(_NOT_ALL, 0)))
        if self.sender is None:
            notes.append("in software: nothing was sent at which the device could begin")
        elif self.sender.refused:
            notes.append(f"in software: {self.sender.refused.strerror}")
        if self._stopped:
            notes.append(self._stopped)
        if self._jumps:
            notes.append(
                f"{self._jumps:,} segments skip bytes that come later: the capture was taken "
                f"behind a loss or reordering; they are {_AHEAD[self._driver.out_of_order]}"
            )
        notes += [f"as captured: {n:,} frames {why}" for why, n in captured.items()]
        return [f"sent: {note}" for note in notes]

    def _gap(self, frames: int) -> str:
        left = f", {frames:,} frames, left as captured" if frames else ""
        return f"a gap in the capture: {self._wire.sent.tcp.waiting:,} bytes behind it{left}"


class Outbox:
    """Frames on their way to the driver, of all connections, in order.

    They go together where what becomes of one is not needed for the next.

    Attributes:
        hows: what became of frames.
        too_long: how many were not given to the device, as it takes none of that length.
        mismatches: bytes that left and differ from the capture, or should have and did not.
    """

    def __init__(self, driver: Driver) -> None:
        self.hows: Counter[How] = Counter()
        self.too_long = 0
        self.mismatches = 0
        self._driver = driver
        self._batch: list[Outgoing] = []
        self._left: list[Left] = []

    def add(self, out: Outgoing) -> None:
        """Send a frame, now or with the next."""
        if out.in_order and out.skb:
            self._batch.append(out)
            return
        self.flush()
        self._batch = [out]
        self.flush()

    def flush(self) -> None:
        """Send what waits."""
        batch, self._batch = self._batch, []
        if not batch:
            return
        counters = self._driver.tx_counters
        before = Counter(counters)
        left = self._driver.transmit([out.skb for out in batch if out.skb])
        ways = [way for way, name in _COUNTERS.items() if counters[name] > before[name]]
        way = ways[0] if ways and len(batch) == 1 else None
        for out in batch:
            if out.sent and out.skb and out.skb.decrypted:
                if len(batch) == len(left) == 1:
                    out.sent.went(out.end, way, counters[_REBUILT] - before[_REBUILT])
                elif ways or len(batch) != len(left):
                    out.sent.unsettle()
        frames = paired([out.wanted for out in batch if out.skb], left)
        for out in batch:
            self._became(out, frames.pop(0) if out.skb else out.made, way)
        self.mismatches += sum(len(frame) for frame in frames if frame)

    def take(self) -> list[Left]:
        """Send what waits; what became of all frames since this was called last."""
        self.flush()
        left, self._left = self._left, []
        return left

    def _became(self, out: Outgoing, frame: bytes | None, way: OutOfOrder | None) -> None:
        how = How.SOFTWARE if way is OutOfOrder.SOFTWARE else out.how
        wrong = _differing(frame, out.wanted)
        self.mismatches += wrong
        self.too_long += out.made is not None
        if out.sent:
            out.sent.left(out, how if frame is not None else None, wrong)
        if frame is None:
            self._left.append(Left(None, "dropped"))
            return
        self.hows[how] += 1
        verdict = how.value
        if how is How.ENCRYPTED and way:
            verdict += f" by {way.name.lower()}"
        if out.sent:
            verdict += f", {out.sent.name}"
        if out.why:
            verdict += f": {out.why}"
        self._left.append(Left(frame, verdict))


def plain(wanted: bytes, driver: Driver, context: int | None = None) -> Outgoing:
    """A frame that leaves as it is; without the device if it is too long for that."""
    if len(wanted) > driver.max_frame:
        return Outgoing(wanted, None, wanted)
    return Outgoing(wanted, Skb(wanted, context))


def paired(wanted: list[bytes], left: list[bytes]) -> list[bytes | None]:
    """What left for each that was to leave, in order; and behind that, what was not to."""
    if len(left) == len(wanted):
        return list(left)
    pairs, more, waiting = list[bytes | None](), list[bytes | None](), left
    for each in wanted:
        found = next((n for n, frame in enumerate(waiting) if _alike(frame, each)), None)
        if found is None:
            pairs.append(None)
        else:
            pairs.append(waiting[found])
            more += waiting[:found]
            waiting = waiting[found + 1 :]
    return pairs + more + waiting


def _alike(one: bytes, other: bytes) -> bool:
    """Whether one is the other, perhaps with an error: their size and sequence number tell."""
    first, second = (packet and packet.segment for packet in (parse(one), parse(other)))
    seqs = [segment.seq if segment else None for segment in (first, second)]
    return len(one) == len(other) and seqs[0] == seqs[1]


def _differing(frame: bytes | None, wanted: bytes) -> int:
    """Bytes in which what left differs; all, if nothing did."""
    if frame == wanted:
        return 0
    left = frame or b""
    differing = sum(a != b for a, b in zip(left, wanted, strict=False))
    return differing + abs(len(left) - len(wanted))
