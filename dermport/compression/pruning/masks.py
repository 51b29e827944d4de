"""Which single weights become zero: the smallest, of a layer or of all, or two of every four for TensorRT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from dermport.errors import UsageError

if TYPE_CHECKING:
    import keras

Kernels = Mapping[str, NDArray[np.float32]]
Scope = Literal["global", "layer"]
_GROUP, _ZEROS = 4, 2


def prunable(network: keras.Model, layers: Literal["pointwise", "all"]) -> tuple[str, ...]:
    """Return the names of the layers whose weights may become zero.

    The first convolution and the depthwise ones stay dense unless all are asked for: they hold 3 % of MobileNetV2's
    weights, each filter of nine weights has little to spare, and no runtime has sparse kernels for them. So does the
    classification layer. Of a network without 1 x 1 convolutions, its other convolutions and hidden dense layers count.

    Raises:
        UsageError: There is no such layer.
    """
    import keras

    kinds = keras.layers
    if layers == "all":
        weighted = (kinds.Conv2D, kinds.DepthwiseConv2D, kinds.Dense)
        return tuple(layer.name for layer in network.layers if isinstance(layer, weighted))
    mixing = [layer for layer in network.layers if isinstance(layer, (kinds.Conv2D, kinds.Dense))]
    hidden = mixing[1:-1]  # between the first convolution and the classification layer
    pointwise = [layer for layer in mixing if getattr(layer, "kernel_size", None) == (1, 1)]
    if not pointwise + hidden:
        raise UsageError("The network has nothing between its first and its last layer.", remedy="Set `layers` to all.")
    return tuple(layer.name for layer in pointwise or hidden)


def smallest_zeroed(kernels: Kernels, sparsity: float, scope: Scope) -> Kernels:
    """Return the kernels with the share `sparsity` of them zero: the weights of least magnitude.

    Globally, magnitudes count in units of their layer's root mean square: batch normalisation makes the scale of a
    layer's weights arbitrary.
    """
    sizes = {name: np.abs(kernel) / np.sqrt(np.mean(np.square(kernel)) + 1e-30) for name, kernel in kernels.items()}
    if scope == "layer":
        return {name: _without(kernel, _least([sizes[name]], sparsity)[0]) for name, kernel in kernels.items()}
    gone = _least(list(sizes.values()), sparsity)
    return {name: _without(kernel, one) for (name, kernel), one in zip(kernels.items(), gone, strict=True)}


def two_of_four_zeroed(kernels: Kernels) -> Kernels:
    """Return the kernels with two zeros among every four input channels that follow each other: the smaller two.

    That is the 2:4 pattern of NVIDIA's sparse tensor cores (Mishra et al. 2021, arXiv:2104.08378), along the axis that
    is summed over. A kernel [..., inputs, outputs] whose inputs are no multiple of four stays as it is.
    """
    return {name: _two_of_four(kernel) for name, kernel in kernels.items()}


def sparsity_of(kernels: Sequence[NDArray[np.float32]]) -> float:
    """Return 1 - |W'| / |W|: the share of zeros among all weights."""
    return 1 - sum(int(np.count_nonzero(kernel)) for kernel in kernels) / sum(kernel.size for kernel in kernels)


def kernels_of(network: keras.Model, names: Sequence[str]) -> Kernels:
    """Return the kernels of some layers, float32 [..., inputs, outputs], by name."""
    return {name: np.asarray(network.get_layer(name).get_weights()[0]) for name in names}


def set_kernels(network: keras.Model, kernels: Kernels) -> None:
    """Give layers other kernels."""
    for name, kernel in kernels.items():
        layer = network.get_layer(name)
        layer.set_weights([kernel, *layer.get_weights()[1:]])


def _least(sizes: Sequence[NDArray[np.float32]], share: float) -> list[NDArray[np.bool_]]:
    """Return where the smallest `share` of all values lie."""
    flat = np.concatenate([size.ravel() for size in sizes])
    gone = np.zeros(len(flat), bool)
    gone[np.argsort(flat, kind="stable")[: round(share * len(flat))]] = True
    parts = np.split(gone, np.cumsum([size.size for size in sizes])[:-1])
    return [part.reshape(size.shape) for part, size in zip(parts, sizes, strict=True)]


def _without(kernel: NDArray[np.float32], gone: NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.where(gone, np.float32(0), kernel)


def _two_of_four(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    *window, inputs, outputs = kernel.shape
    if inputs % _GROUP:
        return kernel
    groups = kernel.reshape(*window, inputs // _GROUP, _GROUP, outputs)
    order = np.argsort(np.abs(groups), axis=-2, kind="stable")
    result = groups.copy()
    np.put_along_axis(result, order[..., :_ZEROS, :], 0, axis=-2)
    return result.reshape(kernel.shape)
