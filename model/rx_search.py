"""The record boundary: followed, lost, found again. Frames ahead of it are searched for headers.

Written from docs/receive.md, 7. `NEXT` is its table. `Boundary` has a connection's frames walked
(rx_walk.py) while they are at the boundary, and reads those that are ahead: 7.2 is `_ahead`, 7.3
`_prove`, 7.4 `_search`. A header has `03 03` behind its first byte: the search jumps from one to
the next instead of looking at every byte. Knows no key: whether a record is authentic, and which
number it has, is for `prove` to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, NamedTuple

from model import regs
from model.record import (
    HALF,
    HEADER,
    LENGTHS,
    NUMBERS,
    PREFIX,
    SEQ,
    WIRE_VERSION,
    Record,
    is_header,
    size_of,
)
from model.regs import Answer, Counter, Reason, RxPass, TlsVersion
from model.rx_walk import Complete, Open, Piece, Walk

CHAINS: Final = 4
LOOKED_AT: Final = 13  # bytes from where a header may be; PREFIX of TLS 1.2, in 1.3 too
TAIL: Final = LOOKED_AT - 1
LONGEST: Final = HEADER + max(lengths[-1] for lengths in LENGTHS.values())  # record
FAILURES: Final = 3  # trials
APPLICATION_DATA: Final = 23  # the type of every encrypted record of TLS 1.3; RFC 8446, 5.2


class State(Enum):
    """What is known of where records start; docs/receive.md, 7.1."""

    IN_SYNC = auto()  # at the boundary
    WAITING = auto()  # frames have overtaken the boundary, which is near
    SEARCHING = auto()  # lost, and no header is known
    TRACKING = auto()  # lost, and headers are followed


class Event(Enum):
    """What changes a state."""

    AHEAD = auto()  # a frame is ahead
    FAR = auto()  # and farther than a record is long
    BROKEN = auto()  # no header is at the boundary
    CHAIN = auto()  # after the search there is a chain of headers
    NO_CHAIN = auto()  # or there is none
    MOVED = auto()  # the boundary is another, and known


NEXT: Final[Mapping[tuple[State, Event], State]] = {
    (State.IN_SYNC, Event.AHEAD): State.WAITING,
    (State.WAITING, Event.AHEAD): State.WAITING,
    (State.IN_SYNC, Event.FAR): State.SEARCHING,
    (State.WAITING, Event.FAR): State.SEARCHING,
    (State.IN_SYNC, Event.BROKEN): State.SEARCHING,
    (State.WAITING, Event.BROKEN): State.SEARCHING,
    (State.SEARCHING, Event.CHAIN): State.TRACKING,
    (State.TRACKING, Event.CHAIN): State.TRACKING,
    (State.SEARCHING, Event.NO_CHAIN): State.SEARCHING,
    (State.TRACKING, Event.NO_CHAIN): State.SEARCHING,
    **{(state, Event.MOVED): State.IN_SYNC for state in State},
}
LOST: Final = frozenset({State.SEARCHING, State.TRACKING})


@dataclass(slots=True, eq=False)
class Chain:
    """Headers, each where the one before says.

    Attributes:
        start: sequence number of the first.
        prefix: the last, and the nonce behind it: 13 bytes.
        last: sequence number of the last.
        count: of them.
    """

    start: int
    prefix: bytes
    last: int
    count: int = 1

    @property
    def next(self) -> int:
        """Where the header behind the last must be."""
        return (self.last + size_of(self.prefix)) % SEQ

    def covers(self, pos: int) -> bool:
        """Whether the byte at this sequence number is of one of its records."""
        return (pos - self.start) % SEQ < (self.next - self.start) % SEQ

    def note(self, prefix: bytes) -> None:
        """The header that is where it must be."""
        self.last, self.prefix, self.count = self.next, prefix, self.count + 1


@dataclass(slots=True)
class Trial:
    """A record whose number is not known, and the chain that it starts."""

    entry: Open
    chain: Chain

    @property
    def end(self) -> int:
        """Sequence number behind the record."""
        return (self.entry.record.start + self.entry.record.total) % SEQ


@dataclass(frozen=True, slots=True)
class Notice:
    """An event for the host: what, of which header, and how many records were followed behind."""

    event: regs.Event
    seq: int
    records: int = 0


class Followed(NamedTuple):
    """What came of a payload. A tuple as `Walked` is.

    Attributes:
        reason: why its frame is not decrypted, as far as that can be known without a key.
        pieces: what was taken of it to be decrypted, in order.
        complete: records that it completed, in order.
        asked: sequence number of the header that the host is asked about with this frame.
        notices: for the host, in order.
        counted: what else is to be counted.
    """

    reason: RxPass
    pieces: tuple[Piece, ...] = ()
    complete: tuple[Complete, ...] = ()
    asked: int | None = None
    notices: tuple[Notice, ...] = ()
    counted: tuple[Counter, ...] = ()


def find_header(data: bytes, first: int, end: int, version: TlsVersion) -> int:
    """The first place in [first, end) where a header may be (docs/receive.md, 7.4); else `end`."""
    at = first + 1  # of 03 03
    while (at := data.find(WIRE_VERSION, at, end + len(WIRE_VERSION))) >= 0:
        if may_be_header(data[at - 1 : at - 1 + HEADER], version):
            return at - 1
        at += 1
    return end


def may_be_header(header: bytes, version: TlsVersion) -> bool:
    """Whether an encrypted record can start with these 5 bytes."""
    kind = version is TlsVersion.TLS_1_2 or header[0] == APPLICATION_DATA
    return kind and is_header(header, version)


class Boundary:
    """A connection's boundary.

    Args:
        walk: of a connection just added.
        prove: of a record, the first of the 64 numbers from this one on with which its tag is
            right; None if it is with none (docs/receive.md, 7.3).
    """

    def __init__(self, walk: Walk, prove: Callable[[Complete, int], int | None]) -> None:
        self.walk = walk
        self.state = State.IN_SYNC
        self.places: list[Chain | None] = [None] * CHAINS
        self.pending: Chain | None = None  # the one that the host was asked about
        self.trial: Trial | None = None
        self.failed = 0
        self.turn = 0
        self.tail = b""
        self.tail_end = walk.next
        self._prove_number = prove
        self._notices: list[Notice] = []
        self._counted: list[Counter] = []

    @property
    def lost(self) -> bool:
        """Whether the boundary is lost."""
        return self.state in LOST

    def receive(
        self, seq: int, payload: bytes, *, avoid_partials: bool, self_confirm: bool
    ) -> Followed:
        """Take what is new of a payload that starts at `seq`; if it is ahead, read it."""
        reason = RxPass.NONE
        if self.walk.ahead(seq) and self._behind(seq):
            reason = RxPass.OUT_OF_SYNC
            proved, asked = self._ahead(seq, payload, self_confirm=self_confirm)
            if not proved or self._behind(seq):
                return self._followed(reason, asked=asked)
        before = self.walk.next
        walked = self.walk.walk(seq, payload, avoid_partials=avoid_partials, reason=reason)
        if self.walk.next != before:
            self._opened(before)
        if walked.broken:
            self._step(Event.BROKEN)
            self.tail, self.tail_end = b"", (seq + len(payload)) % SEQ
        return self._followed(walked.reason, walked.pieces, walked.complete)

    def answer(self, answer: Answer, seq: int, number: int) -> Reason:
        """RESYNC_RX: a record, of this number, starts there; or none does. OK or STALE."""
        pending = self.pending
        asked = pending is not None and pending.start == seq
        to_come = all((seq - passed) % SEQ < HALF for passed in (self.tail_end, self.walk.next))
        if answer is Answer.ACCEPT and (asked or (to_come and self.state is not State.IN_SYNC)):
            self.pending = None
            self.walk.move(seq, number)
            self._moved()
        elif pending and asked:
            self.pending = None
            self._drop(pending)
            if not self.chains:
                self._step(Event.NO_CHAIN)
        else:
            return Reason.STALE
        return Reason.OK

    @property
    def chains(self) -> list[Chain]:
        """Those that there are, the lowest place first."""
        return [chain for chain in self.places if chain]

    # ---- frames that are ahead: docs/receive.md, 7.2 ----

    def _behind(self, seq: int) -> bool:
        """Steps 1 and 2: pass the chains that start at the boundary; is the frame ahead still?"""
        walk = self.walk
        while walk.ahead(seq):
            for chain in self.chains:
                if (chain.start - walk.next) % SEQ >= HALF:
                    self._drop(chain)
            starting = (chain for chain in self.chains if chain.start == walk.next)
            passed = next(starting, None)
            if passed is None:
                return True
            self._drop(passed)
            walk.move(passed.last, (walk.number + passed.count - 1) % NUMBERS)
            self._moved()
            before = walk.next
            walk.open(passed.prefix[: PREFIX[walk.version]], partial=True)
            self._opened(before)
        return False

    def _ahead(self, seq: int, payload: bytes, *, self_confirm: bool) -> tuple[bool, int | None]:
        """Steps 3 to 7: whether a trial was proved; what the host is asked about."""
        self._step(Event.FAR if self.walk.ahead(seq) > LONGEST else Event.AHEAD)
        if self._try(seq, payload):
            return True, None
        noted, tried = self._search(seq, payload, self_confirm=self_confirm)
        if tried and self._try(seq, payload, begins=True):
            return True, None
        self._step(Event.CHAIN if self.chains else Event.NO_CHAIN)
        pending = self.pending  # which may be this one: it does not start behind itself
        if (
            not self.lost
            or noted not in self.chains
            or (pending and (pending.start - noted.start) % SEQ < HALF)
            or (self_confirm and self.failed < FAILURES and noted.count < 2)
        ):
            return False, None
        self.pending = noted
        self._notices.append(Notice(regs.Event.RESYNC_REQUEST, noted.start, noted.count - 1))
        self._counted.append(Counter.RX_TLS_RESYNC_REQ_PKT)
        return False, noted.start

    def _try(self, seq: int, payload: bytes, *, begins: bool = False) -> bool:
        """Take bytes for the trial, which may begin in this frame; whether that proved it (7.3)."""
        trial, walk = self.trial, self.walk
        if trial is None:
            return False
        entry, record = trial.entry, trial.entry.record
        text, skipped = len(record.prefix), 0
        first = (seq - record.start) % SEQ
        if not text <= first < record.total:
            if not begins:
                return False
            first, skipped = text, (record.start + text - seq) % SEQ
        data = payload[skipped : skipped + record.total - first]
        if data:
            entry.take(first, data, walk.runs)
        if not entry.complete:
            return False
        number = self._prove_number(Complete(record, bytes(entry.data)), walk.number)
        if number is None:
            self.trial = None
            self.failed += 1
            return False
        self._counted.append(Counter.RX_SYNC_SELF)
        walk.move(record.start, number)
        self._moved()
        return True

    # ---- the search: 7.4 ----

    def _search(self, seq: int, payload: bytes, *, self_confirm: bool) -> tuple[Chain | None, bool]:
        """Look for headers; the chain of the last one, and whether one started a trial."""
        version = self.walk.version
        tail = self.tail if seq == self.tail_end else b""
        data = tail + payload
        end = len(data) - TAIL  # of where a header may be
        noted, tried = None, False
        p = 0
        while p < end:
            pos = (seq - len(tail) + p) % SEQ
            chains = self.chains
            if covering := [chain for chain in chains if chain.covers(pos)]:
                p += (covering[0].next - pos) % SEQ
                continue
            here = [chain for chain in chains if chain.next == pos]
            header = find_header(data, p, end, version)
            if header == p:
                prefix = data[p : p + LOOKED_AT]
                in_frame = p + PREFIX[version] >= len(tail)
                if self_confirm and in_frame and not tried and self._may_try(pos):
                    noted, tried = self._start_trial(pos, prefix), True
                elif here:
                    noted = here[0]
                    noted.note(prefix)
                else:
                    noted = self._add_chain(pos, prefix)
                p += size_of(prefix)
            elif here:
                self._drop(here[0])
            else:
                edges = (edge for chain in chains for edge in (chain.start, chain.next))
                p = min(header, *(p + (edge - pos) % SEQ for edge in edges), end)
        self.tail, self.tail_end = data[-TAIL:], (seq + len(payload)) % SEQ
        return noted, tried

    def _may_try(self, pos: int) -> bool:
        """Whether a header here may start a trial, for all that went before this frame."""
        over = self.trial is None or (pos - self.trial.end) % SEQ < HALF
        return self.lost and self.failed < FAILURES and over

    def _start_trial(self, start: int, prefix: bytes) -> Chain:
        """Start a trial here, and with it a chain."""
        self.trial = None
        self.walk.make_room()
        chain = self._add_chain(start, prefix)
        record = Record(start, size_of(prefix), 0, prefix[: PREFIX[self.walk.version]])
        self.trial = Trial(Open(record, partial=True), chain)
        return chain

    def _add_chain(self, start: int, prefix: bytes) -> Chain:
        if None in self.places:
            place = self.places.index(None)
        else:
            place, self.turn = self.turn, (self.turn + 1) % CHAINS
            self._drop(self.chains[place])
        chain = self.places[place] = Chain(start, prefix, start)
        return chain

    # ---- what changes ----

    def _step(self, event: Event) -> None:
        state = NEXT.get((self.state, event), self.state)
        if state in LOST and not self.lost:
            self._counted.append(Counter.RX_SYNC_LOST)
        self.state = state

    def _moved(self) -> None:
        """The boundary is another."""
        self._step(Event.MOVED)
        self._withdraw()
        self.trial = None
        self.failed = 0

    def _opened(self, before: int) -> None:
        """The boundary, which was there, is another, as records were opened."""
        self._moved()
        if (self.walk.next ^ before) & HALF:
            self.places = [None] * CHAINS

    def _withdraw(self) -> None:
        """Tell the host that it is not asked any more."""
        if self.pending:
            self._notices.append(Notice(regs.Event.RESYNC_WITHDRAWN, self.pending.start))
        self.pending = None

    def _drop(self, chain: Chain) -> None:
        """Drop a chain, and what depends on it."""
        if chain is self.pending:
            self._withdraw()
        if self.trial and self.trial.chain is chain:
            self.trial = None
        self.places[self.places.index(chain)] = None

    def _followed(
        self,
        reason: RxPass,
        pieces: tuple[Piece, ...] = (),
        complete: tuple[Complete, ...] = (),
        asked: int | None = None,
    ) -> Followed:
        if not (self._notices or self._counted):
            return Followed(reason, pieces, complete, asked)
        notices, counted = tuple(self._notices), tuple(self._counted)
        self._notices.clear()
        self._counted.clear()
        return Followed(reason, pieces, complete, asked, notices, counted)
