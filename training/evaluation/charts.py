"""The charts of an evaluation: confusion matrix, ROC curves, reliability diagram."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from training.evaluation.evaluation import Evaluation
from training.evaluation.report import EvaluationReport, Reliability, in_words
from training.evaluation.style import BLUE, GREY, VERMILION, chart, line_style, unit_square

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
_CHANCE = {"color": GREY, "linewidth": 0.8, "linestyle": (0, (4, 4))}


def draw_confusion(path: Path, evaluation: Evaluation) -> None:
    """Draw the confusion matrix as PNG, in photos and as a share of each true class."""
    report = evaluation.report
    ids = [one.id for one in report.classes]
    counts = np.array(report.confusion_matrix)
    photos = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, photos, out=np.zeros(counts.shape), where=photos > 0)
    side = max(3.2, 0.55 * len(ids) + 1.0)
    with chart(path, f"Confusion matrix, {_scored(report)}", (2 * side, side + 0.3), ncols=2) as axes:
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


def roc_curve(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return false positive rate and sensitivity, from (0, 0) to (1, 1), one point per distinct score.

    Args:
        scores: float [N], higher for more likely positives.
        positive: bool [N], with positives and negatives both present.
    """
    order = np.argsort(-scores, kind="stable")
    group_ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    found, alarms = np.cumsum(positive[order])[group_ends], np.cumsum(~positive[order])[group_ends]
    return np.append(0, alarms) / alarms[-1], np.append(0, found) / found[-1]


def draw_roc(path: Path, evaluation: Evaluation) -> None:
    """Draw the ROC curves as PNG: each class against the rest, and the decision with its operating point."""
    report = evaluation.report
    with chart(path, f"ROC curves, {_scored(report)}", (10.0, 5.6), ncols=2) as axes:
        _draw_classes(axes[0, 0], evaluation)
        _draw_decision(axes[0, 1], evaluation)
        for panel in axes[0]:
            panel.plot((0, 1), (0, 1), **_CHANCE)
            unit_square(panel, "1 − specificity", "Sensitivity")
            if panel.get_legend_handles_labels()[0]:
                panel.legend(loc="lower right", title=f"ROC AUC ({100 * report.confidence:g} % interval by lesion)")


def _draw_classes(axes: Axes, evaluation: Evaluation) -> None:
    axes.set_title("Each class against the rest")
    for index, one in enumerate(evaluation.report.classes):
        if one.roc_auc.value is not None:
            truth, scores = evaluation.predictions.truth, evaluation.predictions.probabilities[:, index]
            label = f"{one.id}  {in_words(one.roc_auc)}"
            axes.plot(*roc_curve(scores, truth == index), linewidth=1.4, label=label, **line_style(index))


def _draw_decision(axes: Axes, evaluation: Evaluation) -> None:
    decision, figures = evaluation.report.decision, evaluation.report.figures
    axes.set_title(f"Decision “{decision.name}”: {' + '.join(decision.positive)}")
    if figures["decision_roc_auc"].value is None:
        return
    predictions = evaluation.predictions
    label = f"decision  {in_words(figures['decision_roc_auc'])}"
    axes.plot(*roc_curve(predictions.scores, predictions.is_positive), color=BLUE, linewidth=1.8, label=label)
    sensitivity, specificity = figures["decision_sensitivity"], figures["decision_specificity"]
    if sensitivity.value is None or specificity.value is None:
        return
    axes.plot(
        1 - specificity.value,
        sensitivity.value,
        "o",
        color=VERMILION,
        markersize=8,
        label=f"threshold {decision.threshold:.4g}\n"
        f"sensitivity {in_words(sensitivity)}\nspecificity {in_words(specificity)}",
    )
    axes.axhline(decision.target_sensitivity, color=VERMILION, linewidth=0.8, linestyle=":")
    aim = f"aimed at on validation: {decision.target_sensitivity:g}"
    axes.text(0.62, decision.target_sensitivity - 0.01, aim, color=VERMILION, fontsize=7, ha="center", va="top")


def draw_reliability(path: Path, evaluation: Evaluation) -> None:
    """Draw accuracy by confidence as PNG, before and after temperature scaling, with the photos in each bin."""
    calibration = evaluation.report.calibration
    title = f"Reliability of the top probability, {_scored(evaluation.report)}"
    with chart(path, title, (9.4, 6.0), nrows=2, ncols=2, height_ratios=(3, 1), sharex=True, sharey="row") as axes:
        _draw_bins(axes[:, 0], "Before temperature scaling", calibration.before)
        _draw_bins(axes[:, 1], f"After: temperature {calibration.temperature:.3f}", calibration.after)
        axes[0, 0].set_ylabel("Accuracy")
        axes[1, 0].set_ylabel("Photos")


def _draw_bins(axes: NDArray[np.object_], title: str, reliability: Reliability) -> None:
    upper, lower = axes
    bins = [one for one in reliability.bins if one.photos]
    confidence, accuracy = [one.mean_confidence for one in bins], [one.accuracy for one in bins]
    photos = np.array([one.photos for one in bins])
    upper.set_title(f"{title}\nECE {reliability.ece:.3f}, NLL {reliability.nll:.3f}")
    upper.plot((0, 1), (0, 1), label="perfectly calibrated", **_CHANCE)
    upper.vlines(confidence, confidence, accuracy, color=VERMILION, linewidth=2, alpha=0.4, label="gap")
    area = 12 + 160 * photos / photos.sum()
    upper.scatter(confidence, accuracy, s=area, color=BLUE, zorder=3, label="bin, its area by photos")
    upper.set(xlim=(0, 1.02), ylim=(0, 1.04))
    upper.legend(loc="lower right")
    places = [(one.low + one.high) / 2 for one in reliability.bins]
    width = 0.9 * reliability.bins[0].high
    bars = lower.bar(places, [one.photos for one in reliability.bins], width=width, color=BLUE, alpha=0.55)
    lower.bar_label(bars, [f"{one.photos:,}" if one.photos else "" for one in reliability.bins], fontsize=6.5)
    lower.margins(y=0.18)
    lower.set_xlabel("Probability of the top class")


def _scored(report: EvaluationReport) -> str:
    part = "" if report.part == "all" else f", {report.part} part"
    return f"{report.data}{part}: {report.photos:,} photos of {report.lesions:,} lesions"
