"""The AES-GCM lane: key slots, and parts of records in any order. Model of hdl/tls_gcm.v.

Written from SP 800-38D, RFC 5288 (TLS 1.2) and RFC 8446, 5.2 and 5.3 (TLS 1.3); the contract is
docs/interfaces.md. A record's tag is the XOR of the sums of its parts. Where the RTL works by
Horner's rule and a few stored powers, this multiplies each block by its own power of H: another
way to the same number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from model import aes
from model.ghash import weighted
from model.regs import Cipher

__all__ = ["Cipher", "Done", "Error", "Lane", "Part", "blocks_in"]

BLOCK: Final = 16
MAX_LEN: Final = 16640  # bytes of text in a record; RFC 8446, 5.2 has 2^14 + 256 with the tag
MAX_BLOCKS: Final = 2046  # of AAD and text together: powers of H go to 2047
MAX_INLINE_AAD: Final = 16  # longer AAD comes in parts of its own


KEY_BYTES: Final[Mapping[Cipher, int]] = {Cipher.AES_128_GCM: 16, Cipher.AES_256_GCM: 32}


class Error(IntEnum):
    """Why a part's text and sum are zero."""

    NONE = 0
    NO_KEY = 1
    BAD_PART = 2


@dataclass(frozen=True, slots=True)
class Part:
    """A run of bytes of one record, and what must be known of the record.

    Attributes:
        slot: key slot.
        decrypt: the bytes are ciphertext.
        nonce: XORed to the last 8 bytes of the slot's IV: the record number in TLS 1.3, the
            explicit nonce in TLS 1.2 (whose IV is the salt and 8 zero bytes).
        text_len: bytes of the record's text, without header, nonce and tag.
        offset: of the part's first byte in the text (in the AAD with `is_aad`).
        data: the bytes; may be empty.
        aad: the record's AAD when it has at most 16 bytes.
        aad_len: its length.
        is_aad: the bytes are AAD of a record that has more than 16 bytes of it.
    """

    slot: int
    decrypt: bool
    nonce: int
    text_len: int
    offset: int
    data: bytes
    aad: bytes = b""
    aad_len: int = 0
    is_aad: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """What comes out: text (empty for AAD), the part's sum of 16 bytes, the reason if zero."""

    text: bytes
    sum: bytes
    error: Error


@dataclass(frozen=True, slots=True)
class _Key:
    key: bytes
    iv: bytes
    h: int


def blocks_in(size: int) -> int:
    """Blocks that so many bytes touch."""
    return -(-size // BLOCK)


class Lane:
    """Key slots and the function from part to text and sum. It keeps nothing of a record."""

    def __init__(self, slots: int) -> None:
        self._keys: list[_Key | None] = [None] * slots

    def install(self, slot: int, cipher: Cipher, key: bytes, iv: bytes) -> bool:
        """Install a key, or wipe the slot with NONE; False when the cipher is RESERVED: refused."""
        if cipher is Cipher.RESERVED:
            return False
        if cipher is Cipher.NONE:
            self._keys[slot] = None
            return True
        key = key[: KEY_BYTES[cipher]]
        self._keys[slot] = _Key(key, iv, int.from_bytes(aes.encrypt(key, bytes(BLOCK))))
        return True

    def process(self, part: Part) -> Done:
        """Encrypt or decrypt a part, and sum it."""
        error = self._error(part)
        key = self._keys[part.slot]
        if error is not Error.NONE or key is None:
            text = b"" if part.is_aad else bytes(len(part.data))
            return Done(text, bytes(BLOCK), error)

        nonce = key.iv[:4] + (int.from_bytes(key.iv[4:]) ^ part.nonce).to_bytes(8)
        text = b"" if part.is_aad else _counter_mode(key.key, nonce, part.offset, part.data)
        hashed = part.data if part.decrypt or part.is_aad else text

        text_blocks, aad_blocks = blocks_in(part.text_len), blocks_in(part.aad_len)
        # blocks from the first of this kind to the end, the length block included
        behind = text_blocks + 1 + (aad_blocks if part.is_aad else 0)
        total = 0
        for block, start in enumerate(range(-(part.offset % BLOCK), len(hashed), BLOCK)):
            number = part.offset // BLOCK + block
            placed = bytes(max(-start, 0)) + hashed[max(start, 0) : start + BLOCK]
            total ^= weighted(key.h, placed.ljust(BLOCK, b"\0"), behind - number)

        if not part.is_aad and (part.data or part.text_len == 0):
            if part.offset == 0 and 0 < part.aad_len <= MAX_INLINE_AAD:
                total ^= weighted(key.h, part.aad.ljust(BLOCK, b"\0"), text_blocks + 2)
            if part.offset + len(part.data) == part.text_len:
                lengths = (8 * part.aad_len).to_bytes(8) + (8 * part.text_len).to_bytes(8)
                total ^= weighted(key.h, lengths, 1)
                total ^= int.from_bytes(aes.encrypt(key.key, nonce + (1).to_bytes(4)))
        return Done(text, total.to_bytes(BLOCK), Error.NONE)

    def _error(self, part: Part) -> Error:
        whole = part.aad_len if part.is_aad else part.text_len
        if (
            part.offset + len(part.data) > whole
            or part.text_len > MAX_LEN
            or (part.is_aad and part.aad_len <= MAX_INLINE_AAD)
            or blocks_in(part.text_len) + blocks_in(part.aad_len) > MAX_BLOCKS
        ):
            return Error.BAD_PART
        return Error.NO_KEY if self._keys[part.slot] is None else Error.NONE


def _counter_mode(key: bytes, nonce: bytes, offset: int, data: bytes) -> bytes:
    """Keystream from byte `offset` of the text on, XORed to data (SP 800-38D, 6.5, 7.1)."""
    first, last = offset // BLOCK, blocks_in(offset + len(data))
    stream = b"".join(aes.encrypt(key, nonce + (n + 2).to_bytes(4)) for n in range(first, last))
    skip = offset % BLOCK
    return bytes(a ^ b for a, b in zip(data, stream[skip:], strict=False))
