"""model.aes against the examples of FIPS 197, and against `cryptography` at random."""

from __future__ import annotations

import random

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from model import aes

# FIPS 197, appendix A.1 and A.3: the words of the expanded key, four in a row
EXPANDED = {
    "2b7e151628aed2a6abf7158809cf4f3c": """
        2b7e1516 28aed2a6 abf71588 09cf4f3c  a0fafe17 88542cb1 23a33939 2a6c7605
        f2c295f2 7a96b943 5935807a 7359f67f  3d80477d 4716fe3e 1e237e44 6d7a883b
        ef44a541 a8525b7f b671253b db0bad00  d4d1c6f8 7c839d87 caf2b8bc 11f915bc
        6d88a37a 110b3efd dbf98641 ca0093fd  4e54f70e 5f5fc9f3 84a64fb2 4ea6dc4f
        ead27321 b58dbad2 312bf560 7f8d292f  ac7766f3 19fadc21 28d12941 575c006e
        d014f9a8 c9ee2589 e13f0cc8 b6630ca6""",
    "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4": """
        603deb10 15ca71be 2b73aef0 857d7781  1f352c07 3b6108d7 2d9810a3 0914dff4
        9ba35411 8e6925af a51a8b5f 2067fcde  a8b09c1a 93d194cd be49846e b75d5b9a
        d59aecb8 5bf3c917 fee94248 de8ebe96  b5a9328a 2678a647 98312229 2f6c79b3
        812c81ad dadf48ba 24360af2 fab8b464  98c5bfc9 bebd198e 268c3ba7 09e04214
        68007bac b2df3316 96e939e4 6c518d80  c814e204 76a9fb8a 5025c02d 59c58239
        de136967 6ccc5a71 fa256395 9674ee15  5886ca5d 2e2f31d7 7e0af1fa 27cf73c3
        749c47ab 18501dda e2757e4f 7401905a  cafaaae3 e4d59b34 9adf6ace bd10190d
        fe4890d1 e6188d0b 046df344 706c631e""",
}
# FIPS 197, appendices B, C.1 and C.3: key, plaintext, ciphertext
EXAMPLES = {
    "B": (
        "2b7e151628aed2a6abf7158809cf4f3c",
        "3243f6a8885a308d313198a2e0370734",
        "3925841d02dc09fbdc118597196a0b32",
    ),
    "C.1": (
        "000102030405060708090a0b0c0d0e0f",
        "00112233445566778899aabbccddeeff",
        "69c4e0d86a7b0430d8cdb78070b4c55a",
    ),
    "C.3": (
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        "00112233445566778899aabbccddeeff",
        "8ea2b7ca516745bfeafc49904b496089",
    ),
}


@pytest.mark.parametrize(
    ("value", "substitute"),  # corners of the standard's table 4, and its example {53}
    [(0x00, 0x63), (0x0F, 0x76), (0x10, 0xCA), (0x52, 0x00), (0x53, 0xED), (0xFF, 0x16)],
)
def test_sbox_has_the_values_of_the_table(value: int, substitute: int) -> None:
    assert aes.SBOX[value] == substitute


def test_sbox_is_a_permutation_without_fixed_point() -> None:
    assert sorted(aes.SBOX) == list(range(256))
    assert all(s not in (b, b ^ 0xFF) for b, s in enumerate(aes.SBOX))


def test_bytes_multiply_as_in_the_standard() -> None:
    """FIPS 197, 4.2: {57} by powers of x, by {13} and by {83}."""
    powers = [0x57]
    for _ in range(4):
        powers.append(aes.xtime(powers[-1]))
    assert powers == [0x57, 0xAE, 0x47, 0x8E, 0x07]
    assert aes.gf256_mul(0x57, 0x13) == 0xFE
    assert aes.gf256_mul(0x57, 0x83) == 0xC1


@pytest.mark.parametrize("key", EXPANDED, ids=["A.1", "A.3"])
def test_key_expands_as_in_the_standard(key: str) -> None:
    assert b"".join(aes.round_keys(bytes.fromhex(key))) == bytes.fromhex(EXPANDED[key])


@pytest.mark.parametrize("example", EXAMPLES)
def test_block_encrypts_as_in_the_standard(example: str) -> None:
    key, plain, cipher = (bytes.fromhex(text) for text in EXAMPLES[example])
    assert aes.encrypt(key, plain) == cipher


@pytest.mark.parametrize("size", [16, 32])
def test_random_blocks_encrypt_as_cryptography_does(size: int) -> None:
    rng = random.Random(size)
    for _ in range(300):
        key, blocks = rng.randbytes(size), rng.randbytes(64)
        other = Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(blocks)
        assert b"".join(aes.encrypt(key, blocks[i : i + 16]) for i in range(0, 64, 16)) == other


@pytest.mark.parametrize("size", [0, 15, 17, 24, 31, 33])
def test_other_key_sizes_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"not {size}"):
        aes.round_keys(bytes(size))


@pytest.mark.parametrize("size", [15, 17])
def test_a_block_has_sixteen_bytes(size: int) -> None:
    with pytest.raises(ValueError, match="zip"):
        aes.encrypt(bytes(16), bytes(size))
