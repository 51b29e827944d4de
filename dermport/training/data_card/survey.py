"""One look at every photo: its quality, and a small picture of it."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dermport.bundle.manifest import Preprocessing
from dermport.bundle.photo_quality import PhotoQuality, survey
from dermport.bundle.prep import prepare
from dermport.errors import DataError, PhotoError
from dermport.progress import Update
from dermport.training.data.records import Record

SMALL = 32
"""Side of the small pictures, pixels: enough for the colour of their border."""


@dataclass(frozen=True)
class Survey:
    """What was seen of the photos, in the order of the records.

    Attributes:
        spec: What the photos were judged for.
        qualities: Size, light and sharpness of each.
        pictures: uint8 [N, 32, 32, 3].
    """

    spec: Preprocessing
    qualities: tuple[PhotoQuality, ...]
    pictures: NDArray[np.uint8]


def survey_records(
    records: Sequence[Record], spec: Preprocessing, *, jobs: int | None = None, update: Update | None = None
) -> Survey:
    """Look at every photo.

    Args:
        records: The photos.
        spec: Size and crop of the model's input that they are judged for.
        jobs: Threads; None for one per processor.
        update: Called with (photos seen, photos in all).

    Raises:
        DataError: A photo is gone or refused, though it was neither when the data set was read.
    """
    qualities, pictures = [], np.empty((len(records), SMALL, SMALL, 3), np.uint8)
    with ThreadPoolExecutor(jobs or os.cpu_count()) as pool:
        for index, (quality, picture) in enumerate(pool.map(lambda record: _look(record, spec), records)):
            qualities.append(quality)
            pictures[index] = picture
            if update:
                update(index + 1, len(records))
    return Survey(spec, tuple(qualities), pictures)


def _look(record: Record, spec: Preprocessing) -> tuple[PhotoQuality, NDArray[np.uint8]]:
    try:
        data = record.path.read_bytes()
        prepared = prepare(data, spec)
        with Image.open(io.BytesIO(data)) as stored:
            quality = survey(stored.convert("RGB"), prepared.tensor, spec, prepared.orientation)
    except (OSError, PhotoError) as error:
        raise DataError(
            f"{record.path} can no longer be read: {error}", remedy="Did the data set change meanwhile? Start again."
        ) from error
    small = Image.fromarray(prepared.tensor).resize((SMALL, SMALL), Image.Resampling.BOX)
    return quality, np.asarray(small)
