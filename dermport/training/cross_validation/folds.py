"""Which fold tests each photo: by group, stratified by label, and written down before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.atomic import write_text
from dermport.bundle.csv_table import csv_text
from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.manifest import Part
from dermport.bundle.tables import read_rows
from dermport.errors import DataError
from dermport.training.data.dataset import Dataset
from dermport.training.data.splits import Split, split_dataset

HELD_OUT = 0  # in the place of a fold's number
_COLUMNS = ("photo_id", "lesion_id", "group", "label", "fold")
_WORD = "held-out"


@dataclass(frozen=True)
class Folds:
    """The fold that tests each photo.

    Attributes:
        dataset: The photos.
        of_photo: Fold 1..k of each record, or :data:`HELD_OUT`, int64 [N], in the order of ``dataset.records``.
        count: k.
        validation: The share of a fold's training photos that validates it: they choose its epochs, temperature and
            threshold.
        seed: Of the draws.
    """

    dataset: Dataset
    of_photo: NDArray[np.int64]
    count: int
    validation: float
    seed: int

    def split(self, fold: int) -> Split:
        """Return the split of a fold (1..k): it is the test part; the others train and validate, by group."""
        others = np.flatnonzero((self.of_photo != fold) & (self.of_photo != HELD_OUT))
        fractions: Mapping[Part, float] = {"train": 1 - self.validation, "validation": self.validation, "test": 0.0}
        records = self.dataset.records
        inner = split_dataset(
            replace(self.dataset, records=tuple(records[index] for index in others)), fractions, self.seed
        )
        parts: list[Part | None] = ["test" if one == fold else None for one in self.of_photo]
        for index, part in zip(others, inner.parts, strict=True):
            parts[index] = part
        return Split(self.dataset, tuple(parts), self.seed)

    @property
    def held_out(self) -> NDArray[np.int64]:
        """Where the photos that no fold sees are in ``dataset.records``, int64 [n], ascending."""
        return np.flatnonzero(self.of_photo == HELD_OUT)

    def to_csv(self) -> str:
        """Return a table with the columns photo_id, lesion_id, group, label (the task's) and fold."""
        rows = (
            (record.photo_id, record.lesion_id, group, self.dataset.task.label_of(record.label), int(fold) or _WORD)
            for record, group, fold in zip(self.dataset.records, self.dataset.groups(), self.of_photo, strict=True)
        )
        return csv_text(_COLUMNS, rows)


def draw_folds(dataset: Dataset, count: int, *, held_out: float, validation: float, seed: int) -> Folds:
    """Deal the photos out: each group (see :meth:`Dataset.groups`) to one fold, each fold each label's share.

    The folds are scikit-learn's ``StratifiedGroupKFold``, which goes by the photos' labels; the held-out part is dealt
    before, as the test part of a training is.

    Args:
        dataset: The photos.
        count: Folds, at least 2.
        held_out: The share of photos that no fold sees, 0 or more.
        validation: The share of a fold's training photos that validates it.
        seed: Of the draws.

    Raises:
        DataError: There are fewer groups than folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    fractions: Mapping[Part, float] = {"train": 1 - held_out, "validation": 0.0, "test": held_out}
    dealt = split_dataset(dataset, fractions, seed).indices("train")
    groups, targets = np.array(dataset.groups())[dealt], dataset.targets()[dealt]
    if len(np.unique(groups)) < count:
        raise DataError(f"{dataset.name} has {len(np.unique(groups))} groups of photos: too few for {count} folds.")
    folds = np.full(len(dataset.records), HELD_OUT, np.int64)
    drawn = StratifiedGroupKFold(count, shuffle=True, random_state=seed).split(targets, targets, groups)
    for fold, (_, tested) in enumerate(drawn, start=1):
        folds[dealt[tested]] = fold
    return Folds(dataset, folds, count, validation, seed)


def write_folds(folds: Folds, path: Path) -> str:
    """Write the table atomically, and return its sha256."""
    text = folds.to_csv()
    write_text(path, text)
    return sha256_bytes(text.encode())


def read_folds(path: Path, dataset: Dataset, *, count: int, validation: float, seed: int) -> Folds:
    """Read a table of folds of a data set.

    Args:
        path: The CSV.
        dataset: Its photos.
        count: Folds, as it was drawn with.
        validation: Likewise.
        seed: Likewise.

    Raises:
        DataError: It names other photos.
    """
    named = {row["photo_id"]: row["fold"] for row in read_rows(path, _COLUMNS)}
    if set(named) != {record.photo_id for record in dataset.records}:
        raise DataError(f"{path} is a table of other photos than {dataset.name}'s.")
    numbers = [HELD_OUT if named[one.photo_id] == _WORD else int(named[one.photo_id]) for one in dataset.records]
    return Folds(dataset, np.array(numbers, dtype=np.int64), count, validation, seed)
