"""The structures with which a program hands its keys to kTLS (SOL_TLS, TLS_RX), to the byte.

`struct tls12_crypto_info_aes_gcm_128` and `_256` of linux/tls.h: version and cipher type as 16-bit
numbers in the host's order, then iv, key, salt, rec_seq. They serve TLS 1.2 and 1.3 alike. In
TLS 1.3 the static IV is salt and iv, in TLS 1.2 salt is the implicit part of the nonce and iv the
explicit one of the next record to be sent, which a receiver takes from the wire instead.

Errors are the kernel's: OSError with EINVAL for a length, version or cipher that does not fit.
"""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

IV_SIZE: Final = 8
SALT_SIZE: Final = 4
REC_SEQ_SIZE: Final = 8


class Version(IntEnum):
    """TLS_1_2_VERSION and TLS_1_3_VERSION."""

    TLS_1_2 = 0x0303
    TLS_1_3 = 0x0304

    def __str__(self) -> str:
        return {0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}[self]


class CipherType(IntEnum):
    """TLS_CIPHER_AES_GCM_128 and _256."""

    AES_GCM_128 = 51
    AES_GCM_256 = 52

    def __str__(self) -> str:
        return f"AES-{8 * KEY_SIZE[self]}-GCM"


KEY_SIZE: Final = {CipherType.AES_GCM_128: 16, CipherType.AES_GCM_256: 32}


@dataclass(frozen=True, slots=True)
class CryptoInfo:
    """Keys of one direction, and the number of the first record under them.

    Raises OSError with EINVAL when a part has not the size that the cipher asks for.
    """

    version: Version
    cipher: CipherType
    iv: bytes = field(repr=False)
    key: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    rec_seq: bytes

    def __post_init__(self) -> None:
        sizes = len(self.iv), len(self.key), len(self.salt), len(self.rec_seq)
        if sizes != (IV_SIZE, KEY_SIZE[self.cipher], SALT_SIZE, REC_SEQ_SIZE):
            raise OSError(errno.EINVAL, f"iv, key, salt, rec_seq of {sizes} bytes: {self.cipher}")

    @property
    def number(self) -> int:
        """Number of the first record."""
        return int.from_bytes(self.rec_seq)

    def pack(self) -> bytes:
        """The structure."""
        head = struct.pack("=HH", self.version, self.cipher)
        return head + self.iv + self.key + self.salt + self.rec_seq

    @classmethod
    def unpack(cls, data: bytes) -> CryptoInfo:
        """Read a structure; OSError with EINVAL if it is none, or not exactly one."""
        try:
            version, cipher = struct.unpack_from("=HH", data)
            layout = struct.Struct(f"=4x 8s {KEY_SIZE[CipherType(cipher)]}s 4s 8s")
            iv, key, salt, rec_seq = layout.unpack(data)
            return cls(Version(version), CipherType(cipher), iv, key, salt, rec_seq)
        except (struct.error, ValueError) as error:
            raise OSError(errno.EINVAL, f"not a crypto_info of AES-GCM: {error}") from None
