"""Where the commands write: tables and lines, reports in files.

In: what is to be written, and where. Out: the same on a stream or in a file that was opened before
the work began. Errors: OSError for a file that cannot be written; BrokenPipeError when the reader
of a stream is gone.
"""

from __future__ import annotations

import contextlib
import re
import sys
from pathlib import Path
from typing import Final, TextIO

from rich.console import Console
from rich.table import Table

STDOUT: Final = Path("-")
WIDTH: Final = 100  # columns at least: a narrower terminal wraps, and no table loses a column
_BLANKS: Final = re.compile(r"(?: |\x1b\[[0-9;]*m)+$", re.MULTILINE)  # and colours among them


class Stream(Console):
    """A standard stream."""

    def on_broken_pipe(self) -> None:
        """Nobody reads any more: that is for who called."""
        raise BrokenPipeError


class Page(Stream):
    """One for tables and lines of any length, which the terminal wraps."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(highlight=False, soft_wrap=True, stderr=stderr)
        self.width = max(self.width, WIDTH)

    def table(self, table: Table) -> None:
        """Print a table, without blanks at the ends of its rows."""
        with self.capture() as capture:
            self.print(table)
        self.file.write(_BLANKS.sub(lambda found: found[0].replace(" ", ""), capture.get()))


def report_file(stack: contextlib.ExitStack, path: Path | None) -> TextIO | None:
    """Open where a report goes, before there is one; "-" is the standard output."""
    if path is None:
        return None
    return sys.stdout if path == STDOUT else stack.enter_context(path.open("w"))
