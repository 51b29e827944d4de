"""One way through the network, layer by layer: each is rounded and its bias corrected for what comes before it.

Float and quantised network run side by side on calibration photos; a layer sees, as later on a device, the inputs that
the quantised layers before it give, and is held against the float network's output.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dermport.compression.quantisation.graph import KerasGraph, Node
from dermport.compression.quantisation.rounding import input_moments, learned_codes
from dermport.exporters.integer.grid import LayerIntegers, bias_step, to_grid
from dermport.exporters.integer.pattern import fake_quantised
from dermport.progress import Update

if TYPE_CHECKING:
    import keras

Floats = NDArray[np.float32]
Pair = tuple[Floats, Floats]
"""A tensor in the float and in the quantised network."""

_CHUNK = 16  # photos


@dataclass(frozen=True)
class LayerwiseRounding:
    """What is done to each layer.

    Attributes:
        scales: Of each stored tensor.
        learned: Learn which way each weight is rounded, instead of the nearest.
        corrected: Correct biases (Nagel et al. 2019, section 4.2, with real means).
        exact: Whether scales of weights have six significant bits (:mod:`dermport.exporters.integer.exact`).
        floats: Convolutions that stay in float; their biases are corrected all the same.
    """

    scales: Mapping[str, float]
    learned: bool = False
    corrected: bool = False
    exact: bool = False
    floats: frozenset[str] = frozenset()

    def run(self, template: keras.Model, photos: NDArray[np.uint8], update: Update | None = None) -> dict[str, Pair]:
        """Return kernel and bias of every convolution, on their grids but for those in `floats`.

        Args:
            template: A folded network.
            photos: Calibration photos, uint8 [N, S, S, 3].
            update: Called with (layers, in all).
        """
        graph = KerasGraph.of(template)
        stored, order = set(graph.stored(self.floats)), [node for node in graph.nodes if not _is_after(graph, node)]
        last_reader = {name: node.name for node in order for name in node.inputs}
        tensors: dict[str, Pair] = {order[0].name: (photos.astype(np.float32),) * 2}
        result = {}
        for count, node in enumerate(order[1:], start=1):
            given = [tensors[name] for name in node.inputs]
            if node.convolves:
                result[node.name], pair = self._fitted(node, self.scales[graph.source(node.name)], given[0])
            else:
                pair = (_called(node.layer, [x for x, _ in given]), _called(node.layer, [x for _, x in given]))
            tensors[node.name] = (pair[0], self._stored(node.name, pair[1])) if node.name in stored else pair
            for name in node.inputs:
                if last_reader[name] == node.name:
                    tensors.pop(name, None)
            if update is not None:
                update(count, len(order) - 1)
        return result

    def _stored(self, site: str, values: Floats) -> Floats:
        return _chunked(lambda chunk: fake_quantised(chunk, self.scales[site]), values)

    def _fitted(self, node: Node, input_scale: float, given: Pair) -> tuple[Pair, Pair]:
        """Return a convolution's kernel and bias, and its output in both networks."""
        kernel, bias = node.weights()
        wanted = _convolved(node, given[0], kernel) + bias
        grid = None if node.name in self.floats else self._grid(node, input_scale, given)
        rounded = kernel if grid is None else grid.kernel()
        found = _convolved(node, given[1], rounded)
        if self.corrected:
            bias = bias + (wanted - found - bias).mean(axis=(0, 1, 2), dtype=np.float64).astype(np.float32)
        if grid is not None:
            step = bias_step(grid.scale, input_scale)
            bias = LayerIntegers(grid.codes, grid.scale, np.rint(bias / step).astype(np.int32), grid.axis).bias_values(
                input_scale
            )
        return (rounded, bias), (wanted, found + bias)

    def _grid(self, node: Node, input_scale: float, given: Pair) -> LayerIntegers:
        kernel, bias = node.weights()
        grid = to_grid(kernel, bias, node.axis, input_scale, exact=self.exact)
        if not self.learned:
            return grid
        rows = np.moveaxis(kernel, node.axis, 0)
        codes = learned_codes(
            rows.reshape(len(rows), -1).astype(np.float64),
            grid.scale.astype(np.float64),
            input_moments(node, *given, centred=self.corrected),
        )
        # A channel's largest code stays: it tells the scale, and may have been raised to make room for the bias.
        nearest = np.moveaxis(grid.codes, node.axis, 0)
        size = np.abs(nearest)
        largest = size == size.max(axis=(1, 2, 3), keepdims=True)
        codes = np.where(largest, nearest, codes.reshape(rows.shape))
        return LayerIntegers(np.moveaxis(codes, 0, node.axis), grid.scale, grid.bias, node.axis)


def _is_after(graph: KerasGraph, node: Node) -> bool:
    """Whether a layer comes after the convolutions: pooling, dropout, the classifier."""
    return node.kind in ("GlobalAveragePooling2D", "Dropout", "Dense")


def _called(layer: Any, inputs: list[Floats]) -> Floats:
    return _chunked(lambda *chunk: layer(chunk[0] if len(chunk) == 1 else list(chunk)), *inputs)


def _convolved(node: Node, values: Floats, kernel: Floats) -> Floats:
    from keras import ops

    convolve = ops.depthwise_conv if node.depthwise else ops.conv
    options = {"strides": node.layer.strides, "padding": node.layer.padding}
    return _chunked(lambda chunk: convolve(chunk, kernel, **options), values)


def _chunked(function: Callable[..., Any], *values: Floats) -> Floats:
    """Return the function's results for all photos, a few at a time."""
    starts = range(0, len(values[0]), _CHUNK)
    return np.concatenate([np.asarray(function(*(one[at : at + _CHUNK] for one in values))) for at in starts])
