"""Tiny networks of every family that dermport is to take, with drawn weights: 64 pixels, three to ten layers wide."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.store import Bundle
from tests.drawn_network import draw_trunk, solve_classifier
from tests.factories import LABELS, make_bundle

Tensors = NDArray[np.uint8]
Truth = NDArray[np.int64]


def zoo_bundle(path: Path, name: str) -> Bundle:
    """Write a network of the zoo as a bundle that labels drawn photos."""
    labels = {"one-sigmoid": LABELS[:2], "thousand-classes": (*LABELS, *(f"n{i:03}" for i in range(996)))}
    return make_bundle(path, name, partial(network, name), labels=labels.get(name, LABELS))


def network(name: str, tensors: Tensors, truth: Truth) -> Any:
    """Return a network of the zoo that tells the photos apart: float32 [N, S, S, 3] of 0..255 to a softmax."""
    import keras

    layers = keras.layers
    image = keras.Input(tensors.shape[1:], name="image")
    trunk = keras.Model(image, ZOO[name](image), name="trunk")
    draw_trunk(trunk, tensors)
    features = np.asarray(trunk(tensors.astype(np.float32), training=False))
    classes = {"one-sigmoid": 2, "thousand-classes": 1000}.get(name, len(LABELS))
    last = layers.Dense(classes, activation="softmax", name="theirs")
    model = keras.Model(image, last(trunk.output), name=name.replace("-", "_"))
    last.set_weights(solve_classifier(features, truth, classes))
    return model


def _conv(x: Any, filters: int, kernel: int = 3, strides: int = 1, activation: str = "") -> Any:
    from keras import layers

    x = layers.Conv2D(filters, kernel, strides, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    return layers.Activation(activation)(x) if activation else x


def _depthwise(x: Any, strides: int, activation: str) -> Any:
    from keras import layers

    x = layers.DepthwiseConv2D(3, strides, padding="same", use_bias=False)(x)
    return layers.Activation(activation)(layers.BatchNormalization()(x))


def _gated(x: Any, gate: str) -> Any:
    """Squeeze and excite (Hu et al. 2018)."""
    from keras import layers

    width = x.shape[-1]
    squeezed = layers.GlobalAveragePooling2D(keepdims=True)(x)
    squeezed = layers.Conv2D(width // 2, 1, activation="relu")(squeezed)
    return layers.Multiply()([x, layers.Conv2D(width, 1, activation=gate)(squeezed)])


def _pooled(x: Any) -> Any:
    from keras import layers

    return layers.GlobalAveragePooling2D()(x)


def _mobilenet_v2(image: Any) -> Any:
    from keras import layers

    x = _conv(layers.Rescaling(1 / 127.5, -1.0)(image), 16, strides=2, activation="relu6")
    for strides in (2, 1):
        inner = _conv(_depthwise(_conv(x, 32, 1, activation="relu6"), strides, "relu6"), 16, 1)
        x = layers.Add()([x, inner]) if strides == 1 else inner
    return _pooled(_conv(x, 64, 1, activation="relu6"))


def _mobilenet_v3(image: Any) -> Any:
    from keras import layers

    x = _conv(layers.Rescaling(1 / 127.5, -1.0)(image), 16, strides=2, activation="hard_swish")
    inner = _gated(_depthwise(_conv(x, 32, 1, activation="hard_swish"), 1, "hard_swish"), "hard_sigmoid")
    x = layers.Add()([x, _conv(inner, 16, 1)])
    return _pooled(_conv(x, 64, 1, 2, "hard_swish"))


def _efficientnet(image: Any) -> Any:
    from keras import layers

    x = layers.Normalization(mean=(123.7, 116.3, 103.5), variance=(3410.0, 3262.7, 3291.9))(image)
    x = _conv(x, 16, strides=2, activation="swish")
    inner = _gated(_depthwise(_conv(x, 32, 1, activation="swish"), 1, "swish"), "sigmoid")
    x = layers.Dropout(0.1)(layers.Add()([x, _conv(inner, 16, 1)]))
    return _pooled(_conv(x, 64, 1, 2, "swish"))


def _squeezenet(image: Any) -> Any:
    from keras import layers

    x = layers.Conv2D(16, 3, 2, activation="relu")(layers.Rescaling(1 / 255)(image))
    x = layers.MaxPooling2D(3, 2)(x)
    squeezed = layers.Conv2D(8, 1, activation="relu")(x)
    branches = [layers.Conv2D(32, kernel, padding="same", activation="relu")(squeezed) for kernel in (1, 3)]
    return _pooled(layers.Concatenate()(branches))


def _plain(image: Any) -> Any:
    from keras import layers

    x = layers.Rescaling(1 / 255)(image)
    for width in (16, 32):
        x = layers.MaxPooling2D(4)(layers.Conv2D(width, 3, padding="same", activation="relu")(x))
    return layers.Dense(64, activation="relu")(layers.Flatten()(x))


def _residual(image: Any) -> Any:
    from keras import layers

    x = _conv(layers.Rescaling(1 / 255)(image), 16, 3, 4, "relu")
    inner = _conv(_conv(x, 16, activation="relu"), 16)
    x = layers.Activation("relu")(layers.Add()([x, inner]))
    inner, short = _conv(_conv(x, 32, 3, 2, "relu"), 32), _conv(x, 32, 1, 2)
    return _pooled(layers.Activation("relu")(layers.Add()([short, inner])))


def _nested(image: Any) -> Any:
    import keras

    inner = keras.Input(image.shape[1:])
    return keras.Model(inner, _mobilenet_v2(inner), name="backbone")(image)


ZOO: dict[str, Callable[[Any], Any]] = {
    "mobilenet-v2": _mobilenet_v2,
    "mobilenet-v3": _mobilenet_v3,
    "efficientnet": _efficientnet,
    "squeezenet": _squeezenet,
    "plain-cnn": _plain,
    "residual": _residual,
    "nested": _nested,
    "one-sigmoid": _residual,
    "thousand-classes": _mobilenet_v2,
}
"""Images float32 [N, S, S, 3] of 0..255 to features [N, F], by family."""
