"""`hdl/tlsnic.v` in a cocotb test: its streams, and as a device for the host's code.

In: the simulator's handle of `tlsnic`. `NicBench` drives all its ports from coroutines and checks
the stream rules on them. `CocotbDevice` is the host's `Device` on top, for synchronous code in
`cocotb.task.bridge`: driver, kTLS stack and `cocotb_tests.cosim` run on it unchanged.
AssertionError for a word that no frame can have; Stuck or DeviceError when something does not come.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Final

from cocotb.task import resume
from cocotb.triggers import ClockCycles, RisingEdge

from cocotb_tests.compare import Stuck
from cocotb_tests.cosim import Received
from cocotb_tests.streams import AxiLite, Gaps, Sink, Source, StreamRules, never, rng_of_test, start
from host.device import RxDescriptor
from host.device_rtl import SLVERR, DeviceError

WORD: Final = 16  # bytes
FRAME: Final = ("tdata", "tkeep", "tlast")
OUT: Final = (*FRAME, "tuser")
PATIENCE: Final = 20_000  # clocks without anything that goes in or out


class NicBench:
    """All ports of `tlsnic`. `out` are the frames that came out, with their descriptors."""

    def __init__(self, dut: Any, idle: Gaps = never, stall: Gaps = never) -> None:
        def gaps(kind: Gaps, name: str) -> Iterator[bool] | None:
            return None if kind is never else kind(rng_of_test(name))

        bus = AxiLite(dut)
        self.dut = dut
        self.rx = Source(dut, "s_axis_rx", FRAME, gaps(idle, "rx"))
        self.aw = Source(bus, "aw", ("addr", "prot"), gaps(idle, "aw"))
        self.w = Source(bus, "w", ("data", "strb"), gaps(idle, "w"))
        self.ar = Source(bus, "ar", ("addr", "prot"), gaps(idle, "ar"))
        self._writes: deque[int] = deque()  # responses
        self._reads: deque[tuple[int, int]] = deque()  # data, response
        Sink(bus, "b", ("resp",), lambda w, _: self._writes.append(w["resp"]), gaps(stall, "b"))
        Sink(bus, "r", ("data", "resp"), self._read, gaps(stall, "r"))
        self.sink = Sink(dut, "m_axis_rx", OUT, self._word, gaps(stall, "out"))
        self.rules = [
            StreamRules(dut, "s_axis_rx", FRAME),
            StreamRules(dut, "m_axis_rx", OUT),
            StreamRules(bus, "b", ("resp",)),
            StreamRules(bus, "r", ("data", "resp")),
        ]
        self.out: deque[Received] = deque()
        self.starts: list[int] = []  # clocks of first words that came out
        self._ends: deque[int] = deque()  # words sent when each frame that is on its way is in
        self._words = 0
        self._partial = bytearray()
        self._user: int | None = None

    async def start(self) -> None:
        """Start the clock and reset."""
        await start(self.dut)

    async def reset(self) -> None:
        """Reset in the middle of whatever is under way; all of it is forgotten."""
        self.dut.rst.value = 1
        for source in (self.rx, self.aw, self.w, self.ar):
            source.clear()
        await ClockCycles(self.dut.clk, 4)
        self._words = self.rx.sent
        for queue in (self.out, self._ends, self._writes, self._reads):
            queue.clear()
        self._partial.clear()
        self._user = None
        self.dut.rst.value = 0
        await RisingEdge(self.dut.clk)

    def post(self, frame: bytes) -> None:
        """Queue a frame."""
        for at in range(0, len(frame), WORD):
            part = frame[at : at + WORD]
            self.rx.send(
                {
                    "tdata": int.from_bytes(part, "little"),
                    "tkeep": (1 << len(part)) - 1,
                    "tlast": int(at + WORD >= len(frame)),
                }
            )
            self._words += 1
        self._ends.append(self._words)

    @property
    def waiting(self) -> int:
        """Frames that are still to go in."""
        while self._ends and self._ends[0] <= self.rx.sent:
            self._ends.popleft()
        return len(self._ends)

    async def until(self, left: int, out: int) -> None:
        """Wait until at most `left` frames are to go in, and `out` came out; Stuck if not."""
        edge, quiet, seen = RisingEdge(self.dut.clk), 0, (0, 0, 0)
        while self.waiting > left or len(self.out) < out:
            await edge
            now = (self.rx.sent, len(self.out), len(self._partial))
            quiet = quiet + 1 if now == seen else 0
            seen = now
            if quiet > PATIENCE:
                raise Stuck(len(self.out))

    async def read(self, addr: int) -> tuple[int, int]:
        """A register: data and response."""
        self.ar.send({"addr": addr, "prot": 0})
        await self._until_any(self._reads, addr)
        return self._reads.popleft()

    async def write(self, addr: int, value: int) -> int:
        """Write a register; the response."""
        self.aw.send({"addr": addr, "prot": 0})
        self.w.send({"data": value, "strb": 15})
        await self._until_any(self._writes, addr)
        return self._writes.popleft()

    def check(self) -> None:
        """No stream broke a rule."""
        broken = [text for rule in self.rules for text in rule.broken]
        assert not broken, "\n".join(broken)

    async def _until_any(self, answers: Sequence[object], addr: int) -> None:
        for _ in range(PATIENCE):
            if answers:
                return
            await RisingEdge(self.dut.clk)
        raise DeviceError(f"no answer from register {addr:#05x}")

    def _read(self, word: dict[str, int], _: int) -> None:
        self._reads.append((word["data"], word["resp"]))

    def _word(self, word: dict[str, int], clock: int) -> None:
        keep, last = word["tkeep"], word["tlast"]
        assert keep & (keep + 1) == 0, f"tkeep {keep:#06x} is no run from bit 0"
        assert keep == 0xFFFF or (last and keep), f"tkeep {keep:#06x} in the middle of a frame"
        assert self._user in (None, word["tuser"]), "tuser changes within a frame"
        if self._user is None:
            self.starts.append(clock)
        self._user = word["tuser"]
        self._partial += word["tdata"].to_bytes(WORD, "little")[: keep.bit_length()]
        if last:
            self.out.append((bytes(self._partial), word["tuser"]))
            self._partial.clear()
            self._user = None


class CocotbDevice:
    """A `Device` for synchronous code that runs in `cocotb.task.bridge`."""

    def __init__(self, bench: NicBench) -> None:
        self._bench = bench
        self._read = resume(bench.read)
        self._write = resume(bench.write)
        self._until = resume(bench.until)

    def read(self, addr: int) -> int:
        """A register of 32 bits."""
        value, response = self._read(addr)
        if response == SLVERR:
            raise DeviceError(f"no register at {addr:#05x}")
        return value

    def write(self, addr: int, value: int) -> None:
        """Write a register of 32 bits."""
        if self._write(addr, value) == SLVERR:
            raise DeviceError(f"no register at {addr:#05x}")

    def rx_send(self, frames: Sequence[bytes], left: int = 0) -> None:
        """Let frames in, and return as soon as at most `left` of all are still to go in."""
        for frame in frames:
            self._bench.post(frame)
        self._until(left, 0)

    def words(self, frames: int) -> list[Received]:
        """The next frames that come out; waits for as many."""
        self._until(1 << 30, frames)
        return [self._bench.out.popleft() for _ in range(frames)]

    def receive(self, frames: Sequence[bytes]) -> list[tuple[bytes, RxDescriptor]]:
        """Frames from the wire to what the host gets of them: one each, in order."""
        self.rx_send(frames, left=len(frames))
        return [(data, RxDescriptor.unpack(word)) for data, word in self.words(len(frames))]

    def close(self) -> None:
        """Check the streams' rules."""
        self._bench.check()
