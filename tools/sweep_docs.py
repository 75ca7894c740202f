"""The sweeps of docs/sweep.md: runs them, draws the pictures and fills in the tables.

python -m tools.sweep_docs [--jobs N]

A table stands between `<!-- NAME -->` and `<!-- end -->`; reports go to build/sweep.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from host import cli
from host.sweep_report import HEADINGS, rows, size

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "sweep.md"
BUILD: Final = ROOT / "build" / "sweep"
SWEEPS: Final[Mapping[str, list[str]]] = {
    "loss_4": ["loss", "--distance", "4"],
    "loss_60": ["loss", "--distance", "60"],
    "reorder_9": ["reorder", "--distance", "9"],
    "loss_aligned": ["loss", "--align", "--confirm", "0", "--modes", "document,all"],
}
SHOWN: Final = (0.5, 1, 2, 2.94, 3, 5)  # percent; the pictures have all


def table(report: Mapping[str, Any]) -> str:
    """In Markdown."""
    align = [":---" if heading == "device" else "---:" for heading in HEADINGS]
    lines = [list(HEADINGS), align]
    before = 0.0
    for row in rows(report):
        if row.percent in SHOWN:
            percent = "" if row.percent == before else f"{row.percent:g}"
            lines.append([percent, row.name, *row.cells])
            before = row.percent
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{text}\n\n{size(report)}.\n"


def fill(page: str, tables: Mapping[str, str]) -> str:
    """The page with these tables; KeyError if it has no place for one."""
    for name, text in tables.items():
        found = re.search(rf"<!-- {name} -->\n(.*?)<!-- end -->", page, re.DOTALL)
        if found is None:
            raise KeyError(name)
        page = page[: found.start(1)] + text + page[found.end(1) :]
    return page


def main() -> int:
    """Run all; the exit code of the first that fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", default=str(os.cpu_count()))
    jobs = parser.parse_args().jobs
    fill(PAGE.read_text(), dict.fromkeys(SWEEPS, ""))  # complains now, not in the end
    BUILD.mkdir(parents=True, exist_ok=True)
    tables = {}
    for name, arguments in SWEEPS.items():
        path, picture = BUILD / f"{name}.json", PAGE.with_name(f"sweep_{name}.png")
        files = ["--json", str(path), "--plot", str(picture)]
        code = cli.main(["sweep", *arguments, *files, "--jobs", jobs])
        if code:
            return code
        tables[name] = table(json.loads(path.read_text()))
    PAGE.write_text(fill(PAGE.read_text(), tables))
    return 0


if __name__ == "__main__":
    sys.exit(main())
