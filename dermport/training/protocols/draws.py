"""Which photos train, validate and test in an arm of a protocol; a photo can be in a part more than once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.manifest import Part
from dermport.errors import DataError
from dermport.training.cross_validation.folds import HELD_OUT, draw_folds
from dermport.training.data.dataset import Dataset
from dermport.training.data.splits import PARTS, split_dataset
from dermport.training.protocols.protocol import Arm, Protocol, SplitRule

Indices = NDArray[np.int64]
_OVERSAMPLED, _PARTED = 1, 2  # what a generator draws, beside the seed


@dataclass(frozen=True)
class Draw:
    """The parts of one training, as indices of ``dataset.records``; a photo that was oversampled is there repeatedly.

    Attributes:
        train: int64 [N].
        validation: int64 [M]; chooses the epoch that is kept.
        test: int64 [T].
    """

    train: Indices
    validation: Indices
    test: Indices


def draws_of(protocol: Protocol, arm: Arm, dataset: Dataset, seed: int) -> tuple[Draw, ...]:
    """Return the trainings of an arm: one, or one for each fold, whose test photos are the same.

    Raises:
        DataError: A class has no photo to train or to test on.
    """
    targets = dataset.targets()
    if arm.oversample == "before-split":
        draws: tuple[Draw, ...] = (_parted_copies(oversampled(targets, seed), protocol.fractions, seed),)
    else:
        draws = _parted(protocol, arm.split, dataset, seed)
        if arm.oversample == "training":
            draws = tuple(replace(one, train=one.train[oversampled(targets[one.train], seed)]) for one in draws)
    for one in draws:
        _check(one, targets, dataset)
    return draws


def oversampled(targets: NDArray[np.int64], seed: int) -> Indices:
    """Return indices in which each class is as frequent as the commonest: all its photos, and others drawn again.

    This is random oversampling as imbalanced-learn's ``RandomOverSampler`` does it; what is drawn again is drawn with
    replacement.

    Args:
        targets: Class indices, int64 [N].
        seed: Of the draw.
    """
    random = np.random.default_rng((seed, _OVERSAMPLED))
    members = [np.flatnonzero(targets == label) for label in np.unique(targets)]
    most = max(map(len, members))
    drawn = [np.concatenate([one, random.choice(one, most - len(one))]) for one in members]
    return np.concatenate(drawn).astype(np.int64)


def _parted_copies(entries: Indices, fractions: Mapping[Part, float], seed: int) -> Draw:
    """Part the copies at random, as if each were a photo of its own."""
    shuffled = np.random.default_rng((seed, _PARTED)).permutation(entries)
    ends = np.cumsum([round(fractions[part] * len(entries)) for part in ("train", "validation")])
    train, validation, test = np.split(shuffled, ends)
    return Draw(train, validation, test)


def _parted(protocol: Protocol, rule: SplitRule, dataset: Dataset, seed: int) -> tuple[Draw, ...]:
    parted = dataset if rule == "by-lesion" else _each_photo_alone(dataset)
    if protocol.split.folds:
        return _folds(protocol, parted, seed)
    split = split_dataset(parted, protocol.fractions, seed)
    return (Draw(*(split.indices(part) for part in PARTS)),)


def _folds(protocol: Protocol, dataset: Dataset, seed: int) -> tuple[Draw, ...]:
    """Return a draw for each fold, which validates what the others train; all are tested on the held-out part."""
    count = protocol.split.folds
    folds = draw_folds(dataset, count, held_out=protocol.split.test, validation=0.0, seed=seed)
    of_photo, test = folds.of_photo, folds.held_out
    return tuple(
        Draw(np.flatnonzero((of_photo != fold) & (of_photo != HELD_OUT)), np.flatnonzero(of_photo == fold), test)
        for fold in range(1, count + 1)
    )


def _each_photo_alone(dataset: Dataset) -> Dataset:
    """Return the data set as one sees it who does not know which photos belong together."""
    records = tuple(replace(record, lesion_id=record.photo_id, group_id="") for record in dataset.records)
    return replace(dataset, records=records, links=(), joins=())


def _check(draw: Draw, targets: NDArray[np.int64], dataset: Dataset) -> None:
    ids = dataset.task.spec.ids
    for part, indices in (("train", draw.train), ("test", draw.test)):
        counts = np.bincount(targets[indices], minlength=len(ids))
        if absent := [label for label, count in zip(ids, counts, strict=True) if not count]:
            raise DataError(
                f"{dataset.name} has no photo of {', '.join(absent)} to {part} on.",
                remedy="Add photos of it, or change data.task of the protocol to one without it.",
            )
    if not len(draw.validation):
        raise DataError(f"{dataset.name} has too few photos: none is left to choose an epoch on.")
