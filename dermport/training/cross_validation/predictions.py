"""Out-of-fold predictions: each photo's probabilities, by the one model that neither saw it nor was tuned on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.atomic import write_text
from dermport.bundle.csv_table import csv_text
from dermport.bundle.manifest import ModelRef, TaskSpec
from dermport.bundle.store import Bundle
from dermport.bundle.tables import read_rows
from dermport.errors import BundleError
from dermport.statistics.metrics import Predictions
from dermport.training.cross_validation.folds import HELD_OUT, Folds
from dermport.training.cross_validation.plan import FoldPlan
from dermport.training.cross_validation.request import CrossValidationRequest

PREDICTIONS = "predictions.csv"
_OF_FOLD = "evaluation/predictions.csv"


@dataclass(frozen=True)
class ByFold(Predictions):
    """Predictions of several models, each with its own threshold: `thresholds`, float64 [N], in place of `threshold`.

    Scores of several models in one ranking: a pooled ROC AUC is also of how alike their scores are calibrated (Forman
    and Scholz 2010, "Apples-to-apples in cross-validation studies", doi:10.1145/1882471.1882479).
    """

    thresholds: NDArray[np.float64]

    @property
    def decided(self) -> NDArray[np.bool_]:
        """Whether the decision is yes at the threshold of the photo's own model, bool [N]."""
        return np.asarray(self.scores >= self.thresholds)


@dataclass(frozen=True)
class OutOfFold:
    """What the folds' models say of the photos that they were tested on.

    Attributes:
        task: The labels.
        photo_ids: [N].
        lesions: [N].
        groups: What was kept in one fold, [N].
        folds: The fold that tested each photo, int64 [N].
        truth: Label indices, int64 [N].
        probabilities: Calibrated, float64 [N, C].
        thresholds: Of the decision, of each photo's model, float64 [N].
    """

    task: TaskSpec
    photo_ids: tuple[str, ...]
    lesions: tuple[str, ...]
    groups: tuple[str, ...]
    folds: NDArray[np.int64]
    truth: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    thresholds: NDArray[np.float64]

    @cached_property
    def pooled(self) -> ByFold:
        """The predictions of all folds, held against the truth."""
        positive = self.task.positive_indices
        return ByFold(self.probabilities, self.truth, positive, float(self.thresholds.mean()), self.thresholds)


@dataclass(frozen=True)
class TrainedFolds:
    """A cross-validation whose folds are all trained.

    Attributes:
        asked: What was asked.
        plan: As it was written down.
        folds: Which fold tested each photo.
        bundles: Of the folds, in order.
        found: What each model said of the photos that it was tested on.
    """

    asked: CrossValidationRequest
    plan: FoldPlan
    folds: Folds
    bundles: tuple[Bundle, ...]
    found: OutOfFold

    @property
    def members(self) -> tuple[ModelRef, ...]:
        """The folds' models, in order."""
        return tuple(
            ModelRef(name=one.manifest.name, version=one.manifest.version, model_sha256=one.model_sha256)
            for one in self.bundles
        )


def collect(folds: Folds, bundles: Sequence[Bundle]) -> OutOfFold:
    """Return the test predictions of every fold's bundle, in the order of the data set.

    Raises:
        BundleError: A bundle's predictions are not of its fold's photos.
    """
    dataset = folds.dataset
    rows = {row["photo_id"]: row for bundle in bundles for row in read_rows(bundle.file(_OF_FOLD), ("photo_id",))}
    tested = [index for index, fold in enumerate(folds.of_photo) if fold != HELD_OUT]
    ids = tuple(dataset.records[index].photo_id for index in tested)
    if set(ids) != set(rows):
        raise BundleError(
            f"The folds' predictions are of {len(rows):,} photos, not of the {len(ids):,} that the plan names.",
            remedy="Remove the fold whose bundle was changed, and give the same command again.",
        )
    thresholds = np.array([bundle.manifest.threshold for bundle in bundles])
    labels, groups, of_photo = dataset.task.spec.ids, dataset.groups(), folds.of_photo[tested]
    return OutOfFold(
        task=dataset.task.spec,
        photo_ids=ids,
        lesions=tuple(dataset.records[index].lesion_id for index in tested),
        groups=tuple(groups[index] for index in tested),
        folds=of_photo,
        truth=dataset.targets()[tested],
        probabilities=np.array([[float(rows[photo][f"p_{label}"]) for label in labels] for photo in ids]),
        thresholds=thresholds[of_photo - 1],
    )


def write_predictions(folder: Path, found: OutOfFold) -> None:
    """Write ``predictions.csv`` atomically: a row for each photo, probabilities in full precision."""
    ids, pooled = found.task.ids, found.pooled
    head = ("photo_id", "lesion_id", "group", "fold", "label", "predicted", "score", "threshold", "positive")
    columns = zip(
        found.photo_ids,
        found.lesions,
        found.groups,
        found.folds.tolist(),
        [ids[index] for index in found.truth],
        [ids[index] for index in pooled.predicted],
        pooled.scores.tolist(),
        found.thresholds.tolist(),
        pooled.decided.astype(int).tolist(),
        found.probabilities.tolist(),
        strict=True,
    )
    rows = ([*values, *probabilities] for *values, probabilities in columns)
    write_text(folder / PREDICTIONS, csv_text([*head, *(f"p_{label}" for label in ids)], rows))
