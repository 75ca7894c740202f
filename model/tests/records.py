"""TLS records by `cryptography`, for the tests of receive."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from model.regs import TlsVersion

SEQ = 1 << 32


@dataclass(frozen=True, slots=True)
class Sender:
    """One direction of a TLS connection."""

    version: TlsVersion
    key: bytes
    iv: bytes

    def seal(self, number: int, kind: int, text: bytes, explicit: bytes = bytes(8)) -> bytes:
        """The record on the wire. In TLS 1.3 the text has its inner type and padding already."""
        gcm = AESGCM(self.key)
        if self.version is TlsVersion.TLS_1_2:  # RFC 5288, 3; RFC 5246, 6.2.3.3
            aad = number.to_bytes(8) + bytes([kind, 3, 3]) + len(text).to_bytes(2)
            body = explicit + gcm.encrypt(self.iv[:4] + explicit, text, aad)
            return bytes([kind, 3, 3]) + len(body).to_bytes(2) + body
        header = bytes([kind, 3, 3]) + (len(text) + 16).to_bytes(2)  # RFC 8446, 5.2
        nonce = bytes(a ^ b for a, b in zip(self.iv, number.to_bytes(12), strict=True))
        return header + gcm.encrypt(nonce, text, header)


def opened(version: TlsVersion, record: bytes, text: bytes) -> bytes:
    """What the device makes of a record with this text: the text in the ciphertext's place."""
    prefix = 13 if version is TlsVersion.TLS_1_2 else 5
    return record[:prefix] + text + record[-16:]


def sender(rng: random.Random, version: TlsVersion, key_bytes: int) -> Sender:
    """A sender with a random key."""
    iv = rng.randbytes(4) + bytes(8) if version is TlsVersion.TLS_1_2 else rng.randbytes(12)
    return Sender(version, rng.randbytes(key_bytes), iv)


@dataclass(frozen=True, slots=True)
class Stream:
    """Records one behind the other: as sent, and as they should leave; and where each starts."""

    wire: bytes
    plain: bytes
    starts: tuple[int, ...]


def stream(
    rng: random.Random, sender: Sender, number: int, sizes: Sequence[int], kinds: Sequence[int] = ()
) -> Stream:
    """Records of these sizes of text, numbered from `number` on; of any type if none is given."""
    wire, plain, starts = b"", b"", []
    for n, size in enumerate(sizes):
        text = rng.randbytes(size)
        kind = kinds[n] if kinds else rng.randrange(20, 24)
        record = sender.seal((number + n) % (1 << 64), kind, text, rng.randbytes(8))
        starts.append(len(wire))
        wire += record
        plain += opened(sender.version, record, text)
    return Stream(wire, plain, tuple(starts))


def cuts(rng: random.Random, total: int, sizes: range) -> Iterator[tuple[int, int]]:
    """Cut [0, total) into segments of random sizes."""
    first = 0
    while first < total:
        last = min(total, first + rng.choice(sizes))
        yield first, last
        first = last
