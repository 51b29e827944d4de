"""Which layout a path has, decided by what lies there."""

from __future__ import annotations

from pathlib import Path

from dermport.errors import DataError
from dermport.training.data.folders import FolderReader, class_folders
from dermport.training.data.ham10000 import METADATA, Ham10000Reader, find_metadata, is_metadata
from dermport.training.data.isic import IsicArchiveReader, IsicChallengeReader, find_tables, is_archive, is_ground_truth
from dermport.training.data.merged import MergedReader
from dermport.training.data.records import Reader
from dermport.training.data.slcd import SlcdReader, is_slcd
from dermport.training.data.table import LABEL_COLUMNS, PATH_COLUMNS, TableReader, is_table
from dermport.training.request import TrainingRequest


def open_dataset(path: Path, *, lesion_pattern: str | None = None) -> Reader:
    """Return the reader for the photos at `path`.

    Args:
        path: A folder (HAM10000's layout, ISIC's, one folder per class, or one CSV among the photos), a CSV file, or
            a TOML file that names several of these (see :mod:`dermport.training.data.merged`).
        lesion_pattern: For a folder per class, how a file's stem names its lesion (see :class:`FolderReader`).

    Raises:
        DataError: Nothing lies there, or none of the layouts is recognised; the message says what was looked for.
    """
    if path.suffix.lower() == ".toml" and path.is_file():
        return _open_merged(path, lesion_pattern)
    if path.is_file():
        return _open_file(path)
    if not path.is_dir():
        raise DataError(
            f"{path} does not exist.",
            remedy="{data} takes a folder of photos, a CSV, or a TOML that names several.",
            of=TrainingRequest,
        )
    return _open_folder(path, lesion_pattern)


def _open_merged(path: Path, lesion_pattern: str | None) -> Reader:
    if lesion_pattern is not None:
        raise DataError(f"{path} names several data sets.", remedy="Write lesion_pattern under their [[source]] in it.")
    return MergedReader(path, lambda source, pattern: open_dataset(source, lesion_pattern=pattern))


def _open_file(path: Path) -> Reader:
    if is_metadata(path):
        return Ham10000Reader(path)
    if is_ground_truth(path):
        return IsicChallengeReader([path])
    if is_archive(path):
        return IsicArchiveReader(path)
    return TableReader(path)


def _open_folder(path: Path, lesion_pattern: str | None) -> Reader:
    return _open_known(path, lesion_pattern) or _open_any(path, lesion_pattern)


def _open_known(path: Path, lesion_pattern: str | None) -> Reader | None:
    """Return the reader of a published data set, None where the folder has none's layout."""
    if metadata := find_metadata(path):
        return Ham10000Reader(metadata)
    ground_truths, archives = find_tables(path)
    if ground_truths:
        return IsicChallengeReader(ground_truths)
    if len(archives) == 1:
        return IsicArchiveReader(archives[0])
    return SlcdReader(path, lesion_pattern) if is_slcd(path) else None


def _open_any(path: Path, lesion_pattern: str | None) -> Reader:
    tables = [table for table in sorted(path.glob("*.csv")) if is_table(table)]
    if len(tables) == 1:
        return TableReader(tables[0])
    if class_folders(path):
        return FolderReader(path, lesion_pattern)
    if tables:
        names = ", ".join(table.name for table in tables)
        raise DataError(f"{path} holds several tables of photos: {names}.", remedy="Name the one to read.")
    raise DataError(
        f"{path} holds no data set that dermport reads. Looked for: {METADATA} with its image folders; ISIC's "
        "*_GroundTruth.csv (image, MEL, NV, BCC, ...) or metadata.csv (isic_id, diagnosis); one CSV with a "
        f"column for the path ({', '.join(PATH_COLUMNS)}) and one for the label ({', '.join(LABEL_COLUMNS)}); a folder "
        "per class with photos in it.",
        remedy="`dermport sample-data --out DIR` draws an example.",
    )
