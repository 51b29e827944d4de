"""The methods one after the other, each on top of those before, so that what each one gains can be measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dermport.compression.quantisation.equalise import equalised
from dermport.compression.quantisation.folding import folded
from dermport.compression.quantisation.graph import KerasGraph, Weights
from dermport.compression.quantisation.integers import integer_network, nearest_of
from dermport.compression.quantisation.layerwise import LayerwiseRounding
from dermport.compression.quantisation.ranges import Ranges, activation_scales
from dermport.compression.quantisation.sensitivity import most_sensitive, sensitivities
from dermport.exporters.integer.exact import exact_scales
from dermport.progress import Progress

if TYPE_CHECKING:
    import keras


LAYERWISE_PHOTOS = 64


@dataclass(frozen=True)
class QuantisationStage:
    """A network after some methods.

    Attributes:
        name: The last of them.
        template: The folded network, in float.
        weights: Of its convolutions, rounded.
        scales: Of its stored tensors.
        floats: Convolutions that stay in float.
        exact: Whether its scales are exact (:mod:`dermport.exporters.integer.exact`).
    """

    name: str
    template: keras.Model
    weights: Weights
    scales: Mapping[str, float]
    floats: frozenset[str] = frozenset()
    exact: bool = False

    def network(self) -> keras.Model:
        """Return the network that computes what the integers would."""
        return integer_network(self.template, self.weights, self.scales, self.floats)

    def weight_bytes(self) -> int:
        """Return the bytes of the convolutions' weights: one for each in int8, four in float."""
        sizes = {name: kernel.size for name, (kernel, _) in self.weights.items()}
        return sum(size * (4 if name in self.floats else 1) for name, size in sizes.items())


@dataclass(frozen=True)
class QuantisationMethods:
    """Which methods are applied; see :class:`.compression.quantisation.quantise.Quantise` for what each means."""

    ranges: Ranges = "min-max"
    exact: bool = False
    equalise: bool = False
    correct_biases: bool = False
    learn_rounding: bool = False
    float_layers: int = 0
    float_bytes: int = 0
    keep_float: tuple[str, ...] = ()

    @property
    def is_mixed(self) -> bool:
        """Whether some layers stay in float."""
        return bool(self.float_layers or self.float_bytes or self.keep_float)


def stages(
    network: keras.Model, photos: NDArray[np.uint8], methods: QuantisationMethods, progress: Progress
) -> Iterator[QuantisationStage]:
    """Yield the network after each method: ``nearest`` always, then those that are asked for.

    Args:
        network: As :mod:`dermport.compression.network` says.
        photos: Calibration photos, uint8 [N, S, S, 3]. Ranges are of all of them, or equalisation would let relu6 clip
            photos to come; the first few are enough for what goes through layer by layer (:data:`LAYERWISE_PHOTOS`).
        methods: Which.
        progress: What a person sees.
    """
    template = folded(network)
    stage = _rounded("nearest", template, photos, replace(methods, ranges="min-max"))
    yield stage
    if methods.ranges != "min-max":
        stage = _rounded("ranges", template, photos, methods)
        yield stage
    if methods.equalise:
        template = equalised(template, photos, filled=methods.exact)
        stage = _rounded("equalised", template, photos, methods)
        yield stage
    photos = photos[:LAYERWISE_PHOTOS]
    layerwise = LayerwiseRounding(stage.scales, corrected=methods.correct_biases, exact=methods.exact)
    if methods.correct_biases:
        stage = rounded_layerwise("corrected", stage, layerwise, photos, progress)
        yield stage
    if methods.learn_rounding:
        layerwise = replace(layerwise, learned=True)
        stage = rounded_layerwise("learned", stage, layerwise, photos, progress)
        yield stage
    if methods.is_mixed:
        layerwise = replace(layerwise, floats=_floats(stage, methods, photos, progress))
        yield rounded_layerwise("mixed", stage, layerwise, photos, progress)


def rounded_layerwise(
    name: str, stage: QuantisationStage, layerwise: LayerwiseRounding, photos: NDArray[np.uint8], progress: Progress
) -> QuantisationStage:
    """Return the stage with its weights rounded layer by layer."""
    with progress.bar(f"Quantising layer by layer ({name})") as update:
        weights = layerwise.run(stage.template, photos, update)
    return replace(stage, name=name, weights=weights, floats=layerwise.floats)


def _rounded(
    name: str, template: keras.Model, photos: NDArray[np.uint8], methods: QuantisationMethods
) -> QuantisationStage:
    scales = activation_scales(template, photos, methods.ranges)
    if methods.exact:
        sums = [(node.name, *node.inputs) for node in KerasGraph.of(template).nodes if node.kind == "Add"]
        scales = exact_scales(scales, sums)
    weights = nearest_of(template, scales, exact=methods.exact)
    return QuantisationStage(name, template, weights, scales, exact=methods.exact)


def _floats(
    stage: QuantisationStage, methods: QuantisationMethods, photos: NDArray[np.uint8], progress: Progress
) -> frozenset[str]:
    graph = KerasGraph.of(stage.template)
    chosen = frozenset(methods.keep_float) & frozenset(node.name for node in graph.convolutions)
    if not (methods.float_layers or methods.float_bytes):
        return chosen
    progress.say("Measuring what each layer costs alone in int8")
    costs = sensitivities(stage.template, stage.weights, stage.scales, photos)
    more = methods.float_bytes or None
    return chosen | most_sensitive(costs, stage.weights, layers=methods.float_layers or None, bytes_more=more)
