"""GHASH, whole and of parts: checks hdl/tls_ghash*.v.

Written from SP 800-38D, 6.4. GHASH of blocks X1..Xn is X1*H^n + X2*H^(n-1) + ... + Xn*H: a sum,
so any split of the blocks, and of their bytes, gives parts whose sums add up to it in any order.
"""

from __future__ import annotations

from collections.abc import Iterable

from model import gf128


def ghash(h: int, blocks: Iterable[bytes]) -> int:
    """GHASH of 16-byte blocks, in the recursive form of SP 800-38D, algorithm 2."""
    y = 0
    for block in blocks:
        y = gf128.mul(y ^ int.from_bytes(block), h)
    return y


def weighted(h: int, block: bytes, k: int) -> int:
    """What one block contributes that has k blocks from itself to the end: block * H^k."""
    return gf128.mul(int.from_bytes(block), gf128.power(h, k))
