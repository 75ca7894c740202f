"""A connection as it was on the wire, read by software alone: what a replay has to come to.

In: the segments of both directions in the order of the capture, and a key log. Out: for each
segment what a program would have read because of it; when the handshake has finished, the keys; the
records of what was sent, in clear. No I/O, and nothing is raised for what a capture holds: why a
connection, or a direction, cannot be followed further is told in words.

Sent records are known when their last byte was captured. So this goes ahead of the device, by as
many packets as that takes.
"""

from __future__ import annotations

import errno
import hashlib
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag

from host import ktls, tcp
from host.crypto_info import Version
from host.handshake import Handshake, HandshakeError, Outcome, Side, TrafficKeys
from host.keylog import KeyLog
from host.ktls import Message
from host.packet import FIN, RST, SYN, Segment
from host.record import PREFIX, TAG, ContentType, HeaderError, Opener, inner, record_size

_RENEGOTIATION: Final = "a renegotiation, which is not followed"
_KEY_UPDATE: Final = b"\x18"
_LONGEST_PREFIX: Final = max(PREFIX.values())


class Digest:
    """Bytes of an application's data, and their SHA-256."""

    def __init__(self) -> None:
        self.bytes = 0
        self._sha256 = hashlib.sha256()

    def add(self, data: bytes) -> None:
        """Take the next bytes."""
        self.bytes += len(data)
        self._sha256.update(data)

    @property
    def sha256(self) -> str:
        """Of all of them."""
        return self._sha256.hexdigest()


class Reader:
    """A program that reads all there is from kTLS, and hands it the next keys when it must."""

    def __init__(self, outcome: Outcome, seq: int, mib: Counter[str]) -> None:
        self.ktls = ktls.Receiver(outcome.keys.crypto_info(outcome.number), seq, mib)
        self.digest = Digest()
        self.stopped = ""
        self._keys = outcome.keys

    def read(self, chunks: Sequence[tcp.Chunk]) -> list[Message]:
        """Take the stream's next bytes; return what can be read."""
        if not chunks:
            return []
        self.ktls.receive(chunks)
        messages = []
        while not self.stopped:
            try:
                message = self.ktls.recv()
            except OSError as error:
                self._failed(error)
                continue
            if message is None:
                break
            messages.append(message)
            if message.type == ContentType.DATA:
                self.digest.add(message.data)
            elif (
                message.type == ContentType.CHANGE_CIPHER_SPEC
                and self._keys.version is Version.TLS_1_2
            ):
                self.stopped = _RENEGOTIATION
        return messages

    def _failed(self, error: OSError) -> None:
        if error.errno == errno.EKEYEXPIRED:
            self._keys = self._keys.updated()
            self.ktls.rekey(self._keys.crypto_info(0))
        else:
            self.stopped = _stopped(error.errno or 0, self.ktls.records.total())


@dataclass(frozen=True, slots=True)
class SentRecord:
    """A record that was sent.

    Attributes:
        place: of its first byte in the stream.
        number: record number.
        image: header and explicit nonce as captured, text in clear, room for the tag.
        keys: of this record.
    """

    place: int
    number: int
    image: bytes
    keys: TrafficKeys


class SentRecords:
    """The records of a sent stream, in clear, from where the handshake leaves it.

    Attributes:
        first: place of the first record.
        known: place behind the last record that is known.
        number: of the next record.
        keys: of the next record.
        queue: those that nobody took yet.
        stopped: why no more will be known; empty while that is not so.
        digest: of the application's data.
    """

    def __init__(self, outcome: Outcome) -> None:
        self.first = self.known = outcome.offset
        self.keys = outcome.keys
        self.queue: deque[SentRecord] = deque()
        self.stopped = ""
        self.digest = Digest()
        self._opener = Opener(outcome.keys.crypto_info(outcome.number))
        self._unread = bytearray()
        self._count = 0

    @property
    def number(self) -> int:
        """Of the next record."""
        return self._opener.number

    def read(self, chunks: Iterable[tcp.Chunk]) -> None:
        """Take the stream's next bytes."""
        for chunk in chunks:
            self._unread += chunk.data
        try:
            while not self.stopped:
                size = record_size(self.keys.version, bytes(self._unread[:_LONGEST_PREFIX]))
                if size is None or len(self._unread) < size:
                    return
                self._record(bytes(self._unread[:size]))
                del self._unread[:size]
        except HeaderError as error:
            self.stopped = _stopped(error.errno, self._count)
        except InvalidTag:
            self.stopped = _stopped(errno.EBADMSG, self._count)
        self._unread.clear()

    def _record(self, record: bytes) -> None:
        text = self._opener.open(record)
        kind, data = record[0], text
        if self.keys.version is Version.TLS_1_3:
            found = inner(text)
            if found is None:
                raise HeaderError(errno.EBADMSG)
            kind, data = found
        image = record[: PREFIX[self.keys.version]] + text + bytes(TAG)
        self.queue.append(SentRecord(self.known, self.number, image, self.keys))
        self.known += len(record)
        self._opener.number += 1
        self._count += 1
        if kind == ContentType.DATA:
            self.digest.add(data)
        elif kind == ContentType.CHANGE_CIPHER_SPEC and self.keys.version is Version.TLS_1_2:
            self.stopped = _RENEGOTIATION
        elif (
            kind == ContentType.HANDSHAKE
            and data[:1] == _KEY_UPDATE
            and self.keys.version is Version.TLS_1_3
        ):
            self.keys = self.keys.updated()
            self._opener = Opener(self.keys.crypto_info(0))


class Stream:
    """TCP of one direction. It begins with SYN, or else with the first segment that is there."""

    def __init__(self) -> None:
        self.first: int | None = None
        self.tcp = tcp.Receiver(0)
        self._end: int | None = None

    def receive(self, segment: Segment, payload: bytes, decrypted: bool) -> list[tcp.Chunk]:
        """Take a segment; return what is in order now."""
        seq = _data_seq(segment)
        if self.first is None:
            self.first = seq
            self.tcp = tcp.Receiver(seq)
        if segment.flags & FIN:
            self._end = seq + len(payload) & tcp.MASK
        return self.tcp.receive(seq, payload, decrypted)

    @property
    def ended(self) -> bool:
        """FIN came, and all before it."""
        return self._end == self.tcp.next

    def place(self, segment: Segment) -> int:
        """Where in the stream its payload begins; of those possible, the nearest to what came."""
        return self.tcp.taken + tcp.distance(_data_seq(segment), self.tcp.next)

    def seq(self, place: int) -> int:
        """The sequence number at a place."""
        return (self.first or 0) + place & tcp.MASK


@dataclass(frozen=True, slots=True)
class Step:
    """What came of a segment.

    Attributes:
        place: of its first byte in its stream.
        early: it came before the handshake had finished.
        finished: with it, the handshake did.
        messages: what is read because of it; in the segment that finishes, of all before it.
        ended: with it, the connection is over.
    """

    place: int
    early: bool
    finished: bool = False
    messages: list[Message] = field(default_factory=list)
    ended: bool = False


class Wire:
    """One TCP connection, seen from the NIC's host.

    Attributes:
        received: TCP, of what the host receives.
        sent: the same, of what it sends.
        outcome: what the handshake leaves of what is received; None until it has finished.
        records: what is sent after it.
        reason: why the connection is not followed; empty if it is.
    """

    def __init__(self, key_log: KeyLog) -> None:
        self.received, self.sent = Stream(), Stream()
        self.outcome: Outcome | None = None
        self.records: SentRecords | None = None
        self.reason = ""
        self._reader: Reader | None = None
        self._handshake = Handshake(key_log)
        self._sides: tuple[Side, Side] | None = None  # of what is received, of what is sent
        self._over = False

    def segment(self, segment: Segment, payload: bytes, received: bool) -> Step:
        """Take the next segment of the capture."""
        stream = self.received if received else self.sent
        early = self.outcome is None
        if self._over or self.reason:
            return Step(stream.place(segment), early)
        chunks = stream.receive(segment, payload, False)
        messages: list[Message] = []
        if early:
            messages = self._follow(chunks, received)
        elif received and self._reader:
            messages = self._reader.read(chunks)
        elif not received and self.records:
            self.records.read(chunks)
        self._over = bool(segment.flags & RST) or (self.received.ended and self.sent.ended)
        finished = early and self.outcome is not None
        return Step(stream.place(segment), early, finished, messages, self._over)

    def reopened(self, segment: Segment, received: bool) -> bool:
        """This SYN begins another connection with the same addresses and ports."""
        first = (self.received if received else self.sent).first
        return first is not None and first != segment.seq + 1 & tcp.MASK

    def knows(self, place: int) -> bool:
        """Whether all sent records that start before that place are known, or never will be."""
        records = self.records
        return self._over or records is None or records.known >= place or bool(records.stopped)

    def unfinished(self) -> str:
        """Why the handshake has not finished."""
        if self.reason:
            return self.reason
        if self.received.tcp.waiting or self.sent.tcp.waiting:
            return "bytes of the handshake are missing in the capture"
        if self.received.tcp.taken == self.sent.tcp.taken == 0:
            return "no data"
        return "the handshake is not finished in the capture"

    def _follow(self, chunks: list[tcp.Chunk], received: bool) -> list[Message]:
        """Bytes of the handshake; when it has finished, what is read of those behind it."""
        try:
            for chunk in chunks:
                if self._sides is None:
                    first, second = Side.CLIENT, Side.SERVER
                    self._sides = (first, second) if received else (second, first)
                self._handshake.receive(self._sides[0 if received else 1], chunk.data)
        except HandshakeError as error:
            self.reason = str(error)
            return []
        if not (self._handshake.done and self._sides):
            return []
        self.outcome, sent = map(self._handshake.outcome, self._sides)
        self.records = SentRecords(sent)
        self.records.read([tcp.Chunk(sent.unread, decrypted=False)])
        self._reader = Reader(self.outcome, self.received.seq(self.outcome.offset), Counter())
        return self._reader.read([tcp.Chunk(self.outcome.unread, decrypted=False)])


def _data_seq(segment: Segment) -> int:
    """Sequence number of its first byte of data; SYN takes one before that."""
    return segment.seq + 1 & tcp.MASK if segment.flags & SYN else segment.seq


def _stopped(number: int, records: int) -> str:
    return f"{errno.errorcode[number]} after {records:,} records"
