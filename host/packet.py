"""Ethernet frames as the host's IP and TCP read them.

In: a frame without FCS. Out: its addresses and, if it carries one whole TCP segment, that segment.
None for what is not IP. Nothing is raised for a bad frame. VLAN tags and the extension headers of
IPv6 are stepped over. Fragments are not put together: the frames of one have no segment.
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


@dataclass(frozen=True, slots=True)
class Flow:
    """A TCP connection, as seen from one of its ends. Addresses are 4 or 16 bytes."""

    local: bytes
    local_port: int
    remote: bytes
    remote_port: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A TCP segment: payload is frame[start:end]; `good` if the checksums are."""

    source_port: int
    destination_port: int
    seq: int
    flags: int
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
    at = 12
    for _ in range(3):
        kind = int.from_bytes(frame[at : at + 2])
        at += 2
        if kind not in _VLAN:
            break
        at += 2
    if kind == 0x0800 and len(frame) >= at + 20 and frame[at] >> 4 == 4:
        return _ipv4(frame, at)
    if kind == 0x86DD and len(frame) >= at + 40 and frame[at] >> 4 == 6:
        return _ipv6(frame, at)
    return None


def _ipv4(frame: bytes, at: int) -> Packet:
    size = 4 * (frame[at] & 0xF)
    total, fragment, protocol = struct.unpack_from(">2xH2xHxB", frame, at)
    addresses = frame[at + 12 : at + 20]
    segment = None
    if protocol == _TCP and not fragment & 0x3FFF and size >= 20:
        good = _sums_to_zero(frame[at : at + size])
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
    source, destination, seq, offset, flags = struct.unpack_from(">HHI4xBB", frame, at)
    start = at + 4 * (offset >> 4)
    if not at + 20 <= start <= end:
        return None
    pseudo = addresses + struct.pack(">HH", _TCP, end - at)
    good = good and _sums_to_zero(pseudo + frame[at:end])
    return Segment(source, destination, seq, flags, start, end, good)


def _sums_to_zero(data: bytes) -> bool:
    """The ones' complement sum of 16-bit words, the checksum with them, is 0 (RFC 1071).

    2^16 is 1 modulo 2^16 - 1: the sum is the bytes' number modulo that.
    """
    padded = data if len(data) % 2 == 0 else data + b"\0"
    return int.from_bytes(padded) % 0xFFFF == 0
