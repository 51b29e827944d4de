"""The phases of a recipe: the classification layer, the trunk's last four layers, all layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from training.augment import STRONG, augment
from training.features import Features
from training.model.network import head_of, tail_of
from training.phases.loop import Phase, steps_per_epoch
from training.recipe import Recipe

if TYPE_CHECKING:
    import keras

# Of the steps of full fine-tuning: how many the learning rate rises before it falls along a cosine.
_WARM_UP = 0.08
_WEIGHT_DECAY = 0.01
_AVERAGING = 0.99


def head_phase(network: keras.Model, recipe: Recipe, train: Sequence[Features], validation: Features) -> Phase:
    """Train the classification layer on pooled features: Adam, cross-entropy, the trunk frozen."""
    model = head_of(network)
    _compile(model, _adam(recipe.learning_rate))
    views = [features.pooled for features in train]
    inputs = _random_views(views)
    return Phase("head", "Classification layer", model, recipe.head_epochs, inputs, validation.pooled)


def last_four_phase(network: keras.Model, recipe: Recipe, train: Sequence[Features], validation: Features) -> Phase:
    """Train the trunk's last four layers with the classification layer, from the activations before them."""
    model = tail_of(network)
    _compile(model, _adam(recipe.tuning_rate))
    views = [features.activations for features in train]
    inputs = _random_views(views)
    return Phase("last4", "Last four layers", model, recipe.tuning_epochs, inputs, validation.activations)


def all_phase(network: keras.Model, recipe: Recipe, train: NDArray[np.uint8], validation: NDArray[np.uint8]) -> Phase:
    """Train every layer: AdamW, warm-up and cosine, stronger augmentation, a moving average of the weights."""
    steps = recipe.tuning_epochs * steps_per_epoch(len(train), recipe.batch)
    _compile(network, _adamw_with_cosine(recipe.tuning_rate, steps), recipe.label_smoothing)

    def inputs(indices: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.float32]:
        return augment(train[indices], STRONG, random)

    return Phase("all", "All layers", network, recipe.tuning_epochs, inputs, validation)


def _random_views(views: Sequence[NDArray[np.floating]]) -> Any:
    def inputs(indices: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.float32]:
        chosen = random.integers(len(views), size=len(indices))
        rows = [views[view][index] for view, index in zip(chosen, indices, strict=True)]
        return np.stack(rows).astype(np.float32)

    return inputs


def _adam(rate: float) -> keras.optimizers.Optimizer:
    import keras

    return keras.optimizers.Adam(rate)


def _adamw_with_cosine(rate: float, steps: int) -> keras.optimizers.Optimizer:
    import keras

    warm_up = max(1, round(_WARM_UP * steps))
    schedule = keras.optimizers.schedules.CosineDecay(
        rate / 100, max(1, steps - warm_up), alpha=0.01, warmup_target=rate, warmup_steps=warm_up
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=_WEIGHT_DECAY, use_ema=True, ema_momentum=_AVERAGING)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


def _compile(model: keras.Model, optimizer: keras.optimizers.Optimizer, smoothing: float = 0.0) -> None:
    import keras

    if model.output.shape[1] == 1:
        loss: Any = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=smoothing)
        accuracy: Any = keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)
    else:
        loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
        accuracy = keras.metrics.CategoricalAccuracy(name="accuracy")
    # XLA takes fifteen times as long for these convolutions on a CPU as oneDNN does (measured, TensorFlow 2.21).
    model.compile(optimizer, loss, metrics=[accuracy], jit_compile=False)
