"""The precisions: each turns the float16 classifier into a smaller one.

Only weights are compressed; activations stay float16. Tensors of up to :data:`LARGEST_UNCOMPRESSED` elements stay
float16 too: in MobileNetV2 these are the depthwise convolutions and the first blocks, 6 % of the weights, and the ones
that it cannot lose. Compressing them as well took int8 from 0.99 to 0.86 top-1 agreement on 300 HAM10000 photos.

Source: Apple, "Optimizing Models", https://apple.github.io/coremltools/docs-guides/source/opt-overview.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from exporters.coreml.quiet import import_coremltools, quiet

LARGEST_UNCOMPRESSED = 10_000
UNCOMPRESSED = "fp16"


def _half(classifier: Any) -> Any:
    return classifier


def _int8(classifier: Any) -> Any:
    """Weights as int8 with one scale per output channel, symmetric about zero."""
    cto = import_coremltools().optimize.coreml
    config = cto.OpLinearQuantizerConfig(
        mode="linear_symmetric", dtype="int8", granularity="per_channel", weight_threshold=LARGEST_UNCOMPRESSED
    )
    with quiet():
        return cto.linear_quantize_weights(classifier, cto.OptimizationConfig(global_config=config))


def _palette4(classifier: Any) -> Any:
    """Weights as 4-bit indices into one palette per tensor (iOS 16 knows no finer) by k-means from a fixed seed."""
    cto = import_coremltools().optimize.coreml
    config = cto.OpPalettizerConfig(mode="kmeans", nbits=4, weight_threshold=LARGEST_UNCOMPRESSED)
    with quiet():
        return cto.palettize_weights(classifier, cto.OptimizationConfig(global_config=config))


RECIPES: dict[str, Callable[[Any], Any]] = {UNCOMPRESSED: _half, "int8": _int8, "palette4": _palette4}
