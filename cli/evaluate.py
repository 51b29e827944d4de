"""``dermport evaluate``: the figures of a bundle's model, saved or scored afresh, with their intervals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import BundleArgument, Json
from cli.output import console, emit_json, progress, say

if TYPE_CHECKING:
    from bundle.store import Bundle
    from training.evaluation.evaluation import Evaluation
    from training.evaluation.report import EvaluationReport


def evaluate(
    bundle: BundleArgument,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Score model.keras on these photos. Default: show the bundle's saved figures."),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option(
            "--part",
            help="With --data: train, validation or test by the bundle's split (default: test), or all photos, "
            "as another data set than the one trained on needs.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="With --data: folder for figures, tables and charts; must not exist yet."),
    ] = None,
    json: Json = False,
) -> None:
    """Show how good a model is, class by class, with bootstrap intervals by lesion; the bundle is never changed."""
    from bundle.errors import UsageError
    from bundle.store import Bundle

    opened = Bundle.open(bundle)
    if data is not None:
        report = _score(opened, data, part or "test", out)
    elif part or out:
        raise UsageError("--part and --out need photos to score.", remedy="Name the data set: --data DIR.")
    else:
        report = _saved(opened)
    print_report(report)
    if json:
        emit_json(report.model_dump(mode="json", by_alias=True))


def _saved(bundle: Bundle) -> EvaluationReport:
    from training.evaluation.files import METRICS
    from training.evaluation.report import read_report

    say(f"Saved with {bundle.path}; nothing was run. To score the model again: --data DIR.")
    return read_report(bundle.file(f"evaluation/{METRICS}"))


def _score(bundle: Bundle, data: Path, part: str, out: Path | None) -> EvaluationReport:
    from bundle.atomic import atomic_directory
    from training.evaluation.files import write_evaluation

    if out is None:
        return _evaluation(bundle, data, part).report
    with atomic_directory(out) as folder:
        evaluation = _evaluation(bundle, data, part)
        write_evaluation(folder, evaluation)
    say(f"Written to [bold]{out}[/bold].")
    return evaluation.report


def _evaluation(bundle: Bundle, data: Path, part: str) -> Evaluation:
    from cli.photos import read_part
    from exporters.source import keras_probabilities, load_model
    from training.evaluation.evaluation import Scored
    from training.evaluation.evaluation import evaluate as score

    photos = read_part(bundle, data, part)
    with progress("asking the model") as update:
        probabilities = keras_probabilities(load_model(bundle), photos.tensors, update)
    manifest = bundle.manifest
    scored = Scored(photos.dataset, part, photos.ids, photos.lesions, photos.truth, photos.external)
    temperature = manifest.calibration.temperature
    return score(probabilities, scored, manifest.task, manifest.decision, temperature=temperature)


def print_report(report: EvaluationReport) -> None:
    """Print the figures for people."""
    from rich.table import Table

    from bundle.metrics import CLASS_TITLES, TITLES
    from training.evaluation.report import in_words

    level = f"{100 * report.confidence:g} % interval"
    photos = f"{report.photos:,} photos of {report.lesions:,} lesions"
    overall = Table("figure", f"value ({level})", title=f"{report.data}, {report.part}: {photos}")
    for key, metric in report.figures.items():
        overall.add_row(TITLES[key], in_words(metric))
    classes = Table(
        "class", "photos", "lesions", *CLASS_TITLES.values(), title=f"Each class against the rest ({level})"
    )
    for one in report.classes:
        classes.add_row(one.id, f"{one.photos:,}", f"{one.lesions:,}", *map(in_words, one.metrics.values()))
    console().print(overall, classes)
    for line in _remarks(report):
        say(line)


def _remarks(report: EvaluationReport) -> list[str]:
    decision, calibration = report.decision, report.calibration
    lines = [
        f"Decision “{decision.name}” at {decision.threshold:.4g}: {decision.true_positives} positives found, "
        f"{decision.false_negatives} missed; {decision.false_positives} false alarms, "
        f"{decision.true_negatives} rightly passed.",
        f"Temperature {calibration.temperature:.3f}: calibration error {calibration.before.ece:.3f} before, "
        f"{calibration.after.ece:.3f} after.",
    ]
    if report.absent:
        lines.append(f"[yellow]No photo shows {', '.join(report.absent)}[/]: macro figures are over the other classes.")
    if report.external:
        lines.append("External validation: another data set than the one that the model was trained on.")
    elif report.part in {"train", "validation", "all"}:
        lines.append("[yellow]The model was made with these photos: the figures flatter it.[/]")
    return [*lines, report.notice]
