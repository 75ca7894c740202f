"""The sweep: what is counted, that it is repeatable, and that a difference is found."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from host import sweep_published
from host.device import RxDescriptor, Sent, TxDescriptor
from host.device_model import ModelDevice
from host.driver import Driver
from host.ktls import Kind
from host.regs import Direction, TxDrop, TxKind
from host.sweep import LOSS, MODES, REORDER, Late, Outages, Point, measure
from host.sweep_check import Both, Difference
from host.sweep_traffic import RECORD, SEGMENT, TEXT


def point(
    experiment: str = LOSS, percent: float = 0, mode: str = "order-free", **others: int
) -> Point:
    numbers = {"distance": 4, "confirm": 40, "streams": 3, "records": 6, "seed": 1} | others
    return Point(experiment, percent, mode=mode, **numbers, align=False)


def test_modes_have_the_same_arrivals_and_streams_have_not() -> None:
    one, other = (point(percent=5, mode=mode) for mode in ("order-free", "all"))
    assert one.arrivals(0) == other.arrivals(0) != one.arrivals(1)
    assert one.arrivals(0) != point(percent=5, seed=2).arrivals(0)


def test_an_outage_is_counted_from_the_first_frame_that_waits_if_the_boundary_is_lost() -> None:
    outages = Outages()
    outages.frame(10, decrypted=True, unknown=False, lost=False)
    outages.frame(30, decrypted=False, unknown=True, lost=False)
    outages.frame(20, decrypted=True, unknown=False, lost=False)  # fills a hole before it
    outages.frame(40, decrypted=True, unknown=False, lost=False)
    assert outages.lengths == []
    outages.frame(60, decrypted=False, unknown=True, lost=False)
    outages.frame(70, decrypted=False, unknown=True, lost=True)
    outages.frame(50, decrypted=True, unknown=False, lost=False)
    outages.frame(80, decrypted=False, unknown=False, lost=False)
    outages.frame(90, decrypted=True, unknown=False, lost=False)
    assert outages.lengths == [4]


def test_how_a_lost_boundary_comes_back_is_counted() -> None:
    numbers = {"distance": 60, "streams": 4, "records": 30}
    late, own = (
        measure(point(LOSS, 5, mode, **numbers), ModelDevice())
        for mode in ("order-free", "self-confirming")
    )
    assert late.lost > 0 == late.by_device
    assert own.by_device > 0
    assert late.outage
    assert own.outage
    assert own.outage < late.outage
    assert len(own.outages) <= own.lost
    assert late.mismatches == own.mismatches == 0


@pytest.mark.parametrize("mode", MODES[:2])
def test_without_loss_all_is_decrypted(mode: str) -> None:
    device = ModelDevice(connections=2)  # fewer than there are streams
    result = measure(point(mode=mode), device)
    assert result.percent(Kind.DECRYPTED) == 100
    assert result.decrypted == result.frames == 3 * -(-6 * RECORD // SEGMENT)
    assert (result.lost, result.outage, result.mismatches, result.error) == (0, None, 0, 0)


def test_a_document_of_reordering_is_where_the_published_one_is() -> None:
    for percent in (0.5, 1, 2, 5):
        result = measure(point(REORDER, percent, "document", distance=9, streams=20, records=200))
        assert abs(result.percent(Kind.DECRYPTED) - sweep_published.REORDER[percent].full) < 15
        assert result.outage
        assert 40 < result.outage < 300
        assert result.lost >= result.by_host > 0


def test_a_document_of_loss_is_where_the_published_one_is_if_segments_end_with_records() -> None:
    for percent, published in ((1, 89.0), (2, 79.0), (5, 56.4)):
        result = measure(
            Point(LOSS, percent, 4, "document", 0, streams=20, records=200, seed=1, align=True)
        )
        assert abs(result.percent(Kind.DECRYPTED) - published) < 4


def test_the_same_seed_gives_the_same_numbers() -> None:
    for mode in MODES[:2]:
        one, again = (measure(point(percent=5, mode=mode), ModelDevice()) for _ in range(2))
        assert one == again


def test_a_burst_changes_nothing_but_how_the_frames_go_in() -> None:
    one, other = (measure(point(percent=5), ModelDevice(), burst=burst) for burst in (1, 3))
    assert one.kinds == other.kinds
    assert one.decrypted == other.decrypted


class Broken(ModelDevice):
    """Spoils one byte of one frame."""

    left = 40
    admits = False  # that it has not decrypted that one

    def receive(self, frames: Sequence[bytes]) -> list[tuple[bytes, RxDescriptor]]:
        """The same, but for that byte."""
        received = super().receive(frames)
        self.left -= len(frames)
        if -len(frames) < self.left <= 0:
            data, word = received[0]
            word = replace(word, decrypted=word.decrypted and not self.admits)
            received[0] = data[:100] + bytes([data[100] ^ 1]) + data[101:], word
        return received


def test_a_byte_that_was_not_sent_is_a_mismatch() -> None:
    assert measure(point(), Broken()).mismatches == 1


def test_what_is_not_delivered_is_a_mismatch() -> None:
    device = Broken()
    device.admits = True  # so the stack finds out, in the second record of the first stream
    assert measure(point(), device).mismatches == 5 * TEXT


def test_two_devices_agree_or_the_frame_is_told() -> None:
    both = Both(ModelDevice(), ModelDevice())
    assert measure(point(percent=5), both, burst=3).mismatches == 0
    with pytest.raises(Difference, match=r"stream 0, frame 13, .*seed=1.*byte 100 is"):
        measure(point(percent=5), Both(ModelDevice(), Broken()), burst=3)


def test_counters_that_differ_are_told() -> None:
    other = ModelDevice()
    other.receive([bytes(60)])
    with pytest.raises(Difference, match="rx_pass_disabled is 1, in the model 0"):
        measure(point(), Both(ModelDevice(), other))


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (Sent(b"frbme", TxDrop.NONE), "byte 2 is 0x62, in the model 0x61"),
        (Sent(b"framed", TxDrop.NONE), "6 bytes, in the model 5"),
        (Sent(None, TxDrop.NONE), "did not leave, reason NONE, .*; in the model left"),
        (Sent(b"frame", TxDrop.NO_TAG), "reason NO_TAG, .*; in the model left, reason NONE"),
        (Sent(b"frame", TxDrop.NONE, ((7, b"tag"),)), "7.*in the model left, reason NONE, \\(\\)"),
    ],
)
def test_what_is_sent_must_be_the_same(other: Sent, says: str) -> None:
    class Other(ModelDevice):
        """Says that of what is sent."""

        def send(self, items: Sequence[tuple[bytes, TxDescriptor]]) -> list[Sent]:
            return [other] * len(items)

    items = [(b"frame", TxDescriptor(0, TxKind.PLAIN))]
    assert Both(ModelDevice(), ModelDevice()).send(items) == [Sent(b"frame", TxDrop.NONE)]
    with pytest.raises(Difference, match=says):
        Both(ModelDevice(), Other()).send(items)


class Told(Driver):
    """Notes what it is told."""

    def __init__(self) -> None:
        super().__init__(ModelDevice())
        self.told: list[int] = []

    def tls_dev_resync(self, context: int, direction: Direction, seq: int, number: int) -> None:
        """Not passed on."""
        self.told.append(number)


@pytest.mark.parametrize("frames", [0, 1, 3])
def test_answers_come_so_many_frames_late(frames: int) -> None:
    driver = Told()
    late = Late(driver, frames)
    late.next()
    late.tls_dev_resync(0, Direction.RX, 5, 77)  # with the first frame
    for _ in range(frames):
        late.next()  # before a frame
        assert driver.told == []
    late.next()
    assert driver.told == [77]
    late.next()
    assert driver.told == [77]
