"""A sweep's results beside what is published: for JSON, and from that as rows of a table.

In: the results of one experiment. Out: a report, and its rows in the order of the points. No I/O.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from host import sweep_published
from host.ktls import Kind
from host.sweep import LOSS, REORDER, Result
from host.sweep_published import Records
from host.sweep_traffic import RECORD, SEGMENT

PUBLISHED: Final[Mapping[str, Mapping[float, Records]]] = {
    LOSS: sweep_published.LOSS,
    REORDER: sweep_published.REORDER,
}
HEADINGS: Final = (
    "%", "device", "full", "partial", "none", "frames", "lost", "host", "self", "outage"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One line: of how many percent, whose, and what in the other columns; "" if not known."""

    percent: float
    name: str
    cells: tuple[str, ...]


def bound(percent: float, align: bool) -> float:
    """Percent of the records none of whose segments is lost, or comes early.

    No device that needs its segments in order decrypts more.
    """
    touched = math.ceil(RECORD / SEGMENT) if align else 1 + (RECORD - 1) / SEGMENT  # on average
    return 100.0 * math.pow(1 - percent / 100, touched)


def report(results: Sequence[Result], device: str) -> dict[str, Any]:
    """All of it, for JSON; an outage of 0 frames stands for none."""
    point = results[0].point
    percents = sorted({result.point.percent for result in results})
    published = PUBLISHED[point.experiment]
    return {
        "experiment": point.experiment,
        "distance": point.distance,
        "confirm": point.confirm,
        "streams": point.streams,
        "records": point.records,
        "seed": point.seed,
        "align": point.align,
        "device": device,
        "points": [_dictionary(result) for result in results],
        "bound": [
            {"percent": percent, "full": round(bound(percent, point.align), 2)}
            for percent in percents
        ],
        "published": [{"percent": x, **published[x]._asdict()} for x in published],
        "source": sweep_published.SOURCE,
    }


def _dictionary(result: Result) -> dict[str, Any]:
    return {
        "percent": result.point.percent,
        "mode": result.point.mode,
        "full": round(result.percent(Kind.DECRYPTED), 3),
        "full_error": round(result.error, 3),
        "partial": round(result.percent(Kind.MIXED), 3),
        "none": round(result.percent(Kind.ENCRYPTED), 3),
        "frames": result.frames,
        "frames_decrypted": result.decrypted,
        "lost": result.lost,
        "requests": result.requests,
        "resyncs_host": result.by_host,
        "resyncs_self": result.by_device,
        "outages": len(result.outages),
        "outage": round(result.outage or 0, 2),
        "mismatches": result.mismatches,
    }


def rows(report: Mapping[str, Any]) -> list[Row]:
    """By percentage: what is published, the bound, then the modes."""
    found: list[Row] = []
    published = {each["percent"]: each for each in report["published"]}
    for each in report["bound"]:
        percent = each["percent"]
        if percent in published:
            cells = [f"{published[percent][column]:.1f}" for column in Records._fields]
            found.append(Row(percent, "published", (*cells, *[""] * 5)))
        found.append(Row(percent, "in-order bound", (f"{each['full']:.1f}", *[""] * 7)))
        found += [_row(point) for point in report["points"] if point["percent"] == percent]
    return found


def _row(point: Mapping[str, Any]) -> Row:
    shares = [point[column] for column in Records._fields]
    shares.append(100 * point["frames_decrypted"] / point["frames"])
    counts = (point[column] for column in ("lost", "resyncs_host", "resyncs_self"))
    outage = f"{point['outage']:.0f}" if point["outages"] else ""
    cells = (*(f"{share:.1f}" for share in shares), *(f"{n:,}" for n in counts), outage)
    return Row(point["percent"], point["mode"], cells)


def size(report: Mapping[str, Any]) -> str:
    """How much was measured, and how good that makes it, in words."""
    error = max(each["full_error"] for each in report["points"])
    return (
        f"{report['streams']:,} streams of {report['records']:,} records, seed {report['seed']}; "
        f"full is good to {error:.1f} (one standard error)"
    )
