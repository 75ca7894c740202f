"""What arrives at the NIC in a sweep: TLS streams in frames, and the order in which they come.

In: a seed, sizes, probabilities. Out: the frames of a stream by segment, and lists of segments in
the order of their arrival. The streams of a run carry the same records under the same key, which
are made once; addresses and sequence numbers are each stream's own. No I/O.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache
from heapq import heappop, heappush
from itertools import pairwise
from random import Random
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from host.crypto_info import CipherType, CryptoInfo, Version
from host.packet import ACK, Flow
from host.record import HEADER, PREFIX, TAG, ContentType
from host.tcp import MASK

TEXT: Final = 16_384  # bytes of application data in a record
RECORD: Final = PREFIX[Version.TLS_1_2] + TEXT + TAG  # on the wire
SEGMENT: Final = 1_448  # TCP payload of a frame: MTU 1,500, with timestamps
HEADERS: Final = 14 + 20 + 32  # bytes before it

_TIMESTAMPS: Final = bytes([1, 1, 8, 10]) + bytes(8)
_SERVER_PORT: Final = 443


def cuts(records: int, align: bool) -> list[int]:
    """Where in the stream segments begin, and where the last one ends.

    All are as long as they can be; with `align`, a record's last one ends with it.
    """
    size = records * RECORD
    if not align:
        return [*range(0, size, SEGMENT), size]
    starts = range(0, size, RECORD)
    return [start + at for start in starts for at in range(0, RECORD, SEGMENT)] + [size]


class Source:
    """What every stream of a run sends: so many records, and their keys.

    Attributes:
        info: keys and the number of the first record, as the receiver gets them.
        text: the application's data.
        cuts: where its segments begin, and where the last one ends.
        pieces: the stream, cut into segments.
    """

    def __init__(self, records: int, seed: int, align: bool = False) -> None:
        random = Random(f"source {seed}")
        key, salt = random.randbytes(16), random.randbytes(4)
        self.records = records
        self.info = CryptoInfo(
            Version.TLS_1_2, CipherType.AES_GCM_128, bytes(8), key, salt, bytes(8)
        )
        self.text = random.randbytes(records * TEXT)
        gcm, wire = AESGCM(key), bytearray()
        for number in range(records):
            nonce = number.to_bytes(8)
            text = self.text[number * TEXT : (number + 1) * TEXT]
            aad = nonce + struct.pack(">BHH", ContentType.DATA, Version.TLS_1_2, TEXT)
            length = RECORD - HEADER
            wire += struct.pack(">BHH", ContentType.DATA, Version.TLS_1_2, length) + nonce
            wire += gcm.encrypt(salt + nonce, text, aad)
        self.cuts = cuts(records, align)
        self.pieces = [bytes(wire[start:end]) for start, end in pairwise(self.cuts)]
        self._sums = [int.from_bytes(each + b"\0" * (len(each) % 2)) for each in self.pieces]
        self._sums = [each % 0xFFFF for each in self._sums]

    def sum(self, segment: int) -> int:
        """The segment's part of its TCP checksum (RFC 1071: its 16-bit words mod 2^16 - 1)."""
        return self._sums[segment]


@lru_cache(maxsize=1)
def source(records: int, seed: int, align: bool) -> Source:
    """The same one again, as long as the same is wanted."""
    return Source(records, seed, align)


class Stream:
    """One connection that sends the source, from the client `number` to the NIC's host."""

    def __init__(self, source: Source, number: int, seq: int) -> None:
        self._source = source
        self.seq = seq
        self.flow = Flow(
            b"\x0a\0\0\x01", _SERVER_PORT, b"\x0a\1" + number.to_bytes(2), 50_000 + number % 10_000
        )
        self._addresses = self.flow.remote + self.flow.local
        ports = self.flow.remote_port, self.flow.local_port
        offset = (20 + len(_TIMESTAMPS)) // 4 << 4
        self._ports = struct.pack(">HH", *ports)
        self._rest = struct.pack(">IBBHHH", 0, offset, ACK, 0xFFFF, 0, 0) + _TIMESTAMPS

    def frame(self, segment: int) -> bytes:
        """The frame with that segment, without FCS."""
        payload = self._source.pieces[segment]
        seq = self.seq + self._source.cuts[segment] & MASK
        tcp = self._ports + seq.to_bytes(4) + self._rest
        length = len(tcp) + len(payload)
        pseudo = self._addresses + struct.pack(">HH", 6, length)
        total = int.from_bytes(pseudo + tcp) + self._source.sum(segment)
        tcp = tcp[:16] + _checksum(total) + tcp[18:]
        ip = struct.pack(">BBHIBBH", 0x45, 0, 20 + length, 0x4000, 64, 6, 0) + self._addresses
        ip = ip[:10] + _checksum(int.from_bytes(ip)) + ip[12:]
        return bytes(12) + b"\x08\0" + ip + tcp + payload


def _checksum(number: int) -> bytes:
    """Of 16-bit words, read as one number (RFC 1071)."""
    return (0xFFFF - number % 0xFFFF).to_bytes(2)


def transmitted(
    random: Random, segments: int, probability: float, delay: int
) -> Iterator[tuple[int, bool]]:
    """Segments as they are sent, and whether each arrives, when some are lost by chance.

    The sender keeps sending, a segment at each turn. What was lost is sent again when `delay` more
    have been sent, in place of a new one; it can be lost again.
    """
    again: list[tuple[int, int]] = []  # at which turn, which segment
    turn = new = 0
    while again or new < segments:
        if again and (again[0][0] <= turn or new == segments):
            segment = heappop(again)[1]
        else:
            segment, new = new, new + 1
        arrives = random.random() >= probability
        if not arrives:
            heappush(again, (turn + delay + 1, segment))
        yield segment, arrives
        turn += 1


def lost(random: Random, segments: int, probability: float, delay: int) -> list[int]:
    """Segments as they arrive when each transmission is lost with that probability."""
    sent = transmitted(random, segments, probability, delay)
    return [segment for segment, arrives in sent if arrives]


def reordered(random: Random, segments: int, probability: float, early: int) -> list[int]:
    """Segments as they arrive when each comes `early` places before its time, by chance."""
    ahead = [random.random() < probability for _ in range(segments)]
    return sorted(range(segments), key=lambda n: n - (early + 0.5) * ahead[n])
