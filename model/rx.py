"""Receive: from a frame to the frame that leaves, its descriptor and what is counted.

Model of hdl/tls_rx.v; the contract is docs/receive.md, the cryptography that of RFC 5288, RFC 8446,
5.2 and 5.3, and SP 800-38D. The device hashes each byte as it comes and has a record's tag from the
sums of its parts. This keeps a record's bytes and has `cryptography` authenticate them when they
are complete: another algorithm, and nothing to get wrong in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher as Mode
from cryptography.hazmat.primitives.ciphers import CipherContext
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from model.gcm import BLOCK
from model.regs import COUNTERS, Counter, Reason, RxPass, TlsVersion
from model.rx_lookup import Flow, Table
from model.rx_parse import RST, SYN, Segment, parse
from model.rx_walk import HEADER, Complete, Piece, Record, Walk

SALT: Final = 4  # bytes of the IV that TLS 1.2 uses
FIRST_COUNTER: Final = 2  # of the text; SP 800-38D, 7.1


@dataclass(frozen=True, slots=True)
class RxDescriptor:
    """What the device says of a frame beside it: docs/receive.md, 4.

    Attributes:
        connection: id, 0 if there is none.
        has_connection: a connection has these addresses and ports.
        decrypted: plaintext is where the ciphertext of records was.
        checksum_good: IP and TCP checksums were right on the wire.
        resync_request: a candidate header is in this frame.
        reason: why the frame was not decrypted.
        resync_seq: sequence number of the candidate.
    """

    connection: int = 0
    has_connection: bool = False
    decrypted: bool = False
    checksum_good: bool = False
    resync_request: bool = False
    reason: RxPass = RxPass.NONE
    resync_seq: int = 0

    def pack(self) -> int:
        """The 64 bits of m_axis_rx_tuser."""
        return (
            self.connection
            | self.has_connection << 16
            | self.decrypted << 17
            | self.checksum_good << 18
            | self.resync_request << 19
            | self.reason << 24
            | self.resync_seq << 32
        )

    @classmethod
    def unpack(cls, word: int) -> RxDescriptor:
        """From the 64 bits; ValueError if a bit is set that has no meaning."""
        made = cls(
            connection=word & 0xFFFF,
            has_connection=bool(word >> 16 & 1),
            decrypted=bool(word >> 17 & 1),
            checksum_good=bool(word >> 18 & 1),
            resync_request=bool(word >> 19 & 1),
            reason=RxPass(word >> 24 & 0xF),
            resync_seq=word >> 32 & 0xFFFF_FFFF,
        )
        if made.pack() != word:
            raise ValueError(f"{word:#018x} is no descriptor: a reserved bit is set")
        return made


class _Keys:
    """A connection's key and IV, and what is computed with them."""

    def __init__(self, version: TlsVersion, key: bytes, iv: bytes) -> None:
        self._version = version
        self._iv = iv
        self._aes = AES(key)
        self._gcm = AESGCM(key)
        # The last decryptor, where it stands: text in order needs one a record, not one a piece.
        self._record: Record | None = None
        self._at = 0
        self._stream: CipherContext | None = None

    def nonce(self, record: Record) -> bytes:
        """RFC 5288, 3: salt and explicit nonce. RFC 8446, 5.3: IV XOR record number."""
        if self._version is TlsVersion.TLS_1_2:
            return self._iv[:SALT] + record.prefix[HEADER:]
        return (int.from_bytes(self._iv) ^ record.number).to_bytes(len(self._iv))

    def aad(self, record: Record) -> bytes:
        """RFC 5246, 6.2.3.3, and RFC 8446, 5.2."""
        header = record.prefix[:HEADER]
        if self._version is TlsVersion.TLS_1_2:
            text = record.text_end - len(record.prefix)
            return record.number.to_bytes(8) + header[:3] + text.to_bytes(2)
        return header

    def authentic(self, complete: Complete) -> bool:
        """Whether the record's tag is right."""
        record, data = complete.record, complete.data
        try:
            self._gcm.decrypt(self.nonce(record), data[len(record.prefix) :], self.aad(record))
        except InvalidTag:
            return False
        return True

    def decrypt(self, record: Record, at: int, data: bytes) -> bytes:
        """Bytes of the record's text, from byte `at` on, decrypted."""
        stream = self._stream
        if stream is None or record is not self._record or at != self._at:
            counter = (FIRST_COUNTER + at // BLOCK).to_bytes(4)
            stream = Mode(self._aes, CTR(self.nonce(record) + counter)).decryptor()
            stream.update(bytes(at % BLOCK))
        self._record, self._at, self._stream = record, at + len(data), stream
        return stream.update(data)


@dataclass(frozen=True, slots=True)
class _Connection:
    walk: Walk
    keys: _Keys


class Rx:
    """The receive path. `counters` has a place for every counter of the device."""

    def __init__(self, *, connections: int, window: int, runs: int, max_frame: int) -> None:
        self.counters = [0] * COUNTERS
        self._window = window
        self._runs = runs
        self._max_frame = max_frame
        self._table = Table(connections)
        self._connections: dict[int, _Connection] = {}

    def add(
        self, flow: Flow, version: TlsVersion, key: bytes, iv: bytes, seq: int, number: int
    ) -> tuple[Reason, int]:
        """Add a connection whose record `number` starts at `seq`; the reason, and its id."""
        reason, connection = self._table.add(flow)
        if reason is Reason.OK:
            walk = Walk(version, seq, number, window=self._window, runs=self._runs)
            self._connections[connection] = _Connection(walk, _Keys(version, key, iv))
            self.counters[Counter.RX_TLS_CTX] += 1
        return reason, connection

    def delete(self, connection: int) -> Reason:
        """Delete a connection and all that is known of it."""
        reason = self._table.remove(connection)
        if reason is Reason.OK:
            del self._connections[connection]
            self.counters[Counter.RX_TLS_DEL] += 1
        return reason

    def receive(
        self, frame: bytes, *, enabled: bool, avoid_partials: bool
    ) -> tuple[bytes, RxDescriptor]:
        """What leaves for a frame without FCS."""
        segment = parse(frame, self._max_frame) if enabled else RxPass.DISABLED
        if isinstance(segment, RxPass):
            return self._passed(frame, RxDescriptor(reason=segment))
        found = self._table.find(segment.flow)
        if found is None:
            reason = RxPass.NO_CONNECTION
            return self._passed(frame, RxDescriptor(checksum_good=True, reason=reason))

        connection = self._connections[found]
        pieces: tuple[Piece, ...] = ()
        if segment.length == 0 or segment.flags & (SYN | RST):
            reason = RxPass.NO_PAYLOAD
        else:
            payload = frame[segment.offset : segment.offset + segment.length]
            walked = connection.walk.walk(segment.seq, payload, avoid_partials=avoid_partials)
            reason, pieces = walked.reason, walked.pieces
            for complete in walked.complete:
                if not connection.keys.authentic(complete):
                    self.counters[Counter.RX_TLS_ERR] += 1
                    reason = reason or RxPass.BAD_TAG
        descriptor = RxDescriptor(found, True, not reason, True, reason=reason)
        if reason:
            return self._passed(frame, descriptor)
        self.counters[Counter.RX_TLS_DECRYPTED_PACKETS] += 1
        self.counters[Counter.RX_TLS_DECRYPTED_BYTES] += segment.length
        return _decrypted(frame, segment, pieces, connection.keys), descriptor

    def _passed(self, frame: bytes, descriptor: RxDescriptor) -> tuple[bytes, RxDescriptor]:
        self.counters[Counter.RX_PASS_DISABLED + descriptor.reason - 1] += 1
        return frame, descriptor


def _decrypted(frame: bytes, segment: Segment, pieces: tuple[Piece, ...], keys: _Keys) -> bytes:
    """The frame with the text of its pieces decrypted."""
    out = bytearray(frame)
    for piece in pieces:
        record = piece.record
        text = len(record.prefix)
        first, last = max(piece.first, text), min(piece.last, record.text_end)
        if first < last:
            start = segment.offset + piece.offset + first - piece.first
            end = start + last - first
            out[start:end] = keys.decrypt(record, first - text, frame[start:end])
    return bytes(out)
