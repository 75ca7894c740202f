"""model.tlsnic and model.rx: frames of scapy with records of `cryptography`, through the device.

Whatever comes in, `Bench` checks of every frame that leaves what docs/receive.md says of all.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from ipaddress import ip_address
from itertools import pairwise
from typing import Any, Final

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw

from model.regs import Addr, Cipher, IpVersion, Reason, RxPass, TlsVersion
from model.rx import RxDescriptor
from model.tests import device as driver
from model.tests.records import SEQ, Sender, Stream, cuts, sender, stream
from model.tlsnic import Config, Tlsnic

V12, V13 = TlsVersion.TLS_1_2, TlsVersion.TLS_1_3
KINDS: Final = [(version, size) for version in (V12, V13) for size in (16, 32)]
NAMES: Final = [f"{version.name}-{8 * size}" for version, size in KINDS]
PASSED: Final = {reason: Addr.RX_PASS_DISABLED + 8 * (reason - 1) for reason in list(RxPass)[1:]}


def segment(
    seq: int,
    payload: bytes,
    ip_version: IpVersion = IpVersion.IPV4,
    padding: int = 0,
    remote_port: int = driver.REMOTE_PORT,
    **fields: Any,
) -> bytes:
    """A frame from the peer."""
    ether = Ether(dst="02:00:00:00:00:02", src="02:00:00:00:00:01")
    if ip_version is IpVersion.IPV4:
        packet = ether / IP(src=driver.REMOTE_V4, dst=driver.LOCAL_V4)
    else:
        packet = ether / Dot1Q(vlan=9) / IPv6(src=driver.REMOTE_V6, dst=driver.LOCAL_V6)
    common = {"flags": "A", "options": [("Timestamp", (1, 2))], "dport": driver.LOCAL_PORT}
    tcp = TCP(sport=remote_port, seq=seq % SEQ, **{**common, **fields})
    return bytes(packet / tcp / Raw(payload)) + bytes(padding)


@lru_cache
def headers(ip_version: IpVersion) -> int:
    """Bytes of the frames of `segment` before the payload."""
    return len(segment(0, b"", ip_version))


class Bench:
    """A device with one connection, and what must be true of every frame."""

    def __init__(
        self,
        peer: Sender,
        stream: Stream,
        *,
        seq: int = 0,
        number: int = 0,
        ip_version: IpVersion = IpVersion.IPV4,
        avoid_partials: bool = False,
        config: Config | None = None,
    ) -> None:
        self.device = Tlsnic(config)
        self.device.write(Addr.CTRL, 1 | avoid_partials << 8)
        self.seq, self.stream, self.ip_version = seq, stream, ip_version
        is_v4 = ip_version is IpVersion.IPV4
        local, remote = (
            (driver.LOCAL_V4, driver.REMOTE_V4) if is_v4 else (driver.LOCAL_V6, driver.REMOTE_V6)
        )
        answer = driver.add(
            self.device,
            key=peer.key,
            iv=peer.iv,
            seq=seq,
            number=number,
            version=peer.version,
            cipher=Cipher(len(peer.key) // 16),
            ip_version=ip_version,
            local_addr=ip_address(local).packed,
            remote_addr=ip_address(remote).packed,
        )
        assert answer == (Reason.OK, 0)
        self.reasons: Counter[RxPass] = Counter()
        self.bytes = 0
        self.asked: list[int] = []  # places of the stream

    def send(self, first: int, payload: bytes, **fields: Any) -> RxPass:
        """A segment at this place of the stream; why it was not decrypted."""
        frame = segment(self.seq + first, payload, self.ip_version, **fields)
        out, descriptor = self.device.receive(frame)
        reason = descriptor.reason
        self.reasons[reason] += 1
        word = descriptor.pack()
        assert RxDescriptor.unpack(word) == descriptor
        if descriptor.resync_request:
            assert reason is RxPass.OUT_OF_SYNC
            assert word & 0xFFFF_FFFF == 0xD_0000 | reason << 24
            self.asked.append((descriptor.resync_seq - self.seq) % SEQ)
        else:
            assert word == (0x5_0000 | reason << 24 if reason else 0x7_0000)
        if reason:
            assert out == frame
        else:  # plaintext of these bytes, all else as it was
            n = headers(self.ip_version)
            last = first + len(payload)
            assert out == frame[:n] + self.stream.plain[first:last] + frame[n + len(payload) :]
            self.bytes += len(payload)
        return reason

    def part(self, first: int, last: int, **fields: Any) -> RxPass:
        """Send these bytes of the stream as they are."""
        return self.send(first, self.stream.wire[first:last], **fields)

    def check_counters(self, errors: int = 0, **others: int) -> None:
        """Every frame was counted once; of other counters those by name."""
        counts = {Addr(PASSED[r]): n for r, n in self.reasons.items() if r}
        counts |= {
            Addr.RX_TLS_DECRYPTED_PACKETS: self.reasons[RxPass.NONE],
            Addr.RX_TLS_DECRYPTED_BYTES: self.bytes,
            Addr.RX_TLS_CTX: 1,
            Addr.RX_TLS_ERR: errors,
            Addr.RX_TLS_RESYNC_REQ_PKT: len(self.asked),
            **{Addr[name.upper()]: count for name, count in others.items()},
        }
        for addr in Addr:
            if addr >= Addr.RX_TLS_DECRYPTED_PACKETS:
                assert driver.counter(self.device, addr) == counts.get(addr, 0), addr.name


def bench(
    rng: random.Random, version: TlsVersion, key: int, sizes: Sequence[int], **fields: Any
) -> Bench:
    """A device, and records of these sizes for it."""
    peer = sender(rng, version, key)
    return Bench(peer, stream(rng, peer, fields.get("number", 0), sizes), **fields)


# ---- traffic in order ----


@pytest.mark.parametrize(("version", "key"), KINDS, ids=NAMES)
@pytest.mark.parametrize("ip_version", IpVersion)
@pytest.mark.parametrize("size", [1, 2, 13, 16, 17, 100, 1448])
def test_segments_of_every_size(
    version: TlsVersion, key: int, ip_version: IpVersion, size: int
) -> None:
    rng = random.Random(size)
    sizes = [0, 1, 15, 16, 17, 33] if size < 100 else [0, 16384, 1, 5000, 255, 256]
    b = bench(rng, version, key, sizes, seq=rng.randrange(SEQ), ip_version=ip_version)
    for first, last in cuts(rng, len(b.stream.wire), range(size, size + 1)):
        assert b.part(first, last) is RxPass.NONE
    b.check_counters()


@pytest.mark.parametrize(("version", "key"), KINDS, ids=NAMES)
def test_records_of_every_size_in_jumbo_frames(version: TlsVersion, key: int) -> None:
    rng = random.Random(1)
    b = bench(rng, version, key, [*range(70), 1000, 16383, 16384, 0, 0, 16384, 1])
    payload = 9600 - headers(b.ip_version)
    for first, last in cuts(rng, len(b.stream.wire), range(payload, payload + 1)):
        assert b.part(first, last) is RxPass.NONE
    b.check_counters()


def test_all_types_and_a_text_with_its_inner_type() -> None:
    rng = random.Random(2)
    for version in (V12, V13):
        peer = sender(rng, version, 16)
        made = stream(rng, peer, 0, [50, 60, 70, 16385 if version is V13 else 80], range(20, 24))
        b = Bench(peer, made)
        for first, last in cuts(rng, len(made.wire), range(1400, 1401)):
            assert b.part(first, last) is RxPass.NONE


@pytest.mark.parametrize("number", [0, 1, 2**32 - 1, 2**64 - 2])
@pytest.mark.parametrize("version", [V12, V13])
def test_numbers_of_records(version: TlsVersion, number: int) -> None:
    rng = random.Random(3)
    b = bench(rng, version, 16, [100] * 4, number=number)
    for first, last in cuts(rng, len(b.stream.wire), range(50, 51)):
        assert b.part(first, last) is RxPass.NONE
    b.check_counters()


@pytest.mark.parametrize("before", [1, 3, 5, 50, 129, 130])
def test_sequence_numbers_wrap(before: int) -> None:
    rng = random.Random(before)
    b = bench(rng, V13, 16, [100, 100, 200], seq=SEQ - before)
    for first, last in cuts(rng, len(b.stream.wire), range(7, 40)):
        assert b.part(first, last) is RxPass.NONE
    assert b.part(0, 40) is RxPass.OVERLAP
    b.check_counters()


def test_padding_leaves_as_it_came() -> None:
    rng = random.Random(4)
    b = bench(rng, V13, 16, [3])
    assert b.part(0, 10, padding=30) is RxPass.NONE
    assert b.part(10, 24, padding=3) is RxPass.NONE


# ---- out of order ----


@pytest.mark.parametrize(("version", "key"), KINDS, ids=NAMES)
def test_reordering_within_the_window_costs_nothing(version: TlsVersion, key: int) -> None:
    rng = random.Random(5)
    b = bench(rng, version, key, [400] * 12)
    prefix = 13 if version is V12 else 5
    bounds = list(pairwise([*b.stream.starts, len(b.stream.wire)]))
    for first in range(0, 12, 4):  # four records: their headers, then the rest in any order
        pieces = []
        for start, end in bounds[first : first + 4]:
            assert b.part(start, start + prefix) is RxPass.NONE
            inner = sorted(rng.sample(range(start + prefix + 1, end), 3))
            pieces += list(pairwise([start + prefix, *inner, end]))
        rng.shuffle(pieces)
        for piece in pieces:
            assert b.part(*piece) is RxPass.NONE
    b.check_counters()


@pytest.mark.parametrize(("version", "key"), KINDS, ids=NAMES)
def test_a_record_in_any_order(version: TlsVersion, key: int) -> None:
    rng = random.Random(6)
    for _ in range(20):
        b = bench(rng, version, key, [rng.randrange(40, 3000)])
        total = len(b.stream.wire)
        inner = sorted(rng.sample(range(14, total), 6))
        pieces = [*pairwise([*inner, total])]
        rng.shuffle(pieces)
        assert b.part(0, inner[0]) is RxPass.NONE
        done = [pair for pair in pieces if b.part(*pair) is RxPass.NONE]
        for pair in pieces:
            if pair not in done:  # a fifth run: once more
                assert b.part(*pair) is RxPass.NONE
        assert b.reasons[RxPass.WINDOW_FULL] == 6 - len(done)
        b.check_counters()


@pytest.mark.parametrize(("version", "key"), KINDS, ids=NAMES)
def test_records_taken_in_turns_at_the_same_places(version: TlsVersion, key: int) -> None:
    rng = random.Random(6)
    b = bench(rng, version, key, [100, 100])
    prefix, second = 13 if version is V12 else 5, b.stream.starts[1]
    for first, last in ((0, prefix), (second, second + prefix)):
        assert b.part(first, last) is RxPass.NONE
    for start, first, last in ((0, 0, 30), (second, 30, 60), (0, 60, 116), (0, 30, 60)):
        assert b.part(start + prefix + first, start + prefix + last) is RxPass.NONE
    for first, last in ((60, 116), (0, 30)):
        assert b.part(second + prefix + first, second + prefix + last) is RxPass.NONE
    b.check_counters()


@pytest.mark.parametrize("window", [1, 3, 8])
def test_the_record_that_was_dropped_from_the_window(window: int) -> None:
    rng = random.Random(7)
    b = bench(rng, V13, 16, [100] * (window + 2), config=Config(window=window))
    size = 121
    for n in range(window + 1):
        assert b.part(n * size, n * size + 100) is RxPass.NONE
        if n < window:
            assert b.part(n * size + 101, (n + 1) * size) is RxPass.NONE
        else:
            assert b.part(n * size + 101, (n + 1) * size + 5) is RxPass.NONE  # opens the next
    for n in (0, 1):
        assert b.part(n * size + 100, n * size + 101) is RxPass.OVERLAP
    for n in range(2, window + 1):
        assert b.part(n * size + 100, n * size + 101) is RxPass.NONE
    b.check_counters()


@pytest.mark.parametrize("same", [True, False])
def test_duplicates_and_overlaps(same: bool) -> None:
    rng = random.Random(8)
    b = bench(rng, V12, 32, [500, 500])
    wire = bytes(b.stream.wire if same else rng.randbytes(len(b.stream.wire)))
    assert b.part(0, 200) is RxPass.NONE
    for first, last in ((0, 200), (13, 14), (150, 250), (199, 529), (5, 13), (0, 1)):
        assert b.send(first, wire[first:last]) is RxPass.OVERLAP
    assert b.part(200, 529) is RxPass.NONE  # nothing of it was taken
    assert b.send(528, wire[528:529]) is RxPass.OVERLAP
    assert b.part(529, 1058) is RxPass.NONE
    b.check_counters()


def test_out_of_sync_until_the_header_comes() -> None:
    rng = random.Random(9)
    b = bench(rng, V13, 16, [100, 100, 100])
    assert b.part(0, 110) is RxPass.NONE
    assert b.part(130, 200) is RxPass.OUT_OF_SYNC
    assert b.part(110, 130) is RxPass.NONE
    assert b.part(130, 200) is RxPass.NONE
    assert b.part(247, 363) is RxPass.OUT_OF_SYNC
    assert b.part(200, 247) is RxPass.NONE  # have is 5: opened
    assert b.part(247, 363) is RxPass.NONE
    b.check_counters()


def test_avoid_partials() -> None:
    rng = random.Random(10)
    for avoid in (False, True):
        b = bench(rng, V13, 16, [100, 100], avoid_partials=avoid)
        assert b.part(0, 50) is RxPass.NONE
        assert b.part(40, 60) is RxPass.OVERLAP
        assert b.part(50, 60) is (RxPass.PARTIAL if avoid else RxPass.NONE)
        first = 50 if avoid else 60
        assert b.part(first, 130) is RxPass.NONE  # it has bytes of another
        assert b.part(130, 242) is RxPass.NONE
        b.check_counters()


# ---- wrong tags ----


@pytest.mark.parametrize(("version", "key"), KINDS, ids=NAMES)
def test_each_flipped_bit_is_a_wrong_tag(version: TlsVersion, key: int) -> None:
    rng = random.Random(11)
    peer = sender(rng, version, key)
    made = stream(rng, peer, 0, [20, 30])
    second = made.starts[1]
    for at in range(second):
        if at in range(1, 5):  # version and length: below
            continue
        bit = 1 << rng.randrange(8) if at else made.wire[0] ^ (made.wire[0] + 1) % 4 + 20
        broken, flipped = bytearray(made.wire), bytearray(made.plain)
        broken[at] ^= bit
        flipped[at] ^= bit  # what was decrypted before the tag was wrong has it, too
        b = Bench(peer, replace(made, wire=bytes(broken), plain=bytes(flipped)))
        assert b.part(0, 13) is RxPass.NONE
        assert b.part(13, second) is RxPass.BAD_TAG
        assert b.part(second, len(broken)) is RxPass.NONE  # the next is not harmed
        b.check_counters(errors=1)


def test_a_flipped_bit_of_version_or_length() -> None:
    rng = random.Random(12)
    b = bench(rng, V13, 16, [100])
    for at in (1, 2):
        broken = bytearray(b.stream.wire)
        broken[at] ^= 1
        assert b.send(0, bytes(broken)) is RxPass.BAD_RECORD
    assert b.part(0, 121) is RxPass.NONE
    b = bench(rng, V13, 16, [100, 100])
    broken = bytearray(b.stream.wire)
    broken[4] -= 1
    assert b.send(0, bytes(broken)) is RxPass.BAD_RECORD  # where it now ends is no header
    assert driver.counter(b.device, Addr.RX_TLS_ERR) == 1


def test_wrong_tags_and_other_reasons() -> None:
    rng = random.Random(13)
    peer = sender(rng, V13, 16)
    made = stream(rng, peer, 0, [50, 50, 50])
    broken = bytearray(made.wire)
    for start in made.starts:
        broken[start + 10] ^= 1
    made = replace(made, wire=bytes(broken))
    b = Bench(peer, made)
    assert b.part(0, 4) is RxPass.NONE
    # two complete in one frame that has another reason: it stays, and both count
    assert b.part(3, 142) is RxPass.OVERLAP
    b.check_counters(errors=2)
    b = Bench(peer, made)
    assert b.part(0, 213) is RxPass.BAD_TAG
    b.check_counters(errors=3)
    b = Bench(peer, made)
    assert b.send(0, made.wire[:71] + bytes(5)) is RxPass.BAD_RECORD
    b.check_counters(errors=1, rx_sync_lost=1)


@pytest.mark.parametrize("version", [V12, V13])
@pytest.mark.parametrize("change", ["key", "iv", "number"])
def test_another_key_iv_or_number(version: TlsVersion, change: str) -> None:
    rng = random.Random(14)
    peer = sender(rng, version, 16)
    made = stream(rng, peer, 5, [50])
    other = {
        "key": replace(peer, key=rng.randbytes(16)),
        "iv": replace(peer, iv=bytes([peer.iv[0] ^ 1]) + peer.iv[1:]),
        "number": peer,
    }[change]
    b = Bench(other, made, number=6 if change == "number" else 5)
    assert b.part(0, len(made.wire)) is RxPass.BAD_TAG
    b.check_counters(errors=1)
    b = Bench(peer, made, number=5)
    assert b.part(0, len(made.wire)) is RxPass.NONE


def test_tls_1_2_uses_4_bytes_of_the_iv_and_tls_1_3_all_12() -> None:
    rng = random.Random(15)
    for version in (V12, V13):
        peer = sender(rng, version, 16)
        made = stream(rng, peer, 0, [50])
        for at in range(12):
            iv = bytearray(peer.iv)
            iv[at] ^= 0x80
            b = Bench(replace(peer, iv=bytes(iv)), made)
            ignored = version is V12 and at >= 4
            want = RxPass.NONE if ignored else RxPass.BAD_TAG
            assert b.part(0, len(made.wire)) is want


# ---- what is passed before there are records ----


def test_reasons_and_bits_of_what_is_passed() -> None:
    rng = random.Random(16)
    b = bench(rng, V13, 16, [100])
    wire = b.stream.wire
    good = segment(0, wire)
    bad_tcp, bad_ip = bytearray(good), bytearray(good)
    bad_tcp[-1] ^= 1
    bad_ip[24] ^= 1
    fragment = bytearray(good)
    fragment[20] = 0x20
    cases = {
        bytes(60): (RxPass.NOT_TCP, 0),
        bytes(9601): (RxPass.BAD_LENGTH, 0),
        bytes(fragment): (RxPass.FRAGMENT, 0),
        good[:50]: (RxPass.BAD_LENGTH, 0),
        bytes(bad_ip): (RxPass.BAD_IP_CSUM, 0),
        bytes(bad_tcp): (RxPass.BAD_TCP_CSUM, 0),
        segment(0, wire, remote_port=1): (RxPass.NO_CONNECTION, 0x4_0000),
        segment(0, b"", remote_port=1): (RxPass.NO_CONNECTION, 0x4_0000),
        segment(0, b""): (RxPass.NO_PAYLOAD, 0x5_0000),
        segment(0, b"", padding=6): (RxPass.NO_PAYLOAD, 0x5_0000),
        segment(0, wire, flags="S"): (RxPass.NO_PAYLOAD, 0x5_0000),
        segment(0, wire, flags="R"): (RxPass.NO_PAYLOAD, 0x5_0000),
        segment(0, wire, flags="FPAUSR"): (RxPass.NO_PAYLOAD, 0x5_0000),
        segment(1, wire): (RxPass.OUT_OF_SYNC, 0x5_0000),
    }
    for frame, (reason, bits) in cases.items():
        out, descriptor = b.device.receive(frame)
        assert out == frame
        assert descriptor.reason is reason
        assert descriptor.pack() == bits | reason << 24
        assert descriptor.connection == 0
        b.reasons[reason] += 1
    for ctrl in (0, 0x302):
        b.device.write(Addr.CTRL, ctrl)
        for frame in (*cases, good):
            assert b.device.receive(frame) == (frame, RxDescriptor(reason=RxPass.DISABLED))
            b.reasons[RxPass.DISABLED] += 1
    b.check_counters()
    b.device.write(Addr.CTRL, 1)
    assert b.part(0, 121, flags="FPAUEC") is RxPass.NONE  # and no state had changed
    b.check_counters()


def test_connections_are_apart_and_a_deleted_one_is_gone() -> None:
    rng = random.Random(17)
    device = Tlsnic()
    device.write(Addr.CTRL, 1)
    v4: dict[str, Any] = {"local_addr": b"\xc6\x33\x64\x07", "remote_addr": b"\xc0\x00\x02\x01"}
    peers = []
    for n in range(64):
        version, key = KINDS[n % 4]
        peer = sender(rng, version, key)
        made = stream(rng, peer, n, [60, 60])
        cipher = Cipher(key // 16)
        answer = driver.add(
            device,
            key=peer.key,
            iv=peer.iv,
            seq=n,
            number=n,
            version=version,
            cipher=cipher,
            remote_port=1000 + n,
            **v4,
        )
        assert answer == (Reason.OK, n)
        peers.append(made)
    n0 = headers(IpVersion.IPV4)
    for first, last in ((0, 30), (30, 75), (75, 1000)):
        for n in rng.sample(range(64), 64):
            made = peers[n]
            frame = segment(n + first, made.wire[first:last], remote_port=1000 + n)
            out, descriptor = device.receive(frame)
            assert descriptor == RxDescriptor(n, True, True, True)
            assert out == frame[:n0] + made.plain[first:last]
    assert driver.add(device, remote_port=1, **v4) == (Reason.NO_SPACE, 0)
    driver.fill(device, CMD_OP=2, CMD_CONNECTION=7)
    assert driver.ring(device) == (Reason.OK, 7)
    frame = segment(7, peers[7].wire, remote_port=1007)
    assert device.receive(frame)[1].reason is RxPass.NO_CONNECTION
    assert driver.add(device, remote_port=1007, **v4) == (Reason.OK, 7)  # with a key of zeros
    assert device.receive(segment(0, peers[7].wire, remote_port=1007))[1].connection == 7
    assert driver.counter(device, Addr.RX_TLS_ERR) == 2


# ---- anything ----


@pytest.mark.parametrize(("version", "key"), KINDS, ids=NAMES)
@pytest.mark.parametrize("seed", range(6))
def test_random_traffic(version: TlsVersion, key: int, seed: int) -> None:
    """Lost, late, doubled and recut segments: `Bench` checks each frame that leaves.

    Nothing is broken, so no tag is wrong, and each byte is decrypted at most once.
    """
    rng = random.Random(seed)
    sizes = [rng.choice([0, 1, 16, 100, 1000, 5000]) for _ in range(20)]
    b = bench(rng, version, key, sizes, seq=rng.randrange(SEQ), avoid_partials=seed % 2 == 1)
    segments = list(cuts(rng, len(b.stream.wire), rng.choice([range(50, 300), range(1448, 1449)])))
    order = sorted(range(len(segments)), key=lambda n: n + rng.uniform(0, 2))
    decrypted: Counter[int] = Counter()

    def send(first: int, last: int) -> None:
        if b.part(first, last) is RxPass.NONE:
            decrypted.update(range(first, last))

    for n in order:
        first, last = segments[n]
        if rng.random() < 0.03:
            continue  # lost, to be sent once more below
        send(first, last)
        if rng.random() < 0.03:
            send(max(0, first - rng.randrange(100)), last)
    for first, last in segments:
        send(first, last)
    assert set(decrypted.values()) == {1}
    assert b.reasons[RxPass.NONE] > 0
    lost = driver.counter(b.device, Addr.RX_SYNC_LOST)
    b.check_counters(rx_sync_lost=lost)


# ---- the descriptor ----


def test_descriptors_pack_and_unpack() -> None:
    assert RxDescriptor(0xABCD, True, False, True, True, RxPass.BAD_TAG, 0x1234_5678).pack() == (
        0x1234_5678_0E0D_ABCD
    )
    rng = random.Random(18)
    for _ in range(200):
        made = RxDescriptor(
            rng.getrandbits(16),
            has_connection=rng.random() < 0.5,
            decrypted=rng.random() < 0.5,
            checksum_good=rng.random() < 0.5,
            resync_request=rng.random() < 0.5,
            reason=RxPass(rng.randrange(15)),
            resync_seq=rng.getrandbits(32),
        )
        assert RxDescriptor.unpack(made.pack()) == made
    for bit in (20, 21, 22, 23, 28, 29, 30, 31, 64):
        with pytest.raises(ValueError, match="reserved"):
            RxDescriptor.unpack(1 << bit)
    with pytest.raises(ValueError, match="RxPass"):
        RxDescriptor.unpack(15 << 24)
