"""The device when the record boundary is lost: events, RESYNC_RX, trials with real tags.

Docs/receive.md, 4 to 7, and docs/registers.md; frames of scapy, records of `cryptography`. What
`Bench` checks of every frame holds here too: it leaves as it came, or with its plaintext.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import pytest

from model.csr import EVENT_DEPTH, Csr
from model.regs import (
    COUNTERS,
    Addr,
    Answer,
    Counter,
    Direction,
    Event,
    Opcode,
    Reason,
    RxPass,
    TlsVersion,
)
from model.tests import device as driver
from model.tests.records import SEQ, Sender, Stream, cuts, opened, sender, stream
from model.tests.test_rx import Bench, segment
from model.tlsnic import Tlsnic

V12, V13 = TlsVersion.TLS_1_2, TlsVersion.TLS_1_3
NONE, OUT_OF_SYNC = RxPass.NONE, RxPass.OUT_OF_SYNC
RX_ENABLE, AVOID_PARTIALS, SELF_CONFIRM = 1, 1 << 8, 1 << 9
COMMAND_DONE, AVAILABLE, LOST = 1, 2, 4
REQUEST, WITHDRAWN = Event.RESYNC_REQUEST, Event.RESYNC_WITHDRAWN


def resync(
    device: Tlsnic,
    seq: int,
    answer: Answer = Answer.ACCEPT,
    number: int = 0,
    connection: int = 0,
    direction: Direction = Direction.RX,
) -> tuple[Reason, int]:
    """RESYNC_RX; reason and id of its answer."""
    driver.fill(
        device,
        CMD_OP=Opcode.RESYNC_RX | direction << 8 | answer << 11,
        CMD_CONNECTION=connection,
        CMD_SEQ=seq % SEQ,
        CMD_RECORD_LO=number & 0xFFFF_FFFF,
        CMD_RECORD_HI=number >> 32 & 0xFFFF_FFFF,
    )
    return driver.ring(device)


def events(device: Tlsnic) -> list[tuple[Event, int, int, int]]:
    """Drain the queue: kind, connection, sequence number, records of each."""
    drained = []
    while kind := device.read(Addr.EVENT_TYPE):
        waiting = device.read(Addr.EVENT_STATUS) & 0xFFFF
        seq, records = device.read(Addr.EVENT_SEQ), device.read(Addr.EVENT_RECORDS)
        drained.append((Event(kind & 0xF), kind >> 16, seq, records))
        assert device.read(Addr.EVENT_STATUS) & 0xFFFF == waiting - 1
    return drained


def bench_of(
    version: TlsVersion, sizes: Sequence[int], key: int = 16, number: int = 0, **fields: Any
) -> Bench:
    """A device, and records for it: all of the type that those of TLS 1.3 have."""
    rng = random.Random(f"{version} {sizes}")
    peer = sender(rng, version, key)
    made = stream(rng, peer, number, sizes, [23] * len(sizes))
    return Bench(peer, made, number=number, **fields)


def lost_bench(version: TlsVersion = V13, number: int = 0, **fields: Any) -> Bench:
    """A device whose boundary is lost: of the first record only a part came; it asks nothing."""
    b = bench_of(version, [1000] * 40, number=number, **fields)
    assert b.part(0, 500) is NONE
    first = b.stream.starts[20] + 100
    assert b.part(first, first + 50) is OUT_OF_SYNC
    assert driver.counter(b.device, Addr.RX_SYNC_LOST) == 1
    return b


# ---- the event queue ----


class Queue:
    """A register file with its event queue."""

    def __init__(self) -> None:
        self.counters = [0] * COUNTERS
        self.csr = Csr({}, self.counters, lambda command: (Reason.OK, 0))

    def read(self, *addrs: Addr) -> list[int]:
        """Registers."""
        return [self.csr.read(addr) for addr in addrs]


WORDS: Final = (Addr.EVENT_TYPE, Addr.EVENT_SEQ, Addr.EVENT_RECORDS)


def test_events_leave_in_order_with_the_read_of_their_last_word() -> None:
    queue = Queue()
    assert queue.read(Addr.EVENT_STATUS, *WORDS) == [0, 0, 0, 0]
    queue.csr.tell(REQUEST, 0xABCD, 0xFFFF_FFF0, 7)
    queue.csr.tell(WITHDRAWN, 3, 5, 0)
    for _ in range(3):
        assert queue.read(Addr.EVENT_STATUS, Addr.EVENT_TYPE) == [2, 0xABCD_0001]
        assert queue.read(Addr.EVENT_SEQ) == [0xFFFF_FFF0]
    assert queue.csr.read(Addr.EVENT_RECORDS + 3) == 7  # any of its four addresses
    assert queue.read(Addr.EVENT_STATUS, *WORDS) == [1, 3 << 16 | 2, 5, 0]
    assert queue.read(Addr.EVENT_STATUS, *WORDS) == [0, 0, 0, 0]
    queue.csr.tell(REQUEST, 1, 2, 3)
    assert queue.read(Addr.EVENT_STATUS, *WORDS) == [1, 1 << 16 | 1, 2, 3]


def test_an_event_that_finds_the_queue_full_is_lost() -> None:
    queue = Queue()
    assert EVENT_DEPTH == 16
    for n in range(EVENT_DEPTH):
        queue.csr.tell(REQUEST, n, n, n)
        assert queue.read(Addr.IRQ_STATUS, Addr.EVENT_STATUS) == [AVAILABLE, n + 1]
    for n in range(3):
        queue.csr.tell(REQUEST, 99, 99, 99)
        assert queue.read(Addr.IRQ_STATUS, Addr.EVENT_STATUS) == [AVAILABLE | LOST, 1 << 16 | 16]
        assert queue.counters[Counter.EVENT_LOST] == n + 1
    assert [queue.read(*WORDS)[1:] for _ in range(3)] == [[n, n] for n in range(3)]
    queue.csr.tell(REQUEST, 1, 55, 0)
    assert queue.read(Addr.EVENT_STATUS) == [1 << 16 | 14]
    queue.csr.write(Addr.IRQ_STATUS, LOST)
    assert queue.read(Addr.IRQ_STATUS, Addr.EVENT_STATUS) == [AVAILABLE, 14]
    assert [queue.read(*WORDS)[1] for _ in range(14)] == [*range(3, 16), 55]
    assert queue.counters[Counter.EVENT_LOST] == 3


def test_the_interrupt_of_events_stays_while_some_wait() -> None:
    queue = Queue()
    csr = queue.csr
    csr.write(Addr.IRQ_ENABLE, AVAILABLE)
    csr.tell(REQUEST, 1, 2, 3)
    csr.tell(REQUEST, 1, 2, 3)
    for _ in range(2):
        assert csr.irq
        csr.write(Addr.IRQ_STATUS, 7)
        assert csr.irq
        assert queue.read(Addr.IRQ_STATUS) == [AVAILABLE]
        csr.read(Addr.EVENT_RECORDS)
    assert csr.irq  # drained, not cleared
    csr.write(Addr.IRQ_STATUS, LOST)
    assert csr.irq
    csr.write(Addr.IRQ_STATUS, AVAILABLE)
    assert not csr.irq
    csr.read(Addr.EVENT_RECORDS)
    assert queue.read(Addr.IRQ_STATUS, Addr.EVENT_STATUS) == [0, 0]
    csr.write(Addr.IRQ_ENABLE, LOST)
    for _ in range(EVENT_DEPTH):
        csr.tell(REQUEST, 1, 2, 3)
        assert not csr.irq
    csr.tell(REQUEST, 1, 2, 3)
    assert csr.irq


# ---- the host is asked, and answers ----


@pytest.mark.parametrize("version", [V12, V13])
def test_a_request_comes_with_its_frame_and_as_an_event(version: TlsVersion) -> None:
    b = lost_bench(version)
    starts = b.stream.starts
    b.part(starts[25] - 40, starts[25] + 100)
    assert b.asked == [starts[25]]
    b.part(starts[26] - 40, starts[28] + 100)
    assert b.asked == [starts[25]]
    seq = (b.seq + starts[25]) % SEQ
    assert events(b.device) == [(REQUEST, 0, seq, 0)]
    assert resync(b.device, seq, number=25) == (Reason.OK, 0)
    assert events(b.device) == []
    # the records that were followed are passed, the last of them is open
    assert b.part(starts[28] + 100, starts[30]) is NONE
    assert b.part(starts[30], starts[31]) is NONE
    b.check_counters(rx_sync_lost=1, rx_tls_resync_res_ok=1)


def test_events_name_the_connection_and_count_the_records() -> None:
    device = Tlsnic()
    device.write(Addr.CTRL, RX_ENABLE)
    v4: dict[str, Any] = {"local_addr": b"\xc6\x33\x64\x07", "remote_addr": b"\xc0\x00\x02\x01"}
    for n in range(3):
        assert driver.add(device, seq=100 * n, remote_port=n + 1, **v4) == (Reason.OK, n)
    header = b"\x17\3\3\0\x20" + bytes(0x20)
    for n in (2, 0, 1):
        frame = segment(50_000 + n, header * (n + 1) + bytes(3), remote_port=n + 1)
        out, descriptor = device.receive(frame)
        assert out == frame
        assert descriptor.connection == n
        assert (descriptor.resync_request, descriptor.resync_seq) == (True, 50_000 + n)
    assert events(device) == [(REQUEST, n, 50_000 + n, n) for n in (2, 0, 1)]
    # withdrawn by a record at the boundary, or by none where the chain goes on
    device.receive(segment(100, header, remote_port=2))
    device.receive(segment(50_002 + 3 * 37, bytes(13), remote_port=3))
    assert events(device) == [(WITHDRAWN, 1, 50_001, 0), (WITHDRAWN, 2, 50_002, 0)]


def test_a_deleted_connection_withdraws_nothing_and_its_events_stay() -> None:
    b = lost_bench()
    start = b.stream.starts[25]
    b.part(start, start + 100)
    driver.fill(b.device, CMD_OP=Opcode.DEL, CMD_CONNECTION=0)
    assert driver.ring(b.device) == (Reason.OK, 0)
    assert resync(b.device, start) == (Reason.NO_CONNECTION, 0)
    assert events(b.device) == [(REQUEST, 0, start, 0)]


def test_one_that_is_added_anew_knows_of_no_search() -> None:
    b = lost_bench()
    starts = b.stream.starts
    b.part(starts[25], starts[26] + 7)
    driver.fill(b.device, CMD_OP=Opcode.DEL, CMD_CONNECTION=0)
    driver.ring(b.device)
    added = driver.add(
        b.device,
        local_addr=b"\xc6\x33\x64\x07",
        remote_addr=b"\xc0\x00\x02\x01",
        seq=starts[25],
        number=25,
    )
    assert added == (Reason.OK, 0)
    assert resync(b.device, starts[26]) == (Reason.STALE, 0)
    wire = b.stream.wire
    _, descriptor = b.device.receive(segment(starts[26] + 7, wire[starts[26] + 7 :][:50]))
    assert descriptor.reason is OUT_OF_SYNC  # the chain is not there
    assert not descriptor.resync_request


def test_answers_and_what_is_counted() -> None:
    b = lost_bench()
    starts = b.stream.starts
    assert b.part(starts[25], starts[25] + 100) is OUT_OF_SYNC
    cases: Sequence[tuple[dict[str, Any], Reason, int, int]] = [
        ({"connection": 1}, Reason.NO_CONNECTION, 0, 0),
        ({"connection": 0xFFFF}, Reason.NO_CONNECTION, 0, 0),
        ({"direction": Direction.TX}, Reason.NO_CONNECTION, 0, 0),
        ({"seq": starts[25] + 1}, Reason.STALE, 0, 1),
        ({"seq": starts[25] + 1, "answer": Answer.REJECT}, Reason.STALE, 0, 1),
        ({"answer": Answer.REJECT}, Reason.OK, 0, 1),
        ({"answer": Answer.REJECT}, Reason.STALE, 0, 1),
        ({}, Reason.STALE, 0, 1),
        ({"seq": starts[26], "number": 26}, Reason.OK, 1, 0),
        ({"seq": starts[27], "number": 27}, Reason.STALE, 0, 1),
    ]
    good = bad = 0
    for fields, reason, ok, skip in cases:
        answer = resync(b.device, **{"seq": starts[25], **fields})
        assert answer == (reason, fields.get("connection", 0))
        good, bad = good + ok, bad + skip
        b.check_counters(rx_sync_lost=1, rx_tls_resync_res_ok=good, rx_tls_resync_res_skip=bad)
    assert events(b.device) == [(REQUEST, 0, starts[25], 0)]  # a reject tells nothing
    assert b.part(starts[26], starts[27] + 10) is NONE


@pytest.mark.parametrize("number", [2**64 - 3, 2**32 - 1, 0])
@pytest.mark.parametrize("seq", [SEQ - 26_000, SEQ // 2 - 26_000, 5])
@pytest.mark.parametrize("version", [V12, V13])
def test_numbers_of_both_kinds_wrap(version: TlsVersion, seq: int, number: int) -> None:
    first = (number - 27) % (1 << 64)
    b = lost_bench(version, number=first, seq=seq)
    starts = b.stream.starts
    for n in range(22, 29):
        assert b.part(starts[n] - 20, starts[n] + 30) is OUT_OF_SYNC
    seq = (b.seq + b.asked[0]) % SEQ
    assert resync(b.device, seq, number=(first + 22) % (1 << 64)) == (Reason.OK, 0)
    assert b.part(starts[28] + 30, starts[32]) is NONE
    assert b.part(starts[28] + len_of_prefix(version), starts[28] + 30) is NONE  # and its tag
    b.check_counters(rx_sync_lost=1, rx_tls_resync_res_ok=1)


def len_of_prefix(version: TlsVersion) -> int:
    """Of a record."""
    return 13 if version is V12 else 5


def test_a_wrong_number_is_a_wrong_tag() -> None:
    b = lost_bench()
    starts = b.stream.starts
    b.part(starts[25], starts[25] + 100)
    assert resync(b.device, starts[25], number=24) == (Reason.OK, 0)
    # the chain is passed at once: of record 25 only what comes now was taken
    frame = segment(starts[26], b.stream.wire[starts[26] : starts[27]])
    out, descriptor = b.device.receive(frame)
    assert (out, descriptor.reason) == (frame, RxPass.BAD_TAG)
    assert driver.counter(b.device, Addr.RX_TLS_ERR) == 1


def test_avoid_partials_holds_for_what_a_chain_opened() -> None:
    for avoid in (False, True):
        b = lost_bench(avoid_partials=avoid)
        starts = b.stream.starts
        b.part(starts[25], starts[25] + 100)
        resync(b.device, starts[25], number=25)
        assert b.part(starts[25] + 100, starts[25] + 200) is (RxPass.PARTIAL if avoid else NONE)
        assert b.part(starts[25] + 200, starts[26] + 20) is NONE


def test_disabled_changes_nothing() -> None:
    b = lost_bench()
    start = b.stream.starts[25]
    b.part(start, start + 7)
    b.device.write(Addr.CTRL, 0)
    _, descriptor = b.device.receive(segment(start + 7, b.stream.wire[start + 7 :][:50]))
    assert descriptor.reason is RxPass.DISABLED
    b.device.write(Addr.CTRL, RX_ENABLE)
    b.part(start + 7, start + 50)
    assert b.asked == [start]


# ---- trials ----


@pytest.mark.parametrize("version", [V12, V13])
@pytest.mark.parametrize("first", [0, 1000, 2**64 - 10])
@pytest.mark.parametrize("ahead", [1, 2, 31, 62, 63, 64])
def test_a_trial_finds_its_number_among_64(version: TlsVersion, first: int, ahead: int) -> None:
    """The boundary is at record `first`; the trial is as many records ahead."""
    b = bench_of(version, [300] * 80, number=first)
    b.device.write(Addr.CTRL, RX_ENABLE | SELF_CONFIRM)
    starts = b.stream.starts
    b.send(25_000, b"x")  # lost
    for n in (ahead, ahead + 1):
        for a, z in ((0, 60), (60, 200), (200, starts[1])):
            b.part(starts[n] + a, starts[n] + z)
    proved = ahead < 64
    # record `first` is 0 ahead: number to number + 63
    assert driver.counter(b.device, Addr.RX_SYNC_SELF) == proved
    assert b.part(starts[ahead + 2], starts[ahead + 3]) is (NONE if proved else OUT_OF_SYNC)
    b.check_counters(rx_sync_lost=1, rx_sync_self=int(proved))


@pytest.mark.parametrize("key", [16, 32])
@pytest.mark.parametrize("version", [V12, V13])
def test_a_trial_in_one_frame_with_others(version: TlsVersion, key: int) -> None:
    b = bench_of(version, [1000, 1000, 20, 0, 30, 100, 400, 400], key)
    b.device.write(Addr.CTRL, RX_ENABLE | SELF_CONFIRM)
    starts = b.stream.starts
    b.send(25_000, b"x")
    assert b.part(starts[2] - 100, starts[6] + 100) is OUT_OF_SYNC
    assert b.part(starts[6] + 100, starts[7]) is NONE  # and its tag is right
    b.check_counters(rx_sync_lost=1, rx_sync_self=1)


@pytest.mark.parametrize("version", [V12, V13])
def test_any_bit_of_a_trial_s_record_that_is_wrong_is_a_failure(version: TlsVersion) -> None:
    rng = random.Random(2)
    peer = sender(rng, version, 16)
    made = stream(rng, peer, 5, [300] * 2 + [30] * 6, [23] * 8)
    start, end = made.starts[2], made.starts[3]
    for at in range(start + 5, end, 3):
        wire = bytearray(made.wire)
        wire[at] ^= 1 << rng.randrange(8)
        b = Bench(peer, replace(made, wire=bytes(wire)), number=5)
        b.device.write(Addr.CTRL, RX_ENABLE | SELF_CONFIRM)
        b.send(50_000, b"x")
        assert b.part(start, end + 1) is OUT_OF_SYNC
        assert driver.counter(b.device, Addr.RX_SYNC_SELF) == 0
        assert driver.counter(b.device, Addr.RX_TLS_ERR) == 0  # it was no record yet
        assert b.part(end + 1, made.starts[4]) is OUT_OF_SYNC  # another trial
        assert driver.counter(b.device, Addr.RX_SYNC_SELF) == 1
        assert b.part(made.starts[4], made.starts[5]) is NONE


def test_false_headers_fail_and_the_host_is_asked_about_what_goes_on() -> None:
    """A text full of what looks like headers of 21 bytes each."""
    b = bench_of(V13, [500] * 2)
    b.device.write(Addr.CTRL, RX_ENABLE | SELF_CONFIRM)
    false = b"\x17\3\3\0\x10" + bytes(16)
    b.send(50_000, bytes(100))
    for n in range(3):
        b.send(60_000 + 100 * n, false + bytes(20))  # made, tried, dropped where nothing follows
    assert b.asked == []
    b.send(70_000, false + false)
    assert b.asked == [70_000]
    assert resync(b.device, 70_000, Answer.REJECT) == (Reason.OK, 0)
    b.check_counters(rx_sync_lost=1, rx_tls_resync_res_skip=1)


# ---- anything ----


def scenario(rng: random.Random, made: Stream) -> Iterator[tuple[int, int]]:
    """Segments of a stream that are lost, late, doubled and cut anew."""
    loss, disorder = rng.choice([0, 0.01, 0.05, 0.2]), rng.choice([0, 0, 2, 6])
    sizes = rng.choice([range(1, 120), range(50, 300), range(1448, 1449), range(1, 1449)])
    segments = list(cuts(rng, len(made.wire), sizes))
    hole = range(0)
    if rng.random() < 0.8:  # one that is mostly longer than a record
        first = rng.randrange(made.starts[8])
        hole = range(first, made.starts[10] - rng.randrange(3000))
    order = sorted(range(len(segments)), key=lambda n: n + rng.uniform(0, disorder))
    for n in order:
        first, last = segments[n]
        if rng.random() < loss or first in hole:
            continue
        yield first, last
        if rng.random() < 0.03:
            yield max(0, first - rng.randrange(100)), last
    if rng.random() < 0.3:  # and all of it once more
        yield from segments


def tricky(rng: random.Random, peer: Sender, number: int, sizes: Sequence[int]) -> Stream:
    """Records with headers of records in their ciphertext: their texts are chosen so."""
    wire, plain, starts = b"", b"", []
    for n, size in enumerate(sizes):
        nth, explicit = (number + n) % (1 << 64), rng.randbytes(8)
        text = bytearray(rng.randbytes(size))
        prefix = len_of_prefix(peer.version)
        keystream = peer.seal(nth, 23, bytes(size), explicit)[prefix:]
        for _ in range(rng.choice([0, 0, 1, 3]) if size > 50 else 0):
            header = b"\x17\3\3" + rng.choice([24, 40, 300, 5000, 16000]).to_bytes(2)
            at = rng.randrange(size - 5)
            text[at : at + 5] = bytes(a ^ k for a, k in zip(header, keystream[at:], strict=False))
        record = peer.seal(nth, 23, bytes(text), explicit)
        starts.append(len(wire))
        wire += record
        plain += opened(peer.version, record, bytes(text))
    return Stream(wire, plain, tuple(starts))


@pytest.mark.parametrize("version", [V12, V13])
@pytest.mark.parametrize("seed", range(40))
def test_whatever_comes_and_whatever_is_answered(version: TlsVersion, seed: int) -> None:
    """`Bench.part` checks each frame; here: nothing is decrypted twice, no tag is wrong.

    Answers are true, if sometimes late, or to what was not asked; texts have false headers in
    them. Then the rest of the stream comes in order, answered at once: at last all is decrypted.
    """
    rng = random.Random(seed)
    peer = sender(rng, version, 16)
    some = [rng.choice([0, 1, 16, 100, 700, 700, 3000]) for _ in range(23)]
    sizes = [*some[:8], 16384, 9000, *some[8:], *[900] * 60]
    number, seq = rng.choice([0, 2**64 - 30]), rng.choice([0, SEQ - 50_000, rng.randrange(SEQ)])
    made = tricky(rng, peer, number, sizes)
    b = Bench(peer, made, seq=seq, number=number)
    avoid, confirm = rng.random() < 0.3, rng.random() < 0.5
    b.device.write(Addr.CTRL, RX_ENABLE | avoid * AVOID_PARTIALS | confirm * SELF_CONFIRM)
    decrypted: set[int] = set()
    replies = rng.choice([0.02, 0.3, 1])

    def send(first: int, last: int) -> RxPass:
        reason = b.part(first, last)
        if reason is NONE:
            assert decrypted.isdisjoint(range(first, last))
            decrypted.update(range(first, last))
        return reason

    def reply(others: Sequence[int] = ()) -> None:
        places = [*b.asked[-3:], *others]
        b.asked.clear()
        for place in places:
            if place in made.starts:
                record = number + made.starts.index(place)
                resync(b.device, seq + place, number=record % (1 << 64))
            else:
                resync(b.device, seq + place, Answer.REJECT)

    middle = made.starts[25]
    for first, last in scenario(rng, replace(made, wire=made.wire[:middle])):
        send(first, last)
        if rng.random() < replies:
            reply(rng.sample(made.starts[:25], rng.choice([0, 0, 1])))
    reply()
    reasons = []
    for first, last in cuts(rng, len(made.wire) - middle, range(1200, 1449)):
        reasons.append(send(middle + first, middle + last))
        reply()
    assert set(reasons[-10:]) == {NONE}
    assert driver.counter(b.device, Addr.RX_TLS_ERR) == 0
