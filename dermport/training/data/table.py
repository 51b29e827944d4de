"""A CSV with one photo a line: its path and label, optionally its lesion, and any metadata."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from dermport.errors import DataError
from dermport.training.data.records import Dropped, DropReason, Record
from dermport.training.data.rows import read_header, read_rows

PATH_COLUMNS = ("path", "file", "filename", "image", "photo")
LABEL_COLUMNS = ("label", "dx", "diagnosis", "class")
LESION_COLUMNS = ("lesion_id", "lesion")


def is_table(path: Path) -> bool:
    """Return whether `path` is a CSV with a column for the photo's path and one for its label."""
    try:
        header = read_header(path)
    except DataError:
        return False
    return _column(header, PATH_COLUMNS) is not None and _column(header, LABEL_COLUMNS) is not None


class TableReader:
    """Reads a CSV; paths are relative to the CSV's folder, and a photo's id is its path as written.

    Without a lesion column each photo counts as a lesion of its own. Other columns become metadata.
    """

    name = "table"

    def __init__(self, table: Path) -> None:
        self._root = table

    @property
    def root(self) -> Path:
        """The CSV file."""
        return self._root

    def iter_records(self) -> Iterator[Record | Dropped]:
        """Yield one record per row, in the file's order."""
        header = read_header(self.root)
        path_column, label_column = _column(header, PATH_COLUMNS), _column(header, LABEL_COLUMNS)
        if path_column is None or label_column is None:
            raise DataError(
                f"{self.root} needs a column for the photo's path ({', '.join(PATH_COLUMNS)}) and one for its label "
                f"({', '.join(LABEL_COLUMNS)}); its first line is: {', '.join(header) or '(empty)'}."
            )
        lesion_column = _column(header, LESION_COLUMNS)
        used = {path_column, label_column, lesion_column}
        for row in read_rows(self.root, (path_column, label_column)):
            photo_id = row[path_column]
            if not photo_id:
                yield Dropped("(no path)", DropReason.MISSING, f"a row of {self.root.name} names no photo")
                continue
            lesion_id = (row[lesion_column] if lesion_column else "") or photo_id
            metadata = {name: value for name, value in row.items() if name not in used}
            yield Record(photo_id, self.root.parent / photo_id, lesion_id, row[label_column], metadata)


def _column(header: Sequence[str], names: Sequence[str]) -> str | None:
    return next((column for name in names for column in header if column.lower() == name), None)
