"""Captures: both formats and byte orders, cut anywhere, and what the writer writes."""

import contextlib
import io
import struct
from pathlib import Path
from random import Random

import pytest
from scapy.utils import PcapNgReader

from host.pcap import Captured, CaptureError, Secrets, Truncated, Writer, read
from host.tests.wire import pcap

FRAMES = [bytes([n]) * (14 + n) for n in range(9)]


def classic(order: str, magic: int, link: int = 1, frames: list[bytes] = FRAMES) -> bytes:
    out = struct.pack(order + "IHHIIII", magic, 2, 4, 0, 0, 65535, link)
    for n, frame in enumerate(frames):
        out += struct.pack(order + "IIII", 7, n, len(frame), len(frame)) + frame
    return out


def block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    size = len(body) + 12
    return struct.pack(order + "II", kind, size) + body + struct.pack(order + "I", size)


def section(order: str) -> bytes:
    return block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(order: str, link: int = 1, options: bytes = b"", snaplen: int = 0) -> bytes:
    return block(order, 1, struct.pack(order + "HHI", link, 0, snaplen) + options)


PCAPNG = section("<") + interface("<")


def enhanced(order: str, number: int, time: int, frame: bytes) -> bytes:
    head = struct.pack(order + "IIIII", number, time >> 32, time & 0xFFFFFFFF, len(frame),
                       len(frame))  # fmt: skip
    return block(order, 6, head + frame)


def all_of(data: bytes) -> list[Captured | Secrets]:
    return list(read(io.BytesIO(data)))


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("magic", "unit"), [(0xA1B2C3D4, 1000), (0xA1B23C4D, 1)])
def test_pcap(order: str, magic: int, unit: int) -> None:
    expected = [Captured(7_000_000_000 + n * unit, frame) for n, frame in enumerate(FRAMES)]
    assert all_of(classic(order, magic)) == expected


@pytest.mark.parametrize("order", "<>")
def test_pcapng(order: str) -> None:
    nano = interface(order, options=struct.pack(order + "HHB3x", 9, 1, 9))
    binary = struct.pack(order + "HHB3x", 9, 1, 0x80 | 10) + struct.pack(order + "HHq", 14, 8, 3)
    secrets = block(order, 10, struct.pack(order + "II", 0x544C534B, 5) + b"a b c")
    other = block(order, 10, struct.pack(order + "II", 0x57474B4C, 5) + b"a b c")
    simple = block(order, 3, struct.pack(order + "I", 40) + b"s" * 30)
    old = block(order, 2, struct.pack(order + "HHIIII", 1, 0, 0, 9, 5, 6) + b"olden"[:5])
    data = section(order) + interface(order, snaplen=30) + nano + interface(order, options=binary)
    data += secrets + other + enhanced(order, 0, 5, b"micro") + enhanced(order, 1, 1 << 33, b"nano")
    data += enhanced(order, 2, 512, b"binary") + block(order, 99, b"????") + simple + old
    data += section("<") + interface("<") + enhanced("<", 0, 1, b"next")
    assert all_of(data) == [
        Secrets(b"a b c"),
        Captured(5000, b"micro"),
        Captured(1 << 33, b"nano"),
        Captured(3_500_000_000, b"binary"),
        Captured(0, b"s" * 30, cut=True),
        Captured(9, b"olden", cut=True),
        Captured(1000, b"next"),
    ]


IPV4, IPV6 = b"\x45" + bytes(30), b"\x60" + bytes(50)


@pytest.mark.parametrize(
    ("link", "data", "expected"),
    [
        (1, b"as it is", b"as it is"),
        (101, IPV4, bytes(12) + b"\x08\0" + IPV4),
        (101, IPV6, bytes(12) + b"\x86\xdd" + IPV6),
        (0, b"\x1e\0\0\0" + IPV6, bytes(12) + b"\x86\xdd" + IPV6),
        (113, bytes(14) + b"\x08\0" + IPV4, bytes(12) + b"\x08\0" + IPV4),
        (276, b"\x86\xdd" + bytes(18) + IPV6, bytes(12) + b"\x86\xdd" + IPV6),
        (228, IPV4, bytes(12) + b"\x08\0" + IPV4),
        (229, IPV6, bytes(12) + b"\x86\xdd" + IPV6),
        (101, b"", bytes(12) + b"\x08\0"),
    ],
)
def test_other_links_get_an_ethernet_header(link: int, data: bytes, expected: bytes) -> None:
    assert all_of(classic("<", 0xA1B2C3D4, link, [data])) == [Captured(7_000_000_000, expected)]


def test_a_packet_that_the_capture_cut() -> None:
    data = classic("<", 0xA1B2C3D4, frames=[]) + struct.pack("<IIII", 1, 2, 4, 1500) + b"head"
    assert all_of(data) == [Captured(1_000_002_000, b"head", cut=True)]


def until_it_ends(data: bytes) -> tuple[list[Captured | Secrets], CaptureError | None]:
    got = list[Captured | Secrets]()
    try:
        for each in read(io.BytesIO(data)):
            got.append(each)
    except CaptureError as error:
        return got, error
    return got, None


@pytest.mark.parametrize("header", [classic(">", 0xA1B2C3D4, frames=[]), PCAPNG])
def test_cut_anywhere_the_whole_packets_come_and_then_it_is_told(header: bytes) -> None:
    is_pcapng = header is PCAPNG
    data, ends = header, [len(header)]
    for n, frame in enumerate(FRAMES):
        head = struct.pack(">IIII", 7, n, len(frame), len(frame))
        data += enhanced("<", 0, n, frame) if is_pcapng else head + frame
        ends.append(len(data))
    whole = all_of(data)
    for size in range(len(header), len(data)):
        got, error = until_it_ends(data[:size])
        assert got == whole[: len(got)]
        assert len(got) == sum(end <= size for end in ends) - 1
        assert (error is None) == (size in ends)
        assert isinstance(error, Truncated | None)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a" + bytes(100),
        classic("<", 0xA1B2C3D4)[:20],
        classic("<", 0xA1B2C3D4, link=105),
        classic("<", 0xA1B2C3D4, frames=[]) + struct.pack("<IIII", 1, 2, 1 << 30, 1 << 30),
        section("<") + struct.pack("<II", 6, 13) + bytes(100),
        section("<") + struct.pack("<II", 6, 0) + bytes(100),
        section("<") + enhanced("<", 0, 0, b"no interface"),
        section("<") + interface("<") + block("<", 6, bytes(8)),
        section("<") + interface("<") + block("<", 6, struct.pack("<IIIII", 0, 0, 0, 99, 99)),
        section("<") + interface("<", options=struct.pack("<HH", 9, 0)),
        struct.pack("<II", 0x0A0D0D0A, 28) + b"????" + bytes(16),
    ],
)
def test_what_is_no_capture_is_an_error(data: bytes) -> None:
    with pytest.raises(CaptureError) as caught:
        all_of(data)
    assert not isinstance(caught.value, Truncated)


@pytest.mark.parametrize("seed", range(100))
def test_a_broken_file_is_an_error_and_nothing_else(seed: int) -> None:
    random = Random(seed)
    good = pcap(FRAMES) if seed % 2 else PCAPNG + enhanced("<", 0, 1, b"one")
    data = bytearray(good)
    for _ in range(random.randint(1, 5)):
        data[random.randrange(4, len(data))] = random.randrange(256)
    with contextlib.suppress(CaptureError):
        all_of(bytes(data))


def test_the_writer_writes_what_others_read(tmp_path: Path) -> None:
    path = tmp_path / "written.pcapng"
    with path.open("wb") as file:
        writer = Writer(file)
        writer.write(1_234_567_890_123_456_789, b"f" * 61, "decrypted, connection 3")
        writer.write(5, b"g" * 64, "")
        writer.write(1 << 70, b"h", "a time that has no place")
    got = all_of(path.read_bytes())
    assert got[:2] == [Captured(1_234_567_890_123_456_789, b"f" * 61), Captured(5, b"g" * 64)]
    first, second, _ = PcapNgReader(str(path)).read_all()
    assert bytes(first) == b"f" * 61
    assert first.comments == [b"decrypted, connection 3"]
    assert not second.comments
    assert float(first.time) == pytest.approx(1_234_567_890.123_456_789)
