"""Captures through the model: what is delivered, what the device did of it, what is not taken."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from host.device import RxDescriptor
from host.device_model import ModelDevice
from host.driver import Driver
from host.driver_tx import OutOfOrder
from host.keylog import KeyLog
from host.ktls import Message
from host.packet import SYN, parse
from host.pcap import Captured, read
from host.replay import BUDGET, ConnectionReport, Replay, Report, Seen, differences
from host.resync import ResyncType
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
    connection,
    plain,
)

CAPTURES = sorted((Path(__file__).parent / "data").glob("*.pcap"))
KEY_UPDATE = b"\x18\0\0\x01\0"
CLIENT_ADDRESS, SERVER_ADDRESS = Tcp().addresses
TEXT = bytes(range(256)) * 40


def replay(
    frames: Sequence[bytes | Captured],
    key_log: str,
    nic: bytes = CLIENT_ADDRESS,
    device: ModelDevice | None = None,
    resync: ResyncType = ResyncType.DRIVER_REQ,
    self_confirm: bool = True,
    out_of_order: OutOfOrder = OutOfOrder.SEEK,
) -> tuple[Report, list[Seen]]:
    log = KeyLog()
    log.add(key_log.encode())
    driver = Driver(
        device or ModelDevice(), resync, self_confirm=self_confirm, out_of_order=out_of_order
    )
    run = Replay(driver, nic, log)
    seen = []
    for time, frame in enumerate(frames):
        captured = Captured(time, frame) if isinstance(frame, bytes) else frame
        seen += run.packet(captured)
    seen += run.finish()
    return run.report(), seen


def only(report: Report) -> ConnectionReport:
    (found,) = report.connections
    assert report.skipped == []
    return found


def records(found: ConnectionReport) -> tuple[int, int, int]:
    return (
        found.rx.records["decrypted"],
        found.rx.records["mixed"],
        found.rx.records["encrypted"],
    )


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# -- real captures ------------------------------------------------------------------------------


def real(path: Path) -> tuple[list[bytes], str, dict[str, Any]]:
    with path.open("rb") as file:
        frames = [each.frame for each in read(file) if isinstance(each, Captured)]
    keys, wanted = path.with_suffix(".keys"), path.with_suffix(".json")
    return frames, keys.read_text(), json.loads(wanted.read_text())


def address(frames: Sequence[bytes], of: str) -> bytes:
    """The client's, or the server's: who sent the first SYN, or got it."""
    for frame in frames:
        packet = parse(frame)
        if packet and packet.segment and packet.segment.flags & SYN:
            return packet.source if of == "client" else packet.destination
    raise AssertionError("no SYN")


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
@pytest.mark.parametrize("end", ["client", "server"])
def test_real_captures_are_the_devices_both_ways(path: Path, end: str) -> None:
    frames, key_log, wanted = real(path)
    report, seen = replay(frames, key_log, address(frames, end))
    found = only(report)
    rx, tx = ("rx", "tx") if end == "client" else ("tx", "rx")  # the file is the client's view
    (each,) = wanted["connections"]
    assert (found.rx.bytes, found.rx.sha256) == (each[f"{rx}_bytes"], each[f"{rx}_sha256"])
    assert (found.tx.bytes, found.tx.sha256) == (each[f"{tx}_bytes"], each[f"{tx}_sha256"])
    assert each["version"] in found.version.replace(" ", "v")
    assert (found.offloaded, report.mismatches, found.notes) == (True, 0, [])
    decrypted, mixed, encrypted = records(found)
    assert decrypted > 10
    assert (mixed, encrypted) == (0, 0)
    assert found.tx.records["device"] > 10
    assert found.tx.records["mixed"] == found.tx.records["software"] == 0
    assert [each.frame for each in seen if not each.verdict.startswith("decrypted")] == [
        frame for frame, each in zip(frames, seen, strict=True) if "decrypted" not in each.verdict
    ]
    assert report.frames == report.frames_decrypted + sum(report.reasons.values())
    assert report.counters["rx_tls_decrypted_packets"] == report.frames_decrypted
    assert report.counters["tx_tls_encrypted_packets"] == report.sent["encrypted"]
    assert report.frames_sent == report.sent["encrypted"] + report.sent["plain"]


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
@pytest.mark.parametrize("seed", range(8))
def test_real_captures_late_lost_and_sent_again(path: Path, seed: int) -> None:
    """Received frames come late, twice or only when sent again: the data is the same."""
    random = Random(seed)
    frames, key_log, wanted = real(path)
    nic = address(frames, "client")
    placed = []
    for at, frame in enumerate(frames):
        packet = parse(frame)
        shaken = packet and packet.destination == nic and at > 12 and random.random() < 0.05
        placed.append((at + (random.uniform(1, 20) if shaken else 0), frame))
        if shaken and random.random() < 0.3:
            placed.append((at + random.uniform(0, 30), frame))
    report, _ = replay([frame for _, frame in sorted(placed)], key_log, nic)
    found = only(report)
    (each,) = wanted["connections"]
    assert (found.rx.sha256, found.tx.sha256) == (each["rx_sha256"], each["tx_sha256"])
    assert report.mismatches == 0
    assert set(report.reasons) & {"OUT_OF_SYNC", "OVERLAP"}


# -- made ones ----------------------------------------------------------------------------------

CASES = [(version, size) for version in (0x0303, 0x0304) for size in (16, 32)]


@pytest.mark.parametrize(("version", "size"), CASES)
@pytest.mark.parametrize("mss", [1, 5, 100, 1448])
def test_both_ends_of_a_connection(version: int, size: int, mss: int) -> None:
    session = Session(version=version, key_size=size)
    tcp = connection(session)
    for side in (CLIENT, SERVER):
        for _ in range(3):
            tcp.send(side, session.writers[side].record(DATA, TEXT[: 10 * mss + 9]), mss)
        tcp.send(side, session.writers[side].record(ALERT, b"\x01\0"), mss)
    for nic in (CLIENT_ADDRESS, SERVER_ADDRESS):
        report, _ = replay(tcp.frames, session.key_log, nic)
        found = only(report)
        assert records(found) == (4, 0, 0)
        assert found.rx.sha256 == found.tx.sha256 == sha256(TEXT[: 10 * mss + 9] * 3)
        assert report.tls_stat == {
            "TlsRxDevice": 1, "TlsCurrRxDevice": 0, "TlsTxDevice": 1, "TlsCurrTxDevice": 0
        }  # fmt: skip
        assert report.counters["rx_tls_del"] == report.counters["tx_tls_del"] == 1
        assert found.tx.records == {"device": 4, "mixed": 0, "software": 0}


def test_what_came_before_the_handshake_ended_is_softwares() -> None:
    """Half-RTT data: the client's Finished has not been sent when the server's data comes."""
    session = Session()
    tcp = Tcp()
    tcp.open()
    (hello, flight, finished), server = session.flights, session.writers[SERVER]
    tcp.send(*hello)
    early = [server.record(DATA, b"early" * 100) for _ in range(3)]
    tcp.send(SERVER, flight[1] + early[0] + early[1] + early[2][:200])
    tcp.send(*finished)
    tcp.send(SERVER, early[2][200:] + server.record(DATA, b"same segment"))
    tcp.send(SERVER, server.record(DATA, b"later") + server.record(DATA, b"last"))
    report, _ = replay(tcp.frames, session.key_log)
    found = only(report)
    assert found.rx.sha256 == sha256(b"early" * 300 + b"same segmentlaterlast")
    assert (found.offloaded, found.first_record) == (True, 3)
    assert records(found) == (2, 0, 4)  # the segment that has both passes as it is


@pytest.mark.parametrize("had", [1, 4, 5, 30])
def test_the_device_begins_where_the_next_record_is_known_to(had: int) -> None:
    session = Session()
    tcp = Tcp()
    tcp.open()
    (hello, flight, finished), server = session.flights, session.writers[SERVER]
    first, second = server.record(DATA, b"first" * 9), server.record(DATA, b"second" * 9)
    tcp.send(*hello)
    tcp.send(SERVER, flight[1] + first[:had])
    tcp.send(*finished)
    for rest in (first[had:], second, server.record(DATA, b"third" * 9)):
        tcp.send(SERVER, rest)
    found = only(replay(tcp.frames, session.key_log)[0])
    assert found.first_record == 1
    assert records(found) == (2, 0, 1)


def test_the_device_begins_when_nothing_waits_behind_a_gap() -> None:
    """A header that came out of order, before the device was there, would never come again."""
    session = Session()
    tcp = Tcp()
    tcp.open()
    (hello, flight, finished), server = session.flights, session.writers[SERVER]
    tcp.send(*hello)
    tcp.send(*flight)
    late = tcp.send(SERVER, server.record(DATA, b"first" * 9))[0]
    ahead = tcp.send(SERVER, server.record(DATA, b"second" * 9))[0]
    del tcp.frames[-2:]
    tcp.frames += [ahead]
    tcp.send(*finished)
    tcp.frames += [late]
    tcp.send(SERVER, server.record(DATA, b"third" * 9))
    found = only(replay(tcp.frames, session.key_log)[0])
    assert found.first_record == 2
    assert records(found) == (1, 0, 2)
    assert found.rx.sha256 == sha256(b"first" * 9 + b"second" * 9 + b"third" * 9)


@pytest.mark.parametrize("size", [16, 32])
def test_key_updates_are_followed_in_software(size: int) -> None:
    session = Session(key_size=size)
    tcp = connection(session)
    expected = b""
    for turn in range(3):
        for side in (CLIENT, SERVER):
            writer = session.writers[side]
            text = f"turn {turn} ".encode() * 200
            data = writer.record(DATA, text) + writer.record(HANDSHAKE, KEY_UPDATE)
            session.writers[side] = writer.updated()
            tcp.send(side, data + session.writers[side].record(DATA, text), mss=700)
        expected += text * 2
    report, _ = replay(tcp.frames, session.key_log)
    found = only(report)
    assert found.rx.sha256 == found.tx.sha256 == sha256(expected)
    assert found.offloaded
    assert report.tls_stat["TlsRxRekeyReceived"] == report.tls_stat["TlsRxRekeyOk"] == 3
    assert report.counters["rx_tls_del"] == 1
    assert report.mismatches == 0
    decrypted, mixed, encrypted = records(found)
    assert decrypted >= 1
    assert mixed >= 1  # what the device took with the old key, until it was told
    assert decrypted + mixed + encrypted == 9


@pytest.mark.parametrize("seed", range(60))
def test_any_traffic_reads_as_in_software(seed: int) -> None:
    """Records of all sizes and kinds, key updates; frames late, repeated and broken on the way."""
    random = Random(seed)
    session = Session(random.choice([0x0303, 0x0304]), random.choice([16, 32]), seed)
    tcp = Tcp(next=[random.getrandbits(32), random.getrandbits(32)])
    tcp.open()
    for side, data in session.flights:
        tcp.send(side, data, random.choice([1448, 300]))
    text, start = b"", len(tcp.frames)
    for _ in range(random.randint(5, 40)):
        writer, what = session.writers[SERVER], random.random()
        if what < 0.08 and session.version == 0x0304:
            tcp.send(SERVER, writer.record(HANDSHAKE, KEY_UPDATE))
            session.writers[SERVER] = writer.updated()
        elif what < 0.15:
            tcp.send(SERVER, writer.record(ALERT, b"\x01\x5a"))
        else:
            part = random.randbytes(random.choice([0, 1, 20, 500, 3000, 16384]))
            tcp.send(SERVER, writer.record(DATA, part), random.choice([1448, 536, 9000, 60]))
            text += part
    likely = random.choice([0, 0.01, 0.05, 0.3])
    placed = list[tuple[float, bytes]]()
    for at, frame in enumerate(tcp.frames):
        late = at > 2 and random.random() < likely
        placed.append((at + (random.uniform(0.5, random.choice([2, 5, 40])) if late else 0), frame))
        if random.random() < likely / 3:
            placed.append((at + random.uniform(0, 20), frame))
        if random.random() < likely / 4 and at >= start:
            broken = bytearray(frame)
            broken[random.randrange(54, len(frame))] ^= random.randint(1, 255)
            placed.append((at - 0.1, bytes(broken)))
    report, _ = replay([frame for _, frame in sorted(placed)], session.key_log)
    found = only(report)
    assert (report.mismatches, found.notes) == (0, [])
    assert found.rx.sha256 == sha256(text)


def test_a_renegotiation_is_the_end() -> None:
    session = Session(version=0x0303)
    tcp = connection(session)
    server = session.writers[SERVER]
    tcp.send(SERVER, server.record(DATA, b"before") + server.record(CCS, b"\x01"))
    tcp.send(SERVER, server.record(DATA, b"with other keys"))
    found = only(replay(tcp.frames, session.key_log)[0])
    assert found.rx.bytes == len(b"before")
    assert found.notes == ["received: a renegotiation, which is not followed"]


def test_a_record_that_does_not_open_is_said_and_no_mismatch() -> None:
    session = Session()
    tcp = connection(session)
    server = session.writers[SERVER]
    tcp.send(SERVER, server.record(DATA, b"good"))
    bad = bytearray(server.record(DATA, b"bad" * 900))
    bad[-1] ^= 1
    tcp.send(SERVER, bytes(bad))
    report, seen = replay(tcp.frames, session.key_log)
    found = only(report)
    assert found.rx.bytes == 4
    assert found.notes == ["received: EBADMSG after 2 records"]
    assert report.tls_stat["TlsDecryptError"] == 1
    assert report.mismatches == 0
    assert [each.verdict for each in seen][-2:] == ["decrypted, connection 0", "passed: BAD_TAG"]


def test_a_full_device_leaves_the_rest_in_software() -> None:
    frames, logs = [], ""
    for n in range(3):
        session = Session(seed=n)
        tcp = connection(session, Tcp(ports=(50000 + n, 443)))
        tcp.send(SERVER, session.writers[SERVER].record(DATA, TEXT))
        frames += tcp.frames
        logs += session.key_log
    report, _ = replay(frames, logs, device=ModelDevice(connections=2))
    assert [each.offloaded for each in report.connections] == [True, True, False]
    assert {each.rx.sha256 for each in report.connections} == {sha256(TEXT)}
    assert report.refused == {"no_space": 2}
    assert report.connections[2].notes == [
        "received: in software: the device refuses: NO_SPACE",
        "sent: in software: the device refuses: NO_SPACE",
    ]
    assert report.tls_stat["TlsRxSw"] == 1


SYNC, ASYNC, HINT = ResyncType.DRIVER_REQ, ResyncType.DRIVER_REQ_ASYNC, ResyncType.CORE_NEXT_HINT


@pytest.mark.parametrize("version", [0x0303, 0x0304])
@pytest.mark.parametrize(
    ("resync", "self_confirm", "resyncs", "encrypted"),
    [(SYNC, False, 1, 10), (ASYNC, False, 1, 11), (HINT, False, 2, 6), (SYNC, True, 0, 10)],
)
def test_a_header_in_a_frame_that_is_too_long_for_the_device(
    version: int, resync: ResyncType, self_confirm: bool, resyncs: int, encrypted: int
) -> None:
    """The host takes it. The device has lost a boundary that never comes again."""
    session = Session(version=version)
    tcp = connection(session)
    server = session.writers[SERVER]
    overhead = 29 if version == 0x0303 else 22
    sent = [TEXT[n : n + 2000 - overhead] for n in range(60)]
    wire = b"".join(server.record(DATA, text) for text in sent)
    before = 1000 * (BUDGET - 1)  # the long frame is the last of those that go together
    tcp.send(SERVER, wire[:before], 1000)
    tcp.send(SERVER, wire[before : before + 10_000], 10_000)
    tcp.send(SERVER, wire[before + 10_000 :], 1000)
    report, _ = replay(tcp.frames, session.key_log, resync=resync, self_confirm=self_confirm)
    found = only(report)
    assert (found.rx.sha256, report.mismatches) == (sha256(b"".join(sent)), 0)
    assert report.reasons["BAD_LENGTH"] == 1
    assert (found.rx.resyncs, report.tls_stat.get("TlsRxDeviceResync", 0)) == (resyncs, resyncs)
    decrypted, mixed, rest = records(found)
    assert (decrypted + mixed + rest, rest) == (60, encrypted)
    assert mixed <= 2
    assert report.counters["rx_sync_self"] == self_confirm
    assert report.counters["event_lost"] == 0


@pytest.mark.parametrize(("step", "rejected"), [(1, False), (100_000_000, True)])
def test_the_time_is_that_of_the_capture(step: int, rejected: bool) -> None:
    """A header is sent again only after more bytes, and perhaps longer, than a driver waits."""
    session = Session()
    tcp = connection(session)
    before = len(tcp.frames)
    wire = b"".join(session.writers[SERVER].record(DATA, TEXT[:9978]) for _ in range(8))
    tcp.send(SERVER, wire, 1000)
    tcp.frames.insert(before + 70, tcp.frames.pop(before + 10))  # the start of the second
    frames = [Captured(step * n, frame) for n, frame in enumerate(tcp.frames)]
    report, _ = replay(frames, session.key_log, self_confirm=False)
    assert only(report).rx.sha256 == sha256(TEXT[:9978] * 8)
    assert (report.counters["rx_tls_resync_nak"] > 0) is rejected


@pytest.mark.parametrize("lost", [False, True])
def test_frames_go_one_by_one_while_something_is_out_of_the_ordinary(lost: bool) -> None:
    """From the one behind the gap until one is decrypted again; the others as by interrupt."""

    class Noting(ModelDevice):
        def receive(self, frames: Sequence[bytes]) -> list[tuple[bytes, RxDescriptor]]:
            taken.append(len(frames))
            return super().receive(frames)

    session = Session()
    tcp = connection(session)
    before = len(tcp.frames)
    wire = b"".join(session.writers[SERVER].record(DATA, TEXT[:978]) for _ in range(100))
    tcp.send(SERVER, wire, 1000)
    if lost:  # has a header
        tcp.frames.insert(before + 14, tcp.frames.pop(before + 10))
    taken = list[int]()
    replay(tcp.frames, session.key_log, device=Noting())
    ordinary = [each for each in taken if each > 1]
    assert ordinary == ([11, BUDGET, 21] if lost else [BUDGET, 36])


@pytest.mark.parametrize("end", ["fin", "rst", "syn"])
def test_a_connection_that_ends_is_deleted(end: str) -> None:
    """Another one has its place in the device; or its addresses and ports."""
    frames, logs = [], ""
    for n in range(3):
        session = Session(seed=n)
        ports = 50000 + (n if end != "syn" else 0), 443
        tcp = connection(session, Tcp(ports=ports, next=[n * 1_000_000, n * 77_777]))
        tcp.send(SERVER, session.writers[SERVER].record(DATA, TEXT))
        if end == "rst":
            tcp.frames.append(tcp.frame(CLIENT, tcp.next[CLIENT], RST))
        elif end == "fin":
            for side in (SERVER, CLIENT):
                tcp.frames.append(tcp.frame(side, tcp.next[side], FIN | ACK))
        frames += tcp.frames
        logs += session.key_log
    report, _ = replay(frames, logs, device=ModelDevice(connections=1))
    assert [records(each) for each in report.connections] == [(1, 0, 0)] * 3
    assert report.skipped == []
    assert report.counters["rx_tls_ctx"] == report.counters["rx_tls_del"] == 3


def test_a_syn_that_comes_again_is_no_other_connection() -> None:
    session = Session()
    tcp = connection(session)
    tcp.send(SERVER, session.writers[SERVER].record(DATA, TEXT))
    tcp.frames[1:1] = tcp.frames[:2]
    tcp.frames += tcp.frames[:2]
    assert records(only(replay(tcp.frames, session.key_log)[0])) == (1, 0, 0)


def without_start(session: Session, tcp: Tcp) -> list[bytes]:
    return tcp.frames[3:]


def http(session: Session, tcp: Tcp) -> list[bytes]:
    tcp = Tcp()
    tcp.open()
    tcp.send(CLIENT, b"GET / HTTP/1.1\r\n\r\n")
    return tcp.frames


def silent(session: Session, tcp: Tcp) -> list[bytes]:
    return tcp.frames[:2]


def half(session: Session, tcp: Tcp) -> list[bytes]:
    return tcp.frames[:-3]


def gap(session: Session, tcp: Tcp) -> list[bytes]:
    tcp = Tcp()
    tcp.open()
    for side, data in session.flights:
        tcp.send(side, data, mss=200)
    del tcp.frames[6]
    return tcp.frames


def other_keys(session: Session, tcp: Tcp) -> list[bytes]:
    session.key_log = Session(seed=99).key_log
    return tcp.frames


def alert(session: Session, tcp: Tcp) -> list[bytes]:
    tcp = Tcp()
    tcp.open()
    tcp.send(*session.flights[0])
    tcp.send(SERVER, plain(ALERT, b"\x02\x28"))
    return tcp.frames


@pytest.mark.parametrize(
    ("cut", "says"),
    [
        (without_start, "no TLS ClientHello: another protocol, or its start is not in the capture"),
        (http, "no TLS ClientHello: another protocol, or its start is not in the capture"),
        (silent, "no data"),
        (half, "the handshake is not finished in the capture"),
        (gap, "bytes of the handshake are missing in the capture"),
        (other_keys, "the key log has no secrets of this session"),
        (alert, "an alert ended the handshake"),
    ],
)
def test_what_is_not_taken_is_said(cut: Callable[[Session, Tcp], list[bytes]], says: str) -> None:
    session = Session()
    tcp = connection(session)
    tcp.send(SERVER, session.writers[SERVER].record(DATA, TEXT[:50]))
    tcp.send(CLIENT, session.writers[CLIENT].record(DATA, TEXT[:50]))
    frames = cut(session, tcp)
    report, _ = replay(frames, session.key_log)
    assert report.connections == []
    (skipped,) = report.skipped
    assert skipped.reason == says
    assert (skipped.local, skipped.remote) == ("10.0.0.1:50000", "10.0.0.2:443")
    assert report.frames + report.frames_sent == len(frames)


def test_a_gap_in_the_data_is_said() -> None:
    session = Session()
    tcp = connection(session)
    for _ in range(4):
        tcp.send(SERVER, session.writers[SERVER].record(DATA, TEXT[:1000]))
    del tcp.frames[-3]
    found = only(replay(tcp.frames, session.key_log)[0])
    assert found.rx.bytes == 1000
    (note,) = found.notes
    assert note == "received: a gap in the capture: 2,044 bytes behind it"


def test_wrong_checksums_are_dropped_as_a_host_does() -> None:
    session = Session()
    tcp = connection(session)
    frame = tcp.send(SERVER, session.writers[SERVER].record(DATA, b"data"))[0]
    broken = bytearray(frame)
    broken[-1] ^= 1
    tcp.frames[-1:] = [bytes(broken), frame]
    report, _ = replay(tcp.frames, session.key_log)
    assert records(only(report)) == (1, 0, 0)
    assert report.warnings == ["1 received segments have a wrong checksum: dropped"]
    assert report.reasons["BAD_TCP_CSUM"] == 1


def test_frames_that_the_capture_cut() -> None:
    session = Session()
    tcp = connection(session)
    frame = tcp.send(SERVER, session.writers[SERVER].record(DATA, TEXT[:500]))[0]
    frames: list[bytes | Captured] = [*tcp.frames[:-1], Captured(0, frame[:96], cut=True)]
    report, _ = replay(frames, session.key_log)
    assert only(report).rx.bytes == 0
    assert report.warnings == ["1 frames are cut short in the capture"]
    assert report.reasons["BAD_LENGTH"] == 1


def test_frames_of_others_and_of_other_protocols() -> None:
    session = Session()
    tcp = connection(session)
    other = Tcp(addresses=(b"\x0a\0\0\x07", b"\x0a\0\0\x08")).frame(CLIENT, 0, SYN)
    udp = bytearray(tcp.frame(SERVER, 0, ACK))
    udp[23] = 17
    frames = [other, b"arp", bytes(udp), b"", *tcp.frames]
    report, seen = replay(frames, session.key_log)
    assert [each.frame for each in seen] == frames
    assert report.frames + report.frames_sent == len(tcp.frames) + 1
    assert report.reasons["NOT_TCP"] == 1
    only(report)


def test_what_the_host_saw() -> None:
    session = Session(version=0x0303)
    tcp = connection(session)
    tcp.send(SERVER, session.writers[SERVER].record(DATA, b"plaintext" * 200))
    tcp.send(CLIENT, session.writers[CLIENT].record(DATA, b"sent"))
    _, seen = replay(tcp.frames, session.key_log)
    assert [each.time for each in seen] == list(range(len(tcp.frames)))
    assert [each.verdict for each in seen[-3:]] == ["decrypted, connection 0"] * 2 + [
        "encrypted, connection 0"
    ]
    assert b"plaintext" * 100 in seen[-3].frame
    assert [len(each.frame) for each in seen] == [len(frame) for frame in tcp.frames]
    assert [each.frame for each in seen[:-3]] == tcp.frames[:-3]
    assert seen[-1].frame == tcp.frames[-1]


class Liar(ModelDevice):
    """Changes a byte of what it decrypts."""

    def receive(self, frames: Sequence[bytes]) -> list[tuple[bytes, RxDescriptor]]:
        """As the model, but for that."""
        return [
            (frame[:100] + b"\xff" + frame[101:] if told.decrypted else frame, told)
            for frame, told in super().receive(frames)
        ]


def test_a_device_that_lies_is_found_out() -> None:
    session = Session()
    tcp = connection(session)
    tcp.send(SERVER, session.writers[SERVER].record(DATA, b"honest" * 40), mss=2000)
    report, _ = replay(tcp.frames, session.key_log, device=Liar())
    assert report.mismatches == 1


def test_differences() -> None:
    def data(text: bytes) -> list[Message]:
        return [Message(DATA, text)]

    assert differences(data(b"same"), data(b"same")) == 0
    assert differences(data(b"same"), data(b"sane")) == 1
    assert differences(data(b"longer"), data(b"long")) == 2
    assert differences([], data(b"gone")) == 5
    assert differences([Message(ALERT, b"x")], data(b"x")) == 1
