"""tls_ghash_jump, the ring: every sum times its power, nothing lost, no gap wasted."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cocotb
import pytest
from cocotb.triggers import ClockCycles, RisingEdge

from cocotb_tests.harness import simulate, simulator
from cocotb_tests.streams import Gaps, Source, StreamRules, never, often, rng_of_test, start
from host.verilate import Parameters
from model import gf128

SLOT_W = 3
USER_W = 12
MAX_K = 2047
ENDS = (0, 1, 2, 3, 4, 1023, 1024, 1025, MAX_K - 1, MAX_K)


def rounds(k: int) -> int:
    """Times round the ring: digits of k that are not zero in base 4, or once for none."""
    return max(1, sum(k >> at & 3 != 0 for at in range(0, 11, 2)))


def stored(h: int) -> list[int]:
    """Powers that a slot has: H^(d * 4^j) at 3 * j + d - 1."""
    return [gf128.power(h, d * 4**j) for j in range(6) for d in (1, 2, 3)][:16]


class TokenSource(Source):
    """A source whose value port has the name of the stream itself."""

    def __init__(self, dut: Any, prefix: str, fields: tuple[str, ...], idle: Gaps) -> None:
        super().__init__(dut, prefix, fields, idle(rng_of_test(prefix)))
        self.signals["value"] = getattr(dut, prefix)
        self.rules = StreamRules(dut, prefix, fields)
        self.rules.signals["value"] = getattr(dut, prefix)


@dataclass(frozen=True)
class Token:
    """One that was sent: its stream, what must become of its value, its rounds and user bits."""

    stream: str
    want: int
    rounds: int = 1
    user: int = 0


class Bench:
    """Sends tokens of the three kinds, plays the memory, and follows each token in every clock.

    When a token comes out is known exactly from when it went in: a sum is at the ring's end every
    `turn` clocks, and leaves there the first time that its rounds are done and the taker is ready.
    """

    def __init__(self, dut: Any, idle: Gaps = never, aad_idle: Gaps = never) -> None:
        self.dut = dut
        self.small = os.environ["SMALL"] == "1"
        self.turn = 11 if self.small else 7
        # an AAD block is promised its place a clock before
        self.delay = {"sum": self.turn, "aad": self.turn + 1, "key": self.turn}
        rng = rng_of_test("powers")
        self.h = [rng.getrandbits(128) for _ in range(1 << SLOT_W)]
        self.powers = [power for h in self.h for power in stored(h)]
        self.sources = {
            "sum": TokenSource(dut, "s_sum", ("k", "slot", "user"), idle),
            "aad": TokenSource(dut, "s_aad", ("slot",), aad_idle),
            "key": TokenSource(dut, "s_key", ("slot",), idle),
        }
        self.sent: dict[str, list[Token]] = {name: [] for name in self.sources}
        self.inside: dict[str, list[tuple[int, Token]]] = {name: [] for name in self.sources}
        self.clock = 0
        self.entered_at: list[int] = []
        self.order: list[str] = []  # streams of those that entered
        self.left_at: list[int] = []
        self.stalls = 0  # sums that had to go round once more
        self.aad_waited = 0  # clocks, at most
        dut.m_sum_ready.value = 0
        dut.power.value = 0
        cocotb.start_soon(self._memory())

    def sum(self, value: int, k: int, slot: int, user: int) -> None:
        """Queue a sum to be multiplied by H^k."""
        want = gf128.mul(value, gf128.power(self.h[slot], k))
        self.sent["sum"].append(Token("sum", want, rounds(k), user))
        self.sources["sum"].send({"value": value, "k": k, "slot": slot, "user": user})

    def once(self, stream: str, value: int, slot: int) -> None:
        """Queue an AAD block or a square, to be multiplied by H."""
        self.sent[stream].append(Token(stream, gf128.mul(value, self.h[slot])))
        self.sources[stream].send({"value": value, "slot": slot})

    def run(self, stall: Gaps = never) -> None:
        """Begin to follow the tokens; the taker of sums stalls like this, and at the first one."""
        cocotb.start_soon(self._follow(stall))

    async def _memory(self) -> None:
        """The power two clocks after its address; noise where the address is not known."""
        edge = RisingEdge(self.dut.clk)
        noise = rng_of_test("noise")
        address: int | None = None
        while True:
            await edge
            power = noise.getrandbits(128) if address is None else self.powers[address]
            self.dut.power.value = power
            value = self.dut.power_addr.value
            address = int(value) if value.is_resolvable else None

    async def _follow(self, stall: Gaps) -> None:
        edge = RisingEdge(self.dut.clk)
        stalls = stall(rng_of_test("stall"))
        dut, ready, waited = self.dut, False, 0
        taken = dict.fromkeys(self.sources, 0)
        while True:
            next_ready = not next(stalls) and (stall is never or self.stalls > 0)
            if next_ready != ready:
                dut.m_sum_ready.value = int(next_ready)
            ready = next_ready
            await edge
            self.clock += 1
            for stream, tokens in self.inside.items():
                due = [one for one in tokens if self._is_due(*one)]
                assert len(due) <= 1, "two tokens in one place"
                token = due[0][1] if due else None
                self._check(stream, token)
                if due and (stream != "sum" or ready):
                    tokens.remove(due[0])
                    self.left_at.append(self.clock)
                elif due:
                    self.stalls += 1
            valid = {name: getattr(dut, f"s_{name}_valid").value == 1 for name in self.inside}
            for stream, tokens in self.inside.items():
                is_ready = getattr(dut, f"s_{stream}_ready").value == 1
                if valid[stream] and is_ready:
                    tokens.append((self.clock, self.sent[stream][taken[stream]]))
                    self.entered_at.append(self.clock)
                    self.order.append(stream)
                    taken[stream] += 1
                if stream == "aad":
                    waited = waited + 1 if valid[stream] and not is_ready else 0
                    self.aad_waited = max(self.aad_waited, waited)

    def _is_due(self, entered: int, token: Token) -> bool:
        """Is the token offered in this clock?"""
        since, delay = self.clock - entered, self.delay[token.stream]
        return since >= delay * token.rounds and since % delay == 0

    def _check(self, stream: str, token: Token | None) -> None:
        """An output has just the token that is due in this clock, or none."""
        valid = getattr(self.dut, f"m_{stream}_valid").value == 1
        assert valid == (token is not None), f"m_{stream}_valid is {valid} in clock {self.clock}"
        if token is not None:
            got = int(getattr(self.dut, f"m_{stream}").value)
            assert got == token.want, f"{stream}: {got:032x}, model says {token.want:032x}"
            if stream == "sum":
                assert int(self.dut.m_sum_user.value) == token.user

    async def finish(self) -> None:
        """Wait until every token has come out, once."""
        while len(self.left_at) < sum(map(len, self.sent.values())):
            await RisingEdge(self.dut.clk)
        await ClockCycles(self.dut.clk, 3 * self.turn)
        assert not any(self.inside.values())
        for source in self.sources.values():
            assert not source.rules.broken


def some_k(rng: random.Random) -> int:
    """Any k, often one with few digits or at an end."""
    return rng.choice([rng.choice(ENDS), 1 << rng.randrange(11), rng.randint(0, MAX_K)])


def count() -> int:
    """Sums to send in a test."""
    return int(os.environ["SUMS"])


@cocotb.test(timeout_time=300, timeout_unit="us")
async def sums_reach_their_power(dut: Any) -> None:
    """At full load: all slots, all digits, the ends. A round takes one clock of the ring."""
    rng = rng_of_test()
    bench = Bench(dut)
    await start(dut)
    ks = [*ENDS, *(d * 4**j for j in range(5) for d in (1, 2, 3))]
    ks += [rng.randint(0, MAX_K) for _ in range(count())]
    rng.shuffle(ks)
    for user, k in enumerate(ks):
        bench.sum(rng.getrandbits(128), k, user % len(bench.h), user)
    bench.run()
    await bench.finish()
    # each sum takes its rounds, and the place that it leaves is empty for a clock; at the end the
    # last sums are alone in the ring
    clocks = sum(rounds(k) + 1 for k in ks) + 7 * 7
    clocks_small = sum(11 * rounds(k) + 1 for k in ks)
    took = bench.left_at[-1] - bench.entered_at[0] + 1
    assert took <= (clocks_small if bench.small else clocks)


@cocotb.test(timeout_time=500, timeout_unit="us")
@cocotb.parametrize(idle=[never, often], stall=[never, often])
async def mixed_tokens_come_out_right(dut: Any, idle: Gaps, stall: Gaps) -> None:
    """Sums, AAD blocks and squares in one ring; sums that cannot leave go round unharmed."""
    rng = rng_of_test()
    # AAD that never pauses would be all there is: it is first in line
    bench = Bench(dut, idle, often)
    await start(dut)
    for user in range(count()):
        slot = rng.randrange(len(bench.h))
        bench.sum(rng.getrandbits(128), some_k(rng), slot, user)
        if rng.random() < 0.5:
            bench.once("aad", rng.getrandbits(128), rng.randrange(len(bench.h)))
        if rng.random() < 0.2:
            bench.once("key", rng.getrandbits(128), rng.randrange(len(bench.h)))
    bench.run(stall)
    await bench.finish()
    assert (bench.stalls > 0) == (stall is often)
    if stall is never:  # until all sums in the ring have left, and one of those that wait
        assert bench.aad_waited <= 2 * 7 * bench.turn


@cocotb.test(timeout_time=100, timeout_unit="us")
async def aad_alone_takes_every_place(dut: Any) -> None:
    """One a clock; the small ring has a clock between two."""
    rng = rng_of_test()
    bench = Bench(dut)
    await start(dut)
    for n in range(30):
        bench.once("aad", rng.getrandbits(128), n % len(bench.h))
    bench.run()
    await bench.finish()
    aad = bench.sources["aad"].when
    period = bench.turn + 2 if bench.small else 1
    assert aad == list(range(aad[0], aad[0] + period * len(aad), period))


@cocotb.test(timeout_time=300, timeout_unit="us")
async def aad_is_first_in_line_but_starves_nobody(dut: Any) -> None:
    """All three without a pause: after an AAD block comes another, squares before sums."""
    rng = rng_of_test()
    bench = Bench(dut)
    await start(dut)
    each = 12
    for n in range(each):
        bench.sum(rng.getrandbits(128), some_k(rng), n % len(bench.h), n)
        bench.once("key", rng.getrandbits(128), n % len(bench.h))
    for n in range(5 * each):
        bench.once("aad", rng.getrandbits(128), n % len(bench.h))
    bench.run()
    await bench.finish()
    # one that enters in the clock of an AAD block stands before it, or behind: it does not wait
    last = max(n for n, stream in enumerate(bench.order) if stream != "aad")
    for pair in pairwise(bench.order[:last]):
        assert pair != ("aad", "aad"), "AAD twice, and others wait"
    assert [name for name in bench.order if name != "aad"] == ["key"] * each + ["sum"] * each
    assert bench.aad_waited <= 2 * 7 * bench.turn


@cocotb.test(timeout_time=100, timeout_unit="us")
async def reset_drops_what_is_inside(dut: Any) -> None:
    """Nothing of the time before a reset comes out after it, and the ring takes tokens again."""
    rng = rng_of_test()
    bench = Bench(dut)
    await start(dut)
    first = 1 if bench.small else 7
    for n in range(first):
        bench.sources["sum"].send({"value": n, "k": MAX_K, "slot": 0, "user": n})
    while bench.sources["sum"].queue:
        await RisingEdge(dut.clk)
    await ClockCycles(dut.clk, 9)
    dut.rst.value = 1
    await RisingEdge(dut.clk)
    dut.rst.value = 0
    await RisingEdge(dut.clk)
    for n in range(3):
        bench.sum(rng.getrandbits(128), some_k(rng), n, n)
    bench.run()
    await bench.finish()


@pytest.mark.parametrize("small", [0, 1])
def test_tls_ghash_jump(small: int) -> None:
    quick = simulator() == "icarus"
    env = {"SMALL": str(small), "SUMS": str(30 if quick else 100 if small else 300)}
    parameters: Parameters = {"SMALL": small, "SLOT_W": SLOT_W, "USER_W": USER_W}
    simulate("tls_ghash_jump", __name__, parameters, env=env)
