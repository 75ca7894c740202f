"""Capture files: pcap and pcapng in, pcapng out.

In: a binary file. Out: its packets as Ethernet frames, and the key logs in it (pcapng's decryption
secrets), in order. A file that is none, or contradicts itself, raises CaptureError; one that ends
in the middle of a packet raises Truncated behind its last whole packet. Both byte orders, micro-
and nanoseconds, several sections and interfaces. A few link types without Ethernet headers are
given one. draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.

Own code, as no library on hand tells the packet's length on the wire, a cut file or the secrets.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

_MAX_BLOCK: Final = 1 << 26  # beyond any jumbo frame or key log: longer is not a capture
_ETHERNET: Final = 1
_MACS: Final = bytes(12)


class CaptureError(Exception):
    """The file is not a capture that can be read; the text says why."""


class Truncated(CaptureError):
    """The file ends in the middle of a packet."""


@dataclass(frozen=True, slots=True)
class Captured:
    """A packet: time in nanoseconds, Ethernet frame; `cut` if the capture has not all of it."""

    time: int
    frame: bytes
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Secrets:
    """A key log that came with the capture."""

    text: bytes


def _by_version(data: bytes) -> bytes:
    return b"\x86\xdd" if data[:1] and data[0] >> 4 == 6 else b"\x08\x00"


# Link type to Ethernet frame
_LINKS: Final[dict[int, Callable[[bytes], bytes]]] = {
    _ETHERNET: lambda data: data,
    0: lambda data: _MACS + _by_version(data[4:]) + data[4:],  # BSD loopback
    12: lambda data: _MACS + _by_version(data) + data,  # raw IP
    101: lambda data: _MACS + _by_version(data) + data,
    108: lambda data: _MACS + _by_version(data[4:]) + data[4:],  # OpenBSD loopback
    113: lambda data: _MACS + data[14:16] + data[16:],  # Linux cooked
    228: lambda data: _MACS + b"\x08\x00" + data,  # IPv4
    229: lambda data: _MACS + b"\x86\xdd" + data,  # IPv6
    276: lambda data: _MACS + data[:2] + data[20:],  # Linux cooked, version 2
}

# Magic of a pcap file to byte order and nanoseconds in a unit of its clock
_PCAP: Final = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE, _ENHANCED, _SECRETS = 0x0A0D0D0A, 1, 2, 3, 6, 10
_TLS_KEY_LOG: Final = 0x544C534B
_ORDER: Final = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_COMMENT, _TSRESOL, _TSOFFSET = 1, 9, 14


def read(file: BinaryIO) -> Iterator[Captured | Secrets]:
    """Packets and secrets of a capture, in order."""
    magic = file.read(4)
    if magic in _PCAP:
        return _read_pcap(file, *_PCAP[magic])
    if magic == _SECTION.to_bytes(4):
        return _read_pcapng(file, magic)
    raise CaptureError("neither a pcap nor a pcapng file")


def _link(kind: int) -> Callable[[bytes], bytes]:
    if kind not in _LINKS:
        raise CaptureError(f"link type {kind} is not supported, only Ethernet, cooked and raw IP")
    return _LINKS[kind]


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise Truncated("the capture ends in the middle of a packet")
    return data


def _read_pcap(file: BinaryIO, order: str, unit: int) -> Iterator[Captured]:
    head = file.read(20)
    if len(head) < 20:
        raise CaptureError("the file ends in its header")
    ethernet = _link(struct.unpack(order + "16xI", head)[0] & 0xFFFF)
    packet, at = struct.Struct(order + "IIII"), 24
    while head := file.read(16):
        if len(head) < 16:
            raise Truncated("the capture ends in the middle of a packet")
        seconds, fraction, size, length = packet.unpack(head)
        if size > _MAX_BLOCK:
            raise CaptureError(f"a packet of {size} bytes, at byte {at} of the file")
        at += 16 + size
        frame = ethernet(_exactly(file, size))
        yield Captured(seconds * 1_000_000_000 + fraction * unit, frame, size < length)


@dataclass(frozen=True, slots=True)
class _Interface:
    ethernet: Callable[[bytes], bytes]
    snaplen: int
    ticks: int  # a second
    offset: int  # seconds

    def time(self, ticks: int) -> int:
        return self.offset * 1_000_000_000 + ticks * 1_000_000_000 // self.ticks


def _read_pcapng(file: BinaryIO, magic: bytes) -> Iterator[Captured | Secrets]:
    order, interfaces, at = "<", list[_Interface](), 0
    head = magic + file.read(4)
    while head:
        if len(head) < 8:
            raise Truncated("the capture ends in the middle of a block")
        if head[:4] == _SECTION.to_bytes(4):
            magic = _exactly(file, 4)
            if magic not in _ORDER:
                raise CaptureError(f"a section of unknown byte order, at byte {at} of the file")
            order, interfaces, head = _ORDER[magic], [], head + magic
        kind, size = struct.unpack_from(order + "II", head)
        if not 12 <= size <= _MAX_BLOCK or size % 4:
            raise CaptureError(f"a block of {size} bytes, at byte {at} of the file")
        body = _exactly(file, size - len(head))[:-4]
        try:
            if kind == _INTERFACE:
                interfaces.append(_interface(order, body))
            else:
                yield from _block(order, kind, body, interfaces)
        except (struct.error, IndexError):
            raise CaptureError(f"a block that is cut short, at byte {at} of the file") from None
        at += size
        head = file.read(8)


def _block(
    order: str, kind: int, body: bytes, interfaces: list[_Interface]
) -> Iterator[Captured | Secrets]:
    if kind in (_ENHANCED, _OLD_PACKET):
        layout = "IIIII" if kind == _ENHANCED else "HxxIIII"
        number, high, low, size, length = struct.unpack_from(order + layout, body)
        interface = interfaces[number]
        frame = body[20 : 20 + size]
        time = interface.time(high << 32 | low)
    elif kind == _SIMPLE:
        interface, time = interfaces[0], 0
        (length,) = struct.unpack_from(order + "I", body)
        size = min(length, interface.snaplen or length)
        frame = body[4 : 4 + size]
    else:
        if kind == _SECRETS:
            tag, size = struct.unpack_from(order + "II", body)
            if tag == _TLS_KEY_LOG:
                yield Secrets(body[8 : 8 + size])
        return
    if len(frame) < size:
        raise IndexError
    yield Captured(time, interface.ethernet(frame), size < length)


def _interface(order: str, body: bytes) -> _Interface:
    kind, snaplen = struct.unpack_from(order + "HxxI", body)
    ticks, offset, at = 1_000_000, 0, 8
    while at + 4 <= len(body):
        code, size = struct.unpack_from(order + "HH", body, at)
        value = body[at + 4 : at + 4 + size]
        if code == _TSRESOL:
            ticks = (2 if value[0] & 0x80 else 10) ** (value[0] & 0x7F)
        elif code == _TSOFFSET:
            (offset,) = struct.unpack(order + "q", value)
        at += 4 + size + -size % 4
    return _Interface(_link(kind), snaplen, ticks, offset)


class Writer:
    """Writes Ethernet frames to a pcapng file, with nanoseconds and a comment each."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._block(_SECTION, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
        self._block(_INTERFACE, struct.pack("<HHI", _ETHERNET, 0, 0) + _option(_TSRESOL, b"\x09"))

    def write(self, time: int, frame: bytes, comment: str) -> None:
        """Add a packet; an empty comment is none."""
        clock = time >> 32 & 0xFFFF_FFFF, time & 0xFFFF_FFFF
        head = struct.pack("<IIIII", 0, *clock, len(frame), len(frame))
        options = _option(_COMMENT, comment.encode()) if comment else b""
        self._block(_ENHANCED, head + frame + bytes(-len(frame) % 4) + options)

    def _block(self, kind: int, body: bytes) -> None:
        size = len(body) + 12
        self._file.write(struct.pack("<II", kind, size) + body + struct.pack("<I", size))


def _option(code: int, value: bytes) -> bytes:
    """An option, and the end of the options behind it."""
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4) + bytes(4)
