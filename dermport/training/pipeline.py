"""The whole of a training: read, split, fit, calibrate, score, and write the bundle."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dermport.bundle.hashing import sha256_json
from dermport.bundle.manifest import Part
from dermport.bundle.store import Bundle
from dermport.errors import DataError
from dermport.progress import Progress
from dermport.training.assemble import assemble, describe
from dermport.training.data.dataset import Dataset, read_dataset
from dermport.training.data.sources import open_dataset
from dermport.training.data.splits import Split, groups_across_parts, parted, parts_redrawn
from dermport.training.data.tasks import load_task
from dermport.training.fit import fit
from dermport.training.parts import PartPhotos, SplitPhotos
from dermport.training.phases.twin import check_device
from dermport.training.recipe import TrainingRecipe
from dermport.training.request import TrainingRequest, refuse_existing
from dermport.training.run import TrainingRun, close_run, open_run


def train(request: TrainingRequest, progress: Progress) -> Bundle:
    """Train a model and write its bundle; a killed training of the same request goes on where it was.

    The training's state is kept in a hidden sibling of the bundle, ``.<name>.run``, until the bundle is written.

    Raises:
        UsageError: The bundle exists, an unfinished training there was asked for something else, or an option is out
            of range.
        DataError: The photos, the task or the weights cannot be used.
    """
    refuse_existing(request.out, TrainingRequest)
    check_recipe(request.recipe)
    return train_split(request, read_photos(request, progress), progress)


def train_split(request: TrainingRequest, split: Split, progress: Progress, *, caches: Path | None = None) -> Bundle:
    """Do as :func:`train` does, with photos that are read and parted already.

    Args:
        request: What is asked.
        split: Its photos.
        progress: What a person sees.
        caches: Where decoded photos and features of the whole data set are kept, for every split of it; None for
            beside the bundle, and features of this split's parts alone.
    """
    refuse_existing(request.out, TrainingRequest)
    run = open_run(request.out, _asked(request, split), request.command, caches)
    if run.resumed:
        progress.say(f"Going on with the training in {run.folder}.")
    parts = _parts(request, split, run, progress, whole=caches is not None)
    trained = fit(request.recipe, parts, run, progress)
    bundle = assemble(describe(request, trained), parts, trained.network, progress)
    close_run(request.out)
    return bundle


def check_recipe(recipe: TrainingRecipe) -> None:
    """Refuse what cannot be trained here, before anything is read.

    Raises:
        UsageError: This machine or Keras' backend cannot do it.
        DataError: The weights file does not exist.
    """
    check_device(recipe)
    recipe.to_json()  # which tells of the weights


def read_photos(request: TrainingRequest, progress: Progress) -> Split:
    """Read and part the photos of a request, and check that each part can do its work.

    Raises:
        DataError: The data set or the file of parts cannot be read, or a class or a part has too few photos.
    """
    dataset = read_all(request, progress)
    split = parted(dataset, request.split, request.recipe.seed)
    if request.split is None:
        if note := parts_redrawn(split):
            progress.say(f"Note: {note}")
    elif apart := groups_across_parts(dataset.groups(), split.parts):
        progress.say(
            f"Warning: {request.split} has {apart} groups in two parts (a patient's photos, or near-duplicates): "
            "figures of the test part may be too good."
        )
    check_parts(split)
    return split


def read_all(request: TrainingRequest, progress: Progress) -> Dataset:
    """Read the photos of a request.

    Raises:
        DataError: The data set cannot be read.
    """
    task = load_task(request.task)
    source = open_dataset(request.data, lesion_pattern=request.lesion_pattern)
    with progress.bar("Reading photos") as update:
        dataset = read_dataset(
            source,
            task,
            require_metadata=request.require_metadata,
            near_duplicates=True,
            jobs=request.jobs,
            update=update,
        )
    progress.say(dataset.report.to_text())
    return dataset


def check_parts(split: Split) -> None:
    """Refuse at once what would fail after an hour of training.

    Raises:
        DataError: A class or a part has too few photos.
    """
    spec, targets = split.dataset.task.spec, split.dataset.targets()
    counts = {part: np.bincount(targets[split.indices(part)], minlength=len(spec.ids)) for part in split.photos()}
    if absent := [label for label, count in zip(spec.ids, counts["train"], strict=True) if not count]:
        raise DataError(
            f"{split.dataset.name} has no training photo of {', '.join(absent)}.",
            remedy="Add photos of it, or name a {task} without it.",
            of=TrainingRequest,
        )
    validation = counts["validation"]
    if not 0 < validation[list(spec.positive_indices)].sum() < validation.sum() or not counts["test"].sum():
        raise DataError(
            f"{split.dataset.name} has too few photos: validation needs some with and some without a positive label "
            f"({', '.join(spec.positive)}), and the test part needs some.",
            remedy="Add photos of more lesions.",
        )


def _parts(request: TrainingRequest, split: Split, run: TrainingRun, progress: Progress, *, whole: bool) -> SplitPhotos:
    def photos(part: Part) -> PartPhotos:
        return PartPhotos(split, part, request.recipe.preprocessing, request.jobs, progress, run.photos, whole)

    return SplitPhotos(photos("train"), photos("validation"), photos("test"))


def _asked(request: TrainingRequest, split: Split) -> dict[str, object]:
    return {
        "recipe": request.recipe.to_json(),
        "task": split.dataset.task.spec.model_dump(mode="json"),
        "dataset": split.dataset.fingerprint,
        "split": sha256_json(split.parts),
    }
