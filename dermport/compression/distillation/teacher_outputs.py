"""What a teacher answers to augmented copies of the training photos: computed once, kept in memory-mapped files.

The augmentation is drawn from (seed, view, photo), so that the student is later shown the very copy that the teacher
has seen (as in Shen and Xing 2022, arXiv:2112.01528, and Faghri et al. 2023, arXiv:2303.08983), whatever its batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermport.compression.distillation.teacher import Teacher
from dermport.progress import Progress
from dermport.training.augment import Augmentation, augment_each
from dermport.training.cache import kept_folder
from dermport.training.parts import PartPhotos

_BATCH, _KEPT = 32, 16
_LOGITS, _FEATURES = "logits.npy", "features.npy"


@dataclass(frozen=True)
class Views:
    """Augmented copies of photos, which can be made again at any time.

    Attributes:
        count: How many of each photo.
        augmentation: What they went through.
        seed: Of the draws.
    """

    count: int
    augmentation: Augmentation
    seed: int

    def of(
        self, tensors: NDArray[np.uint8], indices: NDArray[np.int64], views: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return a copy of each photo `indices` [B] of `tensors` uint8 [N, S, S, 3], float32 [B, S, S, 3]."""
        randoms = [np.random.default_rng((self.seed, view, index)) for view, index in _pairs(views, indices)]
        return augment_each(tensors[indices], self.augmentation, randoms)


@dataclass(frozen=True)
class TeacherOutputs:
    """A teacher's answers to every view; the arrays are memory-mapped, read only.

    Attributes:
        logits: float32 [V, N, C].
        features: float16 [V, N, F], or None where they were not asked for.
    """

    logits: NDArray[np.float32]
    features: NDArray[np.float16] | None

    def of(
        self, indices: NDArray[np.int64], views: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.floating]]:
        """Return logits [B, C] and features [B, F] (no columns where there are none) of a view of each photo [B]."""
        logits = self.logits[views, indices]
        return logits, np.empty((len(indices), 0)) if self.features is None else self.features[views, indices]


def cached_outputs(
    folder: Path, teacher: Teacher, photos: PartPhotos, views: Views, *, features: bool, progress: Progress
) -> TeacherOutputs:
    """Return a teacher's answers, from the cache `folder` if they are there.

    They are found by the teacher's sha256, the photos and what they go through, and the views. The sixteen used last
    are kept.

    Args:
        folder: Of the cache.
        teacher: Whose.
        photos: Prepared for the teacher; read only if the answers are not in the cache.
        views: Of the photos.
        features: Whether the pooled features are kept too.
        progress: Where the progress is shown.
    """
    key = {
        "teacher": teacher.sha256,
        "photos": photos.source.key,
        "views": {"count": views.count, "seed": views.seed, "augmentation": vars(views.augmentation)},
        "features": features,
        "layout": 1,
    }
    path = kept_folder(
        folder,
        key,
        lambda part: _compute(part, teacher, photos, views, features=features, progress=progress),
        keep=_KEPT,
    )
    kept: Any = np.load(path / _FEATURES, mmap_mode="r") if features else None
    return TeacherOutputs(np.load(path / _LOGITS, mmap_mode="r"), kept)


def _compute(
    folder: Path, teacher: Teacher, photos: PartPhotos, views: Views, *, features: bool, progress: Progress
) -> None:
    tensors, count = photos.tensors, len(photos.records)
    create = np.lib.format.open_memmap
    classes = len(photos.split.dataset.task.spec.ids)
    logits = create(folder / _LOGITS, mode="w+", dtype=np.float32, shape=(views.count, count, classes))
    shape = (views.count, count, teacher.width if features else 0)
    pooled = create(folder / _FEATURES, mode="w+", dtype=np.float16, shape=shape) if features else None
    with progress.bar(f"Answers of {teacher.name}, {views.count} views") as update:
        for view in range(views.count):
            for start in range(0, count, _BATCH):
                rows = np.arange(start, min(start + _BATCH, count))
                answers = teacher.outputs(views.of(tensors, rows, np.full(len(rows), view)))
                logits[view, rows] = answers[0]
                if pooled is not None:
                    pooled[view, rows] = answers[1]
                update(view * count + int(rows[-1]) + 1, views.count * count)
    logits.flush()
    if pooled is not None:
        pooled.flush()


def _pairs(views: NDArray[np.int64], indices: NDArray[np.int64]) -> Sequence[tuple[int, int]]:
    return list(zip(views.tolist(), indices.tolist(), strict=True))
