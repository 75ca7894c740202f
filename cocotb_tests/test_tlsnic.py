"""The whole device against the model: frames and registers, all its ports, both simulators.

Random traffic is that of `cocotb_tests.traffic`, compared as in `cocotb_tests.cosim`; here every
stream has gaps and stalls and is checked against the stream rules. The many frames are in
`test_cosim`, which sees no port.
"""

from __future__ import annotations

import os
from pathlib import Path
from random import Random
from typing import Any

import cocotb
import pytest
from cocotb.task import bridge
from cocotb.triggers import ClockCycles

from cocotb_tests import cosim, traffic
from cocotb_tests.device import CocotbDevice, NicBench
from cocotb_tests.harness import simulate, simulator
from cocotb_tests.streams import Gaps, never, often, rng_of_test
from cocotb_tests.traffic import Peer, Regime, Traffic
from cocotb_tests.traffic_tx import Even, TxTraffic
from host import regs
from host.device import Device, RxDescriptor
from host.device_model import ModelDevice
from host.device_rtl import Stream
from host.driver import Driver
from host.keylog import KeyLog
from host.pcap import Captured, read
from host.regs import Addr, Opcode, RxPass
from host.replay import Replay, Report
from model.regs import TlsVersion, TxKind

DATA = Path(cosim.__file__).parent.parent / "host" / "tests" / "data"
CAPTURE = "tls13_small_records_v4"
NIC = bytes((10, 77, 0, 1))
RANDOM = [
    f"random_traffic_is_as_in_the_model/idle={idle}/stall={stall}"
    for idle in ("never", "often")
    for stall in ("never", "often")
]
LIMIT = 100  # ms of simulated time: 10 million clocks


def fast() -> bool:
    """Whether the simulator can do thousands of frames."""
    return cocotb.SIM_NAME.startswith("Verilator")


async def bench_of(dut: Any, idle: Gaps = never, stall: Gaps = never) -> NicBench:
    """A device after reset."""
    bench = NicBench(dut, idle, stall)
    await bench.start()
    return bench


@bridge
def compare(
    device: CocotbDevice, made: Traffic, sending: TxTraffic, frames: int, tally: cosim.Tally
) -> None:
    """Random traffic both ways through a device that was just reset."""
    cosim.episode(device, made, frames, tally, length=min(frames, 100), sending=sending)


def streams_of(rng: Random, count: int) -> list[Peer]:
    """Connections whose segments come in order and whole."""
    peers = [Peer(rng, traffic.random_flow(rng)) for _ in range(count)]
    for peer in peers:
        peer.regime = Regime("small", "small", mutate=0, ack=0)
    return peers


def frames_of(peer: Peer, count: int) -> list[bytes]:
    """The next frames of a connection."""
    made = []
    for _ in range(count):
        _, place, data = peer.segment()
        made.append(traffic.build(peer.flow, (peer.seq + place) % traffic.SEQ, data).frame)
    return made


@cocotb.test(timeout_time=LIMIT, timeout_unit="ms")
@cocotb.parametrize(idle=[never, often], stall=[never, often])
async def random_traffic_is_as_in_the_model(dut: Any, idle: Gaps, stall: Gaps) -> None:
    bench = await bench_of(dut, idle, stall)
    tally = cosim.Tally()
    frames, longest = int(os.environ["FRAMES"]), int(os.environ["LONGEST"])
    rng = rng_of_test()
    for _ in range(10):
        made = Traffic(rng.getrandbits(32), longest=longest, crowd=3)
        sending = TxTraffic(rng.getrandbits(32), longest=longest, crowd=3, received=made)
        await compare(CocotbDevice(bench), made, sending, frames, tally)
        if (tally.reasons["NONE"] and tally.sent.checked) or not fast():  # few may all pass
            break
        await bench.reset()
    bench.check()
    # a rule that saw nothing would not be broken
    assert bench.rules["m_axis_rx"].words > tally.frames
    assert bench.rules["m_axis_txc"].words >= tally.sent.items
    assert (tally.reasons["NONE"] and tally.sent.checked) or not fast()


@cocotb.test(timeout_time=LIMIT, timeout_unit="ms")
async def reset_in_the_middle_of_traffic_leaves_nothing(dut: Any) -> None:
    """Reset at any place of frames either way; the device is then as at first, connections gone."""
    rng = rng_of_test()
    bench = await bench_of(dut, never, often)
    device = CocotbDevice(bench)

    @bridge
    def begin(*commands: traffic.Command) -> list[int]:
        statuses = []
        for command in commands:
            cosim.prepare(device, command)
            statuses.append(cosim.ring(device))
        device.write(Addr.CTRL, regs.CTRL_RX_ENABLE_MASK | regs.CTRL_TX_ENABLE_MASK)
        return statuses

    @bridge
    def first_counters() -> dict[str, int]:
        return cosim.counters(device)

    (peer,) = streams_of(rng, 1)
    sender = Even(rng, traffic.random_flow(rng), TlsVersion.TLS_1_3, 200)
    for _ in range(4):
        assert not any((await first_counters()).values())
        # id 0, OK: nobody is there
        done = regs.CMD_STATUS_DONE_MASK
        assert await begin(traffic.add(peer), sender.begin()) == [done, done]
        for frame in frames_of(peer, 40):  # 4 words each at least: more than those clocks
            bench.post(frame)
        for _ in range(40):
            bench.hand(sender.next(rng.randrange(1, 150)), TxKind.ENCRYPT << 16)
        await ClockCycles(dut.clk, rng.randrange(20, 150))
        assert bench.rx.waiting
        assert bench.tx.waiting
        await bench.reset()
        peer.restart()
        sender.sent = sender.cursor
    await ClockCycles(dut.clk, 300)
    assert not any(bench.came(stream) for stream in Stream)
    tally = cosim.Tally()
    made = Traffic(rng.getrandbits(32), longest=300, crowd=2)
    sending = TxTraffic(rng.getrandbits(32), longest=300, crowd=2)
    await compare(device, made, sending, 30 if fast() else 15, tally)
    bench.check()


@cocotb.test(timeout_time=LIMIT, timeout_unit="ms")
async def commands_under_traffic_stop_nothing(dut: Any) -> None:
    """ADD and DEL of others while frames of one connection go in: each of these is decrypted."""
    rng = rng_of_test()
    bench = await bench_of(dut)
    device = CocotbDevice(bench)
    one, *others = streams_of(rng, 5 if fast() else 3)
    frames = frames_of(one, 400 if fast() else 60)
    moved = []  # words that came out while a command was under way

    def command(wanted: traffic.Command) -> int:
        cosim.prepare(device, wanted)
        before = bench.rules["m_axis_rx"].words
        status = cosim.ring(device)
        moved.append(bench.rules["m_axis_rx"].words - before)
        assert status & regs.CMD_STATUS_REASON_MASK == 0
        return status >> regs.CMD_STATUS_ID_LSB

    @bridge
    def work() -> list[tuple[bytes, int]]:
        device.write(Addr.CTRL, regs.CTRL_RX_ENABLE_MASK)
        command(traffic.add(one))
        device.rx_send(frames, left=len(frames) - 1)
        for number, other in enumerate(others):
            assert command(traffic.add(other)) == number + 1
        for number in range(len(others)):
            command(traffic.Command(Opcode.DEL, connection=number + 1))
        return device.words(len(frames))

    got = await work()
    bench.check()
    assert any(moved[1:])
    told = [RxDescriptor.unpack(word) for _, word in got]
    # TLS 1.2 and 1.3 alike: a record that is not authentic is the only thing that stops one
    wrong = [n for n, each in enumerate(told) if each.reason not in (RxPass.NONE, RxPass.BAD_TAG)]
    assert not wrong, (wrong[0], told[wrong[0]])
    assert all(len(data) == len(frame) for (data, _), frame in zip(got, frames, strict=True))


@cocotb.test(timeout_time=LIMIT, timeout_unit="ms")
async def frames_leave_in_order_and_whole(dut: Any) -> None:
    """Every length from 1 on, and around the longest, one behind the other without a gap."""
    rng = rng_of_test()
    bench = await bench_of(dut)
    device = CocotbDevice(bench)
    sizes = [*range(1, 130), *([*range(9598, 9603), 20_000] if fast() else [])]
    # an EtherType for experiments: random bytes are IP now and then
    frames = [(rng.randbytes(12) + b"\x88\xb5" + rng.randbytes(n))[:n] for n in sizes]
    rng.shuffle(frames)

    @bridge
    def work() -> list[tuple[bytes, RxDescriptor]]:
        device.write(Addr.CTRL, regs.CTRL_RX_ENABLE_MASK)
        return device.receive(frames)

    got = await work()
    bench.check()
    assert [data for data, _ in got] == frames
    want = [RxPass.BAD_LENGTH if len(frame) > 9600 else RxPass.NOT_TCP for frame in frames]
    assert [told.reason for _, told in got] == want


def replayed(device: Device, packets: int) -> Report:
    """What the host makes of the start of a capture with this device."""
    log = KeyLog()
    log.add((DATA / f"{CAPTURE}.keys").read_bytes())
    run = Replay(Driver(device), NIC, log)
    with (DATA / f"{CAPTURE}.pcap").open("rb") as file:
        captured = [each for each in read(file) if isinstance(each, Captured)]
    for each in captured[:packets]:
        run.packet(each)
    run.finish()
    return run.report()


@cocotb.test(timeout_time=LIMIT, timeout_unit="ms")
async def the_host_sees_the_same_device(dut: Any) -> None:
    """Driver, TCP and kTLS on a capture, both ways: the same report as with the model."""
    bench = await bench_of(dut, often, often)
    packets = 300 if fast() else 30

    @bridge
    def work() -> Report:
        return replayed(CocotbDevice(bench), packets)

    got = await work()
    bench.check()
    want = replayed(ModelDevice(), packets)
    assert got == want
    assert got.mismatches == 0
    assert got.frames_decrypted > 0
    assert got.sent["encrypted"] > 0


def simulated(small: bool, frames: int, longest: int, testcase: list[str] | None = None) -> None:
    """Run the tests, with so many random frames of so many bytes at most."""
    env = {"FRAMES": str(frames), "LONGEST": str(longest)}
    parameters = {"SMALL": 1, "ROUND_REGS": 1} if small else {}
    simulate("tlsnic", __name__, parameters, testcase=testcase, env=env)


@pytest.mark.parametrize("configuration", ["full", "small"])
def test_tlsnic(configuration: str) -> None:
    small = configuration == "small"
    if simulator() == "icarus":
        if not small:
            pytest.skip("Icarus takes minutes for it: Verilator has it")
        simulated(small, 15, 300)
    elif small:  # a word takes eleven clocks
        simulated(small, 100, 1600)
    else:
        simulated(small, 200, 2 * traffic.MAX_FRAME)


@pytest.mark.regress
@pytest.mark.parametrize("configuration", ["full", "small"])
def test_tlsnic_long(configuration: str) -> None:
    if simulator() == "icarus":
        pytest.skip("Icarus takes minutes for it: Verilator has it")
    simulated(configuration == "small", 1000, 2 * traffic.MAX_FRAME, RANDOM)
