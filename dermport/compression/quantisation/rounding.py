"""Learned rounding (AdaRound, Nagel et al. 2020, arXiv:2004.10568): each weight goes up or down as suits the others.

The squared error that a layer's output has on calibration photos is, for each output channel, a quadratic form of its
weights, given by the covariance of its inputs. That is the paper's QUBO (equation 13), here with the inputs that the
quantised network gives, against the output of the float one. A depthwise filter of 3 x 3 has 512 ways to be rounded,
which are all tried; other rows go down the steepest step until no single weight gains. So nothing is relaxed, there is
no learning rate, and the whole of MobileNetV2 takes seconds beyond the passes that measure the covariances.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dermport.compression.quantisation.graph import Node

Floats = NDArray[np.float64]

LARGEST = 127
_DAMPING = 0.01  # of the mean variance, added to each: photos to come differ from those for calibration
_FEW = 9  # weights whose ways are all tried: 512
_CHUNK = 8  # photos
_DEPTHWISE_PHOTOS = 32  # their patches are plenty for the nine weights of a filter
_PLACES = 24  # a side that are looked at: neighbours in a large tensor say the same


@dataclass(frozen=True)
class InputMoments:
    """What a layer's inputs do on calibration photos: x of the quantised network, y of the float one.

    Attributes:
        covariance: Of x, float64 [..., n, n].
        cross: Of y (rows) and x (columns), float64 [..., n, n].
    """

    covariance: Floats
    cross: Floats


def learned_codes(rows: Floats, scale: Floats, moments: InputMoments) -> NDArray[np.int8]:
    """Return the codes of rows of weights whose output is nearest to the float one's.

    A weight on a code, such as the largest of each row, stays there.

    Args:
        rows: Float weights, [channels, n].
        scale: What a step of each row's codes is worth, [channels].
        moments: Of the n inputs: [n, n], the same for all rows, or [channels, n, n].
    """
    exact = np.clip(rows / scale[:, None], -LARGEST, LARGEST)
    # Which weights would be best, were they free, matters alone through the slope: H q - c.
    wanted = np.einsum("...i,...ij->...j", rows, moments.cross) / scale[:, None]
    damping = _DAMPING * np.trace(moments.covariance, axis1=-2, axis2=-1) / rows.shape[1]
    hessian = moments.covariance + damping[..., None, None] * np.eye(rows.shape[1])
    wanted = wanted + damping[..., None] * exact
    solve = _best_of_all if rows.shape[1] <= _FEW and hessian.ndim == 3 else _steepest
    return np.asarray(solve(exact, hessian, wanted).astype(np.int8))


def _best_of_all(exact: Floats, hessian: Floats, wanted: Floats) -> Floats:
    low, high = np.floor(exact), np.ceil(exact)
    ups = (np.arange(2 ** exact.shape[1])[:, None] >> np.arange(exact.shape[1])) & 1
    codes = low[:, None] + ups * (high - low)[:, None]  # [channels, ways, n]
    errors = np.einsum("cwi,cij,cwj->cw", codes, hessian, codes, optimize=True)
    errors -= 2 * np.einsum("cwi,ci->cw", codes, wanted)
    return np.asarray(codes[np.arange(len(codes)), errors.argmin(axis=1)])


def _steepest(exact: Floats, hessian: Floats, wanted: Floats) -> Floats:
    """Flip, in each row, the weight that gains most, until none does."""
    codes, curvature = np.rint(exact), np.diagonal(hessian, axis1=-2, axis2=-1)
    slope = np.einsum("...i,...ij->...j", codes, hessian) - wanted
    rows = np.arange(len(codes))
    for _ in range(4 * codes.shape[1]):
        step = np.where(codes > exact, -1.0, 1.0) * (codes != exact)
        gain = 2 * slope * step + step**2 * curvature
        best = gain.argmin(axis=1)
        better = gain[rows, best] < -1e-9
        if not better.any():
            break
        change = np.where(better, step[rows, best], 0.0)
        codes[rows, best] += change
        slope += change[:, None] * (hessian[best] if hessian.ndim == 2 else hessian[rows, best])
    return np.asarray(codes)


def input_moments(
    node: Node, before: NDArray[np.float32], after: NDArray[np.float32], *, centred: bool
) -> InputMoments:
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
    return InputMoments(covariance, cross)


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
