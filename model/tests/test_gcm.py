"""model.gcm.Lane against NIST CAVP, RFC 8448 and `cryptography`: any split gives the record."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from pathlib import Path
from typing import Any

import cryptography_vectors
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from model.gcm import (
    BLOCK,
    MAX_BLOCKS,
    MAX_INLINE_AAD,
    MAX_LEN,
    Cipher,
    Done,
    Error,
    Lane,
    Part,
    blocks_in,
)

RFC8448 = Path(__file__).parent / "vectors" / "rfc8448.json"
CAVP = (
    "gcmEncryptExtIV128.rsp",
    "gcmEncryptExtIV256.rsp",
    "gcmDecrypt128.rsp",
    "gcmDecrypt256.rsp",
)
CASES_A_FILE = 375  # 5 sizes of text, 5 of AAD, 15 cases each
SLOT = 3


def lane_with(key: bytes, iv: bytes) -> Lane:
    """A lane that has this key in SLOT."""
    lane = Lane(8)
    assert lane.install(SLOT, Cipher(len(key) // 16), key, iv)
    return lane


def parts_of(
    text: bytes,
    aad: bytes,
    decrypt: bool,
    cuts: Sequence[int] = (),
    aad_cuts: Sequence[int] = (),
    nonce: int = 0,
) -> list[Part]:
    """A record's parts, its text and its AAD cut at these bytes."""
    inline = aad if len(aad) <= MAX_INLINE_AAD else b""
    parts = []
    for data, at, is_aad in ((text, cuts, False), (aad, aad_cuts, True)):
        if is_aad and len(aad) <= MAX_INLINE_AAD:
            continue
        bounds = [0, *sorted(at), len(data)]
        parts += [
            Part(SLOT, decrypt, nonce, len(text), a, data[a:b], inline, len(aad), is_aad)
            for a, b in pairwise(bounds)
            if a < b or len(data) == 0
        ]
    return parts


def put_together(done: Sequence[tuple[Part, Done]]) -> tuple[bytes, bytes]:
    """Text and tag of a record from what came of its parts."""
    assert not any(out.error for _, out in done)
    in_place = sorted(done, key=lambda pair: pair[0].offset)
    text = b"".join(out.text for part, out in in_place if not part.is_aad)
    tag = reduce(lambda a, b: a ^ b, (int.from_bytes(out.sum) for _, out in done))
    return text, tag.to_bytes(BLOCK)


def process(lane: Lane, parts: Sequence[Part]) -> tuple[bytes, bytes]:
    """Text and tag of a record."""
    return put_together([(part, lane.process(part)) for part in parts])


def cavp_cases(name: str) -> list[dict[str, bytes | bool]]:
    """Cases with IVs of 96 bits and tags of 128 bits from one file."""
    with cryptography_vectors.open_vector_file(f"ciphers/AES/GCM/{name}", "r") as file:
        text: str = file.read()
    cases: list[dict[str, bytes | bool]] = []
    sizes: dict[str, str] = {}
    for chunk in re.split(r"\n\s*\n", text):  # a chunk of sizes goes before its cases
        sizes.update(re.findall(r"^\[(\w+) = (\d+)\]", chunk, re.M))
        fields = dict(re.findall(r"^(\w+) = ?([0-9a-f]*)", chunk, re.M))
        if "Key" in fields and (sizes["IVlen"], sizes["Taglen"]) == ("96", "128"):
            case: dict[str, bytes | bool] = {
                name: bytes.fromhex(fields.get(name, "")) for name in ("Key", "IV", "AAD", "PT")
            }
            case |= {name: bytes.fromhex(fields[name]) for name in ("CT", "Tag")}
            case["good"] = not re.search(r"^FAIL", chunk, re.M)
            cases.append(case)
    return cases


@pytest.mark.parametrize("name", CAVP)
def test_cavp_cases_come_out(name: str) -> None:
    cases: list[dict[str, Any]] = cavp_cases(name)
    assert len(cases) == CASES_A_FILE
    failing = 0
    for case in cases:
        lane = lane_with(case["Key"], case["IV"])
        text, tag = process(lane, parts_of(case["CT"], case["AAD"], True))
        assert (tag == case["Tag"]) == case["good"]
        if case["good"]:
            assert text == case["PT"]
            sealed = process(lane, parts_of(case["PT"], case["AAD"], False))
            assert sealed == (case["CT"], case["Tag"])
        failing += not case["good"]
    assert (failing > 0) == ("Decrypt" in name)


def test_records_of_rfc8448_come_out() -> None:
    groups = json.loads(RFC8448.read_text())["testGroups"]
    tests = [test for group in groups for test in group["tests"]]
    assert len(tests) == 27
    for test in tests:
        key, iv, aad, msg, ct, tag = (
            bytes.fromhex(test[name]) for name in ("key", "iv", "aad", "msg", "ct", "tag")
        )
        # the file has the nonce: the static IV XOR the record number; take the number out again
        number = int(re.search(r"record number (\d+)", test["comment"]).group(1))  # type: ignore[union-attr]
        static = iv[:4] + (int.from_bytes(iv[4:]) ^ number).to_bytes(8)
        lane = lane_with(key, static)
        assert process(lane, parts_of(msg, aad, False, nonce=number)) == (ct, tag)
        assert process(lane, parts_of(ct, aad, True, nonce=number)) == (msg, tag)


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 33, 250, 1000])
@pytest.mark.parametrize("aad_size", [0, 1, 5, 13, 16, 17, 32, 70])
def test_any_split_in_any_order_is_the_record(size: int, aad_size: int) -> None:
    rng = random.Random(size * 100 + aad_size)
    key, iv, number = rng.randbytes(rng.choice([16, 32])), rng.randbytes(12), rng.getrandbits(64)
    text, aad = rng.randbytes(size), rng.randbytes(aad_size)
    nonce = iv[:4] + (int.from_bytes(iv[4:]) ^ number).to_bytes(8)
    sealed = AESGCM(key).encrypt(nonce, text, aad)
    lane = lane_with(key, iv)
    for decrypt in (False, True):
        before, after = (sealed[:size], text) if decrypt else (text, sealed[:size])
        for cuts in ([], [1], rng.choices(range(size + 1), k=7), range(size) if size < 40 else []):
            aad_cuts = rng.choices(range(aad_size + 1), k=len(cuts) % 5)
            parts = parts_of(before, aad, decrypt, [c for c in cuts if c < size], aad_cuts, number)
            rng.shuffle(parts)
            assert process(lane, parts) == (after, sealed[size:])


def test_the_longest_record_comes_out() -> None:
    """Most bytes of text, and AAD up to the last power of H."""
    rng = random.Random("longest")
    key, iv, text = rng.randbytes(32), rng.randbytes(12), rng.randbytes(MAX_LEN)
    aad = rng.randbytes(BLOCK * (MAX_BLOCKS - blocks_in(MAX_LEN)))
    sealed = AESGCM(key).encrypt(iv, text, aad)
    got = process(lane_with(key, iv), parts_of(text, aad, False, [5000, 9001], [40]))
    assert got == (sealed[:MAX_LEN], sealed[MAX_LEN:])


@pytest.mark.parametrize("offset", [0, 1, 16, 31, 32])
def test_an_empty_part_adds_nothing(offset: int) -> None:
    lane = lane_with(bytes(16), bytes(12))
    part = Part(SLOT, False, 9, 32, offset, b"", b"abc", 3)
    assert lane.process(part) == Done(b"", bytes(BLOCK), Error.NONE)


BAD = {
    "one byte beyond": Part(SLOT, False, 1, 20, 10, bytes(11)),
    "text where there is none": Part(SLOT, False, 1, 0, 0, b"x"),
    "begins beyond": Part(SLOT, True, 1, 20, 21, b""),
    "record too long": Part(SLOT, True, 1, MAX_LEN + 1, 0, bytes(16)),
    "AAD beyond": Part(SLOT, False, 1, 16, 30, bytes(11), b"", 40, is_aad=True),
    "one block too many": Part(
        SLOT, True, 1, MAX_LEN, 0, b"x", b"", 16 * (MAX_BLOCKS - MAX_LEN // 16) + 1
    ),
}


@pytest.mark.parametrize("why", BAD)
@pytest.mark.parametrize("slot", [SLOT, SLOT + 1], ids=["with key", "without key"])
def test_a_part_that_does_not_fit_is_bad(why: str, slot: int) -> None:
    """Zeros as long as the part, key or not; and the same part is good in a record it fits."""
    lane = lane_with(b"k" * 16, bytes(12))
    part = BAD[why]
    part = Part(slot, *(getattr(part, name) for name in Part.__slots__[1:]))
    size = 0 if part.is_aad else len(part.data)
    assert lane.process(part) == Done(bytes(size), bytes(BLOCK), Error.BAD_PART)


def test_a_slot_without_key_gives_zeros_and_the_reason() -> None:
    lane = lane_with(b"k" * 16, bytes(12))
    for is_aad, text in ((False, bytes(20)), (True, b"")):
        part = Part(SLOT + 1, False, 1, 40, 0, b"s" * 20, b"", 40, is_aad)
        assert lane.process(part) == Done(text, bytes(BLOCK), Error.NO_KEY)


def test_a_wiped_slot_has_no_key() -> None:
    lane = lane_with(b"k" * 16, bytes(12))
    part = Part(SLOT, False, 1, 5, 0, b"hello", b"", 0)
    assert lane.process(part).error is Error.NONE
    assert lane.install(SLOT, Cipher.NONE, b"k" * 16, bytes(12))
    assert lane.process(part) == Done(bytes(5), bytes(BLOCK), Error.NO_KEY)


def test_a_reserved_cipher_is_refused_and_the_key_stays() -> None:
    lane = lane_with(b"k" * 16, bytes(12))
    part = Part(SLOT, False, 1, 5, 0, b"hello", b"", 0)
    before = lane.process(part)
    assert not lane.install(SLOT, Cipher.RESERVED, b"other key 123456", b"other iv 123")
    assert lane.process(part) == before


def test_an_install_replaces_the_key_of_its_slot_alone() -> None:
    rng = random.Random("replace")
    lane = lane_with(b"k" * 16, bytes(12))
    lane.install(SLOT + 1, Cipher.AES_128_GCM, b"n" * 16, bytes(12))
    other = Part(SLOT + 1, False, 1, 5, 0, b"hello", b"", 0)
    before = lane.process(other)
    key, iv, text = rng.randbytes(32), rng.randbytes(12), rng.randbytes(50)
    assert lane.install(SLOT, Cipher.AES_256_GCM, key, iv)
    sealed = AESGCM(key).encrypt(iv, text, b"aad")
    assert process(lane, parts_of(text, b"aad", False)) == (sealed[:50], sealed[50:])
    assert lane.process(other) == before


def test_a_short_key_comes_first_in_its_field() -> None:
    """AES-128 takes the first 16 of 32 bytes."""
    rng = random.Random("field")
    field, iv = rng.randbytes(32), rng.randbytes(12)
    lane = Lane(SLOT + 1)
    lane.install(SLOT, Cipher.AES_128_GCM, field, iv)
    sealed = AESGCM(field[:16]).encrypt(iv, b"hello", b"")
    assert process(lane, parts_of(b"hello", b"", False)) == (sealed[:5], sealed[5:])
