"""MobileNetV2 (Sandler et al. 2018) with one classification layer, and the ends of it that phases train alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dermport.progress import Update
from dermport.training.model.weights import load_trunk
from dermport.training.recipe import TrainingRecipe

if TYPE_CHECKING:
    import keras

CUT = "block_16_project"
LAST_FOUR = ("block_16_project_BN", "Conv_1", "Conv_1_bn", "out_relu")
POOL, DROPOUT, CLASSIFIER, PROBABILITIES = "pool", "dropout", "classifier", "probabilities"


def build_network(recipe: TrainingRecipe, classes: int) -> keras.Model:
    """Return the network that is trained: float32 [N, S, S, 3], 0..255, to logits float32 [N, C], or [N, 1] for two.

    Two classes are told apart by one logit (of the second class), for sigmoid and binary cross-entropy.

    Raises:
        DataError: The weights cannot be had, or do not fit `recipe.alpha`.
    """
    import keras

    keras.utils.set_random_seed(recipe.seed)
    image = keras.Input((recipe.size, recipe.size, 3), name="image")
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(image)
    trunk = keras.applications.MobileNetV2(
        input_tensor=scaled, alpha=recipe.alpha, include_top=False, weights=None, name="trunk"
    )
    load_trunk(trunk, recipe.weights, recipe.alpha, recipe.size)
    pooled = keras.layers.GlobalAveragePooling2D(name=POOL)(trunk.output)
    dropped = keras.layers.Dropout(recipe.dropout, seed=recipe.seed, name=DROPOUT)(pooled)
    logits = keras.layers.Dense(1 if classes == 2 else classes, name=CLASSIFIER)(dropped)
    return keras.Model(image, logits, name="network")


def trunk_of(network: keras.Model) -> keras.Model:
    """Return the part that is frozen: images to (the cut's activations, the pooled features)."""
    import keras

    return keras.Model(network.input, (network.get_layer(CUT).output, network.get_layer(POOL).output), name="features")


def head_of(network: keras.Model) -> keras.Model:
    """Return the classification layer alone: pooled features [N, F] to logits; it shares the network's weights."""
    import keras

    pooled = keras.Input(network.get_layer(POOL).output.shape[1:], name="pooled")
    logits = network.get_layer(CLASSIFIER)(network.get_layer(DROPOUT)(pooled))
    return keras.Model(pooled, logits, name="head")


def tail_of(network: keras.Model) -> keras.Model:
    """Return the trunk's last four layers and the classification layer: the cut's activations to logits.

    The weights are the network's. Batch normalisation keeps its statistics, as Keras' guide to transfer learning
    advises for fine-tuning; its scale and offset are trained.
    """
    import keras

    activations = keras.Input(network.get_layer(CUT).output.shape[1:], name="activations")
    x = activations
    for name in LAST_FOUR:
        layer = network.get_layer(name)
        x = _with_kept_statistics(layer)(x) if isinstance(layer, keras.layers.BatchNormalization) else layer(x)
    logits = network.get_layer(CLASSIFIER)(network.get_layer(DROPOUT)(network.get_layer(POOL)(x)))
    return keras.Model(activations, logits, name="tail")


def _with_kept_statistics(norm: keras.layers.BatchNormalization) -> keras.Layer:
    """Return a layer that normalises by `norm`'s stored statistics in training, too; its scale and offset are trained.

    ``norm(x, training=False)`` in a functional graph would not do: `fit` calls the graph with ``training=True``, which
    Keras 3 hands to every layer of it in place of the graph's own (seen on 3.10, 3.12 and 3.15).
    """
    import keras

    class KeptStatistics(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(name=f"{norm.name}_kept")
            self.norm = norm

        def call(self, inputs: Any) -> Any:
            return self.norm(inputs, training=False)

    return KeptStatistics()


def predict(
    model: keras.Model,
    inputs: NDArray[np.generic],
    batch: int = 64,
    update: Update | None = None,
) -> NDArray[np.float32]:
    """Return the model's outputs, float32 [N, ...], in inference mode; `update` is called with (photos, in all).

    The batch runs as a graph, which frees each layer's result once it is read: called eagerly, MobileNetV2 keeps all
    of them, 6 GB for 64 photos of 224 pixels.
    """
    parts = []
    for start in range(0, len(inputs), batch):
        parts.append(model.predict_on_batch(np.asarray(inputs[start : start + batch], dtype=np.float32)))
        if update:
            update(min(start + batch, len(inputs)), len(inputs))
    return np.concatenate(parts).astype(np.float32, copy=False)


def class_logits(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return logits float32 [N, C], whose softmax are the probabilities; one logit z becomes (-z/2, z/2)."""
    return np.concatenate([-logits / 2, logits / 2], axis=1) if logits.shape[1] == 1 else logits


def features_of(network: keras.Model) -> Any:
    """Return the tensor that the classification layer reads when nothing is dropped, [N, F]."""
    return network.get_layer(DROPOUT).input


def calibrated_model(network: keras.Model, temperature: float) -> keras.Model:
    """Return the model of a bundle: float32 [N, S, S, 3], 0..255, to calibrated probabilities float32 [N, C].

    softmax(logits / T) is the softmax of a layer with kernel / T and bias / T. One logit z of two classes becomes the
    two logits (-z/2, z/2), whose softmax is (1 - sigmoid(z), sigmoid(z)) exactly. The trunk's weights are shared.
    """
    import keras

    last = network.layers[-1]
    if isinstance(last, keras.layers.Dense):
        answer = _divided(_before_dropout(last.input), last.get_weights(), temperature)
    elif network.output.shape[-1] == 1:
        answer = _divided(network.output, [np.ones((1, 1), np.float32)], temperature)
    else:  # such as pooling after the last convolution
        logits = network.output if temperature == 1 else keras.layers.Rescaling(1 / temperature)(network.output)
        answer = keras.layers.Softmax(name=PROBABILITIES)(logits)
    model = keras.Model(network.input, answer, name="dermport")
    model.trainable = False
    return model


def _before_dropout(features: Any) -> Any:
    import keras

    writer = features._keras_history.operation
    return writer.input if isinstance(writer, keras.layers.Dropout) else features


def _divided(features: Any, weights: list[NDArray[np.float32]], temperature: float) -> Any:
    """Return the softmax of a dense layer (kernel [F, C], bias [C] if it has one) over T."""
    import keras

    kernel, *bias = (_two_columns(values) / temperature for values in weights)
    dense = keras.layers.Dense(kernel.shape[1], activation="softmax", name=PROBABILITIES)
    answer = dense(features)
    dense.set_weights([kernel, *(bias or [np.zeros(kernel.shape[1], np.float32)])])
    return answer


def _two_columns(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return [..., C] as it is, and [..., 1] as [..., 2]."""
    return np.concatenate([-values / 2, values / 2], axis=-1) if values.shape[-1] == 1 else values
