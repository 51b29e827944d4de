"""The photos of an import: with labels, without, or drawn where none are given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.manifest import Part, Preprocessing
from dermport.bundle.photo_folder import photos_below
from dermport.bundle.photo_set import PhotoSet
from dermport.bundle.prep import prepare
from dermport.errors import DataError, PhotoError
from dermport.importing.request import ImportRequest
from dermport.progress import Progress
from dermport.training.data.dataset import read_dataset
from dermport.training.data.photos import stream_tensors
from dermport.training.data.sources import open_dataset
from dermport.training.data.splits import Split, split_dataset
from dermport.training.data.tasks import Task
from dermport.training.parts import PartPhotos, SplitPhotos
from dermport.training.sample.sample_set import draw_sample_set

_DRAWN = 42
_DRAWN_SIZE = (300, 225)


@dataclass(frozen=True)
class ImportPhotos:
    """The photos of an import.

    Attributes:
        photos: All of them, for the proof and the probe.
        split: Their parts, where they have labels of the model's.
        drawn: Whether dermport drew them, for want of any.
        jobs: Threads that prepare them; None for one per processor.
    """

    photos: PhotoSet
    split: Split | None = None
    drawn: bool = False
    jobs: int | None = None

    def batches(self, preprocessing: Preprocessing) -> Iterator[NDArray[np.uint8]]:
        """Yield all of them, prepared, uint8 [n, S, S, 3]."""
        if self.split is not None:
            yield from stream_tensors(self.split.dataset.records, preprocessing, jobs=self.jobs)
            return
        for start in range(0, len(self.photos), 32):
            chosen = np.arange(start, min(start + 32, len(self.photos)))
            yield self.photos.take(chosen).tensors(preprocessing)

    def parts(self, preprocessing: Preprocessing, progress: Progress) -> SplitPhotos:
        """Return the parts of labelled photos."""
        split = cast("Split", self.split)
        names: tuple[Part, ...] = ("train", "validation", "test")
        return SplitPhotos(*(PartPhotos(split, part, preprocessing, self.jobs, progress) for part in names))


def read_import_photos(request: ImportRequest, task: Task | None, drawn: Path, progress: Progress) -> ImportPhotos:
    """Read the photos that are asked for, or draw some.

    Args:
        request: What is asked.
        task: What the model tells apart; None where its labels are not known, and so fit nobody's.
        drawn: An empty folder to draw into.
        progress: What a person sees.

    Raises:
        DataError: None of the photos can be read.
    """
    if request.data is None:
        with progress.bar("Drawing test images") as update:
            draw_sample_set(drawn / "photos", photos=_DRAWN, size=_DRAWN_SIZE, seed=request.seed, update=update)
        progress.say("No photos were given: the proof is on drawn test images, which say nothing of real ones.")
        return ImportPhotos(_unlabelled("drawn test images", photos_below(drawn), progress), drawn=True)
    if task is not None:
        try:
            source = open_dataset(request.data)
        except DataError as error:
            if not request.data.is_dir():
                raise
            progress.say(f"The photos are taken without labels: {error.message.split('. ')[0]}.")
        else:
            return _labelled(request, source, task, progress)
    return ImportPhotos(_unlabelled(request.data.name, photos_below(request.data), progress))


def _labelled(request: ImportRequest, source: object, task: Task, progress: Progress) -> ImportPhotos:
    from dermport.training.data.photos import photo_set

    with progress.bar("Reading photos") as update:
        dataset = read_dataset(source, task, near_duplicates=True, jobs=request.jobs or None, update=update)  # type: ignore[arg-type]
    progress.say(dataset.report.to_text())
    split = split_dataset(dataset, seed=request.seed)
    photos = photo_set(dataset, dataset.records, "all", jobs=request.jobs or None)
    return ImportPhotos(photos, split, jobs=request.jobs or None)


def _unlabelled(name: str, paths: Sequence[Path], progress: Progress) -> PhotoSet:
    """Return photos without truth; those that cannot be prepared are left out, and told."""
    kept, refused = [], []
    for path in paths:
        try:
            prepare(path.read_bytes(), Preprocessing(size=32))
            kept.append(path)
        except (OSError, PhotoError) as error:
            refused.append(f"{path.name}: {error}")
    if refused:
        progress.say(f"{len(refused)} of {len(paths)} photos are refused, such as {refused[0]}")
    if not kept:
        raise DataError(
            f"{name} holds no photo that can be read.", remedy="Name a folder of photos: {data}.", of=ImportRequest
        )
    return PhotoSet(name, [path.name for path in kept], _loader(kept), paths=kept)


def _loader(paths: Sequence[Path]) -> Callable[[Preprocessing, NDArray[np.int64]], NDArray[np.uint8]]:
    def load(preprocessing: Preprocessing, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        return np.stack([prepare(paths[index].read_bytes(), preprocessing).tensor for index in indices])

    return load
