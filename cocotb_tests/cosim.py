"""The RTL against the model, in this process: the same traffic into both, all that comes out equal.

    python -m cocotb_tests.cosim --frames N --seed S [--jobs 2]

A run is episodes: an episode is a fresh device, the traffic of one seed (S, S + 1, ...) in bursts,
and its own pace on both streams. Compared are every frame, every descriptor's 64 bits, the answer
of every command, and behind each burst every counter. On a difference it says which frame, and the
command that repeats the episode; the exit status is then 1. A run of LONG frames or more also fails
if something that must come up in it (a reason, a situation of the walk) did not.
"""

from __future__ import annotations

import argparse
import ctypes
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol
from unittest import mock

from rich.console import Console
from rich.table import Table

from cocotb_tests.harness import seed
from cocotb_tests.traffic import Command, Control, Frames, Note, Traffic
from host import packet, regs
from host.device_rtl import BATCH, RtlDevice
from host.regs import Addr, RxPass
from model import regs as model_regs
from model import rx, rx_walk
from model.tlsnic import Config, Tlsnic

EPISODE: Final = 4_000  # frames
BURST: Final = 400
LONG: Final = 100_000
OVERLAP: Final = model_regs.RxPass.OVERLAP
POLLS: Final = 20_000
PATIENCE: Final = 40_000  # clocks for a frame to go through: the longest takes 600 words

Received = tuple[bytes, int]  # a frame, and its descriptor's 64 bits


class Under(Protocol):
    """What is compared with the model."""

    def read(self, addr: int) -> int:
        """A register."""

    def write(self, addr: int, value: int) -> None:
        """Write a register."""

    def send(self, frames: Sequence[bytes], left: int = 0) -> None:
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
                self._run(wanted, 1 << 40)
            except Stuck as stuck:
                raise Stuck(len(taken) + stuck.came) from None
            taken += self._waiting(wanted)
        return taken

    def _run(self, out: int, left: int) -> None:
        """Until so many wait to be taken, and at most `left` to go in; as long as some do."""
        waiting = -1
        limits = [ctypes.c_uint64(n) for n in (out, left, PATIENCE)]
        while self._lib.tlsnic_run(self._sim, *limits) < 0:
            before, waiting = waiting, self._lib.tlsnic_waiting(self._sim)
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
        if seq + len(payload) >= rx_walk.SEQ:
            seen["frame across sequence number 2^32"] += 1
        for complete in walked.complete:
            if id(complete.record) in oldest[1:]:
                seen["record complete before an older one"] += 1
            if complete.record.total == len(complete.record.prefix) + rx_walk.TAG:
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
        | command.cipher << regs.CMD_OP_CIPHER_LSB,
    )
    device.write(Addr.CMD_CONNECTION, command.connection)
    if command.opcode == regs.Opcode.ADD:
        words(Addr.CMD_LOCAL_ADDR, flow.local)
        words(Addr.CMD_REMOTE_ADDR, flow.remote)
        ports = flow.local_port | flow.remote_port << regs.CMD_PORTS_REMOTE_LSB
        device.write(Addr.CMD_PORTS, ports)
        device.write(Addr.CMD_SEQ, command.seq)
        device.write(Addr.CMD_RECORD_LO, command.number & 0xFFFF_FFFF)
        device.write(Addr.CMD_RECORD_HI, command.number >> 32)
        words(Addr.CMD_KEY, command.key)
        words(Addr.CMD_IV, command.iv)


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
                    try:
                        device.send(step.frames, step.left)
                    except Stuck as stuck:
                        raise hangs(stuck) from None
                    tally.frames += len(step.frames)
                    tally.bytes += sum(map(len, step.frames))
                    tally.kinds.update([note.kind for note in step.notes])
                    done += len(step.frames)
                case Command():
                    answers = []
                    for one in (device, model):
                        prepare(one, step)
                        answers.append(ring(one))
                    status = answers[1]
                    reason = regs.Reason(
                        (status & regs.CMD_STATUS_REASON_MASK) >> regs.CMD_STATUS_REASON_LSB
                    )
                    names = {n.value: n.name for n in regs.Opcode}
                    tally.commands[f"{names.get(step.opcode, 'other')}: {reason.name}"] += 1
                    if answers[0] != answers[1]:
                        raise Difference(
                            f"burst {burst}, behind {len(sent)} frames, {step}:\n  "
                            f"answer {answers[0]:#010x}, model {answers[1]:#010x}"
                        )
                case Control():
                    drain()
                    value = (
                        step.rx_enable * regs.CTRL_RX_ENABLE_MASK
                        | step.avoid_partials * regs.CTRL_AVOID_PARTIALS_MASK
                    )
                    for register in (device, model):
                        register.write(Addr.CTRL, value)
        drain()
        got, wanted = counters(device), counters(model)
        if got != wanted:
            wrong = [f"{k} {got[k]}, model {wanted[k]}" for k in wanted if got[k] != wanted[k]]
            raise Difference(f"behind burst {burst}: {'; '.join(wrong)}")
        burst += 1


def observed() -> mock._patch[type[rx_walk.Walk]]:
    """A context in which the model's walks are noted in `_Observed.seen`."""
    return mock.patch.object(rx, "Walk", _Observed)


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
