"""What arrives in a sweep: every segment once, in whole frames, in the order that was asked for."""

from collections import Counter
from random import Random

import pytest

from host import ktls, tcp
from host.packet import parse
from host.sweep_traffic import HEADERS, RECORD, SEGMENT, Source, Stream, cuts, lost, reordered


class Chance(Random):
    """Says what it is told to, then always no."""

    def __init__(self, *yes: int) -> None:
        super().__init__(0)
        self._turn = -1
        self._yes = yes

    def random(self) -> float:
        """A number in [0, 1)."""
        self._turn += 1
        return 0.0 if self._turn in self._yes else 1.0


def test_nothing_is_lost_and_nothing_overtakes() -> None:
    assert lost(Random(1), 20, 0, 4) == reordered(Random(1), 20, 0, 9) == list(range(20))


def test_a_lost_segment_comes_when_so_many_others_have() -> None:
    assert lost(Chance(2), 10, 0.5, 4) == [0, 1, 3, 4, 5, 6, 2, 7, 8, 9]


def test_a_retransmission_can_be_lost() -> None:
    assert lost(Chance(1, 3), 8, 0.5, 1) == [0, 2, 3, 1, 4, 5, 6, 7]


def test_the_last_segments_are_sent_again_too() -> None:
    assert lost(Chance(3, 4), 4, 0.5, 60) == [0, 1, 2, 3]


def test_an_early_segment_overtakes_so_many() -> None:
    assert reordered(Chance(12), 14, 0.5, 9) == [0, 1, 2, 12, *range(3, 12), 13]


@pytest.mark.parametrize("order", [lost, reordered])
def test_every_segment_arrives_once(order: object) -> None:
    assert callable(order)
    arrived = order(Random(5), 2000, 0.05, 9)
    assert arrived != sorted(arrived) == list(range(2000))


def test_where_segments_begin() -> None:
    assert cuts(2, align=False) == [*range(0, 2 * RECORD, SEGMENT), 2 * RECORD]
    one = list(range(0, RECORD, SEGMENT))
    assert cuts(2, align=True) == one + [RECORD + at for at in one] + [2 * RECORD]


@pytest.mark.parametrize("align", [False, True])
def test_frames_are_whole_and_the_stack_reads_them(align: bool) -> None:
    source = Source(3, 7, align)
    stream = Stream(source, 300, seq=0xFFFF_F000)
    order, stack = tcp.Receiver(stream.seq), ktls.Receiver(source.info, stream.seq, Counter())
    for segment in range(len(source.pieces)):
        frame = stream.frame(segment)
        packet = parse(frame)
        assert packet
        assert packet.segment
        assert packet.segment.good
        assert packet.segment.start == HEADERS
        assert (packet.source, packet.segment.source_port) == (
            stream.flow.remote,
            stream.flow.remote_port,
        )
        stack.receive(order.receive(packet.segment.seq, frame[HEADERS:], False))
    message = stack.recv()
    assert message
    assert message.data == source.text
