"""The one chart of a cross-validation: each figure's folds, their mean, and the pooled figure with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dermport.figures.style import BLUE, GREY, ORANGE, chart
from dermport.statistics.estimates import Metric
from dermport.statistics.metrics import TITLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
_Figures = Mapping[str, float | None]


def draw_folds(
    path: Path, title: str, folds: Sequence[_Figures], *, means: _Figures, pooled: Mapping[str, Metric], level: float
) -> None:
    """Draw it as PNG.

    Args:
        path: The PNG.
        title: The line above it.
        folds: Each fold's figures of its test part, by the keys of :data:`.metrics.TITLES`; None where undefined.
        means: Their means, likewise.
        pooled: The figures of all out-of-fold predictions.
        level: Of the pooled figures' intervals, 0..1.
    """
    with chart(path, title, (8.0, 4.2)) as axes:
        panel = axes[0][0]
        for row, key in enumerate(reversed(_SHOWN)):
            _draw_folds(panel, row, [value for fold in folds if (value := fold[key]) is not None], means[key])
            _draw_pooled(panel, row, pooled[key], f"all out-of-fold predictions, {level:.0%} interval by group")
        panel.set_yticks(range(len(_SHOWN)), [TITLES[key] for key in reversed(_SHOWN)])
        panel.set(xlim=(0, 1.02), xlabel="figure")
        handles, labels = panel.get_legend_handles_labels()
        unique = dict(zip(labels, handles, strict=True))
        panel.legend(unique.values(), unique.keys(), loc="upper center", bbox_to_anchor=(0.4, -0.14), ncols=3)


def _draw_folds(axes: Axes, row: int, values: list[float], mean: float | None) -> None:
    axes.scatter(values, [row + 0.14] * len(values), s=18, color=GREY, label="a fold's test part")
    if mean is not None:
        axes.scatter([mean], [row + 0.14], s=150, marker="|", color=BLUE, label="mean of the folds")


def _draw_pooled(axes: Axes, row: int, pooled: Metric, label: str) -> None:
    if pooled.value is not None and pooled.low is not None and pooled.high is not None:
        axes.plot([pooled.low, pooled.high], [row - 0.16] * 2, color=ORANGE)
        axes.scatter([pooled.value], [row - 0.16], s=22, marker="D", color=ORANGE, label=label)
