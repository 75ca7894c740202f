"""The registers: what a read gives and what a write does. Model of hdl/tls_csr.v.

The map is docs/registers.md. Here a command is carried out within the write to the doorbell, so
none is ever under way and no write to the mailbox is ever ignored: `busy` and `ignored` are 0.
Whole words are written; the bus can also write bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from model import regs
from model.regs import (
    Addr,
    Answer,
    Cipher,
    Counter,
    Direction,
    Event,
    IpVersion,
    Reason,
    TlsVersion,
)

WORD: Final = 0xFFFF_FFFF
EVENT_DEPTH: Final = 16
BLOCKS: Final = (  # without a gap in any
    range(regs.BLOCK_IDENTITY_FIRST, regs.BLOCK_IDENTITY_LAST + 4),
    range(regs.BLOCK_CAPABILITIES_FIRST, regs.BLOCK_CAPABILITIES_LAST + 4),
    range(regs.BLOCK_CONTROL_FIRST, regs.BLOCK_CONTROL_LAST + 4),
    range(regs.BLOCK_COMMAND_FIRST, regs.BLOCK_COMMAND_LAST + 4),
    range(regs.BLOCK_EVENTS_FIRST, regs.BLOCK_EVENTS_LAST + 4),
    range(regs.BLOCK_COUNTERS_FIRST, regs.BLOCK_COUNTERS_LAST + 4),
)
CMD_KEY: Final = range(Addr.CMD_KEY, Addr.CMD_KEY + 4 * regs.CMD_KEY_WORDS, 4)
CMD_IV: Final = range(Addr.CMD_IV, Addr.CMD_IV + 4 * regs.CMD_IV_WORDS, 4)
MAILBOX: Final = range(Addr.CMD_OP, Addr.CMD_DOORBELL, 4)
EVENT: Final = (Addr.EVENT_TYPE, Addr.EVENT_SEQ, Addr.EVENT_RECORDS)
COUNTERS: Final = range(regs.BLOCK_COUNTERS_FIRST, regs.BLOCK_COUNTERS_LAST + 4)
# What of a register is kept when it is written; nothing of those that are not here.
KEPT: Final[Mapping[int, int]] = {
    **dict.fromkeys(MAILBOX, WORD),
    Addr.CTRL: regs.CTRL_MASK,
    Addr.IRQ_ENABLE: regs.IRQ_ENABLE_MASK,
    Addr.SCRATCH: WORD,
    Addr.CMD_OP: regs.CMD_OP_MASK,
    Addr.CMD_CONNECTION: regs.CMD_CONNECTION_MASK,
}


class BusError(Exception):
    """No register is at this address: the bus answers SLVERR."""


@dataclass(frozen=True, slots=True)
class Command:
    """What the mailbox said when the doorbell rang. The opcode is any number of 4 bits."""

    opcode: int
    direction: Direction
    version: TlsVersion
    ip_version: IpVersion
    answer: Answer
    cipher: Cipher
    connection: int
    local_addr: bytes
    remote_addr: bytes
    local_port: int
    remote_port: int
    seq: int
    number: int
    key: bytes = field(repr=False)
    iv: bytes = field(repr=False)


class Csr:
    """The register file.

    Args:
        capabilities: the registers that are fixed when the device is built, by address.
        counters: the bank, which others count in.
        execute: carries a command out, and has the reason and id of the answer.
    """

    def __init__(
        self,
        capabilities: Mapping[int, int],
        counters: list[int],
        execute: Callable[[Command], tuple[Reason, int]],
    ) -> None:
        self._words: dict[int, int] = {
            Addr.ID: regs.ID_RESET,
            Addr.VERSION: regs.VERSION_RESET,
            **capabilities,
        }
        self._counters = counters
        self._high = [0] * len(counters)  # as kept when the low word was read
        self._execute = execute
        self._events: deque[tuple[int, int, int]] = deque()  # the words of each

    @property
    def ctrl(self) -> int:
        """The switches."""
        return self._words.get(Addr.CTRL, 0)

    @property
    def irq(self) -> bool:
        """The interrupt."""
        return bool(self._words.get(Addr.IRQ_STATUS, 0) & self._words.get(Addr.IRQ_ENABLE, 0))

    def read(self, addr: int) -> int:
        """Read a word; BusError where there is none."""
        addr = _aligned(addr)
        if addr in COUNTERS:
            counter, is_high = divmod((addr - COUNTERS.start) // 4, 2)
            if is_high:
                return self._high[counter]
            value = self._counters[counter]
            self._high[counter] = value >> 32 & WORD
            return value & WORD
        if addr in CMD_KEY or addr in CMD_IV:
            return 0
        if addr == Addr.EVENT_STATUS:
            lost = bool(self._words.get(Addr.IRQ_STATUS, 0) & regs.IRQ_STATUS_EVENT_LOST_MASK)
            return len(self._events) | lost << regs.EVENT_STATUS_LOST_LSB
        if addr in EVENT:
            event = self._events[0] if self._events else (0, 0, 0)
            if addr == Addr.EVENT_RECORDS and self._events:
                self._events.popleft()
            return event[EVENT.index(addr)]
        return self._words.get(addr, 0)

    def write(self, addr: int, value: int) -> None:
        """Write a word; BusError where there is none."""
        if not 0 <= value <= WORD:
            raise ValueError(f"{value:#x} has more than 32 bits")
        addr = _aligned(addr)
        if addr in KEPT:
            self._words[addr] = value & KEPT[addr]
        elif addr == Addr.IRQ_STATUS:
            self._words[addr] = self._words.get(addr, 0) & ~value
            if self._events:
                self._words[addr] |= regs.IRQ_STATUS_EVENT_AVAILABLE_MASK
        elif addr == Addr.CMD_DOORBELL and value & regs.CMD_DOORBELL_START_MASK:
            self._ring()

    def tell(self, event: Event, connection: int, seq: int, records: int) -> None:
        """Queue an event for the host; it is lost if the queue is full."""
        status = self._words.get(Addr.IRQ_STATUS, 0)
        if len(self._events) < EVENT_DEPTH:
            kind = event << regs.EVENT_TYPE_EVENT_LSB | connection << regs.EVENT_TYPE_ID_LSB
            self._events.append((kind, seq, records))
            status |= regs.IRQ_STATUS_EVENT_AVAILABLE_MASK
        else:
            self._counters[Counter.EVENT_LOST] += 1
            status |= regs.IRQ_STATUS_EVENT_LOST_MASK
        self._words[Addr.IRQ_STATUS] = status

    def _ring(self) -> None:
        command = self._command()
        for addr in (*CMD_KEY, *CMD_IV):
            self._words[addr] = 0
        reason, connection = self._execute(command)
        self._words[Addr.CMD_STATUS] = (
            regs.CMD_STATUS_DONE_MASK
            | reason << regs.CMD_STATUS_REASON_LSB
            | connection << regs.CMD_STATUS_ID_LSB
        )
        status = self._words.get(Addr.IRQ_STATUS, 0)
        self._words[Addr.IRQ_STATUS] = status | regs.IRQ_STATUS_COMMAND_DONE_MASK

    def _command(self) -> Command:
        def string(first: int, words: int) -> bytes:
            return b"".join(
                self._words.get(addr, 0).to_bytes(4, "little")
                for addr in range(first, first + 4 * words, 4)
            )

        op = self._words.get(Addr.CMD_OP, 0)
        ports = self._words.get(Addr.CMD_PORTS, 0)
        number = string(Addr.CMD_RECORD_LO, 2)
        return Command(
            opcode=(op & regs.CMD_OP_OPCODE_MASK) >> regs.CMD_OP_OPCODE_LSB,
            direction=Direction((op & regs.CMD_OP_DIRECTION_MASK) >> regs.CMD_OP_DIRECTION_LSB),
            version=TlsVersion((op & regs.CMD_OP_VERSION_MASK) >> regs.CMD_OP_VERSION_LSB),
            ip_version=IpVersion((op & regs.CMD_OP_IP_VERSION_MASK) >> regs.CMD_OP_IP_VERSION_LSB),
            answer=Answer((op & regs.CMD_OP_ANSWER_MASK) >> regs.CMD_OP_ANSWER_LSB),
            cipher=Cipher((op & regs.CMD_OP_CIPHER_MASK) >> regs.CMD_OP_CIPHER_LSB),
            connection=self._words.get(Addr.CMD_CONNECTION, 0),
            local_addr=string(Addr.CMD_LOCAL_ADDR, regs.CMD_LOCAL_ADDR_WORDS),
            remote_addr=string(Addr.CMD_REMOTE_ADDR, regs.CMD_REMOTE_ADDR_WORDS),
            local_port=(ports & regs.CMD_PORTS_LOCAL_MASK) >> regs.CMD_PORTS_LOCAL_LSB,
            remote_port=(ports & regs.CMD_PORTS_REMOTE_MASK) >> regs.CMD_PORTS_REMOTE_LSB,
            seq=self._words.get(Addr.CMD_SEQ, 0),
            number=int.from_bytes(number, "little"),
            key=string(Addr.CMD_KEY, regs.CMD_KEY_WORDS),
            iv=string(Addr.CMD_IV, regs.CMD_IV_WORDS),
        )


def _aligned(addr: int) -> int:
    """The address of the word; BusError where there is none."""
    if not any(addr in block for block in BLOCKS):
        raise BusError(f"no register at {addr:#x}")
    return addr & ~3
