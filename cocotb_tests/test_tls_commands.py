"""tls_commands: what each command does, in which order, and what it answers.

The test plays the mailbox, the line to the table, the walk's and the verdict's words for it, and
the lane's keys.
"""

from __future__ import annotations

import os
from typing import Any

import cocotb
import pytest
from cocotb.triggers import ClockCycles, RisingEdge

from cocotb_tests.harness import simulate
from cocotb_tests.streams import Gaps, Sink, Source, StreamRules, never, often, rng_of_test, start
from model.regs import Cipher, Direction, Opcode, Reason, TlsVersion

INSERT, REMOVE, QUERY, RESYNC = 1, 2, 3, 4  # tls_ops.vh
PAUSE = 8  # clocks from a frame's last word to its place in line
COMMAND = ("opcode", "version", "cipher", "id", "key", "iv")
PULSES = ("answered", "inserted", "removed", "resynced", "s_key_valid")
KEY = ("slot", "cipher", "key", "iv")
RESYNCS = {Direction.RX: Opcode.RESYNC_RX, Direction.TX: Opcode.RESYNC_TX}
OPCODES = (Opcode.ADD, Opcode.ADD, Opcode.DEL, *RESYNCS.values())
Fields = dict[str, int]
Step = tuple[Any, ...]


class Bench:
    """Gives commands one at a time, and notes what happens, in order."""

    def __init__(self, dut: Any, idle: Gaps = never, stall: Gaps = never) -> None:
        self.dut = dut
        self.conns = len(dut.used)
        self.resync = RESYNCS[Direction(int(os.environ["DIRECTION"]))]
        self.edge = RisingEdge(dut.clk)
        self.rng = rng_of_test("commands")
        self.slow = idle is often
        self.commands = Source(dut, "s_cmd", COMMAND, idle(rng_of_test("idle")))
        self.steps: list[Step] = []
        self.answers: list[tuple[int, int]] = []
        self.used: set[int] = set()
        self.finds = self.collides = self.stale = 0
        self.clock = self.lined = 0  # lined: an entry that frames may be behind, in line
        self.hold = False  # nothing outside comes to an end
        Sink(dut, "m_rsp", ("reason", "id"), self._answer, stall(rng_of_test("answer")))
        Sink(dut, "m_entry", ("op", "id"), self._entry, stall(rng_of_test("entry")))
        Sink(dut, "m_key", KEY, self._key, stall(rng_of_test("key")))
        self.rules = [
            StreamRules(dut, "m_rsp", ("reason", "id")),
            StreamRules(dut, "m_entry", ("op",)),
            StreamRules(dut, "m_key", KEY),
        ]
        self.said: list[str] = []  # names of pulses to give
        self.use()
        for name in (*PULSES, "found", "collides", "stale"):
            getattr(dut, name).value = 0
        cocotb.start_soon(self._others())

    def use(self) -> None:
        """Show which ids are taken."""
        self.dut.used.value = sum(1 << number for number in self.used)

    async def _others(self) -> None:
        """Give the pulses that are due, one after the other, some clocks later."""
        dut, rng = self.dut, rng_of_test("others")
        while True:
            await self.edge
            self.clock += 1
            if not self.said or self.hold or (self.slow and rng.random() < 0.8):
                continue
            name = self.said.pop(0)
            if name == "answered":
                dut.found.value, dut.collides.value = self.finds, self.collides
            if name == "resynced":
                dut.stale.value = self.stale
            getattr(dut, name).value = 1
            self.steps.append((name,))
            await self.edge
            self.clock += 1
            getattr(dut, name).value = 0
            dut.found.value, dut.collides.value = rng.getrandbits(1), rng.getrandbits(1)
            dut.stale.value = rng.getrandbits(1)

    def _entry(self, word: Fields, _: int) -> None:
        op, number = word["op"], word["id"]
        self.steps.append(("entry", op) if op == QUERY else ("entry", op, number))
        if op == INSERT:
            self.used.add(number)
        elif op == REMOVE:
            self.used.discard(number)
        if op in (REMOVE, RESYNC):
            self.lined = self.clock
        self.use()
        said = {QUERY: "answered", INSERT: "inserted", REMOVE: "removed", RESYNC: "resynced"}
        self.said.append(said[op])

    def _key(self, word: Fields, _: int) -> None:
        iv_and_key = (word["key"], word["iv"]) if word["cipher"] else ()
        self.steps.append(("key", word["slot"], word["cipher"], *iv_and_key))
        self.said.append("s_key_valid")

    def _answer(self, word: Fields, _: int) -> None:
        self.steps.append(("answer", word["reason"], word["id"]))

    def some(self, **given: int) -> Fields:
        """A random command."""
        rng = self.rng
        known = sorted(self.used) or [0]
        wild = [rng.choice(known), rng.randrange(self.conns), self.conns, rng.getrandbits(16)]
        far = rng.choice(known) + self.conns * rng.randrange(1, 8)
        return {
            "opcode": rng.choice([*OPCODES, rng.randrange(16)]),
            "version": rng.getrandbits(1),
            "cipher": rng.choice([1, 2, 1, 2, 1, 2, 0, 3]),
            "id": rng.choice([*wild, rng.choice(known), far]),
            "key": rng.getrandbits(256),
            "iv": rng.getrandbits(96),
        } | given

    def expected(self, command: Fields) -> list[Step]:
        """What must happen, from docs/receive.md, 6, and docs/transmit.md, 7."""
        opcode, number = command["opcode"], command["id"]
        if opcode == Opcode.ADD:
            if command["cipher"] in (Cipher.NONE, Cipher.RESERVED):
                return [("answer", Reason.BAD_ARGUMENT, 0)]
            steps: list[Step] = [("entry", QUERY), ("answered",)]
            if self.finds:
                return [*steps, ("answer", Reason.EXISTS, 0)]
            free = sorted(set(range(self.conns)) - self.used)
            if self.collides or not free:
                return [*steps, ("answer", Reason.NO_SPACE, 0)]
            iv = command["iv"]
            if command["version"] == TlsVersion.TLS_1_2:
                iv &= 0xFFFF_FFFF
            key = ("key", free[0], command["cipher"], command["key"], iv)
            entry = ("entry", INSERT, free[0])
            done = ("answer", Reason.OK, free[0])
            return [*steps, key, ("s_key_valid",), entry, ("inserted",), done]
        if opcode == Opcode.DEL:
            if number not in self.used:
                return [("answer", Reason.NO_CONNECTION, number)]
            return [
                ("entry", REMOVE, number),
                ("removed",),
                ("key", number, Cipher.NONE),
                ("s_key_valid",),
                ("answer", Reason.OK, number),
            ]
        if opcode in RESYNCS.values():
            if opcode != self.resync or number not in self.used:
                return [("answer", Reason.NO_CONNECTION, number)]
            reason = Reason.STALE if self.stale else Reason.OK
            return [("entry", RESYNC, number), ("resynced",), ("answer", reason, number)]
        return [("answer", Reason.BAD_ARGUMENT, number)]

    async def do(
        self, command: Fields, *, found: int = 0, collides: int = 0, stale: int = 0
    ) -> list[Step]:
        """Give a command, wait for its answer, and compare all that happened."""
        self.finds, self.collides, self.stale = found, collides, stale
        expected = self.expected(command)
        self.steps = []
        self.commands.send(command)
        while self.dut.s_cmd_valid.value != 1:
            await self.edge
        came = self.clock
        for _ in range(3000):
            if any(step[0] == "answer" for step in self.steps):
                break
            await self.edge
        await ClockCycles(self.dut.clk, self.rng.choice([1, 1, 10]))
        assert self.steps == expected
        assert not self.commands.queue, "it was not taken"
        if ("removed",) in expected or ("resynced",) in expected:
            assert self.lined - came >= PAUSE, "frames that came before may be behind it"
        for rule in self.rules:
            assert not rule.broken, rule.broken
        return expected


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(idle=[never, often], stall=[never, often])
async def commands_do_what_they_should(dut: Any, idle: Gaps, stall: Gaps) -> None:
    """Any of them; the table finds, or sees a collision, now and then."""
    bench = Bench(dut, idle, stall)
    rng = bench.rng
    await start(dut)
    reasons = {
        Reason.OK, Reason.BAD_ARGUMENT, Reason.EXISTS, Reason.NO_SPACE, Reason.NO_CONNECTION,
        Reason.STALE,
    }  # fmt: skip
    seen: set[object] = set()
    done_so_far = 0
    while done_so_far < 120 or seen != reasons:
        done_so_far += 1
        found = int(rng.random() < 0.2)
        collides = int(not found and rng.random() < 0.25)
        stale = rng.getrandbits(1)
        done = await bench.do(bench.some(), found=found, collides=collides, stale=stale)
        seen.add(done[-1][1])


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def ids_are_the_lowest_free(dut: Any) -> None:
    """Until none is; and again as they come free."""
    bench = Bench(dut)
    rng = bench.rng
    await start(dut)
    add = {"opcode": Opcode.ADD, "cipher": 1}
    for number in range(bench.conns):
        done = await bench.do(bench.some(**add))
        assert done[-1] == ("answer", Reason.OK, number)
    for _ in range(12):
        done = await bench.do(bench.some(**add))
        assert done[-1] == ("answer", Reason.NO_SPACE, 0)
        for number in rng.sample(range(bench.conns), rng.randint(1, bench.conns)):
            await bench.do(bench.some(opcode=Opcode.DEL, id=number))
        while len(bench.used) < bench.conns:
            await bench.do(bench.some(**add))


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def an_answer_waits_for_all_that_is_to_be_done(dut: Any) -> None:
    """For the key, the walk and the lane, however long they take."""
    bench = Bench(dut)
    await start(dut)

    async def held(command: Fields, steps: int) -> None:
        """Each word of others, in turn, is kept back for long; nothing happens meanwhile."""
        bench.hold = True
        doing = cocotb.start_soon(bench.do(command))
        for _ in range(steps):
            await ClockCycles(dut.clk, 60)
            before = len(bench.steps)
            await ClockCycles(dut.clk, 60)
            assert len(bench.steps) == before
            assert len(bench.said) == 1
            bench.hold = False
            while bench.said:
                await bench.edge
            bench.hold = True
        bench.hold = False
        await doing

    for _ in range(4):
        add = bench.some(opcode=Opcode.ADD, cipher=2)
        await held(add, 3)
        number = min(bench.used)
        await held(bench.some(opcode=bench.resync, id=number), 1)
        await held(bench.some(opcode=Opcode.DEL, id=number), 2)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def reset_drops_the_command(dut: Any) -> None:
    """In any state of one; the next one is carried out in full."""
    bench = Bench(dut, never, often)
    rng = bench.rng
    await start(dut)
    for _ in range(40):
        doing = bench.some(cipher=1)
        bench.steps = []
        bench.commands.send(doing)
        await ClockCycles(dut.clk, rng.randint(1, 60))
        dut.rst.value = 1
        await bench.edge
        bench.commands.clear()
        bench.said.clear()
        bench.used.clear()
        bench.use()
        await ClockCycles(dut.clk, 3)
        bench.said.clear()
        dut.rst.value = 0
        await bench.edge
        for _ in range(3):
            await bench.do(bench.some())


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def the_other_direction_has_no_connection(dut: Any) -> None:
    """Its RESYNC_* is refused, whatever is in the table, and touches nothing."""
    bench = Bench(dut)
    await start(dut)
    (others,) = set(RESYNCS.values()) - {bench.resync}
    for _ in range(bench.conns):
        await bench.do(bench.some(opcode=Opcode.ADD, cipher=1))
    for number in (*range(bench.conns), bench.conns, 0xFFFF):
        done = await bench.do(bench.some(opcode=others, id=number))
        assert done == [("answer", Reason.NO_CONNECTION, number)]
        await bench.do(bench.some(opcode=bench.resync, id=number))


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize("conns", [4, 64])
def test_tls_commands(conns: int, direction: Direction) -> None:
    parameters = {"CONNS": conns, "DIRECTION": int(direction)}
    simulate("tls_commands", __name__, parameters, env={"DIRECTION": str(int(direction))})
