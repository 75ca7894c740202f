"""Both ends of a ready/valid stream, and the rules it must keep, inside the simulator.

A stream is the set of ports with one prefix: `s_part_valid`, `s_part_ready` and its fields, or
`s_axis_tvalid`, `s_axis_tready`, `s_axis_tdata`. A word is a dict from field to integer.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge

Word = Mapping[str, int]
Gaps = Callable[[random.Random], Iterator[bool]]


def never(_: random.Random) -> Iterator[bool]:
    """No gap at all: full rate."""
    while True:
        yield False


def often(rng: random.Random) -> Iterator[bool]:
    """Gaps half of the time, in runs of random length."""
    while True:
        gap = rng.random() < 0.5
        for _ in range(rng.randint(1, 6)):
            yield gap


def rng_of_test(name: str = "") -> random.Random:
    """A generator of its own for a part of the running test, from the run's seed."""
    return random.Random(f"{cocotb.RANDOM_SEED}{name}")


async def start(dut: Any) -> None:
    """Start the clock, and reset for a few clocks. Streams must be made before."""
    Clock(dut.clk, 10, unit="ns").start()
    dut.rst.value = 1
    await ClockCycles(dut.clk, 4)
    dut.rst.value = 0
    await RisingEdge(dut.clk)


class AxiLite:
    """The channels of AXI4-Lite under the names of streams: aw_valid is s_axil_awvalid."""

    def __init__(self, dut: Any) -> None:
        self._dut = dut

    def __getattr__(self, name: str) -> Any:
        channel, _, signal = name.partition("_")
        return getattr(self._dut, f"s_axil_{channel}{signal}" if signal else name)


class _Stream:
    def __init__(self, dut: Any, prefix: str, fields: tuple[str, ...]) -> None:
        self.name = prefix
        t = "t" if hasattr(dut, f"{prefix}_tvalid") else ""
        self.clk, self.rst = dut.clk, dut.rst
        self.valid = getattr(dut, f"{prefix}_{t}valid")
        self.ready = getattr(dut, f"{prefix}_{t}ready")
        self.signals = {field: getattr(dut, f"{prefix}_{field}") for field in fields}


class Source(_Stream):
    """Sends words, in order, with gaps. `clock` counts clocks; `when` notes each word's."""

    def __init__(
        self, dut: Any, prefix: str, fields: tuple[str, ...], gaps: Iterator[bool] | None = None
    ) -> None:
        super().__init__(dut, prefix, fields)
        self.gaps = gaps
        self.queue: deque[Word] = deque()
        self._shown: dict[str, int] = {}
        self.when: list[int] = []
        self.clock = 0
        self.sent = 0
        self.valid.value = 0
        for signal in self.signals.values():
            signal.value = 0
        cocotb.start_soon(self._run())

    def send(self, word: Word) -> None:
        """Queue a word."""
        self.queue.append(word)

    def clear(self) -> None:
        """Drop what is queued, what is offered too: for a reset."""
        self.queue.clear()

    def forget(self) -> None:
        """The test itself has driven the fields: drive them all again with the next word."""
        self._shown.clear()

    async def _run(self) -> None:
        edge = RisingEdge(self.clk)
        offered = up = False
        while True:
            await edge
            self.clock += 1
            if offered and not self.queue:
                offered = False  # cleared
            if offered and self.ready.value == 1:
                self.queue.popleft()
                self.when.append(self.clock)
                self.sent += 1
                offered = False
            if not offered:
                gap = next(self.gaps) if self.gaps is not None else False
                if self.queue and not gap:
                    for field, value in self.queue[0].items():
                        if self._shown.get(field) != value:
                            self.signals[field].value = value
                            self._shown[field] = value
                    offered = True
                if up != offered:  # not driven while idle: a test may do it then
                    up = offered
                    self.valid.value = int(up)


class Sink(_Stream):
    """Takes words, with stalls, and hands each to `take` with the clock it came at."""

    def __init__(
        self,
        dut: Any,
        prefix: str,
        fields: tuple[str, ...],
        take: Callable[[dict[str, int], int], None],
        stalls: Iterator[bool] | None = None,
    ) -> None:
        super().__init__(dut, prefix, fields)
        self.take = take
        self.stalls = stalls
        self.clock = 0
        self.ready.value = 0
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        edge = RisingEdge(self.clk)
        open_ = False
        while True:
            await edge
            self.clock += 1
            if open_ and self.rst.value == 0 and self.valid.value == 1:
                self.take({f: int(s.value) for f, s in self.signals.items()}, self.clock)
            stall = next(self.stalls) if self.stalls is not None else False
            if open_ == stall:
                open_ = not stall
                self.ready.value = int(open_)


class StreamRules(_Stream):
    """Fails the test when a stream breaks a rule: what is offered stays until it is taken.

    Valid must be 0 or 1 after reset, and once it is 1 it and all fields stay as they are until
    the clock in which ready is 1 too.
    """

    def __init__(self, dut: Any, prefix: str, fields: tuple[str, ...]) -> None:
        super().__init__(dut, prefix, fields)
        self.broken: list[str] = []
        self.words = 0  # taken so far
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        edge = RisingEdge(self.clk)
        held: list[Any] | None = None
        while True:
            await edge
            if self.rst.value != 0:
                held = None
                continue
            valid = self.valid.value
            now = [str(s.value) for s in self.signals.values()] if valid == 1 else None
            if held is not None and now != held:
                self.broken.append(f"{self.name}: offered {held}, then {now} without being taken")
            taken = valid == 1 and self.ready.value == 1
            self.words += taken
            held = None if taken else now

    def __str__(self) -> str:
        return f"{self.name} {self.words} words, valid {self.valid.value} ready {self.ready.value}"
