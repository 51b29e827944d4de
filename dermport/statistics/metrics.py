"""Figures of merit of a classifier, from its probabilities: the same code scores training's model and every artifact.

Figures are computed for many resamples at once, from case weights float [N, B], so that a bootstrap of a thousand
resamples costs a few matrix products; the plain figures are those of the one resample whose weights are all 1. NaN
marks what is undefined in such arrays; it is None in everything that leaves them.

Conventions, where authors differ:

* The top class is the first of the most probable ones.
* Precision of a class that is never predicted is undefined, but counts as 0 in the macro mean (as in scikit-learn):
  leaving it out would reward a model that never names the class.
* Macro figures are means over the classes that occur in the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dermport.errors import DataError
from dermport.statistics.calibration import calibration_error, equal_mass_bins, equal_width_bins

Floats = NDArray[np.float64]
_UNROLLED = 8  # so many numbers, and more, are not added one after the other by NumPy

TITLES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "macro_precision": "Macro precision",
    "macro_recall": "Macro recall",
    "macro_f1": "Macro F1",
    "macro_specificity": "Macro specificity",
    "macro_roc_auc": "Macro ROC AUC",
    "decision_roc_auc": "ROC AUC of the decision",
    "decision_sensitivity": "Sensitivity of the decision",
    "decision_specificity": "Specificity of the decision",
    "decision_ece": "ECE of the decision",
    "decision_adaptive_ece": "Adaptive ECE of the decision",
    "decision_brier": "Brier score of the decision",
    "ece": "Expected calibration error",
    "adaptive_ece": "Adaptive ECE",
    "nll": "Negative log-likelihood",
}
MOST_SHOWN = 20
"""Classes beyond which charts and tables for people show only those with the most photos."""
LOWER_IS_BETTER = frozenset({"decision_ece", "decision_adaptive_ece", "decision_brier", "ece", "adaptive_ece", "nll"})
CLASS_TITLES = {
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "specificity": "Specificity",
    "roc_auc": "ROC AUC",
}


@dataclass(frozen=True)
class Predictions:
    """Probabilities, and the truth that they are held against.

    Attributes:
        probabilities: float [N, C], finite.
        truth: int [N], the index of the true class, 0..C-1.
        positive: The class indices whose summed probability is the decision's score; none: there is no decision, and
            its figures are undefined.
        threshold: The decision is yes where the score is at least this.

    Raises:
        DataError: There is no photo, the shapes do not fit, a truth is no class, or a probability is not finite.
    """

    probabilities: NDArray[np.floating]
    truth: NDArray[np.integer]
    positive: tuple[int, ...]
    threshold: float

    def __post_init__(self) -> None:
        shape = self.probabilities.shape
        if len(shape) != 2 or self.truth.shape != shape[:1] or not shape[0]:
            raise DataError(f"Probabilities {shape} and truth {self.truth.shape} are not [N, C] and [N], N >= 1.")
        if self.truth.min() < 0 or self.truth.max() >= shape[1]:
            raise DataError(f"The truth names class {self.truth.min()}..{self.truth.max()} of only {shape[1]} classes.")
        if not np.isfinite(self.probabilities).all():
            raise DataError("The model gave probabilities that are not finite (NaN or infinity).")

    @cached_property
    def predicted(self) -> NDArray[np.intp]:
        """The most probable class, int [N]."""
        return np.asarray(np.argmax(self.probabilities, axis=1))

    @cached_property
    def scores(self) -> Floats:
        """The decision's score, float64 [N]."""
        return scores(self.probabilities, self.positive)

    @property
    def decided(self) -> NDArray[np.bool_]:
        """Whether the decision is yes, bool [N]."""
        return np.asarray(self.scores >= self.threshold)

    @property
    def is_positive(self) -> NDArray[np.bool_]:
        """Whether the truth is one of the positive classes, bool [N]."""
        return np.isin(self.truth, self.positive)

    @property
    def classes(self) -> int:
        """C."""
        return int(self.probabilities.shape[1])


@dataclass(frozen=True)
class Statistics:
    """Figures of B resamples, NaN where undefined.

    Attributes:
        overall: float64 [B] by the keys of :data:`TITLES`.
        per_class: float64 [B, C], one class against the rest, by the keys of :data:`CLASS_TITLES`.
    """

    overall: dict[str, Floats]
    per_class: dict[str, Floats]


def scores(probabilities: NDArray[np.floating], positive: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the summed probability of the positive outputs, float64 [N], of probabilities [N, C]."""
    columns: NDArray[np.float64] = np.asarray(probabilities, dtype=np.float64)[:, list(positive)]
    return np.asarray(columns.sum(axis=1))


def score_of(probabilities: Sequence[float]) -> float:
    """Return the sum of one photo's probabilities of the positive outputs, to the bit as :func:`scores` does."""
    if len(probabilities) >= _UNROLLED:
        return float(np.asarray(probabilities, dtype=np.float64).sum())
    score = 0.0
    for probability in probabilities:  # not sum(), which corrects itself from Python 3.12 on
        score += probability
    return score


def figures(predictions: Predictions) -> dict[str, float | None]:
    """Return the overall figures by the keys of :data:`TITLES`, None where undefined."""
    overall = statistics(predictions, _ones(predictions)).overall
    return {name: defined(values[0]) for name, values in overall.items()}


def confusion_matrix(predictions: Predictions) -> NDArray[np.int64]:
    """Return how often each class (rows) was taken for each (columns), int64 [C, C]."""
    classes = predictions.classes
    cells = predictions.truth * classes + predictions.predicted
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def defined(value: float) -> float | None:
    """Return the figure as a plain float, or None for NaN."""
    return None if np.isnan(value) else float(value)


def statistics(predictions: Predictions, weights: Floats) -> Statistics:
    """Return every figure of B resamples at once.

    Args:
        predictions: N photos.
        weights: float64 [N, B], how often each photo occurs in each resample.
    """
    per_class, present = _per_class(predictions, weights)
    columns = predictions.probabilities.T
    aucs = [roc_auc(column, predictions.truth == index, weights) for index, column in enumerate(columns)]
    per_class["roc_auc"] = np.stack(aucs, axis=1)
    right = predictions.truth == predictions.predicted
    overall = {
        "accuracy": _ratio(right @ weights, weights.sum(axis=0)),
        "balanced_accuracy": _macro(per_class["recall"], present),
        "macro_precision": _macro(np.nan_to_num(per_class["precision"]), present),
        **{f"macro_{name}": _macro(per_class[name], present) for name in ("recall", "f1", "specificity", "roc_auc")},
        **_of_decision(predictions, weights),
        **_calibration(predictions, weights),
    }
    return Statistics(overall, per_class)


def roc_auc(values: NDArray[np.floating], positive: NDArray[np.bool_], weights: Floats) -> Floats:
    """Return the area under the ROC curve, float64 [B]: the chance that a positive scores higher than a negative.

    Ties count one half (the Mann-Whitney statistic). One sort serves all resamples.

    Args:
        values: float [N], higher for more likely positives.
        positive: bool [N].
        weights: float64 [N, B].
    """
    order = np.argsort(values, kind="stable")
    ordered, of_positives = values[order], values[positive]
    negatives = weights[order] * ~positive[order][:, None]
    running = np.vstack([np.zeros(weights.shape[1]), np.cumsum(negatives, axis=0)])
    below = running[np.searchsorted(ordered, of_positives, "left")]
    not_above = running[np.searchsorted(ordered, of_positives, "right")]
    beaten = np.einsum("pb,pb->b", weights[positive], (below + not_above) / 2)
    return _ratio(beaten, weights[positive].sum(axis=0) * running[-1])


def shown_classes(photos: Sequence[int]) -> tuple[int, ...]:
    """Return the indices of the classes that charts and tables show, in order, by how many photos each has.

    That is all of them, or the :data:`MOST_SHOWN` with the most photos.
    """
    most = np.argsort(-np.asarray(photos), kind="stable")[:MOST_SHOWN]
    return tuple(int(index) for index in np.sort(most))


def log_losses(predictions: Predictions) -> Floats:
    """Return minus the logarithm of the true class's probability, float64 [N]; 0 is taken as float32's smallest."""
    of_truth = predictions.probabilities[np.arange(len(predictions.truth)), predictions.truth]
    return np.asarray(-np.log(np.maximum(of_truth.astype(np.float64), np.finfo(np.float32).tiny)))


def _ones(predictions: Predictions) -> Floats:
    return np.ones((len(predictions.truth), 1))


def _ratio(part: Floats, whole: Floats) -> Floats:
    undefined = np.full(np.shape(part), np.nan)
    return np.asarray(np.divide(part, whole, out=undefined, where=whole > 0))


def _per_class(predictions: Predictions, weights: Floats) -> tuple[dict[str, Floats], NDArray[np.bool_]]:
    """Return figures of one class against the rest, float64 [B, C], and which classes occur, bool [B, C]."""
    truth, predicted, classes = predictions.truth, predictions.predicted, predictions.classes
    right = truth == predicted
    hits = _summed(truth[right], weights[right], classes)
    actual, named = _summed(truth, weights, classes), _summed(predicted, weights, classes)
    others = actual.sum(axis=1, keepdims=True) - actual
    found = {
        "precision": _ratio(hits, named),
        "recall": _ratio(hits, actual),
        "f1": _ratio(2 * hits, actual + named),
        "specificity": _ratio(others - (named - hits), others),
    }
    return found, actual > 0


def _summed(classes: NDArray[np.integer], weights: Floats, count: int) -> Floats:
    """Return the weights [N, B] of the photos of each class, summed, float64 [B, C]."""
    sums = np.zeros((count, weights.shape[1]))
    order = np.argsort(classes, kind="stable")
    present, starts = np.unique(classes[order], return_index=True)
    if len(present):
        sums[present] = np.add.reduceat(weights[order], starts, axis=0)
    return sums.T


def _macro(values: Floats, present: NDArray[np.bool_]) -> Floats:
    return _ratio(np.where(present, values, 0).sum(axis=1), present.sum(axis=1).astype(np.float64))


def _of_decision(predictions: Predictions, weights: Floats) -> dict[str, Floats]:
    found = {**_decision(predictions, weights), **_decision_calibration(predictions, weights)}
    return found if predictions.positive else {name: np.full(weights.shape[1], np.nan) for name in found}


def _decision(predictions: Predictions, weights: Floats) -> dict[str, Floats]:
    yes, positive = predictions.decided, predictions.is_positive
    return {
        "decision_roc_auc": roc_auc(predictions.scores, positive, weights),
        "decision_sensitivity": _ratio((yes & positive) @ weights, positive @ weights),
        "decision_specificity": _ratio(~(yes | positive) @ weights, ~positive @ weights),
    }


def _decision_calibration(predictions: Predictions, weights: Floats) -> dict[str, Floats]:
    score = predictions.scores
    gap = score - predictions.is_positive
    return {
        "decision_ece": calibration_error(equal_width_bins(score), gap, weights),
        "decision_adaptive_ece": calibration_error(equal_mass_bins(score), gap, weights),
        # Brier 1950, "Verification of forecasts expressed in terms of probability", for yes or no.
        "decision_brier": _ratio(gap**2 @ weights, weights.sum(axis=0)),
    }


def _calibration(predictions: Predictions, weights: Floats) -> dict[str, Floats]:
    confidence = predictions.probabilities.max(axis=1)
    gap = confidence - (predictions.predicted == predictions.truth)
    return {
        "ece": calibration_error(equal_width_bins(confidence), gap, weights),
        "adaptive_ece": calibration_error(equal_mass_bins(confidence), gap, weights),
        "nll": _ratio(log_losses(predictions) @ weights, weights.sum(axis=0)),
    }
