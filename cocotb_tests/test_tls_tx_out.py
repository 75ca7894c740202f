"""tls_tx_out: frames leave, their payload encrypted but for its gaps, or are skipped.

The test plays the buffer, both of its readers, and whoever says what becomes of a frame. What
rd_addr has passed is free, and is overwritten at once.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from cocotb_tests.harness import simulate
from cocotb_tests.streams import Gaps, Sink, Source, StreamRules, never, often, rng_of_test, start
from model.record import TAG

ADDR_W, ALONG_W = 10, 20
WORDS = 1 << ADDR_W
HEADERS = 54  # bytes in front of a payload, at least
LATEST = 8  # words that may be asked for and not taken
FATE = ("leaves", "crypts", "words", "offset", "end", "gaps", "along")
GAP = ("from", "to")
OUT = ("tdata", "tkeep", "tlast", "tuser")
Fields = dict[str, int]


@dataclass(frozen=True)
class Frame:
    """A frame in the buffer, and what becomes of it.

    Attributes:
        raw: its bytes as they came.
        text: as many; noise but where it is encrypted.
        payload: [first, last).
        gaps: of the payload; as a tag lies between two, they are at least so far apart.
    """

    raw: bytes
    text: bytes
    payload: tuple[int, int]
    gaps: tuple[tuple[int, int], ...] = ()
    leaves: bool = True
    crypts: bool = True

    @property
    def words(self) -> int:
        """Words of the buffer."""
        return -(-len(self.raw) // 16)

    @property
    def out(self) -> bytes:
        """As it leaves; empty if it does not."""
        if not self.leaves:
            return b""
        data = bytearray(self.raw)
        if self.crypts:
            first, last = self.payload
            data[first:last] = self.text[first:last]
            data[last:] = bytes(len(data) - last)
            for start_, end in self.gaps:
                data[start_:end] = self.raw[start_:end]
        return bytes(data)


def made(rng: random.Random, size: int, payload: tuple[int, int], *gaps: tuple[int, int]) -> Frame:
    """A frame of random bytes that leaves encrypted."""
    return Frame(rng.randbytes(size), rng.randbytes(size), payload, gaps)


def some_gaps(rng: random.Random, first: int, last: int) -> list[tuple[int, int]]:
    """Prefixes of records in a payload: 1 to 13 bytes, a tag or more between two."""
    gaps = []
    at = first + rng.choice([0, 0, rng.randrange(60)])
    while at < last and rng.random() < 0.9:
        end = min(at + rng.choice([5, 13, rng.randint(1, 13)]), last)
        gaps.append((at, end))
        at = end + TAG + rng.choice([0, 0, 1, rng.randrange(16), rng.randrange(200)])
    return gaps


def some(rng: random.Random, *, leaves: bool | None = None, size: int | None = None) -> Frame:
    """A random frame."""
    if size is None:
        size = rng.choice([rng.randint(1, 60), rng.randint(60, 200), rng.randint(60, 700)])
    if leaves is None:
        leaves = rng.random() < 0.7
    kind = rng.random()
    first = rng.randint(HEADERS, size) if size > HEADERS else size
    if kind < 0.5:
        first = min(first, HEADERS + 12)
    last = size if rng.random() < 0.6 else rng.randint(first, size)
    crypts = first < last and rng.random() < 0.8
    gaps = some_gaps(rng, first, last) if crypts else []
    raw, text = rng.randbytes(size), rng.randbytes(size)
    return Frame(raw, text, (first, last), tuple(gaps), leaves, crypts)


class Bench:
    """Fills the buffer, says what becomes of frames, and compares what leaves."""

    def __init__(self, dut: Any, idle: Gaps = never, stall: Gaps = never) -> None:
        self.dut = dut
        self.edge = RisingEdge(dut.clk)
        self.noise = rng_of_test("noise")
        self.fates = Source(dut, "s_frame", FATE, idle(rng_of_test("fates")))
        self.gaps = Source(dut, "s_gap", GAP, idle(rng_of_test("gaps")))
        Sink(dut, "m_axis", OUT, self._take, stall(rng_of_test("stall")))
        self.rules = [StreamRules(dut, "m_axis", OUT)]
        self.words = [self._noise() for _ in range(WORDS)]
        self.written = self.gone = 0  # words, since reset
        self.wanted: list[Fields] = []
        self.clocks: list[int] = []  # of words that left
        self.taken = 0
        for name in ("raw_data", "raw_bytes", "raw_last", "text_data"):
            getattr(dut, name).value = 0
        cocotb.start_soon(self._readers())

    def _noise(self) -> tuple[int, int, int, int]:
        bits = self.noise.getrandbits
        return bits(128), bits(4), bits(1), bits(128)

    async def _readers(self) -> None:
        """Both copies of the buffer, a clock after the address."""
        dut = self.dut
        last = 0
        while True:
            await self.edge
            if dut.rst.value != 0:
                last = 0
                continue
            addr = int(dut.rd_addr.value)
            while last != addr:  # words that it has passed
                self.words[last] = self._noise()
                last = (last + 1) % WORDS
                self.gone += 1
            assert self.gone <= self.written, "read before it was written"
            raw, size, ends, text = self.words[addr]
            dut.raw_data.value, dut.raw_bytes.value, dut.raw_last.value = raw, size, ends
            dut.text_data.value = text

    def _take(self, word: Fields, clock: int) -> None:
        assert self.wanted, f"a word too many: {word}"
        want = self.wanted.pop(0)
        mask = sum(0xFF << 8 * n for n in range(16) if want["tkeep"] >> n & 1)
        assert word | {"tdata": word["tdata"] & mask} == want
        self.clocks.append(clock)
        self.taken += 1

    async def send(self, frame: Frame) -> None:
        """Put a frame in the buffer when there is room, and say what becomes of it."""
        while self.written - self.gone + frame.words >= WORDS:
            await self.edge
        for n in range(frame.words):
            raw, text = (side[16 * n : 16 * n + 16] for side in (frame.raw, frame.text))
            ends = int(n == frame.words - 1)
            padding = self.noise.randbytes(16)
            self.words[(self.written + n) % WORDS] = (
                int.from_bytes((raw + padding)[:16], "little"),
                len(raw) - 1,
                ends,
                int.from_bytes((text + padding)[:16], "little"),
            )
        self.written += frame.words
        for first, last in frame.gaps:
            self.gaps.send({"from": first, "to": last})
        along = self.noise.getrandbits(ALONG_W)
        self.fates.send(
            {
                "leaves": int(frame.leaves),
                "crypts": int(frame.crypts),
                "words": frame.words,
                "offset": frame.payload[0],
                "end": frame.payload[1],
                "gaps": len(frame.gaps),
                "along": along,
            }
        )
        out = frame.out
        for at in range(0, len(out), 16):
            word = out[at : at + 16]
            self.wanted.append(
                {
                    "tdata": int.from_bytes(word, "little"),
                    "tkeep": (1 << len(word)) - 1,
                    "tlast": int(at + 16 >= len(out)),
                    "tuser": along,
                }
            )

    async def done(self) -> None:
        """Wait for all words, and whether more come."""
        for _ in range(3000):
            if not (self.wanted or self.fates.queue or self.gaps.queue):
                break
            await self.edge
        assert not self.wanted, f"{len(self.wanted)} words did not come"
        assert not self.fates.queue
        assert not self.gaps.queue, "a gap was left over"
        for _ in range(12):
            await self.edge
        assert self.gone == self.written, "rd_addr is not behind the last word"
        for rule in self.rules:
            assert not rule.broken, rule.broken


# ---- tests ----
@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(idle=[never, often], stall=[never, often])
async def frames_leave_as_they_should(dut: Any, idle: Gaps, stall: Gaps) -> None:
    """Encrypted, plain, or not at all; with any gaps."""
    bench = Bench(dut, idle, stall)
    rng = rng_of_test("frames")
    await start(dut)
    for _ in range(100):
        await bench.send(some(rng))
    await bench.done()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def a_payload_may_lie_anywhere(dut: Any) -> None:
    """From any byte of a word to any other, in one word or more; the frame may go on behind it."""
    bench = Bench(dut)
    rng = rng_of_test("payload")
    await start(dut)
    for first in range(48, 64):
        for last in rng.sample(range(first + 1, first + 34), 10):
            await bench.send(made(rng, last + rng.choice([0, 0, 1, 20]), (first, last)))
    await bench.done()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def a_gap_may_lie_anywhere(dut: Any) -> None:
    """At any byte of a word, over its end too; the next one a tag behind it, or more."""
    bench = Bench(dut)
    rng = rng_of_test("gaps")
    await start(dut)
    for first in range(64, 80):
        for size in range(1, 14):
            end = first + size
            other = end + TAG + rng.choice([0, 0, 1, rng.randrange(32)])
            last = other + rng.choice([1, 5, 13])
            gaps = [(first, end), (other, last)]
            payload = rng.choice([first, 54]), rng.choice([last, last, last + 40])
            frame = made(rng, payload[1] + rng.choice([0, 0, 3]), payload, *gaps)
            await bench.send(frame)
    await bench.done()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_word_leaves_every_clock(dut: Any) -> None:
    """From one frame to the next, too, whatever they are and however many gaps they have."""
    bench = Bench(dut)
    rng = rng_of_test("rate")
    await start(dut)
    for sizes in ([64, 80, 54, 1, 16, 17, 400, 60], [1] * 20, [200] * 8):
        for size in sizes:
            await bench.send(some(rng, leaves=True, size=size))
            if size >= 64:  # a gap that ends with it, and with a word
                await bench.send(made(rng, 80, (60, 80), (75, 80)))
        bench.clocks.clear()
        await bench.done()
        assert all(b - a == 1 for a, b in pairwise(bench.clocks)), bench.clocks


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_frame_that_is_skipped_takes_a_clock(dut: Any) -> None:
    """Or one for each of its gaps; of however many words."""
    bench = Bench(dut)
    rng = rng_of_test("skips")
    await start(dut)
    sizes = [rng.randint(1, 200) for _ in range(12)]
    skipped = [
        Frame(bytes(n), bytes(n), (0, n), ((0, 5),) * gaps, leaves=False)
        for n in sizes
        for gaps in (0, 0, 1, 4)
    ]
    for frame in skipped:
        await bench.send(frame)
    await bench.done()
    clocks = [b - a for a, b in pairwise(bench.fates.when)]
    assert len(clocks) == len(skipped) - 1
    starts = zip(clocks, skipped, bench.fates.when, strict=False)
    late = [n for n, (clock, frame, _) in enumerate(starts) if clock != max(len(frame.gaps), 1)]
    assert not late, clocks


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def gaps_are_awaited(dut: Any) -> None:
    """A frame whose gaps come late does not leave without them; one that has none does."""
    bench = Bench(dut)
    rng = rng_of_test("late")
    await start(dut)
    held = []
    for _ in range(20):
        bench.gaps.gaps = iter(lambda: True, None)
        plain = some(rng, leaves=True, size=40)
        frame = made(rng, 120, (54, 120), (60, 65), (90, 95))
        await bench.send(plain)
        await bench.send(frame)
        before = bench.taken
        for _ in range(rng.randint(20, 30)):
            await bench.edge
        held.append(bench.taken - before)
        bench.gaps.gaps = never(rng)
        await bench.done()
    assert held == [plain.words] * 20


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def nothing_moves_without_a_taker(dut: Any) -> None:
    """A stall holds all back; rd_addr is a few words beyond what was taken, no more."""
    stalls = [True]
    bench = Bench(dut, never, stall=lambda _: iter(lambda: stalls[0], None))
    rng = rng_of_test("stalled")
    await start(dut)
    for _ in range(6):
        await bench.send(some(rng, leaves=True, size=400))
    for _ in range(100):
        await bench.edge
    assert bench.gone <= LATEST, bench.gone
    stalls[0] = False
    await bench.done()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def reset_drops_the_frame(dut: Any) -> None:
    """At any clock of one; the next begins at address 0."""
    bench = Bench(dut, never, often)
    rng = rng_of_test("reset")
    await start(dut)
    for _ in range(30):
        for _ in range(3):
            await bench.send(some(rng))
        for _ in range(rng.randrange(40)):
            await bench.edge
        dut.rst.value = 1
        bench.gaps.clear()
        bench.fates.clear()
        await bench.edge
        bench.wanted.clear()
        bench.written = bench.gone = 0
        dut.rst.value = 0
        await bench.edge
        for _ in range(2):
            await bench.send(some(rng))
        await bench.done()


def test_tls_tx_out() -> None:
    simulate("tls_tx_out", __name__, {"ADDR_W": ADDR_W, "ALONG_W": ALONG_W})
