"""The photos of the three parts of a split, decoded when they are first needed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.hashing import sha256_json
from dermport.bundle.manifest import Part, Preprocessing
from dermport.bundle.photo_set import PhotoSet
from dermport.progress import Progress
from dermport.training.data.photos import Rows, cached_tensors, load_tensors, photo_set
from dermport.training.data.records import Record
from dermport.training.data.splits import Split
from dermport.training.features import PhotoSource


@dataclass(frozen=True)
class PartPhotos:
    """The photos of one part, decoded when they are first needed.

    Attributes:
        split: The data set and its parts.
        part: Which.
        preprocessing: What they go through.
        jobs: Threads that decode; None for one per processor.
        progress: Where the progress is shown.
        cache: Where the whole data set is kept decoded, for every part and every training; None for this part's
            photos in memory.
        whole: Whether features are computed of the whole data set, once for every split of it.
    """

    split: Split
    part: Part
    preprocessing: Preprocessing
    jobs: int | None
    progress: Progress
    cache: Path | None = None
    whole: bool = False

    @cached_property
    def photos(self) -> PhotoSet:
        """The photos with what is known of them; with a cache, tensors are rows of it, read as they are indexed."""
        return replace(photo_set(self.split.dataset, self.records, self.part), load=self._load)

    @property
    def tensors(self) -> NDArray[np.uint8]:
        """The model's inputs, uint8 [N, S, S, 3]."""
        return self.photos.tensors(self.preprocessing)

    def some_tensors(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the model's inputs of a few photos, uint8 [n, S, S, 3], without preparing the others."""
        return np.asarray(self.photos.take(indices).tensors(self.preprocessing))

    def _load(self, spec: Preprocessing, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        if self.cache is not None:
            return self._cached(self.cache, self.split.indices(self.part)[indices])
        with self.progress.bar(f"Preparing {self.part} photos") as update:
            return load_tensors([self.records[one] for one in indices], spec, jobs=self.jobs, update=update)

    def _cached(self, cache: Path, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        bar = self.progress.bar("Preparing photos")
        path = cached_tensors(cache, self.split.dataset.records, self.preprocessing, jobs=self.jobs, bar=bar)
        # Rows has of an array what those who train and predict use: length, shape, indexing, conversion.
        return cast("NDArray[np.uint8]", Rows.opened(path, indices))

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """What the photos are."""
        return self.split.records(self.part)

    @property
    def targets(self) -> NDArray[np.int64]:
        """Class indices, int64 [N]."""
        return self.photos.targets

    @property
    def source(self) -> PhotoSource:
        """The photos, as the feature cache identifies them: this part's, or all of the data set."""
        records = self.split.dataset.records if self.whole else self.records
        key = {
            "dataset": self.split.dataset.fingerprint,
            "part": "all" if self.whole else self.part,
            "photos": sha256_json([[record.photo_id, record.sha256] for record in records]),
            "preprocessing": self.preprocessing.model_dump(),
        }
        return PhotoSource(key, len(records), self._all_tensors if self.whole else lambda: self.tensors)

    def _all_tensors(self) -> NDArray[np.uint8]:
        everything = np.arange(len(self.split.dataset.records))
        if self.cache is not None:
            return self._cached(self.cache, everything)
        return load_tensors(self.split.dataset.records, self.preprocessing, jobs=self.jobs)


@dataclass(frozen=True)
class SplitPhotos:
    """The photos of the three parts."""

    train: PartPhotos
    validation: PartPhotos
    test: PartPhotos
