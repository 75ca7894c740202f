"""The bits of descriptors and completions: docs/receive.md, 4; docs/transmit.md, 1 and 4."""

import pytest

from host.device import RxDescriptor, Sent, TxCompletion, TxContext, TxDescriptor, sent
from host.regs import RxPass, TxDrop, TxKind


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (0, RxDescriptor(0, False, False, False, False, RxPass.NONE, 0)),
        (0x0007_ABCD, RxDescriptor(0xABCD, True, True, True, False, RxPass.NONE, 0)),
        (0x0E05_0001, RxDescriptor(1, True, False, True, False, RxPass.BAD_TAG, 0)),
        (0x0700_0000, RxDescriptor(0, False, False, False, False, RxPass.NO_CONNECTION, 0)),
        (
            0xDEADBEEF_090D_0002,
            RxDescriptor(2, True, False, True, True, RxPass.OUT_OF_SYNC, 0xDEADBEEF),
        ),
    ],
)
def test_unpack_and_pack(word: int, expected: RxDescriptor) -> None:
    assert RxDescriptor.unpack(word) == expected
    assert expected.pack() == word


def test_a_reason_that_the_map_lacks() -> None:
    with pytest.raises(ValueError, match="15"):
        RxDescriptor.unpack(15 << 24)


@pytest.mark.parametrize(
    ("descriptor", "word"),
    [
        (TxDescriptor(0, TxKind.PLAIN), 0),
        (TxDescriptor(0xABCD, TxKind.ENCRYPT), 0x1_ABCD),
        (TxDescriptor(1, TxKind.FEED), 0x2_0001),
        (TxDescriptor(0xFFFF, TxKind.CONTEXT), 0x3_FFFF),
    ],
)
def test_descriptors_of_what_is_sent(descriptor: TxDescriptor, word: int) -> None:
    assert descriptor.pack() == word


TAG = bytes(range(16))
SEQ, NUMBER = 0x12345678, 0x1122334455667788
NUMBERS = "78563412" + "8877665544332211"


@pytest.mark.parametrize(
    ("context", "data"),
    [
        (TxContext(SEQ, NUMBER), NUMBERS + "00" * 36),
        (TxContext(SEQ, NUMBER, seek=True), NUMBERS + "01" + "00" * 35),
        (TxContext(SEQ, NUMBER, tag=TAG), NUMBERS + "02" + "00" * 19 + TAG.hex()),
        (
            TxContext(SEQ, NUMBER, b"\x17\x03\x03\x01\x02", seek=True, tag=bytes(16)),
            NUMBERS + "03000000" + "1703030102" + "00" * 27,
        ),
        (
            TxContext(SEQ, NUMBER, bytes(range(1, 14)), seek=True),
            NUMBERS + "01000000" + bytes(range(1, 14)).hex() + "00" * 19,
        ),
    ],
)
def test_contexts(context: TxContext, data: str) -> None:
    assert context.pack().hex() == data


TELLS = TxCompletion(7, TAG, False, TxDrop.NONE, 0xDEADBEEF)
LEFT = TxCompletion(7, None, True, TxDrop.NONE, 0)
STAYED = TxCompletion(2, None, False, TxDrop.NONE, 0)
DROPPED = TxCompletion(0xFFFF, None, False, TxDrop.NO_TAG, 0)


@pytest.mark.parametrize(
    ("data", "word", "expected"),
    [
        (TAG, 0xDEADBEEF_0001_0007, TELLS),
        (bytes(16), 0x0002_0007, LEFT),
        (bytes(16), 0x0000_0002, STAYED),
        (bytes(16), 0x0600_FFFF, DROPPED),
    ],
)
def test_completions(data: bytes, word: int, expected: TxCompletion) -> None:
    assert TxCompletion.unpack(data, word) == expected


def test_a_reason_to_drop_that_the_map_lacks() -> None:
    with pytest.raises(ValueError, match="7"):
        TxCompletion.unpack(bytes(16), 7 << 24)


def test_completions_and_frames_are_put_together() -> None:
    other = TxCompletion(7, bytes(16), False, TxDrop.NONE, 5)
    told = [TELLS, LEFT, STAYED, TELLS, other, DROPPED, LEFT]
    tag = (0xDEADBEEF, TAG)
    assert sent(told, [b"one", b"two"]) == [
        Sent(b"one", TxDrop.NONE, (tag,)),
        Sent(None, TxDrop.NONE, ()),
        Sent(None, TxDrop.NO_TAG, (tag, (5, bytes(16)))),
        Sent(b"two", TxDrop.NONE, ()),
    ]
