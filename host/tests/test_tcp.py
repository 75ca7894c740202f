"""TCP: any arrival of the same bytes is the same stream, each byte with its bit.

What is sent can be cut and sent again anywhere, but not across marks and fences.
"""

from random import Random

import pytest

from host.tcp import MASK, WINDOW, Chunk, Piece, Receiver, Sender, distance

STREAM = bytes(i * 7 % 251 for i in range(4000))


def test_in_order() -> None:
    receiver = Receiver(10)
    assert receiver.receive(10, b"abc", True) == [Chunk(b"abc", True)]
    assert receiver.receive(13, b"de", False) == [Chunk(b"de", False)]
    assert (receiver.next, receiver.taken, receiver.waiting) == (15, 5, 0)


def test_a_gap_holds_back_what_is_behind_it() -> None:
    receiver = Receiver(0)
    assert receiver.receive(3, b"de", True) == []
    assert receiver.waiting == 2
    assert receiver.receive(0, b"abc", False) == [Chunk(b"abc", False), Chunk(b"de", True)]
    assert receiver.waiting == 0


def test_chunks_of_equal_and_different_bits_stay_apart() -> None:
    receiver = Receiver(0)
    receiver.receive(2, b"b", True)
    receiver.receive(3, b"c", False)
    receiver.receive(1, b"a", True)
    got = receiver.receive(0, b"_", True)
    assert [(c.data, c.decrypted) for c in got] == [
        (b"_", True), (b"a", True), (b"b", True), (b"c", False)
    ]  # fmt: skip


@pytest.mark.parametrize("decrypted", [True, False])
def test_a_trimmed_segment_keeps_its_bit(decrypted: bool) -> None:
    receiver = Receiver(0)
    receiver.receive(0, b"abcd", not decrypted)
    assert receiver.receive(2, b"XXef", decrypted) == [Chunk(b"ef", decrypted)]


def test_a_segment_around_one_that_waits_is_cut_in_two() -> None:
    receiver = Receiver(0)
    receiver.receive(4, b"ee", True)
    got = receiver.receive(0, b"abcdXXgh", False)
    assert got == [Chunk(b"abcd", False), Chunk(b"ee", True), Chunk(b"gh", False)]


def test_what_comes_again_or_is_not_of_the_stream_is_not_taken() -> None:
    receiver = Receiver(1000)
    receiver.receive(1000, b"abc", True)
    assert receiver.receive(1000, b"XYZ", False) == []
    assert receiver.receive(990, b"before1234", False) == []
    assert receiver.receive(1003 + WINDOW + 1, b"far", False) == []
    assert receiver.receive(1003, b"", False) == []
    assert (receiver.next, receiver.waiting) == (1003, 0)


def test_distance_is_modulo_2_to_the_32() -> None:
    assert distance(5, 0xFFFF_FFFE) == 7
    assert distance(0xFFFF_FFFE, 5) == -7
    assert distance(0x8000_0000, 0) == -0x8000_0000


@pytest.mark.parametrize("seed", range(40))
def test_any_arrival_is_the_same_stream(seed: int) -> None:
    """Cut, shuffled, repeated and overlapping; the first to bring a byte decides its bit."""
    random = Random(seed)
    start = random.choice([0, 0xFFFF_F800, 0x7FFF_FC00, random.getrandbits(32)])
    segments = [(at, min(at + random.randint(100, 300), len(STREAM)))
                for at in range(0, len(STREAM), 100)]  # fmt: skip
    segments += [(at, at + random.randint(1, 200)) for at in random.sample(range(3800), 30)]
    random.shuffle(segments)
    receiver, out = Receiver(start), b""
    bits, out_bits = dict[int, bool](), list[bool]()
    for first, end in segments:
        decrypted = random.random() < 0.5
        for at in range(first, end):
            bits.setdefault(at, decrypted)
        for chunk in receiver.receive(start + first & 0xFFFF_FFFF, STREAM[first:end], decrypted):
            out += chunk.data
            out_bits += [chunk.decrypted] * len(chunk.data)
    assert out == STREAM
    assert out_bits == [bits[at] for at in range(len(STREAM))]


def test_what_is_written_is_taken_once() -> None:
    sender = Sender(0xFFFF_FFFE)
    sender.write(b"abc", True)
    sender.write(b"", True)
    sender.write(b"de", True)
    assert sender.take() == [Piece(0xFFFF_FFFE, b"abcde", True)]
    assert sender.take() == []
    sender.write(b"f", True)
    assert sender.take() == [Piece(3, b"f", True)]
    assert sender.next == 4


def test_marks_and_fences_keep_bytes_apart() -> None:
    sender = Sender(100)
    for data, marked in ((b"ab", False), (b"cd", True), (b"ef", True)):
        sender.write(data, marked)
    sender.fence()
    sender.write(b"gh", True)
    sender.write(b"ij", True)
    wanted = [Piece(100, b"ab", False), Piece(102, b"cdef", True), Piece(106, b"ghij", True)]
    assert sender.take() == wanted
    ends = [102, 106, 110]
    for seq in range(100, 110):
        for size in range(1, 12):
            piece = sender.segment(seq, size)
            end = min(seq + size, next(end for end in ends if end > seq))
            data = b"abcdefghij"[seq - 100 : end - 100]
            assert piece == Piece(seq, data, seq >= 102)


def test_a_fence_before_anything_is_none() -> None:
    sender = Sender(0)
    sender.fence()
    sender.write(b"ab", True)
    sender.write(b"cd", True)
    assert sender.segment(0, 4) == Piece(0, b"abcd", True)


@pytest.mark.parametrize("start", [0, 0xFFFF_FFFB])
def test_what_is_acknowledged_is_not_held(start: int) -> None:
    for acked in range(13):
        sender = Sender(start)
        for data in (b"abc", b"def", b"ghi"):
            sender.write(data, False)
        sender.acked(start + acked & MASK)
        sender.acked(start + acked // 2 & MASK)  # an old one
        for at in range(-2, 12):
            piece = sender.segment(start + at & MASK, 2)
            data = b"abcdefghi"[at : at + 2] if acked <= at < 9 else b""
            assert (piece.data if piece else b"") == data
        assert sender.acknowledged == start + min(acked, 9) & MASK  # behind the end: its FIN
        assert sender.held == (9 if acked < 3 else 6 if acked < 6 else 3 if acked < 9 else 0)
        assert sender.next == start + 9 & MASK
        sender.write(b"j", False)
        assert sender.segment(start + 9 & MASK, 9) == Piece(start + 9 & MASK, b"j", False)


def test_no_bytes_are_no_segment() -> None:
    sender = Sender(0)
    sender.write(b"ab", False)
    assert sender.segment(0, 0) is None


def test_what_was_acknowledged_is_not_taken() -> None:
    sender = Sender(0)
    sender.write(b"ab", False)
    sender.acked(2)
    sender.write(b"cd", False)
    assert sender.take() == [Piece(2, b"cd", False)]
