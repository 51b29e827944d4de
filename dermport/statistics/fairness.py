"""How the model fares in groups of people: by sex, age band, body site and estimated skin tone.

A figure is given where enough independent cases (lesions) carry it, and is otherwise left out: "too few". The gap of a
kind of group is the largest figure less the smallest. It is never negative, and is above 0 by chance alone, the more so
the more and the smaller the groups are; so it stands beside the gap that chance makes of groups of these sizes, which
comes of the same resamples, each group's figures moved to a common centre (the centred bootstrap; Davison and Hinkley
1997, section 4.4).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dermport.contract import Contract, Fraction
from dermport.statistics.bootstrap import Bootstrap
from dermport.statistics.estimates import Metric
from dermport.statistics.metrics import Floats, Predictions, statistics
from dermport.statistics.skin_tone import UNKNOWN
from dermport.statistics.subgroups import Group, GroupKind

FIGURES = (
    "decision_sensitivity",
    "decision_specificity",
    "decision_roc_auc",
    "accuracy",
    "balanced_accuracy",
    "ece",
)
SMALLEST = 20  # lesions that a share is of: positive ones for a sensitivity
SMALLEST_OF_CLASS = 5  # lesions of each class, for a mean over classes
SMALLEST_FOR_ECE = 100  # lesions in 15 bins: with fewer, a calibration error is mostly their scatter


class GroupReport(Contract):
    """One group; a figure that too few lesions carry is absent."""

    kind: GroupKind
    group: str
    photos: int
    lesions: int
    positives: Annotated[int, Field(description="photos of a positive label")]
    positive_lesions: int
    figures: Annotated[dict[str, Metric], Field(description="keys as in bundle.metrics.TITLES")]


class Gap(Contract):
    """Between the best and the worst of the groups of a kind that have the figure, those of unknown group left out."""

    kind: GroupKind
    figure: str
    groups: int
    lowest: Annotated[str, Field(description="the group with the smallest figure")]
    highest: str
    gap: Annotated[Metric, Field(description="the largest less the smallest; its interval leans upwards")]
    by_chance: Annotated[float, Field(description="the mean gap of groups of these sizes that do not differ")]
    p: Annotated[Fraction, Field(description="how often such groups show a gap as large")]


class Fairness(Contract):
    """Groups and gaps, with the smallest numbers of lesions that a figure is given for."""

    smallest: int = SMALLEST
    smallest_of_class: int = SMALLEST_OF_CLASS
    smallest_for_ece: int = SMALLEST_FOR_ECE
    groups: tuple[GroupReport, ...]
    gaps: tuple[Gap, ...]

    def of(self, kind: GroupKind) -> tuple[GroupReport, ...]:
        """Return the groups of a kind."""
        return tuple(one for one in self.groups if one.kind == kind)


class _ResampledGroup:
    """A group's figures, of the photos as they are and of all resamples, where enough lesions carry them."""

    def __init__(self, group: Group, predictions: Predictions, lesions: NDArray[np.str_]) -> None:
        self.kind, self.name, self.members = group
        self.predictions = Predictions(
            predictions.probabilities[self.members],
            predictions.truth[self.members],
            predictions.positive,
            predictions.threshold,
        )
        self.lesions = lesions[self.members]
        self.figures = _carried(self.predictions, self.lesions, np.unique(predictions.truth))
        self.point = {name: value[0] for name, value in self._of(np.ones((len(self.lesions), 1))).items()}
        self.drawn: dict[str, list[Floats]] = defaultdict(list)

    def add(self, weights: Floats) -> None:
        """Take the next resamples, float64 [N, b], of all photos."""
        for name, values in self._of(weights[self.members]).items():
            self.drawn[name].append(values)

    def values(self, figure: str) -> Floats:
        """Return the figure of all resamples, float64 [B]."""
        return np.concatenate(self.drawn[figure])

    def report(self, bootstrap: Bootstrap) -> GroupReport:
        """Return what is said of the group."""
        positive = self.predictions.is_positive
        return GroupReport(
            kind=self.kind,
            group=self.name,
            photos=len(self.lesions),
            lesions=len(np.unique(self.lesions)),
            positives=int(positive.sum()),
            positive_lesions=len(np.unique(self.lesions[positive])),
            figures={name: bootstrap.metric(value, self.values(name)) for name, value in self.point.items()},
        )

    def _of(self, weights: Floats) -> dict[str, Floats]:
        if not self.figures:
            return {}
        every = statistics(self.predictions, weights).overall
        return {name: every[name] for name in self.figures}


def fairness(
    predictions: Predictions, lesions: Sequence[str], groups: Sequence[Group], bootstrap: Bootstrap
) -> Fairness | None:
    """Return the figures of each group and the gaps between them; None where nothing is known of any photo.

    Args:
        predictions: N photos.
        lesions: The lesion that each photo shows, [N].
        groups: See :func:`dermport.statistics.subgroups.grouped`.
        bootstrap: How to resample; all groups share the resamples of lesions.
    """
    if not groups:
        return None
    of_photo = np.asarray(lesions, dtype=np.str_)
    drawn = [_ResampledGroup(group, predictions, of_photo) for group in groups]
    for weights in bootstrap.weights(lesions):
        for one in drawn:
            one.add(weights)
    return Fairness(groups=tuple(one.report(bootstrap) for one in drawn), gaps=tuple(_gaps(drawn, bootstrap)))


def _carried(predictions: Predictions, lesions: NDArray[np.str_], classes: NDArray[np.integer]) -> tuple[str, ...]:
    """Return the figures that enough lesions of a group carry; `classes` are those of all photos."""
    positive = predictions.is_positive
    whole, found, others = (len(np.unique(lesions[of])) for of in (slice(None), positive, ~positive))
    of_classes = min(len(np.unique(lesions[predictions.truth == index])) for index in classes)
    enough = {
        "decision_sensitivity": found >= SMALLEST,
        "decision_specificity": others >= SMALLEST,
        "decision_roc_auc": min(found, others) >= SMALLEST,
        "accuracy": whole >= SMALLEST,
        "balanced_accuracy": whole >= SMALLEST and of_classes >= SMALLEST_OF_CLASS,
        "ece": whole >= SMALLEST_FOR_ECE,
    }
    return tuple(name for name in FIGURES if enough[name])


def _gaps(drawn: Sequence[_ResampledGroup], bootstrap: Bootstrap) -> Iterator[Gap]:
    for kind in dict.fromkeys(one.kind for one in drawn):
        for figure in FIGURES:
            groups = [one for one in drawn if one.kind == kind and one.name != UNKNOWN and figure in one.point]
            if len(groups) > 1:
                yield _gap(kind, figure, groups, bootstrap)


def _gap(kind: GroupKind, figure: str, groups: Sequence[_ResampledGroup], bootstrap: Bootstrap) -> Gap:
    points = np.array([one.point[figure] for one in groups])
    values = np.stack([one.values(figure) for one in groups])
    gap, by_chance = float(np.ptp(points)), np.ptp(values - points[:, None], axis=0)
    by_chance = by_chance[~np.isnan(by_chance)]
    return Gap(
        kind=kind,
        figure=figure,
        groups=len(groups),
        lowest=groups[int(points.argmin())].name,
        highest=groups[int(points.argmax())].name,
        gap=bootstrap.metric(gap, np.ptp(values, axis=0)),
        by_chance=float(by_chance.mean()),
        p=float((1 + (by_chance >= gap).sum()) / (1 + len(by_chance))),
    )
