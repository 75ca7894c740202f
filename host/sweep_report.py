"""A sweep's results beside what is published: as rows of a table, and for JSON.

In: the results of one experiment. Out: rows and dictionaries, in the order of the points. No I/O.
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

TOUCHED: Final = 1 + (RECORD - 1) / SEGMENT  # segments that a record lies in, on average
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


def bound(percent: float) -> float:
    """Percent of the records none of whose segments is lost, or comes early.

    No device that needs its segments in order decrypts more.
    """
    return 100.0 * math.pow(1 - percent / 100, TOUCHED)


def rows(results: Sequence[Result]) -> list[Row]:
    """By percentage: what is published, the bound, then the modes."""
    found: list[Row] = []
    for percent in sorted({result.point.percent for result in results}):
        here = [result for result in results if result.point.percent == percent]
        published = PUBLISHED[here[0].point.experiment].get(percent)
        if published:
            cells = tuple(f"{value:.1f}" for value in published)
            found.append(Row(percent, "published", (*cells, *[""] * 5)))
        cells = (f"{bound(percent):.1f}", *[""] * 7)
        found.append(Row(percent, "in-order bound", cells))
        found += [_row(result) for result in here]
    return found


def _row(result: Result) -> Row:
    kinds = (result.percent(kind) for kind in (Kind.DECRYPTED, Kind.MIXED, Kind.ENCRYPTED))
    shares = (*kinds, 100 * result.decrypted / result.frames)
    counts = result.lost, result.by_host, result.by_device
    outage = "" if result.outage is None else f"{result.outage:.0f}"
    cells = (*(f"{share:.1f}" for share in shares), *(f"{n:,}" for n in counts), outage)
    return Row(result.point.percent, result.point.mode, cells)


def error(results: Sequence[Result]) -> float:
    """The largest standard error of a percentage of fully decrypted records."""
    return max(result.error for result in results)


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
        "device": device,
        "points": [_dictionary(result) for result in results],
        "bound": [{"percent": percent, "full": round(bound(percent), 2)} for percent in percents],
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
