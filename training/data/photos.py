"""From records to tensors, through ``dermport-prep/1`` and on every processor."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from bundle.errors import DataError, PhotoError
from bundle.manifest import Preprocessing
from bundle.prep import prepare
from training.data.dataset import Progress
from training.data.records import Record

_BATCHES_AHEAD = 2


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
    progress: Progress | None = None,
    out: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Return uint8 [N, S, S, 3], in the order of the records.

    Args:
        records: The photos.
        spec: The bundle's preprocessing.
        jobs: Threads that decode; None for one per processor.
        progress: Called with (photos loaded, photos in all).
        out: Where to put them (e.g. a memory map); by default a new array, N x S x S x 3 bytes.
    """
    tensors = np.empty((len(records), spec.size, spec.size, 3), np.uint8) if out is None else out
    done = 0
    for chunk in stream_tensors(records, spec, jobs=jobs):
        tensors[done : done + len(chunk)] = chunk
        done += len(chunk)
        if progress:
            progress(done, len(records))
    return tensors
