"""The photos of a search: a few to train on, all validation photos to judge by, and none of the test part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.manifest import Part, Preprocessing
from dermport.progress import Progress
from dermport.training.data.splits import Split
from dermport.training.parts import PartPhotos, SplitPhotos

_WATCHED = 64  # validation photos that a quick training looks at after each epoch: a person's eyes, no choice
_HELD = 2  # sizes whose photos are kept decoded


@dataclass
class SearchPhotos:
    """The photos of a search at any size.

    The test part is taken out of the split before anything else happens, so that nothing below can reach it.

    Args:
        split: All photos, parted as the parent's were.
        preprocessing: What the parent's photos go through; the size alone changes.
        drawn: How many training photos are used; fewer where there are fewer.
        seed: Of the draw.
        jobs: Threads that decode; None for one per processor.
        progress: Where the progress is shown.
    """

    split: Split
    preprocessing: Preprocessing
    drawn: int
    seed: int
    jobs: int | None
    progress: Progress
    _held: dict[int, tuple[SplitPhotos, PartPhotos]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        seen = [index for index, part in enumerate(self.split.parts) if part != "test"]
        self.split = subset(self.split, seen)

    @property
    def training_photos(self) -> int:
        """How many photos the quick training has."""
        return min(self.drawn, self.split.photos()["train"])

    def parts(self, size: int) -> SplitPhotos:
        """Return what the steps train on at a size; the test part is empty."""
        return self._at(size)[0]

    def judged(self, size: int) -> PartPhotos:
        """Return the validation photos at a size."""
        return self._at(size)[1]

    def _at(self, size: int) -> tuple[SplitPhotos, PartPhotos]:
        if size not in self._held:
            while len(self._held) >= _HELD:
                self._held.pop(next(iter(self._held)))
            self._held[size] = self._prepared(size)
        return self._held[size]

    def _prepared(self, size: int) -> tuple[SplitPhotos, PartPhotos]:
        few = subset(self.split, [*self._some("train", self.training_photos), *self._some("validation", _WATCHED)])
        train, watched, nothing = (self._photos(few, part, size) for part in ("train", "validation", "test"))
        return SplitPhotos(train, watched, nothing), self._photos(self.split, "validation", size)

    def _photos(self, split: Split, part: Part, size: int) -> PartPhotos:
        spec = self.preprocessing.model_copy(update={"size": size})
        return PartPhotos(split, part, spec, self.jobs, self.progress)

    def _some(self, part: Part, count: int) -> NDArray[np.int64]:
        indices = self.split.indices(part)
        random = np.random.default_rng((self.seed, 3))
        return np.sort(random.permutation(indices)[:count])


def subset(split: Split, indices: Sequence[int] | NDArray[np.int64]) -> Split:
    """Return a split that holds some records alone, in the order of `indices`."""
    records = tuple(split.dataset.records[index] for index in indices)
    return Split(replace(split.dataset, records=records), tuple(split.parts[index] for index in indices), split.seed)
