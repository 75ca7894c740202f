"""What a frame carries: from Ethernet to the TCP payload. Model of hdl/tls_parse.v.

The checks and their order are those of docs/receive.md, 1; written from there and from RFC 791,
RFC 8200, RFC 9293, 3.1 and IEEE 802.1Q. Lengths are looked at before checksums, and what cannot be
read for want of bytes is never read. `locate` is all but the last check, which transmit has not;
local and remote are a received frame's.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from model.lookup import ADDR_BYTES, Flow
from model.regs import IpVersion, RxPass

MAX_TAGS: Final = 2
VLAN: Final = (b"\x81\x00", b"\x88\xa8")

IPV4_HEADER: Final = 20  # bytes, without options
IPV6_HEADER: Final = 40
IPV6_EXTENSION: Final = 8  # bytes, at least
TCP_HEADER: Final = 20  # bytes, without options
CHECKSUM: Final = 16  # place of the checksum in it

TCP: Final = 6  # the protocol, and the next header
HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION_OPTIONS = 0, 43, 44, 60
FOLLOWED: Final = (HOP_BY_HOP, ROUTING, DESTINATION_OPTIONS)

FIN, SYN, RST, PSH, ACK, URG = (1 << n for n in range(6))


class Segment(NamedTuple):
    """A TCP segment in a frame. A tuple as `Flow` is.

    Attributes:
        flow: its addresses and ports.
        seq: sequence number of the first byte of the payload, or of SYN.
        flags: FIN is bit 0, CWR is bit 7.
        tcp: where its header is in the frame.
        offset: of the payload in the frame.
        length: bytes of payload.
    """

    flow: Flow
    seq: int
    flags: int
    tcp: int
    offset: int
    length: int


def parse(frame: bytes, max_frame: int) -> Segment | RxPass:
    """The frame's segment, its checksums right, or why it has none."""
    segment = locate(frame, max_frame)
    if isinstance(segment, Segment) and not sums_up(_summed(frame, segment)):
        return RxPass.BAD_TCP_CSUM
    return segment


def locate(frame: bytes, max_frame: int) -> Segment | RxPass:
    """The frame's segment, whatever its TCP checksum is, or why it has none."""
    if len(frame) > max_frame:
        return RxPass.BAD_LENGTH
    # A slice beyond the end is short, and so equals no EtherType.
    ip = 14
    while frame[ip - 2 : ip] in VLAN and ip < 14 + 4 * MAX_TAGS:
        ip += 4
    match frame[ip - 2 : ip]:
        case b"\x08\x00":
            return _ipv4(frame, ip)
        case b"\x86\xdd":
            return _ipv6(frame, ip)
    return RxPass.NOT_TCP


def _ipv4(frame: bytes, ip: int) -> Segment | RxPass:
    if len(frame) < ip + IPV4_HEADER:
        return RxPass.BAD_LENGTH
    if frame[ip] >> 4 != 4 or frame[ip + 9] != TCP:
        return RxPass.NOT_TCP
    if int.from_bytes(frame[ip + 6 : ip + 8]) & 0x3FFF:  # more fragments, offset
        return RxPass.FRAGMENT
    header = 4 * (frame[ip] & 0xF)
    if header < IPV4_HEADER:
        return RxPass.BAD_LENGTH
    tcp, end = ip + header, ip + int.from_bytes(frame[ip + 2 : ip + 4])
    payload = _payload(frame, tcp, end)
    if payload is None:
        return RxPass.BAD_LENGTH
    if not sums_up(frame[ip:tcp]):
        return RxPass.BAD_IP_CSUM
    return _tcp(frame, IpVersion.IPV4, ip + 12, tcp, payload, end)


def _ipv6(frame: bytes, ip: int) -> Segment | RxPass:
    if len(frame) < ip + IPV6_HEADER:
        return RxPass.BAD_LENGTH
    if frame[ip] >> 4 != 6:
        return RxPass.NOT_TCP
    following, tcp = frame[ip + 6], ip + IPV6_HEADER
    while following in FOLLOWED:
        if len(frame) < tcp + IPV6_EXTENSION:
            return RxPass.BAD_LENGTH
        if following == ROUTING and frame[tcp + 3]:  # segments left
            return RxPass.NOT_TCP
        following, tcp = frame[tcp], tcp + 8 * (frame[tcp + 1] + 1)
    if following == FRAGMENT:
        return RxPass.FRAGMENT
    if following != TCP:
        return RxPass.NOT_TCP
    end = ip + IPV6_HEADER + int.from_bytes(frame[ip + 4 : ip + 6])
    payload = _payload(frame, tcp, end)
    if payload is None:
        return RxPass.BAD_LENGTH
    return _tcp(frame, IpVersion.IPV6, ip + 8, tcp, payload, end)


def _payload(frame: bytes, tcp: int, end: int) -> int | None:
    """Where the payload starts, if the lengths of packet and TCP header allow one."""
    if end > len(frame) or end < tcp + TCP_HEADER:
        return None
    header = 4 * (frame[tcp + 12] >> 4)
    return tcp + header if TCP_HEADER <= header <= end - tcp else None


def _tcp(
    frame: bytes, version: IpVersion, addresses: int, tcp: int, payload: int, end: int
) -> Segment:
    size = ADDR_BYTES[version]
    ports = addresses + 2 * size
    flow = Flow(
        version,
        frame[addresses + size : ports].ljust(16, b"\0"),
        frame[addresses : addresses + size].ljust(16, b"\0"),
        int.from_bytes(frame[tcp + 2 : tcp + 4]),
        int.from_bytes(frame[tcp : tcp + 2]),
    )
    seq = int.from_bytes(frame[tcp + 4 : tcp + 8])
    return Segment(flow, seq, frame[tcp + 13], tcp, payload, end - payload)


def tcp_checksum(frame: bytes, segment: Segment) -> bytes:
    """The checksum that the segment must have, whatever it has."""
    at = segment.tcp + CHECKSUM
    data = _summed(frame[:at] + bytes(2) + frame[at + 2 :], segment)
    return (-int.from_bytes(data + bytes(len(data) % 2)) % 0xFFFF).to_bytes(2)


def _summed(frame: bytes, segment: Segment) -> bytes:
    """What the TCP checksum is over.

    The pseudo-header is a sum, too: its fields count wherever they stand, and zeros do not.
    """
    flow, tcp, end = segment.flow, segment.tcp, segment.offset + segment.length
    pseudo = TCP.to_bytes(2) + (end - tcp).to_bytes(2)
    return flow.local_addr + flow.remote_addr + pseudo + frame[tcp:end]


def sums_up(data: bytes) -> bool:
    """Whether the one's complement sum of 16-bit words, checksum included, is all ones.

    2^16 is 1 modulo 0xFFFF, so the bytes read as one number have the words' sum as their
    remainder: 0 for a sum of 0xFFFF, and for one of 0, which no header has. The zero byte behind
    odd data would be a factor of 256, which makes no other remainder 0 (RFC 1071).
    """
    return int.from_bytes(data) % 0xFFFF == 0
