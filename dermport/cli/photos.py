"""A data set's photos, prepared for a bundle: what ``verify`` and ``evaluate`` score on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

import numpy as np

from dermport.bundle.manifest import Part
from dermport.cli.output import bar
from dermport.errors import DataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dermport.bundle.manifest import Preprocessing
    from dermport.bundle.store import Bundle
    from dermport.exporters.benchmark.sample import Sample
    from dermport.training.data.dataset import Dataset
    from dermport.training.data.records import Record


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
        records: What the data set says of each photo, [N].
    """

    name: str
    dataset: str
    external: bool
    tensors: NDArray[np.uint8]
    truth: NDArray[np.int64]
    lesions: tuple[str, ...]
    ids: tuple[str, ...]
    records: tuple[Record, ...]


def read_part(bundle: Bundle, data: Path, part: str) -> Photos:
    """Read one part of a data set by the bundle's own split; ``all`` takes every photo, of any data set.

    Raises:
        UsageError: The part is unknown.
        DataError: A part is asked of a data set that the bundle was not trained on.
    """
    from dermport.training.data.photos import load_tensors
    from dermport.training.data.tasks import task_from_spec

    task = task_from_spec(bundle.manifest.task)
    dataset, records = _read(bundle, data, part)
    with bar("preparing photos") as update:
        tensors = load_tensors(records, bundle.manifest.preprocessing, update=update)
    return Photos(
        name=f"{dataset.name}, {part}",
        dataset=dataset.name,
        external=dataset.fingerprint != bundle.manifest.dataset.fingerprint,
        tensors=tensors,
        truth=np.array([task.index_of(record.label) for record in records]),
        lesions=tuple(record.lesion_id for record in records),
        ids=tuple(record.photo_id for record in records),
        records=records,
    )


def read_sample(bundles: Sequence[Bundle], data: Path, part: str) -> Sample:
    """Read one part of a data set by the first bundle's split, to be prepared as each of the bundles wants it.

    Raises:
        UsageError: The part is unknown.
        DataError: A part is asked of a data set that a bundle was not trained on, or a bundle saw photos of the part
            in training that the first one did not.
    """
    from dermport.exporters.benchmark.sample import Sample, Truth
    from dermport.training.data.photos import load_tensors
    from dermport.training.data.tasks import task_from_spec

    first = bundles[0]
    task = task_from_spec(first.manifest.task)
    dataset, records = _read(first, data, part)
    for other in bundles[1:] if part != "all" else ():
        _same_part(other, dataset, records, part)

    def tensors(preprocessing: Preprocessing) -> NDArray[np.uint8]:
        with bar("preparing photos") as update:
            return load_tensors(records, preprocessing, update=update)

    truth = Truth(
        labels=np.array([task.index_of(record.label) for record in records]),
        lesions=tuple(record.lesion_id for record in records),
        metadata=tuple(record.metadata for record in records),
    )
    return Sample(dataset.name, part, tuple(record.photo_id for record in records), tensors, truth)


def _same_part(bundle: Bundle, dataset: Dataset, records: Sequence[Record], part: str) -> None:
    from dermport.training.data.splits import read_split

    remedy = "Compare bundles of one split, or score all photos of a data set that none has seen: --part all."
    if dataset.fingerprint != bundle.manifest.dataset.fingerprint:
        raise DataError(f"{bundle.manifest.name} was trained on another data set (other fingerprint).", remedy=remedy)
    split = read_split(bundle.file(bundle.manifest.dataset.split.file), dataset)
    its_own = {record.photo_id for record in split.records(cast("Part", part))}
    if strange := [record.photo_id for record in records if record.photo_id not in its_own]:
        raise DataError(
            f"{len(strange)} of the {len(records)} photos are in another part of {bundle.manifest.name}'s split.",
            remedy=remedy,
        )


def part_records(bundle: Bundle, data: Path, part: str) -> tuple[Record, ...]:
    """Return the records of one part, by the bundle's own split; raises as :func:`read_part`."""
    return _read(bundle, data, part)[1]


def _read(bundle: Bundle, data: Path, part: str) -> tuple[Dataset, tuple[Record, ...]]:
    from dermport.training.data.again import read_again
    from dermport.training.data.splits import read_split

    if part not in (*get_args(Part), "all"):
        raise UsageError(f"There is no part {part!r}.", remedy=f"Parts: {', '.join(get_args(Part))}, all.")
    with bar("reading photos") as update:
        dataset = read_again(bundle.manifest, data, update=update)
    if part == "all":
        return dataset, dataset.records
    if dataset.fingerprint != bundle.manifest.dataset.fingerprint:
        raise DataError(
            f"{data} is not the data set that {bundle.manifest.name} was trained on (other fingerprint).",
            remedy="Score all of it: --part all.",
        )
    split = read_split(bundle.file(bundle.manifest.dataset.split.file), dataset)
    records = split.records(cast("Part", part))
    if not records:
        raise DataError(f"The split of {bundle.manifest.name} leaves no photo in its {part} part.")
    return dataset, records
