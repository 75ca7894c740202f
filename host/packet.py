"""Ethernet frames as the host's IP and TCP read them.

In: a frame without FCS. Out: its addresses and, if it carries one whole TCP segment, that segment;
the same frame with another payload, with its checksums mended, or with a piece of its stream from
elsewhere. None for what is not IP. Nothing is raised for a bad frame. VLAN tags and the extension
headers of IPv6 are stepped over. Fragments are not put together: the frames of one have no segment.
RFC 791, 8200, 9293; checksums RFC 1071.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass
from typing import Final

FIN: Final = 0x01
SYN: Final = 0x02
RST: Final = 0x04
ACK: Final = 0x10

_VLAN: Final = (0x8100, 0x88A8)
_SKIPPED: Final = (0, 43, 60)  # IPv6: hop-by-hop, routing, destination options
_TCP: Final = 6
_CHECKSUM: Final = 16  # its place in the TCP header


@dataclass(frozen=True, slots=True)
class Flow:
    """A TCP connection, as seen from one of its ends. Addresses are 4 or 16 bytes."""

    local: bytes
    local_port: int
    remote: bytes
    remote_port: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A TCP segment: header from `header` on, payload frame[start:end]; `good` if checksums are.

    `ack` has a meaning if ACK is among the flags.
    """

    source_port: int
    destination_port: int
    seq: int
    ack: int
    flags: int
    header: int
    start: int
    end: int
    good: bool


@dataclass(frozen=True, slots=True)
class Packet:
    """An IP packet: its addresses, and the TCP segment if it is one, whole and well-formed."""

    source: bytes
    destination: bytes
    segment: Segment | None


def endpoint(address: bytes, port: int) -> str:
    """Address and port as people write them."""
    text = str(ipaddress.ip_address(address))
    return f"{text}:{port}" if len(address) == 4 else f"[{text}]:{port}"


def parse(frame: bytes) -> Packet | None:
    """Read a frame; None if there is no IP packet with both its addresses."""
    kind, at = _network(frame)
    if kind == 0x0800 and len(frame) >= at + 20 and frame[at] >> 4 == 4:
        return _ipv4(frame, at)
    if kind == 0x86DD and len(frame) >= at + 40 and frame[at] >> 4 == 6:
        return _ipv6(frame, at)
    return None


def with_payload(frame: bytes, packet: Packet, payload: bytes) -> bytes:
    """The frame with as many other bytes in its TCP segment, and the checksum made anew.

    The addresses are those of the packet as it stands. ValueError if it has no such segment.
    """
    segment = _segment(packet, len(payload))
    place = segment.header + _CHECKSUM
    header = frame[segment.header : place] + bytes(2) + frame[place + 2 : segment.start]
    pseudo = _pseudo_header(packet.source + packet.destination, len(header) + len(payload))
    checksum = -_sum(pseudo + header + payload) % 0xFFFF
    return _replaced(frame, segment, checksum, payload)


def unsummed(frame: bytes, packet: Packet, payload: bytes) -> bytes:
    """The same, as it goes to a NIC that makes the checksum: in its place is what the NIC adds to.

    That is the sum of the pseudo header, as Linux leaves it (CHECKSUM_PARTIAL).
    """
    segment = _segment(packet, len(payload))
    pseudo = _pseudo_header(packet.source + packet.destination, segment.end - segment.header)
    return _replaced(frame, segment, _sum(pseudo), payload)


def summed(frame: bytes, packet: Packet) -> bytes:
    """The frame with its checksums, IPv4's and TCP's, made anew; ValueError without a segment."""
    if packet.segment is None:
        raise ValueError("no segment")
    _, ip = _network(frame)
    if frame[ip] >> 4 == 4:
        frame = _with_ipv4_checksum(frame, ip)
    return with_payload(frame, packet, frame[packet.segment.start : packet.segment.end])


def elsewhere(frame: bytes, segment: Segment, seq: int, payload: bytes) -> bytes:
    """A frame with the headers of this one, for other bytes of its stream, from `seq` on.

    Lengths and the IPv4 checksum fit; the TCP checksum does not. It has no SYN, FIN and RST.
    """
    _, ip = _network(frame)
    tcp = segment.header
    header = bytearray(frame[: segment.start])
    if header[ip] >> 4 == 4:
        struct.pack_into(">H", header, ip + 2, segment.start - ip + len(payload))
        header[:] = _with_ipv4_checksum(bytes(header), ip)
    else:
        struct.pack_into(">H", header, ip + 4, segment.start - ip - 40 + len(payload))
    struct.pack_into(">I", header, tcp + 4, seq)
    header[tcp + 13] &= ~(SYN | FIN | RST)
    return bytes(header) + payload


def _segment(packet: Packet, size: int) -> Segment:
    segment = packet.segment
    if segment is None or segment.end - segment.start != size:
        raise ValueError(f"no segment of {size} bytes")
    return segment


def _replaced(frame: bytes, segment: Segment, checksum: int, payload: bytes) -> bytes:
    place = segment.header + _CHECKSUM
    header = frame[:place] + checksum.to_bytes(2) + frame[place + 2 : segment.start]
    return header + payload + frame[segment.end :]


def _with_ipv4_checksum(frame: bytes, ip: int) -> bytes:
    place, end = ip + 10, ip + 4 * (frame[ip] & 0xF)
    checksum = -_sum(frame[ip:place] + bytes(2) + frame[place + 2 : end]) % 0xFFFF
    return frame[:place] + checksum.to_bytes(2) + frame[place + 2 :]


def _network(frame: bytes) -> tuple[int, int]:
    """The EtherType behind VLAN tags, and where what it names starts."""
    at = 12
    for _ in range(3):
        kind = int.from_bytes(frame[at : at + 2])
        at += 2
        if kind not in _VLAN:
            break
        at += 2
    return kind, at


def _ipv4(frame: bytes, at: int) -> Packet:
    size = 4 * (frame[at] & 0xF)
    total, fragment, protocol = struct.unpack_from(">2xH2xHxB", frame, at)
    addresses = frame[at + 12 : at + 20]
    segment = None
    if protocol == _TCP and not fragment & 0x3FFF and size >= 20:
        good = _sum(frame[at : at + size]) == 0
        segment = _tcp(frame, at + size, at + total, addresses, good)
    return Packet(addresses[:4], addresses[4:], segment)


def _ipv6(frame: bytes, at: int) -> Packet:
    length, kind = struct.unpack_from(">4xHB", frame, at)
    addresses = frame[at + 8 : at + 40]
    packet = Packet(addresses[:16], addresses[16:], None)
    end = at + 40 + length
    at += 40
    while kind in _SKIPPED:
        if len(frame) < at + 8 or (kind == 43 and frame[at + 3]):
            return packet
        kind, at = frame[at], at + 8 + 8 * frame[at + 1]
    if kind != _TCP:
        return packet
    return Packet(packet.source, packet.destination, _tcp(frame, at, end, addresses, True))


def _tcp(frame: bytes, at: int, end: int, addresses: bytes, good: bool) -> Segment | None:
    """The segment frame[at:end]; None if it is cut short or contradicts itself."""
    if not at + 20 <= end <= len(frame):
        return None
    source, destination, seq, ack, offset, flags = struct.unpack_from(">HHIIBB", frame, at)
    start = at + 4 * (offset >> 4)
    if not at + 20 <= start <= end:
        return None
    good = good and _sum(_pseudo_header(addresses, end - at) + frame[at:end]) == 0
    return Segment(source, destination, seq, ack, flags, at, start, end, good)


def _pseudo_header(addresses: bytes, size: int) -> bytes:
    return addresses + struct.pack(">HH", _TCP, size)


def _sum(data: bytes) -> int:
    """The ones' complement sum of 16-bit words (RFC 1071), 0 for 0xFFFF; 0 if the checksum is good.

    2^16 is 1 modulo 2^16 - 1: the sum is the bytes' number modulo that.
    """
    padded = data if len(data) % 2 == 0 else data + b"\0"
    return int.from_bytes(padded) % 0xFFFF
