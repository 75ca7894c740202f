"""Which connection a segment is of. Model of hdl/tls_lookup.v.

Written from docs/receive.md, 6; the fingerprint from RFC 3720, 12.1. The device finds a connection
by fingerprint and then compares addresses and ports in full. No two connections have the same
fingerprint, so a search by addresses and ports, as here, finds the same one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from model.regs import IpVersion, Reason

ADDR_BYTES: Final[Mapping[IpVersion, int]] = {IpVersion.IPV4: 4, IpVersion.IPV6: 16}
CASTAGNOLI: Final = 0x82F63B78  # the polynomial with x^31 in bit 0


class Flow(NamedTuple):
    """Addresses and ports of a connection. A tuple, not a dataclass: each frame hashes one.

    Attributes:
        ip_version: of the addresses.
        local_addr: 16 bytes, as on the wire; an IPv4 address and 12 zeros.
        remote_addr: likewise.
        local_port: where received segments go to, and sent ones come from.
        remote_port: the peer's.
    """

    ip_version: IpVersion
    local_addr: bytes
    remote_addr: bytes
    local_port: int
    remote_port: int

    @property
    def reversed(self) -> Flow:
        """The same with the ends exchanged: of what is sent, local is the source."""
        return Flow(
            self.ip_version, self.remote_addr, self.local_addr, self.remote_port, self.local_port
        )

    @property
    def fingerprint(self) -> int:
        """By which the device finds the connection."""
        ports = self.local_port.to_bytes(2) + self.remote_port.to_bytes(2)
        return crc32c(bytes([self.ip_version]) + self.local_addr + self.remote_addr + ports)


def crc32c(data: bytes) -> int:
    """CRC-32C, bit by bit."""
    crc = 0xFFFF_FFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (CASTAGNOLI if crc & 1 else 0)
    return crc ^ 0xFFFF_FFFF


class Table:
    """The connections of one direction."""

    def __init__(self, connections: int) -> None:
        self._flows: list[Flow | None] = [None] * connections
        self._ids: dict[Flow, int] = {}
        self._fingerprints: set[int] = set()

    def find(self, flow: Flow) -> int | None:
        """The connection's id, if there is one."""
        return self._ids.get(flow)

    def add(self, flow: Flow) -> tuple[Reason, int]:
        """Give the flow the lowest free id; the id is 0 if that was refused."""
        if flow in self._ids:
            return Reason.EXISTS, 0
        fingerprint = flow.fingerprint
        if None not in self._flows or fingerprint in self._fingerprints:
            return Reason.NO_SPACE, 0
        connection = self._flows.index(None)
        self._flows[connection] = flow
        self._ids[flow] = connection
        self._fingerprints.add(fingerprint)
        return Reason.OK, connection

    def remove(self, connection: int) -> Reason:
        """Free the id again."""
        flow = self._flows[connection] if connection < len(self._flows) else None
        if flow is None:
            return Reason.NO_CONNECTION
        self._flows[connection] = None
        del self._ids[flow]
        self._fingerprints.remove(flow.fingerprint)
        return Reason.OK
