"""The training's course: a chart and a table."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, fields
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from dermport.figures.style import BLACK, BLUE, GREY, ORANGE, chart
from dermport.training.phases.state import EpochFigures, best_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLES = {"head": "classification layer", "last4": "last four layers", "all": "all layers"}
_PANELS = (
    ("Cross-entropy", (("loss", "training", BLUE), ("val_loss", "validation", ORANGE))),
    ("Accuracy", (("accuracy", "training", BLUE), ("val_accuracy", "validation", ORANGE))),
    ("Macro ROC AUC", (("val_macro_auc", "validation", ORANGE),)),
)


def write_history(path: Path, history: Sequence[EpochFigures]) -> None:
    """Write the epochs as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(EpochFigures)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(one) for one in history)


def draw_curves(path: Path, history: Sequence[EpochFigures]) -> None:
    """Draw loss, accuracy and ROC AUC by epoch as PNG, phase after phase, each phase's kept epoch marked."""
    with chart(path, "Training, epoch by epoch", (10.0, 3.4), ncols=len(_PANELS)) as axes:
        for panel, (title, lines) in zip(axes[0], _PANELS, strict=True):
            panel.set_title(title)
            panel.set_xlabel("epoch")
            panel.set_xlim(0.5, len(history) + 0.5)
            panel.xaxis.get_major_locator().set_params(integer=True)
            for name, label, colour in lines:
                _draw_line(panel, history, name, label, colour)
            _mark_phases(panel, history)
        axes[0][0].legend(loc="upper right")


def _draw_line(axes: Axes, history: Sequence[EpochFigures], name: str, label: str, colour: str) -> None:
    """Draw one figure; a gap between phases, for their losses are not of the same photos and weights."""
    first = 1
    for _, epochs in groupby(history, key=lambda one: one.phase):
        values = [float("nan") if getattr(one, name) is None else getattr(one, name) for one in epochs]
        x = range(first, first + len(values))
        axes.plot(x, values, color=colour, marker="." if len(values) < 3 else "", label=label if first == 1 else None)
        first += len(values)


def _mark_phases(axes: Axes, history: Sequence[EpochFigures]) -> None:
    first = 1
    for phase, group in groupby(history, key=lambda one: one.phase):
        epochs = list(group)
        best = first - 1 + best_of(epochs).epoch
        axes.axvline(best, color=BLACK, linewidth=0.8, linestyle=":")
        axes.annotate("kept", (best, 0.02), xycoords=("data", "axes fraction"), fontsize=7, rotation=90, ha="right")
        if first > 1:
            axes.axvline(first - 0.5, color=GREY, linewidth=0.8)
        axes.annotate(
            _TITLES.get(phase, phase),
            (first - 0.4, 1.0),
            xycoords=("data", "axes fraction"),
            fontsize=7,
            color=GREY,
            va="top",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )
        first += len(epochs)
