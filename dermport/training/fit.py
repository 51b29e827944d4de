"""From a split data set to a trained network: features, phases, checkpoints."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dermport.progress import Progress
from dermport.training.features import FeatureCache, Features
from dermport.training.model.network import build_network, trunk_of
from dermport.training.parts import PartPhotos, SplitPhotos
from dermport.training.phases.loop import Targets, TrainingLoop, class_weights
from dermport.training.phases.recipes import all_phase, head_phase, last_four_phase
from dermport.training.phases.state import EpochFigures, seconds_spent
from dermport.training.phases.twin import trained_in_place_of
from dermport.training.recipe import TrainingRecipe
from dermport.training.run import TrainingRun

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class FitResult:
    """A network with its best weights, and how it came by them.

    Attributes:
        network: Images to logits.
        history: Every epoch of every phase.
        seconds: That the training took, over all its resumptions.
    """

    network: keras.Model
    history: tuple[EpochFigures, ...]
    seconds: float


def fit(recipe: TrainingRecipe, parts: SplitPhotos, run: TrainingRun, progress: Progress) -> FitResult:
    """Train a network as the recipe says, from wherever the run's checkpoints stand.

    Args:
        recipe: How.
        parts: Photos to learn from, and photos that choose the best epoch.
        run: Where checkpoints and features are kept.
        progress: What a person sees.

    Raises:
        DataError: The weights cannot be had, or do not fit.
    """
    started, before = time.perf_counter(), seconds_spent(run.folder)
    targets = _targets(recipe, parts)
    with progress.bar("Building the network"):  # TensorFlow is imported, which takes seconds
        network = build_network(recipe, len(targets.class_weights))
    loop = TrainingLoop(run.folder, targets, recipe.batch, recipe.patience, recipe.seed, progress)
    history: tuple[EpochFigures, ...] = ()
    if recipe.head_epochs:
        history += _frozen_phases(recipe, network, parts, run.cache, loop)
    if recipe.fine_tune == "all" and recipe.tuning_epochs:
        history += _all_layers(recipe, network, parts, loop)
    seconds = before + time.perf_counter() - started
    return FitResult(network, history, seconds)


def prepare_features(recipe: TrainingRecipe, photos: PartPhotos, cache: Path, progress: Progress) -> None:
    """Decode photos, and compute the features of a frozen trunk, so that trainings that share the caches find both.

    Args:
        recipe: Of these trainings.
        photos: The whole data set's.
        cache: Where features are kept.
        progress: What a person sees.
    """
    len(photos.tensors)
    if not recipe.head_epochs:
        return
    trunk = trunk_of(build_network(recipe, len(photos.split.dataset.task.spec.ids)))
    features = FeatureCache(cache, trunk, recipe.seed)
    for view in range(recipe.views):
        _view(features, photos, view, progress)


def _all_layers(
    recipe: TrainingRecipe, network: keras.Model, parts: SplitPhotos, loop: TrainingLoop
) -> tuple[EpochFigures, ...]:
    with trained_in_place_of(network, **recipe.computed) as trained:
        return loop.run(all_phase(trained, recipe, parts.train.tensors, parts.validation.tensors))


def _frozen_phases(
    recipe: TrainingRecipe, network: keras.Model, parts: SplitPhotos, cache: Path, loop: TrainingLoop
) -> tuple[EpochFigures, ...]:
    """Run the phases in which the trunk, or all of it but its last four layers, never changes."""
    features = FeatureCache(cache, trunk_of(network), recipe.seed)
    views = [_view(features, parts.train, view, loop.progress) for view in range(recipe.views)]
    held_out = _view(features, parts.validation, 0, loop.progress)
    history = loop.run(head_phase(network, recipe, views, held_out))
    if recipe.fine_tune == "last4" and recipe.tuning_epochs:
        history += loop.run(last_four_phase(network, recipe, views, held_out))
    return history


def _view(cache: FeatureCache, photos: PartPhotos, view: int, progress: Progress) -> Features:
    title = f"Features of {'all' if photos.whole else photos.part} photos, view {view}"
    features = cache.view(photos.source, view, lambda: progress.bar(title))
    return features.rows(photos.split.indices(photos.part)) if photos.whole else features


def _targets(recipe: TrainingRecipe, parts: SplitPhotos) -> Targets:
    train = parts.train.targets
    classes = len(parts.train.split.dataset.task.spec.ids)
    return Targets(train, parts.validation.targets, class_weights(train, classes, recipe.balance))
