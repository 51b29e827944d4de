"""The bundle that a cross-validation keeps: the model of its median fold, or an ensemble of all."""

from __future__ import annotations

import shutil

import numpy as np

from dermport.bundle.atomic import atomic_directory
from dermport.bundle.manifest import CrossValidationSpec
from dermport.bundle.store import Bundle, file_entries, write_manifest
from dermport.errors import UsageError
from dermport.progress import Progress
from dermport.statistics.bootstrap import intervals
from dermport.statistics.metrics import TITLES, Predictions
from dermport.training.cross_validation.ensemble import keep_ensemble
from dermport.training.cross_validation.files import spread_in_words
from dermport.training.cross_validation.folds import Folds
from dermport.training.cross_validation.predictions import TrainedFolds
from dermport.training.cross_validation.report import CrossValidationReport, HeldOut
from dermport.training.cross_validation.request import CrossValidationRequest
from dermport.training.data.photos import load_tensors
from dermport.training.evaluation.files import MODEL_CARD
from dermport.training.model.network import predict


def check_kept(asked: CrossValidationRequest) -> None:
    """Refuse what would not be kept, before anything is trained.

    Raises:
        UsageError: Another bundle is kept there already.
    """
    if asked.keep == "none" or not asked.bundle_folder.exists():
        return
    kept = Bundle.open(asked.bundle_folder).manifest.cross_validation
    if kept is None or kept.kept != asked.keep:
        raise UsageError(
            f"{asked.bundle_folder} is kept already, as another choice than {asked.keep}.",
            remedy="Remove or rename it to keep the other one.",
        )


def keep(
    done: TrainedFolds, report: CrossValidationReport, progress: Progress
) -> tuple[Bundle | None, CrossValidationReport]:
    """Make the bundle that was asked for, and score it on the held-out photos, if there are any.

    Returns:
        The bundle, None where none is asked for, and the report that tells of it.
    """
    asked = done.asked
    if asked.keep == "none":
        return None, report
    if not asked.bundle_folder.exists():
        if asked.keep == "median":
            _keep_median(done, report, progress)
        else:
            keep_ensemble(done, progress)
    kept = Bundle.open(asked.bundle_folder)
    _check_fold(kept, done, report)
    told = {"kept": kept.manifest.cross_validation, "held_out": _held_out(kept, done.folds, progress)}
    return kept, report.model_copy(update=told)


def _check_fold(kept: Bundle, done: TrainedFolds, report: CrossValidationReport) -> None:
    """Refuse to pass another fold's model, kept by another figure, off as the one that is asked for."""
    of, asked = kept.manifest.cross_validation, done.asked
    if asked.keep == "median" and of is not None and of.fold != median_fold(report, asked.by):
        raise UsageError(
            f"{kept.path} is the model of fold {of.fold}, kept by another figure than {asked.by}.",
            remedy="Remove or rename it to keep the other one.",
        )


def median_fold(report: CrossValidationReport, key: str) -> int:
    """Return the fold whose figure is the median; of an even number the lower of the middle two, undefined ones last.

    The choice looks at test parts, but takes no better than a middling one: the kept model's own figure is not the
    best of k.
    """
    values = [(row.figures[key], row.fold) for row in report.folds]
    known = sorted((value, fold) for value, fold in values if value is not None)
    return known[(len(known) - 1) // 2][1] if known else report.folds[0].fold


def _keep_median(done: TrainedFolds, report: CrossValidationReport, progress: Progress) -> None:
    asked = done.asked
    fold = median_fold(report, asked.by)
    chosen, title, spread = done.bundles[fold - 1], TITLES[asked.by], report.spread[asked.by]
    words = (
        f"The model of fold {fold} of {asked.folds}, whose {title} on its own test part is the median of the folds "
        f"(mean ± sd of all: {spread_in_words(spread)}). The manifest's figures are of that test part."
    )
    spec = CrossValidationSpec(
        kept="median",
        folds=asked.folds,
        plan_sha256=report.plan_sha256,
        members=(done.members[fold - 1],),
        fold=fold,
        figures="own test part",
        words=words,
    )
    with atomic_directory(asked.bundle_folder) as folder:
        for entry in chosen.manifest.files:
            (folder / entry.path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(chosen.file(entry.path), folder / entry.path)
        with (folder / "evaluation" / MODEL_CARD).open("a", encoding="utf-8") as card:
            card.write(f"\n## Cross-validation\n\n{words}\n")
        changed = {"name": asked.training.name, "cross_validation": spec, "files": file_entries(folder)}
        write_manifest(folder, chosen.manifest.model_copy(update=changed))
    progress.say(words)


def _held_out(kept: Bundle, folds: Folds, progress: Progress) -> HeldOut | None:
    """Score the kept model on the photos that no fold saw; None where there are none."""
    import keras

    indices, dataset, manifest = folds.held_out, folds.dataset, kept.manifest
    if not len(indices):
        return None
    with progress.bar("Preparing held-out photos") as update:
        records = [dataset.records[index] for index in indices]
        tensors = load_tensors(records, manifest.preprocessing, update=update)
    model = keras.saving.load_model(kept.file(manifest.model.file), compile=False)
    positive, threshold = manifest.task.positive_indices, manifest.threshold
    answers = Predictions(predict(model, tensors), dataset.targets()[indices], positive, threshold)
    groups = np.array(dataset.groups())[indices].tolist()
    return HeldOut(photos=len(indices), groups=len(set(groups)), figures=intervals(answers, groups).overall)
