"""tls_parse against model.parse: frames of scapy, frames with lies in them, and their pieces.

The model's `parse` says what a frame is; the words of frames come at any pace, with noise beside
them: in idle clocks, and in the bytes of a last word that are none of the frame.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import cocotb
import pytest
from cocotb.triggers import ClockCycles, RisingEdge
from scapy.layers.inet import IP, TCP, IPOption_NOP, IPOption_RR
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.packet import Raw

from cocotb_tests.harness import simulate
from cocotb_tests.streams import Gaps, never, often, rng_of_test, start
from model.parse import RST, SYN, Segment, locate, parse
from model.parse import TCP as TCP_PROTOCOL
from model.regs import IpVersion, RxPass

ADDR_W = 11
APART = 5  # clocks from the end of a frame to that of the next, at least
DELAY = 8  # clocks from a frame's last word to its result, at most
FIELDS = (
    "is_v6", "dst_addr", "src_addr", "dst_port", "src_port",
    "seq", "opens", "offset", "bytes", "l4", "pseudo",
)  # fmt: skip
BAD = {
    RxPass.NOT_TCP, RxPass.FRAGMENT, RxPass.BAD_LENGTH, RxPass.BAD_IP_CSUM, RxPass.BAD_TCP_CSUM,
}  # fmt: skip
Result = dict[str, int]


def expected(frame: bytes, addr: int, max_frame: int, *, enable: bool) -> Result:
    """What comes out for a frame; those of FIELDS if nothing but a TCP checksum is bad."""
    segment = parse(frame, max_frame) if enable else RxPass.DISABLED
    words = 0 if len(frame) > max_frame else -(-len(frame) // 16)
    result = {"addr": addr, "words": words, "reason": int(RxPass.NONE)}
    if not isinstance(segment, Segment):
        result["reason"] = int(segment)
        if segment is not RxPass.BAD_TCP_CSUM:
            return result
        segment = locate(frame, max_frame)
        assert isinstance(segment, Segment)
    flow = segment.flow
    bytes_of_tcp = segment.offset + segment.length - segment.tcp
    addresses = flow.local_addr + flow.remote_addr
    pseudo = addresses + TCP_PROTOCOL.to_bytes(2) + bytes_of_tcp.to_bytes(2)
    return result | {
        "is_v6": int(flow.ip_version == IpVersion.IPV6),
        "dst_addr": int.from_bytes(flow.local_addr, "little"),
        "src_addr": int.from_bytes(flow.remote_addr, "little"),
        "dst_port": flow.local_port,
        "src_port": flow.remote_port,
        "seq": segment.seq,
        "opens": int(bool(segment.flags & (SYN | RST))),
        "offset": segment.offset,
        "bytes": segment.length,
        "l4": segment.tcp,
        "pseudo": (checksum(pseudo) ^ 0xFFFF) % 0xFFFF,  # with carries brought round or not
    }


class Bench:
    """Sends frames, and compares each result with what is expected of the frame."""

    def __init__(self, dut: Any, idle: Gaps = never) -> None:
        self.dut = dut
        self.max_frame = int(os.environ["MAX_FRAME"])
        self.gaps: Iterator[bool] = idle(rng_of_test("idle"))
        self.rng = rng_of_test("noise")
        self.edge = RisingEdge(dut.clk)
        self.clock = 0
        self.ends = -APART
        self.addr = 0
        self.enable = True
        self.sent: list[tuple[bytes, Result]] = []  # without result
        self.results = 0
        self.reasons: dict[RxPass, int] = {}
        dut.enable.value = 1
        self._idle()
        cocotb.start_soon(self._watch())

    def _idle(self) -> None:
        """Nothing comes, and there is noise beside it."""
        self.dut.s_valid.value = 0
        self.dut.s_last.value = self.rng.getrandbits(1)
        self.dut.s_data.value = self.rng.getrandbits(128)
        self.dut.s_keep.value = self.rng.getrandbits(16)
        self.dut.s_addr.value = self.rng.getrandbits(ADDR_W)

    async def wait(self) -> None:
        """A clock without a word."""
        self._idle()
        await self.edge
        self.clock += 1

    async def send(self, frame: bytes, words: int | None = None) -> None:
        """Send a frame; or its first words, and no more."""
        dut = self.dut
        count = -(-len(frame) // 16)
        while self.clock + count < self.ends + APART:
            await self.wait()
        for n in range(count if words is None else words):
            while next(self.gaps):
                await self.wait()
            word = frame[16 * n : 16 * n + 16]
            noise = self.rng.getrandbits(128) >> 8 * len(word) << 8 * len(word)
            dut.s_valid.value = 1
            dut.s_data.value = int.from_bytes(word, "little") | noise
            dut.s_keep.value = (1 << len(word)) - 1
            dut.s_last.value = int(n == count - 1)
            dut.s_addr.value = (self.addr + n) % (1 << ADDR_W)
            # a frame that is too long has its result before its end
            if n == min(count - 1, self.max_frame // 16):
                result = expected(frame, self.addr, self.max_frame, enable=self.enable)
                self.sent.append((frame, result))
            await self.edge
            self.clock += 1
        self.ends = self.clock
        self.addr = (self.addr + count) % (1 << ADDR_W)
        self._idle()

    async def done(self) -> None:
        """Wait for the results of what was sent, and whether more come."""
        for _ in range(DELAY + 8):
            await self.wait()
        assert not self.sent, f"no result for {self.sent[0][0].hex()}"

    async def _watch(self) -> None:
        dut = self.dut
        waited = 0
        while True:
            await self.edge
            waited = waited + 1 if self.sent else 0
            if dut.rst.value != 0 or dut.m_valid.value != 1:
                assert waited <= DELAY + 1, f"no result for {self.sent[0][0].hex()}"
                continue
            assert self.sent, "a result without a frame"
            waited = 0
            frame, result = self.sent.pop(0)
            got = {name: int(getattr(dut, f"m_{name}").value) for name in result}
            if "pseudo" in got:
                got["pseudo"] %= 0xFFFF
            assert got == result, f"{frame.hex()}: {differ(got, result)}"
            self.results += 1
            reason = RxPass(result["reason"])
            self.reasons[reason] = self.reasons.get(reason, 0) + 1


def differ(got: Result, result: Result) -> str:
    """Where two results differ."""
    return ", ".join(
        f"{name} {got[name]:#x} not {result[name]:#x}"
        for name in result
        if got[name] != result[name]
    )


# ---- frames ----
def checksum(data: bytes) -> int:
    """RFC 1071, word by word."""
    data += bytes(len(data) % 2)
    total = sum(data[n] << 8 | data[n + 1] for n in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def some_bytes(rng: random.Random, count: int) -> bytes:
    """Random ones; or all ones or zeros, for the carries of sums."""
    kind = rng.random()
    if kind < 0.1:
        return b"\xff" * count
    return bytes(count) if kind < 0.2 else rng.randbytes(count)


def tagged(rng: random.Random, ethertype: bytes) -> bytes:
    """An Ethernet header with no tag, one, two or (too many) three; sometimes another type."""
    tags = b""
    for _ in range(rng.choices([0, 1, 2, 3], [8, 4, 4, 1])[0]):
        tags += rng.choice([b"\x81\x00", b"\x88\xa8"]) + rng.randbytes(2)
    if rng.random() < 0.05:
        ethertype = rng.choice([b"\x08\x06", b"\x08\x01", b"\x86\x00", b"\x81\x00", b"\x91\x00"])
    return rng.randbytes(12) + tags + ethertype


def tcp_segment(rng: random.Random, room: int) -> bytes:
    """A TCP header and payload, without checksum."""
    words = rng.choices([5, 6, 8, 15, rng.randrange(16)], [8, 2, 2, 1, 1])[0]
    flags = rng.choice([0x10, 0x18, 0x11, 0x02, 0x04, 0xE8, rng.randrange(256)])
    fixed = some_bytes(rng, 12) + bytes([words << 4 | rng.randrange(16), flags])
    fixed += some_bytes(rng, 2) + bytes(2) + some_bytes(rng, 2)
    options = some_bytes(rng, max(4 * words - 20, 0))
    return fixed + options + some_bytes(rng, rng.choice([0, 1, 2, 3, rng.randint(0, max(room, 0))]))


def extension(rng: random.Random, following: int, kind: int) -> bytes:
    """A header of IPv6's chain."""
    size = rng.choice([0, 0, 0, 1, 2])
    left = 0 if kind == 43 and rng.random() < 0.9 else rng.randrange(256)
    rest = bytes([rng.randrange(256), left]) + rng.randbytes(4 + 8 * size)
    return bytes([following, size]) + rest


def craft(rng: random.Random, room: int) -> bytes:
    """A frame with or without lies; most have right checksums over what they claim."""
    v6 = rng.random() < 0.55
    segment = bytearray(tcp_segment(rng, rng.randint(0, room)))
    if v6:
        kinds = [rng.choice([0, 43, 60]) for _ in range(rng.choice([0, 0, 1, 2, 3, 4]))]
        final = 6 if rng.random() < 0.9 else rng.choice([44, 17, 58, 59, 50, 51, 135])
        chain = b""
        for place, kind in reversed(list(enumerate(kinds))):
            after = kinds[place + 1] if place + 1 < len(kinds) else final
            chain = extension(rng, after, kind) + chain
        length = len(chain) + len(segment)
        head = bytearray(
            bytes([0x60 | rng.randrange(16)])
            + rng.randbytes(3)
            + length.to_bytes(2)
            + bytes([kinds[0] if kinds else final, rng.randrange(256)])
            + some_bytes(rng, 32)
        )
        base, head = 40, head + chain
        tcp = len(head)
    else:
        words = rng.choices([5, 6, 7, 8, 15], [8, 2, 1, 1, 1])[0]
        length = 4 * words + len(segment)
        head = bytearray(
            bytes([0x40 | words, rng.randrange(256)])
            + length.to_bytes(2)
            + rng.randbytes(2)
            + rng.choice([b"\0\0", b"\x40\0", b"\x80\0", b"\xc0\0"])
            + bytes([rng.randrange(256), 6, 0, 0])
            + some_bytes(rng, 8)
            + some_bytes(rng, 4 * words - 20)
        )
        base, tcp = 0, len(head)
    frame = bytearray(tagged(rng, b"\x86\xdd" if v6 else b"\x08\0"))
    ip = len(frame)
    frame += head + segment
    lies(rng, frame, ip, v6=v6)
    if rng.random() < 0.3:
        frame += rng.randbytes(rng.choice([1, 2, 6, 18, rng.randint(0, 40)]))
    # the sums of what it claims to be
    at = 4 if v6 else 2
    end = min(ip + base + int.from_bytes(frame[ip + at : ip + at + 2]), len(frame))
    if not v6:
        header = 4 * (frame[ip] & 15)
        frame[ip + 10 : ip + 12] = checksum(bytes(frame[ip : ip + header])).to_bytes(2)
        tcp = header if frame[ip] & 15 >= 5 else tcp
    tcp += ip
    if tcp + 18 <= end:
        addresses = frame[ip + 8 : ip + 40] if v6 else frame[ip + 12 : ip + 20]
        pseudo = bytes(addresses) + b"\0\6" + (end - tcp).to_bytes(2)
        frame[tcp + 16 : tcp + 18] = bytes(2)
        frame[tcp + 16 : tcp + 18] = checksum(pseudo + bytes(frame[tcp:end])).to_bytes(2)
    damage = rng.random()
    if damage < 0.06:  # one bit anywhere
        frame[rng.randrange(len(frame))] ^= 1 << rng.randrange(8)
    elif damage < 0.10:
        frame[rng.randrange(ip, len(frame))] = rng.randrange(256)
    elif damage < 0.18 and not v6:  # of the header
        frame[ip + rng.choice([1, 4, 5, 8, 10, 11, 12, 19])] ^= 1 << rng.randrange(8)
    elif damage < 0.21:
        del frame[rng.randrange(1, len(frame)) :]
    return bytes(frame)


def lies(rng: random.Random, frame: bytearray, ip: int, *, v6: bool) -> None:
    """Lengths and kinds that are not so, before the checksums are made."""
    lie = rng.random()
    at = ip + (4 if v6 else 2)
    if lie < 0.12:
        length = int.from_bytes(frame[at : at + 2])
        other = [length - 1, length + 1, length - rng.randint(0, 60), length + rng.randint(0, 60)]
        wild = [rng.randrange(1 << 16), 0xFFFF, 0, length | 0x4000, length | 0x8000]
        frame[at : at + 2] = (rng.choice([*other, *wild]) % (1 << 16)).to_bytes(2)
    elif lie < 0.15:
        frame[ip] = rng.randrange(16) << 4 | frame[ip] & 15
    elif lie < 0.19:
        frame[ip] = frame[ip] & 0xF0 | rng.randrange(16)
    elif lie < 0.23 and not v6:
        field = rng.choice([0x2000, 1 << rng.randrange(16), rng.randrange(1 << 16)])
        frame[ip + 6 : ip + 8] = field.to_bytes(2)
    elif lie < 0.25:
        frame[ip + (6 if v6 else 9)] = rng.choice([0, 6, 17, 43, 44, 60, rng.randrange(256)])


V4: dict[str, Any] = {"src": "192.0.2.1", "dst": "198.51.100.7"}
V6: dict[str, Any] = {"src": "2001:db8::1", "dst": "2001:db8:1::ff"}


def built(rng: random.Random) -> list[bytes]:
    """Frames of scapy: every way to be tagged with every kind of packet, and what is no TCP."""

    def ether() -> Any:
        return Ether(dst="02:00:00:00:00:02", src="02:00:00:00:00:01")

    ways: list[Callable[[], Any]] = [
        ether,
        lambda: ether() / Dot1Q(vlan=5, prio=3),
        lambda: ether() / Dot1AD(vlan=0xFFF),
        lambda: ether() / Dot1AD(vlan=5) / Dot1Q(vlan=6),
    ]
    options: Any = IPv6ExtHdrDestOpt()
    kinds: list[Callable[[], Any]] = [
        lambda: IP(**V4),
        lambda: IP(**V4, options=[IPOption_NOP(), IPOption_RR(routers=["0.0.0.0"])]),
        lambda: IP(**V4, flags="DF+evil", tos=0xFF, id=0xFFFF, ttl=0),
        lambda: IP(**V4, flags="MF"),
        lambda: IP(**V4, frag=0x1FFF),
        lambda: IPv6(**V6),
        lambda: IPv6(**V6) / IPv6ExtHdrHopByHop(),
        lambda: IPv6(**V6) / IPv6ExtHdrHopByHop() / options,
        lambda: IPv6(**V6) / options / options / options,
        lambda: IPv6(**V6) / IPv6ExtHdrRouting(segleft=0, addresses=["2001:db8::7"]),
        lambda: IPv6(**V6) / IPv6ExtHdrRouting(segleft=1, addresses=["2001:db8::7"]),
        lambda: IPv6(**V6) / options / IPv6ExtHdrFragment(),
        lambda: IPv6(**V6) / IPv6ExtHdrFragment(m=1) / options,
    ]
    frames = []
    for way in ways:
        for kind in kinds:
            tcp = TCP(
                sport=rng.randrange(1 << 16), dport=rng.randrange(1 << 16),
                seq=rng.getrandbits(32), flags=rng.choice(["A", "PA", "S", "R", "FA", "SA"]),
                options=rng.choice([[], [("Timestamp", (1, 2))], [("NOP", None)] * 4]),
            )  # fmt: skip
            payload = Raw(rng.randbytes(rng.randint(0, 20)))
            frames.append(bytes(way() / kind() / tcp / payload))
        frames.append(
            bytes(way() / ARP(psrc="192.0.2.1", pdst="192.0.2.2", hwsrc="02:00:00:00:00:01"))
        )
    return frames


# ---- tests ----
@cocotb.test(timeout_time=10, timeout_unit="ms")
@cocotb.parametrize(idle=[never, often])
async def frames_are_what_the_model_says(dut: Any, idle: Gaps) -> None:
    """Crafted ones, at full rate too; so many that every reason comes up, and enough are good."""
    bench = Bench(dut, idle)
    rng = rng_of_test("frames")
    await start(dut)
    least = int(os.environ["FRAMES"])

    def enough() -> bool:
        good = bench.reasons.get(RxPass.NONE, 0) >= least // 4
        return bench.results >= least and good and (least < 300 or bench.reasons.keys() >= BAD)

    while not enough():
        room = rng.choice([8, 30, 30, 70, 70, bench.max_frame - 60])
        await bench.send(craft(rng, min(room, 1500 if rng.random() < 0.9 else 1 << 16)))
    await bench.done()


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def frames_of_scapy(dut: Any) -> None:
    bench = Bench(dut, often)
    await start(dut)
    for frame in built(rng_of_test("scapy")):
        await bench.send(frame)
    await bench.done()
    assert bench.reasons[RxPass.NONE] >= 4 * 7


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def a_frame_may_end_at_any_byte(dut: Any) -> None:
    """Cut there; and padded, which changes nothing."""
    bench = Bench(dut)
    rng = rng_of_test("cut")
    await start(dut)
    for frame in rng.sample([f for f in built(rng) if isinstance(parse(f, 9600), Segment)], 2):
        for size in range(1, len(frame)):
            await bench.send(frame[:size])
        for padding in range(20):
            await bench.send(frame + rng.randbytes(padding))
    await bench.done()


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def a_byte_may_have_any_value(dut: Any) -> None:
    """Every byte of a frame's headers, one after the other, another value."""
    bench = Bench(dut)
    rng = rng_of_test("bytes")
    await start(dut)
    for frame in rng.sample(built(rng), 3):
        for place in range(12, len(frame)):
            other = bytearray(frame)
            other[place] = rng.choice(
                [0, 6, 43, 44, 60, 0xFF, other[place] ^ 1, rng.randrange(256)]
            )
            await bench.send(bytes(other))
    await bench.done()


@cocotb.test(timeout_time=10, timeout_unit="ms")
@cocotb.parametrize(idle=[never, often])
async def a_frame_may_be_too_long(dut: Any, idle: Gaps) -> None:
    """By a byte, or by many words; the result comes at once, once; what follows is not harmed."""
    bench = Bench(dut, idle)
    rng = rng_of_test("long")
    await start(dut)
    most = bench.max_frame
    sizes = [most, most + 1, most - 1, most + 16, most + 17, most - 16, most + 1000]
    for _ in range(3 if most < 1000 else 1):
        for size in rng.sample(sizes, len(sizes)):
            frame = bytearray(rng.randbytes(12) + b"\x08\0\x45\0")
            frame += (size - 14).to_bytes(2) + bytes(5) + b"\6\0\0" + rng.randbytes(20)
            frame += b"\x50\x10" + rng.randbytes(size)
            del frame[size:]
            frame[24:26] = checksum(bytes(frame[14:34])).to_bytes(2)
            frame[50:52] = bytes(2)
            pseudo = bytes(frame[26:34]) + b"\0\6" + (size - 34).to_bytes(2)
            frame[50:52] = checksum(pseudo + bytes(frame[34:])).to_bytes(2)
            await bench.send(bytes(frame))
            await bench.send(craft(rng, 30)[:most])
    await bench.done()
    assert bench.reasons[RxPass.NONE] >= 3  # those that are not too long


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def it_counts_to_64_k(dut: Any) -> None:
    """Sums of one's complement where they are all ones, and one less or more."""
    bench = Bench(dut)
    rng = rng_of_test("sums")
    await start(dut)
    fill = [b"\xff" * 40, bytes(40), b"\xff\xfe" * 20, b"\0\1" * 20]
    for data in fill:
        for _ in range(8):
            raw = bytearray(bytes(Ether() / IP(**V4) / TCP() / Raw(data)))
            step = rng.choice([0, 0, 1, -1])
            value = (int.from_bytes(raw[50:52]) + step) % (1 << 16)
            raw[50:52] = value.to_bytes(2)
            await bench.send(bytes(raw))
    await bench.done()


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def disabled_says_so_first(dut: Any) -> None:
    """Of whatever frame; its words are still counted."""
    bench = Bench(dut)
    rng = rng_of_test("disabled")
    await start(dut)
    for enable in rng.sample([True, False], counts=[15, 15], k=30):
        bench.enable = enable
        dut.enable.value = int(bench.enable)
        await bench.send(craft(rng, rng.choice([10, 200])))
        await bench.done()
    assert bench.reasons[RxPass.DISABLED] == 15


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def reset_forgets_the_frame(dut: Any) -> None:
    """At any word of one, and clocks after its end: no result comes of it."""
    bench = Bench(dut)
    rng = rng_of_test("reset")
    await start(dut)
    for _ in range(30):
        frame = craft(rng, 60)
        if bench.max_frame < 1000 and rng.random() < 0.5:
            frame += bytes(bench.max_frame)
        await bench.send(frame, words=rng.randint(1, -(-len(frame) // 16)))
        for _ in range(rng.randrange(6)):
            await bench.wait()
        dut.rst.value = 1
        await bench.wait()
        bench.sent.clear()
        dut.rst.value = 0
        await bench.wait()
        for _ in range(2):
            await bench.send(craft(rng, 60)[: bench.max_frame])
        await bench.done()
    await ClockCycles(dut.clk, 20)


PARAMETERS = {"ADDR_W": ADDR_W}


@pytest.mark.parametrize(("max_frame", "frames"), [(160, 300), (9600, 60)])
def test_tls_parse(max_frame: int, frames: int) -> None:
    env = {"MAX_FRAME": str(max_frame), "FRAMES": str(frames)}
    simulate("tls_parse", __name__, {"MAX_FRAME": max_frame, **PARAMETERS}, env=env)


@pytest.mark.regress
@pytest.mark.parametrize("max_frame", [160, 9600])
def test_tls_parse_long(max_frame: int) -> None:
    env = {"MAX_FRAME": str(max_frame), "FRAMES": "5000"}
    parameters = {"MAX_FRAME": max_frame, **PARAMETERS}
    simulate("tls_parse", __name__, parameters, env=env)
