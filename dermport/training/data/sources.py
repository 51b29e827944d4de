"""Which layout a path has, decided by what lies there; what is passed over is said."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dermport.bundle.photo_folder import is_passed_over, readable
from dermport.bundle.tables import dialect_of, read_header, tables_below
from dermport.errors import DataError
from dermport.training.data.croissant import open_croissant
from dermport.training.data.folders import FolderReader, part_of
from dermport.training.data.ham10000 import METADATA, REQUIRED, Ham10000Reader, is_named_metadata
from dermport.training.data.isic import IsicArchiveReader, IsicChallengeReader, is_archive, is_ground_truth
from dermport.training.data.merged import MergedReader
from dermport.training.data.records import Reader
from dermport.training.data.slcd import SlcdReader, is_slcd
from dermport.training.data.table import LABEL_COLUMNS, PATH_COLUMNS, TableReader, is_table
from dermport.training.request import TrainingRequest

_SPREADSHEETS = frozenset({".xlsx", ".xls", ".ods"})
_VERSION = re.compile(r"[_-]v(\d+)$", re.IGNORECASE)


def open_dataset(path: Path, *, lesion_pattern: str | None = None) -> Reader:
    """Return the reader for the photos at `path`.

    A table of a published data set goes before any other, and a table before folders.

    Args:
        path: A folder (HAM10000's layout, ISIC's, tables among the photos, or one folder per class), a table, a
            Croissant file (JSON) of one, or a TOML file that names several (see :mod:`dermport.training.data.merged`).
        lesion_pattern: For a folder per class, how a file's stem names its lesion (see :class:`FolderReader`).

    Raises:
        DataError: Nothing lies there, none of the layouts is recognised, or it is not certain which table is meant; the
            message says what was looked for.
    """
    if path.suffix.lower() == ".toml" and path.is_file():
        return _open_merged(path, lesion_pattern)
    if path.is_file():
        return _open_file(path)
    if not path.is_dir():
        raise DataError(
            f"{readable(path)} does not exist.",
            remedy="{data} takes a folder of photos, a table, or a TOML that names several.",
            of=TrainingRequest,
        )
    try:
        return _open_folder(path, lesion_pattern)
    except PermissionError as error:
        raise DataError(
            f"{readable(error.filename)} cannot be read: {error.strerror}.",
            remedy="Change its permissions, or run dermport as its owner.",
        ) from error


def _open_merged(path: Path, lesion_pattern: str | None) -> Reader:
    if lesion_pattern is not None:
        raise DataError(f"{path} names several data sets.", remedy="Write lesion_pattern under their [[source]] in it.")
    return MergedReader(path, lambda source, pattern: open_dataset(source, lesion_pattern=pattern))


def _open_file(path: Path) -> Reader:
    if path.suffix.lower() in _SPREADSHEETS:
        raise DataError(f"{readable(path)} is a spreadsheet.", remedy='Save it as "CSV UTF-8".')
    if path.suffix.lower() == ".npz":
        raise DataError(
            f"{readable(path)} holds arrays, as MedMNIST's do, not photos.",
            remedy="Unpack it into a folder per class, train/, val/ and test/, and name that with {split} predefined. "
            "DermaMNIST's parts share lesions of HAM10000: its figures are too good.",
            of=TrainingRequest,
        )
    if path.suffix.lower() in (".json", ".jsonld"):
        reader = open_croissant(path)
        return _with_notes(reader, reader.tables)
    header = read_header(path)
    # An archive that is unpacked into a folder of its own name has the photos' folders beside that.
    root = path.parent.parent if path.parent.name == path.stem else path.parent
    kind = next((kind for kind in _KINDS if kind.is_one(path, header)), None)
    return _with_notes(kind.reader((path,), root) if kind else TableReader((path,)), [path])


@dataclass(frozen=True)
class _Kind:
    """A kind of table.

    Attributes:
        is_one: Whether a table, by its path and first line, is of the kind.
        reader: Reads tables of it, with the photos below a folder.
        together: Whether several are one data set, whatever they are called.
    """

    is_one: Callable[[Path, Sequence[str]], bool]
    reader: Callable[[Sequence[Path], Path], Reader]
    together: bool = False


# In the order in which they are looked for.
_KINDS = (
    _Kind(lambda path, _: is_named_metadata(path), lambda tables, root: Ham10000Reader(tables[0], root)),
    _Kind(
        lambda _, header: set(REQUIRED) <= set(header),
        lambda tables, root: Ham10000Reader(tables[0], root),
    ),
    _Kind(lambda _, header: is_ground_truth(header), IsicChallengeReader, together=True),
    _Kind(lambda _, header: is_archive(header), IsicArchiveReader),
    _Kind(is_table, TableReader),
)


@dataclass
class _Tables:
    """The tables of a folder: their first lines, and why the others cannot be read."""

    headers: dict[Path, tuple[str, ...]] = field(default_factory=dict)
    refused: dict[Path, DataError] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path) -> _Tables:
        found = cls()
        bare = [
            path
            for path in sorted(folder.iterdir())
            if path.suffix == "" and is_named_metadata(path) and path.is_file()
        ]
        for path in (*bare, *tables_below(folder)):
            try:
                found.headers[path] = read_header(path)
            except DataError as error:
                found.refused[path] = error
        return found

    def of_kind(self, kind: _Kind) -> list[Path]:
        return [path for path, header in self.headers.items() if kind.is_one(path, header)]


def _open_folder(path: Path, lesion_pattern: str | None) -> Reader:
    tables = _Tables.of(path)
    for kind in _KINDS:
        if found := tables.of_kind(kind):
            chosen = found if kind.together else _chosen(path, found)
            return _with_notes(kind.reader(chosen, path), chosen, tables, path)
        if kind is _KINDS[-2] and is_slcd(path):  # which may have tables of ISIC's lesions, but none of labels
            break
    reader = (SlcdReader if is_slcd(path) else FolderReader)(path, lesion_pattern)
    if tables.refused and len(reader.layout.classes) < 2:
        raise next(iter(tables.refused.values()))
    if not reader.layout.classes:
        raise _nothing(path, tables)
    return _with_notes(reader, (), tables, path)


def _chosen(folder: Path, tables: Sequence[Path]) -> list[Path]:
    """Return the tables to read of several of one kind: the newest version, or those of the parts.

    Raises:
        DataError: It is not certain which are meant.
    """
    newest: dict[str, Path] = {}
    for table in sorted(tables, key=_version):
        newest[_VERSION.sub("", readable(table.stem)).lower()] = table
    found = [table for table in tables if table in newest.values()]
    parts = [part_of(table.stem) for table in found]
    if len(found) == 1 or (None not in parts and len(set(parts)) == len(parts)):
        return found
    names = ", ".join(readable(table.relative_to(folder)) for table in found)
    raise DataError(f"{readable(folder)} holds several tables of photos: {names}.", remedy="Name the one to read.")


def _version(table: Path) -> int:
    found = _VERSION.search(table.stem)
    return int(found[1]) if found else 1


def _with_notes(
    reader: Reader, read: Sequence[Path], tables: _Tables | None = None, folder: Path | None = None
) -> Reader:
    """Say how each table is written where that is unusual, and which ones are not read, and why."""
    notes = [f"{table.name} is read as: {words}." for table in read if (words := dialect_of(table).words)]
    if tables and folder:
        notes += _left_out(read, tables, folder)
    reader.notes = (*notes, *reader.notes)
    return reader


def _left_out(read: Sequence[Path], tables: _Tables, folder: Path) -> Iterator[str]:
    for table, header in tables.headers.items():
        if table not in read and (why := _why_not(table, header, read)):
            yield f"{readable(table.relative_to(folder))} is not read: {why}."
    for error in tables.refused.values():
        yield f"{error.message} {error.remedy}"
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in _SPREADSHEETS and not is_passed_over(path.name):
            yield f'{readable(path.name)} is a spreadsheet, which is not read: save it as "CSV UTF-8".'


def _why_not(table: Path, header: Sequence[str], read: Sequence[Path]) -> str:
    """Return why a table is not read; empty for one that another goes with (its lesions, say)."""
    if not read:
        return "it has no column for a photo with one for its label"
    if not any(kind.is_one(table, header) for kind in _KINDS):
        return ""
    if any(_VERSION.sub("", one.stem) == _VERSION.sub("", table.stem) for one in read):
        return "a newer version is"
    return f"{', '.join(readable(one.name) for one in read)} is; name it to read it instead"


def _nothing(path: Path, tables: _Tables) -> DataError:
    seen = "".join(
        f"\n  {readable(one.relative_to(path))} has the columns {', '.join(header)}."
        for one, header in tables.headers.items()
    )
    return DataError(
        f"{readable(path)} holds no data set that dermport reads. Looked for: {METADATA} (or .tab) with its image "
        "folders; ISIC's *_GroundTruth.csv (image, MEL, NV, BCC, ...) or metadata.csv (isic_id, diagnosis); a table "
        f"with a column for the path ({', '.join(PATH_COLUMNS)}) and one for the label ({', '.join(LABEL_COLUMNS)}); a "
        f"folder per class with photos in it.{seen}",
        remedy="`dermport sample-data --out DIR` draws an example.",
    )
