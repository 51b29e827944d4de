"""A network's front: what it does to pixels first, and the bundle's network, which takes raw ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dermport.errors import ModelError
from dermport.importing.scaling import PixelScaling

if TYPE_CHECKING:
    import keras

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class NetworkHead:
    """What a network does to its input before anything else: scale * x + offset.

    Attributes:
        scale: [3].
        offset: [3].
        tensor: Keras', behind it.
        layers: How many layers it is.
    """

    scale: Numbers
    offset: Numbers
    tensor: Any
    layers: int


def head_of_input(network: keras.Model) -> NetworkHead:
    """Return what a network of plain layers does to its input by Rescaling and Normalization alone."""
    tensor, scale, offset, layers = network.input, np.ones(3), np.zeros(3), 0
    while len(readers := _readers(network, tensor)) == 1 and (found := _affine(readers[0])):
        scale, offset = scale * found[0], offset * found[0] + found[1]
        tensor, layers = readers[0].output, layers + 1
    return NetworkHead(scale, offset, tensor, layers)


def _readers(network: keras.Model, tensor: Any) -> list[Any]:
    import keras

    return [
        layer
        for layer in network.layers
        if not isinstance(layer, keras.layers.InputLayer)
        and any(one is tensor for one in keras.tree.flatten(layer.input))
    ]


def _affine(layer: Any) -> tuple[Numbers, Numbers] | None:
    """Return scale and offset, [3], of a layer that is affine by channel; None of any other."""
    import keras

    if isinstance(layer, keras.layers.Rescaling):
        return np.broadcast_to(np.float64(layer.scale), 3), np.broadcast_to(np.float64(layer.offset), 3)
    if isinstance(layer, keras.layers.Normalization) and not layer.invert:
        mean, variance = np.float64(layer.mean).reshape(-1), np.float64(layer.variance).reshape(-1)
        deviation = np.maximum(np.sqrt(variance), keras.backend.epsilon())
        if mean.size in (1, 3):
            return np.broadcast_to(1 / deviation, 3), np.broadcast_to(-mean / deviation, 3)
    return None


def with_raw_input(network: keras.Model, scaling: PixelScaling, size: int) -> keras.Model:
    """Return the bundle's network: float32 [N, S, S, 3] of 0..255, RGB, to logits.

    What the original is fed and what it does to that at once is one Rescaling. Where it takes blue first, the filters
    of its first convolution are turned instead of every photo.

    Raises:
        ModelError: Blue comes first, and the first layer is no convolution.
    """
    import keras

    head = head_of_input(network)
    scale, offset = scaling.affine
    scale, offset = scale * head.scale, offset * head.scale + head.offset
    rest = keras.Model(head.tensor, network.output)
    if scaling.channels == "BGR":
        turn_colours(rest)
        scale, offset = scale[::-1], offset[::-1]
    image = keras.Input((size, size, 3), name="image")
    return on_its_own(keras.Model(image, flattened(rest, _scaled(image, scale, offset)), name="network"))


def _scaled(image: Any, scale: Numbers, offset: Numbers) -> Any:
    import keras

    if np.allclose(scale, 1) and np.allclose(offset, 0, atol=1e-6):
        return image
    if np.ptp(scale) == 0 and np.ptp(offset) == 0:
        return keras.layers.Rescaling(float(scale[0]), float(offset[0]), name="scale")(image)
    return keras.layers.Rescaling([*map(float, scale)], [*map(float, offset)], name="scale")(image)


def turn_colours(network: keras.Model) -> None:
    """Turn the first convolution's filters, so that the network takes the colours the other way round.

    Raises:
        ModelError: It does something else first that knows colours apart.
    """
    import keras

    tensor = network.input
    while len(readers := _readers(network, tensor)) == 1:
        layer = readers[0]
        if isinstance(layer, keras.layers.Conv2D) and layer.groups == 1:
            kernel, *bias = layer.get_weights()
            layer.set_weights([kernel[:, :, ::-1], *bias])
            return
        if not isinstance(layer, (keras.layers.ZeroPadding2D, keras.layers.Resizing, keras.layers.ReLU)):
            break
        tensor = layer.output
    raise ModelError(
        "The model takes blue first, and its first layer is no convolution whose filters could be turned.",
        remedy="Export it for RGB.",
    )


def flattened(model: keras.Model, tensor: Any) -> Any:
    """Return what a functional model, models in it among its layers, makes of a Keras tensor, by the same layers."""
    import keras

    functional = keras.Model(model.inputs, model.outputs)

    def applied(layer: Any) -> Any:
        if isinstance(layer, keras.Model):
            return lambda *inputs, **_: flattened(layer, inputs[0])
        return (lambda *inputs, **_: inputs[0]) if _does_nothing(layer) else as_layer(layer)

    # Keras has no public way to call a model's layers on another tensor one by one.
    [made] = functional._run_through_graph([tensor], operation_fn=applied)
    return made


def on_its_own(model: keras.Model) -> keras.Model:
    """Return a copy of a model whose layers are in no other one, with weights of their own."""
    import keras

    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def _does_nothing(layer: Any) -> bool:
    """Whether a layer is there for training alone: augmentation and noise."""
    kind = type(layer).__name__
    return kind.startswith("Random") or kind in ("GaussianNoise", "GaussianDropout", "AugMix", "MixUp", "CutMix")


ACTIVATIONS = {
    "Relu": "relu",
    "Relu6": "relu6",
    "Sigmoid": "sigmoid",
    "Softmax": "softmax",
    "Silu": "silu",
    "Tanh": "tanh",
}
"""Keras' operations on tensors that are layers, too."""
ARITHMETIC = frozenset({"TrueDivide", "Divide", "Multiply", "Add", "Subtract"})


def as_layer(operation: Any) -> Any:
    """Return an operation on tensors, such as those of ``preprocess_input``, as what makes a layer of it."""
    import keras

    kind = type(operation).__name__
    if isinstance(operation, keras.Layer):
        return operation
    if kind in ACTIVATIONS:
        return keras.layers.Activation(ACTIVATIONS[kind])
    return lambda first, second: _arithmetic(kind, first, second) if kind in ARITHMETIC else operation(first, second)


def _arithmetic(kind: str, first: Any, second: Any) -> Any:
    """Return a sum, difference, product or quotient of a tensor and a number as a Rescaling."""
    import keras

    tensor, number = (first, second) if isinstance(first, keras.KerasTensor) else (second, first)
    value = np.asarray(number, np.float64).reshape(-1)
    backwards = tensor is not first
    scale, offset = {
        "Add": (np.ones_like(value), value),
        "Subtract": (np.ones_like(value), -value),
        "Multiply": (value, 0 * value),
    }.get(kind, (1 / np.where(value == 0, 1, value), 0 * value))
    if backwards and kind == "Subtract":
        scale, offset = -scale, value
    numbers = [float(scale[0]), float(offset[0])] if value.size == 1 else [[*map(float, scale)], [*map(float, offset)]]
    return keras.layers.Rescaling(*numbers)(tensor)
