"""The operation itself: the network is built anew, with narrower layers of the same names, and the weights are cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dermport.compression.pruning.selection import Kept
from dermport.compression.pruning.spaces import Space

if TYPE_CHECKING:
    import keras


def narrowed(network: keras.Model, spaces: Sequence[Space], kept: Kept) -> keras.Model:
    """Return the network without the channels that are not kept; the layers have the same names.

    Args:
        network: Stays as it is.
        spaces: Of the network.
        kept: The channels that stay, by space; a space that is absent stays whole.
    """
    import keras

    made = {name: kept[space.name] for space in spaces if space.name in kept for name in space.writers}
    carried = {name: kept[space.name] for space in spaces if space.name in kept for name in space.carriers}
    read = {name: kept[space.name] for space in spaces if space.name in kept for name in space.readers}

    def rebuilt(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        if layer.name in made:
            config["filters"] = len(made[layer.name])
        return type(layer).from_config(config)

    result = keras.models.clone_model(network, clone_function=rebuilt)
    for layer in network.layers:
        values = layer.get_weights()
        if layer.name in carried:
            values = [_carried(value, carried[layer.name]) for value in values]
        if layer.name in read:
            values = [np.take(values[0], read[layer.name], axis=-2), *values[1:]]
        if layer.name in made:
            values = [np.take(value, made[layer.name], axis=-1) for value in values]
        result.get_layer(layer.name).set_weights(values)
    return result


def _carried(value: Any, channels: Any) -> Any:
    """Return the part of a carrier's weight; a depthwise kernel [h, w, channels, 1] has them before its end."""
    return np.take(value, channels, axis=-2 if value.ndim > 1 else -1)
