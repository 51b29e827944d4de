"""From a split data set to a trained network: features, phases, checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bundle.errors import DataError
from bundle.hashing import sha256_json
from bundle.manifest import Part, Preprocessing
from training.data.photos import load_tensors
from training.data.splits import Split
from training.features import FeatureCache, Features, PhotoSource
from training.model.network import build_network, trunk_of
from training.phases.loop import Loop, Reporter, Targets, class_weights
from training.phases.recipes import all_phase, head_phase, last_four_phase
from training.phases.state import EpochFigures
from training.recipe import Recipe

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Photos:
    """The photos of one part, decoded when they are first needed.

    Attributes:
        split: The data set and its parts.
        part: Which.
        preprocessing: What they go through.
        jobs: Threads that decode; None for one per processor.
        reporter: Where the progress is shown.
    """

    split: Split
    part: Part
    preprocessing: Preprocessing
    jobs: int | None
    reporter: Reporter

    @cached_property
    def tensors(self) -> NDArray[np.uint8]:
        """The model's inputs, uint8 [N, S, S, 3]."""
        with self.reporter.progress(f"Preparing {self.part} photos") as update:
            return load_tensors(self.split.records(self.part), self.preprocessing, jobs=self.jobs, progress=update)

    @property
    def targets(self) -> NDArray[np.int64]:
        """Class indices, int64 [N]."""
        return self.split.dataset.targets()[self.split.indices(self.part)]

    @property
    def source(self) -> PhotoSource:
        """The photos, as the feature cache identifies them."""
        records = self.split.records(self.part)
        key = {
            "dataset": self.split.dataset.fingerprint,
            "part": self.part,
            "photos": sha256_json([[record.photo_id, record.sha256] for record in records]),
            "preprocessing": self.preprocessing.model_dump(),
        }
        return PhotoSource(key, len(records), lambda: self.tensors)


@dataclass(frozen=True)
class Trained:
    """A network with its best weights, and how it came by them."""

    network: keras.Model
    history: tuple[EpochFigures, ...]


def fit(recipe: Recipe, train: Photos, validation: Photos, run: Path, cache: Path, reporter: Reporter) -> Trained:
    """Train a network as the recipe says, from wherever the run's checkpoints stand.

    Args:
        recipe: How.
        train: Photos to learn from.
        validation: Photos that choose the best epoch.
        run: Folder of the checkpoints.
        cache: Folder of the feature cache.
        reporter: What a person sees.

    Raises:
        DataError: A class has no training photo, no photo is left to validate on, or the weights do not fit.
    """
    targets = _targets(recipe, train, validation)
    network = build_network(recipe, len(targets.class_weights))
    loop = Loop(run, targets, recipe.batch, recipe.patience, recipe.seed, reporter)
    history: tuple[EpochFigures, ...] = ()
    if recipe.head_epochs:
        history += _frozen_phases(recipe, network, train, validation, cache, loop)
    if recipe.fine_tune == "all" and recipe.tuning_epochs:
        history += loop.run(all_phase(network, recipe, train.tensors, validation.tensors))
    return Trained(network, history)


def _frozen_phases(
    recipe: Recipe, network: keras.Model, train: Photos, validation: Photos, cache: Path, loop: Loop
) -> tuple[EpochFigures, ...]:
    """Run the phases in which the trunk, or all of it but its last four layers, never changes."""
    features = FeatureCache(cache, trunk_of(network), recipe.seed)
    views = [_view(features, train, view, loop.reporter) for view in range(recipe.views)]
    held_out = _view(features, validation, 0, loop.reporter)
    history = loop.run(head_phase(network, recipe, views, held_out))
    if recipe.fine_tune == "last4" and recipe.tuning_epochs:
        history += loop.run(last_four_phase(network, recipe, views, held_out))
    return history


def _view(cache: FeatureCache, photos: Photos, view: int, reporter: Reporter) -> Features:
    with reporter.progress(f"Features of {photos.part} photos, view {view}") as update:
        return cache.view(photos.source, view, update)


def _targets(recipe: Recipe, train: Photos, validation: Photos) -> Targets:
    spec = train.split.dataset.task.spec
    counts = np.bincount(train.targets, minlength=len(spec.ids))
    if absent := [label for label, count in zip(spec.ids, counts, strict=True) if not count]:
        raise DataError(
            f"{train.split.dataset.name} has no training photo of {', '.join(absent)}.",
            remedy="Add photos of it, or name a --task without it.",
        )
    if not len(validation.targets):
        raise DataError(f"{train.split.dataset.name} is too small: no photo is left to validate on.")
    weights = class_weights(train.targets, len(spec.ids), recipe.balance)
    return Targets(train.targets, validation.targets, weights)
