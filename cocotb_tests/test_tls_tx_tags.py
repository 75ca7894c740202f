"""tls_tx_tags: a record's tag is the XOR of its sums, written, told, and kept between frames.

The test plays the walk, with records of pieces over frames in any way; the lane, which gives sums
in any order and text in order, each when it likes; and the takers of tags, frames and completions.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from cocotb_tests.harness import simulate
from cocotb_tests.streams import Gaps, Sink, Source, StreamRules, never, often, rng_of_test, start
from model.record import TAG
from model.regs import TxDrop
from model.tx import Completion

ID_W, PART_W, ADDR_W, ALONG_W = 2, 3, 12, 24
PARTS = 1 << PART_W
SETTLE = 3  # clocks until a tag that was written can be read
TEXT, TAG_BYTES, GIVEN, END, REMOVED = range(5)  # tls_tx_items.vh
ITEM = ("kind", "id", "first", "last", "apart", "some", "seq", "addr", "from", "to")
FATE = ("id", "keeps", "leaves", "reason", "along")
TAGGED = ("addr", "data", "keep")
GONE = ("leaves", "along")
TOLD = ("tdata", "tuser")
Fields = dict[str, int]


@dataclass
class Place:
    """Where a connection is: in the text of a record, at a byte of its tag, or before both.

    Attributes:
        sum: of the record's text so far.
        seq: of its first byte.
        begun: some of its text went.
        at: byte of the tag; None before that.
    """

    seq: int
    sum: int = 0
    begun: bool = False
    at: int | None = None


@dataclass(frozen=True)
class Part:
    """A part of the lane: its sum, and whether it has text."""

    sum: int
    some: int


@dataclass(frozen=True)
class Going:
    """What must have been before a frame goes: parts, texts and tags up to it; what then goes."""

    parts: int
    texts: int
    tags: int
    word: Fields


class Bench:
    """Plays all neighbours; compares what goes out."""

    def __init__(self, dut: Any, idle: Gaps = never, stall: Gaps = never) -> None:
        self.dut = dut
        self.edge = RisingEdge(dut.clk)
        self.rng = rng_of_test("records")
        self.noise = rng_of_test("noise")
        self.quick = idle is never
        self.items = Source(dut, "s_item", ITEM, idle(rng_of_test("items")))
        self.given = Source(dut, "s_given", ("tag",), idle(rng_of_test("given")))
        Sink(dut, "m_tag", TAGGED, self._tag, stall(rng_of_test("tags")))
        Sink(dut, "m_frame", GONE, self._frame, stall(rng_of_test("frames")))
        Sink(dut, "m_axis", TOLD, self._told, stall(rng_of_test("told")))
        self.rules = [StreamRules(dut, "m_tag", TAGGED)]
        self.sums_come = self.texts_come = True
        for name in ("s_sum_valid", "s_sum_data", "s_sum_id", "text_done"):
            getattr(dut, name).value = 0
        self.clear()
        cocotb.start_soon(self._lane())
        cocotb.start_soon(self._fates())

    def clear(self) -> None:
        """Forget all: for a reset."""
        self.items.clear()
        self.given.clear()
        self.places: dict[int, Place] = {}
        self.fates: deque[Fields] = deque()
        self.waiting: deque[Part] = deque()  # parts that are not in the lane
        self.inside: list[tuple[int, Part]] = []  # whose sums did not come
        self.unplaced = 0  # texts of parts in the lane
        self.part = self.back = self.placed = self.written = self.gone = 0
        self.parts = self.texts = 0  # up to here in the order of items
        self.tags: list[Fields] = []
        self.tags_sent = 0
        self.frames: list[Going] = []
        self.told: list[Completion] = []
        self.removals: list[int] = []  # frames that go before
        self.sent = 0
        self.last_tag = -100
        self.clocks: list[int] = []  # of frames
        self.own: list[int] = []  # of their completions

    # ---- neighbours ----
    async def _lane(self) -> None:
        dut, rng = self.dut, rng_of_test("lane")
        while True:
            await self.edge
            if dut.rst.value != 0:
                dut.s_sum_valid.value = dut.text_done.value = 0
                continue
            self.back += int(dut.returned.value == 1)
            self.placed += int(dut.text_done.value == 1)
            if dut.removed.value == 1:
                assert self.removals, "no connection was to be removed"
                assert self.removals.pop(0) == self.gone, "a frame of it is left"
            if self.waiting and self.part - self.back < PARTS:
                part = self.waiting.popleft()
                self.inside.append((self.part % PARTS, part))
                self.unplaced += part.some
                self.part += 1
            comes = self.sums_come and self.inside and (self.quick or rng.random() < 0.3)
            dut.s_sum_valid.value = int(bool(comes))
            dut.s_sum_id.value = rng.getrandbits(PART_W)
            dut.s_sum_data.value = rng.getrandbits(128)
            if comes:
                number, part = self.inside.pop(rng.randrange(len(self.inside)))
                dut.s_sum_id.value = number
                dut.s_sum_data.value = part.sum
            done = self.texts_come and self.unplaced > 0 and (self.quick or rng.random() < 0.3)
            dut.text_done.value = int(done)
            self.unplaced -= done

    async def _fates(self) -> None:
        """What becomes of the next frame is there before its item."""
        shown: Fields | None = None
        while True:
            await self.edge
            if self.dut.s_end_ready.value == 1 and self.dut.rst.value == 0:
                self.fates.popleft()
                shown = None
            if shown is None or not self.fates or shown is not self.fates[0]:
                shown = self.fates[0] if self.fates else None
                for name in FATE:
                    signal = getattr(self.dut, f"s_end_{name}")
                    noise = self.noise.getrandbits(len(signal))
                    signal.value = shown[name] if shown else noise

    def _tag(self, word: Fields, clock: int) -> None:
        assert self.tags, f"a tag too many: {word}"
        want = self.tags.pop(0)
        assert word["addr"] == want["addr"]
        assert word["keep"] == want["keep"]
        mask = sum(0xFF << 8 * n for n in range(16) if want["keep"] >> n & 1)
        assert word["data"] & mask == want["data"] & mask
        self.written += 1
        self.last_tag = clock

    def _frame(self, word: Fields, clock: int) -> None:
        assert self.frames, f"a frame too many: {word}"
        want = self.frames.pop(0)
        assert word == want.word
        assert self.back >= want.parts, "before the sums of its parts"
        assert self.placed >= want.texts, "before its text was in place"
        assert self.written == want.tags, "before its tags, or behind others"
        assert clock - self.last_tag >= SETTLE, "before its tag can be read"
        self.gone += 1
        self.clocks.append(clock)

    def _told(self, word: Fields, clock: int) -> None:
        assert self.told, f"a completion too many: {word}"
        want = self.told.pop(0)
        assert Completion.unpack(word["tdata"], word["tuser"]) == want
        if want.tag is None:
            self.own.append(clock)

    # ---- what is sent ----
    def _item(self, **given: int) -> None:
        noise = {name: self.noise.getrandbits(len(self.items.signals[name])) for name in ITEM}
        self.items.send(noise | given)

    def frame(
        self, number: int, runs: int, *, seeks: bool = False, drops: bool = False, ends: bool = True
    ) -> None:
        """A frame with so many pieces and runs of tags, from where its connection is.

        Args:
            seeks: it starts in any record.
            drops: it does not count.
            ends: records may end in it.
        """
        rng = self.rng
        place = replace(self.places.setdefault(number, Place(rng.getrandbits(32))))
        items: list[Fields] = []
        apart = False
        given = rng.getrandbits(128)
        if seeks:
            place = rng.choice(
                [Place(rng.getrandbits(32)), Place(0, begun=True), Place(0, at=rng.randrange(16))]
            )
            apart = place.begun or place.at is not None
        for left in reversed(range(runs)):
            if place.at is None:
                last = ends and (left > 0 or rng.random() < 0.6)
                items.append(self._text(number, place, last=last, apart=apart))
                if not last:
                    break
                place.at = 0
                continue
            if apart and items[:1] != [{"kind": GIVEN, "id": number}]:
                items.insert(0, {"kind": GIVEN, "id": number})
                self.given.send({"tag": given})
            to = TAG if left else rng.choice([TAG, rng.randint(place.at + 1, TAG)])
            items.append(self._bytes(number, place, to, given if apart else place.sum))
            if to < TAG:
                place.at = to
                break
            place, apart = Place(rng.getrandbits(32)), False
        if not seeks and not drops:
            self.places[number] = place
        for item in items:
            self._item(**item)
        self._end(number, keeps=not seeks and not drops, drops=drops)

    def _text(self, number: int, place: Place, *, last: bool, apart: bool) -> Fields:
        rng = self.rng
        first = not place.begun
        some = int(not (first and last and rng.random() < 0.3))
        part = Part(rng.getrandbits(128), some)
        self.waiting.append(part)
        self.parts += 1
        self.texts += some
        place.begun = True
        if not apart:
            place.sum ^= part.sum
        if last and not apart:
            self.told.append(Completion(number, place.sum.to_bytes(TAG, "little"), seq=place.seq))
        about = {"first": int(first), "last": int(last), "apart": int(apart), "some": some}
        return about | {"kind": TEXT, "id": number, "seq": place.seq}

    def _bytes(self, number: int, place: Place, to: int, tag: int) -> Fields:
        assert place.at is not None
        addr = self.rng.getrandbits(ADDR_W)
        keep = (1 << to) - (1 << place.at)
        self.tags.append({"addr": addr, "data": tag, "keep": keep})
        self.tags_sent += 1
        return {"kind": TAG_BYTES, "id": number, "addr": addr, "from": place.at, "to": to}

    def _end(self, number: int, *, keeps: bool, drops: bool) -> None:
        rng = self.rng
        reason = rng.choice([TxDrop.BAD_RECORD, TxDrop.NO_TAG]) if drops else TxDrop.NONE
        leaves = int(not drops and rng.random() < 0.8)
        fate = {
            "id": rng.getrandbits(16),
            "keeps": int(keeps),
            "leaves": leaves,
            "reason": int(reason),
            "along": rng.getrandbits(ALONG_W),
        }
        self.fates.append(fate)
        self._item(kind=END, id=number)
        word = {name: fate[name] for name in GONE}
        self.frames.append(Going(self.parts, self.texts, self.tags_sent, word))
        self.told.append(Completion(fate["id"], sent=bool(leaves), reason=reason))
        self.sent += 1

    def some(self) -> None:
        """Any frame."""
        rng = self.rng
        number = rng.randrange(1 << ID_W)
        seeks, drops = rng.random() < 0.2, rng.random() < 0.2
        self.frame(number, rng.choice([0, 1, 1, 2, 3, 6]), seeks=seeks, drops=drops)

    def remove(self) -> None:
        """A connection goes; another one comes in its place."""
        number = self.rng.randrange(1 << ID_W)
        self.places.pop(number, None)
        self._item(kind=REMOVED, id=number)
        self.removals.append(self.sent)

    async def done(self) -> None:
        """Wait for all that is to come, and whether more does."""
        waited = 0
        while self.frames or self.told or self.items.queue:
            await self.edge
            waited += 1
            assert waited < 20_000, f"{len(self.frames)} frames did not come"
        for _ in range(10):
            await self.edge
        assert not self.tags
        assert not self.removals
        assert not self.given.queue
        assert self.back == self.parts
        assert self.clocks == self.own, "a frame goes with its completion"
        for rule in self.rules:
            assert not rule.broken, rule.broken


# ---- tests ----
@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(idle=[never, often], stall=[never, often])
async def tags_are_the_sums_of_their_records(dut: Any, idle: Gaps, stall: Gaps) -> None:
    """In frames of any kind, of connections in any order."""
    bench = Bench(dut, idle, stall)
    await start(dut)
    for _ in range(120):
        if bench.rng.random() < 0.1:
            bench.remove()
        bench.some()
    await bench.done()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def only_frames_that_count_change_the_sum(dut: Any) -> None:
    """Between two frames of a record there are one that is dropped, and one that seeks."""
    bench = Bench(dut)
    rng = bench.rng
    await start(dut)
    for _ in range(12):
        number = rng.randrange(1 << ID_W)
        for _ in range(rng.randint(1, 4)):
            bench.frame(number, 1, ends=False)
            bench.frame(number, rng.randint(1, 4), drops=True)
            bench.frame(number, rng.randint(1, 4), seeks=True)
            bench.frame((number + 1) % (1 << ID_W), rng.randint(0, 4))
        bench.frame(number, 2)
    await bench.done()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_tag_may_lie_over_frames(dut: Any) -> None:
    """From any of its bytes to any other; the sum is kept for the rest of it."""
    bench = Bench(dut)
    rng = bench.rng
    await start(dut)
    for first in range(TAG):
        for last in rng.sample(range(first + 1, TAG + 1), min(4, TAG - first)):
            place = Place(rng.getrandbits(32))
            bench._item(**bench._text(1, place, last=True, apart=False))
            cuts = [cut for cut in (0, first, last, TAG) if cut]
            for cut in dict.fromkeys(cuts):
                place.at = place.at or 0
                bench._item(**bench._bytes(1, place, cut, place.sum))
                bench._end(1, keeps=True, drops=False)
                place.at = cut
    await bench.done()


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(held=["sums_come", "texts_come"])
async def frames_wait_for_their_parts_alone(dut: Any, held: str) -> None:
    """Without sums, or without text, the first frame with a piece waits; those before it do not."""
    bench = Bench(dut)
    await start(dut)
    for _ in range(10):
        setattr(bench, held, False)
        for _ in range(5):
            bench.frame(bench.rng.randrange(1 << ID_W), 0)
        ahead = bench.sent
        texts = bench.texts
        while bench.texts == texts:
            bench.frame(bench.rng.randrange(1 << ID_W), 3)
        for _ in range(60):
            await bench.edge
        assert ahead <= bench.gone < bench.sent
        setattr(bench, held, True)
        await bench.done()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_given_tag_is_awaited(dut: Any) -> None:
    bench = Bench(dut)
    await start(dut)
    for _ in range(10):
        bench.given.gaps = iter(lambda: True, None)
        before = len(bench.given.queue)
        while len(bench.given.queue) == before:
            bench.frame(1, 3, seeks=True)
        for _ in range(60 * (bench.sent - bench.gone)):  # a frame takes half as long at most
            await bench.edge
        assert bench.gone == bench.sent - 1
        bench.given.gaps = never(bench.rng)
        await bench.done()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def an_empty_text_waits_for_no_other(dut: Any) -> None:
    """A record without text needs its sum alone."""
    bench = Bench(dut)
    await start(dut)
    bench.texts_come = False
    for _ in range(6):
        place = Place(bench.rng.getrandbits(32))
        item = bench._text(0, place, last=True, apart=False)
        if item["some"]:
            item["some"] = 0
            bench.texts -= 1
            bench.waiting[-1] = replace(bench.waiting[-1], some=0)
        bench._item(**item)
        bench._end(0, keeps=True, drops=False)
    await bench.done()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def frames_and_pieces_take_so_many_clocks(dut: Any) -> None:
    """A frame 1, 2 more to have its sum, 3 more behind a tag; a piece 2; a tag 1, and 1 told."""
    bench = Bench(dut)
    rng = bench.rng
    await start(dut)
    bench.frame(0, 0)
    await bench.done()

    async def clocks(count: int) -> list[int]:
        """Between frames, when all is there."""
        await bench.done()
        return [b - a for a, b in pairwise(bench.clocks[-count:])]

    for _ in range(20):
        bench.frame(rng.randrange(1 << ID_W), 0)
    assert await clocks(20) == [1] * 19
    for _ in range(20):
        bench.frame(rng.randrange(1 << ID_W), 1, ends=False)
    assert (await clocks(20))[PARTS:] == [5] * (19 - PARTS)
    for _ in range(20):  # a record in two frames, its tag in the second
        place = Place(0)
        bench._item(**bench._text(0, place, last=False, apart=False))
        bench._end(0, keeps=True, drops=False)
        bench._item(**bench._text(0, place, last=True, apart=False))
        place.at = 0
        bench._item(**bench._bytes(0, place, TAG, place.sum))
        bench._end(0, keeps=True, drops=False)
    assert (await clocks(40))[-10:] == [5, 10] * 5
    for _ in range(10):  # two records in a frame
        for _ in range(2):
            place = Place(0)
            bench._item(**bench._text(0, place, last=True, apart=False))
            place.at = 0
            bench._item(**bench._bytes(0, place, TAG, place.sum))
        bench._end(0, keeps=True, drops=False)
    assert (await clocks(10))[-4:] == [14] * 4


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def reset_forgets_parts_and_sums(dut: Any) -> None:
    """At any clock: parts are counted from 0, no frame has a tag of before."""
    bench = Bench(dut, often, often)
    await start(dut)
    for _ in range(20):
        for _ in range(6):
            bench.some()
        for _ in range(bench.rng.randrange(80)):
            await bench.edge
        dut.rst.value = 1
        bench.items.clear()
        bench.given.clear()
        await bench.edge
        bench.clear()
        dut.rst.value = 0
        await bench.edge
        for _ in range(4):
            bench.some()
        await bench.done()


def test_tls_tx_tags() -> None:
    parameters = {"ID_W": ID_W, "PART_W": PART_W, "ADDR_W": ADDR_W, "ALONG_W": ALONG_W}
    simulate("tls_tx_tags", __name__, parameters)
