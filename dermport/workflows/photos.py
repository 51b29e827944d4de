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
    bundle: Bundle, data: Path, part: str, *, others: Sequence[Bundle] = (), progress: Progress = SILENT
) -> PhotoSet:
    """Read one part of a data set by the bundle's own split; ``all`` takes every photo, of any data set.

    Args:
        bundle: Whose task and split it is.
        data: The data set.
        part: train, validation, test or all.
        others: Bundles that are asked about the same photos.
        progress: Where reading and, later, preparing the photos is shown.

    Raises:
        UsageError: The part is unknown.
        DataError: A part is asked of a data set that a bundle was not trained on, or one of the others saw photos of
            the part in training that the first did not.
    """
    from dermport.training.data.photos import photo_set

    dataset, records = _read(bundle, data, part, progress)
    for other in others if part != "all" else ():
        _check_same_part(other, dataset, records, part)
    external = dataset.fingerprint != bundle.manifest.dataset.fingerprint
    return photo_set(dataset, records, part, external=external, progress=progress)


def _check_same_part(bundle: Bundle, dataset: Dataset, records: Sequence[Record], part: str) -> None:
    from dermport.training.data.splits import read_split

    remedy = "Compare bundles of one split, or score all photos of a data set that none has seen: {part} all."
    if dataset.fingerprint != bundle.manifest.dataset.fingerprint:
        raise DataError(
            f"{bundle.manifest.name} was trained on another data set (other fingerprint).", remedy=remedy, of=Parameters
        )
    split = read_split(bundle.file(bundle.manifest.dataset.split.file), dataset)
    its_own = {record.photo_id for record in split.records(cast("Part", part))}
    if strange := [record.photo_id for record in records if record.photo_id not in its_own]:
        raise DataError(
            f"{len(strange)} of the {len(records)} photos are in another part of {bundle.manifest.name}'s split.",
            remedy=remedy,
            of=Parameters,
        )


def _read(bundle: Bundle, data: Path, part: str, progress: Progress) -> tuple[Dataset, tuple[Record, ...]]:
    from dermport.training.data.dataset import reopen_dataset
    from dermport.training.data.splits import read_split

    if part not in (*get_args(Part), "all"):
        raise UsageError(f"There is no part {part!r}.", remedy=f"Parts: {', '.join(get_args(Part))}, all.")
    with progress.bar("reading photos") as update:
        dataset = reopen_dataset(bundle.manifest, data, update=update)
    if part == "all":
        return dataset, dataset.records
    if dataset.fingerprint != bundle.manifest.dataset.fingerprint:
        raise DataError(
            f"{data} is not the data set that {bundle.manifest.name} was trained on (other fingerprint).",
            remedy="Score all of it: {part} all.",
            of=Parameters,
        )
    split = read_split(bundle.file(bundle.manifest.dataset.split.file), dataset)
    records = split.records(cast("Part", part))
    if not records:
        raise DataError(f"The split of {bundle.manifest.name} leaves no photo in its {part} part.")
    return dataset, records
