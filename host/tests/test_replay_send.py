"""What was sent in a capture, on the model: it leaves as captured, by every way, whatever happens.

The captures are made with none of the host's code: what must leave is what the test itself sealed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import pytest

from host import regs, replay_send
from host import replay as replay_module
from host.device import Sent, TxDescriptor
from host.device_model import ModelDevice
from host.driver import Driver
from host.driver_tx import OutOfOrder
from host.keylog import KeyLog
from host.pcap import Captured
from host.regs import Addr, TxKind
from host.replay import BUDGET, ConnectionReport, Replay, Report, Seen
from host.tests.test_replay import (
    CAPTURES,
    KEY_UPDATE,
    SERVER_ADDRESS,
    address,
    only,
    real,
    replay,
    sha256,
)
from host.tests.wire import (
    ACK,
    ALERT,
    CCS,
    CLIENT,
    DATA,
    FIN,
    HANDSHAKE,
    RST,
    SERVER,
    Session,
    Tcp,
    checksum,
    connection,
)

WAYS = list(OutOfOrder)
TEXT = bytes(range(256)) * 64
CASES = [(version, size) for version in (0x0303, 0x0304) for size in (16, 32)]
HEADERS = 54  # Ethernet, IPv4 and TCP


@pytest.fixture
def acks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_send, "ACK_AFTER", 0)


def tx_records(found: ConnectionReport) -> tuple[int, int, int]:
    """Of the device, of both, of software."""
    by = found.tx.records
    return by["device"], by["mixed"], by["software"]


def ways(found: ConnectionReport) -> tuple[int, int, int]:
    """Frames that were out of order, by seek, rebuild, software."""
    by = found.tx.out_of_order
    return by["seek"], by["rebuild"], by["software"]


def again(tcp: Tcp, start: int, end: int, side: int = CLIENT) -> bytes:
    """A frame with those bytes of a side's stream, from where the connection began, once more."""
    stream, first = b"", None
    for frame in tcp.frames:
        if frame[26:30] == tcp.addresses[side] and len(frame) > HEADERS:
            seq = int.from_bytes(frame[38:42])
            first = seq if first is None else first
            if seq - first & 0xFFFF_FFFF == len(stream):
                stream += frame[HEADERS:]
    assert first is not None
    assert len(stream[start:end]) == end - start
    return tcp.frame(side, first + start & 0xFFFF_FFFF, ACK, stream[start:end])


def sent_size(tcp: Tcp) -> int:
    """Bytes that the client has sent."""
    return tcp.next[CLIENT] - 0xFFFF_F001 & 0xFFFF_FFFF


def leaves_as_captured(frames: Sequence[bytes], report: Report, seen: Sequence[Seen]) -> None:
    """All that the client sent, byte for byte; and nothing stays behind in the device."""
    assert report.mismatches == report.mismatches_sent == 0
    assert [each.frame for each in seen if "decrypted" not in each.verdict] == [
        frame for frame, each in zip(frames, seen, strict=True) if "decrypted" not in each.verdict
    ]
    assert report.dropped == {}
    assert report.frames_sent == sum(report.sent.values())
    assert report.counters["tx_tls_ctx"] == report.counters["tx_tls_del"]


# -- real captures ------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
@pytest.mark.parametrize("end", ["client", "server"])
@pytest.mark.parametrize("seed", range(2))
def test_real_captures_sent_late_and_again(
    path: Path, end: str, seed: int, way: OutOfOrder
) -> None:
    """As if frames had been lost, or had overtaken others, before they were captured."""
    random = Random(seed)
    frames, key_log, _ = real(path)
    nic = address(frames, end)
    placed = []
    for at, frame in enumerate(frames):
        shaken = nic in (frame[26:30], frame[22:38]) and at > 12 and random.random() < 0.08
        placed.append((at + (random.uniform(1, 20) if shaken else 0), frame))
        if shaken and random.random() < 0.5:
            placed.append((at + random.uniform(0, 30), frame))
    shaken_frames = [frame for _, frame in sorted(placed)]
    report, seen = replay(shaken_frames, key_log, nic, out_of_order=way)
    leaves_as_captured(shaken_frames, report, seen)


# -- out of order -------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("version", "size"), CASES)
@pytest.mark.parametrize("aligned", [False, True])
def test_lost_behind_the_nic(version: int, size: int, aligned: bool, way: OutOfOrder) -> None:
    """Captured twice: the second time it is encrypted from what is held, and the same."""
    session = Session(version=version, key_size=size)
    tcp = connection(session)
    writer = session.writers[CLIENT]
    wire = [writer.record(DATA, TEXT[: 3000 - (22 if version == 0x0304 else 29)]) for _ in "1234"]
    tcp.send(CLIENT, b"".join(wire[:3]), 1000 if aligned else 1448)
    tcp.frames.append(tcp.frames[-5])
    tcp.send(CLIENT, wire[3])
    report, seen = replay(tcp.frames, session.key_log, out_of_order=way)
    leaves_as_captured(tcp.frames, report, seen)
    found = only(report)
    if way is OutOfOrder.SEEK:
        assert (ways(found), tx_records(found), found.tx.reread) == ((1, 0, 0), (4, 0, 0), 0)
        assert report.counters["tx_tls_dump_bytes"] == 0
    elif way is OutOfOrder.REBUILD:
        assert ways(found) == (0, 2, 0)  # the device has to find back, too
        assert found.tx.reread == report.counters["tx_tls_dump_bytes"]
    else:
        assert ways(found) == (0, 0, 1)  # and it goes on where it was
        assert tx_records(found) == (4 - sum(tx_records(found)[1:]), 1 if aligned else 2, 0)
    verdict = "software" if way is OutOfOrder.SOFTWARE else f"encrypted by {way.name.lower()}"
    assert f"{verdict}, connection 0" in {each.verdict for each in seen}
    assert found.notes == []


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("seed", range(4))
def test_retransmissions_that_merge_and_split_segments(seed: int, way: OutOfOrder) -> None:
    random = Random(seed)
    session = Session(random.choice([0x0303, 0x0304]), random.choice([16, 32]), seed)
    tcp = connection(session)
    first = sent_size(tcp)
    for size in (0, 1, 20, 500, 6000, 3000):
        tcp.send(CLIENT, session.writers[CLIENT].record(DATA, TEXT[:size]), 700)
    last, count = sent_size(tcp), 20
    for _ in range(count):
        start = random.randrange(first, last)
        tcp.frames.append(again(tcp, start, random.randint(start + 1, min(last, start + 2000))))
    report, seen = replay(tcp.frames, session.key_log, out_of_order=way)
    leaves_as_captured(tcp.frames, report, seen)
    found = only(report)
    assert found.tx.frames["captured"] == 0
    assert sum(ways(found)) >= count - 1  # one may go on where another ended


@pytest.mark.parametrize("way", WAYS)
def test_lost_before_the_capture(way: OutOfOrder) -> None:
    """Frames come that the device does not expect yet; then those that were missing."""
    session = Session()
    tcp = connection(session)
    start = len(tcp.frames)
    for _ in range(4):
        tcp.send(CLIENT, session.writers[CLIENT].record(DATA, TEXT[:5000]), 1000)
    tcp.frames.append(tcp.frames.pop(start))  # has a header
    tcp.frames.append(tcp.frames.pop(start + 7))
    report, seen = replay(tcp.frames, session.key_log, out_of_order=way)
    leaves_as_captured(tcp.frames, report, seen)
    found = only(report)
    assert found.tx.frames["captured"] == 0
    how = "encrypted in software" if way is OutOfOrder.SOFTWARE else "rebuilt"
    assert found.notes == [
        "sent: 2 segments skip bytes that come later: the capture was taken behind a loss or "
        f"reordering; they are {how}"
    ]
    if way is OutOfOrder.SEEK:
        assert ways(found)[1] >= 2


class Lacking(ModelDevice):
    """Takes no connection with a key of 256 bits, and no frame of more than 6000 bytes."""

    def read(self, addr: int) -> int:
        """As the model, but for that."""
        value = super().read(addr)
        if addr == Addr.CAPS:
            return value & ~regs.CAPS_AES_256_GCM_MASK
        return 6000 if addr == Addr.CAP_MAX_FRAME else value


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("seed", range(30))
def test_any_traffic_leaves_as_captured(
    seed: int, way: OutOfOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records of all sizes and kinds, key updates, retransmissions of anything, disorder, acks."""
    random = Random(seed)
    monkeypatch.setattr(replay_send, "ACK_AFTER", random.choice([0, 0, 10, 256]))
    session = Session(random.choice([0x0303, 0x0304]), random.choice([16, 32]), seed)
    tcp = Tcp(next=[random.getrandbits(32), random.getrandbits(32)])
    tcp.open()
    for side, data in session.flights:
        tcp.send(side, data, random.choice([1448, 300]))
    start, text, total = len(tcp.frames), b"", sum(len(d) for s, d in session.flights if s == 0)
    first = tcp.next[CLIENT] - total
    acked = 0
    for _ in range(random.randint(5, 30)):
        writer, what = session.writers[CLIENT], random.random()
        if what < 0.04 and session.version == 0x0304:
            tcp.send(CLIENT, writer.record(HANDSHAKE, KEY_UPDATE))
            session.writers[CLIENT] = writer.updated()
        elif what < 0.1:
            tcp.send(CLIENT, writer.record(ALERT, b"\x01\x5a"))
        elif what < 0.3:
            acked = random.randint(acked, tcp.next[CLIENT] - first & 0xFFFF_FFFF)
            ack = first + acked & 0xFFFF_FFFF
            tcp.frames.append(tcp.frame(SERVER, tcp.next[SERVER], ACK, b"", ack))
        elif what < 0.6:
            size = tcp.next[CLIENT] - first & 0xFFFF_FFFF
            at = random.randrange(size)
            end = random.randint(at + 1, min(size, at + random.choice([10, 1448, 5000])))
            tcp.frames.append(again(tcp, at, end))
        else:
            part = random.randbytes(random.choice([0, 1, 20, 500, 3000, 16384]))
            tcp.send(CLIENT, writer.record(DATA, part), random.choice([1448, 536, 9000, 60]))
            text += part
    likely = random.choice([0, 0.02, 0.2])
    placed = list[tuple[float, bytes]]()
    for at, frame in enumerate(tcp.frames):
        late = at >= start and random.random() < likely
        placed.append((at + (random.uniform(0.5, random.choice([2, 5, 40])) if late else 0), frame))
    frames = [frame for _, frame in sorted(placed)]
    device = random.choice([ModelDevice, Lacking])()
    report, seen = replay(frames, session.key_log, device=device, out_of_order=way)
    leaves_as_captured(frames, report, seen)
    found = only(report)
    assert found.tx.sha256 == sha256(text)
    assert found.tx.offloaded == (type(device) is ModelDevice or session.key_size == 16)


@pytest.mark.usefixtures("acks_at_once")
def test_frames_in_order_go_together() -> None:
    """Those between two acknowledgements; one that is out of order goes alone."""

    class Noting(ModelDevice):
        def send(self, items: Sequence[tuple[bytes, TxDescriptor]]) -> list[Sent]:
            taken.append(len(items))
            return super().send(items)

    session = Session()
    tcp = connection(session)
    writer = session.writers[CLIENT]
    taken = list[int]()
    tcp.send(CLIENT, writer.record(DATA, TEXT[:9978]), 1000)
    tcp.frames.append(tcp.frame(SERVER, tcp.next[SERVER], ACK))
    tcp.send(CLIENT, writer.record(DATA, TEXT[:6978]), 1000)
    tcp.frames.append(tcp.frames[-2])
    tcp.send(CLIENT, writer.record(DATA, TEXT[:4978]), 1000)
    replay(tcp.frames, session.key_log, device=Noting())
    assert taken[-4:] == [10, 7, 2, 5]  # two: a context and the frame


# -- where the device begins and ends -----------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_what_was_sent_before_the_device_began(way: OutOfOrder) -> None:
    """The handshake again, alone and with what came behind it in the same segment."""
    session = Session()
    tcp = connection(session)
    first = sent_size(tcp)
    tcp.send(CLIENT, session.writers[CLIENT].record(DATA, TEXT[:2000]))
    tcp.frames.append(again(tcp, first - 30, first))
    tcp.frames.append(again(tcp, first - 30, first + 30))
    report, seen = replay(tcp.frames, session.key_log, out_of_order=way)
    leaves_as_captured(tcp.frames, report, seen)
    found = only(report)
    assert report.counters["tx_tls_skip_no_sync_data"] == 1
    assert found.notes == ["sent: as captured: 1 frames from before the device had the connection"]
    why = "from before the device had the connection"
    assert [each.verdict for each in seen[-2:]] == ["plain", f"as captured, connection 0: {why}"]
    assert tx_records(found) == (0, 1, 0)


def test_the_device_begins_behind_what_was_sent_in_the_handshake() -> None:
    """Half-RTT data of a server; its last record's end is not known when the handshake is over."""
    session = Session()
    tcp = Tcp()
    tcp.open()
    (hello, flight, finished), server = session.flights, session.writers[SERVER]
    records = [server.record(DATA, TEXT[:500]) for _ in range(4)]
    tcp.send(*hello)
    tcp.send(SERVER, flight[1] + records[0] + records[1][:200])
    tcp.send(*finished)
    tcp.send(SERVER, records[1][200:] + records[2] + records[3], 1000)
    report, seen = replay(tcp.frames, session.key_log, SERVER_ADDRESS)
    assert (report.mismatches, len(seen)) == (0, len(tcp.frames))
    found = only(report)
    assert (found.tx.offloaded, found.tx.first_record) == (True, 2)
    assert tx_records(found) == (0, 1, 3)  # a segment has the end of what was before
    assert found.tx.sha256 == sha256(TEXT[:500] * 4)


@pytest.mark.usefixtures("acks_at_once")
def test_records_are_freed_as_they_are_acknowledged() -> None:
    """Sent again although it was acknowledged: a host would not have it any more."""
    session = Session()
    tcp = connection(session)
    first = sent_size(tcp)
    for _ in range(2):
        tcp.send(CLIENT, session.writers[CLIENT].record(DATA, TEXT[:978]))
    seq = tcp.next[CLIENT] - 1000 & 0xFFFF_FFFF
    late = again(tcp, first, first + 1000)
    tcp.frames.append(tcp.frame(SERVER, tcp.next[SERVER], ACK, b"", seq - 1 & 0xFFFF_FFFF))
    report, _ = replay([*tcp.frames, late], session.key_log)
    assert ways(only(report)) == (0, 0, 0)  # some of it was acknowledged
    tcp.frames[-1] = tcp.frame(SERVER, tcp.next[SERVER], ACK, b"", seq - 1000 & 0xFFFF_FFFF)
    report, _ = replay([*tcp.frames, late], session.key_log)
    assert ways(only(report)) == (1, 0, 0)
    tcp.frames[-1] = tcp.frame(SERVER, tcp.next[SERVER], ACK, b"", seq)
    report, seen = replay([*tcp.frames, late], session.key_log)
    leaves_as_captured([*tcp.frames, late], report, seen)
    assert ways(only(report)) == (0, 0, 0)
    assert only(report).notes == [
        "sent: as captured: 1 frames of what was acknowledged, or given up, before"
    ]


@pytest.mark.parametrize("packets", [255, 256])
def test_what_crosses_its_acknowledgement_is_still_held(packets: int) -> None:
    """The capture was taken far from the host, to which the acknowledgement is on its way."""
    session = Session()
    tcp = connection(session)
    data = tcp.send(CLIENT, session.writers[CLIENT].record(DATA, TEXT[:978]))[0]
    ack = tcp.frame(SERVER, tcp.next[SERVER], ACK)
    tcp.frames += [ack, *[tcp.frame(CLIENT, tcp.next[CLIENT], ACK)] * packets, data]
    report, seen = replay(tcp.frames, session.key_log)
    leaves_as_captured(tcp.frames, report, seen)
    assert ways(only(report)) == (packets == 255, 0, 0)


@pytest.mark.usefixtures("acks_at_once")
def test_what_was_never_sent_is_not_acknowledged() -> None:
    session = Session()
    tcp = connection(session)
    tcp.send(CLIENT, session.writers[CLIENT].record(DATA, TEXT[:500]))
    for ack in (tcp.next[CLIENT] + 2, tcp.next[CLIENT] + (1 << 31), 0):
        tcp.frames.append(tcp.frame(SERVER, tcp.next[SERVER], ACK, b"", ack & 0xFFFF_FFFF))
    tcp.frames.append(tcp.frames[-4])
    report, seen = replay(tcp.frames, session.key_log)
    leaves_as_captured(tcp.frames, report, seen)
    assert ways(only(report)) == (1, 0, 0)


class Telling(ModelDevice):
    """Notes how many connections it has when a frame is sent or comes."""

    def __init__(self) -> None:
        super().__init__(connections=1)
        self.told: list[int] = []

    def receive(self, frames):  # type: ignore[no-untyped-def]
        """As the model."""
        self._note()
        return super().receive(frames)

    def send(self, items: Sequence[tuple[bytes, TxDescriptor]]) -> list[Sent]:
        """As the model."""
        self._note()
        return super().send(items)

    def _note(self) -> None:
        counter = regs.Counter.TX_TLS_DEL
        self.told.append(self.read(regs.BLOCK_COUNTERS_FIRST + 8 * counter))


@pytest.mark.parametrize("end", ["fin", "rst", "their rst"])
def test_the_device_keeps_it_until_the_last_byte_is_acknowledged(end: str) -> None:
    session = Session()
    tcp = connection(session)
    data = tcp.send(CLIENT, session.writers[CLIENT].record(DATA, TEXT[:500]))[0]
    if end == "fin":
        old = int.from_bytes(data[38:42])
        tcp.frames.append(tcp.frame(CLIENT, tcp.next[CLIENT], FIN | ACK))
        tcp.next[CLIENT] += 1
        tcp.frames.append(tcp.frame(SERVER, tcp.next[SERVER], FIN | ACK, b"", old))
        tcp.frames.append(data)  # once more
        tcp.frames.append(tcp.frame(SERVER, tcp.next[SERVER] + 1, ACK))
    else:
        side = CLIENT if end == "rst" else SERVER
        tcp.frames.append(tcp.frame(side, tcp.next[side], RST))
    tcp.frames.append(data)
    device = Telling()
    report, seen = replay(tcp.frames, session.key_log, device=device)
    leaves_as_captured(tcp.frames, report, seen)
    assert device.told[-2:] == [0, 1]
    assert ways(only(report)) == (1 if end == "fin" else 0, 0, 0)
    why = "of what was acknowledged, or given up, before"
    assert seen[-1].verdict == f"as captured, connection 0: {why}"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("together", [False, True])
def test_a_key_update_ends_the_offload(together: bool, way: OutOfOrder) -> None:
    """The kernel does not change keys in a device (docs/replay.md); old bytes are still its."""
    session = Session()
    tcp = connection(session)
    first, writer = sent_size(tcp), session.writers[CLIENT]
    tcp.send(CLIENT, writer.record(DATA, TEXT[:2978]), 1000)
    update = writer.record(HANDSHAKE, KEY_UPDATE)
    new = writer.updated().record(DATA, TEXT[:3000])
    tcp.send(CLIENT, update + new if together else update)
    if not together:
        tcp.send(CLIENT, new, 1000)
    tcp.frames.append(again(tcp, first + 1000, first + 2000))
    report, seen = replay(tcp.frames, session.key_log, out_of_order=way)
    leaves_as_captured(tcp.frames, report, seen)
    found = only(report)
    assert found.tx.sha256 == sha256(TEXT[:2978] + TEXT[:3000])
    assert "sent: as captured from record 0 on: the keys were updated" in found.notes
    assert tx_records(found)[2] == (2 if together else 1)
    assert sum(ways(found)) == 1


def test_a_renegotiation_is_the_end_of_what_is_sent() -> None:
    session = Session(version=0x0303)
    tcp = connection(session)
    writer = session.writers[CLIENT]
    tcp.send(CLIENT, writer.record(DATA, b"before"))
    tcp.send(CLIENT, writer.record(CCS, b"\x01"))
    tcp.send(CLIENT, writer.record(DATA, b"with other keys"))
    report, seen = replay(tcp.frames, session.key_log)
    leaves_as_captured(tcp.frames, report, seen)
    found = only(report)
    assert (found.tx.bytes, tx_records(found)) == (6, (2, 0, 0))
    assert "sent: a renegotiation, which is not followed" in found.notes


def test_nothing_waits_for_what_will_never_be_known() -> None:
    session = Session(version=0x0303)
    tcp = connection(session)
    writer = session.writers[CLIENT]
    tcp.send(CLIENT, writer.record(CCS, b"\x01") + writer.record(DATA, b"with other keys"))
    tcp.frames += [tcp.frame(SERVER, tcp.next[SERVER], ACK)] * BUDGET
    log = KeyLog()
    log.add(session.key_log.encode())
    run = Replay(Driver(ModelDevice()), tcp.addresses[CLIENT], log)
    assert sum(len(run.packet(Captured(0, frame))) for frame in tcp.frames) == len(tcp.frames)


def test_a_sent_record_that_does_not_open_leaves_as_captured() -> None:
    session = Session()
    tcp = connection(session)
    tcp.send(CLIENT, session.writers[CLIENT].record(DATA, b"good"))
    bad = bytearray(session.writers[CLIENT].record(DATA, b"bad" * 100))
    bad[-1] ^= 1
    tcp.send(CLIENT, bytes(bad))
    tcp.send(CLIENT, session.writers[CLIENT].record(DATA, b"good"))
    report, seen = replay(tcp.frames, session.key_log)
    leaves_as_captured(tcp.frames, report, seen)
    found = only(report)
    assert "sent: EBADMSG after 1 records" in found.notes
    assert (tx_records(found), found.tx.frames["captured"]) == ((1, 0, 0), 2)


@pytest.mark.parametrize("way", WAYS)
def test_a_full_device_leaves_sending_to_software(way: OutOfOrder) -> None:
    frames, logs = [], ""
    for n in range(2):
        session = Session(seed=n)
        tcp = connection(session, Tcp(ports=(50000 + n, 443)))
        tcp.send(CLIENT, session.writers[CLIENT].record(DATA, TEXT))
        tcp.frames.append(tcp.frames[-3])
        frames += tcp.frames
        logs += session.key_log
    device = ModelDevice(connections=1)
    report, seen = replay(frames, logs, device=device, out_of_order=way)
    leaves_as_captured(frames, report, seen)
    assert [each.tx.offloaded for each in report.connections] == [True, False]
    assert report.connections[1].tx.frames == {"encrypted": 0, "software": 13, "captured": 0}
    assert tx_records(report.connections[1]) == (0, 0, 1)
    assert {each.verdict for each in seen[-13:]} == {"software, connection not offloaded"}


# -- what is not all in the capture -------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("ahead", [3, 8192])
def test_a_gap_in_the_capture(ahead: int, way: OutOfOrder, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is behind it is not known, ever: it leaves as captured, and not much waits for it."""
    monkeypatch.setattr(replay_module, "READ_AHEAD", ahead)
    session = Session()
    tcp = connection(session)
    for _ in range(4):
        tcp.send(CLIENT, session.writers[CLIENT].record(DATA, TEXT[:2978]), 1000)
    del tcp.frames[-8]
    report, seen = replay(tcp.frames, session.key_log, out_of_order=way)
    leaves_as_captured(tcp.frames, report, seen)
    found = only(report)
    assert found.tx.bytes == 2978
    assert found.tx.frames == {"encrypted": 3, "software": 0, "captured": 8}
    assert found.notes == [
        "sent: a gap in the capture: 7,000 bytes behind it, 8 frames, left as captured"
    ]


def test_a_record_that_is_known_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first frames have left by then; the device takes up what it can of the rest."""
    monkeypatch.setattr(replay_module, "READ_AHEAD", 3)
    session = Session()
    tcp = connection(session)
    for _ in range(3):
        tcp.send(CLIENT, session.writers[CLIENT].record(DATA, TEXT[:9978]), 1000)
    report, seen = replay(tcp.frames, session.key_log)
    leaves_as_captured(tcp.frames, report, seen)
    found = only(report)
    assert (tx_records(found), found.tx.frames["software"]) == ((0, 3, 0), 0)


def test_no_packet_waits_for_more_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_module, "READ_AHEAD", 5)
    session = Session()
    tcp = connection(session)
    tcp.send(CLIENT, session.writers[CLIENT].record(DATA, TEXT), 100)
    waited = list[int]()

    class Noting(ModelDevice):
        def send(self, items: Sequence[tuple[bytes, TxDescriptor]]) -> list[Sent]:
            waited.append(len(items))
            return super().send(items)

    report, _ = replay(tcp.frames, session.key_log, device=Noting())
    assert report.mismatches == 0
    assert max(waited) <= 5


def test_a_capture_that_ends_in_a_record() -> None:
    session = Session()
    tcp = connection(session)
    for _ in range(2):
        tcp.send(CLIENT, session.writers[CLIENT].record(DATA, TEXT[:2978]), 1000)
    del tcp.frames[-1]
    report, seen = replay(tcp.frames, session.key_log)
    leaves_as_captured(tcp.frames, report, seen)
    found = only(report)
    assert (tx_records(found), found.tx.bytes) == ((1, 0, 0), 2978)
    assert found.tx.frames == {"encrypted": 3, "software": 0, "captured": 2}
    assert found.notes == ["sent: as captured: 2 frames of records that are not all in the capture"]


def test_sent_frames_that_the_capture_cut() -> None:
    session = Session()
    tcp = connection(session)
    frame = tcp.send(CLIENT, session.writers[CLIENT].record(DATA, TEXT[:500]))[0]
    frames: list[bytes | Captured] = [*tcp.frames[:-1], Captured(0, frame[:96], cut=True)]
    report, seen = replay(frames, session.key_log)
    assert (report.mismatches, seen[-1].frame) == (0, frame[:96])
    assert report.sent["plain"] == report.frames_sent


# -- frames that the device does not take -------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("payload", [8960, 9546, 9547, 30_000])
def test_long_frames(payload: int, way: OutOfOrder) -> None:
    """Jumbo frames are the device's; those of a capture from before segmentation are not."""
    session = Session()
    tcp = connection(session)
    before = len(tcp.frames)
    for _ in range(8):
        tcp.send(CLIENT, session.writers[CLIENT].record(DATA, TEXT[:9978]), payload)
    wire = b"".join(frame[HEADERS:] for frame in tcp.frames[before:])
    tcp.next[CLIENT] = tcp.next[CLIENT] - len(wire) & 0xFFFF_FFFF
    del tcp.frames[before:]
    tcp.send(CLIENT, wire[:60_000], payload)
    tcp.send(CLIENT, wire[60_000:], 1000)
    report, seen = replay(tcp.frames, session.key_log, out_of_order=way)
    leaves_as_captured(tcp.frames, report, seen)
    found = only(report)
    long = 60_000 // payload if payload + HEADERS > 9600 else 0
    said = [f"{long} sent frames are too long for the device: made in software"] if long else []
    assert report.warnings == said
    assert found.tx.frames["captured"] == 0
    if way is not OutOfOrder.SOFTWARE:
        assert found.tx.frames["software"] == long


def test_a_plain_frame_that_is_too_long() -> None:
    tcp = Tcp()
    tcp.open()
    tcp.send(CLIENT, bytes(20_000), 20_000)
    report, seen = replay(tcp.frames, "")
    assert (report.mismatches, seen[-1].frame) == (0, tcp.frames[-1])
    assert report.counters["tx_drop_bad_frame"] == 0


@pytest.mark.parametrize("flags", [RST | ACK, RST])
def test_a_reset_with_bytes_of_a_record(flags: int) -> None:
    session = Session()
    tcp = connection(session)
    wire = session.writers[CLIENT].record(DATA, TEXT[:500])
    tcp.send(CLIENT, wire[:300])
    tcp.frames.append(tcp.frame(CLIENT, tcp.next[CLIENT], flags, wire[300:]))
    report, seen = replay(tcp.frames, session.key_log)
    leaves_as_captured(tcp.frames, report, seen)
    assert seen[-1].verdict == "as captured, connection 0: with SYN or RST"


@pytest.mark.parametrize("which", ["tcp", "ip"])
def test_captured_before_the_nic_made_the_checksum(which: str) -> None:
    """It leaves with the right one, whoever made that."""
    session = Session()
    tcp = connection(session)
    tcp.send(CLIENT, session.writers[CLIENT].record(DATA, TEXT[:2000]))
    frames = []
    for frame in tcp.frames:
        mine = frame[26:30] == tcp.addresses[CLIENT]
        at = 50 if which == "tcp" else 24
        frames.append(frame[:at] + b"\x12\x34" + frame[at + 2 :] if mine else frame)
    report, seen = replay(frames, session.key_log)
    assert report.mismatches == 0
    assert [each.frame for each in seen] == tcp.frames
    assert tx_records(only(report)) == (1, 0, 0)
    assert report.warnings == [
        f"{report.frames_sent} sent segments have a wrong checksum: sent with the right one"
    ]


def test_what_the_device_is_given_has_a_sum_to_go_on_from() -> None:
    """Pseudo header alone, as hosts leave it; and no byte of the capture's text."""
    given = list[bytes]()

    class Noting(ModelDevice):
        def send(self, items: Sequence[tuple[bytes, TxDescriptor]]) -> list[Sent]:
            given.extend(data for data, told in items if told.kind is TxKind.ENCRYPT)
            return super().send(items)

    session = Session()
    tcp = connection(session)
    wire = session.writers[CLIENT].record(DATA, TEXT[:500], pad=7)
    tcp.send(CLIENT, wire)
    replay(tcp.frames, session.key_log, device=Noting())
    (frame,) = given
    assert frame[HEADERS:] == wire[:5] + TEXT[:500] + bytes([DATA]) + bytes(7) + bytes(16)
    pseudo = frame[26:34] + b"\0\x06" + (len(frame) - 34).to_bytes(2)
    assert int.from_bytes(frame[50:52]) == checksum(pseudo) ^ 0xFFFF


# -- devices that are wrong ---------------------------------------------------------------------


class Wrong(ModelDevice):
    """Does something to what is sent in place of what is to leave."""

    def __init__(self, kind: TxKind, fault: Callable[[list[Sent], int], None]) -> None:
        super().__init__()
        self.done = 0
        self._kind = kind
        self._fault = fault

    def send(self, items: Sequence[tuple[bytes, TxDescriptor]]) -> list[Sent]:
        """As the model, but for that, and once."""
        sent = super().send(items)
        for n, (data, told) in enumerate(items):
            if told.kind is self._kind and len(data) > HEADERS and not self.done:
                self.done += 1
                self._fault(sent, n)
                break
        return sent


def flips(sent: list[Sent], n: int) -> None:
    """A bit of a byte."""
    frame = sent[n].frame or b""
    changed = frame[:-1] + bytes([frame[-1] ^ 4])
    sent[n] = Sent(changed, sent[n].reason, sent[n].tags)


def drops(sent: list[Sent], n: int) -> None:
    """A frame."""
    sent[n] = Sent(None, sent[n].reason, sent[n].tags)


@pytest.mark.parametrize("kind", [TxKind.PLAIN, TxKind.ENCRYPT])
@pytest.mark.parametrize("fault", [flips, drops])
def test_a_device_that_sends_something_else_is_found_out(
    kind: TxKind, fault: Callable[[list[Sent], int], None]
) -> None:
    session = Session()
    tcp = connection(session)
    tcp.send(CLIENT, session.writers[CLIENT].record(DATA, TEXT[:5000]), 700)
    device = Wrong(kind, fault)
    report, seen = replay(tcp.frames, session.key_log, device=device)
    assert device.done == 1
    if fault is flips:
        assert report.mismatches == report.mismatches_sent == 1
    else:
        (dropped,) = (n for n, each in enumerate(seen) if each.verdict == "dropped")
        assert report.mismatches == report.mismatches_sent == len(tcp.frames[dropped])
    assert only(report).tx.mismatches == (0 if kind is TxKind.PLAIN else report.mismatches)


def test_a_device_that_sends_what_it_was_to_keep_is_found_out() -> None:
    class Leaky(ModelDevice):
        def send(self, items: Sequence[tuple[bytes, TxDescriptor]]) -> list[Sent]:
            return [
                Sent(data, each.reason, each.tags) if told.kind is TxKind.FEED else each
                for (data, told), each in zip(items, super().send(items), strict=True)
            ]

    session = Session()
    tcp = connection(session)
    tcp.send(CLIENT, session.writers[CLIENT].record(DATA, TEXT[:2978]), 1000)
    tcp.frames.append(tcp.frames[-2])
    way = OutOfOrder.REBUILD
    report, seen = replay(tcp.frames, session.key_log, device=Leaky(), out_of_order=way)
    assert report.mismatches_sent == HEADERS + 1000
    assert [each.frame for each in seen] == tcp.frames


def test_a_device_that_makes_no_checksum_is_found_out() -> None:
    class Lazy(ModelDevice):
        def send(self, items: Sequence[tuple[bytes, TxDescriptor]]) -> list[Sent]:
            return [
                Sent(each.frame[:50] + data[50:52] + each.frame[52:], each.reason, each.tags)
                if each.frame and told.kind is TxKind.ENCRYPT
                else each
                for (data, told), each in zip(items, super().send(items), strict=True)
            ]

    session = Session()
    tcp = connection(session)
    tcp.send(CLIENT, session.writers[CLIENT].record(DATA, TEXT[:500]))
    report, _ = replay(tcp.frames, session.key_log, device=Lazy())
    assert report.mismatches_sent in (1, 2)


def test_a_device_that_does_not_send() -> None:
    class Off(ModelDevice):
        def write(self, addr: int, value: int) -> None:
            super().write(addr, value & ~regs.CTRL_TX_ENABLE_MASK if addr == Addr.CTRL else value)

    session = Session()
    tcp = connection(session)
    frame = tcp.send(CLIENT, session.writers[CLIENT].record(DATA, TEXT[:500]))[0]
    report, seen = replay(tcp.frames, session.key_log, device=Off())
    assert report.mismatches_sent == len(frame)
    assert report.dropped == {"tx_drop_disabled": 1}
    assert (seen[-1].frame, seen[-1].verdict) == (frame, "dropped")
    assert tx_records(only(report)) == (0, 0, 0)


def test_what_left_beside_what_was_to_leave() -> None:
    one, two, three = (Tcp(next=[n, 0]).frame(CLIENT, n, ACK, bytes(9)) for n in (1, 2, 3))
    paired = replay_send.paired
    assert paired([one, two], [one, two]) == [one, two]
    assert paired([one, two, three], [one, three]) == [one, None, three]
    assert paired([one, two], [one, three, two]) == [one, two, three]
    assert paired([one], []) == [None]
    assert paired([], [one]) == [one]
