"""A data set's photos, read again for a bundle: what it is scored and compared on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

from dermport.bundle.manifest import Part
from dermport.errors import DataError, Parameters, UsageError
from dermport.progress import SILENT, Progress

if TYPE_CHECKING:
    from dermport.bundle.photo_set import PhotoSet
    from dermport.bundle.store import Bundle
    from dermport.training.data.dataset import Dataset
    from dermport.training.data.records import Record


def read_photos(
    bundle: Bundle, data: Path, part: str | None, *, others: Sequence[Bundle] = (), progress: Progress = SILENT
) -> PhotoSet:
    """Read one part of a data set by the bundle's own split; ``all`` takes every photo, of any data set.

    Another data set than the one trained on has the parts that it comes with, if it does.

    Args:
        bundle: Whose task and split it is.
        data: The data set.
        part: train, validation, test or all; None for test, or all of another data set.
        others: Bundles that are asked about the same photos.
        progress: Where reading and, later, preparing the photos is shown.

    Raises:
        UsageError: The part is unknown.
        DataError: A part is asked of another data set, which comes in no parts, or one of the other bundles saw photos
            of the part in training that the first did not.
    """
    from dermport.training.data.photos import photo_set

    if part not in (None, "all", *get_args(Part)):
        raise UsageError(f"There is no part {part!r}.", remedy=f"Parts: {', '.join(get_args(Part))}, all.")
    dataset = _read(bundle, data, progress)
    external = not _is_known(bundle, dataset)
    if part is None:
        part = "all" if external else "test"
        if external:
            progress.say(
                f"{dataset.name} is not what {bundle.manifest.name} was trained on: all of its photos are taken."
            )
    records = dataset.records if part == "all" else _of_part(bundle, dataset, cast("Part", part))
    for other in others if part != "all" else ():
        _check_same_part(other, dataset, records, part)
    return photo_set(dataset, records, part, external=external, progress=progress)


def _is_known(bundle: Bundle, dataset: Dataset) -> bool:
    """Return whether the bundle has parted these very photos."""
    known = bundle.manifest.dataset
    return known is not None and known.fingerprint == dataset.fingerprint


def _check_same_part(bundle: Bundle, dataset: Dataset, records: Sequence[Record], part: str) -> None:
    from dermport.training.data.splits import read_split

    remedy = "Compare bundles of one split, or score all photos of a data set that none has seen: {part} all."
    if not _is_known(bundle, dataset):
        raise DataError(
            f"{bundle.manifest.name} was trained on another data set (other fingerprint).", remedy=remedy, of=Parameters
        )
    split = read_split(bundle.file(bundle.manifest.known_dataset.split.file), dataset)
    its_own = {record.photo_id for record in split.records(cast("Part", part))}
    if strange := [record.photo_id for record in records if record.photo_id not in its_own]:
        raise DataError(
            f"{len(strange)} of the {len(records)} photos are in another part of {bundle.manifest.name}'s split.",
            remedy=remedy,
            of=Parameters,
        )


def _read(bundle: Bundle, data: Path, progress: Progress) -> Dataset:
    from dermport.training.data.dataset import reopen_dataset

    with progress.bar("reading photos") as update:
        return reopen_dataset(bundle.manifest, data, update=update)


def _of_part(bundle: Bundle, dataset: Dataset, part: Part) -> tuple[Record, ...]:
    from dermport.training.data.splits import read_split

    if _is_known(bundle, dataset):
        records = read_split(bundle.file(bundle.manifest.known_dataset.split.file), dataset).records(part)
        whose = f"The split of {bundle.manifest.name}"
    else:
        records = tuple(record for record in dataset.records if record.part == part)
        whose = dataset.name
        if not any(record.part for record in dataset.records):
            raise DataError(
                f"{dataset.name} is not the data set that {bundle.manifest.name} was trained on (other fingerprint).",
                remedy="Score all of it: {part} all.",
                of=Parameters,
            )
    if not records:
        raise DataError(f"{whose} has no photo in its {part} part.")
    return records
