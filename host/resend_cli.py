"""`tlsnic resend`: what it costs the host to send lost segments again.

In: arguments. Out: a table on the standard output; JSON, if asked for. Exit code 0; 1 if a segment
left otherwise than software would have sent it; SweepError for what cannot be done.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final, TextIO

from rich.table import Table

from host.driver_tx import OutOfOrder
from host.output import Page, report_file
from host.resend import PUBLISHED, SHORT, SOURCE, Point, Result, measure, rows
from host.sweep_cli import MISMATCH, OK, device_of, number, percents, prepare, some

PERCENTS: Final = (0.5, 1.0, 2.0, 5.0)
DELAY: Final = 20
RECORDS: Final = 256
HEADINGS: Final = (
    "%", "way", "again", "seek", "rebuild", "software", "bytes an event", "% re-read",
)  # fmt: skip


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """The command and its options."""
    resend = commands.add_parser(
        "resend",
        help="what sending lost segments again costs",
        description="Send a TLS stream whose segments are lost behind the NIC through kTLS stack, "
        "driver and device, and tell what was read again for those that were sent again. "
        "docs/resend.md says what each column is.",
        epilog="Exit code: 0, or 1 if a segment left otherwise than software would have sent it, "
        "or 2 for what cannot be done.",
    )
    option = resend.add_argument
    option("--percent", type=percents, metavar="LIST", default=PERCENTS,
           help="of the segments that are lost, with commas between (default: "
           f"{','.join(f'{each:g}' for each in PERCENTS)})")  # fmt: skip
    option("--delay", type=number, metavar="N", default=DELAY,
           help="segments between one and its retransmission (default: %(default)s)")  # fmt: skip
    option("--records", type=some, metavar="N", default=RECORDS,
           help="of the stream (default: %(default)s)")  # fmt: skip
    option("--seed", type=number, metavar="N", default=1, help="(default: %(default)s)")
    option("--device", choices=("model", "rtl"), default="model",
           help="what plays the NIC (default: %(default)s)")  # fmt: skip
    option("--json", type=Path, metavar="FILE", help="write the report; - is stdout")
    return resend


def run(options: argparse.Namespace) -> int:
    """Do it; the exit code."""
    with contextlib.ExitStack() as stack:
        file = report_file(stack, options.json)
        if options.device == "rtl":
            prepare()
        results = []
        for percent in options.percent:
            for way in reversed(OutOfOrder):
                with contextlib.closing(device_of(options.device)) as device:
                    point = Point(percent, way, options.delay, options.records, options.seed)
                    results.append(measure(point, device))
        _tell(results, file)
    mismatches = sum(result.mismatches for result in results)
    if mismatches:
        print(f"tlsnic: {mismatches:,} segments did not leave as they should", file=sys.stderr)
    return MISMATCH if mismatches else OK


def report(results: Sequence[Result]) -> dict[str, object]:
    """What `--json` writes."""
    points = []
    for each in results:
        told = asdict(each)
        point = told.pop("point") | {"way": each.point.way.name.lower()}
        points.append(point | told)
    return {"points": points, "published": PUBLISHED._asdict(), "source": SOURCE}


def _tell(results: Sequence[Result], file: TextIO | None) -> None:
    if file:
        print(json.dumps(report(results), indent=1), file=file)
    if file is sys.stdout:
        return
    table = Table(box=None)
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading == "way" else "right", no_wrap=True)
    for row in rows(results):
        table.add_row(*row)
    page = Page()
    page.table(table)
    published = f"published ({SHORT}), rebuilds: {PUBLISHED.bytes:,} bytes an event"
    page.print(published, markup=False)
