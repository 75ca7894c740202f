"""Transmit: from a frame in clear to the frame that leaves, and what the host is told.

Model of hdl/tls_tx.v; the contract is docs/transmit.md, the cryptography that of keys.py. The
device has a record's tag from the sums of its parts. This keeps the record's text and has
`cryptography` seal it when it is complete: another algorithm, and nothing to get wrong in the same
way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from model.keys import Keys
from model.lookup import Flow, Table
from model.parse import CHECKSUM, RST, SYN, Segment, locate, tcp_checksum
from model.record import HEADER, PREFIX, SEQ, TAG, is_header, size_of
from model.regs import Counter, Reason, RxPass, TlsVersion, TxDrop, TxKind
from model.tx_walk import Part, Place, walk

CONTEXT_BYTES: Final = 48
CONTEXT_SIZES: Final = range(33, CONTEXT_BYTES + 1)  # that the device takes


@dataclass(frozen=True, slots=True)
class TxDescriptor:
    """What the host says of a frame beside it: docs/transmit.md, 1.

    Attributes:
        connection: id; anything if the frame is plain.
        kind: what is to become of it.
    """

    connection: int = 0
    kind: TxKind = TxKind.PLAIN

    def pack(self) -> int:
        """The 32 bits of s_axis_tx_tuser."""
        return self.connection | self.kind << 16

    @classmethod
    def unpack(cls, word: int) -> TxDescriptor:
        """From the 32 bits; ValueError if a bit is set that has no meaning."""
        made = cls(word & 0xFFFF, TxKind(word >> 16 & 3))
        if made.pack() != word:
            raise ValueError(f"{word:#010x} is no descriptor: a reserved bit is set")
        return made


@dataclass(frozen=True, slots=True)
class TxContext:
    """Where the frames behind it in the queue are: docs/transmit.md, 1.

    Attributes:
        seq: sequence number of a record's first byte.
        number: of that record.
        seek: it is for the next frame alone.
        prefix: header and, in TLS 1.2, explicit nonce; at most 13 bytes.
        tag: of the record; None if it is not told.
    """

    seq: int
    number: int
    seek: bool = False
    prefix: bytes = b""
    tag: bytes | None = None

    def pack(self) -> bytes:
        """The 48 bytes; ValueError if prefix or tag have no such size."""
        flags = self.seek | (self.tag is not None) << 1
        made = (
            self.seq.to_bytes(4, "little")
            + self.number.to_bytes(8, "little")
            + flags.to_bytes(4, "little")
            + self.prefix.ljust(16, b"\0")
            + (bytes(TAG) if self.tag is None else self.tag)
        )
        if len(self.prefix) > PREFIX[TlsVersion.TLS_1_2] or len(made) != CONTEXT_BYTES:
            raise ValueError("a prefix has at most 13 bytes, a tag 16")
        return made

    @classmethod
    def unpack(cls, data: bytes) -> TxContext:
        """From the bytes, without those that say nothing; the prefix has 13, whatever it was."""
        data = data.ljust(CONTEXT_BYTES, b"\0")
        return cls(
            seq=int.from_bytes(data[:4], "little"),
            number=int.from_bytes(data[4:12], "little"),
            seek=bool(data[12] & 1),
            prefix=data[16 : 16 + PREFIX[TlsVersion.TLS_1_2]],
            tag=data[32:] if data[12] & 2 else None,
        )


@dataclass(frozen=True, slots=True)
class Completion:
    """What the host is told of a frame, a context, or a tag: docs/transmit.md, 4.

    Attributes:
        connection: the id in the descriptor.
        tag: of a record; None if it is about the frame or context itself.
        sent: the frame leaves.
        reason: why it was dropped.
        seq: sequence number of the first byte of the tag's record.
    """

    connection: int = 0
    tag: bytes | None = None
    sent: bool = False
    reason: TxDrop = TxDrop.NONE
    seq: int = 0

    def pack(self) -> tuple[int, int]:
        """The 128 bits of m_axis_txc_tdata, and the 64 of its tuser."""
        is_tag = self.tag is not None
        word = self.connection | is_tag << 16 | self.sent << 17 | self.reason << 24 | self.seq << 32
        return int.from_bytes(self.tag or b"", "little"), word

    @classmethod
    def unpack(cls, data: int, word: int) -> Completion:
        """From both; ValueError if a bit is set that has no meaning there."""
        is_tag = bool(word >> 16 & 1)
        made = cls(
            connection=word & 0xFFFF,
            tag=data.to_bytes(TAG, "little") if is_tag else None,
            sent=bool(word >> 17 & 1),
            reason=TxDrop(word >> 24 & 0xF),
            seq=word >> 32 & 0xFFFF_FFFF,
        )
        contradicts = made.sent or made.reason if is_tag else made.seq
        if contradicts or made.pack() != (data, word):
            raise ValueError(f"{word:#018x} is no completion: a bit is set that has no meaning")
        return made


class Sent(NamedTuple):
    """What came of a frame or context.

    Attributes:
        frame: as it leaves; None if nothing does.
        completions: in order; the last is its own.
    """

    frame: bytes | None
    completions: tuple[Completion, ...]


@dataclass(slots=True)
class _Connection:
    version: TlsVersion
    keys: Keys
    place: Place


class Tx:
    """The transmit path. It counts in `counters`, which has a place for all of the device's."""

    def __init__(self, counters: list[int], *, connections: int, max_frame: int) -> None:
        self._counters = counters
        self._max_frame = max_frame
        self._table = Table(connections)
        self._connections: dict[int, _Connection] = {}
        self._seek: tuple[int, TxContext] | None = None  # if the item before was one, and its id

    def add(
        self, flow: Flow, version: TlsVersion, key: bytes, iv: bytes, seq: int, number: int
    ) -> tuple[Reason, int]:
        """Add a connection whose record `number` starts at `seq`; the reason, and its id."""
        reason, connection = self._table.add(flow)
        if reason is Reason.OK:
            keys = Keys(version, key, iv)
            self._connections[connection] = _Connection(version, keys, Place(seq, number))
            self._counters[Counter.TX_TLS_CTX] += 1
        return reason, connection

    def delete(self, connection: int) -> Reason:
        """Delete a connection and all that is known of it."""
        reason = self._table.remove(connection)
        if reason is Reason.OK:
            del self._connections[connection]
            if self._seek and self._seek[0] == connection:
                self._seek = None
            self._counters[Counter.TX_TLS_DEL] += 1
        return reason

    def resync(self, connection: int, seq: int, number: int) -> Reason:
        """Record `number` starts with the next byte, which is `seq`."""
        if connection not in self._connections:
            return Reason.NO_CONNECTION
        self._connections[connection].place = Place(seq, number)
        return Reason.OK

    def send(self, frame: bytes, descriptor: TxDescriptor, *, enabled: bool) -> Sent:
        """What leaves for a frame without FCS, or for a context, and what the host is told."""
        connection, kind = descriptor.connection, descriptor.kind
        seek, self._seek = self._seek, None
        if len(frame) > self._max_frame:
            return self._dropped(connection, TxDrop.BAD_FRAME)
        if kind is TxKind.PLAIN:
            return Sent(frame, (Completion(connection, sent=True),))
        if not enabled:
            return self._dropped(connection, TxDrop.DISABLED)
        if kind is TxKind.CONTEXT:
            return self._context(frame, connection)
        context = seek[1] if seek and seek[0] == connection else None
        return self._frame(frame, connection, context, leaves=kind is TxKind.ENCRYPT)

    def _context(self, data: bytes, connection: int) -> Sent:
        if len(data) not in CONTEXT_SIZES:
            return self._dropped(connection, TxDrop.BAD_FRAME)
        if connection not in self._connections:
            return self._dropped(connection, TxDrop.NO_CONNECTION)
        context = TxContext.unpack(data)
        if context.seek:
            self._seek = connection, context
        else:
            self._connections[connection].place = Place(context.seq, context.number)
        self._counters[Counter.TX_TLS_OOO] += 1
        return Sent(None, (Completion(connection),))

    def _frame(
        self, frame: bytes, connection: int, context: TxContext | None, *, leaves: bool
    ) -> Sent:
        """What comes of a frame that is to be encrypted, with the context that it seeks by."""
        segment = locate(frame, self._max_frame)
        if isinstance(segment, RxPass) or (segment.length and segment.flags & (SYN | RST)):
            return self._dropped(connection, TxDrop.BAD_FRAME)
        own = Completion(connection, sent=leaves)
        if segment.length == 0:
            return Sent(_ended(frame, segment) if leaves else None, (own,))
        if self._table.find(segment.flow.reversed) != connection:
            return self._dropped(connection, TxDrop.NO_CONNECTION)

        state = self._connections[connection]
        place = sought(state.version, context, segment) if context else state.place
        if isinstance(place, TxDrop):
            return self._dropped(connection, place)
        if place.next != segment.seq:
            return self._dropped(connection, TxDrop.OUT_OF_ORDER)
        payload = frame[segment.offset : segment.offset + segment.length]
        if context and not as_told(payload, place, context.prefix[: PREFIX[state.version]]):
            return self._dropped(connection, TxDrop.BAD_RECORD)
        walked = walk(state.version, place, payload)
        out, told = bytearray(_ended(frame, segment)), []
        for part in walked.parts:
            body, tag = _sealed(state.keys, part, context)
            end = segment.offset + part.offset + part.last - part.first
            out[end - len(body) : end] = body
            if tag is not None:
                told.append(Completion(connection, tag, seq=part.record.start))
        if walked.place is None:
            return self._dropped(connection, TxDrop.BAD_RECORD, *told)

        if context is None:
            state.place = walked.place
        packets, size = (
            (Counter.TX_TLS_ENCRYPTED_PACKETS, Counter.TX_TLS_ENCRYPTED_BYTES)
            if leaves
            else (Counter.TX_TLS_DUMP_PACKETS, Counter.TX_TLS_DUMP_BYTES)
        )
        self._counters[packets] += 1
        self._counters[size] += segment.length
        at = segment.tcp + CHECKSUM
        out[at : at + 2] = tcp_checksum(bytes(out), segment)
        return Sent(bytes(out) if leaves else None, (*told, own))

    def _dropped(self, connection: int, reason: TxDrop, *told: Completion) -> Sent:
        self._counters[Counter.TX_DROP_DISABLED + reason - 1] += 1
        return Sent(None, (*told, Completion(connection, reason=reason)))


def sought(version: TlsVersion, context: TxContext, segment: Segment) -> Place | TxDrop:
    """Where a frame that seeks stands, or why it cannot.

    Of a text that went before, nothing is known: it is zeros.
    """
    at = (segment.seq - context.seq) % SEQ
    prefix = context.prefix[: PREFIX[version]]
    if not is_header(prefix[:HEADER], version):
        return TxDrop.BAD_RECORD
    total = size_of(prefix)
    if at >= total:
        return TxDrop.OUT_OF_ORDER
    if at > len(prefix) and at + segment.length > total - TAG and context.tag is None:
        return TxDrop.NO_TAG
    return Place(segment.seq, context.number, prefix[:at].ljust(at, b"\0"))


def as_told(payload: bytes, place: Place, prefix: bytes) -> bool:
    """Whether the bytes of the first record's prefix that a frame has are those of the context."""
    rest = prefix[len(place.before) :]
    return payload[: len(rest)] == rest[: len(payload)]


def _ended(frame: bytes, segment: Segment) -> bytes:
    """The frame with zeros behind its packet."""
    return frame[: segment.offset + segment.length].ljust(len(frame), b"\0")


def _sealed(keys: Keys, part: Part, context: TxContext | None) -> tuple[bytes, bytes | None]:
    """The part's bytes behind the prefix, as they leave; and the tag that was finished in it."""
    record, size = part.record, len(part.record.prefix)
    first, last, text = max(part.first - size, 0), part.last - size, record.text_end - size
    if context is not None and part.first > size:
        tag = (context.tag or b"")[max(first - text, 0) : max(last - text, 0)]
        return keys.crypt(record, first, part.text[first:]) + tag, None
    if last < text:
        return keys.crypt(record, first, part.text[first:]), None
    whole = keys.seal(record, part.text)
    told = context is not None or part.first < record.text_end
    return whole[first:last], whole[text:] if told else None
