"""Receive traffic, random and replayable: TLS connections, what networks do to them, commands.

In: a seed and how many connections the device has. Out: bursts, each a list of steps: frames,
commands, switches, reads of events. The same seed makes the same bursts. Nothing here knows what a
device should do with a frame; `Note` says what each frame was meant to be, so that a reader finds
it again. Only what a host answers (`Resync`) depends on what it was asked: `Traffic.answer`.

`Peer` is the far end of a connection: it makes records with `cryptography`, cuts its stream into
segments and loses, delays, repeats and changes them. `build` makes frames, `Traffic` mixes all.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import islice
from random import Random
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from model.regs import Answer, Cipher, Direction, IpVersion, Opcode, TlsVersion

SEQ: Final = 1 << 32
MAX_FRAME: Final = 9600
MAX_TEXT: Final = {TlsVersion.TLS_1_2: 16384, TlsVersion.TLS_1_3: 16385}
LENGTHS: Final = {TlsVersion.TLS_1_2: (24, 16408), TlsVersion.TLS_1_3: (16, 16401)}  # in a header
PREFIX: Final = {TlsVersion.TLS_1_2: 13, TlsVersion.TLS_1_3: 5}
LONGEST: Final = 16_413  # bytes of a record
KNOWN: Final = 20_000  # records of a stream whose numbers are remembered
KEPT: Final = 50_000  # bytes of a stream behind what was sent, for repetitions
FIN, SYN, RST, PSH, ACK, URG = (1 << n for n in range(6))
# The generator of CRC-32C, first bit lowest: XORed to a message it does not change its CRC.
CRC_KERNEL: Final = 1 | 0x82F63B78 << 1
POOL: Final = Random(0).randbytes(1 << 17)  # random bytes are cut from here


def some_bytes(rng: Random, size: int) -> bytes:
    """Bytes that repeat rarely."""
    at = rng.randrange(len(POOL) - size)
    return POOL[at : at + size]


class Flow(NamedTuple):
    """A connection's addresses and ports as the device has them. Addresses are 4 or 16 bytes."""

    local: bytes
    remote: bytes
    local_port: int
    remote_port: int

    @property
    def version(self) -> IpVersion:
        """Of the addresses."""
        return IpVersion.IPV4 if len(self.local) == 4 else IpVersion.IPV6


NOBODY: Final = Flow(bytes(4), bytes(4), 0, 0)


def random_flow(rng: Random) -> Flow:
    """Mostly in a few subnets, so that flows differ in little."""
    local_port, remote_port = rng.choice((443, 443, 8443, 5201)), rng.randrange(1 << 16)
    if rng.random() < 0.6:
        local, remote = b"\x0a\0\0" + rng.randbytes(1), b"\x0a\0" + rng.randbytes(2)
        if rng.random() < 0.1:
            local, remote = rng.randbytes(4), rng.randbytes(4)
    else:
        local, remote = (b"\x20\x01\x0d\xb8" + bytes(11) + rng.randbytes(1) for _ in range(2))
        if rng.random() < 0.3:
            local, remote = rng.randbytes(16), rng.randbytes(16)
        elif rng.random() < 0.1:  # those of an IPv4 connection as it stands in the table
            local, remote = (b"\x0a\0\0" + rng.randbytes(1) + bytes(12) for _ in range(2))
    return Flow(local, remote, local_port, remote_port)


def same_fingerprint(rng: Random, flow: Flow) -> Flow:
    """Another IPv6 flow with the same CRC-32C (docs/receive.md, 6)."""
    words = flow.local + flow.remote
    changed = int.from_bytes(words, "little") ^ CRC_KERNEL << rng.randrange(256 - 33)
    both = changed.to_bytes(32, "little")
    return flow._replace(local=both[:16], remote=both[16:])


def one_bit_off(rng: Random, flow: Flow) -> Flow:
    """A flow that differs in one bit."""
    packed = flow.local + flow.remote + struct.pack(">HH", flow.local_port, flow.remote_port)
    number = int.from_bytes(packed) ^ 1 << rng.randrange(8 * len(packed))
    packed, size = number.to_bytes(len(packed)), len(flow.local)
    ports = struct.unpack_from(">HH", packed, 2 * size)
    return Flow(packed[:size], packed[size : 2 * size], *ports)


# ---- frames ----


def checksum(data: bytes) -> int:
    """The one that makes data's sum right (RFC 1071); 2^16 is 1 modulo 2^16 - 1."""
    rest = int.from_bytes(data if len(data) % 2 == 0 else data + b"\0") % 0xFFFF
    return 0xFFFF - rest


@dataclass(frozen=True, slots=True)
class Built:
    """A frame, and where its IP header, its TCP header and its payload are."""

    frame: bytes
    ip: int
    tcp: int
    payload: int


@dataclass(frozen=True, slots=True)
class Dress:
    """What is around a payload besides the least.

    Attributes:
        tags: VLAN tags, 4 bytes each: EtherType and number.
        options: of IPv4; a multiple of 4 bytes.
        extensions: of IPv6: type and body, whose size is 6 modulo 8.
        tcp_options: a multiple of 4 bytes.
        flags: of TCP.
        padding: behind the packet.
        zero_sum: choose the urgent pointer so that the TCP checksum is 0, or 0xFFFF.
    """

    tags: bytes = b""
    options: bytes = b""
    extensions: tuple[tuple[int, bytes], ...] = ()
    tcp_options: bytes = b""
    flags: int = ACK
    padding: bytes = b""
    zero_sum: int | None = None


PLAIN: Final = Dress()
MACS: Final = bytes.fromhex("020000000001 020000000002")


def build(flow: Flow, seq: int, payload: bytes, dress: Dress = PLAIN, ident: int = 0) -> Built:
    """The frame that brings these bytes from the remote end; checksums are right."""
    header = 20 + len(dress.tcp_options)
    tcp_bytes = header + len(payload)
    addresses = flow.remote + flow.local
    if len(flow.local) == 4:
        size = 20 + len(dress.options)
        start = bytes([0x40 | size // 4, 0]) + struct.pack(
            ">HHHBB", size + tcp_bytes, ident, 0x4000, 64, 6
        )
        rest = addresses + dress.options
        ip = start + checksum(start + rest).to_bytes(2) + rest
        kind = b"\x08\x00"
    else:
        extensions = b""
        types = [kind for kind, _ in dress.extensions]
        for following, (_, body) in zip([*types, 6][1:], dress.extensions, strict=True):
            extensions += bytes([following, (len(body) + 2) // 8 - 1]) + body
        length = len(extensions) + tcp_bytes
        ip = struct.pack(">IHBB", 6 << 28 | ident, length, types[0] if types else 6, 64)
        ip += addresses + extensions
        kind = b"\x86\xdd"
    start = struct.pack(
        ">HHIIBBH",
        flow.remote_port,
        flow.local_port,
        seq,
        ident,
        header << 2,
        dress.flags,
        0xFFFF,
    )
    pseudo = addresses + struct.pack(">HH", 6, tcp_bytes)
    rest = dress.tcp_options + payload
    urgent = b"\0\0"
    if dress.zero_sum is not None:
        urgent = checksum(pseudo + start + b"\0\0" + rest).to_bytes(2)
        total = dress.zero_sum
    else:
        total = checksum(pseudo + start + urgent + rest)
    ethernet = MACS + dress.tags + kind
    packet = b"".join((ethernet, ip, start, total.to_bytes(2), urgent, rest, dress.padding))
    tcp = len(ethernet) + len(ip)
    return Built(packet, len(ethernet), tcp, tcp + header)


def random_dress(rng: Random) -> Dress:
    """Anything that leaves a segment what it is."""
    dice = rng.random
    tags = b""
    if dice() < 0.5:
        kinds = (b"\x81\x00",) if dice() < 0.5 else (b"\x88\xa8", b"\x81\x00")
        tags = b"".join(kind + rng.randbytes(2) for kind in kinds)
    extensions: list[tuple[int, bytes]] = []
    while dice() < 0.4:
        body = bytearray(some_bytes(rng, 6 + 8 * min(int(rng.expovariate(0.4)), 255)))
        kind = rng.choice((0, 43, 60))
        if kind == 43:
            body[1] = 0  # segments left
        extensions.append((kind, bytes(body)))
    return Dress(
        tags=tags,
        options=some_bytes(rng, 4 * rng.randrange(11)) if dice() < 0.3 else b"",
        extensions=tuple(extensions),
        tcp_options=some_bytes(rng, 4 * rng.randrange(11)) if dice() < 0.5 else b"",
        flags=ACK | rng.choice((0, PSH, FIN, URG, 0x40, 0x80, 0xEA)),
        padding=some_bytes(rng, rng.randrange(40)) if dice() < 0.3 else b"",
        zero_sum=rng.choice((0, 0xFFFF)) if dice() < 0.05 else None,
    )


def refix(frame: bytearray, built: Built) -> None:
    """Make the checksums of a changed frame right, as far as its lengths allow."""
    ip, tcp = built.ip, built.tcp
    v4 = frame[ip - 2 : ip] == b"\x08\x00"
    if v4:
        size = 4 * (frame[ip] & 0xF)
        if size >= 12:
            frame[ip + 10 : ip + 12] = b"\0\0"
            frame[ip + 10 : ip + 12] = checksum(bytes(frame[ip : ip + size])).to_bytes(2)
        end = ip + int.from_bytes(frame[ip + 2 : ip + 4])
        addresses = frame[ip + 12 : ip + 20]
    else:
        end = ip + 40 + int.from_bytes(frame[ip + 4 : ip + 6])
        addresses = frame[ip + 8 : ip + 40]
    if tcp + 18 <= end <= len(frame):
        frame[tcp + 16 : tcp + 18] = b"\0\0"
        pseudo = bytes(addresses) + struct.pack(">HH", 6, end - tcp)
        total = checksum(pseudo + bytes(frame[tcp:end]))
        frame[tcp + 16 : tcp + 18] = total.to_bytes(2)


# ---- frames that are not what they should be: each takes one that is ----


def _flip(rng: Random, built: Built) -> bytes:
    frame = bytearray(built.frame)
    frame[rng.randrange(len(frame))] ^= 1 << rng.randrange(8)
    return bytes(frame)


def _flip_header(rng: Random, built: Built) -> bytes:
    """A bit of Ethernet, IP or TCP, checksums right again or not."""
    frame = bytearray(built.frame)
    frame[rng.randrange(12, built.payload)] ^= 1 << rng.randrange(8)
    if rng.random() < 0.5:
        refix(frame, built)
    return bytes(frame)


def _corrupt(rng: Random, built: Built) -> bytes:
    """A bit of the payload, checksums right: what TCP does not notice."""
    frame = bytearray(built.frame)
    if built.payload < len(frame):
        frame[rng.randrange(built.payload, len(frame))] ^= 1 << rng.randrange(8)
    refix(frame, built)
    return bytes(frame)


def _bad_tcp_csum(rng: Random, built: Built) -> bytes:
    frame = bytearray(built.frame)
    frame[built.tcp + 16 + rng.randrange(2)] ^= rng.randrange(1, 256)
    return bytes(frame)


def _bad_ip_csum(rng: Random, built: Built) -> bytes:
    frame = bytearray(built.frame)
    frame[built.ip + 10 + rng.randrange(2)] ^= rng.randrange(1, 256)  # in IPv6 part of an address
    return bytes(frame)


def _fragment(rng: Random, built: Built) -> bytes:
    frame = bytearray(built.frame)
    if frame[built.ip - 2] == 8:
        bits = rng.choice((0x2000, 1, 0x1FFF, rng.randrange(1 << 16)))
        frame[built.ip + 6 : built.ip + 8] = bits.to_bytes(2)
    else:
        header = bytes([frame[built.ip + 6], rng.randrange(256), 0, rng.randrange(2), *bytes(4)])
        frame[built.ip + 6] = 44
        frame[built.ip + 40 : built.ip + 40] = header
        length = int.from_bytes(frame[built.ip + 4 : built.ip + 6]) + 8
        frame[built.ip + 4 : built.ip + 6] = (length & 0xFFFF).to_bytes(2)
    refix(frame, built)
    return bytes(frame)


def _lying_length(rng: Random, built: Built) -> bytes:
    """IP says another length than there is; with luck its checksums are right."""
    frame = bytearray(built.frame)
    at = built.ip + (2 if frame[built.ip - 2] == 8 else 4)
    length = int.from_bytes(frame[at : at + 2])
    most = built.payload - built.ip + 8
    length += rng.choice((1, -1, 8, -8, rng.randrange(-most, most), rng.randrange(1 << 16)))
    frame[at : at + 2] = (length & 0xFFFF).to_bytes(2)
    if rng.random() < 0.8:
        refix(frame, built)
    return bytes(frame)


def _lying_header(rng: Random, built: Built) -> bytes:
    """IP's or TCP's header says another size than it has."""
    frame = bytearray(built.frame)
    if frame[built.ip - 2] == 8 and rng.random() < 0.5:
        frame[built.ip] = 0x40 | rng.randrange(16)
    else:
        frame[built.tcp + 12] = rng.randrange(256)
    refix(frame, built)
    return bytes(frame)


def _truncate(rng: Random, built: Built) -> bytes:
    most = len(built.frame) if rng.random() < 0.5 else min(built.payload + 4, len(built.frame))
    return built.frame[: rng.randrange(1, most)]


def _overlong(rng: Random, built: Built) -> bytes:
    """Around the longest that there may be, or beyond."""
    size = MAX_FRAME + rng.choice((-1, 0, 1, 2, 15, 16, 17, rng.randrange(3000)))
    return built.frame + bytes(max(0, size - len(built.frame)))


def _protocol(rng: Random, built: Built) -> bytes:
    """Not TCP, or not this version of IP, or no EtherType that is followed."""
    frame = bytearray(built.frame)
    at = built.ip
    match rng.randrange(4):
        case 0:
            frame[at] ^= 1 << rng.randrange(4, 8)
        case 1:
            frame[at + (9 if frame[at - 2] == 8 else 6)] = rng.choice(
                (1, 17, 50, 58, 59, 0, 43, 60)
            )
        case 2:
            frame[at - 2 : at] = rng.choice((b"\x08\x06", b"\x91\x00", b"\x86\xdd", b"\x08\x00"))
        case _:
            tag = rng.choice((b"\x81\x00", b"\x88\xa8")) + rng.randbytes(2)
            frame[12:12] = tag * rng.choice((2, 3))
    if rng.random() < 0.8:
        refix(frame, built)
    return bytes(frame)


def _routed(rng: Random, built: Built) -> bytes:
    """IPv6 with a routing header that is not done, or a header that ends beyond the packet."""
    frame = bytearray(built.frame)
    if frame[built.ip - 2] == 8:
        return _lying_length(rng, built)
    kind, size, left = rng.choice(((43, 0, 1), (43, 0, 255), (60, 255, 0), (0, 20, 0), (60, 1, 0)))
    frame[built.ip + 40 : built.ip + 40] = bytes([frame[built.ip + 6], size, 0, left, *bytes(4)])
    frame[built.ip + 6] = kind
    length = int.from_bytes(frame[built.ip + 4 : built.ip + 6]) + 8
    frame[built.ip + 4 : built.ip + 6] = (length & 0xFFFF).to_bytes(2)
    return bytes(frame)


MUTATIONS: Final[dict[str, Callable[[Random, Built], bytes]]] = {
    "flip": _flip,
    "flip_header": _flip_header,
    "corrupt": _corrupt,
    "bad_tcp_csum": _bad_tcp_csum,
    "bad_ip_csum": _bad_ip_csum,
    "fragment": _fragment,
    "lying_length": _lying_length,
    "lying_header": _lying_header,
    "truncate": _truncate,
    "overlong": _overlong,
    "protocol": _protocol,
    "routed": _routed,
}


def other_traffic(rng: Random) -> tuple[str, bytes]:
    """What is on a network besides."""
    match rng.randrange(5):
        case 0:
            return "arp", b"\xff" * 6 + MACS[6:] + b"\x08\x06" + some_bytes(rng, 46)
        case 1:
            udp = some_bytes(rng, rng.randrange(8, 1480))
            head = struct.pack(">BBHHHBB", 0x45, 0, 20 + len(udp), 1, 0, 64, 17)
            addresses = rng.randbytes(8)
            return "udp", MACS + b"\x08\x00" + head + checksum(head + addresses).to_bytes(
                2
            ) + addresses + udp
        case 2:
            return "runt", some_bytes(rng, rng.randrange(1, 60))
        case 3:  # one that begins as a packet would
            start = MACS + rng.choice(
                (b"\x81\x00\0\1\x08\x00\x45", b"\x08\x00\x45", b"\x86\xdd\x60")
            )
            return "runt", (start + bytes(60))[: rng.randrange(1, 60)]
        case _:
            return "noise", some_bytes(rng, int(60 + min(rng.expovariate(0.005), 9600)))


# ---- connections ----


def wrong_header(rng: Random, version: TlsVersion) -> tuple[bytes, bool]:
    """The start of a record header that is just wrong, or just right; whether it may be one."""
    least, most = LENGTHS[version]
    length = rng.choice((least - 1, most + 1, least, most, 0, 0xFFFF, rng.randrange(least)))
    match rng.randrange(4):
        case 0:
            change = bytes([rng.choice((19, 24, 0, 255, 20, 23))])
        case 1:
            change = bytes([23, *rng.choice(((3, 1), (3, 4), (2, 3), (0x83, 3), (3, 0x83)))])
        case _:
            change = bytes([23, 3, 3]) + length.to_bytes(2)
    legal = change[0] in range(20, 24) and change[1:3] in (b"", b"\3\3")
    return change, legal and (len(change) < 5 or least <= length <= most)


@dataclass(frozen=True, slots=True)
class Regime:
    """How a connection's stream is cut, and what becomes of it: chances of each segment.

    Attributes:
        records: sizes of its records' texts.
        segments: sizes of its segments.
        hold: comes some segments later.
        lose: comes again much later, cut differently.
        go_back: of what is late, all behind it comes again, too.
        never: does not come.
        repeat: comes twice.
        stretch: begins or ends where another one did not.
        conflict: comes with other bytes before.
        old: something from long ago comes before.
        header: a record header in it is wrong, before it comes as it should.
        mutate: the frame is not what it should be, before it comes as it should.
        ack: a segment without payload, or one with SYN or RST.
        spare_heads: segments with the head of a record are left in peace.
        far: how late what is late comes, in segments.
        forged: a record is not authentic.
        gap: before it some thousand bytes are missing; perhaps they come later.
        decoy: a record has headers in its ciphertext.
    """

    records: str
    segments: str
    hold: float = 0.0
    lose: float = 0.0
    go_back: float = 0.4
    never: float = 0.0
    repeat: float = 0.0
    stretch: float = 0.0
    conflict: float = 0.0
    old: float = 0.0
    header: float = 0.0
    mutate: float = 0.02
    ack: float = 0.02
    spare_heads: bool = False
    far: float = 4.0
    forged: float = 0.01
    gap: float = 0.0
    decoy: float = 0.0


RECORDS: Final = ("tiny", "small", "medium", "large", "mixed", "most")
SEGMENTS: Final = ("bytes", "small", "mss", "jumbo", "mixed", "heads")


def random_regime(rng: Random) -> Regime:
    """One of a few ways of networks; mostly small ones, which are many in the same time."""
    records = rng.choices(RECORDS, (4, 5, 2, 1, 2, 0.3))[0]
    segments = rng.choices(SEGMENTS, (1, 6, 1, 0.2, 1, 4))[0]
    if records in ("large", "most") and segments in ("bytes", "heads"):
        segments = "small"
    if records == "tiny" and segments == "jumbo":
        segments = "mss"
    match rng.randrange(8):
        case 0:
            return Regime(records, segments)
        case 5 | 6:  # the boundary is lost, and there is time to find it
            if rng.random() < 0.25:
                records, segments = rng.choice(("tiny", "tiny", "small")), "bytes"
            elif rng.random() < 0.6:  # trials need less than 64 records to be missing
                records = rng.choice(("medium", "large", "mixed"))
                segments = rng.choice(("small", "mss", "mss", "mixed"))
            return Regime(
                records,
                segments,
                hold=rng.choice((0, 0.02, 0.2)),
                lose=rng.choice((0, 0, 0.02)),
                go_back=rng.choice((0, 0.4)),
                repeat=0.02,
                stretch=rng.choice((0, 0.1)),
                old=rng.choice((0, 0.05)),
                far=rng.choice((2.0, 8.0)),
                gap=rng.choice((0.01, 0.02, 0.05)),
                decoy=rng.choice((0, 0.3, 0.9)),
                header=rng.choice((0, 0, 0.01)),
                mutate=0.005,
            )
        case 7:  # headers come late, and what is behind them before
            return Regime(
                rng.choice(("tiny", "small", "small", "mixed")),
                segments,
                hold=rng.choice((0.05, 0.1, 0.2)),
                lose=rng.choice((0.02, 0.1)),
                stretch=rng.choice((0, 0.1)),
                go_back=rng.choice((0, 0, 0.3)),
                gap=rng.choice((0, 0.005)),
                far=rng.choice((3.0, 20.0)),
                decoy=rng.choice((0, 0.3)),
                header=0.03,
                mutate=0.005,
            )
        case 1:
            far, p = rng.choice(((2.0, 0.1), (5.0, 0.05), (30.0, 0.01)))
            spare = rng.random() < 0.6
            return Regime(
                records, segments, hold=p, lose=p, repeat=0.05, spare_heads=spare, far=far
            )
        case 2:  # open records with holes in them
            records = rng.choice(("small", "medium", "large"))
            small = rng.choice(("small", "heads", "thirds", "thirds"))
            p = rng.choice((0.2, 0.4, 0.6))
            far = rng.choice((3.0, 12.0, 40.0))
            return Regime(
                records,
                small,
                hold=p,
                go_back=0,
                never=0.03,
                repeat=0.02,
                spare_heads=True,
                far=far,
            )
        case 3:  # all at once
            return Regime(
                records, segments, hold=0.03, lose=0.03, never=0.002, repeat=0.05, stretch=0.1,
                conflict=0.05, old=0.05, header=0.04, mutate=0.1, ack=0.05,
            )  # fmt: skip
        case _:
            return Regime(records, segments, header=0.1, mutate=0.3, old=0.05)


class End:
    """One end of a connection: its addresses, its keys and where its stream begins.

    Places in the stream are counted from `seq`, which is where record `number` starts.
    """

    def __init__(self, rng: Random, flow: Flow) -> None:
        self._rng = rng
        self.flow = flow
        self.version = rng.choice((TlsVersion.TLS_1_2, TlsVersion.TLS_1_3))
        self.cipher = rng.choice((Cipher.AES_128_GCM, Cipher.AES_256_GCM))
        self.key = rng.randbytes(16 * self.cipher)
        self.iv = rng.randbytes(12)
        turn = rng.choice((SEQ, SEQ // 2))  # where bit 31 changes
        self.seq = rng.choice((rng.randrange(SEQ), turn - rng.randrange(60_000), turn)) % SEQ
        self.number = rng.choice(
            (0, 0, rng.randrange(1 << 16), (1 << 32) - 2, rng.getrandbits(64), (1 << 64) - 5)
        )
        self._gcm = AESGCM(self.key)
        # TLS 1.3 has but one type outside, which not every end keeps to here
        mixed = self.version is TlsVersion.TLS_1_2 or rng.random() < 0.2
        self._kinds = (23, 23, 23, 22, 21, 20) if mixed else (23,)

    def _framing(self, number: int, kind: int, size: int) -> tuple[bytes, bytes, bytes]:
        """Of a record with so many bytes of text: prefix, nonce, AAD (docs/receive.md, 3)."""
        if self.version is TlsVersion.TLS_1_2:
            explicit = self._rng.randbytes(8)
            prefix = struct.pack(">BHH", kind, 0x0303, size + 24) + explicit
            return prefix, self.iv[:4] + explicit, struct.pack(">QBHH", number, kind, 0x0303, size)
        header = struct.pack(">BHH", kind, 0x0303, size + 16)
        return header, (int.from_bytes(self.iv) ^ number).to_bytes(12), header


class Peer(End):
    """The far end of a connection that the device may have."""

    def __init__(self, rng: Random, flow: Flow) -> None:
        super().__init__(rng, flow)
        self._numbers: dict[int, int] = {}  # of records, by sequence number; the oldest first
        self.regime = random_regime(rng)
        self.sent = 0
        self._made = self.number
        self._data = bytearray()
        self._base = 0  # place of the first byte of _data
        self._heads: deque[int] = deque()  # places of record headers from `sent` on, and the last
        self._late: list[tuple[int, int, str, int, int]] = []
        self._time = self._count = 0
        self.lost = False  # what was sent may have led the device astray
        self.misled = False  # an answer about it has

    def restart(self) -> None:
        """Begin anew at the next record that was not sent: same keys, other numbers to ADD."""
        self._fill(self.sent)
        while self._heads[0] < self.sent:
            self._heads.popleft()
            if not self._heads:
                self._record()
        at = self._heads[0]
        # records are numbered as they were made
        behind = len(self._heads)
        self.number = (self._made - behind) % (1 << 64)
        self.seq = (self.seq + at) % SEQ
        self.sent -= at
        self._base -= at
        self._heads = deque(place - at for place in self._heads)
        self._late.clear()
        self.lost = self.misled = False
        self.regime = random_regime(self._rng)

    def _text_size(self) -> int:
        rng = self._rng
        match self.regime.records:
            case "tiny":
                return rng.choice((0, 0, 1, 2, 15, 16, 17, 33))
            case "small":
                return rng.randrange(300)
            case "medium":
                return rng.randrange(200, 4000)
            case "large":
                return rng.randrange(4000, 16384)
            case "most":
                return MAX_TEXT[self.version] - rng.choice((0, 0, 1, 2))
            case _:
                return min(int(rng.expovariate(0.002)), 16384)

    def _record(self) -> None:
        """One more record at the end of the stream."""
        rng, number = self._rng, self._made
        self._made = (number + 1) % (1 << 64)
        kind = rng.choice(self._kinds)
        text = some_bytes(rng, self._text_size())
        header, nonce, aad = self._framing(number, kind, len(text))
        if rng.random() < self.regime.decoy:
            keystream = self._gcm.encrypt(nonce, bytes(len(text)), aad)
            text = self._with_decoys(text, keystream)
        sealed = bytearray(self._gcm.encrypt(nonce, text, aad))
        if rng.random() < self.regime.forged:
            sealed[rng.randrange(len(sealed))] ^= 1 << rng.randrange(8)  # not authentic
        place = self._base + len(self._data)
        self._heads.append(place)
        self._numbers[(self.seq + place) % SEQ] = number
        if len(self._numbers) > KNOWN:
            del self._numbers[next(iter(self._numbers))]
        self._data += header + sealed

    def _with_decoys(self, text: bytes, keystream: bytes) -> bytes:
        """The text with headers in its ciphertext: some one behind the other, as it seems."""
        rng = self._rng
        least, most = LENGTHS[self.version]
        decoys = bytearray(text)
        at = rng.randrange(len(text) + 1)
        while at + 5 <= len(text):
            to_end = len(text) - at - 5 + 16
            some = (least, least, 40, 100, 300, rng.randrange(least, most + 1), most)
            length = to_end if rng.random() < 0.4 else rng.choice(some)
            length = rng.choice((least - 1, most + 1)) if rng.random() < 0.05 else length
            kind = rng.choice((23, 23, 23, 20, 22))
            header = struct.pack(">BHH", kind, 0x0303, length)[: rng.choice((3, 5, 5, 5, 5))]
            for n, byte in enumerate(header, at):
                decoys[n] = byte ^ keystream[n]
            at += 5 + length if rng.random() < 0.8 else rng.randrange(1, 20)
        return bytes(decoys)

    def number_of(self, seq: int) -> int | None:
        """The number of the record that starts there; None if none does, or did long ago."""
        return self._numbers.get(seq)

    def coming(self) -> tuple[int, int]:
        """Sequence number and number of a record that is still to be sent."""
        self._forget_heads()
        seq = (self.seq + self._ahead(3)[self._rng.randrange(3)]) % SEQ
        return seq, self._numbers[seq]

    def gone(self, back: int) -> int:
        """Sequence number of a record that was made so many before the last one."""
        return list(islice(reversed(self._numbers), back + 1))[-1] if self._numbers else self.seq

    def _fill(self, to: int) -> None:
        while self._base + len(self._data) <= to or not self._heads:
            self._record()
        if len(self._data) > 4 * KEPT:
            gone = max(0, self.sent - self._base - KEPT)
            del self._data[:gone]
            self._base += gone

    def bytes_at(self, first: int, last: int) -> bytes:
        """Bytes of the stream; fewer if the first ones are not kept any more."""
        self._fill(last)
        return bytes(self._data[max(0, first - self._base) : max(0, last - self._base)])

    def _ahead(self, count: int) -> list[int]:
        """Places of so many record headers behind `sent`."""
        while len(self._heads) <= count or self._heads[-count] <= self.sent:
            self._record()
        return [head for head in islice(self._heads, count + 2) if head > self.sent][:count]

    def _forget_heads(self) -> None:
        """All before the record that `sent` is in."""
        self._fill(self.sent)
        while len(self._heads) > 1 and self._heads[1] <= self.sent:
            self._heads.popleft()

    def _cut(self) -> int:
        """Bytes of the next segment."""
        rng = self._rng
        self._forget_heads()
        match self.regime.segments:
            case "bytes":
                return rng.randrange(1, 4) if rng.random() < 0.9 else rng.randrange(1, 40)
            case "small":
                return rng.randrange(1, 200)
            case "mss":
                return rng.choice((1448, 1448, 1448, 1380, 536, rng.randrange(1, 1460)))
            case "jumbo":
                return rng.choice((8948, 9526, 9526, rng.randrange(1, 9526)))
            case "heads":  # up to somewhere in or near the next prefix
                to = rng.choice(self._ahead(3)) + rng.randrange(-3, 14)
                return min(max(1, to - self.sent), 9000)
            case "thirds":  # a record's head, and some pieces of it
                following = self._ahead(2)[0]
                head = self._heads[0]
                inside = self.sent - head
                if inside < 13:
                    return min(13 - inside + rng.randrange(4), 9000)
                size = max(1, (following - head) // rng.randrange(3, 20))
                return max(1, min(size, following - self.sent, 9000))
            case _:
                return rng.randrange(1, rng.choice((30, 30, 200, 200, 1500, 1500, 9000)))

    def _has_head(self, first: int, last: int) -> bool:
        return any(first - 13 < head < last for head in self._heads)

    def _later(self, kind: str, first: int, last: int) -> None:
        due = self._time + 1 + int(self._rng.expovariate(1 / self.regime.far))
        self._count += 1
        heappush(self._late, (due, self._count, kind, first, last))

    def segment(self) -> tuple[str, int, bytes]:
        """The next thing that comes: what it is, its place, its bytes."""
        rng, regime = self._rng, self.regime
        dice = rng.random
        while True:
            self._time += 1
            if self._late and self._late[0][0] <= self._time:
                _, _, kind, first, last = heappop(self._late)
                if kind != "again" and dice() < 4 * regime.header:
                    self._later(kind, first, last)
                    return "header", first, self._wrong_header(first, last)
                if kind != "again" and first < self.sent and dice() < regime.go_back:
                    self.sent = first
                    continue
                if kind == "lost" and last - first > 1 and dice() < 0.5:
                    middle = rng.randrange(first + 1, last)
                    self._later("lost", middle, last)
                    last = middle
                elif kind == "lost" and dice() < 0.3:
                    first, last = (
                        max(self._base, first - rng.randrange(50)),
                        last + rng.randrange(50),
                    )
                elif dice() < 2 * regime.stretch:
                    first = max(self._base, first - rng.randrange(1448))
                return kind, first, self.bytes_at(first, last)
            if dice() < regime.gap:
                self._leave_gap()
            first = self.sent
            last = first + self._cut()
            if dice() < regime.old and first > self._base:
                start = max(self._base, first - rng.choice((2000, 10_000, 40_000)))
                at = rng.randrange(start, first)
                return "old", at, self.bytes_at(at, at + rng.randrange(1, 1448))
            if dice() < regime.conflict:
                data = bytearray(self.bytes_at(first, last))
                if data:  # they are still kept
                    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
                return "conflict", first, bytes(data)
            if dice() < regime.header:
                return "header", first, self._wrong_header(first, last)
            self.sent = last
            spared = regime.spare_heads and self._has_head(first, last)
            if not spared:
                if dice() < regime.never:
                    self.lost |= self._has_head(first, last)
                    continue
                if dice() < regime.lose:
                    self._later("lost", first, last)
                    continue
                if dice() < regime.hold:
                    self.lost |= self._has_head(first, last)
                    self._later("held", first, last)
                    continue
            if dice() < regime.repeat:
                self._later("again", first, last)
            if dice() < regime.stretch:
                first = max(self._base, first - rng.randrange(100)) if dice() < 0.5 else first
                last += rng.randrange(100) if dice() < 0.5 else 0
                return "stretched", first, self.bytes_at(first, last)
            return "fresh", first, self.bytes_at(first, last)

    def _leave_gap(self) -> None:
        """Some of what would be next does not come now."""
        rng, first = self._rng, self.sent
        self._forget_heads()
        match rng.randrange(4):
            case 0:  # about where the device says that the boundary is lost
                boundary = first if self._heads[0] == first else self._ahead(1)[0]
                size = boundary - first + LONGEST + rng.choice((-1, 0, 0, 1, 1, 2))
            case 1:
                size = rng.randrange(200, 8000)
            case _:
                size = rng.randrange(LONGEST, 50_000)
        self.sent += size
        self.lost = True
        if rng.random() < 0.3:
            at = first
            while at < self.sent:
                last = min(self.sent, at + rng.randrange(1, 3000))
                self._later("filled", at, last)
                at = last

    def _wrong_header(self, first: int, last: int) -> bytes:
        """The segment, with a record header in it that is just wrong, or just right."""
        rng = self._rng
        heads = [at for at in range(first, last) if (self.seq + at) % SEQ in self._numbers]
        data = bytearray(self.bytes_at(first, last))
        if not heads:
            return bytes(data)
        at = rng.choice(heads) - first
        change, legal = wrong_header(rng, self.version)
        self.lost |= legal
        data[at : at + len(change)] = change
        return bytes(data[: last - first])


# ---- steps ----


class Note(NamedTuple):
    """What a frame was meant to be."""

    kind: str
    peer: End | None = None
    place: int = 0
    size: int = 0

    def __str__(self) -> str:
        if self.peer is None:
            return self.kind
        peer = self.peer
        return (
            f"{self.kind}, {self.size} bytes from place {self.place} of the stream that starts at "
            f"{peer.seq:#010x}, {peer.version.name}, {peer.cipher.name}"
        )


@dataclass(frozen=True, slots=True)
class Frames:
    """Frames from the wire. At most `left` of them are still to go in when the next step is taken:
    they are not of the connection that it is about."""

    frames: list[bytes] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    left: int = 0


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the mailbox; `early` if it is written there before the frames in front go in.

    `end` is the one whose connection an ADD adds.
    """

    opcode: int
    direction: int = Direction.RX
    version: int = 0
    ip_version: int = 0
    cipher: int = 0
    connection: int = 0
    flow: Flow = NOBODY
    seq: int = 0
    number: int = 0
    key: bytes = b""
    iv: bytes = b""
    early: bool = False
    answer: int = Answer.REJECT
    end: End | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Resync:
    """The host answers, or says where a record starts without being asked: `Traffic.answer`.

    Attributes:
        kind: how; one of RESYNCS.
        connection: that of the peer.
        peer: the far end.
        coming: sequence number and number of a record that it has not sent yet.
        seed: of what is random in it.
    """

    kind: str
    connection: int
    peer: Peer = field(compare=False)  # connection names it
    coming: tuple[int, int]
    seed: int

    @property
    def flow(self) -> Flow:
        """Of the connection."""
        return self.peer.flow


MISLEADING: Final = ("wrong number", "believe", "astray")
RESYNCS: Final = {  # and how often
    "true": 100,  # accepts a header that is one, with its number, and rejects what is none
    "reject": 12,  # whatever it is
    "wrong number": 8,
    "believe": 12,  # accepts what is none
    "stale": 20,  # what was not asked last
    "coming": 10,  # a record that is still to come; nobody asked
    "astray": 2,  # where none will start
    "gone": 3,  # a record that was sent long ago
    "other": 3,  # a connection that there is not
}


@dataclass(frozen=True, slots=True)
class Control:
    """Switches; no frame is under way."""

    rx_enable: bool
    avoid_partials: bool
    self_confirm: bool = False


@dataclass(frozen=True, slots=True)
class Events:
    """At most so many events are read, then these bits of IRQ_STATUS written; no frame is under
    way."""

    limit: int
    clear: int


Step = Frames | Command | Resync | Control | Events


def add(peer: End, **other: object) -> Command:
    """The ADD of a connection."""
    fields: dict[str, object] = {
        "opcode": Opcode.ADD,
        "version": peer.version,
        "ip_version": peer.flow.version,
        "cipher": peer.cipher,
        "flow": peer.flow,
        "seq": peer.seq,
        "number": peer.number,
        "key": peer.key,
        "iv": peer.iv,
        "end": peer,
    }
    return Command(**(fields | other))  # type: ignore[arg-type]


class Traffic:
    """Bursts for a device with so many connections. `peers` are those that it has, by id.

    Args:
        seed: of everything.
        connections: that the device can have.
        longest: bytes of a frame; there are none that are longer, not even by mistake.
        crowd: connections at a time; random without it.
    """

    def __init__(
        self,
        seed: int,
        connections: int = 64,
        longest: int = 2 * MAX_FRAME,
        crowd: int | None = None,
    ) -> None:
        self.rng = Random(f"traffic {seed}")
        self._connections = connections
        self._longest = longest
        self.peers: dict[int, Peer] = {}
        self._gone: deque[Peer] = deque(maxlen=8)
        self._control = Control(True, False)
        self._fixed = crowd
        self._crowd = crowd or self.rng.choice((1, 2, 4, 8, 16, connections))

    def pace(self) -> tuple[int, int]:
        """Gap and stall of a device, in 256 clocks."""
        rng = self.rng
        paces = (0, 0, 0, 0, 10, 40, 100, rng.choice((0, 0, 0, 230)))
        return rng.choice(paces), rng.choice(paces)

    def burst(self, frames: int) -> list[Step]:
        """So many frames, and what goes with them."""
        rng = self.rng
        steps: list[Step] = []
        control = Control(rng.random() < 0.97, rng.random() < 0.3, rng.random() < 0.5)
        if control != self._control or not self.peers:
            self._control = control
            steps.append(control)
        if rng.random() < 0.05 and self._fixed is None:
            self._crowd = rng.choice((1, 2, 4, 8, 16, self._connections))
        left = frames
        while left > 0:
            for _ in range(rng.choice((0, 1, 1, 2, 4))):
                steps.append(self._command())
            while len(self.peers) < min(self._crowd, self._connections) and rng.random() < 0.9:
                steps.append(self._add())
            made = self._frames(min(left, int(1 + rng.expovariate(1 / 40))))
            steps.append(made)
            left -= len(made.frames)
            steps += self._resyncs(made)
            if rng.random() < 0.2:
                limit = rng.choice((1, 3, 100, 100))
                steps.append(Events(limit, rng.choice((0, 7, 7, rng.randrange(8)))))
        return self._straddled(steps)

    def _resyncs(self, made: Frames) -> list[Step]:
        """What a host may say behind these frames, mostly about the connections in them."""
        rng = self.rng
        steps: list[Step] = []
        recent = [note.peer for note in made.notes[-50:]]
        for _ in range(rng.choice((1, 2, 4, 6))):
            near = [n for n, peer in self.peers.items() if peer in recent]
            some = near if near and rng.random() < 0.9 else list(self.peers)
            if some:
                connection = rng.choice(some)
                peer = self.peers[connection]
                kind = rng.choices(list(RESYNCS), list(RESYNCS.values()))[0]
                step = Resync(kind, connection, peer, peer.coming(), rng.getrandbits(32))
                steps.append(step)
        return steps

    def answer(self, step: Resync, asked: list[int]) -> Command | None:
        """What the host says; None if nothing.

        Args:
            step: how it does.
            asked: sequence numbers that the device asked about on this connection, the last one
                last; one that is answered is mostly taken off.
        """
        rng, peer = Random(step.seed), step.peer
        seq, number = asked[-1] if asked else 0, 0
        answer, connection, direction = Answer.ACCEPT, step.connection, Direction.RX
        true = peer.number_of(seq)
        match step.kind:
            case "coming":
                seq, number = step.coming
            case "astray":
                seq = (step.coming[0] + rng.randrange(1, 3000)) % SEQ
            case "gone":
                seq = peer.gone(rng.randrange(1, 2000))
            case "other":
                if rng.random() < 0.5:
                    direction = Direction.TX
                else:
                    connection = rng.choice((self._connections, 0xFFFF))
            case _ if not asked:
                return None
            case "stale":
                seq = rng.choice((rng.choice(asked), (seq + rng.choice((-1, 1, 5))) % SEQ))
                number = peer.number_of(seq) or 0
                answer = rng.choice(list(Answer))
            case "reject":
                answer = Answer.REJECT
            case "wrong number" if true is not None:
                number = (true + rng.choice((-1, 1, 64, rng.getrandbits(64)))) % (1 << 64)
            case "believe" if true is None:
                number = rng.getrandbits(64)
            case _ if true is None:
                answer = Answer.REJECT
            case _:
                number = true
        if asked and rng.random() < 0.9:
            asked.pop()
        return Command(
            Opcode.RESYNC_RX,
            direction,
            connection=connection,
            flow=peer.flow,
            seq=seq,
            number=number,
            answer=answer,
        )

    def _add(self, **other: object) -> Command:
        """A new connection, or an old one again."""
        rng = self.rng
        flows = {peer.flow for peer in self.peers.values()}
        if self._gone and rng.random() < 0.5:
            peer = self._gone.pop()
            if peer.flow in flows:
                return self._add(**other)
            if rng.random() < 0.5:
                peer.restart()
            else:
                peer = Peer(rng, peer.flow)
        else:
            peer = Peer(rng, random_flow(rng))
            if peer.flow in flows:
                return add(peer, **other)  # which it has
        if len(self.peers) < self._connections:
            free = next(n for n in range(self._connections) if n not in self.peers)
            self.peers[free] = peer
        return add(peer, early=rng.random() < 0.5, **other)

    def _delete(self, gone: int) -> Command:
        peer = self.peers.pop(gone)
        self._gone.append(peer)
        early = self.rng.random() < 0.5
        return Command(Opcode.DEL, connection=gone, flow=peer.flow, early=early)

    def _command(self) -> Command:
        rng = self.rng
        some = rng.choice(list(self.peers.values())) if self.peers else None
        lost = [n for n, peer in self.peers.items() if peer.lost]
        if lost and rng.random() < 0.1:
            return self._delete(rng.choice(lost))
        misled = [n for n, peer in self.peers.items() if peer.misled]
        if misled and rng.random() < 0.5:
            return self._delete(rng.choice(misled))
        match rng.randrange(12):
            case 0 if some:  # it has this one
                return add(Peer(rng, some.flow), early=rng.random() < 0.5)
            case 1 if some and some.flow.version is IpVersion.IPV6:
                return add(Peer(rng, same_fingerprint(rng, some.flow)))
            case 2:  # what it lacks, of which nothing comes
                peer = Peer(rng, random_flow(rng))
                if rng.random() < 0.5:
                    return add(peer, cipher=rng.choice((Cipher.NONE, Cipher.RESERVED)))
                return add(peer, cipher=Cipher.RESERVED)
            case 3:
                opcode = rng.choice((0, 0, rng.randrange(5, 16)))
                return Command(opcode, rng.randrange(2), connection=rng.randrange(1 << 16))
            case 4:  # nobody there, or the other direction
                wrong = rng.choice((self._connections, 0xFFFF, rng.randrange(1 << 16)))
                if wrong in self.peers:
                    return Command(Opcode.RESYNC_RX, Direction.TX, connection=wrong)
                return Command(Opcode.DEL, connection=wrong)
            case 5 | 6 | 7 | 8 | 9 if some and len(self.peers) >= rng.randrange(self._crowd + 1):
                return self._delete(rng.choice(list(self.peers)))
            case 10 if len(self.peers) == self._connections:
                return self._add()
            case _ if len(self.peers) < self._crowd:
                return self._add()
            case _:
                return Command(
                    Opcode.RESYNC_RX, Direction.TX, connection=rng.randrange(self._connections)
                )

    def _frames(self, count: int) -> Frames:
        rng = self.rng
        made = Frames()
        frames, notes = made.frames, made.notes
        peers = list(self.peers.values())
        if len(peers) > 3 and rng.random() < 0.7:
            peers = rng.sample(peers, rng.choice((1, 2, 3)))
        steady = rng.random() < 0.5  # the same again and again, or any
        peer = rng.choice(peers) if peers else None
        while len(frames) < count:
            if peer is None or rng.random() < 0.02:
                kind, frame = other_traffic(rng)
                frames.append(frame)
                notes.append(Note(kind))
                continue
            if not steady or rng.random() < 0.03:
                peer = rng.choice(peers)
            self._of(peer, frames, notes)
        short = [n for n, frame in enumerate(frames) if len(frame) <= self._longest]
        return Frames([frames[n] for n in short], [notes[n] for n in short])

    def _of(self, peer: Peer, frames: list[bytes], notes: list[Note]) -> None:
        """The next frame of a connection, and what goes before it."""
        rng, regime = self.rng, peer.regime
        dice = rng.random
        if dice() < 0.01:  # not one that there is
            flow = peer.flow
            make = rng.choice((one_bit_off, one_bit_off, same_fingerprint))
            if make is same_fingerprint and flow.version is IpVersion.IPV4:
                make = one_bit_off
            data = some_bytes(rng, rng.randrange(1448))
            seq = (peer.seq + peer.sent) % SEQ
            frames.append(build(make(rng, flow), seq, data).frame)
            notes.append(Note("stranger", peer))
        if dice() < 0.005 and self._gone:
            gone = rng.choice(self._gone)
            _, place, data = gone.segment()
            frames.append(build(gone.flow, (gone.seq + place) % SEQ, data).frame)
            notes.append(Note("gone", gone, place, len(data)))
        kind, place, data = peer.segment()
        seq = (peer.seq + place) % SEQ
        dress = random_dress(rng) if dice() < 0.15 else PLAIN
        if dice() < regime.ack:
            flags = rng.choice((ACK, ACK, FIN | ACK, SYN, RST, SYN | ACK, RST | ACK))
            bare = b"" if flags in (ACK, FIN | ACK) or dice() < 0.5 else data
            frames.append(build(peer.flow, seq, bare, Dress(flags=flags)).frame)
            notes.append(Note("bare", peer, place, len(bare)))
        built = build(peer.flow, seq, data, dress, len(frames))
        if dice() < regime.mutate:
            name = rng.choice(tuple(MUTATIONS))
            if name == "overlong" and dice() < 0.8:  # it takes long
                name = "flip"
            frame = MUTATIONS[name](rng, built)
            peer.lost |= name == "corrupt"
            frames.append(frame)
            notes.append(Note(name, peer, place, len(data)))
        frame = built.frame
        if len(frame) < 60 and dice() < 0.8:
            frame += bytes(60 - len(frame)) if dice() < 0.5 else some_bytes(rng, 60 - len(frame))
        frames.append(frame)
        notes.append(Note(kind, peer, place, len(data)))

    def _straddled(self, steps: Sequence[Step]) -> list[Step]:
        """Let frames of others go in during commands."""
        done: list[Step] = []
        for at, step in enumerate(steps):
            made = step
            if isinstance(step, Frames):
                flows = set()  # of the commands that follow at once
                for following in steps[at + 1 :]:
                    if not isinstance(following, Command | Resync):
                        break
                    flows.add(following.flow)
                free = 0
                for note in reversed(step.notes):
                    if note.peer is not None and note.peer.flow in flows:
                        break
                    free += 1
                if self.rng.random() < 0.5:
                    made = Frames(step.frames, step.notes, self.rng.randrange(min(free, 8) + 1))
            done.append(made)
        return done
