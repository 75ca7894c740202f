"""model.gf128: the laws of the field, and products known from the GCM specification."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from model import gf128

X = gf128.ONE >> 1  # the element x: the highest bit is the coefficient of x^0


def elements(seed: str, count: int) -> Iterator[tuple[int, int, int]]:
    """Random triples, with some that have few bits, for laws."""
    rng = random.Random(seed)
    for n in range(count):
        a, b, c = (rng.getrandbits(128) for _ in range(3))
        yield (1 << rng.randrange(128), b, c) if n % 4 == 0 else (a, b, c)


def slow_mul(a: int, b: int) -> int:
    """Another way: product of polynomials, lowest power in bit 0, then long division."""
    left, right = (int(f"{v:0128b}"[::-1], 2) for v in (a, b))
    product = 0
    for i in range(128):
        product ^= (left << i) * (right >> i & 1)
    for i in range(254, 127, -1):
        if product >> i & 1:
            product ^= (1 << 128 | 1 << 7 | 1 << 2 | 1 << 1 | 1) << (i - 128)
    return int(f"{product:0128b}"[::-1], 2)


def test_product_is_that_of_polynomials() -> None:
    for a, b, _ in elements("product", 100):
        assert gf128.mul(a, b) == slow_mul(a, b)


def test_product_is_commutative_and_associative() -> None:
    for a, b, c in elements("commutative", 100):
        assert gf128.mul(a, b) == gf128.mul(b, a)
        assert gf128.mul(gf128.mul(a, b), c) == gf128.mul(a, gf128.mul(b, c))


def test_product_distributes_over_sum() -> None:
    for a, b, c in elements("distributive", 100):
        assert gf128.mul(a ^ b, c) == gf128.mul(a, c) ^ gf128.mul(b, c)


def test_one_changes_nothing_and_zero_gives_zero() -> None:
    for a, b, c in elements("neutral", 30):
        for value in (a, b, c):
            assert gf128.mul(value, gf128.ONE) == gf128.mul(gf128.ONE, value) == value
            assert gf128.mul(value, 0) == gf128.mul(0, value) == 0


def test_x_to_the_128_is_reduced() -> None:
    """x^128 = 1 + x + x^2 + x^7, and the lowest bit stands for x^127."""
    assert gf128.mul(X, 1) == gf128.mul(1, X) == gf128.R == 0b11100001 << 120
    for i in range(127):
        assert gf128.mul(X, gf128.ONE >> i) == gf128.ONE >> (i + 1)


def test_product_of_the_gcm_specification() -> None:
    """McGrew and Viega, test case 2: the ciphertext block times H is X1."""
    h = 0x66E94BD4EF8A2C3B884CFA59CA342B2E
    cipher = 0x0388DACE60B6A392F328C2B971B2FE78
    assert gf128.mul(cipher, h) == 0x5E2EC746917062882C85B0685353DEB7


def test_powers_add_and_multiply() -> None:
    rng = random.Random("powers")
    for a, _, _ in elements("power base", 20):
        i, j = rng.randrange(2048), rng.randrange(2048)
        assert gf128.mul(gf128.power(a, i), gf128.power(a, j)) == gf128.power(a, i + j)
        assert gf128.power(gf128.power(a, i % 50), j % 50) == gf128.power(a, (i % 50) * (j % 50))


@pytest.mark.parametrize("k", range(6))
def test_power_is_repeated_product(k: int) -> None:
    for a, _, _ in elements("repeated", 10):
        product = gf128.ONE
        for _ in range(k):
            product = gf128.mul(product, a)
        assert gf128.power(a, k) == product


def test_power_of_the_group_order_is_one() -> None:
    """Fermat: a^(2^128 - 1) = 1 for every a but 0, and squaring 128 times gives a again."""
    for a, _, _ in elements("order", 5):
        value = a
        for _ in range(128):
            value = gf128.square(value)
        assert value == a


def test_square_is_linear() -> None:
    for a, b, _ in elements("square", 50):
        assert gf128.square(a) == slow_mul(a, a)
        assert gf128.square(a ^ b) == gf128.square(a) ^ gf128.square(b)
