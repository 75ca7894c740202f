"""What may leave towards the wire: each frame that does, against what its sender meant to send.

In: `Stream`, the records of a connection in clear and as they must be on the wire, made with
`cryptography` by whoever sends them; what the host says (`added`, `deleted`, `resynced`), what it
hands over (`handed`), and the frames that leave (`left`), all in order. Out: `broken`, a line for
each frame that must not leave, or not as it did. No model is asked, no completion is looked at.

A frame may leave if it is one that was handed over, none before the last that left: a plain one as
it was; one to be encrypted with the wire's byte of its stream at every sequence number, right
checksums and zeros behind the packet, all else as it was. So no plaintext leaves, and no sequence
number of a stream shows two values. A device cannot know that it is lied to: when the host names
a wrong record or hands over another text, the right bytes are not known, and `left` looks for
plaintext alone.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass
from typing import Final, NamedTuple

from cocotb_tests.traffic import LENGTHS, MAX_FRAME, SEQ, Flow
from host import packet
from model.regs import TlsVersion, TxKind

HEADER: Final = 5
TAG: Final = 16
# equal bytes in a row that are plaintext: more than the longest prefix, and more than chance
LEAK: Final = 20
CONTEXT: Final = range(33, 49)  # bytes of one
VLAN: Final = (b"\x81\x00", b"\x88\xa8")
TCP: Final = 6


class Record(NamedTuple):
    """A record of a stream.

    Attributes:
        place: of its first byte.
        number: its own.
        prefix: bytes before its text.
        clear: as it is handed over; the room for the tag may hold anything.
        wire: as it is to leave.
    """

    place: int
    number: int
    prefix: int
    clear: bytes
    wire: bytes

    @property
    def end(self) -> int:
        """Place of the byte behind it."""
        return self.place + len(self.wire)

    @property
    def tag(self) -> bytes:
        """As on the wire."""
        return self.wire[-TAG:]


class Stream:
    """What a connection is to send: records from sequence number `seq` on, in order."""

    def __init__(self, flow: Flow, version: TlsVersion, seq: int) -> None:
        self.flow = flow
        self.version = version
        self.seq = seq
        self.records: list[Record] = []
        self.end = 0  # place behind the last one
        self._places: list[int] = []
        self.honest = True  # the host has said nothing else of it

    def append(self, record: Record) -> None:
        """One more, at the end."""
        self.records.append(record)
        self._places.append(record.place)
        self.end = record.end

    def place(self, seq: int) -> int:
        """Of a sequence number; negative before the first."""
        place = (seq - self.seq) % SEQ
        return place - SEQ if place >= SEQ // 2 else place

    def at(self, place: int) -> Record | None:
        """The record that a place is in."""
        if not 0 <= place < self.end:
            return None
        return self.records[bisect_right(self._places, place) - 1]

    def between(self, first: int, last: int) -> list[Record]:
        """All with bytes in [first, last), which are all known."""
        if first >= last:
            return []
        start = bisect_right(self._places, first) - 1
        return self.records[start : bisect_right(self._places, last - 1)]

    def clear(self, first: int, last: int) -> bytes:
        """Bytes as they are handed over."""
        records = self.between(first, last)
        parts = (r.clear[max(0, first - r.place) : last - r.place] for r in records)
        return b"".join(parts)

    def wire(self, first: int, last: int) -> bytes:
        """Bytes as they are to leave."""
        records = self.between(first, last)
        parts = (r.wire[max(0, first - r.place) : last - r.place] for r in records)
        return b"".join(parts)


@dataclass(slots=True)
class _Handed:
    """A frame that was handed over, and what of it may leave.

    Attributes:
        frame: as it was, but for what must be zero.
        start: of the payload that is to be another when it leaves.
        end: of that; as `start` if nothing may change.
        csum: where the checksum of TCP is.
        right: the payload on the wire; None if that is not known.
        never: why it may not leave; empty if it may.
    """

    frame: bytes
    start: int = 0
    end: int = 0
    csum: int = 0
    right: bytes | None = None
    never: str = ""

    def looks_like(self, left: bytes) -> bool:
        """All that may not change is the same."""
        frame, csum = self.frame, self.csum
        if self.start == self.end:
            return left == frame
        return (
            len(left) == len(frame)
            and left[:csum] == frame[:csum]
            and left[csum + 2 : self.start] == frame[csum + 2 : self.start]
            and left[self.end :] == frame[self.end :]
        )

    def wrong(self, left: bytes) -> str:
        """Why it may not have left as it did; empty if it may."""
        if self.never or self.start == self.end:
            return self.never
        payload = left[self.start : self.end]
        differ = _xor(payload, self.frame[self.start : self.end])
        if self.right is None:
            if bytes(LEAK) in differ:
                return "plaintext"
        elif payload != self.right:
            at = len(self.right) - len(_xor(payload, self.right).lstrip(b"\0"))
            clear = len(differ[at:]) - len(differ[at:].lstrip(b"\0"))
            text = f"byte {at} of the payload is {payload[at]:#04x}, not {self.right[at]:#04x}"
            return f"plaintext: {text}, and {clear} in a row are" if clear else text
        read = packet.parse(left)
        good = read is not None and read.segment is not None and read.segment.good
        return "" if good else "wrong checksums"


def _xor(a: bytes, b: bytes) -> bytes:
    return (int.from_bytes(a) ^ int.from_bytes(b)).to_bytes(len(a))


def _tcp_at(frame: bytes) -> int:
    """Where the TCP header is in a frame that has one."""
    ip = 14
    while frame[ip - 2 : ip] in VLAN:
        ip += 4
    if frame[ip] >> 4 == 4:
        return ip + 4 * (frame[ip] & 0xF)
    kind, at = frame[ip + 6], ip + 40
    while kind != TCP:
        kind, at = frame[at], at + 8 + 8 * frame[at + 1]
    return at


class _Seek(NamedTuple):
    """A context that the next frame of its connection may be served by."""

    connection: int
    seq: int
    number: int
    prefix: bytes
    tag: bytes | None


class MacMonitor:
    """Beside a device, from reset on. `broken` has a line for each frame that is wrong."""

    def __init__(self) -> None:
        self.broken: list[str] = []
        self.frames = 0  # that left
        self.right = 0  # bytes of payload that were compared with the stream's
        self._streams: dict[int, Stream] = {}
        self._queue: deque[_Handed] = deque()
        self._seek: _Seek | None = None

    # ---- what the host says ----

    def added(self, connection: int, stream: Stream, seq: int, number: int) -> None:
        """A connection was added; record `number` of the stream starts at `seq`."""
        self._streams[connection] = stream
        self.resynced(connection, seq, number)

    def deleted(self, connection: int) -> None:
        """A connection was deleted."""
        self._streams.pop(connection, None)
        if self._seek and self._seek.connection == connection:
            self._seek = None

    def resynced(self, connection: int, seq: int, number: int) -> None:
        """The device was told that record `number` starts at `seq`, with the next byte."""
        stream = self._streams.get(connection)
        if stream is not None:
            record = stream.at(stream.place(seq))
            stream.honest &= (
                record is not None and record.place == stream.place(seq) and record.number == number
            )

    def handed(self, frame: bytes, connection: int, kind: int) -> None:
        """A frame or a context goes into the queue."""
        seek, self._seek = self._seek, None
        match kind:
            case TxKind.PLAIN:
                never = "it is too long" if len(frame) > MAX_FRAME else ""
                self._queue.append(_Handed(frame, never=never))
            case TxKind.CONTEXT:
                self._context(frame, connection)
            case TxKind.FEED:
                self._secret(frame, connection, seek).never = "it was to be fed"
            case _:
                self._secret(frame, connection, seek)

    def reset(self) -> None:
        """The device has forgotten all of it."""
        self._streams.clear()
        self._queue.clear()
        self._seek = None

    def settled(self) -> None:
        """All that was handed over has been handled: no more of it can leave."""
        self._queue.clear()

    # ---- what the device does ----

    def left(self, frame: bytes) -> None:
        """A frame leaves."""
        self.frames += 1
        why = []
        for n, handed in enumerate(self._queue):
            if handed.looks_like(frame):
                wrong = handed.wrong(frame)
                if not wrong:
                    self.right += len(handed.right or b"")
                    for _ in range(n + 1):
                        self._queue.popleft()
                    return
                why.append(wrong)
        text = (
            "; ".join(dict.fromkeys(why)) or "no such frame was handed over, or not in this order"
        )
        self.broken.append(f"frame {self.frames - 1} may not leave: {text}: {frame[:96].hex()}")

    # ---- what follows from it ----

    def _context(self, data: bytes, connection: int) -> None:
        if len(data) not in CONTEXT:
            return
        seq, number = int.from_bytes(data[:4], "little"), int.from_bytes(data[4:12], "little")
        if data[12] & 1:
            tag = data[32:48] if data[12] & 2 else None
            self._seek = _Seek(connection, seq, number, data[16:29], tag)
        else:
            self.resynced(connection, seq, number)

    def _secret(self, frame: bytes, connection: int, seek: _Seek | None) -> _Handed:
        """A frame to be encrypted, as it is queued."""
        made = _Handed(frame)
        self._queue.append(made)
        read = packet.parse(frame)
        segment = read.segment if read else None
        if read is None or segment is None or len(frame) > MAX_FRAME:
            made.never = "it is no segment"
            return made
        made.frame = frame[: segment.end].ljust(len(frame), b"\0")
        if segment.start == segment.end:
            return made
        made.start, made.end, made.csum = segment.start, segment.end, _tcp_at(frame) + 16
        stream = self._streams.get(connection)
        flow = Flow(read.source, read.destination, segment.source_port, segment.destination_port)
        if segment.flags & (packet.SYN | packet.RST):
            made.never = "it has SYN or RST"
        elif stream is None:
            made.never = "there is no such connection"
        elif stream.flow != flow:
            made.never = "it is of another connection"
        else:
            seeks = seek is not None and seek.connection == connection
            self._expect(made, stream, stream.place(segment.seq), seek if seeks else None)
        return made

    def _expect(self, made: _Handed, stream: Stream, first: int, seek: _Seek | None) -> None:
        """What the payload must be when it leaves."""
        data = made.frame[made.start : made.end]
        last = first + len(data)
        known = first >= 0 and last <= stream.end
        other = _departs(stream, first, data) if known else first
        trusted = _true(stream, seek, first, last) if seek else stream.honest
        if other is None:
            made.right = stream.wire(first, last) if trusted else None
        elif trusted and known and _refused(stream, first, data, other):
            made.never = "it has a header that no record can have"
        elif seek is None and 0 <= first <= stream.end:
            stream.honest = False
        elif seek is None and trusted:
            made.never = "its place is none of the stream's"


def _departs(stream: Stream, first: int, data: bytes) -> int | None:
    """The first place at which data is not the stream's; rooms for tags may hold anything."""
    for record in stream.between(first, first + len(data)):
        start, end = max(first, record.place), min(first + len(data), record.end - TAG)
        if start < end:
            given = data[start - first : end - first]
            own = record.clear[start - record.place : end - record.place]
            if given != own:
                return end - len(_xor(given, own).lstrip(b"\0"))
    return None


def _refused(stream: Stream, first: int, data: bytes, place: int) -> bool:
    """Whether data that departs there has a header that no record can have, all of it."""
    record = stream.at(place)
    if record is None or place >= record.place + HEADER:
        return False
    header = record.clear[: max(0, first - record.place)]
    header += data[max(0, record.place - first) : record.place + HEADER - first]
    least, most = LENGTHS[stream.version]
    legal = header[0] in range(20, 24) and header[1:3] == b"\3\3"
    length = int.from_bytes(header[3:])
    return len(header) == HEADER and not (legal and least <= length <= most)


def _true(stream: Stream, seek: _Seek, first: int, last: int) -> bool:
    """Whether a context tells the record that place `first` is in."""
    start = stream.place(seek.seq)
    record = stream.at(start)
    if record is None or record.place != start or record.number != seek.number:
        return False
    known = min(max(first - start, 0), record.prefix)
    if seek.prefix[:known] != record.clear[:known]:
        return False
    tag_shows = first - start > record.prefix and last > record.end - TAG
    return not tag_shows or seek.tag in (None, record.tag)
