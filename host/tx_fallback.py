"""Encryption of a frame in software, where a device would have done it: the same bytes.

In: a frame, the records held of its connection, their keys. Out: the frame as it goes on the wire;
None if it must not. No I/O, nothing raised. net/tls/tls_device_fallback.c, `tls_sw_fallback()`.

    no payload                                  as it is
    wholly from before the offloaded records    as it is, if nobody asked to encrypt it
    partly from before, or from records that    None: TCP sends a cleaner segment later
    were acknowledged
    else                                        encrypted

What goes out is made of the records that are held, not of the frame's payload: a byte of the
stream is the same on the wire however often it is sent, and whatever the frame holds.
"""

from __future__ import annotations

from dataclasses import dataclass

from host.crypto_info import CryptoInfo
from host.packet import parse, with_payload
from host.record import TAG, Sealer
from host.tcp import MASK, distance
from host.tx_records import StartMarker, TxRecord, TxRecords


@dataclass(frozen=True, slots=True)
class Encrypted:
    """A frame that may go on the wire.

    Attributes:
        frame: all of it.
        encrypted: it has bytes of records.
        reread: bytes of records from before it that were read for its tags.
    """

    frame: bytes
    encrypted: bool = False
    reread: int = 0


def encrypt(frame: bytes, records: TxRecords, info: CryptoInfo, marked: bool) -> Encrypted | None:
    """The frame, encrypted; None if it is to be dropped.

    Tags of records that had to be computed are kept with these.

    Args:
        frame: without FCS; its TCP checksum may be anything.
        records: of the connection.
        info: their keys.
        marked: its payload is in clear and must not go out so.
    """
    packet = parse(frame)
    if packet is None or packet.segment is None:
        return None if marked else Encrypted(frame)
    segment = packet.segment
    size = segment.end - segment.start
    if not size:
        return Encrypted(frame)
    seq, end = segment.seq, segment.seq + size & MASK
    marker = records.get(seq)
    if isinstance(marker, StartMarker):
        before = distance(end, marker.seq) <= 0
        return Encrypted(frame) if before and not marked else None
    sealer, parts, reread = Sealer(info), list[bytes](), 0
    for record in records.between(seq, end):
        part, read = _part(sealer, record, distance(seq, record.start), distance(end, record.start))
        parts.append(part)
        reread += read
    payload = b"".join(parts)
    if len(payload) != size:  # some of it was acknowledged, or never written
        return None
    return Encrypted(with_payload(frame, packet, payload), True, reread)


def _part(sealer: Sealer, record: TxRecord, start: int, end: int) -> tuple[bytes, int]:
    """What of bytes `start` to `end`, counted from it, is the record's; bytes read before them."""
    start, end = max(start, 0), min(end, len(record.data))
    reread = 0
    if record.tag is None and end > len(record.data) - TAG:
        record.tag = sealer.seal(record.data, record.number)[-TAG:]
        reread = start
    tag = record.tag or bytes(TAG)
    return sealer.part(record.data, record.number, tag, start, end), reread
