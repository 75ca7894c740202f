"""What a record of TLS looks like: its prefix, its length, its number.

Geometry from RFC 5246, 6.2.3, RFC 5288 and RFC 8446, 5.2; which headers there can be is rule 1 of
docs/receive.md, 2, for both directions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from model.regs import TlsVersion

SEQ: Final = 1 << 32  # sequence numbers are modulo this
HALF: Final = SEQ // 2
NUMBERS: Final = 1 << 64  # and record numbers modulo this
HEADER: Final = 5
TAG: Final = 16
TYPES: Final = range(20, 24)  # change_cipher_spec, alert, handshake, application_data
WIRE_VERSION: Final = b"\x03\x03"
PREFIX: Final[Mapping[TlsVersion, int]] = {TlsVersion.TLS_1_2: 13, TlsVersion.TLS_1_3: 5}
LENGTHS: Final[Mapping[TlsVersion, range]] = {  # in the header
    TlsVersion.TLS_1_2: range(24, 16408 + 1),
    TlsVersion.TLS_1_3: range(16, 16401 + 1),
}


@dataclass(frozen=True, slots=True)
class Record:
    """A record whose prefix was seen.

    Attributes:
        start: sequence number of its first byte.
        total: its bytes, header and tag included.
        number: its record number.
        prefix: header and, in TLS 1.2, explicit nonce.
    """

    start: int
    total: int
    number: int
    prefix: bytes

    @property
    def text_end(self) -> int:
        """Where the text ends and the tag begins."""
        return self.total - TAG


def is_header(header: bytes, version: TlsVersion) -> bool:
    """Whether a record can start with these 5 bytes."""
    return (
        header[0] in TYPES
        and header[1:3] == WIRE_VERSION
        and int.from_bytes(header[3:]) in LENGTHS[version]
    )


def size_of(header: bytes) -> int:
    """Bytes of a record, from its header to its tag."""
    return HEADER + int.from_bytes(header[3:HEADER])
