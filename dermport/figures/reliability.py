"""The reliability diagrams: of the top class before and after temperature scaling, and of the decision's score."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.evaluation_report import DecisionReport, EvaluationReport
from dermport.figures.style import BLUE, CHANCE, VERMILION, chart
from dermport.statistics.reliability import Bin, DecisionReliability, Reliability, bin_interval
from dermport.statistics.text import in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_reliability(path: Path, report: EvaluationReport) -> None:
    """Draw accuracy by confidence as PNG, before and after temperature scaling, with the photos in each bin."""
    calibration = report.calibration
    title = f"Reliability of the top probability, {report.scored}"
    with chart(path, title, (9.4, 6.0), nrows=2, ncols=2, height_ratios=(3, 1), sharex=True, sharey="row") as axes:
        _draw_bins(axes[:, 0], "Before temperature scaling", calibration.before)
        _draw_bins(axes[:, 1], f"After: temperature {calibration.temperature:.3f}", calibration.after)
        axes[0, 0].set_ylabel("Accuracy")
        axes[1, 0].set_ylabel("Photos")


def draw_decision_reliability(
    path: Path, report: EvaluationReport, decision: DecisionReport, after: DecisionReliability
) -> None:
    """Draw how often a score came true as PNG, in bins of equal width and of equally many photos."""
    figures = report.figures
    title = f"Reliability of “{decision.name}”: {' + '.join(decision.positive)}\n{report.scored}"
    with chart(path, title, (9.4, 6.2), nrows=2, ncols=2, height_ratios=(3, 1)) as axes:
        for column, (name, error, bins) in enumerate(
            (
                ("Bins of equal width", figures["decision_ece"], after.equal_width),
                ("Adaptive: bins of equally many photos", figures["decision_adaptive_ece"], after.equal_mass),
            )
        ):
            _draw_points(axes[0, column], bins)
            axes[0, column].set_title(f"{name}\nECE {in_words(error)}")
            threshold = f"threshold {decision.threshold:.3g}"
            axes[0, column].axvline(decision.threshold, color=VERMILION, linewidth=1, linestyle=":", label=threshold)
            axes[0, column].legend(loc="lower right")
            axes[0, column].set_xlabel("Score (summed probability of the positive labels)")
        axes[0, 0].set_ylabel("Share of positives, with Wilson's 95 % interval")
        _draw_counts(axes[1, 0], after.equal_width)
        axes[1, 0].set(ylabel="Photos", xlabel="Score")
        _draw_positives(axes[1, 1], after.equal_mass)


def _draw_bins(axes: NDArray[np.object_], title: str, reliability: Reliability) -> None:
    upper, lower = axes
    upper.set_title(f"{title}\nECE {reliability.ece:.3f}, NLL {reliability.nll:.3f}")
    _draw_points(upper, reliability.bins)
    _draw_counts(lower, reliability.bins)
    lower.set_xlabel("Probability of the top class")


def _draw_points(axes: Axes, every: Sequence[Bin]) -> None:
    """Draw the share that came true over the mean probability, a dot a bin."""
    bins = [one for one in every if one.photos]
    said, came = ([getattr(one, name) or 0.0 for one in bins] for name in ("mean_confidence", "accuracy"))
    low, high = zip(*map(bin_interval, bins), strict=True)
    photos = np.array([one.photos for one in bins])
    axes.plot((0, 1), (0, 1), label="perfectly calibrated", **CHANCE)
    axes.vlines(said, low, high, color=BLUE, linewidth=1, alpha=0.6, label="95 % interval of the share")
    area = 10 + 130 * photos / photos.sum()
    axes.scatter(said, came, s=area, color=BLUE, zorder=3, label="bin, its area by photos")
    axes.set(xlim=(-0.01, 1.02), ylim=(-0.01, 1.04))
    axes.legend(loc="upper left")


def _draw_counts(axes: Axes, bins: Sequence[Bin]) -> None:
    places = [(one.low + one.high) / 2 for one in bins]
    bars = axes.bar(places, [one.photos for one in bins], width=0.9 * bins[0].high, color=BLUE, alpha=0.55)
    axes.bar_label(bars, [f"{one.photos:,}" if one.photos else "" for one in bins], fontsize=6.5)
    axes.margins(y=0.18)
    axes.set_xlim(-0.01, 1.02)


def _draw_positives(axes: Axes, bins: Sequence[Bin]) -> None:
    places = range(len(bins))
    found = [round((one.accuracy or 0.0) * one.photos) for one in bins]
    axes.bar(places, [one.photos for one in bins], color=BLUE, alpha=0.25)
    bars = axes.bar(places, found, color=VERMILION, alpha=0.8)
    axes.bar_label(bars, list(map(str, found)), fontsize=6.5)
    axes.set_xticks(list(places), [f"{one.high:.2g}" for one in bins], fontsize=6.5, rotation=45)
    axes.set_xlabel("Highest score in the bin")
    axes.margins(y=0.18)
    axes.set_ylabel("Photos (red: positive)")
