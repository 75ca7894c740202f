"""The record store: what the kernel's walk along its list finds, at every byte, for any ACKs."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import pytest

from host.tcp import MASK, distance
from host.tx_records import StartMarker, TxRecord, TxRecords

STARTS = [0, 1000, 0x7FFF_FFF0, 0xFFFF_FFE0]


def before(a: int, b: int) -> bool:
    return distance(a, b) < 0


@dataclass
class Info:
    """`struct tls_record_info`; the start marker has no length."""

    end_seq: int
    len: int


@dataclass
class Kernel:
    """`tls_get_record()` and `tls_tcp_clean_acked()`, list, hint and counted numbers."""

    start: int
    number: int
    infos: list[Info] = field(default_factory=list)
    hint: tuple[Info, int] | None = None

    def __post_init__(self) -> None:
        self.infos.append(Info(self.start, 0))
        self.unacked_record_sn = self.number - 1

    def push(self, size: int) -> None:
        """`tls_push_record()`."""
        end = self.infos[-1].end_seq if self.infos else self.start
        self.infos.append(Info(end + size & MASK, size))
        self.start = end + size & MASK

    def clean_acked(self, seq: int) -> None:
        """The hook of an ACK."""
        if self.hint and not before(seq, self.hint[0].end_seq):
            self.hint = None
        while self.infos and not before(seq, self.infos[0].end_seq):
            self.infos.pop(0)
            self.unacked_record_sn += 1

    def get(self, seq: int) -> tuple[Info, int] | None:
        """The record that holds `seq`, and its number."""
        if self.hint is None or before(seq, self.hint[0].end_seq - self.hint[0].len & MASK):
            if not self.infos:
                return None
            info, number = self.infos[0], self.unacked_record_sn
            first, last = info.end_seq - info.len & MASK, self.infos[-1].end_seq
            if info.len and not (last - first & MASK) >= (seq - first & MASK):
                return None
        else:
            info, number = self.hint
        for each in self.infos[self.infos.index(info) :]:
            if before(seq, each.end_seq):
                if self.hint is None or before(self.hint[0].end_seq, each.end_seq):
                    self.hint = each, number
                return each, number
            number += 1
        return None


@pytest.mark.parametrize("seed", range(40))
def test_finds_what_the_kernels_walk_finds(seed: int) -> None:
    random = Random(seed)
    start, number = random.choice(STARTS), random.choice([0, 7])
    records, kernel = TxRecords(start, number), Kernel(start, number)
    acked, una = start - 50 & MASK, start - 50 & MASK
    for _ in range(300):
        match random.choice("pppaagggggg"):
            case "p":
                data = bytes(random.choice([1, 22, 29, 40, 100]))
                records.push(data)
                kernel.push(len(data))
            case "a":
                una = una + random.choice([0, 1, 30, 200]) & MASK
                if distance(una, records.write_seq) > 0:
                    una = records.write_seq
                acked = random.choice([una, acked])  # an older one does nothing
                records.acked(acked)
                kernel.clean_acked(acked)
            case "g":
                seq = records.write_seq - random.randint(-30, 600) & MASK
                got, wanted = records.get(seq), kernel.get(seq)
                if isinstance(got, TxRecord):
                    assert wanted == (Info(got.end, len(got.data)), got.number)
                elif isinstance(got, StartMarker):
                    assert wanted == (Info(got.seq, 0), number - 1)
                else:
                    assert wanted is None
        assert len(records) == len(kernel.infos)


@pytest.mark.parametrize("start", STARTS)
def test_every_byte_and_what_is_around_it(start: int) -> None:
    records = TxRecords(start, 5)
    pushed = [records.push(bytes(size)) for size in (22, 1, 40)]
    assert [r.number for r in pushed] == [5, 6, 7]
    assert [r.start for r in pushed] == [start + n & MASK for n in (0, 22, 23)]
    assert (records.write_seq, records.number) == (start + 63 & MASK, 8)
    for at in range(63):
        wanted = pushed[(at >= 22) + (at >= 23)]
        assert records.get(start + at & MASK) is wanted
    assert records.get(start + 63 & MASK) is None  # the end of the last one
    assert records.get(start + 64 & MASK) is None
    assert records.get(start - 1 & MASK) == StartMarker(start)


def test_the_start_marker_goes_when_all_before_it_is_acked() -> None:
    records = TxRecords(1000, 0)
    record = records.push(bytes(30))
    records.acked(999)
    assert records.get(900) == StartMarker(1000)
    records.acked(1000)
    assert records.get(900) is None
    assert records.get(1000) is record
    assert len(records) == 1


def test_a_marker_alone() -> None:
    records = TxRecords(1000, 0)
    assert records.get(999) == StartMarker(1000)
    assert records.get(1000) is None
    assert records.between(0, 2000) == []
    records.acked(1000)
    assert len(records) == 0
    assert records.get(999) is None


def test_a_record_is_kept_whole_until_its_last_byte_is_acked() -> None:
    records = TxRecords(1000, 0)
    record, later = records.push(bytes(16413)), records.push(bytes(22))
    records.acked(1000 + 16412)
    assert records.get(1000) is record
    assert len(record.data) == 16413
    records.acked(1000 + 16413)
    assert records.get(1000 + 16412) is None
    assert records.get(1000 + 16413) is later
    records.acked(later.end)
    assert len(records) == 0


def test_numbers_are_kept_however_many_records_are_gone() -> None:
    records = TxRecords(0xFFFF_FF00, (1 << 64) - 2)
    got = []
    for _ in range(4):
        got.append(records.push(bytes(100)).number)
        records.acked(records.write_seq)
    assert got == [(1 << 64) - 2, (1 << 64) - 1, 0, 1]


@pytest.mark.parametrize("start", STARTS)
def test_the_records_between_two_places(start: int) -> None:
    records = TxRecords(start, 0)
    a, b, c = (records.push(bytes(10)) for _ in range(3))
    all_of_them = [(a, 0, 10), (b, 10, 20), (c, 20, 30)]
    for popped in range(2):
        for first in range(-5, 36):
            for last in range(first, 36):
                wanted = [r for r, x, y in all_of_them if max(x, first) < min(y, last)]
                assert records.between(start + first & MASK, start + last & MASK) == wanted
        if not popped:
            records.acked(a.end)
            del all_of_them[0]
