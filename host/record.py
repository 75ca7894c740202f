"""Records of TLS 1.2 and 1.3 with AES-GCM: where they end, and how they open.

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


class Opener:
    """Keys of one direction and the number of the next record."""

    def __init__(self, info: CryptoInfo) -> None:
        self.info = info
        self.number = info.number
        self._gcm = AESGCM(info.key)
        self._prefix = PREFIX[info.version]

    def open(self, record: bytes) -> bytes:
        """The plaintext of a record; InvalidTag if it is not authentic."""
        return self._gcm.decrypt(self._nonce(record), record[self._prefix :], self._aad(record))

    def text(self, record: bytes) -> bytes:
        """What of a record is encrypted, as it stands."""
        return record[self._prefix : -TAG]

    def toggle(self, record: bytes, start: int, end: int) -> bytes:
        """record[start:end] with its plaintext made ciphertext, or the other way round."""
        first, last = max(start, self._prefix), min(end, len(record) - TAG)
        if first >= last:
            return record[start:end]
        block, inside = divmod(first - self._prefix, _BLOCK)
        counter = self._nonce(record) + (_FIRST_TEXT_BLOCK + block).to_bytes(4)
        stream = Cipher(AES(self.info.key), CTR(counter)).encryptor()
        text = stream.update(bytes(inside) + record[first:last])[inside:]
        return record[start:first] + text + record[last:end]

    def _nonce(self, record: bytes) -> bytes:
        if self.info.version is Version.TLS_1_2:
            return self.info.salt + record[HEADER : self._prefix]
        static = int.from_bytes(self.info.salt + self.info.iv)
        return (static ^ self.number).to_bytes(12)

    def _aad(self, record: bytes) -> bytes:
        if self.info.version is Version.TLS_1_3:
            return record[:HEADER]
        length = len(record) - self._prefix - TAG
        return self.number.to_bytes(8) + record[:3] + length.to_bytes(2)


def inner(text: bytes) -> tuple[int, bytes] | None:
    """Type and content of a TLS 1.3 plaintext; None if it is padding alone (RFC 8446, 5.4)."""
    stripped = text.rstrip(b"\0")
    return (stripped[-1], stripped[:-1]) if stripped else None
