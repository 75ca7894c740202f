"""A connection's key and IV, and what is computed with them, for both directions.

Written from docs/receive.md, 3: RFC 5288 (TLS 1.2), RFC 8446, 5.2 and 5.3 (TLS 1.3), SP 800-38D.
Whole records are `cryptography`'s business; parts of their text go through its counter mode.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher as Mode
from cryptography.hazmat.primitives.ciphers import CipherContext
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from model.gcm import BLOCK
from model.record import HEADER, Record
from model.regs import TlsVersion

SALT: Final = 4  # bytes of the IV that TLS 1.2 uses
FIRST_COUNTER: Final = 2  # of the text; SP 800-38D, 7.1


class Keys:
    """Key and IV of one direction of a connection."""

    def __init__(self, version: TlsVersion, key: bytes, iv: bytes) -> None:
        self._version = version
        self._iv = iv
        self._aes = AES(key)
        self._gcm = AESGCM(key)
        # The last keystream, where it stands: text in order needs one a record, not one a piece.
        self._record: Record | None = None
        self._at = 0
        self._stream: CipherContext | None = None

    def nonce(self, record: Record) -> bytes:
        """RFC 5288, 3: salt and explicit nonce. RFC 8446, 5.3: IV XOR record number."""
        if self._version is TlsVersion.TLS_1_2:
            return self._iv[:SALT] + record.prefix[HEADER:]
        return (int.from_bytes(self._iv) ^ record.number).to_bytes(len(self._iv))

    def aad(self, record: Record) -> bytes:
        """RFC 5246, 6.2.3.3, and RFC 8446, 5.2."""
        header = record.prefix[:HEADER]
        if self._version is TlsVersion.TLS_1_2:
            text = record.text_end - len(record.prefix)
            return record.number.to_bytes(8) + header[:3] + text.to_bytes(2)
        return header

    def seal(self, record: Record, text: bytes) -> bytes:
        """The ciphertext of the record's whole text, and its tag."""
        return self._gcm.encrypt(self.nonce(record), text, self.aad(record))

    def authentic(self, record: Record, sealed: bytes) -> bool:
        """Whether the tag behind the record's whole ciphertext is right."""
        try:
            self._gcm.decrypt(self.nonce(record), sealed, self.aad(record))
        except InvalidTag:
            return False
        return True

    def crypt(self, record: Record, at: int, data: bytes) -> bytes:
        """Bytes of the record's text, from byte `at` on: encrypted or decrypted, it is the same."""
        stream = self._stream
        if stream is None or record is not self._record or at != self._at:
            counter = (FIRST_COUNTER + at // BLOCK).to_bytes(4)
            stream = Mode(self._aes, CTR(self.nonce(record) + counter)).encryptor()
            stream.update(bytes(at % BLOCK))
        self._record, self._at, self._stream = record, at + len(data), stream
        return stream.update(data)
