"""Arithmetic in GF(2^128) as GCM defines it: checks hdl/tls_gf128_*.v.

Written from SP 800-38D, 6.3. An element is an integer of 128 bits whose highest bit is the
coefficient of x^0: the big-endian reading of a block's bytes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

ONE: Final = 1 << 127
R: Final = 0xE1 << 120  # x^128 = 1 + x + x^2 + x^7


def mul(a: int, b: int) -> int:
    """Product (SP 800-38D, algorithm 1)."""
    z = 0
    for i in range(127, -1, -1):
        if a >> i & 1:
            z ^= b
        b = (b >> 1) ^ (R if b & 1 else 0)
    return z


@lru_cache(maxsize=1 << 16)
def power(h: int, k: int) -> int:
    """H^k, k >= 0."""
    if k == 0:
        return ONE
    return mul(power(h, k - 1), h) if k % 2 else square(power(h, k // 2))


def square(a: int) -> int:
    """The element times itself."""
    return mul(a, a)
