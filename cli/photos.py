"""A data set's photos, prepared for a bundle: what ``verify`` and ``evaluate`` score on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

import numpy as np

from bundle.errors import DataError, UsageError
from bundle.manifest import Part
from cli.output import progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bundle.store import Bundle
    from training.data.dataset import Dataset
    from training.data.records import Record


@dataclass(frozen=True)
class Photos:
    """Photos with their truth.

    Attributes:
        name: What they are, for people.
        dataset: The data set's name.
        external: Whether the bundle was trained on another data set.
        tensors: uint8 [N, S, S, 3].
        truth: Label indices, int64 [N].
        lesions: Lesion ids, [N].
        ids: Photo ids, [N].
    """

    name: str
    dataset: str
    external: bool
    tensors: NDArray[np.uint8]
    truth: NDArray[np.int64]
    lesions: tuple[str, ...]
    ids: tuple[str, ...]


def read_part(bundle: Bundle, data: Path, part: str) -> Photos:
    """Read one part of a data set by the bundle's own split; ``all`` takes every photo, of any data set.

    Raises:
        UsageError: The part is unknown.
        DataError: A part is asked of a data set that the bundle was not trained on.
    """
    from training.data.photos import load_tensors
    from training.data.tasks import task_from_spec

    task = task_from_spec(bundle.manifest.task)
    dataset, records = _read(bundle, data, part)
    with progress("preparing photos") as update:
        tensors = load_tensors(records, bundle.manifest.preprocessing, progress=update)
    return Photos(
        name=f"{dataset.name}, {part}",
        dataset=dataset.name,
        external=dataset.fingerprint != bundle.manifest.dataset.fingerprint,
        tensors=tensors,
        truth=np.array([task.index_of(record.label) for record in records]),
        lesions=tuple(record.lesion_id for record in records),
        ids=tuple(record.photo_id for record in records),
    )


def part_records(bundle: Bundle, data: Path, part: str) -> tuple[Record, ...]:
    """Return the records of one part, by the bundle's own split; raises as :func:`read_part`."""
    return _read(bundle, data, part)[1]


def _read(bundle: Bundle, data: Path, part: str) -> tuple[Dataset, tuple[Record, ...]]:
    from training.data.dataset import read_dataset
    from training.data.splits import read_split
    from training.data.tasks import task_from_spec

    if part not in (*get_args(Part), "all"):
        raise UsageError(f"There is no part {part!r}.", remedy=f"Parts: {', '.join(get_args(Part))}, all.")
    with progress("reading photos") as update:
        dataset = read_dataset(data, task_from_spec(bundle.manifest.task), progress=update)
    if part == "all":
        return dataset, dataset.records
    if dataset.fingerprint != bundle.manifest.dataset.fingerprint:
        raise DataError(
            f"{data} is not the data set that {bundle.manifest.name} was trained on (other fingerprint).",
            remedy="Score all of it: --part all.",
        )
    split = read_split(bundle.file(bundle.manifest.dataset.split.file), dataset)
    return dataset, split.records(cast("Part", part))
