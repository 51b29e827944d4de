"""How a model's figures differ from another's on the same photos, and whether chance alone would do it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dermport.bundle.manifest import ModelRef
from dermport.contract import Contract, Fraction
from dermport.statistics.bootstrap import DEFAULT, Bootstrap, changes, figures_of, resampled
from dermport.statistics.delong import delong
from dermport.statistics.metrics import Predictions
from dermport.statistics.paired import mcnemar_exact
from dermport.training.data.rows import read_rows


class Difference(Contract):
    """A figure of both models; the interval of the change is of paired bootstrap resamples, by lesion."""

    this: float | None
    other: float | None
    change: Annotated[float | None, Field(description="this less the other")]
    low: float | None
    high: float | None


class AucTest(Contract):
    """DeLong's test of the decision's ROC AUC, which takes photos as independent."""

    change: float
    low: float
    high: float
    p: Fraction


class RightnessTest(Contract):
    """McNemar's exact test of who is right more often, which takes photos as independent."""

    this_only: Annotated[int, Field(description="photos in which only this model is right")]
    other_only: int
    p: Fraction


class Seen(Contract):
    """How many of the scored photos the other model was made with, by its own split."""

    train: Annotated[int, Field(description="photos that it, or of whose lesions it, was trained on")]
    validation: Annotated[int, Field(description="likewise: chosen epochs, temperature or threshold by")]


class Against(Contract):
    """Another model, asked the same photos."""

    model: ModelRef
    seen: Seen
    photos: int
    lesions: int
    figures: Annotated[dict[str, Difference], Field(description="keys as in bundle.metrics.TITLES")]
    auc: Annotated[AucTest | None, Field(description="none with fewer than two positives or negatives")]
    top_class: RightnessTest
    decision: Annotated[RightnessTest, Field(description="each by its own threshold")]

    @property
    def flattered(self) -> bool:
        """Whether the other model was made with some of the photos that it is scored on."""
        return bool(self.seen.train or self.seen.validation)


def against(
    this: Predictions,
    other: Predictions,
    lesions: Sequence[str],
    *,
    model: ModelRef,
    seen: Seen,
    bootstrap: Bootstrap = DEFAULT,
) -> Against:
    """Return how `this` differs from `other`.

    Args:
        this: N photos.
        other: The other model's, of the same photos, each with its own threshold.
        lesions: The lesion that each photo shows, [N].
        model: The other's name.
        seen: What it knew of these photos.
        bootstrap: How to resample; both models share the resamples.
    """
    first, second = resampled((other, this), lesions, bootstrap)
    before, after = figures_of(first, bootstrap).overall, figures_of(second, bootstrap).overall
    figures = {
        name: Difference(
            this=after[name].value, other=before[name].value, change=one.change, low=one.low, high=one.high
        )
        for name, one in changes(first, second, bootstrap).items()
    }
    return Against(
        model=model,
        seen=seen,
        photos=len(lesions),
        lesions=len(set(lesions)),
        figures=figures,
        auc=_auc(this, other, bootstrap.confidence),
        top_class=_rightness(this, other, lambda one: one.predicted == one.truth),
        decision=_rightness(this, other, lambda one: one.decided == one.is_positive),
    )


def seen_before(split: Path, photo_ids: Sequence[str], lesions: Sequence[str]) -> Seen:
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
    return Seen(train=known.count("train"), validation=known.count("validation"))


def _auc(this: Predictions, other: Predictions, confidence: float) -> AucTest | None:
    found = delong(this.scores, other.scores, this.is_positive, confidence)
    return None if found is None else AucTest(change=found.change, low=found.low, high=found.high, p=found.p)


def _rightness(
    this: Predictions, other: Predictions, right: Callable[[Predictions], NDArray[np.bool_]]
) -> RightnessTest:
    first, second = right(this), right(other)
    gained, lost = int((first & ~second).sum()), int((second & ~first).sum())
    return RightnessTest(this_only=gained, other_only=lost, p=mcnemar_exact(gained, lost))
