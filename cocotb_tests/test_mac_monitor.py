"""The monitor towards the wire: what it lets pass, and that it fails for all that may not leave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import pytest

from cocotb_tests.harness import seed
from cocotb_tests.mac_monitor import TAG, MacMonitor, Record
from cocotb_tests.traffic import (
    ACK,
    FIN,
    MAX_FRAME,
    RST,
    SEQ,
    SYN,
    Built,
    Dress,
    build,
    random_dress,
    random_flow,
    refix,
)
from cocotb_tests.traffic_tx import Manner, Sender, context, turned
from model.regs import TxKind

OWN = 3
EXACT = Dress(flags=ACK)


@dataclass
class Bench:
    """A monitor, and a sender that it knows: from the start, or from record 0 on."""

    monitor: MacMonitor
    sender: Sender
    rng: Random

    def built(self, first: int, last: int, dress: Dress = EXACT, **other: object) -> Built:
        """The frame with the stream's bytes there, as it is handed over."""
        data = self.sender.clear(first, last)
        flow, seq = turned(self.sender.flow), (self.sender.seq + first) % SEQ
        return build(flow, seq, data, dress, self.rng.randrange(1 << 16))

    def right(self, built: Built, first: int, last: int) -> bytes:
        """The frame as it is to leave."""
        frame = replaced(built, self.sender.stream.wire(first, last))
        return frame[: built.payload + last - first].ljust(len(frame), b"\0")

    def long_record(self, place: int) -> Record:
        """The first from there on that has a hundred bytes of text or more."""
        record = self.sender.record(place)
        while len(record.wire) < record.prefix + 100 + TAG:
            record = self.sender.record(record.end)
        return record

    def hand(self, built: Built | bytes, kind: TxKind = TxKind.ENCRYPT) -> None:
        """Into the queue."""
        frame = built.frame if isinstance(built, Built) else built
        self.monitor.handed(frame, OWN, kind)

    def seek(self, place: int, tag: bytes | None = None, **other: object) -> None:
        """A context that seeks to the record with this place."""
        record = self.sender.record(place)._replace(**other)  # type: ignore[arg-type]
        prefix = record.clear[: record.prefix]
        seq = self.sender.number_at(record)
        self.hand(context(seq, record.number, prefix, tag, seek=True), TxKind.CONTEXT)

    def leaves(self, frame: bytes) -> str:
        """What the monitor says of it; empty if nothing."""
        before = len(self.monitor.broken)
        self.monitor.left(frame)
        return " ".join(self.monitor.broken[before:])


def replaced(built: Built, payload: bytes) -> bytes:
    """The frame with this payload, and right checksums."""
    frame = bytearray(built.frame)
    frame[built.payload : built.payload + len(payload)] = payload
    refix(frame, built)
    return bytes(frame)


@pytest.fixture
def bench() -> Bench:
    rng = Random(seed())
    sender = Sender(rng, random_flow(rng))
    sender.manner = Manner("small", "small")
    sender.record(5000)
    monitor = MacMonitor()
    monitor.added(OWN, sender.stream, sender.seq, sender.number)
    return Bench(monitor, sender, rng)


def test_a_stream_cut_anywhere_passes_as_it_is_to_leave(bench: Bench) -> None:
    first = 0
    while first < 4000:
        last = first + bench.rng.randrange(1, 300)
        built = bench.built(first, last, random_dress(bench.rng))
        if built.frame[built.tcp + 13] & SYN:
            continue
        bench.hand(built)
        assert bench.leaves(bench.right(built, first, last)) == ""
        first = last
    assert bench.monitor.right >= 4000


def test_what_may_leave_as_it_is(bench: Bench) -> None:
    """Plain frames, and such without payload."""
    noise = bench.rng.randbytes(100)
    bench.hand(noise, TxKind.PLAIN)
    assert bench.leaves(noise) == ""
    for flags in (ACK, FIN | ACK, SYN, RST):
        bare = bench.built(10, 10, Dress(flags=flags))
        bench.hand(bare)
        assert bench.leaves(bare.frame) == ""


def test_bytes_behind_the_packet_are_found(bench: Bench) -> None:
    """They leave as zeros, with payload or without, and whatever the host had there."""
    for first, last in ((0, 100), (10, 10)):
        built = bench.built(first, last)
        bench.hand(built.frame + b"text")
        right = bench.right(built, first, last)
        assert "no such frame" in bench.leaves(right + b"text")
        assert bench.leaves(right + bytes(4)) == ""


def test_the_rooms_for_tags_may_hold_anything(bench: Bench) -> None:
    record = bench.sender.record(0)
    built = bench.built(0, record.end)
    for room in (bytes(TAG), b"\xff" * TAG, record.tag):
        handed = replaced(built, record.clear[:-TAG] + room)
        bench.hand(handed)
        assert bench.leaves(bench.right(built, 0, record.end)) == ""


def test_plaintext_is_found(bench: Bench) -> None:
    """The frame as it was; without encryption but a right checksum; one byte in clear."""
    record = bench.sender.record(1000)
    first, last = record.place, record.end
    built = bench.built(first, last)
    right = bench.right(built, first, last)
    bench.hand(built)
    assert "plaintext" in bench.leaves(built.frame)
    assert "plaintext" in bench.leaves(replaced(built, record.clear))
    differ = [n for n, (a, b) in enumerate(zip(record.clear, record.wire, strict=True)) if a != b]
    for at in differ[:: max(1, len(differ) // 50)]:
        payload = bytearray(record.wire)
        payload[at] = record.clear[at]
        assert f"byte {at} of the payload" in bench.leaves(replaced(built, bytes(payload)))
    assert bench.leaves(right) == ""


def test_any_other_byte_is_found(bench: Bench) -> None:
    """Of text, tag and headers, in padding, at the end."""
    first, last = bench.sender.record(1000).place, bench.sender.record(1500).end
    built = bench.built(first, last, Dress(padding=b"\0" * 9))
    right = bench.right(built, first, last)
    bench.hand(built)
    for at in range(len(right)):
        frame = bytearray(right)
        frame[at] ^= 1 << bench.rng.randrange(8)
        assert bench.leaves(bytes(frame)), f"byte {at}"
    assert bench.leaves(right[:-1])
    assert bench.leaves(right + b"\0")
    assert bench.leaves(right) == ""


def test_a_place_shows_one_value(bench: Bench) -> None:
    """Sent again with the keystream of another record, whatever came of it before."""
    record = bench.long_record(500)
    first, last = record.place, record.end
    for again in range(2):
        built = bench.built(first, last)
        bench.seek(first)
        bench.hand(built)
        wire = bench.sender.stream.wire(first, last)
        if again:
            other = wire[:40] + bytes(b ^ 0x55 for b in wire[40:])
            assert bench.leaves(replaced(built, other))
        assert bench.leaves(replaced(built, wire)) == ""


def test_order_and_number(bench: Bench) -> None:
    """Frames do not overtake one another, leave once, and are those that were handed over."""
    cuts = [(0, 100), (100, 200), (200, 300), (300, 400)]
    made = [bench.built(*cut) for cut in cuts]
    one, two, three, four = (bench.right(each, *cut) for each, cut in zip(made, cuts, strict=True))
    for each in made[:3]:
        bench.hand(each)
    assert bench.leaves(two) == ""
    assert "in this order" in bench.leaves(one)
    assert "in this order" in bench.leaves(two)
    assert "in this order" in bench.leaves(four)
    assert bench.leaves(three) == ""
    bench.hand(made[3])
    bench.monitor.settled()
    assert "in this order" in bench.leaves(four)


def test_what_must_not_leave(bench: Bench) -> None:
    """FEED and contexts, however encrypted; what no device can encrypt."""
    built = bench.built(0, 100)
    right = bench.right(built, 0, 100)
    bench.hand(built, TxKind.FEED)
    assert "fed" in bench.leaves(right)
    data = context(bench.sender.seq, bench.sender.number, seek=False)
    bench.hand(data, TxKind.CONTEXT)
    assert bench.leaves(data)
    for flags in (SYN, RST, SYN | ACK):
        opens = bench.built(0, 100, Dress(flags=flags))
        bench.hand(opens)
        assert "SYN or RST" in bench.leaves(bench.right(opens, 0, 100))
    fragment = bytearray(built.frame)
    fragment[built.ip - 2 : built.ip] = b"\x88\xb5"
    bench.hand(bytes(fragment))
    assert "no segment" in bench.leaves(bytes(fragment))
    long = bytes(MAX_FRAME + 1)
    bench.hand(long, TxKind.PLAIN)
    assert "too long" in bench.leaves(long)


def test_wrong_ip_checksum(bench: Bench) -> None:
    rng = bench.rng
    sender = Sender(rng, random_flow(rng)._replace(local=b"\x0a\0\0\1", remote=b"\x0a\0\0\2"))
    bench.sender = sender
    bench.monitor.added(OWN, sender.stream, sender.seq, sender.number)
    built = bench.built(0, 100)
    frame = bytearray(built.frame)
    frame[built.ip + 8] ^= 1  # the hop limit
    bench.hand(bytes(frame))
    left = bytearray(bench.right(built, 0, 100))
    left[built.ip + 8] ^= 1
    assert "checksums" in bench.leaves(bytes(left))


def test_ids_and_flows(bench: Bench) -> None:
    """There is no such connection, or no more, or it has other addresses."""
    built = bench.built(0, 100)
    right = bench.right(built, 0, 100)
    bench.monitor.handed(built.frame, OWN + 1, TxKind.ENCRYPT)
    assert "no such connection" in bench.leaves(right)
    other = Sender(bench.rng, random_flow(bench.rng))
    bench.monitor.added(OWN + 1, other.stream, other.seq, other.number)
    bench.monitor.handed(built.frame, OWN + 1, TxKind.ENCRYPT)
    assert "another connection" in bench.leaves(right)
    bench.monitor.deleted(OWN)
    bench.hand(built)
    assert "no such connection" in bench.leaves(right)
    bench.monitor.reset()
    assert "in this order" in bench.leaves(right)


def test_a_header_that_no_record_can_have(bench: Bench) -> None:
    head = bench.sender.record(bench.sender.record(300).end)
    first, last = head.place - 20, head.end
    built = bench.built(first, last)
    data = bytearray(bench.sender.clear(first, last))
    data[20] = 99
    bench.hand(replaced(built, bytes(data)))
    assert "no record can have" in bench.leaves(bench.right(built, first, last))
    assert bench.monitor.broken
    assert bench.sender.stream.honest


def another_number(bench: Bench) -> None:
    record = bench.sender.record(0)
    data = context(bench.sender.number_at(record), record.number + 1, seek=False)
    bench.hand(data, TxKind.CONTEXT)


def another_place(bench: Bench) -> None:
    bench.monitor.resynced(OWN, bench.sender.seq + 1, bench.sender.number)


def another_text(bench: Bench) -> None:
    record = bench.long_record(0)
    built = bench.built(record.place, record.end)
    data = bytearray(record.clear)
    data[record.prefix + 60] ^= 1
    bench.hand(replaced(built, bytes(data)))


@pytest.mark.parametrize("lie", [another_number, another_place, another_text])
def test_a_host_that_lies_is_not_the_devices_fault(
    bench: Bench, lie: Callable[[Bench], None]
) -> None:
    """What is right is not known any more, but plaintext is."""
    bench.sender.manner = Manner("medium", "small")
    bench.sender.record(20_000)
    record = bench.long_record(19_000)
    first, last = record.place + 20, record.end
    built = bench.built(first, last)
    other = bench.sender.stream.wire(first, last)
    other = bytes(b ^ 0x55 for b in other)
    bench.hand(built)
    assert bench.leaves(replaced(built, other))
    lie(bench)
    bench.hand(built)
    assert bench.leaves(replaced(built, other)) == ""
    bench.hand(built)
    clear = bench.sender.clear(first, last)
    assert "plaintext" in bench.leaves(replaced(built, clear))
    half = bytearray(other)
    half[50:80] = clear[50:80]
    assert "plaintext" in bench.leaves(replaced(built, bytes(half)))


def test_a_seek_is_believed_for_one_frame(bench: Bench) -> None:
    """And if it lies, the connection is as honest as before."""
    record = bench.sender.record(2000)
    first, last = record.place + record.prefix + 1, record.end
    built = bench.built(first, last)
    wire = bench.sender.stream.wire(first, last)
    other = replaced(built, wire[:-3] + bytes(b ^ 0x55 for b in wire[-3:]))
    bench.seek(first, bench.rng.randbytes(TAG))  # another tag
    bench.hand(built)
    assert bench.leaves(other) == ""
    bench.hand(built)
    assert bench.leaves(other)
    bench.monitor.settled()
    bench.seek(first, record.tag)
    bench.hand(built)
    assert bench.leaves(other)
    assert bench.leaves(replaced(built, wire)) == ""
    bench.seek(first, number=record.number + 1)
    bench.hand(built)
    assert bench.leaves(other) == ""
    assert bench.sender.stream.honest
