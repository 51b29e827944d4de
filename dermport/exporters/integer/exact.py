"""Scales with which every runtime computes the same codes, bit for bit.

A convolution's sum is an integer; each runtime turns it into an 8-bit code by a multiplication in float32 (TensorRT,
LiteRT's XNNPACK) or computes all of it in float32 (Keras, ONNX Runtime). With scales of any size that rounds in the
last place, a few codes in a million fall to the other side of a half, and in a network as deep as MobileNetV2 half of
the last layers' codes differ for it.

Where activations' scales are powers of two and weights' scales have six significant bits, no float32 operation of any
of them rounds, in whatever order it adds, as long as a sum stays below 2^18 steps; ties go to the even code in all of
them. Residual sums are the exception: XNNPACK rounds their ties upwards. With one scale for all that a chain of skip
connections adds there is nothing to round.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

_CLIPPED = 0.02  # of a doubling: 1.4 % beyond the codes is cut off rather than half of them given up


def exact_scales(scales: Mapping[str, float], sums: Iterable[Iterable[str]]) -> dict[str, float]:
    """Return powers of two for the scales of activations, one for each chain of skip connections.

    Args:
        scales: By the layer that produces the tensor.
        sums: For each residual sum, its own name and those of what it adds.
    """
    chains: list[set[str]] = []
    for names in map(set, sums):
        joined = [chain for chain in chains if chain & names]
        chains = [chain for chain in chains if not chain & names] + [names.union(*joined)]
    chain_of = {name: chain for chain in chains for name in chain}
    return {name: _power(max(scales[each] for each in chain_of.get(name, {name}))) for name in scales}


def _power(scale: float) -> float:
    return float(2.0 ** np.ceil(np.log2(scale) - _CLIPPED))
