"""Receive: from a frame to the frame that leaves, its descriptor and what is counted.

Model of hdl/tls_rx.v; the contract is docs/receive.md, the cryptography that of keys.py. The device
hashes each byte as it comes and has a record's tag from the sums of its parts. This keeps a
record's bytes and has `cryptography` authenticate them when they are complete: another algorithm,
and nothing to get wrong in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Final, NamedTuple

from model.keys import Keys
from model.lookup import Flow, Table
from model.parse import RST, SYN, Segment, parse
from model.record import NUMBERS
from model.regs import Answer, Counter, Reason, RxPass, TlsVersion
from model.rx_search import Boundary, Notice
from model.rx_walk import Complete, Piece, Walk

TRIED: Final = 64  # record numbers; docs/receive.md, 7.3


@dataclass(frozen=True, slots=True)
class RxDescriptor:
    """What the device says of a frame beside it: docs/receive.md, 4.

    Attributes:
        connection: id, 0 if there is none.
        has_connection: a connection has these addresses and ports.
        decrypted: plaintext is where the ciphertext of records was.
        checksum_good: IP and TCP checksums were right on the wire.
        resync_request: with this frame the host is asked about a candidate header.
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


@dataclass(frozen=True, slots=True)
class _Connection:
    boundary: Boundary
    keys: Keys


class Received(NamedTuple):
    """What came of a frame. A tuple as `Walked` is.

    Attributes:
        frame: as it leaves.
        descriptor: beside it.
        notices: for the host, of the descriptor's connection, in order.
    """

    frame: bytes
    descriptor: RxDescriptor
    notices: tuple[Notice, ...] = ()


class Rx:
    """The receive path. It counts in `counters`, which has a place for all of the device's."""

    def __init__(
        self, counters: list[int], *, connections: int, window: int, runs: int, max_frame: int
    ) -> None:
        self._counters = counters
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
            keys = Keys(version, key, iv)
            boundary = Boundary(walk, partial(_number, keys))
            self._connections[connection] = _Connection(boundary, keys)
            self._counters[Counter.RX_TLS_CTX] += 1
        return reason, connection

    def delete(self, connection: int) -> Reason:
        """Delete a connection and all that is known of it."""
        reason = self._table.remove(connection)
        if reason is Reason.OK:
            del self._connections[connection]
            self._counters[Counter.RX_TLS_DEL] += 1
        return reason

    def resync(self, connection: int, answer: Answer, seq: int, number: int) -> Reason:
        """The host says that record `number` starts at `seq`, or that none starts there."""
        if connection not in self._connections:
            return Reason.NO_CONNECTION
        reason = self._connections[connection].boundary.answer(answer, seq, number)
        accepted = answer is Answer.ACCEPT and reason is Reason.OK
        self._counters[
            Counter.RX_TLS_RESYNC_RES_OK if accepted else Counter.RX_TLS_RESYNC_RES_SKIP
        ] += 1
        return reason

    def receive(
        self, frame: bytes, *, enabled: bool, avoid_partials: bool, self_confirm: bool
    ) -> Received:
        """What leaves for a frame without FCS."""
        segment = parse(frame, self._max_frame) if enabled else RxPass.DISABLED
        if isinstance(segment, RxPass):
            return self._passed(frame, RxDescriptor(reason=segment))
        found = self._table.find(segment.flow)
        if found is None:
            reason = RxPass.NO_CONNECTION
            return self._passed(frame, RxDescriptor(checksum_good=True, reason=reason))

        connection = self._connections[found]
        if segment.length == 0 or segment.flags & (SYN | RST):
            return self._passed(
                frame, RxDescriptor(found, True, False, True, reason=RxPass.NO_PAYLOAD)
            )
        payload = frame[segment.offset : segment.offset + segment.length]
        followed = connection.boundary.receive(
            segment.seq, payload, avoid_partials=avoid_partials, self_confirm=self_confirm
        )
        for counter in followed.counted:
            self._counters[counter] += 1
        reason, asked = followed.reason, followed.asked
        for complete in followed.complete:
            if not _authentic(connection.keys, complete):
                self._counters[Counter.RX_TLS_ERR] += 1
                reason = reason or RxPass.BAD_TAG
        descriptor = RxDescriptor(
            found, True, not reason, True, asked is not None, reason, asked or 0
        )
        if reason:
            return self._passed(frame, descriptor, followed.notices)
        self._counters[Counter.RX_TLS_DECRYPTED_PACKETS] += 1
        self._counters[Counter.RX_TLS_DECRYPTED_BYTES] += segment.length
        out = _decrypted(frame, segment, followed.pieces, connection.keys)
        return Received(out, descriptor, followed.notices)

    def _passed(
        self, frame: bytes, descriptor: RxDescriptor, notices: tuple[Notice, ...] = ()
    ) -> Received:
        self._counters[Counter.RX_PASS_DISABLED + descriptor.reason - 1] += 1
        return Received(frame, descriptor, notices)


def _authentic(keys: Keys, complete: Complete) -> bool:
    """Whether the record's tag is right."""
    return keys.authentic(complete.record, complete.data[len(complete.record.prefix) :])


def _number(keys: Keys, complete: Complete, first: int) -> int | None:
    """The number, of so many from `first` on, with which the record's tag is right."""
    for n in range(TRIED):
        record = replace(complete.record, number=(first + n) % NUMBERS)
        if _authentic(keys, Complete(record, complete.data)):
            return record.number
    return None


def _decrypted(frame: bytes, segment: Segment, pieces: tuple[Piece, ...], keys: Keys) -> bytes:
    """The frame with the text of its pieces decrypted."""
    out = bytearray(frame)
    for piece in pieces:
        record = piece.record
        text = len(record.prefix)
        first, last = max(piece.first, text), min(piece.last, record.text_end)
        if first < last:
            start = segment.offset + piece.offset + first - piece.first
            end = start + last - first
            out[start:end] = keys.crypt(record, first - text, frame[start:end])
    return bytes(out)
