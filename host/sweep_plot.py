"""A sweep as a picture: our curves, the published points, the in-order bound.

In: the dictionary of `host/sweep_report.py`. Out: a PNG. Needs matplotlib, the extra `plot`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

STYLE: Final[Mapping[str, tuple[str, str, int]]] = {  # colour, marker and its size, by mode
    "document": ("tab:red", "v", 6),
    "order-free": ("tab:blue", "o", 10),  # curves that are the same can all be seen
    "self-confirming": ("tab:green", "s", 6),
    "all": ("tab:orange", "D", 3),
}
FEW: Final = 10  # outages of which there is no mean
TITLE: Final = {
    "loss": "Loss, sent again {distance} frames later",
    "reorder": "Reordering, {distance} frames early",
}
AXIS: Final = {"loss": "transmissions lost, %", "reorder": "frames that come early, %"}


def draw(report: Mapping[str, Any], file: BinaryIO) -> None:
    """Write the picture."""
    figure = Figure(figsize=(11, 5), layout="constrained")
    full, outage = figure.subplots(1, 2, width_ratios=(3, 2))
    _full(full, report)
    _outage(outage, report)
    title = TITLE[report["experiment"]].format(**report)
    title += "; segments end with records" * report["align"]
    figure.suptitle(f"{title}; the host's answer {report['confirm']} frames late")
    for axes in (full, outage):
        axes.set_xlabel(AXIS[report["experiment"]])
        axes.set_ylim(bottom=0)
        axes.set_xlim(0, 1.02 * max(each["percent"] for each in report["points"]) or 1)
        axes.grid(alpha=0.3)
    figure.legend(*full.get_legend_handles_labels(), loc="outside lower center", ncols=6)
    figure.savefig(file, dpi=110, format="png", metadata={"Software": None})


def _full(axes: Axes, report: Mapping[str, Any]) -> None:
    axes.set_title("records decrypted by the device alone, %")
    published = report["published"]
    axes.plot(*_columns(published, "full"), "k*", markersize=10, label="published (ConnectX-6 Dx)")
    axes.plot(*_columns(report["bound"], "full"), "k--", linewidth=1, label="in-order bound")
    _modes(axes, report, "full")
    axes.set_ylim(top=104)


def _outage(axes: Axes, report: Mapping[str, Any]) -> None:
    axes.set_title(f"mean outage, frames (where there are {FEW})")
    _modes(axes, report, "outage")
    axes.margins(y=0.1)


def _modes(axes: Axes, report: Mapping[str, Any], column: str) -> None:
    for mode, (colour, marker, size) in STYLE.items():
        points = [each for each in report["points"] if each["mode"] == mode]
        if column == "outage":
            points = [each for each in points if each["outages"] >= FEW]
        if points:
            xs, ys = _columns(points, column)
            axes.plot(xs, ys, color=colour, marker=marker, markersize=size, label=mode)


def _columns(rows: list[dict[str, float]], column: str) -> tuple[list[float], list[float]]:
    return [row["percent"] for row in rows], [row[column] for row in rows]
