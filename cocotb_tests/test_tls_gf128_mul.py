"""tls_gf128_mul, of each kind, and tls_gf128_sq against model.gf128.

A product is linear in each factor, and so is the circuit if it is right on sums: the 128 * 128
products of single bits say what every product is. MUL WORDS is right on sums only if the integers
in it do not overflow, which words of ones would show.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise, product
from typing import Any

import cocotb
import pytest
from cocotb.triggers import ClockCycles, RisingEdge, Timer

from cocotb_tests.harness import simulate, simulator
from cocotb_tests.streams import Gaps, Source, StreamRules, never, often, rng_of_test, start
from host.verilate import Parameters
from model import gf128

USER_W = 11
FIELDS = ("a", "b", "user")
Pair = tuple[int, int]


class Bench:
    """Sends pairs, notes the products and their clocks, and checks `s_ready` in every clock."""

    def __init__(self, dut: Any, idle: Gaps = never) -> None:
        self.small = os.environ["SMALL"] == "1"
        self.delay = 8 if self.small else 4  # the header's
        self.dut = dut
        gaps = None if idle is never else idle(rng_of_test("gaps"))
        self.source = Source(dut, "s", FIELDS, gaps)
        self.rules = StreamRules(dut, "s", FIELDS)
        self.out: list[tuple[int, int, int]] = []  # product, user bits, clock
        cocotb.start_soon(self._watch())

    async def _watch(self) -> None:
        edge = RisingEdge(self.dut.clk)
        dut, clock, free = self.dut, 0, 0
        while True:
            await edge
            clock += 1
            if dut.rst.value == 1:
                free = 0
                continue
            ready = dut.s_ready.value == 1
            assert ready == (not self.small or clock >= free), f"s_ready is {ready}"
            if ready and dut.s_valid.value == 1:
                free = clock + self.delay
            if dut.m_valid.value == 1:
                self.out.append((int(dut.m_p.value), int(dut.m_user.value), clock))

    async def multiply(self, pairs: Sequence[Pair]) -> None:
        """Send all pairs; compare products, user bits, order and delay with what they must be."""
        rng = rng_of_test("user")
        users = [rng.getrandbits(USER_W) for _ in pairs]
        expected = [gf128.mul(a, b) for a, b in pairs]
        first = self.source.sent
        self.out.clear()
        for (a, b), user in zip(pairs, users, strict=True):
            self.source.send({"a": a, "b": b, "user": user})
        while self.source.queue:
            await RisingEdge(self.dut.clk)
        await ClockCycles(self.dut.clk, 20)
        assert not self.rules.broken
        for at, (want, user) in enumerate(zip(expected, users, strict=True)):
            assert at < len(self.out), f"{len(self.out)} products came of {len(pairs)}"
            got, its_user, clock = self.out[at]
            a, b = pairs[at]
            assert got == want, f"{a:032x} * {b:032x}: {got:032x}, model says {want:032x}"
            assert its_user == user, f"product {at}: user bits {its_user:x}, not {user:x}"
            assert clock - self.source.when[first + at] == self.delay, f"product {at}: delay"
        assert len(self.out) == len(pairs)


@cocotb.test(timeout_time=300, timeout_unit="us")
async def products_of_single_bits_match_model(dut: Any) -> None:
    """All of them, or a share; those of the two ends are always there. At full rate."""
    rng = rng_of_test()
    bench = Bench(dut)
    await start(dut)
    all_pairs = [(1 << i, 1 << j) for i, j in product(range(128), repeat=2)]
    share = int(os.environ["BASIS"])
    corners = [(1 << i, 1 << j) for i, j in product((0, 127), repeat=2)]
    pairs = all_pairs if share == len(all_pairs) else corners + rng.sample(all_pairs, share)
    await bench.multiply(pairs)
    period = bench.delay if bench.small else 1
    assert all(b - a == period for a, b in pairwise(bench.source.when))


@cocotb.test(timeout_time=300, timeout_unit="us")
@cocotb.parametrize(idle=[never, often])
async def random_products_match_model(dut: Any, idle: Gaps) -> None:
    """With zero, one, all ones, words of ones and equal factors among them."""
    rng = rng_of_test()
    bench = Bench(dut, idle)
    await start(dut)
    ends = [0, 1, gf128.ONE, (1 << 128) - 1]
    pairs: list[Pair] = [(a, b) for a in ends for b in ends]
    pairs += [(rng.getrandbits(128), rng.choice(ends)) for _ in range(8)]
    pairs += [(x, x) for x in (rng.getrandbits(128) for _ in range(4))]
    ones = [sum(0xFFFFFFFF << 32 * i for i in range(4) if n >> i & 1) for n in range(16)]
    pairs += rng.sample([(a, b) for a in ones for b in ones], int(os.environ["ONES"]))
    pairs += [
        (rng.getrandbits(128), rng.getrandbits(128)) for _ in range(int(os.environ["RANDOM"]))
    ]
    rng.shuffle(pairs)
    await bench.multiply(pairs)


@cocotb.test(timeout_time=20, timeout_unit="us")
async def reset_drops_what_is_inside(dut: Any) -> None:
    """Nothing of the time before a reset comes out after it."""
    rng = rng_of_test()
    bench = Bench(dut)
    await start(dut)
    for _ in range(1 if bench.small else 4):
        bench.source.send({"a": rng.getrandbits(128), "b": rng.getrandbits(128), "user": 1})
    while bench.source.queue:
        await RisingEdge(dut.clk)
    dut.rst.value = 1
    await RisingEdge(dut.clk)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 1)
    await bench.multiply([(rng.getrandbits(128), rng.getrandbits(128)) for _ in range(3)])


async def square(dut: Any, a: int) -> int:
    """What tls_gf128_sq makes of an element; it has no clock."""
    dut.a.value = a
    await Timer(1, "ns")
    return int(dut.y.value)


@cocotb.test(timeout_time=10, timeout_unit="us")
async def squares_match_model(dut: Any) -> None:
    """Every single bit: by linearity that is every square, and sums are checked for just that."""
    rng = rng_of_test()
    bits = [1 << i for i in range(128)]
    more = [0, (1 << 128) - 1, *(rng.getrandbits(128) for _ in range(100))]
    for a in bits + more:
        want = gf128.square(a)
        got = await square(dut, a)
        assert got == want, f"{a:032x} squared: {got:032x}, model says {want:032x}"
    for _ in range(100):
        a, b = rng.getrandbits(128), rng.getrandbits(128)
        assert await square(dut, a ^ b) == await square(dut, a) ^ await square(dut, b)


PRODUCTS = (
    "products_of_single_bits_match_model",
    "random_products_match_model/idle=never",
    "random_products_match_model/idle=often",
    "reset_drops_what_is_inside",
)


@pytest.mark.parametrize(("small", "mul"), [(0, "GATES"), (0, "WORDS"), (1, "GATES")])
def test_tls_gf128_mul(small: int, mul: str) -> None:
    quick = simulator() == "icarus"
    env = {
        "SMALL": str(small),
        "BASIS": str(100 if quick else 1000 if small else 128 * 128),
        "RANDOM": str(20 if quick else 300),
        "ONES": str(20 if quick else 256),
    }
    parameters: Parameters = {"SMALL": small, "MUL": mul, "USER_W": USER_W}
    simulate("tls_gf128_mul", __name__, parameters, testcase=PRODUCTS, env=env)


def test_tls_gf128_sq() -> None:
    simulate("tls_gf128_sq", __name__, testcase="squares_match_model")
