"""The chart of groups of people: a dot and its interval for each group and figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dermport.bundle.evaluation_report import EvaluationReport
from dermport.figures.style import BLUE, GREY, VERMILION, chart
from dermport.statistics.fairness import FIGURES, Fairness, GroupReport
from dermport.statistics.metrics import TITLES
from dermport.statistics.subgroups import KINDS, GroupKind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WHITE = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1}
_Row = GroupKind | GroupReport


def draw_fairness(path: Path, report: EvaluationReport, fairness: Fairness) -> None:
    """Draw the groups as PNG: rows of groups below the heading of their kind, a column for each figure."""
    rows = _rows(fairness)
    title = f"Groups of people, with {100 * report.confidence:g} % intervals by lesion\n{report.scored}"
    size = (13.0, 0.21 * len(rows) + 1.7)
    with chart(path, title, size, ncols=len(FIGURES), sharey=True) as axes:
        for axis, figure in zip(axes[0], FIGURES, strict=True):
            _draw_figure(axis, figure, rows, report, fairness)
        _name_rows(axes[0, 0], rows)


def _rows(fairness: Fairness) -> list[_Row]:
    rows: list[_Row] = []
    for kind in KINDS:
        groups = fairness.of(kind)
        rows += [kind, *groups] if groups else []
    return rows


def _name_rows(axes: Axes, rows: Sequence[_Row]) -> None:
    names = [
        KINDS[row] + (" (estimated)" if row == "skin tone" else "")
        if isinstance(row, str)
        else f"{row.group}  {row.photos:,} / {row.positives:,}"
        for row in rows
    ]
    axes.set_yticks(range(len(rows)), names)
    for label, row in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_fontweight("bold" if isinstance(row, str) else "normal")
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_ylabel("Group, photos / of these positive")


def _draw_figure(axes: Axes, figure: str, rows: Sequence[_Row], report: EvaluationReport, fairness: Fairness) -> None:
    axes.set_title("\n".join(_wrapped(TITLES[figure])), fontsize=8.5)
    overall = report.figures[figure]
    if overall.value is not None:
        axes.axvline(overall.value, color=VERMILION, linewidth=1, linestyle=":")
        axes.axvspan(overall.low or 0.0, overall.high or 0.0, color=VERMILION, alpha=0.1, linewidth=0)
    shown = [one.figures[figure] for one in fairness.groups if figure in one.figures]
    ends = [end for metric in (overall, *shown) for end in (metric.value, metric.low, metric.high) if end is not None]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    space = 0.06 * (high - low or 1.0)
    axes.set_xlim(max(low - space, -0.02), min(high + space, 1.02))
    axes.margins(y=0)
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)
    for place, row in enumerate(rows):
        if isinstance(row, str):
            _write_gap(axes, place, row, figure, fairness)
        else:
            _draw_group(axes, place, row, figure)


def _draw_group(axes: Axes, place: int, group: GroupReport, figure: str) -> None:
    metric = group.figures.get(figure)
    if metric is None or metric.value is None:
        where = axes.get_yaxis_transform()
        axes.text(0.02, place, "too few", transform=where, fontsize=6.5, color=GREY, va="center", bbox=_WHITE)
        return
    low, high = (metric.value if end is None else end for end in (metric.low, metric.high))
    axes.hlines(place, low, high, color=BLUE, linewidth=1.2)
    axes.plot(metric.value, place, "o", color=BLUE, markersize=4)


def _write_gap(axes: Axes, place: int, kind: GroupKind, figure: str, fairness: Fairness) -> None:
    gap = next((one for one in fairness.gaps if (one.kind, one.figure) == (kind, figure)), None)
    if gap is not None and gap.gap.value is not None:
        text = f"gap {gap.gap.value:.2f}, by chance {gap.by_chance:.2f}"
        where = axes.get_yaxis_transform()
        axes.text(0.02, place, text, transform=where, fontsize=7, va="center", fontweight="bold", bbox=_WHITE)


def _wrapped(title: str) -> tuple[str, ...]:
    words = title.split(" of the ")
    return (words[0], f"of the {words[1]}") if len(words) > 1 else (title, "")
