"""tls_aes, pipeline and small machine, against model.aes: values, order, delay and rate."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cocotb
import pytest
from cocotb.triggers import ClockCycles, RisingEdge

from cocotb_tests.harness import simulate, simulator
from cocotb_tests.streams import Gaps, Source, StreamRules, never, often, rng_of_test, start
from host.verilate import Parameters
from model import aes

CONFIGURATIONS: dict[str, Parameters] = {
    "full, 1 register": {"SMALL": 0, "ROUND_REGS": 1},
    "full, 2 registers": {"SMALL": 0, "ROUND_REGS": 2},
    "full, 3 registers": {"SMALL": 0, "ROUND_REGS": 3},
    "full, 3 registers, words": {"SMALL": 0, "ROUND_REGS": 3, "SBOX": "WORDS"},
    "small, 1 clock": {"SMALL": 1, "ROUND_REGS": 1},
    "small, 2 clocks": {"SMALL": 1, "ROUND_REGS": 2},
    "small, 3 clocks, gates": {"SMALL": 1, "ROUND_REGS": 3, "SBOX": "GATES"},
    "small, 2 clocks, words": {"SMALL": 1, "ROUND_REGS": 2, "SBOX": "WORDS"},
}
# Icarus is slow at the full pipeline: one of the three, a few blocks
SHORT = "full, 3 registers"
FIELDS = ("block", "key", "is256")


@dataclass(frozen=True)
class Job:
    """A block and its key of 16 or 32 bytes; what follows a short key in its field is noise."""

    key: bytes
    block: bytes
    noise: bytes = b""

    @property
    def word(self) -> dict[str, int]:
        """As the ports want it: byte 0 is the highest."""
        field = int.from_bytes((self.key + self.noise)[:32])
        block = int.from_bytes(self.block)
        return {"block": block, "key": field, "is256": int(len(self.key) == 32)}


def published() -> list[tuple[Job, bytes]]:
    """FIPS 197, appendices B, C.1 and C.3, with the ciphertexts printed there."""
    example = bytes.fromhex("00112233445566778899aabbccddeeff")
    return [
        (
            Job(
                bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c"),
                bytes.fromhex("3243f6a8885a308d313198a2e0370734"),
                bytes(16),
            ),
            bytes.fromhex("3925841d02dc09fbdc118597196a0b32"),
        ),
        (
            Job(bytes(range(16)), example, bytes(16)),
            bytes.fromhex("69c4e0d86a7b0430d8cdb78070b4c55a"),
        ),
        (Job(bytes(range(32)), example), bytes.fromhex("8ea2b7ca516745bfeafc49904b496089")),
    ]


def random_jobs(rng: random.Random, count: int) -> Iterator[Job]:
    """Blocks with a new key each, of a size that often changes."""
    for _ in range(count):
        yield Job(rng.randbytes(rng.choice([16, 32])), rng.randbytes(16), rng.randbytes(16))


class Bench:
    """Sends blocks, notes what comes out and when, and checks `s_ready` in every clock."""

    def __init__(self, dut: Any, idle: Gaps = never) -> None:
        self.small = os.environ["SMALL"] == "1"
        self.round_regs = int(os.environ["ROUND_REGS"])
        self.dut = dut
        gaps = None if idle is never else idle(rng_of_test("gaps"))
        self.source = Source(dut, "s", FIELDS, gaps)
        self.rules = StreamRules(dut, "s", FIELDS)
        self.jobs: list[Job] = []
        self.out: list[tuple[bytes, int]] = []  # block, clock
        cocotb.start_soon(self._watch())

    def delay(self, job: Job) -> int:
        """Clocks from taking a block to its ciphertext, as the header says."""
        steps = 15 if not self.small or len(job.key) == 32 else 11
        return steps * self.round_regs

    def send(self, job: Job) -> None:
        """Queue a block."""
        self.jobs.append(job)
        self.source.send(job.word)

    async def _watch(self) -> None:
        edge = RisingEdge(self.dut.clk)
        clock, free, taken = 0, 0, 0
        while True:
            await edge
            clock += 1
            if self.dut.rst.value == 1:
                free = 0
                continue
            ready = self.dut.s_ready.value == 1
            assert ready == (not self.small or clock >= free), f"s_ready is {ready}"
            if ready and self.dut.s_valid.value == 1:
                free = clock + self.delay(self.jobs[taken])
                taken += 1
            if self.dut.m_valid.value == 1:
                self.out.append((int(self.dut.m_block.value).to_bytes(16), clock))

    async def finish(self, expected: list[bytes]) -> None:
        """Wait for all ciphertexts; compare them and their clocks; nothing more may come."""
        while self.source.queue:
            await RisingEdge(self.dut.clk)
        await ClockCycles(self.dut.clk, 15 * self.round_regs + 20)
        assert not self.rules.broken
        for at, want in enumerate(expected):
            assert at < len(self.out), f"{len(self.out)} blocks came of {len(expected)}"
            block, clock = self.out[at]
            assert block == want, f"block {at}: {block.hex()}, model says {want.hex()}"
            assert clock - self.source.when[at] == self.delay(self.jobs[at]), f"block {at}: delay"
        assert len(self.out) == len(expected)


@cocotb.test(timeout_time=20, timeout_unit="us")
async def published_blocks_encrypt(dut: Any) -> None:
    """The examples of FIPS 197."""
    bench = Bench(dut)
    await start(dut)
    for job, _ in published():
        bench.send(job)
    await bench.finish([cipher for _, cipher in published()])


@cocotb.test(timeout_time=200, timeout_unit="us")
@cocotb.parametrize(idle=[never, often])
async def blocks_match_model(dut: Any, idle: Gaps) -> None:
    """A new key, and often another key size, for every block; without a gap, at the full rate."""
    bench = Bench(dut, idle)
    jobs = list(random_jobs(rng_of_test(), int(os.environ["BLOCKS"])))
    expected = [aes.encrypt(job.key, job.block) for job in jobs]
    await start(dut)
    for job in jobs:
        bench.send(job)
    await bench.finish(expected)
    if idle is never:
        steps = [b - a for a, b in pairwise(bench.source.when)]
        assert steps == [bench.delay(job) if bench.small else 1 for job in jobs[:-1]]


@cocotb.test(timeout_time=20, timeout_unit="us")
async def reset_drops_what_is_inside(dut: Any) -> None:
    """Nothing of the time before a reset comes out after it."""
    rng = rng_of_test()
    bench = Bench(dut)
    await start(dut)
    for job in random_jobs(rng, 1 if bench.small else 10):
        bench.send(job)
    while bench.source.queue:
        await RisingEdge(dut.clk)
    await ClockCycles(dut.clk, 3)
    dut.rst.value = 1
    await RisingEdge(dut.clk)
    dut.rst.value = 0
    before = bench.source.sent
    after = list(random_jobs(rng, 3))
    for job in after:
        bench.send(job)
    while bench.source.queue:
        await RisingEdge(dut.clk)
    await ClockCycles(dut.clk, 15 * bench.round_regs + 20)
    assert [block for block, _ in bench.out] == [aes.encrypt(job.key, job.block) for job in after]
    assert bench.out[0][1] - bench.source.when[before] == bench.delay(after[0])


@pytest.mark.parametrize(
    "configuration",
    [
        pytest.param(name, marks=[pytest.mark.regress] if name == "full, 2 registers" else [])
        for name in CONFIGURATIONS
    ],
)
def test_tls_aes(configuration: str) -> None:
    parameters = CONFIGURATIONS[configuration]
    slow = simulator() == "icarus" and parameters["SMALL"] == 0
    if slow and configuration != SHORT:
        pytest.skip("the same RTL but for registers or the S-box: Verilator has it")
    env = {name: str(parameters[name]) for name in ("SMALL", "ROUND_REGS")}
    env["BLOCKS"] = "20" if slow else "40" if simulator() == "icarus" else "300"
    simulate("tls_aes", __name__, parameters, env=env)
