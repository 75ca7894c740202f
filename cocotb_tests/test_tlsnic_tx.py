"""The whole device sends: each thing that docs/transmit.md says once, by hand, on both simulators.

Every test has a `MacMonitor` on what leaves, and every stream is checked against the stream rules.
The random traffic is in `test_tlsnic`, the many frames in `test_cosim`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import cocotb
import pytest
from cocotb.task import bridge
from cocotb.triggers import ClockCycles

from cocotb_tests import cosim, traffic
from cocotb_tests.device import CocotbDevice, NicBench
from cocotb_tests.harness import simulate, simulator
from cocotb_tests.mac_monitor import TAG, MacMonitor
from cocotb_tests.streams import Gaps, never, often, rng_of_test
from cocotb_tests.traffic import ACK, RST, SYN, Dress, Peer, Regime, random_flow
from cocotb_tests.traffic_tx import Even, context
from host import regs
from host.device import RxDescriptor, Sent, TxDescriptor
from host.device_rtl import Stream
from host.regs import Addr, RxPass, TxDrop, TxKind
from model.regs import TlsVersion

BOTH = (TlsVersion.TLS_1_2, TlsVersion.TLS_1_3)
LIMIT = 100  # ms of simulated time: 10 million clocks

Item = tuple[bytes, TxDescriptor]


def fast() -> bool:
    """Whether the simulator can do thousands of frames."""
    return cocotb.SIM_NAME.startswith("Verilator")


class Nic:
    """A device that sends, for synchronous code; its monitor knows what it is told."""

    def __init__(self, bench: NicBench) -> None:
        assert bench.monitor is not None
        self.bench = bench
        self.monitor = bench.monitor
        self.device = CocotbDevice(bench)

    def enable(self, rx: bool = True, tx: bool = True) -> None:
        """Turn the switches."""
        value = rx * regs.CTRL_RX_ENABLE_MASK | tx * regs.CTRL_TX_ENABLE_MASK
        self.device.write(Addr.CTRL, value)

    def command(self, step: traffic.Command) -> int:
        """Carry a command out; its id."""
        cosim.prepare(self.device, step)
        status = cosim.ring(self.device)
        assert status & regs.CMD_STATUS_REASON_MASK == 0, step
        return status >> regs.CMD_STATUS_ID_LSB

    def add(self, sender: Even) -> int:
        """Add a connection; its id."""
        step = sender.begin()
        connection = self.command(step)
        self.monitor.added(connection, sender.stream, step.seq, step.number)
        return connection

    def send(self, items: Sequence[Item]) -> list[Sent]:
        """What became of them."""
        return self.device.send(items)

    def begin(self, frames: Sequence[bytes], items: Sequence[Item]) -> None:
        """Let both directions begin."""
        self.device.rx_send(frames, left=len(frames))
        packed = [(data, descriptor.pack()) for data, descriptor in items]
        self.device.tx_send(packed, left=len(items))

    def finished(self, items: int) -> list[TxDrop]:
        """Why so many items were dropped, or not; waits for their completions."""
        drops: list[TxDrop] = []
        while len(drops) < items:
            ((_, word),) = self.device.txc_take(1)
            if not word >> 16 & 1:
                drops.append(TxDrop(word >> 24 & 0xF))
        return drops

    def counter(self, name: regs.Counter) -> int:
        """One of the device's."""
        return self.device.read(regs.BLOCK_COUNTERS_FIRST + 8 * name)


def item(frame: bytes, connection: int, kind: TxKind = TxKind.ENCRYPT) -> Item:
    """For the queue."""
    return frame, TxDescriptor(connection, kind)


async def nic_of(dut: Any, idle: Gaps = never, stall: Gaps = never) -> Nic:
    """A device after reset, with a monitor."""
    bench = NicBench(dut, idle, stall, MacMonitor())
    await bench.start()
    return Nic(bench)


def even(rng: Random, version: TlsVersion, text: int) -> Even:
    """A sender with a flow of its own."""
    return Even(rng, random_flow(rng), version, text)


def seek(sender: Even, place: int, *, tag: bool = True) -> bytes:
    """The context for a frame that begins there."""
    record = sender.record(place)
    prefix, seq = record.clear[: record.prefix], sender.number_at(record)
    return context(seq, record.number, prefix, record.tag if tag else None, seek=True)


def restart(sender: Even, place: int) -> bytes:
    """The context to the start of the record that this place is in."""
    record = sender.record(place)
    return context(sender.number_at(record), record.number, seek=False)


def reasons(sent: Sequence[Sent]) -> list[TxDrop]:
    """Of each."""
    return [each.reason for each in sent]


# ---- what is dropped, and that nothing else is ----


def refused(rng: Random, sender: Even, own: int) -> list[tuple[TxDrop, list[Item]]]:
    """Items that must be dropped, the last of each list with this reason, whatever went before."""
    first, size = sender.cursor, 40
    good = sender.built(first, sender.clear(first, first + size), Dress())

    def changed(at: int, *data: int) -> bytes:
        frame = bytearray(good.frame)
        frame[at : at + len(data)] = bytes(data)
        return bytes(frame)

    def opened(flags: int) -> bytes:
        return sender.built(first, sender.clear(first, first + size), Dress(flags=flags)).frame

    stranger = traffic.one_bit_off(rng, sender.flow)
    foreign = sender.built(first, sender.clear(first, first + size), Dress(), flow=stranger).frame
    record = sender.record(first)
    far = sender.frame(record.end, record.end + size)
    in_text = record.place + record.prefix + 1
    bad_prefix = b"\x63" + record.clear[1 : record.prefix]
    seq = sender.number_at(record)
    wrong = context(seq, record.number, bad_prefix, record.tag, seek=True)
    told = record.clear[:4] + bytes([record.clear[4] ^ 1]) + record.clear[5 : record.prefix]
    other = context(seq, record.number, told, record.tag, seek=True)
    header = bytearray(sender.clear(first, record.end + size))
    header[record.end - first] = 99
    kind = TxKind.CONTEXT
    return [
        (TxDrop.BAD_FRAME, [item(changed(good.ip - 2, 0x88, 0xB5), own)]),
        (TxDrop.BAD_FRAME, [item(changed(good.tcp + 12, 0x40), own)]),
        (TxDrop.BAD_FRAME, [item(good.frame[: good.payload - 1], own)]),
        (TxDrop.BAD_FRAME, [item(opened(SYN), own)]),
        (TxDrop.BAD_FRAME, [item(opened(RST | ACK), own)]),
        (TxDrop.BAD_FRAME, [item(bytes(32), own, kind)]),
        (TxDrop.BAD_FRAME, [item(bytes(49), own, kind)]),
        (TxDrop.NO_CONNECTION, [item(good.frame, own + 1)]),
        (TxDrop.NO_CONNECTION, [item(good.frame, own | 1 << 15)]),
        (TxDrop.NO_CONNECTION, [item(foreign, own)]),
        (TxDrop.NO_CONNECTION, [item(restart(sender, first), own + 1, kind)]),
        (TxDrop.OUT_OF_ORDER, [item(sender.frame(first + 1, first + size), own)]),
        (TxDrop.OUT_OF_ORDER, [item(seek(sender, first), own, kind), item(far, own)]),
        (TxDrop.OUT_OF_ORDER, [item(sender.frame(first + 1, first + 2), own, TxKind.FEED)]),
        (TxDrop.BAD_RECORD, [item(sender.built(first, bytes(header), Dress()).frame, own)]),
        (
            TxDrop.BAD_RECORD,
            [item(wrong, own, kind), item(sender.frame(in_text, in_text + 9), own)],
        ),
        (
            TxDrop.BAD_RECORD,
            [item(other, own, kind), item(sender.frame(record.place + 2, record.end), own)],
        ),
        (
            TxDrop.NO_TAG,
            [
                item(seek(sender, first, tag=False), own, kind),
                item(sender.frame(in_text, record.end - 1), own),
            ],
        ),
    ]


@cocotb.test(timeout_time=LIMIT, timeout_unit="ms")
@cocotb.parametrize(version=BOTH)
async def a_frame_that_is_dropped_says_why_and_the_next_goes_on(
    dut: Any, version: TlsVersion
) -> None:
    rng = rng_of_test()
    nic = await nic_of(dut)
    sender = even(rng, version, 60)

    @bridge
    def work() -> tuple[list[Sent], list[TxDrop], list[int]]:
        nic.enable()
        own = nic.add(sender)
        items, want = [], []
        for n in range(len(refused(rng, sender, own))):
            reason, bad = refused(rng, sender, own)[n]
            items += bad
            want += [TxDrop.NONE] * (len(bad) - 1) + [reason]
            items.append(item(sender.next(40), own))
            want.append(TxDrop.NONE)
        sent = nic.send(items)
        first = regs.Counter.TX_DROP_DISABLED
        counts = [nic.counter(regs.Counter(first + drop - 1)) for drop in list(TxDrop)[1:]]
        return sent, want, counts

    sent, want, counts = await work()
    nic.bench.check()
    assert reasons(sent) == want
    assert counts == [want.count(drop) for drop in list(TxDrop)[1:]]
    assert nic.monitor.right == sender.cursor


@cocotb.test(timeout_time=LIMIT, timeout_unit="ms")
async def without_the_switch_plain_frames_leave_alone(dut: Any) -> None:
    rng = rng_of_test()
    nic = await nic_of(dut)
    sender = even(rng, TlsVersion.TLS_1_3, 60)

    @bridge
    def work() -> None:
        nic.enable()
        own = nic.add(sender)
        assert reasons(nic.send([item(sender.next(30), own)])) == [TxDrop.NONE]
        nic.enable(tx=False)
        frame = sender.next(30)
        bare = sender.built(sender.cursor, b"", Dress()).frame
        sent = nic.send(
            [
                item(frame, own),
                item(bare, own),
                item(restart(sender, 0), own, TxKind.CONTEXT),
                item(bare, own, TxKind.PLAIN),
            ]
        )
        assert reasons(sent) == [TxDrop.DISABLED] * 3 + [TxDrop.NONE]
        assert [each.frame for each in sent] == [None, None, None, bare]
        nic.enable()
        assert reasons(nic.send([item(frame, own)])) == [TxDrop.NONE]

    await work()
    nic.bench.check()
    assert nic.monitor.right == 60


# ---- records and frames ----


@cocotb.test(timeout_time=LIMIT, timeout_unit="ms")
@cocotb.parametrize(version=BOTH)
async def a_record_is_split_at_every_byte(dut: Any, version: TlsVersion) -> None:
    """In two, at each place; in frames of one byte; and the next one's head with its end."""
    rng = rng_of_test()
    nic = await nic_of(dut)
    sender = even(rng, version, 33 if fast() else 3)

    @bridge
    def work() -> list[Sent]:
        nic.enable()
        own = nic.add(sender)
        total = sender.record(0).end
        items = []
        for cut in range(1, total):
            items += [item(sender.next(cut), own), item(sender.next(total - cut), own)]
        items += [item(sender.next(1), own) for _ in range(total)]
        items += [item(sender.next(total + 1), own) for _ in range(total if fast() else 3)]
        return nic.send(items)

    sent = await work()
    nic.bench.check()
    assert set(reasons(sent)) == {TxDrop.NONE}
    assert nic.monitor.right == sender.cursor
    told = [tag for each in sent for tag in each.tags]
    ended = sender.stream.between(0, sender.cursor - TAG)
    want = [(sender.number_at(record), record.tag) for record in ended]
    assert told == want[: len(told)]
    assert len(told) >= len(want) - 1  # of the last one not all text may be there


@cocotb.test(timeout_time=LIMIT, timeout_unit="ms")
async def frames_leave_in_their_order(dut: Any) -> None:
    """An acknowledgement, and what is plain, does not overtake the data before it."""
    rng = rng_of_test()
    nic = await nic_of(dut)
    sender = even(rng, TlsVersion.TLS_1_3, 500)

    @bridge
    def work() -> tuple[list[Sent], list[Item]]:
        nic.enable()
        own = nic.add(sender)
        items = []
        for _ in range(20 if fast() else 4):
            items.append(item(sender.next(1200 if fast() else 200), own))
            bare = sender.built(sender.cursor, b"", Dress()).frame
            items += [item(bare, own), item(bare, own, TxKind.PLAIN)]
            items.append(item(rng.randbytes(rng.randrange(14, 100)), 0, TxKind.PLAIN))
        return nic.send(items), items

    sent, items = await work()
    nic.bench.check()
    assert nic.monitor.right == sender.cursor
    for each, (frame, descriptor) in zip(sent, items, strict=True):
        assert each.frame is not None
        assert len(each.frame) == len(frame)
        if descriptor.kind is TxKind.PLAIN or len(frame) == 54:
            assert each.frame == frame


@cocotb.test(timeout_time=LIMIT, timeout_unit="ms")
async def every_length_of_frame(dut: Any) -> None:
    """Plain ones from 1 byte on, encrypted ones from 1 byte of payload on; around the longest."""
    rng = rng_of_test()
    nic = await nic_of(dut)
    sender = even(rng, TlsVersion.TLS_1_2, 900)

    @bridge
    def work() -> list[Sent]:
        nic.enable()
        own = nic.add(sender)
        sizes = [*range(1, 70 if fast() else 34), *((9599, 9600, 9601) if fast() else ())]
        items = [item(rng.randbytes(size), 0, TxKind.PLAIN) for size in sizes]
        payloads = [*range(1, 50 if fast() else 18), *((9600 - 54, 9600 - 55) if fast() else ())]
        v6 = len(sender.flow.local) == 16
        items += [item(sender.next(size - 20 * (v6 and size > 9000)), own) for size in payloads]
        rng.shuffle(items[: len(sizes)])
        return nic.send(items)

    sent = await work()
    nic.bench.check()
    assert nic.monitor.right == sender.cursor
    assert reasons(sent).count(TxDrop.BAD_FRAME) == fast()
    assert reasons(sent).count(TxDrop.NONE) == len(sent) - fast()


@cocotb.test(timeout_time=LIMIT, timeout_unit="ms")
async def bytes_behind_the_packet_leave_as_zeros(dut: Any) -> None:
    """Whether there is payload or not; a plain frame leaves as it is."""
    rng = rng_of_test()
    nic = await nic_of(dut)
    sender = even(rng, TlsVersion.TLS_1_3, 100)

    @bridge
    def work() -> None:
        nic.enable()
        own = nic.add(sender)
        for size in range(0, 34, 1 if fast() else 7):
            for count in (1, 2, 16, 17, 40):
                first, sender.cursor = sender.cursor, sender.cursor + size
                data, dress = sender.clear(first, first + size), Dress(padding=b"\xa5" * count)
                frame = sender.built(first, data, dress).frame
                sent, plain = nic.send([item(frame, own), item(frame, own, TxKind.PLAIN)])
                assert sent.frame is not None
                assert sent.frame.endswith(bytes(count))
                assert plain.frame == frame

    await work()
    nic.bench.check()
    assert nic.monitor.right == sender.cursor


# ---- out of order ----


@cocotb.test(timeout_time=LIMIT, timeout_unit="ms")
@cocotb.parametrize(version=BOTH)
async def a_seek_leaves_the_connection_where_it_was(dut: Any, version: TlsVersion) -> None:
    """To every byte of a record, up to every kind of end, between frames in order."""
    rng = rng_of_test()
    nic = await nic_of(dut)
    sender = even(rng, version, 37 if fast() else 5)

    @bridge
    def work() -> tuple[list[Sent], int]:
        nic.enable()
        own = nic.add(sender)
        record = sender.record(0)
        total, checked = record.end, 0
        items = [item(sender.next(3 * total), own)]
        for at in range(total):
            ends = {at + 1, record.prefix, total - TAG, total - TAG + 1, total, 2 * total - 3}
            after = sorted(end for end in ends if end > at)
            for end in after if fast() else rng.sample(after, 1):
                items.append(item(seek(sender, at), own, TxKind.CONTEXT))
                items.append(item(sender.frame(at, end), own))
                checked += end - at
            items.append(item(sender.next(1), own))
        return nic.send(items), checked

    sent, checked = await work()
    nic.bench.check()
    assert set(reasons(sent)) == {TxDrop.NONE}
    assert nic.monitor.right == sender.cursor + checked


@cocotb.test(timeout_time=LIMIT, timeout_unit="ms")
async def what_comes_between_ends_a_seek(dut: Any) -> None:
    """A plain frame, another context, another connection; of commands a DEL of this one alone."""
    rng = rng_of_test()
    nic = await nic_of(dut)
    sender, other = (even(rng, TlsVersion.TLS_1_3, 60) for _ in range(2))

    @bridge
    def work() -> None:
        nic.enable()
        own, its = nic.add(sender), nic.add(other)
        nic.send([item(sender.next(200), own)])
        again, context_ = sender.frame(20, 60), item(seek(sender, 20), own, TxKind.CONTEXT)
        bare = sender.built(0, b"", Dress()).frame
        between = [
            item(rng.randbytes(60), 0, TxKind.PLAIN),
            item(seek(sender, 90), own, TxKind.CONTEXT),
            item(other.next(20), its),
            item(bare, own),
            item(bytes(20), own, TxKind.CONTEXT),
        ]
        for what in between:
            sent = nic.send([context_, what, item(again, own)])
            assert sent[2].reason is TxDrop.OUT_OF_ORDER
        assert nic.send([context_, item(again, own)])[1].frame
        nic.send([context_])
        third = even(rng, TlsVersion.TLS_1_3, 60)
        nic.add(third)
        assert nic.send([item(again, own)])[0].frame
        assert nic.send([item(sender.next(30), own)])[0].frame
        nic.send([context_])
        nic.command(traffic.Command(regs.Opcode.DEL, regs.Direction.TX, connection=own))
        nic.monitor.deleted(own)
        sender.sent = sender.cursor
        assert nic.add(sender) == own
        assert nic.send([item(again, own)])[0].reason is TxDrop.OUT_OF_ORDER

    await work()
    nic.bench.check()


@cocotb.test(timeout_time=LIMIT, timeout_unit="ms")
@cocotb.parametrize(version=BOTH)
async def a_rebuild_goes_on_where_it_was_led(dut: Any, version: TlsVersion) -> None:
    """Context, what is fed, the frame; and what was fed does not leave."""
    rng = rng_of_test()
    nic = await nic_of(dut)
    sender = even(rng, version, 100 if fast() else 30)

    @bridge
    def work() -> tuple[list[Sent], int]:
        nic.enable()
        own = nic.add(sender)
        total = sender.record(0).end
        items, fed = [item(sender.next(3 * total + 9), own)], 0
        for place in range(0, 2 * total, 7 if fast() else 19):
            start = sender.record(place).place
            items.append(item(restart(sender, place), own, TxKind.CONTEXT))
            if place > start:
                middle = rng.randrange(start, place) if place - start > 1 else start
                for first, last in ((start, middle), (middle, place)):
                    if first < last:
                        items.append(item(sender.frame(first, last), own, TxKind.FEED))
                        fed += last - first
            sender.cursor = place
            items += [item(sender.next(11), own), item(sender.next(total), own)]
        sent = nic.send(items)
        assert nic.counter(regs.Counter.TX_TLS_DUMP_BYTES) == fed
        return sent, fed

    sent, fed = await work()
    nic.bench.check()
    assert set(reasons(sent)) == {TxDrop.NONE}
    assert fed


@cocotb.test(timeout_time=LIMIT, timeout_unit="ms")
async def a_command_leads_to_another_record(dut: Any) -> None:
    """RESYNC_TX, forward and back; what is between is software's, and plain."""
    rng = rng_of_test()
    nic = await nic_of(dut)
    sender = even(rng, TlsVersion.TLS_1_2, 50)

    @bridge
    def work() -> list[Sent]:
        nic.enable()
        own = nic.add(sender)
        sent = nic.send([item(sender.next(100), own)])
        for place in (500, 40, 900):
            record = sender.record(place)
            seq = sender.number_at(record)
            nic.command(
                traffic.Command(
                    regs.Opcode.RESYNC_TX,
                    regs.Direction.TX,
                    connection=own,
                    seq=seq,
                    number=record.number,
                )
            )
            nic.monitor.resynced(own, seq, record.number)
            sender.cursor = record.place
            sent += nic.send([item(sender.next(70), own), item(sender.next(30), own)])
        return sent

    assert set(reasons(await work())) == {TxDrop.NONE}
    nic.bench.check()
    assert nic.monitor.right == 400


# ---- both directions, and what is in the way ----


def received(rng: Random) -> Peer:
    """A connection whose segments come in order and whole."""
    peer = Peer(rng, random_flow(rng))
    peer.regime = Regime("small", "small", mutate=0, ack=0, forged=0)
    return peer


def segments(peer: Peer, count: int) -> list[bytes]:
    """The next frames from the wire."""
    made = []
    for _ in range(count):
        _, place, data = peer.segment()
        made.append(traffic.build(peer.flow, (peer.seq + place) % traffic.SEQ, data).frame)
    return made


@cocotb.test(timeout_time=LIMIT, timeout_unit="ms")
@cocotb.parametrize(idle=[never, often], stall=[never, often])
async def both_directions_at_once(dut: Any, idle: Gaps, stall: Gaps) -> None:
    """One connection, received and sent; with commands for others meanwhile."""
    rng = rng_of_test()
    nic = await nic_of(dut, idle, stall)
    peer = received(rng)
    sender = Even(rng, peer.flow, TlsVersion.TLS_1_3, 150)
    count = 100 if fast() else 6

    @bridge
    def work() -> tuple[list[RxDescriptor], list[TxDrop]]:
        nic.enable()
        nic.command(traffic.add(peer))
        own = nic.add(sender)
        items = [item(sender.next(rng.randrange(1, 200)), own) for _ in range(count)]
        nic.begin(segments(peer, count), items)
        for version in BOTH:
            nic.add(even(rng, version, 10))
        told = [RxDescriptor.unpack(word) for _, word in nic.device.words(count)]
        drops = nic.finished(count)
        nic.device.tx_take(count)
        return told, drops

    told, drops = await work()
    nic.bench.check()
    assert {each.reason for each in told} == {RxPass.NONE}
    assert set(drops) == {TxDrop.NONE}
    assert nic.monitor.frames == count
    assert nic.monitor.right == sender.cursor
    # the two went on at the same time
    assert nic.bench.tx_out.starts[0] < nic.bench.rx_out.ends[-1]
    assert nic.bench.rx_out.starts[0] < nic.bench.tx_out.ends[-1]


def shut() -> Iterator[bool]:
    """Never ready."""
    while True:
        yield True


@cocotb.test(timeout_time=LIMIT, timeout_unit="ms")
@cocotb.parametrize(which=["rx", "tx", "told"])
async def who_does_not_take_loses_nothing(dut: Any, which: str) -> None:
    """One output is shut until nothing goes on; the other direction goes on; then all comes."""
    rng = rng_of_test()
    nic = await nic_of(dut)
    bench = nic.bench
    peer, count = received(rng), 120 if fast() else 8
    later = 5000 if fast() else 500  # clocks in which all would come that still could
    sender = even(rng, TlsVersion.TLS_1_3, 100)
    sinks = {"rx": bench.rx_out.sink, "tx": bench.tx_out.sink, "told": bench.told_sink}

    @bridge
    def work() -> None:
        nic.enable()
        nic.command(traffic.add(peer))
        own = nic.add(sender)
        items = [item(sender.next(1000 if fast() else 200), own) for _ in range(count)]
        sinks[which].stalls = shut()
        nic.begin(segments(peer, count), items)
        if which == "rx":
            assert nic.finished(count) == [TxDrop.NONE] * count
        else:
            assert len(nic.device.words(count)) == count

    @bridge
    def rest() -> None:
        if which == "rx":
            assert len(nic.device.words(count)) == count
        else:
            assert nic.finished(count) == [TxDrop.NONE] * count

    await work()
    await ClockCycles(dut.clk, later)
    taken = {"rx": Stream.RX, "tx": Stream.TX, "told": Stream.COMPLETIONS}[which]
    assert bench.came(taken) == 0
    sinks[which].stalls = None
    await rest()
    await ClockCycles(dut.clk, later)
    bench.check()
    assert nic.monitor.frames == count
    assert nic.monitor.right == sender.cursor


def simulated(small: bool) -> None:
    """Run the tests."""
    simulate("tlsnic", __name__, {"SMALL": 1, "ROUND_REGS": 1} if small else {})


@pytest.mark.parametrize("configuration", ["full", "small"])
def test_tlsnic_tx(configuration: str) -> None:
    small = configuration == "small"
    if simulator() == "icarus" and not small:
        pytest.skip("Icarus takes minutes for it: Verilator has it")
    simulated(small)
