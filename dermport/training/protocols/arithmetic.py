"""What published figures say of one another: whether they can hold together, and with which photos.

Every figure is taken as rounded to the digits that were published. A remark is made where no counts of true and false
answers could give the figures; that they could does not make them true.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dermport.statistics.table_arithmetic import f1_score, implied_prevalence
from dermport.training.protocols.protocol import Published

_LEAST = 1e-9


@dataclass(frozen=True)
class Range:
    """All values that a figure can have."""

    low: float
    high: float

    def meets(self, other: Range) -> bool:
        """Return whether the two have a value in common."""
        return self.low <= other.high + _LEAST and other.low <= self.high + _LEAST

    def within(self, low: float, high: float) -> bool:
        """Return whether any of the values lies between the two."""
        return self.meets(Range(low, high))


def rounded(published: Sequence[Published]) -> dict[str, Range]:
    """Return what each published figure can have been before it was rounded."""
    return {one.figure: Range(one.value - one.half_unit, one.value + one.half_unit) for one in published}


def contradictions(figures: Mapping[str, Range]) -> Iterator[str]:
    """Yield what cannot be about figures that are all of one decision on one set of photos.

    Args:
        figures: By the keys of :data:`dermport.training.protocols.figures.TITLES`; what is absent is not judged.
    """
    yield from _f1(figures)
    yield from _counts(figures)
    yield from _loss(figures)


def prevalence_behind(figures: Mapping[str, Range]) -> Range | None:
    """Return the shares of positive photos with which precision, recall and accuracy go together, None without them.

    A range outside of 0..1 says that there are no such photos.
    """
    if not {"precision", "recall", "accuracy"} <= set(figures):
        return None
    corners = [(figures[name].low, figures[name].high) for name in ("precision", "recall", "accuracy")]
    shares = [implied_prevalence(*corner) for corner in itertools.product(*corners)]
    return Range(min(shares), max(shares))


def least_prevalence(figures: Mapping[str, Range]) -> float | None:
    """Return the share of positive photos above which F1 can exceed accuracy; None where it does not exceed it.

    F1 is above accuracy exactly where there are more true positives than true negatives: with TP + TN = accuracy and
    TP = recall times prevalence, where the prevalence is above accuracy / (2 recall).
    """
    if not {"f1", "recall", "accuracy"} <= set(figures) or figures["f1"].low <= figures["accuracy"].high:
        return None
    return figures["accuracy"].low / (2 * figures["recall"].high)


def specificity_behind(figures: Mapping[str, Range], prevalence: float) -> float:
    """Return the specificity that accuracy and recall leave at a share of positive photos, middle of their ranges."""
    accuracy, recall = (_middle(figures[name]) for name in ("accuracy", "recall"))
    return (accuracy - recall * prevalence) / (1 - prevalence)


def auc_bounds(sensitivity: float, specificity: float) -> Range:
    """Return the areas that ROC curves through one point can have: right angles below it, and above it."""
    return Range(sensitivity * specificity, 1 - (1 - sensitivity) * (1 - specificity))


def _f1(figures: Mapping[str, Range]) -> Iterator[str]:
    if not {"f1", "precision", "recall"} <= set(figures):
        return
    precision, recall = figures["precision"], figures["recall"]
    possible = Range(f1_score(precision.low, recall.low), f1_score(precision.high, recall.high))
    if not possible.meets(figures["f1"]):
        yield (
            f"F1 is the harmonic mean of precision and recall: {_words(possible)} here, not {_words(figures['f1'])}."
        )


def _counts(figures: Mapping[str, Range]) -> Iterator[str]:
    prevalence = prevalence_behind(figures)
    if prevalence is None:
        return
    if not prevalence.within(0, 1):
        yield (
            "No share of positive photos gives this precision, recall and accuracy together "
            f"(it would have to be {_words(prevalence)})."
        )
        return
    if "roc_auc" in figures:
        share = min(max(_middle(prevalence), 0.0), 1 - _LEAST)
        specificity = min(max(specificity_behind(figures, share), 0.0), 1.0)
        bounds = auc_bounds(_middle(figures["recall"]), specificity)
        if not bounds.meets(figures["roc_auc"]):
            yield (
                f"A ROC curve through this recall, at the specificity that the accuracy leaves ({specificity:.3f}), "
                f"has an area of {_words(bounds)}, not {_words(figures['roc_auc'])}."
            )


def _loss(figures: Mapping[str, Range]) -> Iterator[str]:
    """Hold the cross-entropy against the errors: a class that is not the most probable has at most one half."""
    if not {"loss", "accuracy"} <= set(figures):
        return
    least = (1 - figures["accuracy"].high) * math.log(2)
    if figures["loss"].high < least - _LEAST:
        yield (
            f"Each error costs at least ln 2: with this accuracy the loss is {least:.3f} or more, "
            f"not {_words(figures['loss'])}."
        )


def _middle(figure: Range) -> float:
    return (figure.low + figure.high) / 2


def _words(figure: Range) -> str:
    low, high = f"{figure.low:.3f}", f"{figure.high:.3f}"
    return low if low == high else f"{low} to {high}"
