"""`hdl/tlsnic.v` in a cocotb test: its streams, and as a device for the host's code.

In: the simulator's handle of `tlsnic`. `NicBench` drives all its ports from coroutines and checks
the stream rules on them, and with a `MacMonitor` what leaves towards the wire. `CocotbDevice` is
the host's `Device` on top, for synchronous code in `cocotb.task.bridge`: driver, kTLS stack and
`cocotb_tests.cosim` run on it unchanged. AssertionError for a word that no frame can have; Stuck or
DeviceError when something does not come.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Final

from cocotb.task import resume
from cocotb.triggers import ClockCycles, RisingEdge

from cocotb_tests.compare import Stuck
from cocotb_tests.cosim import Received
from cocotb_tests.cosim_tx import Word
from cocotb_tests.mac_monitor import MacMonitor
from cocotb_tests.streams import AxiLite, Gaps, Sink, Source, StreamRules, never, rng_of_test, start
from host.device import RxDescriptor, Sent, TxCompletion, TxDescriptor, sent
from host.device_rtl import SLVERR, DeviceError, Stream

WORD: Final = 16  # bytes
FRAME: Final = ("tdata", "tkeep", "tlast")
USED: Final = (*FRAME, "tuser")
TOLD: Final = ("tdata", "tuser")
PATIENCE: Final = 20_000  # clocks without anything that goes in or out


class FramesIn:
    """Frames on their way into a port."""

    def __init__(
        self, dut: Any, prefix: str, fields: tuple[str, ...], gaps: Iterator[bool] | None
    ) -> None:
        self.source = Source(dut, prefix, fields, gaps)
        self._ends: deque[int] = deque()  # words sent when each frame that is on its way is in
        self._words = 0

    def post(self, frame: bytes, **user: int) -> None:
        """Queue a frame; `user` is the same in all its words."""
        for at in range(0, len(frame), WORD):
            part = frame[at : at + WORD]
            self.source.send(
                {
                    "tdata": int.from_bytes(part, "little"),
                    "tkeep": (1 << len(part)) - 1,
                    "tlast": int(at + WORD >= len(frame)),
                    **user,
                }
            )
            self._words += 1
        self._ends.append(self._words)

    @property
    def waiting(self) -> int:
        """Frames that are still to go in."""
        while self._ends and self._ends[0] <= self.source.sent:
            self._ends.popleft()
        return len(self._ends)

    def clear(self) -> None:
        """Drop all of them: for a reset."""
        self.source.clear()
        self._ends.clear()

    def restart(self) -> None:
        """Reset is over."""
        self._words = self.source.sent


class FramesOut:
    """Frames that come out of a port, with the word beside them, 0 where there is none.

    Attributes:
        came: those that were not taken.
        when: clocks of their words.
        starts: clocks of their first words.
        ends: clocks of their last words.
    """

    def __init__(
        self, dut: Any, prefix: str, fields: tuple[str, ...], stalls: Iterator[bool] | None
    ) -> None:
        self.sink = Sink(dut, prefix, fields, self._word, stalls)
        self.came: deque[Received] = deque()
        self.when: list[int] = []
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.monitor: MacMonitor | None = None
        self._partial = bytearray()
        self._user: int | None = None

    def clear(self) -> None:
        """Forget what came, and what is half out: for a reset."""
        self.came.clear()
        self._partial.clear()
        self._user = None

    def _word(self, word: dict[str, int], clock: int) -> None:
        keep, last, user = word["tkeep"], word["tlast"], word.get("tuser", 0)
        assert keep & (keep + 1) == 0, f"tkeep {keep:#06x} is no run from bit 0"
        assert keep == 0xFFFF or (last and keep), f"tkeep {keep:#06x} in the middle of a frame"
        assert self._user in (None, user), "tuser changes within a frame"
        if self._user is None:
            self.starts.append(clock)
        self._user = user
        self.when.append(clock)
        self._partial += word["tdata"].to_bytes(WORD, "little")[: keep.bit_length()]
        if last:
            frame = bytes(self._partial)
            if self.monitor is not None:
                self.monitor.left(frame)
            self.came.append((frame, user))
            self.ends.append(clock)
            self._partial.clear()
            self._user = None


class NicBench:
    """All ports of `tlsnic`.

    Args:
        dut: the simulator's handle.
        idle: gaps of what goes in.
        stall: gaps of what takes what comes out.
        monitor: of what leaves towards the wire; it is told what is handed over.
    """

    def __init__(
        self,
        dut: Any,
        idle: Gaps = never,
        stall: Gaps = never,
        monitor: MacMonitor | None = None,
    ) -> None:
        def gaps(kind: Gaps, name: str) -> Iterator[bool] | None:
            return None if kind is never else kind(rng_of_test(name))

        bus = AxiLite(dut)
        self.dut = dut
        self.monitor = monitor
        self.rx = FramesIn(dut, "s_axis_rx", FRAME, gaps(idle, "rx"))
        self.tx = FramesIn(dut, "s_axis_tx", USED, gaps(idle, "tx"))
        self.aw = Source(bus, "aw", ("addr", "prot"), gaps(idle, "aw"))
        self.w = Source(bus, "w", ("data", "strb"), gaps(idle, "w"))
        self.ar = Source(bus, "ar", ("addr", "prot"), gaps(idle, "ar"))
        self._writes: deque[int] = deque()  # responses
        self._reads: deque[tuple[int, int]] = deque()  # data, response
        Sink(bus, "b", ("resp",), lambda w, _: self._writes.append(w["resp"]), gaps(stall, "b"))
        Sink(bus, "r", ("data", "resp"), self._read, gaps(stall, "r"))
        self.rx_out = FramesOut(dut, "m_axis_rx", USED, gaps(stall, "out"))
        self.tx_out = FramesOut(dut, "m_axis_tx", FRAME, gaps(stall, "left"))
        self.tx_out.monitor = monitor
        self.told: deque[Word] = deque()  # completions
        self.told_at: list[int] = []  # clocks of them
        self.told_sink = Sink(dut, "m_axis_txc", TOLD, self._told, gaps(stall, "told"))
        self.rules = {
            name: StreamRules(bus if len(name) == 1 else dut, name, fields)
            for name, fields in (
                ("s_axis_rx", FRAME),
                ("m_axis_rx", USED),
                ("s_axis_tx", USED),
                ("m_axis_tx", FRAME),
                ("m_axis_txc", TOLD),
                ("b", ("resp",)),
                ("r", ("data", "resp")),
            )
        }

    async def start(self) -> None:
        """Start the clock and reset."""
        await start(self.dut)

    async def reset(self) -> None:
        """Reset in the middle of whatever is under way; all of it is forgotten."""
        self.dut.rst.value = 1
        for frames in (self.rx, self.tx):
            frames.clear()
        for source in (self.aw, self.w, self.ar):
            source.clear()
        await ClockCycles(self.dut.clk, 4)
        for frames in (self.rx, self.tx):
            frames.restart()
        for out in (self.rx_out, self.tx_out):
            out.clear()
        for queue in (self.told, self._writes, self._reads):
            queue.clear()
        if self.monitor is not None:
            self.monitor.reset()
        self.dut.rst.value = 0
        await RisingEdge(self.dut.clk)

    def post(self, frame: bytes) -> None:
        """Queue a frame from the wire."""
        self.rx.post(frame)

    def hand(self, frame: bytes, word: int) -> None:
        """Queue an item of the host, with its descriptor."""
        if self.monitor is not None:
            self.monitor.handed(frame, word & 0xFFFF, word >> 16)
        self.tx.post(frame, tuser=word)

    def came(self, stream: Stream) -> int:
        """How many of a stream came out and were not taken."""
        match stream:
            case Stream.RX:
                return len(self.rx_out.came)
            case Stream.TX:
                return len(self.tx_out.came)
            case _:
                return len(self.told)

    async def until(self, stream: Stream, left: int, out: int) -> None:
        """Wait until on its side at most `left` frames are to go in, and of this stream `out` came
        out; Stuck if nothing goes on any more.
        """
        edge, quiet, seen = RisingEdge(self.dut.clk), 0, (0,) * 5
        inward = self.rx if stream is Stream.RX else self.tx
        while inward.waiting > left or self.came(stream) < out:
            await edge
            now = (
                self.rx.source.sent,
                self.tx.source.sent,
                len(self.rx_out.when),
                len(self.tx_out.when),
                len(self.told_at),
            )
            quiet = quiet + 1 if now == seen else 0
            seen = now
            if quiet > PATIENCE:
                raise Stuck(self.came(stream))

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
        """No stream broke a rule, and nothing left that may not."""
        broken = [text for rule in self.rules.values() for text in rule.broken]
        broken += self.monitor.broken if self.monitor is not None else []
        assert not broken, "\n".join(broken)

    async def _until_any(self, answers: Sequence[object], addr: int) -> None:
        for _ in range(PATIENCE):
            if answers:
                return
            await RisingEdge(self.dut.clk)
        raise DeviceError(f"no answer from register {addr:#05x}")

    def _read(self, word: dict[str, int], _: int) -> None:
        self._reads.append((word["data"], word["resp"]))

    def _told(self, word: dict[str, int], clock: int) -> None:
        self.told.append((word["tdata"].to_bytes(WORD, "little"), word["tuser"]))
        self.told_at.append(clock)


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

    def came(self, stream: Stream) -> int:
        """How many of a stream came out and were not taken."""
        return self._bench.came(stream)

    def rx_send(self, frames: Sequence[bytes], left: int = 0) -> None:
        """Let frames in, and return as soon as at most `left` of all are still to go in."""
        for frame in frames:
            self._bench.post(frame)
        self._until(Stream.RX, left, 0)

    def words(self, frames: int) -> list[Received]:
        """The next frames that come out; waits for as many."""
        self._until(Stream.RX, 1 << 30, frames)
        return [self._bench.rx_out.came.popleft() for _ in range(frames)]

    def tx_send(self, items: Sequence[tuple[bytes, int]], left: int = 0) -> None:
        """Let items of the host in, with their descriptors; return as `rx_send`."""
        for frame, word in items:
            self._bench.hand(frame, word)
        self._until(Stream.TX, left, 0)

    def tx_take(self, frames: int) -> list[bytes]:
        """The next frames that leave; waits for as many."""
        self._until(Stream.TX, 1 << 30, frames)
        return [self._bench.tx_out.came.popleft()[0] for _ in range(frames)]

    def txc_take(self, words: int) -> list[Word]:
        """The next completions; waits for as many."""
        self._until(Stream.COMPLETIONS, 1 << 30, words)
        return [self._bench.told.popleft() for _ in range(words)]

    def receive(self, frames: Sequence[bytes]) -> list[tuple[bytes, RxDescriptor]]:
        """Frames from the wire to what the host gets of them: one each, in order."""
        self.rx_send(frames, left=len(frames))
        return [(data, RxDescriptor.unpack(word)) for data, word in self.words(len(frames))]

    def send(self, items: Sequence[tuple[bytes, TxDescriptor]]) -> list[Sent]:
        """Items of the transmit queue to what became of them: one each, in order."""
        self.tx_send([(data, descriptor.pack()) for data, descriptor in items], left=len(items))
        told: list[TxCompletion] = []
        while missing := len(items) - sum(each.tag is None for each in told):
            told += [TxCompletion.unpack(data, word) for data, word in self.txc_take(missing)]
        return sent(told, self.tx_take(sum(each.sent for each in told)))

    def close(self) -> None:
        """Check the streams' rules."""
        self._bench.check()
