"""The curves of several runs in one chart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dermport.figures.style import chart, line_style

_PANELS = {
    "val_loss": "Cross-entropy, validation",
    "val_accuracy": "Accuracy, validation",
    "val_macro_auc": "Macro ROC AUC, validation",
}


def draw_overlay(path: Path, curves: Mapping[str, Mapping[str, list[float | None]]]) -> None:
    """Draw validation figures by epoch as PNG, a line for each run.

    Args:
        path: The PNG.
        curves: By the run's name, what :meth:`dermport.training.runs.registry.RunEntry.curves` returns.
    """
    with chart(path, "Trainings, epoch by epoch", (10.0, 3.4), ncols=len(_PANELS)) as axes:
        for panel, (name, title) in zip(axes[0], _PANELS.items(), strict=True):
            panel.set_title(title)
            panel.set_xlabel("epoch, all phases")
            panel.xaxis.get_major_locator().set_params(integer=True)
            for index, (run, figures) in enumerate(curves.items()):
                values = [float("nan") if value is None else value for value in figures[name]]
                marker = "." if len(values) < 3 else ""
                panel.plot(range(1, len(values) + 1), values, label=run, marker=marker, **line_style(index))
        axes[0][0].legend(loc="upper right")
