"""Robustness as charts: figures by severity, and risk by coverage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dermport.bundle.robustness_report import Condition, RobustnessReport
from dermport.figures.style import BLUE, GREY, VERMILION, chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = 3


def draw_robustness(path: Path, report: RobustnessReport) -> None:
    """Draw accuracy and the share answered by severity as PNG, one panel a corruption."""
    clean, *spoilt = report.conditions
    names = list(dict.fromkeys(one.corruption for one in spoilt))
    rows = -(-len(names) // _COLUMNS)
    title = f"{report.model.name} {report.model.version} on spoilt photos\n{report.data}, {report.photos:,} photos"
    size = (9.4, 1.0 + 2.5 * rows)
    with chart(path, title, size, nrows=rows, ncols=_COLUMNS, sharex=True, sharey=True) as axes:
        for panel, name in zip(axes.flat, names, strict=False):
            _draw(panel, name, [clean, *(one for one in spoilt if one.corruption == name)])
        for panel in axes.flat[len(names) :]:
            panel.set_visible(False)
        axes[0, 0].legend(loc="lower left")


def draw_risk_coverage(path: Path, report: RobustnessReport) -> None:
    """Draw the error rate among the surest photos by how many they are, as PNG."""
    with chart(path, f"Risk and coverage, {report.model.name} {report.model.version}", (5.4, 3.8)) as axes:
        [[panel]] = axes
        covered, risks = zip(*((one.coverage, one.risk) for one in report.coverage), strict=True)
        panel.plot(covered, risks, color=BLUE, marker="o", markersize=3)
        panel.set(xlabel="Share of photos answered, the surest first", ylabel="Error rate among them", xlim=(0, 1.02))
        panel.set_ylim(bottom=0)
        panel.set_title(f"AURC {report.aurc.value:.3f}" if report.aurc.value is not None else "")


def _draw(axes: Axes, name: str, conditions: list[Condition]) -> None:
    severities = [one.severity for one in conditions]
    _line(axes, conditions, "accuracy", BLUE, "accuracy, all photos")
    if all(one.answered for one in conditions):
        shares = [one.answered.count / one.answered.of for one in conditions if one.answered]
        axes.plot(severities, shares, color=GREY, linestyle="--", marker="s", markersize=3, label="share answered")
        known = [(one.severity, one.accuracy_answered.value) for one in conditions if one.accuracy_answered]
        told = {severity: value for severity, value in known if value is not None}
        answered = "accuracy of the answered"
        axes.plot(list(told), list(told.values()), color=VERMILION, marker="^", markersize=4, label=answered)
    axes.set_title(name)
    axes.set(xlabel="Severity", ylim=(-0.02, 1.02), xticks=severities)


def _line(axes: Axes, conditions: list[Condition], key: str, colour: str, label: str) -> None:
    known = [(one.severity, one.figures[key]) for one in conditions if one.figures[key].value is not None]
    places, metrics = [place for place, _ in known], [metric for _, metric in known]
    axes.fill_between(
        places, [one.low or 0.0 for one in metrics], [one.high or 0.0 for one in metrics], color=colour, alpha=0.15
    )
    axes.plot(places, [one.value or 0.0 for one in metrics], color=colour, marker="o", markersize=3, label=label)
