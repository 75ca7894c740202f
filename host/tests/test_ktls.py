"""kTLS: whatever the decrypted bits, the program reads what software alone would give it."""

import errno
from collections import Counter
from collections.abc import Iterable
from random import Random

import pytest

from host import tcp
from host.crypto_info import CipherType, CryptoInfo, Version
from host.ktls import Kind, Message, Offload, Receiver
from host.packet import Flow
from host.record import Opener
from host.regs import Direction
from host.resync import ResyncType, RxResync
from host.tcp import Chunk
from host.tests.wire import ALERT, DATA, HANDSHAKE, Writer, raises

CASES = [(version, cipher) for version in Version for cipher in CipherType]
FLOW = Flow(b"\x0a\0\0\x01", 443, b"\x0a\0\0\x02", 50000)
KEY_UPDATE = b"\x18\0\0\x01\0"


def keys(version: Version, cipher: CipherType, number: int = 0) -> tuple[Writer, CryptoInfo]:
    random = Random(version + cipher)
    key = random.randbytes(16 if cipher is CipherType.AES_GCM_128 else 32)
    iv = random.randbytes(4 if version is Version.TLS_1_2 else 12)
    info = CryptoInfo(version, cipher, iv[4:] or bytes(8), key, iv[:4], number.to_bytes(8))
    return Writer(version, key, iv, number), info


def stack(info: CryptoInfo, seq: int = 0) -> Receiver:
    return Receiver(info, seq, Counter())


def read_all(receiver: Receiver) -> list[Message]:
    messages = []
    while (message := receiver.recv()) is not None:
        messages.append(message)
    return messages


class Nic:
    """A device that knows the record boundaries, and decrypts any bytes it is asked to."""

    def __init__(self, info: CryptoInfo, records: list[bytes]) -> None:
        opener = Opener(info)
        self.plain = b""
        for record in records:
            self.plain += opener.toggle(record, 0, len(record))
            opener.number += 1
        self.wire = b"".join(records)

    def bytes(self, start: int, end: int, decrypted: bool) -> bytes:
        """What the host gets of these bytes."""
        return (self.plain if decrypted else self.wire)[start:end]

    def chunks(self, cuts: Iterable[int], marks: Iterable[bool]) -> list[Chunk]:
        """All of it, cut there, with these bits."""
        edges = [0, *cuts, len(self.wire)]
        return [
            Chunk(self.bytes(start, end, mark), mark)
            for start, end, mark in zip(edges, edges[1:], marks, strict=False)
        ]


# -- records of every kind ----------------------------------------------------------------------


@pytest.mark.parametrize(("version", "cipher"), CASES)
@pytest.mark.parametrize("kind", Kind)
def test_a_record_of_each_kind(version: Version, cipher: CipherType, kind: Kind) -> None:
    writer, info = keys(version, cipher, number=7)
    nic = Nic(info, [writer.record(DATA, b"first" * 50), writer.record(DATA, b"second" * 50)])
    marks = {Kind.DECRYPTED: [True] * 4, Kind.ENCRYPTED: [False] * 4,
             Kind.MIXED: [True, False, False, True]}[kind]  # fmt: skip
    half = len(nic.wire) // 2
    receiver = stack(info)
    receiver.receive(nic.chunks([40, half - 40, half + 3], marks))
    assert receiver.recv() == Message(DATA, b"first" * 50 + b"second" * 50)
    assert receiver.recv() is None
    assert receiver.records[kind] == 2


PATTERNS = {
    "first": "10000000",
    "last": "00000001",
    "alternating": "10101010",
    "alternating, other": "01010101",
    "middle": "00011000",
    "all but the first": "01111111",
    "all but the last": "11111110",
    "all but the middle": "11101111",
}


@pytest.mark.parametrize(("version", "cipher"), CASES)
@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS.keys())
def test_mixed_patterns(version: Version, cipher: CipherType, pattern: str) -> None:
    writer, info = keys(version, cipher)
    nic = Nic(info, [writer.record(DATA, bytes(range(256)) * 3)])
    for cuts in ([1, 5, 13, 14, 29, 300, len(nic.wire) - 16], [50, 99, 101, 117, 200, 201, 700]):
        receiver = stack(info)
        receiver.receive(nic.chunks(cuts, (mark == "1" for mark in pattern)))
        assert receiver.recv() == Message(DATA, bytes(range(256)) * 3)
        assert receiver.records == {Kind.MIXED: 1}


@pytest.mark.parametrize(("version", "cipher"), CASES)
@pytest.mark.parametrize("part", ["header", "prefix", "tag"])
def test_where_the_bit_touched_no_text_there_is_nothing_to_undo(
    version: Version, cipher: CipherType, part: str
) -> None:
    writer, info = keys(version, cipher)
    nic = Nic(info, [writer.record(DATA, b"text" * 30)])
    prefix = 13 if version is Version.TLS_1_2 else 5
    cut = {"header": 5, "prefix": prefix, "tag": len(nic.wire) - 16}[part]
    receiver = stack(info)
    receiver.receive(nic.chunks([cut], [part != "tag", part == "tag"]))
    assert receiver.recv() == Message(DATA, b"text" * 30)
    assert receiver.records == {Kind.MIXED: 1}


def test_bytes_with_the_bit_that_are_still_ciphertext_authenticate_as_they_are() -> None:
    writer, info = keys(*CASES[0])
    record = writer.record(DATA, b"text" * 30)
    receiver = stack(info)
    receiver.receive([Chunk(record[:60], True), Chunk(record[60:], False)])
    assert receiver.recv() == Message(DATA, b"text" * 30)


@pytest.mark.parametrize(("version", "cipher"), CASES)
@pytest.mark.parametrize("seed", range(12))
def test_any_loss_order_and_bits_read_as_in_software(
    version: Version, cipher: CipherType, seed: int
) -> None:
    """Segments cut, repeated and shuffled at random, each with a random bit, through TCP."""
    random = Random(f"{version} {cipher} {seed}")
    writer, info = keys(version, cipher, number=random.choice([0, 5, (1 << 64) - 100]))
    kinds = [DATA] * 8 + [ALERT, HANDSHAKE]
    sent = [(random.choice(kinds), random.randbytes(random.choice([0, 1, 15, 16, 17, 900, 4000])))
            for _ in range(25)]  # fmt: skip
    nic = Nic(info, [writer.record(kind, data) for kind, data in sent])
    start = random.choice([0, 0xFFFF_F000, random.getrandbits(32)])
    segments, at = [], 0
    while at < len(nic.wire):
        end = min(at + random.choice([1, 4, 60, 536, 1448]), len(nic.wire))
        segments.append((at, end))
        if random.random() < 0.2:  # sent again, cut another way
            segments.append((max(0, at - random.randint(0, 99)), end))
        at = end
    order = sorted(segments, key=lambda segment: segment[0] + random.randint(0, 4000))
    likely = random.choice([0.1, 0.5, 0.9, 1])
    receiver, stream = stack(info, start), tcp.Receiver(start)
    got = []
    for first, end in order:
        mark = random.random() < likely
        data = nic.bytes(first, end, mark)
        receiver.receive(stream.receive(start + first & 0xFFFF_FFFF, data, mark))
        got += read_all(receiver)
    assert [m for m in got if m.type != DATA] == [Message(k, d) for k, d in sent if k != DATA]
    assert b"".join(m.data for m in got if m.type == DATA) == b"".join(
        data for kind, data in sent if kind == DATA
    )
    assert receiver.records.total() == len(sent)


# -- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "header", "number"),
    [
        (Version.TLS_1_3, b"\x55\x55\x55\x55\x55", errno.EMSGSIZE),
        (Version.TLS_1_2, b"\x17\x03\x03" + (16409).to_bytes(2), errno.EMSGSIZE),
        (Version.TLS_1_3, b"\x17\x03\x03" + (16402).to_bytes(2), errno.EMSGSIZE),
        (Version.TLS_1_2, b"\x17\x03\x03" + (23).to_bytes(2), errno.EBADMSG),
        (Version.TLS_1_3, b"\x17\x03\x03" + (15).to_bytes(2), errno.EBADMSG),
        (Version.TLS_1_3, b"\x17\x05\x05" + (15).to_bytes(2), errno.EBADMSG),  # length goes first
        (Version.TLS_1_2, b"\x17\x03\x01" + (24).to_bytes(2), errno.EINVAL),
        (Version.TLS_1_3, b"\x17\x02\x03" + (16401).to_bytes(2), errno.EINVAL),
    ],
)
@pytest.mark.parametrize("mark", [False, True])
def test_bad_headers_are_for_good(version: Version, header: bytes, number: int, mark: bool) -> None:
    writer, info = keys(version, CipherType.AES_GCM_128)
    receiver = stack(info)
    receiver.receive([Chunk(writer.record(DATA, b"good"), False)])
    receiver.receive([Chunk(header + bytes(8), mark)])
    assert receiver.recv() == Message(DATA, b"good")
    receiver.receive([Chunk(writer.record(DATA, b"later"), False)])
    for _ in range(2):
        with raises(number):
            receiver.recv()


@pytest.mark.parametrize("version", Version)
def test_limits_of_the_length_are_good(version: Version) -> None:
    writer, info = keys(version, CipherType.AES_GCM_128)
    receiver = stack(info)
    receiver.receive([Chunk(writer.record(DATA, b"") + writer.record(DATA, bytes(16384)), False)])
    assert receiver.recv() == Message(DATA, bytes(16384))


@pytest.mark.parametrize(("version", "cipher"), CASES)
@pytest.mark.parametrize("marks", ["000", "110", "100", "010"])
@pytest.mark.parametrize("where", [20, 70, -1])
def test_a_record_that_is_not_authentic(
    version: Version, cipher: CipherType, marks: str, where: int
) -> None:
    """The device never gives the bit to the chunk that ends such a record."""
    writer, info = keys(version, cipher)
    good, bad = writer.record(DATA, b"good"), bytearray(writer.record(DATA, b"bad" * 40))
    bad[where] ^= 1
    nic = Nic(info, [good, bytes(bad)])
    receiver = stack(info)
    cuts = [len(good), len(good) + 60, len(good) + 90]
    receiver.receive(nic.chunks(cuts, [False, *(mark == "1" for mark in marks)]))
    assert receiver.recv() == Message(DATA, b"good")
    for _ in range(2):
        with raises(errno.EBADMSG):
            receiver.recv()


def test_decrypt_errors_are_counted_once() -> None:
    writer, info = keys(*CASES[0])
    mib: Counter[str] = Counter()
    receiver = Receiver(info, 0, mib)
    record = writer.record(DATA, b"data")
    receiver.receive([Chunk(record[:-1] + bytes([record[-1] ^ 1]), False)])
    for _ in range(3):
        with raises(errno.EBADMSG):
            receiver.recv()
    assert mib["TlsDecryptError"] == 1


@pytest.mark.parametrize("mark", [False, True])
def test_padding_alone_is_no_record(mark: bool) -> None:
    writer, info = keys(Version.TLS_1_3, CipherType.AES_GCM_256)
    nic = Nic(info, [writer.record(DATA, b"", raw=bytes(20))])
    receiver = stack(info)
    receiver.receive(nic.chunks([], [mark]))
    for _ in range(2):
        with raises(errno.EBADMSG):
            receiver.recv()


@pytest.mark.parametrize("mark", [False, True])
def test_inner_type_and_padding(mark: bool) -> None:
    writer, info = keys(Version.TLS_1_3, CipherType.AES_GCM_128)
    records = [writer.record(DATA, b"data\0\0", pad=300), writer.record(ALERT, b"\x01\0", pad=1)]
    receiver = stack(info)
    receiver.receive(Nic(info, records).chunks([], [mark]))
    assert read_all(receiver) == [Message(DATA, b"data\0\0"), Message(ALERT, b"\x01\0")]


def test_the_last_record_number_is_the_end() -> None:
    writer, info = keys(Version.TLS_1_3, CipherType.AES_GCM_128, number=(1 << 64) - 1)
    receiver = stack(info)
    receiver.receive([Chunk(writer.record(DATA, b"last"), False)])
    assert receiver.recv() == Message(DATA, b"last")
    with raises(errno.EBADMSG):
        receiver.recv()


def test_the_explicit_nonce_is_the_wires_and_the_number_is_counted() -> None:
    """TLS 1.2 with an `iv` that has nothing to do with the record number."""
    writer, info = keys(Version.TLS_1_2, CipherType.AES_GCM_128, number=1000)
    assert info.iv != info.rec_seq
    receiver = stack(info)
    for mark in (True, False):
        nic = Nic(info, [writer.record(DATA, b"text" * 9)])
        receiver.receive(nic.chunks([30], [mark, False]))
        assert receiver.recv() == Message(DATA, b"text" * 9)


# -- recv ---------------------------------------------------------------------------------------


def receiving(*records: tuple[int, bytes]) -> Receiver:
    writer, info = keys(Version.TLS_1_2, CipherType.AES_GCM_128)
    receiver = stack(info)
    receiver.receive([Chunk(writer.record(*record), False) for record in records])
    return receiver


def test_data_is_merged_and_control_is_not() -> None:
    receiver = receiving((DATA, b"a"), (DATA, b"b"), (22, b"c"), (22, b"d"), (DATA, b"e"))
    assert read_all(receiver) == [
        Message(DATA, b"ab"), Message(22, b"c"), Message(22, b"d"), Message(DATA, b"e")
    ]  # fmt: skip


def test_a_program_that_wants_no_control_gets_eio_and_the_record_stays() -> None:
    receiver = receiving((DATA, b"a"), (21, b"alert"))
    assert receiver.recv(control=False) == Message(DATA, b"a")
    for _ in range(2):
        with raises(errno.EIO):
            receiver.recv(control=False)
    assert receiver.recv() == Message(21, b"alert")


def test_partial_reads_leave_the_rest() -> None:
    receiver = receiving((DATA, b"abcd"), (DATA, b"efgh"), (21, b"xyz"))
    read = [receiver.recv(3) for _ in range(5)]
    assert read == [
        Message(DATA, b"abc"), Message(DATA, b"def"), Message(DATA, b"gh"),
        Message(21, b"xyz"), None,
    ]  # fmt: skip
    control = receiving((21, b"wxyz"))
    assert [control.recv(3), control.recv(3)] == [Message(21, b"wxy"), Message(21, b"z")]


EMPTY = (DATA, b"")


@pytest.mark.parametrize(
    ("records", "read"),
    [
        ([(DATA, b"a" * 11)] * 3, [(DATA, b"a" * 33)]),
        ([(DATA, b"a"), (22, b""), (DATA, b"b")], [(DATA, b"a"), (22, b""), (DATA, b"b")]),
        ([EMPTY, EMPTY, EMPTY], []),
        ([EMPTY, EMPTY, (22, b"ctl")], [(DATA, b""), (22, b"ctl")]),
        ([EMPTY, EMPTY, (22, b"")], [(DATA, b""), (22, b"")]),
        ([(22, b""), (22, b""), (22, b"")], [(22, b"")] * 3),
        ([EMPTY, EMPTY, (DATA, b"x")], [(DATA, b"x")]),
        ([(DATA, b"x"), EMPTY, EMPTY], [(DATA, b"x")]),
    ],
)
def test_empty_records(records: list[tuple[int, bytes]], read: list[tuple[int, bytes]]) -> None:
    assert read_all(receiving(*records)) == [Message(*each) for each in read]


def test_an_error_behind_data_comes_with_the_next_call() -> None:
    receiver = receiving((DATA, b"a"), (DATA, b"b"))
    receiver.receive([Chunk(b"\x17\x03\x03\xff\xff" + bytes(20), False)])
    assert receiver.recv() == Message(DATA, b"ab")
    with raises(errno.EMSGSIZE):
        receiver.recv()


# -- installing ---------------------------------------------------------------------------------


class Driver:
    """Takes note of what it is asked; refuses with `error`."""

    def __init__(
        self, error: OSError | None = None, kind: ResyncType = ResyncType.DRIVER_REQ
    ) -> None:
        self.error = error
        self.type = kind
        self.resync = RxResync()
        self.told: list[tuple[int, int]] = []
        self.added: list[tuple[Flow, Direction, CryptoInfo, int]] = []
        self.deleted: list[int] = []

    def tls_dev_add(
        self, flow: Flow, direction: Direction, info: CryptoInfo, seq: int, resync: RxResync
    ) -> int:
        """The kernel's."""
        self.added.append((flow, direction, info, seq))
        if self.error:
            raise self.error
        resync.type = self.type
        self.resync = resync
        return 7

    def tls_dev_del(self, context: int, direction: Direction) -> None:
        """The kernel's."""
        assert direction is Direction.RX
        self.deleted.append(context)

    def tls_dev_resync(self, context: int, direction: Direction, seq: int, number: int) -> None:
        """The kernel's."""
        assert (context, direction) == (7, Direction.RX)
        self.told.append((seq, number))
        if self.error:
            raise self.error


def test_offload_at_the_first_record() -> None:
    _, info = keys(Version.TLS_1_3, CipherType.AES_GCM_128, number=3)
    mib: Counter[str] = Counter()
    receiver, driver = Receiver(info, 0xFFFF_FFF0, mib), Driver()
    assert receiver.offload(driver, FLOW)
    assert driver.added == [(FLOW, Direction.RX, info, 0xFFFF_FFF0)]
    assert receiver.offloaded == Offload(0xFFFF_FFF0, 3)
    assert mib == {"TlsRxDevice": 1, "TlsCurrRxDevice": 1}
    receiver.close()
    receiver.close()
    assert driver.deleted == [7]
    assert mib["TlsCurrRxDevice"] == 0


@pytest.mark.parametrize("version", Version)
def test_what_is_queued_is_softwares(version: Version) -> None:
    """The boundary is behind the record that has begun, and waits for its length to be there."""
    writer, info = keys(version, CipherType.AES_GCM_128)
    first, second = writer.record(DATA, b"first"), writer.record(DATA, b"second")
    prefix = 13 if version is Version.TLS_1_2 else 5
    for had in range(1, len(second)):
        receiver, driver = stack(info, 100), Driver()
        receiver.receive([Chunk(first + second[:had], False)])
        assert receiver.offload(driver, FLOW) == (had >= prefix)
        if had >= prefix:
            ((_, _, added, seq),) = driver.added
            assert (added.number, seq) == (2, 100 + len(first + second))
        receiver.receive([Chunk(second[had:], False)])
        assert read_all(receiver) == [Message(DATA, b"firstsecond")]


def test_after_reading_the_boundary_moves_on() -> None:
    writer, info = keys(*CASES[0])
    record = writer.record(DATA, b"read")
    receiver, driver = stack(info, 50), Driver()
    receiver.receive([Chunk(record, False)])
    receiver.recv()
    assert receiver.offload(driver, FLOW)
    assert receiver.offloaded == Offload(50 + len(record), 1)


def test_a_bad_header_is_no_boundary() -> None:
    _, info = keys(*CASES[0])
    receiver = stack(info)
    receiver.receive([Chunk(b"\x55" * 64, False)])
    assert not receiver.offload(Driver(), FLOW)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EINVAL, errno.EOPNOTSUPP, errno.EIO])
def test_any_refusal_is_software(number: int) -> None:
    writer, info = keys(*CASES[0])
    mib: Counter[str] = Counter()
    receiver, driver = Receiver(info, 0, mib), Driver(OSError(number, "no"))
    assert receiver.offload(driver, FLOW)
    assert receiver.offloaded is None
    assert receiver.refused is driver.error
    assert mib == {"TlsRxSw": 1, "TlsCurrRxSw": 1}
    receiver.receive([Chunk(writer.record(DATA, b"data"), False)])
    assert receiver.recv() == Message(DATA, b"data")
    receiver.close()
    assert driver.deleted == []
    assert mib["TlsCurrRxSw"] == 0


# -- KeyUpdate ----------------------------------------------------------------------------------


def test_a_key_update_stops_the_device_and_the_reader() -> None:
    writer, info = keys(Version.TLS_1_3, CipherType.AES_GCM_128)
    mib: Counter[str] = Counter()
    receiver, driver = Receiver(info, 0, mib), Driver()
    receiver.offload(driver, FLOW)
    receiver.receive([Chunk(writer.record(HANDSHAKE, KEY_UPDATE), False)])
    assert receiver.recv() == Message(HANDSHAKE, KEY_UPDATE)
    assert driver.deleted == [7]
    for _ in range(2):
        with raises(errno.EKEYEXPIRED):
            receiver.recv()
    next_writer, next_info = keys(Version.TLS_1_3, CipherType.AES_GCM_256)
    receiver.rekey(next_info)
    receiver.receive([Chunk(next_writer.record(DATA, b"new"), False)])
    assert receiver.recv() == Message(DATA, b"new")
    receiver.close()
    assert driver.deleted == [7]
    assert mib["TlsRxRekeyReceived"] == mib["TlsRxRekeyOk"] == 1


def test_the_device_may_begin_with_keys_of_after_an_update() -> None:
    writer, info = keys(Version.TLS_1_3, CipherType.AES_GCM_128)
    next_writer, next_info = keys(Version.TLS_1_3, CipherType.AES_GCM_256)
    receiver, driver = stack(info), Driver()
    receiver.receive([Chunk(writer.record(HANDSHAKE, KEY_UPDATE), False)])
    assert receiver.recv() == Message(HANDSHAKE, KEY_UPDATE)
    assert not receiver.offload(driver, FLOW)
    receiver.rekey(next_info)
    assert receiver.offload(driver, FLOW)
    assert driver.added[0][2] == next_info
    nic = Nic(next_info, [next_writer.record(DATA, b"data" * 50) for _ in range(2)])
    receiver.receive(nic.chunks([230, 300], [True, True, False]))
    assert receiver.recv() == Message(DATA, b"data" * 100)
    assert receiver.records == {Kind.ENCRYPTED: 1, Kind.DECRYPTED: 1, Kind.MIXED: 1}


@pytest.mark.parametrize("marks", ["111", "100", "010", "101", "110", "000"])
def test_what_the_device_took_with_the_old_keys_is_undone_with_them(marks: str) -> None:
    """It goes on with keys and numbers of before until it is told."""
    writer, info = keys(Version.TLS_1_3, CipherType.AES_GCM_128, number=5)
    next_writer, next_info = keys(Version.TLS_1_3, CipherType.AES_GCM_256)
    update = writer.record(HANDSHAKE, KEY_UPDATE)
    records = [update, *(next_writer.record(DATA, word * 40) for word in (b"one", b"two"))]
    nic = Nic(info, records)
    receiver = stack(info)
    bits = [True] + [mark == "1" for mark in marks] * 2
    cuts = [len(update), *(len(update) + at for at in (30, 100, 141, 170, 250))]
    receiver.receive(nic.chunks(cuts, bits))
    assert receiver.recv() == Message(HANDSHAKE, KEY_UPDATE)
    receiver.rekey(next_info)
    assert receiver.recv() == Message(DATA, b"one" * 40 + b"two" * 40)


# -- resynchronisation: which hooks are called when; what they do is host/tests/test_resync.py ----


def encrypted(count: int) -> tuple[CryptoInfo, list[bytes]]:
    writer, info = keys(Version.TLS_1_3, CipherType.AES_GCM_128, number=40)
    return info, [writer.record(DATA, b"data" * 20) for _ in range(count)]


@pytest.mark.parametrize("kind", [ResyncType.DRIVER_REQ, ResyncType.DRIVER_REQ_ASYNC])
def test_a_request_is_answered_when_the_header_is_there(kind: ResyncType) -> None:
    """Not before all of it is, and not only when the record is."""
    info, records = encrypted(2)
    mib: Counter[str] = Counter()
    receiver, driver = Receiver(info, 0xFFFF_FFF0, mib), Driver(kind=kind)
    receiver.offload(driver, FLOW)
    place = 0xFFFF_FFF0 + len(records[0]) & tcp.MASK
    place += 4 * (kind is ResyncType.DRIVER_REQ)
    if kind is ResyncType.DRIVER_REQ:
        driver.resync.request(place)
    else:
        driver.resync.request_end(place)
    receiver.receive([Chunk(records[0] + records[1][:4], False)])
    read_all(receiver)
    assert (driver.told, receiver.resyncs) == ([], 0)
    receiver.receive([Chunk(records[1][4:5], False)])
    read_all(receiver)
    assert driver.told == [(place, 41)]
    assert receiver.resyncs == mib["TlsRxDeviceResync"] == 1
    receiver.receive([Chunk(records[1][5:], False)])
    read_all(receiver)
    assert receiver.resyncs == 1


def test_a_driver_that_fails_to_resync_is_tolerated_and_counted() -> None:
    info, records = encrypted(2)
    receiver, driver = stack(info), Driver()
    receiver.offload(driver, FLOW)
    driver.error = OSError(errno.EIO, "no")
    driver.resync.request(4)
    receiver.receive([Chunk(b"".join(records), False)])
    assert receiver.recv() == Message(DATA, b"data" * 40)
    assert (driver.told, receiver.resyncs) == ([(4, 40)], 1)


@pytest.mark.parametrize("end", ["never", "refused", "closed", "key update"])
def test_who_is_not_offloaded_does_not_resync(end: str) -> None:
    writer, info = keys(Version.TLS_1_3, CipherType.AES_GCM_128)
    receiver, driver = stack(info), Driver()
    if end == "refused":
        driver.error = OSError(errno.ENOSPC, "no")
    if end != "never":
        receiver.offload(driver, FLOW)
    start = 0
    if end == "closed":
        receiver.close()
    if end == "key update":
        update = writer.record(HANDSHAKE, KEY_UPDATE)
        start = len(update)
        receiver.receive([Chunk(update, False)])
        receiver.recv()
        receiver.rekey(info)
        writer.number = 0
    driver.resync.request(start + 4)
    receiver.receive([Chunk(writer.record(DATA, b"data"), False)])
    assert receiver.recv() == Message(DATA, b"data")
    assert (driver.told, receiver.resyncs) == ([], 0)


def test_encrypted_records_lead_to_hints_at_the_next_one() -> None:
    info, records = encrypted(6)
    receiver, driver = stack(info), Driver(kind=ResyncType.CORE_NEXT_HINT)
    receiver.offload(driver, FLOW)
    for record in records:
        receiver.receive([Chunk(record, False)])
        read_all(receiver)
    assert driver.told == [(3 * len(records[0]), 43), (5 * len(records[0]), 45)]


@pytest.mark.parametrize("marks", [[True], [False, True], [True, False]], ids=str)
def test_a_record_that_is_not_encrypted_starts_the_count_anew(marks: list[bool]) -> None:
    writer, info = keys(Version.TLS_1_3, CipherType.AES_GCM_128)
    nic = Nic(info, [writer.record(DATA, b"data" * 20) for _ in range(6)])
    size = len(nic.wire) // 6
    receiver, driver = stack(info), Driver(kind=ResyncType.CORE_NEXT_HINT)
    receiver.offload(driver, FLOW)
    cuts = [size, 2 * size] + [2 * size + size // 2] * (len(marks) - 1)
    chunks = nic.chunks([*cuts, 3 * size, 4 * size, 5 * size], [False, False, *marks, *[False] * 3])
    for chunk in chunks:
        receiver.receive([chunk])
        read_all(receiver)
    assert driver.told == [(6 * size, 6)]


def test_a_hint_waits_for_the_last_header_that_is_there() -> None:
    """The third record fires, but the fourth is in the queue, and the start of the fifth."""
    info, records = encrypted(6)
    size = len(records[0])
    receiver, driver = stack(info), Driver(kind=ResyncType.CORE_NEXT_HINT)
    receiver.offload(driver, FLOW)
    receiver.receive([Chunk(b"".join(records[:4]) + records[4][:30], False)])
    read_all(receiver)
    assert driver.told == [(5 * size, 45)]
    receiver.receive([Chunk(records[4][30:], False)])
    read_all(receiver)
    assert driver.told == [(5 * size, 45)]
