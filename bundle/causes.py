"""Why two devices answer the same photo differently: the vocabulary of phone and server, and when answers are equal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

CommonCause = Literal["same", "preprocessing", "model", "artifact", "runtime"]
Cause = Literal[CommonCause, "photo-changed", "unexplained"]

COMMON_CAUSES: dict[str, str] = {
    "same": "equal inputs, equal probabilities (to 1e-5)",
    "preprocessing": "the photo became different inputs: decoding, orientation or resizing differs",
    "model": "equal inputs, but the two run different models",
    "artifact": "equal inputs and model, but another export of it: precision or conversion",
    "runtime": "equal inputs and the same file: the runtimes differ",
}
# Same bytes in, same file: XNNPACK and ONNX Runtime round float32 differently, by some 1e-7 to 1e-6 of a probability.
SAME = 1e-5


def largest_change(before: Mapping[str, float], after: Mapping[str, float]) -> float:
    """Return the largest |Δp| over the labels, which are those of both."""
    return max(abs(after[label] - p) for label, p in before.items())
