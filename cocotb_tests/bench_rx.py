"""Clocks of the receive path, measured on the RTL, and how fast it is as a simulation.

`python -m cocotb_tests.bench` prints these tables below those of the lane. In: nothing. Out:
figures by name, and tables with targets and anchors beside them (docs/benchmarks.md says whose they
are). RuntimeError if a frame that is measured was not decrypted. Clocks are exact and the same
everywhere; of wall-clock time only the ratio of two simulations means something elsewhere.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterable, Sequence
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import Any, Final

import cocotb
from cocotb.task import bridge
from cocotb.triggers import RisingEdge
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from rich.table import Table

from cocotb_tests.cosim import Rtl, prepare, ring
from cocotb_tests.device import CocotbDevice, NicBench
from cocotb_tests.harness import run
from cocotb_tests.traffic import SEQ, Flow, Peer, Regime, add, build
from host import regs
from host.regs import Addr, RxPass
from host.verilate import BUILD, Parameters
from model.regs import Cipher, TlsVersion

FULL: Final = 1514 - 54  # payload of a full frame: Ethernet, IPv4 and TCP have 54 bytes
LEAST: Final = 6  # and of one of 60 bytes
RECORDS: Final = (64, 256, 1024, 16384)
CONNECTIONS: Final = {"same": 1, "alternating": 2, "64": 64}
SECONDS: Final = 3.0  # of wall-clock time for the in-process figure
COCOTB_FRAMES: Final = 100
TARGET: Final = {1514: 96, 60: 6}
TARGET_ADD: Final = 200
TARGET_FRAMES_A_SECOND: Final = 5000
WIRE: Final = {1514: 96.1, 60: 5.25}  # clocks of a frame on a wire that has 16 bytes a clock
TARGET_LATENCY: Final = 95 + 32  # a frame's words, and these


class Steady(Peer):
    """A TLS 1.3 connection with AES-128: records of one size, in order, cut evenly, authentic."""

    def __init__(self, number: int, text: int, payload: int) -> None:
        local, remote = b"\x0a\0\0\1", b"\x0a\0\1" + bytes([number])
        super().__init__(Random(number), Flow(local, remote, 443, 1000 + number))
        self.version, self.cipher, self.key = TlsVersion.TLS_1_3, Cipher.AES_128_GCM, bytes(16)
        self.number = self._made = 0
        self._gcm = AESGCM(self.key)
        self._text, self._payload = text, payload
        self.regime = Regime("", "", mutate=0, ack=0, forged=0)

    def frame(self) -> bytes:
        """The next one."""
        _, place, data = self.segment()
        return build(self.flow, (self.seq + place) % SEQ, data).frame.ljust(60, b"\0")

    def _text_size(self) -> int:
        return self._text

    def _cut(self) -> int:
        return self._payload


def note(**figures: float) -> None:
    """Add figures to the answer file of a simulation that measures."""
    path = Path(os.environ["BENCH_ANSWER"])
    old = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(old | figures))


def answered(top: str, module: str, parameters: Parameters) -> dict[str, float]:
    """What the cocotb tests of a module note."""
    answer = BUILD / "bench" / f"{os.getpid()}.json"
    answer.parent.mkdir(parents=True, exist_ok=True)
    answer.unlink(missing_ok=True)
    environment = {"BENCH_ANSWER": str(answer)}
    result = run(top, module, parameters, name=f"bench {top}", env=environment)
    if result.failed or not result.ran:
        raise RuntimeError(f"the simulation failed:\n{result.log[-4000:]}")
    figures: dict[str, float] = json.loads(answer.read_text())
    answer.unlink()
    return figures


def begin(device: Rtl | CocotbDevice, peers: Iterable[Steady]) -> None:
    """Let the device receive, and add these."""
    device.write(Addr.CTRL, regs.CTRL_RX_ENABLE_MASK)
    for peer in peers:
        prepare(device, add(peer))
        ring(device)


def rate(text: int, payload: int, connections: int, count: int) -> float:
    """Clocks a frame, at full load, in order."""
    peers = [Steady(number, text, payload) for number in range(connections)]
    frames = [peer.frame() for peer in islice(cycle(peers), count)]
    clocks, received = at_full_load(peers, frames)
    decrypted(received)
    return clocks


def ahead(searched: bool) -> float:
    """Clocks of a full frame that is ahead: all of it searched, or its chain followed."""
    peer, lost, count = Steady(0, 16384, FULL), 30, 300
    frames = [peer.frame() for _ in range(lost + count)][lost:]
    if searched:  # in vain
        places = range(lost * FULL, (lost + count) * FULL, FULL)
        frames = [build(peer.flow, (peer.seq + at) % SEQ, bytes(FULL)).frame for at in places]
    clocks, received = at_full_load([peer], frames)
    if any(word >> 24 & 0xF != RxPass.OUT_OF_SYNC for _, word in received):
        raise RuntimeError("a frame that is ahead has another reason")
    return clocks


def at_full_load(
    peers: Sequence[Steady], frames: Sequence[bytes]
) -> tuple[float, list[tuple[bytes, int]]]:
    """Clocks a frame, and what came out: a third of the frames fill all queues, the rest count."""
    device, first = Rtl(), len(frames) // 3
    begin(device, peers)
    device.rx_send(frames[:first])
    clocks = device.clocks
    device.rx_send(frames[first:])
    clocks = device.clocks - clocks
    received = device.words(len(frames))
    device.close()
    return clocks / (len(frames) - first), received


def decrypted(received: Iterable[tuple[bytes, int]]) -> None:
    """RuntimeError unless all were."""
    for number, (_, word) in enumerate(received):
        if not word >> 17 & 1:
            raise RuntimeError(f"frame {number} was not decrypted: {word:#018x}")


def frames_a_second() -> float:
    """Full frames, decrypted in this process, by the clock on the wall."""
    peer = Steady(0, 16384, FULL)
    device = Rtl()
    begin(device, [peer])
    begun, count = 0.0, 0
    while begun < SECONDS:
        frames = [peer.frame() for _ in range(256)]
        start = time.perf_counter()
        device.rx_send(frames)
        got = device.words(len(frames))
        begun += time.perf_counter() - start
        decrypted(got)
        count += len(frames)
    device.close()
    return count / begun


@cocotb.test()
async def waits(dut: Any) -> None:
    """Clocks of one frame through an idle device, and of an ADD; speed under cocotb."""
    bench = NicBench(dut)
    await bench.start()
    device = CocotbDevice(bench)
    peer, other = Steady(0, 16384, FULL), Steady(1, 16384, FULL)
    rises: list[int] = []

    async def watch() -> None:
        was = 0
        while True:
            await RisingEdge(dut.clk)
            now = int(dut.irq.value)
            if now and not was:
                rises.append(bench.rx.source.clock)
            was = now

    cocotb.start_soon(watch())

    def words(frames: list[bytes]) -> list[tuple[bytes, int]]:
        device.rx_send(frames, left=len(frames))
        return device.words(len(frames))

    @bridge
    def work() -> None:
        begin(device, [peer])
        decrypted(words([peer.frame()]))  # with a record's head
        decrypted(words([peer.frame()]))
        note(latency=bench.rx_out.starts[-1] - bench.rx.source.when[-95])
        device.write(Addr.IRQ_STATUS, regs.IRQ_STATUS_COMMAND_DONE_MASK)
        device.write(Addr.IRQ_ENABLE, regs.IRQ_ENABLE_COMMAND_DONE_MASK)
        rises.clear()
        prepare(device, add(other))
        ring(device)
        doorbell = bench.w.when[-1]
        note(add=rises[0] - doorbell)
        frames = [peer.frame() for _ in range(COCOTB_FRAMES)]
        start = time.perf_counter()
        decrypted(words(frames))
        note(cocotb=COCOTB_FRAMES / (time.perf_counter() - start))

    await work()


def measure() -> dict[str, float]:
    """All figures."""
    figures = answered("tlsnic", __name__, {})
    for name, connections in CONNECTIONS.items():
        figures[f"frame_1514_{name}"] = rate(16384, FULL, connections, 300)
        figures[f"frame_60_{name}"] = rate(16384, LEAST, connections, 4200)
    for size in RECORDS:
        clocks = rate(size + 1, FULL, 1, 300)
        figures[f"record_{size}"] = FULL / clocks * size / (size + 22)
    figures["searched"], figures["followed"] = ahead(True), ahead(False)
    figures["in_process"] = frames_a_second()
    return figures


def tables(figures: dict[str, float]) -> list[Table]:
    """What is printed."""
    frames = Table(title="Receive: clocks a frame at full load, 16 bytes a clock, all decrypted")
    frames.add_column("frame, bytes")
    for column in ("same connection", "two in turn", "64 in turn", "target", "on such a wire"):
        frames.add_column(column, justify="right")
    for size in (1514, 60):
        measured = (f"{figures[f'frame_{size}_{name}']:.2f}" for name in CONNECTIONS)
        frames.add_row(f"{size:,}", *measured, f"{TARGET[size]}", f"{WIRE[size]}")
    records = Table(title="Receive: carried bytes a clock, TLS 1.3 records in full frames")
    records.add_column("record, bytes")
    shares = []
    for size in RECORDS:
        records.add_column(f"{size:,}", justify="right")
        # what the 95 words of a frame can carry of it
        shares.append(f"{FULL / 95 * size / (size + 22):.2f}")
    records.add_row("measured", *(f"{figures[f'record_{size}']:.2f}" for size in RECORDS))
    records.add_row("the bus at best", *shares)
    waits = Table(title="Receive: clocks")
    waits.add_column("")
    for column in ("measured", "target", "anchor"):
        waits.add_column(column, justify="right")
    latency = f"{figures['latency']:.0f}"
    waits.add_row("1,514 bytes, first in to first out", latency, f"{TARGET_LATENCY}", "95")
    waits.add_row("ADD, doorbell to answer", f"{figures['add']:.0f}", f"{TARGET_ADD}", "")
    for name, what in (("searched", "searched in vain"), ("followed", "its chain followed")):
        row = f"1,514 bytes that are ahead, {what}"
        waits.add_row(row, f"{figures[name]:.2f}", f"{TARGET[1514]}", f"{WIRE[1514]}")
    speed = Table(title="Simulation: full frames, decrypted")
    speed.add_column("")
    for column in ("in process / cocotb", f"frames a second, {platform.machine()}", "target"):
        speed.add_column(column, justify="right")
    ratio = figures["in_process"] / figures["cocotb"]
    speed.add_row(
        "Verilator in process",
        f"{ratio:.0f}x",
        f"{figures['in_process']:,.0f}",
        f"{TARGET_FRAMES_A_SECOND:,}",
    )
    return [frames, records, waits, speed]
