"""The chart of the confusion matrix."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.evaluation_report import EvaluationReport
from dermport.figures.style import GREY, chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]


def draw_confusion(path: Path, report: EvaluationReport) -> None:
    """Draw the confusion matrix as PNG, in photos and as a share of each true class."""
    ids = [one.id for one in report.shown]
    places = [report.classes.index(one) for one in report.shown]
    whole = np.array(report.confusion_matrix)
    counts, photos = whole[np.ix_(places, places)], whole.sum(axis=1, keepdims=True)[places]
    share = np.divide(counts, photos, out=np.zeros(counts.shape), where=photos > 0)
    side = max(3.2, 0.55 * len(ids) + 1.0)
    with chart(
        path,
        f"Confusion matrix, {report.scored}{report.abridged and '; '}{report.abridged}",
        (2 * side, side + 0.3),
        ncols=2,
    ) as axes:
        _draw_matrix(axes[0, 0], "Photos", share, [[f"{value:,}" for value in row] for row in counts], ids)
        percent = [[f"{100 * value:.0f}" for value in row] for row in share]
        _draw_matrix(axes[0, 1], "Per cent of the true class", share, percent, ids)


def _draw_matrix(axes: Axes, title: str, share: Floats, texts: list[list[str]], ids: list[str]) -> None:
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    axes.grid(False)
    axes.set_xticks(range(len(ids)), ids)
    if max(map(len, ids)) > 5:
        for label in axes.get_xticklabels():
            label.set(rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(ids)), ids)
    axes.tick_params(length=0)
    axes.set(title=title, xlabel="Predicted", ylabel="True")
    axes.spines[:].set_visible(False)
    for (row, column), value in np.ndenumerate(share):
        text = texts[row][column]
        colour = "white" if value > 0.55 else GREY if text == "0" else "black"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
