"""What the driver sends, and how: on the model, which is to let out what a plain writer wrote."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.packet import Packet, Raw

from host import regs
from host.crypto_info import CipherType, CryptoInfo, Version
from host.device import Sent, TxContext, TxDescriptor
from host.device_model import ModelDevice
from host.driver import Driver
from host.driver_tx import COUNTERS, FEED_FRAME, RESYNC_AHEAD, OutOfOrder, Skb, _plain
from host.packet import Flow, parse
from host.regs import Addr, Direction, Opcode, TxDrop, TxKind
from host.tcp import MASK, distance
from host.tests.wire import ACK, CLIENT, DATA, FIN, RST, Tcp, Writer, raises
from host.tx_records import StartMarker, TxRecord, TxRecords

KEY, IV = bytes(range(1, 33)), bytes(range(101, 113))
PLAIN, ENCRYPT, FEED, CONTEXT = TxKind
SEEK, REBUILD = regs.CAPS_TX_SEEK_MASK, regs.CAPS_TX_REBUILD_MASK
ADDRESSES = {4: (b"\x0a\0\0\x01", b"\x0a\0\0\x02"), 6: (bytes(15) + b"\x01", bytes(15) + b"\x02")}
ALL_WAYS = [0, SEEK, REBUILD, SEEK | REBUILD]  # what a device lacks
MAX_FRAME = 9600
ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")  # or scapy looks for them


class Nic(ModelDevice):
    """The model without some of its features; notes what it is sent, and fails when told to.

    Attributes:
        batches: kinds and data of each call that was taken.
        refuses: calls that are not.
        drops: kinds of items of which it says that they were dropped, whatever became of them.
    """

    def __init__(self, lacks: int = 0, max_frame: int = MAX_FRAME) -> None:
        super().__init__()
        self._hidden = {Addr.CAPS: super().read(Addr.CAPS) & ~lacks, Addr.CAP_MAX_FRAME: max_frame}
        self.batches: list[list[tuple[TxKind, bytes]]] = []
        self.refuses: list[Exception] = []
        self.drops: set[TxKind] = set()

    def read(self, addr: int) -> int:
        """A register."""
        hidden = {int(key): value for key, value in self._hidden.items()}
        return hidden[addr] if addr in hidden else super().read(addr)

    def send(self, items: Sequence[tuple[bytes, TxDescriptor]]) -> list[Sent]:
        """What became of items."""
        if self.refuses:
            raise self.refuses.pop()
        self.batches.append([(descriptor.kind, data) for data, descriptor in items])
        told = super().send(items)
        return [
            Sent(None, TxDrop.BAD_FRAME, sent.tags) if descriptor.kind in self.drops else sent
            for sent, (_, descriptor) in zip(told, items, strict=True)
        ]

    @property
    def kinds(self) -> list[list[TxKind]]:
        """Of the items of each call since this was asked last."""
        batches, self.batches = self.batches, []
        return [[kind for kind, _ in batch] for batch in batches]


@dataclass
class Socket:
    """Has the records, and what they are when they are sealed."""

    records: TxRecords
    wire: Callable[[int, int], bytes]  # frame of sequence numbers [first, last)
    pending: bool = False
    able: bool = True  # to encrypt
    wanted: list[tuple[int, int]] = field(default_factory=list)
    encrypted: int = 0

    def encrypt_skb(self, frame: bytes) -> bytes | None:
        """The frame, encrypted."""
        packet = parse(frame)
        assert packet
        assert packet.segment
        self.encrypted += 1
        segment = packet.segment
        end = segment.seq + segment.end - segment.start
        return self.wire(segment.seq, end) if self.able else None

    def tx_resync_request(self, got_seq: int, expected_seq: int) -> None:
        """Asked twice, it would fail."""
        assert not self.pending
        self.wanted.append((got_seq, expected_seq))
        self.pending = True

    def tx_resync_pending(self) -> bool:
        """Whether the device is to be told."""
        return self.pending


class Host:
    """A connection with records of these sizes of text, sent by a driver; places count from 0.

    Attributes:
        starts: where each record starts, and the last one ends.
    """

    def __init__(
        self,
        sizes: Sequence[int] = (100, 100, 100),
        version: Version = Version.TLS_1_3,
        ip: int = 4,
        lacks: int = 0,
        seq: int = 0xFFFF_FF00,
        number: int = 5,
        max_frame: int = MAX_FRAME,
        way: OutOfOrder = OutOfOrder.SEEK,
        ring: int = 1024,
    ) -> None:
        self.seq = seq
        self.tcp = Tcp(ADDRESSES[ip])
        self.nic = Nic(lacks, max_frame)
        self.driver = Driver(self.nic, out_of_order=way, ring=ring)
        records = TxRecords(seq, number)
        self.sock = Socket(records, self.wire_at)
        info = CryptoInfo(
            version, CipherType.AES_GCM_128, IV[4:], KEY[:16], IV[:4], number.to_bytes(8)
        )
        flow = Flow(ADDRESSES[ip][0], 50000, ADDRESSES[ip][1], 443)
        self.context = self.driver.tls_dev_add(flow, Direction.TX, info, seq, self.sock)
        writer = Writer(version, info.key, IV if version is Version.TLS_1_3 else IV[:4], number)
        random = Random(str(sizes))
        self.prefix = 13 if version is Version.TLS_1_2 else 5
        self.clear = self.sealed = b""
        self.starts = [0]
        for size in sizes:
            text = random.randbytes(size)
            sealed = writer.record(DATA, text)
            inner = text + bytes([DATA]) * (version is Version.TLS_1_3)
            self.clear += sealed[: self.prefix] + inner + b"\xee" * 16
            self.sealed += sealed
            records.push(self.clear[self.starts[-1] :])
            self.starts.append(len(self.sealed))

    @property
    def records(self) -> list[TxRecord]:
        """Those that are held."""
        held = [self.sock.records.get(self.seq + start & MASK) for start in self.starts[:-1]]
        return [record for record in held if isinstance(record, TxRecord)]

    def skb(self, first: int, last: int, flags: int = ACK) -> Skb:
        """A marked frame."""
        frame = self.tcp.frame(CLIENT, self.seq + first & MASK, flags, self.clear[first:last])
        return Skb(frame, self.context, decrypted=True)

    def wire(self, first: int, last: int, flags: int = ACK) -> bytes:
        """The frame as it is to leave."""
        return self.tcp.frame(CLIENT, self.seq + first & MASK, flags, self.sealed[first:last])

    def wire_at(self, seq: int, end: int) -> bytes:
        """The same, of sequence numbers."""
        first = distance(seq, self.seq)
        return self.wire(first, first + (end - seq))

    def send(self, *spans: tuple[int, int]) -> None:
        """Marked frames in one call; all leave as they are to."""
        left = self.driver.transmit([self.skb(*span) for span in spans])
        assert left == [self.wire(*span) for span in spans]

    def all(self, size: int = 90) -> list[tuple[int, int]]:
        """Segments of the whole stream."""
        end = self.starts[-1]
        return [(at, min(at + size, end)) for at in range(0, end, size)]

    def counts(self) -> dict[str, int]:
        """The driver's own counters of transmit that are not 0, without `tx_`."""
        stats = self.driver.stats()
        return {name.removeprefix("tx_"): stats[name] for name in COUNTERS if stats[name]}


# -- in order -----------------------------------------------------------------------------------


@pytest.mark.parametrize("lacks", ALL_WAYS)
@pytest.mark.parametrize("ip", [4, 6])
@pytest.mark.parametrize("version", Version)
def test_what_is_in_order_is_encrypted_in_one_batch(version: Version, ip: int, lacks: int) -> None:
    host = Host(version=version, ip=ip, lacks=lacks)
    host.send(*host.all())
    assert host.nic.kinds == [[ENCRYPT] * len(host.all())]
    assert host.counts() == {}
    ends = host.starts[1:]
    assert [record.tag for record in host.records] == [host.sealed[end - 16 : end] for end in ends]
    stats = host.driver.stats()
    assert stats["tx_tls_encrypted_bytes"] == len(host.sealed)
    assert stats["tx_tls_ooo"] == 0


def test_batches_go_on_where_the_one_before_ended() -> None:
    host = Host()
    for span in host.all(7):
        host.send(span)
    assert host.nic.kinds == [[ENCRYPT]] * len(host.all(7))
    assert host.counts() == {}


def test_frames_without_payload_pass_and_move_nothing() -> None:
    host = Host()
    host.send((0, 50))
    for flags in (ACK, ACK | FIN, RST):
        for place in (50, 49, 20, 5000, -3000):
            host.sock.pending = place == 20
            frame = host.tcp.frame(CLIENT, host.seq + place & MASK, flags)
            for decrypted in (False, True):
                assert host.driver.transmit([Skb(frame, host.context, decrypted)]) == [frame]
    host.sock.pending = False
    host.send((50, 120))
    assert host.nic.kinds == [[ENCRYPT], *[[PLAIN]] * 30, [ENCRYPT]]
    assert host.counts() == {}


def test_a_fin_is_no_byte() -> None:
    host = Host()
    end = host.starts[-1]
    skbs = [host.skb(0, end - 9), host.skb(end - 9, end, ACK | FIN)]
    left = host.driver.transmit(skbs)
    assert left == [host.wire(0, end - 9), host.wire(end - 9, end, ACK | FIN)]
    host.send((end - 9, end))  # again: it is behind what is expected, wholly
    assert host.counts() == {"ooo_seek": 1}
    host = Host()
    assert host.driver.transmit([host.skb(0, 50, ACK | FIN)]) == [host.wire(0, 50, ACK | FIN)]
    host.send((50, 60))
    assert host.counts() == {}


# -- what leaves as it is, and what does not -----------------------------------------------------


def test_what_is_not_marked_passes_as_it_is() -> None:
    host = Host()
    frames = [
        bytes(Ether() / ARP()),
        b"\0",
        host.tcp.frame(CLIENT, 7, ACK, b"of another socket"),
        host.wire(0, 50),  # software encrypted it
        host.wire(90, 140),
    ]
    for context in (None, host.context, host.context + 1):
        assert host.driver.transmit([Skb(frame, context) for frame in frames]) == frames
    host.send((0, 50))
    assert host.nic.kinds == [[PLAIN] * 5] * 3 + [[ENCRYPT]]
    assert host.counts() == {}


def test_what_is_marked_and_has_no_context_is_dropped() -> None:
    host = Host()
    skbs = [
        Skb(host.skb(0, 50).frame, None, decrypted=True),
        Skb(host.skb(0, 50).frame, host.context + 1, decrypted=True),
        Skb(bytes(Ether() / ARP()), host.context, decrypted=True),
        Skb(host.skb(0, 50).frame[:-1], host.context, decrypted=True),  # cut short
        Skb(b"", None, decrypted=True),
    ]
    assert host.driver.transmit(skbs) == []
    assert host.nic.kinds == []
    assert host.counts() == {"tls_drop_bypass_req": 5}


def test_what_is_marked_cannot_be_made_to_leave_as_it_is() -> None:
    host = Host()
    for skb in (host.skb(0, 1), host.skb(0, 1, FIN), Skb(b"?", decrypted=True)):
        with pytest.raises(ValueError, match="cannot leave as it is"):
            _plain(skb)


def test_bytes_behind_a_packet_are_no_padding() -> None:
    """A marked frame whose length says that it has no payload: what is behind must not leave."""
    host = Host()
    bare = host.skb(0, 0).frame
    for behind, leaves in ((bytes(6), True), (b"text", False), (bytes(100) + b"t", False)):
        left = host.driver.transmit([Skb(bare + behind, host.context, decrypted=True)])
        assert left == ([bare + behind] if leaves else [])
    assert host.counts() == {"tls_drop_bypass_req": 2}


def test_after_del_nothing_marked_leaves() -> None:
    host = Host()
    host.send((0, 50))
    host.driver.tls_dev_del(host.context, Direction.TX)
    assert host.driver.transmit([host.skb(50, 60), host.skb(0, 50)]) == []
    assert host.counts() == {"tls_drop_bypass_req": 2}
    with raises(errno.ENOENT):
        host.driver.tls_dev_del(host.context, Direction.TX)


def test_both_directions_are_added_and_deleted_on_their_own() -> None:
    host = Host()
    info = CryptoInfo(Version.TLS_1_3, CipherType.AES_GCM_128, IV[4:], KEY[:16], IV[:4], bytes(8))
    flow = Flow(*(ADDRESSES[4][0], 50000), *(ADDRESSES[4][1], 443))
    assert host.driver.tls_dev_add(flow, Direction.RX, info, 0) == host.context
    host.driver.tls_dev_del(host.context, Direction.RX)
    host.send(*host.all())
    with pytest.raises(TypeError, match="a socket"):
        host.driver.tls_dev_add(flow, Direction.TX, info, 0)


def test_a_device_that_only_receives() -> None:
    lacks = regs.CAPS_TX_MASK | SEEK | REBUILD
    nic = Nic(lacks)
    driver = Driver(nic)
    assert nic.read(Addr.CTRL) & 3 == regs.CTRL_RX_ENABLE_MASK
    frame = Tcp().frame(CLIENT, 5, ACK, b"payload")
    assert (
        driver.transmit([Skb(frame), Skb(frame, 0, decrypted=True), Skb(frame, 0)]) == [frame] * 2
    )
    with raises(errno.EOPNOTSUPP):
        driver.tls_dev_resync(0, Direction.TX, 0, 0)
    with raises(errno.EOPNOTSUPP):
        Host(lacks=lacks)
    assert driver.stats()["tx_tls_drop_bypass_req"] == 1


# -- out of order -------------------------------------------------------------------------------


def places(host: Host, *starts: int) -> list[int]:
    """In each of these records every kind of byte: header, nonce, text, tag, and the edges."""
    found = set()
    for start, end in zip(host.starts, host.starts[1:], strict=False):
        if start in starts:
            prefix, tag = start + host.prefix, end - 16
            found |= {start, start + 1, start + 4, start + 5, prefix - 1, prefix, prefix + 1}
            found |= {tag - 1, tag, tag + 1, end - 1, end}
    return sorted(found)


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("lacks", ALL_WAYS)
def test_any_piece_is_sent_again_as_it_was(lacks: int, version: Version) -> None:
    host = Host((40, 0, 70), version, lacks=lacks)
    host.send(*host.all(40))
    stops = places(host, *host.starts)
    spans = [(first, last) for first in stops for last in stops if first < last]
    for span in spans:
        host.sock.pending = False
        host.send(span)
    counts = host.counts()
    kinds = {kind for batch in host.nic.kinds[1:] for kind in batch}
    if not lacks & SEEK:
        assert counts == {"ooo_seek": len(spans)}
        assert kinds == {CONTEXT, ENCRYPT}
        host.nic.write(Addr.CTRL, regs.CTRL_TX_ENABLE_MASK)
    elif not lacks & REBUILD:
        in_order = len(spans) - counts["ooo_rebuild"]  # where the one before ended
        assert in_order < len(stops)
        assert set(counts) == {"ooo_rebuild", "ooo_rebuild_packets", "ooo_rebuild_bytes"}
        assert kinds == {CONTEXT, FEED, ENCRYPT}
    else:
        assert counts == {"ooo_software": len(spans)}  # all tags are known
        assert kinds == {PLAIN}
        assert host.sock.encrypted == len(spans)
    assert host.sock.wanted == []


def test_a_segment_that_seeks_leaves_the_rest_in_order() -> None:
    host = Host()
    host.send((0, 130), (60, 130), (0, 20), (130, 200), (100, 110), (200, 300))
    kinds = [ENCRYPT, CONTEXT, ENCRYPT, CONTEXT, ENCRYPT, ENCRYPT, CONTEXT, ENCRYPT, ENCRYPT]
    first = host.nic.kinds
    assert first == [kinds[:1], kinds[1:]]  # the first retransmission has a tag's bytes
    assert host.counts() == {"ooo_seek": 3}


def test_a_tag_that_is_not_told_yet_is_waited_for() -> None:
    host = Host()
    end = host.starts[1]
    host.send((0, end), (30, end - 16), (50, end))
    assert host.nic.kinds == [[ENCRYPT, CONTEXT, ENCRYPT], [CONTEXT, ENCRYPT]]


def test_to_rebuild_no_tag_is_needed() -> None:
    host = Host(lacks=SEEK)
    host.send((0, host.starts[1]), (50, host.starts[1]))
    assert host.nic.kinds == [[ENCRYPT, CONTEXT, FEED, ENCRYPT]]


@pytest.mark.parametrize("lacks", [0, REBUILD])
def test_a_tag_that_is_not_known(lacks: int) -> None:
    host = Host(lacks=lacks)
    host.send(*host.all())
    host.nic.batches.clear()
    end = host.starts[1]
    host.records[0].tag = None
    host.send((host.prefix + 1, end - 16))  # none of it is needed
    host.send((host.prefix, end))  # all of the text is there: the device makes it
    assert host.counts() == {"ooo_seek": 2}
    assert host.records[0].tag == host.sealed[end - 16 : end]
    host.records[0].tag = None
    host.send((host.prefix + 1, end - 15))
    if lacks & REBUILD:
        assert host.counts() == {
            "ooo_seek": 2,
            "ooo_software": 1,
            "ooo_software_bytes": host.prefix + 1,
        }
        assert host.sock.wanted == []
    else:
        assert host.counts() == {
            "ooo_seek": 2,
            "ooo_rebuild": 1,
            "ooo_rebuild_packets": 1,
            "ooo_rebuild_bytes": host.prefix + 1,
        }


@pytest.mark.parametrize("lacks", [0, SEEK, REBUILD])
def test_a_segment_that_goes_on_beyond_what_was_sent(lacks: int) -> None:
    host = Host(lacks=lacks)
    host.send((0, 150))
    host.send((140, 160))
    if lacks & REBUILD:
        assert host.counts() == {"ooo_software": 1}
        assert host.sock.wanted == []  # it is behind
        host.send((160, 170))
        assert host.sock.wanted == [(host.seq + 160 & MASK, host.seq + 150 & MASK)]
    else:
        host.send((160, 170))
        assert host.counts()["ooo_rebuild"] == 1


@pytest.mark.parametrize("lacks", [0, SEEK])
def test_a_segment_that_is_ahead_is_rebuilt(lacks: int) -> None:
    host = Host(lacks=lacks)
    host.send((0, 20))
    host.send((150, 200), (200, 210))
    at = 150 - host.starts[1]
    assert host.nic.kinds[1] == [CONTEXT, FEED, ENCRYPT, ENCRYPT]
    host.send((20, 100))  # back to what was lost
    if lacks & SEEK:
        assert host.counts()["ooo_rebuild"] == 2
        assert host.counts()["ooo_rebuild_bytes"] == at + 20
    else:
        assert host.counts() == {
            "ooo_rebuild": 1,
            "ooo_rebuild_packets": 1,
            "ooo_rebuild_bytes": at,
            "ooo_seek": 1,
        }


@pytest.mark.parametrize("lacks", ALL_WAYS)
def test_a_device_that_lost_its_place_is_told_where_it_is(lacks: int) -> None:
    """It drops what is next; the retransmission of that goes another way than in order."""
    host = Host((100,) * 4, lacks=lacks)
    host.send((0, 50))
    away = TxContext(host.seq + 7, 99).pack()
    host.nic.send([(away, TxDescriptor(host.context, CONTEXT))])
    assert host.driver.transmit([host.skb(50, 60), host.skb(60, 70)]) == []
    host.nic.batches.clear()
    host.send((50, 60), (60, 70))
    told = [CONTEXT, FEED, ENCRYPT, ENCRYPT]
    assert host.nic.kinds == [[PLAIN, PLAIN] if lacks & REBUILD else told]
    assert len(host.sock.wanted) == (1 if lacks & REBUILD else 0)
    assert host.counts()["ooo_unexpected"] == 2
    if lacks & REBUILD:
        start = host.starts[1]
        host.driver.tls_dev_resync(host.context, Direction.TX, host.records[1].start, 6)
        host.sock.pending = False
        host.nic.batches.clear()
        host.send((start, start + 9))
        assert host.nic.kinds == [[ENCRYPT]]


def test_at_a_records_start_nothing_is_fed() -> None:
    host = Host(lacks=SEEK)
    host.send((host.starts[1], host.starts[2]), (host.starts[2], host.starts[3]))
    assert host.nic.kinds == [[CONTEXT, ENCRYPT, ENCRYPT]]
    assert host.counts() == {"ooo_rebuild": 1}
    assert [record.tag is None for record in host.records] == [True, False, False]


@pytest.mark.parametrize("way", OutOfOrder)
@pytest.mark.parametrize("lacks", ALL_WAYS)
def test_a_lesser_way_can_be_chosen(lacks: int, way: OutOfOrder) -> None:
    host = Host(lacks=lacks, way=way)
    able = {OutOfOrder.SOFTWARE: 0, OutOfOrder.REBUILD: REBUILD, OutOfOrder.SEEK: SEEK}
    used = max(each for each, mask in able.items() if each <= way and not lacks & mask)
    assert host.driver.out_of_order is used
    host.send((0, 100), (40, 60))
    assert host.counts()[f"ooo_{used.name.lower()}"] == 1


# -- what is fed --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "layers",
    [
        ETHER / IP(src="10.0.0.1", dst="10.0.0.2", id=7, ttl=33),
        ETHER / Dot1Q(vlan=5) / IP(src="10.0.0.1", dst="10.0.0.2", options=b"\x01" * 4),
        ETHER / IPv6(src="::1", dst="::2"),
        ETHER / Dot1AD(vlan=5) / Dot1Q(vlan=6) / IPv6(src="::1", dst="::2") / IPv6ExtHdrDestOpt(),
    ],
)
def test_fed_frames_have_the_headers_of_the_packet(layers: Packet) -> None:
    host = Host((3000,), ip=6 if IPv6 in layers else 4, lacks=SEEK, max_frame=1000)
    seq = host.seq + 2500 & MASK
    options = [("NOP", None), ("NOP", None), ("Timestamp", (7, 9))]
    tcp = TCP(sport=50000, dport=443, seq=seq, ack=77, flags="FPA", options=options)
    packet = layers / tcp / Raw(host.clear[2500:2600])
    (left,) = host.driver.transmit([Skb(bytes(packet), host.context, decrypted=True)])
    assert left == bytes(layers / tcp / Raw(host.sealed[2500:2600]))
    *fed, last = host.nic.batches[0][1:]
    assert {kind for kind, _ in fed} == {FEED}
    assert last == (ENCRYPT, bytes(packet))
    at = 0
    for number, (_, frame) in enumerate(fed):
        assert len(frame) == 1000 or (number == len(fed) - 1 and len(frame) < 1000)
        size = min(2500 - at, 1000 - len(bytes(layers / tcp)))
        other = TCP(sport=50000, dport=443, seq=host.seq + at & MASK, ack=77, flags="PA",
                    options=options)  # fmt: skip
        wanted = bytes(layers / other / Raw(host.clear[at : at + size]))
        tcp_at = frame.index(bytes(other)[:12])
        assert frame[: tcp_at + 16] == wanted[: tcp_at + 16]  # all in front of the checksum
        assert frame[tcp_at + 18 :] == wanted[tcp_at + 18 :]
        at += size
    assert at == 2500
    assert host.counts()["ooo_rebuild_packets"] == len(fed)


def test_fed_frames_are_as_long_as_frames_are() -> None:
    host = Host((16384,), lacks=SEEK)
    host.send((16000, 16400))
    fed = [data for kind, data in host.nic.batches[0] if kind is FEED]
    assert [len(frame) for frame in fed] == [FEED_FRAME, 16000 - (FEED_FRAME - 54) + 54]
    assert host.counts() == {
        "ooo_rebuild": 1,
        "ooo_rebuild_packets": 2,
        "ooo_rebuild_bytes": 16000,
    }


# -- software, and resync -----------------------------------------------------------------------


@pytest.mark.parametrize("lacks", [REBUILD, SEEK | REBUILD])
def test_ahead_of_the_device_software_encrypts_until_it_is_told(lacks: int) -> None:
    host = Host((100,) * 5, lacks=lacks)
    host.send((0, 50))
    host.nic.batches.clear()
    host.send((60, 140), (140, 200))
    assert host.sock.wanted == [(host.seq + 60 & MASK, host.seq + 50 & MASK)]
    host.send((50, 60), (0, 30))  # what would be in order, too
    assert host.nic.kinds == [[PLAIN, PLAIN], [PLAIN, PLAIN]]
    start = host.starts[2]
    host.driver.tls_dev_resync(host.context, Direction.TX, host.records[2].start, 7)
    host.sock.pending = False
    host.send((200, start))  # behind: another way, or software, but nothing is asked
    host.nic.batches.clear()
    host.send((start, start + 50), (start + 50, host.starts[4]))
    assert host.nic.kinds == [[ENCRYPT, ENCRYPT]]
    assert len(host.sock.wanted) == 1
    assert host.counts() == {
        "tls_resync": 1,
        "ooo_software": 5,
        "ooo_software_bytes": 60 + 200 - host.starts[1],  # for the tags of the first two records
    }


def test_a_retransmission_asks_for_nothing() -> None:
    host = Host(lacks=SEEK | REBUILD)
    host.send((0, 250), (100, 150))
    assert host.sock.wanted == []
    assert host.counts() == {"ooo_software": 1}


class Everywhere(TxRecords):
    """Has one record, wherever it is looked for."""

    def get(self, seq: int) -> TxRecord | StartMarker | None:
        """A record of 100 bytes around there."""
        return TxRecord(seq - 10 & MASK, 0, bytes(100))


@pytest.mark.parametrize(
    ("ahead", "asks"), [(1, True), (RESYNC_AHEAD - 1, True), (RESYNC_AHEAD, False), (-1, False)]
)
def test_how_far_ahead_is_not_behind(ahead: int, asks: bool) -> None:
    host = Host(lacks=SEEK | REBUILD)
    host.sock.records = Everywhere(0, 0)
    frame = host.tcp.frame(CLIENT, host.seq + ahead & MASK, ACK, b"text")
    host.sock.wire = lambda seq, end: b"encrypted"
    assert host.driver.transmit([Skb(frame, host.context, decrypted=True)]) == [b"encrypted"]
    assert host.sock.wanted == [(host.seq + ahead & MASK, host.seq)] * asks


def test_software_that_cannot() -> None:
    host = Host(lacks=SEEK | REBUILD)
    host.sock.able = False
    assert host.driver.transmit([host.skb(50, 60)]) == []
    assert host.sock.wanted == []
    assert host.counts() == {"tls_drop_no_sync_data": 1}
    host.send((0, 50))


def test_a_resync_that_fails_changes_nothing() -> None:
    host = Host()
    host.send((0, 50))
    other = host.context + 1
    with raises(errno.ENOENT):
        host.driver.tls_dev_resync(other, Direction.TX, host.seq, 5)
    host.nic.write(Addr.CMD_SEQ, 0)
    host.send((50, 60))
    assert host.counts() == {}


def test_what_a_resync_writes() -> None:
    host = Host()
    host.driver.tls_dev_resync(host.context, Direction.TX, 0x89ABCDEF, 0x1122334455667788)
    assert host.nic.read(Addr.CMD_CONNECTION) == host.context
    assert host.nic.read(Addr.CMD_SEQ) == 0x89ABCDEF
    assert host.nic.read(Addr.CMD_RECORD_LO) == 0x55667788
    assert host.nic.read(Addr.CMD_RECORD_HI) == 0x11223344
    operation = Opcode.RESYNC_TX | Direction.TX << regs.CMD_OP_DIRECTION_LSB
    assert host.nic.read(Addr.CMD_OP) == operation


# -- records that are not held ------------------------------------------------------------------


@pytest.mark.parametrize("lacks", ALL_WAYS)
@pytest.mark.parametrize("pending", [False, True])
def test_what_was_acknowledged_is_dropped(lacks: int, pending: bool) -> None:
    host = Host(lacks=lacks)
    host.send(*host.all())
    host.nic.batches.clear()
    host.sock.records.acked(host.seq + host.starts[1] & MASK)
    host.sock.pending = pending
    skbs = [host.skb(0, 50), host.skb(50, 150), host.skb(-30 + host.starts[1], host.starts[1])]
    assert host.driver.transmit(skbs) == []
    assert host.nic.kinds == []
    assert host.counts() == {"tls_drop_no_sync_data": 3}
    host.sock.pending = False
    host.send((host.starts[1], host.starts[1] + 20))


def test_a_segment_beyond_the_last_record_does_not_seek() -> None:
    host = Host()
    end = host.starts[-1]
    host.send(*host.all())
    host.driver.tls_dev_resync(host.context, Direction.TX, host.seq + end + 10 & MASK, 9)
    host.nic.batches.clear()
    frame = host.tcp.frame(CLIENT, host.seq + end - 5 & MASK, ACK, bytes(6))
    host.driver.transmit([Skb(frame, host.context, decrypted=True)])
    assert host.nic.kinds == [[CONTEXT, FEED, ENCRYPT]]


@pytest.mark.parametrize("lacks", ALL_WAYS)
@pytest.mark.parametrize("pending", [False, True])
def test_what_is_older_than_the_offload(lacks: int, pending: bool) -> None:
    host = Host(lacks=lacks)
    host.send((0, 50))
    host.sock.pending = pending

    def old(first: int, last: int, decrypted: bool) -> Skb:
        frame = host.tcp.frame(CLIENT, host.seq + first & MASK, ACK, bytes(last - first))
        return Skb(frame, host.context, decrypted)

    whole = old(-20, 0, False)
    assert host.driver.transmit([whole, whole]) == [whole.frame] * 2
    assert host.counts() == {"tls_skip_no_sync_data": 2}
    assert host.driver.transmit([old(-20, 0, True), old(-20, 1, True), old(-20, 1, False)]) == []
    assert host.counts() == {"tls_skip_no_sync_data": 2, "tls_drop_bypass_req": 3}
    host.sock.records.acked(host.seq)
    assert host.driver.transmit([old(-20, 0, True)]) == []
    assert host.counts()["tls_drop_no_sync_data"] == 1
    host.sock.pending = False
    host.send((50, 90))


# -- the queue ----------------------------------------------------------------------------------


def test_a_batch_is_not_longer_than_the_ring() -> None:
    host = Host(ring=3)
    host.send(*host.all(20))
    whole, rest = divmod(len(host.all(20)), 3)
    assert [len(batch) for batch in host.nic.kinds] == [3] * whole + [rest] * (rest > 0)
    end = host.starts[1]
    host.send((0, 20), (20, 40), (end, end + 10))
    assert host.nic.kinds == [[CONTEXT, ENCRYPT]] * 3  # context and frame are not parted


@pytest.mark.parametrize("ring", [1, 2, 3, 4, 5])
def test_what_does_not_fit_the_ring_is_softwares(ring: int) -> None:
    host = Host((3000,), lacks=SEEK, max_frame=1054, ring=ring)
    host.send((2500, 2600))
    if ring < 5:
        assert host.nic.kinds == [[PLAIN]]
        counts = {"ooo_ring_full": 1, "ooo_software": 1}
        assert host.counts() == counts
        assert host.sock.wanted == [(host.seq + 2500 & MASK, host.seq)]
    else:
        assert host.nic.kinds == [[CONTEXT, FEED, FEED, FEED, ENCRYPT]]
        assert host.sock.wanted == []


def test_a_ring_of_one_entry_has_no_room_to_seek() -> None:
    host = Host(ring=1)
    host.send((0, 50), (20, 40), (50, 60))
    assert host.nic.kinds == [[ENCRYPT], [PLAIN], [ENCRYPT]]
    assert host.counts() == {"ooo_ring_full": 1, "ooo_software": 1}


@pytest.mark.parametrize("lacks", ALL_WAYS)
def test_what_was_not_posted_is_still_expected(lacks: int) -> None:
    host = Host(lacks=lacks)
    host.send((0, 50))
    ack = Skb(host.tcp.frame(CLIENT, 0, ACK))
    skbs = [host.skb(50, 80), ack, host.skb(80, 120)]
    host.nic.refuses = [OSError(errno.ENOBUFS, "full")]
    assert host.driver.transmit(skbs) == []
    assert host.counts() == {"dropped": 3}
    host.send((50, 80), (80, 120))
    assert host.counts() == {"dropped": 3}
    assert host.nic.kinds == [[ENCRYPT], [ENCRYPT, ENCRYPT]]


def test_a_rebuild_that_was_not_posted() -> None:
    host = Host(lacks=SEEK)
    host.send((0, 50))
    host.nic.refuses = [OSError(errno.EIO, "DMA")]
    assert host.driver.transmit([host.skb(90, 100)]) == []
    assert host.counts()["dropped"] == 1  # the frame; what was to be fed is none
    host.send((50, 90))
    assert host.nic.kinds == [[ENCRYPT], [ENCRYPT]]


def test_only_the_batch_that_was_not_posted_is_lost() -> None:
    host = Host(ring=2)
    spans = host.all(50)
    skbs = [host.skb(*span) for span in spans[:4]]

    def fails(items: Sequence[tuple[bytes, TxDescriptor]]) -> list[Sent]:
        if host.nic.batches:
            raise OSError(errno.EIO, "DMA")
        return Nic.send(host.nic, items)

    host.nic.send = fails  # type: ignore[method-assign]
    assert host.driver.transmit(skbs) == [host.wire(*span) for span in spans[:2]]
    del host.nic.send
    host.send(*spans[2:])
    assert host.counts() == {"dropped": 2}


@pytest.mark.parametrize("where", ["device", "socket"])
def test_an_error_that_is_not_the_queues_is_the_callers(where: str) -> None:
    host = Host(lacks=SEEK | REBUILD)
    skbs = [host.skb(0, 50), host.skb(70, 80)]
    if where == "device":
        host.nic.refuses = [RuntimeError("broken")]
    else:
        host.sock.encrypt_skb = Socket.__init__  # type: ignore[assignment]
    with pytest.raises((RuntimeError, TypeError)):
        host.driver.transmit(skbs)
    host.sock.pending = False
    host.send((0, 50))
    assert host.counts().get("dropped", 0) == 0


def test_after_a_drop_the_device_expects_what_it_did() -> None:
    host = Host()
    host.send((0, 50))
    host.nic.write(Addr.CTRL, regs.CTRL_RX_ENABLE_MASK)
    assert host.driver.transmit([host.skb(50, 60), host.skb(60, 70)]) == []
    host.nic.write(Addr.CTRL, regs.CTRL_TX_ENABLE_MASK)
    host.send((50, 60), (60, 70))
    assert host.counts() == {}
    stats = host.driver.stats()
    assert (stats["tx_drop_disabled"], stats["tx_drop_out_of_order"]) == (2, 0)


def test_a_frame_that_is_too_long_for_the_device() -> None:
    host = Host((12000,))
    assert host.driver.transmit([host.skb(0, 10000)]) == []
    host.send((0, 5000), (5000, 12000))
    assert host.counts() == {}
    assert host.driver.stats()["tx_drop_bad_frame"] == 1


@pytest.mark.parametrize("at", [0, 30])
def test_a_frame_that_is_dropped_behind_its_context(at: int) -> None:
    host = Host(lacks=SEEK)
    first = host.starts[1] + at
    frame = bytearray(host.skb(first, first + 10).frame)
    frame[14 + 10] ^= 1  # its own IP checksum is wrong; those of what is fed are made anew
    assert host.driver.transmit([Skb(bytes(frame), host.context, decrypted=True)]) == []
    host.send((first, first + 20), (first + 20, first + 30))
    assert host.counts()["ooo_rebuild"] == 1
    assert host.nic.kinds == [[CONTEXT, FEED, ENCRYPT][:: 1 if at else 2], [ENCRYPT, ENCRYPT]]


def test_tags_of_what_was_dropped_do_not_count() -> None:
    host = Host()
    host.nic.drops = {ENCRYPT}
    host.driver.transmit([host.skb(0, 150)])
    assert host.records[0].tag is None
    host.nic.drops = set()
    host.driver.transmit([host.skb(0, 150)])
    assert host.records[0].tag is None  # the model had taken it: this one it drops itself


@pytest.mark.parametrize("told", [0, 7])
def test_tags_belong_to_the_record_that_starts_there(told: int) -> None:
    host = Host()

    def send(items: Sequence[tuple[bytes, TxDescriptor]]) -> list[Sent]:
        return [Sent(items[0][0], TxDrop.NONE, ((host.seq + told & MASK, b"t" * 16),))]

    host.nic.send = send  # type: ignore[method-assign]
    host.driver.transmit([host.skb(0, 50)])
    assert host.records[0].tag == (None if told else b"t" * 16)


# -- whatever happens ---------------------------------------------------------------------------


@pytest.mark.parametrize("lacks", ALL_WAYS)
@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("seed", range(6))
def test_nothing_marked_leaves_but_as_it_is_to_be(lacks: int, version: Version, seed: int) -> None:
    """Any segments, acknowledgements, resyncs, failures: P1 and P2."""
    random = Random(f"{lacks} {version} {seed}")
    sizes = [random.choice([0, 1, 16, 100, 700, 3000]) for _ in range(30)]
    ring = random.choice([1, 2, 5, 40, 1000])
    host = Host(sizes, version, lacks=lacks, seq=random.choice([7, 0xFFFF_F000]), ring=ring,
                max_frame=random.choice([300, 9600]))  # fmt: skip
    end, sent, acked = host.starts[-1], 0, 0
    while acked < end:
        spans = []
        for _ in range(random.randrange(1, 8)):
            first = sent if random.random() < 0.6 else random.randrange(sent + 1)
            if random.random() < 0.1:
                first = min(end, sent + random.randrange(100))
            last = min(end, first + random.choice([1, 5, 16, 100, 240]))
            if first < last:
                spans.append((first, last))
                sent = max(sent, last)
        if random.random() < 0.1:
            host.nic.refuses = [OSError(errno.ENOBUFS, "full")]
        left = host.driver.transmit([host.skb(*span) for span in spans])
        wanted = iter([host.wire(*span) for span in spans])
        assert all(frame in wanted for frame in left)  # in order, too
        if random.random() < 0.3:
            acked = random.randrange(acked, sent + 1) if sent < end else end
            host.sock.records.acked(host.seq + acked & MASK)
        if host.sock.pending and random.random() < 0.3:
            at = next((n for n, start in enumerate(host.starts[:-1]) if start >= sent), None)
            if at is not None:
                host.sock.pending = False
                seq, number = host.seq + host.starts[at] & MASK, 5 + at
                host.driver.tls_dev_resync(host.context, Direction.TX, seq, number)
    assert host.sock.records.get(host.seq) is None
