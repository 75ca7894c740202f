"""model.ghash against the test cases of the GCM specification, and whole against parts."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from model import aes
from model.ghash import ghash, weighted


@dataclass(frozen=True)
class Case:
    """A test case of McGrew and Viega, The Galois/Counter Mode of Operation, appendix B."""

    key: str
    h: str
    aad: str
    cipher: str
    ghash: str

    def blocks(self) -> list[bytes]:
        """AAD, ciphertext, each filled up with zeros, and the length block."""
        aad, cipher = bytes.fromhex(self.aad), bytes.fromhex(self.cipher)
        lengths = (8 * len(aad)).to_bytes(8) + (8 * len(cipher)).to_bytes(8)
        whole = b"".join(part + bytes(-len(part) % 16) for part in (aad, cipher)) + lengths
        return [whole[i : i + 16] for i in range(0, len(whole), 16)]


KEY = "feffe9928665731c6d6a8f9467308308"
CIPHER = (
    "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
    "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985"
)
CASES = {
    1: Case("00" * 16, "66e94bd4ef8a2c3b884cfa59ca342b2e", "", "", "00" * 16),
    2: Case(
        "00" * 16,
        "66e94bd4ef8a2c3b884cfa59ca342b2e",
        "",
        "0388dace60b6a392f328c2b971b2fe78",
        "f38cbb1ad69223dcc3457ae5b6b0f885",
    ),
    3: Case(
        KEY, "b83b533708bf535d0aa6e52980d53b78", "", CIPHER, "7f1b32b81b820d02614f8895ac1d4eac"
    ),
    4: Case(
        KEY,
        "b83b533708bf535d0aa6e52980d53b78",
        "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        CIPHER[:120],
        "698e57f70e6ecc7fd9463b7260a9ae5f",
    ),
    13: Case("00" * 32, "dc95c078a2408989ad48a21492842087", "", "", "00" * 16),
}


@pytest.mark.parametrize("number", CASES)
def test_published_hash_is_found(number: int) -> None:
    case = CASES[number]
    assert aes.encrypt(bytes.fromhex(case.key), bytes(16)).hex() == case.h
    assert ghash(int(case.h, 16), case.blocks()) == int(case.ghash, 16)


def test_steps_of_a_published_hash_are_found() -> None:
    """Test case 3: X1 to X4, the hash after each block."""
    case = CASES[3]
    steps = [ghash(int(case.h, 16), case.blocks()[:n]) for n in range(5)]
    assert [f"{step:032x}" for step in steps] == [
        "00000000000000000000000000000000",
        "59ed3f2bb1a0aaa07c9f56c6a504647b",
        "b714c9048389afd9f9bc5c1d4378e052",
        "47400c6577b1ee8d8f40b2721e86ff10",
        "4796cf49464704b5dd91f159bb1b7f95",
    ]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 17, 100])
def test_weighted_blocks_add_up_in_any_order(count: int) -> None:
    rng = random.Random(count)
    h = rng.getrandbits(128)
    blocks = [rng.randbytes(16) for _ in range(count)]
    places = list(enumerate(blocks))
    rng.shuffle(places)
    total = 0
    for place, block in places:
        total ^= weighted(h, block, count - place)
    assert total == ghash(h, blocks)


def test_bytes_of_a_block_add_up() -> None:
    """A block may be hashed in pieces, each at its place among zeros."""
    rng = random.Random("bytes")
    h, block = rng.getrandbits(128), rng.randbytes(16)
    total = 0
    for i in range(16):
        total ^= weighted(h, bytes(i) + block[i : i + 1] + bytes(15 - i), 5)
    assert total == weighted(h, block, 5)


def test_leading_zeros_do_not_count() -> None:
    rng = random.Random("zeros")
    h, block = rng.getrandbits(128), rng.randbytes(16)
    assert ghash(h, [bytes(16), bytes(16), block]) == ghash(h, [block]) == weighted(h, block, 1)
