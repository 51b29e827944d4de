"""Which photos a comparison is over, and what they show where that is known."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

from dermport.bundle import tables
from dermport.bundle.manifest import TaskSpec
from dermport.bundle.photo_folder import PhotoFinder, Unlisted, photos_below, readable
from dermport.errors import DataError, UsageError

PARTS = ("train", "validation", "test", "all")
# The names that `dermport train` knows, too; the first one is that of every other part of this file.
_SYNONYMS = {
    "photo": ("photo", "path", "file", "filename", "image"),
    "label": ("label", "dx", "diagnosis", "class"),
    "lesion_id": ("lesion_id", "lesion"),
}


@dataclass(frozen=True)
class Photo:
    """A photo on disk.

    Attributes:
        name: How reports call it: its id, its file name, or its path below the folder that was named.
        path: Where it is.
        truth: The label that it shows, as the task calls it; None where that is not known.
        lesion: The lesion that it shows; None where that is not known.
    """

    name: str
    path: Path
    truth: str | None = None
    lesion: str | None = None

    def read(self) -> bytes:
        """Return its bytes; UsageError where that fails."""
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise UsageError(f"{readable(self.path)} cannot be read: {error.strerror}.") from error


def text_of(path: Path) -> str:
    """Return a path as text that a JSON document takes; one that is not UTF-8 as a file's URI."""
    text = str(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        return path.as_uri()
    return text


def path_of(text: str) -> Path:
    """Return the path that :func:`text_of` wrote."""
    return (
        Path(os.fsdecode(unquote_to_bytes(text.removeprefix("file://")))) if text.startswith("file://") else Path(text)
    )


def left_out(photos: Iterable[Photo]) -> dict[Photo, str]:
    """Return the photos that cannot be read from disk, and folders that cannot be listed, with the reason."""
    return {photo: reason for photo in photos if (reason := _fault(photo.path))}


def _fault(path: Path) -> str:
    try:
        if path.is_dir():
            return f"a folder, {len(list(path.iterdir()))} files"
        if not stat.S_ISREG(path.stat().st_mode):
            return "it is no file"
        path.open("rb").close()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def find_photos(paths: Iterable[Path], task: TaskSpec | None = None) -> tuple[Photo, ...]:
    """Return the photos that were named, sorted within each folder and pattern.

    A folder stands for the photos below it (see :mod:`dermport.bundle.photo_folder`), a pattern (``*``, ``?``,
    ``[...]``) for the files that fit, a table for the photos in its column ``photo`` (paths from its folder) with,
    where they are there, their ``label``, ``id`` and ``lesion_id``; any other file for itself.

    Args:
        paths: What was named.
        task: What the labels of a CSV are understood by; None leaves them out.

    Raises:
        DataError: A table cannot be used, or names a label that the task does not have.
        UsageError: A path does not exist, or there is no photo at all.
    """
    photos = tuple(photo for path in paths for photo in _named(path, task))
    if not photos:
        raise UsageError("There are no photos.", remedy="Name JPEG or PNG files, folders that hold some, or a CSV.")
    return photos


def photos_of_split(split: Path, part: str, data: Path, task: TaskSpec) -> tuple[Photo, ...]:
    """Return the photos of one part of a data set, by a bundle's ``split.csv``.

    Args:
        split: CSV with the columns photo_id, lesion_id, label and part.
        part: train, validation, test or all.
        data: The folder below which the photos are, each named by its id.
        task: What the labels are understood by.

    Raises:
        DataError: The CSV cannot be used, or a photo is not there.
        UsageError: There is no such part or folder.
    """
    if part not in PARTS:
        raise UsageError(f"There is no part {part!r}.", remedy=f"Parts: {', '.join(PARTS)}.")
    if not data.is_dir():
        raise UsageError(f"{data} is no folder.", remedy="Name the folder that holds the photos: --data FOLDER.")
    rows = [row for row in _rows(split, ("photo_id", "part")) if part in ("all", row["part"])]
    if not rows:
        raise DataError(f"{split} names no photo of the part {part}.")
    there = _by_id(data)
    if absent := [row["photo_id"] for row in rows if row["photo_id"] not in there]:
        raise DataError(
            f"{len(absent):,} of the {len(rows):,} photos of {split} are not below {data}, e.g. {absent[0]}.",
            remedy="Name the folder of the data set that the split was made for.",
        )
    return tuple(
        Photo(row["photo_id"], there[row["photo_id"]], _truth(row, task, split), row.get("lesion_id") or None)
        for row in rows
    )


def _by_id(data: Path) -> dict[str, Path]:
    """Return the photos below a folder by what a data set may call them: file name, path, with and without suffix."""
    found: dict[str, Path] = {}
    for path in photos_below(data):
        inside = path.relative_to(data)
        for name in (path.stem, path.name, inside, inside.with_suffix("")):
            found.setdefault(readable(name), path)
    return found


def _named(path: Path, task: TaskSpec | None) -> Iterator[Photo]:
    if path.is_dir():
        unlisted: list[Unlisted] = []
        found = photos_below(path, unlisted.append)
        found += [one.path for one in unlisted]  # which :func:`left_out` names
        yield from (Photo(readable(file.relative_to(path)), file) for file in found)
    elif path.is_file() and path.suffix.lower() in tables.SUFFIXES:
        yield from _listed(path, task)
    elif path.is_file():
        yield Photo(readable(path.name), path)
    else:
        yield from _fitting(path)


def _fitting(pattern: Path) -> Iterator[Photo]:
    parts = pattern.parts
    first = next((index for index, part in enumerate(parts) if set(part) & set("*?[")), None)
    base = Path(*parts[:first]) if first is not None else pattern
    found = sorted(file for file in base.glob("/".join(parts[first:])) if file.is_file()) if first is not None else []
    if not found:
        raise UsageError(f"{readable(pattern)} {'fits no file' if first is not None else 'does not exist'}.")
    yield from (Photo(readable(file.relative_to(base)), file) for file in found)


def _listed(path: Path, task: TaskSpec | None) -> Iterator[Photo]:
    finder = PhotoFinder(path.parent)
    for row in _rows(path, ("photo",)):
        if (photo := finder.find(row["photo"])) is None:
            raise DataError(
                f"{readable(path)} names {row['photo']}, which is not there{finder.guess(row['photo']) or '.'}",
                remedy="Paths are from its folder.",
            )
        truth = _truth(row, task, path) if task else None
        yield Photo(row.get("id") or row["photo"], photo, truth, row.get("lesion_id") or None)


def _rows(path: Path, needed: Sequence[str]) -> list[dict[str, str]]:
    header = tables.read_header(path)
    names = _plain_names([name.lower() for name in header])
    if missing := [name for name in needed if name not in names]:
        raise DataError(
            f"{readable(path)} has no column {missing[0]!r} (it has: {', '.join(names) or 'none'}).",
            remedy="Its first line names the columns.",
        )
    return [
        {name: row[column] for name, column in zip(names, header, strict=True)} for row in tables.read_rows(path, ())
    ]


def _plain_names(header: list[str]) -> list[str]:
    """Return a header in which the first column of each meaning has that meaning's first name."""
    for meant, names in _SYNONYMS.items():
        found = next((name for name in names if name in header), meant)
        header = [meant if name == found else name for name in header]
    return header


def _truth(row: Mapping[str, str], task: TaskSpec, path: Path) -> str | None:
    """Return what a row's label counts as; None where it has none, or "unknown"."""
    label = row.get("label", "")
    if _plain(label) in ("", "unknown"):
        return None
    meant = {_plain(name): one.id for one in task.labels for name in (*one.sources, one.name, one.id)}
    if _plain(label) not in meant:
        raise DataError(
            f"{path}: {label!r} is no label of this bundle (it has: {', '.join(task.ids)}).",
            remedy="Leave the cell empty, or write unknown, where a photo shows something else.",
        )
    return meant[_plain(label)]


def _plain(label: str) -> str:
    return re.sub(r"[-_\s]+", " ", label).strip().casefold()
