"""Requests of the device: what the driver makes of them, on a device that follows a script."""

import errno
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from host import regs
from host.crypto_info import CipherType, CryptoInfo, Version
from host.device import RxDescriptor, Sent, TxDescriptor
from host.driver import Driver
from host.driver_resync import PATIENCE_BYTES, PATIENCE_TIME
from host.packet import Flow
from host.regs import Addr, Answer, Direction, Event, Opcode, Reason, RxPass
from host.resync import Resync, ResyncType, RxResync
from host.tests.wire import ACK, SERVER, Tcp, raises

FLOW = Flow(b"\x0a\0\0\x01", 50000, b"\x0a\0\0\x02", 443)
INFO = CryptoInfo(Version.TLS_1_3, CipherType.AES_GCM_128, bytes(8), bytes(16), bytes(4), bytes(8))
CONTEXT = 3
SIZE = 1000  # of a frame's payload
FRAMES = PATIENCE_BYTES // SIZE + 1  # more bytes than an answer is waited for
SYNC, ASYNC, HINT = ResyncType.DRIVER_REQ, ResyncType.DRIVER_REQ_ASYNC, ResyncType.CORE_NEXT_HINT
REQUEST, WITHDRAWN = Event.RESYNC_REQUEST, Event.RESYNC_WITHDRAWN


@dataclass
class Device:
    """Says of each frame what `script` has next; `events` wait behind it."""

    caps: int = regs.CAPS_RX_MASK | 0x303 | regs.CAPS_HEADER_SCAN_MASK
    script: list[int | None] = field(default_factory=list)  # candidates
    events: list[tuple[Event, int]] = field(default_factory=list)
    lost: bool = False
    reason: Reason = Reason.OK
    commands: list[tuple[Answer, int, int]] = field(default_factory=list)
    registers: dict[int, int] = field(default_factory=dict)

    def read(self, addr: int) -> int:
        """A register."""
        match addr:
            case Addr.ID:
                return regs.ID_RESET
            case Addr.VERSION:
                return regs.VERSION_RESET
            case Addr.CAPS:
                return self.caps
            case Addr.CMD_STATUS:
                return regs.CMD_STATUS_DONE_MASK | self.reason << 8 | CONTEXT << 16
            case Addr.EVENT_STATUS:
                return len(self.events) | self.lost << 16
            case Addr.EVENT_TYPE:
                return self.events[0][0] | CONTEXT << 16 if self.events else 0
            case Addr.EVENT_SEQ:
                return self.events[0][1] if self.events else 0
            case Addr.EVENT_RECORDS:
                self.events = self.events[1:]
        return self.registers.get(addr, 0)

    def write(self, addr: int, value: int) -> None:
        """Takes note of what RESYNC_RX says."""
        self.registers[addr] = value
        if addr == Addr.IRQ_STATUS and value & regs.IRQ_STATUS_EVENT_LOST_MASK:
            self.lost = False
        op = self.registers.get(Addr.CMD_OP, 0)
        if addr == Addr.CMD_DOORBELL and op & 0xF == Opcode.RESYNC_RX:
            assert self.registers[Addr.CMD_CONNECTION] == CONTEXT
            number = self.registers[Addr.CMD_RECORD_HI] << 32 | self.registers[Addr.CMD_RECORD_LO]
            self.commands.append((Answer(op >> 11 & 1), self.registers[Addr.CMD_SEQ], number))

    def receive(self, frames: Sequence[bytes]) -> list[tuple[bytes, RxDescriptor]]:
        """None is decrypted."""
        told = []
        for frame in frames:
            seq = self.script.pop(0) if self.script else None
            passed = RxDescriptor(CONTEXT, True, False, True, False, RxPass.OUT_OF_SYNC, 0)
            told.append((frame, replace(passed, resync=seq is not None, candidate=seq or 0)))
        return told

    def send(self, items: Sequence[tuple[bytes, TxDescriptor]]) -> list[Sent]:
        """None."""
        raise NotImplementedError

    def close(self) -> None:
        """Nothing."""


class Host:
    """Driver and stack of one connection; frames come one behind the other from `seq` on."""

    def __init__(self, kind: ResyncType, seq: int = 10_000) -> None:
        self.device, self.stack, self.seq = Device(), RxResync(), seq
        self.driver = Driver(self.device, kind)
        self.driver.tls_dev_add(FLOW, Direction.RX, INFO, 0, self.stack)

    def receive(self, *candidates: int | None, withdrawn: int | None = None, now: int = 0) -> None:
        """So many frames; events for the candidates, and then for one that is withdrawn."""
        self.device.script = list(candidates)
        self.device.events += [(REQUEST, each) for each in candidates if each is not None]
        if withdrawn is not None:
            self.device.events.append((WITHDRAWN, withdrawn))
        self.frames(len(candidates), now)

    def frames(self, count: int, now: int = 0) -> None:
        """So many frames, and nothing said of events."""
        frames = []
        for _ in range(count):
            frames.append(Tcp().frame(SERVER, self.seq, ACK, bytes(SIZE)))
            self.seq = self.seq + SIZE & 0xFFFF_FFFF
        self.driver.receive(frames, now)

    def parse(self, seq: int, number: int) -> None:
        """The stack comes to a record of 100 bytes."""
        place = self.stack.new_rec(seq & 0xFFFF_FFFF, 100, number, 20)
        if place:
            self.driver.tls_dev_resync(CONTEXT, Direction.RX, place.seq, place.number)

    @property
    def counts(self) -> tuple[int, ...]:
        """Begun, ended, skipped, discarded, rejected."""
        stats = self.driver.stats()
        names = ("req_start", "req_end", "req_skip", "discard", "nak")
        return tuple(stats[f"rx_tls_resync_{name}"] for name in names)


# -- which mode ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ResyncType)
@pytest.mark.parametrize("scans", [False, True])
def test_the_mode_is_set_at_add_to_what_the_device_can(kind: ResyncType, scans: bool) -> None:
    device = Device(caps=regs.CAPS_RX_MASK | 0x303 | regs.CAPS_HEADER_SCAN_MASK * scans)
    stack = RxResync()
    Driver(device, kind).tls_dev_add(FLOW, Direction.RX, INFO, 0, stack)
    assert stack.type is (kind if scans else HINT)


def test_only_what_is_received_is_resynchronised() -> None:
    with raises(errno.EOPNOTSUPP):
        Host(HINT).driver.tls_dev_resync(CONTEXT, Direction.TX, 0, 0)


# -- DRIVER_REQ ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seq", [10_200, 0xFFFF_FFFD])
def test_the_stacks_answer_reaches_the_device(seq: int) -> None:
    host = Host(SYNC, seq - 200)
    host.receive(seq)
    assert host.device.commands == []
    host.parse(seq - 100, 0x1_0000_0006)
    assert host.device.commands == []
    host.parse(seq, 0x1_0000_0007)
    assert host.device.commands == [(Answer.ACCEPT, seq, 0x1_0000_0007)]
    host.parse(seq, 0x1_0000_0007)
    assert len(host.device.commands) == 1
    assert host.counts == (1, 1, 0, 0, 0)


def test_a_later_request_replaces_the_one_before() -> None:
    host = Host(SYNC)
    host.receive(10_200, None, 12_500)
    host.parse(10_200, 7)
    host.parse(12_500, 8)
    assert host.device.commands == [(Answer.ACCEPT, 12_500, 8)]


def test_an_answer_to_what_was_withdrawn_is_discarded() -> None:
    host = Host(SYNC)
    host.receive(10_200, withdrawn=10_200)
    host.parse(10_200, 7)
    assert host.device.commands == []
    assert host.counts == (1, 1, 0, 1, 0)


def test_withdrawing_what_is_not_pending_any_more_does_nothing() -> None:
    host = Host(SYNC)
    host.receive(10_200, None, 12_500, withdrawn=10_200)
    host.parse(12_500, 8)
    assert host.device.commands == [(Answer.ACCEPT, 12_500, 8)]


@pytest.mark.parametrize("kind", [SYNC, ASYNC])
def test_an_answer_is_for_the_place_that_is_asked_about_and_once(kind: ResyncType) -> None:
    host = Host(kind)
    host.receive(10_200)
    place = 10_200 + 4 * (kind is SYNC)
    for seq in (place - 4, place - 1, place + 1, place + 4, place, place):
        host.driver.tls_dev_resync(CONTEXT, Direction.RX, seq, 7)
    assert host.device.commands == [(Answer.ACCEPT, 10_200, 7)]
    assert host.driver.stats()["rx_tls_resync_discard"] == 5
    host.receive(*[None] * FRAMES, now=9 * PATIENCE_TIME)
    assert len(host.device.commands) == 1


def test_it_may_be_asked_again() -> None:
    host = Host(SYNC)
    host.receive(10_200, withdrawn=10_200)
    host.receive(10_200)
    host.parse(10_200, 8)
    assert host.device.commands == [(Answer.ACCEPT, 10_200, 8)]


def test_events_go_by_their_order_within_an_interrupt() -> None:
    host = Host(SYNC)
    host.device.script = [10_200, 10_200]
    host.device.events = [(REQUEST, 10_200), (WITHDRAWN, 10_200), (REQUEST, 10_200)]
    host.frames(2)
    host.parse(10_200, 8)
    assert host.device.commands == [(Answer.ACCEPT, 10_200, 8)]


def test_when_events_were_lost_the_descriptors_say_what_is_asked() -> None:
    host = Host(SYNC)
    host.device.script = [10_200, None, 12_500]
    host.device.events, host.device.lost = [(REQUEST, 10_200), (WITHDRAWN, 10_200)], True
    host.frames(3)
    assert not host.device.lost
    host.parse(12_500, 8)
    assert host.device.commands == [(Answer.ACCEPT, 12_500, 8)]


def test_a_stale_answer_is_the_devices_to_count() -> None:
    host = Host(SYNC)
    host.receive(10_200)
    host.device.reason = Reason.STALE
    host.parse(10_200, 7)
    assert len(host.device.commands) == 1
    host.parse(10_200, 7)
    assert len(host.device.commands) == 1


@pytest.mark.parametrize(
    ("reason", "number"), [(Reason.NO_CONNECTION, errno.ENOENT), (Reason.BUSY, errno.EBUSY)]
)
def test_what_else_the_device_answers_is_an_error(reason: Reason, number: int) -> None:
    host = Host(HINT)
    host.device.reason = reason
    with raises(number):
        host.driver.tls_dev_resync(CONTEXT, Direction.RX, 0, 0)


def test_after_del_nothing_is_asked_or_answered() -> None:
    host = Host(SYNC)
    host.receive(10_200)
    host.driver.tls_dev_del(CONTEXT, Direction.RX)
    host.receive(*[None] * 99, now=10 * PATIENCE_TIME)
    host.receive(99_200)
    assert host.device.commands == []
    assert host.counts == (1, 1, 0, 0, 0)


def test_events_of_a_connection_that_is_gone_are_not_the_next_ones() -> None:
    host = Host(SYNC)
    host.device.events = [(REQUEST, 10_200)]
    host.driver.tls_dev_del(CONTEXT, Direction.RX)
    host.driver.tls_dev_add(FLOW, Direction.RX, INFO, 0, host.stack)
    host.receive(None)
    host.parse(10_200, 7)
    assert host.device.commands == []
    assert host.counts == (0, 0, 0, 0, 0)


def test_that_events_were_lost_is_known_until_frames_come() -> None:
    host = Host(SYNC)
    host.device.lost = True
    with raises(errno.ENOENT):
        host.device.reason = Reason.NO_CONNECTION
        host.driver.tls_dev_del(CONTEXT + 1, Direction.RX)
    assert not host.device.lost
    host.device.reason = Reason.OK
    host.device.script = [10_200]
    host.frames(1)
    host.parse(10_200, 8)
    assert host.device.commands == [(Answer.ACCEPT, 10_200, 8)]


def test_without_a_stack_the_device_gets_its_reject() -> None:
    host = Host(SYNC)
    host.driver.tls_dev_del(CONTEXT, Direction.RX)
    host.driver.tls_dev_add(FLOW, Direction.RX, INFO, 0)
    host.receive(10_200)
    host.receive(*[None] * 40, now=PATIENCE_TIME + 1)
    assert host.device.commands == [(Answer.REJECT, 10_200, 0)]


# -- rejecting ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [SYNC, ASYNC])
def test_what_is_not_answered_in_time_is_rejected_once(kind: ResyncType) -> None:
    host = Host(kind)
    host.receive(10_200, now=50)
    host.receive(*[None] * FRAMES, now=50 + PATIENCE_TIME)
    assert host.device.commands == []
    host.receive(None, now=51 + PATIENCE_TIME)
    assert host.device.commands == [(Answer.REJECT, 10_200, 0)]
    host.receive(*[None] * FRAMES, now=9 * PATIENCE_TIME)
    assert len(host.device.commands) == 1
    assert host.counts == (1, 1, 0, 0, 1)
    host.parse(10_200, 7)  # too late
    assert len(host.device.commands) == 1


@pytest.mark.parametrize("kind", [SYNC, ASYNC])
def test_what_the_stack_is_past_is_rejected_at_once(kind: ResyncType) -> None:
    host = Host(kind)
    host.receive(10_250)
    host.parse(10_200, 42)
    host.receive(None)
    assert host.device.commands == []
    host.parse(10_300, 43)
    host.receive(None)
    assert host.device.commands == [(Answer.REJECT, 10_250, 0)]
    assert host.counts == (1, 1, 0, 0, 1)


@pytest.mark.parametrize("kind", [SYNC, ASYNC])
def test_what_the_stack_was_past_before_it_was_asked(kind: ResyncType) -> None:
    host = Host(kind)
    host.parse(9_900, 39)
    host.receive(9_800)
    host.receive(None)
    assert host.device.commands == [(Answer.REJECT, 9_800, 0)]


@pytest.mark.parametrize("kind", [SYNC, ASYNC])
def test_time_alone_is_no_reason(kind: ResyncType) -> None:
    host = Host(kind)
    host.receive(10_200)
    host.receive(*[None] * (FRAMES - 1), now=9 * PATIENCE_TIME)
    assert host.device.commands == []
    host.receive(None, now=9 * PATIENCE_TIME)
    assert host.device.commands == [(Answer.REJECT, 10_200, 0)]


@pytest.mark.parametrize("kind", [SYNC, ASYNC])
def test_a_request_that_replaces_another_has_its_own_time(kind: ResyncType) -> None:
    host = Host(kind)
    host.receive(10_200)
    host.receive(*[None] * FRAMES, now=PATIENCE_TIME)
    host.receive(50_000, now=PATIENCE_TIME)
    host.receive(*[None] * FRAMES, now=2 * PATIENCE_TIME)
    assert host.device.commands == []
    host.receive(None, now=2 * PATIENCE_TIME + 1)
    assert host.device.commands == [(Answer.REJECT, 50_000, 0)]


def test_frames_without_data_do_not_count() -> None:
    host = Host(SYNC)
    host.receive(10_200)
    frame = Tcp().frame(SERVER, 0, ACK)
    host.driver.receive([frame] * 99, 9 * PATIENCE_TIME)
    assert host.device.commands == []


# -- DRIVER_REQ_ASYNC ---------------------------------------------------------------------------


def test_in_two_steps_the_records_between_count() -> None:
    """The stack parses the frame's records before the device says which one it was."""
    host = Host(ASYNC)
    host.receive(10_200)
    for n in range(10):
        host.parse(10_000 + 100 * n, 40 + n)
    assert host.device.commands == []
    host.receive(None)
    assert host.device.commands == []
    host.parse(11_000, 50)
    assert host.device.commands == [(Answer.ACCEPT, 10_200, 42)]
    assert host.counts == (1, 1, 0, 0, 0)


@pytest.mark.parametrize("before", [1, 12, 5000])
def test_a_header_of_an_earlier_frame_is_in_the_span(before: int) -> None:
    host = Host(ASYNC)
    host.receive(10_000 - before)
    host.parse(10_000 - before, 40)
    host.parse(10_100, 41)
    host.receive(None)
    host.parse(10_200, 42)
    assert host.device.commands == [(Answer.ACCEPT, 10_000 - before, 40)]


def test_records_from_before_the_frame_do_not_count() -> None:
    host = Host(ASYNC)
    host.receive(10_200)
    host.parse(9_900, 39)
    host.parse(10_200, 40)
    host.receive(None)
    host.parse(10_300, 41)
    assert host.device.commands == [(Answer.ACCEPT, 10_200, 40)]


def test_what_is_withdrawn_before_its_second_step_is_skipped() -> None:
    host = Host(ASYNC)
    host.receive(10_200, withdrawn=10_200)
    host.parse(10_200, 40)
    host.receive(None)
    host.parse(10_300, 41)
    assert host.device.commands == []
    assert host.counts == (1, 0, 1, 0, 0)


def test_what_is_replaced_before_its_second_step_is_skipped() -> None:
    host = Host(ASYNC)
    host.receive(10_200, 11_300)
    host.parse(10_200, 40)
    host.parse(11_300, 41)
    host.receive(None)
    host.parse(11_400, 42)
    assert host.device.commands == [(Answer.ACCEPT, 11_300, 41)]
    assert host.counts == (2, 1, 1, 0, 0)


def test_what_is_withdrawn_later_is_cancelled() -> None:
    host = Host(ASYNC)
    host.receive(10_200)
    host.receive(None, withdrawn=10_200)
    host.parse(10_200, 40)
    assert host.device.commands == []
    assert host.counts == (1, 1, 0, 0, 0)


def test_lost_events_do_not_lose_the_second_step() -> None:
    host = Host(ASYNC)
    host.device.script, host.device.lost = [10_200], True
    host.frames(1)
    host.parse(10_200, 40)
    host.receive(None)
    host.parse(10_300, 41)
    assert host.device.commands == [(Answer.ACCEPT, 10_200, 40)]


# -- CORE_NEXT_HINT -----------------------------------------------------------------------------


def test_hints_go_to_the_device_as_they_are() -> None:
    host = Host(HINT)
    host.driver.tls_dev_resync(CONTEXT, Direction.RX, 12_345, 1 << 40)
    assert host.device.commands == [(Answer.ACCEPT, 12_345, 1 << 40)]


def test_requests_are_not_passed_on() -> None:
    host = Host(HINT)
    host.receive(10_200)
    host.receive(*[None] * 99, now=9 * PATIENCE_TIME)
    assert host.stack.new_rec(10_200, 100, 7, 20) is None
    assert host.device.commands == []
    assert host.device.events == []
    assert host.counts == (0, 0, 0, 0, 0)


def test_an_answer_has_its_place() -> None:
    """What the stack says, the driver takes to be about the same byte as the device."""
    for kind, shift in ((SYNC, 4), (ASYNC, 0)):
        host = Host(kind)
        host.receive(10_200)
        host.receive(None)
        assert host.stack.new_rec(10_200, 100, 7, 20) == Resync(10_200 + shift, 7)
