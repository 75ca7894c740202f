"""model.parse against frames of scapy, and against docs/receive.md, 1, where they are broken."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any, Final

import pytest
from scapy.layers.inet import IP, TCP, UDP, IPOption_NOP, IPOption_RR
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.packet import Raw

from model.lookup import Flow
from model.parse import Segment, locate, parse, sums_up, tcp_checksum
from model.regs import IpVersion, RxPass

MAX_FRAME: Final = 9600


def ether(**fields: Any) -> Any:
    """An Ethernet header. With addresses: scapy would ask the network for those not given."""
    return Ether(dst="02:00:00:00:00:02", src="02:00:00:00:00:01", **fields)


TAGS: Final[dict[str, Callable[[], Any]]] = {
    "untagged": ether,
    "vlan": lambda: ether() / Dot1Q(vlan=5, prio=3),
    "s-tag": lambda: ether() / Dot1AD(vlan=0xFFF),
    "qinq": lambda: ether() / Dot1AD(vlan=5) / Dot1Q(vlan=6),
    "two vlans": lambda: ether() / Dot1Q(vlan=5) / Dot1Q(vlan=6),
}
V4: Final[dict[str, Any]] = {"src": "192.0.2.1", "dst": "198.51.100.7"}
V6: Final[dict[str, Any]] = {"src": "2001:db8::1", "dst": "2001:db8:1::ff"}
PACKETS: Final[dict[str, Callable[[], Any]]] = {
    "ipv4": lambda: IP(**V4),
    "ipv4 with options": lambda: IP(
        **V4, options=[IPOption_NOP(), IPOption_RR(routers=["0.0.0.0"])]
    ),
    "ipv4 with 40 bytes of options": lambda: IP(**V4, options=[IPOption_NOP()] * 40),
    "ipv4, DF and reserved bit": lambda: IP(**V4, flags="DF+evil", tos=0xFF, id=0xFFFF, ttl=0),
    "ipv6": lambda: IPv6(**V6),
    "ipv6, class and label": lambda: IPv6(**V6, tc=0xFF, fl=0xFFFFF, hlim=0),
    "ipv6, hop-by-hop": lambda: IPv6(**V6) / IPv6ExtHdrHopByHop(),
    "ipv6, options": lambda: IPv6(**V6) / IPv6ExtHdrDestOpt(),
    "ipv6, long options": lambda: (
        IPv6(**V6) / IPv6ExtHdrDestOpt(len=255, autopad=0, options=[]) / Raw(bytes(2046))
    ),
    "ipv6, routed": lambda: IPv6(**V6) / IPv6ExtHdrRouting(segleft=0, addresses=["2001:db8::7"]),
    "ipv6, all of them": lambda: (
        IPv6(**V6)
        / IPv6ExtHdrHopByHop()
        / IPv6ExtHdrDestOpt()
        / IPv6ExtHdrRouting(segleft=0, addresses=[])
        / IPv6ExtHdrDestOpt()
    ),
}
FLOWS: Final = {
    4: Flow(
        IpVersion.IPV4,
        bytes([198, 51, 100, 7]) + bytes(12),
        bytes([192, 0, 2, 1]) + bytes(12),
        443,
        50001,
    ),
    6: Flow(
        IpVersion.IPV6,
        bytes.fromhex("20010db80001000000000000000000ff"),
        bytes.fromhex("20010db8000000000000000000000001"),
        443,
        50001,
    ),
}


def naive_sum(data: bytes | bytearray) -> int:
    """One's complement sum of 16-bit words, as RFC 1071 has it."""
    total = 0
    for high, low in itertools.zip_longest(data[::2], data[1::2], fillvalue=0):
        total += high << 8 | low
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def mended(frame: bytes, ip: int, tcp: int, end: int) -> bytes:
    """The frame with the checksums that it must have when TCP and the packet's end are there."""
    out = bytearray(frame)
    is_v4 = out[ip] >> 4 == 4
    if is_v4:
        out[ip + 10 : ip + 12] = bytes(2)
        out[ip + 10 : ip + 12] = (0xFFFF - naive_sum(out[ip:tcp])).to_bytes(2)
    out[tcp + 16 : tcp + 18] = bytes(2)
    addresses = out[ip + 12 : ip + 20] if is_v4 else out[ip + 8 : ip + 40]
    pseudo = addresses + (6).to_bytes(4) + (end - tcp).to_bytes(4)
    out[tcp + 16 : tcp + 18] = (0xFFFF - naive_sum(pseudo + out[tcp:end])).to_bytes(2)
    return bytes(out)


def with_tcp(before: Any, payload: bytes = b"payload", **fields: Any) -> bytes:
    """A frame: these layers, TCP, payload. Checked by a sum of its own, not by scapy's."""
    fields = {"sport": 50001, "dport": 443, "seq": 0xFFFF_FFF0, "flags": "A", **fields}
    tcp = TCP(**fields) / Raw(payload)
    layers = before / tcp
    if Raw in before:  # scapy does not see TCP behind Raw
        ip = layers[IPv6]
        ip.plen = len(ip) - 40
        layers[IPv6ExtHdrDestOpt].nh = 6
        start = len(before)
        return mended(bytes(layers), start - len(before[IPv6]), start, len(layers))
    return bytes(layers)


def base(version: int, payload: bytes = b"payload", **fields: Any) -> bytes:
    """The simplest frame of an IP version."""
    return with_tcp(ether() / (IP(**V4) if version == 4 else IPv6(**V6)), payload, **fields)


# ---- frames that are right ----


@pytest.mark.parametrize("tags", TAGS)
@pytest.mark.parametrize("packet", PACKETS)
@pytest.mark.parametrize("payload", [b"", b"x", b"payload!" * 9])
@pytest.mark.parametrize("options", [[], [("NOP", None)], [("NOP", None)] * 40])
def test_good_frames(tags: str, packet: str, payload: bytes, options: list[Any]) -> None:
    before = TAGS[tags]() / PACKETS[packet]()
    frame = with_tcp(before, payload, options=options)
    offset = len(frame) - len(payload)
    flow = FLOWS[4 if "ipv4" in packet else 6]
    tcp = offset - 20 - (len(options) + 3) // 4 * 4
    want = Segment(flow, 0xFFFF_FFF0, 0x10, tcp, offset, len(payload))
    assert parse(frame, MAX_FRAME) == want
    for padding in (b"\0", b"\0" * 46, b"\xff" * 7):
        assert parse(frame + padding, MAX_FRAME) == want


@pytest.mark.parametrize("version", [4, 6])
def test_all_flags_are_told_and_none_is_judged(version: int) -> None:
    for flags in range(256):
        got = parse(base(version, flags=flags), MAX_FRAME)
        assert isinstance(got, Segment)
        assert got.flags == flags


@pytest.mark.parametrize("version", [4, 6])
def test_all_data_offsets(version: int) -> None:
    frame = base(version, bytes(range(48)))
    tcp = 34 if version == 4 else 54
    for offset in range(16):
        changed = bytearray(frame)
        changed[tcp + 12] = offset << 4 | changed[tcp + 12] & 0xF
        got = parse(mended(bytes(changed), 14, tcp, len(frame)), MAX_FRAME)
        if offset < 5:
            assert got is RxPass.BAD_LENGTH
        else:
            assert isinstance(got, Segment)
            assert (got.offset, got.length) == (tcp + 4 * offset, 20 + 48 - 4 * offset)
    for payload in range(44):  # the header with 60 bytes has more than there are
        changed = bytearray(base(version, bytes(payload)))
        changed[tcp + 12] = 0xF0
        got = parse(mended(bytes(changed), 14, tcp, len(changed)), MAX_FRAME)
        assert (got is RxPass.BAD_LENGTH) == (payload < 40)


@pytest.mark.parametrize("version", [4, 6])
def test_the_longest_frame(version: int) -> None:
    headers = len(base(version, b""))
    for n in (9599, 9600):
        got = parse(base(version, bytes(n - headers)), MAX_FRAME)
        assert isinstance(got, Segment)
        assert got.length == n - headers
    longer = base(version, bytes(9601 - headers))
    assert parse(longer, MAX_FRAME) is RxPass.BAD_LENGTH
    assert parse(bytes(9601), MAX_FRAME) is RxPass.BAD_LENGTH
    assert parse(bytes(9600), MAX_FRAME) is RxPass.NOT_TCP
    assert parse(base(version) + bytes(9601), 1 << 20) != RxPass.BAD_LENGTH


# ---- lengths ----


@pytest.mark.parametrize("tags", TAGS)
@pytest.mark.parametrize("packet", PACKETS)
def test_cut_at_every_byte(tags: str, packet: str) -> None:
    before = TAGS[tags]()
    frame = with_tcp(before / PACKETS[packet](), b"payload", options=[("NOP", None)] * 8)
    for n in range(len(frame)):
        want = RxPass.NOT_TCP if n < len(before) else RxPass.BAD_LENGTH
        assert parse(frame[:n], MAX_FRAME) is want, n
    whole = parse(frame, MAX_FRAME)
    for n in range(len(frame), len(frame) + 64):
        assert parse(frame.ljust(n, b"\xaa"), MAX_FRAME) == whole


@pytest.mark.parametrize("n", range(14))
def test_without_ethertype(n: int) -> None:
    assert parse(base(4)[:n], MAX_FRAME) is RxPass.NOT_TCP


@pytest.mark.parametrize("version", [4, 6])
def test_the_packet_may_end_before_the_frame_and_not_behind_it(version: int) -> None:
    frame = base(version, bytes(range(30)))
    ip, tcp = 14, 34 if version == 4 else 54
    field, before = (ip + 2, 0) if version == 4 else (ip + 4, 40)
    for length in [*range(len(frame) - ip + 20), 0x7FFF, 0x8000, 0xFFFF]:
        changed = bytearray(frame)
        changed[field : field + 2] = length.to_bytes(2)
        end = ip + before + length
        if not tcp + 20 <= end <= len(frame):
            assert parse(bytes(changed), MAX_FRAME) is RxPass.BAD_LENGTH
            continue
        got = parse(mended(bytes(changed), ip, tcp, end), MAX_FRAME)
        assert isinstance(got, Segment)
        assert (got.offset, got.length) == (tcp + 20, end - tcp - 20)
        if end < len(frame):  # what is summed ends there, too
            wrong = mended(bytes(changed), ip, tcp, len(frame))
            assert parse(wrong, MAX_FRAME) is RxPass.BAD_TCP_CSUM


def test_all_header_lengths_of_ipv4() -> None:
    for size in range(16):
        for n in (20, 40, 59, 60, 79, 80, 81, 100):
            packet = bytearray(bytes(IP(**V4, proto=6, len=n)).ljust(n, b"\0"))
            packet[0] = 0x40 | size
            tcp = 4 * size
            frame = bytes(ether(type=0x800)) + bytes(packet)
            if tcp + 20 > n:
                assert parse(frame, MAX_FRAME) is RxPass.BAD_LENGTH
                continue
            changed = bytearray(frame)
            changed[14 + tcp + 12] = 0x50
            if size == 4:  # all else is right
                frame = mended(bytes(changed), 14, 14 + tcp, len(frame))
            if size < 5:
                assert parse(frame, MAX_FRAME) is RxPass.BAD_LENGTH
                continue
            got = parse(mended(bytes(changed), 14, 14 + tcp, len(frame)), MAX_FRAME)
            assert isinstance(got, Segment), (size, n)
            assert (got.offset, got.length) == (14 + tcp + 20, n - tcp - 20)


def test_an_extension_header_must_have_its_first_8_bytes_in_the_frame() -> None:
    for kind in (0, 43, 60):
        for n in range(8):
            frame = bytes(ether() / IPv6(**V6, nh=kind, plen=n)) + bytes([6, 0, 0, 1, 0, 0, 0])[:n]
            assert parse(frame, MAX_FRAME) is RxPass.BAD_LENGTH
        # with these, the routing header is looked at; then TCP is looked for, behind the end
        frame = bytes(ether() / IPv6(**V6, nh=kind)) + bytes([6, 0, 0, 1, 0, 0, 0, 0])
        want = RxPass.NOT_TCP if kind == 43 else RxPass.BAD_LENGTH
        assert parse(frame, MAX_FRAME) is want
        # the second one is beyond the frame
        frame = bytes(ether() / IPv6(**V6, nh=kind)) + bytes([60, 2, 0, 0, 0, 0, 0, 0]) + bytes(23)
        assert parse(frame, MAX_FRAME) is RxPass.BAD_LENGTH


def test_extension_headers_are_followed_beyond_the_packets_own_end() -> None:
    for following, want in ((17, RxPass.NOT_TCP), (44, RxPass.FRAGMENT), (6, RxPass.BAD_LENGTH)):
        chain = bytes([60, *bytes(7)]) + bytes([following, *bytes(7)])
        frame = bytes(ether() / IPv6(**V6, nh=60, plen=0)) + chain + bytes(40)
        assert parse(frame, MAX_FRAME) is want


def test_a_frame_full_of_extension_headers() -> None:
    n = (MAX_FRAME - 14 - 40 - 21) // 8
    chain = b"".join(bytes([60 if i < n - 1 else 6, *bytes(7)]) for i in range(n))
    end = 54 + 8 * n + 21
    headers = bytes(ether() / IPv6(**V6, nh=60, plen=8 * n + 21))
    frame = headers + chain + bytes(TCP(sport=50001, dport=443)) + b"x"
    got = parse(mended(frame, 14, 54 + 8 * n, end), MAX_FRAME)
    assert got == Segment(FLOWS[6], 0, 2, end - 21, end - 1, 1)


# ---- what is not TCP, fragments ----


@pytest.mark.parametrize(
    "frame",
    [
        ether() / ARP(),
        ether() / IP(**V4) / UDP(),
        ether() / IPv6(**V6) / UDP(),
        ether() / IPv6(**V6, nh=59),
        ether() / IPv6(**V6, nh=51) / Raw(bytes(100)),
        ether() / IPv6(**V6, nh=50) / Raw(bytes(100)),
        ether() / IPv6(**V6) / IPv6ExtHdrHopByHop(nh=17) / Raw(bytes(100)),
        ether() / IPv6(**V6) / IPv6ExtHdrRouting(segleft=1, addresses=["2001:db8::7"]) / TCP(),
        ether() / Dot1Q() / Dot1Q() / Dot1Q() / IP(**V4) / TCP(),
        ether() / Dot1AD() / Dot1Q() / Dot1AD() / IPv6(**V6) / TCP(),
        ether(type=0x88A8),
        ether(type=0x8100) / Raw(b"\0\0\x08"),
        ether(type=0x9100) / Raw(bytes(2) + b"\x08\x00") / IP(**V4) / TCP(),
        ether(type=0x0800) / IPv6(**V6) / TCP(),
        ether(type=0x86DD) / IP(**V4) / TCP() / Raw(bytes(40)),
        ether(type=0x0026) / IP(**V4) / TCP(),  # 802.3, with a length
    ],
    ids=lambda frame: frame.summary()[:60],
)
def test_not_tcp(frame: Any) -> None:
    assert parse(bytes(frame), MAX_FRAME) is RxPass.NOT_TCP


@pytest.mark.parametrize("version", range(16))
def test_every_ip_version(version: int) -> None:
    for right in (4, 6):
        frame = bytearray(base(right))
        frame[14] = version << 4 | frame[14] & 0xF
        got = parse(bytes(frame), MAX_FRAME)
        assert isinstance(got, Segment) if version == right else got is RxPass.NOT_TCP


def test_every_protocol() -> None:
    for protocol in range(256):
        for version in (4, 6):
            frame = bytearray(base(version, bytes(8 * 256)))
            frame[23 if version == 4 else 20] = protocol
            got = parse(bytes(frame), MAX_FRAME)
            if protocol == 6:
                assert isinstance(got, Segment)
            elif version == 6 and protocol == 44:
                assert got is RxPass.FRAGMENT
            elif version == 4 or protocol not in (0, 43, 60):
                assert got is RxPass.NOT_TCP


@pytest.mark.parametrize("field", [*range(1, 0x2000, 0x3F1), 0x2000, 0x2001, 0x3FFF, 0xFFFF])
def test_ipv4_fragments(field: int) -> None:
    for field_ in {field, field | 0x4000, field | 0x8000}:
        frame = bytearray(base(4))
        frame[20:22] = field_.to_bytes(2)
        assert parse(mended(bytes(frame), 14, 34, len(frame)), MAX_FRAME) is RxPass.FRAGMENT


def test_ipv6_fragments() -> None:
    for before in (IPv6(**V6), IPv6(**V6) / IPv6ExtHdrHopByHop()):
        for offset, more in ((0, 0), (0, 1), (5, 0)):
            frame = with_tcp(ether() / before / IPv6ExtHdrFragment(offset=offset, m=more))
            headers = len(ether() / before)
            for n in range(headers, len(frame) + 1):  # nothing of it needs to be there
                assert parse(frame[:n], MAX_FRAME) is RxPass.FRAGMENT


@pytest.mark.parametrize("left", range(256))
def test_segments_left(left: int) -> None:
    routing = IPv6ExtHdrRouting(segleft=left, addresses=["2001:db8::7"])
    frame = with_tcp(ether() / IPv6(**V6) / routing)
    frame = mended(frame, 14, 14 + 40 + 24, len(frame))  # to the header's destination
    got = parse(frame, MAX_FRAME)
    assert isinstance(got, Segment) if left == 0 else got is RxPass.NOT_TCP


# ---- checksums ----


def test_each_bit_of_ipv4_headers_counts() -> None:
    for frame in (base(4), with_tcp(ether() / PACKETS["ipv4 with options"]())):
        header = 4 * (frame[14] & 0xF)
        judged_before = {14, 16, 17, 23}  # version and length, total length, protocol
        for at in range(14, 14 + header):
            for bit in range(8):
                if at in judged_before or (at in (20, 21) and 1 << bit != (at == 20) * 0x80):
                    continue
                changed = bytearray(frame)
                changed[at] ^= 1 << bit
                assert parse(bytes(changed), MAX_FRAME) is RxPass.BAD_IP_CSUM, (at, bit)


@pytest.mark.parametrize("packet", PACKETS)
@pytest.mark.parametrize("payload", [b"", b"x", b"pay", b"payload!"])
def test_each_bit_of_tcp_counts(packet: str, payload: bytes) -> None:
    frame = with_tcp(ether() / PACKETS[packet](), payload)
    tcp = len(frame) - len(payload) - 20
    ip6_addresses = range(22, 54) if "ipv6" in packet else range(0)
    for at in (*ip6_addresses, *range(tcp, len(frame))):
        for bit in range(8):
            changed = bytearray(frame)
            changed[at] ^= 1 << bit
            got = parse(bytes(changed), MAX_FRAME)
            if at == tcp + 12 and bit >= 4:
                assert got in (RxPass.BAD_LENGTH, RxPass.BAD_TCP_CSUM)
            else:
                assert got is RxPass.BAD_TCP_CSUM, (at, bit)
    padded = bytearray(frame + bytes(8))
    padded[-8] = 1  # is not of it
    assert isinstance(parse(bytes(padded), MAX_FRAME), Segment)


@pytest.mark.parametrize("version", [4, 6])
def test_both_zeros_are_good_checksums(version: int) -> None:
    tcp = 34 if version == 4 else 54
    frame = bytearray(base(version, bytes(2)))
    # a payload that makes up for the checksum: then 0 is right, and 0xFFFF is the other zero
    frame[-2:], frame[tcp + 16 : tcp + 18] = frame[tcp + 16 : tcp + 18], bytes(2)
    assert isinstance(parse(bytes(frame), MAX_FRAME), Segment)
    frame[tcp + 16 : tcp + 18] = b"\xff\xff"
    assert isinstance(parse(bytes(frame), MAX_FRAME), Segment)
    frame[tcp + 16 : tcp + 18] = b"\xff\xfe"
    assert parse(bytes(frame), MAX_FRAME) is RxPass.BAD_TCP_CSUM


def test_sums_against_rfc_1071() -> None:
    rng = random.Random(3)
    for n in range(1, 300):
        data = bytearray(rng.randbytes(n))
        data[0] |= 1
        assert sums_up(bytes(data)) == (naive_sum(data) == 0xFFFF)
        sum_ = naive_sum(data + bytes(n % 2))
        closed = data + bytes(n % 2) + (0xFFFF - sum_).to_bytes(2)
        assert sums_up(bytes(closed))
        assert naive_sum(closed) == 0xFFFF
        closed[rng.randrange(len(closed))] ^= 1 << rng.randrange(8)
        assert not sums_up(bytes(closed))


# ---- without the last check ----


@pytest.mark.parametrize("packet", PACKETS)
@pytest.mark.parametrize("payload", [b"", b"x", b"pay", b"payload!"])
def test_the_checksum_that_a_segment_must_have(packet: str, payload: bytes) -> None:
    frame = with_tcp(ether() / PACKETS[packet](), payload)
    tcp = len(frame) - len(payload) - 20
    whole = parse(frame, MAX_FRAME)
    for has in (b"\0\0", b"\xff\xff", b"\x12\x34", frame[tcp + 16 : tcp + 18]):
        for padding in (b"", b"\xaa", b"\xaa" * 8):
            changed = frame[: tcp + 16] + has + frame[tcp + 18 :] + padding
            segment = locate(changed, MAX_FRAME)
            assert segment == whole
            assert isinstance(segment, Segment)
            assert tcp_checksum(changed, segment) == frame[tcp + 16 : tcp + 18]


@pytest.mark.parametrize("defects", ["ipv4", "ipv6"])
def test_all_other_checks_are_made(defects: str) -> None:
    is_v4 = defects == "ipv4"
    good = base(4) if is_v4 else with_tcp(ether() / PACKETS["ipv6, hop-by-hop"]())
    for reason, change in IPV4_DEFECTS if is_v4 else IPV6_DEFECTS:
        frame = bytearray(good)
        change(frame)
        got = locate(bytes(frame), MAX_FRAME)
        assert isinstance(got, Segment) if reason is RxPass.BAD_TCP_CSUM else got is reason


# ---- which comes first ----

Defect = tuple[RxPass, Callable[[bytearray], None]]


def put(at: int, value: bytes | int) -> Callable[[bytearray], None]:
    """Write there, as far as the frame goes."""
    data = bytes([value]) if isinstance(value, int) else value

    def change(frame: bytearray) -> None:
        frame[at : at + len(data)] = data[: max(0, len(frame) - at)]

    return change


def cut(n: int) -> Callable[[bytearray], None]:
    """Shorten."""

    def change(frame: bytearray) -> None:
        del frame[n:]

    return change


# In the order of the checks.
IPV4_DEFECTS: Final[tuple[Defect, ...]] = (
    (RxPass.NOT_TCP, put(12, b"\x08\x06")),
    (RxPass.BAD_LENGTH, cut(33)),
    (RxPass.NOT_TCP, put(14, 0x65)),
    (RxPass.NOT_TCP, put(23, 17)),
    (RxPass.FRAGMENT, put(20, 0x20)),
    (RxPass.BAD_LENGTH, lambda frame: put(14, frame[14] & 0xF0 | 4)(frame)),
    (RxPass.BAD_LENGTH, put(16, 0xFF)),
    (RxPass.BAD_LENGTH, put(46, 0x40)),
    (RxPass.BAD_IP_CSUM, put(24, b"\x12\x34")),
    (RxPass.BAD_TCP_CSUM, put(50, b"\x12\x34")),
)
# Behind a hop-by-hop header at 54, whose length byte tells where TCP is.
IPV6_DEFECTS: Final[tuple[Defect, ...]] = (
    (RxPass.NOT_TCP, put(12, b"\x08\x06")),
    (RxPass.BAD_LENGTH, cut(53)),
    (RxPass.NOT_TCP, put(14, 0x40)),
    (RxPass.BAD_LENGTH, cut(61)),
    (RxPass.NOT_TCP, lambda frame: (put(20, 43)(frame), put(57, 1)(frame), None)[2]),
    (RxPass.FRAGMENT, put(54, 44)),
    (RxPass.BAD_LENGTH, put(18, 0xFF)),
    (RxPass.BAD_LENGTH, put(74, 0x40)),
    (RxPass.BAD_TCP_CSUM, put(78, b"\x12\x34")),
)


@pytest.mark.parametrize("defects", [IPV4_DEFECTS, IPV6_DEFECTS], ids=["ipv4", "ipv6"])
def test_the_first_check_that_fails_is_the_reason(defects: tuple[Defect, ...]) -> None:
    good = base(4) if defects is IPV4_DEFECTS else with_tcp(ether() / PACKETS["ipv6, hop-by-hop"]())
    assert isinstance(parse(good, MAX_FRAME), Segment)
    for a in range(len(defects)):
        for b in range(a, len(defects)):
            frame = bytearray(good)
            for n in {a, b}:
                defects[n][1](frame)
            assert parse(bytes(frame), MAX_FRAME) is defects[a][0], (a, b)


def test_any_bytes_have_an_answer() -> None:
    rng = random.Random(5)
    good = [with_tcp(tags() / packet()) for tags in TAGS.values() for packet in PACKETS.values()]
    seen = set()
    for _ in range(20_000):
        frame = bytearray(rng.choice(good))
        for _ in range(rng.randrange(4)):
            frame[rng.randrange(min(80, len(frame)))] = rng.randrange(256)
        got = parse(bytes(frame[: rng.choice([len(frame), rng.randrange(len(frame))])]), MAX_FRAME)
        seen.add(type(got) if isinstance(got, Segment) else got)
    assert seen == {
        Segment,
        RxPass.NOT_TCP,
        RxPass.FRAGMENT,
        RxPass.BAD_LENGTH,
        RxPass.BAD_IP_CSUM,
        RxPass.BAD_TCP_CSUM,
    }
