"""The one chart of a cross-validation: each figure's folds, their mean, and the pooled figure with its interval."""

from __future__ import annotations

from pathlib import Path

from dermport.figures.style import BLUE, GREY, ORANGE, chart
from dermport.statistics.metrics import TITLES
from dermport.training.cross_validation.report import CrossValidationReport

_SHOWN = (
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "macro_roc_auc",
    "decision_roc_auc",
    "decision_sensitivity",
    "decision_specificity",
    "ece",
)


def draw_folds_chart(path: Path, report: CrossValidationReport) -> None:
    """Draw it as PNG."""
    title = f"{len(report.folds)}-fold cross-validation of {report.data}: {report.pooled.photos:,} photos"
    with chart(path, title, (8.0, 4.2)) as axes:
        panel = axes[0][0]
        for row, key in enumerate(reversed(_SHOWN)):
            _draw_row(panel, row, key, report)
        panel.set_yticks(range(len(_SHOWN)), [TITLES[key] for key in reversed(_SHOWN)])
        panel.set(xlim=(0, 1.02), xlabel="figure")
        handles, labels = panel.get_legend_handles_labels()
        unique = dict(zip(labels, handles, strict=True))
        panel.legend(unique.values(), unique.keys(), loc="upper center", bbox_to_anchor=(0.4, -0.14), ncols=3)


def _draw_row(panel: object, row: int, key: str, report: CrossValidationReport) -> None:
    values = [fold.figures[key] for fold in report.folds if fold.figures[key] is not None]
    spread, pooled = report.spread[key], report.pooled.figures[key]
    draw = panel.scatter  # type: ignore[attr-defined]
    draw(values, [row + 0.14] * len(values), s=18, color=GREY, label="a fold's test part")
    if spread.mean is not None:
        draw([spread.mean], [row + 0.14], s=150, marker="|", color=BLUE, label="mean of the folds")
    if pooled.value is not None and pooled.low is not None and pooled.high is not None:
        panel.plot([pooled.low, pooled.high], [row - 0.16] * 2, color=ORANGE)  # type: ignore[attr-defined]
        level = f"all out-of-fold predictions, {report.pooled.confidence:.0%} interval by group"
        draw([pooled.value], [row - 0.16], s=22, marker="D", color=ORANGE, label=level)
