"""How a model's figures differ from another's on the same photos, and whether chance alone would do it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dermport.bundle.evaluation_report import ModelComparison, TrainingOverlap
from dermport.bundle.manifest import ModelRef
from dermport.bundle.tables import read_rows
from dermport.statistics.bootstrap import DEFAULT, Bootstrap
from dermport.statistics.metrics import Predictions
from dermport.statistics.paired import auc_test, paired_differences, rightness_test


def compare_models(
    this: Predictions,
    other: Predictions,
    lesions: Sequence[str],
    *,
    model: ModelRef,
    seen: TrainingOverlap,
    bootstrap: Bootstrap = DEFAULT,
) -> ModelComparison:
    """Return how `this` differs from `other`.

    Args:
        this: N photos.
        other: The other model's, of the same photos, each with its own threshold.
        lesions: The lesion that each photo shows, [N].
        model: The other's name.
        seen: What it knew of these photos.
        bootstrap: How to resample; both models share the resamples.
    """
    right = [one.predicted == one.truth for one in (this, other)]
    decided_right = [one.decided == one.is_positive for one in (this, other)]
    return ModelComparison(
        model=model,
        seen=seen,
        photos=len(lesions),
        lesions=len(set(lesions)),
        figures=paired_differences(this, other, lesions, bootstrap),
        auc=auc_test(this, other, bootstrap.confidence) if this.positive else None,
        top_class=rightness_test(*right),
        decision=rightness_test(*decided_right) if this.positive else None,
    )


def training_overlap(split: Path, photo_ids: Sequence[str], lesions: Sequence[str]) -> TrainingOverlap:
    """Return how many photos a model was made with.

    Args:
        split: The model's own ``split.csv``.
        photo_ids: The scored photos, [N].
        lesions: The lesion that each of them shows, [N].

    Raises:
        DataError: The file cannot be read as a split.
    """
    rows = list(read_rows(split, ("photo_id", "part")))
    of_photo = {row["photo_id"]: row["part"] for row in rows}
    of_lesion = {row["lesion_id"]: row["part"] for row in rows if row.get("lesion_id")}
    known = [of_photo.get(photo) or of_lesion.get(one) for photo, one in zip(photo_ids, lesions, strict=True)]
    return TrainingOverlap(train=known.count("train"), validation=known.count("validation"))
