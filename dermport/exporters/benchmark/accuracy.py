"""What artifacts answered, held against the truth and against the reference, all photos together and group by group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.benchmark_record import (
    SMALLEST_GROUP,
    Accuracy,
    ClassFigures,
    Figure,
    Flips,
    PhotoSetRecord,
    Subgroup,
)
from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.photo_set import PhotoSet
from dermport.statistics.bootstrap import Resampled, changes, class_changes, figures_of, resampled
from dermport.statistics.estimates import Delta, Metric
from dermport.statistics.metrics import Predictions, scores
from dermport.statistics.subgroups import GroupKind, grouped
from dermport.statistics.wilson import wilson_interval

GROUP_FIGURES = (
    "accuracy",
    "balanced_accuracy",
    "decision_sensitivity",
    "decision_specificity",
    "decision_roc_auc",
)


@dataclass(frozen=True)
class ArtifactAnswers:
    """What one artifact answered.

    Attributes:
        probabilities: float32 [N, C], in the bundle's order of labels, finite.
        positive: The indices of the positive labels.
        threshold: The bundle's, of its decision.
    """

    probabilities: NDArray[np.float32]
    positive: tuple[int, ...]
    threshold: float

    @cached_property
    def labels(self) -> NDArray[np.intp]:
        """The most probable label of each photo, int [N]."""
        return np.asarray(self.probabilities.argmax(axis=1))

    @cached_property
    def decided(self) -> NDArray[np.bool_]:
        """Whether the decision is yes, bool [N]."""
        return np.asarray(scores(self.probabilities, self.positive) >= self.threshold)

    def against(self, truth: NDArray[np.int64], members: NDArray[np.bool_]) -> Predictions:
        """Return the answers of some photos (bool [N]) with their truth (int [N])."""
        return Predictions(self.probabilities[members], truth[members], self.positive, self.threshold)


@dataclass(frozen=True)
class _Group:
    """Photos that are looked at together; `resampled` are the reference's figures, where there are enough photos."""

    kind: GroupKind
    name: str
    members: NDArray[np.bool_]
    resampled: Resampled | None


class Judge:
    """Holds artifacts against the reference's answers and the truth; what is the reference's is computed once.

    Args:
        reference: The reference's answers to all photos.
        photos: With their truth; where they have none there is agreement, and no more.
        tensors: Of the photos, uint8 [N, S, S, 3], for the skin tone.
        labels: The labels' ids, [C], for the figures of each class; without them there are none.
    """

    def __init__(
        self,
        reference: ArtifactAnswers,
        photos: PhotoSet,
        tensors: NDArray[np.uint8],
        labels: Sequence[str] = (),
    ) -> None:
        self._reference = reference
        self._labels = tuple(labels)
        self._photos = photos
        self._everyone = np.ones(len(reference.probabilities), dtype=np.bool_)
        if photos.truth is not None:
            self._all = self._resampled(reference, self._everyone)
            self._groups = tuple(self._grouped(grouped(photos.metadata, tensors)))

    def judged(self, answers: ArtifactAnswers) -> Accuracy:
        """Return everything that is said of one artifact's answers."""
        change = np.abs(answers.probabilities.astype(np.float64) - self._reference.probabilities)
        truth = self._photos.truth
        drawn = None if truth is None else self._resampled(answers, self._everyone)
        return Accuracy(
            agreement=self._agreement(answers),
            max_change=float(change.max()),
            mean_change=float(change.mean()),
            flips=self._flips(answers, self._everyone),
            figures={} if drawn is None else _figures(self._all, drawn),
            classes=() if drawn is None else tuple(self._classes(drawn)),
            subgroups=() if truth is None else tuple(self._subgroup(answers, group) for group in self._groups),
            correct=None if truth is None else bits(answers.labels == truth),
            decided=bits(answers.decided),
        )

    def _classes(self, drawn: Resampled) -> Iterator[ClassFigures]:
        metrics, deltas = figures_of(drawn).per_class, class_changes(self._all, drawn)
        for index, label in enumerate(self._labels):
            figures = {name: _figure(values[index], deltas[name][index]) for name, values in metrics.items()}
            photos = int((self._photos.targets == index).sum())
            yield ClassFigures(label=label, photos=photos, figures=figures)

    def _agreement(self, answers: ArtifactAnswers) -> Metric:
        same = answers.labels == self._reference.labels
        low, high = wilson_interval(int(same.sum()), len(same))
        return Metric(value=float(same.mean()), low=low, high=high)

    def _grouped(self, groups: Iterable[tuple[GroupKind, str, NDArray[np.bool_]]]) -> Iterator[_Group]:
        for kind, name, members in groups:
            enough = members.sum() >= SMALLEST_GROUP
            yield _Group(kind, name, members, self._resampled(self._reference, members) if enough else None)

    def _resampled(self, answers: ArtifactAnswers, members: NDArray[np.bool_]) -> Resampled:
        (result,) = resampled((answers.against(self._photos.targets, members),), self._lesions(members))
        return result

    def _lesions(self, members: NDArray[np.bool_]) -> list[str]:
        return [lesion for lesion, member in zip(self._photos.groups, members, strict=True) if member]

    def _subgroup(self, answers: ArtifactAnswers, group: _Group) -> Subgroup:
        members, figures = group.members, {}
        if group.resampled is not None:
            every = _figures(group.resampled, self._resampled(answers, members))
            figures = {name: every[name] for name in GROUP_FIGURES}
        same = answers.labels[members] == self._reference.labels[members]
        return Subgroup(
            kind=group.kind,
            group=group.name,
            photos=int(members.sum()),
            lesions=len(set(self._lesions(members))),
            positive=int(np.isin(self._photos.targets[members], answers.positive).sum()),
            agreement=float(same.mean()) if figures else None,
            flips=self._flips(answers, members),
            figures=figures,
        )

    def _flips(self, answers: ArtifactAnswers, members: NDArray[np.bool_]) -> Flips:
        before, after = self._reference, answers
        lost, gained = members & before.decided & ~after.decided, members & ~before.decided & after.decided
        renamed = members & (before.labels != after.labels)
        counts = {"to_positive": gained, "to_negative": lost, "label_changes": renamed}
        if self._photos.truth is not None:
            cancer = np.isin(self._photos.targets, before.positive)
            named = np.isin(before.labels, before.positive) & ~np.isin(after.labels, after.positive)
            counts |= {
                "dangerous": lost & cancer,
                "rescued": gained & cancer,
                "cancer_to_other": members & named & cancer,
            }
        return Flips(**{name: int(photos.sum()) for name, photos in counts.items()})


def _figures(reference: Resampled, artifact: Resampled) -> dict[str, Figure]:
    """Return the artifact's figures with intervals, and how far they are from the reference's."""
    deltas = changes(reference, artifact)
    return {name: _figure(metric, deltas[name]) for name, metric in figures_of(artifact).overall.items()}


def _figure(metric: Metric, delta: Delta) -> Figure:
    return Figure(
        value=metric.value,
        low=metric.low,
        high=metric.high,
        original=delta.original,
        change=delta.change,
        change_low=delta.low,
        change_high=delta.high,
    )


def described(photos: PhotoSet, positive: tuple[int, ...]) -> PhotoSetRecord:
    """Return the photos for the record; `positive` are the indices of the positive labels."""
    truth = photos.truth
    return PhotoSetRecord(
        name=photos.name,
        part=photos.part,
        photos=len(photos),
        lesions=None if truth is None else len(set(photos.groups)),
        sha256=sha256_bytes("\n".join(photos.ids).encode()),
        positive=None if truth is None else bits(np.isin(truth, positive)),
    )


def bits(values: NDArray[np.bool_]) -> str:
    """Return e.g. ``"0110"`` of bool [4]."""
    return "".join("1" if value else "0" for value in values)
