"""tls_csr against the register map: every register of the RDL, and what is behind them.

The map is elaborated here, from the RDL itself, so that this test and the generated constants that
the RTL uses cannot be wrong together.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge
from systemrdl.compiler import RDLCompiler
from systemrdl.node import RegNode

from cocotb_tests import harness
from cocotb_tests.streams import (
    AxiLite,
    Gaps,
    Sink,
    Source,
    StreamRules,
    never,
    often,
    rng_of_test,
    start,
)
from host.verilate import HDL

OKAY, SLVERR = 0, 2
APERTURE: Final = 1 << 12
ALL: Final = 0xFFFF_FFFF
DEPTH: Final = 4

# Of the RTL under test, named as the registers that show them. Reserved bits of CAPS are set, too.
PARAMETERS: Final = {
    "CAPS": 0x5A5A_5A5A,
    "CAP_CONNECTIONS": 0x0123_4567,
    "CAP_WINDOW": 0x0000_0011,
    "CAP_KEY_SLOTS": 0x0089_ABCD,
    "CAP_DATA_BYTES": 0x0000_0020,
    "CAP_MAX_FRAME": 0x0000_2540,
    "CAP_EVENT_DEPTH": DEPTH,
}

# Field of m_cmd, and the registers or fields it comes from, the lowest first.
COMMAND: Final[Mapping[str, Sequence[str]]] = {
    "opcode": ["CMD_OP.opcode"],
    "direction": ["CMD_OP.direction"],
    "version": ["CMD_OP.version"],
    "ip_version": ["CMD_OP.ip_version"],
    "answer": ["CMD_OP.answer"],
    "cipher": ["CMD_OP.cipher"],
    "id": ["CMD_CONNECTION.id"],
    "local_addr": [f"CMD_LOCAL_ADDR[{n}].bytes" for n in range(4)],
    "remote_addr": [f"CMD_REMOTE_ADDR[{n}].bytes" for n in range(4)],
    "local_port": ["CMD_PORTS.local"],
    "remote_port": ["CMD_PORTS.remote"],
    "seq": ["CMD_SEQ.value"],
    "record": ["CMD_RECORD_LO.value", "CMD_RECORD_HI.value"],
    "key": [f"CMD_KEY[{n}].bytes" for n in range(8)],
    "iv": [f"CMD_IV[{n}].bytes" for n in range(3)],
}
SECRETS: Final = ("key", "iv")
EVENT: Final = ("event", "id", "seq", "records")


# ---- the map ----


@dataclass(slots=True)
class Word:
    """32 bits of a register. Masks: what reads back, is stored, is cleared by 1, starts things."""

    name: str
    address: int
    in_field: int = 0
    readable: int = 0
    stored: int = 0
    cleared: int = 0
    pulsed: int = 0
    reset: int = 0
    is_counter: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a field is."""

    address: int
    lsb: int
    width: int


class Map:
    """The words of the RDL by address, and its fields by name."""

    def __init__(self) -> None:
        compiler = RDLCompiler()
        compiler.compile_file(str(HDL / "regs" / "tlsnic.rdl"))
        self.words: dict[int, Word] = {}
        self.fields: dict[str, Place] = {}
        self.counters: dict[str, int] = {}  # by index
        self.byte_counters: list[str] = []
        for node in compiler.elaborate().top.descendants(unroll=True):
            if isinstance(node, RegNode):
                self._register(node)

    def _register(self, node: RegNode) -> None:
        name = node.get_path_segment()
        for base in range(0, node.get_property("regwidth"), 32):
            address = node.absolute_address + base // 8
            word = self.words[address] = Word(name, address)
            for field in node.fields():
                mask = ((((1 << field.width) - 1) << field.low) >> base) & ALL
                word.in_field |= mask
                word.readable |= mask * field.is_sw_readable
                if field.get_property("singlepulse"):
                    word.pulsed |= mask
                elif field.get_property("onwrite") is not None:
                    word.cleared |= mask
                elif field.is_sw_writable:
                    word.stored |= mask
                reset: Any = field.get_property("reset")
                if reset is None:  # fixed when the device is built
                    reset = PARAMETERS[name] >> field.low & ((1 << field.width) - 1)
                word.reset |= (reset << field.low) >> base & ALL
                word.is_counter = bool(field.get_property("counter"))
                if word.is_counter and base == 0:
                    self.counters[name] = len(self.counters)
                    if field.get_property("incrwidth") is not None:
                        self.byte_counters.append(name)
                place = Place(node.absolute_address, field.low, field.width)
                self.fields[f"{name}.{field.inst_name}"] = place

    def address(self, name: str) -> int:
        """Address of a register."""
        return next(a for a, word in self.words.items() if word.name == name)


MAP: Final = Map()


def fill(word: dict[str, int]) -> dict[int, int]:
    """The mailbox that says this command: value by address."""
    filled: dict[int, int] = {}
    for field, names in COMMAND.items():
        value = word[field]
        for name in names:
            place = MAP.fields[name]
            part = value & ((1 << place.width) - 1)
            filled[place.address] = filled.get(place.address, 0) | part << place.lsb
            value >>= place.width
        assert value == 0, f"{field} does not fit"
    return filled


def random_command(rng: random.Random) -> dict[str, int]:
    """Any value in any field, so that none can take another's place."""
    return {
        field: rng.getrandbits(sum(MAP.fields[name].width for name in names))
        for field, names in COMMAND.items()
    }


# ---- the bench ----


class Bench:
    """The bus master and all streams of tls_csr. `writes` and `reads` keep what was answered."""

    def __init__(self, dut: Any, gaps: Gaps = never, stalls: Gaps = never) -> None:
        self.dut = dut
        self.rng = rng_of_test()
        bus = AxiLite(dut)

        def made(choice: Gaps, name: str) -> Iterator[bool]:
            return choice(rng_of_test(name))

        self.aw = Source(bus, "aw", ("addr", "prot"), made(gaps, "aw"))
        self.w = Source(bus, "w", ("data", "strb"), made(gaps, "w"))
        self.ar = Source(bus, "ar", ("addr", "prot"), made(gaps, "ar"))
        self.writes: list[tuple[int, int]] = []  # response, clock
        self.reads: list[tuple[int, int]] = []  # data, response
        self.posted = 0
        Sink(bus, "b", ("resp",), self._written, made(stalls, "b"))
        Sink(bus, "r", ("data", "resp"), self._read, made(stalls, "r"))
        self.commands: list[dict[str, int]] = []
        self.stall_commands = False
        Sink(dut, "m_cmd", tuple(COMMAND), self._commanded, self._command_stalls(gaps))
        self.rsp = Source(dut, "s_rsp", ("reason", "id"), made(gaps, "rsp"))
        self.event = Source(dut, "s_event", EVENT)
        self.rules = [
            StreamRules(bus, "b", ("resp",)),
            StreamRules(bus, "r", ("data", "resp")),
            StreamRules(dut, "m_cmd", tuple(COMMAND)),
        ]
        dut.s_count.value = 0
        dut.s_count_rx_bytes.value = 0
        dut.s_count_tx_bytes.value = 0

    def _written(self, word: dict[str, int], clock: int) -> None:
        self.writes.append((word["resp"], clock))

    def _read(self, word: dict[str, int], _: int) -> None:
        self.reads.append((word["data"], word["resp"]))

    def _commanded(self, word: dict[str, int], _: int) -> None:
        self.commands.append(word)

    def _command_stalls(self, gaps: Gaps) -> Iterator[bool]:
        for gap in gaps(rng_of_test("cmd")):
            yield gap or self.stall_commands

    async def clocks(self, count: int = 1) -> None:
        """Let time pass."""
        await ClockCycles(self.dut.clk, count)

    def post_write(self, address: int, data: int, strb: int = 0xF) -> None:
        """Start a write; its answer comes to `writes`."""
        self.aw.send({"addr": address, "prot": self.rng.randrange(8)})
        self.w.send({"data": data, "strb": strb})
        self.posted += 1

    def post_read(self, address: int) -> None:
        """Start a read; its answer comes to `reads`."""
        self.ar.send({"addr": address, "prot": self.rng.randrange(8)})
        self.posted += 1

    async def answered(self) -> None:
        """Wait until all that was started has been answered."""
        while self.posted > len(self.writes) + len(self.reads):
            await RisingEdge(self.dut.clk)

    async def try_write(self, address: int, data: int, strb: int = 0xF) -> int:
        """Write, and return the response."""
        self.post_write(address, data, strb)
        await self.answered()
        return self.writes[-1][0]

    async def try_read(self, address: int) -> tuple[int, int]:
        """Read, and return data and response."""
        self.post_read(address)
        await self.answered()
        return self.reads[-1]

    async def write(self, name: str, data: int, strb: int = 0xF) -> None:
        """Write a register."""
        assert await self.try_write(MAP.address(name), data, strb) == OKAY, name

    async def read(self, name: str, offset: int = 0) -> int:
        """Read a register."""
        data, response = await self.try_read(MAP.address(name) + offset)
        assert response == OKAY, name
        return data

    async def field(self, name: str) -> int:
        """Read a field."""
        place = MAP.fields[name]
        data = await self.read(name.partition(".")[0])
        return data >> place.lsb & ((1 << place.width) - 1)

    async def counter(self, name: str) -> int:
        """Read a counter, the low word first."""
        low = await self.read(name)
        return low | await self.read(name, 4) << 32

    async def words(self) -> dict[int, int]:
        """All registers, by address, in random order."""
        found = {}
        for address in self.rng.sample(sorted(MAP.words), len(MAP.words)):
            data, response = await self.try_read(address)
            assert response == OKAY, MAP.words[address]
            found[address] = data
        return found

    async def command(self, word: dict[str, int], *, skip: Sequence[str] = ()) -> None:
        """Fill the mailbox but for the fields in `skip`, in random order, and ring."""
        skipped = {MAP.fields[name].address for field in skip for name in COMMAND[field]}
        filled = list(fill(word).items())
        for address, value in self.rng.sample(filled, len(filled)):
            if address not in skipped:
                assert await self.try_write(address, value) == OKAY
        await self.write("CMD_DOORBELL", 1)

    async def answer(self, reason: int = 0, connection: int = 0) -> None:
        """Answer the command, and wait until the answer was taken."""
        self.rsp.send({"reason": reason, "id": connection})
        while self.rsp.queue:
            await RisingEdge(self.dut.clk)

    async def until_taken(self, count: int) -> None:
        """Wait until so many commands were taken."""
        while len(self.commands) < count:
            await RisingEdge(self.dut.clk)

    async def send_events(self, events: Sequence[Mapping[str, int]]) -> None:
        """Send events back to back, and wait until all were taken."""
        for event in events:
            self.event.send(event)
        while self.event.queue:
            await RisingEdge(self.dut.clk)
        await self.clocks(2)

    async def read_event(self) -> dict[str, int]:
        """Read the three words of an event, the last one last."""
        head = await self.read("EVENT_TYPE")
        seq = await self.read("EVENT_SEQ")
        records = await self.read("EVENT_RECORDS")
        return {"event": head & 0xF, "id": head >> 16, "seq": seq, "records": records}

    def check(self) -> None:
        """No stream broke a rule."""
        for rule in self.rules:
            assert not rule.broken, rule.broken[0]


async def bench(dut: Any, gaps: Gaps = never, stalls: Gaps = never) -> Bench:
    """A bench, clocked and reset."""
    made = Bench(dut, gaps, stalls)
    await start(dut)
    return made


async def reset(dut: Any) -> None:
    """Reset in the middle of things."""
    dut.rst.value = 1
    await ClockCycles(dut.clk, 3)
    dut.rst.value = 0
    await RisingEdge(dut.clk)


def random_events(rng: random.Random, count: int) -> list[dict[str, int]]:
    """Events of which no word is zero, so that none is taken for an empty queue.

    Their `records` differ, so that each is told from the others.
    """
    return [
        {
            "event": rng.randrange(1, 16),
            "id": rng.randrange(1, 1 << 16),
            "seq": rng.randrange(1, 1 << 32),
            "records": records,
        }
        for records in rng.sample(range(1, 1 << 32), count)
    ]


NO_EVENT: Final = dict.fromkeys(EVENT, 0)


def reset_values() -> dict[int, int]:
    """What the map says of every readable bit after reset."""
    return {address: word.reset & word.readable for address, word in MAP.words.items()}


# ---- every register ----


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def reset_values_are_those_of_the_map(dut: Any) -> None:
    b = await bench(dut)
    assert await b.read([*MAP.counters][-1], 4) == 0  # waits until its memory is written
    assert await b.words() == reset_values()
    magic = await b.read("ID")
    assert magic.to_bytes(4, "little") == b"TLSN"

    # again, after everything was something else
    for word in MAP.words.values():
        await b.try_write(word.address, ALL & ~word.pulsed)
    await b.send_events(random_events(b.rng, DEPTH + 1))
    dut.s_count.value = (1 << len(MAP.counters)) - 1
    await b.clocks(5)
    dut.s_count.value = 0
    for name in MAP.counters:  # high words would be kept
        await b.counter(name)
    await b.write("CMD_DOORBELL", 1)
    await b.until_taken(1)
    assert await b.words() != reset_values()
    await reset(dut)
    assert await b.words() == reset_values()
    assert dut.m_irq.value == 0
    b.check()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def fields_have_the_access_of_the_map(dut: Any) -> None:
    b = await bench(dut, often, often)
    want = reset_values()
    for _ in range(4):
        for address in b.rng.sample(sorted(MAP.words), len(MAP.words)):
            word = MAP.words[address]
            for strb in [0xF, b.rng.randrange(16)]:
                data = b.rng.getrandbits(32) & ~word.pulsed
                unaligned = address + b.rng.randrange(4)
                assert await b.try_write(unaligned, data, strb) == OKAY, word
                written = sum(0xFF << 8 * n for n in range(4) if strb >> n & 1)
                written &= word.stored & word.readable
                want[address] = want[address] & ~written | data & written
                got = await b.try_read(address + b.rng.randrange(4))
                assert got == (want[address], OKAY), word
        assert await b.words() == want  # and no write had an effect elsewhere
    b.check()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def each_byte_can_be_written_alone(dut: Any) -> None:
    b = await bench(dut)
    for address, word in MAP.words.items():
        mask = word.stored & word.readable
        if not mask:
            continue
        for background in (0, ALL):
            for strb in range(16):
                assert await b.try_write(address, background) == OKAY
                assert await b.try_write(address, ALL ^ background, strb) == OKAY
                lanes = bytes(0xFF if strb >> n & 1 else 0 for n in range(4))
                want = (background ^ int.from_bytes(lanes, "little")) & mask
                got = await b.try_read(address)
                assert got == (want, OKAY), f"{word.name}, strobes {strb:04b}"
    b.check()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def where_no_register_is_is_slverr(dut: Any) -> None:
    b = await bench(dut)
    await b.write("SCRATCH", b.rng.getrandbits(32))
    before = await b.words()
    for address in range(0, APERTURE, 4):
        if address not in MAP.words:
            byte = address + b.rng.randrange(4)
            assert await b.try_write(byte, b.rng.getrandbits(32)) == SLVERR, f"{byte:#x}"
            assert await b.try_read(byte) == (0, SLVERR), f"{byte:#x}"
    assert await b.words() == before
    assert not b.commands
    b.check()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def switches_follow_ctrl(dut: Any) -> None:
    b = await bench(dut)
    names = [name for name in MAP.fields if name.startswith("CTRL.")]
    for _ in range(20):
        values = {name: b.rng.getrandbits(1) for name in names}
        await b.write("CTRL", sum(values[name] << MAP.fields[name].lsb for name in names))
        for name, value in values.items():
            assert getattr(dut, f"m_{name.partition('.')[2]}").value == value, name


# ---- the bus ----


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(gaps=[never, often], stalls=[never, often])
async def accesses_may_come_in_any_order(dut: Any, gaps: Gaps, stalls: Gaps) -> None:
    b = await bench(dut, gaps, stalls)
    free = [a for a, word in MAP.words.items() if word.stored & word.readable]
    fixed = [a for a, word in MAP.words.items() if not word.stored and not word.is_counter]
    holes = [a for a in range(0, APERTURE, 4) if a not in MAP.words]
    want = reset_values()
    responses, answers = [], []
    for _ in range(300):
        address = b.rng.choice(free) if b.rng.random() < 0.9 else b.rng.choice(holes)
        data, strb = b.rng.getrandbits(32), b.rng.randrange(16)
        b.post_write(address, data, strb)
        responses.append(OKAY if address in want else SLVERR)
        if address in want:
            written = sum(0xFF << 8 * n for n in range(4) if strb >> n & 1)
            written &= MAP.words[address].stored
            want[address] = want[address] & ~written | data & written
        address = b.rng.choice(fixed) if b.rng.random() < 0.9 else b.rng.choice(holes)
        b.post_read(address)
        answers.append((want[address], OKAY) if address in want else (0, SLVERR))
    await b.answered()
    assert [response for response, _ in b.writes] == responses
    assert b.reads == answers
    assert await b.words() == want
    orders = Counter((a > w) - (a < w) for a, w in zip(b.aw.when, b.w.when, strict=True))
    if gaps is often:
        assert all(orders[order] > 0 for order in (-1, 0, 1)), orders
    elif stalls is never:  # the rates that the RTL's header tells
        for source in (b.aw, b.w):
            assert source.when == list(range(source.when[0], source.when[-1] + 1, 2))
        posted = b.ar.when[: len(answers)]
        assert posted == list(range(posted[0], posted[-1] + 1, 2))
    b.check()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_read_sees_what_was_answered_before(dut: Any) -> None:
    b = await bench(dut)
    for _ in range(50):
        data = b.rng.getrandbits(32)
        await b.write("SCRATCH", data)
        assert await b.read("SCRATCH") == data


# ---- commands ----


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(gaps=[never, often])
async def a_command_arrives_whole_and_is_answered(dut: Any, gaps: Gaps) -> None:
    b = await bench(dut, gaps)
    await b.write("IRQ_ENABLE", 1 << MAP.fields["IRQ_ENABLE.command_done"].lsb)
    for n in range(12):
        word = random_command(b.rng)
        reason, connection = b.rng.randrange(16), b.rng.getrandbits(16)
        assert dut.m_irq.value == 0
        await b.command(word)
        await b.until_taken(n + 1)
        assert b.commands[-1] == word
        assert await b.field("CMD_STATUS.busy") == 1
        assert await b.field("CMD_STATUS.done") == 0
        assert await b.field("IRQ_STATUS.command_done") == 0
        await b.answer(reason, connection)
        assert await b.field("CMD_STATUS.busy") == 0
        assert await b.field("CMD_STATUS.done") == 1
        assert await b.field("CMD_STATUS.reason") == reason
        assert await b.field("CMD_STATUS.id") == connection
        assert await b.field("CMD_STATUS.ignored") == 0
        assert dut.m_irq.value == 1
        await b.write("IRQ_STATUS", 1 << MAP.fields["IRQ_STATUS.command_done"].lsb)
        await b.clocks(2)
    assert len(b.commands) == 12
    b.check()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_command_under_way_is_left_alone(dut: Any) -> None:
    b = await bench(dut)
    for n in range(6):
        word = random_command(b.rng)
        b.stall_commands = True
        await b.command(word)
        for taken in (False, True):  # offered, then taken and not yet answered
            if taken:
                b.stall_commands = False
                await b.until_taken(n + 1)
            assert await b.field("CMD_STATUS.ignored") == int(taken)
            await b.write("CMD_DOORBELL", 0)  # does not ring
            await b.write("CMD_DOORBELL", 1, 0xE)  # nor does this
            await b.write("CMD_SEQ", 0, 0x0)  # writes nothing
            assert await b.field("CMD_STATUS.ignored") == int(taken)
            if n % 2:
                await b.write("CMD_DOORBELL", 1)
            else:
                for address in fill(word):
                    assert await b.try_write(address, b.rng.getrandbits(32)) == OKAY
            assert await b.field("CMD_STATUS.ignored") == 1
        await b.answer()
        assert await b.field("CMD_STATUS.ignored") == 1
        assert b.commands[n:] == [word]
        # nothing of what was written arrived: the same again, without writing anything
        await b.write("CMD_DOORBELL", 1)
        assert await b.field("CMD_STATUS.ignored") == 0
        await b.until_taken(n + 2)
        assert b.commands.pop() == word | dict.fromkeys(SECRETS, 0)
        await b.answer()
    b.check()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def an_answer_waits_for_its_command(dut: Any) -> None:
    b = await bench(dut)
    b.rsp.send({"reason": 5, "id": 77})
    await b.clocks(10)
    assert b.rsp.queue
    assert await b.field("CMD_STATUS.done") == 0
    b.stall_commands = True
    await b.command(random_command(b.rng))
    await b.clocks(10)
    assert b.rsp.queue
    b.stall_commands = False
    await b.until_taken(1)
    await b.clocks(3)
    assert not b.rsp.queue
    assert await b.field("CMD_STATUS.reason") == 5
    assert await b.field("CMD_STATUS.id") == 77


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def keys_are_never_read_and_wiped_when_taken(dut: Any) -> None:
    b = await bench(dut)
    # words that no other register has; random ones are another's now and then
    word = dict.fromkeys(COMMAND, 0)
    word |= {"key": int.from_bytes(range(0x80, 0xA0)), "iv": int.from_bytes(range(0xA0, 0xAC))}
    secrets = {
        value
        for address, value in fill(word).items()
        if any(MAP.fields[name].address == address for field in SECRETS for name in COMMAND[field])
    }

    async def nothing_shows() -> None:
        for address in range(0, APERTURE, 4):
            data, _ = await b.try_read(address)
            assert data not in secrets, f"{address:#x} shows a word of the key or IV"

    b.stall_commands = True
    await b.command(word)
    await nothing_shows()  # while the mailbox holds them
    b.stall_commands = False
    await b.until_taken(1)
    await b.clocks(1)
    assert dut.m_cmd_key.value == 0  # from the clock after
    assert dut.m_cmd_iv.value == 0
    await nothing_shows()
    await b.answer()
    assert b.commands[0] == word

    # the next command has none of them, whatever it is
    other = random_command(b.rng)
    await b.command(other, skip=SECRETS)
    await b.until_taken(2)
    assert b.commands[1] == other | dict.fromkeys(SECRETS, 0)
    await b.answer()

    # and reset wipes what no command took
    for address, value in fill(word).items():
        await b.try_write(address, value)
    await reset(dut)
    await b.write("CMD_DOORBELL", 1)
    await b.until_taken(3)
    assert b.commands[2] == dict.fromkeys(COMMAND, 0)
    b.check()


# ---- events and interrupts ----


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def events_come_in_order_and_the_newest_are_lost(dut: Any) -> None:
    b = await bench(dut)
    waiting: deque[dict[str, int]] = deque()
    lost = 0
    lost_bit = 1 << MAP.fields["IRQ_STATUS.event_lost"].lsb
    assert await b.read_event() == NO_EVENT
    for n in range(40):
        sent = random_events(b.rng, b.rng.randrange(DEPTH + 3) if n else DEPTH + 2)
        first = len(b.event.when)
        await b.send_events(sent)
        when = b.event.when[first:]
        assert when == list(range(when[0], when[0] + len(sent))) if sent else not when
        fit = sent[: DEPTH - len(waiting)]
        waiting += fit
        lost += len(sent) - len(fit)
        assert await b.field("EVENT_STATUS.waiting") == len(waiting)
        assert await b.field("EVENT_STATUS.lost") == (len(fit) < len(sent))
        assert await b.field("IRQ_STATUS.event_lost") == (len(fit) < len(sent))
        await b.write("IRQ_STATUS", lost_bit)
        assert await b.field("EVENT_STATUS.lost") == 0
        for _ in range(b.rng.randrange(DEPTH + 2)):
            want = waiting.popleft() if waiting else NO_EVENT
            for _ in range(b.rng.randrange(3)):  # only the last word takes it off
                assert await b.read("EVENT_TYPE") == want["event"] | want["id"] << 16
                assert await b.read("EVENT_SEQ") == want["seq"]
            assert await b.read_event() == want
    assert lost > 0
    assert await b.counter("event_lost") == lost
    b.check()


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(gaps=[never, often])
async def events_are_read_while_they_come(dut: Any, gaps: Gaps) -> None:
    b = await bench(dut, gaps, gaps)
    sent = random_events(b.rng, 150)
    got: list[dict[str, int]] = []
    left = deque(sent)
    while len(got) < len(sent):
        for _ in range(min(b.rng.randrange(3), len(left))):
            if len(sent) - len(left) - len(got) < DEPTH:
                b.event.send(left.popleft())
        if (event := await b.read_event()) != NO_EVENT:
            assert event == sent[len(got)]
            got.append(event)
    assert await b.read_event() == NO_EVENT
    assert await b.field("EVENT_STATUS.waiting") == 0
    assert await b.counter("event_lost") == 0
    b.check()


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(waiting=[0, 1, DEPTH])
async def an_event_may_come_in_any_clock_of_a_read(dut: Any, waiting: int) -> None:
    b = await bench(dut)
    lost = 0
    for delay in range(12):
        events = random_events(b.rng, waiting + 1)
        await b.send_events(events[:waiting])
        b.post_read(MAP.address("EVENT_RECORDS"))
        await b.clocks(delay)
        await b.send_events(events[waiting:])
        await b.answered()
        popped = b.reads[-1][0]
        assert popped in ([event["records"] for event in events[:1]] + [0] * (waiting == 0))
        left = [event for event in events if event["records"] != popped]
        lost_before, lost = lost, await b.counter("event_lost")
        if lost > lost_before:
            left.pop()
        assert await b.field("EVENT_STATUS.waiting") == len(left)
        for event in left:
            assert await b.read_event() == event
        assert await b.read_event() == NO_EVENT
    assert 0 < lost < 12 if waiting == DEPTH else lost == 0


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def interrupts_stay_until_cleared(dut: Any) -> None:
    b = await bench(dut)
    bits = {n: 1 << MAP.fields[f"IRQ_STATUS.{n}"].lsb for n in ("command_done", "event_lost")}
    available = 1 << MAP.fields["IRQ_STATUS.event_available"].lsb
    everything = sum(bits.values()) | available

    await b.command(random_command(b.rng))
    await b.answer()
    await b.send_events(random_events(b.rng, DEPTH + 1))
    for enable in range(8):
        await b.write("IRQ_ENABLE", enable)
        await b.clocks(2)
        assert dut.m_irq.value == int(bool(enable & everything))

    assert await b.read("IRQ_STATUS") == everything
    await b.write("IRQ_STATUS", 0)
    await b.write("IRQ_STATUS", ALL, 0xE)  # not the byte they are in
    assert await b.read("IRQ_STATUS") == everything
    await b.write("IRQ_STATUS", bits["event_lost"])
    assert await b.read("IRQ_STATUS") == everything & ~bits["event_lost"]
    await b.write("IRQ_STATUS", bits["command_done"] | available)
    assert await b.read("IRQ_STATUS") == available  # events still wait
    for _ in range(DEPTH):
        await b.read_event()
    assert await b.read("IRQ_STATUS") == available
    await b.write("IRQ_STATUS", available)
    assert await b.read("IRQ_STATUS") == 0
    await b.clocks(2)
    assert dut.m_irq.value == 0


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def what_happens_while_it_is_cleared_is_not_missed(dut: Any) -> None:
    b = await bench(dut)
    lost_bit = 1 << MAP.fields["IRQ_STATUS.event_lost"].lsb
    await b.send_events(random_events(b.rng, DEPTH))
    distances = []
    for delay in range(8):
        b.post_write(MAP.address("IRQ_STATUS"), lost_bit)
        await b.clocks(delay)
        await b.send_events(random_events(b.rng, 1))
        # the edge that cleared is the one before that at which its answer was taken
        distances.append(b.event.when[-1] - (b.writes[-1][1] - 1))
        want = int(distances[-1] >= 0)
        assert await b.field("IRQ_STATUS.event_lost") == want, distances[-1]
        await b.write("IRQ_STATUS", lost_bit)
    assert {-1, 0, 1} <= set(distances), distances


# ---- counters ----


class Pulses:
    """Drives the counter inputs, a clock at a time, and keeps the sums."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.sums = dict.fromkeys(MAP.counters, 0)

    async def drive(self, count: int, rx_bytes: int, tx_bytes: int, clocks: int = 1) -> None:
        """The same for some clocks, then nothing."""
        self.dut.s_count.value = count
        self.dut.s_count_rx_bytes.value = rx_bytes
        self.dut.s_count_tx_bytes.value = tx_bytes
        received, *sent = MAP.byte_counters
        steps = {received: rx_bytes} | dict.fromkeys(sent, tx_bytes)
        for name, index in MAP.counters.items():
            if count >> index & 1:
                self.sums[name] += clocks * steps.get(name, 1)
        await ClockCycles(self.dut.clk, clocks)
        self.dut.s_count.value = 0


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def counters_count_what_came(dut: Any) -> None:
    b = await bench(dut, often, often)
    pulses = Pulses(dut)
    everyone = (1 << len(MAP.counters)) - 1
    for index in range(len(MAP.counters)):  # each alone, some more often than others
        await pulses.drive(1 << index, 1000 + index, 2000 + index, 1 + index % 5)
    for name in MAP.counters:
        assert await b.counter(name) == pulses.sums[name], name
    for _ in range(300):
        density = b.rng.choice([everyone, b.rng.getrandbits(64), 0])
        count = b.rng.getrandbits(64) & density & everyone
        await pulses.drive(count, b.rng.getrandbits(16), b.rng.getrandbits(16))
    for name in b.rng.sample(sorted(MAP.counters), len(MAP.counters)):
        assert await b.counter(name) == pulses.sums[name], name
    b.check()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def counters_lose_nothing_at_full_rate(dut: Any) -> None:
    """All inputs at their highest in every clock, while the host reads as fast as it can."""
    b = await bench(dut)
    await b.counter("rx_tls_ctx")  # the first round is over
    pulses = Pulses(dut)
    everyone = (1 << len(MAP.counters)) - 1
    running = cocotb.start_soon(pulses.drive(everyone, 0xFFFF, 0xFFFF, 3000))
    before = 0
    while not running.done():
        for _ in range(20):
            b.post_read(MAP.address(b.rng.choice(sorted(MAP.counters))))
        now = await b.counter("rx_tls_ctx")
        assert now > before
        before = now
        assert max(after - ar for ar, after in pairwise(b.ar.when[-20:])) <= 14  # 12 and the bus
    for name in MAP.counters:
        assert await b.counter(name) == pulses.sums[name], name
    b.check()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def a_counter_read_low_then_high_is_of_one_moment(dut: Any) -> None:
    """A byte counter each way goes over 2^32; one is read meanwhile."""
    b = await bench(dut)
    rx, tx, _ = MAP.byte_counters
    both = 1 << MAP.counters[rx] | 1 << MAP.counters[tx]
    step, tx_step = 0xFFFF, 0xFFF1
    pulses = Pulses(dut)
    await pulses.drive(both, step, tx_step, (1 << 32) // step - 40)
    for name in (rx, tx):
        assert await b.counter(name) == pulses.sums[name] < 1 << 32
    running = cocotb.start_soon(pulses.drive(both, step, tx_step, 400))
    values: list[int] = []
    while not running.done():
        low = await b.read(rx)
        await b.clocks(b.rng.randrange(20) if values else 60)  # the first pair over the carry
        await b.counter("rx_tls_ctx")  # has a high word of its own
        values.append(low | await b.read(rx, 4) << 32)
        assert values[-1] % step == 0  # a torn pair is no multiple
    assert values == sorted(set(values))
    assert values[0] < 1 << 32 < values[-1]

    assert await b.read(tx, 4) == 0  # kept from its last read
    for name in (rx, tx):
        assert await b.counter(name) == pulses.sums[name] > 1 << 32
    await reset(dut)
    for name in (rx, tx):
        assert await b.read(name, 4) == 0
        assert await b.counter(name) == 0
    b.check()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def counters_count_from_the_first_clock(dut: Any) -> None:
    b = await bench(dut)
    everyone = (1 << len(MAP.counters)) - 1
    for clocks in (1, 100, 160, 170, 180, 400):
        await reset(dut)
        pulses = Pulses(dut)
        running = cocotb.start_soon(pulses.drive(everyone, 0xFFFF, 0x1234, clocks))
        for name in b.rng.sample(sorted(MAP.counters), 5):
            await b.counter(name)
        await running
        for name in MAP.counters:
            assert await b.counter(name) == pulses.sums[name], name
    b.check()


def test_tls_csr() -> None:
    harness.simulate("tls_csr", __name__, PARAMETERS)
