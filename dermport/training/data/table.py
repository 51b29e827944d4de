"""A table with one photo a line: its path or name and its label, optionally its lesion, and any metadata."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dermport.bundle.photo_folder import PhotoFinder, readable
from dermport.bundle.tables import read_header, read_rows
from dermport.errors import DataError
from dermport.training.data.folders import part_of
from dermport.training.data.records import Dropped, DropReason, Record, missing, with_unnamed

PATH_COLUMNS = (
    *("path", "file", "filename", "image", "photo", "file_name", "filepath", "file_path", "image_path", "img_path"),
    *("image_id", "image_name", "photo_id", "isic_id", "img", "id"),
)
LABEL_COLUMNS = ("label", "dx", "diagnosis", "class", "target")
LESION_COLUMNS = ("lesion_id", "lesion")
PATIENT_COLUMNS = ("patient_id", "patient")
_NO_ANSWERS = "submission"  # Kaggle's sample_submission.csv has the form of a table, and made-up labels


def is_table(path: Path, header: Sequence[str]) -> bool:
    """Return whether the table `path` with that first line has a column for the photo and one for its label."""
    columns = _column(header, PATH_COLUMNS), _column(header, LABEL_COLUMNS)
    return None not in columns and _NO_ANSWERS not in path.stem.lower()


class TableReader:
    """Reads tables of photos; a photo's id is its path as written.

    A path starts from the table's folder; a name without one, or without a suffix, is looked for below `root` (see
    :class:`dermport.bundle.photo_folder.PhotoFinder`). Without a lesion column each photo counts as a lesion of its
    own. All photos of a patient are kept in one part of a split. Other columns become metadata.

    Args:
        tables: The tables; several (of parts) are read as one data set.
        root: The folder below which the photos are; by default the first table's.
        columns: Of the photo and of its label, by "photo" and "label", where they have none of the known names.

    Attributes:
        licence: What is said of the photos' licence; empty where nothing is.
    """

    name = "table"
    licence = ""

    def __init__(
        self, tables: Sequence[Path], root: Path | None = None, *, columns: Mapping[str, str] | None = None
    ) -> None:
        self._columns = columns or {}
        self.tables = tuple(tables)
        self._photos = root or self.tables[0].parent
        self._root = self.tables[0] if len(self.tables) == 1 else self._photos
        self.notes: tuple[str, ...] = ()

    @property
    def root(self) -> Path:
        """The table; of several, the folder below which the photos are."""
        return self._root

    def iter_records(self) -> Iterator[Record | Dropped]:
        """Yield one record per row, in the order of the tables."""
        for table in self.tables:
            finder = PhotoFinder(self._photos, table.parent)
            yield from self._rows(table, finder)
            if len(self.tables) == 1:
                self.notes = with_unnamed(self.notes, finder)

    def _rows(self, table: Path, finder: PhotoFinder) -> Iterator[Record | Dropped]:
        header = read_header(table)
        path_column = _column(header, (self._columns.get("photo", "").lower(), *PATH_COLUMNS))
        label_column = _column(header, (self._columns.get("label", "").lower(), *LABEL_COLUMNS))
        if path_column is None or label_column is None:
            raise DataError(
                f"{readable(table)} needs a column for the photo's path ({', '.join(PATH_COLUMNS)}) and one for its "
                f"label ({', '.join(LABEL_COLUMNS)}); its first line is: {', '.join(header) or '(empty)'}."
            )
        lesion_column, patient_column = _column(header, LESION_COLUMNS), _column(header, PATIENT_COLUMNS)
        used = {path_column, label_column, lesion_column}
        part = part_of(table.stem)
        for row in read_rows(table, (path_column, label_column)):
            photo_id = row[path_column]
            if not photo_id:
                yield Dropped("(no path)", DropReason.MISSING, f"a row of {table.name} names no photo")
                continue
            path = finder.find(photo_id, lambda found: _of_part(found, part))
            if path is None:
                yield missing(photo_id, finder)
                continue
            patient = row[patient_column] if patient_column else ""
            yield Record(
                photo_id,
                path,
                (row[lesion_column] if lesion_column else "") or photo_id,
                row[label_column],
                {name: value for name, value in row.items() if name not in used},
                group_id=patient and f"patient {patient}",
                part=part or "",
            )


def _of_part(found: Sequence[Path], part: str | None) -> Path | None:
    """Return the one photo; of several of a name (``train/1.jpg``, ``test/1.jpg``) the one of the table's own part."""
    own = [path for path in found if part is not None and part_of(path.parent.name) == part]
    return next(iter(own if len(own) == 1 else found if len(found) == 1 else ()), None)


def _column(header: Sequence[str], names: Sequence[str]) -> str | None:
    return next((column for name in names for column in header if column.lower() == name), None)
