"""The fallback: any segment of the stream is what the whole stream has there, or it is dropped."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Packet, Raw

from host.crypto_info import Version
from host.packet import parse
from host.tcp import MASK
from host.tests.sending import KEYS, V4, V6, Sent
from host.tests.wire import ACK, CLIENT, FIN, Tcp
from host.tx_fallback import encrypt

SIZES = [1, 0, 18]
STRADDLING = Sent.of(Version.TLS_1_2, 16, [30, 30], seq=1000)


def reread(sent: Sent, start: int, end: int) -> int:
    """Bytes before a segment that its first record's tag is made of."""
    first = max(edge for edge in sent.edges if edge <= start)
    tag = min(edge for edge in sent.edges if edge > start) - 16
    return start - first if end > tag else 0


@pytest.mark.parametrize("addresses", [V4, V6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize(("version", "key_size"), KEYS)
def test_from_every_byte_to_every_byte(
    version: Version, key_size: int, addresses: Sequence[bytes]
) -> None:
    """In header, nonce, text and tag; within a record and over many; sequence numbers wrap."""
    sent = Sent.of(version, key_size, SIZES, seq=-40 & MASK, number=(1 << 32) - 1)
    size = sent.edges[-1]
    for start in range(size):
        for end in range(start + 1, size + 1):
            frame = sent.frame(start, end, sealed=False, addresses=addresses)
            made = encrypt(frame, sent.records(), sent.info, marked=True)
            assert made
            assert made.frame == sent.frame(start, end, sealed=True, addresses=addresses)
            assert made.encrypted
            assert made.reread == reread(sent, start, end)


@pytest.mark.parametrize(("version", "key_size"), KEYS)
def test_long_records(version: Version, key_size: int) -> None:
    sent = Sent.of(version, key_size, [16384, 5, 16384], seq=-16400 & MASK)
    records, size = sent.records(), sent.edges[-1]
    for step in (1448, 9001):
        for start in range(0, size, step):
            end = min(start + step, size)
            made = encrypt(sent.frame(start, end, sealed=False), records, sent.info, marked=True)
            assert made
            assert made.frame == sent.frame(start, end, sealed=True)


@pytest.mark.parametrize("version", Version)
def test_a_tag_that_is_known_is_taken_and_nothing_is_read_again(version: Version) -> None:
    sent = Sent.of(version, 16, SIZES)
    records = sent.records()
    for record, sealed in zip(records.between(0, MASK >> 1), sent.sealed, strict=True):
        record.tag = sealed[-16:]
    for start in range(sent.edges[-1]):
        frame = sent.frame(start, sent.edges[-1], sealed=False)
        made = encrypt(frame, records, sent.info, marked=True)
        assert made
        assert (made.frame, made.reread) == (sent.frame(start, sent.edges[-1], sealed=True), 0)


def test_a_tag_that_was_computed_is_kept_with_the_record() -> None:
    sent = Sent.of(Version.TLS_1_3, 32, [40, 40, 40])
    records, edges = sent.records(), sent.edges
    held = records.between(1000, 1000 + edges[-1])
    encrypt(sent.frame(3, edges[2] - 16, sealed=False), records, sent.info, marked=True)
    assert [r.tag for r in held] == [sent.sealed[0][-16:], None, None]
    made = encrypt(sent.frame(7, edges[1], sealed=False), records, sent.info, marked=True)
    assert made
    assert made.reread == 0


def test_the_records_stay_as_they_were() -> None:
    sent = Sent.of(Version.TLS_1_2, 16, [40])
    records = sent.records()
    encrypt(sent.frame(0, sent.edges[-1], sealed=False), records, sent.info, marked=True)
    assert [r.data for r in records.between(0, 5000)] == sent.clear


@pytest.mark.parametrize("payload", [b"\xff", b"\0"])
def test_what_goes_out_is_of_the_records_whatever_the_frame_holds(payload: bytes) -> None:
    """A frame with another text under the same nonce would give both away."""
    sent = Sent.of(Version.TLS_1_3, 16, [40])
    size = sent.edges[-1]
    frame = Tcp().frame(CLIENT, sent.seq, ACK, payload * size)
    made = encrypt(frame, sent.records(), sent.info, marked=True)
    assert made
    assert made.frame == sent.frame(0, size, sealed=True)


# -- what is not encrypted -----------------------------------------------------------------------


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize("seq", [0, 999, 1000, 1010, 1118, 1119, 5000])
def test_without_payload_a_frame_goes_as_it_is(seq: int, marked: bool) -> None:
    """Pure ACKs, FIN, and window probes with seq = snd_una - 1."""
    for flags in (ACK, ACK | FIN):
        frame = Tcp().frame(CLIENT, seq, flags)
        made = encrypt(frame, STRADDLING.records(), STRADDLING.info, marked)
        assert made
        assert (made.frame, made.encrypted) == (frame, False)


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize(("start", "size"), [(-1, 1), (-100, 100), (-100, 1)])
def test_wholly_before_the_start_marker_it_goes_unless_it_is_marked(
    start: int, size: int, marked: bool
) -> None:
    frame = Tcp().frame(CLIENT, 1000 + start, ACK, bytes(size))
    made = encrypt(frame, STRADDLING.records(), STRADDLING.info, marked)
    if marked:
        assert made is None
    else:
        assert made
        assert (made.frame, made.encrypted) == (frame, False)


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize(("start", "size"), [(-1, 2), (-100, 101), (-100, 150), (-1, 119)])
def test_across_the_start_marker_it_is_dropped(start: int, size: int, marked: bool) -> None:
    frame = Tcp().frame(CLIENT, 1000 + start, ACK, bytes(size))
    assert encrypt(frame, STRADDLING.records(), STRADDLING.info, marked) is None


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize(
    ("start", "end"), [(-100, -1), (-1, 1), (0, 59), (58, 59), (58, 60), (0, 118)]
)
def test_of_what_was_acked_nothing_goes_out(start: int, end: int, marked: bool) -> None:
    """Before the start, too; part of it acked, too: what is not comes in a cleaner segment."""
    records = STRADDLING.records()
    records.acked(1000 + 59)
    frame = Tcp().frame(CLIENT, 1000 + start, ACK, bytes(end - start))
    assert encrypt(frame, records, STRADDLING.info, marked) is None


def test_a_record_of_which_a_part_was_acked_is_there_as_a_whole() -> None:
    records = STRADDLING.records()
    records.acked(1000 + 58)
    for start in range(59):
        frame = STRADDLING.frame(start, 59, sealed=False)
        made = encrypt(frame, records, STRADDLING.info, marked=True)
        assert made
        assert made.frame == STRADDLING.frame(start, 59, sealed=True)


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize(("start", "end"), [(118, 119), (117, 119), (0, 119), (500, 510)])
def test_of_what_was_not_written_nothing_goes_out(start: int, end: int, marked: bool) -> None:
    frame = Tcp().frame(CLIENT, 1000 + start, ACK, bytes(end - start))
    assert encrypt(frame, STRADDLING.records(), STRADDLING.info, marked) is None


def test_a_keepalive_with_a_byte_of_old_data_is_dropped() -> None:
    records = STRADDLING.records()
    records.acked(1000 + 118)
    frame = Tcp().frame(CLIENT, 1000 + 117, ACK, b"\0")
    assert encrypt(frame, records, STRADDLING.info, marked=False) is None


def test_what_is_no_segment_goes_only_unmarked() -> None:
    arp = bytes(12) + b"\x08\x06" + bytes(28)
    cut = STRADDLING.frame(0, 118, sealed=False)[:-1]
    for frame in (arp, cut):
        assert encrypt(frame, STRADDLING.records(), STRADDLING.info, marked=True) is None
        made = encrypt(frame, STRADDLING.records(), STRADDLING.info, marked=False)
        assert made
        assert made.frame == frame


# -- the frame around it -------------------------------------------------------------------------

SEGMENT = TCP(sport=5, dport=443, seq=1000, flags="FPA", window=77, options=[("NOP", None)] * 4)


@pytest.mark.parametrize(
    "under",
    [
        Ether() / IP(src="192.0.2.1", dst="10.0.0.2"),  # as an address translator left it
        Ether() / Dot1Q(vlan=5) / IP(src="10.0.0.1", dst="10.0.0.2", options=b"\x01" * 4),
        Ether() / IPv6(src="fd00::1", dst="fd00::2") / IPv6ExtHdrDestOpt(),
    ],
    ids=["NAT", "VLAN and options", "IPv6 extension"],
)
@pytest.mark.parametrize("end", [117, 118])
def test_headers_stay_and_the_checksum_is_of_the_packets_own_addresses(
    under: Packet, end: int
) -> None:
    clear, sealed = (b"".join(each)[:end] for each in (STRADDLING.clear, STRADDLING.sealed))
    wrong = SEGMENT.copy()
    wrong.chksum = 0x1234
    frame = bytes(under / wrong / Raw(clear)) + b"padding"
    made = encrypt(frame, STRADDLING.records(), STRADDLING.info, marked=True)
    assert made
    assert made.frame == bytes(under / SEGMENT / Raw(sealed)) + b"padding"
    packet = parse(made.frame)
    assert packet
    assert packet.segment
    assert packet.segment.good
