"""Frames as the host reads them, with scapy as the second opinion."""

from dataclasses import replace

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.packet import Packet as Scapy
from scapy.packet import Raw

from host.packet import ACK, FIN, Flow, endpoint, parse, summed, unsummed, with_payload
from host.tests.wire import Tcp, checksum

SEGMENT = TCP(
    sport=1234, dport=443, seq=0x89ABCDEF, ack=0x1234ABCD, flags="FA", options=[("NOP", None)] * 4
)
V4 = IP(src="10.0.0.1", dst="10.0.0.2")
V6 = IPv6(src="fd00::1", dst="fd00::2")


@pytest.mark.parametrize(
    "under",
    [
        Ether() / V4,
        Ether() / Dot1Q(vlan=5) / V4,
        Ether() / Dot1AD(vlan=5) / Dot1Q(vlan=6) / V6,
        Ether() / IP(src="10.0.0.1", dst="10.0.0.2", options=b"\x01\x01\x01\x01"),
        Ether() / V6,
        Ether() / V6 / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / IPv6ExtHdrRouting(segleft=0),
    ],
)
@pytest.mark.parametrize("payload", [b"", b"odd", b"even"])
def test_tcp_is_found(under: Scapy, payload: bytes) -> None:
    frame = bytes(under / SEGMENT / Raw(payload)) + b"padding"
    packet = parse(frame)
    assert packet
    assert packet.segment
    assert packet.source + packet.destination in frame
    found = packet.segment
    assert (found.source_port, found.destination_port, found.seq) == (1234, 443, 0x89ABCDEF)
    assert (found.ack, found.flags) == (0x1234ABCD, FIN | ACK)
    assert frame[found.start : found.end] == payload
    assert found.good


@pytest.mark.parametrize("where", ["ip", "tcp"])
def test_wrong_checksums_are_told(where: str) -> None:
    frame = bytearray(bytes(Ether() / V4 / SEGMENT / Raw(b"payload")))
    frame[24 if where == "ip" else 14 + 20 + 16] ^= 1
    packet = parse(bytes(frame))
    assert packet
    assert packet.segment
    assert not packet.segment.good


@pytest.mark.parametrize(
    "frame",
    [
        Ether() / V4 / UDP(),
        Ether() / IP(src="10.0.0.1", dst="10.0.0.2", flags="MF") / SEGMENT,
        Ether() / IP(src="10.0.0.1", dst="10.0.0.2", frag=3) / SEGMENT,
        Ether() / V6 / IPv6ExtHdrFragment() / SEGMENT,
        Ether() / V6 / IPv6ExtHdrRouting(segleft=1, addresses=["fd00::9"]) / SEGMENT,
        Ether() / IP(src="10.0.0.1", dst="10.0.0.2", len=30) / SEGMENT,
        Ether() / V4 / TCP(dataofs=4),
        Ether() / V4 / TCP(dataofs=15),
    ],
)
def test_what_is_no_whole_segment_has_none(frame: Scapy) -> None:
    packet = parse(bytes(frame))
    assert packet
    assert len(packet.source) in (4, 16)
    assert packet.segment is None


def test_what_is_not_ip_is_none() -> None:
    assert parse(bytes(Ether() / ARP())) is None
    assert parse(b"") is None
    assert parse(bytes(Ether() / Dot1Q() / Dot1Q() / Dot1Q() / V4 / SEGMENT)) is None


@pytest.mark.parametrize("addresses", [(b"\x0a\0\0\x01", b"\x0a\0\0\x02"), (bytes(16), b"x" * 16)])
def test_a_frame_cut_anywhere_is_no_error(addresses: tuple[bytes, bytes]) -> None:
    frame = Tcp(addresses).send(0, b"payload")[0]
    for size in range(len(frame)):
        packet = parse(frame[:size])
        assert packet is None or packet.segment is None


def test_endpoints_as_people_write_them() -> None:
    assert endpoint(b"\x0a\0\0\x01", 443) == "10.0.0.1:443"
    assert endpoint(bytes(15) + b"\x01", 443) == "[::1]:443"


def test_flows_are_seen_from_one_end() -> None:
    assert Flow(b"a", 1, b"b", 2) != Flow(b"b", 2, b"a", 1)


@pytest.mark.parametrize("under", [Ether() / V4, Ether() / Dot1Q(vlan=5) / V6])
@pytest.mark.parametrize("payload", [b"", b"odd", b"even", bytes(9)])
def test_another_payload(under: Scapy, payload: bytes) -> None:
    """Whatever the checksum was."""
    wrong = SEGMENT.copy()
    wrong.chksum = 0x1234
    frame = bytes(under / wrong / Raw(bytes(len(payload)))) + b"padding"
    packet = parse(frame)
    assert packet
    wanted = bytes(under / SEGMENT / Raw(payload)) + b"padding"
    assert with_payload(frame, packet, payload) == wanted


def test_a_sum_of_zero_is_sent_as_zero() -> None:
    """Words sum up to 0xFFFF, never to 0, and its complement is what is sent (RFC 1071)."""
    frame = bytes(Ether() / V4 / SEGMENT / Raw(bytes(2)))
    packet = parse(frame)
    assert packet
    assert packet.segment
    place = packet.segment.header + 16
    made = with_payload(frame, packet, frame[place : place + 2])
    assert made[place : place + 2] == bytes(2)


@pytest.mark.parametrize("under", [Ether() / V4, Ether() / Dot1Q(vlan=5) / V6])
@pytest.mark.parametrize("payload", [b"", b"odd", b"even"])
def test_checksums_made_anew(under: Scapy, payload: bytes) -> None:
    """IPv4's too."""
    good = bytes(under / SEGMENT / Raw(payload)) + b"padding"
    packet = parse(good)
    assert packet
    assert packet.segment
    bad = bytearray(good)
    for at in (packet.segment.header + 16, *([24] if under.haslayer(IP) else [])):
        bad[at] ^= 0x55
    assert summed(bytes(bad), packet) == good
    with pytest.raises(ValueError, match="no segment"):
        summed(good, replace(packet, segment=None))


@pytest.mark.parametrize("under", [Ether() / V4, Ether() / V6])
def test_what_a_nic_adds_to(under: Scapy) -> None:
    """The checksum is the complement of the sum of the segment, with that in its place."""
    good = bytes(under / SEGMENT / Raw(b"payload")) + b"padding"
    packet = parse(good)
    assert packet
    assert packet.segment
    found = packet.segment
    frame = unsummed(good, packet, b"PAYLOAD")
    assert frame[found.start : found.end] == b"PAYLOAD"
    place = found.header + 16
    assert frame[:place] + frame[place + 2 : found.start] == (
        good[:place] + good[place + 2 : found.start]
    )
    total = checksum(frame[found.header : found.end])
    assert frame[:place] + total.to_bytes(2) + frame[place + 2 :] == with_payload(
        good, packet, b"PAYLOAD"
    )


@pytest.mark.parametrize("payload", [b"", b"longer"])
def test_another_payload_has_the_same_size(payload: bytes) -> None:
    frame = bytes(Ether() / V4 / SEGMENT / Raw(b"four"))
    packet = parse(frame)
    assert packet
    with pytest.raises(ValueError, match="no segment of"):
        with_payload(frame, packet, payload)
