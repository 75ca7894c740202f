"""tls_gcm_keys: the installed can be read, the wiped is gone, the refused changes nothing.

The test plays the lane's AES and the jump ring, which take their time.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from cocotb_tests.harness import simulate, simulator
from cocotb_tests.streams import Gaps, Sink, Source, StreamRules, never, often, rng_of_test, start
from model import aes, gf128
from model.gcm import Cipher

POWERS = 16
KEY = ("slot", "cipher", "key", "iv")
ANSWER = ("slot", "refused")


@dataclass(frozen=True)
class Read:
    """What the key port gives; of a key for AES-128, its 16 bytes."""

    key: bytes
    iv: bytes
    is256: bool
    usable: bool


@dataclass(frozen=True)
class Install:
    """A key for a slot. `key` fills its field: what follows a short key is noise."""

    slot: int
    cipher: Cipher
    key: bytes
    iv: bytes

    @property
    def read(self) -> Read:
        """What the key port must give when this is installed."""
        if self.cipher is Cipher.NONE:
            return Read(bytes(16), bytes(12), False, False)
        is256 = self.cipher is Cipher.AES_256_GCM
        return Read(self.key[: 32 if is256 else 16], self.iv, is256, True)

    @property
    def h(self) -> int:
        """The hash key; zero after a wipe."""
        wiped = self.cipher is Cipher.NONE
        return 0 if wiped else int.from_bytes(aes.encrypt(self.read.key, bytes(16)))

    @property
    def powers(self) -> list[int]:
        """H^(d * 4^j) at 3 * j + d - 1."""
        exponents = [d * 4**j for j in range(6) for d in (1, 2, 3)][:POWERS]
        return [gf128.power(self.h, k) for k in exponents]


def some(rng: random.Random, slot: int, cipher: Cipher | None = None) -> Install:
    """An installation with random key and IV."""
    if cipher is None:
        cipher = rng.choice([Cipher.AES_128_GCM, Cipher.AES_256_GCM])
    return Install(slot, cipher, rng.randbytes(32), rng.randbytes(12))


class Bench:
    """Installs keys, answers for AES and ring, and reads back."""

    def __init__(self, dut: Any, idle: Gaps = never, stall: Gaps = never) -> None:
        self.dut = dut
        self.slots = 1 << len(dut.rd_slot)
        self.edge = RisingEdge(dut.clk)
        self.keys = Source(dut, "s_key", KEY, idle(rng_of_test("key")))
        self.answers: list[tuple[int, bool]] = []
        self.answer_open = True
        stalls = stall(rng_of_test("answer"))
        Sink(
            dut, "m_key", ANSWER,
            lambda word, _: self.answers.append((word["slot"], bool(word["refused"]))),
            self._stalls(stalls),
        )  # fmt: skip
        self.rules = [
            StreamRules(dut, "s_key", KEY),
            StreamRules(dut, "m_key", ANSWER),
            StreamRules(dut, "h", ("slot",)),
            StreamRules(dut, "cube", ("square", "slot")),
        ]
        self.waiting: list[Install] = []  # sent, not taken
        self.taken: list[Install] = []
        self.taken_at: list[int] = []
        self.asked = 0  # times H was asked for
        self.clock = 0
        for name in ("rd_en", "rd_slot", "h_ready", "h_done", "cube_ready", "cube_done"):
            getattr(dut, name).value = 0
        for name in ("h_block", "cube_value", "hash_addr", "jump_addr"):
            getattr(dut, name).value = 0
        self.hold = ""  # requests of this stream are not taken
        self.stall = stall
        cocotb.start_soon(self._watch())
        self._players: list[Any] = []
        self.play()

    def play(self) -> None:
        """Start as AES and jump ring; again, and they forget what they were asked."""
        for player in self._players:
            player.cancel()
        self.dut.h_done.value = 0
        self.dut.cube_done.value = 0
        self._players = [cocotb.start_soon(part) for part in (self._aes(), self._ring())]

    def _stalls(self, stalls: Iterator[bool]) -> Iterator[bool]:
        for stall in stalls:
            yield stall or not self.answer_open

    async def start(self) -> None:
        """Start the clock and reset."""
        self.dut.s_key_hold.value = 0
        await start(self.dut)

    def send(self, install: Install) -> None:
        """Queue an installation."""
        self.waiting.append(install)
        self.keys.send(
            {
                "slot": install.slot,
                "cipher": int(install.cipher),
                "key": int.from_bytes(install.key),
                "iv": int.from_bytes(install.iv),
            }
        )

    async def install(self, *installs: Install) -> None:
        """Send, and wait for the answers; compare them."""
        before = len(self.answers)
        for install in installs:
            self.send(install)
        while len(self.answers) < before + len(installs):
            await self.edge
        await self.edge
        expected = [(one.slot, one.cipher is Cipher.RESERVED) for one in installs]
        assert self.answers[before:] == expected
        for rule in self.rules:
            assert not rule.broken, rule.broken

    async def _watch(self) -> None:
        dut = self.dut
        while True:
            await self.edge
            self.clock += 1
            if dut.rst.value == 0 and dut.s_key_valid.value == 1 and dut.s_key_ready.value == 1:
                self.taken.append(self.waiting.pop(0))
                self.taken_at.append(self.clock)

    async def _request(self, prefix: str, ready: Iterator[bool]) -> None:
        """Wait until a request is taken; ready comes and goes by itself."""
        valid, port = getattr(self.dut, f"{prefix}_valid"), getattr(self.dut, f"{prefix}_ready")
        while True:
            up = next(ready) and prefix != self.hold
            port.value = int(up)
            await self.edge
            if up and self.dut.rst.value == 0 and valid.value == 1:
                port.value = 0
                return

    async def _answer(self, prefix: str, port: Any, value: int, clocks: int) -> None:
        """Give an answer after so many clocks, for one clock."""
        await ClockCycles(self.dut.clk, clocks)
        done = getattr(self.dut, f"{prefix}_done")
        port.value = value
        done.value = 1
        await self.edge
        done.value = 0
        port.value = rng_of_test("after").getrandbits(128)  # it counts in that clock alone

    async def _aes(self) -> None:
        rng = rng_of_test("aes")
        ready = (not gap for gap in self.stall(rng))
        while True:
            await self._request("h", ready)
            install = self.taken[-1]
            self.asked += 1
            assert self.dut.h_slot.value == install.slot
            # a wiped slot has no key that AES could find H with: whatever comes is no H
            wiped = install.cipher is Cipher.NONE
            block = rng.getrandbits(128) if wiped else install.h
            await self._answer("h", self.dut.h_block, block, rng.choice([1, 3, 45]))

    async def _ring(self) -> None:
        rng = rng_of_test("ring")
        ready = (not gap for gap in self.stall(rng))
        while True:
            await self._request("cube", ready)
            install, square = self.taken[-1], int(self.dut.cube_square.value)
            assert self.dut.cube_slot.value == install.slot
            assert square == gf128.square(install.h)
            # the ring reads H from the slot, where it must be by now
            h = await self.power("jump", install.slot, 0)
            assert h == install.h
            clocks = rng.choice([1, 4, 30])
            await self._answer("cube", self.dut.cube_value, gf128.mul(square, h), clocks)

    async def power(self, port: str, slot: int, index: int) -> int:
        """A stored power, two clocks after its address."""
        getattr(self.dut, f"{port}_addr").value = slot * POWERS + index
        await ClockCycles(self.dut.clk, 3)
        return int(getattr(self.dut, f"{port}_power").value)

    async def powers(self, port: str, slot: int) -> list[int]:
        """All powers of a slot, one address a clock."""
        found = []
        address = getattr(self.dut, f"{port}_addr")
        for index in range(POWERS + 2):
            address.value = slot * POWERS + index % POWERS
            await self.edge
            if index >= 2:
                found.append(int(getattr(self.dut, f"{port}_power").value))
        return found

    def port(self) -> Read:
        """What the key port shows in this clock."""
        dut = self.dut
        is256 = dut.rd_is256.value == 1
        key = int(dut.rd_key.value).to_bytes(32)[: 32 if is256 else 16]
        iv = int(dut.rd_iv.value).to_bytes(12)
        return Read(key, iv, is256, dut.rd_usable.value == 1)

    async def read(self, slot: int) -> Read:
        """A slot's key, two clocks after its number."""
        self.dut.rd_slot.value = slot
        self.dut.rd_en.value = 1
        await ClockCycles(self.dut.clk, 3)
        self.dut.rd_en.value = 0
        return self.port()

    async def check(self, install: Install) -> None:
        """The slot has all that this installation gave it, at every port."""
        assert await self.read(install.slot) == install.read
        for port in ("hash", "jump"):
            assert await self.powers(port, install.slot) == install.powers, f"{port}, {install}"


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(idle=[never, often], stall=[never, often])
async def what_is_installed_can_be_read(dut: Any, idle: Gaps, stall: Gaps) -> None:
    """A key in each slot, most of them twice, wipes and refusals between: the last one counts."""
    rng = rng_of_test()
    bench = Bench(dut, idle, stall)
    await bench.start()
    slots = [*range(bench.slots), *(rng.randrange(bench.slots) for _ in range(bench.slots))]
    installs = [some(rng, slot) for slot in slots]
    installs += [some(rng, slot, Cipher.NONE) for slot in rng.sample(range(bench.slots), 2)]
    installs += [some(rng, slot, Cipher.RESERVED) for slot in rng.sample(range(bench.slots), 3)]
    first, rest = installs[: bench.slots], installs[bench.slots :]
    rng.shuffle(rest)
    await bench.install(*first, *rest)
    kept = {one.slot: one for one in first + rest if one.cipher is not Cipher.RESERVED}
    for install in kept.values():
        await bench.check(install)
    # one H for each but those refused
    assert bench.asked == sum(one.cipher is not Cipher.RESERVED for one in installs)


@cocotb.test(timeout_time=100, timeout_unit="us")
async def a_wipe_leaves_zeros(dut: Any) -> None:
    """Key, IV and all powers, at every port; the other slots keep theirs."""
    rng = rng_of_test()
    bench = Bench(dut)
    await bench.start()
    installs = [some(rng, slot, Cipher.AES_256_GCM) for slot in (1, 3, 2)]
    await bench.install(*installs)
    await bench.install(some(rng, 3, Cipher.NONE))
    assert await bench.read(3) == Read(bytes(16), bytes(12), False, False)
    assert dut.rd_key.value == 0
    for port in ("hash", "jump"):
        assert await bench.powers(port, 3) == [0] * POWERS
    await bench.check(installs[0])
    await bench.check(installs[2])
    await bench.install(again := some(rng, 3))
    await bench.check(again)


@cocotb.test(timeout_time=100, timeout_unit="us")
async def a_refusal_changes_nothing(dut: Any) -> None:
    """In a slot with a key of either size, and in one without; at once, without asking for H."""
    rng = rng_of_test()
    bench = Bench(dut)
    await bench.start()
    installs = [some(rng, 0, Cipher.AES_128_GCM), some(rng, 1, Cipher.AES_256_GCM)]
    await bench.install(*installs)
    asked = bench.asked
    await bench.install(*(some(rng, slot, Cipher.RESERVED) for slot in (0, 1, 2)))
    assert bench.asked == asked
    for install in installs:
        await bench.check(install)
    assert not (await bench.read(2)).usable


@cocotb.test(timeout_time=100, timeout_unit="us")
async def an_installation_waits_while_it_is_held(dut: Any) -> None:
    """A part of the slot is being issued: idle, but not ready, and the slot is as it was."""
    rng = rng_of_test()
    bench = Bench(dut)
    await bench.start()
    await bench.install(old := some(rng, 2))
    dut.s_key_hold.value = 1
    bench.send(new := some(rng, 2))
    for _ in range(20):
        await bench.edge
        assert dut.s_key_ready.value == 0
    assert dut.s_key_idle.value == 1
    assert await bench.read(2) == old.read
    dut.s_key_hold.value = 0
    while len(bench.answers) < 2:
        await bench.edge
        # it counts before an installation is taken, not after
        dut.s_key_hold.value = int(len(bench.taken) == 2)
        assert dut.s_key_idle.value == int(len(bench.taken) < 2 or len(bench.answers) == 2)
    await bench.check(new)


@cocotb.test(timeout_time=100, timeout_unit="us")
async def an_installation_is_offered_a_clock_before_it_is_taken(dut: Any) -> None:
    """s_key_hold answers for the slot of the clock before, so there must have been one."""
    rng = rng_of_test()
    bench = Bench(dut)
    await bench.start()
    for slot in range(4):
        bench.send(some(rng, slot))
    offered = 0
    while len(bench.answers) < 4:
        await bench.edge
        waits = dut.s_key_valid.value == 1 and dut.s_key_idle.value == 1
        assert dut.s_key_ready.value == int(waits and offered == 1)
        offered = offered + 1 if waits else 0


@cocotb.test(timeout_time=100, timeout_unit="us")
@cocotb.parametrize(
    before=[None, Cipher.AES_128_GCM, Cipher.AES_256_GCM],
    cipher=[Cipher.NONE, Cipher.AES_128_GCM, Cipher.AES_256_GCM],
)
async def a_slot_is_unusable_while_it_changes(
    dut: Any, before: Cipher | None, cipher: Cipher
) -> None:
    """From the clock after its installation was taken, to the answer, which may have to wait."""
    rng = rng_of_test()
    bench = Bench(dut, never, often)
    await bench.start()
    if before is not None:
        await bench.install(some(rng, 3, before))
    bench.answer_open = False
    dut.rd_slot.value = 3
    dut.rd_en.value = 1
    await ClockCycles(dut.clk, 5)
    bench.send(some(rng, 3, cipher))
    seen: dict[int, bool] = {}  # by the clock that the slot's number was read in
    answered, clocks = 0, 0
    while not answered or clocks < answered + 20:
        await bench.edge
        clocks = bench.clock
        seen[clocks - 2] = dut.rd_usable.value == 1
        if not answered and dut.m_key_valid.value == 1:
            answered = clocks
    taken = bench.taken_at[-1]
    for clock, usable in seen.items():
        if clock < taken:
            assert usable == (before is not None), f"clock {clock}, taken at {taken}"
        elif taken < clock < answered:
            assert not usable, f"clock {clock}, taken at {taken}, answered at {answered}"
        elif clock > answered:
            assert usable == (cipher is not Cipher.NONE), f"clock {clock}, answered at {answered}"
    bench.answer_open = True
    while len(bench.answers) < len(bench.taken):
        await bench.edge


@cocotb.test(timeout_time=100, timeout_unit="us")
async def a_read_moves_with_rd_en_alone(dut: Any) -> None:
    """Two registers that move together: what is held stays, whatever the number does."""
    rng = rng_of_test()
    bench = Bench(dut)
    await bench.start()
    ciphers = [Cipher.AES_128_GCM, Cipher.AES_256_GCM, Cipher.NONE]
    installs = [some(rng, slot, ciphers[slot % 3]) for slot in range(bench.slots)]
    await bench.install(*installs)
    reads = [one.read for one in installs]
    await bench.read(0)
    middle = out = reads[0]  # its number was there for three clocks: it is in both registers
    for _ in range(200):
        slot, moves = rng.randrange(bench.slots), rng.random() < 0.5
        dut.rd_slot.value = slot
        dut.rd_en.value = int(moves)
        await bench.edge  # sees what the edges before have left
        assert bench.port() == out
        if moves:
            middle, out = reads[slot], middle


@cocotb.test(timeout_time=100, timeout_unit="us")
async def other_slots_are_read_meanwhile(dut: Any) -> None:
    """Every clock of an installation and of a wipe, the others' keys and powers stay right."""
    rng = rng_of_test()
    bench = Bench(dut)
    await bench.start()
    installs = [some(rng, slot) for slot in range(bench.slots)]
    await bench.install(*installs)
    powers = [one.powers for one in installs]
    expected: list[tuple[Read, int]] = []  # of the clocks before
    for install in (some(rng, 0), some(rng, 0, Cipher.NONE)):
        bench.send(install)
    dut.rd_en.value = 1
    while len(bench.answers) < bench.slots + 2:
        slot, index = rng.randrange(1, bench.slots), rng.randrange(POWERS)
        dut.rd_slot.value = slot
        dut.hash_addr.value = slot * POWERS + index
        await bench.edge
        if len(expected) >= 2:
            assert (bench.port(), int(dut.hash_power.value)) == expected[-2]
        expected.append((installs[slot].read, powers[slot][index]))


@cocotb.test(timeout_time=100, timeout_unit="us")
@cocotb.parametrize(where=["h", "cube", "answer"])
async def reset_leaves_no_slot_usable(dut: Any, where: str) -> None:
    """While an installation asks for H or H^3, or answers; after it a key can be installed."""
    rng = rng_of_test()
    bench = Bench(dut)
    await bench.start()
    await bench.install(*(some(rng, slot, Cipher.AES_256_GCM) for slot in range(3)))
    bench.hold, bench.answer_open = where, where != "answer"
    waits = dut.m_key_valid if where == "answer" else getattr(dut, f"{where}_valid")
    bench.send(some(rng, 3, Cipher.AES_256_GCM))
    while waits.value == 0:
        await bench.edge
    await ClockCycles(dut.clk, 30)
    assert waits.value == 1
    dut.rst.value = 1
    bench.play()
    await bench.edge
    dut.rst.value = 0
    bench.hold, bench.answer_open = "", True
    await bench.edge
    assert (dut.s_key_idle.value, dut.m_key_valid.value) == (1, 0)
    assert (dut.h_valid.value, dut.cube_valid.value) == (0, 0)
    for slot in range(bench.slots):
        read = await bench.read(slot)
        assert (read.usable, read.is256) == (False, False)
    await bench.install(again := some(rng, 3), other := some(rng, 1))
    await bench.check(again)
    await bench.check(other)


def test_tls_gcm_keys() -> None:
    # Icarus takes long over each square of H
    simulate("tls_gcm_keys", __name__, {"SLOT_W": 2 if simulator() == "icarus" else 4})
