"""How much each layer alone costs when it goes to int8, measured, and which layers therefore stay in float."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dermport.compression.quantisation.graph import KerasGraph, Weights
from dermport.exporters.integer.pattern import fake_quantised
from dermport.statistics.temperature import at_temperature
from dermport.training.model.network import class_logits

if TYPE_CHECKING:
    import keras

_BATCH = 32
_FLOAT_BYTES = 3  # that a weight in float32 takes more than one in int8


def sensitivities(
    template: keras.Model, weights: Weights, scales: Mapping[str, float], photos: NDArray[np.uint8]
) -> dict[str, float]:
    """Return the divergence from the float answers (KL, nats) with one convolution alone in int8, by its name.

    In int8 are its weights and bias, the tensor that it reads and the one that it writes.

    Args:
        template: A folded float network.
        weights: Of the convolutions, rounded.
        scales: Of the stored tensors.
        photos: Calibration photos, uint8 [N, S, S, 3].
    """
    graph = KerasGraph.of(template)
    model, sites = _switched(template, scales)
    wanted = _answers(model, photos, np.zeros(len(sites)))
    found = {}
    for node in graph.convolutions:
        layer = model.get_layer(node.name)
        floats = layer.get_weights()
        layer.set_weights(weights[node.name])
        alone = graph.stored(frozenset(n.name for n in graph.convolutions) - {node.name})
        answers = _answers(model, photos, np.array([site in alone for site in sites]))
        layer.set_weights(floats)
        found[node.name] = divergence(wanted, answers)
    return found


def most_sensitive(
    costs: Mapping[str, float], weights: Weights, *, layers: int | None = None, bytes_more: int | None = None
) -> frozenset[str]:
    """Return the convolutions to leave in float: so many, or as many as take no more than so many bytes more.

    The most sensitive come first; one that does not fit into the bytes any more is passed over.
    """
    ranked = sorted(costs, key=lambda name: -costs[name])
    if layers is not None:
        ranked = ranked[:layers]
    chosen, left = set(), bytes_more
    for name in ranked:
        size = _FLOAT_BYTES * weights[name][0].size
        if left is None or size <= left:
            chosen.add(name)
            left = None if left is None else left - size
    return frozenset(chosen)


def divergence(wanted: NDArray[np.floating], found: NDArray[np.floating]) -> float:
    """Return the mean Kullback-Leibler divergence of probabilities float [N, C], nats."""
    tiny = np.finfo(np.float32).tiny
    terms = wanted * (np.log(np.maximum(wanted, tiny)) - np.log(np.maximum(found, tiny)))
    return float(terms.sum(axis=1).mean())


def _switched(template: keras.Model, scales: Mapping[str, float]) -> tuple[keras.Model, tuple[str, ...]]:
    """Return a model whose second input, [N, sites], says which stored tensors are rounded, and the sites."""
    import keras

    graph = KerasGraph.of(template)
    sites = graph.sites
    tensors: dict[str, Any] = {}
    switches = keras.Input((len(sites),), name="switches")
    for node in graph.nodes:
        layer = node.layer.__class__.from_config(node.layer.get_config())
        read = [tensors[name] for name in node.inputs]
        tensor = layer(read[0] if len(read) == 1 else read) if read else keras.Input(template.input.shape[1:])
        if node.name in sites:
            switch = switches[:, sites.index(node.name)][:, None, None, None]
            tensor = tensor + switch * (fake_quantised(tensor, scales[node.name]) - tensor)
        tensors[node.name] = tensor
    first, last = (tensors[node.name] for node in (graph.nodes[0], graph.nodes[-1]))
    result = keras.Model([first, switches], last)
    for node in graph.nodes[1:]:
        result.get_layer(node.name).set_weights(node.layer.get_weights())
    return result, sites


def _answers(model: keras.Model, photos: NDArray[np.uint8], switches: NDArray[Any]) -> NDArray[np.float64]:
    parts = []
    for start in range(0, len(photos), _BATCH):
        some = photos[start : start + _BATCH].astype(np.float32)
        parts.append(model.predict_on_batch([some, np.tile(switches.astype(np.float32), (len(some), 1))]))
    return at_temperature(class_logits(np.concatenate(parts)), 1.0)
