"""The RTL against the model, in this process: the same traffic into both, all that comes out equal.

    python -m cocotb_tests.cosim --frames N --seed S [--jobs 2]

A run is episodes: an episode is a fresh device, the traffic of one seed (S, S + 1, ...) in bursts,
and its own pace on both streams. Compared are every frame, every descriptor's 64 bits, the answer
of every command, every event that is read, and behind each burst every counter. On a difference it
says which frame, and the command that repeats the episode; the exit status is then 1. A run of LONG
frames or more also fails if something that must come up in it (a reason, a situation of the walk or
of the search for the boundary) did not.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from random import Random
from typing import Final, Protocol
from unittest import mock

from rich.console import Console
from rich.table import Table

from cocotb_tests import cosim_tx
from cocotb_tests.compare import Difference, Situations, Stuck, bytes_differ, describe
from cocotb_tests.cosim_tx import Sending, Sends, TxTally
from cocotb_tests.harness import seed
from cocotb_tests.traffic import (
    MISLEADING,
    Command,
    Control,
    Events,
    Frames,
    Note,
    Resync,
    Step,
    Traffic,
)
from cocotb_tests.traffic_tx import Items, TxControl, TxStep, TxTraffic
from host import regs
from host.device_rtl import BATCH, RtlDevice, Stream
from host.regs import Addr, RxPass
from model import record, rx, rx_search, rx_walk
from model import regs as model_regs
from model.tlsnic import Config, Tlsnic

EPISODE: Final = 4_000  # frames
BURST: Final = 400
LONG: Final = 100_000
OVERLAP: Final = model_regs.RxPass.OVERLAP
KEPT: Final = 8  # requests of a connection
POLLS: Final = 20_000
PATIENCE: Final = 40_000  # clocks for a frame to go through: the longest takes 600 words

Received = tuple[bytes, int]  # a frame, and its descriptor's 64 bits


class Under(Sends, Protocol):
    """What is compared with the model."""

    def read(self, addr: int) -> int:
        """A register."""

    def write(self, addr: int, value: int) -> None:
        """Write a register."""

    def rx_send(self, frames: Sequence[bytes], left: int = 0) -> None:
        """Let frames in; return as soon as at most `left` are still to go in."""

    def words(self, frames: int) -> list[Received]:
        """The next frames that come out."""

    def close(self) -> None:
        """Give it up."""


class Rtl(RtlDevice):
    """The RTL, with descriptors as they are: reserved bits too."""

    def words(self, frames: int) -> list[Received]:
        """The next frames that come out to the host; waits for as many."""
        return self._take(Stream.RX, frames)

    def came(self, stream: Stream) -> int:
        """How many of a stream came out and were not taken."""
        return int(self._lib.tlsnic_waiting(self._sim, stream))

    def _take(self, stream: Stream, frames: int) -> list[Received]:
        """The next that come out; none is taken if they do not all come."""
        self._run(stream, frames, 1 << 40)
        taken: list[Received] = []
        while len(taken) < frames:
            taken += self._waiting(stream, min(BATCH, frames - len(taken)))
        return taken

    def _run(self, stream: Stream, out: int, left: int) -> None:
        """Until so many wait to be taken, and at most `left` to go in; as long as some come out."""
        came = -1
        limits = [ctypes.c_uint64(n) for n in (out, left, PATIENCE)]
        while self._lib.tlsnic_run(self._sim, stream, *limits) < 0:
            before, came = came, sum(self.came(each) for each in Stream)
            if came == before:
                raise Stuck(self.came(stream))


# ---- what came up ----


class _Observed(rx_walk.Walk):
    """The model's walk; notes in `seen` what comes up in it."""

    seen: Situations = Situations()

    def walk(
        self,
        seq: int,
        payload: bytes,
        *,
        avoid_partials: bool,
        reason: model_regs.RxPass = model_regs.RxPass.NONE,
    ) -> rx_walk.Walked:
        oldest = [id(entry.record) for entry in self._open]
        walked = super().walk(seq, payload, avoid_partials=avoid_partials, reason=reason)
        seen = self.seen
        if self.prefix:
            seen[f"prefix ends after byte {len(self.prefix):2}"] += 1
        if not walked.reason:
            records = len({id(piece.record) for piece in walked.pieces})
            seen[f"records in a decrypted frame: {min(records, 9)}{'+' * (records > 8)}"] += 1
        if walked.reason is OVERLAP and walked.pieces:
            seen["bytes taken of a frame that passes as OVERLAP"] += 1
        if seq + len(payload) >= record.SEQ:
            seen["frame across sequence number 2^32"] += 1
        for complete in walked.complete:
            if id(complete.record) in oldest[1:]:
                seen["record complete before an older one"] += 1
            if complete.record.total == len(complete.record.prefix) + record.TAG:
                seen["record without text complete"] += 1
        if self._open:
            seen[f"open records: {len(self._open)}"] += 1
            runs = max(len(entry.runs) for entry in self._open)
            seen[f"runs of an open record: {runs}"] += 1
        return walked

    def _join_prefix(self, joined: bytes, *, has_reason: bool) -> bool:
        full = len(self._open) == self._window
        first = self.next
        good = super()._join_prefix(joined, has_reason=has_reason)
        if self.next != first and full:
            self.seen["oldest record dropped"] += 1
        if self.next < first:
            self.seen["record across sequence number 2^32"] += 1
        return good


class _Searched(rx_search.Boundary):
    """The model's boundary; notes in `_Observed.seen` what comes up about it."""

    opened = 0  # calls of _opened
    frames: tuple[int, int] = (0, 0)  # where the last two that were searched begin

    def receive(
        self, seq: int, payload: bytes, *, avoid_partials: bool, self_confirm: bool
    ) -> rx_search.Followed:
        seen, pending = _Observed.seen, self.pending
        followed = super().receive(
            seq, payload, avoid_partials=avoid_partials, self_confirm=self_confirm
        )
        for notice in followed.notices:
            seen[f"event {notice.event.name}"] += 1
        withdrawn = any(n.event is model_regs.Event.RESYNC_WITHDRAWN for n in followed.notices)
        if followed.asked is not None and self.pending:
            seen["asked"] += 1
            if self.pending.count > 1:
                seen["asked about a chain of some headers"] += 1
            if pending and not withdrawn:
                seen["asked about another, and the pending one forgotten"] += 1
            if self_confirm and self.failed == rx_search.FAILURES and self.pending.count == 1:
                seen["asked about a header alone as three trials failed"] += 1
        if model_regs.Counter.RX_SYNC_SELF in followed.counted:
            rest = "walked" if followed.complete or followed.pieces else "without any new byte"
            seen[f"frame that proved a trial, {rest}"] += 1
        return followed

    def answer(self, answer: model_regs.Answer, seq: int, number: int) -> model_regs.Reason:
        asked = bool(self.pending and self.pending.start == seq)
        state = self.state.name
        reason = super().answer(answer, seq, number)
        what = "pending" if asked else "not asked"
        _Observed.seen[f"answer {answer.name} of what is {what}: {reason.name}"] += 1
        if reason is model_regs.Reason.OK:
            _Observed.seen[f"answer {answer.name} in {state}"] += 1
        return reason

    def _step(self, event: rx_search.Event) -> None:
        before = self.state
        super()._step(event)
        _Observed.seen[f"state {before.name}, {event.name}: {self.state.name}"] += 1

    def _behind(self, seq: int) -> bool:
        walk, number, opened = self.walk, self.walk.number, self.opened
        behind = super()._behind(seq)
        passed = (walk.number - number) % record.NUMBERS
        if passed:
            where = "still ahead" if behind else "there"
            _Observed.seen[f"chain passed, the frame is then {where}"] += 1
            if passed > 1:
                _Observed.seen["chain of some records passed"] += 1
            if self.opened - opened > 1:
                _Observed.seen["chains passed one behind the other"] += 1
        return behind

    def _opened(self, before: int) -> None:
        chains = self.chains
        super()._opened(before)
        self.opened += 1
        if chains and not self.chains:
            _Observed.seen["chains dropped as bit 31 changes"] += 1

    def _try(self, seq: int, payload: bytes, *, begins: bool = False) -> bool:
        seen, failed = _Observed.seen, self.failed
        proved = super()._try(seq, payload, begins=begins)
        if proved:
            seen[f"trial proved by {'the frame it begins in' if begins else 'a later one'}"] += 1
        if self.failed > failed:
            seen[f"trial failed, number {self.failed}"] += 1
        return proved

    def _search(
        self, seq: int, payload: bytes, *, self_confirm: bool
    ) -> tuple[rx_search.Chain | None, bool]:
        seen, before = _Observed.seen, {id(c): (c.count, c) for c in self.chains}
        meeting = Counter(chain.next for chain in self.chains)
        followed = bool(self.tail) and seq == self.tail_end
        last, self.frames = self.frames, (self.frames[1] if followed else seq, seq)
        found = super()._search(seq, payload, self_confirm=self_confirm)
        for chain in self.chains:
            if before.get(id(chain), (0, chain))[0] == chain.count:
                continue
            kind = "first" if chain.count == 1 else "next"
            if meeting[chain.last] > 1:
                seen["next header of chains that meet"] += 1
            if chain.last != seq and (chain.last - seq) % record.SEQ >= record.HALF:
                before_that = followed and last[1] != chain.last
                many = before_that and (chain.last - last[1]) % record.SEQ >= record.HALF
                seen[f"{kind} header over {'more frames' if many else 'two frames'}"] += 1
            else:
                seen[f"{kind} header in a frame"] += 1
        seen[f"chains: {len(self.chains)}"] += 1
        return found

    def _start_trial(self, start: int, prefix: bytes) -> rx_search.Chain:
        seen, trial, records = _Observed.seen, self.trial, len(self.walk._open)
        chain = super()._start_trial(start, prefix)
        seen["trial in the place of another" if trial else "trial"] += 1
        if len(self.walk._open) < records:
            seen["oldest record dropped for a trial"] += 1
        return chain

    def _add_chain(self, start: int, prefix: bytes) -> rx_search.Chain:
        if None not in self.places:
            _Observed.seen["chain in the place of another"] += 1
        return super()._add_chain(start, prefix)

    def _drop(self, chain: rx_search.Chain) -> None:
        if chain is self.pending:
            _Observed.seen["pending chain dropped"] += 1
        if self.trial and self.trial.chain is chain:
            _Observed.seen["trial dropped with its chain"] += 1
        super()._drop(chain)


EXPECTED: Final = (
    "record complete before an older one",
    "record without text complete",
    "oldest record dropped",
    "frame across sequence number 2^32",
    "record across sequence number 2^32",
    "bytes taken of a frame that passes as OVERLAP",
    *(f"prefix ends after byte {n:2}" for n in range(1, 13)),
    *(f"records in a decrypted frame: {n}" for n in range(9)),
    *(f"open records: {n}" for n in range(1, 9)),
    *(f"runs of an open record: {n}" for n in range(1, 5)),
    # docs/receive.md, 7: each row of the table, and what else there is
    *(
        f"state {state.name}, {event.name}: {then.name}"
        for (state, event), then in rx_search.NEXT.items()
    ),
    "asked",
    "asked about a chain of some headers",
    "asked about another, and the pending one forgotten",
    "asked about a header alone as three trials failed",
    "event RESYNC_REQUEST",
    "event RESYNC_WITHDRAWN",
    "answer ACCEPT of what is pending: OK",
    "answer ACCEPT of what is not asked: OK",
    "answer ACCEPT of what is not asked: STALE",
    "answer REJECT of what is pending: OK",
    "answer REJECT of what is not asked: STALE",
    "answer ACCEPT in WAITING",
    "chain passed, the frame is then still ahead",
    "chain passed, the frame is then there",
    "chain of some records passed",
    "chains passed one behind the other",
    "trial",
    "trial in the place of another",
    "trial proved by the frame it begins in",
    "trial proved by a later one",
    *(f"trial failed, number {n}" for n in (1, 2, 3)),
    "trial dropped with its chain",
    "frame that proved a trial, walked",
    "pending chain dropped",
    "chain in the place of another",
    *(f"chains: {n}" for n in range(5)),
    *(
        f"{kind} header {where}"
        for kind in ("first", "next")
        for where in ("in a frame", "over two frames", "over more frames")
    ),
    "event lost",
)


@dataclass
class Tally:
    """What a run saw: frames by what they were meant to be and by reason, commands, situations."""

    frames: int = 0
    bytes: int = 0
    clocks: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    commands: Counter[str] = field(default_factory=Counter)
    situations: Counter[str] = field(default_factory=Counter)
    sent: TxTally = field(default_factory=TxTally)

    def add(self, other: Tally) -> None:
        """And what another one saw."""
        self.frames += other.frames
        self.bytes += other.bytes
        self.clocks += other.clocks
        self.kinds += other.kinds
        self.reasons += other.reasons
        self.commands += other.commands
        self.situations += other.situations
        self.sent.add(other.sent)

    def missing(self) -> list[str]:
        """What must come up in a long run, and did not."""
        reasons = [reason.name for reason in RxPass]
        answers = [f"ADD: {r}" for r in ("OK", "NO_SPACE", "BAD_ARGUMENT", "EXISTS")]
        answers += ["DEL: OK", "DEL: NO_CONNECTION"]
        answers += [f"RESYNC_RX: {r}" for r in ("OK", "STALE", "NO_CONNECTION")]
        return [
            *(f"reason {name}" for name in reasons if not self.reasons[name]),
            *(f"answer {name}" for name in answers if not self.commands[name]),
            *(name for name in EXPECTED if not self.situations[name]),
            *self.sent.missing(),
        ]


# ---- the two of them ----


class Registers(Protocol):
    """Of either."""

    def read(self, addr: int) -> int:
        """A register."""

    def write(self, addr: int, value: int) -> None:
        """Write a register."""


def prepare(device: Registers, command: Command) -> None:
    """Write a command to the mailbox."""

    def words(addr: int, data: bytes) -> None:
        for at in range(0, len(data), 4):
            device.write(addr + at, int.from_bytes(data[at : at + 4], "little"))

    flow = command.flow
    device.write(
        Addr.CMD_OP,
        command.opcode
        | command.direction << regs.CMD_OP_DIRECTION_LSB
        | command.version << regs.CMD_OP_VERSION_LSB
        | command.ip_version << regs.CMD_OP_IP_VERSION_LSB
        | command.answer << regs.CMD_OP_ANSWER_LSB
        | command.cipher << regs.CMD_OP_CIPHER_LSB,
    )
    device.write(Addr.CMD_CONNECTION, command.connection)
    if command.opcode == regs.Opcode.ADD:
        words(Addr.CMD_LOCAL_ADDR, flow.local)
        words(Addr.CMD_REMOTE_ADDR, flow.remote)
        ports = flow.local_port | flow.remote_port << regs.CMD_PORTS_REMOTE_LSB
        device.write(Addr.CMD_PORTS, ports)
        words(Addr.CMD_KEY, command.key)
        words(Addr.CMD_IV, command.iv)
    if command.opcode in (regs.Opcode.ADD, regs.Opcode.RESYNC_RX, regs.Opcode.RESYNC_TX):
        device.write(Addr.CMD_SEQ, command.seq)
        device.write(Addr.CMD_RECORD_LO, command.number & 0xFFFF_FFFF)
        device.write(Addr.CMD_RECORD_HI, command.number >> 32)


def ring(device: Registers) -> int:
    """Ring the doorbell; the answer, CMD_STATUS."""
    device.write(Addr.CMD_DOORBELL, regs.CMD_DOORBELL_START_MASK)
    for _ in range(POLLS):
        status = device.read(Addr.CMD_STATUS)
        if status & regs.CMD_STATUS_DONE_MASK:
            return status
    raise Difference("a command has no answer")


def counters(device: Registers) -> dict[str, int]:
    """All of them, and what else shows."""
    shown = {}
    for counter in regs.Counter:
        addr = regs.BLOCK_COUNTERS_FIRST + 8 * counter
        low = device.read(addr)
        shown[counter.name] = device.read(addr + 4) << 32 | low
    return shown | {a.name: device.read(a) for a in (Addr.IRQ_STATUS, Addr.EVENT_STATUS, Addr.CTRL)}


def events(device: Registers, limit: int) -> list[tuple[int, ...]]:
    """Take so many off the queue, or all: how many wait, and the three words of each."""
    taken: list[tuple[int, ...]] = []
    while len(taken) < limit and device.read(Addr.EVENT_TYPE):
        words = (Addr.EVENT_STATUS, Addr.EVENT_TYPE, Addr.EVENT_SEQ, Addr.EVENT_RECORDS)
        taken.append(tuple(device.read(addr) for addr in words))
    return taken


def _hex(words: Sequence[tuple[int, ...]]) -> str:
    return " ".join(f"{word:#x}" for event in words for word in event) or "none"


def _passed(word: int) -> str:
    number = word >> 24 & 0xF
    return RxPass(number).name if number < len(RxPass) else str(number)


def _compare(got: Received, want: Received, sent: bytes, note: Note) -> str:
    """How two differ, in words."""
    lines = [f"meant as: {note}", f"sent: {describe(sent)}"]
    if got[1] != want[1]:
        lines.append(
            f"descriptor {got[1]:#018x} ({_passed(got[1])}), "
            f"model {want[1]:#018x} ({_passed(want[1])})"
        )
    if got[0] != want[0]:
        lines += bytes_differ(got[0], want[0])
    return "\n  ".join(lines)


def _reason(status: int) -> regs.Reason:
    return regs.Reason((status & regs.CMD_STATUS_REASON_MASK) >> regs.CMD_STATUS_REASON_LSB)


def _name(command: Command) -> str:
    return {n.value: n.name for n in regs.Opcode}.get(command.opcode, "other")


class _Episode:
    """A fresh device and a fresh model, and what is under way in them."""

    def __init__(
        self, device: Under, traffic: Traffic, tally: Tally, connections: int, transmit: bool
    ) -> None:
        self.done = 0  # frames received
        self._device = device
        self._traffic = traffic
        self._tally = tally
        self._model = Tlsnic(Config(connections=connections))
        self._sending = Sending(device, self._model, tally.sent) if transmit else None
        self._sent: list[bytes] = []
        self._notes: list[Note] = []
        self._want: list[Received] = []
        self._asked: dict[int, list[int]] = {}  # by connection: places, the last one last
        self._control = Control(False, False)
        self._tx_enable = False

    def receive(self, step: Step) -> None:
        """A step of the receive side."""
        match step:
            case Frames():
                self._frames(step)
            case Command():
                self._command(step)
            case Resync():
                made = self._traffic.answer(step, self._asked.setdefault(step.connection, []))
                if made:
                    reason = self._command(made)
                    self._tally.commands[f"RESYNC_RX, {step.kind}: {reason.name}"] += 1
                    step.peer.misled |= reason.name == "OK" and step.kind in MISLEADING
            case Events():
                self._events(step)
            case Control():
                self._control = step
                self._switch()

    def transmit(self, step: TxStep) -> None:
        """A step of the transmit side."""
        assert self._sending is not None
        match step:
            case Items():
                self._sending.put(step)
            case TxControl():
                self._tx_enable = step.tx_enable
                self._switch()
            case Command():
                prepare(self._model, step)
                want = ring(self._model)
                reason = _reason(want)
                if reason is regs.Reason.OK:
                    connection = want >> regs.CMD_STATUS_ID_LSB
                    self._sending.settle(connection)
                prepare(self._device, step)
                self._sending.answered(step, ring(self._device), want)
                self._tally.sent.commands[f"{_name(step)}: {reason.name}"] += 1

    def finish(self) -> int:
        """All has come out, and all counters are the same; how many events were lost."""
        self._drain()
        got, want = counters(self._device), counters(self._model)
        if got != want:
            wrong = [f"{k} {got[k]}, model {want[k]}" for k in want if got[k] != want[k]]
            raise Difference("behind it: " + "; ".join(wrong))
        if self._sending is not None:
            self._sending.finish()
        return want[regs.Counter.EVENT_LOST.name]

    def _frames(self, step: Frames) -> None:
        self._sent += step.frames
        self._notes += step.notes
        for frame in step.frames:
            out, descriptor = self._model.receive(frame)
            self._want.append((out, descriptor.pack()))
            self._tally.reasons[descriptor.reason.name] += 1
            if descriptor.resync_request:
                told = self._asked.setdefault(descriptor.connection, [])
                told.append(descriptor.resync_seq)
                del told[:-KEPT]
        try:
            self._device.rx_send(step.frames, step.left)
        except Stuck as stuck:
            raise self._hangs(stuck) from None
        self._tally.frames += len(step.frames)
        self._tally.bytes += sum(map(len, step.frames))
        self._tally.kinds.update([note.kind for note in step.notes])
        self.done += len(step.frames)

    def _command(self, step: Command) -> regs.Reason:
        answers = []
        for one in (self._device, self._model):
            prepare(one, step)
            answers.append(ring(one))
        status = answers[1]
        reason = _reason(status)
        self._tally.commands[f"{_name(step)}: {reason.name}"] += 1
        if answers[0] != status:
            raise Difference(
                f"behind {len(self._sent)} frames, {step}:\n  "
                f"answer {answers[0]:#010x}, model {status:#010x}"
            )
        if step.opcode == regs.Opcode.ADD and reason is regs.Reason.OK:
            self._asked.pop(status >> regs.CMD_STATUS_ID_LSB, None)
        return reason

    def _events(self, step: Events) -> None:
        self._drain()
        took = [events(one, step.limit) for one in (self._device, self._model)]
        if took[0] != took[1]:
            at = next(n for n, (a, b) in enumerate(zip_longest(*took)) if a != b)
            raise Difference(
                f"event {at} of {len(took[1])}: "
                f"{_hex(took[0][at : at + 1])}, model {_hex(took[1][at : at + 1])}"
            )
        for register in (self._device, self._model):
            register.write(Addr.IRQ_STATUS, step.clear)

    def _switch(self) -> None:
        self._drain()
        value = (
            self._control.rx_enable * regs.CTRL_RX_ENABLE_MASK
            | self._control.avoid_partials * regs.CTRL_AVOID_PARTIALS_MASK
            | self._control.self_confirm * regs.CTRL_SELF_CONFIRM_MASK
            | self._tx_enable * regs.CTRL_TX_ENABLE_MASK
        )
        for register in (self._device, self._model):
            register.write(Addr.CTRL, value)

    def _drain(self) -> None:
        try:
            got = self._device.words(len(self._sent))
        except Stuck as stuck:
            raise self._hangs(stuck) from None
        want = self._want
        if got != want:
            at = next(n for n in range(len(want)) if got[n] != want[n])
            raise Difference(
                f"frame {at} of {len(self._sent)}:\n  "
                f"{_compare(got[at], want[at], self._sent[at], self._notes[at])}"
            )
        self._sent.clear()
        self._notes.clear()
        want.clear()
        if self._sending is not None:
            self._sending.drain()

    def _hangs(self, stuck: Stuck) -> Difference:
        at = stuck.came
        if at >= len(self._sent):
            return Difference(f"nothing goes in behind all {at} frames")
        return Difference(
            f"frame {at} of {len(self._sent)} does not come out:\n  "
            f"meant as: {self._notes[at]}\n  sent: {describe(self._sent[at])}\n  "
            f"model {self._want[at][1]:#018x}"
        )


def episode(
    device: Under,
    traffic: Traffic,
    frames: int,
    tally: Tally,
    connections: int = 64,
    length: int = BURST,
    sending: TxTraffic | None = None,
) -> None:
    """One traffic through a fresh device and a fresh model; Difference if they differ.

    The device has so many connections, a burst so many frames; with `sending` it has as many items
    for the other direction.
    """
    run = _Episode(device, traffic, tally, connections, sending is not None)
    rng = Random(f"interleaved {length}")
    burst = lost = 0
    while run.done < frames:
        count = min(length, frames - run.done)
        received, sent = traffic.burst(count), sending.burst(count) if sending else []
        # each side in its order, the two in any
        turns = [False] * len(received) + [True] * len(sent)
        rng.shuffle(turns)
        try:
            for is_sent in turns:
                if is_sent:
                    run.transmit(sent.pop(0))
                else:
                    run.receive(received.pop(0))
            lost = run.finish()
        except Difference as difference:
            raise Difference(f"burst {burst}, {difference}") from None
        burst += 1
    tally.situations["event lost"] += lost


@contextlib.contextmanager
def observed() -> Iterator[None]:
    """In it, what comes up in the model is noted, in `_Observed.seen` and that of `cosim_tx`."""
    with (
        mock.patch.object(rx, "Walk", _Observed),
        mock.patch.object(rx, "Boundary", _Searched),
        cosim_tx.observed(),
    ):
        yield


def run(seed: int, frames: int) -> Tally:
    """The episode of one seed; Difference says how to repeat it."""
    tally = Tally()
    traffic = Traffic(seed)
    sending = TxTraffic(seed, received=traffic)
    (gap, stall), (tx_gap, tx_stall, told_stall) = traffic.pace(), sending.pace()
    device = Rtl(gap=gap, stall=stall, seed=seed)
    device.pace(Stream.TX, tx_gap, tx_stall)
    device.pace(Stream.COMPLETIONS, 0, told_stall)
    _Observed.seen = Situations()
    cosim_tx.Observed.seen = Situations()
    try:
        with observed():
            episode(device, traffic, frames, tally, sending=sending)
        tally.clocks = device.clocks
    except Difference as difference:
        raise Difference(
            f"seed {seed}, gap {gap}, stall {stall}, to the wire {tx_gap} and {tx_stall}, "
            f"completions {told_stall}, {difference}\n"
            f"again: python -m cocotb_tests.cosim --seed {seed} --frames {frames}"
        ) from None
    finally:
        device.close()
        tally.situations.update(_Observed.seen)
        tally.sent.situations.update(cosim_tx.Observed.seen)
    return tally


def _job(task: tuple[int, int]) -> Tally | str:
    try:
        return run(*task)
    except Exception as error:  # told to the parent, whatever it is
        return f"{type(error).__name__}: seed {task[0]}, {task[1]} frames: {error}"


def tasks(seed: int, frames: int) -> Iterator[tuple[int, int]]:
    """Seed and frames of each episode."""
    while frames > 0:
        yield seed, min(EPISODE, frames)
        seed, frames = seed + 1, frames - EPISODE


def table(tally: Tally) -> list[Table]:
    """What is printed."""
    tables = []
    for title, received, sent in (
        ("Meant as", tally.kinds, tally.sent.kinds),
        ("Reason", tally.reasons, tally.sent.reasons),
        ("Answers", tally.commands, tally.sent.commands),
        ("Walks", tally.situations, tally.sent.situations),
    ):
        shown = Table(title=title, box=None)
        shown.add_column("")
        for column in ("received", "sent"):
            shown.add_column(column, justify="right")
        for name in sorted({*received, *sent}):
            counts = (f"{of[name]:,}" if of[name] else "" for of in (received, sent))
            shown.add_row(name, *counts)
        tables.append(shown)
    return tables


def main() -> int:
    """The command line above."""
    parser = argparse.ArgumentParser(description="the RTL against the model, random traffic")
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=seed(), help="SEED, or the clock")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    print(f"cosim --seed {options.seed} --frames {options.frames}", flush=True)
    Rtl().close()  # builds it
    total = Tally()
    begin = time.monotonic()
    failed = ""
    todo = tasks(options.seed, options.frames)
    with multiprocessing.Pool(options.jobs) as pool:
        done = map(_job, todo) if options.jobs == 1 else pool.imap(_job, todo)
        for result in done:
            if isinstance(result, str):
                failed = result
                break
            total.add(result)
        pool.terminate()
    seconds = time.monotonic() - begin
    console = Console(width=100)
    for shown in table(total):
        console.print(shown)
    print(
        f"{total.frames:,} frames, {total.bytes / max(1, total.frames):.0f} bytes each, "
        f"{total.clocks:,} clocks, {total.frames / seconds:,.0f} frames a second"
    )
    print(
        f"{total.sent.items:,} items for the wire, "
        f"{total.sent.bytes / max(1, total.sent.items):.0f} bytes each, "
        f"{total.sent.checked:,} bytes of payload checked by themselves"
    )
    if failed:
        print(failed)
        return 1
    missing = total.missing()
    if missing:
        print("did not come up: " + "; ".join(missing))
    return int(bool(missing) and options.frames >= LONG)


if __name__ == "__main__":
    sys.exit(main())
