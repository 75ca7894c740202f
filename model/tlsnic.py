"""The whole device: registers and frames. Model of hdl/tlsnic.v.

`Tlsnic` is what a driver can do with the device: read and write 32-bit registers
(docs/registers.md), have frames received (docs/receive.md) and sent (docs/transmit.md). A command
is carried out within the write to its doorbell, and a frame within `receive` or `send`, so the
order of calls is the order of things.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from model import regs
from model.csr import EVENT_DEPTH, BusError, Command, Csr
from model.gcm import KEY_BYTES
from model.lookup import ADDR_BYTES, Flow
from model.regs import Addr, Counter, Direction, Opcode, Reason
from model.rx import Rx, RxDescriptor
from model.tx import Completion, Sent, Tx, TxContext, TxDescriptor

__all__ = [
    "BusError",
    "Completion",
    "Config",
    "RxDescriptor",
    "Sent",
    "Tlsnic",
    "TxContext",
    "TxDescriptor",
]

DATA_BYTES: Final = 16
CAPS: Final = (
    regs.CAPS_AES_128_GCM_MASK
    | regs.CAPS_AES_256_GCM_MASK
    | regs.CAPS_TLS_1_2_MASK
    | regs.CAPS_TLS_1_3_MASK
    | regs.CAPS_RX_MASK
    | regs.CAPS_TX_MASK
    | regs.CAPS_ORDER_FREE_MASK
    | regs.CAPS_HEADER_SCAN_MASK
    | regs.CAPS_SELF_CONFIRM_MASK
    | regs.CAPS_TX_REBUILD_MASK
    | regs.CAPS_TX_SEEK_MASK
)
REFUSED: Final[Mapping[Reason, Counter]] = {
    Reason.NO_SPACE: Counter.ADD_REFUSED_NO_SPACE,
    Reason.BAD_ARGUMENT: Counter.ADD_REFUSED_BAD_ARGUMENT,
    Reason.EXISTS: Counter.ADD_REFUSED_EXISTS,
}


@dataclass(frozen=True, slots=True)
class Config:
    """What is fixed when a device is built.

    Attributes:
        connections: at a time, each way.
        window: open records of a connection.
        runs: of bytes of an open record that were taken.
        max_frame: bytes of the longest frame, without FCS.
    """

    connections: int = 64
    window: int = 8
    runs: int = 4
    max_frame: int = 9600


class Tlsnic:
    """A device after reset."""

    def __init__(self, config: Config | None = None) -> None:
        self.config = config = config or Config()
        self._counters = counters = [0] * regs.COUNTERS
        self._rx = Rx(
            counters,
            connections=config.connections,
            window=config.window,
            runs=config.runs,
            max_frame=config.max_frame,
        )
        self._tx = Tx(counters, connections=config.connections, max_frame=config.max_frame)
        capabilities: dict[int, int] = {
            Addr.CAPS: CAPS,
            Addr.CAP_CONNECTIONS: config.connections,
            Addr.CAP_WINDOW: config.window,
            Addr.CAP_KEY_SLOTS: config.connections,
            Addr.CAP_DATA_BYTES: DATA_BYTES,
            Addr.CAP_MAX_FRAME: config.max_frame,
            Addr.CAP_EVENT_DEPTH: EVENT_DEPTH,
        }
        self._csr = Csr(capabilities, counters, self._execute)

    @property
    def irq(self) -> bool:
        """The interrupt."""
        return self._csr.irq

    def read(self, addr: int) -> int:
        """Read a register; BusError where there is none."""
        return self._csr.read(addr)

    def write(self, addr: int, value: int) -> None:
        """Write a register; BusError where there is none."""
        self._csr.write(addr, value)

    def receive(self, frame: bytes) -> tuple[bytes, RxDescriptor]:
        """What leaves towards the host for a frame from the wire, both without FCS."""
        ctrl = self._csr.ctrl
        received = self._rx.receive(
            frame,
            enabled=bool(ctrl & regs.CTRL_RX_ENABLE_MASK),
            avoid_partials=bool(ctrl & regs.CTRL_AVOID_PARTIALS_MASK),
            self_confirm=bool(ctrl & regs.CTRL_SELF_CONFIRM_MASK),
        )
        for notice in received.notices:
            self._csr.tell(notice.event, received.descriptor.connection, notice.seq, notice.records)
        return received.frame, received.descriptor

    def send(self, frame: bytes, descriptor: TxDescriptor) -> Sent:
        """What leaves towards the wire for a frame of the host, both without FCS."""
        enabled = bool(self._csr.ctrl & regs.CTRL_TX_ENABLE_MASK)
        return self._tx.send(frame, descriptor, enabled=enabled)

    def _execute(self, command: Command) -> tuple[Reason, int]:
        match command.opcode:
            case Opcode.ADD:
                reason, connection = self._add(command)
                if reason in REFUSED:
                    self._counters[REFUSED[reason]] += 1
                return reason, connection
            case Opcode.DEL:
                path = self._rx if command.direction is Direction.RX else self._tx
                return path.delete(command.connection), command.connection
            case Opcode.RESYNC_RX:
                if command.direction is not Direction.RX:
                    return Reason.NO_CONNECTION, command.connection
                reason = self._rx.resync(
                    command.connection, command.answer, command.seq, command.number
                )
                return reason, command.connection
            case Opcode.RESYNC_TX:
                if command.direction is not Direction.TX:
                    return Reason.NO_CONNECTION, command.connection
                reason = self._tx.resync(command.connection, command.seq, command.number)
                return reason, command.connection
            case _:
                return Reason.BAD_ARGUMENT, command.connection

    def _add(self, command: Command) -> tuple[Reason, int]:
        if command.cipher not in KEY_BYTES:
            return Reason.BAD_ARGUMENT, 0
        size = ADDR_BYTES[command.ip_version]
        flow = Flow(
            command.ip_version,
            command.local_addr[:size].ljust(16, b"\0"),
            command.remote_addr[:size].ljust(16, b"\0"),
            command.local_port,
            command.remote_port,
        )
        key = command.key[: KEY_BYTES[command.cipher]]
        path = self._rx if command.direction is Direction.RX else self._tx
        return path.add(flow, command.version, key, command.iv, command.seq, command.number)
