"""model.rx_walk against docs/receive.md, 2: rule by rule, and byte by byte on random traffic."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Final

import pytest

from model.record import is_header
from model.regs import RxPass, TlsVersion
from model.rx_walk import Piece, Walk, Walked, join
from model.tests.records import SEQ, cuts

V12, V13 = TlsVersion.TLS_1_2, TlsVersion.TLS_1_3
P: Final = {V12: 13, V13: 5}


def record(version: TlsVersion, text: int, kind: int = 23) -> bytes:
    """A record that is not encrypted: the walk does not care."""
    length = text + (24 if version is V12 else 16)
    body = b"".join(n.to_bytes(2) for n in range(length))[:length]
    return bytes([kind, 3, 3]) + length.to_bytes(2) + body


def walk_at(
    seq: int = 0, version: TlsVersion = V13, number: int = 0, window: int = 8, runs: int = 4
) -> Walk:
    """A connection just added."""
    return Walk(version, seq, number, window=window, runs=runs)


def took(walked: Walked) -> list[tuple[int, int, int]]:
    """Record number, first and last of each piece."""
    return [(piece.record.number, piece.first, piece.last) for piece in walked.pieces]


def go(walk: Walk, seq: int, data: bytes, avoid: bool = False) -> Walked:
    """Walk."""
    return walk.walk(seq % SEQ, data, avoid_partials=avoid)


# ---- headers ----


@pytest.mark.parametrize(("version", "least", "most"), [(V12, 24, 16408), (V13, 16, 16401)])
def test_every_length_of_a_header(version: TlsVersion, least: int, most: int) -> None:
    for length in range(1 << 16):
        good = is_header(b"\x17\3\3" + length.to_bytes(2), version)
        assert good == (least <= length <= most), length


@pytest.mark.parametrize("version", [V12, V13])
def test_every_type_and_version_of_a_header(version: TlsVersion) -> None:
    for value in range(256):
        assert is_header(bytes([value, 3, 3, 0, 30]), version) == (value in (20, 21, 22, 23))
        assert is_header(bytes([23, value, 3, 0, 30]), version) == (value == 3)
        assert is_header(bytes([23, 3, value, 0, 30]), version) == (value == 3)


@pytest.mark.parametrize("version", [V12, V13])
@pytest.mark.parametrize("had", range(5))
def test_a_bad_header_leaves_the_prefix_as_it_was(version: TlsVersion, had: int) -> None:
    good, bad = record(version, 10), b"\x17\3\3\0\1"
    walk = walk_at(7, version)
    if had:
        assert go(walk, 7, bad[:had]).reason is RxPass.NONE
    for _ in range(2):
        walked = go(walk, 7 + had, bad[had:] + good)
        assert walked == Walked(RxPass.BAD_RECORD, broken=True)
        assert (walk.next, walk.number, walk.prefix) == (7, 0, bad[:had])
    assert go(walk, 8 + had, good).reason is RxPass.OUT_OF_SYNC
    if had <= 3:  # what is bad of it has not come yet
        assert go(walk, 7 + had, good[had:]).reason is RxPass.NONE


@pytest.mark.parametrize("version", [V12, V13])
@pytest.mark.parametrize("text", [0, 1, 15, 16, 16384])
def test_a_prefix_in_any_three_segments(version: TlsVersion, text: int) -> None:
    data = record(version, text)
    for a in range(1, P[version] + 2):
        for b in range(a + 1, P[version] + 4):
            walk = walk_at(100, version, number=5)
            bounds = [0, a, b, len(data)]
            walked = [go(walk, 100 + i, data[i:j]) for i, j in pairwise(bounds)]
            assert [w.reason for w in walked] == [RxPass.NONE] * 3
            (complete,) = walked[2].complete
            assert complete.data == data
            assert (complete.record.start, complete.record.number) == (100, 5)
            assert complete.record.prefix == data[: P[version]]
            pieces = [(p.first, p.last) for w in walked for p in w.pieces]
            assert pieces[0][0] == P[version]
            assert pieces[-1][1] == len(data)
            assert all(i[1] == j[0] for i, j in pairwise(pieces))
            assert (walk.next, walk.number, walk.prefix) == (100 + len(data), 6, b"")


def test_numbers_and_sequence_numbers_wrap() -> None:
    data = record(V13, 100) * 3
    walk = walk_at(SEQ - 50, number=2**64 - 1)
    walked = go(walk, SEQ - 50, data)
    assert walked.reason is RxPass.NONE
    assert [c.record.number for c in walked.complete] == [2**64 - 1, 0, 1]
    assert [c.record.start for c in walked.complete] == [SEQ - 50, 71, 192]
    assert walk.number == 2


# ---- where the frame is ----


def test_out_of_sync_is_half_the_numbers() -> None:
    for seq in (0, 1000, SEQ - 3):
        for have in range(5):
            walk = walk_at(seq)
            if have:
                go(walk, seq, b"\x17\3\3\0"[:have])
            here = seq + have
            for ahead in (1, 2, 16384, SEQ // 2):  # half of all is ahead, too
                assert go(walk, here + ahead, b"xyz") == Walked(RxPass.OUT_OF_SYNC)
            for behind in (1, 2, SEQ // 2 - 1):
                # one byte: to reach `next + have` takes more
                assert go(walk, here - behind, b"x") == Walked(RxPass.OVERLAP)
            assert (walk.next, len(walk.prefix)) == (seq, have)


def test_bytes_before_the_first_record_are_passed_and_the_rest_is_taken() -> None:
    data = record(V13, 50)
    walk = walk_at(1000)
    walked = go(walk, 990, bytes(10) + data)
    assert walked.reason is RxPass.OVERLAP
    assert took(walked) == [(0, 5, 71)]
    assert walked.pieces[0].offset == 15
    assert len(walked.complete) == 1
    # the next frame is decrypted again
    assert go(walk, 1071, data).reason is RxPass.NONE


def test_bytes_of_the_prefix_are_an_overlap() -> None:
    data = record(V13, 50)
    walk = walk_at(0)
    assert go(walk, 0, data[:4]).reason is RxPass.NONE
    assert go(walk, 0, data[:4]) == Walked(RxPass.OVERLAP)
    assert go(walk, 2, data[2:4]) == Walked(RxPass.OVERLAP)
    assert walk.prefix == data[:4]
    walked = go(walk, 3, data[3:20])
    assert walked.reason is RxPass.OVERLAP
    assert took(walked) == [(0, 5, 20)]


def test_records_in_one_frame() -> None:
    data = b"".join(record(V13, n) for n in (0, 1, 100))
    walked = go(walk_at(0), 0, data)
    assert walked.reason is RxPass.NONE
    assert took(walked) == [(0, 5, 21), (1, 5, 22), (2, 5, 121)]
    assert [p.offset for p in walked.pieces] == [5, 26, 48]
    assert b"".join(c.data for c in walked.complete) == data


# ---- what is taken ----


def test_pieces_in_any_order() -> None:
    data = record(V13, 100)
    rng = random.Random(1)
    for _ in range(200):
        walk = walk_at(0)
        go(walk, 0, data[:5])
        pieces = [(5 + a, 5 + b) for a, b in cuts(rng, 116, range(10, 50))]
        rng.shuffle(pieces)
        walked = [go(walk, a, data[a:b]) for a, b in pieces]
        reasons = {w.reason for w in walked}
        if reasons == {RxPass.NONE}:
            assert walked[-1].complete[0].data == data
        else:
            assert reasons == {RxPass.NONE, RxPass.WINDOW_FULL}
            assert not any(w.complete for w in walked)


def test_overlaps_are_taken_not_at_all() -> None:
    data = record(V13, 100)
    walk = walk_at(0)
    go(walk, 0, data[:20])
    for a, b in ((5, 20), (19, 40), (0, 121), (19, 20), (0, 5), (4, 5), (12, 13)):
        assert go(walk, a, data[a:b]) == Walked(RxPass.OVERLAP)
        assert go(walk, a, bytes(b - a)) == Walked(RxPass.OVERLAP)  # whatever the bytes
    walked = go(walk, 20, data[20:])
    assert walked.reason is RxPass.NONE
    assert walked.complete[0].data == data


def test_a_fifth_run() -> None:
    data = record(V13, 100)
    walk = walk_at(0)
    go(walk, 0, data[:10])
    for a in (20, 40, 60):
        assert go(walk, a, data[a : a + 10]).reason is RxPass.NONE
    assert go(walk, 80, data[80:90]) == Walked(RxPass.WINDOW_FULL)
    assert go(walk, 70, data[70:80]).reason is RxPass.NONE  # touches the last
    assert go(walk, 90, data[90:100]) == Walked(RxPass.WINDOW_FULL)
    assert go(walk, 30, data[30:40]).reason is RxPass.NONE  # makes two into one
    assert go(walk, 90, data[90:100]).reason is RxPass.NONE
    assert go(walk, 15, data[15:20]).reason is RxPass.NONE
    # overlap is looked at first
    assert go(walk, 110, data[110:120]) == Walked(RxPass.WINDOW_FULL)
    assert go(walk, 98, data[98:102]) == Walked(RxPass.OVERLAP)
    for a, b in ((10, 15), (50, 60), (80, 90)):
        assert go(walk, a, data[a:b]).reason is RxPass.NONE
    assert go(walk, 100, data[100:]).complete[0].data == data


def test_runs_that_touch_are_one() -> None:
    assert set(join(((0, 5), (10, 20)), 5, 10)) == {(0, 20)}
    assert set(join(((0, 5), (10, 20)), 5, 9)) == {(0, 9), (10, 20)}
    assert set(join(((0, 5), (10, 20)), 6, 10)) == {(0, 5), (6, 20)}
    assert set(join(((0, 5), (10, 20)), 6, 9)) == {(0, 5), (6, 9), (10, 20)}


def test_the_first_reason_stays_and_the_walk_goes_on() -> None:
    first, second = record(V13, 40), record(V13, 60)
    walk = walk_at(0)
    go(walk, 0, first[:10])
    # of the first an overlap, of the second all; then a header that is none
    walked = go(walk, 9, first[9:] + second + bytes(9))
    assert walked.reason is RxPass.OVERLAP
    assert took(walked) == [(1, 5, 81)]
    assert walked.complete[0].data == second
    assert (walk.next, walk.prefix) == (142, b"")
    assert go(walk, 10, first[10:]).reason is RxPass.NONE


def test_a_completed_record_is_closed() -> None:
    data = record(V13, 40)
    walk = walk_at(0)
    go(walk, 0, data)
    for a, b in ((0, 61), (3, 4), (60, 61)):
        assert go(walk, a, data[a:b]) == Walked(RxPass.OVERLAP)
    # over its end into the next
    walked = go(walk, 50, data[50:] + data)
    assert walked.reason is RxPass.OVERLAP
    assert took(walked) == [(1, 5, 61)]


# ---- the window ----


@pytest.mark.parametrize("window", [1, 2, 8])
def test_one_too_many_open_records_drop_the_oldest(window: int) -> None:
    data = record(V13, 40)
    size = len(data)
    walk = walk_at(0, window=window)
    for n in range(window + 1):  # all but the last byte
        assert go(walk, n * size, data[:-1]).reason is RxPass.NONE
    assert go(walk, size - 1, data[-1:]) == Walked(RxPass.OVERLAP)  # the first is closed
    for n in range(1, window + 1):
        assert len(go(walk, (n + 1) * size - 1, data[-1:]).complete) == 1


def test_dropping_goes_by_age_not_by_place_or_use() -> None:
    data = record(V13, 40)
    size = len(data)
    walk = walk_at(0, window=2)
    go(walk, 0, data[:20])
    go(walk, 20, data[20:50])
    walked = go(walk, 50, data[50:55])
    assert walked.reason is RxPass.NONE
    assert go(walk, 55, data[55:] + data[:20]).complete[0].record.number == 0
    go(walk, size + 20, data[20:30])
    go(walk, size + 31, data[31:] + data[:20])
    go(walk, size + 30, data[30:31])  # 1 is complete; 2 is open
    go(walk, 2 * size + 21, data[21:] + data[:20])  # 3 opens
    go(walk, 3 * size + 21, data[21:] + data[:20])  # 4 opens, 2 is dropped
    assert go(walk, 2 * size + 20, data[20:21]) == Walked(RxPass.OVERLAP)
    assert go(walk, 3 * size + 20, data[20:21]).complete[0].record.number == 3


def test_a_record_can_be_dropped_by_the_frame_it_has_bytes_in() -> None:
    data = record(V13, 40)
    walk = walk_at(0, window=1)
    go(walk, 0, data[:20])
    walked = go(walk, 21, data[21:] + data[:20])
    assert walked.reason is RxPass.NONE
    assert took(walked) == [(0, 21, 61), (1, 5, 20)]
    assert go(walk, 20, data[20:21]) == Walked(RxPass.OVERLAP)


@pytest.mark.parametrize("top", [0, SEQ // 2])
def test_no_record_stays_open_until_its_numbers_come_again(top: int) -> None:
    data = record(V13, 1000)
    start = (top + SEQ // 2 - 5000) % SEQ
    walk = walk_at(start)
    go(walk, start, data[:10])
    # as if the records up to there had been completed
    walk.next = (top + SEQ // 2 - len(data) - 1) % SEQ
    go(walk, walk.next, data[:10])
    assert took(go(walk, start + 10, data[10:20])) == [(0, 10, 20)], "still open"
    last = walk.next - len(data)
    go(walk, walk.next, data[:10])  # ends behind the middle of all numbers, or their end
    assert go(walk, start + 20, data[20:30]) == Walked(RxPass.OVERLAP)
    assert go(walk, last + 10, data[10:20]) == Walked(RxPass.OVERLAP)
    assert took(go(walk, walk.next - len(data) + 10, data[10:20])) == [(2, 10, 20)]


# ---- partial records ----


def partial_walk() -> tuple[Walk, bytes]:
    """A walk whose first record, of 121 bytes, is partial; 50 bytes were taken."""
    data = record(V13, 100)
    walk = walk_at(0)
    go(walk, 0, data[:50])
    assert go(walk, 40, data[40:60]) == Walked(RxPass.OVERLAP)
    return walk, data


def test_avoid_partials_is_a_switch() -> None:
    walk, data = partial_walk()
    assert go(walk, 50, data[50:60]).reason is RxPass.NONE
    assert go(walk, 60, data[60:70], avoid=True) == Walked(RxPass.PARTIAL)
    assert go(walk, 60, data[60:70]).reason is RxPass.NONE


def test_partial_comes_before_overlap() -> None:
    walk, data = partial_walk()
    assert go(walk, 20, data[20:30], avoid=True) == Walked(RxPass.PARTIAL)


@pytest.mark.parametrize("beyond", [0, 1, 5])
def test_frames_that_have_bytes_of_another_record(beyond: int) -> None:
    walk, data = partial_walk()
    walked = go(walk, 50, data[50:] + data[:beyond], avoid=True)
    if beyond:  # of its prefix, too
        assert walked.reason is RxPass.NONE
        assert took(walked) == [(0, 50, 121)]
    else:
        assert walked == Walked(RxPass.PARTIAL)


def test_bytes_of_the_record_before() -> None:
    data = record(V13, 40)
    walk = walk_at(0)
    go(walk, 0, data + data[:20])
    assert go(walk, 70, data[9:25]).reason is RxPass.OVERLAP
    assert go(walk, 81, data[20:30], avoid=True).reason is RxPass.PARTIAL
    assert go(walk, 61, data[:30], avoid=True).reason is RxPass.PARTIAL
    # from the closed one on
    assert go(walk, 60, data[60:] + data[:30], avoid=True).reason is RxPass.OVERLAP
    walked = go(walk, 81, data[20:] + data, avoid=True)
    assert walked.reason is RxPass.NONE
    assert took(walked) == [(1, 20, 61), (2, 5, 61)]


def test_a_reason_before_makes_a_record_that_is_opened_partial() -> None:
    data = record(V13, 100)
    walk = walk_at(0)
    go(walk, 0, data)
    assert go(walk, 120, data[120:] + data[:20]).reason is RxPass.OVERLAP
    assert go(walk, 141, data[20:30], avoid=True) == Walked(RxPass.PARTIAL)
    assert go(walk, 141, data[20:30]).reason is RxPass.NONE


def test_a_reason_that_comes_later_does_not() -> None:
    data = record(V13, 100)
    walk = walk_at(0)
    go(walk, 0, data[:10])
    walked = go(walk, 20, data[20:] + bytes(5))
    assert walked.reason is RxPass.BAD_RECORD
    assert took(walked) == [(0, 20, 121)]
    assert go(walk, 10, data[10:15], avoid=True).reason is RxPass.NONE


def test_the_frame_that_opens_a_record_and_has_a_reason_already() -> None:
    data = record(V13, 100)
    walk = walk_at(0)
    go(walk, 0, data[:3])
    walked = go(walk, 2, data[2:30], avoid=True)
    assert walked == Walked(RxPass.OVERLAP)  # it is partial, and the frame has nothing else
    assert go(walk, 5, data[5:30], avoid=True) == Walked(RxPass.PARTIAL)
    assert go(walk, 5, data[5:30]).reason is RxPass.NONE


# ---- byte by byte ----


@dataclass(slots=True)
class Slow:
    """Docs/receive.md, 2, on a dict from sequence number to the record that has the byte."""

    version: TlsVersion
    next: int
    number: int
    window: int
    runs: int
    prefix: bytes = b""
    owner: dict[int, int] = field(default_factory=dict)  # of bytes of open records: its number
    start: dict[int, int] = field(default_factory=dict)  # by number, the oldest first
    total: dict[int, int] = field(default_factory=dict)
    taken: dict[int, set[int]] = field(default_factory=dict)
    partial: set[int] = field(default_factory=set)

    def walk(
        self, seq: int, data: bytes, avoid: bool
    ) -> tuple[RxPass, list[tuple[int, int]], list[int]]:
        """The reason, each byte taken as record number and place in it, and what is complete."""
        if 0 < (seq - self.next - len(self.prefix)) % SEQ <= 1 << 31:
            return RxPass.OUT_OF_SYNC, [], []
        reasons, bytes_taken, complete = [], [], []
        whose = [self.owner.get((seq + i) % SEQ) for i in range(len(data))]
        i = 0
        while i < len(data):
            pos = (seq + i) % SEQ
            n = self.owner.get(pos)
            if pos == (self.next + len(self.prefix)) % SEQ:
                before = self.prefix
                bad = False
                while i < len(data) and len(self.prefix) < P[self.version] and not bad:
                    self.prefix += data[i : i + 1]
                    i += 1
                    bad = len(self.prefix) == 5 and not self.good()
                if bad:
                    self.prefix = before
                    reasons.append(RxPass.BAD_RECORD)
                    break
                if len(self.prefix) == P[self.version]:
                    self.open(bool(reasons))
                    whose = [self.owner.get((seq + j) % SEQ, who) for j, who in enumerate(whose)]
            elif n is not None:
                mine = []
                while i < len(data) and self.owner.get((seq + i) % SEQ) == n:
                    mine.append((seq + i - self.start[n]) % SEQ)
                    i += 1
                after = self.taken[n] | set(mine)
                starts_of_runs = [x for x in after if x - 1 not in after]
                if avoid and n in self.partial and all(who == n for who in whose):
                    reasons.append(RxPass.PARTIAL)
                elif self.taken[n] & set(mine):
                    reasons.append(RxPass.OVERLAP)
                elif len(starts_of_runs) > self.runs:
                    reasons.append(RxPass.WINDOW_FULL)
                else:
                    self.taken[n] = after
                    bytes_taken += [(n, x) for x in mine]
                if reasons:
                    self.partial.add(n)
                if len(self.taken[n]) == self.total[n]:
                    complete.append(n)
                    self.close(n)
            else:
                reasons.append(RxPass.OVERLAP)
                i += 1
        return [*reasons, RxPass.NONE][0], bytes_taken, complete

    def good(self) -> bool:
        """Whether the prefix starts with a header."""
        kind, major, minor, high, low = self.prefix[:5]
        least, most = (24, 16408) if self.version is V12 else (16, 16401)
        return 20 <= kind <= 23 and (major, minor) == (3, 3) and least <= 256 * high + low <= most

    def open(self, is_partial: bool) -> None:
        """Open the record whose prefix is whole."""
        n, total = self.number, 5 + int.from_bytes(self.prefix[3:5])
        if self.next >> 31 != (self.next + total) >> 31:
            for old in list(self.start):
                self.close(old)
        elif len(self.start) == self.window:
            self.close(next(iter(self.start)))
        self.start[n], self.total[n] = self.next, total
        self.taken[n] = set(range(len(self.prefix)))
        if is_partial:
            self.partial.add(n)
        for i in range(total):
            self.owner[(self.next + i) % SEQ] = n
        self.next, self.number, self.prefix = (self.next + total) % SEQ, n + 1, b""

    def close(self, n: int) -> None:
        """Forget a record."""
        del self.start[n], self.total[n], self.taken[n]
        self.partial.discard(n)
        self.owner = {seq: who for seq, who in self.owner.items() if who != n}


def traffic(rng: random.Random, version: TlsVersion) -> list[tuple[int, bytes]]:
    """Segments with their place: cut at random, some lost, late, twice, cut anew or broken."""
    records = [
        record(version, rng.choice([0, 1, 5, 20, 20, 60, 200])) for _ in range(rng.randrange(40))
    ]
    data = b"".join(records)
    headers = {at + n for at in accumulate(map(len, records)) for n in range(5)}
    sizes = rng.choice([range(1, 8), range(1, 60), range(20, 400)])
    segments = [(a, data[a:b]) for a, b in cuts(rng, len(data), sizes)]
    disorder, loss = rng.choice([0, 0, 2, 8]), rng.choice([0, 0.02, 0.1])
    order = sorted(range(len(segments)), key=lambda n: n + rng.uniform(0, disorder))
    sent: list[tuple[int, bytes]] = []
    for n in order:
        at, part = segments[n]
        if rng.random() < 0.02:
            broken = bytearray(part)
            places = [n for n in range(len(part)) if at + n in headers] or [0]
            broken[rng.choice(places)] ^= 1 << rng.randrange(8)
            sent.append((at, bytes(broken)))
        sent += [(at, part)] * ((rng.random() >= loss) + (rng.random() < loss))
        if rng.random() < loss:  # cut anew
            a = max(0, at - rng.randrange(100))
            sent.append((a, data[a : at + rng.randrange(1, 200)]))
    late = [(a, data[a:b]) for a, b in cuts(rng, len(data), sizes)]  # and all of it once more
    return [pair for pair in sent + late * rng.randrange(2) if pair[1]]


@pytest.mark.parametrize("version", [V12, V13])
@pytest.mark.parametrize("seed", range(150))
def test_random_traffic_against_the_slow_walk(version: TlsVersion, seed: int) -> None:
    check_against_slow(version, seed)


def check_against_slow(version: TlsVersion, seed: int) -> Counter[RxPass]:
    """Run both on the same traffic; the reasons that came up."""
    rng = random.Random(seed)
    base = rng.choice([0, 12345, SEQ - 500, SEQ - 1])
    window, runs = rng.choice([1, 2, 8]), rng.choice([2, 4])
    avoid = rng.random() < 0.5
    walk = walk_at(base, version, 7, window, runs)
    slow = Slow(version, base, 7, window, runs)
    reasons: Counter[RxPass] = Counter()
    for at, data in traffic(rng, version):
        seq = (base + at) % SEQ
        walked = walk.walk(seq, data, avoid_partials=avoid)
        want = slow.walk(seq, data, avoid)
        singles = [(p.record.number, x) for p in walked.pieces for x in range(p.first, p.last)]
        got = walked.reason, singles, [c.record.number for c in walked.complete]
        assert got == want
        assert (walk.next, walk.number, walk.prefix) == (slow.next, slow.number, slow.prefix)
        for piece in walked.pieces:
            check_place(piece, seq)
        reasons[walked.reason] += 1
    return reasons


def check_place(piece: Piece, seq: int) -> None:
    """The piece is where its record says that it is."""
    assert (piece.record.start + piece.first - piece.offset) % SEQ == seq


def test_the_random_traffic_has_every_reason() -> None:
    reasons: Counter[RxPass] = Counter()
    for seed in range(150):
        reasons += check_against_slow(V13, seed)
    walks = [RxPass.NONE, *range(RxPass.OUT_OF_SYNC, RxPass.BAD_TAG)]
    assert set(reasons) == set(walks)
    assert min(reasons.values()) > 10, reasons
