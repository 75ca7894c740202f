"""tls_ghash, interleaved and small, against model.ghash: parts of any length and key in a row."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cocotb
import pytest
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge

from cocotb_tests.harness import simulate, simulator
from cocotb_tests.streams import Gaps, Source, StreamRules, never, often, rng_of_test, start
from host.verilate import Parameters
from model import gf128
from model.ghash import ghash

USER_W = 12
FIELDS = ("x", "power", "owed", "index", "early", "add", "user")


@dataclass(frozen=True)
class Part:
    """Blocks of one key, what is added to their sum, and the bits that go along."""

    h: int
    blocks: tuple[bytes, ...]
    add: int
    user: int

    @property
    def sum(self) -> int:
        """What the model says."""
        return ghash(self.h, self.blocks) ^ self.add

    def words(self, lanes: int, rng: random.Random) -> list[dict[str, int]]:
        """A word for each block, as the header of the RTL tells; noise where it says nothing."""
        words = []
        for place, block in enumerate(self.blocks):
            owed = len(self.blocks) - place
            last = owed == 1
            words.append(
                {
                    "x": int.from_bytes(block),
                    "power": gf128.power(self.h, min(owed, lanes)),
                    "owed": min(owed, rng.randint(lanes + 1, 7)),  # saturates above the lanes
                    "index": place % lanes,
                    "early": int(place < lanes),
                    "add": self.add if last else rng.getrandbits(128),
                    "user": self.user if last else rng.getrandbits(USER_W),
                }
            )
        return words


def part_of(rng: random.Random, size: int) -> Part:
    """A part of so many blocks; its H is sometimes zero or one."""
    h = rng.choice([rng.getrandbits(128)] * 8 + [0, gf128.ONE])
    blocks = tuple(rng.randbytes(16) for _ in range(size))
    return Part(h, blocks, rng.choice([0, rng.getrandbits(128)]), rng.getrandbits(USER_W))


class Bench:
    """Sends parts, notes the sums and their clocks."""

    def __init__(self, dut: Any, idle: Gaps = never) -> None:
        self.small = os.environ["SMALL"] == "1"
        self.lanes = 1 if self.small else 4
        self.delay = 8 if self.small else 4  # the multiplier's
        self.dut = dut
        gaps = None if idle is never else idle(rng_of_test("gaps"))
        self.source = Source(dut, "s", FIELDS, gaps)
        self.rules = StreamRules(dut, "s", FIELDS)
        self.out: list[tuple[int, int, int]] = []  # sum, user bits, clock
        cocotb.start_soon(self._watch())
        cocotb.start_soon(self._look_ahead())

    async def _look_ahead(self) -> None:
        """What is told of the block of the next clock; noise when there is none.

        What comes to an empty queue is the first of a part, and may come in the next clock.
        """
        dut, rng = self.dut, rng_of_test("ahead")
        dut.s_next_index.value = 0
        dut.s_next_early.value = 0
        while True:
            await FallingEdge(dut.clk)
            after = int(dut.s_valid.value)
            queue = self.source.queue
            known = len(queue) > after
            dut.s_next_index.value = queue[after]["index"] if known else rng.randrange(4)
            dut.s_next_early.value = queue[after]["early"] if known else 1

    async def _watch(self) -> None:
        edge = RisingEdge(self.dut.clk)
        dut, clock = self.dut, 0
        while True:
            await edge
            clock += 1
            if dut.rst.value == 0 and dut.m_valid.value == 1:
                self.out.append((int(dut.m_sum.value), int(dut.m_user.value), clock))

    async def hash(self, parts: Sequence[Part]) -> None:
        """Send all parts; compare sums, user bits, order and delay."""
        rng = rng_of_test("noise")
        expected = [part.sum for part in parts]
        words = [part.words(self.lanes, rng) for part in parts]
        at_word = self.source.sent
        self.out.clear()
        for word in (word for part in words for word in part):
            self.source.send(word)
        while self.source.queue:
            await RisingEdge(self.dut.clk)
        await ClockCycles(self.dut.clk, 20)
        assert not self.rules.broken
        for number, (part, want) in enumerate(zip(parts, expected, strict=True)):
            assert number < len(self.out), f"{len(self.out)} sums came of {len(parts)}"
            got, user, clock = self.out[number]
            what = f"part {number} of {len(part.blocks)} blocks"
            assert got == want, f"{what}: {got:032x}, model says {want:032x}"
            assert user == part.user, f"{what}: user bits {user:x}, not {part.user:x}"
            at_word += len(part.blocks)
            assert clock - self.source.when[at_word - 1] == self.delay, f"{what}: delay"
        assert len(self.out) == len(parts)


@cocotb.test(timeout_time=300, timeout_unit="us")
@cocotb.parametrize(idle=[never, often])
async def parts_of_any_length_match_model(dut: Any, idle: Gaps) -> None:
    """A key each, shuffled; without gaps a block enters every clock, across parts too."""
    rng = rng_of_test()
    bench = Bench(dut, idle)
    await start(dut)
    sizes = [*range(1, int(os.environ["LONGEST"]) + 1)] * int(os.environ["TIMES"])
    rng.shuffle(sizes)
    await bench.hash([part_of(rng, size) for size in sizes])
    if idle is never:
        period = 8 if bench.small else 1
        assert all(b - a == period for a, b in pairwise(bench.source.when))


@cocotb.test(timeout_time=100, timeout_unit="us")
@cocotb.parametrize(idle=[never, often])
async def short_parts_follow_one_another(dut: Any, idle: Gaps) -> None:
    """Any two lengths about the number of lanes, one right behind the other."""
    rng = rng_of_test()
    bench = Bench(dut, idle)
    await start(dut)
    longest = bench.lanes + 2
    sizes = [size for a in range(1, longest) for b in range(1, longest) for size in (a, b)]
    await bench.hash([part_of(rng, size) for size in sizes])


@cocotb.test(timeout_time=100, timeout_unit="us")
async def reset_drops_what_is_inside(dut: Any) -> None:
    """A part cut off by a reset leaves nothing in the sums of those after it."""
    rng = rng_of_test()
    bench = Bench(dut)
    await start(dut)
    for word in part_of(rng, 30).words(bench.lanes, rng)[:9]:
        bench.source.send(word)
    while bench.source.queue:
        await RisingEdge(dut.clk)
    dut.rst.value = 1
    await RisingEdge(dut.clk)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 1)
    await bench.hash([part_of(rng, size) for size in (6, 1, 3)])


@pytest.mark.parametrize("small", [0, 1])
def test_tls_ghash(small: int) -> None:
    quick = simulator() == "icarus"
    env = {
        "SMALL": str(small),
        "LONGEST": "13" if quick and not small else "40",
        "TIMES": "1" if quick or small else "3",
    }
    parameters: Parameters = {"SMALL": small, "USER_W": USER_W}
    simulate("tls_ghash", __name__, parameters, env=env)
