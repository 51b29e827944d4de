"""Batch normalisation folded into the convolution before it (Jacob et al. 2018, arXiv:1712.05877, section 3.2)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dermport.errors import UsageError

if TYPE_CHECKING:
    import keras


def folded(network: keras.Model) -> keras.Model:
    """Return the network without batch normalisation: each convolution before one has a bias instead.

    All other layers keep their names, order and weights; what it computes is the same up to float32's rounding.

    Raises:
        UsageError: Batch normalisation follows something else than a convolution that it alone reads.
    """
    import keras

    norms = _norms(network)
    convolutions = {convolution.name for convolution, _ in norms.values()}

    def clone(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        if layer.name in convolutions:
            config["use_bias"] = True
        return layer.__class__.from_config(config)

    def call(layer: Any, *inputs: Any, **options: Any) -> Any:
        return inputs[0] if layer.name in norms else layer(*inputs, **options)

    result = keras.models.clone_model(network, clone_function=clone, call_function=call)
    replaced = {convolution.name: _weights(convolution, norm) for convolution, norm in norms.values()}
    for layer in result.layers:
        layer.set_weights(replaced.get(layer.name) or network.get_layer(layer.name).get_weights())
    return result


def _norms(network: keras.Model) -> dict[str, tuple[keras.Layer, keras.Layer]]:
    """Return (convolution, batch normalisation) by the latter's name."""
    import keras

    writers = {id(layer.output): layer for layer in network.operations}
    read = Counter(id(tensor) for layer in network.operations for tensor in keras.tree.flatten(_read(layer)))
    found = {}
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            writer: Any = writers.get(id(layer.input))
            convolves = isinstance(writer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D)
            if not convolves or read[id(layer.input)] > 1 or writer.activation is not keras.activations.linear:
                raise UsageError(
                    f"The batch normalisation {layer.name} does not follow a convolution alone: it cannot be folded.",
                    remedy="Integer models are made of convolutions, each right before its batch normalisation.",
                )
            found[layer.name] = (writer, layer)
    return found


def _read(layer: keras.Layer) -> Any:
    return [] if type(layer).__name__ == "InputLayer" else layer.input


def _weights(convolution: keras.Layer, norm: keras.Layer) -> list[NDArray[np.float32]]:
    kernel, *bias = (values.astype(np.float64) for values in convolution.get_weights())
    gamma = np.asarray(norm.gamma, np.float64) if norm.scale else 1.0
    beta = np.asarray(norm.beta, np.float64) if norm.center else 0.0
    factor = gamma / np.sqrt(np.asarray(norm.moving_variance, np.float64) + norm.epsilon)
    shift = beta + ((bias[0] if bias else 0.0) - np.asarray(norm.moving_mean, np.float64)) * factor
    along = factor[:, None] if len(kernel.shape) == 4 and _is_depthwise(convolution) else factor
    return [(kernel * along).astype(np.float32), shift.astype(np.float32)]


def _is_depthwise(layer: keras.Layer) -> bool:
    import keras

    return isinstance(layer, keras.layers.DepthwiseConv2D)
