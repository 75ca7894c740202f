"""AES encryption of one block, key of 128 or 256 bits.

Written from FIPS 197; checks hdl/tls_aes*.v. Blocks and keys are bytes in the order of the
standard. Decryption is not here: counter mode never needs it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final


def xtime(b: int) -> int:
    """Byte times x in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1 (FIPS 197, 4.2.1)."""
    return (b << 1) ^ (0x11B if b & 0x80 else 0)


def gf256_mul(a: int, b: int) -> int:
    """Product in GF(2^8) (FIPS 197, 4.2)."""
    product = 0
    while b:
        if b & 1:
            product ^= a
        a, b = xtime(a), b >> 1
    return product


def sbox_of(b: int) -> int:
    """S-box value of a byte from its definition: inverse, then affine map (FIPS 197, 5.1.1)."""
    inverse = next((i for i in range(256) if gf256_mul(b, i) == 1), 0)
    return sum(
        (
            (inverse >> i)
            ^ (inverse >> (i + 4) % 8)
            ^ (inverse >> (i + 5) % 8)
            ^ (inverse >> (i + 6) % 8)
            ^ (inverse >> (i + 7) % 8)
            ^ (0x63 >> i)
        )
        % 2
        << i
        for i in range(8)
    )


SBOX: Final = bytes(sbox_of(b) for b in range(256))
_TWICE: Final = bytes(xtime(b) for b in range(256))  # never above 255: the modulus clears bit 8
# where ShiftRows takes each byte of the state from (FIPS 197, 5.1.2); column by column
_SHIFTED: Final = tuple((i + 4 * (i % 4)) % 16 for i in range(16))


def _xor(a: bytes | bytearray, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


@lru_cache(maxsize=1024)
def round_keys(key: bytes) -> tuple[bytes, ...]:
    """All round keys of a key of 16 or 32 bytes: 11 or 15 blocks (FIPS 197, 5.2)."""
    if len(key) not in (16, 32):
        raise ValueError(f"an AES key here has 16 or 32 bytes, not {len(key)}")
    nk = len(key) // 4
    words = [key[4 * i : 4 * i + 4] for i in range(nk)]
    rcon = 1
    while len(words) < 4 * (nk + 7):
        word = words[-1]
        if len(words) % nk == 0:
            word = bytes(SBOX[b] for b in word[1:] + word[:1])
            word = bytes([word[0] ^ rcon]) + word[1:]
            rcon = xtime(rcon)
        elif nk > 6 and len(words) % nk == 4:
            word = bytes(SBOX[b] for b in word)
        words.append(_xor(words[-nk], word))
    return tuple(b"".join(words[i : i + 4]) for i in range(0, len(words), 4))


def encrypt(key: bytes, block: bytes) -> bytes:
    """Ciphertext of a 16-byte block (FIPS 197, 5.1)."""
    keys = round_keys(key)
    state = _xor(block, keys[0])
    for round_key in keys[1:-1]:
        s = [SBOX[state[i]] for i in _SHIFTED]
        mixed = bytearray(16)
        for c in range(0, 16, 4):
            total = s[c] ^ s[c + 1] ^ s[c + 2] ^ s[c + 3]
            for r in range(4):
                mixed[c + r] = s[c + r] ^ total ^ _TWICE[s[c + r] ^ s[c + (r + 1) % 4]]
        state = _xor(mixed, round_key)
    return _xor(bytes(SBOX[state[i]] for i in _SHIFTED), keys[-1])
