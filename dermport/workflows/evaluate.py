"""The figures of a bundle's model, as they are saved with it or scored afresh; the bundle is never changed."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dermport.errors import UsageError
from dermport.progress import SILENT, Progress
from dermport.workflows.notebook import html_table, text_table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dermport.bundle.evaluation_report import EvaluationReport, ModelComparison
    from dermport.bundle.photo_set import PhotoSet
    from dermport.bundle.store import Bundle
    from dermport.training.evaluation.evaluation import Evaluation
    from dermport.training.evaluation.threshold import TuningSet


@dataclass(frozen=True, repr=False)
class EvaluationResult:
    """How good a model is.

    Attributes:
        report: Every figure with its bootstrap interval by lesion, as ``evaluation/metrics.json`` holds it.
    """

    report: EvaluationReport

    def __repr__(self) -> str:
        return text_table(*self._table())

    def _repr_html_(self) -> str:
        return html_table(*self._table())

    def _table(self) -> tuple[tuple[str, str], list[tuple[str, str]], str]:
        from dermport.statistics.metrics import TITLES
        from dermport.statistics.text import in_words

        report = self.report
        rows = [(TITLES.get(name, name), in_words(metric)) for name, metric in report.figures.items()]
        caption = f"{report.data}, {report.part}: {report.photos:,} photos of {report.lesions:,} lesions"
        caption = ". ".join(filter(None, (caption, report.doubt)))
        return ("figure", f"value ({report.confidence:.0%} interval)"), rows, caption


def saved_evaluation(bundle: Bundle) -> EvaluationResult:
    """Return the figures that are saved with a bundle; nothing is run.

    Raises:
        BundleError: The bundle has none, or they are damaged.
    """
    from dermport.bundle.evaluation_report import read_report
    from dermport.training.evaluation.files import METRICS

    return EvaluationResult(read_report(bundle.file(f"evaluation/{METRICS}")))


def evaluate(
    bundle: Bundle,
    data: Path,
    part: str | None = None,
    *,
    against: Bundle | None = None,
    out: Path | None = None,
    progress: Progress = SILENT,
) -> EvaluationResult:
    """Score ``model.keras`` on photos.

    Args:
        bundle: Whose model.
        data: The photos.
        part: train, validation or test by the bundle's split, or all; None for test, or all of another data set.
        against: A bundle to compare with, on the same photos.
        out: Folder for figures, tables and charts; must not exist. None writes nothing.
        progress: What a person sees.

    Raises:
        UsageError: The part is unknown, the other bundle tells other things apart, or `out` exists.
        DataError: The photos cannot be read, or are not those of the bundle's split.
    """
    from dermport.bundle.atomic import atomic_directory
    from dermport.training.evaluation.files import write_evaluation

    if against is not None:
        _check_same_labels(bundle, against)
    with atomic_directory(out) if out else nullcontext() as folder:
        evaluation = _evaluation(bundle, data, part, against, progress)
        if folder:
            with progress.bar("drawing charts"):
                write_evaluation(folder, evaluation)
    return EvaluationResult(evaluation.report)


def _check_same_labels(bundle: Bundle, other: Bundle) -> None:
    this, that = bundle.manifest.task, other.manifest.task
    if (this.ids, set(this.positive)) != (that.ids, set(that.positive)):
        raise UsageError(
            f"{bundle.path} tells {', '.join(this.ids)} apart ({' + '.join(this.positive)} positive), {other.path} "
            f"{', '.join(that.ids)} ({' + '.join(that.positive)}).",
            remedy="Name a bundle of the same labels, in the same order, with the same positive ones.",
        )


def _evaluation(bundle: Bundle, data: Path, part: str | None, other: Bundle | None, progress: Progress) -> Evaluation:
    from dermport.statistics.subgroups import grouped
    from dermport.training.evaluation.evaluation import evaluate as score
    from dermport.workflows.photos import read_photos

    manifest = bundle.manifest
    photos = read_photos(bundle, data, part, progress=progress)
    probabilities, tuning = answers(bundle, photos, progress), _tuning(bundle, data, photos, progress)
    with progress.bar("drawing intervals"):
        evaluation = score(
            probabilities,
            photos,
            manifest.task,
            manifest.decision,
            temperature=manifest.temperature,
            subgroups=tuple(grouped(photos.metadata, photos.tensors(manifest.preprocessing))),
            tuning=tuning,
        )
    return evaluation.compared(_against(evaluation, photos, other, progress)) if other else evaluation


def answers(bundle: Bundle, photos: PhotoSet, progress: Progress = SILENT) -> NDArray[np.float32]:
    """Return what ``model.keras`` answers to photos: probabilities float32 [N, C]."""
    from dermport.exporters.source import load_model
    from dermport.training.model.network import predict

    tensors = photos.tensors(bundle.manifest.preprocessing)
    with progress.bar(f"asking {bundle.manifest.name}") as update:
        return predict(load_model(bundle), tensors, update=update)


def _tuning(bundle: Bundle, data: Path, photos: PhotoSet, progress: Progress) -> TuningSet | None:
    """Return what the threshold was chosen on: as the bundle keeps it, else scored again, else None."""
    from dermport.training.evaluation.files import TUNING, read_tuning

    manifest, kept = bundle.manifest, f"evaluation/{TUNING}"
    if manifest.decision is None:
        return None
    if any(entry.path == kept for entry in manifest.files):
        return read_tuning(bundle.file(kept))
    if photos.external or not manifest.known_dataset.split.photos.get(manifest.decision.part):
        progress.say("The photos that the threshold was chosen on are not at hand: it has no interval.")
        return None
    progress.say(f"{bundle.path} does not keep the scores that its threshold was chosen on: scoring those photos, too.")
    return _scored_again(bundle, data, progress)


def _scored_again(bundle: Bundle, data: Path, progress: Progress) -> TuningSet:
    import numpy as np

    from dermport.statistics.metrics import scores
    from dermport.training.evaluation.threshold import TuningSet
    from dermport.workflows.photos import read_photos

    part, positive = bundle.manifest.known_decision.part, bundle.manifest.task.positive_indices
    photos = read_photos(bundle, data, part, progress=progress)
    found = scores(answers(bundle, photos, progress), positive)
    return TuningSet(photos.ids, photos.groups, found, np.isin(photos.targets, positive), part)


def _against(evaluation: Evaluation, photos: PhotoSet, other: Bundle, progress: Progress) -> ModelComparison:
    from dermport.bundle.manifest import ModelRef
    from dermport.statistics.metrics import Predictions
    from dermport.training.evaluation.model_comparison import compare_models, training_overlap

    manifest = other.manifest
    probabilities = answers(other, photos, progress)
    return compare_models(
        evaluation.predictions,
        Predictions(probabilities, photos.targets, manifest.task.positive_indices, manifest.threshold),
        photos.groups,
        model=ModelRef(name=manifest.name, version=manifest.version, model_sha256=other.model_sha256),
        seen=training_overlap(other.file(manifest.known_dataset.split.file), photos.ids, photos.groups),
    )
