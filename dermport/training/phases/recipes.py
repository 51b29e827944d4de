"""The phases of a recipe: the classification layer, the trunk's last four layers, all layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dermport.training.augment import GENTLE, STRONG, augment
from dermport.training.features import Features
from dermport.training.model.network import head_of, tail_of
from dermport.training.phases.loop import Inputs, Phase, steps_per_epoch
from dermport.training.recipe import TrainingRecipe

if TYPE_CHECKING:
    import keras

# Of the steps of full fine-tuning: how many the learning rate rises before it falls along a cosine.
_WARM_UP = 0.08
_WEIGHT_DECAY = 0.05
# Epochs that the moving average of the weights looks back: over two of them it has fewer of the last photos by heart.
_AVERAGED = 2


def head_phase(network: keras.Model, recipe: TrainingRecipe, train: Sequence[Features], validation: Features) -> Phase:
    """Train the classification layer on pooled features: Adam, cross-entropy, the trunk frozen."""
    model = head_of(network)
    compile_for(model, _adam(recipe.learning_rate))
    views = [features.pooled for features in train]
    inputs = random_views(views)
    return Phase("head", "Classification layer", model, recipe.head_epochs, inputs, validation.pooled)


def last_four_phase(
    network: keras.Model, recipe: TrainingRecipe, train: Sequence[Features], validation: Features
) -> Phase:
    """Train the trunk's last four layers with the classification layer, from the activations before them."""
    model = tail_of(network)
    compile_for(model, _adam(recipe.tuning_rate))
    views = [features.activations for features in train]
    inputs = random_views(views)
    return Phase("last4", "Last four layers", model, recipe.tuning_epochs, inputs, validation.activations)


def all_phase(
    network: keras.Model, recipe: TrainingRecipe, train: NDArray[np.uint8], validation: NDArray[np.uint8]
) -> Phase:
    """Train every layer: AdamW with warm-up and cosine, a moving average of the weights.

    A trunk with ImageNet's weights soon knows the photos by heart: strong augmentation and mixup. One that starts from
    random numbers is in danger to learn too little: gentle augmentation alone.
    """
    steps = steps_per_epoch(len(train), recipe.batch)
    memory = _memory(steps)
    for layer in network.layers:
        if hasattr(layer, "moving_mean"):
            layer.momentum = memory
    optimizer = adamw_with_cosine(recipe.tuning_rate, recipe.tuning_epochs * steps, _memory(_AVERAGED * steps))
    compile_for(network, optimizer, recipe.label_smoothing)
    augmentation = GENTLE if recipe.from_scratch else STRONG

    def inputs(indices: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.float32]:
        return augment(train[indices], augmentation, random)

    return Phase("all", "All layers", network, recipe.tuning_epochs, inputs, validation, recipe.blending)


def random_views(views: Sequence[NDArray[np.floating]]) -> Inputs:
    """Return inputs that take one of the views of each photo at random."""

    def inputs(indices: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.float32]:
        chosen = random.integers(len(views), size=len(indices))
        rows = [views[view][index] for view, index in zip(chosen, indices, strict=True)]
        return np.stack(rows).astype(np.float32)

    return inputs


def _adam(rate: float) -> keras.optimizers.Optimizer:
    import keras

    return keras.optimizers.Adam(rate)


def _memory(steps: int) -> float:
    """Return the momentum of moving averages that look back about one epoch.

    Keras builds MobileNetV2's batch normalisation with 0.999: a small data set, of a few hundred steps in all, would
    leave its initial statistics in place.
    """
    return max(0.9, 1 - 1 / steps)


def adamw_with_cosine(rate: float, steps: int, memory: float) -> keras.optimizers.Optimizer:
    """Return AdamW (Loshchilov and Hutter 2019) whose rate rises to `rate`, then falls along a cosine to a hundredth.

    A moving average of the weights, of momentum `memory`, is kept beside them; scales, offsets and biases do not decay.
    """
    import keras

    warm_up = max(1, round(_WARM_UP * steps))
    schedule = keras.optimizers.schedules.CosineDecay(
        rate / 100, max(1, steps - warm_up), alpha=0.01, warmup_target=rate, warmup_steps=warm_up
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=_WEIGHT_DECAY, use_ema=True, ema_momentum=memory)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


def compile_for(model: keras.Model, optimizer: keras.optimizers.Optimizer, smoothing: float = 0.0) -> None:
    """Compile a model that gives logits: binary cross-entropy for one, categorical for more."""
    import keras

    if model.output.shape[1] == 1:
        loss: Any = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=smoothing)
        accuracy: Any = keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)
    else:
        loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
        accuracy = keras.metrics.CategoricalAccuracy(name="accuracy")
    # XLA takes fifteen times as long for these convolutions on a CPU as oneDNN does (measured, TensorFlow 2.21).
    model.compile(optimizer, loss, metrics=[accuracy], jit_compile=False)
