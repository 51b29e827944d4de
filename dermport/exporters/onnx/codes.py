"""How numbers become 8-bit codes, and how large codes may be before a CPU's 8-bit products saturate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dermport.exporters.onnx.graph import attribute, channel_axis

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Codes:
    """How a tensor is written: value = (code - zero) * scale.

    Attributes:
        scale: float32, [] for a tensor or [channels].
        zero: The zero-point, of the codes' type, in the same shape.
    """

    scale: NDArray[np.float32]
    zero: NDArray[Any]

    @classmethod
    def of_range(cls, low: float, high: float) -> Codes:
        """Return the uint8 codes that reach from `low` to `high` and hold 0 exactly."""
        low, high = min(low, 0), max(high, 0)
        scale = max((high - low) / 255, 1e-12)
        return cls(np.array(scale, np.float32), np.array(round(-low / scale), np.uint8))

    @classmethod
    def symmetric(cls, scale: NDArray[np.float32]) -> Codes:
        """Return int8 codes with a scale for each channel, [channels], and 0 in their middle."""
        return cls(scale, np.zeros(len(scale), np.int8))


def pair_sums(node: onnx.NodeProto, weight: NDArray[Any]) -> NDArray[Any]:
    """Return the largest sum of two neighbouring weights of one sign for each output channel, [out].

    x86 processors without VNNI (Intel's before 2019, AMD's before 2022) add the products of two neighbouring input
    channels, 2i and 2i + 1, in int16, which saturates (onnxruntime.ai/docs/performance/model-optimizations/
    quantization.html, "When and why do I need to try U8U8?"). With activations of up to 255, a sum of 128 just fits.
    Depthwise convolutions have a kernel of their own, which does not saturate; theirs are the largest single weights.

    Args:
        node: A Conv, Gemm or MatMul.
        weight: Its weight, as codes or as values.
    """
    rows = np.moveaxis(weight, channel_axis(node), 0)
    if attribute(node, "group", 1) > 1:
        return np.asarray(np.abs(rows).max(axis=(1, 2, 3)))
    rows = np.moveaxis(rows, 1, -1).reshape(len(rows), -1)  # channels last, as CPUs compute
    rows = np.pad(rows, ((0, 0), (0, rows.shape[1] % 2)))
    signed = np.stack([rows.clip(min=0), -rows.clip(max=0)])
    return np.asarray((signed[..., ::2] + signed[..., 1::2]).max(axis=(0, 2)))
