"""tls_rx_walk against model.rx_walk: random segments of random records, connections in turn.

The test plays the memory of connections and records, the buffer, and the takers of what goes out.
What the walk stores it gets back as it was; nothing is known here of how it is laid out but that
the lowest bits of a connection are the place of its youngest record.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import cocotb
import pytest
from cocotb.triggers import Event, RisingEdge

from cocotb_tests.harness import simulate
from cocotb_tests.streams import Gaps, Sink, StreamRules, never, often, rng_of_test, start
from model.regs import RxPass, TlsVersion
from model.rx_walk import HEADER, LENGTHS, PREFIX, SEQ, TAG, WIRE_VERSION, Record, Walk, Walked

ID_W = 2
ADDR_W = 15
RUNS = 4
TEXT, TAG_ITEM, FRAME, REMOVED = range(4)  # tls_rx_state.vh
SENT = (
    "needs", "insert", "remove", "same", "id", "found", "csum_good", "reason", "addr", "offset",
    "bytes", "words", "seq", "conn", "rec",
)  # fmt: skip
PIECE = ("is_tag", "id", "addr", "bytes", "place", "version", "type", "number", "nonce", "len")
ITEM = (
    "kind", "id", "slot", "first", "last", "some",
    "found", "csum_good", "reason", "bytes", "ranges", "words",
)  # fmt: skip
RANGE = ("from", "to")
# what a walk says; WINDOW_FULL and BAD_RECORD, too, in tests of their own
REASONS = {
    RxPass.NONE, RxPass.OUT_OF_SYNC, RxPass.OVERLAP, RxPass.PARTIAL, RxPass.BAD_RECORD,
}  # fmt: skip
Fields = dict[str, int]


class Traced(Walk):
    """The model's walk, which also tells which records it opened."""

    opened: list[Record]

    def _join_prefix(self, joined: bytes, *, has_reason: bool) -> bool:
        number = self.number
        done = super()._join_prefix(joined, has_reason=has_reason)
        if self.number != number:
            self.opened.append(self._open[-1].record)
        return done

    def trace(self, seq: int, payload: bytes, *, avoid_partials: bool) -> Walked:
        """As `walk`; what it opened is in `opened`."""
        self.opened = []
        return self.walk(seq, payload, avoid_partials=avoid_partials)

    @property
    def records(self) -> list[Record]:
        """Those open."""
        return [entry.record for entry in self._open]

    @property
    def gaps(self) -> list[tuple[int, int]]:
        """Sequence numbers of missing bytes of open records, [first, last)."""
        found = []
        for entry in self._open:
            at = 0
            for run in (*sorted(entry.runs), (entry.record.total, 0)):
                if at < run[0]:
                    found.append((entry.record.start + at, entry.record.start + run[0]))
                at = run[1]
        return found


@dataclass
class Stream:
    """What a peer sends: bytes from a sequence number on, records one after the other."""

    version: TlsVersion
    first: int
    data: bytearray
    rng: random.Random
    marks: list[int] = field(default_factory=list)  # where something starts or ends

    def grow(self) -> None:
        """Add a record."""
        lengths = LENGTHS[self.version]
        kind = self.rng.random()
        least = lengths.start
        length = least + self.rng.choice([0, 1, 2, self.rng.randrange(40), self.rng.randrange(200)])
        if kind < 0.02:
            length = self.rng.choice([lengths.stop - 1, self.rng.choice(lengths)])
        at = len(self.data)
        prefix = PREFIX[self.version]
        end = at + HEADER + length
        self.marks += [at, at + HEADER, at + prefix, end - TAG, end]
        self.data += bytes([self.rng.randint(20, 23)]) + WIRE_VERSION + length.to_bytes(2)
        self.data += self.rng.randbytes(length)

    def bytes_at(self, place: int, count: int) -> bytes:
        """So many from a place; before the first one there is noise."""
        while place + count > len(self.data):
            self.grow()
        if place < 0:
            return self.rng.randbytes(-place) + bytes(self.data[: max(count + place, 0)])
        return bytes(self.data[place : place + count])


@dataclass
class Connection:
    """A connection of the test: the model's walk, the stream, and where the peer is in it."""

    walk: Traced
    stream: Stream
    cursor: int = 0


@dataclass
class Expected:
    """An item, with the record of a piece and the records open after its frame."""

    item: Fields
    record: Record | None = None
    after: tuple[Record, ...] = ()


class Bench:
    """Plays all neighbours; compares what goes out with what the model says."""

    def __init__(self, dut: Any, idle: Gaps = never, stall: Gaps = never) -> None:
        self.dut = dut
        self.window = int(os.environ["WINDOW"])
        self.rng = rng_of_test("frames")
        self.noise = rng_of_test("noise")
        self.edge = RisingEdge(dut.clk)
        self.taken = Event()
        self.gaps = idle(rng_of_test("idle"))
        self.conns: dict[int, int] = {}
        self.recs: dict[tuple[int, int], int] = {}
        self.memory = bytearray(self.noise.randbytes(1 << ADDR_W))
        self.free = 0  # byte of it
        self.held: int | None = None  # the connection that the walk is at
        self.connections: dict[int, Connection] = {}
        self.avoid_partials = False
        self.inserts = 0
        self.pieces: list[Fields] = []
        self.ranges: list[Fields] = []
        self.items: list[Expected] = []
        self.fresh: dict[int, set[Record]] = {}  # without a piece so far
        self.slots: dict[int, dict[Record, int]] = {}
        self.reasons: Counter[RxPass] = Counter()
        self.seen: Counter[str] = Counter()
        for name in SENT:
            getattr(dut, f"s_{name}").value = 0
        for name in ("s_valid", "avoid_partials", "new_version", "new_seq", "new_record"):
            getattr(dut, name).value = 0
        ports = (("m_piece", PIECE), ("m_item", ITEM), ("m_range", RANGE))
        takers = (self._piece, self._item, self._range)
        for (prefix, fields), taker in zip(ports, takers, strict=True):
            Sink(dut, prefix, fields, taker, stall(rng_of_test(prefix)))
        # pieces never wait; of a frame's end the rest means nothing
        waits = ("kind", "id", *ITEM[6:])
        rules = (("m_piece", PIECE), ("m_item", waits), ("m_range", RANGE))
        self.rules = [StreamRules(dut, prefix, fields) for prefix, fields in rules]
        cocotb.start_soon(self._memory())

    # ---- neighbours ----
    async def _memory(self) -> None:
        """Connections and records, a clock after they are asked for; the buffer, two."""
        dut = self.dut
        addr = 0
        slots = self.window - 1
        while True:
            await self.edge
            dut.hdr_data.value = self._bytes(addr, 13)
            if dut.rst.value != 0:
                continue
            addr = int(dut.hdr_addr.value) if dut.hdr_addr.value.is_resolvable else 0
            scan = dut.scan_en.value == 1
            rec = self.noise.getrandbits(len(dut.s_rec))
            if scan:
                key = int(dut.wr_id.value), int(dut.scan_slot.value)
                rec = self.recs[key]
                self.seen["scan"] += 1
            dut.scan_rec.value = rec
            if dut.wr_rec_en.value == 1:
                key = int(dut.wr_id.value), int(dut.wr_slot.value) & slots
                self.recs[key] = int(dut.wr_rec.value)
            if dut.wr_conn_en.value == 1:
                self.conns[int(dut.wr_id.value)] = int(dut.wr_conn.value)
            self.inserts += int(dut.inserted.value == 1)
            # after these: the next frame's connection may be one that was stored in this clock
            if dut.s_valid.value == 1 and dut.s_ready.value == 1:
                dut.s_valid.value = 0
                self.taken.set()

    def _bytes(self, addr: int, count: int) -> int:
        two = self.memory + self.memory[:16]
        return int.from_bytes(two[addr : addr + count], "little")

    def _piece(self, word: Fields, _: int) -> None:
        assert self.pieces, f"a piece too many: {word}"
        want = self.pieces.pop(0)
        got = {name: word[name] for name in want}
        assert got == want

    def _range(self, word: Fields, _: int) -> None:
        assert self.ranges, f"a range too many: {word}"
        assert word == self.ranges.pop(0)

    def _item(self, word: Fields, _: int) -> None:
        assert self.items, f"an item too many: {word}"
        want = self.items.pop(0)
        got = {name: word[name] for name in want.item}
        assert got == want.item, f"{word}, not {want}"
        if want.record is None:
            return
        slots = self.slots[word["id"]]
        assert slots.setdefault(want.record, word["slot"]) == word["slot"], "a record moved"
        others = {slot for record, slot in slots.items() if record in want.after}
        if want.record in want.after:
            others.discard(word["slot"])
            same = [r for r in want.after if slots.get(r) == word["slot"]]
            assert same == [want.record], "two records at one place"
        assert word["slot"] not in others, "the place of another record"

    # ---- frames ----
    async def _offer(self, word: Fields) -> None:
        dut = self.dut
        while next(self.gaps):
            await self.edge
        fields = {name: self.noise.getrandbits(len(getattr(dut, f"s_{name}"))) for name in SENT}
        fields |= {"needs": 0, "insert": 0, "remove": 0, "same": 0} | word
        if fields["needs"]:
            fields["same"] = int(self.held == fields["id"])
            if not fields["same"]:
                conn = self.conns[fields["id"]]
                fields["conn"] = conn
                youngest = fields["id"], conn & (self.window - 1)
                fields["rec"] = self.recs.get(youngest, fields["rec"])
                self.seen["fetched"] += 1
            self.held = fields["id"]
        for name in SENT:
            getattr(dut, f"s_{name}").value = fields[name]
        dut.s_valid.value = 1
        self.taken.clear()
        await self.taken.wait()

    async def begin(self) -> None:
        """Reset; and open a record, before which fields that mean nothing may have no value."""
        await start(self.dut)
        await self.insert(0)
        await self.segment(0, 0, self.connections[0].stream.bytes_at(0, 40))

    async def insert(self, connection: int) -> None:
        """A new connection, or another one in its place."""
        dut, rng = self.dut, self.rng
        version = rng.choice([TlsVersion.TLS_1_2, TlsVersion.TLS_1_3])
        first = rng.choice([rng.getrandbits(32), SEQ - rng.randint(1, 300)])
        number = rng.choice([0, rng.getrandbits(64), (1 << 64) - 1 - rng.randrange(3)])
        self.held = None
        dut.new_version.value = int(version)
        dut.new_seq.value = first
        dut.new_record.value = number
        before = self.inserts
        await self._offer({"insert": 1, "id": connection})
        while self.inserts == before:
            await self.edge
        dut.new_version.value = self.noise.getrandbits(1)
        dut.new_seq.value = self.noise.getrandbits(32)
        dut.new_record.value = self.noise.getrandbits(64)
        walk = Traced(version, first, number, window=self.window, runs=RUNS)
        stream = Stream(version, first, bytearray(), rng)
        self.connections[connection] = Connection(walk, stream)
        self.fresh[connection] = set()
        self.slots[connection] = {}

    async def other(self) -> None:
        """A frame that is not to be walked, or the end of a connection."""
        rng = self.rng
        word = {"id": rng.randrange(1 << ID_W), "remove": int(rng.random() < 0.3)}
        item = {"kind": REMOVED}
        if not word["remove"]:
            word |= self._frame(rng.randrange(1, 9), rng.randrange(100))
            item = self._end(word, RxPass(word["reason"]), 0)
        self.items.append(Expected(item))
        await self._offer(word)

    def _frame(self, reason: int, count: int) -> Fields:
        rng = self.rng
        return {
            "reason": reason,
            "found": rng.getrandbits(1),
            "csum_good": rng.getrandbits(1),
            "addr": rng.randrange(1 << ADDR_W),
            "offset": rng.randrange(54, 200),
            "bytes": count,
            "words": rng.getrandbits(10),
        }

    @staticmethod
    def _end(word: Fields, reason: RxPass, ranges: int) -> Fields:
        same = ("id", "found", "csum_good", "bytes", "words")
        item = {name: word[name] for name in same}
        return item | {"kind": FRAME, "reason": int(reason), "ranges": ranges}

    async def segment(self, number: int, place: int, payload: bytes) -> RxPass:
        """A frame of a connection, from that place of its stream."""
        connection = self.connections[number]
        seq = (connection.stream.first + place) % SEQ
        word = self._frame(0, len(payload)) | {"needs": 1, "id": number, "seq": seq}
        addr = word["addr"] = self.free
        for n, byte in enumerate(payload):
            self.memory[(addr + n) % (1 << ADDR_W)] = byte
        self.free = (addr + len(payload) + self.rng.randrange(100)) % (1 << ADDR_W)
        walked = connection.walk.trace(seq, payload, avoid_partials=self.avoid_partials)
        self._expect(word, connection.walk, walked)
        self.reasons[walked.reason] += 1
        self.seen["dropped"] += (
            len(connection.walk.opened) > 0 and len(connection.walk.records) == self.window
        )
        await self._offer(word)
        return walked.reason

    def _expect(self, word: Fields, walk: Traced, walked: Walked) -> None:
        """What a walked payload makes: pieces, their items and ranges, and the frame's end."""
        number, version = word["id"], walk.version
        prefix = PREFIX[version]
        after = tuple(walk.records)
        self.fresh[number] |= set(walk.opened)
        complete = {one.record for one in walked.complete}
        ranges = 0
        # a record without text has its one part as soon as it opens
        parts: list[tuple[int, int, Record, int, int]] = [
            ((record.start + prefix - word["seq"]) % SEQ, 0, record, prefix, prefix)
            for record in walk.opened
            if record.text_end == prefix
        ]
        parts += [(p.offset, 1, p.record, p.first, p.last) for p in walked.pieces]
        parts.sort(key=lambda part: part[:2])
        for at, some, record, first, last in parts:
            text = min(last, record.text_end)
            runs = [(TEXT, first, text)] if first < text or not some else []
            if last > record.text_end:
                runs.append((TAG_ITEM, max(first, record.text_end), last))
            for kind, x, y in runs:
                ends = bool(some) and record in complete and y == last
                item = {"kind": kind, "id": number, "some": some, "last": int(ends)}
                item["first"] = int(record in self.fresh[number])
                self.fresh[number].discard(record)
                self.items.append(Expected(item, record, after))
                place = x - (prefix if kind == TEXT else record.text_end)
                piece = {"is_tag": int(kind == TAG_ITEM), "bytes": y - x, "place": place}
                if some:
                    piece["addr"] = (word["addr"] + at + x - first) % (1 << ADDR_W)
                if kind == TEXT:
                    nonce = int.from_bytes(record.prefix[HEADER:]) or record.number
                    if version is TlsVersion.TLS_1_2:
                        nonce = int.from_bytes(record.prefix[HEADER:])
                    piece |= {
                        "id": number,
                        "version": int(version),
                        "type": record.prefix[0] - 20,
                        "number": record.number,
                        "nonce": nonce,
                        "len": record.text_end - prefix,
                    }
                    if some:
                        begin = word["offset"] + at + x - first
                        self.ranges.append({"from": begin, "to": begin + y - x})
                        ranges += 1
                self.pieces.append(piece)
                self.seen["piece"] += 1
        self.items.append(Expected(self._end(word, walked.reason, ranges)))

    async def done(self) -> None:
        """Wait until all that is expected came, and whether more does."""
        for _ in range(20_000):
            if not (self.items or self.pieces or self.ranges):
                break
            await self.edge
        assert not self.items, self.items[0]
        assert not self.pieces
        assert not self.ranges
        for _ in range(8):
            await self.edge
        for rule in self.rules:
            assert not rule.broken, rule.broken

    async def avoid(self, avoid_partials: bool) -> None:
        """Set CTRL.avoid_partials, between two frames."""
        await self.done()
        self.avoid_partials = avoid_partials
        self.dut.avoid_partials.value = int(avoid_partials)


async def random_segment(bench: Bench, number: int) -> None:
    """In order mostly; or again, ahead, into a gap, from or to where something starts."""
    rng = bench.rng
    connection = bench.connections[number]
    stream, walk = connection.stream, connection.walk
    while len(stream.data) < connection.cursor + 300:
        stream.grow()
    kind = rng.random()
    count = rng.choice([1, 2, 5, rng.randint(1, 30), rng.randint(1, 100), rng.randint(1, 400)])
    if rng.random() < 0.01:
        count = rng.randint(1000, 2500)
    place = connection.cursor
    if kind < 0.45:
        connection.cursor += count
    elif kind < 0.60:  # some are lost
        place += rng.choice([1, rng.randint(1, 20), rng.randint(1, 60)])
        connection.cursor = place + count
    elif kind < 0.70:
        place += rng.randint(-250, 40)
    elif kind < 0.80:
        near = [mark for mark in stream.marks if abs(mark - connection.cursor) < 250] or [place]
        place, end = sorted(rng.choices(near, k=2))
        place += rng.choice([0, 0, -1, 1])
        count = max(end - place + rng.choice([0, 0, 0, 1, -1]), 1)
    elif gaps := walk.gaps:
        first, last = rng.choice(gaps)
        if rng.random() < 0.3:
            first = rng.randrange(first, last)
        if rng.random() < 0.3:
            last = rng.randint(first + 1, last)
        if rng.random() < 0.1:
            last += rng.randint(1, 20)
        signed = (first - stream.first) % SEQ
        place, count = signed - (SEQ if signed >= SEQ // 2 else 0), min(last - first, 2500)
    if place + count > 1 << 20 or place < -1000:
        return
    payload = bytearray(stream.bytes_at(place, count))
    heads = [mark - place for mark in stream.marks[::5] if 0 <= mark - place < count]
    if heads and rng.random() < 0.1:  # no header any more, or one that leads astray
        at = rng.choice(heads) + rng.choice([0, 1, 2, 0, 1, 2, 3, 4])
        payload[min(at, count - 1)] ^= 1 << rng.randrange(8)
    reason = await bench.segment(number, place, bytes(payload))
    if reason is RxPass.OUT_OF_SYNC and rng.random() < 0.7:
        edge = (walk.next + len(walk.prefix) - stream.first) % SEQ
        connection.cursor = edge if edge < SEQ // 2 else 0


# ---- tests ----
@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(idle=[never, often], stall=[never, often])
async def segments_are_walked_as_the_model_does(dut: Any, idle: Gaps, stall: Gaps) -> None:
    """Any segments, of connections in any turn; so many that every reason comes up."""
    bench = Bench(dut, idle, stall)
    rng = bench.rng
    await bench.begin()
    for number in range(1 << ID_W):
        await bench.insert(number)
    number = count = 0
    least = int(os.environ["FRAMES"])
    while count < least or (least >= 1000 and not bench.reasons.keys() >= REASONS):
        count += 1
        if rng.random() < 0.4:
            number = rng.randrange(1 << ID_W)
        kind = rng.random()
        if kind < 0.02:
            await bench.insert(number)
        elif kind < 0.08:
            await bench.other()
        else:
            await random_segment(bench, number)
        if count % 100 == 0:
            await bench.avoid(rng.random() < 0.4)
    await bench.done()
    cocotb.log.info("%s %s", bench.reasons, bench.seen)


def record(version: TlsVersion, text: int, rng: random.Random) -> bytes:
    """A record's bytes."""
    length = PREFIX[version] - HEADER + text + TAG
    return b"\x17" + WIRE_VERSION + length.to_bytes(2) + rng.randbytes(length)


def load(bench: Bench, number: int, data: bytes) -> None:
    """Let a connection's stream be these bytes, and then others."""
    stream = bench.connections[number].stream
    stream.data[:] = data
    stream.marks.clear()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def any_two_cuts(dut: Any) -> None:
    """Three records, one of them empty, cut in three anywhere; the parts in any order."""
    bench = Bench(dut)
    rng = bench.rng
    await bench.begin()
    for case in range(50):
        await bench.insert(0)
        version = bench.connections[0].stream.version
        whole = b"".join(record(version, text, rng) for text in (rng.randint(1, 40), 0, 3))
        load(bench, 0, whole)
        cuts = sorted(rng.sample(range(1, len(whole)), 2))
        parts = list(zip([0, *cuts], [*cuts, len(whole)], strict=True))
        if case % 2:
            rng.shuffle(parts)
        for first, last in parts * (1 + case % 2):
            await bench.segment(0, first, whole[first:last])
    await bench.done()
    assert bench.reasons[RxPass.NONE] > 3 * 25


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def a_record_has_four_runs(dut: Any) -> None:
    """Three besides that from 0; a fifth is not taken, a neighbour of one is, in any order."""
    bench = Bench(dut)
    rng = bench.rng
    await bench.begin()
    for case in range(24):
        await bench.avoid(case % 3 == 0)
        await bench.insert(case % 4)
        version = bench.connections[case % 4].stream.version
        whole = record(version, 100, rng)
        load(bench, case % 4, whole)
        await bench.segment(case % 4, 0, whole[: rng.randint(PREFIX[version], 20)])
        grid = [(at, at + 5) for at in range(20, len(whole), 5)]
        for first, last in rng.sample(grid, len(grid)):
            await bench.segment(case % 4, first, whole[first:last])
            bench.seen["blocks"] += 1
        for first, last in bench.connections[case % 4].walk.gaps * 2:
            at = (first - bench.connections[case % 4].stream.first) % SEQ
            await bench.segment(case % 4, at, whole[at : at + last - first])
    await bench.done()
    assert bench.reasons[RxPass.WINDOW_FULL] > 24
    assert bench.reasons[RxPass.PARTIAL] > 4


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def the_oldest_record_is_dropped(dut: Any) -> None:
    """More records with a gap than the window has; then the gaps, in any order."""
    bench = Bench(dut)
    rng = bench.rng
    await bench.begin()
    for case in range(20):
        number = case % 4
        await bench.insert(number)
        version = bench.connections[number].stream.version
        records = [record(version, rng.randint(2, 30), rng) for _ in range(bench.window + 3)]
        load(bench, number, b"".join(records))
        at, missing = 0, []
        for one in records:
            gap = rng.randint(PREFIX[version], len(one) - 1)
            await bench.segment(number, at, one[:gap])
            if gap + 1 < len(one):
                await bench.segment(number, at + gap + 1, one[gap + 1 :])
            missing.append((at + gap, one[gap : gap + 1]))
            at += len(one)
            if rng.random() < 0.2:  # another connection between
                other = (number + 1) % 4
                if other in bench.connections:
                    await random_segment(bench, other)
        for place, byte in rng.sample(missing, len(missing)):
            await bench.segment(number, place, byte)
    await bench.done()
    assert bench.reasons[RxPass.OVERLAP] >= 20 * 3 - 20
    assert bench.seen["scan"] > 20 * bench.window


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def headers_are_checked(dut: Any) -> None:
    """Bytes 0 to 4, in one frame or several; a bad one stops the walk, a good one then goes on."""
    bench = Bench(dut)
    rng = bench.rng
    await bench.begin()
    for case in range(80):
        number = case % 4
        await bench.insert(number)
        lengths = LENGTHS[bench.connections[number].stream.version]
        edges = [lengths.start - 1, lengths.start, lengths.stop - 1, lengths.stop, 0, 0xFFFF]
        length = rng.choice([*edges, rng.choice(edges) ^ 1 << rng.randrange(16)])
        kind = rng.choice([19, 20, 21, 22, 23, 24, 23, 23, 23, 23, 0, 0x97])
        wire = rng.choice([WIRE_VERSION] * 6 + [b"\3\1", b"\2\3", b"\3\4", b"\x83\3"])
        bad = bytes([kind]) + wire + length.to_bytes(2) + rng.randbytes(rng.randrange(30))
        load(bench, number, bad)
        cut = rng.randrange(1, len(bad))
        await bench.segment(number, 0, bad[:cut])
        await bench.segment(number, cut, bad[cut:])
        good = record(bench.connections[number].stream.version, 5, rng)
        have = len(bench.connections[number].walk.prefix)
        await bench.segment(number, have, good[have:])
    await bench.done()
    assert bench.reasons[RxPass.BAD_RECORD] > 20
    assert bench.reasons[RxPass.NONE] > 20


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def reset_stops_the_walk(dut: Any) -> None:
    """At any clock; then nothing of it comes any more, and new connections are as ever."""
    bench = Bench(dut, never, often)
    rng = bench.rng
    await bench.begin()
    for _ in range(15):
        for number in range(1 << ID_W):
            await bench.insert(number)
        for _ in range(rng.randrange(1, 12)):
            await random_segment(bench, rng.randrange(1 << ID_W))
        for _ in range(rng.randrange(12)):
            await bench.edge
        dut.rst.value = 1
        await bench.edge
        dut.rst.value = 0
        for queue in (bench.items, bench.pieces, bench.ranges):
            queue.clear()
        bench.held = None
        await bench.edge
    await bench.done()


def walk_with(window: int, frames: int) -> None:
    """Run all of it, with a window of that size."""
    slot_w = window.bit_length() - 1
    parameters = {
        "ID_W": ID_W,
        "ADDR_W": ADDR_W,
        "WINDOW": window,
        "CONN_W": 1 + 32 + 64 + 4 + 96 + (slot_w + 1) + window + window * slot_w + slot_w,
        "REC_W": 32 + 15 + 2 + 64 + 64 + 1 + 1 + 15 + (RUNS - 1) * (1 + 15 + 15),
    }
    env = {"WINDOW": str(window), "FRAMES": str(frames)}
    simulate("tls_rx_walk", __name__, parameters, env=env)


@pytest.mark.parametrize("window", [8, 2])
def test_tls_rx_walk(window: int) -> None:
    walk_with(window, 150)


@pytest.mark.regress
@pytest.mark.parametrize("window", [8, 2])
def test_tls_rx_walk_long(window: int) -> None:
    walk_with(window, 2500)
