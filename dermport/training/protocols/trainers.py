"""How each kind of protocol trains one network on one draw, resumable, and what the network says of the test photos."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dermport.training.features import FeatureCache, Features
from dermport.training.model.network import build_network, class_logits, predict, tail_of, trunk_of
from dermport.training.model.weights import describe_weights
from dermport.training.phases.loop import Inputs, Phase
from dermport.training.phases.recipes import all_phase, compile_for, head_phase, last_four_phase
from dermport.training.protocols.context import ReproductionContext, of_each
from dermport.training.protocols.draws import Draw, Indices
from dermport.training.protocols.networks import backbone, small_network, weights_of
from dermport.training.protocols.protocol import Architecture, Backbones, Protocol, SmallNetwork, Transfer
from dermport.training.recipe import TrainingRecipe

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class ProtocolNetwork:
    """A network that a protocol trains.

    Attributes:
        name: Of its architecture.
        start: What it starts from, in words.
        build: Returns it, untrained.
        train: Trains it on a draw with checkpoints in a folder, and returns the logits of the draw's test entries,
            float32 [T, C]; None where the protocol trains nothing.
    """

    name: str
    start: str
    build: Callable[[], keras.Model]
    train: Callable[[Draw, Path], NDArray[np.float32]] | None


def protocol_networks(work: ReproductionContext) -> tuple[ProtocolNetwork, ...]:
    """Return the networks of a protocol.

    Raises:
        DataError: Weights cannot be had.
    """
    training = work.protocol.training
    if isinstance(training, Transfer):
        return (_transfer(work, training),)
    if isinstance(training, SmallNetwork):
        return (_small(work, training),)
    return tuple(_backbone(work, training, name) for name in training.architectures)


def _transfer(work: ReproductionContext, training: Transfer) -> ProtocolNetwork:
    recipe = transfer_recipe(work.protocol, training, work.weights, work.seed)

    def train(draw: Draw, folder: Path) -> NDArray[np.float32]:
        network = build_network(recipe, work.classes)
        features = FeatureCache(work.run.cache, trunk_of(network), work.seed, training.augmentation.augmentation)
        views = [_view(work, features, number) for number in range(training.views)]
        learned = [view.rows(draw.train) for view in views]
        held_out = views[0].rows(draw.validation)
        loop = work.loop(draw, folder, recipe.batch, recipe.patience)
        loop.run(head_phase(network, recipe, learned, held_out))
        if training.last_four_epochs:
            loop.run(last_four_phase(network, recipe, learned, held_out))
        tail = tail_of(network)
        return of_each(draw.test, lambda photos: _logits(tail, views[0].rows(photos).activations))

    return ProtocolNetwork(
        "MobileNetV2", recipe.weights_description, lambda: build_network(recipe, work.classes), train
    )


def transfer_recipe(protocol: Protocol, training: Transfer, weights: str, seed: int) -> TrainingRecipe:
    """Return the protocol's training as `dermport train` takes it."""
    return TrainingRecipe(
        weights=weights,
        alpha=training.alpha,
        size=protocol.size,
        crop=protocol.crop,
        epochs=training.epochs,
        learning_rate=training.learning_rate,
        dropout=training.dropout,
        views=training.views,
        fine_tune="last4" if training.last_four_epochs else "none",
        fine_tune_epochs=training.last_four_epochs,
        fine_tune_rate=training.last_four_rate,
        batch=training.batch,
        balance="none",
        patience=training.patience,
        seed=seed,
    )


def _view(work: ReproductionContext, cache: FeatureCache, number: int) -> Features:
    return cache.view(work.source, number, lambda: work.progress.bar(f"Features of all photos, view {number}"))


def _small(work: ReproductionContext, training: SmallNetwork) -> ProtocolNetwork:
    def build() -> keras.Model:
        return small_network(work.protocol.size, work.classes, training.filters, training.dense, work.seed)

    def train(draw: Draw, folder: Path) -> NDArray[np.float32]:
        import keras

        network, photos = build(), np.asarray(work.tensors())
        compile_for(network, keras.optimizers.Adam(training.learning_rate))
        loop = work.loop(draw, folder, training.batch)
        inputs = _plain(photos, draw.train)
        loop.run(Phase("small", "Small network", network, training.epochs, inputs, photos[draw.validation]))
        return of_each(draw.test, lambda indices: _logits(network, photos[indices]))

    return ProtocolNetwork("small CNN", "none", build, train)


def _plain(photos: NDArray[np.uint8], rows: Indices) -> Inputs:
    def inputs(indices: NDArray[np.int64], _random: np.random.Generator) -> NDArray[np.float32]:
        return photos[rows[indices]].astype(np.float32)

    return inputs


def _backbone(work: ReproductionContext, training: Backbones, name: Architecture) -> ProtocolNetwork:
    file = weights_of(name, work.weights_dir)
    start = "none" if file is None else describe_weights(str(file))

    def build() -> keras.Model:
        return backbone(name, work.protocol.size, work.classes, file, work.seed)

    def train(draw: Draw, folder: Path) -> NDArray[np.float32]:
        network, recipe = build(), _backbone_recipe(work, training, start)
        learned, held_out = work.tensors(draw.train), work.tensors(draw.validation)
        work.loop(draw, folder, training.batch).run(all_phase(network, recipe, learned, held_out))
        return of_each(draw.test, lambda photos: _logits(network, work.tensors(photos)))

    return ProtocolNetwork(name, start, build, train if training.epochs else None)


def _backbone_recipe(work: ReproductionContext, training: Backbones, start: str) -> TrainingRecipe:
    return TrainingRecipe(
        weights=start,
        size=work.protocol.size,
        fine_tune="all",
        fine_tune_epochs=training.epochs,
        fine_tune_rate=training.learning_rate,
        batch=training.batch,
        balance="none",
        seed=work.seed,
    )


def _logits(network: keras.Model, inputs: NDArray[Any]) -> NDArray[np.float32]:
    return class_logits(predict(network, inputs))
