"""tls_gcm, the whole lane: parts against model.gcm, whole records against `cryptography`."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cocotb
import pytest
from cocotb.triggers import ClockCycles
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cocotb_tests.harness import simulate, simulator
from cocotb_tests.lane import LaneBench, Sent, xor
from cocotb_tests.streams import Gaps, never, often, rng_of_test
from model.gcm import BLOCK, MAX_BLOCKS, MAX_INLINE_AAD, MAX_LEN, Cipher, Error, Lane, Part

CONFIGURATIONS = {
    "full": {},
    "shallow": {"ROUND_REGS": 1},
    "small": {"SMALL": 1, "ROUND_REGS": 1},
}
# Icarus needs about a second for a hundred clocks of the full pipeline: there it gets the short
# tests, and the small configuration the others
MOST_AAD = (MAX_BLOCKS - MAX_LEN // BLOCK) * BLOCK  # beside the longest text
SHORT = ("a_record_each_way", "a_key_is_wiped", "bad_parts_are_told_and_nothing_hangs")


def quick() -> bool:
    """Icarus, so fewer rounds."""
    return simulator() == "icarus"


def small() -> bool:
    """A block takes eleven clocks, so fewer of them."""
    return os.environ["SMALL"] == "1"


@dataclass(frozen=True)
class Record:
    """A whole record: what `cryptography` makes of it is the oracle."""

    slot: int
    key: bytes
    iv: bytes
    number: int
    text: bytes
    aad: bytes

    @property
    def nonce(self) -> bytes:
        """12 bytes for GCM."""
        return self.iv[:4] + (int.from_bytes(self.iv[4:]) ^ self.number).to_bytes(8)

    def sealed(self) -> bytes:
        """Ciphertext and tag."""
        return AESGCM(self.key).encrypt(self.nonce, self.text, self.aad)

    def parts(
        self, cuts: list[int], decrypt: bool, aad_cuts: list[int] | None = None
    ) -> list[Part]:
        """The record cut at these bytes."""
        size = len(self.text)
        text = self.sealed()[:size] if decrypt else self.text
        inline = self.aad if len(self.aad) <= MAX_INLINE_AAD else b""

        def part(data: bytes, offset: int, is_aad: bool) -> Part:
            return Part(
                self.slot, decrypt, self.number, size, offset, data, inline, len(self.aad), is_aad
            )

        bounds = sorted({0, size, *cuts})
        parts = [part(text[a:b], a, False) for a, b in pairwise(bounds)] or [part(b"", 0, False)]
        if len(self.aad) > MAX_INLINE_AAD:
            bounds = sorted({0, len(self.aad), *(aad_cuts or [])})
            parts += [part(self.aad[a:b], a, True) for a, b in pairwise(bounds)]
        return parts


def cut_everywhere(size: int) -> Iterator[list[int]]:
    """No cut, every cut into two, and a cut at every byte."""
    yield []
    yield from ([at] for at in range(1, size))
    yield list(range(1, size))


def check_record(record: Record, decrypt: bool, sent: list[Sent]) -> None:
    """Text and tag of a record from what came back of its parts."""
    sealed = record.sealed()
    want = record.text if decrypt else sealed[:-BLOCK]
    got = b"".join(
        bytes(s.text) for s in sorted(sent, key=lambda s: s.part.offset) if not s.part.is_aad
    )
    assert not any(s.error for s in sent)
    assert got == want, f"text of {record}"
    assert xor(*(s.sum or b"" for s in sent)) == sealed[-BLOCK:], f"tag of {record}"


async def keyed(bench: LaneBench, rng: random.Random, count: int) -> list[tuple[bytes, bytes]]:
    """Install so many random keys in slots 0 up; returns key and IV of each."""
    keys = []
    before = len(bench.answers)
    for slot in range(count):
        size = rng.choice([16, 32])
        keys.append((rng.randbytes(size), rng.randbytes(12)))
        bench.install(slot, Cipher(size // 16), *keys[-1])
    await bench.installed(before + count)
    return keys


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_record_each_way(dut: Any) -> None:
    """A TLS 1.2 and a TLS 1.3 record, one encrypted, one decrypted, in two parts each."""
    rng = rng_of_test()
    bench = LaneBench(dut)
    await bench.start()
    keys = await keyed(bench, rng, 2)
    records = [
        Record(0, *keys[0], rng.getrandbits(64), rng.randbytes(40), rng.randbytes(13)),
        Record(1, *keys[1], rng.getrandbits(64), rng.randbytes(33), rng.randbytes(5)),
    ]
    sent = [[bench.send(p) for p in r.parts([21], bool(i))] for i, r in enumerate(records)]
    await bench.drain()
    for i, record in enumerate(records):
        check_record(record, bool(i), sent[i])


@cocotb.test(timeout_time=100, timeout_unit="ms")
@cocotb.parametrize(idle=[never, often], stall=[never, often])
async def parts_match_model(dut: Any, idle: Gaps, stall: Gaps) -> None:
    """Random parts that need not make a record: text, sum and error as the model says."""
    rng = rng_of_test()
    bench = LaneBench(dut, idle, stall)
    model = Lane(bench.slots)
    await bench.start()
    for slot, (key, iv) in enumerate(await keyed(bench, rng, 8)):
        model.install(slot, Cipher(len(key) // 16), key, iv)
    sent = []
    for _ in range(30 if quick() else 300):
        length = rng.choice([0, 1, 15, 16, 17, 64, 200, rng.randint(0, 400)])
        aad_len = rng.choice([0, 5, 13, 16, 17, 40])
        is_aad = rng.random() < 0.1
        offset = rng.randint(0, aad_len if is_aad else length)
        room = (aad_len if is_aad else length) - offset
        slot = rng.randrange(9)  # one more than there are keys
        sent.append(
            bench.send(
                Part(
                    slot,
                    rng.random() < 0.5,
                    rng.getrandbits(64),
                    length,
                    offset,
                    rng.randbytes(rng.choice([room, rng.randint(0, room)])),
                    rng.randbytes(min(aad_len, MAX_INLINE_AAD)),
                    aad_len,
                    is_aad,
                )
            )
        )
    await bench.drain()
    for one in sent:
        want = model.process(one.part)
        assert (one.error, bytes(one.text), one.sum) == (want.error, want.text, want.sum), one


@cocotb.test(timeout_time=200, timeout_unit="ms")
async def any_split_in_any_order_gives_the_same_record(dut: Any) -> None:
    """Every cut into two, one-byte parts, empty AAD and text; parts of all records shuffled.

    Shuffled together, neighbours have different keys, directions and records.
    """
    rng = rng_of_test()
    bench = LaneBench(dut)
    await bench.start()
    keys = await keyed(bench, rng, 16)
    sizes = [0, 1, 2, 15, 16, 17, 33]
    if not (quick() or small()):
        sizes += [31, 32, 48, 65, 80]
    jobs = []
    for size in sizes:
        for aad_len in (0, 5, 13, 16):
            for cuts in cut_everywhere(size):
                slot = rng.randrange(16)
                jobs.append(
                    (
                        Record(
                            slot,
                            *keys[slot],
                            rng.getrandbits(64),
                            rng.randbytes(size),
                            rng.randbytes(aad_len),
                        ),
                        rng.random() < 0.5,
                        cuts,
                    )
                )
    if quick():
        jobs = rng.sample(jobs, 40)
    await shuffled(bench, rng, jobs)


@cocotb.test(timeout_time=200, timeout_unit="ms")
async def long_records_in_random_pieces(dut: Any) -> None:
    """Records up to the longest, cut at random into up to hundreds of parts, long AAD cut too."""
    rng = rng_of_test()
    bench = LaneBench(dut)
    await bench.start()
    keys = await keyed(bench, rng, 16)
    jobs = []
    sizes = [300, 1000] if quick() else [300, 1000, 1447, MAX_LEN]
    if not (quick() or small()):
        sizes += [4096, 16384, 16385]
    for size in sizes:
        slot = rng.randrange(16)
        record = Record(
            slot,
            *keys[slot],
            rng.getrandbits(64),
            rng.randbytes(size),
            rng.randbytes(rng.choice([5, 13, 33, 90])),
        )
        cuts = [rng.randrange(1, size) for _ in range(rng.choice([0, 3, 12, 60, 300]))]
        jobs.append((record, rng.random() < 0.5, cuts))
    await shuffled(bench, rng, jobs)


async def shuffled(
    bench: LaneBench, rng: random.Random, jobs: list[tuple[Record, bool, list[int]]]
) -> None:
    """Send the parts of all records in random order, and check each record."""
    todo = [
        (n, part)
        for n, (record, decrypt, cuts) in enumerate(jobs)
        for part in record.parts(cuts, decrypt, [rng.randrange(len(record.aad) + 1)])
    ]
    rng.shuffle(todo)
    sent: dict[int, list[Sent]] = {}
    for n, part in todo:
        sent.setdefault(n, []).append(bench.send(part))
    await bench.drain()
    for n, (record, decrypt, _) in enumerate(jobs):
        check_record(record, decrypt, sent[n])


@cocotb.test(timeout_time=100, timeout_unit="ms")
@cocotb.parametrize(idle=[never, often], stall=[never, often])
async def keys_change_under_traffic(dut: Any, idle: Gaps, stall: Gaps) -> None:
    """Installations queue up behind one another while other slots work; each is answered once."""
    rng = rng_of_test()
    bench = LaneBench(dut, idle, stall)
    await bench.start()
    steady = await keyed(bench, rng, 2)
    rounds = 2 if quick() else 6 if small() else 12
    for _ in range(rounds):
        before = len(bench.answers)
        fresh = {
            slot: (rng.randbytes(32), rng.randbytes(12)) for slot in rng.sample(range(2, 16), 3)
        }
        for slot, (key, iv) in fresh.items():
            bench.install(slot, Cipher.AES_256_GCM, key, iv)
        # traffic for slots that are not being changed, while they are
        jobs = [
            (Record(s, *steady[s], n, rng.randbytes(70), rng.randbytes(13)), n % 2 == 0, [n + 1])
            for n in range(6)
            for s in (0, 1)
        ]
        await shuffled(bench, rng, jobs)
        await bench.installed(before + 3)
        assert [a[:2] for a in bench.answers[before:]] == [(slot, False) for slot in fresh]
        await shuffled(
            bench,
            rng,
            [(Record(s, *k, 7, rng.randbytes(50), b"12345"), True, [20]) for s, k in fresh.items()],
        )


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_reserved_cipher_is_refused(dut: Any) -> None:
    """Refused with an answer; the slot's key stays."""
    rng = rng_of_test()
    bench = LaneBench(dut)
    await bench.start()
    keys = await keyed(bench, rng, 1)
    bench.install(0, Cipher.RESERVED, rng.randbytes(32), rng.randbytes(12))
    await bench.installed(2)
    assert bench.answers[1][:2] == (0, True)
    record = Record(0, *keys[0], 1, rng.randbytes(20), rng.randbytes(5))
    sent = [bench.send(p) for p in record.parts([], False)]
    await bench.drain()
    check_record(record, False, sent)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_key_is_wiped(dut: Any) -> None:
    """After NONE a part for the slot gets zeros and the reason, never plaintext or keystream."""
    rng = rng_of_test()
    bench = LaneBench(dut)
    await bench.start()
    await keyed(bench, rng, 1)
    bench.install(0, Cipher.NONE, rng.randbytes(32), rng.randbytes(12))
    await bench.installed(2)
    sent = bench.send(Part(0, False, 1, 20, 0, rng.randbytes(20), b"12345", 5))
    await bench.drain()
    assert bench.answers[1][:2] == (0, False)
    assert (sent.error, bytes(sent.text), sent.sum) == (Error.NO_KEY, bytes(20), bytes(16))


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def bad_parts_are_told_and_nothing_hangs(dut: Any) -> None:
    """Parts beyond their record, records beyond the limit; good parts between them are right."""
    rng = rng_of_test()
    bench = LaneBench(dut)
    await bench.start()
    keys = await keyed(bench, rng, 1)
    bad = [
        Part(0, False, 1, 20, 10, rng.randbytes(11)),  # one byte beyond
        Part(0, False, 1, 0, 0, rng.randbytes(1)),
        Part(0, True, 1, 20, 21, b""),  # begins beyond
        Part(0, True, 1, MAX_LEN + 1, 0, rng.randbytes(16)),
        Part(0, False, 1, 16, 0, rng.randbytes(18), b"", 17, is_aad=True),
        Part(0, False, 1, 16, 0, rng.randbytes(16), b"", 16, is_aad=True),  # would count twice
        Part(0, False, 1, MAX_LEN, 0, rng.randbytes(16), b"", MOST_AAD + 1, is_aad=True),
        Part(0, True, 1, MAX_LEN, 0, rng.randbytes(16), b"", 32767),  # powers of H run out
        Part(0, True, 1, 0x7FFF, 0x7FFF, rng.randbytes(5)),
    ]
    good = Record(0, *keys[0], 1, rng.randbytes(20), rng.randbytes(5))
    sent_bad, sent_good = [], []
    for part in bad:
        sent_bad.append(bench.send(part))
        sent_good.append([bench.send(p) for p in good.parts([5], True)])
    await bench.drain()
    for one in sent_bad:
        size = 0 if one.part.is_aad else len(one.part.data)
        assert (one.error, bytes(one.text), one.sum) == (Error.BAD_PART, bytes(size), bytes(16))
    for parts in sent_good:
        check_record(good, True, parts)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def the_furthest_jump_is_right(dut: Any) -> None:
    """The first block of the most AAD and text that a record may have: H^2047."""
    rng = rng_of_test()
    bench = LaneBench(dut)
    model = Lane(bench.slots)
    await bench.start()
    (key, iv) = (await keyed(bench, rng, 1))[0]
    model.install(0, Cipher(len(key) // 16), key, iv)
    part = Part(0, False, 1, MAX_LEN, 0, rng.randbytes(16), b"", MOST_AAD, is_aad=True)
    sent = bench.send(part)
    await bench.drain()
    assert (sent.error, sent.sum) == (Error.NONE, model.process(part).sum)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def a_stream_of_empty_records_holds_nobody_up(dut: Any) -> None:
    """Records of one beat each, as fast as they go in: a key and a sum on its way still get in."""
    rng = rng_of_test()
    bench = LaneBench(dut)
    await bench.start()
    keys = await keyed(bench, rng, 2)
    count = 60 if quick() else 400
    empty = Record(0, *keys[0], 1, b"", rng.randbytes(13))
    long = Record(1, *keys[1], 2, rng.randbytes(1000), rng.randbytes(13))
    sent, halves = [], []
    for n in range(count):
        if n == count // 4:
            halves = [bench.send(part) for part in long.parts([5], True)]
        sent.append([bench.send(part) for part in empty.parts([], True)])
    bench.install(2, Cipher.AES_256_GCM, rng.randbytes(32))
    await bench.installed(3)
    assert len(sent) - bench.open_sums < count // 2, "the key waited for the stream to end"
    await bench.drain()
    check_record(long, True, halves)
    later = [s[0] for s in sent[count // 4 :] if s[0].sum_clock < halves[0].sum_clock]
    assert len(later) < count // 2, "the sum waited for the stream to end"
    for one in sent:
        check_record(empty, True, one)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def a_part_has_one_key_from_end_to_end(dut: Any) -> None:
    """A key that changes while a part of its slot goes in: old key, none or the new one, whole."""
    rng = rng_of_test()
    bench = LaneBench(dut)
    await bench.start()
    size = 100 if quick() else 200 if small() else 600
    text = rng.randbytes(size)
    old, new = rng.randbytes(16), rng.randbytes(32)
    ways = {AESGCM(key).encrypt(bytes(12), text, None)[:size]: key.hex() for key in (old, new)} | {
        bytes(size): "none"
    }
    seen = set()
    for delay in range(0, 40, 9 if quick() else 3):
        before = len(bench.answers)
        bench.install(0, Cipher.AES_128_GCM, old)
        await bench.installed(before + 1)
        sent = [bench.send(Part(0, False, 0, size, 0, text)) for _ in range(8)]
        await ClockCycles(dut.clk, delay)
        bench.install(0, Cipher.AES_256_GCM, new)
        await bench.drain()
        await bench.installed(before + 2)
        for one in sent:
            assert bytes(one.text) in ways, f"a mixture, error {one.error}"
            seen.add(ways[bytes(one.text)])
    assert seen >= {old.hex(), "none"}


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def an_empty_part_adds_nothing(dut: Any) -> None:
    """A part without bytes inside a record has a zero sum; an empty record's only part its tag."""
    rng = rng_of_test()
    bench = LaneBench(dut)
    await bench.start()
    keys = await keyed(bench, rng, 1)
    empty = [bench.send(Part(0, False, 3, 32, at, b"", b"abc", 3)) for at in (0, 1, 16, 31, 32)]
    record = Record(0, *keys[0], 3, b"", rng.randbytes(13))
    sent = [bench.send(p) for p in record.parts([], False)]
    await bench.drain()
    assert all((s.error, s.sum) == (Error.NONE, bytes(16)) for s in empty)
    check_record(record, False, sent)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def a_reset_in_the_middle_starts_clean(dut: Any) -> None:
    """Whatever the lane was doing: after a reset nothing old comes out, and no slot has a key."""
    rng = rng_of_test()
    bench = LaneBench(dut)
    await bench.start()
    for _ in range(3 if quick() else 10):
        keys = await keyed(bench, rng, 2)
        record = Record(1, *keys[1], 1, rng.randbytes(100), rng.randbytes(5))
        for cut in range(1, 30):
            for part in record.parts([cut], True):
                bench.send(part)
        bench.install(3, Cipher.AES_256_GCM, rng.randbytes(32))
        await ClockCycles(dut.clk, rng.randint(1, 150))
        await bench.reset()
        sent = bench.send(Part(1, False, 1, 20, 0, rng.randbytes(20), b"12345", 5))
        await bench.drain()
        assert (sent.error, bytes(sent.text), sent.sum) == (Error.NO_KEY, bytes(20), bytes(16))
    keys = await keyed(bench, rng, 2)
    record = Record(1, *keys[1], 1, rng.randbytes(100), rng.randbytes(5))
    again = [bench.send(part) for part in record.parts([50], True)]
    await bench.drain()
    check_record(record, True, again)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def a_source_that_breaks_the_rules_cannot_hang_the_lane(dut: Any) -> None:
    """Valid withdrawn, payload changed before it is taken: caught; only what is taken counts."""
    rng = rng_of_test()
    bench = LaneBench(dut)
    await bench.start()
    keys = await keyed(bench, rng, 1)
    # a part whose data is offered, changed and withdrawn before the part's word comes
    for value in (1, 2):
        bench.data.signals["tdata"].value = value
        bench.data.valid.value = 1
        await ClockCycles(dut.clk, 3)
    bench.data.valid.value = 0
    await ClockCycles(dut.clk, 3)
    broken = [r for r in bench.rules if r.broken]
    assert [r.name for r in broken] == ["s_axis"]
    assert len(broken[0].broken) == 2  # changed once, withdrawn once
    broken[0].broken.clear()
    bench.data.signals["tdata"].value = 0
    bench.data.forget()
    record = Record(0, *keys[0], 1, rng.randbytes(40), rng.randbytes(5))
    sent = [bench.send(p) for p in record.parts([5], False)]
    await bench.drain()
    check_record(record, False, sent)


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_tls_gcm(configuration: str) -> None:
    if simulator() == "icarus" and configuration == "shallow":
        pytest.skip("the same RTL as full but for its registers: Verilator has it")
    short = SHORT if simulator() == "icarus" and configuration == "full" else None
    parameters = CONFIGURATIONS[configuration]
    env = {"SMALL": str(parameters.get("SMALL", 0))}
    simulate("tls_gcm", __name__, parameters, testcase=short, env=env)
