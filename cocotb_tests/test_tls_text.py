"""tls_text: the text of parts, and tags, are where they belong, and nothing else has changed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from cocotb_tests.harness import simulate
from cocotb_tests.streams import Gaps, Source, never, often, rng_of_test, start
from model.record import TAG

ADDR_W, PARTS = 10, 8
BYTES = 1 << ADDR_W
SETTLE = 3  # clocks until a tag can be read
Block = tuple[bytes, int]  # 16 bytes, keep


def blocks(rng: random.Random, offset: int, data: bytes) -> list[Block]:
    """Text as the lane gives it, its first byte at `offset` of a block; noise in other bytes."""
    made = []
    at = -offset
    while at < len(data):
        keep = sum(1 << n for n in range(16) if 0 <= at + n < len(data))
        block = bytes(data[at + n] if keep >> n & 1 else rng.randrange(256) for n in range(16))
        made.append((block, keep))
        at += 16
    return made


class Bench:
    """Gives places and text; reads back what must be there."""

    def __init__(self, dut: Any, idle: Gaps = never) -> None:
        self.dut = dut
        self.rng = rng_of_test("parts")
        self.edge = RisingEdge(dut.clk)
        self.gaps: Iterator[bool] = idle(rng_of_test("idle"))
        self.tags = Source(dut, "s_tag", ("addr", "data", "keep"), idle(rng_of_test("tags")))
        self.memory: dict[int, int] = {}  # bytes that were written
        self.done = 0
        self.watched: int | None = None  # the word that is read all the time
        for name in ("s_place_valid", "s_place_addr", "s_axis_tvalid", "s_axis_tdata",
                     "s_axis_tkeep", "s_axis_tlast", "rd_addr"):  # fmt: skip
            getattr(dut, name).value = 0
        cocotb.start_soon(self._count())

    async def _count(self) -> None:
        due = False
        while True:
            await self.edge
            if due and self.watched is not None:  # asked for in the clock of `done`
                self._compare(self.watched)
            if self.dut.s_tag_valid.value == 1:
                free = self.dut.s_axis_tvalid.value == 0
                assert (self.dut.s_tag_ready.value == 1) == free, "tags go when no text comes"
            due = self.dut.done.value == 1
            self.done += int(due)

    def tag(self, addr: int, first: int, last: int) -> None:
        """Give bytes [first, last) of a tag, of which byte 0 would be at `addr`."""
        data = self.rng.randbytes(TAG)
        keep = (1 << last) - (1 << first)
        self.tags.send({"addr": addr, "data": int.from_bytes(data, "little"), "keep": keep})
        for n in range(first, last):
            self.memory[(addr + n) % BYTES] = data[n]

    async def tagged(self) -> None:
        """Wait until all tags went and can be read."""
        while self.tags.queue:
            await self.edge
        for _ in range(SETTLE):
            await self.edge

    async def parts(self, parts: list[tuple[int, bytes]], lead: int) -> None:
        """Give parts, (address, data) each; places come first, of `lead` parts at most."""
        dut, rng = self.dut, self.rng
        offsets = [rng.randrange(16) for _ in parts]
        queue = [
            (block, n, index + 1 == len(made))
            for n, (_, data) in enumerate(parts)
            for made in [blocks(rng, offsets[n], data)]
            for index, block in enumerate(made)
        ]
        for addr, data in parts:
            for n, byte in enumerate(data):
                self.memory[(addr + n) % BYTES] = byte
        placed = ended = 0
        before = self.done
        while queue:
            place = placed < len(parts) and placed < ended + lead and not next(self.gaps)
            dut.s_place_valid.value = int(place)
            dut.s_place_addr.value = rng.getrandbits(ADDR_W)
            if place:
                addr = (parts[placed][0] - offsets[placed]) % BYTES
                dut.s_place_addr.value = addr
            (block, keep), number, last = queue[0]
            text = number < placed and not next(self.gaps)
            dut.s_axis_tvalid.value = int(text)
            dut.s_axis_tdata.value = int.from_bytes(block, "little")
            dut.s_axis_tkeep.value = keep
            dut.s_axis_tlast.value = int(last)
            if text:
                queue.pop(0)
                ended += last
            await self.edge
            placed += int(place)
            assert self.done - before <= ended
        dut.s_place_valid.value = 0
        dut.s_axis_tvalid.value = 0
        while self.done < before + len(parts):
            await self.edge

    async def check(self, words: Iterator[int] | None = None) -> None:
        """Read words, one a clock, or all: what was written is there."""
        dut = self.dut
        asked: list[int] = []
        for word in words or iter(range(BYTES // 16)):
            dut.rd_addr.value = word
            asked.append(word)
            await self.edge
            if len(asked) > 1:
                self._compare(asked[-2])
        await self.edge
        self._compare(asked[-1])

    def _compare(self, word: int) -> None:
        got = self.dut.rd_data.value
        for n in range(16):
            byte = self.memory.get(16 * word + n)
            if byte is not None:
                have = str(got)[8 * (15 - n) : 8 * (16 - n)]
                assert have == f"{byte:08b}", f"byte {n} of word {word}"


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(idle=[never, often])
async def text_lies_where_it_belongs(dut: Any, idle: Gaps) -> None:
    """Of any size, at any address, over the end too; parts side by side in a word.

    So many that most of the memory is compared.
    """
    bench = Bench(dut, idle)
    rng = bench.rng
    await start(dut)
    rounds = 0
    while rounds < 15 or len(bench.memory) <= BYTES // 2:
        rounds += 1
        at = rng.randrange(BYTES)
        parts = []
        for _ in range(rng.randint(1, 12)):
            data = rng.randbytes(rng.choice([1, 15, 16, 17, rng.randint(1, 60)]))
            parts.append((at % BYTES, data))
            at += len(data) + rng.choice([0, 0, 1, 5, 30])
        await bench.parts(parts, rng.randint(1, PARTS))
        await bench.check()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def a_part_is_there_when_it_is_done(dut: Any) -> None:
    """Read in the clock after that; at each place of a word."""
    bench = Bench(dut)
    rng = bench.rng
    await start(dut)
    for addr in range(32):
        data = rng.randbytes(rng.randint(1, 40))
        at = BYTES - 16 + addr
        bench.watched = (at + len(data) - 1) // 16 % (BYTES // 16)
        dut.rd_addr.value = bench.watched
        await bench.parts([(at % BYTES, data)], 1)
        words = {(at + n) // 16 % (BYTES // 16) for n in range(len(data))}
        await bench.edge
        await bench.edge
        bench.watched = None
        await bench.check(iter(sorted(words, reverse=True)))


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(idle=[never, often])
async def tags_lie_where_they_belong(dut: Any, idle: Gaps) -> None:
    """At every place of two words, all of one or some bytes; text comes on both sides of it."""
    bench = Bench(dut, idle)
    rng = bench.rng
    await start(dut)
    for place in range(32):
        addr = 32 * rng.randrange(BYTES // 32) + place
        first, last = sorted(rng.sample(range(TAG + 1), 2))
        if rng.random() < 0.5:
            first, last = 0, TAG
        before = rng.randint(1, 100)
        parts = [
            ((addr - before) % BYTES, rng.randbytes(before)),
            ((addr + TAG) % BYTES, rng.randbytes(rng.randint(1, 100))),
        ]
        bench.tag(addr, first, last)
        done = bench.done
        await bench.parts(parts, rng.randint(1, PARTS))
        await bench.tagged()
        assert bench.done == done + len(parts), "a tag is no part"
        await bench.check()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def a_tag_can_be_read_three_clocks_later(dut: Any) -> None:
    """One a clock is taken, when no text comes; each can be read then."""
    bench = Bench(dut)
    rng = bench.rng
    await start(dut)
    for addr in rng.sample(range(BYTES), 40):
        bench.tag(addr, 0, TAG)
        for _ in range(2):
            await bench.edge
        while bench.tags.queue:
            await bench.edge
        for _ in range(SETTLE - 1):
            await bench.edge
        await bench.check(iter([addr // 16, (addr + TAG - 1) // 16 % (BYTES // 16)]))
    for n in range(20):
        bench.tag(TAG * n, 0, TAG)
    before = len(bench.tags.when)
    await bench.tagged()
    when = bench.tags.when[before:]
    assert when == list(range(when[0], when[0] + 20))
    await bench.check()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def reset_forgets_places(dut: Any) -> None:
    """In a part: the next block is the first one of the next part."""
    bench = Bench(dut)
    rng = bench.rng
    await start(dut)
    for _ in range(20):
        dut.s_place_valid.value = 1
        dut.s_place_addr.value = rng.getrandbits(ADDR_W)
        await bench.edge
        dut.s_place_valid.value = rng.getrandbits(1)
        dut.s_axis_tvalid.value = 1
        dut.s_axis_tkeep.value = 0  # blocks of which no byte counts: what is written stays
        dut.s_axis_tlast.value = 0
        for _ in range(rng.randint(1, 4)):
            await bench.edge
            dut.s_place_valid.value = 0
        dut.s_axis_tvalid.value = 0
        dut.rst.value = 1
        await bench.edge
        dut.rst.value = 0
        await bench.edge
        done = bench.done
        await bench.parts([(rng.getrandbits(ADDR_W), rng.randbytes(40))], 1)
        assert bench.done == done + 1
        await bench.check()


def test_tls_text() -> None:
    simulate("tls_text", __name__, {"ADDR_W": ADDR_W, "PARTS": PARTS})
