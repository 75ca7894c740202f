"""axis_fifo: the words that went in, in order, at full rate and through stalls and resets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import cocotb
import pytest
from cocotb.triggers import ClockCycles, RisingEdge

from cocotb_tests import harness
from cocotb_tests.streams import Gaps, Sink, Source, StreamRules, never, often, rng_of_test, start

DATA_W = 24
FIELDS = ("tdata",)
MANY = 1 << 30


class Bench:
    """Both ends of the queue. Words are their own numbers, so each is told from all others."""

    def __init__(self, dut: Any, idle: Gaps = never, stall: Gaps = never) -> None:
        block, self.depth = os.environ["BLOCK"] == "1", int(os.environ["DEPTH"])
        self.delay = 3 if block else 1  # from taking a word to the clock it can leave in
        self.room = self.depth + 2 * block
        self.dut = dut
        self.may_leave = MANY  # words
        self.got: list[tuple[int, int]] = []  # word, clock
        self.source = Source(dut, "s_axis", FIELDS, idle(rng_of_test("idle")))
        Sink(dut, "m_axis", FIELDS, self._take, self._stalls(stall(rng_of_test("stall"))))
        self.rules = [StreamRules(dut, prefix, FIELDS) for prefix in ("s_axis", "m_axis")]

    def _take(self, word: dict[str, int], clock: int) -> None:
        self.got.append((word["tdata"], clock))
        self.may_leave -= 1

    def _stalls(self, random_stalls: Iterator[bool]) -> Iterator[bool]:
        for stall in random_stalls:
            yield stall or self.may_leave == 0

    def send(self, words: range) -> None:
        """Queue words."""
        for word in words:
            self.source.send({"tdata": word})

    async def idle(self, clocks: int) -> None:
        """Wait so many clocks."""
        await ClockCycles(self.dut.clk, clocks)
        for rule in self.rules:
            assert not rule.broken, rule.broken

    async def until(self, count: int) -> None:
        """Wait until so many words came, and whether more do."""
        while len(self.got) < count:
            await RisingEdge(self.dut.clk)
        await self.idle(10)

    @property
    def words(self) -> list[int]:
        """What came, without clocks."""
        return [word for word, _ in self.got]

    @property
    def ends(self) -> tuple[int, int]:
        """Does it take, does it offer a word?"""
        return int(self.dut.s_axis_tready.value), int(self.dut.m_axis_tvalid.value)


@cocotb.test(timeout_time=200, timeout_unit="us")
@cocotb.parametrize(idle=[never, often], stall=[never, often])
async def words_come_in_order(dut: Any, idle: Gaps, stall: Gaps) -> None:
    bench = Bench(dut, idle, stall)
    await start(dut)
    bench.send(range(500))
    await bench.until(500)
    assert bench.words == list(range(500))


@cocotb.test(timeout_time=50, timeout_unit="us")
async def a_word_enters_and_one_leaves_every_clock(dut: Any) -> None:
    """From empty, with the header's delay; and from full, where a word that leaves makes room."""
    bench = Bench(dut)
    await start(dut)
    bench.send(range(100))
    await bench.until(100)
    entered, left = bench.source.when, [clock for _, clock in bench.got]
    assert entered == list(range(entered[0], entered[0] + 100))
    assert left == [clock + bench.delay for clock in entered]

    bench.may_leave = 0
    bench.send(range(100, 200))
    await bench.idle(bench.room + 10)
    bench.may_leave = MANY
    await bench.until(200)
    assert bench.words == list(range(200))
    assert all(b - a == 1 for a, b in pairwise(clock for _, clock in bench.got[100:]))


@cocotb.test(timeout_time=50, timeout_unit="us")
async def it_takes_what_it_has_room_for(dut: Any) -> None:
    """Full: not a word more; one out, one in; and when it is empty nothing is offered."""
    bench = Bench(dut)
    await start(dut)
    assert bench.ends == (1, 0)
    bench.may_leave = 0
    bench.send(range(bench.room + 5))
    await bench.idle(bench.room + 10)
    assert bench.ends == (0, 1)
    for gone in range(6):
        assert bench.source.sent == bench.room + gone
        assert bench.words == list(range(gone))
        bench.may_leave = 1
        await bench.idle(8)
    bench.may_leave = MANY
    await bench.until(bench.room + 5)
    assert bench.words == list(range(bench.room + 5))
    assert bench.ends == (1, 0)


@cocotb.test(timeout_time=100, timeout_unit="us")
async def reset_empties_it(dut: Any) -> None:
    """At any fill: then it takes, offers nothing, and no word from before comes."""
    bench = Bench(dut)
    await start(dut)
    sent = 0
    for fill in range(bench.room + 1):
        bench.may_leave = 0
        bench.send(range(sent, sent + fill))
        sent += fill
        await bench.idle(fill + 8)
        assert bench.source.sent == sent
        dut.rst.value = 1
        await RisingEdge(dut.clk)
        dut.rst.value = 0
        await RisingEdge(dut.clk)
        assert bench.ends == (1, 0)
        bench.got.clear()
        bench.may_leave = MANY
        fresh = range(sent, sent + bench.room + 3)
        bench.send(fresh)
        sent += len(fresh)
        await bench.until(len(fresh))
        assert bench.words == list(fresh)


@pytest.mark.parametrize("depth", [2, 16])
@pytest.mark.parametrize("block", [0, 1])
def test_axis_fifo(block: int, depth: int) -> None:
    parameters = {"BLOCK": block, "DEPTH": depth, "DATA_W": DATA_W}
    env = {"BLOCK": str(block), "DEPTH": str(depth)}
    harness.simulate("axis_fifo", __name__, parameters, env=env)


@pytest.mark.parametrize("depth", [1, 3, 12])
def test_a_depth_that_is_no_power_of_two_stops_the_build(
    depth: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(harness, "BUILD", tmp_path)
    with pytest.raises(RuntimeError, match="Command failed"):
        harness.build("axis_fifo", {"DEPTH": depth})
    (log,) = tmp_path.glob("*/*/build.log")
    assert "axis_fifo_depth_is_no_power_of_two" in log.read_text()
