"""model.csr and the commands of model.tlsnic, against the map in the RDL and docs/receive.md, 6."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from systemrdl.compiler import RDLCompiler
from systemrdl.node import RegNode

from model.csr import BusError, Command, Csr
from model.regs import (
    COUNTERS,
    Addr,
    Answer,
    Cipher,
    Direction,
    IpVersion,
    Opcode,
    Reason,
    TlsVersion,
)
from model.tests.device import ADD_V4, add, counter, fill, ring
from model.tlsnic import Config, Tlsnic

RDL: Final = Path(__file__).parents[2] / "hdl" / "regs" / "tlsnic.rdl"
ALL: Final = 0xFFFF_FFFF
CAPABILITIES: Final[Mapping[int, int]] = {
    addr: 0x0101_0101 * n
    for n, addr in enumerate(
        (
            Addr.CAPS,
            Addr.CAP_CONNECTIONS,
            Addr.CAP_WINDOW,
            Addr.CAP_KEY_SLOTS,
            Addr.CAP_DATA_BYTES,
            Addr.CAP_MAX_FRAME,
            Addr.CAP_EVENT_DEPTH,
        ),
        1,
    )
}


@dataclass(slots=True)
class Word:
    """Masks of a register's word: what reads back what was written; and its value at reset."""

    stored: int = 0
    reset: int = 0


def words() -> dict[int, Word]:
    """Every word of the map, by address."""
    compiler = RDLCompiler()
    compiler.compile_file(str(RDL))
    found: dict[int, Word] = {}
    for node in compiler.elaborate().top.descendants(unroll=True):
        if not isinstance(node, RegNode):
            continue
        for base in range(0, node.get_property("regwidth"), 32):
            address = node.absolute_address + base // 8
            word = found[address] = Word()
            for field in node.fields():
                mask = ((((1 << field.width) - 1) << field.low) >> base) & ALL
                special = field.get_property("singlepulse") or field.get_property("onwrite")
                if field.is_sw_writable and field.is_sw_readable and not special:
                    word.stored |= mask
                reset: Any = field.get_property("reset")
                if reset is None:
                    word.reset = CAPABILITIES[address] & ALL
                else:
                    word.reset |= (reset << field.low) >> base & ALL
    return found


WORDS: Final = words()


class Device:
    """A register file, and the commands that it was given."""

    def __init__(self) -> None:
        self.counters = [0] * COUNTERS
        self.commands: list[Command] = []
        self.answer = (Reason.OK, 0)
        self.csr = Csr(CAPABILITIES, self.counters, self._execute)

    def _execute(self, command: Command) -> tuple[Reason, int]:
        self.commands.append(command)
        return self.answer


# ---- the map ----


def test_reset_values_and_holes() -> None:
    csr = Device().csr
    for address in range(0, 1 << 12):
        if address & ~3 in WORDS:
            assert csr.read(address) == WORDS[address & ~3].reset, hex(address)
        else:
            with pytest.raises(BusError):
                csr.read(address)
            with pytest.raises(BusError):
                csr.write(address, 0)
    for address in (-4, 1 << 12, 1 << 32):
        with pytest.raises(BusError):
            csr.read(address)
    assert csr.read(Addr.ID).to_bytes(4, "little") == b"TLSN"


def test_what_is_written_reads_back_where_it_is_stored_and_nowhere_else() -> None:
    rng = random.Random(1)
    csr = Device().csr
    want = {address: word.reset for address, word in WORDS.items()}
    for _ in range(4):
        for address in rng.sample(sorted(WORDS), len(WORDS)):
            value = rng.getrandbits(32)
            if address == Addr.CMD_DOORBELL:
                value &= ~1
            csr.write(address + rng.randrange(4), value)
            want[address] = want[address] & ~WORDS[address].stored | value & WORDS[address].stored
            assert {a: csr.read(a) for a in WORDS} == want


@pytest.mark.parametrize("value", [-1, 1 << 32])
def test_a_word_has_32_bits(value: int) -> None:
    with pytest.raises(ValueError, match="32 bits"):
        Device().csr.write(Addr.SCRATCH, value)


def test_counters_keep_the_high_word_each_for_itself() -> None:
    device = Device()
    first, second = Addr.RX_TLS_ERR, Addr.EVENT_LOST
    device.counters[(first - 0x200) // 8] = 0x1_FFFF_FFFF
    device.counters[(second - 0x200) // 8] = 0x5_0000_0001
    assert device.csr.read(first + 4) == 0  # nothing was kept yet
    assert device.csr.read(first) == ALL
    device.counters[(first - 0x200) // 8] += 1
    assert device.csr.read(second) == 1
    assert device.csr.read(first + 4) == 1
    assert device.csr.read(second + 4) == 5
    assert (device.csr.read(first), device.csr.read(first + 4)) == (0, 2)
    device.counters[(first - 0x200) // 8] = (1 << 64) + 3
    assert (device.csr.read(first), device.csr.read(first + 4)) == (3, 0)
    assert len(range(0x200, max(WORDS) + 4, 8)) == COUNTERS


# ---- the mailbox ----


def test_a_command_is_what_the_mailbox_said() -> None:
    rng = random.Random(2)
    device = Device()
    for _ in range(50):
        word = {a: rng.getrandbits(32) for a in range(Addr.CMD_OP, Addr.CMD_DOORBELL, 4)}
        for address, value in word.items():
            device.csr.write(address, value)
        device.csr.write(Addr.CMD_DOORBELL, ALL)
        raw = b"".join(value.to_bytes(4, "little") for value in word.values())
        op = word[Addr.CMD_OP]
        assert device.commands.pop() == Command(
            opcode=op & 0xF,
            direction=Direction(op >> 8 & 1),
            version=TlsVersion(op >> 9 & 1),
            ip_version=IpVersion(op >> 10 & 1),
            answer=Answer(op >> 11 & 1),
            cipher=Cipher(op >> 12 & 3),
            connection=word[Addr.CMD_CONNECTION] & 0xFFFF,
            local_addr=raw[8:24],
            remote_addr=raw[24:40],
            local_port=word[Addr.CMD_PORTS] & 0xFFFF,
            remote_port=word[Addr.CMD_PORTS] >> 16,
            seq=word[Addr.CMD_SEQ],
            number=word[Addr.CMD_RECORD_LO] | word[Addr.CMD_RECORD_HI] << 32,
            key=raw[56:88],
            iv=raw[88:100],
        )
        assert not device.commands


def test_the_key_is_wiped_and_the_rest_is_kept() -> None:
    device = Device()
    before = {}
    for address in range(Addr.CMD_OP, Addr.CMD_DOORBELL, 4):
        device.csr.write(address, ALL)
        before[address] = device.csr.read(address)
        if Addr.CMD_KEY <= address < Addr.CMD_DOORBELL:
            assert before[address] == 0
    for n in range(2):
        device.csr.write(Addr.CMD_DOORBELL, 1)
        command = device.commands[n]
        assert command.key == (bytes(32) if n else b"\xff" * 32)
        assert command.iv == (bytes(12) if n else b"\xff" * 12)
        assert command.seq == ALL
        assert {address: device.csr.read(address) for address in before} == before
    assert "key" not in repr(device.commands[0])


def test_the_doorbell_rings_by_bit_0() -> None:
    device = Device()
    device.csr.write(Addr.CMD_DOORBELL, ALL - 1)
    assert not device.commands
    assert device.csr.read(Addr.CMD_STATUS) == 0
    assert device.csr.read(Addr.IRQ_STATUS) == 0


def test_status_and_interrupt() -> None:
    device = Device()
    csr = device.csr
    for reason in Reason:
        device.answer = (reason, 0xA5A5)
        csr.write(Addr.IRQ_ENABLE, 0)
        csr.write(Addr.CMD_DOORBELL, 1)
        assert csr.read(Addr.CMD_STATUS) == 0xA5A5_0002 | reason << 8
        assert csr.read(Addr.IRQ_STATUS) == 1
        assert not csr.irq
        csr.write(Addr.IRQ_ENABLE, 6)
        assert not csr.irq
        csr.write(Addr.IRQ_ENABLE, 1)
        assert csr.irq
        csr.write(Addr.IRQ_STATUS, 6)
        assert csr.irq
        csr.write(Addr.IRQ_STATUS, 1)
        assert not csr.irq
        assert csr.read(Addr.CMD_STATUS) == 0xA5A5_0002 | reason << 8


# ---- the device's commands ----


@pytest.mark.parametrize("config", [Config(), Config(3, 2, 1, 1518)])
def test_capabilities(config: Config) -> None:
    device = Tlsnic(config)
    assert [device.read(address) for address in CAPABILITIES] == [
        0x1F03_0303,
        config.connections,
        config.window,
        config.connections,
        16,
        config.max_frame,
        16,
    ]


def test_add_and_del() -> None:
    device = Tlsnic(Config(connections=2))
    assert add(device) == (Reason.OK, 0)
    assert add(device) == (Reason.EXISTS, 0)
    assert add(device, remote_port=1) == (Reason.OK, 1)
    assert add(device, remote_port=2) == (Reason.NO_SPACE, 0)
    fill(device, CMD_OP=2, CMD_CONNECTION=0)
    assert ring(device) == (Reason.OK, 0)
    assert ring(device) == (Reason.NO_CONNECTION, 0)
    fill(device, CMD_CONNECTION=1)
    fill(device, CMD_OP=2 | 1 << 8)  # the other direction
    assert ring(device) == (Reason.NO_CONNECTION, 1)
    fill(device, CMD_CONNECTION=0xFFFF, CMD_OP=2)
    assert ring(device) == (Reason.NO_CONNECTION, 0xFFFF)
    assert add(device, remote_port=2) == (Reason.OK, 0)
    counts = {
        Addr.RX_TLS_CTX: 3,
        Addr.RX_TLS_DEL: 1,
        Addr.ADD_REFUSED_EXISTS: 1,
        Addr.ADD_REFUSED_NO_SPACE: 1,
        Addr.ADD_REFUSED_BAD_ARGUMENT: 0,
    }
    assert {address: counter(device, address) for address in counts} == counts


def test_the_directions_have_nothing_to_do_with_each_other() -> None:
    device = Tlsnic(Config(connections=2))
    for n in range(2):
        for direction in Direction:
            assert add(device, direction=direction, remote_port=n) == (Reason.OK, n)
            assert add(device, direction=direction, remote_port=n) == (Reason.EXISTS, 0)
    for direction in Direction:
        assert add(device, direction=direction, remote_port=2) == (Reason.NO_SPACE, 0)
    fill(device, CMD_OP=2 | 1 << 8, CMD_CONNECTION=0)
    assert ring(device) == (Reason.OK, 0)
    assert ring(device) == (Reason.NO_CONNECTION, 0)
    assert add(device, direction=Direction.RX, remote_port=2) == (Reason.NO_SPACE, 0)
    assert add(device, direction=Direction.TX, remote_port=2) == (Reason.OK, 0)
    counts = {
        Addr.RX_TLS_CTX: 2,
        Addr.RX_TLS_DEL: 0,
        Addr.TX_TLS_CTX: 3,
        Addr.TX_TLS_DEL: 1,
        Addr.ADD_REFUSED_EXISTS: 4,
        Addr.ADD_REFUSED_NO_SPACE: 3,
    }
    assert {address: counter(device, address) for address in counts} == counts


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("connection", [0, 1, 2, 64, 0xFFFF])
def test_resync_is_for_connections_of_its_own_direction(
    direction: Direction, connection: int
) -> None:
    device = Tlsnic()
    for n in range(2):
        add(device, direction=Direction.RX, remote_port=n)
    add(device, direction=Direction.TX)
    has_rx = direction is Direction.RX and connection < 2
    has_tx = direction is Direction.TX and connection < 1
    fill(device, CMD_CONNECTION=connection, CMD_OP=Opcode.RESYNC_RX | direction << 8)
    assert ring(device) == (Reason.STALE if has_rx else Reason.NO_CONNECTION, connection)
    fill(device, CMD_OP=Opcode.RESYNC_TX | direction << 8)
    assert ring(device) == (Reason.OK if has_tx else Reason.NO_CONNECTION, connection)


@pytest.mark.parametrize("cipher", Cipher)
@pytest.mark.parametrize("direction", Direction)
def test_arguments_of_add(cipher: Cipher, direction: Direction) -> None:
    device = Tlsnic()
    for _ in range(2):  # looked at before whether it exists
        good = cipher in (1, 2)
        reason, connection = add(device, cipher=cipher, direction=direction)
        assert connection == 0
        if not good:
            assert reason is Reason.BAD_ARGUMENT
    bad = counter(device, Addr.ADD_REFUSED_BAD_ARGUMENT)
    assert bad == (0 if good else 2)
    assert counter(device, Addr.ADD_REFUSED_EXISTS) == int(good)


def test_a_bad_argument_comes_before_exists() -> None:
    device = Tlsnic(Config(connections=1))
    add(device)
    assert add(device, cipher=Cipher.NONE) == (Reason.BAD_ARGUMENT, 0)
    assert add(device, remote_port=7, cipher=Cipher.RESERVED) == (Reason.BAD_ARGUMENT, 0)


@pytest.mark.parametrize("opcode", [0, *range(5, 16)])
def test_other_opcodes(opcode: int) -> None:
    device = Tlsnic()
    add(device)
    fill(device, CMD_OP=ADD_V4 & ~0xF | opcode, CMD_CONNECTION=0x1234)
    assert ring(device) == (Reason.BAD_ARGUMENT, 0x1234)
    assert counter(device, Addr.ADD_REFUSED_BAD_ARGUMENT) == 0


def test_ipv4_takes_word_0_of_an_address() -> None:
    device = Tlsnic()
    fill(device, **{f"CMD_LOCAL_ADDR+{4 * n}": ALL for n in range(1, 4)})
    assert add(device) == (Reason.OK, 0)
    fill(device, **{f"CMD_LOCAL_ADDR+{4 * n}": 0 for n in range(1, 4)})
    assert add(device) == (Reason.EXISTS, 0)
    assert add(device, ip_version=IpVersion.IPV6) == (Reason.OK, 1)
    fill(device, **{"CMD_REMOTE_ADDR+12": 1 << 31})
    assert add(device, ip_version=IpVersion.IPV6) == (Reason.OK, 2)
    assert add(device) == (Reason.EXISTS, 0)


def test_there_are_no_events() -> None:
    device = Tlsnic()
    add(device)
    events = (Addr.EVENT_STATUS, Addr.EVENT_TYPE, Addr.EVENT_SEQ, Addr.EVENT_RECORDS)
    assert [device.read(address) for address in events] == [0] * 4
