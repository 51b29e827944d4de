"""``cross_validation.json``: the figures of every fold, their spread, and those of all out-of-fold predictions."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from dermport.bundle.manifest import CrossValidationSpec, Part
from dermport.bundle.notice import NOTICE
from dermport.bundle.store import Bundle
from dermport.bundle.tables import read_rows
from dermport.contract import Contract, Fraction, Sha256
from dermport.statistics.bootstrap import DEFAULT, intervals
from dermport.statistics.estimates import Metric
from dermport.statistics.metrics import CLASS_TITLES, TITLES, confusion_matrix
from dermport.training.cross_validation.predictions import OutOfFold, TrainedFolds

SCHEMA: Literal["dermport-cross-validation/1"] = "dermport-cross-validation/1"
SPREAD = (
    "Mean and standard deviation (k - 1 in the denominator) of the folds' own test figures. The folds' training sets "
    "overlap, so that their figures are not independent: the standard deviation describes the folds, and no confidence "
    "interval follows from it (Bengio and Grandvalet 2004, JMLR 5:1089: no unbiased estimate of the variance exists)."
)
POOLED = (
    "All out-of-fold predictions together, each at its own model's threshold, with a percentile interval of the "
    "bootstrap over groups (lesion, patient, near-duplicates). The interval holds which photos were drawn, with the "
    "models as they are; not what other training photos would have made of the models. ROC AUCs of pooled scores also "
    "depend on how alike the models' scores are calibrated: compare them with the mean over folds (Forman and Scholz "
    "2010, doi:10.1145/1882471.1882479)."
)


class FoldReport(Contract):
    """One fold."""

    fold: int
    model_sha256: Sha256
    photos: dict[Part, int]
    groups: Annotated[int, Field(description="groups of photos in its test part")]
    labels: Annotated[dict[str, int], Field(description="photos of each label in its test part")]
    epochs: int
    temperature: float
    threshold: Fraction
    figures: Annotated[dict[str, float | None], Field(description="of its test part; keys as in bundle.metrics.TITLES")]
    seconds: float


class Spread(Contract):
    """One figure over the folds; `folds` is in how many of them it is defined."""

    mean: float | None
    sd: Annotated[float | None, Field(description="absent where fewer than two folds have the figure")]
    lowest: float | None
    highest: float | None
    folds: int


class PooledClass(Contract):
    """One class against the rest, out of fold."""

    id: str
    name: str
    photos: int
    figures: dict[str, Metric]


class Pooled(Contract):
    """Figures of all out-of-fold predictions."""

    photos: int
    groups: int
    confidence: Fraction
    resamples: int
    figures: dict[str, Metric]
    classes: tuple[PooledClass, ...]
    confusion_matrix: Annotated[tuple[tuple[int, ...], ...], Field(description="rows: truth; columns: predicted")]


class HeldOut(Contract):
    """The kept model on the photos that no fold saw."""

    photos: int
    groups: int
    figures: dict[str, Metric]


class CrossValidationReport(Contract):
    """The whole of ``cross_validation.json``."""

    schema_version: Annotated[Literal["dermport-cross-validation/1"], Field(alias="schema")] = SCHEMA
    notice: str = NOTICE
    command: str
    task: str
    data: str
    fingerprint: Sha256
    plan_sha256: Annotated[Sha256, Field(description="of folds.csv")]
    seed: int
    validation: Fraction
    held_out_photos: int
    asked: dict[str, Any]
    folds: tuple[FoldReport, ...]
    spread: dict[str, Spread]
    spread_meaning: str = SPREAD
    pooled: Pooled
    pooled_meaning: str = POOLED
    kept: CrossValidationSpec | None = None
    held_out: HeldOut | None = None


def report_of(done: TrainedFolds) -> CrossValidationReport:
    """Return the figures of a cross-validation whose folds are all trained."""
    plan, folds, found = done.plan, done.folds, done.found
    rows = tuple(_fold(number, bundle, found) for number, bundle in enumerate(done.bundles, start=1))
    return CrossValidationReport(
        command=done.asked.training.command,
        task=plan.task.name,
        data=folds.dataset.name,
        fingerprint=folds.dataset.fingerprint,
        plan_sha256=plan.sha256,
        seed=folds.seed,
        validation=folds.validation,
        held_out_photos=len(folds.held_out),
        asked=plan.asked,
        folds=rows,
        spread={name: spread_of([row.figures[name] for row in rows]) for name in TITLES},
        pooled=_pooled(found),
    )


def spread_of(values: Sequence[float | None]) -> Spread:
    """Return mean and standard deviation (k - 1) of the folds that have the figure."""
    known = [value for value in values if value is not None]
    return Spread(
        mean=statistics.fmean(known) if known else None,
        sd=statistics.stdev(known) if len(known) > 1 else None,
        lowest=min(known, default=None),
        highest=max(known, default=None),
        folds=len(known),
    )


def _fold(number: int, bundle: Bundle, found: OutOfFold) -> FoldReport:
    manifest, here = bundle.manifest, found.folds == number
    tested = found.truth[here]
    return FoldReport(
        fold=number,
        model_sha256=bundle.model_sha256,
        photos=manifest.known_dataset.split.photos,
        groups=len({group for group, one in zip(found.groups, here, strict=True) if one}),
        labels={label: int((tested == index).sum()) for index, label in enumerate(found.task.ids)},
        epochs=sum(1 for _ in read_rows(bundle.file("evaluation/history.csv"), ("epoch",))),
        temperature=manifest.temperature,
        threshold=manifest.threshold,
        figures={name: manifest.known_metrics.figures[name].value for name in TITLES},
        seconds=manifest.provenance.seconds,
    )


def _pooled(found: OutOfFold) -> Pooled:
    drawn = intervals(found.pooled, found.groups)
    return Pooled(
        photos=len(found.truth),
        groups=len(set(found.groups)),
        confidence=DEFAULT.confidence,
        resamples=DEFAULT.resamples,
        figures=drawn.overall,
        classes=tuple(
            PooledClass(
                id=label.id,
                name=label.name,
                photos=int((found.truth == index).sum()),
                figures={name: drawn.per_class[name][index] for name in CLASS_TITLES},
            )
            for index, label in enumerate(found.task.labels)
        ),
        confusion_matrix=tuple(map(tuple, confusion_matrix(found.pooled).tolist())),
    )
