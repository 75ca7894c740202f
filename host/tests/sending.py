"""Records to test sending with, in clear and as on the wire; the host's code makes none of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from host.crypto_info import CipherType, CryptoInfo, Version
from host.tests.wire import ACK, CLIENT, DATA, Tcp, Writer
from host.tx_records import TxRecords

V4 = (b"\x0a\0\0\x01", b"\x0a\0\0\x02")
V6 = (bytes.fromhex("fd77" + "00" * 13 + "01"), bytes.fromhex("fd77" + "00" * 13 + "02"))
KEYS = [(version, size) for version in Version for size in (16, 32)]


def keys(version: Version, key_size: int, number: int = 0) -> tuple[Writer, CryptoInfo]:
    """What makes the wire's records, and the same keys for the host."""
    key = bytes(range(3, 3 + key_size))
    iv = bytes(range(60, 64 if version is Version.TLS_1_2 else 72))
    cipher = CipherType.AES_GCM_128 if key_size == 16 else CipherType.AES_GCM_256
    nonce = bytes(byte ^ 0x5A for byte in number.to_bytes(8))  # as the writer has it
    info = CryptoInfo(version, cipher, iv[4:] or nonce, key, iv[:4], number.to_bytes(8))
    return Writer(version, key, iv, number), info


def seal(info: CryptoInfo, number: int, image: bytes) -> bytes:
    """A record in clear as it is on the wire: RFC 5288, 3 and RFC 8446, 5.2 and 5.3."""
    count = number.to_bytes(8)
    if info.version is Version.TLS_1_2:
        text = image[13:-16]
        aad = count + image[:3] + len(text).to_bytes(2)
        return image[:13] + AESGCM(info.key).encrypt(info.salt + image[5:13], text, aad)
    static = zip(info.salt + info.iv, bytes(4) + count, strict=True)
    nonce = bytes(a ^ b for a, b in static)
    return image[:5] + AESGCM(info.key).encrypt(nonce, image[5:-16], image[:5])


@dataclass(frozen=True)
class Sent:
    """Records of a stream that starts with sequence number `seq`; `edges` are where they do."""

    info: CryptoInfo
    seq: int
    clear: list[bytes]
    sealed: list[bytes]

    @classmethod
    def of(
        cls,
        version: Version,
        key_size: int,
        sizes: Sequence[int],
        seq: int = 1000,
        number: int = 0,
    ) -> Sent:
        """Records with so many bytes of data; one has padding where it can."""
        writer, info = keys(version, key_size, number)
        clear, sealed = [], []
        for n, size in enumerate(sizes):
            data = bytes(31 * n + i & 0xFF for i in range(size))
            pad = 3 if n == 1 and version is Version.TLS_1_3 else 0
            sealed.append(writer.record(DATA, data, pad))
            text = data if version is Version.TLS_1_2 else data + bytes([DATA]) + bytes(pad)
            prefix = 13 if version is Version.TLS_1_2 else 5
            clear.append(sealed[-1][:prefix] + text + bytes(16))
        return cls(info, seq, clear, sealed)

    @property
    def edges(self) -> list[int]:
        """Where records start, and the end."""
        return [sum(map(len, self.clear[:n])) for n in range(len(self.clear) + 1)]

    def records(self) -> TxRecords:
        """All of them, held."""
        records = TxRecords(self.seq, self.info.number)
        for each in self.clear:
            records.push(each)
        return records

    def frame(
        self, start: int, end: int, sealed: bool, addresses: Sequence[bytes] = V4, flags: int = ACK
    ) -> bytes:
        """A frame with these bytes of the stream."""
        stream = b"".join(self.sealed if sealed else self.clear)
        seq = self.seq + start & 0xFFFF_FFFF
        return Tcp(addresses).frame(CLIENT, seq, flags, stream[start:end])
