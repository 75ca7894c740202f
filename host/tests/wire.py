"""TLS connections made for tests, from keys to frames, with none of the host's code.

A `Session` has a handshake that a follower can follow (nobody signs or verifies anything in it),
the key log of it, and a `Writer` of records for each side. `Tcp` cuts streams into frames.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CLIENT, SERVER = 0, 1
CCS, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23
FIN, SYN, RST, ACK = 1, 2, 4, 16
SUITES = {(0x0303, 16): 0xC02F, (0x0303, 32): 0xC030, (0x0304, 16): 0x1301, (0x0304, 32): 0x1302}
RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


def sha(key_size: int) -> str:
    """The hash of a suite with such keys."""
    return "sha256" if key_size == 16 else "sha384"


def label(secret: bytes, name: str, size: int, digest: str) -> bytes:
    """HKDF-Expand-Label, RFC 8446, 7.1 and RFC 5869, 2.3."""
    text = b"tls13 " + name.encode()
    info = struct.pack(">HB", size, len(text)) + text + b"\0"
    block, out, count = b"", b"", 1
    while len(out) < size:
        block = hmac.digest(secret, block + info + bytes([count]), digest)
        out, count = out + block, count + 1
    return out[:size]


def prf12(secret: bytes, seed: bytes, size: int, digest: str) -> bytes:
    """P_hash, RFC 5246, 5."""
    out, a = b"", seed
    while len(out) < size:
        a = hmac.digest(secret, a, digest)
        out += hmac.digest(secret, a + seed, digest)
    return out[:size]


@dataclass
class Writer:
    """Makes records; `iv` has 4 bytes in TLS 1.2, 12 in TLS 1.3."""

    version: int
    key: bytes
    iv: bytes
    number: int = 0
    secret: bytes = b""

    @classmethod
    def of(cls, secret: bytes, key_size: int) -> Writer:
        """With a TLS 1.3 traffic secret."""
        digest = sha(key_size)
        key, iv = label(secret, "key", key_size, digest), label(secret, "iv", 12, digest)
        return cls(0x0304, key, iv, 0, secret)

    def updated(self) -> Writer:
        """The one behind a KeyUpdate."""
        digest = sha(len(self.key))
        secret = label(self.secret, "traffic upd", 32 if digest == "sha256" else 48, digest)
        return self.of(secret, len(self.key))

    def record(self, kind: int, data: bytes, pad: int = 0, raw: bytes | None = None) -> bytes:
        """A record; `raw` is the whole inner plaintext of TLS 1.3."""
        number = self.number.to_bytes(8)
        self.number += 1
        if self.version == 0x0303:
            nonce = bytes(b ^ 0x5A for b in number)  # any will do, but not the number itself
            aad = number + struct.pack(">BHH", kind, 0x0303, len(data))
            text = AESGCM(self.key).encrypt(self.iv + nonce, data, aad)
            return struct.pack(">BHH", kind, 0x0303, len(text) + 8) + nonce + text
        plain = data + bytes([kind]) + bytes(pad) if raw is None else raw
        header = struct.pack(">BHH", 23, 0x0303, len(plain) + 16)
        static = bytes(a ^ b for a, b in zip(self.iv, bytes(4) + number, strict=True))
        return header + AESGCM(self.key).encrypt(static, plain, header)


def plain(kind: int, body: bytes) -> bytes:
    """A record without encryption."""
    return struct.pack(">BHH", kind, 0x0303, len(body)) + body


def message(kind: int, body: bytes) -> bytes:
    """A handshake message."""
    return bytes([kind]) + len(body).to_bytes(3) + body


def extension(kind: int, body: bytes) -> bytes:
    """An extension of a hello."""
    return struct.pack(">HH", kind, len(body)) + body


def client_hello(random: bytes, extensions: bytes = b"") -> bytes:
    """A ClientHello with a session id and one suite."""
    body = b"\x03\x03" + random + b"\x20" + bytes(32) + b"\0\x02\x13\x01" + b"\x01\0"
    return message(1, body + len(extensions).to_bytes(2) + extensions)


def server_hello(random: bytes, suite: int, version: int) -> bytes:
    """A ServerHello."""
    extensions = extension(43, b"\x03\x04") if version == 0x0304 else b""
    legacy = min(version, 0x0303).to_bytes(2)
    body = legacy + random + b"\0" + suite.to_bytes(2) + b"\0"
    return message(2, body + len(extensions).to_bytes(2) + extensions)


@dataclass
class Session:
    """One connection. `flights` is the handshake: who sends what, in order."""

    version: int = 0x0304
    key_size: int = 16
    seed: int = 1
    early: bytes = b""  # data that the client sends with its hello
    retry: bool = False
    flights: list[tuple[int, bytes]] = field(default_factory=list)
    writers: list[Writer] = field(default_factory=list)
    key_log: str = ""

    def __post_init__(self) -> None:
        random = Random(self.seed)
        client, server = random.randbytes(32), random.randbytes(32)
        (self._flights_1_3 if self.version == 0x0304 else self._flights_1_2)(random, client, server)

    def _flights_1_3(self, random: Random, client: bytes, server: bytes) -> None:
        size = 32 if self.key_size == 16 else 48
        secrets = {
            f"{side}_{name}": random.randbytes(size)
            for name in ("HANDSHAKE_TRAFFIC_SECRET", "TRAFFIC_SECRET_0")
            for side in ("CLIENT", "SERVER")
        }
        self.key_log = "".join(f"{k} {client.hex()} {v.hex()}\n" for k, v in secrets.items())
        c, s = (Writer.of(secrets[f"{x}_HANDSHAKE_TRAFFIC_SECRET"], self.key_size)
                for x in ("CLIENT", "SERVER"))  # fmt: skip
        self.writers = [Writer.of(secrets[f"{x}_TRAFFIC_SECRET_0"], self.key_size)
                        for x in ("CLIENT", "SERVER")]  # fmt: skip
        ccs = plain(CCS, b"\x01")
        suite = SUITES[self.version, self.key_size]
        offered = extension(42, b"") if self.early else b""
        early = b""
        if self.early:
            early = ccs + Writer.of(bytes(size), self.key_size).record(DATA, self.early)
        self.flights = [(CLIENT, plain(HANDSHAKE, client_hello(client, offered)) + early)]
        if self.retry:
            again = plain(HANDSHAKE, server_hello(RETRY, suite, self.version)) + ccs
            hello = ccs + plain(HANDSHAKE, client_hello(client))
            self.flights += [(SERVER, again), (CLIENT, hello)]
        certificate = message(11, bytes(700))
        self.flights += [
            (
                SERVER,
                plain(HANDSHAKE, server_hello(server, suite, self.version))
                + ccs
                + s.record(HANDSHAKE, message(8, bytes(6)) + certificate[:300])
                + s.record(HANDSHAKE, certificate[300:], pad=5)
                + s.record(HANDSHAKE, message(15, bytes(70)) + message(20, bytes(size))),
            ),
            (CLIENT, ccs + c.record(HANDSHAKE, message(20, bytes(size)))),
        ]

    def _flights_1_2(self, random: Random, client: bytes, server: bytes) -> None:
        master = random.randbytes(48)
        self.key_log = f"CLIENT_RANDOM {client.hex()} {master.hex()}\n"
        n = self.key_size
        block = prf12(master, b"key expansion" + server + client, 2 * n + 8, sha(n))
        keys = block[:n], block[n : 2 * n], block[2 * n : -4], block[-4:]
        c, s = (Writer(self.version, keys[i], keys[i + 2]) for i in (CLIENT, SERVER))
        self.writers = [c, s]
        ccs = plain(CCS, b"\x01")
        suite = SUITES[self.version, self.key_size]
        flight = message(11, bytes(700)) + message(14, b"")
        self.flights = [
            (CLIENT, plain(HANDSHAKE, client_hello(client))),
            (SERVER, plain(HANDSHAKE, server_hello(server, suite, self.version) + flight)),
            (CLIENT, plain(HANDSHAKE, message(16, bytes(66))) + ccs
             + c.record(HANDSHAKE, message(20, bytes(12)))),
            (SERVER, ccs + s.record(HANDSHAKE, message(20, bytes(12)))),
        ]  # fmt: skip


def checksum(data: bytes) -> int:
    """RFC 1071, word by word."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


@dataclass
class Tcp:
    """Both ends of a TCP connection; `frames` is what was on the wire between them."""

    addresses: Sequence[bytes] = (b"\x0a\0\0\x01", b"\x0a\0\0\x02")
    ports: Sequence[int] = (50000, 443)
    next: list[int] = field(default_factory=lambda: [0xFFFF_F000, 1000])
    frames: list[bytes] = field(default_factory=list)

    def open(self) -> None:
        """SYN and SYN-ACK."""
        for side, flags in ((CLIENT, SYN), (SERVER, SYN | ACK)):
            self.frames.append(self.frame(side, self.next[side], flags))
            self.next[side] = self.next[side] + 1 & 0xFFFF_FFFF

    def send(self, side: int, data: bytes, mss: int = 1448) -> list[bytes]:
        """Segments of a side's next bytes; they are on the wire, too."""
        sent = []
        for at in range(0, len(data), mss):
            piece = data[at : at + mss]
            sent.append(self.frame(side, self.next[side], ACK, piece))
            self.next[side] = self.next[side] + len(piece) & 0xFFFF_FFFF
        self.frames += sent
        return sent

    def frame(
        self, side: int, seq: int, flags: int, payload: bytes = b"", ack: int | None = None
    ) -> bytes:
        """One frame, checksums and all; it acknowledges all that the other side has sent."""
        if ack is None:
            ack = self.next[1 - side] if flags & ACK else 0
        source, destination = self.addresses[side], self.addresses[1 - side]
        ports = self.ports[side], self.ports[1 - side]
        tcp = struct.pack(">HHIIBBHHH", *ports, seq, ack, 0x50, flags, 65535, 0, 0) + payload
        pseudo = source + destination + struct.pack(">HH", 6, len(tcp))
        tcp = tcp[:16] + checksum(pseudo + tcp).to_bytes(2) + tcp[18:]
        if len(source) == 16:
            ip = struct.pack(">IHBB", 6 << 28, len(tcp), 6, 64) + source + destination
            return bytes(12) + b"\x86\xdd" + ip + tcp
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0x4000, 64, 6, 0)
        ip += source + destination
        ip = ip[:10] + checksum(ip).to_bytes(2) + ip[12:]
        return bytes(12) + b"\x08\0" + ip + tcp


def raises(number: int) -> pytest.RaisesExc[OSError]:
    """OSError with that errno is expected."""
    return pytest.raises(OSError, match=rf"\[Errno {number}\]")


def pcap(frames: Sequence[bytes]) -> bytes:
    """A capture of frames, a microsecond apart."""
    out = [struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, 1)]
    for number, frame in enumerate(frames):
        out.append(struct.pack("<IIII", 1, number, len(frame), len(frame)) + frame)
    return b"".join(out)


def connection(session: Session, tcp: Tcp | None = None) -> Tcp:
    """A TCP connection in which the session's handshake is done."""
    tcp = tcp or Tcp()
    tcp.open()
    for side, data in session.flights:
        tcp.send(side, data)
    return tcp
