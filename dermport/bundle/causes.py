"""Why two devices answer a photo differently, in the words of phone and server, and when answers count as equal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

CommonCause = Literal["same", "preprocessing", "model", "artifact", "runtime"]
Cause = Literal[CommonCause, "photo-changed", "unexplained"]

CAUSES: dict[str, str] = {
    "same": "Equal inputs and equal probabilities.",
    "photo-changed": "The photo that arrived is not the one that the phone answered.",
    "preprocessing": "The same photo became different inputs: decoding, orientation, cropping or resizing differs.",
    "model": "Phone and server run different models.",
    "artifact": "Phone and server run different exports of one model: precision or conversion differs.",
    "runtime": "The same file gives other numbers on the phone: its runtime or its hardware differs.",
    "unexplained": "The cause is not shown, for evidence is missing.",
}
"""Every cause in words, in the order in which people read them."""

# Finer names of a cause, each the outcome of a test: docs/causes.md says what is tested, and what to do.
PreprocessingFault = Literal[
    "channels-swapped",
    "orientation-ignored",
    "turned",
    "profile-honoured",
    "blank",
    "crop-added",
    "crop-missing",
    "cropped-otherwise",
    "letterboxed",
    "draft-decoding",
    "resized-otherwise",
    "colours-otherwise",
    "decoded-otherwise",
    "hash-of-another-form",
]
PhotoFault = Literal["another-photo", "stale-photo", "re-compressed", "orientation-lost"]
FileFault = Literal["older-version", "newer-version", "other-model", "damaged-file", "unknown-file"]
RuntimeFault = Literal["normalised-twice", "fed-swapped-channels", "another-file", "half-precision", "broken-runtime"]
FaultCode = Literal[PreprocessingFault, PhotoFault, FileFault, RuntimeFault]

# Same bytes in, same file: XNNPACK and ONNX Runtime round float32 differently, by some 1e-7 to 1e-6 of a probability.
SAME = 1e-5


def largest_change(before: Mapping[str, float], after: Mapping[str, float]) -> float:
    """Return the largest |Δp| over the labels, which are those of both."""
    return max(abs(after[label] - p) for label, p in before.items())
