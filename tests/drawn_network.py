"""Networks that nobody trains: weights drawn from a seed, and a classifier solved for, so that answers are firm.

What a network learns in a few steps depends on the processor, and its near ties fall otherwise in int8; drawn weights
are the same everywhere. Channels go straight through, with a little of all others and the curves of ReLU6; batch
normalisation keeps every layer in range; and the classifier is ridge regression on photos whose labels are known.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MIXED = 0.15  # of a channel, what comes from all others: more of it, layer after layer, and small changes grow
_LOGITS = 4.0  # apart, for a photo of one label and of another: probabilities near 0.95, which hide no change
_RIDGE = 0.1


def draw_trunk(trunk: Any, photos: NDArray[np.generic], seed: int = 0) -> None:
    """Set the weights of a MobileNetV2, or of a part of it: drawn filters, and statistics of the photos.

    Args:
        trunk: Takes `photos`; its layers are named as Keras names MobileNetV2's.
        photos: [N, S, S, 3].
        seed: Of the filters.
    """
    random = np.random.default_rng(seed)
    names = {layer.name for layer in trunk.layers}
    norms = []
    for layer in trunk.layers:
        kind = type(layer).__name__
        if kind == "BatchNormalization":
            added = layer.name.endswith("project_BN") and layer.name.replace("project_BN", "add") in names
            layer.gamma.assign(np.full(layer.gamma.shape, 0.25 if added else 1.0))
            layer.beta.assign(random.normal(1.5, 0.3, layer.beta.shape))  # in the open part of ReLU6
            norms.append(layer)
        elif kind in ("Conv2D", "DepthwiseConv2D"):
            layer.set_weights([_kernel(layer, random), *layer.get_weights()[1:]])
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0.0  # what one pass finds is kept whole
    trunk(np.asarray(photos, np.float32), training=True)
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum


def save_trunk(path: Path, photos: NDArray[np.uint8]) -> None:
    """Write the weights of a drawn trunk, of width 0.35, for photos uint8 [N, S, S, 3], in place of ImageNet's."""
    import keras

    trunk = keras.applications.MobileNetV2(photos.shape[1:], alpha=0.35, include_top=False, weights=None)
    draw_trunk(trunk, photos / 127.5 - 1)
    trunk.save_weights(path)


def _kernel(layer: Any, random: np.random.Generator) -> NDArray[np.float32]:
    """Channels go through the middle of each window, as copies of either sign that are put together again after."""
    height, width, inputs, outputs = layer.kernel.shape
    kernel = random.normal(0, _MIXED * (height * width * inputs) ** -0.5, layer.kernel.shape)
    if type(layer).__name__ == "DepthwiseConv2D":
        kernel[1, 1] += 1
    else:
        wide = np.arange(max(inputs, outputs))
        sign = 1 - 2 * (wide // min(inputs, outputs) % 2)
        kernel[height // 2, width // 2, wide % inputs, wide % outputs] += sign
    return kernel.astype(np.float32)


def solve_classifier(
    features: NDArray[np.float32], truth: NDArray[np.int64], classes: int
) -> list[NDArray[np.float32]]:
    """Return kernel [F, C] and bias [C] whose logits of features [N, F] tell the labels [N] apart."""
    mean, deviation = features.mean(axis=0), features.std(axis=0) + 1e-6
    scaled = np.asarray((features - mean) / deviation, np.float64)
    wanted = np.eye(classes)[truth] - 1 / classes
    inner = scaled @ scaled.T + _RIDGE * len(scaled) * np.eye(len(scaled))
    kernel = _LOGITS * (scaled.T @ np.linalg.solve(inner, wanted)) / deviation[:, None]
    return [kernel.astype(np.float32), (-mean @ kernel).astype(np.float32)]
