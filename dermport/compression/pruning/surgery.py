"""The operation itself: the network is built anew with narrower layers, and what stays takes over from what goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dermport.compression.pruning.channel_groups import ChannelGroup
from dermport.compression.pruning.selection import KeptChannels

if TYPE_CHECKING:
    import keras


MeanAndCovariance = tuple[NDArray[np.float64], NDArray[np.float64]]
"""The mean [channels] of a layer's inputs, and their covariance [channels, channels], over photos and places."""
_COVARIANCE_BATCH = 8
_STATISTICS_BATCH = 64
_RIDGE = 0.01  # of the channels' mean variance: keeps corrections small where the photos say little


def pruned(
    network: keras.Model,
    groups: Sequence[ChannelGroup],
    kept: KeptChannels,
    photos: NDArray[np.uint8],
    *,
    with_compensation: bool = True,
) -> keras.Model:
    """Return the network with the kept channels alone, its readers compensated and its statistics measured anew.

    Args:
        network: Its readers' weights change.
        groups: That are narrowed.
        kept: The channels that stay, by group.
        photos: Training photos, uint8 [N, S, S, 3].
        with_compensation: Whether least squares corrects what reads narrowed groups.
    """
    if with_compensation:
        compensate(network, groups, kept, photos)
    smaller = narrowed(network, groups, kept)
    recalibrate(smaller, photos)
    return smaller


def narrowed(network: keras.Model, groups: Sequence[ChannelGroup], kept: KeptChannels) -> keras.Model:
    """Return the network without the channels that are not kept; the layers have the same names.

    Args:
        network: Stays as it is.
        groups: Of the network.
        kept: The channels that stay, by group; a group that is absent stays whole.
    """
    import keras

    made = {name: kept[group.name] for group in groups if group.name in kept for name in group.writers}
    carried = {name: kept[group.name] for group in groups if group.name in kept for name in group.carriers}
    read = {
        name: _flat(kept[group.name], group.width, group.places.get(name, 1))
        for group in groups
        if group.name in kept
        for name in group.readers
    }

    def rebuilt(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        if layer.name in made:
            config["filters" if "filters" in config else "units"] = len(made[layer.name])
        if isinstance(layer, keras.layers.Reshape):
            config["target_shape"] = (*config["target_shape"][:-1], -1)  # a gate's, of whatever width it now has
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


def _flat(kept: NDArray[np.int64], width: int, places: int) -> NDArray[np.int64]:
    """Return the inputs that stay, of a layer that reads each channel at so many places: channels vary the fastest."""
    return (np.arange(places)[:, None] * width + kept).ravel()


def _carried(value: Any, channels: Any) -> Any:
    """Return the part of a carrier's weight; a depthwise kernel [h, w, channels, 1] has them before its end."""
    return np.take(value, channels, axis=-2 if value.ndim > 1 else -1)


def compensate(
    network: keras.Model, groups: Sequence[ChannelGroup], kept: KeptChannels, photos: NDArray[np.uint8]
) -> None:
    """Change what reads narrowed groups so that it gives, from the channels that stay, nearly what it gave from all.

    Least squares over all places of the photos (as He et al. 2017, arXiv:1707.06168, section 3.1), in closed form from
    the covariance C of the reader's inputs. With S the channels that stay and G those that go, the weights of S become
    W_S + (C_SS + ridge)^-1 C_SG W_G. A reader's bias takes the means; where batch normalisation follows instead, its
    statistics have to be measured anew.

    Args:
        network: Still whole; changed in place. The weights of G are left as they are, to be cut off.
        groups: Of the network.
        kept: The channels that stay, by group.
        photos: Training photos, uint8 [N, S, S, 3].
    """
    if not (readers := _readers(network, groups, kept)):
        return
    moments = _moments(network, tuple(readers), photos)
    for name, stay in readers.items():
        layer = network.get_layer(name)
        kernel, *bias = layer.get_weights()
        flat = kernel.reshape(kernel.shape[-2:])
        gone = np.delete(flat, stay, axis=0)
        mixing, means = _mixing(*moments[name], stay)
        flat[stay] += mixing @ gone
        layer.set_weights([flat.reshape(kernel.shape), *(one + means @ gone for one in bias)])


def _readers(
    network: keras.Model, groups: Sequence[ChannelGroup], kept: KeptChannels
) -> Mapping[str, NDArray[np.int64]]:
    """Return the channels that stay, by the layers that read them at one place at a time."""
    return {
        name: kept[group.name]
        for group in groups
        if len(kept[group.name]) < group.width
        for name in group.readers
        if name not in group.places and getattr(network.get_layer(name), "kernel_size", (1, 1)) == (1, 1)
    }


def _mixing(
    mean: NDArray[np.float64], covariance: NDArray[np.float64], stay: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how the channels that go follow from those that stay: factors [stay, go], and constants [go]."""
    go = np.delete(np.arange(len(mean)), stay)
    ridge = _RIDGE * np.trace(covariance) / len(mean) * np.eye(len(stay))
    mixing = np.linalg.solve(covariance[np.ix_(stay, stay)] + ridge, covariance[np.ix_(stay, go)])
    return mixing, mean[go] - mean[stay] @ mixing


def _moments(network: keras.Model, names: Sequence[str], photos: NDArray[np.uint8]) -> dict[str, MeanAndCovariance]:
    """Return mean and covariance of the inputs of some layers."""
    import keras

    probe = keras.Model(network.input, [network.get_layer(name).input for name in names])
    sums: list[list[NDArray[np.float64]]] = [[np.zeros(()), np.zeros(()), np.zeros(())] for _ in names]
    for start in range(0, len(photos), _COVARIANCE_BATCH):
        values = keras.tree.flatten(
            probe.predict_on_batch(photos[start : start + _COVARIANCE_BATCH].astype(np.float32))
        )
        for total, value in zip(sums, values, strict=True):
            rows = value.reshape(-1, value.shape[-1])
            parts = (np.asarray(len(rows)), rows.sum(axis=0, dtype=np.float64), (rows.T @ rows).astype(np.float64))
            total[:] = [one + part for one, part in zip(total, parts, strict=True)]
    means = [(total / count, products / count) for count, total, products in sums]
    return {name: (mean, product - np.outer(mean, mean)) for name, (mean, product) in zip(names, means, strict=True)}


def recalibrate(network: keras.Model, photos: NDArray[np.uint8]) -> None:
    """Let every batch normalisation hold the mean statistics of these photos (Wu and Johnson 2021, arXiv:2105.07576).

    Removing channels shifts what the layers behind receive. No weight is trained; it costs one pass over the photos.

    Args:
        network: Changed in place.
        photos: uint8 [N, S, S, 3].
    """
    layers = [layer for layer in network.layers if hasattr(layer, "moving_mean")]
    before = [(layer.momentum, layer.trainable) for layer in layers]
    for done, start in enumerate(range(0, len(photos), _STATISTICS_BATCH)):
        for layer in layers:
            layer.momentum, layer.trainable = done / (done + 1), True  # the mean of the batches so far
        network(photos[start : start + _STATISTICS_BATCH].astype(np.float32), training=True)
    for layer, (momentum, trainable) in zip(layers, before, strict=True):
        layer.momentum, layer.trainable = momentum, trainable
