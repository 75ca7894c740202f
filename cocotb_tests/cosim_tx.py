"""The transmit side of `cosim`: items into a device and the model, all that comes out equal.

Compared are every frame that leaves, every completion's 192 bits, and behind the last what comes
besides. Every frame that leaves a device is shown to `MacMonitor`, too, which asks no model. What
came up in the model is noted; `EXPECTED` must come up in a long run.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol
from unittest import mock

from cocotb_tests.compare import Difference, Situations, Stuck, bytes_differ, describe
from cocotb_tests.mac_monitor import MacMonitor
from cocotb_tests.traffic import Command, Note
from cocotb_tests.traffic_tx import Item, Items, Sender
from host import regs
from host.device_rtl import Stream as Out
from model import tlsnic, tx, tx_walk
from model.lookup import Flow
from model.parse import Segment
from model.record import HALF, HEADER, PREFIX, SEQ, TAG, size_of
from model.regs import Opcode, Reason, TlsVersion, TxDrop, TxKind
from model.tlsnic import Tlsnic
from model.tx import Completion, Sent, Tx, TxContext, TxDescriptor, as_told, sought
from model.tx_walk import Place

Word = tuple[bytes, int]  # of a completion: 128 bits, and 64


class Sends(Protocol):
    """What is compared with the model: the way to the wire."""

    def tx_send(self, items: Sequence[tuple[bytes, int]], left: int = 0) -> None:
        """Queue items with their descriptors; return as soon as at most `left` are to go in."""

    def tx_take(self, frames: int) -> list[bytes]:
        """The next frames that leave; waits for as many."""

    def txc_take(self, words: int) -> list[Word]:
        """The next completions; waits for as many."""

    def came(self, stream: Out) -> int:
        """How many of a stream came out and were not taken."""


@dataclass
class TxTally:
    """What a run saw of transmit: items by what they were meant to be and by what came of them."""

    items: int = 0
    bytes: int = 0
    checked: int = 0  # bytes of payload that the monitor compared
    kinds: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    commands: Counter[str] = field(default_factory=Counter)
    situations: Counter[str] = field(default_factory=Counter)

    def add(self, other: TxTally) -> None:
        """And what another one saw."""
        self.items += other.items
        self.bytes += other.bytes
        self.checked += other.checked
        self.kinds += other.kinds
        self.reasons += other.reasons
        self.commands += other.commands
        self.situations += other.situations

    def missing(self) -> list[str]:
        """What must come up in a long run, and did not."""
        answers = [f"ADD: {r}" for r in ("OK", "NO_SPACE", "BAD_ARGUMENT", "EXISTS")]
        answers += [f"{o}: {r}" for o in ("DEL", "RESYNC_TX") for r in ("OK", "NO_CONNECTION")]
        return [
            *(f"transmit, {name}" for name in REASONS if not self.reasons[name]),
            *(f"transmit, answer {name}" for name in answers if not self.commands[name]),
            *(f"transmit, {name}" for name in EXPECTED if not self.situations[name]),
        ]


class Sending:
    """The transmit side of one episode."""

    def __init__(self, device: Sends, model: Tlsnic, tally: TxTally) -> None:
        self.monitor = MacMonitor()
        self._device = device
        self._model = model
        self._tally = tally
        self._items: list[Item] = []
        self._notes: list[Note] = []
        self._want: list[Sent] = []

    def put(self, step: Items) -> None:
        """Items into both."""
        tally = self._tally
        for item, note in zip(step.items, step.notes, strict=True):
            self.monitor.handed(item.frame, item.connection, item.kind)
            sent = self._model.send(item.frame, TxDescriptor(item.connection, item.kind))
            self._want.append(sent)
            tally.bytes += len(item.frame)
            tally.reasons[f"{item.kind.name}: {sent.completions[-1].reason.name}"] += 1
            tally.kinds[note.kind] += 1
        tally.items += len(step.items)
        self._items += step.items
        self._notes += step.notes
        try:
            self._device.tx_send([(item.frame, item.word) for item in step.items], step.left)
        except Stuck:
            raise self._hangs(0, 0) from None

    def settle(self, connection: int) -> None:
        """Wait until no item of a connection is still to go in."""
        kept = 0
        for item in reversed(self._items):
            if item.kind is not TxKind.PLAIN and item.connection == connection:
                break
            kept += 1
        try:
            self._device.tx_send([], kept)
        except Stuck:
            raise self._hangs(0, 0) from None

    def answered(self, step: Command, got: int, want: int) -> None:
        """A command was answered; Difference if not as the model does."""
        if got != want:
            raise Difference(
                f"behind {len(self._items)} items, {step}:\n  "
                f"answer {got:#010x}, model {want:#010x}"
            )
        if want & regs.CMD_STATUS_REASON_MASK:
            return
        connection = want >> regs.CMD_STATUS_ID_LSB
        match step.opcode:
            case Opcode.ADD:
                assert isinstance(step.end, Sender)
                self.monitor.added(connection, step.end.stream, step.seq, step.number)
            case Opcode.DEL:
                self.monitor.deleted(connection)
            case Opcode.RESYNC_TX:
                self.monitor.resynced(connection, step.seq, step.number)

    def drain(self) -> None:
        """Take all that must come out, and compare it."""
        frames = sum(sent.frame is not None for sent in self._want)
        words = sum(len(sent.completions) for sent in self._want)
        stuck = False
        told: list[Word] = []
        try:
            told = self._device.txc_take(words)
            left = self._device.tx_take(frames)
        except Stuck:
            stuck = True
            came = self._came()
            left, told = self._device.tx_take(came[0]), told + self._device.txc_take(came[1])
        self._compare(left, told)
        if stuck:
            raise self._hangs(len(left), len(told))
        self._items.clear()
        self._notes.clear()
        self._want.clear()
        self.monitor.settled()

    def finish(self) -> None:
        """Nothing came besides, and all was right on the wire."""
        frames, words = self._came()
        if frames or words:
            for frame in self._device.tx_take(frames):
                self.monitor.left(frame)
            told = [f"{word[1]:#018x}" for word in self._device.txc_take(words)]
            raise Difference(
                f"{frames} frames and {words} completions that the model does not have: "
                f"{' '.join([*self.monitor.broken, *told])}"
            )
        self._tally.checked, self.monitor.right = self._tally.checked + self.monitor.right, 0

    def _came(self) -> tuple[int, int]:
        return self._device.came(Out.TX), self._device.came(Out.COMPLETIONS)

    def _compare(self, left: list[bytes], told: list[Word]) -> None:
        """As far as there is something: the first item of which something is another."""
        for each in left:
            self.monitor.left(each)
        frames, words = iter(left), iter(told)
        for n, sent in enumerate(self._want):
            for want in sent.completions:
                word = next(words, None)
                if word is not None and word != _packed(want):
                    raise self._differ(n, [f"completion {_told(word)}", f"model {want}"])
            if sent.frame is not None:
                got = next(frames, None)
                if got is not None and got != sent.frame:
                    raise self._differ(n, bytes_differ(got, sent.frame))
        if self.monitor.broken:
            raise Difference("the model agrees, but " + self.monitor.broken[0])

    def _differ(self, n: int, lines: list[str]) -> Difference:
        item, note = self._items[n], self._notes[n]
        text = [f"item {n} of {len(self._items)}, {item.kind.name} of {item.connection}:"]
        text += [f"meant as: {note}", f"sent: {describe(item.frame)}", *lines]
        text += [f"on the wire: {line}" for line in self.monitor.broken[:1]]
        return Difference("\n  ".join(text))

    def _hangs(self, left: int, told: int) -> Difference:
        """The first item of which not all came."""
        if not self._items:
            return Difference("no item goes in, and none is under way")
        for n, sent in enumerate(self._want):
            left -= sent.frame is not None
            told -= len(sent.completions)
            if left < 0 or told < 0:
                what = "its frame" if left < 0 else "its completion"
                return self._differ(n, [f"{what} does not come: model {sent.completions}"])
        return self._differ(len(self._items) - 1, ["nothing goes in behind it"])


def _packed(completion: Completion) -> Word:
    data, word = completion.pack()
    return data.to_bytes(TAG, "little"), word


def _told(word: Word) -> str:
    try:
        return str(Completion.unpack(int.from_bytes(word[0], "little"), word[1]))
    except ValueError:
        return f"{word[1]:#018x} {word[0].hex()}, with a bit that has no meaning there"


# ---- what came up ----

EXPECTED: Final = (
    *(f"prefix ends after byte {n:2}" for n in range(1, 13)),
    *(f"tag ends after byte {n:2}" for n in range(1, 16)),
    *(f"records in a frame: {n}" for n in range(9)),
    *(f"tags of a frame: {n}" for n in range(9)),
    *(f"seek: to byte {n:2} of the prefix" for n in range(13)),
    *(f"seek: to {place}" for place in ("the text", "the tag", "the last byte")),
    *(f"seek: ended by {what}" for what in ("PLAIN", "CONTEXT", "another id", "BAD_FRAME")),
    "seek: ended by NO_CONNECTION",
    "seek: ended by DEL",
    "seek: a prefix that is not the context's",
    "seek: ended by a frame that is too long",
    "seek: a command before the frame",
    "seek: a tag that was told for it is written",
    "seek: a tag of a record behind the first",
    *(f"seek: {order}" for order in ("what is next anyhow", "before its turn", "again")),
    "record without text",
    "frame across sequence number 2^32",
    "record across sequence number 2^32",
    "record number across 2^64",
    "resync by CONTEXT within a record",
    "resync by RESYNC_TX within a record",
    "tags told of a frame that is dropped",
    "no payload, an id that is none",
    "frame of 9,600 bytes encrypted",
    "frame of 60 bytes encrypted",
)
_TX_KINDS: Final = {
    TxKind.PLAIN: (TxDrop.NONE, TxDrop.BAD_FRAME),
    TxKind.ENCRYPT: tuple(TxDrop),
    TxKind.FEED: tuple(TxDrop),
    TxKind.CONTEXT: (TxDrop.NONE, TxDrop.DISABLED, TxDrop.BAD_FRAME, TxDrop.NO_CONNECTION),
}
REASONS: Final = tuple(
    f"{kind.name}: {reason.name}" for kind, reasons in _TX_KINDS.items() for reason in reasons
)


class Observed(Tx):
    """The model's transmit path; notes in `seen` what comes up in it."""

    seen: Situations = Situations()
    _next: int | None = None  # of the connection whose frame seeks
    _commanded = False  # since the last item

    def send(self, frame: bytes, descriptor: TxDescriptor, *, enabled: bool) -> Sent:
        """As the model's; notes what comes of it."""
        seen, seek = self.seen, self._seek
        Observed._next = None
        sent = super().send(frame, descriptor, enabled=enabled)
        *told, own = sent.completions
        encrypts = descriptor.kind in (TxKind.ENCRYPT, TxKind.FEED)
        if seek is not None:
            self._behind_seek(frame, descriptor, seek[0], own.reason)
            if told and encrypts and self._next is not None:
                seen["seek: a tag of a record behind the first"] += 1
        if encrypts and own.reason in (TxDrop.NONE, TxDrop.BAD_RECORD):
            seen[f"tags of a frame: {min(len(told), 9)}{'+' * (len(told) > 8)}"] += 1
        if told and own.reason:
            seen["tags told of a frame that is dropped"] += 1
        if sent.frame is not None and sent.frame != frame and len(frame) in (60, 9600):
            seen[f"frame of {len(frame):,} bytes encrypted"] += 1
        if encrypts and not own.reason and own.connection not in self._connections:
            seen["no payload, an id that is none"] += 1
        self._commanded = False
        return sent

    def add(
        self, flow: Flow, version: TlsVersion, key: bytes, iv: bytes, seq: int, number: int
    ) -> tuple[Reason, int]:
        """As the model's."""
        self._commanded = True
        return super().add(flow, version, key, iv, seq, number)

    def delete(self, connection: int) -> Reason:
        """As the model's; notes whether a frame that seeks was awaited."""
        if self._seek and self._seek[0] == connection:
            self.seen["seek: ended by DEL"] += 1
        return super().delete(connection)

    def resync(self, connection: int, seq: int, number: int) -> Reason:
        """As the model's; notes what it is in the middle of."""
        self._commanded = True
        if connection in self._connections and self._connections[connection].place.before:
            self.seen["resync by RESYNC_TX within a record"] += 1
        return super().resync(connection, seq, number)

    def _context(self, data: bytes, connection: int) -> Sent:
        before = self._connections[connection].place if connection in self._connections else None
        sent = super()._context(data, connection)
        if before is not None and before.before and self._connections[connection].place != before:
            self.seen["resync by CONTEXT within a record"] += 1
        return sent

    def _frame(
        self, frame: bytes, connection: int, context: TxContext | None, *, leaves: bool
    ) -> Sent:
        if context is not None and connection in self._connections:
            Observed._next = self._connections[connection].place.next
        return super()._frame(frame, connection, context, leaves=leaves)

    def _behind_seek(
        self, frame: bytes, descriptor: TxDescriptor, connection: int, reason: TxDrop
    ) -> None:
        """The item behind a context that seeks."""
        if len(frame) > self._max_frame:
            what = "ended by a frame that is too long"
        elif descriptor.kind in (TxKind.PLAIN, TxKind.CONTEXT):
            what = f"ended by {descriptor.kind.name}"
        elif descriptor.connection != connection:
            what = "ended by another id"
        elif reason in (TxDrop.BAD_FRAME, TxDrop.NO_CONNECTION):
            what = f"ended by {reason.name}"
        else:
            what = "a command before the frame" if self._commanded else "its frame"
        self.seen[f"seek: {what}"] += 1


def _sought(version: TlsVersion, context: TxContext, segment: Segment) -> Place | TxDrop:
    """`sought` of the model; notes where."""
    found, seen = sought(version, context, segment), Observed.seen
    if isinstance(found, Place):
        at = (segment.seq - context.seq) % SEQ
        size, total = PREFIX[version], size_of(context.prefix) if at >= HEADER else SEQ
        where = "the text" if at < total - TAG else "the tag" if at < total - 1 else "the last byte"
        seen[f"seek: to {f'byte {at:2} of the prefix' if at < size else where}"] += 1
        if at > size and at + segment.length > total - TAG:
            seen["seek: a tag that was told for it is written"] += 1
        if Observed._next is not None:
            ahead = (segment.seq - Observed._next) % SEQ
            order = "before its turn" if ahead < HALF else "again"
            seen[f"seek: {order if ahead else 'what is next anyhow'}"] += 1
    return found


def _as_told(payload: bytes, place: Place, prefix: bytes) -> bool:
    """`as_told` of the model; notes if not."""
    told = as_told(payload, place, prefix)
    if not told:
        Observed.seen["seek: a prefix that is not the context's"] += 1
    return told


def _walk(version: TlsVersion, place: Place, payload: bytes) -> tx_walk.Walked:
    """`walk` of the model; notes what comes up in it."""
    walked, seen = tx_walk.walk(version, place, payload), Observed.seen
    behind = walked.place
    if behind is None:
        return walked
    count, at = len(walked.parts), len(behind.before)
    seen[f"records in a frame: {min(count, 9)}{'+' * (count > 8)}"] += 1
    if 0 < at < PREFIX[version]:
        seen[f"prefix ends after byte {at:2}"] += 1
    elif at and at > size_of(behind.before) - TAG:
        seen[f"tag ends after byte {at - size_of(behind.before) + TAG:2}"] += 1
    if place.next + len(payload) > SEQ:
        seen["frame across sequence number 2^32"] += 1
    if behind.number < place.number:
        seen["record number across 2^64"] += 1
    for part in walked.parts:
        if part.record.start + part.record.total > SEQ:
            seen["record across sequence number 2^32"] += 1
        if part.record.text_end == len(part.record.prefix):
            seen["record without text"] += 1
    return walked


@contextlib.contextmanager
def observed() -> Iterator[None]:
    """In it, what comes up in the model of transmit is noted in `Observed.seen`."""
    with (
        mock.patch.object(tlsnic, "Tx", Observed),
        mock.patch.object(tx, "sought", _sought),
        mock.patch.object(tx, "as_told", _as_told),
        mock.patch.object(tx, "walk", _walk),
    ):
        yield
