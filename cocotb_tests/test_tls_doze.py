"""tls_doze: its clock runs as long as it is needed, from that very clock on, and then stops."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, Timer

from cocotb_tests.harness import simulate
from cocotb_tests.streams import rng_of_test

IDLE_W = 3


class Edges:
    """Rising edges of the clock that dozes."""

    def __init__(self, dut: Any) -> None:
        self.seen = 0
        cocotb.start_soon(self._run(dut))

    async def _run(self, dut: Any) -> None:
        edge = RisingEdge(dut.doze_clk)
        while True:
            await edge
            self.seen += 1


async def reset(dut: Any) -> Edges:
    dut.rst.value = 1
    dut.wake.value = 0
    Clock(dut.clk, 10, "ns").start()
    edges = Edges(dut)
    await ClockCycles(dut.clk, 3)
    assert edges.seen >= 2  # it runs in reset
    dut.rst.value = 0
    await Timer(1, "ns")
    return edges


@cocotb.test()
async def it_stops_when_idle_and_stays_so(dut: Any) -> None:
    edges = await reset(dut)
    await ClockCycles(dut.clk, 4 << IDLE_W)
    stopped = edges.seen
    assert (1 << IDLE_W) <= stopped <= (1 << IDLE_W) + 6
    await ClockCycles(dut.clk, 100)
    assert edges.seen == stopped


@cocotb.test()
async def no_clock_is_lost_in_which_it_is_needed(dut: Any) -> None:
    """An edge of the clock at which `wake` is high is an edge of the other one, too."""
    rng: random.Random = rng_of_test()
    edges = await reset(dut)
    for _ in range(300):
        wake = int(rng.random() < 0.1)
        dut.wake.value = wake
        before = edges.seen
        await RisingEdge(dut.clk)
        await Timer(1, "ns")
        if wake:
            assert edges.seen == before + 1
        assert edges.seen <= before + 1


def test_tls_doze() -> None:
    simulate("tls_doze", __name__, {"IDLE_W": IDLE_W})
