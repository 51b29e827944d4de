"""A folder per class, optionally below ``train``, ``val`` and ``test``, as many published data sets are laid out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dermport.bundle.manifest import Part
from dermport.bundle.photo_folder import Unlisted, is_photo, readable, walk
from dermport.errors import DataError
from dermport.training.data.records import Dropped, DropReason, Record

_PARTS: Mapping[str, Part] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def part_of(name: str) -> Part | None:
    """Return the part that a folder or a table is named after, None where that is none or several."""
    found = {_PARTS[word] for word in re.split(r"[-_.\s]+", name.lower()) if word in _PARTS}
    return found.pop() if len(found) == 1 else None


@dataclass(frozen=True)
class ClassFolder:
    """A folder whose photos are of one class.

    Attributes:
        path: Where it lies.
        photos: In it; of folders below it, too, where the data set has a folder for each person.
        part: The part that it lies in, None where the data set has none.
        deep: Whether photos lie in folders below it, each of which a split keeps together.
    """

    path: Path
    photos: tuple[Path, ...]
    part: Part | None
    deep: bool = False

    @property
    def label(self) -> str:
        """The class: the folder's name."""
        return readable(self.path.name)


class FolderReader:
    """Reads ``<class>/<photo>`` or ``<part>/<class>/<photo>``, in folders around them or not.

    A photo's id is its path below `root`. Its lesion is the photo itself, unless `lesion_pattern` is given.

    Args:
        root: The folder that holds the class folders.
        lesion_pattern: A regular expression searched in the file's stem; its first group names the lesion, e.g.
            ``r"^(patient\\d+)_"``.
    """

    name = "folders"

    def __init__(self, root: Path, lesion_pattern: str | None = None) -> None:
        self._root = root
        self.lesion_pattern = _compiled(lesion_pattern)
        self.layout = FolderLayout(root)
        self.notes: tuple[str, ...] = tuple(self.layout.notes())

    @property
    def root(self) -> Path:
        """The folder that holds the class folders."""
        return self._root

    def iter_records(self) -> Iterator[Record | Dropped]:
        """Yield one record per photo, class by class, in the order of their names."""
        yield from self.layout.unlisted
        for folder in self.layout.classes:
            for path in folder.photos:
                photo_id = readable(path.relative_to(self.root))
                yield Record(
                    photo_id,
                    path,
                    self._lesion(path, photo_id),
                    folder.label,
                    group_id=f"folder {readable(path.parent.relative_to(self.root))}" if folder.deep else "",
                    part=folder.part or "",
                )

    def _lesion(self, path: Path, photo_id: str) -> str:
        match = self.lesion_pattern.search(readable(path.stem)) if self.lesion_pattern else None
        return match.group(1) if match else photo_id


class FolderLayout:
    """Which folders below one are classes.

    Folders around them (``archive/images/…``) and parts are looked through. A class is then a folder with photos; or,
    where no folder has any itself, the one whose name occurs in several folders (``clinic-a/nv``, ``clinic-b/nv``),
    else the uppermost (``nv/patient 1``).

    Attributes:
        classes: In the order of their paths.
        unlisted: Folders that cannot be read, and photos that are no files.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.unlisted: list[Dropped] = []
        self._photos = {folder: photos for folder, photos in self._listed() if photos}
        self.classes = sorted(self._classes(root, None), key=lambda one: readable(one.path))

    def notes(self) -> Iterator[str]:
        """Yield what is read in an unusual way, and where photos lie that are in no class."""
        if self.classes and any(one.deep for one in self.classes):
            yield "Photos lie in folders below the classes: each folder's photos stay in one part of a split."
        read = {path for one in self.classes for path in one.photos}
        for folder, photos in self._photos.items():
            if self.classes and (left := len(set(photos) - read)):
                where = readable(folder.relative_to(self.root)) if folder != self.root else "The folder itself"
                yield f"{where} holds {left:,} photos of no class, which are not read."

    def _listed(self) -> Iterator[tuple[Path, list[Path]]]:
        for entry in walk(self.root):
            if isinstance(entry, Unlisted):
                name = readable(entry.path.relative_to(self.root)) + "/"
                self.unlisted.append(Dropped(name, DropReason.UNREADABLE, f"a folder: {entry.reason}"))
            else:
                yield entry[0], list(filter(is_photo, entry[1]))

    def _below(self, folder: Path) -> list[Path]:
        """Return the folders in `folder` that hold photos, or hold folders that do."""
        level = len(folder.parts)
        return list(dict.fromkeys(Path(*one.parts[: level + 1]) for one in self._photos if folder in one.parents))

    def _classes(self, folder: Path, part: Part | None) -> Iterator[ClassFolder]:
        below = self._below(folder)
        if any(_named_part(one) for one in below):
            for one in below:
                yield from self._classes(one, _named_part(one)) if _named_part(one) else self._plain([one], part)
        elif any(one in self._photos for one in below):
            yield from self._plain(below, part)
        elif len(below) == 1 or self._share_names(below):
            for one in below:
                yield from self._classes(one, part)
        else:
            for one in below:
                photos = [path for inner, found in self._photos.items() if one in inner.parents for path in found]
                yield ClassFolder(one, tuple(photos), part, deep=True)

    def _plain(self, folders: list[Path], part: Part | None) -> Iterator[ClassFolder]:
        return (ClassFolder(one, tuple(self._photos[one]), part) for one in folders if one in self._photos)

    def _share_names(self, folders: list[Path]) -> bool:
        names = [{one.name.casefold() for one in self._below(folder)} for folder in folders]
        return len(set().union(*names)) < sum(map(len, names))


def _named_part(folder: Path) -> Part | None:
    return _PARTS.get(folder.name.lower())


def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    if pattern is None:
        return None
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise DataError(f"The lesion pattern {pattern!r} is not a regular expression: {error}.") from error
    if compiled.groups < 1:
        raise DataError(
            f"The lesion pattern {pattern!r} has no group.", remedy="Put the lesion's part in (), e.g. '^([^_]+)_'."
        )
    return compiled
