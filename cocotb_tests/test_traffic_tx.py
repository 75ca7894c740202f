"""The streams, frames and contexts of `cocotb_tests.traffic_tx`."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cocotb_tests.harness import seed
from cocotb_tests.mac_monitor import TAG
from cocotb_tests.traffic import MAX_FRAME, SEQ, Command, Traffic, random_flow
from cocotb_tests.traffic_tx import Items, Manner, Sender, TxControl, TxTraffic, context, turned
from host import packet
from host.device import TxContext
from model.regs import Direction, TlsVersion, TxKind


def rng_of(name: str) -> Random:
    return Random(f"{name}{seed()}")


@pytest.mark.parametrize("number", range(12))
def test_records_open_to_what_is_handed_over(number: int) -> None:
    """By their numbers, with the sender's keys; nonce and AAD from RFC 5288 and RFC 8446."""
    rng = rng_of(f"records {number}")
    sender = Sender(rng, random_flow(rng))
    sender.manner = Manner(rng.choice(("tiny", "small", "most")), "small")
    sender.record(40_000)
    gcm, place, count = AESGCM(sender.key), 0, sender.number
    for record in sender.stream.records:
        assert (record.place, record.number) == (place, count)
        wire, counted = record.wire, count.to_bytes(8)
        size = len(wire) - record.prefix - TAG
        if sender.version is TlsVersion.TLS_1_2:
            assert record.prefix == 13
            nonce = sender.iv[:4] + wire[5:13]
            aad = counted + wire[:3] + size.to_bytes(2)
        else:
            assert record.prefix == 5
            mixed = zip(sender.iv, bytes(4) + counted, strict=True)
            nonce, aad = bytes(a ^ b for a, b in mixed), wire[:5]
        assert wire[: record.prefix] == record.clear[: record.prefix]
        assert len(wire) == len(record.clear) == 5 + int.from_bytes(wire[3:5])
        assert gcm.decrypt(nonce, wire[record.prefix :], aad) == record.clear[record.prefix : -TAG]
        place += len(wire)
        count = (count + 1) % (1 << 64)
    assert place == sender.stream.end > 40_000


def test_what_is_next_is_the_stream_in_order() -> None:
    """And goes the other way than what is received."""
    rng = rng_of("order")
    sender = Sender(rng, random_flow(rng))
    sender.manner = Manner("small", "mixed", bare=0, plain=0)
    made = Items()
    for _ in range(60):
        sender.turn(made, 7, {7: sender})
    place = 0
    for item in made.items:
        assert (item.connection, item.kind) == (7, TxKind.ENCRYPT)
        read = packet.parse(item.frame)
        assert read is not None
        assert read.segment is not None
        assert (read.source, read.segment.source_port) == (
            sender.flow.local,
            sender.flow.local_port,
        )
        assert read.segment.seq == (sender.seq + place) % SEQ
        payload = item.frame[read.segment.start : read.segment.end]
        assert payload == sender.clear(place, place + len(payload))
        place += len(payload)
    assert place == sender.cursor == sender.sent


def test_the_wire_of_any_places() -> None:
    rng = rng_of("places")
    sender = Sender(rng, random_flow(rng))
    sender.manner = Manner("tiny", "small")
    sender.record(3000)
    clear = b"".join(record.clear for record in sender.stream.records)
    wire = b"".join(record.wire for record in sender.stream.records)
    for _ in range(200):
        first = rng.randrange(3000)
        last = rng.randrange(first, 3000)
        assert sender.stream.clear(first, last) == clear[first:last]
        assert sender.stream.wire(first, last) == wire[first:last]
        record = sender.record(first)
        assert record.place <= first < record.end
        assert sender.stream.place((sender.seq + first) % SEQ) == first
    assert sender.stream.at(-1) is None
    assert sender.stream.place((sender.seq - 1) % SEQ) == -1


def test_a_context_is_the_hosts() -> None:
    rng = rng_of("context")
    for seek in (False, True):
        for tag in (None, rng.randbytes(TAG)):
            seq, number, prefix = rng.getrandbits(32), rng.getrandbits(64), rng.randbytes(13)
            made = context(seq, number, prefix, tag, seek=seek)
            assert made == TxContext(seq, number, prefix, seek, tag).pack()


def test_turned_twice_is_the_same() -> None:
    flow = random_flow(rng_of("turned"))
    assert turned(flow).local == flow.remote
    assert turned(turned(flow)) == flow


def steps_of(number: int) -> list[object]:
    """Three bursts, items without their notes, which name the sender."""
    made = TxTraffic(number)
    steps = [step for _ in range(3) for step in made.burst(300)]
    return [(step.items, step.left) if isinstance(step, Items) else step for step in steps]


def test_the_seed_makes_the_traffic() -> None:
    assert steps_of(seed()) == steps_of(seed())
    assert steps_of(seed()) != steps_of(seed() + 1)


def test_no_frame_is_too_long() -> None:
    made = TxTraffic(seed(), longest=300)
    for _ in range(5):
        for step in made.burst(200):
            if isinstance(step, Items):
                assert all(0 < len(item.frame) <= 300 for item in step.items)


def test_commands_are_of_this_direction() -> None:
    """And the switch is turned before anything else."""
    steps = TxTraffic(seed()).burst(2000)
    assert steps[0] == TxControl(True)
    for step in steps:
        if isinstance(step, Command):
            resync = step.opcode == 4
            assert step.direction is Direction.TX or resync
            assert step.opcode in (1, 2, 4)


def test_all_kinds_come_up() -> None:
    """Always the same traffic: what it brings up is certain."""
    kinds: Counter[str] = Counter()
    sizes: Counter[int] = Counter()
    for number in range(12):
        made = TxTraffic(number, received=Traffic(number))
        for _ in range(4):
            for step in made.burst(400):
                if isinstance(step, Items):
                    both = zip(step.items, step.notes, strict=True)
                    kinds.update(f"{item.kind.name} {note.kind}" for item, note in both)
                    sizes.update(len(item.frame) for item in step.items)
    assert len(kinds) >= 60, sorted(kinds)
    assert sizes[60]
    assert sizes[MAX_FRAME]
    assert max(sizes) > MAX_FRAME
