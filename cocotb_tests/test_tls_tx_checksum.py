"""tls_tx_checksum: frames of scapy have the checksum that scapy gave them, whatever was there.

A frame goes in with any checksum and any padding; others, which do not ask, are any bytes.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge
from scapy.layers.inet import IP, TCP, IPOption_NOP, IPOption_RR
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether
from scapy.packet import Raw

from cocotb_tests.harness import simulate
from cocotb_tests.streams import Gaps, Sink, Source, StreamRules, never, often, rng_of_test, start
from model.parse import CHECKSUM

ADDR_W = 11
WORDS = 1 << ADDR_W
HELD = 16  # frames, besides the one that leaves
DELAY = 9  # clocks from a frame's last word to its first
LONGEST = 9600  # bytes
IN = ("tdata", "tkeep", "tlast")
BESIDE = ("asks", "l4", "end", "pseudo")
Fields = dict[str, int]


class Ports:
    """The module's ports, those beside `s_axis` under its name too."""

    def __init__(self, dut: Any) -> None:
        self._dut = dut

    def __getattr__(self, name: str) -> Any:
        field = name.rpartition("_")[2]
        return getattr(self._dut, f"s_{field}" if field in BESIDE else name)


@dataclass(frozen=True)
class Frame:
    """A frame as it must leave, and how it asks for that.

    Attributes:
        tcp: where its TCP header is; None if it does not ask.
        end: where the packet ends.
        pseudo: sum of the pseudo-header.
    """

    data: bytes
    tcp: int | None = None
    end: int = 0
    pseudo: int = 0


def packet(rng: random.Random, payload: bytes) -> Any:
    """A segment with such a payload, of any kind."""
    ports: dict[str, Any] = {"sport": rng.getrandbits(16), "dport": rng.getrandbits(16)}
    options = rng.choice([[], [("Timestamp", (rng.getrandbits(32), 7))], [("NOP", None)] * 40])
    tcp = TCP(**ports, seq=rng.getrandbits(32), ack=rng.getrandbits(32), options=options)
    link = Ether(dst="02:00:00:00:00:02", src="02:00:00:00:00:01")
    for _ in range(rng.randrange(3)):
        link = link / rng.choice([Dot1Q, Dot1AD])(vlan=rng.randrange(4096))
    if rng.random() < 0.5:
        some = [IPOption_NOP(), IPOption_RR(routers=["192.0.2.9"] * rng.randrange(1, 5))]
        addresses: dict[str, Any] = {
            "src": f"192.0.2.{rng.randrange(256)}",
            "dst": f"198.51.100.{rng.randrange(256)}",
        }
        return link / IP(**addresses, options=rng.choice([[], some])) / tcp / Raw(payload)
    head = IPv6(src=f"2001:db8::{rng.getrandbits(16):x}", dst=f"fd00::{rng.getrandbits(16):x}")
    more: list[Any] = [IPv6ExtHdrHopByHop(), IPv6ExtHdrDestOpt(), IPv6ExtHdrRouting(segleft=0)]
    for one in rng.sample(more, rng.choice([0, 0, 1, 2])):
        head = head / one
    return link / head / tcp / Raw(payload)


def asks(rng: random.Random, made: Any, padding: int = 0) -> Frame:
    """A frame of scapy, which asks; its checksum is scapy's."""
    data = bytes(made)
    tcp = len(data) - len(bytes(made[TCP]))
    version = made[IP] if IP in made else made[IPv6]
    first = len(data) - len(bytes(version))
    at, size = (12, 8) if IP in made else (8, 32)
    addresses = data[first + at : first + at + size]
    length = len(data) - tcp
    total = (
        length + 6 + sum(int.from_bytes(addresses[n : n + 2]) for n in range(0, len(addresses), 2))
    )
    pseudo = (total & 0xFFFF) + (total >> 16)
    if rng.random() < 0.3 and pseudo <= 0x10000:  # the same number, with a carry
        pseudo += 0xFFFF
    return Frame(data + rng.randbytes(padding), tcp, len(data), pseudo)


def plain(rng: random.Random, size: int) -> Frame:
    """Any bytes, that do not ask."""
    return Frame(rng.randbytes(size))


def some_bytes(rng: random.Random, count: int) -> bytes:
    """Random ones; or all ones or zeros, for the carries of sums."""
    return rng.choice([rng.randbytes(count), rng.randbytes(count), b"\xff" * count, bytes(count)])


def some(rng: random.Random) -> Frame:
    """Any frame."""
    if rng.random() < 0.3:
        return plain(rng, rng.choice([rng.randint(1, 16), rng.randint(1, 80), rng.randint(1, 400)]))
    size = rng.choice([0, 1, 2, rng.randint(0, 60), rng.randint(0, 400)])
    padding = rng.choice([0, 0, 1, 2, rng.randrange(40)])
    return asks(rng, packet(rng, some_bytes(rng, size)), padding)


class Bench:
    """Sends frames with other checksums, and compares what leaves."""

    def __init__(self, dut: Any, idle: Gaps = never, stall: Gaps = never) -> None:
        self.dut = dut
        self.edge = RisingEdge(dut.clk)
        self.noise = rng_of_test("noise")
        self.words = Source(Ports(dut), "s_axis", (*IN, *BESIDE), idle(rng_of_test("idle")))
        Sink(dut, "m_axis", IN, self._take, stall(rng_of_test("stall")))
        self.rules = [StreamRules(dut, "m_axis", IN)]
        self.wanted: list[Fields] = []
        self.clocks: list[int] = []  # of words that left

    def _take(self, word: Fields, clock: int) -> None:
        assert self.wanted, f"a word too many: {word}"
        want = self.wanted.pop(0)
        mask = sum(0xFF << 8 * n for n in range(16) if want["tkeep"] >> n & 1)
        assert word | {"tdata": word["tdata"] & mask} == want
        self.clocks.append(clock)

    def send(self, frame: Frame) -> None:
        """Queue a frame, with noise where its checksum is to be."""
        noise = self.noise
        data = bytearray(frame.data)
        beside = {"l4": noise.randrange(len(data)), "end": noise.getrandbits(14)}
        beside["pseudo"] = noise.getrandbits(17)
        if frame.tcp is not None:
            at = frame.tcp + CHECKSUM
            data[at : at + 2] = noise.choice([noise.randbytes(2), b"\0\0", b"\xff\xff"])
            beside = {"l4": frame.tcp, "end": frame.end, "pseudo": frame.pseudo}
        beside["asks"] = int(frame.tcp is not None)
        for at in range(0, len(data), 16):
            word, left = data[at : at + 16], frame.data[at : at + 16]
            about = {"tkeep": (1 << len(word)) - 1, "tlast": int(at + 16 >= len(data))}
            tail = noise.randbytes(16 - len(word))  # what is not of the frame counts for nothing
            self.words.send({"tdata": int.from_bytes(word + tail, "little"), **about, **beside})
            self.wanted.append({"tdata": int.from_bytes(left, "little"), **about})

    async def done(self) -> None:
        """Wait for all words, and whether more come."""
        left, waited = len(self.wanted), 0
        while self.wanted and waited < 3000:
            await self.edge
            waited = waited + 1 if len(self.wanted) == left else 0
            left = len(self.wanted)
        assert not self.wanted, f"{len(self.wanted)} words did not come"
        for _ in range(DELAY + 12):
            await self.edge
        for rule in self.rules:
            assert not rule.broken, rule.broken


# ---- tests ----
@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(idle=[never, often], stall=[never, often])
async def frames_have_their_checksums(dut: Any, idle: Gaps, stall: Gaps) -> None:
    """Of any kind, one after the other; others leave as they came."""
    bench = Bench(dut, idle, stall)
    rng = rng_of_test("frames")
    await start(dut)
    for _ in range(70):
        bench.send(some(rng))
    await bench.done()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def a_packet_may_end_anywhere(dut: Any) -> None:
    """At every byte of a word; what is behind it, and what is beside it, does not count."""
    bench = Bench(dut)
    rng = rng_of_test("ends")
    await start(dut)
    for size in range(34):
        for padding in (0, 1, rng.randrange(2, 40)):
            bench.send(asks(rng, packet(rng, rng.randbytes(size)), padding))
    await bench.done()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def a_sum_is_folded_until_no_carry_is_left(dut: Any) -> None:
    """Frames whose checksum is 0, or next to 0 from either side: their sums are all ones, or 1."""
    bench = Bench(dut)
    rng = rng_of_test("folds")
    await start(dut)
    for target in (0, 0xFFFE, 1, 0xFFFD, 2, 0x8000):
        for size in (2, 400, 1460):
            made = packet(rng, some_bytes(rng, size))
            payload = bytearray(made[Raw].load)
            has = type(made)(bytes(made))[TCP].chksum
            word = (int.from_bytes(payload[:2]) + has - target) % 0xFFFF
            made[Raw].load = word.to_bytes(2) + bytes(payload[2:])
            frame = asks(rng, made)
            assert frame.tcp is not None
            at = frame.tcp + CHECKSUM
            assert int.from_bytes(frame.data[at : at + 2]) == target
            bench.send(frame)
    await bench.done()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def a_frame_may_be_as_long_as_any(dut: Any) -> None:
    """9,600 bytes, all ones too."""
    bench = Bench(dut)
    rng = rng_of_test("long")
    await start(dut)
    for byte in (b"\xff", b"\0", None):
        made = packet(rng, b"")
        size = LONGEST - len(bytes(made))
        made[TCP].add_payload(Raw(byte * size if byte else rng.randbytes(size)))
        frame = asks(rng, made)
        assert len(frame.data) == LONGEST
        bench.send(frame)
        bench.send(some(rng))
    await bench.done()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def no_clock_is_lost(dut: Any) -> None:
    """A word a clock, in and out, from frame to frame; a frame leaves so long after its end."""
    bench = Bench(dut)
    rng = rng_of_test("rate")
    await start(dut)
    segments = [asks(rng, packet(rng, rng.randbytes(60))) for _ in range(12)]
    longest = max(len(frame.data) for frame in segments)
    same = [replaced(rng, frame, -(-longest // 16) * 16) for frame in segments]
    for frames in (same, [plain(rng, 1 + n % 16) for n in range(60)], [plain(rng, 17)] * 30):
        bench.words.when.clear()
        bench.clocks.clear()
        for frame in frames:
            bench.send(frame)
        await bench.done()
        for when in (bench.words.when, bench.clocks):
            assert all(b - a == 1 for a, b in pairwise(when)), when
        words = -(-len(frames[0].data) // 16)
        assert bench.clocks[0] - bench.words.when[words - 1] == DELAY


def replaced(rng: random.Random, frame: Frame, size: int) -> Frame:
    """The same with padding, so long."""
    data = frame.data + rng.randbytes(size - len(frame.data))
    return Frame(data, frame.tcp, frame.end, frame.pseudo)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def what_is_not_taken_is_held(dut: Any) -> None:
    """Frames, or words, until there is no room for more; then none is lost."""
    stalls = [True]
    bench = Bench(dut, never, stall=lambda _: iter(lambda: stalls[0], None))
    rng = rng_of_test("held")
    await start(dut)
    small = [some(rng) for _ in range(4)] + [plain(rng, 1 + n % 16) for n in range(40)]
    large = [plain(rng, rng.randint(LONGEST // 2, LONGEST)) for _ in range(7)]
    for frames, least in ((small, HELD), (large, WORDS // 2)):
        stalls[0] = True
        await bench.edge
        bench.words.when.clear()
        for frame in frames:
            bench.send(frame)
        for _ in range(WORDS + 200):
            await bench.edge
        assert len(bench.words.when) >= least
        assert bench.words.queue, "there was no room for all"
        stalls[0] = False
        await bench.done()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def reset_drops_the_frame(dut: Any) -> None:
    """At any clock of one, and while it leaves."""
    bench = Bench(dut, never, often)
    rng = rng_of_test("reset")
    await start(dut)
    for _ in range(30):
        for _ in range(3):
            bench.send(some(rng))
        for _ in range(rng.randrange(60)):
            await bench.edge
        dut.rst.value = 1
        bench.words.clear()
        await bench.edge
        bench.wanted.clear()
        dut.rst.value = 0
        await bench.edge
        for _ in range(2):
            bench.send(some(rng))
        await bench.done()


def test_tls_tx_checksum() -> None:
    simulate("tls_tx_checksum", __name__, {"ADDR_W": ADDR_W})
