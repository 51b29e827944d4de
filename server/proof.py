"""Ready means proved: the live runtime answers the golden set as the original did, or the server takes no traffic."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bundle.golden import GoldenSet
from runtimes.base import Runtime


@dataclass(frozen=True)
class Bound:
    """How far a healthy artifact may be from the original; a photo's change is its largest |Δp| over the labels.

    Attributes:
        worst: Of any one photo.
        mean: Over the photos. What a quantised artifact is held to: int8 moves single photos by almost 1.
    """

    worst: float
    mean: float


BOUNDS = {
    "fp32": Bound(worst=2e-3, mean=5e-4),  # TensorRT's TF32 is the farthest of the healthy ones
    "fp16": Bound(worst=0.1, mean=0.02),
}
QUANTISED = Bound(worst=1.0, mean=0.25)


@dataclass(frozen=True)
class Proof:
    """How the live runtime answered the golden set."""

    photos: int
    worst_photo: str
    worst_change: float
    mean_change: float
    bound: Bound

    @property
    def complaint(self) -> str:
        """What is wrong, or an empty string."""
        if not math.isfinite(self.worst_change):
            return f"The live runtime's answer to golden photo {self.worst_photo} is not a number."
        if self.worst_change > self.bound.worst:
            return (
                f"The live runtime's answer to golden photo {self.worst_photo} differs from the original's by "
                f"{self.worst_change:.3g} (bound {self.bound.worst:g})."
            )
        if self.mean_change > self.bound.mean:
            return (
                f"The live runtime's answers to the golden set differ from the original's by {self.mean_change:.3g} "
                f"on average (bound {self.bound.mean:g}), most on {self.worst_photo}."
            )
        return ""


def prove(runtime: Runtime, golden: GoldenSet, precision: str) -> Proof:
    """Run the golden set through a runtime and hold its answers against the original's."""
    changes = _changes(runtime.predict(golden.tensors), golden.probabilities)
    worst = int(np.argmax(changes))
    return Proof(
        photos=len(changes),
        worst_photo=golden.index.photos[worst].photo,
        worst_change=float(changes[worst]),
        mean_change=float(changes.mean()),
        bound=BOUNDS.get(precision, QUANTISED),
    )


def _changes(live: NDArray[np.float32], original: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return each photo's largest |Δp|, float64 [N]; infinite where a probability is not finite."""
    changes = np.abs(live.astype(np.float64) - original).max(axis=1)
    return np.where(np.isfinite(changes), changes, np.inf)
