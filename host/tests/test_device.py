"""The descriptor's 64 bits (docs/receive.md, section 4)."""

import pytest

from host.device import RxDescriptor
from host.regs import RxPass


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
