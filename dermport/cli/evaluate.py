"""``dermport evaluate``: the figures of a bundle's model, saved or scored afresh, with their intervals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dermport.cli import output
from dermport.cli.options import BundleArgument, Json
from dermport.cli.output import bar, emit_json, say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dermport.bundle.evaluation_report import EvaluationReport, ModelComparison
    from dermport.bundle.photo_set import PhotoSet
    from dermport.bundle.store import Bundle
    from dermport.training.evaluation.evaluation import Evaluation
    from dermport.training.evaluation.threshold import TuningSet


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
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="OTHER", help="With --data: compare with this bundle, on the same photos."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="With --data: folder for figures, tables and charts; must not exist yet."),
    ] = None,
    json: Json = False,
) -> None:
    """Show how good a model is, class by class, with bootstrap intervals by lesion; the bundle is never changed."""
    from dermport.bundle.store import Bundle
    from dermport.cli.evaluate_tables import print_report
    from dermport.errors import UsageError

    opened = Bundle.open(bundle)
    if data is not None:
        report = _score(opened, data, part or "test", _other(opened, against), out)
    elif part or out or against:
        raise UsageError("--part, --against and --out need photos to score.", remedy="Name the data set: --data DIR.")
    else:
        report = _saved(opened)
    print_report(report)
    if json:
        emit_json(report.model_dump(mode="json", by_alias=True))


def _saved(bundle: Bundle) -> EvaluationReport:
    from dermport.bundle.evaluation_report import read_report
    from dermport.training.evaluation.files import METRICS

    say(f"Saved with {bundle.path}; nothing was run. To score the model again: --data DIR.")
    return read_report(bundle.file(f"evaluation/{METRICS}"))


def _other(bundle: Bundle, path: Path | None) -> Bundle | None:
    """Open the bundle to compare with, and refuse one that tells other things apart."""
    from dermport.bundle.store import Bundle
    from dermport.errors import UsageError

    if path is None:
        return None
    other = Bundle.open(path)
    this, that = bundle.manifest.task, other.manifest.task
    if (this.ids, set(this.positive)) != (that.ids, set(that.positive)):
        raise UsageError(
            f"{bundle.path} tells {', '.join(this.ids)} apart ({' + '.join(this.positive)} positive), {other.path} "
            f"{', '.join(that.ids)} ({' + '.join(that.positive)}).",
            remedy="Name a bundle of the same labels, in the same order, with the same positive ones.",
        )
    return other


def _score(bundle: Bundle, data: Path, part: str, other: Bundle | None, out: Path | None) -> EvaluationReport:
    from dermport.bundle.atomic import atomic_directory
    from dermport.training.evaluation.files import write_evaluation

    if out is None:
        return _evaluation(bundle, data, part, other).report
    with atomic_directory(out) as folder:
        evaluation = _evaluation(bundle, data, part, other)
        write_evaluation(folder, evaluation)
    say(f"Written to [bold]{out}[/bold].")
    return evaluation.report


def _evaluation(bundle: Bundle, data: Path, part: str, other: Bundle | None) -> Evaluation:
    from dermport.statistics.subgroups import grouped
    from dermport.training.evaluation.evaluation import evaluate as score
    from dermport.workflows.photos import read_photos

    manifest = bundle.manifest
    photos = read_photos(bundle, data, part, progress=output)
    evaluation = score(
        _answers(bundle, photos),
        photos,
        manifest.task,
        manifest.decision,
        temperature=manifest.calibration.temperature,
        subgroups=tuple(grouped(photos.metadata, photos.tensors(manifest.preprocessing))),
        tuning=_tuning(bundle, data, photos),
    )
    return evaluation.compared(_against(evaluation, photos, other)) if other else evaluation


def _answers(bundle: Bundle, photos: PhotoSet) -> NDArray[np.float32]:
    from dermport.exporters.source import load_model
    from dermport.training.model.network import predict

    tensors = photos.tensors(bundle.manifest.preprocessing)
    with bar(f"asking {bundle.manifest.name}") as update:
        return predict(load_model(bundle), tensors, update=update)


def _tuning(bundle: Bundle, data: Path, scored: PhotoSet) -> TuningSet | None:
    """Return what the threshold was chosen on: as the bundle keeps it, else scored again, else None."""
    from dermport.training.evaluation.files import TUNING, read_tuning

    manifest, kept = bundle.manifest, f"evaluation/{TUNING}"
    if any(entry.path == kept for entry in manifest.files):
        return read_tuning(bundle.file(kept))
    if scored.external or not manifest.dataset.split.photos.get(manifest.decision.part):
        say("The photos that the threshold was chosen on are not at hand: it has no interval.")
        return None
    say(f"{bundle.path} does not keep the scores that its threshold was chosen on: scoring those photos, too.")
    return _scored_again(bundle, data)


def _scored_again(bundle: Bundle, data: Path) -> TuningSet:
    import numpy as np

    from dermport.statistics.metrics import scores
    from dermport.training.evaluation.threshold import TuningSet
    from dermport.workflows.photos import read_photos

    part, positive = bundle.manifest.decision.part, bundle.manifest.task.positive_indices
    photos = read_photos(bundle, data, part, progress=output)
    found = scores(_answers(bundle, photos), positive)
    return TuningSet(photos.ids, photos.groups, found, np.isin(photos.targets, positive), part)


def _against(evaluation: Evaluation, photos: PhotoSet, other: Bundle) -> ModelComparison:
    from dermport.bundle.manifest import ModelRef
    from dermport.statistics.metrics import Predictions
    from dermport.training.evaluation.model_comparison import compare_models, training_overlap

    manifest = other.manifest
    return compare_models(
        evaluation.predictions,
        Predictions(
            _answers(other, photos), photos.targets, manifest.task.positive_indices, manifest.decision.threshold
        ),
        photos.groups,
        model=ModelRef(name=manifest.name, version=manifest.version, model_sha256=other.model_sha256),
        seen=training_overlap(other.file(manifest.dataset.split.file), photos.ids, photos.groups),
    )
