"""How the inputs of a convolution go together over calibration photos: what learned rounding weighs errors with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dermport.compression.quantisation.graph import Node
from dermport.compression.quantisation.rounding import Moments

Floats = NDArray[np.float64]

_CHUNK = 8  # photos
_DEPTHWISE_PHOTOS = 32  # their patches are plenty for the nine weights of a filter
_PLACES = 24  # a side that are looked at: neighbours in a large tensor say the same


def moments(node: Node, before: NDArray[np.float32], after: NDArray[np.float32], *, centred: bool) -> Moments:
    """Return the second moments of a convolution's inputs.

    Args:
        node: The convolution.
        before: What it reads in the float network, float32 [N, h, w, c].
        after: What it reads in the quantised one.
        centred: Take them about the means: the bias makes up for those.

    Returns:
        [n, n] over the n inputs of a filter, or [channels, n, n] of a depthwise convolution.
    """
    from keras import ops

    photos = _DEPTHWISE_PHOTOS if node.depthwise else len(before)
    sums: list[Floats] = []
    count = 0
    for start in range(0, min(photos, len(before)), _CHUNK):
        y, x = (_patches(node, values[start : start + _CHUNK]) for values in (before, after))
        across = x.swapaxes(-1, -2)
        found = [x.sum(axis=-1), y.sum(axis=-1), ops.matmul(x, across), ops.matmul(y, across)]
        sums = [np.asarray(one, np.float64) + (sums[place] if sums else 0.0) for place, one in enumerate(found)]
        count += x.shape[-1]
    mean_x, mean_y, covariance, cross = (one / count for one in sums)
    if centred:
        covariance = covariance - mean_x[..., :, None] * mean_x[..., None, :]
        cross = cross - mean_y[..., :, None] * mean_x[..., None, :]
    return Moments(covariance, cross)


def _patches(node: Node, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what a filter reads at some places, float32 [n, places], or [channels, n, places] for depthwise ones."""
    (rows, columns), (down, right) = node.layer.kernel_size, node.layer.strides
    padded = _padded(values, node)
    height, width = (padded.shape[1] - rows) // down + 1, (padded.shape[2] - columns) // right + 1
    thin = max(1, min(height, width) // _PLACES)
    shifted = [
        padded[:, i : i + down * height : down, j : j + right * width : right][:, :height:thin, :width:thin]
        for i in range(rows)
        for j in range(columns)
    ]
    stacked = np.stack([one.reshape(-1, values.shape[-1]).T for one in shifted])  # [filter, channels, places]
    return stacked.swapaxes(0, 1) if node.depthwise else stacked.reshape(-1, stacked.shape[-1])


def _padded(values: NDArray[np.float32], node: Node) -> NDArray[np.float32]:
    """Return the values with the zeros around them that ``same`` stands for."""
    if node.layer.padding == "valid":
        return values
    around = []
    for size, stride, length in zip(node.layer.kernel_size, node.layer.strides, values.shape[1:3], strict=True):
        missing = max(0, (-(-length // stride) - 1) * stride + size - length)
        around.append((missing // 2, missing - missing // 2))
    return np.pad(values, ((0, 0), *around, (0, 0)))
