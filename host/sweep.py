"""How much a device offloads when frames are lost or come out of order, point by point.

In: a point (what happens to the frames, how the device is set, sizes, a seed), and a device.
Out: how records and frames came, how often the record boundary was lost, and for how long. The
same point gives the same numbers. No I/O but the device's.

Streams are interleaved, a frame of each in turn. Every frame goes through device, driver and kTLS
stack, and what the stack delivers is compared with what was sent. What the stack tells the driver
to resynchronise the device is held back for as many frames of the stream as the point says: the way
through interrupt, softirq and driver, which takes no time here. The mode "document" is another
device, the in-order one of the kernel's document, as a model of packets (`host/sweep_document.py`).
"""

from __future__ import annotations

import contextlib
import operator
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import sqrt
from random import Random
from typing import Final

from host import ktls, regs, tcp
from host.crypto_info import CryptoInfo, Version
from host.device import Device
from host.driver import Driver, Received
from host.ktls import Kind
from host.packet import Flow
from host.record import PREFIX
from host.regs import Addr, Direction, RxPass
from host.resync import RxResync
from host.sweep_check import Difference
from host.sweep_document import Document, State
from host.sweep_traffic import HEADERS, RECORD, Source, Stream, cuts, lost, reordered, source

LOSS: Final = "loss"
REORDER: Final = "reorder"

DOCUMENT: Final = "document"
SWITCHES: Final[Mapping[str, tuple[bool, bool]]] = {  # self_confirm and avoid_partials
    "order-free": (False, False),
    "self-confirming": (True, False),
    "all": (True, True),
}
MODES: Final = (DOCUMENT, *SWITCHES)

_PREFIX: Final = PREFIX[Version.TLS_1_2]
_KIND: Final = {
    frozenset({True}): Kind.DECRYPTED,
    frozenset({False}): Kind.ENCRYPTED,
    frozenset({True, False}): Kind.MIXED,
}


@dataclass(frozen=True, slots=True)
class Point:
    """One measurement.

    Attributes:
        experiment: LOSS or REORDER.
        percent: of the transmissions that are lost; of the segments that come early.
        distance: segments of the stream between a loss and the retransmission; those that an early
            one overtakes.
        mode: one of MODES.
        confirm: segments of the stream by which an answer of the host comes late.
        streams, records: so many, with so many records each.
        seed: of data, sequence numbers and chance.
        align: segments end where records do.
    """

    experiment: str
    percent: float
    distance: int
    mode: str
    confirm: int
    streams: int
    records: int
    seed: int
    align: bool = False

    def arrivals(self, stream: int) -> list[int]:
        """A stream's segments in the order in which they come; the same for all modes."""
        random = Random(f"{self.seed} {self.experiment} {self.percent} {self.distance} {stream}")
        order = lost if self.experiment == LOSS else reordered
        segments = len(cuts(self.records, self.align)) - 1
        return order(random, segments, self.percent / 100, self.distance)


@dataclass(slots=True)
class Outages:
    """When one stream was not decrypted for want of a record boundary.

    An outage begins with the first frame that passes because it is beyond the header for which the
    device waits, and ends before the first frame that is decrypted and further on in the stream. It
    is counted if the device gave up waiting meanwhile: then the boundary was lost.
    """

    lengths: list[int] = field(default_factory=list)
    _start: int | None = None
    _frames: int = 0
    _lost: bool = False

    def frame(self, place: int, *, decrypted: bool, unknown: bool, lost: bool) -> None:
        """Take a frame: its place in the stream, and what became of it."""
        if self._start is None:
            if not unknown:
                return
            self._start, self._frames, self._lost = place, 0, False
        elif decrypted and place > self._start:
            if self._lost:
                self.lengths.append(self._frames)
            self._start = None
            return
        self._frames += 1
        self._lost |= lost


@dataclass(slots=True)
class Result:
    """What came of a point.

    Attributes:
        kinds: records by how they came, of each stream.
        lost: times the device lost the boundary.
        by_host, by_device: times an answer, or a record's tag, brought it back.
        requests: frames with which the host was asked.
        outages: their lengths in frames, as `Outages` has them.
        mismatches: bytes delivered that are not those that were sent.
    """

    point: Point
    kinds: list[Counter[Kind]] = field(default_factory=list)
    frames: int = 0
    decrypted: int = 0
    lost: int = 0
    by_host: int = 0
    by_device: int = 0
    requests: int = 0
    outages: list[int] = field(default_factory=list)
    mismatches: int = 0

    def percent(self, kind: Kind) -> float:
        """Of the records, those that came so."""
        count = sum(each[kind] for each in self.kinds)
        return 100 * count / (self.point.streams * self.point.records)

    @property
    def error(self) -> float:
        """Standard error of the percentage of decrypted records: streams are independent."""
        shares = [100 * each[Kind.DECRYPTED] / self.point.records for each in self.kinds]
        if len(shares) < 2:
            return 0.0
        mean = sum(shares) / len(shares)
        variance = sum((share - mean) ** 2 for share in shares) / (len(shares) - 1)
        return sqrt(variance / len(shares))

    @property
    def outage(self) -> float | None:
        """Mean frames of an outage; None if there was none."""
        return sum(self.outages) / len(self.outages) if self.outages else None


def measure(point: Point, device: Device | None = None, *, burst: int = 1) -> Result:
    """Run a point.

    Args:
        point: which.
        device: for all modes but DOCUMENT.
        burst: frames at a time to the device, each of another stream. With more than 1 it cannot
            be told whose boundary was lost, and no outage is counted.
    """
    if point.mode == DOCUMENT:
        return _documented(point)
    if device is None:
        raise ValueError(f"{point.mode} needs a device")
    result = Result(point)
    self_confirm, avoid_partials = SWITCHES[point.mode]
    driver = Driver(device, self_confirm=self_confirm, avoid_partials=avoid_partials)
    room = device.read(Addr.CAP_CONNECTIONS)
    before = driver.stats()
    for first in range(0, point.streams, room):
        numbers = range(first, min(first + room, point.streams))
        _offloaded(point, numbers, device, driver, burst, result)
    after = driver.stats()
    result.lost = after["rx_sync_lost"] - before["rx_sync_lost"]
    result.by_host = after["rx_tls_resync_res_ok"] - before["rx_tls_resync_res_ok"]
    result.by_device = after["rx_sync_self"] - before["rx_sync_self"]
    result.requests = after["rx_tls_resync_req_pkt"] - before["rx_tls_resync_req_pkt"]
    return result


# -- a device, with driver and stack --------------------------------------------------------------


class Late:
    """The driver, towards the stack of one stream: what it is told to resynchronise comes late."""

    def __init__(self, driver: Driver, frames: int) -> None:
        self._driver = driver
        self._frames = frames
        self._held: deque[tuple[int, int, Direction, int, int]] = deque()
        self._turn = 0

    def tls_dev_add(
        self,
        flow: Flow,
        direction: Direction,
        crypto_info: CryptoInfo,
        start_offload_tcp_sn: int,
        resync: RxResync,
    ) -> int:
        """At once."""
        return self._driver.tls_dev_add(flow, direction, crypto_info, start_offload_tcp_sn, resync)

    def tls_dev_del(self, context: int, direction: Direction) -> None:
        """At once."""
        self._driver.tls_dev_del(context, direction)

    def tls_dev_resync(self, context: int, direction: Direction, seq: int, number: int) -> None:
        """When so many more frames of the stream have come."""
        self._held.append((self._turn + self._frames, context, direction, seq, number))

    def next(self) -> None:
        """Another frame of the stream is about to go to the device."""
        while self._held and self._held[0][0] <= self._turn:
            _, context, direction, seq, number = self._held.popleft()
            self._driver.tls_dev_resync(context, direction, seq, number)
        self._turn += 1


class _Connection:
    """One stream, its stack, and the program that reads."""

    def __init__(self, point: Point, number: int, text: Source, driver: Driver) -> None:
        random = Random(f"{point.seed} {number}")
        self.number = number
        self.outages = Outages()
        self._stream = stream = Stream(text, number, random.getrandbits(32))
        self._arrivals = point.arrivals(number)
        self._cuts = text.cuts
        self._driver = Late(driver, point.confirm)
        self.decrypted = self.mismatches = 0
        self._tcp = tcp.Receiver(stream.seq)
        self._text = memoryview(text.text)
        self._read = 0
        self.ktls = ktls.Receiver(text.info, stream.seq, Counter())
        self.ktls.offload(self._driver, stream.flow)
        if self.ktls.refused:
            raise self.ktls.refused

    @property
    def frames(self) -> int:
        """How many arrive."""
        return len(self._arrivals)

    def next(self, turn: int) -> bytes:
        """The frame that arrives at this turn; what the driver is told before it, is told now."""
        self._driver.next()
        return self._stream.frame(self._arrivals[turn])

    def receive(self, turn: int, got: Received, lost: bool) -> None:
        """That frame as it came from the device; whether the boundary was lost with it."""
        self.decrypted += got.decrypted
        unknown = got.reason is RxPass.OUT_OF_SYNC
        place = self._cuts[self._arrivals[turn]]
        self.outages.frame(place, decrypted=got.decrypted, unknown=unknown, lost=lost)
        seq = self._stream.seq + place & tcp.MASK
        self.ktls.receive(self._tcp.receive(seq, got.data[HEADERS:], got.decrypted))
        with contextlib.suppress(OSError):  # not authentic: what is not delivered is told below
            while message := self.ktls.recv():
                self._compare(message.data)

    def _compare(self, data: bytes) -> None:
        end = self._read + len(data)
        if data != self._text[self._read : end]:
            wanted = bytes(self._text[self._read : end]).ljust(len(data), b"\0")
            self.mismatches += sum(map(operator.ne, data, wanted))
        self._read = end

    def close(self) -> None:
        """All came: what was never delivered is a mismatch, too."""
        self.mismatches += abs(len(self._text) - self._read)
        self.ktls.close()


def _offloaded(
    point: Point, numbers: range, device: Device, driver: Driver, burst: int, result: Result
) -> None:
    """So many streams at a time."""
    text = source(point.records, point.seed, point.align)
    connections = [_Connection(point, number, text, driver) for number in numbers]
    bursts = [connections[at : at + burst] for at in range(0, len(connections), burst)]
    losses = _losses(device)
    for turn in range(connections[0].frames):
        for some in bursts:
            frames = [connection.next(turn) for connection in some]
            try:
                got = driver.receive(frames)
            except Difference as difference:
                stream = some[difference.frame].number
                where = f"stream {stream}, frame {turn}, {point}"
                raise Difference(f"{where}: {difference}") from None
            for connection, received in zip(some, got, strict=True):
                unknown = burst == 1 and received.reason is RxPass.OUT_OF_SYNC
                connection.receive(turn, received, unknown and next(losses))
    for connection in connections:
        connection.close()
        result.kinds.append(connection.ktls.records)
        result.frames += connection.frames
        result.decrypted += connection.decrypted
        result.outages += connection.outages.lengths
        result.mismatches += connection.mismatches


def _losses(device: Device) -> Iterator[bool]:
    """Has a boundary been lost since the last time?"""
    addr = regs.BLOCK_COUNTERS_FIRST + 8 * regs.Counter.RX_SYNC_LOST
    count = device.read(addr)
    while True:
        before, count = count, device.read(addr)
        yield count != before


# -- the in-order device of the document ----------------------------------------------------------


def _documented(point: Point) -> Result:
    result = Result(point)
    for stream in range(point.streams):
        _document_stream(point, point.arrivals(stream), result)
    return result


def _document_stream(point: Point, arrivals: Sequence[int], result: Result) -> None:
    places = cuts(point.records, point.align)
    device, stack, outages = Document(RECORD), _Parser(places), Outages()
    answers: deque[tuple[int, int]] = deque()  # before which frame, to which header
    marks = [False] * len(arrivals)
    for turn, segment in enumerate(arrivals):
        while answers and answers[0][0] <= turn:
            result.by_host += device.confirm(answers.popleft()[1])
        was, asked = device.state, device.asked
        place = places[segment]
        marks[segment] = decrypted = device.receive(place, places[segment + 1])
        lost = was is State.OFFLOADING and device.state is not State.OFFLOADING
        outages.frame(
            place, decrypted=decrypted, unknown=device.state is not State.OFFLOADING, lost=lost
        )
        if device.asked not in (None, asked):
            result.requests += 1
            stack.request = device.asked
        if (header := stack.receive(segment)) is not None:
            answers.append((turn + 1 + point.confirm, header))
        result.lost += lost
    result.kinds.append(_kinds(marks, places))
    result.outages += outages.lengths
    result.frames += len(arrivals)
    result.decrypted += sum(marks)


class _Parser:
    """The host's stack, as far as it answers: it comes to a header when all before it is there."""

    def __init__(self, places: Sequence[int]) -> None:
        self.request: int | None = None
        self._places = places
        self._came = bytearray(len(places))
        self._next = 0  # segment that has not come

    def receive(self, segment: int) -> int | None:
        """Take a segment; the header that was asked about, if it is there now."""
        self._came[segment] = 1
        self._next = self._came.index(0, self._next)
        if self.request is None or self._places[self._next] < self.request + _PREFIX:
            return None
        header, self.request = self.request, None
        return header


def _kinds(marks: Sequence[bool], places: Sequence[int]) -> Counter[Kind]:
    """Records by how their segments came."""
    found: dict[int, set[bool]] = {}
    for mark, (start, end) in zip(marks, pairwise(places), strict=True):
        for record in range(start // RECORD, (end - 1) // RECORD + 1):
            found.setdefault(record, set()).add(mark)
    return Counter(_KIND[frozenset(each)] for each in found.values())
