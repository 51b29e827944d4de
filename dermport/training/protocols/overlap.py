"""How many test photos a training has seen: the photo itself, or another one of its lesion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dermport.training.data.dataset import Dataset
from dermport.training.protocols.draws import Draw


@dataclass(frozen=True)
class Overlap:
    """Which entries of a test part have a twin in the training part.

    Attributes:
        same_photo: The same photo trains, bool [T].
        same_lesion: The same photo, another one of its lesion, or a near-duplicate of one trains, bool [T].
    """

    same_photo: NDArray[np.bool_]
    same_lesion: NDArray[np.bool_]


def find_overlap(dataset: Dataset, draw: Draw) -> Overlap:
    """Return the twins of a draw's test part; photos with equal bytes are one photo in a data set."""
    groups = np.asarray(dataset.groups())
    return Overlap(
        same_photo=np.isin(draw.test, draw.train),
        same_lesion=np.isin(groups[draw.test], np.unique(groups[draw.train])),
    )


def expected_copies(counts: Sequence[int], train: float) -> float:
    """Return the share of entries of which a copy trains, where classes are oversampled before they are parted.

    Each class of n photos gets N - n copies, drawn with replacement, up to the N of the commonest; then entries are
    parted at random. An entry that is one of the n originals has no copy in training with the chance
    (1 - f/n)^(N - n), where f is the training part's share; one of the N - n copies with (1 - f)(1 - f/n)^(N - n - 1).

    Args:
        counts: Photos of each class.
        train: The training part's share, f.
    """
    most = max(counts)
    return float(np.mean([1 - _alone(count, most, train) for count in counts if count]))


def _alone(count: int, most: int, train: float) -> float:
    """Return the chance that an entry of a class has no copy in training."""
    drawn = most - count
    if not drawn:
        return 1.0
    missed = 1 - train / count
    return float((count * missed**drawn + drawn * (1 - train) * missed ** (drawn - 1)) / most)
