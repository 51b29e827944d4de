"""The finished network: weights on their grid, biases on theirs, stored tensors rounded, all in plain Keras."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dermport.compression.quantisation.graph import KerasGraph, Pair, Weights, weights_of
from dermport.exporters.integer.grid import to_grid
from dermport.exporters.integer.pattern import fake_quantised

if TYPE_CHECKING:
    import keras


def integer_network(
    template: keras.Model, weights: Weights, scales: Mapping[str, float], floats: frozenset[str] = frozenset()
) -> keras.Model:
    """Return a network that computes what the integers would.

    Args:
        template: A folded network; gives layers, names, and all weights that are not in `weights`.
        weights: Kernel and bias of each convolution; those not in `floats` on their grids.
        scales: Of each stored tensor.
        floats: Convolutions that stay in float, by name.
    """
    import keras

    stored = set(KerasGraph.of(template).stored(floats))

    def call(layer: Any, *inputs: Any, **options: Any) -> Any:
        result = layer(*inputs, **options)
        return fake_quantised(result, scales[layer.name]) if layer.name in stored else result

    network = keras.models.clone_model(template, call_function=call)
    for layer in template.layers:
        network.get_layer(layer.name).set_weights(weights.get(layer.name) or layer.get_weights())
    return network


def nearest(
    graph: KerasGraph, weights: Weights, scales: Mapping[str, float], floats: frozenset[str], *, exact: bool = False
) -> dict[str, Pair]:
    """Return kernels and biases rounded to the nearest of their grids, but for those of `floats`.

    Args:
        graph: Of the folded network.
        weights: Of each convolution, in float.
        scales: Of each stored tensor.
        floats: Convolutions that stay in float.
        exact: Whether scales of weights have six significant bits (:mod:`dermport.exporters.integer.exact`).
    """
    found = {}
    for node in graph.convolutions:
        kernel, bias = weights[node.name]
        if node.name not in floats:
            scale = scales[graph.source(node.name)]
            grid = to_grid(kernel, bias, node.axis, scale, exact=exact)
            kernel, bias = grid.kernel(), grid.bias_values(scale)
        found[node.name] = kernel, bias
    return found


def nearest_of(template: keras.Model, scales: Mapping[str, float], *, exact: bool = False) -> dict[str, Pair]:
    """Return all kernels and biases of a folded network rounded to the nearest."""
    return nearest(KerasGraph.of(template), weights_of(template), scales, frozenset(), exact=exact)
