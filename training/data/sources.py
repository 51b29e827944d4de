"""Which layout a path has, decided by what lies there."""

from __future__ import annotations

from pathlib import Path

from bundle.errors import DataError
from training.data.folders import FolderReader, class_folders
from training.data.ham10000 import METADATA, Ham10000Reader, find_metadata, is_metadata
from training.data.records import Reader
from training.data.table import LABEL_COLUMNS, PATH_COLUMNS, TableReader, is_table


def open_dataset(path: Path, *, lesion_pattern: str | None = None) -> Reader:
    """Return the reader for the photos at `path`.

    Args:
        path: A folder (HAM10000's layout, one folder per class, or one CSV among the photos) or a CSV file.
        lesion_pattern: For a folder per class, how a file's stem names its lesion (see :class:`FolderReader`).

    Raises:
        DataError: Nothing lies there, or none of the layouts is recognised; the message says what was looked for.
    """
    if path.is_file():
        return _open_file(path)
    if not path.is_dir():
        raise DataError(f"{path} does not exist.", remedy="--data takes a folder of photos or a CSV.")
    return _open_folder(path, lesion_pattern)


def _open_file(path: Path) -> Reader:
    if is_metadata(path):
        return Ham10000Reader(path)
    return TableReader(path)


def _open_folder(path: Path, lesion_pattern: str | None) -> Reader:
    if metadata := find_metadata(path):
        return Ham10000Reader(metadata)
    tables = [table for table in sorted(path.glob("*.csv")) if is_table(table)]
    if len(tables) == 1:
        return TableReader(tables[0])
    if class_folders(path):
        return FolderReader(path, lesion_pattern)
    if tables:
        names = ", ".join(table.name for table in tables)
        raise DataError(f"{path} holds several tables of photos: {names}.", remedy="Name the one to read.")
    raise DataError(
        f"{path} holds no data set that dermport reads. Looked for: {METADATA} with its image folders; one CSV with a "
        f"column for the path ({', '.join(PATH_COLUMNS)}) and one for the label ({', '.join(LABEL_COLUMNS)}); a folder "
        "per class with photos in it.",
        remedy="`dermport sample-data --out DIR` draws an example.",
    )
