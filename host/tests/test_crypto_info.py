"""The structures of linux/tls.h, byte for byte."""

import errno
import sys

import pytest

from host.crypto_info import CipherType, CryptoInfo, Version
from host.tests.wire import raises

IV, SALT, SEQ = b"i" * 8, b"s" * 4, bytes(range(8))


def info(cipher: CipherType, version: Version = Version.TLS_1_3) -> CryptoInfo:
    key = b"k" * (16 if cipher is CipherType.AES_GCM_128 else 32)
    return CryptoInfo(version, cipher, IV, key, SALT, SEQ)


@pytest.mark.parametrize(
    ("cipher", "number", "size", "key_at", "salt_at", "seq_at"),
    [
        (CipherType.AES_GCM_128, 51, 40, 12, 28, 32),
        (CipherType.AES_GCM_256, 52, 56, 12, 44, 48),
    ],
)
def test_layout(
    cipher: CipherType, number: int, size: int, key_at: int, salt_at: int, seq_at: int
) -> None:
    data = info(cipher, Version.TLS_1_2).pack()
    assert len(data) == size
    assert data[:2] == (0x0303).to_bytes(2, sys.byteorder)
    assert data[2:4] == number.to_bytes(2, sys.byteorder)
    assert data[4:12] == IV
    assert data[key_at:salt_at] == b"k" * (salt_at - key_at)
    assert data[salt_at:seq_at] == SALT
    assert data[seq_at:] == SEQ


@pytest.mark.parametrize("cipher", CipherType)
@pytest.mark.parametrize("version", Version)
def test_unpack_is_the_way_back(cipher: CipherType, version: Version) -> None:
    assert CryptoInfo.unpack(info(cipher, version).pack()) == info(cipher, version)


def changed(at: int, value: int) -> bytes:
    data = bytearray(info(CipherType.AES_GCM_128).pack())
    data[at : at + 2] = value.to_bytes(2, sys.byteorder)
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x04\x03\x33",
        info(CipherType.AES_GCM_128).pack()[:-1],
        info(CipherType.AES_GCM_256).pack() + b"\0",
        changed(0, 0x0302),
        changed(2, 54),  # ChaCha20-Poly1305
        changed(2, 52),  # the other size
        changed(2, 0),
    ],
)
def test_what_is_none_is_einval(data: bytes) -> None:
    with raises(errno.EINVAL):
        CryptoInfo.unpack(data)


def test_parts_must_have_the_ciphers_sizes() -> None:
    with raises(errno.EINVAL):
        CryptoInfo(Version.TLS_1_3, CipherType.AES_GCM_256, IV, bytes(16), SALT, SEQ)


def test_keys_are_not_shown() -> None:
    shown = repr(info(CipherType.AES_GCM_128))
    assert not any(secret in shown for secret in ("kkkk", "iiii", "ssss", "6b6b"))


def test_number() -> None:
    assert info(CipherType.AES_GCM_128).number == 0x0001020304050607
