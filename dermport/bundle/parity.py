"""How far an artifact's answers are from the original's: pure arithmetic on arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.export_record import MapParity
from dermport.bundle.manifest import Decision, TaskSpec, threshold_of
from dermport.statistics.estimates import Delta
from dermport.statistics.metrics import scores
from dermport.statistics.wilson import wilson_interval


class Judged(Protocol):
    """What a comparison reads of a bundle's manifest, or of a release's."""

    @property
    def task(self) -> TaskSpec:
        """What is told apart."""
        ...

    @property
    def decision(self) -> Decision | None:
        """The rule that turns probabilities into yes or no; None where labels alone are told."""
        ...


@dataclass(frozen=True)
class Figures:
    """The comparison of one artifact with the original.

    Attributes:
        photos: How many photos were compared.
        max_change: Largest |change| of a probability.
        worst_photo: The index of the photo that shows it.
        mean_change: Mean |change| over all probabilities.
        top1_agreement: Share of photos with the same most probable label.
        agreement_interval: Its 95 % Wilson interval.
        flips_to_positive: Photos that only the artifact's decision calls positive.
        flips_to_negative: Photos that only the original's decision calls positive.
        labels: The labels that the artifact carries.
        labels_match: Whether they are the bundle's, in the bundle's order.
        metrics: Change of each metric, where the photos' labels are known.
        maps: How the class activation maps compare, where the artifact gives them.
    """

    photos: int
    max_change: float
    worst_photo: int
    mean_change: float
    top1_agreement: float
    agreement_interval: tuple[float, float]
    flips_to_positive: int
    flips_to_negative: int
    labels: tuple[str, ...]
    labels_match: bool
    metrics: Mapping[str, Delta] = field(default_factory=dict)
    maps: MapParity | None = None


def compare_maps(
    original: NDArray[np.float32], artifact: NDArray[np.float32], predicted: NDArray[np.int64]
) -> MapParity:
    """Compare class activation maps float32 [N, h, w, C]; `artifact` is already in the bundle's order of labels.

    Changes are shares of each photo's own range: the largest less the smallest cell of the original. A cell that is not
    finite counts as changed by the whole range.

    Args:
        original: The maps of ``model.keras``.
        artifact: Those of the artifact.
        predicted: The label that the original predicts for each photo, int [N].
    """
    span = np.maximum(np.ptp(original, axis=(1, 2, 3)), 1e-6)[:, None, None, None]
    change = np.nan_to_num(np.abs(artifact.astype(np.float64) - original) / span, nan=1.0, posinf=1.0)
    rows = np.arange(len(original))
    cells = [maps[rows, :, :, predicted].reshape(len(rows), -1).argmax(axis=1) for maps in (original, artifact)]
    agreement = float((cells[0] == cells[1]).mean())
    return MapParity(max_change=float(change.max()), mean_change=float(change.mean()), cell_agreement=agreement)


def in_bundle_order(
    probabilities: NDArray[np.float32], labels: tuple[str, ...], wanted: tuple[str, ...]
) -> NDArray[np.float32]:
    """Reorder the last axis by label name, as a reader of the artifact's labels would; as it is where names differ."""
    if sorted(labels) != sorted(wanted):
        return probabilities
    return probabilities[..., [labels.index(label) for label in wanted]]


def compare(
    manifest: Judged,
    original: NDArray[np.float32],
    artifact: NDArray[np.float32],
    labels: tuple[str, ...],
    metrics: Mapping[str, Delta] | None = None,
    *,
    maps: MapParity | None = None,
) -> Figures:
    """Compare probabilities float32 [N, C]; `artifact` is already in the bundle's order.

    A probability that is not finite counts as changed by 1 (the most that a probability can).
    """
    change = np.nan_to_num(np.abs(artifact.astype(np.float64) - original), nan=1.0, posinf=1.0)
    agree = int((original.argmax(axis=1) == artifact.argmax(axis=1)).sum())
    positive, threshold = manifest.task.positive_indices, threshold_of(manifest.decision)
    before, after = scores(original, positive) >= threshold, scores(artifact, positive) >= threshold
    return Figures(
        photos=len(original),
        max_change=float(change.max()),
        worst_photo=int(change.max(axis=1).argmax()),
        mean_change=float(change.mean()),
        top1_agreement=agree / len(original),
        agreement_interval=wilson_interval(agree, len(original)),
        flips_to_positive=int((after & ~before).sum()),
        flips_to_negative=int((before & ~after).sum()),
        labels=labels,
        labels_match=labels == manifest.task.ids,
        metrics=metrics or {},
        maps=maps,
    )
