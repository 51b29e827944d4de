"""The charts over all thresholds: ROC, precision-recall, decision curve; each with its band."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dermport.bundle.evaluation_report import DecisionReport, EvaluationReport
from dermport.figures.style import BLACK, BLUE, CHANCE, GREY, ORANGE, VERMILION, chart, panels, unit_square
from dermport.statistics.curves import GRID, Band, Curves
from dermport.statistics.estimates import Metric
from dermport.statistics.net_benefit import HIGHEST, LOWEST, DecisionCurve
from dermport.statistics.text import in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TICKS = (0, 0.25, 0.5, 0.75, 1)
_ODDS = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)


@dataclass(frozen=True)
class _Kind:
    """A kind of curve: what is written over and beside it, and how it and the decision's operating point are drawn."""

    title: str
    x: str
    y: str
    draw: Callable[[Axes, Curves], None]
    mark: Callable[[Axes, DecisionReport], None]


def draw_roc(
    path: Path, report: EvaluationReport, of_classes: Sequence[Curves | None], of_decision: Curves | None
) -> None:
    """Draw the ROC curves as PNG: the decision with its operating point, and each class against the rest."""
    kind = _Kind("ROC curves", "1 − specificity", "Sensitivity", _draw_roc, _operating)
    of_report = [one.roc_auc for one in report.classes]
    _small_multiples(path, report, kind, [report.figures["decision_roc_auc"], *of_report], [of_decision, *of_classes])


def draw_precision_recall(
    path: Path, report: EvaluationReport, of_classes: Sequence[Curves | None], of_decision: Curves | None
) -> None:
    """Draw precision over recall as PNG: the decision with its operating point, and each class against the rest."""
    title = "Precision-recall curves (average precision; dashed: the prevalence)"
    kind = _Kind(title, "Recall (sensitivity)", "Precision", _draw_precision, _precise)
    of_report = [one.average_precision for one in report.classes]
    of_yes = report.decision.average_precision if report.decision else None
    _small_multiples(path, report, kind, [of_yes, *of_report], [of_decision, *of_classes])


def _panels(report: EvaluationReport) -> dict[int, str]:
    """Return the title of each panel by its place: 0 of the decision, if there is one, then 1 more than the class's."""
    decision = report.decision
    photos = decision.true_positives + decision.false_negatives if decision else 0
    titles = {0: f"“{decision.name}” ({photos:,} photos)"} if decision else {}
    return titles | {report.classes.index(one) + 1: f"{one.id} ({one.photos:,} photos)" for one in report.shown}


def _small_multiples(
    path: Path,
    report: EvaluationReport,
    kind: _Kind,
    areas: Sequence[Metric | None],
    every: Sequence[Curves | None],
) -> None:
    level = f"with {100 * report.confidence:g} % bands by lesion{report.abridged and '; '}{report.abridged}"
    shown = _panels(report)
    rows, columns = panels(len(shown))
    size = (2.75 * columns, 3.1 * rows + 0.7)
    with chart(path, f"{kind.title}, {level}\n{report.scored}", size, nrows=rows, ncols=columns) as axes:
        for place, (index, name) in enumerate(shown.items()):
            axis, area, curves = axes.flat[place], areas[index], every[index]
            axis.set_title(f"{name}\n{'' if area is None else in_words(area)}", fontsize=8.5)
            unit_square(axis, kind.x if place + columns >= len(shown) else "", "" if place % columns else kind.y)
            axis.set(xticks=_TICKS, yticks=_TICKS)
            if curves is not None:
                kind.draw(axis, curves)
        if every[0] is not None and report.decision:
            kind.mark(axes.flat[0], report.decision)
        for axis in axes.flat[len(shown) :]:
            axis.remove()


def _draw_roc(axes: Axes, curves: Curves) -> None:
    axes.plot((0, 1), (0, 1), **CHANCE)
    _band(axes, curves.roc)


def _draw_precision(axes: Axes, curves: Curves) -> None:
    axes.axhline(curves.prevalence, **CHANCE)
    _band(axes, curves.precision, step=True)


def _band(axes: Axes, band: Band, *, step: bool = False) -> None:
    if step:
        axes.fill_between(GRID, band.low, band.high, color=BLUE, alpha=0.22, linewidth=0, step="pre")
        axes.step(band.x, band.y, color=BLUE, linewidth=1.3, where="pre")
    else:
        axes.fill_between(GRID, band.low, band.high, color=BLUE, alpha=0.22, linewidth=0)
        axes.plot(band.x, band.y, color=BLUE, linewidth=1.3)


def _operating(axes: Axes, decision: DecisionReport) -> None:
    alarms = decision.false_positives / (decision.false_positives + decision.true_negatives)
    _mark(axes, alarms, _found(decision), decision)
    axes.axhline(decision.target_sensitivity, color=VERMILION, linewidth=0.8, linestyle=":")
    aim = f"aimed at on validation: {decision.target_sensitivity:g}"
    axes.text(1.0, decision.target_sensitivity - 0.02, aim, color=VERMILION, fontsize=6.5, ha="right", va="top")


def _precise(axes: Axes, decision: DecisionReport) -> None:
    named = decision.true_positives + decision.false_positives
    if named:
        _mark(axes, _found(decision), decision.true_positives / named, decision)


def _found(decision: DecisionReport) -> float:
    return decision.true_positives / (decision.true_positives + decision.false_negatives)


def _mark(axes: Axes, x: float, y: float, decision: DecisionReport) -> None:
    label = f"threshold {decision.threshold:.3g}"
    axes.plot(x, y, "o", color=VERMILION, markersize=5, zorder=4, label=label)
    axes.legend(loc="lower center", fontsize=7, handletextpad=0.1)


def draw_decision_curve(path: Path, report: EvaluationReport, decision: DecisionReport, curve: DecisionCurve) -> None:
    """Draw net benefit over the threshold as PNG: acting by the model, on everybody, on nobody."""
    x = np.array([one.threshold for one in curve.points])
    model = [one.model for one in curve.points]
    everybody = np.array([one.treat_all for one in curve.points])
    title = f"Decision curve of “{decision.name}”, with {100 * report.confidence:g} % band by lesion"
    with chart(path, f"{title}\n{report.scored}", (7.6, 5.2)) as grid:
        axes = grid[0, 0]
        low, high = ([getattr(one, end) or 0.0 for one in model] for end in ("low", "high"))
        axes.fill_between(x, low, high, color=BLUE, alpha=0.22, linewidth=0)
        axes.plot(x, [one.value for one in model], color=BLUE, linewidth=1.6, label="act by the model")
        axes.plot(x, everybody, color=ORANGE, linewidth=1.4, linestyle="--", label="act on everybody")
        axes.axhline(0, color=BLACK, linewidth=1, label="act on nobody")
        if LOWEST <= decision.threshold <= HIGHEST:
            label = f"the bundle's threshold, {decision.threshold:.3g}"
            axes.axvline(decision.threshold, color=VERMILION, linewidth=1, linestyle=":", label=label)
        top = max(*high, curve.prevalence)
        axes.set(xlim=(LOWEST, HIGHEST), ylim=(-0.15 * top, 1.05 * top))
        axes.set_xticks(_ODDS, [f"{one:g}\n{(1 - one) / one:.2g}" for one in _ODDS])
        axes.set_xlabel("Threshold probability; below it, how many false alarms one positive found is worth")
        axes.set_ylabel("Net benefit (positives found per photo)")
        axes.legend(loc="upper right")
        note = f"Holds for this prevalence alone: {100 * curve.prevalence:.1f} % of the photos are positive."
        axes.text(0.99, 0.02, note, transform=axes.transAxes, ha="right", fontsize=7.5, color=GREY)
