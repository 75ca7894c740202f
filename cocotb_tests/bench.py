"""Measures lane, receive path and transmit path in clocks of the RTL: `make bench`.

    python -m cocotb_tests.bench [--json FILE]

Clocks are exact and the same on any machine and simulator; wall-clock time is not measured, but
for how fast the receive path is as a simulation (`bench_rx`; transmit is in `bench_tx`).
Records are whole: TLS 1.3 (AAD of 5 bytes, text one byte longer than what it carries). Back to
back, rates count carried bytes in steady state, from the first data word of a record to that of a
later one. docs/benchmarks.md says whose the anchors are and how they were taken.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import cocotb
from rich.console import Console
from rich.table import Table

from cocotb_tests import bench_rx, bench_tx
from cocotb_tests.bench_rx import answered, note
from cocotb_tests.lane import LaneBench
from cocotb_tests.streams import rng_of_test
from host.verilate import BUILD
from model.gcm import BLOCK, Cipher, Part

SIZES = (64, 256, 1024, 1400, 4096, 16384)
PARTS = (16, 32, 64, 128, 256, 1024)
KEYS = 16
# bytes a clock: best open core (start to done, one record), and this project's target
OPEN_CORE = {64: 0.31, 1400: 4.5, 16384: 12.0}
TARGET = {64: 9.1, 1024: 15.2, 16384: 15.9}
CONFIGURATIONS: dict[str, dict[str, int | str]] = {
    "full": {},
    "full, 2 registers a round": {"ROUND_REGS": 2},
    "full, 1 register a round": {"ROUND_REGS": 1},
    "small": {"SMALL": 1, "ROUND_REGS": 1},
}


async def prepared(dut: Any) -> LaneBench:
    """A lane with KEYS keys, AES-128 in even slots and AES-256 in odd ones."""
    rng = rng_of_test()
    bench = LaneBench(dut)
    await bench.start()
    for slot in range(KEYS):
        size = 32 if slot % 2 else 16
        bench.install(slot, Cipher(size // 16), rng.randbytes(size), rng.randbytes(12))
    await bench.installed(KEYS)
    return bench


@cocotb.test()
async def rates(dut: Any) -> None:
    """Carried bytes a clock, records back to back, one key or another for each record."""
    bench = await prepared(dut)
    for size in SIZES:
        for name, keys in (("same", 1), ("new", KEYS // 2)):
            count = max(6, 16384 // size)
            first = len(bench.data.when)
            blocks = -(-(size + 1) // BLOCK)
            for n in range(count):
                slot = 2 * (n % keys)
                bench.send(Part(slot, False, n, size + 1, 0, bytes(size + 1), b"\x17\3\3\0\0", 5))
            await bench.drain()
            when = bench.data.when[first:]
            skip = (count // 3) * blocks  # until the pipeline is full
            carried = size * (count - count // 3)
            # from the clock in which the first record counted enters to the one a record later
            # than the last would
            clocks = (when[-blocks] - when[skip]) * (count - count // 3) / (count - count // 3 - 1)
            note(**{f"{name}_{size}": carried / clocks})


@cocotb.test()
async def short_parts(dut: Any) -> None:
    """Bytes a clock of one 16 KiB record cut evenly: how short a part may be at full rate."""
    bench = await prepared(dut)
    for size in PARTS:
        first = len(bench.data.when)
        for at in range(0, 16384, size):
            bench.send(Part(0, True, 1, 16384, at, bytes(size), b"\x17\3\3\0\0", 5))
        await bench.drain()
        when = bench.data.when[first:]
        note(**{f"parts_{size}": 16384 / (when[-1] - when[0] + 1)})


@cocotb.test()
async def latencies(dut: Any) -> None:
    """Clocks through an idle lane."""
    bench = await prepared(dut)
    for slot, bits in ((0, 128), (1, 256)):
        sent = bench.send(Part(slot, True, 1, 1400, 0, bytes(1400), b"\x17\3\3\0\0", 5))
        first = len(bench.data.when)
        await bench.drain()
        when = bench.data.when[first:]
        note(
            **{
                f"first_in_first_out_{bits}": sent.first_text_clock - when[0],
                f"last_in_tag_{bits}": sent.sum_clock - when[-1],
            }
        )
        # half a record: its sum goes through the jump ring, k = 44 blocks to go
        sent = bench.send(Part(slot, True, 1, 1400, 0, bytes(704), b"\x17\3\3\0\0", 5))
        first = len(bench.data.when)
        await bench.drain()
        note(**{f"last_in_sum_mid_record_{bits}": sent.sum_clock - bench.data.when[-1]})
        before = len(bench.answers)
        start = len(bench.keys.when)
        bench.install(slot, Cipher(bits // 128), bytes(bits // 8))
        await bench.installed(before + 1)
        note(**{f"key_install_{bits}": bench.answers[-1][2] - bench.keys.when[start]})


@cocotb.test()
async def alone(dut: Any) -> None:
    """Clocks of one AES-128 record from an idle lane, start to tag, with the key there or not.

    This is how the open core's figure was taken (start to done, one record, key and powers of H
    made for it), so these are the figures to hold against it.
    """
    bench = await prepared(dut)
    for size in SIZES:
        part = Part(0, False, 1, size + 1, 0, bytes(size + 1), b"\x17\3\3\0\0", 5)
        first = len(bench.parts.when)
        sent = bench.send(part)
        await bench.drain()
        note(**{f"preloaded_{size}": sent.sum_clock - bench.parts.when[first]})
        start, before = len(bench.keys.when), len(bench.answers)
        bench.install(0, Cipher.AES_128_GCM, bytes(16))
        await bench.installed(before + 1)
        sent = bench.send(part)
        await bench.drain()
        note(**{f"cold_{size}": sent.sum_clock - bench.keys.when[start]})


def tables(all_figures: dict[str, dict[str, float]]) -> list[Table]:
    """What is printed."""
    full = all_figures["full"]
    rate = Table(title="Authenticated bytes a clock, TLS 1.3 records, AES-128, 16-byte lane")
    for column in (
        "record, bytes",
        "back to back, same key",
        "back to back, new key each",
        "target",
        "one alone, key there",
        "one alone, key installed first",
        "best open core, one alone",
        "ratio of these two",
    ):
        rate.add_column(column, justify="right")
    for size in SIZES:
        anchor = OPEN_CORE.get(size)
        cold = size / full[f"cold_{size}"]
        rate.add_row(
            f"{size}",
            f"{full[f'same_{size}']:.2f}",
            f"{full[f'new_{size}']:.2f}",
            f"{TARGET[size]}" if size in TARGET else "",
            f"{size / full[f'preloaded_{size}']:.2f}",
            f"{cold:.2f}",
            f"{anchor}" if anchor else "",
            f"{cold / anchor:.1f}x" if anchor else "",
        )
    delay = Table(title="Clocks (AES-128 / AES-256)")
    delay.add_column("configuration")
    for column in (
        "first in to first out",
        "last in to tag",
        "last in to sum, mid-record",
        "key install to usable",
        "bytes a clock, 16 KiB",
    ):
        delay.add_column(column, justify="right")
    keys = ("first_in_first_out", "last_in_tag", "last_in_sum_mid_record", "key_install")
    for name, figures in all_figures.items():
        pairs = [f"{figures[f'{k}_128']:.0f} / {figures[f'{k}_256']:.0f}" for k in keys]
        delay.add_row(name, *pairs, f"{figures['new_16384']:.2f}")
    delay.add_row("target", "24 / 28", "16", "", "200", "15.9")
    delay.add_row("best open core", "170 / 194", "11 to 18", "", "per record", "12.0")
    short = Table(title="Bytes a clock, one 16 KiB record cut evenly into parts")
    short.add_column("part, bytes")
    for size in PARTS:
        short.add_column(f"{size}", justify="right")
    short.add_row("full", *(f"{full[f'parts_{size}']:.2f}" for size in PARTS))
    return [rate, short, delay]


def main() -> int:
    """The command line above."""
    parser = argparse.ArgumentParser(description="measure lane and paths in clocks")
    parser.add_argument("--json", type=Path, default=BUILD / "bench.json", metavar="FILE")
    options = parser.parse_args()
    os.environ.setdefault("SIM", "verilator")
    figures = {
        name: answered("tls_gcm", "cocotb_tests.bench", parameters)
        for name, parameters in CONFIGURATIONS.items()
    }
    receive = bench_rx.measure()
    transmit = bench_tx.measure()
    written = {
        "figures": figures,
        "receive": receive,
        "transmit": transmit,
        "target": TARGET,
        "best_open_core": OPEN_CORE,
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(written, indent=1) + "\n")
    console = Console(width=None if sys.stdout.isatty() else 110)
    both = [*bench_rx.tables(receive), *bench_tx.tables(transmit, receive)]
    for table in [*tables(figures), *both]:
        console.print(table)
    print(f"written to {options.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
