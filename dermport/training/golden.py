"""Which photos a bundle carries: the golden set, that every port is held against, and the calibration photos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.golden import GoldenIndex, GoldenPhoto, GoldenSet, write_golden
from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.photo_set import PhotoSet

GOLDEN_PHOTOS = 24
CALIBRATION_PHOTOS = 200
# A photo whose two first labels are closer than this changes its label with the rounding of any honest port. It says
# nothing of a port; how often labels change is what `dermport verify --data` tells, on all photos.
_CLEAR = 0.1


def choose_golden(truth: NDArray[np.integer], probabilities: NDArray[np.floating], seed: int) -> NDArray[np.int64]:
    """Return the indices of up to 24 photos, the labels in turn so that rare ones are there, ascending.

    Of each label, photos that the original is not torn about come first.

    Args:
        truth: Class indices, [N].
        probabilities: The original's answers, [N, C].
        seed: Of the draw.
    """
    random = np.random.default_rng((seed, 1))
    second, first = np.sort(probabilities, axis=1)[:, -2:].T
    by_label = [
        sorted(
            random.permutation(np.flatnonzero(truth == label)), key=lambda index: first[index] - second[index] >= _CLEAR
        )
        for label in np.unique(truth)
    ]
    chosen: list[int] = []
    while any(by_label) and len(chosen) < GOLDEN_PHOTOS:
        for queue in by_label:
            if queue and len(chosen) < GOLDEN_PHOTOS:
                chosen.append(int(queue.pop()))
    return np.array(sorted(chosen), dtype=np.int64)


def choose_calibration(photos: int, seed: int) -> NDArray[np.int64]:
    """Return the indices of up to 200 of `photos` training photos, drawn as they occur, ascending."""
    random = np.random.default_rng((seed, 2))
    return np.sort(random.choice(photos, min(photos, CALIBRATION_PHOTOS), replace=False))


def write_golden_set(
    folder: Path, photos: PhotoSet, labels: Sequence[str], tensors: NDArray[np.uint8], answers: NDArray[np.float32]
) -> None:
    """Write the golden set: each photo's bytes, its tensor, and what the original answers.

    Args:
        folder: Where to.
        photos: The photos of the set; with truth and lesion where they are known.
        labels: The task's label ids.
        tensors: Of the photos, uint8 [N, S, S, 3].
        answers: Probabilities, float32 [N, C].
    """
    names = [f"photos/{index:02d}-{path.name}" for index, path in enumerate(photos.paths)]
    truths = [None] * len(photos) if photos.truth is None else photos.truth.tolist()
    lesions: Sequence[str | None] = photos.groups or [None] * len(photos)
    index = GoldenIndex(
        photos=tuple(
            GoldenPhoto(
                photo=name,
                label=None if truth is None else labels[truth],
                lesion_id=lesion,
                input_sha256=sha256_bytes(tensor.tobytes()),
                probabilities=tuple(map(float, answer)),
            )
            for name, truth, lesion, tensor, answer in zip(names, truths, lesions, tensors, answers, strict=True)
        )
    )
    read = {name: path.read_bytes() for name, path in zip(names, photos.paths, strict=True)}
    write_golden(folder, GoldenSet(index, tensors), read)
