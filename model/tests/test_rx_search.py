"""model.rx_search against docs/receive.md, 7: rule by rule, and byte by byte on random traffic."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise, product
from pathlib import Path
from typing import Any, Final

import pytest

from model import regs, rx_search
from model.record import Record, is_header
from model.regs import Answer, Reason, RxPass, TlsVersion
from model.rx_search import NEXT, Boundary, Chain, Event, Followed, Notice, State, may_be_header
from model.rx_walk import Complete, Open, Walk
from model.tests.records import SEQ, cuts
from model.tests.test_rx_walk import P, record

DOCS: Final = Path(__file__).parents[2] / "docs" / "receive.md"
V12, V13 = TlsVersion.TLS_1_2, TlsVersion.TLS_1_3
HALF: Final = SEQ // 2
NONE, OUT_OF_SYNC, OVERLAP = RxPass.NONE, RxPass.OUT_OF_SYNC, RxPass.OVERLAP
IN_SYNC, WAITING, SEARCHING, TRACKING = State
LOST, SELF, ASKED = (
    regs.Counter.RX_SYNC_LOST,
    regs.Counter.RX_SYNC_SELF,
    regs.Counter.RX_TLS_RESYNC_REQ_PKT,
)
FAR: Final = 20_000  # ahead, farther than a record is long


class Line:
    """A boundary at sequence number `seq`, with frames whose places are counted from there.

    Args:
        proves: the number of the record in a trial, None if there is none.
    """

    def __init__(
        self,
        seq: int = 1000,
        version: TlsVersion = V13,
        *,
        number: int = 0,
        window: int = 8,
        runs: int = 4,
        proves: int | None = None,
    ) -> None:
        self.seq = seq
        self.version = version
        self.trials: list[tuple[bytes, int]] = []  # records that were to be proved, and from where
        self.proves = proves
        walk = Walk(version, seq, number, window=window, runs=runs)
        self.boundary = Boundary(walk, self._prove)

    def _prove(self, complete: Complete, first: int) -> int | None:
        self.trials.append((complete.data, first))
        return self.proves

    def go(self, at: int, data: bytes, *, avoid: bool = False, confirm: bool = False) -> Followed:
        """A frame."""
        return self.boundary.receive(
            (self.seq + at) % SEQ, data, avoid_partials=avoid, self_confirm=confirm
        )

    def accept(self, at: int, number: int = 0) -> Reason:
        """The host says that there is a record."""
        return self.boundary.answer(Answer.ACCEPT, (self.seq + at) % SEQ, number)

    def reject(self, at: int) -> Reason:
        """The host says that there is none."""
        return self.boundary.answer(Answer.REJECT, (self.seq + at) % SEQ, 0)

    def place(self, seq: int | None) -> int | None:
        """From a sequence number."""
        return None if seq is None else (seq - self.seq) % SEQ

    def chains(self) -> list[tuple[int, int, int] | None]:
        """Start, next and count of what is in each place."""
        return [
            ((chain.start - self.seq) % SEQ, (chain.next - self.seq) % SEQ, chain.count)
            if chain
            else None
            for chain in self.boundary.places
        ]

    def asks(self, at: int, data: bytes, *, confirm: bool = False) -> int | None:
        """A frame; the place that the host is asked about."""
        return self.place(self.go(at, data, confirm=confirm).asked)

    @property
    def next(self) -> int:
        """Place of the boundary."""
        return (self.boundary.walk.next - self.seq) % SEQ

    @property
    def number(self) -> int:
        """Of the record at the boundary."""
        return self.boundary.walk.number


def lost_line(version: TlsVersion = V13, **fields: Any) -> Line:
    """A boundary that is lost; nothing is known."""
    line = Line(version=version, **fields)
    assert line.go(FAR - 100, b"x").counted == (LOST,)
    return line


def junk(size: int) -> bytes:
    """Bytes without a header."""
    return bytes(size)


def told(kind: regs.Event, line: Line, at: int, records: int = 0) -> Notice:
    """An event."""
    return Notice(kind, (line.seq + at) % SEQ, records)


REQUEST, WITHDRAWN = regs.Event.RESYNC_REQUEST, regs.Event.RESYNC_WITHDRAWN


# ---- the states ----


def test_the_table_is_that_of_the_docs() -> None:
    rows = re.findall(
        r"^\| ([`A-Z_, ]+|any) \| `([A-Z_]+)` \| `([A-Z_]+)` \|", DOCS.read_text(), re.M
    )
    assert len(rows) == 6
    table = {}
    for states, event, then in rows:
        names = [s.name for s in State] if states == "any" else re.findall("[A-Z_]+", states)
        for name in names:
            table[State[name], Event[event]] = State[then]
    assert table == NEXT


GOOD, BAD = record(V13, 100), b"\x17\3\3\0\1"
STEPS: Final = {  # what comes, and what becomes of each state
    "near": ((50, junk(20)), (WAITING, WAITING, SEARCHING, TRACKING)),
    "near, a header": ((50, GOOD), (WAITING, WAITING, TRACKING, TRACKING)),
    "far": ((60_000, junk(20)), (SEARCHING, SEARCHING, SEARCHING, TRACKING)),
    "far, a header": ((60_000, GOOD), (TRACKING, TRACKING, TRACKING, TRACKING)),
    "a mismatch": ((FAR + 121, junk(20)), (SEARCHING, SEARCHING, SEARCHING, SEARCHING)),
    "no header": ((0, BAD), (SEARCHING, SEARCHING, SEARCHING, TRACKING)),
    "a record": ((0, GOOD), (IN_SYNC, IN_SYNC, IN_SYNC, IN_SYNC)),
    "a part of a header": ((0, GOOD[:4]), (IN_SYNC, WAITING, SEARCHING, TRACKING)),
}


def line_in(state: State) -> Line:
    """A boundary in this state."""
    line = Line()
    if state is WAITING:
        line.go(30, junk(20))
    elif state is SEARCHING:
        line.go(FAR, junk(20))
    elif state is TRACKING:
        line.go(FAR, GOOD)
    assert line.boundary.state is state
    return line


@pytest.mark.parametrize(("state", "step"), list(product(State, STEPS)))
def test_what_comes_in_each_state(state: State, step: str) -> None:
    frame, then = STEPS[step]
    line = line_in(state)
    followed = line.go(*frame)
    want = then[list(State).index(state)]
    assert line.boundary.state is want
    lost_now = state in (IN_SYNC, WAITING) and want in (SEARCHING, TRACKING)
    assert followed.counted.count(LOST) == lost_now
    ahead = frame[0] > 0
    assert (followed.reason is OUT_OF_SYNC) == ahead


@pytest.mark.parametrize("have", range(5))
def test_a_frame_is_far_when_it_is_farther_ahead_than_the_longest_record(have: int) -> None:
    for ahead, far in ((1, False), (16413, False), (16414, True), (HALF, True)):
        line = Line()
        if have:
            line.go(0, GOOD[:have])
        assert line.go(have + ahead, b"x").reason is OUT_OF_SYNC
        assert line.boundary.lost == far
        assert line.boundary.state is (SEARCHING if far else WAITING)


def test_a_broken_boundary_empties_the_tail_whatever_the_frame_s_reason() -> None:
    line = Line()
    line.go(0, GOOD)
    line.go(200, b"x" * 20)
    assert (line.boundary.tail, line.boundary.tail_end) == (b"x" * 12, 1220)
    # bytes of a closed record first
    followed = line.go(100, GOOD[100:] + BAD)
    assert followed.reason is OVERLAP
    assert followed.counted == (LOST,)
    assert (line.boundary.tail, line.boundary.tail_end) == (b"", 1126)
    line.go(200, b"x" * 20)
    assert line.go(121, BAD + b"y").counted == ()  # it is lost already
    assert (line.boundary.tail, line.boundary.tail_end) == (b"", 1127)


# ---- headers ----


@pytest.mark.parametrize("version", [V12, V13])
def test_where_a_header_may_be(version: TlsVersion) -> None:
    for kind in range(256):
        header = bytes([kind, 3, 3, 0, 30])
        want = kind in range(20, 24) if version is V12 else kind == 23
        assert may_be_header(header, version) == want
        line = lost_line(version)
        assert line.asks(FAR, header + junk(8)) == (FAR if want else None)
    for length in (0, 15, 16, 23, 24, 255, 256, 0x3FFF, 16401, 16402, 16408, 16409, 0xFFFF):
        header = b"\x17\3\3" + length.to_bytes(2)
        assert may_be_header(header, version) == is_header(header, version)
        line = lost_line(version)
        assert line.asks(FAR, header + junk(8)) == (FAR if is_header(header, version) else None)
    for header in (b"\x17\3\2\0\x30", b"\x17\2\3\0\x30"):
        assert lost_line(version).asks(FAR, header + junk(8)) is None


@pytest.mark.parametrize("version", [V12, V13])
@pytest.mark.parametrize("before", [0, 1, 2, 3, 4, 5, 11, 12, 13, 14, 100])
def test_a_header_needs_13_bytes(version: TlsVersion, before: int) -> None:
    data = junk(before) + record(version, 100)
    for size in range(1, before + 20):
        line = lost_line(version)
        asked = line.asks(FAR, data[:size])
        assert asked == (FAR + before if size >= before + 13 else None)
        assert line.boundary.tail == data[:size][-12:]
        # and if it is not there, it is with the next frame
        again = line.asks(FAR + size, data[size:])
        assert again == (FAR + before if asked is None else None)


@pytest.mark.parametrize("version", [V12, V13])
@pytest.mark.parametrize("sizes", [(1, 2), (2, 3), (1, 8), (3, 4), (5, 6), (11, 14), (12, 13)])
def test_a_header_over_many_tiny_frames(version: TlsVersion, sizes: tuple[int, int]) -> None:
    data = junk(40) + record(version, 50) + record(version, 60)
    first, second = 40, 40 + len(record(version, 50))
    for seed in range(10):
        line = lost_line(version)
        asked = [
            line.asks(FAR + a, data[a:b])
            for a, b in cuts(random.Random(seed), len(data), range(*sizes))
        ]
        assert [at for at in asked if at is not None] == [FAR + first]
        assert line.chains()[0] == (FAR + first, FAR + len(data), 2)
        assert line.chains()[1:] == [None] * 3
        assert line.boundary.chains[0].last == (line.seq + FAR + second) % SEQ
        assert line.boundary.chains[0].prefix == data[second:][:13]


def test_a_header_over_two_frames_that_do_not_follow_one_another() -> None:
    for cut in range(1, 13):
        for other in ((FAR + cut + 1, b"x"), (FAR + 500, junk(30)), (FAR, GOOD[:cut])):
            line = lost_line()
            line.go(FAR, GOOD[:cut])
            line.go(*other)
            asked = line.asks(FAR + cut, GOOD[cut:])
            assert asked == (FAR if other[0] == FAR else None)


def test_a_frame_that_is_not_ahead_leaves_the_tail() -> None:
    line = lost_line()
    line.go(FAR, GOOD[:7])
    line.go(-5, b"xyz")
    line.go(0, GOOD[:3])
    assert line.asks(FAR + 7, GOOD[7:]) == FAR


def test_the_tail_is_of_frames_in_any_state() -> None:
    line = Line()
    line.go(FAR - 7000, GOOD[:7])
    assert line.boundary.state is WAITING
    assert line.asks(FAR - 6993, GOOD[7:]) is None
    assert line.chains()[0] == (FAR - 7000, FAR - 6879, 1)
    assert (
        line.asks(FAR, GOOD) == FAR
    )  # it asks about what the frame has that tells that it is lost


# ---- chains ----


@pytest.mark.parametrize("version", [V12, V13])
def test_a_chain_is_followed_over_gaps_in_records(version: TlsVersion) -> None:
    line = lost_line(version)
    data = b"".join(record(version, n) for n in (1000, 2000, 0, 1, 3000))
    sizes = [len(record(version, n)) for n in (1000, 2000, 0, 1, 3000)]
    starts = [sum(sizes[:n]) for n in range(6)]
    assert line.asks(FAR, data[:100]) == FAR
    for n in (500, 700, 300):
        assert line.asks(FAR + n, data[n : n + 50]) is None
    assert line.chains()[0] == (FAR, FAR + starts[1], 1)
    line.go(FAR + starts[1] - 5, data[starts[1] - 5 :][:18])
    assert line.chains()[0] == (FAR, FAR + starts[2], 2)
    line.go(FAR + starts[2] - 1, data[starts[2] - 1 :][:1000])
    assert line.chains() == [(FAR, FAR + starts[5], 5), None, None, None]


def test_a_chain_whose_header_does_not_come_waits() -> None:
    line = lost_line()
    line.go(FAR, GOOD)
    line.go(FAR + 121 + 60, GOOD[60:])  # nothing at its next; and further on another header
    assert line.asks(FAR + 242, GOOD) == FAR + 242
    assert line.chains()[:2] == [(FAR, FAR + 121, 1), (FAR + 242, FAR + 363, 1)]
    line.go(FAR + 121, GOOD)  # late
    assert line.chains()[:2] == [(FAR, FAR + 242, 2), (FAR + 242, FAR + 363, 1)]
    # what follows is of the second: the first one's next is covered
    line.go(FAR + 242, GOOD + GOOD)
    assert line.chains()[:2] == [(FAR, FAR + 242, 2), (FAR + 242, FAR + 484, 2)]


def test_a_mismatch_drops_a_chain_and_the_search_goes_on_there() -> None:
    line = lost_line()
    assert line.asks(FAR, GOOD) == FAR
    data = b"\x17\3" + GOOD
    followed = line.go(FAR + 121, data)
    assert line.chains() == [(FAR + 123, FAR + 244, 1), None, None, None]
    assert followed.asked == line.seq + FAR + 123
    assert followed.notices == (told(WITHDRAWN, line, FAR), told(REQUEST, line, FAR + 123))
    assert line.boundary.state is TRACKING
    followed = line.go(FAR + 244, junk(13))
    assert followed.notices == (told(WITHDRAWN, line, FAR + 123),)
    assert line.boundary.state is SEARCHING


@pytest.mark.parametrize("size", range(1, 13))
def test_a_mismatch_needs_13_bytes_too(size: int) -> None:
    line = lost_line()
    line.go(FAR, GOOD)
    line.go(FAR + 121, junk(size))
    assert line.boundary.chains
    line.go(FAR + 121 + size, junk(13 - size))
    assert not line.boundary.chains


def test_chains_that_meet_are_followed_by_the_lowest() -> None:
    line = lost_line()
    first, second = record(V13, 200), record(V13, 79)
    line.go(FAR, first[:50])
    line.go(FAR + 121, second)  # inside the first: covered, not seen
    assert line.chains() == [(FAR, FAR + 221, 1), None, None, None]
    line = lost_line()
    line.go(FAR + 121, second)
    line.go(FAR, first[:50])
    assert line.chains() == [(FAR + 121, FAR + 221, 1), (FAR, FAR + 221, 1), None, None]
    line.go(FAR + 221, GOOD)
    assert line.chains() == [(FAR + 121, FAR + 342, 2), (FAR, FAR + 221, 1), None, None]
    # a mismatch drops both, one after the other
    line = lost_line()
    line.go(FAR + 121, second)
    line.go(FAR, first[:50])
    line.go(FAR + 221, junk(13))
    assert line.chains() == [None] * 4


def test_of_chains_that_cover_a_byte_the_lowest_leads() -> None:
    line = lost_line()
    line.go(FAR + 121, GOOD)  # ends at 242
    line.go(FAR, record(V13, 279)[:50])  # covers all of that, ends at 300
    # from 200: the lowest leads to 242, where the other covers, to 300
    line.go(FAR + 200, junk(42) + GOOD[:60])
    assert line.chains() == [(FAR + 121, FAR + 242, 1), (FAR, FAR + 300, 1), None, None]
    line = lost_line()
    line.go(FAR, GOOD)  # place 0 leads to 121, and there is a header of its own
    line.go(FAR - 200, record(V13, 300)[:50])  # place 1: to 121 as well
    line.go(FAR + 50, GOOD[50:] + GOOD)
    assert line.chains()[:2] == [(FAR, FAR + 242, 2), (FAR - 200, FAR + 121, 1)]


def test_the_search_stops_where_a_chain_starts_or_goes_on() -> None:
    """A header that is no chain's, just before one that is: it would lead over it."""
    line = lost_line()
    line.go(FAR + 10, GOOD)
    line.go(FAR + 4, b"\x17\3\3\0\x50" + junk(40))
    # at 4 a header may be: it is not covered
    assert line.chains()[:2] == [(FAR + 10, FAR + 131, 1), (FAR + 4, FAR + 89, 1)]
    line = lost_line()
    line.go(FAR + 10, GOOD)
    line.go(FAR + 5, junk(5) + b"\x17\3\3\0\x50" + junk(200))  # at 10: covered; at 131: no header
    assert line.chains() == [None] * 4
    line = lost_line()
    line.go(FAR + 10, GOOD)
    # from before its start to behind its next, and then another one
    line.go(FAR, junk(10 + 121 + 30) + GOOD[:20])
    assert line.chains() == [(FAR + 161, FAR + 282, 1), None, None, None]
    line = lost_line()
    line.go(FAR, GOOD)
    # what looks like one over its next is looked at from there on
    line.go(FAR + 119, b"\x17\3" + GOOD)
    assert line.chains() == [(FAR, FAR + 242, 2), None, None, None]


def test_four_chains_and_what_takes_the_place_of_which() -> None:
    line = lost_line()
    for n in range(4):
        line.go(FAR + 1000 * n, GOOD)
        line.go(FAR + 1000 * n + 500, b"x")
    assert [chain and chain[0] for chain in line.chains()] == [FAR + 1000 * n for n in range(4)]
    assert line.boundary.pending is line.boundary.places[3]
    line.boundary.pending = line.boundary.places[0]
    followed = line.go(FAR + 4000, GOOD)
    assert [chain and chain[0] for chain in line.chains()] == [
        FAR + n for n in (4000, 1000, 2000, 3000)
    ]
    assert followed.notices == (told(WITHDRAWN, line, FAR), told(REQUEST, line, FAR + 4000))
    line.go(FAR + 1121, junk(13))  # place 1 is free
    line.go(FAR + 5000, GOOD)
    assert [chain and chain[0] for chain in line.chains()] == [
        FAR + n for n in (4000, 5000, 2000, 3000)
    ]
    for n in range(6, 11):
        line.go(FAR + 1000 * n, GOOD)
    assert [chain and chain[0] for chain in line.chains()] == [
        FAR + n for n in (9000, 10000, 7000, 8000)
    ]


def test_a_header_longer_than_what_is_left_of_the_frame_ends_the_search() -> None:
    line = lost_line()
    line.go(FAR, b"\x17\3\3\x20\0" + junk(30) + GOOD)
    assert line.chains() == [(FAR, FAR + 5 + 0x2000, 1), None, None, None]


def test_duplicates_find_nothing_new() -> None:
    line = lost_line()
    data = GOOD * 5
    frames = list(cuts(random.Random(1), len(data), range(20, 60)))
    for a, b in frames:
        line.go(FAR + a, data[a:b])
    before = line.chains()
    assert before == [(FAR, FAR + 605, 5), None, None, None]
    for a, b in random.Random(2).sample(frames, len(frames)) + frames:
        assert line.go(FAR + a, data[a:b]).notices == ()
    assert line.chains() == before


def test_a_chain_over_sequence_number_0() -> None:
    for before in range(60):
        line = Line(seq=SEQ - FAR - before)
        line.go(FAR - 1, b"x")
        data = junk(20) + GOOD + GOOD
        for a, b in pairwise([0, 18, 31, 90, 147, 190, len(data)]):
            line.go(FAR + a, data[a:b])
        assert line.chains() == [(FAR + 20, FAR + 262, 2), None, None, None]


# ---- asking ----


def test_the_host_is_asked_once() -> None:
    line = lost_line()
    followed = line.go(FAR, GOOD + GOOD)
    assert followed == Followed(
        OUT_OF_SYNC,
        asked=line.seq + FAR,
        notices=(told(REQUEST, line, FAR, 1),),
        counted=(ASKED,),
    )
    assert line.go(FAR + 242, GOOD) == Followed(OUT_OF_SYNC)
    assert line.chains()[0] == (FAR, FAR + 363, 3)


def test_nobody_is_asked_before_the_boundary_is_lost() -> None:
    line = Line()
    for n in range(20):
        assert line.go(100 + 121 * n, GOOD) == Followed(OUT_OF_SYNC)
    assert line.boundary.state is WAITING
    followed = line.go(FAR, junk(30))  # nothing of a chain in it
    assert followed == Followed(OUT_OF_SYNC, counted=(LOST,))
    assert line.boundary.state is TRACKING
    assert line.asks(100 + 121 * 20, GOOD) == 100  # as soon as it grows
    assert line.boundary.pending is line.boundary.places[0]


def test_a_chain_that_starts_later_is_asked_about_and_the_one_before_forgotten() -> None:
    line = lost_line()
    assert line.asks(FAR + 1000, GOOD) == FAR + 1000
    followed = line.go(FAR + 3000, GOOD)
    assert followed.notices == (told(REQUEST, line, FAR + 3000),)
    assert line.reject(FAR + 1000) is Reason.STALE
    # one that starts before is not, however long it becomes
    assert line.asks(FAR + 500, GOOD + GOOD) is None
    assert line.asks(FAR + 1121, GOOD) is None
    # but when nothing is pending any more
    line.go(FAR + 3121, junk(13))
    assert line.boundary.pending is None
    assert line.asks(FAR + 1242, GOOD) == FAR + 1000
    assert line.asks(FAR + 742, GOOD) is None


def test_of_two_chains_in_a_frame_the_last_is_meant() -> None:
    line = lost_line()
    # no header where the first one's record ends: it is dropped there
    followed = line.go(FAR, GOOD + junk(13) + GOOD[:50])
    assert followed.asked == line.seq + FAR + 134
    assert followed.notices == (told(REQUEST, line, FAR + 134),)


def test_a_chain_that_is_made_and_dropped_by_one_frame_is_not_asked_about() -> None:
    line = lost_line()
    followed = line.go(FAR, GOOD + junk(13))
    assert followed == Followed(OUT_OF_SYNC)
    assert line.boundary.state is SEARCHING
    # not even if there is another one that grew before
    line = Line()
    line.go(100, GOOD)
    line.go(FAR, b"x")
    assert line.boundary.pending is None
    followed = line.go(221, record(V13, 20) + junk(13))
    assert followed.asked is None


def test_with_self_confirm_a_chain_of_one_is_not_asked_about() -> None:
    line = lost_line()
    assert line.asks(FAR, GOOD, confirm=True) is None
    assert line.asks(FAR + 121, GOOD[:20], confirm=True) is None
    line = lost_line()
    line.go(FAR, GOOD[:7], confirm=True)  # the text begins before the frame that has all 13
    line.go(FAR + 7, GOOD[7:30], confirm=True)
    assert line.boundary.trial is None
    assert line.boundary.chains[0].count == 1
    assert line.asks(FAR + 121, GOOD[:13]) == FAR


# ---- passing chains ----


def test_the_missing_header_comes_and_the_chain_behind_is_passed() -> None:
    """Record 0 is late; of 1 to 3 the headers were seen."""
    data = GOOD * 5
    line = Line(number=7)
    line.go(0, data[:60])
    line.go(121 + 60, data[181:242])  # ahead; no header
    line.go(242, data[242:])
    assert line.chains()[0] == (242, 605, 3)
    assert line.boundary.state is WAITING
    assert line.go(60, data[60:130]).reason is NONE  # the header of record 1, and 4 bytes
    assert (line.next, line.number, line.boundary.state) == (242, 9, IN_SYNC)
    # the next frame that is ahead: 2, 3 and 4 are behind it
    followed = line.go(605, GOOD)
    assert followed.reason is NONE
    assert [(p.record.number, p.first, p.last) for p in followed.pieces] == [(12, 5, 121)]
    assert (line.next, line.number) == (726, 13)
    assert line.chains() == [None] * 4
    # the last of the chain is open, and partial
    assert line.go(500, data[500:510], avoid=True).reason is RxPass.PARTIAL
    followed = line.go(500, data[500:510])
    assert followed.reason is NONE
    assert [(p.record.number, p.record.start, p.first, p.last) for p in followed.pieces] == [
        (11, line.seq + 484, 16, 26)
    ]
    assert line.go(363, data[363:400]).reason is OVERLAP  # those before it are closed


@pytest.mark.parametrize("version", [V12, V13])
def test_a_passed_record_opens_with_its_prefix_taken(version: TlsVersion) -> None:
    data = record(version, 100)
    size = len(data)
    line = Line(version=version)
    line.go(size, data)
    line.go(0, data)
    assert line.go(size + 1, data[1:]).reason is OVERLAP  # its prefix was taken
    assert line.next == 2 * size
    line = Line(version=version)
    line.go(size, data)
    line.go(0, data)
    followed = line.go(size + P[version], data[P[version] :])
    assert followed.reason is NONE
    assert followed.complete[0].data == data
    assert followed.complete[0].record.prefix == data[: P[version]]


def test_a_frame_of_the_last_record_of_a_chain_is_decrypted() -> None:
    line = Line()
    line.go(121, GOOD)
    line.go(0, GOOD)
    assert line.go(121 + 60, GOOD[60:]).reason is NONE
    assert line.boundary.state is IN_SYNC
    # [x, y) of it that is sent again fills the rest
    followed = line.go(126, GOOD[5:60])
    assert followed.reason is NONE
    assert followed.complete[0].data == GOOD


def test_chains_are_passed_one_after_the_other() -> None:
    data = GOOD * 8
    line = Line()
    for n in (1, 3, 5):  # a record each; 2, 4 and 6 do not come
        line.go(121 * n, data[121 * n :][:121])
    line.go(0, GOOD)
    assert line.go(121 * 2 + 40, b"abc").reason is OUT_OF_SYNC
    assert (line.next, line.number) == (242, 2)
    for n in (2, 4):
        assert line.go(121 * n, GOOD).reason is NONE
    assert (line.next, line.number) == (605, 5)
    assert line.go(121 * 6, GOOD).reason is NONE
    assert (line.next, line.number) == (847, 7)


def test_two_chains_that_touch_are_passed_in_one_go() -> None:
    line = Line()
    line.go(242, GOOD)
    line.go(121, GOOD[:30])  # its next is covered by the other
    assert line.chains()[:2] == [(242, 363, 1), (121, 242, 1)]
    line.go(0, GOOD)
    assert line.go(363, GOOD).reason is NONE
    assert (line.next, line.number) == (484, 4)
    assert line.chains() == [None] * 4


def test_a_chain_at_the_boundary_takes_the_place_of_a_part_of_its_header() -> None:
    line = Line()
    line.go(121, GOOD)
    line.go(0, GOOD + GOOD[:3])
    assert line.boundary.walk.prefix == GOOD[:3]
    assert line.go(242, GOOD).reason is NONE
    assert (line.next, line.boundary.walk.prefix) == (363, b"")


def test_of_chains_that_start_at_the_boundary_the_lowest_is_passed() -> None:
    other = record(V13, 200)
    line = Line()
    line.go(121, GOOD)
    line.boundary.places[3] = Chain(line.seq + 121, other[:13], line.seq + 121)
    line.go(0, GOOD)
    assert line.go(300, b"x").reason is OUT_OF_SYNC
    assert line.next == 242
    assert line.boundary.chains == []  # that other one starts behind the boundary


def test_chains_that_are_behind_the_boundary_are_dropped() -> None:
    line = Line()
    line.go(121, GOOD)
    line.go(300, GOOD)
    line.go(0, GOOD + GOOD + GOOD[:40])
    assert line.next == 363
    assert line.chains()[:2] == [(121, 242, 1), (300, 421, 1)]  # frames at the boundary leave them
    assert line.go(400, b"x").reason is OUT_OF_SYNC
    assert line.chains() == [None] * 4


def test_a_chain_half_of_all_numbers_ahead_is_behind() -> None:
    for ahead, kept in ((HALF - 1, True), (HALF, False)):
        line = Line()
        line.boundary.places[0] = Chain(line.seq + ahead, GOOD[:13], line.seq + ahead)
        line.go(50, b"x")
        assert bool(line.boundary.chains) == kept


def test_the_numbers_of_records_wrap() -> None:
    line = Line(number=2**64 - 2)
    line.go(121, GOOD * 3)
    line.go(0, GOOD)
    followed = line.go(484, GOOD)
    assert followed.complete[0].record.number == 2
    assert line.number == 3


@pytest.mark.parametrize("top", [0, HALF])
@pytest.mark.parametrize("before", [500, 364, 363, 350, 243, 242, 241, 122])
def test_where_bit_31_changes_as_a_chain_is_passed(top: int, before: int) -> None:
    """With the jump to its last record, or as that is opened; or not at all."""
    line = Line(seq=(top - before) % SEQ)
    line.go(121, GOOD + GOOD)  # the jump goes from 121 to 242, the opening to 363
    line.go(1000, GOOD[:20])
    line.go(0, GOOD[:60])
    line.go(61, GOOD[61:])  # record 0 stays open
    assert line.chains()[:2] == [(121, 363, 2), (1000, 1121, 1)]
    assert line.go(600, b"x").reason is OUT_OF_SYNC
    assert (line.next, line.number) == (363, 3)
    crossed = before <= 363
    assert line.go(60, GOOD[60:61]).reason is (OVERLAP if crossed else NONE)
    assert line.go(242 + 50, GOOD[50:]).reason is NONE
    kept = [chain[0] for chain in line.chains() if chain]
    assert kept == ([] if 242 < before <= 363 else [1000])


@pytest.mark.parametrize("top", [0, HALF])
def test_chains_where_bit_31_changes_in_the_walk(top: int) -> None:
    for before, dropped in ((121, True), (120, True), (122, False), (1, True)):
        line = Line(seq=(top - before) % SEQ)
        line.go(500, GOOD[:30])
        line.go(0, GOOD)
        assert (not line.boundary.chains) == dropped, before


def test_what_is_pending_is_withdrawn_when_the_boundary_moves() -> None:
    line = lost_line()
    line.go(FAR, GOOD)
    followed = line.go(0, GOOD)
    assert followed.reason is NONE
    assert followed.notices == (told(WITHDRAWN, line, FAR),)
    assert line.boundary.pending is None
    assert line.chains()[0] == (FAR, FAR + 121, 1)  # it stays
    assert line.go(121, GOOD).notices == ()
    # it is passed while pending: told once
    line = lost_line()
    line.go(FAR, GOOD)
    line.boundary.walk.next = (line.seq + FAR) % SEQ
    followed = line.go(FAR + 60, GOOD[60:])
    assert followed.reason is NONE
    assert followed.notices == (told(WITHDRAWN, line, FAR),)


# ---- answers ----


def pending_line(**fields: Any) -> Line:
    """The host was asked about the header at FAR; behind it there is one more."""
    line = lost_line(**fields)
    assert line.asks(FAR, GOOD + GOOD[:60]) == FAR
    return line


def test_accept() -> None:
    line = pending_line()
    assert line.accept(FAR, 40) is Reason.OK
    assert line.boundary.state is IN_SYNC
    assert (line.next, line.number) == (FAR, 40)
    assert line.boundary.pending is None
    assert line.chains()[0] == (FAR, FAR + 242, 2)
    followed = line.go(FAR + 181, GOOD[60:] + GOOD)
    assert followed.reason is NONE
    assert followed.notices == ()
    assert [(p.record.number, p.first, p.last) for p in followed.pieces] == [
        (41, 60, 121),
        (42, 5, 121),
    ]
    assert line.accept(FAR, 40) is Reason.STALE


def test_reject() -> None:
    line = pending_line()
    assert line.reject(FAR) is Reason.OK
    assert line.chains() == [None] * 4
    assert line.boundary.state is SEARCHING
    assert line.go(FAR + 60, b"x").notices == ()
    assert line.reject(FAR) is Reason.STALE
    line = pending_line()
    line.go(FAR - 5000, GOOD)
    assert line.reject(FAR) is Reason.OK
    assert line.boundary.state is TRACKING  # there is another one
    assert line.asks(FAR - 4879, GOOD) == FAR - 5000


def test_stale_answers_change_nothing() -> None:
    for wrong in (-1, 1, 121, 50_000):
        line = pending_line()
        assert line.reject(FAR + wrong) is Reason.STALE
        assert line.boundary.pending
    for wrong in (-1, 1, 121, 180):  # before the end of what was read
        line = pending_line()
        assert line.accept(FAR + wrong) is Reason.STALE
        assert (line.next, line.boundary.state) == (0, TRACKING)
    line = lost_line()
    assert line.reject(FAR) is Reason.STALE
    assert line.accept(FAR - 100) is Reason.STALE
    line = Line()
    assert line.accept(0) is Reason.STALE  # in sync
    assert line.accept(10_000) is Reason.STALE


def test_a_boundary_that_is_still_to_come() -> None:
    for at in (181, 182, 100_000, HALF - FAR - 1):
        line = pending_line()
        assert line.accept(FAR + at, 9) is Reason.OK
        assert (line.next, line.number, line.boundary.state) == (FAR + at, 9, IN_SYNC)
        assert line.boundary.pending is None
        followed = line.go(FAR + at, GOOD)
        assert (followed.reason, followed.notices) == (NONE, ())
        assert followed.complete[0].record.number == 9
    line = pending_line()
    assert line.accept(FAR + 180) is Reason.STALE
    assert line.accept(HALF) is Reason.STALE  # half of all numbers from `next` on
    line = Line()
    line.go(10, b"x" * 20)
    assert line.boundary.state is WAITING
    assert line.accept(29) is Reason.STALE
    assert line.accept(30, 5) is Reason.OK
    assert (line.next, line.boundary.state) == (30, IN_SYNC)


def test_a_boundary_that_was_set_may_not_be_behind_next() -> None:
    line = Line()
    line.go(0, GOOD)
    line.go(121, BAD)  # tail_end is 126
    line.boundary.tail_end = line.seq + 50
    assert line.accept(120) is Reason.STALE
    assert line.accept(121) is Reason.OK


def test_an_answer_forgets_a_part_of_a_header_and_open_records_where_bit_31_changes() -> None:
    line = Line(seq=HALF - 30_000)
    line.go(0, GOOD[:60])
    line.go(121, GOOD[:3])
    line.go(FAR, GOOD)
    assert line.boundary.walk.prefix == GOOD[:3]
    assert line.accept(FAR) is Reason.OK
    assert line.boundary.walk.prefix == b""
    assert line.go(60, GOOD[60:70]).reason is NONE  # still open
    line.go(FAR + 50_000, GOOD)
    chains = line.chains()
    assert line.accept(FAR + 50_000) is Reason.OK
    assert line.go(70, GOOD[70:80]).reason is OVERLAP
    assert line.chains() == chains  # those stay


# ---- trials ----


@pytest.mark.parametrize("version", [V12, V13])
@pytest.mark.parametrize("cut", [14, 60, 10_000])
def test_a_trial_that_is_proved_by_its_last_frame(version: TlsVersion, cut: int) -> None:
    data = record(version, 100)
    size = len(data)
    line = lost_line(version, number=3, proves=20)
    frames = [(0, cut), (cut, size)] if cut < size else [(0, size)]
    for a, b in frames:
        followed = line.go(FAR + a, data[a:b], confirm=True)
        assert followed.reason is OUT_OF_SYNC
        assert followed.notices == ()
        assert followed.counted == ((SELF,) if b == size else ())
    assert line.trials == [(data, 3)]
    assert (line.next, line.number, line.boundary.state) == (FAR + size, 21, IN_SYNC)
    assert line.boundary.trial is None
    assert line.go(FAR + size, data, confirm=True).reason is NONE


def test_a_trial_and_the_records_behind_it() -> None:
    """The chain that it starts is passed; a frame behind that is read no more."""
    line = lost_line(number=3, proves=20)
    line.go(FAR, GOOD[:60], confirm=True)
    # without self_confirm: with it the next header would start another trial
    assert line.asks(FAR + 121, GOOD + GOOD[:40]) == FAR
    assert line.chains()[0] == (FAR, FAR + 363, 3)
    assert line.asks(FAR + 5000, GOOD) == FAR + 5000
    followed = line.go(FAR + 60, GOOD[60:], confirm=True)
    assert followed.reason is OUT_OF_SYNC
    assert followed.notices == (told(WITHDRAWN, line, FAR + 5000),)
    assert (line.next, line.number) == (FAR + 363, 23)
    assert line.boundary.state is IN_SYNC
    # the rest of the last one is decrypted, the one at 5000 is there
    assert line.go(FAR + 282, GOOD[40:], confirm=True).reason is NONE
    assert line.chains()[1] == (FAR + 5000, FAR + 5121, 1)


def test_the_frame_that_proves_a_trial_is_walked() -> None:
    """From its start on, with its reason: its records are partial, and bytes are taken."""
    line = lost_line(proves=5)
    followed = line.go(FAR, junk(30) + GOOD + GOOD[:50], confirm=True)
    assert followed.reason is OUT_OF_SYNC
    assert [(c.record.number, c.data) for c in followed.complete] == [(5, GOOD)]
    assert [(p.record.number, p.first, p.last, p.offset) for p in followed.pieces] == [
        (5, 5, 121, 35),
        (6, 5, 50, 156),
    ]
    assert (line.next, line.number) == (FAR + 272, 7)
    assert line.go(FAR + 201, GOOD[50:60], avoid=True).reason is RxPass.PARTIAL
    assert line.go(FAR + 201, GOOD[50:]).reason is NONE


def test_a_walk_of_a_proved_frame_can_lose_the_boundary_again() -> None:
    line = Line(proves=5)
    followed = line.go(FAR, GOOD + BAD + junk(7), confirm=True)
    assert followed.counted == (LOST, SELF, LOST)
    assert line.boundary.state is SEARCHING
    assert (line.boundary.tail, line.boundary.tail_end) == (b"", line.seq + FAR + 133)


def test_a_frame_that_is_still_ahead_after_its_trial_was_proved() -> None:
    """The trial's last bytes come in a frame that begins in its text; behind it is a gap."""
    line = lost_line(proves=5)
    line.go(FAR, GOOD[:60], confirm=True)
    line.boundary.places[0] = None  # as if others had taken its chain's place, and had gone
    line.boundary.trial = rx_search.Trial(
        line.boundary.trial.entry,  # type: ignore[union-attr]
        Chain(0, GOOD[:13], 0),
    )
    line.boundary.failed = 2
    line.boundary.places[1] = line.boundary.pending = Chain(line.seq + 29_000, GOOD[:13], 0)
    tail = line.boundary.tail
    followed = line.go(FAR + 60, GOOD[60:], confirm=True)
    withdrawn = (told(WITHDRAWN, line, 29_000),)
    assert followed == Followed(OUT_OF_SYNC, notices=withdrawn, counted=(SELF,))
    known = line.boundary
    assert [known.failed, known.trial, known.pending] == [0, None, None]
    assert (line.next, line.number, line.boundary.state) == (FAR, 5, IN_SYNC)
    assert line.boundary.tail == tail  # not searched


def test_a_trial_takes_its_bytes_in_any_order_and_but_once() -> None:
    line = lost_line(proves=5)
    line.go(FAR, GOOD[:20], confirm=True)
    for a, b in ((60, 80), (40, 60), (100, 121), (70, 90), (20, 41), (15, 30)):
        line.go(FAR + a, GOOD[a:b], confirm=True)
    trial = line.boundary.trial
    assert trial
    assert set(trial.entry.runs) == {(0, 20), (40, 80), (100, 121)}
    line.go(FAR + 3, GOOD[3:40], confirm=True)  # it begins in the header
    line.go(FAR - 5, junk(5) + GOOD[:40], confirm=True)
    assert set(trial.entry.runs) == {(0, 20), (40, 80), (100, 121)}
    line.go(FAR + 20, GOOD[20:40], confirm=True)
    line.go(FAR + 80, GOOD[80:100], confirm=True)
    assert line.trials == [(GOOD, 0)]
    assert line.boundary.state is IN_SYNC


def test_a_trial_has_no_more_runs_than_a_record() -> None:
    line = lost_line(proves=5, runs=2)
    line.go(FAR, GOOD[:20], confirm=True)
    for a in (40, 60, 80):
        line.go(FAR + a, GOOD[a : a + 10], confirm=True)
    trial = line.boundary.trial
    assert trial
    assert set(trial.entry.runs) == {(0, 20), (40, 50)}


def test_bytes_behind_a_trial_are_not_its() -> None:
    line = lost_line(proves=5)
    line.go(FAR, GOOD[:20], confirm=True)
    line.go(FAR + 100, GOOD[100:] + GOOD)
    trial = line.boundary.trial
    assert trial
    assert set(trial.entry.runs) == {(0, 20), (100, 121)}
    line.go(FAR + 121, GOOD)
    assert set(trial.entry.runs) == {(0, 20), (100, 121)}


@pytest.mark.parametrize("version", [V12, V13])
@pytest.mark.parametrize("cut", range(14))
def test_a_trial_s_text_begins_in_the_frame(version: TlsVersion, cut: int) -> None:
    data = record(version, 100)
    line = lost_line(version)
    if cut:
        line.go(FAR, data[:cut], confirm=True)
    line.go(FAR + cut, data[cut:50], confirm=True)
    trial = line.boundary.trial
    assert bool(trial) == (cut <= P[version] or cut == 13)  # all 13: it began in the first
    if trial:
        assert trial.entry.runs == ((0, 50),)
    assert len(line.boundary.chains) == 1


def test_a_trial_of_which_the_frame_has_only_the_prefix() -> None:
    line = lost_line(V12, proves=1)
    data = record(V12, 100)
    line.go(FAR, data[:13], confirm=True)
    assert line.boundary.trial
    assert line.boundary.trial.entry.runs == ((0, 13),)
    line.go(FAR + 13, data[13:], confirm=True)
    assert len(line.trials) == 1


def test_three_trials_that_fail() -> None:
    """Then the host is asked as without trials, with the frame of the third already."""
    line = lost_line()
    for n in range(5):
        followed = line.go(FAR + 1000 * n, GOOD, confirm=True)
        assert followed.asked == (line.seq + FAR + 1000 * n if n >= 2 else None)
        assert line.boundary.trial is None
        assert line.boundary.failed == min(3, n + 1)
    assert len(line.trials) == 3
    assert len(line.boundary.chains) == 4  # those stay
    assert line.accept(FAR + 4000) is Reason.OK
    assert line.boundary.failed == 0


def test_after_two_failures_a_chain_of_one_is_not_asked_about() -> None:
    line = lost_line()
    for n in range(2):
        line.go(FAR + 1000 * n, GOOD, confirm=True)
    line.go(FAR + 2000, GOOD[:20], confirm=True)  # the third is under way
    assert line.boundary.pending is None
    assert line.asks(FAR + 1121, GOOD, confirm=True) == FAR + 1000


def test_a_trial_that_fails_and_the_host_is_asked_with_the_same_frame() -> None:
    line = lost_line()
    followed = line.go(FAR, GOOD + GOOD, confirm=True)
    assert followed.asked == line.seq + FAR
    assert followed.notices == (told(REQUEST, line, FAR, 1),)


def test_a_frame_starts_but_one_trial() -> None:
    line = lost_line()
    line.go(FAR, GOOD + GOOD, confirm=True)
    assert [data for data, _ in line.trials] == [GOOD]
    assert line.chains() == [(FAR, FAR + 242, 2), None, None, None]


def test_a_header_of_a_chain_starts_a_trial_and_then_a_chain_of_its_own() -> None:
    line = lost_line()
    line.go(FAR, GOOD)
    line.go(FAR + 121, GOOD, confirm=True)
    assert line.chains() == [(FAR, FAR + 121, 1), (FAR + 121, FAR + 242, 1), None, None]
    assert [data for data, _ in line.trials] == [GOOD]
    # what follows is noted for that: the other one's next is covered
    line.go(FAR + 242, GOOD)
    assert line.chains()[:2] == [(FAR, FAR + 121, 1), (FAR + 121, FAR + 363, 2)]


def test_a_trial_is_left_in_peace_until_it_has_gone_by() -> None:
    line = lost_line()
    line.go(FAR, GOOD[:50], confirm=True)
    first = line.boundary.trial
    line.go(FAR - 40, GOOD[:30], confirm=True)  # a header before it: not tried
    assert line.boundary.trial is first
    assert line.chains()[1] == (FAR - 40, FAR + 81, 1)
    line.go(FAR + 121, GOOD[:50], confirm=True)  # where it ends: in its place
    second = line.boundary.trial
    assert second is not first
    assert second
    assert second.entry.record.start == line.seq + FAR + 121
    assert line.boundary.failed == 0
    assert line.trials == []


def test_without_self_confirm_there_is_no_new_trial_and_the_one_that_is_goes_on() -> None:
    line = lost_line(proves=5)
    line.go(FAR, GOOD[:50])
    assert line.boundary.trial is None
    line = lost_line(proves=5)
    line.go(FAR, GOOD[:50], confirm=True)
    assert line.go(FAR + 50, GOOD[50:]).counted == (SELF,)


def test_no_trial_before_the_boundary_is_lost() -> None:
    line = Line(proves=5)
    line.go(5000, GOOD, confirm=True)
    assert line.trials == []
    assert line.boundary.state is WAITING


def test_a_trial_goes_with_its_chain() -> None:
    def tried() -> Line:
        line = lost_line()
        line.go(FAR, GOOD[:50], confirm=True)
        assert line.boundary.trial
        return line

    line = tried()
    line.go(FAR + 121, junk(13))  # a mismatch
    assert line.boundary.trial is None
    line = tried()
    line.asks(FAR + 121, GOOD)
    assert line.boundary.pending is line.boundary.places[0]
    assert line.reject(FAR) is Reason.OK
    assert line.boundary.trial is None
    line = tried()
    for n in range(1, 4):
        line.go(FAR + 1000 * n, GOOD[:20])
        assert line.boundary.trial
    line.go(FAR + 4000, GOOD[:20])  # takes its place
    assert line.boundary.trial is None
    line = tried()
    line.go(0, GOOD)
    assert line.boundary.trial is None


def test_the_header_that_takes_the_place_of_a_trial_s_chain_starts_none() -> None:
    line = lost_line()
    line.go(FAR, GOOD[:50], confirm=True)
    for n in range(1, 4):
        line.go(FAR - 1000 * n, GOOD[:20])
    line.go(FAR - 4000, GOOD[:20], confirm=True)
    assert line.boundary.trial is None
    assert line.chains()[0] == (FAR - 4000, FAR - 3879, 1)
    line.go(FAR - 5000, GOOD[:20], confirm=True)
    assert line.boundary.trial


@pytest.mark.parametrize("window", [1, 2])
def test_a_trial_takes_a_place_in_the_window(window: int) -> None:
    line = Line(window=window)
    for n in range(window):
        line.go(121 * n, GOOD[:50])
        line.go(121 * n + 51, GOOD[51:])
    line.go(FAR, GOOD[:50], confirm=True)
    assert line.boundary.trial
    assert line.go(50, GOOD[50:51]).reason is OVERLAP  # the oldest was dropped
    for n in range(1, window):
        assert line.go(121 * n + 50, GOOD[50:51]).reason is NONE
    # another trial takes the place of this one
    line = Line(window=window)
    line.go(0, GOOD[:50])
    line.go(FAR, GOOD[:50], confirm=window > 1)
    line.go(FAR + 121, GOOD[:50], confirm=window > 1)
    assert line.go(50, GOOD[50:]).reason is NONE
    assert bool(line.boundary.trial) == (window > 1)


def test_a_record_that_is_opened_finds_the_trial_s_place_free() -> None:
    line = Line(window=2)
    line.go(0, GOOD[:50])
    line.go(FAR, GOOD[:50], confirm=True)
    assert line.boundary.trial
    assert line.go(121, GOOD[:50]).reason is NONE
    assert line.boundary.trial is None
    assert line.go(50, GOOD[50:60]).reason is NONE  # the oldest is there
    assert line.go(171, GOOD[50:60]).reason is NONE


def test_bit_31_where_a_trial_is_proved() -> None:
    for before, crossed in ((FAR + 1, False), (FAR, True), (FAR - 500, True)):
        line = Line(seq=HALF - before, proves=5)
        line.go(0, GOOD[:50])
        line.go(FAR + 5000, GOOD[:20])
        line.go(FAR, GOOD[:50], confirm=True)
        line.go(FAR + 50, GOOD[50:], confirm=True)
        assert line.next == FAR + 121
        assert line.go(50, GOOD[50:]).reason is OVERLAP
        # of the trial's record only the prefix and this frame were taken
        assert line.go(FAR + 5, GOOD[5:50]).reason is NONE
        kept = [chain[0] for chain in line.chains() if chain]
        # it is opened: then chains go as well; before: they stay
        assert (FAR + 5000 in kept) == crossed


# ---- byte by byte ----


@dataclass
class LiteralChain:
    """As docs/receive.md, 7.1, has it."""

    start: int
    next: int
    count: int
    prefix: bytes


@dataclass
class Literal:
    """Docs/receive.md, 7, as it is written: a byte at a time, by places and sequence numbers."""

    walk: Walk
    prove: Callable[[Complete, int], int | None]
    window: int
    state: str = "IN_SYNC"
    chains: list[LiteralChain | None] = field(default_factory=lambda: [None] * 4)
    pending: int | None = None
    tail: bytes = b""
    tail_end: int = 0
    trial: Open | None = None
    trial_chain: int = 0
    failed: int = 0
    turn: int = 0
    events: list[tuple[str, int, int]] = field(default_factory=list)
    counted: list[str] = field(default_factory=list)
    asked: int | None = None

    def event(self, name: str) -> None:
        """A row of the table, or none."""
        if name == "MOVED":
            self.state = "IN_SYNC"
            self.withdraw()
            self.trial, self.failed = None, 0
        elif self.state in ("IN_SYNC", "WAITING"):
            if name == "AHEAD":
                self.state = "WAITING"
            elif name in ("FAR", "BROKEN"):
                self.state = "SEARCHING"
                self.counted.append("rx_sync_lost")
        elif name in ("CHAIN", "NO_CHAIN"):
            self.state = "TRACKING" if name == "CHAIN" else "SEARCHING"

    def withdraw(self) -> None:
        """Tell what is pending, which is not any more."""
        if self.pending is not None:
            chain = self.chains[self.pending]
            assert chain
            self.events.append(("RESYNC_WITHDRAWN", chain.start, 0))
        self.pending = None

    def drop(self, place: int) -> None:
        """To drop a chain."""
        if self.pending == place:
            self.withdraw()
        if self.trial and self.trial_chain == place:
            self.trial = None
        self.chains[place] = None

    def places(self) -> Iterator[tuple[int, LiteralChain]]:
        """Of chains."""
        for place, chain in enumerate(self.chains):
            if chain:
                yield place, chain

    def opened(self, before: int) -> None:
        """When a record was opened, and `next` was that before."""
        self.event("MOVED")
        if (before ^ self.walk.next) >> 31:
            self.chains = [None] * 4

    def receive(self, s: int, data: bytes, avoid: bool, confirm: bool) -> RxPass:
        """A frame; the reason."""
        self.events, self.counted, self.asked = [], [], None
        e = (s + len(data)) % SEQ
        reason = NONE
        if self.pass_all(s):
            reason = OUT_OF_SYNC
            far = (s - self.walk.next - len(self.walk.prefix)) % SEQ > 16413
            self.event("FAR" if far else "AHEAD")
            proved = self.trial is not None and self.take(s, data) and self.judge()
            if not proved:
                noted, began = self.search(s, e, data, confirm)
                proved = began and self.take(s, data) and self.judge()
            if not proved:
                self.event("CHAIN" if any(self.chains) else "NO_CHAIN")
                self.ask(noted, confirm)
                return reason
            if self.pass_all(s):
                return reason
        before = self.walk.next
        walked = self.walk.walk(s, data, avoid_partials=avoid, reason=reason)
        if self.walk.next != before:
            self.opened(before)
        if walked.broken:
            self.event("BROKEN")
            self.tail, self.tail_end = b"", e
        return walked.reason

    def pass_all(self, s: int) -> bool:
        """7.2, 1 and 2: whether the frame is ahead."""
        while True:
            walk = self.walk
            if not 0 < (s - walk.next - len(walk.prefix)) % SEQ <= HALF:
                return False
            for place, chain in self.places():
                if (chain.start - walk.next) % SEQ >= HALF:
                    self.drop(place)
            for place, chain in self.places():
                if chain.start == walk.next:
                    self.drop(place)
                    last = (chain.next - 5 - int.from_bytes(chain.prefix[3:5])) % SEQ
                    walk.move(last, (walk.number + chain.count - 1) % 2**64)
                    self.event("MOVED")
                    walk.open(chain.prefix[: P[walk.version]], partial=True)
                    self.opened(last)
                    break
            else:
                return True

    def take(self, s: int, data: bytes) -> bool:
        """Bytes for the trial; whether it is complete."""
        trial = self.trial
        if trial is None:
            return False
        first, total = P[self.walk.version], trial.record.total
        here = [(s + n - trial.record.start) % SEQ for n in range(len(data))]
        mine = [(x, data[n]) for n, x in enumerate(here) if first <= x < total]
        # from s on, or from the text's first byte on if that comes behind s
        begins = first <= here[0] < total or trial.runs == ((0, first),)
        if mine and begins and [x for x, _ in mine] == list(range(mine[0][0], mine[-1][0] + 1)):
            trial.take(mine[0][0], bytes(byte for _, byte in mine), self.walk.runs)
        return trial.runs == ((0, total),)

    def judge(self) -> bool:
        """7.3."""
        assert self.trial
        record = self.trial.record
        number = self.prove(Complete(record, bytes(self.trial.data)), self.walk.number)
        if number is None:
            self.trial = None
            self.failed += 1
            return False
        self.counted.append("rx_sync_self")
        self.walk.move(record.start, number)
        self.event("MOVED")
        return True

    def search(self, s: int, e: int, data: bytes, confirm: bool) -> tuple[int | None, bool]:
        """7.4: place of the chain noted last, and whether a trial began."""
        version = self.walk.version
        read = self.tail + data if s == self.tail_end else data
        v = (e - len(read)) % SEQ
        at, noted, began = 0, None, False
        while at <= len(read) - 13:
            p = (v + at) % SEQ
            covers = [
                (n, c) for n, c in self.places() if (p - c.start) % SEQ < (c.next - c.start) % SEQ
            ]
            nexts = [(n, c) for n, c in self.places() if c.next == p]
            prefix = read[at : at + 13]
            length = int.from_bytes(prefix[3:5])
            kinds = (20, 21, 22, 23) if version is V12 else (23,)
            least, most = (24, 16408) if version is V12 else (16, 16401)
            may = prefix[0] in kinds and prefix[1:3] == b"\3\3" and least <= length <= most
            if covers:
                at += (covers[0][1].next - p) % SEQ
            elif nexts and not may:
                self.drop(nexts[0][0])
            elif may:
                end = (p + 5 + length) % SEQ
                lost = self.state in ("SEARCHING", "TRACKING")
                text = (p + P[version] - s) % SEQ < HALF
                gone = (
                    self.trial is None
                    or (p - self.trial.record.start - self.trial.record.total) % SEQ < HALF
                )
                tries = lost and confirm and self.failed < 3 and not began and text and gone
                if tries:
                    self.trial = None
                    if len(self.walk._open) == self.window:
                        del self.walk._open[0]
                if nexts and not tries:
                    noted, chain = nexts[0]
                    chain.next, chain.count, chain.prefix = end, chain.count + 1, prefix
                else:
                    free = [n for n in range(4) if self.chains[n] is None]
                    if free:
                        noted = free[0]
                    else:
                        noted, self.turn = self.turn, (self.turn + 1) % 4
                        self.drop(noted)
                    self.chains[noted] = LiteralChain(p, end, 1, prefix)
                if tries:
                    record = Record(p, 5 + length, 0, prefix[: P[version]])
                    self.trial, self.trial_chain, began = Open(record, partial=True), noted, True
                at += 5 + length
            else:
                at += 1
        self.tail, self.tail_end = read[-12:], e
        if noted is not None and self.chains[noted] is None:
            noted = None
        return noted, began

    def ask(self, noted: int | None, confirm: bool) -> None:
        """7.2, 7."""
        chain = None if noted is None else self.chains[noted]
        pending = None if self.pending is None else self.chains[self.pending]
        if chain is None or self.state not in ("SEARCHING", "TRACKING") or noted == self.pending:
            return
        if pending and (pending.start - chain.start) % SEQ < HALF:
            return
        if not confirm or self.failed == 3 or chain.count >= 2:
            self.pending, self.asked = noted, chain.start
            self.events.append(("RESYNC_REQUEST", chain.start, chain.count - 1))

    def answer(self, accept: bool, seq: int, number: int) -> str:
        """RESYNC_RX."""
        pending = None if self.pending is None else self.chains[self.pending]
        is_pending = pending is not None and pending.start == seq
        if not accept:
            if self.pending is None or not is_pending:
                return "STALE"
            place, self.pending = self.pending, None
            self.drop(place)
            if not any(self.chains):
                self.event("NO_CHAIN")
            return "OK"
        to_come = (seq - self.tail_end) % SEQ < HALF and (seq - self.walk.next) % SEQ < HALF
        if not (is_pending or (self.state != "IN_SYNC" and to_come)):
            return "STALE"
        self.pending = None
        self.walk.move(seq, number)
        self.event("MOVED")
        return "OK"


def wild_records(rng: random.Random, version: TlsVersion) -> bytes:
    """Records of all sizes, with what looks like headers in their texts."""
    made = bytearray()
    for _ in range(rng.randrange(5, 60)):
        size = rng.choice([0, 0, 1, 3, 8, 20, 60, 60, 200, 400, rng.randrange(3000)])
        data = bytearray(record(version, size, rng.choice([23, 23, 23, 20, 22])))
        for _ in range(rng.choice([0, 0, 1, 3])):
            length = rng.choice([16, 24, 30, 60, 100, 300, 5000, 16401, 16408, 17000])
            false = bytes([rng.choice([20, 22, 23, 23])]) + b"\3\3" + length.to_bytes(2)
            at = rng.randrange(P[version], len(data))
            data[at : at + 5] = false[: rng.choice([2, 3, 5, 5, 5])]
        made += data
    return bytes(made)


@pytest.mark.parametrize("version", [V12, V13])
@pytest.mark.parametrize("seed", range(100))
def test_random_traffic_against_the_text(version: TlsVersion, seed: int) -> None:
    check_against_text(version, seed)


def check_against_text(version: TlsVersion, seed: int) -> Counter[str]:
    """Run both on the same traffic; what came up."""
    rng = random.Random(seed)
    base = rng.choice([0, 12345, SEQ - 40_000, SEQ - 1, HALF - 30_000, HALF - 50])
    window, runs = rng.choice([1, 2, 8]), rng.choice([2, 4])
    verdicts = random.Random(seed)

    def prove(complete: Complete, first: int) -> int | None:
        """One in three is proved; the same for both, as they ask in turns."""
        mixed = random.Random(f"{seed} {complete.record.start} {first}")
        return (first + mixed.randrange(64)) % 2**64 if mixed.random() < 0.4 else None

    fast = Boundary(Walk(version, base, 7, window=window, runs=runs), prove)
    slow = Literal(Walk(version, base, 7, window=window, runs=runs), prove, window, tail_end=base)
    data = wild_records(rng, version)
    sizes = rng.choice([range(1, 8), range(1, 60), range(20, 400), range(400, 1500)])
    frames = [(a, data[a:b]) for a, b in cuts(rng, len(data), sizes)]
    loss, disorder = rng.choice([0.01, 0.05, 0.2]), rng.choice([0, 1, 4])
    jump = rng.choice([0, 0, 17_000])  # a long gap after the first frames
    order = sorted(range(len(frames)), key=lambda n: n + rng.uniform(0, disorder))
    confirm, seen = rng.random() < 0.6, Counter[str]()
    for n in order:
        at, part = frames[n]
        if n > len(frames) // 8:
            at += jump
        if rng.random() < 0.02:
            confirm = not confirm
        if rng.random() < loss or not part:
            continue
        for _ in range(1 + (rng.random() < 0.05)):
            if rng.random() < 0.02:
                at = max(0, at - rng.randrange(300))
            seq, avoid = (base + at) % SEQ, verdicts.random() < 0.2
            got = fast.receive(seq, part, avoid_partials=avoid, self_confirm=confirm)
            reason = slow.receive(seq, part, avoid, confirm)
            assert got.reason is reason
            compare(fast, slow, got)
            seen.update(notice.event.name for notice in got.notices)
            seen.update(count.name for count in got.counted)
            seen[fast.state.name] += 1
            seen["trial"] += fast.trial is not None
        if rng.random() < 0.05:
            targets = [chain.start for chain in fast.chains] + [
                fast.tail_end + rng.randrange(-3, 99)
            ]
            target, number = rng.choice(targets) % SEQ, rng.randrange(99)
            answer = rng.choice(list(Answer))
            result = fast.answer(answer, target, number)
            assert result.name == slow.answer(answer is Answer.ACCEPT, target, number)
            seen[f"{answer.name} {result.name}"] += 1
            compare(fast, slow, None)
    return seen


def compare(fast: Boundary, slow: Literal, got: Followed | None) -> None:
    """What is known, and what was told, is the same."""
    if got:
        events = [(n.event.name, n.seq, n.records) for n in got.notices]
        assert events == slow.events
        asked = [name for name in got.counted if name is ASKED]
        assert [c.name.lower() for c in got.counted if c is not ASKED] == slow.counted
        assert got.asked == slow.asked
        assert len(asked) == (slow.asked is not None)
    assert fast.state.name == slow.state
    assert (fast.walk.next, fast.walk.number) == (slow.walk.next, slow.walk.number)
    assert [c and (c.start, c.next, c.count, c.prefix) for c in fast.places] == [
        c and (c.start, c.next, c.count, c.prefix) for c in slow.chains
    ]
    assert (fast.pending and fast.places.index(fast.pending)) == slow.pending
    assert (fast.tail, fast.tail_end, fast.failed, fast.turn) == (
        slow.tail,
        slow.tail_end,
        slow.failed,
        slow.turn,
    )
    assert bool(fast.trial) == bool(slow.trial)
    if fast.trial and slow.trial:
        assert fast.trial.entry.record == slow.trial.record
        assert fast.trial.entry.runs == slow.trial.runs
        assert fast.trial.entry.data == slow.trial.data


def test_the_random_traffic_has_it_all() -> None:
    """The seeds above are fixed: what they bring up is, too."""
    seen: Counter[str] = Counter()
    for seed in range(40):
        seen += check_against_text(V13, seed)
    answers = [f"{answer.name} {result}" for answer in Answer for result in ("OK", "STALE")]
    wanted = {*(s.name for s in State), LOST.name, SELF.name, ASKED.name, "trial", *answers}
    assert wanted | {REQUEST.name, WITHDRAWN.name} <= set(seen), seen
