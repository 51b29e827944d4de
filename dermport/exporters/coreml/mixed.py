"""Mixed precision: the bits of each large layer, chosen by what they were measured to cost the answer.

Each layer is compressed alone, in every number of bits, and the divergence of the probabilities on calibration photos
is its price. From the most bits on, the layer whose next step down costs least for each bit that it saves takes it,
until the mean over all weights is the wanted one. That adds up prices as if layers did not know of each other, which
held well enough: on a MobileNetV2 trained on HAM10000, 2.5 bits chosen so diverge less than 4 bits everywhere by plain
k-means.

Source: Dong et al. 2020, "HAWQ-V2", https://arxiv.org/abs/1911.03852 (there by the Hessian's trace, here measured).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermport.exporters.coreml.bias import mean_shift
from dermport.exporters.coreml.layers import MilLayer
from dermport.exporters.coreml.recipes import MIXED_BITS, Storage
from dermport.exporters.coreml.weights import stored_weight
from dermport.exporters.rounding import InputStatistics
from dermport.runtimes.mil.program import ImageInput, Program, read_program
from dermport.runtimes.mil.reference import ProgramSession
from dermport.runtimes.mil.values import Array

PHOTOS = 48
_LEAST = 1e-7


@dataclass(frozen=True)
class PaletteChoice:
    """A layer's weights, and what each number of bits costs.

    Attributes:
        name: Of the weight.
        size: How many weights.
        prices: Bits to divergence, in ascending bits.
    """

    name: str
    size: int
    prices: Mapping[int, float]


def chosen_bits(candidates: Sequence[PaletteChoice], mean_bits: float) -> dict[str, int]:
    """Return each candidate's bits, so that the mean over all weights is at most `mean_bits` (or the fewest bits)."""
    bits = {candidate.name: max(candidate.prices) for candidate in candidates}
    total = sum(candidate.size for candidate in candidates)
    while sum(bits[one.name] * one.size for one in candidates) > mean_bits * total:
        steps = [(_slope(one, bits[one.name]), one) for one in candidates if bits[one.name] > min(one.prices)]
        if not steps:
            break
        _, cheapest = min(steps, key=lambda step: step[0])
        bits[cheapest.name] = max(b for b in cheapest.prices if b < bits[cheapest.name])
    return bits


def _slope(candidate: PaletteChoice, bits: int) -> float:
    fewer = max(b for b in candidate.prices if b < bits)
    dearer = max(candidate.prices[fewer] - candidate.prices[bits], _LEAST)
    return dearer / (candidate.size * (bits - fewer))


def measured(
    original: Path, layers: Sequence[MilLayer], statistics: Mapping[str, InputStatistics], photos: NDArray[np.uint8]
) -> list[PaletteChoice]:
    """Return what each number of bits of each layer costs.

    Args:
        original: The uncompressed .mlpackage.
        layers: Its large layers.
        statistics: What they read.
        photos: Calibration photos, uint8 [N, S, S, 3]; the first :data:`PHOTOS` are asked about.
    """
    program, image = read_program(original)
    asked = photos[:PHOTOS]
    wanted = _answers(program, image, asked)

    def price(layer: MilLayer, bits: int) -> float:
        weight = stored_weight(layer, Storage("palette", bits), statistics[layer.source])
        shift = mean_shift(weight.astype(np.float64) - layer.weight, statistics[layer.source].mean)
        bias = (layer.bias - shift).astype(layer.bias.dtype)
        changed = {**program.constants, layer.weight_name: weight, layer.bias_name: bias}
        return _divergence(wanted, _answers(replace(program, constants=changed), image, asked))

    return [
        PaletteChoice(layer.weight_name, layer.weight.size, {bits: price(layer, bits) for bits in MIXED_BITS})
        for layer in layers
    ]


def _answers(program: Program, image: ImageInput, photos: NDArray[np.uint8]) -> Array:
    batches = ProgramSession(program, image, [program.classifier.outputs[1]], threads=1).batches(photos)
    return np.concatenate([values.reshape(len(values), -1) for (values,) in batches]).astype(np.float64)


def _divergence(wanted: Array, found: Array) -> float:
    """Return the mean Kullback-Leibler divergence of probabilities [N, C], float16's smallest ones made equal."""
    floor = 1e-6
    return float((wanted * np.log((wanted + floor) / (found + floor))).sum(axis=1).mean())
