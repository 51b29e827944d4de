"""Ready means proved: photos are read as published, and the live runtime answers the golden set within policy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.export_record import ExportRecord, Status
from dermport.bundle.golden import GoldenSet
from dermport.bundle.manifest import Manifest
from dermport.bundle.parity import Figures, compare
from dermport.bundle.policy import read_policy
from dermport.bundle.vectors.proof import misreading


@dataclass(frozen=True)
class Proof:
    """How the live runtime answered the golden set.

    Attributes:
        figures: The comparison with the original's answers.
        worst_photo: The golden photo whose answer changed most.
        status: What the policy says of it.
        reasons: Why it did not pass.
        misreading: Which published photos this machine reads otherwise, in a sentence; empty where none.
    """

    figures: Figures
    worst_photo: str
    status: Status
    reasons: tuple[str, ...]
    misreading: str = ""

    @property
    def complaint(self) -> str:
        """What is wrong, naming the photos that differ, or an empty string."""
        if self.misreading or self.status != "fail":
            return self.misreading
        return (
            f"The live runtime's answers to the golden set are not the original's: {'; '.join(self.reasons)}. "
            f"Golden photo {self.worst_photo} differs most, by {self.figures.max_change:.3g}."
        )


def prove(
    answers: NDArray[np.float32], labels: tuple[str, ...], golden: GoldenSet, manifest: Manifest, record: ExportRecord
) -> Proof:
    """Judge a runtime's answers to the golden set, float32 [N, C], as ``dermport verify`` judges the artifact."""
    figures = compare(manifest, golden.probabilities, answers, labels)
    status, reasons = read_policy().judge(record.policy, figures)
    return Proof(figures, golden.index.photos[figures.worst_photo].photo, status, reasons, misreading())
