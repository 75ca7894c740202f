"""What the host asks of a device: registers, and frames with their descriptors.

In: register accesses; frames as they were on the wire; what is to be transmitted, with a descriptor
each (docs/transmit.md, section 1). Out: received frames in the same order, each with its descriptor
(docs/receive.md, section 4); what became of each item of the transmit queue (docs/transmit.md,
section 4). The driver and all above it know a device by this alone: the model, the RTL in this
process and the RTL in a cocotb test look the same.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol

from host.regs import RxPass, TxDrop, TxKind

_CONTEXT: Final = struct.Struct("<IQB3x13s3x16s")
_SEEK: Final = 1 << 0
_HAS_TAG: Final = 1 << 1


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


@dataclass(frozen=True, slots=True)
class TxDescriptor:
    """What the host says of an item of the transmit queue.

    Attributes:
        connection: id of the connection; anything in a plain frame.
        kind: what the item is, and what becomes of it.
    """

    connection: int
    kind: TxKind

    def pack(self) -> int:
        """The device's 32 bits."""
        return self.connection | self.kind << 16


@dataclass(frozen=True, slots=True)
class TxContext:
    """Where the next frames of a connection are: an item of the transmit queue that is no frame.

    Attributes:
        seq: sequence number of a record's first byte.
        number: of that record.
        prefix: its header and, in TLS 1.2, explicit nonce; needed to seek.
        seek: this is for the next item alone; else the record starts with the next byte.
        tag: of the record, if it is known.
    """

    seq: int
    number: int
    prefix: bytes = b""
    seek: bool = False
    tag: bytes | None = None

    def pack(self) -> bytes:
        """The device's 48 bytes."""
        flags = _SEEK * self.seek | _HAS_TAG * (self.tag is not None)
        return _CONTEXT.pack(self.seq, self.number, flags, self.prefix, self.tag or b"")


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of an item of the transmit queue.

    Attributes:
        frame: as it left; None if it did not.
        reason: why it was dropped; NONE if it was not.
        tags: of records that ended in it, by sequence number of their first byte.
    """

    frame: bytes | None
    reason: TxDrop
    tags: tuple[tuple[int, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class TxCompletion:
    """What the device says when it is done with an item, or has made a tag.

    Attributes:
        connection: the id in the item's descriptor.
        tag: of a record; None if this is about the item itself, whose tags went before.
        sent: the frame leaves.
        reason: why it was dropped; NONE if it was not.
        seq: sequence number of the first byte of the tag's record.
    """

    connection: int
    tag: bytes | None
    sent: bool
    reason: TxDrop
    seq: int

    @classmethod
    def unpack(cls, data: bytes, word: int) -> TxCompletion:
        """Take the device's 16 bytes and 64 bits apart; ValueError for an unknown reason."""
        return cls(
            connection=word & 0xFFFF,
            tag=data if word >> 16 & 1 else None,
            sent=bool(word >> 17 & 1),
            reason=TxDrop(word >> 24 & 0xF),
            seq=word >> 32,
        )


def sent(completions: Iterable[TxCompletion], frames: Iterable[bytes]) -> list[Sent]:
    """What became of the items that these are about; `frames` are those that left."""
    leaving = iter(frames)
    items: list[Sent] = []
    tags: list[tuple[int, bytes]] = []
    for each in completions:
        if each.tag is not None:
            tags.append((each.seq, each.tag))
        else:
            items.append(Sent(next(leaving) if each.sent else None, each.reason, tuple(tags)))
            tags = []
    return items


class Device(Protocol):
    """A NIC with TLS offload."""

    def read(self, addr: int) -> int:
        """A register of 32 bits."""

    def write(self, addr: int, value: int) -> None:
        """Write a register of 32 bits."""

    def receive(self, frames: Sequence[bytes]) -> list[tuple[bytes, RxDescriptor]]:
        """Frames from the wire, without FCS, to what the host gets of them: one each, in order."""

    def send(self, items: Sequence[tuple[bytes, TxDescriptor]]) -> list[Sent]:
        """Items of the transmit queue to what became of them: one each, in order.

        OSError: none of them was taken.
        """

    def close(self) -> None:
        """Give up what the device holds in this process."""
