"""Transmit traffic, random and replayable: connections that send, and what else is in the queue.

In: a seed and how many connections the device has. Out: bursts, each a list of steps: items of the
queue (frames and contexts, with their descriptors), commands, the switch. As in `traffic`, whose
frames and commands these are, the same seed makes the same bursts, nothing here knows what a device
should do with an item, and `Note` says what each was meant to be.

`Sender` is this end of a connection: it makes records with `cryptography`, in clear and as they are
to leave, cuts its stream into segments, and sends some again by each of the two ways of the device.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final, NamedTuple

from cocotb_tests.mac_monitor import TAG, Record, Stream
from cocotb_tests.traffic import (
    ACK,
    FIN,
    MAX_FRAME,
    MAX_TEXT,
    MUTATIONS,
    PLAIN,
    RST,
    SEQ,
    SYN,
    Built,
    Command,
    Dress,
    End,
    Flow,
    Note,
    Traffic,
    add,
    build,
    one_bit_off,
    other_traffic,
    random_dress,
    random_flow,
    same_fingerprint,
    some_bytes,
    wrong_header,
)
from model.regs import Cipher, Direction, IpVersion, Opcode, TlsVersion, TxKind

PREFIX: Final = 13  # bytes of a context's
BACK: Final = 30_000  # bytes behind what was sent that may be sent again
HEADERS: Final = {IpVersion.IPV4: 54, IpVersion.IPV6: 74}  # Ethernet, IP and TCP, without options
RECORDS: Final = {"tiny": 4, "small": 5, "medium": 2, "large": 1, "mixed": 2, "most": 0.3}
SEGMENTS: Final = {"bytes": 1, "small": 4, "mss": 1.5, "jumbo": 0.3, "mixed": 1, "marks": 4}


class Item(NamedTuple):
    """What is put into the queue: a frame, or a context's bytes, and its descriptor."""

    frame: bytes
    connection: int = 0
    kind: TxKind = TxKind.PLAIN

    @property
    def word(self) -> int:
        """The descriptor's 32 bits."""
        return self.connection | self.kind << 16


@dataclass(frozen=True, slots=True)
class Items:
    """Items for the queue, in order. At most `left` of all are still to go in when the next step is
    taken.
    """

    items: list[Item] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    left: int = 1 << 30

    def put(self, frame: bytes, connection: int, kind: TxKind, note: Note) -> None:
        """One more."""
        self.items.append(Item(frame, connection, kind))
        self.notes.append(note)


@dataclass(frozen=True, slots=True)
class TxControl:
    """The switch; no item is under way."""

    tx_enable: bool


TxStep = Items | Command | TxControl


def context(
    seq: int, number: int, prefix: bytes = b"", tag: bytes | None = None, *, seek: bool
) -> bytes:
    """A context's 48 bytes: docs/transmit.md, 1."""
    flags = seek | (tag is not None) << 1
    return struct.pack("<IQB3x13s3x16s", seq, number, flags, prefix, tag or b"")


def turned(flow: Flow) -> Flow:
    """The same connection as its other end has it."""
    return Flow(flow.remote, flow.local, flow.remote_port, flow.local_port)


# ---- connections ----


@dataclass(frozen=True, slots=True)
class Manner:
    """How a connection sends: sizes, and chances of each turn to be another than the next segment.

    Attributes:
        records: sizes of its records' texts.
        segments: sizes of its segments.
        seek: a segment again, or before its turn, with a context for it alone.
        rebuild: back into a record, which is fed up to there.
        skip: on to another record by command.
        feed: the next segment does not leave.
        bare: a segment without payload, or one with SYN or RST.
        plain: something that is not to be encrypted.
        wrong: a segment that is not the next one.
        header: a record header in it is wrong, before it comes as it should.
        mutate: the frame is not what it should be, before it comes as it should.
        foreign: an id that is not its own, or addresses that are not its own.
        odd: a context that serves nothing, or is none.
        lie: another text, another number, another place than there was.
    """

    records: str
    segments: str
    seek: float = 0.0
    rebuild: float = 0.0
    skip: float = 0.0
    feed: float = 0.0
    bare: float = 0.02
    plain: float = 0.02
    wrong: float = 0.0
    header: float = 0.0
    mutate: float = 0.0
    foreign: float = 0.0
    odd: float = 0.0
    lie: float = 0.0


def random_manner(rng: Random) -> Manner:
    """One of a few; mostly small records and segments, which are many in the same time."""
    records = rng.choices(list(RECORDS), list(RECORDS.values()))[0]
    segments = rng.choices(list(SEGMENTS), list(SEGMENTS.values()))[0]
    if records in ("large", "most") and segments in ("bytes", "marks"):
        segments = rng.choice(("small", "mss"))
    if records == "tiny" and segments == "jumbo":
        segments = "mss"
    match rng.randrange(6):
        case 0:
            return Manner(records, segments)
        case 1:  # much is sent again
            return Manner(records, segments, seek=0.4, rebuild=rng.choice((0, 0.02)), odd=0.02)
        case 2:
            return Manner(records, segments, rebuild=0.1, feed=0.05, skip=0.02, bare=0.05)
        case 3:  # what must be dropped
            return Manner(
                records, segments, seek=0.1, rebuild=0.02, header=0.1, mutate=0.1, wrong=0.1,
                foreign=0.05, odd=0.05, plain=0.05,
            )  # fmt: skip
        case 4:  # all at once, by a host that is wrong
            return Manner(
                records, segments, seek=0.15, rebuild=0.05, skip=0.02, feed=0.03, bare=0.05,
                plain=0.05, wrong=0.03, header=0.05, mutate=0.05, foreign=0.02, odd=0.05, lie=0.06,
            )  # fmt: skip
        case _:
            return Manner(
                records, segments, seek=0.05, rebuild=0.01, bare=0.1, plain=0.2, header=0.02
            )


class Sender(End):
    """This end of a connection that the device may have.

    `cursor` is the place of the byte that the device takes next, if all went as it was meant;
    `sent` that behind all that was ever handed over in order.
    """

    def __init__(self, rng: Random, flow: Flow, longest: int = MAX_FRAME) -> None:
        super().__init__(rng, flow)
        self._most = min(longest, MAX_FRAME) - HEADERS[flow.version]  # bytes of payload
        self.stream = Stream(flow, self.version, self.seq)
        self.manner = random_manner(rng)
        self.cursor = self.sent = 0
        self.lost = False  # it may be that not all went as it was meant
        self._made = self.number
        self._ident = rng.randrange(1 << 16)

    # ---- the stream ----

    def _text_size(self) -> int:
        rng = self._rng
        match self.manner.records:
            case "tiny":
                return rng.choice((0, 0, 1, 2, 15, 16, 17, 33))
            case "small":
                return rng.randrange(300)
            case "medium":
                return rng.randrange(200, 4000)
            case "large":
                return rng.randrange(4000, 16384)
            case "most":
                return MAX_TEXT[self.version] - rng.choice((0, 0, 1, 2))
            case _:
                return min(int(rng.expovariate(0.002)), 16384)

    def _record(self) -> None:
        """One more record at the end of the stream."""
        rng, number = self._rng, self._made
        self._made = (number + 1) % (1 << 64)
        kind, text = rng.choice(self._kinds), rng.randbytes(self._text_size())
        prefix, nonce, aad = self._framing(number, kind, len(text))
        room = rng.choice((bytes(TAG), rng.randbytes(TAG)))
        wire = prefix + self._gcm.encrypt(nonce, text, aad)
        clear = prefix + text + room
        self.stream.append(Record(self.stream.end, number, len(prefix), clear, wire))

    def record(self, place: int) -> Record:
        """The one that a place is in."""
        while self.stream.end <= place:
            self._record()
        found = self.stream.at(place)
        assert found is not None
        return found

    def clear(self, first: int, last: int) -> bytes:
        """Bytes of the stream as they are handed over."""
        self.record(last)
        return self.stream.clear(first, last)

    def number_at(self, record: Record) -> int:
        """Sequence number of a record's first byte."""
        return (self.seq + record.place) % SEQ

    def _near_mark(self, record: Record) -> int:
        """A place in a record, or just behind it, where something begins or ends, or nearly so."""
        marks = (0, 5, record.prefix, len(record.wire) - TAG, len(record.wire))
        at = self._rng.choice(marks) + self._rng.randrange(-4, 9)
        return record.place + min(max(0, at), len(record.wire))

    def _cut(self, first: int) -> int:
        """Bytes of a segment that begins there."""
        rng = self._rng
        match self.manner.segments:
            case "bytes":
                return rng.randrange(1, 4) if rng.random() < 0.9 else rng.randrange(1, 40)
            case "small":
                return rng.randrange(1, 200)
            case "mss":
                return rng.choice((1448, 1448, 1448, 1380, 536, rng.randrange(1, 1460)))
            case "jumbo":
                return rng.choice((8948, self._most, rng.randrange(1, self._most)))
            case "marks":
                record = self.record(first)
                for _ in range(rng.randrange(3)):
                    record = self.record(record.end)
                return min(max(1, self._near_mark(record) - first), 9000)
            case _:
                return rng.randrange(1, rng.choice((30, 30, 200, 200, 1500, 1500, 9000)))

    # ---- frames ----

    def built(
        self, first: int, data: bytes, dress: Dress | None = None, flow: Flow | None = None
    ) -> Built:
        """A frame with data at a place; its TCP checksum is anything."""
        rng = self._rng
        self._ident = (self._ident + 1) % (1 << 16)
        if dress is None:
            dress = random_dress(rng) if rng.random() < 0.15 else PLAIN
            dress = replace(dress, flags=dress.flags & ~SYN)
        ends, seq = turned(flow or self.flow), (self.seq + first) % SEQ
        made = build(ends, seq, data, dress, self._ident)
        if len(data) <= self._most < len(made.frame) - HEADERS[self.flow.version]:
            made = build(ends, seq, data, PLAIN, self._ident)
        frame = bytearray(made.frame)
        if rng.random() < 0.8:
            total = rng.choice((b"\0\0", b"\xff\xff", rng.randbytes(2)))
            frame[made.tcp + 16 : made.tcp + 18] = total
        if len(frame) < 60 and rng.random() < 0.8:
            room = 60 - len(frame)
            frame += bytes(room) if rng.random() < 0.5 else rng.randbytes(room)
        return Built(bytes(frame), made.ip, made.tcp, made.payload)

    def frame(self, first: int, last: int) -> bytes:
        """One with the stream's bytes [first, last), in clear."""
        return self.built(first, self.clear(first, last)).frame

    def note(self, kind: str, first: int = 0, last: int = 0) -> Note:
        """Of a frame."""
        return Note(kind, self, first, last - first)

    # ---- turns ----

    def turn(self, made: Items, own: int, senders: dict[int, Sender]) -> None:
        """What it puts into the queue next.

        Args:
            made: where to.
            own: its id.
            senders: all that there are.
        """
        rng, manner = self._rng, self.manner
        turns = {
            self._seek: manner.seek,
            self._rebuild: manner.rebuild,
            self._feed: manner.feed,
            self._bare: manner.bare,
            self._plain: manner.plain,
            self._wrong: manner.wrong,
            self._header: manner.header,
            self._mutate: manner.mutate,
            self._odd: manner.odd,
            self._lie: manner.lie,
        }
        dice = rng.random()
        if dice < manner.foreign:
            self._foreign(made, own, senders)
            return
        dice -= manner.foreign
        for turn, chance in turns.items():
            if dice < chance:
                turn(made, own)
                return
            dice -= chance
        back = 0.3 if self.lost else 0.1 * (self.cursor < self.sent)
        if rng.random() < back:
            self._back_to(made, own, self.sent)
        else:
            self._next(made, own, TxKind.ENCRYPT, "next")

    def _next(self, made: Items, own: int, kind: TxKind, name: str) -> None:
        first = self.cursor
        last = self._last(first)
        made.put(self.frame(first, last), own, kind, self.note(name, first, last))
        self.cursor = last
        self.sent = max(self.sent, last)

    def _last(self, first: int) -> int:
        """Where a segment that begins there ends."""
        return first + min(self._cut(first), self._most)

    def _feed(self, made: Items, own: int) -> None:
        self._next(made, own, TxKind.FEED, "fed")

    def _back_to(self, made: Items, own: int, place: int) -> None:
        """Rebuild: the connection is to go on at this place."""
        rng, record = self._rng, self.record(place)
        data = self._context(record, rng.randbytes(PREFIX), None, seek=False)
        made.put(data, own, TxKind.CONTEXT, self.note("rebuild", place, place))
        at = record.place
        while at < place:
            last = min(place, at + min(self._most, rng.choice((9000, 9000, 1448, self._cut(at)))))
            made.put(self.frame(at, last), own, TxKind.FEED, self.note("rebuilt", at, last))
            at = last
        self.cursor = place
        self.lost = False

    def _context(self, record: Record, prefix: bytes, tag: bytes | None, *, seek: bool) -> bytes:
        """A context of a record. What means nothing in it may be anything, or not there."""
        rng = self._rng
        data = bytearray(context(self.number_at(record), record.number, prefix, tag, seek=seek))
        if rng.random() < 0.8:
            return bytes(data)
        data[12] |= rng.randrange(64) << 2
        data[13:16], data[29:32] = rng.randbytes(3), rng.randbytes(3)
        if tag is None:
            data[32:48] = rng.randbytes(TAG)
            del data[rng.randrange(33, 49) :]
        return bytes(data)

    def _rebuild(self, made: Items, own: int) -> None:
        back = self._rng.choice((0, 100, 3000, BACK))
        self._back_to(made, own, max(0, self.sent - self._rng.randrange(back + 1)))

    def _somewhere(self) -> tuple[int, int]:
        """Two places for a segment that is sent again, or before its turn."""
        rng = self._rng
        back = max(0, self.sent - rng.choice((200, 3000, BACK)))
        first = rng.randrange(back, self.sent + rng.choice((1, 1, 1, 200)))
        if rng.random() < 0.7:
            first = self._near_mark(self.record(first))
        last = self._last(first)
        if rng.random() < 0.3:
            record = self.record(first)
            last = min(max(first + 1, self._near_mark(record)), first + self._most)
        return first, last

    def _seek(self, made: Items, own: int) -> None:
        rng, dice = self._rng, self._rng.random
        first, last = self._somewhere()
        record = self.record(first)
        at, prefix = first - record.place, record.clear[: record.prefix]
        if at < record.prefix and dice() < 0.1:  # not what the frame has there
            wrong = rng.randrange(at, record.prefix)
            prefix = prefix[:wrong] + rng.randbytes(PREFIX - wrong)
        tag = record.tag if dice() < 0.8 else None
        self._sought(made, own, record, prefix, tag, first, last)

    def _sought(
        self,
        made: Items,
        own: int,
        record: Record,
        prefix: bytes,
        tag: bytes | None,
        first: int,
        last: int,
    ) -> None:
        """A context that seeks, and its frame; perhaps something between them."""
        rng = self._rng
        data = self._context(record, prefix, tag, seek=True)
        made.put(data, own, TxKind.CONTEXT, self.note("seek", first, last))
        name = "sought"
        if rng.random() < 0.15 and first != self.cursor:
            name = "sought too late"
            self._between(made, own)
        kind = TxKind.ENCRYPT if rng.random() < 0.85 else TxKind.FEED
        frame = self.frame(first, last)
        made.put(frame, own, kind, self.note(name, first, last))
        if rng.random() < 0.05 and first != self.cursor:
            made.put(frame, own, kind, self.note("sought twice", first, last))

    def _between(self, made: Items, own: int) -> None:
        """What ends a SEEK."""
        rng = self._rng
        match rng.randrange(5):
            case 0:
                self._plain(made, own)
            case 1:
                self._bare(made, own)
            case 2:
                kind, frame = other_traffic(rng)
                made.put(frame, own, TxKind.ENCRYPT, Note(kind))
            case 3:
                made.put(rng.randbytes(20), own, TxKind.CONTEXT, self.note("no context"))
            case _:  # a SEEK to another place
                record = self.record(rng.randrange(self.sent + 1))
                far = record._replace(place=record.place + SEQ // 2)
                data = self._context(far, record.clear[: record.prefix], record.tag, seek=True)
                made.put(data, own, TxKind.CONTEXT, self.note("seek elsewhere"))

    def _bare(self, made: Items, own: int) -> None:
        rng = self._rng
        flags = rng.choice((ACK, ACK, FIN | ACK, SYN, RST, SYN | ACK, RST | ACK))
        data = b""
        if flags & (SYN | RST) and rng.random() < 0.5:
            data = rng.randbytes(rng.randrange(1, 100))
        frame = self.built(self.cursor, data, Dress(flags=flags)).frame
        kind = rng.choice((TxKind.ENCRYPT, TxKind.ENCRYPT, TxKind.FEED))
        unknown = rng.choice((own, own, rng.randrange(1 << 16)))
        made.put(frame, unknown, kind, self.note("bare", self.cursor, self.cursor + len(data)))

    def _plain(self, made: Items, own: int) -> None:
        rng = self._rng
        name = "plain"
        match rng.randrange(4):
            case 0:
                name, frame = other_traffic(rng)
            case 1:
                frame = self.built(self.cursor, b"").frame
            case 2:  # what software encrypted
                first, last = self._somewhere()
                self.record(last)
                data = self.stream.wire(first, last)
                frame = self.built(first, data).frame
            case _:
                size = rng.choice((1, 15, 16, 17, 60, 1514, MAX_FRAME, MAX_FRAME + 1))
                frame = some_bytes(rng, size)
        connection = rng.choice((own, 0, rng.randrange(1 << 16)))
        made.put(frame, connection, TxKind.PLAIN, self.note(name))

    def _wrong(self, made: Items, own: int) -> None:
        rng = self._rng
        if rng.random() < 0.3:
            first = self.cursor + rng.choice((1, -1, SEQ // 2, rng.randrange(SEQ)))
            frame = self.built(first, rng.randbytes(rng.randrange(1, 300))).frame
            first %= SEQ
            if (first - self.cursor) % SEQ == 0:
                return
            made.put(frame, own, TxKind.ENCRYPT, self.note("wrong place", first, first))
            return
        first, last = self._somewhere()
        if first == self.cursor:
            first, last = first + 1, last + 1
        kind = rng.choice((TxKind.ENCRYPT, TxKind.ENCRYPT, TxKind.FEED))
        made.put(self.frame(first, last), own, kind, self.note("not next", first, last))

    def _header(self, made: Items, own: int) -> None:
        """The next segment with a wrong header before it comes right; or a wrong context."""
        rng = self._rng
        change, legal = wrong_header(rng, self.version)
        if rng.random() < 0.3:
            first, last = self._somewhere()
            record = self.record(first)
            if not legal:
                prefix = (change + record.clear[len(change) :])[: record.prefix]
                self._sought(made, own, record, prefix, record.tag, first, last)
            return
        first = self.cursor
        last = self._last(first)
        self.record(last)
        heads = [r.place for r in self.stream.between(first, last) if r.place >= first]
        if not heads or (legal and not self.manner.lie):
            return
        head = rng.choice(heads)
        data = bytearray(self.clear(first, last))
        data[head - first : head - first + len(change)] = change
        frame = self.built(first, bytes(data[: last - first])).frame
        made.put(frame, own, TxKind.ENCRYPT, self.note("header", first, last))
        self.lost |= legal or last < head + 5
        if rng.random() < 0.9:
            made.put(self.frame(first, last), own, TxKind.ENCRYPT, self.note("next", first, last))
            self.cursor, self.sent = last, max(self.sent, last)

    def _mutate(self, made: Items, own: int) -> None:
        """The next frame as it should not be; it may be as good, or as good for the device."""
        rng = self._rng
        first = self.cursor
        last = self._last(first)
        built = self.built(first, self.clear(first, last))
        name = rng.choice(tuple(MUTATIONS))
        if name == "overlong" and rng.random() < 0.8:  # it takes long
            name = "flip"
        frame = MUTATIONS[name](rng, built)
        kind = rng.choice((TxKind.ENCRYPT, TxKind.ENCRYPT, TxKind.FEED, TxKind.CONTEXT))
        made.put(frame, own, kind, self.note(name, first, last))
        self.lost = True  # unless it was dropped
        self._next(made, own, TxKind.ENCRYPT, "next")

    def _foreign(self, made: Items, own: int, senders: dict[int, Sender]) -> None:
        """Its frame with another's id, or its id with another's frame."""
        rng = self._rng
        first = self.cursor
        data = self.clear(first, self._last(first))
        kind = rng.choice((TxKind.ENCRYPT, TxKind.ENCRYPT, TxKind.FEED))
        if rng.random() < 0.5:
            others = [*senders, rng.randrange(1 << 16), own ^ 64, own ^ 1 << rng.randrange(16)]
            other = rng.choice([n for n in others if n != own])
            frame = self.built(first, data).frame
            made.put(frame, other, kind, self.note("foreign id", first, first + len(data)))
            return
        flow = rng.choice((one_bit_off(rng, self.flow), turned(self.flow)))
        if flow == self.flow:
            return
        frame = self.built(first, data, flow=flow).frame
        made.put(frame, own, kind, self.note("foreign flow", first, first + len(data)))

    def _odd(self, made: Items, own: int) -> None:
        """A context that serves nothing here, or is none."""
        rng = self._rng
        match rng.randrange(3):
            case 0:
                first, _ = self._somewhere()
                record = self.record(first)
                data = self._context(record, record.clear[: record.prefix], record.tag, seek=True)
                made.put(data, own, TxKind.CONTEXT, self.note("seek for nothing"))
            case 1:
                size = rng.choice((1, 15, 16, 17, 31, 32, 49, 64, 65, MAX_FRAME + 1))
                made.put(rng.randbytes(size), own, TxKind.CONTEXT, self.note("no context"))
            case _:
                unknown = rng.choice((own ^ 64, 0xFFFF))
                size = rng.randrange(33, 49)
                made.put(rng.randbytes(size), unknown, TxKind.CONTEXT, self.note("no context"))

    def _lie(self, made: Items, own: int) -> None:
        """The device is told something else than before; it cannot know."""
        rng = self._rng
        first, last = self._somewhere()
        record = self.record(first)
        wrong = (record.number + rng.choice((1, -1, rng.getrandbits(64)))) % (1 << 64)
        prefix = record.clear[: record.prefix]
        match rng.randrange(6):
            case 0:  # another number, from here on
                self._back_to(made, own, first)
                data = self._context(record._replace(number=wrong), b"", None, seek=False)
                made.put(data, own, TxKind.CONTEXT, self.note("another number"))
                self.cursor, self.lost = record.place, True
            case 1:
                self._sought(made, own, record._replace(number=wrong), prefix, None, first, last)
            case 2:
                header = prefix[:3] + rng.randrange(24, 16401).to_bytes(2) + prefix[5:]
                self._sought(made, own, record, header, record.tag, first, last)
            case 3:
                self._sought(made, own, record, prefix, rng.randbytes(16), first, last)
            case 4:  # another place, by one byte or many
                off = rng.choice((1, -1, 5, 13, 29, rng.randrange(-200, 200)))
                moved = record._replace(place=record.place + off)
                self._sought(made, own, moved, prefix, record.tag, first, last)
            case _:  # another text
                first, last = self.cursor, self._last(self.cursor)
                text = bytearray(self.clear(first, last))
                text[rng.randrange(len(text))] ^= 1 << rng.randrange(8)
                frame = self.built(first, bytes(text)).frame
                made.put(frame, own, TxKind.ENCRYPT, self.note("another text", first, last))
                self.cursor, self.sent, self.lost = last, max(self.sent, last), True

    # ---- commands ----

    def begin(self) -> Command:
        """The ADD that makes the device go on with the next record."""
        record = self.record(self.sent)
        if record.place < self.sent:
            record = self.record(record.end)
        self.cursor = self.sent = record.place
        self.lost = False
        return add(self, direction=Direction.TX, seq=self.number_at(record), number=record.number)

    def skip(self, own: int) -> Command:
        """The RESYNC_TX that makes it go on with another record; rarely with none."""
        rng = self._rng
        back = rng.randrange(max(0, self.sent - BACK), self.sent + 1)
        place = rng.choice((self.sent, self.sent, back))
        record = self.record(place)
        if rng.random() < 0.8:
            record = self.record(record.end)
        seq, number = self.number_at(record), record.number
        self.cursor = record.place
        self.sent = max(self.sent, self.cursor)
        self.lost = False
        if rng.random() < self.manner.lie:
            seq = (seq + rng.randrange(1, 100)) % SEQ
            self.lost = True
        return Command(
            Opcode.RESYNC_TX,
            Direction.TX,
            connection=own,
            flow=self.flow,
            seq=seq,
            number=number,
        )


class Even(Sender):
    """A sender whose records all have texts of one size; frames without anything odd about them."""

    def __init__(self, rng: Random, flow: Flow, version: TlsVersion, text: int) -> None:
        super().__init__(rng, flow)
        self.version, self.stream = version, Stream(flow, version, self.seq)
        self.text = text

    def _text_size(self) -> int:
        return self.text

    def frame(self, first: int, last: int) -> bytes:
        """One with the stream's bytes [first, last), in clear."""
        return self.built(first, self.clear(first, last), PLAIN).frame

    def next(self, size: int) -> bytes:
        """The next one in order, with so many bytes."""
        first, self.cursor = self.cursor, self.cursor + size
        return self.frame(first, self.cursor)


# ---- all of them ----


class TxTraffic:
    """Bursts for a device with so many connections. `senders` are those that it has, by id.

    Args:
        seed: of everything.
        connections: that the device can have.
        longest: bytes of a frame; there are none that are longer, not even by mistake.
        crowd: connections at a time; random without it.
        received: what goes the other way; some connections are the same.
    """

    def __init__(
        self,
        seed: int,
        connections: int = 64,
        longest: int = 2 * MAX_FRAME,
        crowd: int | None = None,
        received: Traffic | None = None,
    ) -> None:
        self.rng = Random(f"transmit {seed}")
        self._connections = connections
        self._longest = longest
        self._fixed = crowd
        self._crowd = crowd or self.rng.choice((1, 2, 4, 8, 16, connections))
        self._received = received
        self._enabled = False
        self._gone: deque[tuple[int, Sender]] = deque(maxlen=8)
        self.senders: dict[int, Sender] = {}

    def pace(self) -> tuple[int, int, int]:
        """In 256 clocks: gaps of items, stalls of the wire and of completions."""
        rng = self.rng
        paces = (0, 0, 0, 0, 10, 40, 100, rng.choice((0, 0, 0, 230)))
        return rng.choice(paces), rng.choice(paces), rng.choice((0, *paces))

    def burst(self, items: int) -> list[TxStep]:
        """So many items or some more, and what goes with them."""
        rng = self.rng
        steps: list[TxStep] = []
        if not self._enabled or rng.random() < 0.05:
            steps += self._switch(True)
        if rng.random() < 0.05 and self._fixed is None:
            self._crowd = rng.choice((1, 2, 4, 8, 16, self._connections))
        left = items
        while left > 0:
            if rng.random() < 0.004:
                steps += self._switch(not self._enabled)
            for _ in range(rng.choice((0, 1, 1, 2, 4))):
                steps += self._command()
            while len(self.senders) < min(self._crowd, self._connections) and rng.random() < 0.9:
                steps.append(self._add())
            made = self._items(min(left, int(1 + rng.expovariate(1 / 40))))
            steps += self._interrupted(made) if rng.random() < 0.2 else [made]
            left -= len(made.items)
        return steps

    def _interrupted(self, made: Items) -> Iterator[TxStep]:
        """A command behind a context, if there is one."""
        rng, items, notes = self.rng, made.items, made.notes
        places = [n for n, item in enumerate(items) if item.kind is TxKind.CONTEXT]
        own = items[rng.choice(places)].connection if places else None
        if own is None or own not in self.senders:
            yield made
            return
        at = 1 + rng.choice([n for n in places if items[n].connection == own])
        yield Items(items[:at], notes[:at], rng.choice((0, 1 << 30)))
        some = self.senders[own]
        match rng.randrange(3):
            case 0:
                yield some.skip(own)
            case 1:
                yield add(Sender(rng, some.flow), direction=Direction.TX)  # which it has
            case _:  # it goes and comes again, with the same id if no lower one is free
                del self.senders[own]
                yield Command(Opcode.DEL, Direction.TX, connection=own)
                free = next(n for n in range(self._connections) if n not in self.senders)
                self.senders[free] = some
                yield some.begin()
        some.lost = True  # what is behind it was made before
        yield Items(items[at:], notes[at:], made.left)

    def _switch(self, enable: bool) -> Iterator[TxStep]:
        for sender in self.senders.values():
            sender.lost |= not enable
        self._enabled = enable
        yield TxControl(enable)

    def _flow(self) -> Flow:
        rng = self.rng
        if self._received and self._received.peers and rng.random() < 0.3:
            return rng.choice(list(self._received.peers.values())).flow
        return random_flow(rng)

    def _add(self) -> Command:
        """A new connection, or an old one again, with other keys or the same."""
        rng = self.rng
        flows = {sender.flow for sender in self.senders.values()}
        if self._gone and rng.random() < 0.5:
            _, sender = self._gone.pop()
            if sender.flow not in flows and rng.random() < 0.5:
                sender = Sender(rng, sender.flow, self._longest)
        else:
            sender = Sender(rng, self._flow(), self._longest)
        command = sender.begin()
        if sender.flow not in flows and len(self.senders) < self._connections:
            free = next(n for n in range(self._connections) if n not in self.senders)
            self.senders[free] = sender
        return command

    def _command(self) -> Iterator[Command]:
        rng = self.rng
        if not self.senders:
            return
        own = rng.choice(list(self.senders))
        some = self.senders[own]
        match rng.randrange(12):
            case 0:  # it has this one
                yield add(Sender(rng, some.flow), direction=Direction.TX)
            case 1 if some.flow.version is IpVersion.IPV6:
                yield add(Sender(rng, same_fingerprint(rng, some.flow)), direction=Direction.TX)
            case 2:
                cipher = rng.choice((Cipher.NONE, Cipher.RESERVED))
                yield add(Sender(rng, self._flow()), direction=Direction.TX, cipher=cipher)
            case 3:
                wrong = rng.choice((self._connections, 0xFFFF, rng.randrange(1 << 16)))
                if wrong not in self.senders:
                    opcode = rng.choice((Opcode.DEL, Opcode.RESYNC_TX))
                    yield Command(opcode, Direction.TX, connection=wrong)
                else:
                    yield Command(Opcode.RESYNC_TX, Direction.RX, connection=wrong)
            case 4 | 5 | 6 if len(self.senders) >= rng.randrange(self._crowd + 1):
                gone = own
                lost = [n for n, sender in self.senders.items() if sender.lost]
                if lost and rng.random() < 0.5:
                    gone = rng.choice(lost)
                self._gone.append((gone, self.senders.pop(gone)))
                yield Command(Opcode.DEL, Direction.TX, connection=gone)
            case 7 if len(self.senders) == self._connections:
                yield self._add()
            case 8 | 9 if rng.random() < 0.5 or some.manner.skip:
                yield some.skip(own)
            case _ if len(self.senders) < self._crowd:
                yield self._add()
            case _:
                return

    def _items(self, count: int) -> Items:
        rng = self.rng
        made = Items()
        some = list(self.senders)
        if len(some) > 3 and rng.random() < 0.7:
            some = rng.sample(some, rng.choice((1, 2, 3)))
        steady = rng.random() < 0.5  # the same again and again, or any
        own = rng.choice(some) if some else None
        while len(made.items) < count:
            if own is None or rng.random() < 0.02:
                name, frame = other_traffic(rng)
                kind = rng.choice(list(TxKind))
                made.put(frame, rng.randrange(1 << rng.choice((2, 6, 16))), kind, Note(name))
                continue
            if not steady or rng.random() < 0.03:
                own = rng.choice(some)
            if rng.random() < 0.005 and self._gone:
                number, gone = rng.choice(self._gone)
                gone.turn(made, number, self.senders)
            self.senders[own].turn(made, own, self.senders)
        short = [n for n, item in enumerate(made.items) if len(item.frame) <= self._longest]
        left = rng.choice((0, rng.randrange(count), 1 << 30, 1 << 30))
        return Items([made.items[n] for n in short], [made.notes[n] for n in short], left)
