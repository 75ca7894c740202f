"""tls_rx_out: frames leave as they came, with text where ranges say so, and their descriptors.

The test plays the buffer, both of its readers, and whoever says what becomes of a frame.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from cocotb_tests.harness import simulate
from cocotb_tests.streams import Gaps, Sink, Source, StreamRules, never, often, rng_of_test, start
from model.regs import RxPass
from model.rx import RxDescriptor

ID_W = 5
ADDR_W = 8
WORDS = 1 << ADDR_W
LONGEST = 40 * 16  # bytes of a frame that counts its words, here
FATE = ("id", "found", "csum_good", "reason", "bytes", "ranges", "words", "asks", "ask_seq")
RANGE = ("from", "to")
OUT = ("tdata", "tkeep", "tlast", "tuser")
Fields = dict[str, int]


@dataclass
class Frame:
    """A frame, its text where it has some, and its fate.

    Attributes:
        raw: its bytes as they came.
        text: as many, of which those in `ranges` count.
        ranges: [first, last) each, in order, no two in one word.
        fate: what is said of it; words 0 if it is too long.
    """

    raw: bytes
    text: bytes
    ranges: list[tuple[int, int]]
    fate: Fields = field(default_factory=dict)

    @property
    def out(self) -> bytes:
        """As it leaves."""
        if self.fate["reason"]:
            return self.raw
        data = bytearray(self.raw)
        for first, last in self.ranges:
            data[first:last] = self.text[first:last]
        return bytes(data)

    @property
    def user(self) -> int:
        """Its descriptor."""
        fate = self.fate
        return RxDescriptor(
            connection=fate["id"] if fate["found"] else 0,
            has_connection=bool(fate["found"]),
            decrypted=not fate["reason"],
            checksum_good=bool(fate["csum_good"]),
            resync_request=bool(fate["asks"]),
            reason=RxPass(fate["reason"]),
            resync_seq=fate["ask_seq"] if fate["asks"] else 0,
        ).pack()


def some_ranges(rng: random.Random, size: int) -> list[tuple[int, int]]:
    """Ranges with at least 21 bytes between, as of records: a tag and a header lie there."""
    ranges = []
    at = rng.randrange(30)
    while True:
        last = at + rng.choice([1, 2, 15, 16, 17, 32, rng.randint(1, 200)])
        if last > size:
            break
        ranges.append((at, last))
        at = last + 21 + rng.choice([0, 0, 1, 8, rng.randrange(40)])
    if rng.random() < 0.3 and at < size:
        ranges.append((at, size))
    return ranges[: rng.choice([1, 100])]


def some(rng: random.Random, size: int | None = None, *, decrypted: bool | None = None) -> Frame:
    """A random frame; of no size given, one of any kind."""
    if size is None:
        size = rng.choice([rng.randint(1, 40), rng.randint(40, 200), rng.randint(1, LONGEST)])
    if decrypted is None:
        decrypted = rng.random() < 0.6
    decrypted &= size <= LONGEST
    reason = 0 if decrypted else rng.choice([reason for reason in RxPass if reason])
    ranges = some_ranges(rng, size) if size <= LONGEST and (decrypted or rng.random() < 0.5) else []
    frame = Frame(rng.randbytes(size), rng.randbytes(size), ranges)
    frame.fate = {
        "id": rng.getrandbits(ID_W),
        "found": rng.getrandbits(1) or int(decrypted),
        "csum_good": rng.getrandbits(1) or int(decrypted),
        "reason": int(reason),
        "bytes": rng.getrandbits(14),
        "ranges": len(ranges),
        "words": 0 if size > LONGEST else -(-size // 16),
        "asks": rng.getrandbits(1),
        "ask_seq": rng.getrandbits(32),
    }
    return frame


class Bench:
    """Fills the buffer, says what becomes of frames, and compares what leaves."""

    def __init__(self, dut: Any, idle: Gaps = never, stall: Gaps = never) -> None:
        self.dut = dut
        self.edge = RisingEdge(dut.clk)
        self.noise = rng_of_test("noise")
        self.slow = idle is often  # words come with gaps, too
        self.fates = Source(dut, "s_frame", FATE, idle(rng_of_test("fates")))
        self.ranges = Source(dut, "s_range", RANGE, idle(rng_of_test("ranges")))
        Sink(dut, "m_axis", OUT, self._take, stall(rng_of_test("stall")))
        self.rules = [StreamRules(dut, "m_axis", OUT)]
        self.raw: list[tuple[int, int, int]] = [(0, 0, 0)] * WORDS
        self.text = [0] * WORDS
        self.written = self.gone = 0  # words, since reset
        self.wanted: list[Fields] = []
        self.clocks: list[int] = []  # of words that left
        self.counts: list[Fields] = []
        dut.wr_addr.value = 0
        for name in ("raw_data", "raw_bytes", "raw_last", "text_data"):
            getattr(dut, name).value = 0
        cocotb.start_soon(self._readers())

    async def _readers(self) -> None:
        """Both copies of the buffer, a clock after the address; and the counters."""
        dut = self.dut
        last = 0
        while True:
            await self.edge
            if dut.rst.value != 0:
                last = 0
                continue
            addr = int(dut.rd_addr.value)
            self.gone += (addr - last) % WORDS
            last = addr
            # read in this clock: what was written before it
            raw, text = self.raw[addr], self.text[addr]
            if addr == self.written % WORDS and self.gone >= self.written:
                raw = (self.noise.getrandbits(128), self.noise.getrandbits(4), 1)
            assert self.gone <= self.written, "read before it was written"
            dut.raw_data.value, dut.raw_bytes.value, dut.raw_last.value = raw
            dut.text_data.value = text
            if dut.count_valid.value == 1:
                names = ("reason", "bytes")
                got = {name: int(getattr(dut, f"count_{name}").value) for name in names}
                assert self.counts, "a frame was counted twice"
                assert got == self.counts.pop(0)

    def _take(self, word: Fields, clock: int) -> None:
        assert self.wanted, f"a word too many: {word}"
        want = self.wanted.pop(0)
        keep = want["tkeep"]
        mask = sum(0xFF << 8 * n for n in range(16) if keep >> n & 1)
        assert word | {"tdata": word["tdata"] & mask} == want
        self.clocks.append(clock)

    async def write(self, frame: Frame, words: range | None = None) -> None:
        """Put a frame in the buffer, word by word; or some of its words."""
        count = -(-len(frame.raw) // 16)
        for n in words or range(count):
            while self.written - self.gone >= WORDS - 2:
                await self.edge
            if self.slow and self.noise.random() < 0.3:
                await self.edge
            place = slice(16 * n, 16 * n + 16)
            raw, text = frame.raw[place], frame.text[place]
            at = self.written % WORDS
            self.raw[at] = (int.from_bytes(raw, "little"), len(raw) - 1, int(n == count - 1))
            self.text[at] = self.noise.getrandbits(128)
            for first, last in frame.ranges:
                if first < 16 * n + 16 and 16 * n < last:
                    self.text[at] = int.from_bytes(text, "little")
            await self.edge
            self.written += 1
            self.dut.wr_addr.value = self.written % WORDS

    def tell(self, frame: Frame) -> None:
        """Its ranges; then, maybe a little later, its fate."""
        for first, last in frame.ranges:
            self.ranges.send({"from": first, "to": last})
        self.fates.send(frame.fate)
        self.counts.append({name: frame.fate[name] for name in ("reason", "bytes")})
        out = frame.out
        for at in range(0, len(out), 16):
            word = out[at : at + 16]
            self.wanted.append(
                {
                    "tdata": int.from_bytes(word, "little"),
                    "tkeep": (1 << len(word)) - 1,
                    "tlast": int(at + 16 >= len(out)),
                    "tuser": frame.user,
                }
            )

    async def done(self) -> None:
        """Wait for all words, and whether more come."""
        waited = 0
        while (self.wanted or self.counts or self.ranges.queue) and waited < 3000:
            await self.edge
            waited += 1
        assert not self.wanted, f"{len(self.wanted)} words did not come"
        assert not self.counts
        assert not self.ranges.queue, "a range was left over"
        for _ in range(12):
            await self.edge
        assert self.gone == self.written, "rd_addr is not behind the last word"
        for rule in self.rules:
            assert not rule.broken, rule.broken


async def send(bench: Bench, frame: Frame) -> None:
    """A frame through the buffer, its fate when all of it is there; if it is too long, before."""
    if frame.fate["words"]:
        await bench.write(frame)
        bench.tell(frame)
    else:
        first = LONGEST // 16 + 1
        await bench.write(frame, range(first))
        bench.tell(frame)
        count = -(-len(frame.raw) // 16)
        if count > first:
            await bench.write(frame, range(first, count))


# ---- tests ----
@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(idle=[never, often], stall=[never, often])
async def frames_leave_as_they_should(dut: Any, idle: Gaps, stall: Gaps) -> None:
    """Decrypted or not, with any ranges, too long now and then."""
    bench = Bench(dut, idle, stall)
    rng = rng_of_test("frames")
    await start(dut)
    for _ in range(50):
        size = LONGEST + rng.choice([1, 16, 17, 100, 2000]) if rng.random() < 0.06 else None
        await send(bench, some(rng, size))
    await bench.done()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def a_range_may_lie_anywhere(dut: Any) -> None:
    """From any byte of a word to any other, in one word, two or three, at a frame's end too."""
    bench = Bench(dut)
    rng = rng_of_test("ranges")
    await start(dut)
    for first in range(16):
        for last in rng.sample([*range(first + 1, 34), 47, 48, 49], 12):
            frame = some(rng, rng.choice([max(last, 60), last]), decrypted=True)
            frame.ranges[:] = [(first, last)]
            frame.fate["ranges"] = 1
            await send(bench, frame)
    await bench.done()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_word_leaves_every_clock(dut: Any) -> None:
    """From one frame to the next too, whatever they are, while all of them are in the buffer."""
    bench = Bench(dut)
    rng = rng_of_test("rate")
    await start(dut)
    for _ in range(4):
        frames = [some(rng, rng.randint(64, 400)) for _ in range(8)]
        for frame in frames:  # those of a frame that is not decrypted take their time
            if frame.fate["reason"]:
                frame.ranges.clear()
                frame.fate["ranges"] = 0
            elif rng.random() < 0.5:  # and one whose text ends with it, and with a word
                frame.ranges[:] = [(40, len(frame.raw) // 16 * 16)]
                frame.raw = frame.raw[: frame.ranges[0][1]]
                frame.fate |= {"ranges": 1, "words": len(frame.raw) // 16}
            await bench.write(frame)
        bench.clocks.clear()
        for frame in frames:
            bench.tell(frame)
        await bench.done()
        assert all(b - a == 1 for a, b in pairwise(bench.clocks)), bench.clocks


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def the_end_of_a_long_frame_is_awaited(dut: Any) -> None:
    """Word by word, whenever they come; the frame behind it begins where it ends."""
    bench = Bench(dut)
    rng = rng_of_test("long")
    await start(dut)
    for _ in range(12):
        frame = some(rng, LONGEST + rng.randint(1, 300))
        count = -(-len(frame.raw) // 16)
        bench.tell(frame)
        for n in range(count):
            await bench.write(frame, range(n, n + 1))
            for _ in range(rng.choice([0, 0, 0, 1, 2, 3, 10])):
                await bench.edge
        await send(bench, some(rng))
    await bench.done()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def nothing_moves_without_a_taker(dut: Any) -> None:
    """A stall holds all back; rd_addr stays within what was taken and a few words."""
    bench = Bench(dut, never, stall=lambda _: iter(lambda: bench_stalls[0], None))
    bench_stalls = [True]
    rng = rng_of_test("stalled")
    await start(dut)
    for _ in range(6):
        frame = some(rng, 400, decrypted=True)
        await bench.write(frame)
        bench.tell(frame)
    for _ in range(100):
        await bench.edge
    assert bench.gone <= 8, bench.gone
    bench_stalls[0] = False
    await bench.done()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def reset_drops_the_frame(dut: Any) -> None:
    """At any clock of one; the next begins at address 0."""
    bench = Bench(dut, never, often)
    rng = rng_of_test("reset")
    await start(dut)
    for _ in range(30):
        for _ in range(2):
            await send(bench, some(rng, rng.choice([None, LONGEST + 30])))
        for _ in range(rng.randrange(40)):
            await bench.edge
        dut.rst.value = 1
        bench.ranges.clear()
        bench.fates.clear()
        dut.wr_addr.value = 0
        await bench.edge
        bench.wanted.clear()
        bench.counts.clear()
        bench.written = bench.gone = 0
        dut.rst.value = 0
        await bench.edge
        await bench.edge
        await send(bench, some(rng))
        await bench.done()


def test_tls_rx_out() -> None:
    simulate("tls_rx_out", __name__, {"ID_W": ID_W, "ADDR_W": ADDR_W})
