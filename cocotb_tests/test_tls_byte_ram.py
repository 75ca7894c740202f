"""tls_byte_ram: 16 bytes from any byte of what was written."""

from __future__ import annotations

from typing import Any

import cocotb
import pytest
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from cocotb_tests.harness import simulate
from cocotb_tests.streams import rng_of_test

DELAY = 2


class Bench:
    """Writes and reads in every clock, and compares with a bytearray."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.edge = RisingEdge(dut.clk)
        self.bytes = 1 << len(dut.rd_addr)
        self.memory = bytearray(self.bytes)
        self.asked: list[int | None] = []
        self.due: list[bytes | None] = [None] * DELAY
        for name in ("wr_en", "wr_addr", "wr_data", "rd_addr"):
            getattr(dut, name).value = 0

    async def start(self) -> None:
        """Start the clock; it has no reset."""
        Clock(self.dut.clk, 10, unit="ns").start()
        await self.edge

    async def step(self, read: int | None, write: tuple[int, bytes] | None = None) -> None:
        """A clock: a byte address to read from, a word to write, or neither."""
        dut = self.dut
        dut.rd_addr.value = read or 0
        self.asked = [*self.asked[-DELAY:], read]
        dut.wr_en.value = int(write is not None)
        if write is not None:
            dut.wr_addr.value, dut.wr_data.value = write[0], int.from_bytes(write[1], "little")
        # what is read in a clock is what was written before it
        twice = self.memory + self.memory[:16]
        self.due.append(None if read is None else bytes(twice[read : read + 16]))
        if write is not None:
            self.memory[16 * write[0] : 16 * write[0] + 16] = write[1]
        await self.edge
        due = self.due.pop(0)
        if due is not None:
            got, want = str(dut.rd_data.value), f"{int.from_bytes(due, 'little'):0128b}"
            assert got == want, f"{got} not {want}, for {self.asked}"

    async def fill(self) -> None:
        """Write all of it."""
        rng = rng_of_test("fill")
        for word in range(self.bytes // 16):
            await self.step(None, (word, rng.randbytes(16)))


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def any_byte_is_read(dut: Any) -> None:
    """All of them, the last ones with the first behind them, one a clock."""
    bench = Bench(dut)
    await bench.start()
    await bench.fill()
    for addr in range(bench.bytes):
        await bench.step(addr)
    for _ in range(DELAY):
        await bench.step(None)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_word_is_read_the_clock_after_its_write(dut: Any) -> None:
    """From any byte in it or before it; and while it is written another word is not harmed."""
    bench = Bench(dut)
    rng = rng_of_test("words")
    await bench.start()
    await bench.fill()
    last = 0
    for _ in range(2000):
        word = rng.choice(
            [last, (last + 1) % (bench.bytes // 16), rng.randrange(bench.bytes // 16)]
        )
        read = (16 * last + rng.randint(-15, 15)) % bench.bytes
        touched = {read // 16, (read + 15) % bench.bytes // 16}
        if word in touched:  # read and written in one clock: either comes
            word = next(n for n in range(bench.bytes // 16) if n not in touched)
        write = rng.random() < 0.7
        await bench.step(read, (word, rng.randbytes(16)) if write else None)
        last = word if write else last
    for _ in range(DELAY):
        await bench.step(None)


@pytest.mark.parametrize("addr_w", [3, 6])
def test_tls_byte_ram(addr_w: int) -> None:
    simulate("tls_byte_ram", __name__, {"ADDR_W": addr_w})
