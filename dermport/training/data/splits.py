"""Which photos train, which validate and which test: by group, stratified by label, the same on every machine."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.atomic import write_text
from dermport.bundle.csv_table import csv_text
from dermport.bundle.manifest import Part
from dermport.bundle.tables import read_rows
from dermport.errors import DataError, UsageError
from dermport.training.data.dataset import Dataset
from dermport.training.data.records import Record

PARTS: tuple[Part, ...] = get_args(Part)
DEFAULT_FRACTIONS: Mapping[Part, float] = {"train": 0.64, "validation": 0.16, "test": 0.20}
_SYNONYMS: Mapping[str, Part] = {"val": "validation", "valid": "validation"}
_SET_ASIDE = "set-aside"
_NO_TEST: Mapping[Part, float] = {"train": 0.8, "validation": 0.2, "test": 0.0}
PREDEFINED = "predefined"
"""What stands for a file of parts where the data set's own are meant."""


@dataclass(frozen=True)
class Split:
    """The part of each photo.

    Attributes:
        dataset: What was split.
        parts: The part of each record, in the order of ``dataset.records``; None for what is set aside, which neither
            trains nor validates nor tests (the held-out part of a cross-validation).
        seed: What the split was drawn with; None for a split that was read from a file.
    """

    dataset: Dataset
    parts: tuple[Part | None, ...]
    seed: int | None

    def indices(self, part: Part) -> NDArray[np.int64]:
        """Return int64 [n]: where the part's records are in ``dataset.records``, ascending."""
        return np.array([index for index, one in enumerate(self.parts) if one == part], dtype=np.int64)

    def records(self, part: Part) -> tuple[Record, ...]:
        """Return the part's records."""
        return tuple(record for record, one in zip(self.dataset.records, self.parts, strict=True) if one == part)

    def photos(self) -> dict[Part, int]:
        """Return how many photos each part has."""
        return {part: self.parts.count(part) for part in PARTS}

    def lesions(self) -> dict[Part, int]:
        """Return how many lesions each part has."""
        return {part: len({record.lesion_id for record in self.records(part)}) for part in PARTS}


def split_dataset(dataset: Dataset, fractions: Mapping[Part, float] = DEFAULT_FRACTIONS, seed: int = 0) -> Split:
    """Part the photos so that all photos of a group are in one part and each part has each label's share.

    A group is a lesion, or all photos of a patient where the data set knows them. Label by label, the groups are taken
    in the order of sha256(seed, group) and each goes to the part that has the fewest photos for its fraction. So a
    label with at least three groups is in every part, and neither the order of the records, nor the platform, nor the
    version of a library changes the result. A group whose photos have different labels counts under the commonest of
    them (the rarer in the data, if equal); its photos keep their labels. Last, groups that near-duplicates join follow
    the first of them: a link moves the few photos that it joins, and no others (and may so empty a part of a label that
    has few).

    Raises:
        UsageError: The fractions are not three numbers of 0 or more that sum to 1, or nothing is left to train on.
    """
    _check_fractions(fractions)
    groups: dict[str, list[str]] = defaultdict(list)
    for record in dataset.records:
        groups[record.group].append(cast("str", dataset.task.label_of(record.label)))
    strata: dict[str, list[str]] = defaultdict(list)
    for group, label in _stratum_by_group(groups).items():
        strata[label].append(group)
    part_of: dict[str, Part] = {}
    for members in strata.values():
        part_of |= _deal({group: len(groups[group]) for group in members}, fractions, seed)
    return Split(dataset, tuple(part_of[group] for group in dataset.groups()), seed)


def predefined_split(dataset: Dataset, seed: int = 0) -> Split:
    """Return the parts that the data set comes with; without a validation part, a fifth of its training part is it.

    That fifth is drawn as :func:`split_dataset` draws; photos in no part are set aside.

    Raises:
        DataError: The data set comes in no parts, or without training or test photos; or a lesion is in two parts.
    """
    given: list[Part | None] = [record.part if record.part in PARTS else None for record in dataset.records]
    if "train" not in given or "test" not in given:
        named = ", ".join(part for part in PARTS if part in given) or "none"
        raise DataError(
            f"{dataset.name} comes without parts to train and to test on (it has: {named}).",
            remedy="Without --split, dermport parts it anew by lesion.",
        )
    seed_used = None
    if "validation" not in given:
        drawn = split_dataset(dataset, _NO_TEST, seed).parts
        given = [new if part == "train" else part for part, new in zip(given, drawn, strict=True)]
        seed_used = seed
    split = Split(dataset, tuple(given), seed_used)
    _check_lesions(split, dataset.name)
    return split


def parted(dataset: Dataset, split: Path | None, seed: int) -> Split:
    """Return the parts that are asked for: of a file, the data set's own (:data:`PREDEFINED`), or drawn where None.

    Raises:
        DataError: The file or the data set's own parts cannot be used.
    """
    if split is None:
        return split_dataset(dataset, seed=seed)
    return predefined_split(dataset, seed) if str(split) == PREDEFINED else read_split(split, dataset)


def parts_redrawn(split: Split) -> str:
    """Return what a person should know where a data set that comes in parts was parted anew; empty where it was not."""
    counts = Counter(record.part for record in split.dataset.records if record.part)
    moved = any(record.part == "test" != part for record, part in zip(split.dataset.records, split.parts, strict=True))
    if len(counts) < 2 or not moved:
        return ""
    named = ", ".join(f"{part} {counts[part]:,}" for part in PARTS if counts[part])
    return (
        f"{split.dataset.name} comes in parts ({named} photos), which are joined and drawn anew by lesion; --split "
        f"{PREDEFINED} keeps them."
    )


def groups_across_parts(names: Sequence[str], parts: Sequence[Part | None]) -> int:
    """Return how many names (of lesions, or of groups), one for each photo, are in more than one part."""
    seen: dict[str, set[Part | None]] = defaultdict(set)
    for name, part in zip(names, parts, strict=True):
        seen[name].add(part)
    return sum(len(found) > 1 for found in seen.values())


def write_split(split: Split, path: Path) -> None:
    """Write the split as CSV with the columns photo_id, lesion_id, label (the task's) and part, atomically."""
    rows = (
        (record.photo_id, record.lesion_id, split.dataset.task.label_of(record.label), part or _SET_ASIDE)
        for record, part in zip(split.dataset.records, split.parts, strict=True)
    )
    write_text(path, csv_text(("photo_id", "lesion_id", "label", "part"), rows))


def read_split(path: Path, dataset: Dataset) -> Split:
    """Read a split of `dataset` from a CSV with at least the columns photo_id and part.

    Rows of photos that the data set does not have are passed over (they may have been left out on reading).

    Raises:
        DataError: A part that is none of train, validation (val) and test; a photo in two parts or without one; or a
            lesion in two parts, which would leak the test photos into the training.
    """
    named: dict[str, Part | None] = {}
    for row in read_rows(path, ("photo_id", "part")):
        part = _part(row["part"], path)
        if named.setdefault(row["photo_id"], part) != part:
            raise DataError(f"{path}: the photo {row['photo_id']} is in two parts.")
    if absent := [record.photo_id for record in dataset.records if record.photo_id not in named]:
        raise DataError(
            f"{path} names no part for {len(absent):,} of {len(dataset.records):,} photos, e.g. {absent[0]}.",
            remedy="Was it written for another data set?",
        )
    split = Split(dataset, tuple(named[record.photo_id] for record in dataset.records), None)
    _check_lesions(split, str(path))
    return split


def _check_fractions(fractions: Mapping[Part, float]) -> None:
    values = [fractions.get(part, -1.0) for part in PARTS]
    if min(values) < 0 or abs(sum(values) - 1) > 1e-9 or fractions["train"] == 0:
        raise UsageError(
            f"The split {'/'.join(f'{100 * value:g}' for value in values)} is not a split.",
            remedy=f"Fractions of {', '.join(PARTS)} are 0 or more, sum to 1, and leave something to train on.",
        )


def _stratum_by_group(groups: Mapping[str, Sequence[str]]) -> dict[str, str]:
    common = Counter(label for labels in groups.values() for label in labels)
    return {group: _commonest(labels, common) for group, labels in groups.items()}


def _commonest(labels: Sequence[str], common: Mapping[str, int]) -> str:
    return max(labels, key=lambda label: (labels.count(label), -common[label], label))


def _deal(sizes: Mapping[str, int], fractions: Mapping[Part, float], seed: int) -> dict[str, Part]:
    open_parts = [part for part in PARTS if fractions[part] > 0]
    filled: Counter[Part] = Counter()
    part_of: dict[str, Part] = {}
    for group in sorted(sizes, key=lambda group: hashlib.sha256(f"{seed}:{group}".encode()).digest()):
        part = min(open_parts, key=lambda part: (filled[part] / fractions[part], -fractions[part]))
        part_of[group] = part
        filled[part] += sizes[group]
    return part_of


def _part(name: str, path: Path) -> Part | None:
    if name == _SET_ASIDE:
        return None
    part = _SYNONYMS.get(name.lower(), name.lower())
    if part not in PARTS:
        raise DataError(f"{path}: {name!r} is no part.", remedy=f"Parts are {', '.join(PARTS)}.")
    return part


def _check_lesions(split: Split, where: str) -> None:
    part_of: dict[str, Part | None] = {}
    for record, part in zip(split.dataset.records, split.parts, strict=True):
        if part_of.setdefault(record.lesion_id, part) != part:
            raise DataError(
                f"{where}: the lesion {record.lesion_id} has photos in {part_of[record.lesion_id]} and in {part}.",
                remedy="All photos of a lesion belong in one part, or the test set leaks into the training.",
            )
