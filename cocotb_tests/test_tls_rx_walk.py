"""tls_rx_walk against model.rx_search and rx_walk: random segments of random records.

The test plays the memory of connections and records, the buffer, the takers of what goes out, and
the verdict's word for guesses; connections take turns.
What the walk stores it gets back as it was; nothing is known here of how it is laid out but that
the lowest bits of a connection are the place of its youngest record.
"""

from __future__ import annotations

import os
import random
from collections import Counter, deque
from dataclasses import dataclass, replace
from typing import Any

import cocotb
import pytest
from cocotb.triggers import Event, RisingEdge

from cocotb_tests.harness import simulate
from cocotb_tests.peer import Peer, Stream, some_first
from cocotb_tests.streams import Gaps, Sink, StreamRules, never, often, rng_of_test, start
from model.record import (
    HALF,
    HEADER,
    LENGTHS,
    NUMBERS,
    PREFIX,
    SEQ,
    TAG,
    WIRE_VERSION,
    Record,
)
from model.regs import Answer, Reason, RxPass, TlsVersion
from model.regs import Counter as CounterOf
from model.regs import Event as EventOf
from model.rx_search import LONGEST, Boundary, Chain, Followed, Notice
from model.rx_walk import Complete, Walk, Walked

ID_W = 2
ADDR_W = 15
RUNS = 4
GUESSES = 64
TEXT, TAG_ITEM, GUESS, FRAME, REMOVED = range(5)  # tls_rx_state.vh
SENT = (
    "needs", "insert", "remove", "resync", "same", "id", "found", "csum_good", "reason", "addr",
    "offset", "bytes", "words", "seq", "conn", "rec",
)  # fmt: skip
PIECE = ("is_tag", "id", "addr", "bytes", "place", "version", "type", "number", "nonce", "len")
ITEM = (
    "kind", "id", "slot", "first", "last", "some",
    "found", "csum_good", "reason", "bytes", "ranges", "words", "asks",
)  # fmt: skip
RANGE = ("from", "to")
# what a walk says; WINDOW_FULL and BAD_RECORD, too, in tests of their own
REASONS = {
    RxPass.NONE, RxPass.OUT_OF_SYNC, RxPass.OVERLAP, RxPass.PARTIAL, RxPass.BAD_RECORD,
}  # fmt: skip
NEW = ("new_version", "new_seq", "new_record", "new_accept")
Fields = dict[str, int]


@dataclass
class Step:
    """What is hashed of a frame before it is walked: bytes [first, last) of a record.

    Attributes:
        at: of the first byte, in the frame.
        open: records at that time, the trial too.
        guesses: first the trial's number is taken out of its sum, then these are tried.
        empty: the record's text, which has no bytes.
    """

    record: Record
    open: tuple[Record, ...]
    first: int = 0
    last: int = 0
    at: int = 0
    guesses: tuple[bool, ...] = ()
    empty: bool = False


class TracedWalk(Walk):
    """The model's walk, which also tells which records it opened."""

    def __init__(self, version: TlsVersion, seq: int, number: int, window: int) -> None:
        super().__init__(version, seq, number, window=window, runs=RUNS)
        self.opened: list[Record] = []  # while walking
        self.passed: list[Record] = []  # else
        self._walking = False

    def walk(
        self, seq: int, payload: bytes, *, avoid_partials: bool, reason: RxPass = RxPass.NONE
    ) -> Walked:
        """As it is."""
        self._walking = True
        walked = super().walk(seq, payload, avoid_partials=avoid_partials, reason=reason)
        self._walking = False
        return walked

    def open(self, prefix: bytes, *, partial: bool) -> None:
        """As it is."""
        super().open(prefix, partial=partial)
        (self.opened if self._walking else self.passed).append(self._open[-1].record)

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


class Traced(Boundary):
    """The model, which also tells what it took for trials, and in which order with the rest."""

    walk: TracedWalk
    trials = 0

    def __init__(self, walk: TracedWalk, rng: random.Random) -> None:
        super().__init__(walk, self._prove)
        self.steps: list[Step] = []
        self.trial_record: Record | None = None
        self.numbers: dict[Record, int] = {}  # of trials: what `number` was when they began
        self.started: Counter[str] = Counter()
        self._rng = rng

    def trace(
        self, seq: int, payload: bytes, *, avoid_partials: bool, self_confirm: bool
    ) -> Followed:
        """As `receive`; what else came of it is in `steps` and `walk.opened`."""
        self.steps.clear()
        self.walk.opened.clear()
        self.walk.passed.clear()
        return self.receive(seq, payload, avoid_partials=avoid_partials, self_confirm=self_confirm)

    @property
    def records(self) -> tuple[Record, ...]:
        """Those that have places in the window."""
        one = (self.trial_record,) if self.trial and self.trial_record else ()
        return (*self.walk.records, *one)

    def _start_trial(self, start: int, prefix: bytes) -> Chain:
        chain = super()._start_trial(start, prefix)
        assert self.trial is not None
        # numbers below zero: no record is the same as another
        Traced.trials += 1
        self.trial_record = replace(self.trial.entry.record, number=-Traced.trials)
        self.numbers[self.trial_record] = self.walk.number
        self.started["trial"] += 1
        return chain

    def _try(self, seq: int, payload: bytes, *, begins: bool = False) -> bool:
        if self.trial is None or self.trial_record is None:
            return super()._try(seq, payload, begins=begins)
        entry, record, steps = self.trial.entry, self.trial_record, len(self.steps)
        now = self.records
        before = {at for run in entry.runs for at in range(*run)}
        proved = super()._try(seq, payload, begins=begins)
        taken = sorted({at for run in entry.runs for at in range(*run)} - before)
        new = []
        if begins and record.text_end == len(record.prefix):
            new.append(Step(record, now, empty=True))
        if taken:
            at = (record.start + taken[0] - seq) % SEQ
            new.append(Step(record, now, taken[0], taken[-1] + 1, at))
        self.steps[steps:steps] = new
        return proved

    def _prove(self, complete: Complete, first: int) -> int | None:
        rng = self._rng
        assert self.trial_record is not None
        right = rng.choice([None, 0, 63, rng.randrange(64)])
        guesses = [
            right is not None and (n == right or (n > right and rng.random() < 0.05))
            for n in range(GUESSES)
        ]
        self.steps.append(Step(self.trial_record, self.records, guesses=tuple(guesses)))
        self.started["proved" if right is not None else "failed"] += 1
        return None if right is None else (first + right) % NUMBERS

    def _opened(self, before: int) -> None:
        super()._opened(before)
        for record in self.walk.passed:
            empty = record.text_end == len(record.prefix)
            self.steps.append(Step(record, self.records, empty=empty))
        self.walk.passed.clear()


@dataclass
class Connection:
    """A connection of the test: the model, the stream, and where the peer is in it."""

    boundary: Traced
    peer: Peer
    cursor: int = 0

    @property
    def walk(self) -> TracedWalk:
        """The model's walk."""
        return self.boundary.walk

    @property
    def stream(self) -> Stream:
        """What the peer sends."""
        return self.peer.stream


@dataclass
class Expected:
    """An item, with the record of a piece and the records open after its frame, or then."""

    item: Fields
    record: Record | None = None
    after: tuple[Record, ...] = ()
    right: bool = False  # a guess


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
        self.avoid_partials = self.self_confirm = False
        self.inserts = 0
        self.resyncs: list[bool] = []  # whether each to come is stale
        self.events: list[Fields] = []
        self.counts: Counter[str] = Counter()  # that came, less those that were to
        self.guesses: deque[bool] = deque()
        self.guess_addr = -1
        self.pieces: list[Fields] = []
        self.ranges: list[Fields] = []
        self.items: list[Expected] = []
        self.fresh: dict[int, set[Record]] = {}  # without a piece so far
        self.begun: set[Record] = set()  # other than in a walk
        self.slots: dict[int, dict[Record, int]] = {}
        self.reasons: Counter[RxPass] = Counter()
        self.seen: Counter[str] = Counter()
        for name in SENT:
            getattr(dut, f"s_{name}").value = 0
        names = ("s_valid", "avoid_partials", "self_confirm", "guess_valid", "guess_right")
        for name in (*names, *NEW):
            getattr(dut, name).value = 0
        ports = (("m_piece", PIECE), ("m_item", ITEM), ("m_range", RANGE))
        takers = (self._piece, self._item, self._range)
        for (prefix, fields), taker in zip(ports, takers, strict=True):
            Sink(dut, prefix, fields, taker, stall(rng_of_test(prefix)))
        # pieces never wait; of a frame's end the rest means nothing
        waits = ("kind", "id", *ITEM[6:], "ask_seq")
        rules = (("m_piece", PIECE), ("m_item", waits), ("m_range", RANGE))
        self.rules = [StreamRules(dut, prefix, fields) for prefix, fields in rules]
        self.slow = idle is often
        cocotb.start_soon(self._memory())
        cocotb.start_soon(self._verdict())

    # ---- neighbours ----
    async def _memory(self) -> None:
        """Connections and records, a clock after they are asked for; the buffer, two."""
        dut = self.dut
        addr = 0
        slots = self.window - 1
        while True:
            await self.edge
            dut.hdr_data.value = self._bytes(addr, 16)
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
            if dut.resynced.value == 1:
                assert self.resyncs, "no resync is under way"
                assert int(dut.stale.value) == self.resyncs.pop(0)
                for name in NEW:
                    signal = getattr(dut, name)
                    signal.value = self.noise.getrandbits(len(signal))
            if dut.m_event_valid.value == 1:
                names = ("is_request", "id", "seq", "records")
                got = {name: int(getattr(dut, f"m_event_{name}").value) for name in names}
                assert self.events, f"an event too many: {got}"
                assert got == self.events.pop(0)
            for name in ("lost", "proved"):
                self.counts[name] += int(getattr(dut, f"count_{name}").value == 1)
            # after these: the next frame's connection may be one that was stored in this clock
            if dut.s_valid.value == 1 and dut.s_ready.value == 1:
                dut.s_valid.value = 0
                self.taken.set()

    def _bytes(self, addr: int, count: int) -> int:
        data = self.memory[addr : addr + count]
        data += self.memory[: count - len(data)]
        return int.from_bytes(data, "little")

    async def _verdict(self) -> None:
        """Says what guesses are, in their order, some clocks later."""
        dut, rng = self.dut, rng_of_test("verdict")
        while True:
            await self.edge
            says = bool(self.guesses) and (not self.slow or rng.random() < 0.4)
            dut.guess_valid.value = int(says)
            dut.guess_right.value = self.guesses.popleft() if says else rng.getrandbits(1)

    def _piece(self, word: Fields, _: int) -> None:
        assert self.pieces, f"a piece too many: {word}"
        want = self.pieces.pop(0)
        if "from" in want:  # a guess: any byte of the frame, but always the same
            first, last = want.pop("from"), want.pop("to")
            assert (word["addr"] - first) % (1 << ADDR_W) < last - first
            assert want.pop("begins") or word["addr"] == self.guess_addr
            self.guess_addr = word["addr"]
        got = {name: word[name] for name in want}
        assert got == want

    def _range(self, word: Fields, _: int) -> None:
        assert self.ranges, f"a range too many: {word}"
        assert word == self.ranges.pop(0)

    def _item(self, word: Fields, _: int) -> None:
        assert self.items, f"an item too many: {word}"
        want = self.items.pop(0)
        got = {name: word[name] for name in want.item if name != "ask_seq"}
        if "ask_seq" in want.item:
            got["ask_seq"] = int(self.dut.m_item_ask_seq.value)
        assert got == want.item, f"{word}, not {want}"
        if want.record is None:
            return
        if want.item["kind"] == GUESS:
            self.guesses.append(want.right)
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
        fields |= {"needs": 0, "insert": 0, "remove": 0, "resync": 0, "same": 0} | word
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

    async def insert(self, connection: int, looks: float = 0.0, first: int | None = None) -> None:
        """A new connection, or another one in its place."""
        dut, rng = self.dut, self.rng
        version = rng.choice([TlsVersion.TLS_1_2, TlsVersion.TLS_1_3])
        first = some_first(rng) if first is None else first
        number = rng.choice([0, rng.getrandbits(64), (1 << 64) - 1 - rng.randrange(3)])
        self.held = None
        await self.answered()
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
        boundary = Traced(TracedWalk(version, first, number, self.window), rng)
        stream = Stream(version, first, bytearray(), rng, looks)
        self.connections[connection] = Connection(boundary, Peer(stream))
        self.fresh[connection] = set()
        self.slots[connection] = {}

    async def answered(self) -> None:
        """Wait for the resync that is under way, if one is."""
        while self.resyncs:
            await self.edge

    async def resync(self, number: int, answer: Answer, seq: int, record: int) -> Reason:
        """The host's answer, in line with the frames."""
        dut, boundary = self.dut, self.connections[number].boundary
        await self.answered()
        reason = boundary.answer(answer, seq, record)
        self._events(number, tuple(boundary._notices))
        boundary._notices.clear()
        dut.new_accept.value = int(answer is Answer.ACCEPT)
        dut.new_seq.value, dut.new_record.value = seq, record
        self.resyncs.append(reason is Reason.STALE)
        self.seen[f"{answer.name} {reason.name}"] += 1
        await self._offer({"needs": 1, "resync": 1, "id": number, "bytes": 0})
        return reason

    def _events(self, number: int, notices: tuple[Notice, ...]) -> None:
        for notice in notices:
            request = int(notice.event is EventOf.RESYNC_REQUEST)
            event = {"is_request": request, "id": number, "seq": notice.seq}
            self.events.append(event | {"records": notice.records})

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
        return item | {"kind": FRAME, "reason": int(reason), "ranges": ranges, "asks": 0}

    async def segment(self, number: int, place: int, payload: bytes) -> RxPass:
        """A frame of a connection, from that place of its stream."""
        connection = self.connections[number]
        seq = (connection.stream.first + place) % SEQ
        word = self._frame(0, len(payload)) | {"needs": 1, "id": number, "seq": seq}
        addr = word["addr"] = self.free
        for n, byte in enumerate(payload):
            self.memory[(addr + n) % (1 << ADDR_W)] = byte
        self.free = (addr + len(payload) + self.rng.randrange(100)) % (1 << ADDR_W)
        walked = connection.boundary.trace(
            seq, payload, avoid_partials=self.avoid_partials, self_confirm=self.self_confirm
        )
        self._expect(word, connection.boundary, walked)
        self._events(number, walked.notices)
        self.counts["lost"] -= walked.counted.count(CounterOf.RX_SYNC_LOST)
        self.counts["proved"] -= walked.counted.count(CounterOf.RX_SYNC_SELF)
        self.reasons[walked.reason] += 1
        self.seen["dropped"] += (
            len(connection.walk.opened) > 0 and len(connection.walk.records) == self.window
        )
        await self._offer(word)
        return walked.reason

    def _expect(self, word: Fields, boundary: Traced, walked: Followed) -> None:
        """What a payload makes: pieces, their items and ranges, and the frame's end."""
        number, walk = word["id"], boundary.walk
        prefix = PREFIX[walk.version]
        for step in boundary.steps:
            if step.record not in self.begun:
                self.begun.add(step.record)
                self.fresh[number].add(step.record)
            trial = step.record.number < 0
            if step.guesses:
                self._guess(word, boundary, step)
            elif step.empty:
                self._part(word, walk, step.record, step.open, prefix, prefix, None, trial=trial)
            elif trial:
                self._part(
                    word, walk, step.record, step.open, step.first, step.last, step.at, trial=True
                )
        self.fresh[number] |= set(walk.opened)
        complete = {one.record for one in walked.complete}
        # a record without text has its one part as soon as it opens
        parts: list[tuple[int, int, Record, int, int]] = [
            ((record.start + prefix - word["seq"]) % SEQ, 0, record, prefix, prefix)
            for record in walk.opened
            if record.text_end == prefix
        ]
        parts += [(p.offset, 1, p.record, p.first, p.last) for p in walked.pieces]
        parts.sort(key=lambda part: part[:2])
        ranges = 0
        for at, some, record, first, last in parts:
            ranges += self._part(
                word, walk, record, boundary.records, first, last,
                at if some else None, ends=record in complete,
            )  # fmt: skip
        item = self._end(word, walked.reason, ranges)
        if walked.asked is not None:
            item |= {"asks": 1, "ask_seq": walked.asked}
        self.items.append(Expected(item))

    def _fields(self, number: int, walk: Walk, record: Record, count: int) -> Fields:
        """What a piece of text says of its record."""
        nonce = count
        if walk.version is TlsVersion.TLS_1_2:
            nonce = int.from_bytes(record.prefix[HEADER:])
        return {
            "id": number,
            "version": int(walk.version),
            "type": record.prefix[0] - 20,
            "number": count,
            "nonce": nonce,
            "len": record.text_end - len(record.prefix),
        }

    def _part(
        self, word: Fields, walk: Walk, record: Record, after: tuple[Record, ...],
        first: int, last: int, at: int | None, *, ends: bool = False, trial: bool = False,
    ) -> int:  # fmt: skip
        """Bytes of a record, from a place of the frame, or its text if it has none; its ranges."""
        number, prefix = word["id"], PREFIX[walk.version]
        ranges = 0
        text = min(last, record.text_end)
        runs = [(TEXT, first, text)] if first < text or at is None else []
        if last > record.text_end:
            runs.append((TAG_ITEM, max(first, record.text_end), last))
        for kind, x, y in runs:
            item = {"kind": kind, "id": number, "some": int(at is not None)}
            item["last"] = int(at is not None and ends and y == last)
            item["first"] = int(record in self.fresh[number])
            self.fresh[number].discard(record)
            self.items.append(Expected(item, record, after))
            place = x - (prefix if kind == TEXT else record.text_end)
            piece = {"is_tag": int(kind == TAG_ITEM), "bytes": y - x, "place": place}
            if at is not None:
                piece["addr"] = (word["addr"] + at + x - first) % (1 << ADDR_W)
            if kind == TEXT:
                piece |= self._fields(number, walk, record, self._number_of(record, number))
                if at is not None and not trial:
                    begin = word["offset"] + at + x - first
                    self.ranges.append({"from": begin, "to": begin + y - x})
                    ranges += 1
            self.pieces.append(piece)
            self.seen["piece"] += 1
        return ranges

    def _number_of(self, record: Record, connection: int) -> int:
        """Its number; of a trial that with which it is hashed until it is known."""
        if record.number >= 0:
            return record.number
        return self.connections[connection].boundary.numbers[record]

    def _guess(self, word: Fields, boundary: Traced, step: Step) -> None:
        """Its number is taken out of the sum, and each of the guesses is tried."""
        number, walk, record = word["id"], boundary.walk, step.record
        first = self._number_of(record, number)
        length = record.text_end - len(record.prefix)
        place = max(length - 1, 0) if walk.version is TlsVersion.TLS_1_3 else 0
        for n, right in enumerate((False, *step.guesses)):
            item = {"kind": GUESS if n else TEXT, "id": number, "some": int(length > 0)}
            item |= {"last": 0, "first": 0}
            self.items.append(Expected(item, record, step.open, right))
            piece = {"is_tag": 0, "bytes": int(length > 0), "place": place}
            piece |= {"from": word["addr"], "to": word["addr"] + word["bytes"], "begins": not n}
            count = (first + max(n - 1, 0)) % NUMBERS
            self.pieces.append(piece | self._fields(number, walk, record, count))
        self.seen["guesses"] += 1

    async def done(self) -> None:
        """Wait until all that is expected came, and whether more does."""
        for _ in range(20_000):
            if not (self.items or self.pieces or self.ranges or self.resyncs):
                break
            await self.edge
        assert not self.items, self.items[0]
        assert not self.pieces
        assert not self.ranges
        assert not self.resyncs
        for _ in range(8):
            await self.edge
        assert not self.events, self.events[0]
        assert not any(self.counts.values()), self.counts
        for rule in self.rules:
            assert not rule.broken, rule.broken

    async def confirm(self, self_confirm: bool) -> None:
        """Set CTRL.self_confirm, between two frames."""
        await self.done()
        self.self_confirm = self_confirm
        self.dut.self_confirm.value = int(self_confirm)

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


async def some_answer(bench: Bench, number: int) -> None:
    """Of the host: to what it was asked, about a header that it was not asked about, or wild."""
    rng = bench.rng
    boundary, walk = bench.connections[number].boundary, bench.connections[number].walk
    known = [boundary.pending] if boundary.pending else boundary.chains
    seq = rng.choice([boundary.tail_end, walk.next, walk.next + rng.randint(-100, 3000)]) % SEQ
    if known and rng.random() < 0.9:
        seq = rng.choice([chain.start for chain in known])
    await bench.resync(number, rng.choice(list(Answer)), seq, rng.getrandbits(64))


@cocotb.test(timeout_time=50, timeout_unit="ms")
@cocotb.parametrize(idle=[never, often], self_confirm=[False, True])
async def frames_ahead_are_handled_as_the_model_does(
    dut: Any, idle: Gaps, self_confirm: bool
) -> None:
    """Frames of peers that lose some, with bytes like headers in them, and answers of the host."""
    bench = Bench(dut, idle, idle)
    rng = bench.rng
    await bench.begin()
    await bench.confirm(self_confirm)
    for number in range(1 << ID_W):
        await bench.insert(number, 0.3)
    number = 0
    for count in range(int(os.environ["FRAMES"])):
        if rng.random() < 0.2:
            number = rng.randrange(1 << ID_W)
        connection = bench.connections[number]
        kind = rng.random()
        if kind < 0.005:
            await bench.insert(number, rng.choice([0.0, 0.3, 0.8]))
        elif kind < 0.03:
            await bench.other()
        elif kind < (0.2 if connection.boundary.pending else 0.05):
            await some_answer(bench, number)
        else:
            starts = [chain.start for chain in connection.boundary.chains]
            await bench.segment(number, *connection.peer.segment(connection.walk, 1000, starts))
        if count % 100 == 99:
            await bench.avoid(rng.random() < 0.4)
            await bench.confirm(self_confirm and rng.random() < 0.9)
    await bench.done()
    started = sum((one.boundary.started for one in bench.connections.values()), Counter())
    cocotb.log.info("%s %s %s", bench.reasons, bench.seen, started)


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


async def lose(bench: Bench, number: int, size: int) -> int:
    """Let a connection's boundary be lost by a bad header; where the next frame may be."""
    await bench.segment(number, 0, b"\0" * size)
    return size


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def a_trial_may_be_cut_anywhere(dut: Any) -> None:
    """Behind its prefix, before its tag, at any byte; what follows it is a chain, or nothing."""
    bench = Bench(dut)
    rng = bench.rng
    await bench.begin()
    await bench.confirm(True)
    for case in range(60):
        number = case % 4
        await bench.insert(number)
        version = bench.connections[number].stream.version
        prefix = PREFIX[version]
        text = rng.choice([0, 0, 1, 2, rng.randint(3, 40)])
        whole = record(version, text, rng)
        whole += b"".join(record(version, rng.randint(0, 20), rng) for _ in range(3))
        at = await lose(bench, number, rng.randint(5, 20))
        load(bench, number, bytes(at) + whole)
        end = HEADER + int.from_bytes(whole[3:HEADER])
        cuts = {rng.choice([13, prefix + text, 13 + rng.randrange(end - 13), end]), len(whole)}
        if rng.random() < 0.5:
            cuts.add(rng.randrange(13, len(whole)))
        last = 0
        for cut in sorted(cuts):
            if last < cut:
                await bench.segment(number, at + last, whole[last:cut])
            last = max(last, cut)
        await bench.segment(number, at + last, record(version, 7, rng))
    await bench.done()
    assert bench.seen["guesses"] >= 60


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def chains_are_passed_when_what_is_missing_comes(dut: Any) -> None:
    """Or when the host says their number; with many records, or without text in the last."""
    bench = Bench(dut)
    rng = bench.rng
    await bench.begin()
    for case in range(40):
        number = case % 4
        await bench.insert(number)
        version = bench.connections[number].stream.version
        await bench.avoid(case % 3 == 0)
        sizes = [rng.choice([0, 0, 1, rng.randint(2, 60)]) for _ in range(rng.randint(2, 30))]
        records = [record(version, size, rng) for size in sizes]
        whole = b"".join(records)
        load(bench, number, whole)
        first = len(records[0])
        last = len(whole) - rng.choice([0, 0, 1, rng.randrange(len(records[-1]))])
        lost = rng.random() < 0.5
        if lost:
            await lose(bench, number, first)
        cut = rng.randint(first + 1, last)
        await bench.segment(number, first, whole[first:cut])
        if cut < last:
            await bench.segment(number, cut, whole[cut:last])
        start = (bench.connections[number].stream.first + first) % SEQ
        if lost and rng.random() < 0.5:
            await bench.resync(number, Answer.REJECT, start, 1)
        elif lost:
            await bench.resync(number, Answer.ACCEPT, start, rng.getrandbits(64))
        else:
            await bench.segment(number, 0, whole[:first])
        # of the last record alone, which is partial if it was passed
        inner = min(len(whole) - TAG, last) + rng.randrange(3)
        await bench.segment(number, inner, whole[inner : inner + 5])
        await bench.segment(number, last, whole[last:] + record(version, 5, rng))
        await bench.segment(number, first, whole[first:])
    await bench.done()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def a_boundary_is_lost_beyond_the_longest_record(dut: Any) -> None:
    """Counted from the byte that is expected; one byte less, and it is waited for."""
    bench = Bench(dut)
    await bench.begin()
    for far in (LONGEST - 1, LONGEST, LONGEST + 1):
        for have in (0, 3):
            await bench.insert(0)
            whole = record(bench.connections[0].stream.version, 100, bench.rng)
            if have:
                await bench.segment(0, 0, whole[:have])
            await bench.segment(0, have + far, bytes(20))
            await bench.done()
    assert bench.reasons[RxPass.OUT_OF_SYNC] == 6


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def a_move_half_way_round_drops_open_records(dut: Any) -> None:
    """Of the sequence numbers: when the host says where the next header is, beyond it."""
    bench = Bench(dut)
    await bench.begin()
    for first in (HALF - 300, SEQ - 300, 1000):
        await bench.insert(0, first=first)
        whole = record(bench.connections[0].stream.version, 100, bench.rng)
        await bench.segment(0, 0, whole[:40])
        await bench.segment(0, len(whole), bytes(20))
        await bench.resync(0, Answer.ACCEPT, (first + 1000) % SEQ, 7)
        await bench.segment(0, 40, whole[40:])
    await bench.done()
    assert bench.reasons[RxPass.OVERLAP] == 2


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
        await bench.confirm(rng.random() < 0.7)
        at = await lose(bench, 0, 30)
        await bench.segment(0, at, record(bench.connections[0].stream.version, 60, rng))
        for _ in range(rng.randrange(12)):
            await random_segment(bench, rng.randrange(1 << ID_W))
        for _ in range(rng.randrange(12)):
            await bench.edge
        dut.rst.value = 1
        await bench.edge
        dut.rst.value = 0
        for queue in (bench.items, bench.pieces, bench.ranges, bench.events, bench.resyncs):
            queue.clear()
        bench.guesses.clear()
        bench.counts.clear()
        bench.held = None
        await bench.edge
    await bench.done()


def walk_with(window: int, frames: int) -> None:
    """Run all of it, with a window of that size."""
    slot_w = window.bit_length() - 1
    chains = 4 * (32 + 32 + 28 + 15 + 2 + 64) + 4
    search_w = 2 + 2 + 2 + (1 + 2) + (1 + slot_w + 2 + 15) + (96 + 4 + 32) + chains
    parameters = {
        "ID_W": ID_W,
        "ADDR_W": ADDR_W,
        "WINDOW": window,
        "CONN_W": search_w
        + 1
        + 32
        + 64
        + 4
        + 96
        + (slot_w + 1)
        + window
        + window * slot_w
        + slot_w,
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
