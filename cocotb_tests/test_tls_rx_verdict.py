"""tls_rx_verdict: a frame is decrypted unless the XOR of a record's sums and tag says otherwise.

The test plays walk and lane: records of pieces in any order, over frames in any way, of which the
lane gives the sums in any order and the text in order, each when it likes. Between two pieces of a
record there may be guesses: they are told right or wrong, and change nothing.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from cocotb_tests.harness import simulate
from cocotb_tests.streams import Gaps, Sink, Source, StreamRules, never, often, rng_of_test, start
from model.regs import RxPass

ID_W, WINDOW, PART_W = 2, 4, 3
PARTS = 1 << PART_W
TEXT, TAG, GUESS, FRAME, REMOVED = range(5)  # tls_rx_state.vh
MASK = (1 << 128) - 1
SAID = ("found", "csum_good", "reason", "bytes", "ranges", "words", "asks", "ask_seq")
ITEM = ("kind", "id", "slot", "first", "last", "some", *SAID)
FATE = ("id", *SAID)
Fields = dict[str, int]


@dataclass(frozen=True)
class Piece:
    """Of a record: text with a sum of the lane, or bytes of the tag."""

    kind: int
    value: int
    error: int = 0
    some: int = 1


def record(rng: random.Random, *, good: bool) -> list[Piece]:
    """Pieces whose XOR is zero; or a bit of it is wrong, or a part had an error."""
    parts = [rng.getrandbits(128) for _ in range(rng.choice([1, 1, 2, 3, 6]))]
    tag = 0
    for value in parts:
        tag ^= value
    cuts = sorted(rng.sample(range(1, 16), rng.choice([0, 0, 1, 2])))
    masks = [
        ((1 << 8 * (y - x)) - 1) << 8 * x for x, y in zip([0, *cuts], [*cuts, 16], strict=True)
    ]
    wrong = -1 if good else rng.randrange(len(parts))
    errors = [0] * len(parts)
    if not good:
        kind = rng.random()
        if kind < 0.3:
            errors[wrong] = 1
        elif kind < 0.5:
            parts[wrong] ^= 1 << rng.choice([0, 127, rng.randrange(128)])
        else:
            tag ^= 1 << rng.choice([0, 127, rng.randrange(128)])
    pieces = [Piece(TEXT, value, error) for value, error in zip(parts, errors, strict=True)]
    if len(parts) == 1 and rng.random() < 0.3:  # a record without text
        pieces = [Piece(TEXT, parts[0], errors[0], 0)]
        return pieces + [Piece(TAG, tag & mask) for mask in masks]
    pieces += [Piece(TAG, tag & mask) for mask in masks]
    rng.shuffle(pieces)
    return pieces


@dataclass
class Place:
    """A place of a window: what is left of its record, and whether that is good."""

    pieces: deque[Piece] = field(default_factory=deque)
    good: bool = True
    first: int = 1
    sum: int = 0  # of those that went
    error: int = 0


class Bench:
    """Walk and lane, and whoever takes the frames."""

    def __init__(self, dut: Any, idle: Gaps = never, stall: Gaps = never) -> None:
        self.dut = dut
        self.edge = RisingEdge(dut.clk)
        self.rng = rng_of_test("records")
        self.lane_rng = rng_of_test("lane")
        self.idle = idle
        self.items = Source(dut, "s_item", ITEM, idle(rng_of_test("items")))
        self.sums = Source(dut, "s_sum", ("data", "id", "error"))
        self.tags = Source(dut, "s_tag", ("data",), idle(rng_of_test("tags")))
        Sink(dut, "m_frame", FATE, self._take, stall(rng_of_test("stall")))
        self.rules = [StreamRules(dut, "m_frame", FATE)]
        self.places: dict[tuple[int, int], Place] = {}
        self.open = True  # the lane gives sums
        self.guessing = True
        self.clear()
        dut.text_done.value = 0
        cocotb.start_soon(self._lane())

    def clear(self) -> None:
        """Forget all: for a reset."""
        for source in (self.items, self.sums, self.tags):
            source.clear()
        self.places.clear()
        self.waiting: deque[Piece] = deque()  # parts that are not in the lane
        self.inside: list[tuple[int, Piece]] = []  # without sum
        self.texts = 0  # that are not in place yet, of the parts in the lane
        self.part = 0
        self.given = self.placed = self.back = 0
        self.needs = [0, 0, 0]  # parts, texts and bad tags up to here in the order of items
        self.frames: deque[tuple[Fields, list[int]]] = deque()
        self.bad = self.removed = self.removals = 0
        self.guesses: deque[int] = deque()

    async def _lane(self) -> None:
        dut, rng = self.dut, self.lane_rng
        while True:
            await self.edge
            if dut.rst.value != 0:
                dut.text_done.value = 0
                continue
            self.back += int(dut.returned.value == 1)
            self.bad += int(dut.bad_tag.value == 1)
            self.removed += int(dut.removed.value == 1)
            if dut.guess_valid.value == 1:
                assert self.guesses, "a guess too many"
                assert int(dut.guess_right.value) == self.guesses.popleft()
            if dut.text_done.value == 1:
                self.placed += 1
            if dut.s_sum_valid.value == 1:
                assert dut.s_sum_ready.value == 1
                self.given += 1
            if self.waiting and self.part - self.back < PARTS:
                piece = self.waiting.popleft()
                self.inside.append((self.part % PARTS, piece))
                self.texts += piece.some
                self.part += 1
            quick = self.idle is never
            if self.open and self.inside and (quick or rng.random() < 0.3):
                number, piece = self.inside.pop(rng.randrange(len(self.inside)))
                self.sums.send({"data": piece.value, "id": number, "error": piece.error})
            done = self.open and self.texts > 0 and (quick or rng.random() < 0.3)
            dut.text_done.value = int(done)
            self.texts -= done

    def _take(self, word: Fields, _: int) -> None:
        assert self.frames, f"a frame too many: {word}"
        want, (parts, texts, bad) = self.frames.popleft()
        assert word == want
        assert self.back >= parts, "before the sums of its parts"
        assert self.placed >= texts, "before its text was in place"
        assert self.bad == bad, "tags"

    def _item(self, **given: int) -> None:
        noise = {name: self.rng.getrandbits(len(self.items.signals[name])) for name in ITEM}
        self.items.send(noise | given)

    def frame(self, pieces: int, reason: RxPass = RxPass.NONE, *, good: float = 0.8) -> None:
        """A frame with so many pieces, of any records."""
        rng = self.rng
        bad = False
        for _ in range(pieces):
            key = rng.randrange(1 << ID_W), rng.randrange(WINDOW)
            place = self.places.setdefault(key, Place())
            if not place.pieces or rng.random() < 0.03:  # another record; the old one is dropped
                place.good = rng.random() < good
                place.pieces = deque(record(rng, good=place.good))
                place.first = 1
                place.sum = place.error = 0
            if self.guessing and not place.first and rng.random() < 0.3:
                self._guess(key, place)
            piece = place.pieces.popleft()
            last = int(not place.pieces)
            self._item(
                kind=piece.kind, id=key[0], slot=key[1],
                first=place.first, last=last, some=piece.some,
            )  # fmt: skip
            place.first = 0
            place.sum ^= piece.value
            place.error |= piece.error
            if piece.kind == TEXT:
                self._part(piece)
            else:
                self.tags.send({"data": piece.value})
            if last and not place.good:
                bad = True
                self.needs[2] += 1
        fate = {name: rng.getrandbits(len(self.items.signals[name])) for name in FATE}
        fate["reason"] = int(reason)
        self._item(kind=FRAME, **fate)
        if bad and not reason:
            fate["reason"] = int(RxPass.BAD_TAG)
        self.frames.append((fate, list(self.needs)))

    def _part(self, piece: Piece) -> None:
        self.waiting.append(piece)
        self.needs[0] += 1
        self.needs[1] += piece.some

    def _guess(self, key: tuple[int, int], place: Place) -> None:
        """Guesses of what would make the sum zero; one that does is right."""
        rng = self.rng
        for _ in range(rng.choice([1, 1, 3])):
            value = place.sum ^ rng.choice([0, 0, 1 << rng.choice([0, 127, rng.randrange(128)])])
            error = int(rng.random() < 0.2)
            some = rng.getrandbits(1)
            self._item(kind=GUESS, id=key[0], slot=key[1], first=0, last=0, some=some)
            self._part(Piece(GUESS, value, error, some))
            self.guesses.append(int(value == place.sum and not error and not place.error))

    def remove(self) -> None:
        """A connection goes."""
        self._item(kind=REMOVED)
        self.removals += 1

    async def done(self) -> None:
        """Wait for all, and whether more comes."""
        waited = 0
        while self.frames or self.items.queue:
            await self.edge
            waited += 1
            assert waited < 20_000, f"{len(self.frames)} frames did not come"
        for _ in range(10):
            await self.edge
        assert not self.guesses
        assert self.back == self.needs[0]
        assert self.bad == self.needs[2]
        assert self.removed == self.removals
        for rule in self.rules:
            assert not rule.broken, rule.broken


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(idle=[never, often], stall=[never, often])
async def frames_have_their_verdicts(dut: Any, idle: Gaps, stall: Gaps) -> None:
    """So many that some records are bad."""
    bench = Bench(dut, idle, stall)
    await start(dut)
    frames = 0
    while frames < 120 or bench.needs[2] < 3:
        frames += 1
        if bench.rng.random() < 0.1:
            bench.remove()
        reason = bench.rng.choice([RxPass.NONE] * 4 + [RxPass.OVERLAP, RxPass.NO_PAYLOAD])
        bench.frame(bench.rng.choice([0, 1, 1, 2, 4, 8]), reason)
    await bench.done()
    assert bench.bad >= 3


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def all_is_good_if_all_is_good(dut: Any) -> None:
    """Not one wrong tag, and each frame without a reason stays so."""
    bench = Bench(dut, often)
    await start(dut)
    for _ in range(80):
        bench.frame(bench.rng.randrange(4), good=1)
    await bench.done()
    assert bench.bad == 0


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def frames_wait_for_their_sums_alone(dut: Any) -> None:
    """Without any the first frame with a piece of text waits; those before it do not."""
    bench = Bench(dut)
    await start(dut)
    for _ in range(10):
        bench.open = False
        for _ in range(5):
            bench.frame(0)
        pieces = bench.needs[0]
        while bench.needs[0] == pieces:
            bench.frame(4)
            held = len(bench.frames)
        for _ in range(60):
            await bench.edge
        assert 0 < len(bench.frames) < held
        bench.open = True
        await bench.done()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def three_clocks_a_piece(dut: Any) -> None:
    """And one a frame, when sums and text are there."""
    bench = Bench(dut)
    bench.guessing = False
    await start(dut)
    bench.frame(0)
    await bench.done()
    for _ in range(30):
        bench.frame(0)
    before = bench.items.sent
    while not bench.items.when or bench.items.sent == before:
        await bench.edge
    await bench.done()
    clocks = bench.items.when[-30:]
    assert clocks[-1] - clocks[0] == 29, "a frame a clock"
    for _ in range(20):
        bench.frame(1, good=1)
    await bench.done()
    clocks = bench.items.when[-40:]
    steps = [b - a for a, b in zip(clocks[::2], clocks[2::2], strict=False)]
    assert steps[len(steps) // 2 :] == [4] * (len(steps) - len(steps) // 2), steps


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def reset_forgets_parts_and_tags(dut: Any) -> None:
    """At any clock: parts are counted from 0, no frame has a tag of before."""
    bench = Bench(dut, often, often)
    await start(dut)
    for _ in range(25):
        for _ in range(4):
            bench.frame(4, good=0.3)
        for _ in range(bench.rng.randrange(80)):
            await bench.edge
        dut.rst.value = 1
        await bench.edge
        bench.clear()
        await bench.edge
        await bench.edge
        dut.rst.value = 0
        bench.removals = 0
        for _ in range(5):
            bench.frame(2)
        await bench.done()


def test_tls_rx_verdict() -> None:
    simulate("tls_rx_verdict", __name__, {"ID_W": ID_W, "WINDOW": WINDOW, "PART_W": PART_W})
