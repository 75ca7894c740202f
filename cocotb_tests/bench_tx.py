"""Clocks of the transmit path, measured on the RTL.

`python -m cocotb_tests.bench` prints these tables below those of `bench_rx`, whose frames, records
and targets these are. In: nothing. Out: figures by name, and tables. RuntimeError if an item was
dropped that is measured, or a frame left that may not (`MacMonitor`). Clocks are exact and the
same everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle, islice
from random import Random
from typing import Any, Final

import cocotb
from cocotb.task import bridge
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from rich.table import Table

from cocotb_tests.bench_rx import (
    CONNECTIONS,
    FULL,
    LEAST,
    RECORDS,
    TARGET,
    TARGET_ADD,
    TARGET_LATENCY,
    WIRE,
    Steady,
    answered,
    note,
)
from cocotb_tests.cosim import Rtl, prepare, ring
from cocotb_tests.device import CocotbDevice, NicBench
from cocotb_tests.mac_monitor import MacMonitor
from cocotb_tests.traffic import Flow, add
from cocotb_tests.traffic_tx import Even, Item, context
from host import regs
from host.device_rtl import Stream
from host.regs import Addr
from model.regs import Cipher, TlsVersion, TxKind

WORDS: Final = 95  # of a full frame
HEADERS: Final = 3  # words of a full frame before the one in which its payload begins
AGAIN: Final = 20  # every so many frames one is sent again
BEHIND: Final = 5  # so many frames after the one that was lost
RECORD: Final = 16384


class Steadfast(Even):
    """A TLS 1.3 connection with AES-128: records of one size, in order."""

    def __init__(self, number: int, text: int) -> None:
        local, remote = b"\x0a\0\0\1", b"\x0a\0\2" + bytes([number])
        flow = Flow(local, remote, 443, 1000 + number)
        super().__init__(Random(number), flow, TlsVersion.TLS_1_3, text)
        self.cipher, self.key = Cipher.AES_128_GCM, bytes(16)
        self.number = self._made = 0
        self._gcm = AESGCM(self.key)


class Sending:
    """A device that sends, and the monitor of what leaves."""

    def __init__(self, senders: Sequence[Steadfast]) -> None:
        self.device = Rtl()
        self._monitor = MacMonitor()
        self._items = 0
        both = regs.CTRL_RX_ENABLE_MASK | regs.CTRL_TX_ENABLE_MASK
        self.device.write(Addr.CTRL, both)
        for number, sender in enumerate(senders):
            step = sender.begin()
            prepare(self.device, step)
            ring(self.device)
            self._monitor.added(number, sender.stream, step.seq, step.number)

    def put(self, items: Sequence[Item], left: int = 0) -> None:
        """Let items in; return as soon as at most `left` are still to go in."""
        for item in items:
            self._monitor.handed(item.frame, item.connection, item.kind)
        self._items += len(items)
        self.device.tx_send([(item.frame, item.word) for item in items], left)

    def finish(self) -> None:
        """Take all that comes; RuntimeError if an item was dropped, or a frame may not leave."""
        frames = self._items
        while frames:
            words = self.device.txc_take(frames)
            if any(word >> 24 & 0xF for _, word in words):
                raise RuntimeError("an item was dropped")
            frames -= sum(not word >> 16 & 1 for _, word in words)
        for frame in self.device.tx_take(self.device.came(Stream.TX)):
            self._monitor.left(frame)
        self.device.close()
        if self._monitor.broken:
            raise RuntimeError(self._monitor.broken[0])


def at_full_load(senders: Sequence[Steadfast], items: Sequence[Item]) -> int:
    """Clocks of the last two thirds of these items: the first fill all queues."""
    sending, first = Sending(senders), len(items) // 3
    sending.put(items[:first])
    clocks = sending.device.clocks
    sending.put(items[first:])
    clocks = sending.device.clocks - clocks
    sending.finish()
    return clocks


def in_order(senders: Sequence[Steadfast], payload: int, count: int) -> list[Item]:
    """The next frames, of the connections in turn."""
    turns = islice(cycle(enumerate(senders)), count)
    return [Item(sender.next(payload), own, TxKind.ENCRYPT) for own, sender in turns]


def rate(text: int, payload: int, connections: int, count: int) -> float:
    """Clocks a frame, at full load, in order."""
    senders = [Steadfast(number, text) for number in range(connections)]
    clocks = at_full_load(senders, in_order(senders, payload, count))
    return clocks / (count - count // 3)


def both_ways(payload: int, count: int) -> float:
    """Clocks a frame at full load, when as many of the same size are received at once."""
    peer, sender, third = Steady(0, RECORD, payload), Steadfast(0, RECORD), count // 3
    sending = Sending([sender])
    device = sending.device
    prepare(device, add(peer))
    ring(device)
    frames, items = [peer.frame() for _ in range(count)], in_order([sender], payload, count)
    clocks = 0
    for part in (slice(third), slice(third, None)):
        clocks = device.clocks
        device.rx_send(frames[part], left=count)
        sending.put(items[part])
        device.rx_send([])
        clocks = device.clocks - clocks
    if any(not word >> 17 & 1 for _, word in device.words(count)):
        raise RuntimeError("a received frame was not decrypted")
    sending.finish()
    return clocks / (count - third)


def again(sender: Steadfast, count: int, rebuild: bool) -> Iterator[list[Item]]:
    """Full frames in order; each AGAIN-th time one is sent again, with what that takes."""

    def told(place: int, *, seek: bool) -> Item:
        record = sender.record(place)
        seq, prefix = sender.number_at(record), record.clear[: record.prefix]
        data = context(seq, record.number, prefix, record.tag if seek else None, seek=seek)
        return Item(data, 0, TxKind.CONTEXT)

    def fed(place: int) -> Iterator[Item]:
        """The record that a place is in, up to there."""
        yield told(place, seek=False)
        first = sender.record(place).place
        for at in range(first, place, FULL):
            yield Item(sender.frame(at, min(at + FULL, place)), 0, TxKind.FEED)

    for n in range(count):
        made = [Item(sender.next(FULL), 0, TxKind.ENCRYPT)]
        if n % AGAIN == AGAIN - 1:
            place = sender.cursor - BEHIND * FULL
            frame = Item(sender.frame(place, place + FULL), 0, TxKind.ENCRYPT)
            if rebuild:
                made += [*fed(place), frame, *fed(sender.cursor)]
            else:
                made += [told(place, seek=True), frame]
        yield made


def events(rebuild: bool, count: int) -> dict[str, float]:
    """What it takes to send a frame again: clocks, its own too, and other payload read again."""
    sender = Steadfast(0, RECORD)
    made = list(again(sender, count, rebuild))
    items = [item for some in made for item in some]
    third = sum(map(len, made[: count // 3]))
    sending = Sending([sender])
    sending.put(items[:third])
    clocks = sending.device.clocks
    sending.put(items[third:])
    clocks = sending.device.clocks - clocks
    sending.finish()
    frames = count - count // 3
    number = sum(len(some) > 1 for some in made[count // 3 :])
    read = sum(len(item.frame) - 54 for item in items[third:] if item.kind is TxKind.FEED)
    name = "rebuild" if rebuild else "seek"
    return {
        f"{name}_clocks": (clocks - frames * WORDS) / number,
        f"{name}_bytes": read / number,
        f"{name}_rate": clocks / (frames + number),
    }


@cocotb.test()
async def waits(dut: Any) -> None:
    """Clocks of one frame through an idle device, of a tag, and of an ADD."""
    bench = NicBench(dut, monitor=MacMonitor())
    await bench.start()
    device = CocotbDevice(bench)
    sender, other = Steadfast(0, RECORD), Steadfast(1, RECORD)

    def sent(item: Item, words: int) -> None:
        """One item, and so many completions."""
        device.tx_send([(item.frame, item.word)])
        device.tx_take(1)
        device.txc_take(words)

    @bridge
    def work() -> None:
        device.write(Addr.CTRL, regs.CTRL_TX_ENABLE_MASK)
        step = sender.begin()
        prepare(device, step)
        ring(device)
        assert bench.monitor is not None
        bench.monitor.added(0, sender.stream, step.seq, step.number)
        sent(Item(sender.next(FULL), 0, TxKind.ENCRYPT), 1)  # with a record's head
        sent(Item(sender.next(FULL), 0, TxKind.ENCRYPT), 1)
        came, went = bench.tx.source.when[-WORDS:], bench.tx_out.when[-WORDS:]
        note(
            first=went[0] - came[0],
            payload=went[HEADERS] - came[HEADERS],
            last=went[-1] - came[-1],
            told=bench.told_at[-1] - came[-1],
        )
        while sender.record(sender.cursor).end - sender.cursor > FULL:
            sent(Item(sender.next(FULL), 0, TxKind.ENCRYPT), 1)
        sent(Item(sender.next(FULL), 0, TxKind.ENCRYPT), 2)
        note(tag=bench.told_at[-2] - bench.tx.source.when[-1])
        bare = sender.built(sender.cursor, bytes(0)).frame
        sent(Item(bare.ljust(60, b"\0"), 0, TxKind.PLAIN), 1)
        note(plain=bench.tx_out.when[-4] - bench.tx.source.when[-4])
        step = other.begin()
        prepare(device, step)
        doorbell = len(bench.w.when)
        ring(device)
        note(add=bench.ar.when[-1] - bench.w.when[doorbell])

    await work()
    bench.check()


def measure() -> dict[str, float]:
    """All figures."""
    figures = answered("tlsnic", __name__, {})
    for name, connections in CONNECTIONS.items():
        figures[f"frame_1514_{name}"] = rate(RECORD, FULL, connections, 300)
        figures[f"frame_60_{name}"] = rate(RECORD, LEAST, connections, 4200)
    figures["frame_1514_both"] = both_ways(FULL, 300)
    figures["frame_60_both"] = both_ways(LEAST, 4200)
    for size in RECORDS:
        clocks = rate(size + 1, FULL, 1, 300)
        figures[f"record_{size}"] = FULL / clocks * size / (size + 22)
    figures |= events(False, 600) | events(True, 600)
    return figures


def tables(figures: Mapping[str, float], received: Mapping[str, float]) -> list[Table]:
    """What is printed, receive beside it."""
    frames = Table(title="Transmit: clocks a frame at full load, 16 bytes a clock, all encrypted")
    frames.add_column("frame, bytes")
    heads = ("same connection", "two in turn", "64 in turn", "received at once")
    for column in (*heads, "target", "on such a wire"):
        frames.add_column(column, justify="right")
    for size in (1514, 60):
        measured = (f"{figures[f'frame_{size}_{name}']:.2f}" for name in (*CONNECTIONS, "both"))
        frames.add_row(f"{size:,}", *measured, f"{TARGET[size]}", f"{WIRE[size]}")
    records = Table(title="Transmit: carried bytes a clock, TLS 1.3 records in full frames")
    records.add_column("record, bytes")
    for size in RECORDS:
        records.add_column(f"{size:,}", justify="right")
    for name, of in (("sent", figures), ("received", received)):
        records.add_row(name, *(f"{of[f'record_{size}']:.2f}" for size in RECORDS))
    best = (f"{FULL / WORDS * size / (size + 22):.2f}" for size in RECORDS)
    records.add_row("the bus at best", *best)
    waits = Table(title="Transmit: clocks through an idle device, 1,514 bytes")
    waits.add_column("")
    for column in ("sent", "received", "target", "anchor"):
        waits.add_column(column, justify="right")
    anchor = f"{WORDS}"
    for name, what, beside, target, least in (
        (
            "first",
            "first word in to first out",
            f"{received['latency']:.0f}",
            TARGET_LATENCY,
            anchor,
        ),
        ("payload", "payload's first word in to out", "", "", ""),
        ("last", "last word in to last out", "", "", ""),
        ("told", "last word in to completion", "", "", ""),
        ("tag", "last word in to a record's tag", "", "", ""),
        ("plain", "a plain frame of 60 bytes, first to first", "", "", ""),
        ("add", "ADD, doorbell to answer", f"{received['add']:.0f}", TARGET_ADD, ""),
    ):
        waits.add_row(what, f"{figures[name]:.0f}", beside, f"{target}", least)
    resent = Table(title=f"Transmit: every {AGAIN}th frame sent again, records of 16 KiB")
    resent.add_column("")
    for column in ("clocks a frame that leaves", "clocks an event", "bytes read again an event"):
        resent.add_column(column, justify="right")
    for name in ("seek", "rebuild"):
        event = (f"{figures[f'{name}_{what}']:,.0f}" for what in ("clocks", "bytes"))
        resent.add_row(name, f"{figures[f'{name}_rate']:.2f}", *event)
    return [frames, records, waits, resent]
