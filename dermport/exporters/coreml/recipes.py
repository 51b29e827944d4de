"""The precisions: how each stores the weights of a float16 classifier. Activations stay float16 in all of them.

Sizes decide which layers are compressed how far. The large ones, 94 % of MobileNetV2's weights, take what the precision
names. The small ones (depthwise convolutions, the first blocks, the classifier) are what it cannot lose, and take int8
with a scale per channel. The smallest stay float16: among them is the first depthwise convolution, whose weights of up
to 55 cancel each other, and which alone cost 8-bit models 0.8 of 1.2 points of agreement.

Source: Apple, "Optimizing Models", https://apple.github.io/coremltools/docs-guides/source/opt-overview.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dermport.exporters.coreml.layers import MilLayer
from dermport.exporters.rounding import LARGEST_FLOAT, LARGEST_INT8

UNCOMPRESSED = "fp16"
MIXED_BITS = (2, 3, 4, 6)


@dataclass(frozen=True)
class Storage:
    """How a layer's weights are stored.

    Attributes:
        kind: ``"int"``: codes and scales; ``"palette"``: indices into tables of values.
        bits: Of a code or an index.
        shared: Inputs that share a scale, or output channels that share a table; 0: all of a channel, or of a layer.
    """

    kind: Literal["int", "palette"]
    bits: int
    shared: int = 0


INT8 = Storage("int", 8)


@dataclass(frozen=True)
class PackageCompression:
    """One precision.

    Attributes:
        large: How large layers are stored.
        ios: The first iOS that reads it: 16 knows 1, 2, 4, 6 and 8 bits and one table for a tensor; 18 knows 3 bits
            too, tables for groups of channels, and 4-bit codes with scales for blocks.
        mean_bits: Where above 0: the bits of each large layer are chosen (:mod:`dermport.exporters.coreml.mixed`), with
            this mean over all their weights.
    """

    large: Storage
    ios: Literal[16, 18] = 16
    mean_bits: float = 0


RECIPES: Mapping[str, PackageCompression | None] = {
    UNCOMPRESSED: None,
    "int8": PackageCompression(INT8),
    "palette4": PackageCompression(Storage("palette", 4)),
    "palette2": PackageCompression(Storage("palette", 2)),
    "palette3": PackageCompression(Storage("palette", 3), ios=18),
    "palette6": PackageCompression(Storage("palette", 6)),
    "palette4-groups": PackageCompression(Storage("palette", 4, shared=16), ios=18),
    "palette-mixed": PackageCompression(Storage("palette", max(MIXED_BITS)), ios=18, mean_bits=3.0),
    "int4": PackageCompression(Storage("int", 4, shared=32), ios=18),
}


def storages(layers: list[MilLayer], large: Mapping[str, Storage] | Storage) -> dict[str, Storage]:
    """Return how each layer that is compressed at all is stored, by the name of its weight.

    Args:
        layers: The package's layers.
        large: For large layers, by the name of the weight, or one for all.
    """
    compressed = [layer for layer in layers if layer.weight.size > LARGEST_FLOAT]
    chosen = {
        layer.weight_name: large if isinstance(large, Storage) else large.get(layer.weight_name, INT8)
        for layer in compressed
    }
    return {layer.weight_name: chosen[layer.weight_name] if is_large(layer) else INT8 for layer in compressed}


def is_large(layer: MilLayer) -> bool:
    """Whether a layer takes what the precision names, and not int8 whatever the precision."""
    return layer.weight.size > LARGEST_INT8
