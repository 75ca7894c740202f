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
from typing import Final, Protocol
from unittest import mock

from rich.console import Console
from rich.table import Table

from cocotb_tests.harness import seed
from cocotb_tests.traffic import (
    MISLEADING,
    Command,
    Control,
    Events,
    Frames,
    Note,
    Resync,
    Traffic,
)
from host import packet, regs
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


class Under(Protocol):
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


class Difference(Exception):
    """The two do not agree; the text says where."""


class Stuck(Exception):
    """Nothing comes out any more; `came` frames did since the last drain."""

    def __init__(self, came: int) -> None:
        super().__init__(f"nothing comes out behind {came} frames")
        self.came = came


class Rtl(RtlDevice):
    """The RTL, with descriptors as they are: reserved bits too."""

    def words(self, frames: int) -> list[Received]:
        """The next frames that come out; waits for as many."""
        taken: list[Received] = []
        while (wanted := min(BATCH, frames - len(taken))) > 0:
            try:
                self._run(Stream.RX, wanted, 1 << 40)
            except Stuck as stuck:
                raise Stuck(len(taken) + stuck.came) from None
            taken += self._waiting(Stream.RX, wanted)
        return taken

    def _run(self, stream: Stream, out: int, left: int) -> None:
        """Until so many wait to be taken, and at most `left` to go in; as long as some do."""
        waiting = -1
        limits = [ctypes.c_uint64(n) for n in (out, left, PATIENCE)]
        while self._lib.tlsnic_run(self._sim, stream, *limits) < 0:
            before, waiting = waiting, self._lib.tlsnic_waiting(self._sim, stream)
            if waiting == before:
                raise Stuck(waiting)


# ---- what came up ----


class Situations(Counter[str]):
    """What came up in walks, by name."""


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

    def add(self, other: Tally) -> None:
        """And what another one saw."""
        self.frames += other.frames
        self.bytes += other.bytes
        self.clocks += other.clocks
        self.kinds += other.kinds
        self.reasons += other.reasons
        self.commands += other.commands
        self.situations += other.situations

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
    if command.opcode in (regs.Opcode.ADD, regs.Opcode.RESYNC_RX):
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


def describe(frame: bytes) -> str:
    """A frame in short."""
    read = packet.parse(frame)
    text = f"{len(frame)} bytes, {frame[:96].hex()}"
    if read is None:
        return text
    segment = read.segment
    if segment is None:
        return f"IP without a whole TCP segment, {text}"
    ends = " > ".join(
        packet.endpoint(address, port)
        for address, port in (
            (read.source, segment.source_port),
            (read.destination, segment.destination_port),
        )
    )
    size = segment.end - segment.start
    return f"{ends} seq {segment.seq:#010x} flags {segment.flags:#04x} payload {size}, {text}"


def _hex(words: Sequence[tuple[int, ...]]) -> str:
    return " ".join(f"{word:#x}" for event in words for word in event) or "none"


def _reason(word: int) -> str:
    number = word >> 24 & 0xF
    return RxPass(number).name if number < len(RxPass) else str(number)


def _compare(got: Received, want: Received, sent: bytes, note: Note) -> str:
    """How two differ, in words."""
    lines = [f"meant as: {note}", f"sent: {describe(sent)}"]
    if got[1] != want[1]:
        lines.append(
            f"descriptor {got[1]:#018x} ({_reason(got[1])}), "
            f"model {want[1]:#018x} ({_reason(want[1])})"
        )
    if got[0] != want[0]:
        a, b = got[0], want[0]
        if len(a) != len(b):
            lines.append(f"{len(a)} bytes, model {len(b)}")
        at = next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), 0)
        bad = sum(x != y for x, y in zip(a, b, strict=False))
        lines.append(
            f"{bad} bytes differ, the first is {at}: {a[at : at + 16].hex()}, "
            f"model {b[at : at + 16].hex()}"
        )
    return "\n  ".join(lines)


def episode(
    device: Under,
    traffic: Traffic,
    frames: int,
    tally: Tally,
    connections: int = 64,
    length: int = BURST,
) -> None:
    """One traffic through a fresh device and a fresh model; Difference if they differ.

    The device has so many connections, a burst so many frames.
    """
    model = Tlsnic(Config(connections=connections))
    sent: list[bytes] = []
    notes: list[Note] = []
    want: list[Received] = []
    asked: dict[int, list[int]] = {}  # by connection: sequence numbers, the last one last

    def drain() -> None:
        try:
            got = device.words(len(sent))
        except Stuck as stuck:
            raise hangs(stuck) from None
        if got != want:
            at = next(n for n in range(len(want)) if got[n] != want[n])
            raise Difference(
                f"burst {burst}, frame {at} of {len(sent)}:\n  "
                f"{_compare(got[at], want[at], sent[at], notes[at])}"
            )
        sent.clear()
        notes.clear()
        want.clear()

    def hangs(stuck: Stuck) -> Difference:
        at = stuck.came
        if at >= len(sent):
            return Difference(f"burst {burst}: nothing goes in behind all {at} frames")
        return Difference(
            f"burst {burst}, frame {at} of {len(sent)} does not come out:\n  "
            f"meant as: {notes[at]}\n  sent: {describe(sent[at])}\n  model {want[at][1]:#018x}"
        )

    def command(step: Command) -> regs.Reason:
        answers = []
        for one in (device, model):
            prepare(one, step)
            answers.append(ring(one))
        status = answers[1]
        reason = regs.Reason((status & regs.CMD_STATUS_REASON_MASK) >> regs.CMD_STATUS_REASON_LSB)
        names = {n.value: n.name for n in regs.Opcode}
        tally.commands[f"{names.get(step.opcode, 'other')}: {reason.name}"] += 1
        if answers[0] != answers[1]:
            raise Difference(
                f"burst {burst}, behind {len(sent)} frames, {step}:\n  "
                f"answer {answers[0]:#010x}, model {answers[1]:#010x}"
            )
        if step.opcode == regs.Opcode.ADD and reason is regs.Reason.OK:
            asked.pop(status >> regs.CMD_STATUS_ID_LSB, None)
        return reason

    burst = done = 0
    while done < frames:
        for step in traffic.burst(min(length, frames - done)):
            match step:
                case Frames():
                    sent += step.frames
                    notes += step.notes
                    for frame in step.frames:
                        out, descriptor = model.receive(frame)
                        want.append((out, descriptor.pack()))
                        tally.reasons[descriptor.reason.name] += 1
                        if descriptor.resync_request:
                            told = asked.setdefault(descriptor.connection, [])
                            told.append(descriptor.resync_seq)
                            del told[:-KEPT]
                    try:
                        device.rx_send(step.frames, step.left)
                    except Stuck as stuck:
                        raise hangs(stuck) from None
                    tally.frames += len(step.frames)
                    tally.bytes += sum(map(len, step.frames))
                    tally.kinds.update([note.kind for note in step.notes])
                    done += len(step.frames)
                case Command():
                    command(step)
                case Resync():
                    made = traffic.answer(step, asked.setdefault(step.connection, []))
                    if made:
                        reason = command(made)
                        tally.commands[f"RESYNC_RX, {step.kind}: {reason.name}"] += 1
                        step.peer.misled |= reason.name == "OK" and step.kind in MISLEADING
                case Events():
                    drain()
                    took = [events(one, step.limit) for one in (device, model)]
                    if took[0] != took[1]:
                        at = next(n for n, (a, b) in enumerate(zip_longest(*took)) if a != b)
                        raise Difference(
                            f"burst {burst}, event {at} of {len(took[1])}: "
                            f"{_hex(took[0][at : at + 1])}, model {_hex(took[1][at : at + 1])}"
                        )
                    for register in (device, model):
                        register.write(Addr.IRQ_STATUS, step.clear)
                case Control():
                    drain()
                    value = (
                        step.rx_enable * regs.CTRL_RX_ENABLE_MASK
                        | step.avoid_partials * regs.CTRL_AVOID_PARTIALS_MASK
                        | step.self_confirm * regs.CTRL_SELF_CONFIRM_MASK
                    )
                    for register in (device, model):
                        register.write(Addr.CTRL, value)
        drain()
        got, wanted = counters(device), counters(model)
        if got != wanted:
            wrong = [f"{k} {got[k]}, model {wanted[k]}" for k in wanted if got[k] != wanted[k]]
            raise Difference(f"behind burst {burst}: {'; '.join(wrong)}")
        burst += 1
    tally.situations["event lost"] += wanted[regs.Counter.EVENT_LOST.name]


@contextlib.contextmanager
def observed() -> Iterator[None]:
    """In it, what comes up in the model's walks and searches is noted in `_Observed.seen`."""
    with (
        mock.patch.object(rx, "Walk", _Observed),
        mock.patch.object(rx, "Boundary", _Searched),
    ):
        yield


def run(seed: int, frames: int) -> Tally:
    """The episode of one seed; Difference says how to repeat it."""
    tally = Tally()
    traffic = Traffic(seed)
    gap, stall = traffic.pace()
    device = Rtl(gap=gap, stall=stall, seed=seed)
    _Observed.seen = Situations()
    try:
        with observed():
            episode(device, traffic, frames, tally)
        tally.clocks = device.clocks
    except Difference as difference:
        raise Difference(
            f"seed {seed}, gap {gap}, stall {stall}, {difference}\n"
            f"again: python -m cocotb_tests.cosim --seed {seed} --frames {frames}"
        ) from None
    finally:
        device.close()
        tally.situations.update(_Observed.seen)
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
    for title, counts in (
        ("Meant as", tally.kinds),
        ("Reason", tally.reasons),
        ("Answers", tally.commands),
        ("Walks", tally.situations),
    ):
        shown = Table(title=title, box=None)
        shown.add_column("")
        shown.add_column("", justify="right")
        for name, count in sorted(counts.items()):
            shown.add_row(name, f"{count:,}")
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
    if failed:
        print(failed)
        return 1
    missing = total.missing()
    if missing:
        print("did not come up: " + "; ".join(missing))
    return int(bool(missing) and options.frames >= LONG)


if __name__ == "__main__":
    sys.exit(main())
