"""kTLS sending: the same records whoever encrypts them, and none that leaves in clear."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from host import ktls
from host.crypto_info import CipherType, CryptoInfo, Version
from host.ktls import Message
from host.ktls_send import Fallback, MsgFlags, Sender
from host.packet import Flow
from host.regs import Direction
from host.tcp import MASK, Chunk, Piece
from host.tests.sending import KEYS, keys, seal
from host.tests.wire import ACK, ALERT, CLIENT, DATA, FIN, HANDSHAKE, Tcp, raises
from host.tx_records import StartMarker

FLOW = Flow(b"\x0a\0\0\x01", 50000, b"\x0a\0\0\x02", 443)
MORE, EOR = MsgFlags.MORE, MsgFlags.EOR
SEQ = 0xFFFF_FF00


class Driver:
    """Takes note of what it is asked; refuses with `error`."""

    def __init__(self, error: OSError | None = None) -> None:
        self.error = error
        self.added: list[tuple[Flow, Direction, CryptoInfo, int]] = []
        self.deleted: list[int] = []
        self.told: list[tuple[int, int]] = []
        self.held = 0  # when the connection was added

    def tls_dev_add(
        self, flow: Flow, direction: Direction, info: CryptoInfo, seq: int, socket: Sender
    ) -> int:
        """The kernel's."""
        self.added.append((flow, direction, info, seq))
        self.held = len(socket.records)
        if self.error:
            raise self.error
        return 7

    def tls_dev_del(self, context: int, direction: Direction) -> None:
        """The kernel's."""
        assert direction is Direction.TX
        self.deleted.append(context)

    def tls_dev_resync(self, context: int, direction: Direction, seq: int, number: int) -> None:
        """The kernel's."""
        assert (context, direction) == (7, Direction.TX)
        assert not self.deleted
        self.told.append((seq, number))
        if self.error:
            raise self.error


class Connection:
    """A sender, its driver and a peer. `wire` is all that went out, by place in the stream."""

    def __init__(
        self,
        version: Version = Version.TLS_1_3,
        key_size: int = 16,
        offload: bool = True,
        number: int = 0,
        before: bytes = b"",
        max_payload: int = 16384,
    ) -> None:
        _, self.info = keys(version, key_size, number)
        self.mib: Counter[str] = Counter()
        self.driver = Driver()
        self.sender = Sender(self.info, SEQ, self.mib, max_payload)
        self.sender.tcp.write(before, marked=False)
        self.start = SEQ + len(before) & MASK
        if offload:
            assert self.sender.offload(self.driver, FLOW)

    def stream(self) -> bytes:
        """The records as they are on the wire, those in clear sealed by the test."""
        wire, number = b"", self.info.number
        clear, before = b"", []
        for piece in self.sender.take_stream():
            if not piece.marked:
                before.append(piece.data)
                continue
            clear += piece.data
        while clear:
            size = 5 + int.from_bytes(clear[3:5])
            wire += seal(self.info, number, clear[:size])
            clear, number = clear[size:], number + 1
        return b"".join(before) + wire

    def read(self, wire: bytes) -> list[Message]:
        """What a peer reads, a record at a time."""
        receiver, messages = ktls.Receiver(self.info, 0, Counter()), []
        while wire:
            size = 5 + int.from_bytes(wire[3:5])
            receiver.receive([Chunk(wire[:size], False)])
            message = receiver.recv()
            assert message
            messages.append(message)
            wire = wire[size:]
        return messages

    def sent(self) -> list[Message]:
        """What the peer reads of all that was pushed since the last time."""
        return self.read(self.stream())

    def frame(self, piece: Piece, flags: int = ACK) -> bytes:
        """TCP's frame of it."""
        return Tcp().frame(CLIENT, piece.seq, flags, piece.data)


@pytest.fixture(params=[True, False], ids=["device", "software"])
def offload(request: pytest.FixtureRequest) -> bool:
    """Who encrypts."""
    return bool(request.param)


# -- framing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "key_size"), KEYS)
def test_a_peer_reads_what_was_sent(version: Version, key_size: int, offload: bool) -> None:
    it = Connection(version, key_size, offload, number=(1 << 32) - 2)
    data = bytes(i * 7 & 0xFF for i in range(40000))
    assert it.sender.send(data) == 40000
    assert it.sender.send(b"\x01\0", record_type=ALERT) == 2
    assert it.sender.send(b"end") == 3
    assert it.sent() == [
        Message(DATA, data[:16384]), Message(DATA, data[16384:32768]), Message(DATA, data[32768:]),
        Message(ALERT, b"\x01\0"), Message(DATA, b"end"),
    ]  # fmt: skip


@pytest.mark.parametrize(("version", "key_size"), KEYS)
def test_the_same_records_in_software_and_for_the_device(version: Version, key_size: int) -> None:
    streams = []
    for offload in (True, False):
        it = Connection(version, key_size, offload, number=77)
        for size in (0, 1, 100, 16384, 16385, 50000):
            it.sender.send(bytes(size), MORE if size == 100 else MsgFlags.NONE)
        it.sender.send(b"hello", record_type=HANDSHAKE)
        streams.append(it.stream())
    assert streams[0] == streams[1]


def test_a_record_in_clear_to_the_byte() -> None:
    """Outer type 23 and the type behind the data in TLS 1.3; zeros for the tag."""
    it = Connection(Version.TLS_1_3)
    it.sender.send(b"\x02\x28", record_type=ALERT)
    assert it.sender.take_stream() == [
        Piece(SEQ, b"\x17\x03\x03\x00\x13\x02\x28\x15" + bytes(16), True)
    ]
    it = Connection(Version.TLS_1_2)
    it.sender.send(b"\x02\x28", record_type=ALERT)
    nonce = b"\x5a" * 8
    assert it.sender.take_stream() == [
        Piece(SEQ, b"\x15\x03\x03\x00\x1a" + nonce + b"\x02\x28" + bytes(16), True)
    ]


def test_the_explicit_nonce_is_a_counter_of_its_own(offload: bool) -> None:
    _, info = keys(Version.TLS_1_2, 16, number=1000)
    sender = Sender(replace(info, iv=b"\xff" * 7 + b"\xfe"), SEQ, Counter())
    if offload:
        sender.offload(Driver(), FLOW)
    for _ in range(3):
        sender.send(b"")
    stream = b"".join(piece.data for piece in sender.take_stream())
    nonces = [stream[29 * n + 5 : 29 * n + 13] for n in range(3)]
    assert nonces == [b"\xff" * 7 + b"\xfe", b"\xff" * 8, bytes(8)]
    assert sender.info.number == 1003
    assert sender.info.iv == bytes(7) + b"\1"


def test_more_holds_data_back(offload: bool) -> None:
    it = Connection(offload=offload)
    for word in (b"a", b"b", b"c"):
        assert it.sender.send(word, MORE) == 1
    assert it.sender.take_stream() == []
    it.sender.send(b"d")
    assert it.sent() == [Message(DATA, b"abcd")]


def test_an_empty_write_ends_the_open_record(offload: bool) -> None:
    it = Connection(offload=offload)
    it.sender.send(b"held", MORE)
    assert it.sender.send(b"") == 0
    assert it.sent() == [Message(DATA, b"held")]


def test_an_empty_write_with_nothing_open_is_an_empty_record(offload: bool) -> None:
    it = Connection(offload=offload)
    assert it.sender.send(b"") == 0
    assert it.sender.send(b"", record_type=HANDSHAKE) == 0
    assert len(it.stream()) == 2 * 22


def test_eor_ends_the_record(offload: bool) -> None:
    it = Connection(offload=offload)
    it.sender.send(b"one", EOR)
    it.sender.send(b"two", EOR)
    assert it.sent() == [Message(DATA, b"one"), Message(DATA, b"two")]


def test_a_full_record_goes_also_with_more(offload: bool) -> None:
    it = Connection(offload=offload)
    it.sender.send(bytes(16384 + 5), MORE)
    assert [len(message.data) for message in it.sent()] == [16384]


def test_more_and_just_full_is_still_open_as_in_the_kernel(offload: bool) -> None:
    """An empty write then ends it, and makes no empty record."""
    it = Connection(offload=offload)
    it.sender.send(bytes(16000), MORE)
    it.sender.send(bytes(384), MORE)
    assert it.sender.take_stream() == []
    it.sender.send(b"")
    it.sender.send(bytes(16384), MORE)
    it.sender.send(b"x")
    it.sender.send(bytes(16384), MORE)
    it.sender.send(b"y", MORE)
    it.sender.send(b"z")
    sizes = [len(message.data) for message in it.sent()]
    assert [n for n in sizes if n] == [16384, 16384, 1, 16384, 2]
    assert len(it.stream()) == 0


def test_a_control_message_first_pushes_what_is_open(offload: bool) -> None:
    it = Connection(offload=offload)
    it.sender.send(b"data", MORE)
    it.sender.send(b"ctl", record_type=HANDSHAKE)
    it.sender.send(b"more", MORE)
    it.sender.send(b"typed", record_type=DATA)  # a type that says what it is anyway
    assert it.sent() == [
        Message(DATA, b"data"), Message(HANDSHAKE, b"ctl"),
        Message(DATA, b"more"), Message(DATA, b"typed"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("flags", "record_type", "number"),
    [
        (MsgFlags(0x1), None, errno.EOPNOTSUPP),  # OOB
        (MsgFlags(0x1) | MORE | EOR, None, errno.EOPNOTSUPP),
        (MORE | EOR, None, errno.EINVAL),
        (MORE, HANDSHAKE, errno.EINVAL),
        (MORE, DATA, errno.EINVAL),
        (MsgFlags.NONE, 19, errno.EINVAL),
        (MsgFlags.NONE, 24, errno.EINVAL),
        (MsgFlags.NONE, 256, errno.EINVAL),
    ],
)
def test_what_is_refused_changes_nothing(
    flags: MsgFlags, record_type: int | None, number: int, offload: bool
) -> None:
    it = Connection(offload=offload)
    it.sender.send(b"open", MORE)
    with raises(number):
        it.sender.send(b"data", flags, record_type)
    assert it.sender.take_stream() == []
    it.sender.send(b"ed")
    assert it.sent() == [Message(DATA, b"opened")]


def test_other_flags_are_taken(offload: bool) -> None:
    it = Connection(offload=offload)
    it.sender.send(b"data", MsgFlags.DONTWAIT | MsgFlags.NOSIGNAL | MsgFlags.SPLICE_PAGES)
    assert it.sent() == [Message(DATA, b"data")]


@pytest.mark.parametrize(("version", "limit"), [(Version.TLS_1_2, 64), (Version.TLS_1_3, 63)])
def test_records_of_the_least_size_allowed(version: Version, limit: int, offload: bool) -> None:
    it = Connection(version, offload=offload, max_payload=limit)
    it.sender.send(bytes(3 * limit))
    it.sender.send(bytes(2 * limit + 1), record_type=HANDSHAKE)
    sizes = [(message.type, len(message.data)) for message in it.sent()]
    assert sizes == [(DATA, limit)] * 3 + [(HANDSHAKE, limit)] * 2 + [(HANDSHAKE, 1)]


@pytest.mark.parametrize(
    ("version", "limit"), [(Version.TLS_1_2, 63), (Version.TLS_1_3, 62), (Version.TLS_1_3, 16385)]
)
def test_no_other_limits(version: Version, limit: int) -> None:
    with raises(errno.EINVAL):
        Connection(version, max_payload=limit)


@pytest.mark.parametrize("version", Version)
def test_the_longest_record(version: Version, offload: bool) -> None:
    it = Connection(version, offload=offload)
    it.sender.send(bytes(16384))
    assert len(it.stream()) == 16384 + (29 if version is Version.TLS_1_2 else 22)


def test_a_socket_with_the_last_number_fails_its_first_send(offload: bool) -> None:
    it = Connection(offload=offload, number=(1 << 64) - 1)
    for _ in range(2):
        with raises(errno.EBADMSG):
            it.sender.send(b"data")
    assert it.sender.take_stream() == []
    it.sender.close()
    assert it.driver.deleted == [7] * offload


def test_an_open_record_for_which_there_is_no_number_is_not_pushed_at_close(offload: bool) -> None:
    it = Connection(offload=offload, number=(1 << 64) - 1)
    it.sender.send(b"data", MORE)
    it.sender.close()
    assert it.sender.take_stream() == []
    assert it.driver.deleted == [7] * offload


def test_when_the_numbers_are_used_up_what_was_taken_is_told(offload: bool) -> None:
    it = Connection(offload=offload, number=(1 << 64) - 3)
    assert it.sender.send(bytes(60000)) == 2 * 16384
    assert [len(message.data) for message in it.sent()] == [16384, 16384]
    for kind in (None, ALERT):
        with raises(errno.EBADMSG):
            it.sender.send(b"more", record_type=kind)
    with raises(errno.EBADMSG):
        it.sender.push_record(b"\x17\x03\x03\x00\x11\x17" + bytes(16))


# -- a record that is ready ----------------------------------------------------------------------


def test_a_record_image_goes_as_it_is(offload: bool) -> None:
    """Nonces of another's making, padding, types; what is in the room for the tag does not go."""
    it = Connection(Version.TLS_1_2, offload=offload, number=4)
    it.sender.send(b"open", MORE)
    image = b"\x16\x03\x03\x00\x1c" + b"\xee" * 7 + b"\xff" + b"text"
    record = it.sender.push_record(image + b"?" * 16)
    assert record.data == image + bytes(16)
    assert (record.number, record.start) == (5, SEQ + 33 & MASK)
    it.sender.send(b"next")
    wire = it.stream()
    assert wire[33 : 33 + 33] == seal(it.info, 5, image + bytes(16))
    assert wire[66 + 5 : 66 + 13] == b"\xee" * 6 + b"\xef" + b"\0"  # a nonce serves once
    assert it.read(wire) == [Message(DATA, b"open"), Message(22, b"text"), Message(DATA, b"next")]


def test_padding_of_tls_1_3_goes_as_it_is(offload: bool) -> None:
    it = Connection(offload=offload)
    image = b"\x17\x03\x03\x00\x18" + b"text\x17" + bytes(3 + 16)
    assert it.sender.push_record(image).data == image
    wire = it.stream()
    assert wire == seal(it.info, 0, image)
    assert it.read(wire) == [Message(DATA, b"text")]


@pytest.mark.parametrize(
    ("image", "number"),
    [
        (b"", errno.EINVAL),
        (b"\x17\x03\x03\x00\x11" + bytes(16), errno.EINVAL),  # a byte is missing
        (b"\x17\x03\x03\x00\x11" + bytes(18), errno.EINVAL),  # one too many
        (b"\x18\x03\x03\x00\x11" + bytes(17), errno.EINVAL),
        (b"\x17\x03\x01\x00\x11" + bytes(17), errno.EINVAL),
        (b"\x17\x03\x03\x00\x0f" + bytes(15), errno.EBADMSG),
        (b"\x17\x03\x03\x40\x12" + bytes(16402), errno.EMSGSIZE),
    ],
)
def test_what_is_no_record_is_not_pushed(image: bytes, number: int, offload: bool) -> None:
    it = Connection(offload=offload)
    with raises(number):
        it.sender.push_record(image)
    assert it.sender.take_stream() == []
    it.sender.send(b"good")
    assert it.sent() == [Message(DATA, b"good")]


# -- installing ---------------------------------------------------------------------------------


def test_offload_at_the_first_record() -> None:
    it = Connection(number=3, before=b"handshake")
    assert it.driver.added == [(FLOW, Direction.TX, it.info, it.start)]
    assert it.driver.held == 1  # the start marker is there by then
    assert it.mib == {"TlsTxDevice": 1, "TlsCurrTxDevice": 1}
    assert it.sender.records.get(SEQ) == StartMarker(it.start)
    it.sender.send(b"data")
    record = it.sender.records.get(it.start)
    assert record == it.sender.records.between(it.start, it.start + 1)[0]
    assert record.number == 3
    assert it.sender.context == 7


def test_offload_later_takes_live_numbers() -> None:
    """What was sent by then is software's, and TCP joins nothing to it."""
    it = Connection(Version.TLS_1_2, offload=False, number=10)
    it.sender.send(b"one")
    it.sender.send(b"two", MORE)
    assert it.sender.offload(it.driver, FLOW)
    start = SEQ + 2 * 32 & MASK
    info = replace(it.info, iv=b"\x5a" * 7 + b"\x52", rec_seq=(12).to_bytes(8))
    assert it.driver.added == [(FLOW, Direction.TX, info, start)]
    it.sender.send(b"three")
    pieces = it.sender.take_stream()
    assert [(piece.seq, piece.marked) for piece in pieces] == [(SEQ, False), (start, True)]
    wire = pieces[0].data + seal(it.info, 12, pieces[1].data)
    assert it.read(wire) == [Message(DATA, word) for word in (b"one", b"two", b"three")]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EINVAL, errno.EOPNOTSUPP, errno.ETIMEDOUT])
def test_any_refusal_is_software(number: int) -> None:
    it = Connection(offload=False)
    it.driver.error = OSError(number, "no")
    assert not it.sender.offload(it.driver, FLOW)
    assert it.sender.refused is it.driver.error
    assert it.mib == {"TlsTxSw": 1, "TlsCurrTxSw": 1}
    assert it.sender.context is None
    it.sender.send(b"data")
    piece = it.sender.segment(SEQ, 100)
    assert piece
    assert not piece.marked
    frame = it.frame(piece)
    assert it.sender.validate(frame, False, it.driver) == (frame, False)
    assert it.sent() == [Message(DATA, b"data")]
    it.sender.acked(it.sender.tcp.next)
    it.sender.close()
    assert it.driver.deleted == []
    assert len(it.sender.records) == 0
    assert it.mib["TlsCurrTxSw"] == 0


def test_offload_is_settled_once() -> None:
    it = Connection()
    with raises(errno.EBUSY):
        it.sender.offload(it.driver, FLOW)
    it = Connection(offload=False)
    it.driver.error = OSError(errno.ENOSPC, "no")
    it.sender.offload(it.driver, FLOW)
    with raises(errno.EBUSY):
        it.sender.offload(it.driver, FLOW)
    assert len(it.driver.added) == 1


# -- keys ---------------------------------------------------------------------------------------


def test_the_next_keys_in_software() -> None:
    it = Connection(offload=False)
    it.sender.send(b"\x18\0\0\x01\0", record_type=HANDSHAKE)
    it.sender.send(b"old", MORE)
    update = replace(it.info, key=bytes(16))
    it.sender.rekey(update)
    it.sender.send(b"new")
    wire = it.stream()
    old = seal(it.info, 1, b"\x17\x03\x03\x00\x14old\x17" + bytes(16))
    new = seal(update, 0, b"\x17\x03\x03\x00\x14new\x17" + bytes(16))
    assert wire.endswith(old + new)
    assert it.mib["TlsTxRekeyOk"] == 1


@pytest.mark.parametrize(
    ("version", "offload", "change", "number"),
    [
        (Version.TLS_1_2, False, {}, errno.EBUSY),
        (Version.TLS_1_2, True, {}, errno.EBUSY),
        (Version.TLS_1_3, True, {}, errno.EOPNOTSUPP),
        (
            Version.TLS_1_3,
            False,
            {"cipher": CipherType.AES_GCM_256, "key": bytes(32)},
            errno.EINVAL,
        ),
        (Version.TLS_1_3, False, {"version": Version.TLS_1_2}, errno.EINVAL),
    ],
)
def test_keys_that_cannot_be_changed_stay(
    version: Version, offload: bool, change: dict[str, object], number: int
) -> None:
    it = Connection(version, offload=offload)
    it.sender.send(b"open", MORE)
    update: Callable[..., CryptoInfo] = replace
    with raises(number):
        it.sender.rekey(update(it.info, **change))
    assert it.mib["TlsTxRekeyError"] == 1
    it.sender.send(b"ed")
    assert it.sent() == [Message(DATA, b"opened")]


# -- what TCP does with it -----------------------------------------------------------------------


def test_any_part_can_be_sent_again_until_it_is_acked(offload: bool) -> None:
    it = Connection(offload=offload, before=b"handshake")
    it.sender.send(b"first")
    it.sender.send(b"second")
    pieces = it.sender.take_stream()
    stream = b"".join(piece.data for piece in pieces)
    for start in range(len(stream)):
        for size in (1, 5, 30, 1000):
            piece = it.sender.segment(SEQ + start & MASK, size)
            assert piece
            end = min(start + size, len(stream))
            if offload and start < 9:
                end = min(end, 9)  # from before the offload, and in clear: never in one
            assert piece.data == stream[start:end]
            assert piece.marked == (offload and start >= 9)
    it.sender.acked(SEQ + 20 & MASK)
    assert it.sender.segment(SEQ + 19 & MASK, 5) is None
    assert it.sender.segment(SEQ + 20 & MASK, 5) == Piece(
        SEQ + 20 & MASK, stream[20:25], marked=offload
    )


def test_records_are_held_until_their_last_byte_is_acked() -> None:
    it = Connection(before=b"handshake")
    for _ in range(3):
        it.sender.send(bytes(100))
    assert len(it.sender.records) == 4
    it.sender.acked(it.start - 1 & MASK)
    assert len(it.sender.records) == 4
    it.sender.acked(it.start + 121 & MASK)
    assert len(it.sender.records) == 3
    it.sender.acked(it.start + 122 & MASK)
    assert len(it.sender.records) == 2
    it.sender.acked(it.sender.tcp.next)
    assert len(it.sender.records) == 0


def test_data_in_clear_is_marked_and_never_shares_a_piece_with_what_is_not() -> None:
    it = Connection(before=b"handshake")
    it.sender.send(b"secret")
    assert [(piece.marked, b"secret" in piece.data) for piece in it.sender.take_stream()] == [
        (False, False), (True, True)
    ]  # fmt: skip


# -- the validator and the fallback --------------------------------------------------------------


def wire_of(it: Connection) -> bytes:
    """The stream as it is on the wire, of all that is held."""
    clear = it.sender.segment(it.start, 1 << 20)
    assert clear
    wire, number, left = b"", it.info.number, clear.data
    while left:
        size = 5 + int.from_bytes(left[3:5])
        wire += seal(it.info, number, left[:size])
        left, number = left[size:], number + 1
    return wire


def test_to_its_own_device_a_frame_goes_in_clear_and_marked() -> None:
    it = Connection()
    it.sender.send(b"secret")
    piece = it.sender.segment(SEQ, 100)
    assert piece
    frame = it.frame(piece)
    assert it.sender.validate(frame, piece.marked, it.driver) == (frame, True)


@pytest.mark.parametrize("end", ["route", "down"])
@pytest.mark.parametrize(("version", "key_size"), KEYS)
def test_elsewhere_it_goes_encrypted(version: Version, key_size: int, end: str) -> None:
    it = Connection(version, key_size, before=b"handshake")
    it.sender.send(b"first" * 20)
    it.sender.send(b"second" * 20)
    device: object = Driver()
    if end == "down":
        it.sender.device_down()
        device = it.driver
    wire = wire_of(it)
    for start in range(0, len(wire), 37):
        piece = it.sender.segment(it.start + start & MASK, 50)
        assert piece
        wanted = Tcp().frame(CLIENT, piece.seq, ACK, wire[start : start + len(piece.data)])
        assert it.sender.validate(it.frame(piece), piece.marked, device) == (wanted, False)
    before = it.sender.segment(SEQ, 100)
    assert before
    frame = it.frame(before)
    assert it.sender.validate(frame, before.marked, device) == (frame, False)
    assert it.sender.validate(frame, True, device) is None  # in clear, and marked: no
    assert it.sender.fallback == {
        Fallback.ENCRYPTED: -(-len(wire) // 37), Fallback.PASSED: 1, Fallback.DROPPED: 1
    }  # fmt: skip


def test_bytes_that_were_read_again_are_counted() -> None:
    it = Connection()
    it.sender.send(bytes(100))
    for size, reread in ((50, 0), (100, 40), (100, 40)):  # then the tag is known
        piece = it.sender.segment(SEQ + 40 & MASK, size)
        assert piece
        it.sender.encrypt_skb(it.frame(piece))
        assert it.sender.reread == reread


def test_a_frame_of_what_was_acked_is_dropped() -> None:
    it = Connection(before=b"handshake")
    it.sender.send(b"first")
    pieces = it.sender.take_stream()
    it.sender.acked(it.sender.tcp.next)
    for piece in pieces:
        assert it.sender.encrypt_skb(it.frame(piece), piece.marked) is None
    assert it.sender.encrypt_skb(it.frame(Piece(it.start, b"", False), ACK | FIN)) is not None


def test_a_driver_that_does_not_say_whether_a_frame_is_marked_gets_none_in_clear() -> None:
    it = Connection(before=b"handshake")
    piece = it.sender.segment(SEQ, 100)
    assert piece
    assert it.sender.encrypt_skb(it.frame(piece)) is None


def test_an_offloaded_connection_that_is_over_lets_nothing_out() -> None:
    it = Connection(before=b"handshake")
    it.sender.send(b"first")
    pieces = it.sender.take_stream()
    it.sender.close()
    it.sender.acked(it.sender.tcp.next)
    for piece in pieces:
        assert it.sender.validate(it.frame(piece), piece.marked, it.driver) is None


# -- resync -------------------------------------------------------------------------------------


def test_a_resync_comes_with_the_next_record() -> None:
    it = Connection(number=40)
    it.sender.send(b"one")
    it.sender.tx_resync_request(SEQ + 500, SEQ)
    assert it.sender.tx_resync_pending()
    assert it.driver.told == []
    it.sender.send(b"two", MORE)  # it does not go yet
    assert it.driver.told == []
    it.sender.send(b"")
    assert it.driver.told == [(SEQ + 25 & MASK, 41)]
    assert not it.sender.tx_resync_pending()
    it.sender.send(b"three")
    assert len(it.driver.told) == it.sender.resyncs == 1


def test_no_frame_has_bytes_from_before_and_behind_a_resync() -> None:
    it = Connection()
    it.sender.send(b"one")
    it.sender.tx_resync_request(SEQ + 500, SEQ)
    it.sender.send(b"two")
    it.sender.send(b"three")
    edge = SEQ + 25 & MASK
    assert [piece.seq for piece in it.sender.take_stream()] == [SEQ, edge]
    again = it.sender.segment(edge - 5 & MASK, 100)
    assert again
    assert len(again.data) == 5


def test_a_resync_that_fails_is_tried_with_each_record() -> None:
    it = Connection()
    it.sender.tx_resync_request(SEQ + 500, SEQ)
    it.driver.error = OSError(errno.EIO, "no")
    for _ in range(3):
        it.sender.send(b"data")
        assert it.sender.tx_resync_pending()
    it.driver.error = None
    it.sender.send(b"data")
    assert not it.sender.tx_resync_pending()
    assert it.driver.told == [(SEQ + 26 * n & MASK, n) for n in range(4)]
    assert [message.data for message in it.sent()] == [b"data"] * 4
    assert it.sender.resyncs == 1


def test_with_the_device_gone_a_resync_is_forgotten() -> None:
    it = Connection()
    it.sender.tx_resync_request(SEQ + 500, SEQ)
    it.sender.device_down()
    it.sender.send(b"data")
    assert not it.sender.tx_resync_pending()
    assert (it.driver.told, it.sender.resyncs) == ([], 0)


def test_a_second_request_while_one_is_pending_is_the_drivers_bug() -> None:
    it = Connection()
    it.sender.tx_resync_request(SEQ + 500, SEQ)
    with pytest.raises(RuntimeError, match="resync wanted twice"):
        it.sender.tx_resync_request(SEQ + 600, SEQ)
    it.sender.send(b"data")
    it.sender.tx_resync_request(SEQ + 600, SEQ)


# -- the end ------------------------------------------------------------------------------------


def test_the_device_keeps_a_closed_connection_until_its_last_byte_is_acked() -> None:
    it = Connection()
    it.sender.send(b"data")
    it.sender.close()
    assert it.mib == {"TlsTxDevice": 1, "TlsCurrTxDevice": 0}
    assert it.driver.deleted == []
    assert it.sender.segment(SEQ, 100)
    it.sender.acked(it.sender.tcp.next - 1 & MASK)
    assert it.driver.deleted == []
    it.sender.acked(it.sender.tcp.next + 1 & MASK)  # its FIN, too
    assert it.driver.deleted == [7]
    it.sender.acked(it.sender.tcp.next + 1 & MASK)
    it.sender.close()
    assert it.driver.deleted == [7]
    assert len(it.sender.records) == 0
    assert it.mib["TlsCurrTxDevice"] == 0


def test_a_connection_with_nothing_to_be_acked_ends_at_close() -> None:
    for before in (b"", b"handshake"):
        it = Connection(before=before)
        if before:
            it.sender.acked(it.start)
        it.sender.close()
        assert it.driver.deleted == [7]
        assert len(it.sender.records) == 0
    it = Connection(before=b"handshake")
    it.sender.close()
    assert it.driver.deleted == []  # that may be sent again, too


def test_all_acked_is_not_the_end() -> None:
    it = Connection()
    it.sender.send(b"data")
    it.sender.acked(it.sender.tcp.next)
    assert it.driver.deleted == []
    it.sender.send(b"data")
    assert it.sender.context == 7


def test_an_open_record_is_pushed_at_close(offload: bool) -> None:
    it = Connection(offload=offload)
    it.sender.send(b"data", MORE)
    it.sender.close()
    assert it.driver.deleted == []
    assert it.sent() == [Message(DATA, b"data")]


def test_a_closed_connection_takes_nothing(offload: bool) -> None:
    it = Connection(offload=offload)
    it.sender.close()
    with raises(errno.EPIPE):
        it.sender.send(b"data")
    with raises(errno.EPIPE):
        it.sender.push_record(b"\x17\x03\x03\x00\x11\x17" + bytes(16))
    with raises(errno.EPIPE):
        it.sender.offload(it.driver, FLOW)
    with raises(errno.EPIPE):
        it.sender.rekey(it.info)


@pytest.mark.parametrize("when", ["open", "closing", "closed"])
def test_a_device_that_goes_away_has_one_delete(when: str) -> None:
    it = Connection()
    it.sender.send(b"data")
    if when != "open":
        it.sender.close()
    if when == "closed":
        it.sender.acked(it.sender.tcp.next)
    it.sender.device_down()
    it.sender.device_down()
    assert it.driver.deleted == [7]
    assert it.sender.context is None
    assert it.mib["TlsTxDevice"] == 1
    assert it.mib["TlsCurrTxDevice"] == (when == "open")  # it still counts as the device's
    it.sender.close()
    it.sender.acked(it.sender.tcp.next)
    assert it.driver.deleted == [7]
    assert len(it.sender.records) == 0


def test_without_its_device_a_connection_goes_on_in_software() -> None:
    it = Connection()
    it.sender.send(b"before")
    it.sender.device_down()
    it.sender.send(b"behind")
    wire = wire_of(it)
    piece = it.sender.segment(SEQ, 1000)
    assert piece
    assert piece.marked
    out = it.sender.validate(it.frame(piece), True, it.driver)
    assert out == (Tcp().frame(CLIENT, SEQ, ACK, wire), False)
    assert it.read(wire) == [Message(DATA, b"before"), Message(DATA, b"behind")]


def test_abort_forgets_all_at_once(offload: bool) -> None:
    it = Connection(offload=offload, before=b"handshake")
    it.sender.send(b"data")
    it.sender.send(b"open", MORE)
    for _ in range(2):
        it.sender.abort()
        assert it.driver.deleted == [7] * offload
        assert len(it.sender.records) == it.sender.tcp.held == 0
        assert it.sender.take_stream() == []


def test_abort_of_what_was_closed() -> None:
    it = Connection()
    it.sender.send(b"data")
    it.sender.close()
    it.sender.abort()
    assert it.driver.deleted == [7]
