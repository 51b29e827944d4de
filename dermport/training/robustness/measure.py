"""Has a model answer photos as they are, spoilt ones, and photos of something else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.abstention import distance
from dermport.bundle.manifest import Manifest
from dermport.bundle.photo_set import PhotoSet
from dermport.bundle.robustness_report import Condition, CoveragePoint, GroupAnswered, OtherPhotos
from dermport.progress import Update
from dermport.statistics.bootstrap import Bootstrap, intervals
from dermport.statistics.estimates import Metric, share_of
from dermport.statistics.metrics import Predictions, scores
from dermport.statistics.risk_coverage import risk_coverage
from dermport.statistics.subgroups import grouped
from dermport.training.evaluation.abstention import Surveyed, answered, survey_inputs
from dermport.training.robustness.corruptions import CORRUPTIONS, corrupted
from dermport.training.robustness.report import COLUMNS

AS_THEY_ARE = "as they are"
_COVERAGES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
Predict = Callable[[NDArray[np.uint8]], NDArray[np.floating]]


@dataclass(frozen=True)
class RobustnessFigures:
    """Everything measured: conditions, whose photos are answered, other photos, and risk by coverage with its area."""

    conditions: tuple[Condition, ...]
    groups: tuple[GroupAnswered, ...]
    others: tuple[OtherPhotos, ...]
    coverage: tuple[CoveragePoint, ...]
    aurc: Metric


class Measurement:
    """One model under test.

    Args:
        manifest: Its bundle's.
        predict: Returns calibrated probabilities float [N, C] of inputs uint8 [N, S, S, 3].
        photos: The test photos.
        seed: Of everything random.
        bootstrap: How intervals are drawn.
    """

    def __init__(
        self,
        manifest: Manifest,
        predict: Predict,
        photos: PhotoSet,
        *,
        seed: int = 0,
        bootstrap: Bootstrap | None = None,
    ) -> None:
        self._manifest, self._predict, self._photos = manifest, predict, photos
        self._tensors = photos.tensors(manifest.preprocessing)
        self._seed, self._bootstrap = seed, bootstrap or Bootstrap()

    def over(
        self, severities: Sequence[int], others: Mapping[str, NDArray[np.uint8]], update: Update
    ) -> RobustnessFigures:
        """Measure every corruption at these severities, and these other photos; `update` is told (done, total)."""
        spoilt = [(name, severity) for name in CORRUPTIONS for severity in severities]
        total = 1 + len(spoilt) + len(others)
        probabilities, surveyed = self._asked(self._tensors)
        conditions = [self._condition(AS_THEY_ARE, 0, probabilities, surveyed)]
        update(1, total)
        for done, (name, severity) in enumerate(spoilt, 2):
            tensors = corrupted(self._tensors, name, severity, self._seed)
            conditions.append(self._condition(name, severity, *self._asked(tensors)))
            update(done, total)
        groups = []
        for done, (group, tensors) in enumerate(others.items(), len(spoilt) + 2):
            groups.append(self._others(group, *self._asked(tensors), probabilities, surveyed))
            update(done, total)
        wrong = probabilities.argmax(axis=1) != self._photos.targets
        curve, aurc = risk_coverage(probabilities.max(axis=1), wrong, self._photos.groups, self._bootstrap)
        return RobustnessFigures(tuple(conditions), tuple(self._groups(surveyed)), tuple(groups), _points(curve), aurc)

    def _groups(self, surveyed: Surveyed) -> Iterator[GroupAnswered]:
        if (rule := self._manifest.abstention) is None:
            return
        told = answered(rule, surveyed)
        photos, ids = self._photos, self._manifest.task.ids
        labels = [("label", label, photos.targets == index) for index, label in enumerate(ids)]
        for kind, group, members in [*labels, *grouped(photos.metadata, self._tensors)] if photos.metadata else labels:
            share = share_of(int(told[members].sum()), int(members.sum()))
            yield GroupAnswered(kind=kind, group=group, answered=share)

    def _asked(self, tensors: NDArray[np.uint8]) -> tuple[NDArray[np.floating], Surveyed]:
        return self._predict(tensors), survey_inputs(tensors) if self._manifest.abstention else ()

    def _condition(
        self, name: str, severity: int, probabilities: NDArray[np.floating], surveyed: Surveyed
    ) -> Condition:
        told = answered(rule, surveyed) if (rule := self._manifest.abstention) else None
        everything = np.ones(len(probabilities), np.bool_)
        known = self._figures(probabilities, everything)
        return Condition(
            corruption=name,
            severity=severity,
            figures={key: known[key] for key in COLUMNS},
            answered=None if told is None else share_of(int(told.sum()), len(told)),
            accuracy_answered=None
            if told is None or not told.any()
            else self._figures(probabilities, told)["accuracy"],
        )

    def _figures(self, probabilities: NDArray[np.floating], members: NDArray[np.bool_]) -> dict[str, Metric]:
        manifest, photos = self._manifest, self._photos
        said = Predictions(
            probabilities[members],
            photos.targets[members],
            manifest.task.positive_indices,
            manifest.threshold,
        )
        lesions = [lesion for lesion, member in zip(photos.groups, members, strict=True) if member]
        return intervals(said, lesions, self._bootstrap).overall

    def _others(
        self,
        group: str,
        probabilities: NDArray[np.floating],
        surveyed: Surveyed,
        known: NDArray[np.floating],
        known_surveyed: Surveyed,
    ) -> OtherPhotos:
        manifest, count = self._manifest, len(probabilities)
        score = scores(probabilities, manifest.task.positive_indices)
        refused = auc = None
        if (rule := manifest.abstention) is not None:
            refused = share_of(int((~answered(rule, surveyed)).sum()), count)
            near, far = (
                np.array([distance(rule.reference, values) for values in some], np.float64)
                for some in (known_surveyed, surveyed)
            )
            auc = _auc(-near, -far)
        return OtherPhotos(
            group=group,
            refused=refused,
            suspicious=share_of(int((score >= manifest.threshold).sum()), count),
            auc_distance=auc,
            auc_probability=_auc(known.max(axis=1), probabilities.max(axis=1)),
        )


def _auc(known: NDArray[np.floating], others: NDArray[np.floating]) -> float:
    """Return the chance that a known photo has a higher score than another; a tie counts half."""
    ordered = np.sort(others)
    below, up_to = (np.searchsorted(ordered, known, side=side) for side in ("left", "right"))
    return float((below + up_to).mean() / (2 * len(ordered)))


def _points(curve: NDArray[np.float64]) -> tuple[CoveragePoint, ...]:
    places = {share: max(1, round(share * len(curve))) for share in _COVERAGES}
    return tuple(
        CoveragePoint(coverage=share, risk=min(1.0, float(curve[place - 1]))) for share, place in places.items()
    )
