"""model.tlsnic and model.tx: frames with records in clear, and what `cryptography` and scapy make.

The device sends from where the peer of test_rx.py is. Whatever goes in, `Bench` checks of every
frame and every completion what docs/transmit.md says of all.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest

from model.parse import Segment, locate, parse
from model.regs import (
    Addr,
    Cipher,
    Direction,
    IpVersion,
    Opcode,
    Reason,
    RxPass,
    TlsVersion,
    TxDrop,
    TxKind,
)
from model.tests import device as driver
from model.tests.records import SEQ, Sender, Stream, cuts, sender, stream
from model.tests.test_parse import IPV4_DEFECTS, IPV6_DEFECTS, PACKETS, TAGS, ether, with_tcp
from model.tests.test_rx import KINDS, NAMES, V12, V13, headers, segment
from model.tlsnic import Completion, Config, Sent, Tlsnic, TxContext, TxDescriptor

PLAIN, ENCRYPT, FEED, CONTEXT = TxKind
P: Final = {V12: 13, V13: 5}
DROPPED: Final = {reason: Addr.TX_DROP_DISABLED + 8 * (reason - 1) for reason in list(TxDrop)[1:]}
RFC8448: Final = Path(__file__).parent / "vectors" / "rfc8448.json"
NONE, OUT_OF_ORDER, BAD_RECORD = TxDrop.NONE, TxDrop.OUT_OF_ORDER, TxDrop.BAD_RECORD


def add(device: Tlsnic, own: Sender, ip_version: IpVersion, **fields: Any) -> tuple[Reason, int]:
    """ADD of what sends the frames of `segment`."""
    is_v4 = ip_version is IpVersion.IPV4
    local, remote = (
        (driver.REMOTE_V4, driver.LOCAL_V4) if is_v4 else (driver.REMOTE_V6, driver.LOCAL_V6)
    )
    common: dict[str, Any] = {
        "key": own.key,
        "iv": own.iv,
        "version": own.version,
        "cipher": Cipher(len(own.key) // 16),
        "direction": Direction.TX,
        "ip_version": ip_version,
        "local_addr": ip_address(local).packed,
        "remote_addr": ip_address(remote).packed,
        "local_port": driver.REMOTE_PORT,
        "remote_port": driver.LOCAL_PORT,
    }
    return driver.add(device, **{**common, **fields})


@cache
def template(ip_version: IpVersion, size: int) -> bytes:
    """A frame with so many bytes of payload."""
    return segment(0, bytes(size), ip_version)


class Bench:
    """A device with one connection, and what must be true of every frame.

    Attributes:
        clear: the stream as the host hands it over, with anything in the room of the tags.
        counts: what the counters must be.
    """

    def __init__(
        self,
        rng: random.Random,
        own: Sender,
        stream: Stream,
        *,
        seq: int = 0,
        number: int = 0,
        ip_version: IpVersion = IpVersion.IPV4,
    ) -> None:
        self.device = Tlsnic()
        self.device.write(Addr.CTRL, 2)
        self.rng, self.own, self.stream = rng, own, stream
        self.seq, self.number, self.ip_version = seq, number, ip_version
        assert add(self.device, own, ip_version, seq=seq, number=number) == (Reason.OK, 0)
        self.bounds = list(pairwise([*stream.starts, len(stream.wire)]))
        clear = bytearray(stream.plain)
        for _, end in self.bounds:
            clear[end - 16 : end] = rng.randbytes(16)
        self.clear = bytes(clear)
        self.counts: Counter[Addr] = Counter({Addr.TX_TLS_CTX: 1})
        self.prefix = P[own.version]

    def queue(self, frame: bytes, kind: TxKind, connection: int = 0) -> Sent:
        """Hand over anything."""
        sent = self.device.send(frame, TxDescriptor(connection, kind))
        *told, own = sent.completions
        for completion in sent.completions:
            assert Completion.unpack(*completion.pack()) == completion
            assert completion.connection == connection
        assert all(completion.tag is not None for completion in told)
        assert own == Completion(connection, None, sent.frame is not None, own.reason)
        if own.reason:
            assert sent.frame is None
            self.counts[Addr(DROPPED[own.reason])] += 1
        return sent

    def frame(self, first: int, payload: bytes, padding: bytes = b"") -> bytes:
        """A segment at this place of the stream, with any TCP checksum."""
        n = headers(self.ip_version)
        out = bytearray(template(self.ip_version, len(payload)))
        out[n - 28 : n - 24] = ((self.seq + first) % SEQ).to_bytes(4)
        out[n - 16 : n - 14] = self.rng.randbytes(2)
        out[n:] = payload
        return bytes(out) + padding

    def part(
        self,
        first: int,
        last: int,
        kind: TxKind = ENCRYPT,
        *,
        seeks: bool = False,
        padding: bytes = b"",
        wire: bytes = b"",
    ) -> TxDrop:
        """Send these bytes of the stream; the reason, and if there is none, all is as it must be.

        Args:
            first: place in the stream.
            last: behind it.
            kind: ENCRYPT or FEED.
            seeks: a context to seek by went before.
            padding: behind the packet.
            wire: what the payload must be, if not what `cryptography` made of the record.
        """
        frame = self.frame(first, self.clear[first:last], padding)
        sent = self.queue(frame, kind)
        *told, own = sent.completions
        if own.reason:
            assert not told
            return own.reason
        if kind is ENCRYPT:
            assert sent.frame is not None
            n = headers(self.ip_version)
            out = sent.frame
            want = wire or self.stream.wire[first:last]
            assert out[n:] == want + bytes(len(padding))
            assert out[: n - 16] == frame[: n - 16]
            assert out[n - 14 : n] == frame[n - 14 : n]
            assert isinstance(parse(out, 9600), Segment)  # and so the checksum is right
            self.counts[Addr.TX_TLS_ENCRYPTED_PACKETS] += 1
            self.counts[Addr.TX_TLS_ENCRYPTED_BYTES] += last - first
        else:
            assert sent.frame is None
            self.counts[Addr.TX_TLS_DUMP_PACKETS] += 1
            self.counts[Addr.TX_TLS_DUMP_BYTES] += last - first
        assert [(tag.seq, tag.tag) for tag in told] == self.tags(first, last, seeks=seeks)
        return NONE

    def tags(self, first: int, last: int, *, seeks: bool = False) -> list[tuple[int, bytes]]:
        """Those that are told with these bytes of the stream, by what docs/transmit.md, 4 says."""
        return [
            ((self.seq + start) % SEQ, self.stream.wire[end - 16 : end])
            for start, end in self.bounds
            if (first <= end - 17 < last and not (seeks and start + self.prefix < first))
            or (seeks and first == start + self.prefix == end - 16)
        ]

    def context(self, record: int, *, seek: bool = False, **fields: Any) -> TxDrop:
        """A context of a record of the stream."""
        start, end = self.bounds[record]
        made = TxContext(
            seq=(self.seq + start) % SEQ,
            number=(self.number + record) % (1 << 64),
            seek=seek,
            prefix=self.stream.wire[start : start + self.prefix] if seek else b"",
            tag=self.stream.wire[end - 16 : end] if seek else None,
        )
        return self.give(replace(made, **fields).pack())

    def give(self, data: bytes) -> TxDrop:
        """These bytes as a context."""
        (own,) = self.queue(data, CONTEXT).completions
        self.counts[Addr.TX_TLS_OOO] += not own.reason
        return own.reason

    def resync(self, record: int) -> None:
        """RESYNC_TX to a record of the stream."""
        number = (self.number + record) % (1 << 64)
        driver.fill(
            self.device,
            CMD_OP=Opcode.RESYNC_TX | Direction.TX << 8,
            CMD_CONNECTION=0,
            CMD_SEQ=(self.seq + self.bounds[record][0]) % SEQ,
            CMD_RECORD_LO=number & 0xFFFF_FFFF,
            CMD_RECORD_HI=number >> 32,
        )
        assert driver.ring(self.device) == (Reason.OK, 0)

    def check_counters(self) -> None:
        """Every counter of the device is what it must be."""
        for addr in Addr:
            if addr >= Addr.RX_TLS_DECRYPTED_PACKETS:
                assert driver.counter(self.device, addr) == self.counts[addr], addr.name


def bench(
    rng: random.Random, version: TlsVersion, key: int, sizes: Sequence[int], **fields: Any
) -> Bench:
    """A device, and records of these sizes for it."""
    own = sender(rng, version, key)
    return Bench(rng, own, stream(rng, own, fields.get("number", 0), sizes), **fields)


# ---- in order ----


@pytest.mark.parametrize(("version", "key"), KINDS, ids=NAMES)
@pytest.mark.parametrize("ip_version", IpVersion)
@pytest.mark.parametrize("size", [1, 2, 13, 16, 17, 100, 1448])
def test_segments_of_every_size(
    version: TlsVersion, key: int, ip_version: IpVersion, size: int
) -> None:
    rng = random.Random(size)
    sizes = [0, 1, 15, 16, 17, 33] if size < 100 else [0, 16384, 1, 5000, 255, 256]
    b = bench(rng, version, key, sizes, seq=rng.randrange(SEQ), ip_version=ip_version)
    for first, last in cuts(rng, len(b.clear), range(size, size + 1)):
        assert b.part(first, last) is NONE
    b.check_counters()


@pytest.mark.parametrize(("version", "key"), KINDS, ids=NAMES)
def test_records_cut_at_every_byte(version: TlsVersion, key: int) -> None:
    rng = random.Random(1)
    b = bench(rng, version, key, [20, 0, 33])
    total = len(b.clear)
    for cut in range(1, total):
        b.resync(0)
        assert b.part(0, cut) is NONE
        assert b.part(cut, total) is NONE
    b.check_counters()


@pytest.mark.parametrize("version", [V12, V13])
def test_a_record_cut_at_every_two_bytes(version: TlsVersion) -> None:
    rng = random.Random(2)
    b = bench(rng, version, 16, [3])
    total = len(b.clear)
    for a in range(1, total - 1):
        for c in range(a + 1, total):
            b.resync(0)
            for first, last in ((0, a), (a, c), (c, total)):
                assert b.part(first, last) is NONE


@pytest.mark.parametrize(("version", "key"), KINDS, ids=NAMES)
def test_many_records_in_jumbo_frames(version: TlsVersion, key: int) -> None:
    rng = random.Random(3)
    b = bench(rng, version, key, [*range(70), 1000, 16383, 16384, 0, 0, 16384, 1])
    payload = 9600 - headers(b.ip_version)
    for first, last in cuts(rng, len(b.clear), range(payload, payload + 1)):
        assert b.part(first, last) is NONE
    b.check_counters()


def test_all_types_and_the_longest_records() -> None:
    rng = random.Random(4)
    for version in (V12, V13):
        own = sender(rng, version, 32)
        longest = 16385 if version is V13 else 16384
        b = Bench(rng, own, stream(rng, own, 0, [50, 60, 70, longest, 1], [20, 21, 22, 23, 23]))
        for first, last in cuts(rng, len(b.clear), range(1400, 1401)):
            assert b.part(first, last) is NONE


@pytest.mark.parametrize("number", [0, 1, 2**32 - 1, 2**64 - 2])
@pytest.mark.parametrize("version", [V12, V13])
def test_numbers_of_records(version: TlsVersion, number: int) -> None:
    rng = random.Random(5)
    b = bench(rng, version, 16, [100] * 4, number=number)
    for first, last in cuts(rng, len(b.clear), range(50, 51)):
        assert b.part(first, last) is NONE
    b.resync(3)
    assert b.part(b.stream.starts[3], len(b.clear)) is NONE
    assert b.context(2) is NONE
    assert b.part(b.stream.starts[2], len(b.clear)) is NONE
    b.check_counters()


@pytest.mark.parametrize("version", [V12, V13])
def test_sequence_numbers_wrap_at_every_byte(version: TlsVersion) -> None:
    rng = random.Random(6)
    own = sender(rng, version, 16)
    made = stream(rng, own, 0, [20, 20])
    for before in range(1, len(made.wire)):
        b = Bench(rng, own, made, seq=SEQ - before)
        for first, last in cuts(rng, len(made.wire), range(7, 40)):
            assert b.part(first, last) is NONE
        for record, (start, end) in enumerate(b.bounds):
            for first, last in ((start, end), (start + 15, end), (end - 5, end)):
                assert b.context(record, seek=True) is NONE
                assert b.part(first, last, seeks=True) is NONE
        b.check_counters()


def test_what_is_behind_the_packet_leaves_as_zeros() -> None:
    rng = random.Random(7)
    for ip_version in IpVersion:
        b = bench(rng, V13, 16, [3, 40], ip_version=ip_version)
        assert b.part(0, 10, padding=rng.randbytes(30)) is NONE
        assert b.part(10, 31, padding=rng.randbytes(3)) is NONE
        assert b.part(31, len(b.clear), padding=rng.randbytes(1)) is NONE
        bare = b.frame(0, b"", rng.randbytes(1000))
        out = b.queue(bare, ENCRYPT).frame
        assert out == bare[:-1000] + bytes(1000)


@pytest.mark.parametrize("tags", TAGS)
@pytest.mark.parametrize("packet", PACKETS)
def test_packets_of_every_form(tags: str, packet: str) -> None:
    """The frame that leaves is the one that scapy makes of the ciphertext."""
    rng = random.Random(8)
    ip_version = IpVersion.IPV4 if "ipv4" in packet else IpVersion.IPV6
    b = bench(rng, V13, 16, [30, 41], ip_version=ip_version)
    for options in ([], [("NOP", None)], [("NOP", None)] * 40):
        b.resync(0)
        for first, last in ((0, 17), (17, len(b.clear))):
            frames = [
                with_tcp(TAGS[tags]() / PACKETS[packet](), data, seq=first, options=options)
                for data in (b.clear[first:last], b.stream.wire[first:last])
            ]
            assert b.queue(frames[0], ENCRYPT).frame == frames[1]


@pytest.mark.parametrize("flags", ["A", "PA", "FA", "", "FPAUEC", "U"])
def test_flags_do_not_matter_without_syn_and_rst(flags: str) -> None:
    rng = random.Random(9)
    b = bench(rng, V12, 16, [30])
    sent = b.queue(segment(0, b.clear, flags=flags), ENCRYPT)
    assert sent.frame == segment(0, b.stream.wire, flags=flags)


@pytest.mark.parametrize("ip_version", IpVersion)
def test_checksums_of_odd_and_even_packets_and_of_zero(ip_version: IpVersion) -> None:
    rng = random.Random(10)
    b = bench(rng, V13, 16, [30], ip_version=ip_version)
    n = headers(ip_version)
    for last in (len(b.clear), len(b.clear) - 1):
        b.resync(0)
        clear = segment(0, b.clear[:last], ip_version)
        sent = b.queue(clear, ENCRYPT)
        wire = segment(0, b.stream.wire[:last], ip_version)
        assert sent.frame == wire
        # the window takes up what the checksum was: it is 0 then, the other zero is no sum's
        window = int.from_bytes(wire[n - 18 : n - 16])
        window = (window + int.from_bytes(wire[n - 16 : n - 14])) % 0xFFFF
        b.resync(0)
        sent = b.queue(segment(0, b.clear[:last], ip_version, window=window), ENCRYPT)
        assert sent.frame == segment(0, b.stream.wire[:last], ip_version, window=window)
        assert sent.frame[n - 16 : n - 14] == bytes(2)


def test_records_of_rfc8448() -> None:
    rng = random.Random(11)
    tests = [t for group in json.loads(RFC8448.read_text())["testGroups"] for t in group["tests"]]
    assert len(tests) == 27
    for test in tests:
        key, iv, aad, msg, ct, tag = (
            bytes.fromhex(test[name]) for name in ("key", "iv", "aad", "msg", "ct", "tag")
        )
        found = re.search(r"record number (\d+)", test["comment"])
        assert found
        number = int(found.group(1))
        static = iv[:4] + (int.from_bytes(iv[4:]) ^ number).to_bytes(8)
        made = Stream(aad + ct + tag, aad + msg + tag, (0,))
        b = Bench(rng, Sender(V13, key, static), made, number=number)
        for first, last in cuts(rng, len(made.wire), range(1, 200)):
            assert b.part(first, last) is NONE


# ---- what does not leave, and what leaves as it is ----


def test_plain_frames_leave_as_they_are() -> None:
    rng = random.Random(12)
    b = bench(rng, V13, 16, [100])
    assert b.part(0, 50) is NONE
    frames = [
        b"x",
        rng.randbytes(60),
        rng.randbytes(9600),
        b.frame(50, b.clear[50:]),  # of the connection, with a wrong checksum
        segment(50, b.clear[50:], flags="SR"),
    ]
    for ctrl in (2, 0):
        b.device.write(Addr.CTRL, ctrl)
        for frame in frames:
            for connection in (0, 1, 0xFFFF):
                assert b.queue(frame, PLAIN, connection).frame == frame
    b.device.write(Addr.CTRL, 2)
    assert b.part(50, len(b.clear)) is NONE
    b.check_counters()


@pytest.mark.parametrize("ctrl", [2, 0])
def test_a_frame_of_any_kind_that_is_too_long_is_dropped(ctrl: int) -> None:
    rng = random.Random(13)
    b = bench(rng, V13, 16, [16000])
    n = headers(b.ip_version)
    b.device.write(Addr.CTRL, ctrl)
    long = b.frame(0, b.clear[: 9601 - n])
    for kind in TxKind:
        for frame in (long, b.frame(0, b.clear[:99], bytes(9502 - n)), bytes(9601)):
            assert len(frame) == 9601
            assert b.queue(frame, kind).completions[-1].reason is TxDrop.BAD_FRAME
    b.device.write(Addr.CTRL, 2)
    assert b.part(0, 9600 - n) is NONE
    b.check_counters()


def test_the_longest_frame_is_that_of_the_device() -> None:
    device = Tlsnic(Config(max_frame=1514))
    for size in (1514, 1515):
        sent = device.send(bytes(size), TxDescriptor())
        assert sent.completions[0].reason is (TxDrop.BAD_FRAME if size == 1515 else NONE)


def test_what_is_dropped_while_transmit_is_disabled() -> None:
    rng = random.Random(14)
    b = bench(rng, V13, 16, [100])
    assert b.part(0, 50) is NONE
    for ctrl in (0, 0x301):
        b.device.write(Addr.CTRL, ctrl)
        for kind in (ENCRYPT, FEED):
            assert b.part(50, 100, kind) is TxDrop.DISABLED
            for frame in (b"", segment(50, b""), segment(50, b"x", flags="S"), bytes(60)):
                assert b.queue(frame, kind, 7).completions[-1].reason is TxDrop.DISABLED
        assert b.context(0) is TxDrop.DISABLED
        assert b.context(0, seek=True) is TxDrop.DISABLED
        assert b.give(b"") is TxDrop.DISABLED
    b.device.write(Addr.CTRL, 2)
    assert b.part(50, 121) is NONE
    b.check_counters()


@pytest.mark.parametrize("kind", [ENCRYPT, FEED])
@pytest.mark.parametrize("defects", [IPV4_DEFECTS, IPV6_DEFECTS], ids=["ipv4", "ipv6"])
def test_bad_frames(kind: TxKind, defects: tuple[tuple[RxPass, Callable[..., None]], ...]) -> None:
    rng = random.Random(15)
    is_v4 = defects is IPV4_DEFECTS
    packet = PACKETS["ipv4" if is_v4 else "ipv6, hop-by-hop"]
    b = bench(rng, V13, 16, [100], ip_version=IpVersion.IPV4 if is_v4 else IpVersion.IPV6)
    good, out = (with_tcp(ether() / packet(), data) for data in (b.clear, b.stream.wire))
    b.seq = 0xFFFF_FFF0
    for reason, change in defects:
        for connection in (0, 7):
            frame = bytearray(good)
            change(frame)
            b.resync(0)
            sent = b.queue(bytes(frame), kind, connection)
            if reason is RxPass.BAD_TCP_CSUM and connection == 0:
                assert sent.frame == (out if kind is ENCRYPT else None)
                assert sent.completions[-1].reason is NONE
                continue
            right = reason is not RxPass.BAD_TCP_CSUM
            want = TxDrop.BAD_FRAME if right else TxDrop.NO_CONNECTION
            assert sent.completions == (Completion(connection, reason=want),)
    b.resync(0)
    assert b.queue(good, ENCRYPT).frame == out


@pytest.mark.parametrize("flags", ["S", "R", "SR", "SA", "RA", "FSRPAUEC"])
def test_syn_and_rst(flags: str) -> None:
    rng = random.Random(16)
    b = bench(rng, V13, 16, [100])
    for connection in (0, 7):
        for kind in (ENCRYPT, FEED):
            frame = segment(0, b.clear, flags=flags)
            sent = b.queue(frame, kind, connection)
            assert sent.completions[-1].reason is TxDrop.BAD_FRAME
            frame = segment(0, b"", flags=flags, padding=6)
            assert b.queue(frame, kind, connection).frame == (frame if kind is ENCRYPT else None)
    assert b.part(0, len(b.clear)) is NONE
    b.check_counters()


@pytest.mark.parametrize("ip_version", IpVersion)
def test_without_payload_a_frame_leaves_as_it_is(ip_version: IpVersion) -> None:
    rng = random.Random(17)
    b = bench(rng, V13, 16, [100], ip_version=ip_version)
    assert b.part(0, 50) is NONE
    for seq in (0, 50, 51, 12345):
        for remote_port in (driver.REMOTE_PORT, 1):
            changed = bytearray(segment(seq, b"", ip_version, 6, remote_port))
            changed[headers(ip_version) - 16] ^= 0x55  # not its checksum either
            frame = bytes(changed)
            for connection in (0, 7, 0xFFFF):
                assert b.queue(frame, ENCRYPT, connection).frame == frame
                assert b.queue(frame, FEED, connection).frame is None
    assert b.part(50, 121) is NONE
    b.check_counters()


def test_a_frame_must_be_of_the_connection_that_it_names() -> None:
    rng = random.Random(18)
    b = bench(rng, V13, 16, [100])
    others: list[dict[str, Any]] = [
        {"local_port": 1},
        {"remote_port": 1},
        {"local_addr": bytes([192, 0, 2, 2])},
        {"remote_addr": bytes([198, 51, 100, 8])},
        {"local_port": driver.LOCAL_PORT, "remote_port": driver.REMOTE_PORT},
        {
            "local_addr": ip_address(driver.LOCAL_V4).packed,
            "remote_addr": ip_address(driver.REMOTE_V4).packed,
            "local_port": driver.LOCAL_PORT,
            "remote_port": driver.REMOTE_PORT,
        },
    ]
    own = sender(rng, V12, 16)
    for n, other in enumerate(others):
        assert add(b.device, own, IpVersion.IPV4, **other) == (Reason.OK, n + 1)
    assert add(b.device, own, IpVersion.IPV6) == (Reason.OK, len(others) + 1)
    b.counts[Addr.TX_TLS_CTX] += len(others) + 1
    frame = b.frame(0, b.clear)
    for kind in (ENCRYPT, FEED):
        for connection in (*range(1, len(others) + 2), 63, 64, 0xFFFF):
            sent = b.queue(frame, kind, connection)
            assert sent.completions == (Completion(connection, reason=TxDrop.NO_CONNECTION),)
        for other_frame in (
            segment(0, b.clear, remote_port=2),
            segment(0, b.clear, dport=2),
            segment(0, b.clear, remote_port=driver.LOCAL_PORT, dport=driver.REMOTE_PORT),
            segment(0, b.clear, IpVersion.IPV6),
        ):
            sent = b.queue(other_frame, kind)
            assert sent.completions == (Completion(reason=TxDrop.NO_CONNECTION),)
    assert b.part(0, len(b.clear)) is NONE
    b.check_counters()


@pytest.mark.parametrize("version", [V12, V13])
@pytest.mark.parametrize("at", [0, 3, 9, 30, 125, 133, 140])
def test_frames_out_of_order_are_dropped_and_nothing_changes(version: TlsVersion, at: int) -> None:
    rng = random.Random(19)
    b = bench(rng, version, 16, [110, 50])
    if at:
        assert b.part(0, at) is NONE
    for kind in (ENCRYPT, FEED):
        for by in (-1, 1, -at, 16, 1 << 31, -(1 << 31), (1 << 31) - 1):
            if by:
                frame = b.frame(at + by, b.clear[at:])
                assert b.queue(frame, kind).completions[-1].reason is OUT_OF_ORDER
    assert b.part(at, len(b.clear)) is NONE
    assert b.part(at, len(b.clear)) is OUT_OF_ORDER
    b.check_counters()


@pytest.mark.parametrize("version", [V12, V13])
@pytest.mark.parametrize("had", range(5))
@pytest.mark.parametrize("kind", [ENCRYPT, FEED])
def test_a_bad_header_drops_its_frame_alone(version: TlsVersion, had: int, kind: TxKind) -> None:
    rng = random.Random(20)
    b = bench(rng, version, 16, [30, 30])
    start = b.stream.starts[1]
    if had:
        assert b.part(0, start + had, kind) is NONE
    least, most = (24, 16408) if version is V12 else (16, 16401)
    lengths = (0, least - 1, most + 1, 0xFFFF)
    headers_ = [b"\x17\3\3" + length.to_bytes(2) for length in lengths]
    headers_ += [bytes([t, 3, 3, 0, 30]) for t in (0, 19, 24, 255)]
    headers_ += [b"\x17\2\3\0\x1e", b"\x17\3\4\0\x1e", b"\x17\3\1\0\x1e"]
    for header in headers_:
        if header[:had] != b.clear[start : start + had]:
            continue
        frame = b.frame(start + had, header[had:] + bytes(40))
        if not had:  # with a record before it, which is whole: its tag is told, and does not count
            frame = b.frame(0, b.clear[:start] + header + bytes(40))
        *told, own = b.queue(frame, kind).completions
        assert own.reason is BAD_RECORD
        want = [] if had else b.tags(0, start)
        assert [(tag.seq, tag.tag) for tag in told] == want
    assert b.part(start + had if had else 0, len(b.clear), kind) is NONE
    b.check_counters()


def test_a_header_is_judged_when_it_has_5_bytes() -> None:
    rng = random.Random(21)
    b = bench(rng, V13, 16, [30])
    for n in range(1, 5):
        b.resync(0)
        sent = b.queue(b.frame(0, b"\xaa" * n), ENCRYPT)
        assert sent.frame is not None
        assert sent.frame[-n:] == b"\xaa" * n
        for _ in range(2):
            sent = b.queue(b.frame(n, b.clear[n:]), ENCRYPT)
            assert sent.completions == (Completion(reason=BAD_RECORD),)
    b.resync(0)
    assert b.part(0, len(b.clear)) is NONE


# ---- contexts ----


def test_a_context_has_33_to_48_bytes_and_what_is_not_there_may_be_anything() -> None:
    rng = random.Random(22)
    b = bench(rng, V13, 16, [30, 30])
    data = TxContext(b.stream.starts[1], 1).pack()
    for size in [*range(70), 9600]:
        assert b.part(0, 20) is NONE
        reason = b.give(data.ljust(size, b"\0")[:size])
        if 33 <= size <= 48:
            assert reason is NONE
            assert b.part(b.stream.starts[1], len(b.clear)) is NONE
        else:
            assert reason is TxDrop.BAD_FRAME
            assert b.part(20, 51) is NONE
        b.resync(0)
    b.check_counters()


@pytest.mark.parametrize("seek", [False, True])
def test_bits_of_a_context_that_are_to_be_0_are_ignored(seek: bool) -> None:
    rng = random.Random(23)
    b = bench(rng, V13, 16, [30, 30])
    start, end = b.bounds[1]
    made = TxContext(start, 1, seek, b.stream.wire[start : start + 5], None)
    for n in range(2, 104):
        data = bytearray(made.pack())
        if n < 8:
            data[12] |= 1 << n & ~2
        else:
            data[(*range(13, 16), *range(21, 32), *range(32, 48))[n % 30]] = 0xFF
        assert b.give(bytes(data)) is NONE
        assert b.part(start, end, seeks=seek) is NONE
    b.check_counters()


def test_a_context_needs_a_connection() -> None:
    rng = random.Random(24)
    b = bench(rng, V13, 16, [30])
    for connection in (1, 63, 64, 0xFFFF):
        for seek in (False, True):
            sent = b.queue(TxContext(0, 0, seek).pack(), CONTEXT, connection)
            assert sent == (None, (Completion(connection, reason=TxDrop.NO_CONNECTION),))
    assert b.queue(b"", CONTEXT, 7).completions[0].reason is TxDrop.BAD_FRAME
    b.check_counters()


@pytest.mark.parametrize("version", [V12, V13])
@pytest.mark.parametrize("at", [0, 3, 9, 30, 45, 60])
@pytest.mark.parametrize("by", ["context", "command"])
def test_resync_from_anywhere_to_any_record(version: TlsVersion, at: int, by: str) -> None:
    rng = random.Random(25)
    b = bench(rng, version, 16, [30, 0, 50], number=2**64 - 2, seq=SEQ - 60)
    for record, (start, _) in enumerate(b.bounds):
        if at:
            assert b.part(0, at) is NONE
        if by == "context":  # of which nothing but seq and number counts
            prefix, tag = rng.randbytes(13), rng.randbytes(16)
            assert b.context(record, prefix=prefix, tag=tag) is NONE
        else:
            b.resync(record)
        assert b.part(start + 1, len(b.clear)) is OUT_OF_ORDER
        assert b.part(start, len(b.clear)) is NONE
        b.resync(0)
    b.check_counters()


# ---- seek ----


@pytest.mark.parametrize("version", [V12, V13])
@pytest.mark.parametrize("tag", [True, False])
def test_seek_from_every_byte_to_every_byte(version: TlsVersion, tag: bool) -> None:
    """The very bytes that went in order, and the connection is where it was."""
    rng = random.Random(26)
    b = bench(rng, version, 16, [18, 0, 33], seq=SEQ - 40, number=2**64 - 1)
    total, here = len(b.clear), b.stream.starts[2] + 20
    assert b.part(0, here) is NONE
    for record, (start, end) in enumerate(b.bounds):
        for first in range(start, end):
            for last in range(first + 1, total + 1):
                fields = {} if tag else {"tag": None}
                assert b.context(record, seek=True, **fields) is NONE
                reason = b.part(first, last, seeks=True)
                wanted = first > start + b.prefix and last > end - 16
                assert reason is (TxDrop.NO_TAG if wanted and not tag else NONE), (first, last)
    assert b.part(here, total) is NONE
    b.check_counters()


@pytest.mark.parametrize(("version", "key"), KINDS, ids=NAMES)
@pytest.mark.parametrize("kind", [ENCRYPT, FEED])
def test_seek_anywhere_in_long_records(version: TlsVersion, key: int, kind: TxKind) -> None:
    rng = random.Random(27)
    b = bench(rng, version, key, [16384, 0, 3000, 1, 16384], ip_version=IpVersion.IPV6)
    for _ in range(100):
        record = rng.randrange(5)
        first = rng.randrange(*b.bounds[record])
        last = min(len(b.clear), first + rng.randrange(1, 9000))
        assert b.context(record, seek=True) is NONE
        assert b.part(first, last, kind, seeks=True) is NONE
    assert b.part(0, 1000) is NONE
    b.check_counters()


@pytest.mark.parametrize("version", [V12, V13])
def test_the_tag_of_a_context_counts_behind_the_prefix_alone(version: TlsVersion) -> None:
    rng = random.Random(28)
    b = bench(rng, version, 16, [30, 30])
    _, end = b.bounds[0]
    for first in range(end):
        tag = rng.randbytes(16)
        assert b.context(0, seek=True, tag=tag) is NONE
        sealed = b.stream.wire
        if first > b.prefix:
            sealed = sealed[: end - 16] + tag + sealed[end:]
        wire = sealed[first:]
        assert b.part(first, len(b.clear), seeks=True, wire=wire) is NONE


def test_the_tag_of_an_empty_record_is_told_up_to_the_end_of_its_prefix() -> None:
    rng = random.Random(29)
    for version in (V12, V13):
        b = bench(rng, version, 16, [0, 0])
        for first in range(b.prefix + 16):
            assert b.context(0, seek=True) is NONE
            sent = b.queue(b.frame(first, b.clear[first : b.bounds[0][1]]), ENCRYPT)
            assert [c.tag is not None for c in sent.completions] == (
                [True, False] if first <= b.prefix else [False]
            )


@pytest.mark.parametrize("version", [V12, V13])
def test_headers_of_a_context(version: TlsVersion) -> None:
    rng = random.Random(30)
    b = bench(rng, version, 16, [30, 30])
    start, end = b.bounds[0]
    good = b.stream.wire[: b.prefix]
    bad = [b"\x18" + good[1:], good[:1] + b"\2" + good[2:], good[:3] + b"\xff" + good[4:]]
    for prefix in bad:
        for first in range(end + 3):
            # a bad header comes before the place, and before the tag
            assert b.context(0, seek=True, prefix=prefix, tag=None) is NONE
            assert b.part(first, len(b.clear), seeks=True) is BAD_RECORD
    # another header than the frame's, or nonce: as far as the frame has it, from where it begins
    others = [good[:n] + bytes([good[n] ^ 1]) + good[n + 1 :] for n in (0, 4, b.prefix - 1)]
    for prefix in others:
        wrong = next(n for n in range(b.prefix) if prefix[n] != good[n])
        for first in range(b.prefix):
            for last in (first + 1, b.prefix, b.prefix + 1):
                assert b.context(0, seek=True, prefix=prefix) is NONE
                sent = b.queue(b.frame(first, b.clear[first:last]), ENCRYPT)
                reason = BAD_RECORD if first <= wrong < last else NONE
                assert sent.completions[-1].reason is reason
                if reason is NONE:
                    b.counts[Addr.TX_TLS_ENCRYPTED_PACKETS] += 1
                    b.counts[Addr.TX_TLS_ENCRYPTED_BYTES] += last - first
    # what a context has behind its prefix says nothing
    for rest in (b"\0", b"\xff"):
        assert b.context(0, seek=True, prefix=good.ljust(13, rest)) is NONE
        assert b.part(0, len(b.clear), seeks=True) is NONE
    for first in (end, end + 1, end + 20, -1, 1 << 31, (1 << 31) + 7):
        for fields in ({}, {"tag": None}):
            assert b.context(0, seek=True, **fields) is NONE
            sent = b.queue(b.frame(first, b.clear[start:end]), ENCRYPT)
            assert sent.completions == (Completion(reason=OUT_OF_ORDER),)
    assert b.part(0, len(b.clear)) is NONE
    b.check_counters()


@pytest.mark.parametrize("version", [V12, V13])
def test_a_tag_that_is_not_there_comes_before_a_bad_header_behind_it(version: TlsVersion) -> None:
    rng = random.Random(31)
    b = bench(rng, version, 16, [30, 30])
    end = b.bounds[0][1]
    frame = b.frame(20, b.clear[20:end] + b"\xff" * 5)
    for fields, reason in (({"tag": None}, TxDrop.NO_TAG), ({}, BAD_RECORD)):
        assert b.context(0, seek=True, **fields) is NONE
        assert b.queue(frame, ENCRYPT).completions == (Completion(reason=reason),)
    # records that were whole before the bad header are told, but not the first
    second = b.bounds[1][1]
    frame = b.frame(20, b.clear[20:second] + b"\xff" * 5)
    assert b.context(0, seek=True) is NONE
    *told, own = b.queue(frame, ENCRYPT).completions
    assert own.reason is BAD_RECORD
    assert [(tag.seq, tag.tag) for tag in told] == b.tags(end, second)
    assert b.part(0, second) is NONE


def _plain(b: Bench) -> None:
    b.queue(bytes(60), PLAIN)


def _long(b: Bench) -> None:
    b.queue(bytes(9601), PLAIN)


def _ack(b: Bench) -> None:
    b.queue(segment(0, b""), ENCRYPT)


def _fed_ack(b: Bench) -> None:
    b.queue(segment(0, b""), FEED)


def _bad(b: Bench) -> None:
    b.queue(bytes(60), ENCRYPT)


def _out_of_order(b: Bench) -> None:
    assert b.part(200, 210) is OUT_OF_ORDER


def _disabled(b: Bench) -> None:
    b.device.write(Addr.CTRL, 0)
    assert b.part(20, 50) is TxDrop.DISABLED
    b.device.write(Addr.CTRL, 2)


def _other_connection(b: Bench) -> None:
    sent = b.queue(segment(0, b.clear, remote_port=1), ENCRYPT, 1)
    assert sent.frame is not None  # in its own order
    b.counts[Addr.TX_TLS_ENCRYPTED_PACKETS] += 1
    b.counts[Addr.TX_TLS_ENCRYPTED_BYTES] += len(b.clear)


def _other_id(b: Bench) -> None:
    b.queue(b.frame(20, b.clear[20:]), ENCRYPT, 1)


def _other_context(b: Bench) -> None:
    sent = b.queue(TxContext(0, 0, True).pack(), CONTEXT, 1)
    b.counts[Addr.TX_TLS_OOO] += not sent.completions[0].reason


def _bad_context(b: Bench) -> None:
    assert b.give(bytes(32)) is TxDrop.BAD_FRAME


def _unknown_context(b: Bench) -> None:
    b.queue(TxContext(0, 0, True).pack(), CONTEXT, 9)


def _resync(b: Bench) -> None:
    assert b.context(1) is NONE


def _frame_that_seeks(b: Bench) -> None:
    assert b.part(20, 50, seeks=True) is NONE


ENDS: Final[tuple[Callable[[Bench], None], ...]] = (
    _plain,
    _long,
    _ack,
    _fed_ack,
    _bad,
    _out_of_order,
    _disabled,
    _other_connection,
    _other_id,
    _other_context,
    _bad_context,
    _unknown_context,
    _resync,
    _frame_that_seeks,
)


@pytest.mark.parametrize("ends", ENDS, ids=lambda end: end.__name__)
def test_a_seek_is_for_the_very_next_frame(ends: Callable[[Bench], None]) -> None:
    rng = random.Random(32)
    b = bench(rng, V13, 16, [100, 100])
    assert add(b.device, b.own, IpVersion.IPV4, local_port=1) == (Reason.OK, 1)
    b.counts[Addr.TX_TLS_CTX] += 1
    assert b.context(0, seek=True) is NONE
    ends(b)
    assert b.part(20, 50) is OUT_OF_ORDER
    start = b.stream.starts[1] if ends is _resync else 0
    assert b.part(start, len(b.clear)) is NONE  # where the connection is, nothing has changed
    b.check_counters()


def test_commands_do_not_end_a_seek() -> None:
    rng = random.Random(33)
    b = bench(rng, V13, 16, [100, 100])
    assert b.context(0, seek=True) is NONE
    add(b.device, b.own, IpVersion.IPV4, local_port=1)
    b.resync(1)
    driver.fill(b.device, CMD_OP=Opcode.DEL | Direction.TX << 8, CMD_CONNECTION=1)
    assert driver.ring(b.device) == (Reason.OK, 1)
    b.device.write(Addr.CTRL, 0)
    b.device.write(Addr.CTRL, 2)
    assert b.part(20, 50, seeks=True) is NONE
    assert b.part(b.stream.starts[1], len(b.clear)) is NONE


def test_del_of_its_connection_ends_a_seek() -> None:
    """The next connection with this id may have another key, and the same record number."""
    rng = random.Random(33)
    b = bench(rng, V13, 16, [100, 100])
    assert b.context(0, seek=True) is NONE
    driver.fill(b.device, CMD_OP=Opcode.DEL | Direction.TX << 8, CMD_CONNECTION=0)
    assert driver.ring(b.device) == (Reason.OK, 0)
    assert add(b.device, b.own, IpVersion.IPV4, seq=77) == (Reason.OK, 0)
    assert b.part(20, 50, seeks=True) is OUT_OF_ORDER


def test_a_seek_changes_nothing_whatever_becomes_of_its_frame() -> None:
    rng = random.Random(34)
    b = bench(rng, V12, 32, [100, 100])
    assert b.part(0, 30) is NONE
    for first, last, fields, reason in (
        (0, 30, {}, NONE),
        (30, 60, {}, NONE),  # also just where the connection is
        (30, 258, {"tag": None}, TxDrop.NO_TAG),
        (140, 150, {}, OUT_OF_ORDER),
        (50, 60, {"prefix": bytes(13)}, BAD_RECORD),
        (30, 258, {}, NONE),
    ):
        assert b.context(0, seek=True, **fields) is NONE
        assert b.part(first, last, seeks=True) is reason
    assert b.part(30, 258) is NONE
    b.check_counters()


# ---- rebuild ----


@pytest.mark.parametrize(("version", "key"), KINDS, ids=NAMES)
def test_rebuild_before_every_byte(version: TlsVersion, key: int) -> None:
    rng = random.Random(35)
    b = bench(rng, version, key, [30, 40, 20], number=9)
    total = len(b.clear)
    assert b.part(0, total) is NONE
    start, end = b.bounds[1]
    for first in range(start, end):
        assert b.context(1) is NONE
        for fed in cuts(rng, first - start, range(1, 20)):
            assert b.part(start + fed[0], start + fed[1], FEED) is NONE
        middle = rng.randrange(first + 1, total)
        assert b.part(first, middle) is NONE
        assert b.part(middle, total) is NONE  # and goes on behind it
    b.check_counters()


def test_the_frame_that_was_to_be_served_has_its_own_reason() -> None:
    rng = random.Random(36)
    b = bench(rng, V13, 16, [100, 100])
    assert b.part(0, 200) is NONE
    assert b.context(0) is NONE
    assert b.part(1, 40, FEED) is OUT_OF_ORDER
    assert b.part(40, 60) is OUT_OF_ORDER
    assert b.part(0, 40, FEED) is NONE
    assert b.part(40, 60) is NONE
    b.check_counters()


# ---- connections ----


def test_connections_are_apart_and_a_deleted_one_is_gone() -> None:
    rng = random.Random(37)
    device = Tlsnic()
    device.write(Addr.CTRL, 2)
    made = []
    for n in range(64):
        version, key = KINDS[n % 4]
        own = sender(rng, version, key)
        answer = add(device, own, IpVersion.IPV4, local_port=1000 + n, seq=n, number=n)
        assert answer == (Reason.OK, n)
        made.append(stream(rng, own, n, [60, 60]))
    for first, last in ((0, 30), (30, 75), (75, 1000)):
        for n in rng.sample(range(64), 64):
            clear, wire = (
                segment(n + first, data[first:last], remote_port=1000 + n)
                for data in (made[n].plain, made[n].wire)
            )
            sent = device.send(clear, TxDescriptor(n, ENCRYPT))
            assert sent.frame == wire
            assert sent.completions[-1] == Completion(n, sent=True)
    driver.fill(device, CMD_OP=Opcode.DEL | Direction.TX << 8, CMD_CONNECTION=7)
    assert driver.ring(device) == (Reason.OK, 7)
    frame = segment(7, made[7].plain, remote_port=1007)
    for kind, data in ((ENCRYPT, frame), (FEED, frame), (CONTEXT, bytes(48))):
        sent = device.send(data, TxDescriptor(7, kind))
        assert sent == (None, (Completion(7, reason=TxDrop.NO_CONNECTION),))


# ---- anything ----


@pytest.mark.parametrize(("version", "key"), KINDS, ids=NAMES)
@pytest.mark.parametrize("seed", range(6))
def test_random_traffic_comes_to_the_peer(version: TlsVersion, key: int, seed: int) -> None:
    """Segments in order, and some once more, by seek or rebuild; the receive model is the peer."""
    rng = random.Random(seed)
    sizes = [rng.choice([0, 1, 16, 100, 1000, 5000]) for _ in range(20)]
    b = bench(rng, version, key, sizes, seq=rng.randrange(SEQ), number=rng.getrandbits(64))
    peer = Tlsnic()
    peer.write(Addr.CTRL, 1)
    answer = driver.add(
        peer,
        key=b.own.key,
        iv=b.own.iv,
        seq=b.seq,
        number=b.number,
        version=version,
        cipher=Cipher(key // 16),
        local_addr=ip_address(driver.LOCAL_V4).packed,
        remote_addr=ip_address(driver.REMOTE_V4).packed,
    )
    assert answer == (Reason.OK, 0)
    n = headers(b.ip_version)
    size = rng.choice([range(1, 50), range(50, 300), range(1448, 1449)])

    def record_at(place: int) -> int:
        return max(i for i, (start, _) in enumerate(b.bounds) if start <= place)

    def feed(last: int) -> None:
        """Bring the connection to this place."""
        record = record_at(last)
        start = b.bounds[record][0]
        assert b.context(record) is NONE
        for first, end in cuts(rng, last - start, range(1, 2000)):
            assert b.part(start + first, start + end, FEED) is NONE

    for first, last in cuts(rng, len(b.clear), size):
        frame = b.frame(first, b.clear[first:last])
        sent = b.queue(frame, ENCRYPT)
        assert sent.frame is not None
        assert [(c.seq, c.tag) for c in sent.completions[:-1]] == b.tags(first, last)
        out, descriptor = peer.receive(sent.frame)
        assert descriptor.decrypted
        b.counts[Addr.TX_TLS_ENCRYPTED_PACKETS] += 1
        b.counts[Addr.TX_TLS_ENCRYPTED_BYTES] += last - first
        # all but the room of the tags, which is the tags then
        assert out[n:] == b.stream.plain[first:last]
        if rng.random() < 0.1:
            again = rng.randrange(last)
            behind = min(last, again + rng.choice(size))
            if rng.random() < 0.5:
                assert b.context(record_at(again), seek=True) is NONE
                assert b.part(again, behind, seeks=True) is NONE
            else:
                feed(again)
                assert b.part(again, behind) is NONE
                feed(last)
    assert driver.counter(peer, Addr.RX_TLS_ERR) == 0
    b.check_counters()


def test_any_bytes_have_an_answer() -> None:
    """Nothing that goes in breaks the device; of what leaves only payload and checksum differ."""
    rng = random.Random(38)
    b = bench(rng, V12, 16, [0, 20, 300, 40])
    start, end = b.bounds[2]
    n = headers(b.ip_version)
    for _ in range(5000):
        if rng.random() < 0.5:
            data = bytearray(TxContext(start, 2, True, b.stream.wire[start : start + 13]).pack())
            if rng.random() < 0.5:
                data[rng.choice([0, 1, 12, *range(16, 29)])] = rng.randrange(256)
            b.queue(bytes(data), CONTEXT, rng.choice([0, 0, 0, 1]))
        first = rng.choice([0, start, rng.randrange(end)])
        frame = bytearray(b.frame(first, b.clear[first : first + rng.randrange(1, 400)]))
        for _ in range(rng.choice([0, 0, 1, 2])):
            frame[rng.randrange(len(frame))] = rng.randrange(256)
        sent = b.queue(bytes(frame), rng.choice([ENCRYPT, ENCRYPT, FEED]))
        if sent.frame is not None:
            assert len(sent.frame) == len(frame)
            found = locate(bytes(frame), 9600)
            assert isinstance(found, Segment)
            may = {n - 16, n - 15, *range(found.offset, found.offset + found.length)}
            pairs = enumerate(zip(frame, sent.frame, strict=True))
            assert all(at in may for at, (was, now) in pairs if was != now)
        if rng.random() < 0.3:
            b.resync(rng.randrange(4))


# ---- what goes beside frames ----


def test_descriptors_pack_and_unpack() -> None:
    assert TxDescriptor(0xABCD, CONTEXT).pack() == 0x3_ABCD
    for kind in TxKind:
        for connection in (0, 1, 0xFFFF):
            made = TxDescriptor(connection, kind)
            assert made.pack() == connection + 0x1_0000 * kind
            assert TxDescriptor.unpack(made.pack()) == made
    for bit in range(18, 33):
        with pytest.raises(ValueError, match="reserved"):
            TxDescriptor.unpack(1 << bit)


def test_contexts_pack_and_unpack() -> None:
    prefix, tag = bytes(range(1, 14)), bytes(range(100, 116))
    made = TxContext(0x1234_5678, 0xAABB_CCDD_EEFF_0011, True, prefix, tag)
    assert made.pack() == (
        bytes.fromhex("78563412 1100ffeeddccbbaa 03 000000") + prefix + bytes(3) + tag
    )
    assert TxContext.unpack(made.pack()) == made
    assert replace(made, seek=False).pack()[12] == 2
    assert replace(made, tag=None).pack()[12:] == b"\1\0\0\0" + prefix + bytes(19)
    assert TxContext.unpack(TxContext(1, 2).pack()) == TxContext(1, 2, prefix=bytes(13))
    data = bytearray(b"\xff" * 48)
    assert TxContext.unpack(bytes(data)) == TxContext(
        0xFFFF_FFFF, 2**64 - 1, True, b"\xff" * 13, b"\xff" * 16
    )
    data[12] = 0xFC
    assert TxContext.unpack(bytes(data)) == TxContext(
        0xFFFF_FFFF, 2**64 - 1, False, b"\xff" * 13, None
    )
    for wrong in (replace(made, prefix=bytes(14)), replace(made, tag=bytes(15))):
        with pytest.raises(ValueError, match="at most 13"):
            wrong.pack()


def test_completions_pack_and_unpack() -> None:
    tag = bytes(range(16))
    assert Completion(0xABCD, tag, seq=0x1234_5678).pack() == (
        int.from_bytes(tag, "little"),
        0x1234_5678_0001_ABCD,
    )
    assert Completion(7, sent=True).pack() == (0, 0x2_0007)
    assert Completion(7, reason=TxDrop.NO_TAG).pack() == (0, 0x0600_0007)
    for reason in TxDrop:
        made = Completion(1, reason=reason)
        assert Completion.unpack(*made.pack()) == made
    for made in (Completion(2, tag, seq=3), Completion(2, bytes(16)), Completion(2, sent=True)):
        assert Completion.unpack(*made.pack()) == made
    for bit in (*range(18, 24), *range(28, 32), 64):
        with pytest.raises(ValueError, match="no meaning"):
            Completion.unpack(0, 1 << bit)
    with pytest.raises(ValueError, match="TxDrop"):
        Completion.unpack(0, 7 << 24)
    of_no_tag = [(1, 0), (1 << 127, 0), (0, 1 << 32), (0, 1 << 63)]
    of_a_tag = [(5, 0x3_0000), (5, 0x0101_0000)]
    for data, word in of_no_tag + of_a_tag:
        with pytest.raises(ValueError, match="no meaning"):
            Completion.unpack(data, word)
