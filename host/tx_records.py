"""The records of an offloaded connection, in clear, from when they are pushed until they are acked.

In: records as TCP takes them, acknowledgements. Out: the record that holds a byte, and its number.
Nothing is raised. net/tls/tls_device.c, `tls_push_record()`, `tls_tcp_clean_acked()` and
`tls_get_record()`; its hint, which saves a walk along the list, is a binary search here.

A record is held whole until its last byte is acknowledged, and never changes: the same byte is
always encrypted to the same. Less than 2^31 bytes are held.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

from host.tcp import MASK, distance

NUMBERS: Final = 1 << 64


@dataclass(slots=True)
class TxRecord:
    """A record that is sent.

    Attributes:
        start: sequence number of its first byte.
        number: record number.
        data: header, explicit nonce, text (in TLS 1.3 with type and padding) in clear, and 16
            zeros where the tag goes. It does not change.
        tag: once it is known; the driver may tell it.
    """

    start: int
    number: int
    data: bytes
    tag: bytes | None = None

    @property
    def end(self) -> int:
        """Sequence number behind it."""
        return self.start + len(self.data) & MASK


@dataclass(frozen=True, slots=True)
class StartMarker:
    """All before `seq` was written before the connection was offloaded."""

    seq: int


class TxRecords:
    """Records from sequence number `start_seq` and record number `number` on.

    Attributes:
        write_seq: where the next record starts.
        number: of the next record.
    """

    def __init__(self, start_seq: int, number: int) -> None:
        self.write_seq = start_seq
        self.number = number
        self._marker: StartMarker | None = StartMarker(start_seq)
        self._records: list[TxRecord] = []

    def __len__(self) -> int:
        """What is held: records, and the start marker."""
        return len(self._records) + (self._marker is not None)

    def push(self, data: bytes) -> TxRecord:
        """Append a record; TCP has it next."""
        record = TxRecord(self.write_seq, self.number, data)
        self._records.append(record)
        self.write_seq = record.end
        self.number = (self.number + 1) % NUMBERS
        return record

    def acked(self, seq: int) -> None:
        """All before `seq` was acknowledged: forget what ended there or earlier."""
        if self._marker and distance(seq, self._marker.seq) >= 0:
            self._marker = None
        if self._records:
            del self._records[: self._ended(seq)]

    def get(self, seq: int) -> TxRecord | StartMarker | None:
        """The record that holds this byte; None if it was acknowledged, or is not written yet.

        Of a byte from before the start: the start marker, while that is held.
        """
        if self._marker and distance(seq, self._marker.seq) < 0:
            return self._marker
        found = self.between(seq, seq + 1 & MASK)
        return found[0] if found else None

    def between(self, start: int, end: int) -> list[TxRecord]:
        """The records that hold bytes from `start` on and before `end`, as far as there are."""
        held = self._records
        if not held or distance(end, start) <= 0 or distance(end, held[0].start) <= 0:
            return []
        return held[self._ended(start) : self._ended(end - 1 & MASK) + 1]

    def _ended(self, seq: int) -> int:
        """How many of the records end at `seq` or before it."""
        base = self._records[0].start
        return bisect_right(
            self._records, distance(seq, base), key=lambda record: distance(record.end, base)
        )
