"""From records to tensors, through ``dermport-prep/1`` and on every processor."""

from __future__ import annotations

import mmap
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dermport.bundle.hashing import sha256_json
from dermport.bundle.manifest import Preprocessing
from dermport.bundle.photo_set import PhotoSet
from dermport.bundle.prep import prepare
from dermport.errors import DataError, PhotoError
from dermport.progress import SILENT, Progress, Update
from dermport.training.cache import kept_folder
from dermport.training.data.dataset import Dataset
from dermport.training.data.records import Record

_BATCHES_AHEAD = 2
_KEPT = 3  # 10,015 photos at 224 pixels are 1.5 GB
_TENSORS = "tensors.npy"
_GIVE_BACK: int | None = getattr(mmap, "MADV_DONTNEED", None)  # not on Windows


@dataclass(frozen=True)
class Rows:
    """Some rows of a memory-mapped array, read when they are asked for: what consumers of an array index and count.

    Indexing by numbers, slices or masks gives a plain array of those rows alone; ``np.asarray`` reads all of them.
    Pages that were read are given back at once, so that a process never holds more photos than it works on; the system
    keeps them in its own cache as long as memory is plenty.

    Attributes:
        array: [M, ...], of `mapping`; photos are uint8 [M, S, S, 3].
        mapping: The file.
        indices: Which of its rows these are, int64 [N].
    """

    array: NDArray[Any]
    mapping: mmap.mmap
    indices: NDArray[np.int64]

    @classmethod
    def opened(cls, path: Path, indices: NDArray[np.int64]) -> Rows:
        """Return rows of the .npy file at `path`, [M, ...]."""
        stored = np.load(path, mmap_mode="r")
        with path.open("rb") as file:
            mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        array = np.frombuffer(mapping, stored.dtype, count=stored.size, offset=stored.offset).reshape(stored.shape)
        return cls(array, mapping, indices)

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, ...)."""
        return (len(self.indices), *self.array.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """The array's."""
        return self.array.dtype

    @property
    def ndim(self) -> int:
        """The array's; 4 for photos."""
        return self.array.ndim

    @property
    def nbytes(self) -> int:
        """Bytes of the rows, were they all read."""
        return int(np.prod(self.shape)) * self.dtype.itemsize

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, which: Any) -> NDArray[Any]:
        rows = np.array(self.array[self.indices[which]])
        if _GIVE_BACK is not None:
            self.mapping.madvise(_GIVE_BACK)
        return rows

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:] if dtype is None else self[:].astype(dtype)

    def astype(self, dtype: DTypeLike) -> NDArray[Any]:
        """Return all rows as another type."""
        return self[:].astype(dtype)


def load_tensor(record: Record, spec: Preprocessing) -> NDArray[np.uint8]:
    """Return the model's input for one photo: uint8 [S, S, 3], RGB.

    Raises:
        DataError: The file is gone or refused, though it was neither when the data set was read.
    """
    try:
        return prepare(record.path.read_bytes(), spec).tensor
    except (OSError, PhotoError) as error:
        raise DataError(
            f"{record.path} can no longer be read: {error}", remedy="Did the data set change meanwhile? Start again."
        ) from error


def stream_tensors(
    records: Sequence[Record], spec: Preprocessing, *, batch: int = 32, jobs: int | None = None
) -> Iterator[NDArray[np.uint8]]:
    """Yield uint8 [B, S, S, 3] in the order of the records; the last batch may be smaller.

    Batches are decoded ahead by `jobs` threads (None: one per processor); at most three are held at a time.
    """
    with ThreadPoolExecutor(jobs or os.cpu_count()) as pool:
        pending: deque[list[Future[NDArray[np.uint8]]]] = deque()
        for start in range(0, len(records), batch):
            pending.append([pool.submit(load_tensor, record, spec) for record in records[start : start + batch]])
            if len(pending) > _BATCHES_AHEAD:
                yield np.stack([future.result() for future in pending.popleft()])
        while pending:
            yield np.stack([future.result() for future in pending.popleft()])


def load_tensors(
    records: Sequence[Record],
    spec: Preprocessing,
    *,
    jobs: int | None = None,
    update: Update | None = None,
    out: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Return uint8 [N, S, S, 3], in the order of the records.

    Args:
        records: The photos.
        spec: The bundle's preprocessing.
        jobs: Threads that decode; None for one per processor.
        update: Called with (photos loaded, photos in all).
        out: Where to put them (e.g. a memory map); by default a new array, N x S x S x 3 bytes.
    """
    tensors = np.empty((len(records), spec.size, spec.size, 3), np.uint8) if out is None else out
    done = 0
    for chunk in stream_tensors(records, spec, jobs=jobs):
        tensors[done : done + len(chunk)] = chunk
        done += len(chunk)
        if update:
            update(done, len(records))
    return tensors


def cached_tensors(
    cache: Path,
    records: Sequence[Record],
    spec: Preprocessing,
    *,
    jobs: int | None = None,
    bar: AbstractContextManager[Update],
) -> Path:
    """Return the .npy file of the prepared photos, uint8 [N, S, S, 3]; decoded once for all trainings.

    They are found by the photos' bytes and their preprocessing. The three sets used last are kept.

    Args:
        cache: Where the folders are.
        records: The photos, in the order of the rows.
        spec: What they go through.
        jobs: Threads that decode; None for one per processor.
        bar: Opened if they have to be decoded.
    """

    def decode(folder: Path) -> None:
        shape = (len(records), spec.size, spec.size, 3)
        out = np.lib.format.open_memmap(folder / _TENSORS, mode="w+", dtype=np.uint8, shape=shape)
        with bar as update:
            load_tensors(records, spec, jobs=jobs, update=update, out=out)
        out.flush()

    key = {"photos": sha256_json([record.sha256 for record in records]), "preprocessing": spec.model_dump()}
    return kept_folder(cache, {**key, "layout": 1}, decode, keep=_KEPT) / _TENSORS


def photo_set(
    dataset: Dataset,
    records: Sequence[Record],
    part: str | None = None,
    *,
    external: bool = False,
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> PhotoSet:
    """Return photos of a data set with all that it says of them; they are decoded when they are first needed.

    Args:
        dataset: Where they come from.
        records: The photos.
        part: Which part of the data set they are.
        external: Whether the bundle in question was trained on another data set.
        jobs: Threads that decode; None for one per processor.
        progress: Where decoding is shown.
    """

    def load(spec: Preprocessing, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        with progress.bar("preparing photos") as update:
            return load_tensors([records[index] for index in indices], spec, jobs=jobs, update=update)

    return PhotoSet(
        name=dataset.name,
        part=part,
        ids=tuple(record.photo_id for record in records),
        load=load,
        truth=np.array([dataset.task.index_of(record.label) for record in records], dtype=np.int64),
        groups=tuple(record.lesion_id for record in records),
        metadata=tuple(record.metadata for record in records),
        paths=tuple(record.path for record in records),
        external=external,
    )
