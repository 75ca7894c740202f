"""The RTL in this process against the model, and the comparison against planted bugs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from unittest import mock

import pytest

from cocotb_tests import cosim, traffic
from cocotb_tests.compare import Difference, Situations, Stuck
from cocotb_tests.cosim import Received, Rtl, Tally, _Observed
from cocotb_tests.cosim_tx import Word
from cocotb_tests.harness import seed
from cocotb_tests.traffic import Control, Events, Frames, Note, Resync, Step, Traffic
from cocotb_tests.traffic_tx import TxTraffic
from host.device_rtl import Stream
from host.regs import BLOCK_COUNTERS_FIRST, CMD_OP_OPCODE_MASK, Addr, Counter, Opcode
from model.keys import Keys
from model.lookup import crc32c
from model.tlsnic import Tlsnic, TxDescriptor

EPISODES = 6
FRAMES = 700
REGRESS = 150_000


@dataclass(slots=True)
class Sending:
    """An encrypted frame as it was handed over, what leaves, what is told: for a bug to change."""

    clear: bytes
    left: list[bytes]
    told: list[Word]


class ModelUnder:
    """The model as what is tested, with a bug in what it says."""

    def __init__(
        self,
        frame: Callable[[int, Received], Received] = lambda _, got: got,
        register: Callable[[int, int], int] = lambda _, value: value,
        send: Callable[[int, Sending], None] = lambda _, got: None,
    ) -> None:
        self._nic = Tlsnic()
        self._frame = frame
        self._register = register
        self._send = send
        self._out: list[Received] = []
        self._count = 0
        self._encrypted = 0
        self._left: list[bytes] = []
        self._told: list[Word] = []

    def read(self, addr: int) -> int:
        """A register."""
        return self._register(addr, self._nic.read(addr))

    def write(self, addr: int, value: int) -> None:
        """Write a register."""
        self._nic.write(addr, value)

    def rx_send(self, frames: Sequence[bytes], left: int = 0) -> None:
        """Let frames in."""
        for frame in frames:
            out, descriptor = self._nic.receive(frame)
            self._out.append(self._frame(self._count, (out, descriptor.pack())))
            self._count += 1

    def words(self, frames: int) -> list[Received]:
        """The next frames that come out."""
        out, self._out = self._out[:frames], self._out[frames:]
        return out

    def tx_send(self, items: Sequence[tuple[bytes, int]], left: int = 0) -> None:
        """Let items in."""
        for data, word in items:
            sent = self._nic.send(data, TxDescriptor.unpack(word))
            packed = [each.pack() for each in sent.completions]
            told = [(tag.to_bytes(16, "little"), user) for tag, user in packed]
            got = Sending(data, [sent.frame] if sent.frame else [], told)
            if sent.frame and sent.frame != data:
                self._send(self._encrypted, got)
                self._encrypted += 1
            self._left += got.left
            self._told += got.told

    def tx_take(self, frames: int) -> list[bytes]:
        """The next frames that leave."""
        if frames > len(self._left):
            raise Stuck(len(self._left))
        out, self._left = self._left[:frames], self._left[frames:]
        return out

    def txc_take(self, words: int) -> list[Word]:
        """The next completions."""
        if words > len(self._told):
            raise Stuck(len(self._told))
        out, self._told = self._told[:words], self._told[words:]
        return out

    def came(self, stream: Stream) -> int:
        """How many of a stream came out and were not taken."""
        match stream:
            case Stream.RX:
                return len(self._out)
            case Stream.TX:
                return len(self._left)
            case _:
                return len(self._told)

    def close(self) -> None:
        """Nothing to give up."""


def at_500(change: Callable[[Received], Received]) -> Callable[[int, Received], Received]:
    """A bug of one frame in the second burst."""
    return lambda count, got: change(got) if count == 500 else got


def flipped(got: Received) -> Received:
    frame = bytearray(got[0])
    frame[-1] ^= 1
    return bytes(frame), got[1]


def off_by_one(wanted: int) -> Callable[[int, int], int]:
    return lambda addr, value: value + (addr == wanted)


LAST_COUNTER = BLOCK_COUNTERS_FIRST + 8 * Counter.EVENT_LOST

PLANTED: dict[str, tuple[ModelUnder, str]] = {
    "a bit of a frame": (ModelUnder(at_500(flipped)), "1 bytes differ"),
    "a byte too few": (ModelUnder(at_500(lambda got: (got[0][:-1], got[1]))), "bytes, model"),
    "the reason": (ModelUnder(at_500(lambda got: (got[0], got[1] ^ 1 << 24))), "descriptor"),
    "the id": (ModelUnder(at_500(lambda got: (got[0], got[1] ^ 1))), "descriptor"),
    "a reserved bit": (ModelUnder(at_500(lambda got: (got[0], got[1] | 1 << 31))), "descriptor"),
    "a counter": (ModelUnder(register=off_by_one(LAST_COUNTER)), r"EVENT_LOST \d+, model \d+"),
    "its high word": (ModelUnder(register=off_by_one(LAST_COUNTER + 4)), "EVENT_LOST"),
    "an answer": (
        ModelUnder(register=lambda addr, value: value ^ (addr == Addr.CMD_STATUS) << 16),
        "answer",
    ),
}


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_found(bug: str) -> None:
    device, says = PLANTED[bug]
    with pytest.raises(Difference, match=says):
        cosim.episode(device, Traffic(seed()), 1000, Tally())


class Asking(Traffic):
    """A connection that loses its boundary: the device asks about a header, and is answered."""

    def burst(self, frames: int) -> list[Step]:
        """One frame, far ahead, and two answers, of which nobody asked for the second."""
        peer = traffic.Peer(self.rng, traffic.random_flow(self.rng))
        peer.regime = traffic.Regime("medium", "small", mutate=0, ack=0, forged=0)
        peer._kinds = (23,)
        peer._fill(30_000)
        head = next(place for place in peer._heads if place > 20_000)
        data = peer.bytes_at(head - 3, head + 100)
        seq = (peer.seq + head - 3) % traffic.SEQ
        built = traffic.build(peer.flow, seq, data)
        coming = peer.coming()
        return [
            Control(True, False),
            traffic.add(peer),
            Frames([built.frame], [Note("far", peer, head - 3, 103)]),
            Events(100, 7),
            Resync("true", 0, peer, coming, 1),
            Resync("true", 0, peer, coming, 1),
        ]


def of_register(addr: int) -> Callable[[int, int], int]:
    """A bug in a bit of one register."""
    return lambda read, value: value ^ (read == addr) << 8


RESYNC_BUGS: dict[str, tuple[Callable[[], ModelUnder], str]] = {
    "the place of an event": (lambda: ModelUnder(register=of_register(Addr.EVENT_SEQ)), "event 0"),
    "its records": (lambda: ModelUnder(register=of_register(Addr.EVENT_RECORDS)), "event 0"),
    "its kind": (lambda: ModelUnder(register=of_register(Addr.EVENT_TYPE)), "event 0"),
    "how many wait": (lambda: ModelUnder(register=of_register(Addr.EVENT_STATUS)), "event 0"),
    "the interrupt": (lambda: ModelUnder(register=of_register(Addr.IRQ_STATUS)), "IRQ_STATUS"),
    "the request": (lambda: ModelUnder(lambda _, got: (got[0], got[1] ^ 1 << 19)), "descriptor"),
    "its place": (lambda: ModelUnder(lambda _, got: (got[0], got[1] ^ 1 << 40)), "descriptor"),
}


@pytest.mark.parametrize("bug", RESYNC_BUGS)
def test_a_planted_bug_of_resync_is_found(bug: str) -> None:
    device, says = RESYNC_BUGS[bug]
    with pytest.raises(Difference, match=says):
        cosim.episode(device(), Asking(seed()), 1, Tally())


def steady() -> TxTraffic:
    """Always the same, so it is certain what comes up in it."""
    return TxTraffic(1, crowd=4)


def of_sending(change: Callable[[Sending], None]) -> Callable[[], ModelUnder]:
    """A bug of one encrypted frame in the second burst."""
    return lambda: ModelUnder(send=lambda count, got: change(got) if count == 100 else None)


def of_word(bit: int) -> Callable[[], ModelUnder]:
    """A bug in a bit of that frame's own completion."""

    def change(got: Sending) -> None:
        data, word = got.told[-1]
        got.told[-1] = data, word ^ 1 << bit

    return of_sending(change)


def wrong_byte(got: Sending) -> None:
    text = next(n for n, (a, b) in enumerate(zip(got.clear, got.left[0], strict=True)) if a != b)
    frame = bytearray(got.left[0])
    frame[text] ^= 1
    got.left[0] = bytes(frame)


def in_clear(got: Sending) -> None:
    got.left[0] = got.clear


def is_lost(got: Sending) -> None:
    del got.left[0]


def twice(got: Sending) -> None:
    got.left.append(got.left[0])


def untold(got: Sending) -> None:
    del got.told[-1]


def told_twice(got: Sending) -> None:
    got.told.append(got.told[-1])


TX_BUGS: dict[str, tuple[Callable[[], ModelUnder], str]] = {
    "a bit of a frame": (of_sending(wrong_byte), "1 bytes differ"),
    "plaintext": (of_sending(in_clear), r"(?s)bytes differ.*on the wire: .*(plaintext|checksum)"),
    "a frame that does not leave": (of_sending(is_lost), "differ|bytes, model|does not come"),
    "a frame that leaves twice": (of_sending(twice), "differ|bytes, model|model does not have"),
    "no completion": (of_sending(untold), "completion"),
    "a completion too many": (of_sending(told_twice), "completion"),
    "the id": (of_word(0), "completion"),
    "that it is a tag": (of_word(16), "completion"),
    "that it left": (of_word(17), "completion"),
    "a reserved bit": (of_word(23), "no meaning"),
    "the reason": (of_word(24), "completion"),
    "a place": (of_word(40), "no meaning"),
    "a counter": (
        lambda: ModelUnder(register=off_by_one(BLOCK_COUNTERS_FIRST + 8 * Counter.TX_TLS_OOO)),
        r"TX_TLS_OOO \d+, model \d+",
    ),
}


@pytest.mark.parametrize("bug", TX_BUGS)
def test_a_planted_bug_of_transmit_is_found(bug: str) -> None:
    device, says = TX_BUGS[bug]
    with pytest.raises(Difference, match=says):
        cosim.episode(device(), Traffic(seed(), crowd=4), 2000, Tally(), sending=steady())


def test_an_answer_to_the_other_direction_is_compared() -> None:
    class Wrong(ModelUnder):
        def read(self, addr: int) -> int:
            """A bug in the answers to one opcode."""
            resync = self._nic.read(Addr.CMD_OP) & CMD_OP_OPCODE_MASK == Opcode.RESYNC_TX
            return super().read(addr) ^ (resync and addr == Addr.CMD_STATUS) << 16

    with pytest.raises(Difference, match="items, Command"):
        cosim.episode(Wrong(), Traffic(seed()), 2000, Tally(), sending=steady())


def test_what_the_model_does_wrong_too_is_found_on_the_wire() -> None:
    """Neither encrypts: the two agree, and what leaves is plaintext."""
    with (
        mock.patch.object(Keys, "crypt", lambda self, record, at, data: data),
        pytest.raises(Difference, match=r"the model agrees, but frame .* plaintext"),
    ):
        cosim.episode(ModelUnder(), Traffic(seed()), 2000, Tally(), sending=steady())


def test_both_directions_without_a_bug_are_not_blamed() -> None:
    tally = Tally()
    cosim.episode(ModelUnder(), Traffic(seed()), 1000, tally, sending=TxTraffic(seed(), crowd=4))
    assert tally.frames >= 1000
    assert tally.sent.items >= 1000
    assert tally.sent.checked


def test_what_is_asked_is_answered_and_counted() -> None:
    tally = Tally()
    with cosim.observed():
        _Observed.seen = Situations()
        cosim.episode(ModelUnder(), Asking(seed()), 1, tally)
        tally.situations.update(_Observed.seen)
    assert tally.commands["RESYNC_RX, true: OK"] == 1
    both = 2  # the device here is a model, too
    for name in (
        "asked",
        "event RESYNC_REQUEST",
        "first header in a frame",
        "state IN_SYNC, FAR: SEARCHING",
        "state SEARCHING, CHAIN: TRACKING",
        "state TRACKING, MOVED: IN_SYNC",
        "answer ACCEPT of what is pending: OK",
    ):
        assert tally.situations[name] == both, name


def test_frames_in_another_order_are_found() -> None:
    class Turned(ModelUnder):
        def words(self, frames: int) -> list[Received]:
            out = super().words(frames)
            # a frame may come twice: the first one that is another than frame 0
            first = next((n for n, got in enumerate(out) if got != out[0]), 0)
            return out[first:] + out[:first]

    with pytest.raises(Difference, match="frame 0 of"):
        cosim.episode(Turned(), Traffic(seed()), 400, Tally())


def test_a_device_without_a_bug_is_not_blamed() -> None:
    tally = Tally()
    cosim.episode(ModelUnder(), Traffic(seed()), 1000, tally)
    assert tally.frames >= 1000


def test_the_command_repeats_the_difference() -> None:
    """The text names the seed, and the seed makes the same frames."""
    first, again = (
        [step for _ in range(3) for step in made.burst(200)]
        for made in (Traffic(seed()), Traffic(seed()))
    )
    other = Traffic(seed() + 1)
    for one, two in zip(first, again, strict=True):
        assert type(one) is type(two)
        if isinstance(one, Frames) and isinstance(two, Frames):
            assert one.frames == two.frames
            assert one.left == two.left
        else:
            assert one == two
    assert first != [step for _ in range(3) for step in other.burst(200)]


def test_cosim() -> None:
    print(f"SEED={seed()}")
    tally = Tally()
    for number in range(EPISODES):
        tally.add(cosim.run(100 * seed() + number, FRAMES))
    assert tally.frames >= EPISODES * FRAMES
    assert tally.reasons["NONE"] > tally.frames // 20  # else it compares what passes, no more


@pytest.mark.regress
def test_cosim_long() -> None:
    """And all that must come up did; what is rare may need more frames."""
    print(f"SEED={seed()}")
    tally = Tally()
    for first, frames in cosim.tasks(100 * seed(), 10 * REGRESS):
        tally.add(cosim.run(first, frames))
        if tally.frames >= REGRESS and not tally.missing():
            break
    assert tally.missing() == []


def test_what_is_missing_is_told() -> None:
    tally = Tally()
    missing = tally.missing()
    assert "reason PARTIAL" in missing
    tally.reasons["PARTIAL"] = 1
    assert len(tally.missing()) == len(missing) - 1


def test_a_device_that_stops_is_told() -> None:
    """The frame that does not come out is named, and the wait ends."""

    class One(Traffic):
        def burst(self, frames: int) -> list[Step]:
            """One frame; a command would wait for it."""
            return [Control(True, False), Frames([bytes(60)], [Note("zeros")])]

    device = Rtl(stall=256)
    with pytest.raises(Difference, match=r"(?s)frame 0 of 1 does not come out.*zeros"):
        cosim.episode(device, One(seed()), 1, Tally())
    device.close()


def test_a_register_read_does_not_lose_what_wakes_a_path() -> None:
    """A path sleeps that had nothing to do; a frame's first word comes while a register is read."""
    device, frame = Rtl(), bytes(range(100))
    awake = 1 << 14  # clocks
    for _ in range(3):
        begin = device.clocks
        while device.clocks < begin + awake + 100:
            device.read(Addr.ID)
        device.rx_send([frame], left=1)
        device.tx_send([(frame, 0)], left=1)
        device.read(Addr.ID)
        assert device.tx_take(1) == [frame]
        assert [got for got, _ in device.words(1)] == [frame]
    device.close()


def test_same_fingerprint_is_the_same() -> None:
    """Of the flows that are to collide: by the model's CRC."""
    rng = Random(seed())
    for _ in range(20):
        flow = traffic.Flow(rng.randbytes(16), rng.randbytes(16), 1, 2)
        other = traffic.same_fingerprint(rng, flow)
        assert other != flow
        both = [crc32c(b"\1" + f.local + f.remote + b"\0\1\0\2") for f in (flow, other)]
        assert both[0] == both[1]
