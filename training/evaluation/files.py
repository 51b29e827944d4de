"""The evaluation folder: figures as JSON, photos and classes as CSV, charts as PNG, the model card."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from bundle.atomic import write_json
from training.evaluation.charts import draw_confusion, draw_reliability, draw_roc
from training.evaluation.evaluation import Evaluation
from training.evaluation.report import EvaluationReport

METRICS = "metrics.json"
MODEL_CARD = "model_card.md"


def write_evaluation(folder: Path, evaluation: Evaluation, card: str = "") -> None:
    """Write everything about an evaluation into `folder`, which is created where it is missing.

    Files: ``metrics.json``, ``predictions.csv`` (one row per photo, probabilities in full precision),
    ``per_class.csv``, ``confusion.png``, ``roc.png``, ``reliability.png`` and, where `card` is given,
    ``model_card.md``. Write into an :func:`bundle.atomic.atomic_directory`, so that the folder is whole or absent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / METRICS, evaluation.report.model_dump(mode="json", by_alias=True))
    _write_csv(folder / "predictions.csv", *_photo_table(evaluation))
    _write_csv(folder / "per_class.csv", *_class_table(evaluation.report))
    draw_confusion(folder / "confusion.png", evaluation)
    draw_roc(folder / "roc.png", evaluation)
    draw_reliability(folder / "reliability.png", evaluation)
    if card:
        (folder / MODEL_CARD).write_text(card, encoding="utf-8")


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _photo_table(evaluation: Evaluation) -> tuple[list[str], Iterable[Sequence[object]]]:
    ids = [one.id for one in evaluation.report.classes]
    photos, predictions = evaluation.photos, evaluation.predictions
    columns = zip(
        photos.photo_ids,
        photos.lesions,
        [ids[index] for index in predictions.truth],
        [ids[index] for index in predictions.predicted],
        predictions.scores.tolist(),
        predictions.decided.astype(int).tolist(),
        predictions.probabilities.tolist(),
        strict=True,
    )
    header = ["photo_id", "lesion_id", "truth", "predicted", "score", "positive", *(f"p_{label}" for label in ids)]
    return header, ([*values, *probabilities] for *values, probabilities in columns)


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
