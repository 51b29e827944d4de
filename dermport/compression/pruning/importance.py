"""What each channel is worth: by its filter's size, by the scale of batch normalisation, or by what losing it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from dermport.compression.pruning.channel_groups import ChannelGroup
from dermport.compression.step import StepContext
from dermport.errors import UsageError

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class PruningSample:
    """Photos to measure on.

    Attributes:
        photos: uint8 [N, S, S, 3].
        targets: One-hot float32 [N, C], or [N, 1] for one logit.
        weights: What an error on each photo costs, float32 [N].
    """

    photos: NDArray[np.uint8]
    targets: NDArray[np.float32]
    weights: NDArray[np.float32]

    def part(self, start: int, end: int) -> PruningSample:
        """Return the photos from `start` to before `end`."""
        return PruningSample(self.photos[start:end], self.targets[start:end], self.weights[start:end])


def draw_sample(context: StepContext, photos: int) -> PruningSample:
    """Return `photos` training photos, or all where there are fewer; the same ones each time."""
    there = len(context.parts.train.records)
    random = np.random.default_rng((context.seed, 3))
    indices = np.sort(random.choice(there, min(photos, there), replace=False))
    targets = context.targets()
    weights = targets.class_weights[targets.train[indices]]
    return PruningSample(context.parts.train.some_tensors(indices), targets.encoded(indices), weights)


Importance = Literal["taylor", "bn-scale", "l1"]
ImportanceScores = Mapping[str, NDArray[np.float64]]
"""By the name of a group: what each of its channels is worth, float64 [width]; comparable between groups."""
_BATCH = 8  # small: the gradient keeps what every layer gave


def importance_scores(
    importance: Importance, network: keras.Model, groups: Sequence[ChannelGroup], sample: PruningSample
) -> ImportanceScores:
    """Return what each channel is worth; only ``taylor`` looks at the photos of `sample`."""
    if importance == "l1":
        return filter_sizes(network, groups)
    if importance == "bn-scale":
        return normalisation_scales(network, groups)
    return losses_without(network, groups, sample)


def filter_sizes(network: keras.Model, groups: Sequence[ChannelGroup]) -> ImportanceScores:
    """Return the L1 norm of each channel's filters (Li et al. 2017, arXiv:1608.08710), as a share of its layer's."""

    def worth(group: ChannelGroup) -> NDArray[np.float64]:
        kernels = [np.asarray(network.get_layer(name).get_weights()[0], np.float64) for name in group.writers]
        return _shares([np.abs(kernel).sum(axis=tuple(range(kernel.ndim - 1))) for kernel in kernels])

    return {group.name: worth(group) for group in groups}


def normalisation_scales(network: keras.Model, groups: Sequence[ChannelGroup]) -> ImportanceScores:
    """Return the |scale| that batch normalisation gives each channel (Liu et al. 2017, arXiv:1708.06519).

    Of an inverted residual these are two, after its expansion and after its depthwise convolution; of a stream, one for
    each block. Sizes differ from layer to layer: each scale counts as a share of its layer's sum.
    """

    def worth(group: ChannelGroup) -> NDArray[np.float64]:
        carriers = [network.get_layer(name) for name in group.carriers]
        if not any(hasattr(layer, "gamma") for layer in carriers):
            raise UsageError(
                f"The channels of {group.name} go through no batch normalisation, so it gives them no scale.",
                remedy="Choose another `importance`.",
            )
        return _shares([np.abs(np.asarray(layer.gamma, np.float64)) for layer in carriers if hasattr(layer, "gamma")])

    return {group.name: worth(group) for group in groups}


def losses_without(network: keras.Model, groups: Sequence[ChannelGroup], sample: PruningSample) -> ImportanceScores:
    """Return how much the loss of a photo would change without each channel, to first order (Molchanov et al. 2019).

    That is activation times gradient, summed over the photo's places (arXiv:1906.10771, for a gate after each channel)
    and, of a stream, over the channel's writers, which is the derivative by one gate on the whole stream. Of the photos
    it is the root of the mean square: the mean square itself, which the paper takes, is decided by a few photos.
    """
    import keras

    gates = [network.get_layer(name).output for group in groups for name in group.gates]
    probe = keras.Model(network.input, [*gates, network.output])
    sums = {group.name: np.zeros(group.width) for group in groups}
    for start in range(0, len(sample.photos), _BATCH):
        products = iter(_products(probe, sample.part(start, start + _BATCH)))
        for group in groups:
            change = np.sum([next(products) for _ in group.gates], axis=0)
            sums[group.name] += np.square(change).sum(axis=0)
    return {name: np.sqrt(total / len(sample.photos)) for name, total in sums.items()}


def _products(probe: keras.Model, sample: PruningSample) -> list[NDArray[np.float64]]:
    """Return activation times gradient of each gate, summed over places, float64 [N, channels]."""
    import keras
    import tensorflow as tf

    losses = keras.ops.binary_crossentropy if sample.targets.shape[1] == 1 else keras.ops.categorical_crossentropy
    with tf.GradientTape() as tape:
        *gates, logits = probe(sample.photos.astype(np.float32), training=False)
        loss = tf.reduce_sum(sample.weights * tf.reshape(losses(sample.targets, logits, from_logits=True), [-1]))
    products = [gate * slope for gate, slope in zip(gates, tape.gradient(loss, gates), strict=True)]
    count = len(sample.photos)
    return [np.asarray(one, np.float64).reshape(count, -1, one.shape[-1]).sum(axis=1) for one in products]


def _shares(sizes: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.asarray(np.mean([size / size.sum() for size in sizes], axis=0))
