"""The evaluation folder: figures as JSON, photos and classes as CSV, charts as PNG, the model card."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from dermport.bundle.atomic import write_json, write_text
from dermport.bundle.csv_table import csv_text
from dermport.bundle.evaluation_report import EvaluationReport
from dermport.errors import BundleError
from dermport.figures.confusion import draw_confusion
from dermport.figures.curves import draw_decision_curve, draw_precision_recall, draw_roc
from dermport.figures.fairness import draw_fairness
from dermport.figures.reliability import draw_decision_reliability, draw_reliability
from dermport.training.evaluation.evaluation import Evaluation
from dermport.training.evaluation.threshold import TuningSet

METRICS = "metrics.json"
TUNING = "validation.csv"
MODEL_CARD = "model_card.md"


def write_evaluation(folder: Path, evaluation: Evaluation, card: str = "") -> None:
    """Write everything about an evaluation into `folder`, which is created where it is missing.

    Files: ``metrics.json``, ``predictions.csv`` (one row per photo, probabilities in full precision),
    ``per_class.csv``, where they are at hand ``validation.csv`` (the scores that the threshold was chosen on), the
    charts (see :func:`write_charts`) and, where `card` is given, ``model_card.md``. Write into an
    :func:`dermport.bundle.atomic.atomic_directory`, so that the folder is whole or absent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / METRICS, evaluation.report.model_dump(mode="json", by_alias=True))
    write_text(folder / "predictions.csv", csv_text(*_photo_table(evaluation)))
    write_text(folder / "per_class.csv", csv_text(*_class_table(evaluation.report)))
    if evaluation.tuning:
        write_text(folder / TUNING, csv_text(*_tuning_table(evaluation.tuning)))
    write_charts(folder, evaluation)
    if card:
        (folder / MODEL_CARD).write_text(card, encoding="utf-8")


def write_charts(folder: Path, evaluation: Evaluation) -> None:
    """Draw ``confusion.png``, ``roc.png``, ``precision_recall.png``, ``decision_curve.png``, ``reliability.png``.

    And ``decision_reliability.png``, and ``fairness.png`` where something is known of the people.
    """
    report = evaluation.report
    draw_confusion(folder / "confusion.png", report)
    draw_roc(folder / "roc.png", report, evaluation.curves, evaluation.decision_curves)
    draw_precision_recall(folder / "precision_recall.png", report, evaluation.curves, evaluation.decision_curves)
    draw_reliability(folder / "reliability.png", report)
    if (decision := report.decision) and report.decision_curve:
        draw_decision_curve(folder / "decision_curve.png", report, decision, report.decision_curve)
    if decision and report.calibration.decision_after:
        after = report.calibration.decision_after
        draw_decision_reliability(folder / "decision_reliability.png", report, decision, after)
    if report.fairness:
        draw_fairness(folder / "fairness.png", report, report.fairness)


def read_tuning(path: Path) -> TuningSet:
    """Read a ``validation.csv``.

    Raises:
        BundleError: It is not of the form that :func:`write_evaluation` writes.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return TuningSet(
            photo_ids=[row["photo_id"] for row in rows],
            lesions=[row["lesion_id"] for row in rows],
            scores=np.array([float(row["score"]) for row in rows]),
            positive=np.array([row["positive"] == "1" for row in rows], dtype=np.bool_),
        )
    except (KeyError, ValueError) as error:
        raise BundleError(
            f"{path} is not a table of validation scores: {error}.", remedy="Restore the bundle, or train it again."
        ) from error


def _photo_table(evaluation: Evaluation) -> tuple[list[str], Iterable[Sequence[object]]]:
    ids = [one.id for one in evaluation.report.classes]
    photos, predictions = evaluation.photos, evaluation.predictions
    columns = zip(
        photos.ids,
        photos.groups,
        [ids[index] for index in predictions.truth],
        [ids[index] for index in predictions.predicted],
        predictions.scores.tolist(),
        predictions.decided.astype(int).tolist(),
        predictions.probabilities.tolist(),
        strict=True,
    )
    header = ["photo_id", "lesion_id", "truth", "predicted", "score", "positive", *(f"p_{label}" for label in ids)]
    return header, ([*values, *probabilities] for *values, probabilities in columns)


def _tuning_table(tuning: TuningSet) -> tuple[list[str], Iterable[Sequence[object]]]:
    columns = (tuning.photo_ids, tuning.lesions, tuning.positive.astype(int).tolist(), tuning.scores.tolist())
    return ["photo_id", "lesion_id", "positive", "score"], zip(*columns, strict=True)


def _class_table(report: EvaluationReport) -> tuple[list[str], Iterable[Sequence[object]]]:
    names = list(report.classes[0].metrics)
    header = ["label", "name", "photos", "lesions"]
    header += [f"{name}{end}" for name in names for end in ("", "_low", "_high")]
    rows = (
        [one.id, one.name, one.photos, one.lesions]
        + [value for metric in one.metrics.values() for value in (metric.value, metric.low, metric.high)]
        for one in report.classes
    )
    return header, rows
