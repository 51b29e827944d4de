"""The figures of an arm, with intervals by lesion, and how far two arms are apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.manifest import TaskSpec
from dermport.contract import Contract
from dermport.statistics.bootstrap import DEFAULT, Bootstrap, Resampled, resampled
from dermport.statistics.estimates import Metric
from dermport.statistics.metrics import Floats, Predictions, defined

TITLES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "macro_f1": "Macro F1",
    "macro_roc_auc": "Macro ROC AUC",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "roc_auc": "ROC AUC",
    "loss": "Loss (cross-entropy)",
}
_OVERALL = {"loss": "nll"}
_OF_POSITIVE = ("precision", "recall", "f1", "roc_auc")
_OF_MANY = ("macro_f1", "macro_roc_auc")


@dataclass(frozen=True)
class ResampledFigure:
    """A figure, the mean over an arm's trainings.

    Attributes:
        point: Of the test photos as they are.
        values: Of each training, float64 [F].
        resamples: Of the mean, float64 [B].
    """

    point: float
    values: Floats
    resamples: Floats

    @property
    def spread(self) -> float | None:
        """The standard deviation over the trainings; None for a single one."""
        return defined(float(np.std(self.values, ddof=1))) if len(self.values) > 1 else None


class LeakGap(Contract):
    """How much better a figure is where photos leak: the published way of parting minus the honest one."""

    change: float | None
    low: float | None = None
    high: float | None = None


def measure(
    answers: Sequence[NDArray[np.float64]],
    truth: NDArray[np.int64],
    lesions: Sequence[str],
    task: TaskSpec,
    bootstrap: Bootstrap = DEFAULT,
) -> dict[str, ResampledFigure]:
    """Return the figures of an arm by the keys of :data:`TITLES`: of the positive class where there are two classes.

    Args:
        answers: Probabilities [T, C] of each training for the same test entries.
        truth: int [T].
        lesions: The lesion that each entry shows; they are what is resampled.
        task: The labels; with two, yes is said where the positive one is the more probable.
        bootstrap: How to resample.
    """
    models = [Predictions(one, truth, task.positive_indices, 0.5) for one in answers]
    trained = resampled(models, lesions, bootstrap)
    binary = len(task.ids) == 2
    keys = [key for key in TITLES if key not in (_OF_MANY if binary else _OF_POSITIVE)]
    return {key: _mean([_values(one, key, task) for one in trained]) for key in keys}


def _values(model: Resampled, key: str, task: TaskSpec) -> tuple[float, Floats]:
    if key in _OF_POSITIVE:
        column = task.positive_indices[0]
        return float(model.point.per_class[key][0, column]), model.drawn.per_class[key][:, column]
    name = _OVERALL.get(key, key)
    return float(model.point.overall[name][0]), model.drawn.overall[name]


def _mean(trainings: Sequence[tuple[float, Floats]]) -> ResampledFigure:
    values = np.array([point for point, _ in trainings])
    return ResampledFigure(float(values.mean()), values, np.mean([drawn for _, drawn in trainings], axis=0))


def with_intervals(figures: Mapping[str, ResampledFigure], bootstrap: Bootstrap = DEFAULT) -> dict[str, Metric]:
    """Return the figures with the intervals that their resamples give."""
    return {key: bootstrap.metric(one.point, one.resamples) for key, one in figures.items()}


def gaps(
    published: Mapping[str, ResampledFigure], honest: Mapping[str, ResampledFigure], bootstrap: Bootstrap = DEFAULT
) -> dict[str, LeakGap]:
    """Return the figures of the published way of parting minus the honest ones.

    The arms have other test photos, so that their resamples are independent: they must be drawn with other seeds. The
    intervals are of the test photos alone; another training would differ as well.
    """
    return {key: _gap(one, honest[key], bootstrap) for key, one in published.items()}


def _gap(published: ResampledFigure, honest: ResampledFigure, bootstrap: Bootstrap) -> LeakGap:
    change = defined(published.point - honest.point)
    if change is None:
        return LeakGap(change=None)
    low, high = bootstrap.bounds(published.resamples - honest.resamples)
    return LeakGap(change=change, low=low, high=high)


def of_arm(number: int, bootstrap: Bootstrap = DEFAULT) -> Bootstrap:
    """Return the bootstrap of the arm of that number: a seed of its own for each."""
    return replace(bootstrap, seed=bootstrap.seed + number)
