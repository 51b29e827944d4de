"""Percentile bootstrap intervals (Davison and Hinkley 1997, section 3.8), and what is resampled for them.

Photos of one lesion are no independent cases, so that lesions are what gets resampled: :class:`Bootstrap`, in which a
resample is a weight per photo, how often its lesion was drawn. An interval is taken over the resamples in which the
figure is defined. Calibration errors are biased upwards by resampling, so that a small ECE can lie at the lower end of
its own interval; a figure without a single error gets an interval without width, which says nothing about the errors
still to come. What one lesion alone carries (the sensitivity of a class with one photo) has no interval: every resample
repeats it.

:func:`resampled_clusters` and :func:`resampled_blocks` serve figures that are no sums of weights: they say which
clusters, or which measurements, each resample holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dermport.errors import DataError
from dermport.statistics.estimates import Delta, Metric
from dermport.statistics.metrics import Floats, Predictions, Statistics, defined, statistics

_SMALLEST = 2  # lesions
_CHUNK = 500_000  # weights held at once: 4 MB, about what a core's cache holds


def percentile_interval(drawn: NDArray[np.floating], confidence: float = 0.95) -> Floats:
    """Return the ends of the interval of B resampled figures float [B, ...]: float64 [2, ...], the lower first."""
    tail = (1 - confidence) / 2
    return np.asarray(np.quantile(drawn, (tail, 1 - tail), axis=0))


def resampled_clusters(clusters: int, resamples: int, seed: int = 0) -> NDArray[np.int64]:
    """Return which of N clusters each of B resamples holds, int64 [B, N]; equal arguments give equal draws.

    A cluster is what varies on its own: a lesion with its photos, a round of calls that share the machine's mood.
    """
    return np.random.default_rng(seed).integers(clusters, size=(resamples, clusters))


def resampled_blocks(
    blocks: Sequence[Sequence[float]] | Floats, resamples: int, generator: np.random.Generator
) -> Floats:
    """Return resamples of P blocks of M measurements each, float64 [B, P, M]: whole blocks, then the members of each.

    Measurements of one block are alike (the calls of a pass share the machine's mood), so that blocks are drawn first.

    Args:
        blocks: The measurements [P, M].
        resamples: B.
        generator: Draws; series that take turns with it have draws of their own.
    """
    values = np.asarray(blocks, dtype=np.float64)
    which = generator.integers(len(values), size=(resamples, len(values), 1))
    members = generator.integers(values.shape[1], size=(resamples, *values.shape))
    return np.asarray(values[which, members])


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are drawn; equal settings and lesions give equal intervals.

    Attributes:
        resamples: How many.
        confidence: The intervals' level, between 0 and 1.
        seed: Of the draws.
    """

    resamples: int = 1000
    confidence: float = 0.95
    seed: int = 0

    def weights(self, lesions: Sequence[str]) -> Iterator[Floats]:
        """Yield the resamples in chunks, float64 [N, b]: how often the lesion of each photo was drawn."""
        names, lesion_of_photo = np.unique(np.asarray(lesions, dtype=np.str_), return_inverse=True)
        generator = np.random.default_rng(self.seed)
        share = np.full(len(names), 1 / len(names))
        step = max(1, _CHUNK // len(lesions))
        for start in range(0, self.resamples, step):
            count = min(step, self.resamples - start)
            draws = generator.multinomial(len(names), share, size=count)
            yield draws.T[lesion_of_photo].astype(np.float64)

    def bounds(self, values: Floats) -> tuple[float | None, float | None]:
        """Return the interval's ends of B resampled figures, None where every one is undefined (NaN)."""
        known = values[~np.isnan(values)]
        if not known.size:
            return None, None
        low, high = percentile_interval(known, self.confidence)
        return float(low), float(high)

    def metric(self, value: float, drawn: Floats) -> Metric:
        """Return a figure with the interval that its resamples float64 [B] give; all None where it is NaN."""
        low, high = self.bounds(drawn) if defined(value) is not None else (None, None)
        return Metric(value=defined(value), low=low, high=high)


DEFAULT = Bootstrap()


@dataclass(frozen=True)
class Resampled:
    """A model's statistics.

    Attributes:
        point: Of the photos as they are, one resample.
        drawn: Of all resamples.
    """

    point: Statistics
    drawn: Statistics


@dataclass(frozen=True)
class Intervals:
    """Every figure with its interval.

    Attributes:
        overall: By the keys of :data:`dermport.statistics.metrics.TITLES`.
        per_class: C metrics each, by the keys of :data:`dermport.statistics.metrics.CLASS_TITLES`.
    """

    overall: dict[str, Metric]
    per_class: dict[str, tuple[Metric, ...]]


def intervals(predictions: Predictions, lesions: Sequence[str], bootstrap: Bootstrap = DEFAULT) -> Intervals:
    """Return every figure of the predictions with its interval.

    Args:
        predictions: N photos.
        lesions: The lesion that each photo shows, length N.
        bootstrap: How to resample.

    Raises:
        DataError: `lesions` has another length than the predictions.
    """
    (of_photos,) = resampled((predictions,), lesions, bootstrap)
    return figures_of(of_photos, bootstrap)


def figures_of(model: Resampled, bootstrap: Bootstrap = DEFAULT) -> Intervals:
    """Return every figure with the interval that its resamples give."""
    point, drawn = model.point, model.drawn
    return Intervals(
        overall={name: bootstrap.metric(values[0], drawn.overall[name]) for name, values in point.overall.items()},
        per_class={
            name: tuple(map(bootstrap.metric, values[0], drawn.per_class[name].T))
            for name, values in point.per_class.items()
        },
    )


def paired_intervals(
    original: NDArray[np.floating],
    artifact: NDArray[np.floating],
    truth: NDArray[np.integer],
    lesions: Sequence[str],
    *,
    positive: tuple[int, ...],
    threshold: float,
    bootstrap: Bootstrap = DEFAULT,
) -> dict[str, Delta]:
    """Return how far an artifact's figures are from the original's, by the keys of :data:`.bundle.metrics.TITLES`.

    Both are scored on the same resamples, so that what they have in common cancels out of the interval of the change.

    Args:
        original: The original's probabilities, float [N, C].
        artifact: The artifact's probabilities of the same photos, float [N, C].
        truth: int [N].
        lesions: The lesion that each photo shows, length N.
        positive: The class indices whose summed probability is the decision's score.
        threshold: The decision's.
        bootstrap: How to resample.

    Raises:
        DataError: Shapes do not fit, or a probability is not finite.
    """
    pair = tuple(Predictions(probabilities, truth, positive, threshold) for probabilities in (original, artifact))
    first, second = resampled(pair, lesions, bootstrap)
    return changes(first, second, bootstrap)


def changes(first: Resampled, second: Resampled, bootstrap: Bootstrap = DEFAULT) -> dict[str, Delta]:
    """Return how far the second's figures are from the first's, by the keys of :data:`.metrics.TITLES`.

    Both must come of the same photos, lesions and bootstrap: equal settings give equal resamples.
    """
    return {
        name: _delta(
            float(values[0]),
            float(second.point.overall[name][0]),
            second.drawn.overall[name] - first.drawn.overall[name],
            bootstrap,
        )
        for name, values in first.point.overall.items()
    }


def averaged(models: Sequence[Resampled]) -> Resampled:
    """Return the mean of the overall statistics of models that share their photos and resamples; no class's."""
    return Resampled(*(_mean([getattr(model, what) for model in models]) for what in ("point", "drawn")))


def _mean(all_statistics: Sequence[Statistics]) -> Statistics:
    names = all_statistics[0].overall
    return Statistics({name: np.mean([one.overall[name] for one in all_statistics], axis=0) for name in names}, {})


def class_changes(first: Resampled, second: Resampled, bootstrap: Bootstrap = DEFAULT) -> dict[str, tuple[Delta, ...]]:
    """Return the same for each class, C of them, by the keys of :data:`dermport.statistics.metrics.CLASS_TITLES`."""
    return {
        name: tuple(
            _delta(float(before), float(after), drawn, bootstrap)
            for before, after, drawn in zip(
                values[0],
                second.point.per_class[name][0],
                (second.drawn.per_class[name] - first.drawn.per_class[name]).T,
                strict=True,
            )
        )
        for name, values in first.point.per_class.items()
    }


def _delta(before: float, after: float, drawn: Floats, bootstrap: Bootstrap) -> Delta:
    low, high = bootstrap.bounds(drawn)
    if defined(after - before) is None:
        low = high = None
    return Delta(original=defined(before), artifact=defined(after), change=defined(after - before), low=low, high=high)


def resampled(
    models: Sequence[Predictions], lesions: Sequence[str], bootstrap: Bootstrap = DEFAULT
) -> tuple[Resampled, ...]:
    """Return each model's statistics of the photos as they are and of all resamples, which the models share.

    Raises:
        DataError: `lesions` has another length than the predictions.
    """
    photos = len(models[0].truth)
    if len(lesions) != photos:
        raise DataError(f"{len(lesions)} lesions are given for {photos} photos.")
    ones = np.ones((photos, 1))
    chunks: list[list[Statistics]] = [[] for _ in models]
    for weights in bootstrap.weights(lesions):
        for parts, model in zip(chunks, models, strict=True):
            parts.append(statistics(model, weights))
    return tuple(
        Resampled(statistics(model, ones), _carried(_joined(parts), model, lesions))
        for model, parts in zip(models, chunks, strict=True)
    )


def are_carried(members: NDArray[np.bool_], lesions: Sequence[str]) -> bool:
    """Return whether the photos `members`, bool [N], show two lesions or more: only these can be resampled."""
    return len({lesion for lesion, member in zip(lesions, members, strict=True) if member}) >= _SMALLEST


def _carried(drawn: Statistics, model: Predictions, lesions: Sequence[str]) -> Statistics:
    """Return the resamples without those of figures that one lesion alone carries: they are undefined."""
    decision = _parting(are_carried(model.is_positive, lesions), are_carried(~model.is_positive, lesions))
    classes = [
        _parting(are_carried(model.truth == index, lesions), are_carried(model.truth != index, lesions))
        for index in range(model.classes)
    ]
    overall = {
        name: values if decision.get(name.removeprefix("decision_"), True) else np.full_like(values, np.nan)
        for name, values in drawn.overall.items()
    }
    per_class = {
        name: np.where([one[name] for one in classes], values, np.nan) for name, values in drawn.per_class.items()
    }
    return Statistics(overall, per_class)


def _parting(positives: bool, negatives: bool) -> dict[str, bool]:
    """Return which figures of a yes or no are carried, by whether positives and negatives are."""
    of_positives = dict.fromkeys(("precision", "recall", "f1", "sensitivity"), positives)
    return {**of_positives, "specificity": negatives, "roc_auc": positives and negatives}


def _joined(parts: list[Statistics]) -> Statistics:
    return Statistics(
        overall={name: np.concatenate([part.overall[name] for part in parts]) for name in parts[0].overall},
        per_class={name: np.concatenate([part.per_class[name] for part in parts]) for name in parts[0].per_class},
    )
