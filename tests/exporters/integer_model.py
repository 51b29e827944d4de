"""A plain integer model for the tests: batch normalisation folded, smallest to largest values, nearest weights."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermport.exporters.integer.exact import exact_scales
from dermport.exporters.integer.grid import to_grid
from dermport.exporters.integer.pattern import fake_quantised
from tests.shallow import shallow_networks

_AXES = {"Conv2D": 3, "DepthwiseConv2D": 2}


def flat_network(model: Any) -> Any:
    """Return the tiny bundle's model (tests/factories.py) with MobileNetV2's layers in the model itself."""
    import keras

    trunk, dense = model.layers[2], model.layers[-1]
    image = keras.Input(model.input_shape[1:], name="image")
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(image)
    with shallow_networks():
        inner = keras.applications.MobileNetV2(input_tensor=scaled, alpha=0.35, include_top=False, weights=None)
    inner.set_weights(trunk.get_weights())
    head = keras.layers.Dense(dense.units, activation="softmax", name="probabilities")
    result = keras.Model(image, head(keras.layers.GlobalAveragePooling2D(name="pool")(inner.output)))
    head.set_weights(dense.get_weights())
    return result


def folded(model: Any) -> Any:
    """Return the same network with each batch normalisation folded into the convolution before it."""
    norms = {_reads(layer): layer for layer in model.layers if _is_norm(layer)}
    result = _cloned(model, lambda layer, x: x if _is_norm(layer) else layer(x))
    for layer in result.layers:
        if layer.name in norms:
            before = model.get_layer(layer.name)
            gamma, beta, mean, variance = norms[layer.name].get_weights()
            factor = gamma / np.sqrt(variance + norms[layer.name].epsilon)
            along = [-1 if axis == _AXES[type(layer).__name__] else 1 for axis in range(4)]
            layer.set_weights([before.get_weights()[0] * factor.reshape(along), beta - mean * factor])
        elif layer.get_weights():
            layer.set_weights(model.get_layer(layer.name).get_weights())
    return result


def integer_model(model: Any, photos: NDArray[np.uint8], in_float: Collection[str] = (), *, exact: bool = False) -> Any:
    """Return a flat network, its batch normalisation folded or not, as an integer model.

    Args:
        model: float32 [N, S, S, 3] of 0..255 to probabilities.
        photos: uint8 [N, S, S, 3], for the ranges.
        in_float: Convolutions to be left in float.
        exact: Whether scales are such that no runtime rounds but to codes (dermport/exporters/integer/exact.py).
    """
    plain = folded(model)
    scales = _scales(plain, photos, in_float)
    if exact:
        scales = exact_scales(scales, [_touched(plain, each, ()) for each in plain.layers if _is_sum(each)])
    result = _cloned(plain, lambda layer, x: _quantised(layer, x, scales))
    for layer in result.layers:
        if not layer.get_weights():
            continue
        weights = plain.get_layer(layer.name).get_weights()
        if type(layer).__name__ in _AXES and layer.name not in in_float:
            scale = scales[_producer(plain, plain.get_layer(layer.name))]
            grid = to_grid(weights[0], weights[1], _AXES[type(layer).__name__], scale, exact=exact)
            weights = [grid.kernel(), grid.bias_values(scale)]
        layer.set_weights(weights)
    return result


def _quantised(layer: Any, x: Any, scales: dict[str, float]) -> Any:
    result = layer(x)
    return fake_quantised(result, scales[layer.name]) if layer.name in scales else result


def _scales(plain: Any, photos: NDArray[np.uint8], in_float: Collection[str]) -> dict[str, float]:
    """Return the scale of what integer layers and sums read and give."""
    import keras

    stored = sorted({name for layer in plain.layers for name in _touched(plain, layer, in_float)})
    probe = keras.Model(plain.input, [plain.get_layer(name).output for name in stored])
    largest = np.zeros(len(stored))
    for start in range(0, len(photos), 16):
        found = probe(photos[start : start + 16].astype(np.float32), training=False)
        largest = np.maximum(largest, [np.abs(np.asarray(values)).max() for values in found])
    return {name: float(np.float32(reach / 127)) for name, reach in zip(stored, largest, strict=True)}


def _touched(plain: Any, layer: Any, in_float: Collection[str]) -> list[str]:
    if _is_sum(layer):
        return [layer.name, *(tensor._keras_history.operation.name for tensor in layer.input)]
    if type(layer).__name__ not in _AXES or layer.name in in_float:
        return []
    relus = [other.name for other in plain.layers if type(other).__name__ == "ReLU" and _reads(other) == layer.name]
    return [_producer(plain, layer), *(relus or [layer.name])]


def _cloned(model: Any, call: Callable[[Any, Any], Any]) -> Any:
    import keras

    def clone(layer: Any) -> Any:
        config = layer.get_config()
        if type(layer).__name__ in _AXES:
            config["use_bias"] = True
        return type(layer).from_config(config)

    return keras.models.clone_model(model, clone_function=clone, call_function=lambda layer, x, **_: call(layer, x))


def _is_sum(layer: Any) -> bool:
    return type(layer).__name__ == "Add"


def _is_norm(layer: Any) -> bool:
    return type(layer).__name__ == "BatchNormalization"


def _reads(layer: Any) -> str:
    return str(layer.input._keras_history.operation.name)


def _producer(plain: Any, layer: Any) -> str:
    name = _reads(layer)
    return _producer(plain, plain.get_layer(name)) if name.endswith("_pad") else name
