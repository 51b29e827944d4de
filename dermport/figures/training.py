"""Trainings, epoch by epoch: one with its phases, and several in one chart."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dermport.figures.style import BLACK, BLUE, GREY, ORANGE, chart, line_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLES = {"head": "classification layer", "last4": "last four layers", "all": "all layers"}
_PANELS = (
    ("Cross-entropy", (("loss", "training", BLUE), ("val_loss", "validation", ORANGE))),
    ("Accuracy", (("accuracy", "training", BLUE), ("val_accuracy", "validation", ORANGE))),
    ("Macro ROC AUC", (("val_macro_auc", "validation", ORANGE),)),
)
_RUNS_PANELS = {
    "val_loss": "Cross-entropy, validation",
    "val_accuracy": "Accuracy, validation",
    "val_macro_auc": "Macro ROC AUC, validation",
}
_Epoch = Mapping[str, Any]


def draw_training(path: Path, history: Sequence[_Epoch], kept: Collection[int]) -> None:
    """Draw loss, accuracy and ROC AUC by epoch as PNG, phase after phase, each phase's kept epoch marked.

    Args:
        path: The PNG.
        history: Every epoch's ``phase`` and figures by their names, None where undefined.
        kept: Which epochs' weights were kept, counted from 0 over all phases.
    """
    with chart(path, "Training, epoch by epoch", (10.0, 3.4), ncols=len(_PANELS)) as axes:
        for panel, (title, lines) in zip(axes[0], _PANELS, strict=True):
            panel.set_title(title)
            panel.set_xlabel("epoch")
            panel.set_xlim(0.5, len(history) + 0.5)
            panel.xaxis.get_major_locator().set_params(integer=True)
            for name, label, colour in lines:
                _draw_line(panel, history, name, label, colour)
            _mark_phases(panel, history, kept)
        axes[0][0].legend(loc="upper right")


def _draw_line(axes: Axes, history: Sequence[_Epoch], name: str, label: str, colour: str) -> None:
    """Draw one figure; a gap between phases, for their losses are not of the same photos and weights."""
    first = 1
    for _, epochs in groupby(history, key=lambda one: one["phase"]):
        values = _values(one[name] for one in epochs)
        x = range(first, first + len(values))
        axes.plot(x, values, color=colour, marker="." if len(values) < 3 else "", label=label if first == 1 else None)
        first += len(values)


def _values(figures: Iterable[float | None]) -> list[float]:
    return [float("nan") if value is None else value for value in figures]


def _mark_phases(axes: Axes, history: Sequence[_Epoch], kept: Collection[int]) -> None:
    first = 1
    for phase, group in groupby(history, key=lambda one: one["phase"]):
        epochs = range(first, first + len(list(group)))
        for best in (index + 1 for index in kept if index + 1 in epochs):
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
        first = epochs.stop


def draw_runs(path: Path, runs: Mapping[str, Mapping[str, Sequence[float | None]]]) -> None:
    """Draw validation figures by epoch as PNG, a line for each run.

    Args:
        path: The PNG.
        runs: By the run's name, each figure by epoch, None where undefined.
    """
    with chart(path, "Trainings, epoch by epoch", (10.0, 3.4), ncols=len(_RUNS_PANELS)) as axes:
        for panel, (name, title) in zip(axes[0], _RUNS_PANELS.items(), strict=True):
            panel.set_title(title)
            panel.set_xlabel("epoch, all phases")
            panel.xaxis.get_major_locator().set_params(integer=True)
            for index, (run, figures) in enumerate(runs.items()):
                values = _values(figures[name])
                marker = "." if len(values) < 3 else ""
                panel.plot(range(1, len(values) + 1), values, label=run, marker=marker, **line_style(index))
        axes[0][0].legend(loc="upper right")
