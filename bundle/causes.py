"""Why two devices answer a photo differently, in the words of phone and server, and when answers count as equal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

CommonCause = Literal["same", "preprocessing", "model", "artifact", "runtime"]
Cause = Literal[CommonCause, "photo-changed", "unexplained"]

# Same bytes in, same file: XNNPACK and ONNX Runtime round float32 differently, by some 1e-7 to 1e-6 of a probability.
SAME = 1e-5


def largest_change(before: Mapping[str, float], after: Mapping[str, float]) -> float:
    """Return the largest |Δp| over the labels, which are those of both."""
    return max(abs(after[label] - p) for label, p in before.items())
