"""The tables of ISIC: ground truth of the challenges (one column per class), and the archive's metadata.

- ISIC 2016 task 3: ``*_GroundTruth.csv`` without a header: the photo, and ``benign`` or ``malignant`` (1.0 in the test
  part). ISIC 2017 part 3: ``image_id``, ``melanoma``, ``seborrheic_keratosis``; what is neither is a nevus.
- ISIC 2018 task 3 and ISIC 2019: ``*_GroundTruth.csv`` with a column ``image`` and one column of 0 and 1 per class
  (MEL, NV, BCC, AKIEC or AK, BKL, DF, VASC, SCC, UNK); near it ``*_LesionGroupings.csv`` (2018) or ``*_Metadata.csv``
  (2017, 2019), which name the lesions and the people.
- The archive (``isic-cli``, the gallery's download): ``metadata.csv`` with ``isic_id`` and the diagnosis in up to five
  levels. The third is the label, e.g. "Basal cell carcinoma"; where it is empty, the second, then the first; older
  downloads have one column ``diagnosis``. ISIC 2020's table (``image_name``) is read likewise, also as Kaggle's
  ``train.csv``; where its diagnosis is "unknown", the label is whether the photo counts as benign.

Columns that other data sets have too get HAM10000's names (age, sex, localization, dx_type), so that groups of patients
are comparable. All photos of a patient are kept in one part of a split.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dermport.bundle.photo_folder import PhotoFinder, readable, the_first
from dermport.bundle.tables import plain_rows, read_header, read_rows, tables_below
from dermport.errors import DataError
from dermport.training.data.folders import part_of
from dermport.training.data.records import Dropped, DropReason, Record, missing, with_unnamed

CLASSES = frozenset({"MEL", "NV", "BCC", "AKIEC", "AK", "BKL", "DF", "VASC", "SCC", "UNK"})
_MARKERS = frozenset({"MEL", "NV", "BCC"})
_OF_2016 = re.compile(r"ISIC_\d{7}")
_OF_2017 = ("image_id", "melanoma", "seborrheic_keratosis")
_IDS = ("isic_id", "image_name")
_PHOTO = ("image", "image_id", "image_name", "isic_id")
_DIAGNOSES = ("diagnosis_3", "diagnosis_2", "diagnosis_1", "diagnosis", "benign_malignant")
_OURS = {
    "age_approx": "age",
    "age_approximate": "age",
    "sex": "sex",
    "anatom_site_general": "localization",
    "anatom_site_general_challenge": "localization",
    "diagnosis_confirm_type": "dx_type",
    "diagnosis confirm type": "dx_type",
    "copyright_license": "licence",
}
_EMPTY = frozenset({"nan", "na", "n/a", "none", "null"})


def is_ground_truth(header: Sequence[str]) -> bool:
    """Return whether a table with that first line is a challenge's ground truth."""
    return (
        ("image" in header and set(header) >= _MARKERS)
        or set(header) >= set(_OF_2017)
        or (len(header) == 2 and _OF_2016.fullmatch(header[0]) is not None)
    )


def is_archive(header: Sequence[str]) -> bool:
    """Return whether a table with that first line is metadata of the archive: an id of ISIC's and a diagnosis."""
    return bool(set(_IDS) & set(header)) and bool(set(_DIAGNOSES) & set(header))


class IsicChallengeReader:
    """Reads ground truths with the photos in folders beside them (``ISIC_2019_Training_Input`` and the like).

    Args:
        tables: The ground truths; several (training, validation, test) are read as one data set.
        root: The folder below which the photos are; by default the first table's.
    """

    name = "isic-challenge"

    def __init__(self, tables: Sequence[Path], root: Path | None = None) -> None:
        self.tables = tuple(tables)
        self._root = root or self.tables[0].parent
        self.notes: tuple[str, ...] = ()

    @property
    def root(self) -> Path:
        """The folder below which the photos are."""
        return self._root

    def iter_records(self) -> Iterator[Record | Dropped]:
        """Yield one record per row, table by table."""
        finder, known = _finder(self.root), read_lesions(self.root)
        for table in self.tables:
            for photo_id, marked in _marks(table):
                if len(marked) == 1:
                    yield _record(photo_id, marked[0], known.get(photo_id, {}), finder, table)
                else:
                    detail = f"{table.name} marks {' and '.join(marked) or 'no class'}"
                    yield Dropped(photo_id, DropReason.UNKNOWN_LABEL, detail)
        self.notes = with_unnamed(self.notes, finder)


class IsicArchiveReader:
    """Reads the archive's metadata with the photos in folders beside it.

    Args:
        tables: The metadata; several (of parts) are read as one data set.
        root: The folder below which the photos are; by default the first table's.
    """

    name = "isic-archive"

    def __init__(self, tables: Sequence[Path], root: Path | None = None) -> None:
        self.tables = tuple(tables)
        self._root = root or self.tables[0].parent
        self.notes: tuple[str, ...] = ()

    @property
    def root(self) -> Path:
        """The folder below which the photos are."""
        return self._root

    def iter_records(self) -> Iterator[Record | Dropped]:
        """Yield one record per row, in the order of the metadata."""
        finder = _finder(self.root)
        for table in self.tables:
            header = read_header(table)
            id_column = next(name for name in _IDS if name in header)
            levels = [name for name in _DIAGNOSES if name in header]
            for row in read_rows(table, (id_column,)):
                said = (row[name] for name in levels if row[name].casefold() != "unknown")
                label = next(filter(_given, said), "")
                yield _record(row[id_column], label, row, finder, table)
        self.notes = with_unnamed(self.notes, finder)


def read_lesions(root: Path) -> dict[str, Mapping[str, str]]:
    """Return what the tables below `root` that name photos, and lesions or people, but no label, say of each photo."""
    known: dict[str, Mapping[str, str]] = {}
    for table in tables_below(root):
        header = _header(table)
        photo = next((name for name in _PHOTO if name in header), None)
        if photo and not is_ground_truth(header) and {"lesion_id", "patient_id", *_OURS} & set(header):
            known |= {row[photo]: {**known.get(row[photo], {}), **row} for row in read_rows(table, (photo,))}
    return known


def _marks(table: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each photo with the classes that a ground truth marks."""
    header = read_header(table)
    if "image" in header:
        classes = [name for name in header if name in CLASSES]
        for row in read_rows(table, ("image",)):
            yield row["image"], [name for name in classes if _number(row[name]) > 0.5]
    elif set(_OF_2017) <= set(header):
        for row in read_rows(table, _OF_2017):
            yield row["image_id"], [name for name in _OF_2017[1:] if _number(row[name]) > 0.5] or ["nevus"]
    else:
        for photo_id, said, *_ in plain_rows(table):
            yield photo_id, [said if said.isalpha() else "malignant" if _number(said) > 0.5 else "benign"]


def _finder(root: Path) -> PhotoFinder:
    finder = PhotoFinder(root)
    if not finder.photos:
        raise DataError(
            f"{readable(root)} has tables of ISIC but no photos.",
            remedy="Unpack the photos beside the CSV, in a folder or not.",
        )
    return finder


def _record(photo_id: str, label: str, row: Mapping[str, str], finder: PhotoFinder, table: Path) -> Record | Dropped:
    if (path := finder.find(photo_id, the_first)) is None:
        return missing(photo_id, finder)
    if not label:
        return Dropped(photo_id, DropReason.UNKNOWN_LABEL, "no diagnosis is given")
    metadata = {ours: _given(row[theirs]) for theirs, ours in _OURS.items() if theirs in row}
    patient = _given(row.get("patient_id", ""))
    return Record(
        photo_id,
        path,
        _given(row.get("lesion_id", "")) or photo_id,
        label,
        metadata,
        group_id=patient and f"patient {patient}",
        part=part_of(table.stem) or "",
    )


def _given(value: str) -> str:
    return "" if value.casefold() in _EMPTY else value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _header(path: Path) -> tuple[str, ...]:
    try:
        return read_header(path)
    except DataError:
        return ()
