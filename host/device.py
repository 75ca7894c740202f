"""What the host asks of a device: registers, and frames with their descriptors.

In: register accesses, frames as they were on the wire. Out: the same frames in the same order,
each with its descriptor (docs/receive.md, section 4). The driver and all above it know a device by
this alone: the model, the RTL in this process and the RTL in a cocotb test look the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from host.regs import RxPass


@dataclass(frozen=True, slots=True)
class RxDescriptor:
    """What the device says of a received frame.

    Attributes:
        connection: id of the connection; 0 if none.
        known: there is a connection with these addresses and ports.
        decrypted: plaintext stands where ciphertext was on the wire.
        checksums_good: those of IP and TCP.
        resync: with this frame the device asks about a candidate header.
        reason: why the frame passed as it came; NONE if decrypted.
        candidate: sequence number of the candidate header.
    """

    connection: int
    known: bool
    decrypted: bool
    checksums_good: bool
    resync: bool
    reason: RxPass
    candidate: int

    @classmethod
    def unpack(cls, word: int) -> RxDescriptor:
        """Take the device's 64 bits apart; ValueError if the reason is none the map has."""
        return _unpack(word)

    def pack(self) -> int:
        """The device's 64 bits."""
        flags = self.known | self.decrypted << 1 | self.checksums_good << 2 | self.resync << 3
        return self.connection | flags << 16 | self.reason << 24 | self.candidate << 32


@lru_cache(maxsize=1024)  # few words come, and each of them often
def _unpack(word: int) -> RxDescriptor:
    return RxDescriptor(
        connection=word & 0xFFFF,
        known=bool(word >> 16 & 1),
        decrypted=bool(word >> 17 & 1),
        checksums_good=bool(word >> 18 & 1),
        resync=bool(word >> 19 & 1),
        reason=RxPass(word >> 24 & 0xF),
        candidate=word >> 32,
    )


class Device(Protocol):
    """A NIC with TLS offload."""

    def read(self, addr: int) -> int:
        """A register of 32 bits."""

    def write(self, addr: int, value: int) -> None:
        """Write a register of 32 bits."""

    def receive(self, frames: Sequence[bytes]) -> list[tuple[bytes, RxDescriptor]]:
        """Frames from the wire, without FCS, to what the host gets of them: one each, in order."""

    def close(self) -> None:
        """Give up what the device holds in this process."""
