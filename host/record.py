"""Records of TLS 1.2 and 1.3 with AES-GCM: where they end, how they open, and how they are made.

In: keys, and records with their headers. Out: lengths, plaintext, ciphertext. Errors: HeaderError
with the kernel's errno for a header that no record can have; InvalidTag of `cryptography` for one
that is not authentic. RFC 5246, 6.2; RFC 5288, 3; RFC 8446, 5.
"""

from __future__ import annotations

import errno
from enum import IntEnum
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from host.crypto_info import CryptoInfo, Version

HEADER: Final = 5
TAG: Final = 16
PREFIX: Final = {Version.TLS_1_2: 13, Version.TLS_1_3: 5}  # header and explicit nonce
_LENGTHS: Final = {Version.TLS_1_2: (24, 16408), Version.TLS_1_3: (16, 16401)}
_WIRE_VERSION: Final = b"\x03\x03"
_BLOCK: Final = 16
_FIRST_TEXT_BLOCK: Final = 2  # counter 1 is the tag's


class ContentType(IntEnum):
    """What a record holds."""

    CHANGE_CIPHER_SPEC = 20
    ALERT = 21
    HANDSHAKE = 22
    DATA = 23


class HeaderError(Exception):
    """A header that no record can have; `errno` is what the kernel says of it."""

    def __init__(self, number: int) -> None:
        super().__init__(errno.errorcode[number])
        self.errno = number


def record_size(version: Version, data: bytes) -> int | None:
    """Bytes of the record that starts here, with header; None if too little of it is there.

    The kernel's tests in the kernel's order (`tls_rx_msg_size()`).
    """
    if len(data) < PREFIX[version]:
        return None
    length = int.from_bytes(data[3:HEADER])
    least, most = _LENGTHS[version]
    if length > most:
        raise HeaderError(errno.EMSGSIZE)
    if length < least:
        raise HeaderError(errno.EBADMSG)
    if data[1:3] != _WIRE_VERSION:
        raise HeaderError(errno.EINVAL)
    return HEADER + length


def in_clear(version: Version, kind: int, nonce: bytes, data: bytes) -> bytes:
    """A record as it is before it is sealed, with zeros where the tag will be.

    `nonce` is the explicit one of TLS 1.2; in TLS 1.3 there is none.
    """
    text, outer = data, kind
    if version is Version.TLS_1_3:
        text, outer, nonce = data + bytes([kind]), ContentType.DATA, b""
    length = len(nonce) + len(text) + TAG
    return bytes([outer]) + _WIRE_VERSION + length.to_bytes(2) + nonce + text + bytes(TAG)


class _Keys:
    """Keys of one direction. A record is given whole, with its tag or the room for it."""

    def __init__(self, info: CryptoInfo) -> None:
        self.info = info
        self._gcm = AESGCM(info.key)
        self._prefix = PREFIX[info.version]

    def text(self, record: bytes) -> bytes:
        """What of a record is encrypted, as it stands."""
        return record[self._prefix : -TAG]

    def _toggle(self, record: bytes, number: int, start: int, end: int) -> bytes:
        first, last = max(start, self._prefix), min(end, len(record) - TAG)
        if first >= last:
            return record[start:end]
        block, inside = divmod(first - self._prefix, _BLOCK)
        counter = self._nonce(record, number) + (_FIRST_TEXT_BLOCK + block).to_bytes(4)
        stream = Cipher(AES(self.info.key), CTR(counter)).encryptor()
        text = stream.update(bytes(inside) + record[first:last])[inside:]
        return record[start:first] + text + record[last:end]

    def _nonce(self, record: bytes, number: int) -> bytes:
        if self.info.version is Version.TLS_1_2:
            return self.info.salt + record[HEADER : self._prefix]
        static = int.from_bytes(self.info.salt + self.info.iv)
        return (static ^ number).to_bytes(12)

    def _aad(self, record: bytes, number: int) -> bytes:
        if self.info.version is Version.TLS_1_3:
            return record[:HEADER]
        length = len(record) - self._prefix - TAG
        return number.to_bytes(8) + record[:3] + length.to_bytes(2)


class Opener(_Keys):
    """Keys of one direction and the number of the next record."""

    def __init__(self, info: CryptoInfo) -> None:
        super().__init__(info)
        self.number = info.number

    def open(self, record: bytes) -> bytes:
        """The plaintext of a record; InvalidTag if it is not authentic."""
        nonce, aad = self._nonce(record, self.number), self._aad(record, self.number)
        return self._gcm.decrypt(nonce, record[self._prefix :], aad)

    def toggle(self, record: bytes, start: int, end: int) -> bytes:
        """record[start:end] with its plaintext made ciphertext, or the other way round."""
        return self._toggle(record, self.number, start, end)


class Sealer(_Keys):
    """Keys of one direction. Records are given in clear, with their number."""

    def seal(self, record: bytes, number: int) -> bytes:
        """The record as it goes out."""
        nonce, aad = self._nonce(record, number), self._aad(record, number)
        return record[: self._prefix] + self._gcm.encrypt(nonce, self.text(record), aad)

    def part(self, record: bytes, number: int, tag: bytes, start: int, end: int) -> bytes:
        """seal(record)[start:end], from these bytes of the record and its tag alone."""
        return self._toggle(record[:-TAG] + tag, number, start, end)


def inner(text: bytes) -> tuple[int, bytes] | None:
    """Type and content of a TLS 1.3 plaintext; None if it is padding alone (RFC 8446, 5.4)."""
    stripped = text.rstrip(b"\0")
    return (stripped[-1], stripped[:-1]) if stripped else None
