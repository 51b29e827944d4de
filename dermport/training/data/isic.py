"""The CSV files of ISIC: ground truth of the challenges (one column per class), and the archive's metadata.

- ISIC 2018 task 3 and ISIC 2019: ``*_GroundTruth.csv`` with a column ``image`` and one column of 0 and 1 per class
  (MEL, NV, BCC, AKIEC or AK, BKL, DF, VASC, SCC, UNK); beside it ``*_LesionGroupings.csv`` (2018) or ``*_Metadata.csv``
  (2019), which name the lesions.
- The archive (``isic-cli``, the gallery's download): ``metadata.csv`` with ``isic_id`` and the diagnosis in up to five
  levels. The third is the label, e.g. "Basal cell carcinoma"; where it is empty, the second, then the first; older
  downloads have one column ``diagnosis``. ISIC 2020's ``train.csv`` (``image_name``) is read likewise.

Columns that other data sets have too get HAM10000's names (age, sex, localization, dx_type), so that groups of patients
are comparable. All photos of a patient are kept in one part of a split.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dermport.errors import DataError
from dermport.training.data.folders import is_photo
from dermport.training.data.records import Dropped, DropReason, Record
from dermport.training.data.rows import read_header, read_rows

CLASSES = frozenset({"MEL", "NV", "BCC", "AKIEC", "AK", "BKL", "DF", "VASC", "SCC", "UNK"})
_MARKERS = frozenset({"MEL", "NV", "BCC"})
_IDS = ("isic_id", "image_name")
_DIAGNOSES = ("diagnosis_3", "diagnosis_2", "diagnosis_1", "diagnosis")
_OURS = {
    "age_approx": "age",
    "sex": "sex",
    "anatom_site_general": "localization",
    "anatom_site_general_challenge": "localization",
    "diagnosis_confirm_type": "dx_type",
    "diagnosis confirm type": "dx_type",
    "copyright_license": "licence",
}
_EMPTY = frozenset({"nan", "na", "n/a", "none", "null"})


def is_ground_truth(path: Path) -> bool:
    """Return whether `path` is a challenge's ground truth: ``image`` and one column per class."""
    header = _header(path)
    return "image" in header and set(header) >= _MARKERS


def is_archive(path: Path) -> bool:
    """Return whether `path` is metadata of the archive: an id of ISIC's and a diagnosis."""
    header = _header(path)
    return bool(set(_IDS) & set(header)) and bool(set(_DIAGNOSES) & set(header))


def find_tables(root: Path) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Return the ground truths and the archive's metadata that lie in the folder `root`, each in order of name."""
    tables = sorted(root.glob("*.csv"))
    return tuple(filter(is_ground_truth, tables)), tuple(filter(is_archive, tables))


class IsicChallengeReader:
    """Reads ground truths with the photos in the folders beside them (``ISIC_2019_Training_Input`` and the like).

    Args:
        tables: The ground truths, of one folder; several (training, validation, test) are read as one data set.
    """

    name = "isic-challenge"

    def __init__(self, tables: Sequence[Path]) -> None:
        self.tables = tuple(tables)

    @property
    def root(self) -> Path:
        """The folder that holds them."""
        return self.tables[0].parent

    def iter_records(self) -> Iterator[Record | Dropped]:
        """Yield one record per row, table by table."""
        photos, known = find_photos(self.root), read_lesions(self.root)
        for table in self.tables:
            classes = [name for name in read_header(table) if name in CLASSES]
            for row in read_rows(table, ("image",)):
                photo_id = row["image"]
                marked = [name for name in classes if _number(row[name]) > 0.5]
                if len(marked) == 1:
                    yield _record(photo_id, marked[0], known.get(photo_id, {}), photos)
                else:
                    detail = f"{table.name} marks {' and '.join(marked) or 'no class'}"
                    yield Dropped(photo_id, DropReason.UNKNOWN_LABEL, detail)


class IsicArchiveReader:
    """Reads the archive's metadata with the photos beside it or in folders below."""

    name = "isic-archive"

    def __init__(self, table: Path) -> None:
        self.table = table

    @property
    def root(self) -> Path:
        """The folder that holds the metadata."""
        return self.table.parent

    def iter_records(self) -> Iterator[Record | Dropped]:
        """Yield one record per row, in the order of the metadata."""
        photos = find_photos(self.root)
        header = read_header(self.table)
        id_column = next(name for name in _IDS if name in header)
        levels = [name for name in _DIAGNOSES if name in header]
        for row in read_rows(self.table, (id_column,)):
            label = next((row[name] for name in levels if _given(row[name])), "")
            yield _record(row[id_column], label, row, photos)


def read_lesions(root: Path) -> dict[str, Mapping[str, str]]:
    """Return what the tables in `root` with a column ``image`` and one ``lesion_id`` say of each photo."""
    known: dict[str, Mapping[str, str]] = {}
    for table in sorted(root.glob("*.csv")):
        if {"image", "lesion_id"} <= set(_header(table)):
            known |= {row["image"]: row for row in read_rows(table, ("image", "lesion_id"))}
    return known


def find_photos(root: Path) -> dict[str, Path]:
    """Return the photos in `root` and in the folders below, two levels deep, by their names without suffix.

    Raises:
        DataError: There is none.
    """
    photos: dict[str, Path] = {}
    for pattern in ("*", "*/*", "*/*/*"):
        for path in sorted(root.glob(pattern)):
            if is_photo(path):
                photos.setdefault(path.stem, path)
    if not photos:
        raise DataError(
            f"{root} has tables of ISIC but no photos.", remedy="Unpack the photos beside the CSV, in a folder or not."
        )
    return photos


def _record(photo_id: str, label: str, row: Mapping[str, str], photos: Mapping[str, Path]) -> Record | Dropped:
    if photo_id not in photos:
        return Dropped(photo_id, DropReason.MISSING, f"no {photo_id}.jpg in the folders")
    if not label:
        return Dropped(photo_id, DropReason.UNKNOWN_LABEL, "no diagnosis is given")
    metadata = {ours: _given(row[theirs]) for theirs, ours in _OURS.items() if theirs in row}
    patient = _given(row.get("patient_id", ""))
    lesion_id = _given(row.get("lesion_id", "")) or photo_id
    return Record(photo_id, photos[photo_id], lesion_id, label, metadata, group_id=patient and f"patient {patient}")


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
