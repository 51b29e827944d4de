"""The whole of a cross-validation: plan, folds, out-of-fold predictions, figures, and the bundle that is kept."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from dermport.bundle.store import Bundle
from dermport.errors import BundleError, UsageError
from dermport.progress import Progress
from dermport.training.cross_validation.files import write_report
from dermport.training.cross_validation.folds import Folds
from dermport.training.cross_validation.keep import check_kept, keep
from dermport.training.cross_validation.plan import open_plan
from dermport.training.cross_validation.predictions import OutOfFold, TrainedFolds, collect
from dermport.training.cross_validation.report import CrossValidationReport, report_of
from dermport.training.cross_validation.request import CrossValidationRequest
from dermport.training.data.splits import Split, read_split
from dermport.training.engines.engine import Engine, WorkItem
from dermport.training.engines.local import SerialEngine
from dermport.training.fit import prepare_features
from dermport.training.parts import PartPhotos
from dermport.training.pipeline import check_parts, check_recipe, read_all, train_split
from dermport.training.request import TrainingRequest
from dermport.training.run import cache_folders

_CACHES = ".caches"


@dataclass(frozen=True)
class CrossValidationResult:
    """What came of a cross-validation.

    Attributes:
        folder: Where everything is.
        bundles: Of the folds, in order.
        predictions: Of each photo, by the one model that was not trained on it.
        report: The figures.
        kept: The bundle that was asked for; None for none.
    """

    folder: Path
    bundles: tuple[Bundle, ...]
    predictions: OutOfFold
    report: CrossValidationReport
    kept: Bundle | None


def cross_validate(
    asked: CrossValidationRequest, progress: Progress, engine: Engine | None = None
) -> CrossValidationResult:
    """Train and score k folds, each a normal training with a bundle of its own in ``OUT/fold-K``.

    Folds hold whole groups (lesion, patient, near-duplicates) and each label's share (see
    :func:`dermport.training.cross_validation.folds.draw_folds`). ``OUT/plan.json`` and ``OUT/folds.csv`` fix them
    before anything is trained. What was killed goes on when it is asked again: a fold that is whole is not repeated,
    one that was under way goes on after its last whole epoch, to the same result. At the end ``OUT/predictions.csv``
    (out of fold), ``OUT/cross_validation.json``, ``OUT/report.md`` and ``OUT/folds.png`` are written, and
    ``OUT/bundle`` where one is to be kept.

    Args:
        asked: What is asked; protocols set ``asked.training.recipe``.
        progress: What a person sees.
        engine: Where folds are trained; None for one after the other in this process.

    Raises:
        UsageError: The folder holds something else, or what was asked with other options or photos.
        DataError: The photos cannot be used, or a fold would lack a class.
        UnavailableError: The engine is not there, or lost a fold.
    """
    asked = asked.absolute()
    check_recipe(asked.training.recipe)
    check_kept(asked)
    plan, folds = open_plan(asked, read_all(asked.training, progress))
    bundles = _train_folds(asked, folds, engine or SerialEngine(), progress)
    predictions = collect(folds, bundles)
    done = TrainedFolds(asked, plan, folds, bundles, predictions)
    kept, report = keep(done, report_of(done), progress)
    write_report(asked.out, predictions, report)
    for left in (asked.out / _CACHES, *asked.out.glob(".*.part")):  # and what a killed run left half-written
        shutil.rmtree(left, ignore_errors=True)
    return CrossValidationResult(asked.out, bundles, predictions, report, kept)


def _train_folds(asked: CrossValidationRequest, folds: Folds, engine: Engine, progress: Progress) -> tuple[Bundle, ...]:
    splits = {fold: folds.split(fold) for fold in range(1, asked.folds + 1)}
    for split in splits.values():
        check_parts(split)
    left = [fold for fold in splits if not asked.fold_folder(fold).exists()]
    if done := len(splits) - len(left):
        progress.say(f"{done} of {len(splits)} folds are done already.")
    if left:
        _prepare(asked, splits[left[0]], progress)
    tasks = [WorkItem(f"fold {fold}", Fold(asked.of_fold(fold), splits[fold], asked.out / _CACHES)) for fold in left]
    for number in engine.run(train_fold, tasks, progress):
        progress.say(f"{number} is done.")
    return tuple(_opened(asked.fold_folder(fold), split) for fold, split in splits.items())


@dataclass(frozen=True)
class Fold:
    """A fold to train.

    Attributes:
        request: What is asked of it.
        split: Its photos.
        caches: Where decoded photos and features are, which all folds share.
    """

    request: TrainingRequest
    split: Split
    caches: Path


def train_fold(work: Fold, progress: Progress) -> str:
    """Train a fold in this process, and return its folder's name."""
    import keras

    keras.utils.clear_session()  # of the fold before, in this process
    return train_split(work.request, work.split, progress, caches=work.caches).path.name


def _prepare(asked: CrossValidationRequest, split: Split, progress: Progress) -> None:
    """Decode every photo, and compute a frozen trunk's features of it, once for all folds."""
    training = asked.training
    features, photos = cache_folders(asked.out / _CACHES)
    whole = PartPhotos(split, "train", training.recipe.preprocessing, training.jobs, progress, photos, whole=True)
    prepare_features(training.recipe, whole, features, progress)


def _opened(folder: Path, split: Split) -> Bundle:
    try:
        bundle = Bundle.open(folder)
    except BundleError as error:
        raise BundleError(
            f"{folder} holds no bundle, though its fold was trained.",
            remedy="Where other machines train, {out} must lie on storage that all of them share.",
            of=TrainingRequest,
        ) from error
    if read_split(bundle.file(bundle.manifest.known_dataset.split.file), split.dataset).parts != split.parts:
        raise UsageError(
            f"{folder} was trained on another split than the plan's.", remedy="Remove it to train that fold again."
        )
    return bundle
