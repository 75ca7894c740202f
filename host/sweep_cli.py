"""`tlsnic sweep loss|reorder`: how much is offloaded when frames are lost or reordered.

In: arguments. Out: a table on the standard output; JSON and a picture, if asked for. Exit code 0;
1 if what the stacks delivered is not what was sent, or if model and RTL differ; SweepError for
what cannot be done.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import signal
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, TextIO

from rich.progress import track
from rich.table import Table

from host.device import Device
from host.output import Page, Stream, report_file
from host.sweep import DOCUMENT, LOSS, MODES, REORDER, Point, Result, measure
from host.sweep_check import Both, Difference
from host.sweep_report import HEADINGS, PUBLISHED, report, rows, size

OK, MISMATCH = 0, 1
DISTANCE: Final = {LOSS: 4, REORDER: 9}
CONFIRM: Final = 40


class SweepError(Exception):
    """It cannot be done; the text says why."""


@dataclass(frozen=True, slots=True)
class Size:
    """What is done unless something else is asked for."""

    streams: int
    records: int
    percents: tuple[float, ...]  # none: those that are published


FULL: Final = Size(16, 256, ())
SMALL: Final = Size(16, 40, (0, 1, 2, 5))  # the RTL is slow


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """The command and its options."""
    sweep = commands.add_parser(
        "sweep",
        help="how much is offloaded under loss or reordering",
        description="Send many TLS streams with lost or reordered frames through device, driver "
        "and kTLS stack, and tell how the records came: decrypted by the device fully, in part, "
        "or not at all. docs/sweep.md says what is simulated and what each column is.",
        epilog="Exit code: 0, or 1 if bytes were delivered that had not been sent, or if model and "
        "RTL differ, or 2 for what cannot be done.",
    )
    add = sweep.add_argument
    add("experiment", choices=(LOSS, REORDER), metavar=f"{LOSS}|{REORDER}",
        help="what happens to frames: some are lost and sent again, or some come too "
        "early")  # fmt: skip
    add("--percent", type=percents, metavar="LIST",
        help="of the frames sent, with commas between (default: as published)")  # fmt: skip
    add("--distance", type=number, metavar="N",
        help="loss: frames of the stream between it and the retransmission "
        f"(default: {DISTANCE[LOSS]}); reorder: those that an early frame overtakes "
        f"(default: {DISTANCE[REORDER]})")  # fmt: skip
    add("--align", action="store_true",
        help="segments end where records do, as when the sender's window is small")  # fmt: skip
    add("--confirm", type=number, metavar="N", default=CONFIRM,
        help="frames of the stream by which answers of the host are late "
        "(default: %(default)s)")  # fmt: skip
    add("--modes", type=_modes, metavar="LIST", default=MODES,
        help=f"with commas between (default: {','.join(MODES)})")  # fmt: skip
    add("--streams", type=some, metavar="N", help=f"(default: {FULL.streams})")
    add("--records", type=some, metavar="N", help=f"of a stream (default: {FULL.records})")
    add("--seed", type=number, metavar="N", default=1, help="(default: %(default)s)")
    add("--jobs", type=some, metavar="N", default=os.cpu_count() or 1,
        help="points at a time (default: as many as there are processors)")  # fmt: skip
    what = sweep.add_mutually_exclusive_group()
    what.add_argument("--device", choices=("model", "rtl"), default="model",
                      help="what plays the NIC (default: %(default)s)")  # fmt: skip
    what.add_argument("--check-rtl", action="store_true",
                      help="run model and RTL side by side, and compare every frame and "
                      "descriptor; less traffic by default, and no table")  # fmt: skip
    add("--json", type=Path, metavar="FILE", help="write the report; - is stdout")
    add("--plot", type=Path, metavar="FILE", help="write a picture, as PNG")
    return sweep


def run(options: argparse.Namespace) -> int:
    """Do it; the exit code."""
    if options.plot:
        _matplotlib()
    device = "both" if options.check_rtl else options.device
    points = _points(options, FULL if device == "model" else SMALL)
    with contextlib.ExitStack() as stack:
        file = report_file(stack, options.json)
        plot = stack.enter_context(options.plot.open("wb")) if options.plot else None
        if device != "model":
            prepare()
        try:
            results = list(_measured(points, device, options.jobs))
        except Difference as difference:
            print(f"tlsnic: model and RTL differ: {difference}", file=sys.stderr)
            return MISMATCH
        _tell(results, device, plot, file)
    mismatches = sum(result.mismatches for result in results)
    if mismatches:
        print(f"tlsnic: {mismatches:,} bytes are not those that were sent", file=sys.stderr)
    return MISMATCH if mismatches else OK


def _points(options: argparse.Namespace, usual: Size) -> list[Point]:
    distance = options.distance
    if distance is None:
        distance = DISTANCE[options.experiment]
    modes = [mode for mode in options.modes if not (options.check_rtl and mode == DOCUMENT)]
    if not modes:
        raise SweepError(f"{DOCUMENT} is no device that could be compared")
    return [
        Point(
            experiment=options.experiment,
            percent=percent,
            distance=distance,
            mode=mode,
            confirm=options.confirm,
            streams=options.streams or usual.streams,
            records=options.records or usual.records,
            seed=options.seed,
            align=options.align,
        )
        for percent in options.percent or usual.percents or PUBLISHED[options.experiment]
        for mode in modes
    ]


# -- running --------------------------------------------------------------------------------------


def _measured(points: Sequence[Point], device: str, jobs: int) -> Iterator[Result]:
    """Results in the order of the points, and a bar, if the standard error is a terminal."""
    console = Stream(stderr=True)
    tasks = [(point, device) for point in points]
    with contextlib.ExitStack() as stack:
        results: Iterator[Result]
        if jobs > 1:
            pool = multiprocessing.get_context("spawn").Pool(jobs, _deaf)
            results = stack.enter_context(pool).imap(_measure, tasks)
        else:
            results = map(_measure, tasks)
        quiet = not console.is_terminal
        yield from track(
            results, "sweep", len(tasks), console=console, transient=True, disable=quiet
        )


def _deaf() -> None:
    """An interrupt is for the process that started this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _measure(task: tuple[Point, str]) -> Result:
    point, name = task
    if point.mode == DOCUMENT:
        return measure(point)
    with contextlib.closing(device_of(name)) as device:
        return measure(point, device, burst=point.streams if name == "both" else 1)


def device_of(name: str) -> Device:
    """The device of that name: "model", "rtl", or "both" of them side by side."""
    from host.device_model import ModelDevice

    if name == "model":
        return ModelDevice()
    from host.device_rtl import RtlDevice

    rtl = RtlDevice()
    return Both(ModelDevice(), rtl) if name == "both" else rtl


def prepare() -> None:
    """Have the RTL built, once, before there are many that need it."""
    try:
        from host.device_rtl import FASTEST
        from host.verilate import BuildError, library
    except ImportError as error:
        raise SweepError(f"the RTL cannot be built: {error}") from None
    try:
        library(FASTEST, _building)
    except BuildError as error:
        raise SweepError(f"the RTL: {textwrap.shorten(str(error), 300)}") from None


def _building() -> None:
    print("building the RTL, once: a minute or two", file=sys.stderr, flush=True)


def _matplotlib() -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise SweepError("a picture needs matplotlib: `make setup` installs it") from None


# -- telling --------------------------------------------------------------------------------------


def _tell(
    results: Sequence[Result], device: str, plot: BinaryIO | None, file: TextIO | None
) -> None:
    told = report(results, device)
    if plot:
        from host.sweep_plot import draw

        draw(told, plot)
    if file:
        print(json.dumps(told, indent=1), file=file)
    if file is sys.stdout:
        return
    console = Page()
    if device == "both":
        frames = sum(result.frames for result in results)
        console.print(f"{len(results):,} points, {frames:,} frames: model and RTL agree")
        return
    console.table(_table(told))
    console.print(size(told))


def _table(told: Mapping[str, Any]) -> Table:
    table = Table(box=None)
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading == "device" else "right")
    before = -1.0
    for row in rows(told):
        percent = "" if row.percent == before else f"{row.percent:g}"
        before = row.percent
        table.add_row(percent, row.name, *row.cells)
    return table


# -- arguments ------------------------------------------------------------------------------------


def number(text: str) -> int:
    """An argument that is a number."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 0 up")
    return int(text)


def some(text: str) -> int:
    """One that is a number of things."""
    if not (text.isdecimal() and 0 < int(text) < 1 << 16):
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1 to 65,535")
    return int(text)


def percents(text: str) -> tuple[float, ...]:
    """One that is a list of percentages; in order, each once."""
    try:
        found = tuple(float(each) for each in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not a list of percentages") from None
    wrong = [f"{each:g}" for each in found if not 0 <= each <= 50]
    if wrong:
        raise argparse.ArgumentTypeError(f"{wrong[0]} is not from 0 to 50")
    return tuple(sorted(set(found)))


def _modes(text: str) -> tuple[str, ...]:
    found = text.split(",")
    for mode in found:
        if mode not in MODES:
            raise argparse.ArgumentTypeError(f"{mode} is none of {', '.join(MODES)}")
    return tuple(mode for mode in MODES if mode in found)
