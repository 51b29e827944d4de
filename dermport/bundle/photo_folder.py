"""Which files of a folder are photos, how their names read, and which photo a table means.

One list for training, ``dermport compare`` and whatever else looks for photos: what a system leaves beside them is
passed over everywhere.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dermport.bundle.store import MANIFEST

# More than dermport-prep/1 accepts: a HEIC is then reported as refused, instead of passed over in silence.
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".heic"})
# Beside dot files (.DS_Store, and ._IMG_1.JPG, which macOS writes for each photo on a disk that is not its own).
_PASSED_OVER = frozenset(
    {
        *("thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information"),  # Windows
        *("__macosx", "icon\r", "lost+found", "@eadir", "#recycle"),  # macOS, ext4, Synology
    }
)
_DEPTH = 5  # folders below the one that was named
_GUESSES = 3


def is_passed_over(name: str) -> bool:
    """Return whether a file or folder of that name is a system's own, not a person's."""
    return name.startswith(".") or name.casefold() in _PASSED_OVER


def is_photo(path: Path) -> bool:
    """Return whether the file's name is that of a photo."""
    return path.suffix.lower() in SUFFIXES and not is_passed_over(path.name)


def readable(path: Path | str) -> str:
    r"""Return a path as text that every file and terminal takes, the same on every system.

    Bytes that are not UTF-8 are written as ``\xe4``; accents are composed (NFC), which macOS takes apart.
    """
    text = path if isinstance(path, str) else path.as_posix()
    return unicodedata.normalize("NFC", os.fsencode(text).decode("utf-8", "backslashreplace"))


@dataclass(frozen=True)
class Unlisted:
    """A folder whose contents cannot be listed, and why."""

    path: Path
    reason: str


def walk(folder: Path, depth: int = _DEPTH) -> Iterator[tuple[Path, list[Path]] | Unlisted]:
    """Yield each folder with its files, itself first and then those below it, in the order of their names.

    Links are followed, but no folder is entered twice; what a system leaves there is passed over, and so is a bundle
    among the photos: its tables and golden photos are copies of what it was trained on.
    """
    yield from _walk(folder, depth, set())


def photos_below(folder: Path, unlisted: Callable[[Unlisted], None] | None = None) -> list[Path]:
    """Return the photos in a folder and below it, in the order of their readable paths.

    Args:
        folder: Where they are looked for.
        unlisted: Told of each folder whose contents cannot be listed.
    """
    found: list[Path] = []
    for entry in walk(folder):
        if isinstance(entry, Unlisted):
            if unlisted:
                unlisted(entry)
        else:
            found += filter(is_photo, entry[1])
    return sorted(found, key=readable)


def _walk(folder: Path, depth: int, seen: set[tuple[int, int]]) -> Iterator[tuple[Path, list[Path]] | Unlisted]:
    try:
        status = folder.stat()
        with os.scandir(folder) as scan:
            entries = sorted(
                (readable(one.name), one.is_dir(), one.name) for one in scan if not is_passed_over(one.name)
            )
    except OSError as error:
        yield Unlisted(folder, error.strerror or str(error))
        return
    if (status.st_dev, status.st_ino) in seen:
        return
    if seen and any(name == MANIFEST for *_, name in entries):
        return
    seen.add((status.st_dev, status.st_ino))
    yield folder, [folder / name for _, is_folder, name in entries if not is_folder]
    for below in (folder / name for _, is_folder, name in entries if is_folder and depth):
        yield from _walk(below, depth - 1, seen)


Choice = Callable[[Sequence[Path]], "Path | None"]


def the_only(found: Sequence[Path]) -> Path | None:
    """Return the one photo that fits; None where several do, or none."""
    return found[0] if len(found) == 1 else None


def the_first(found: Sequence[Path]) -> Path | None:
    """Return the first photo that fits, for layouts that are known to hold copies."""
    return found[0] if found else None


class PhotoFinder:
    r"""Finds the photos that a table names, where it is certain which is meant.

    Certain is: the path as written, from `base`; else the one file that differs in what disks and systems change
    (``\`` for ``/``, composed or decomposed accents, a name in cp1252, the extension's case); else the one photo below
    `root` of that name, or of that name with a suffix. Of anything else, :meth:`guess` asks.

    Args:
        root: The folder below which they are.
        base: The folder that the table's paths start from; by default `root`.
    """

    def __init__(self, root: Path, base: Path | None = None) -> None:
        self.root, self.base = root, base or root
        self._named: set[str] = set()

    def find(self, name: str, choose: Choice = the_only) -> Path | None:
        """Return the photo, or None where none is certain.

        Args:
            name: As the table writes it.
            choose: What is taken of several photos of one name, in the order of their paths, shallow ones first.
        """
        exact = self.base / name
        found = exact if _is_there(exact) else choose(self._fitting(name))
        if found:
            self._named.add(_stem(found))
        return found

    def unnamed(self) -> list[Path]:
        """Return the photos of whose names none was found so far."""
        return [path for path in self.photos if _stem(path) not in self._named]

    def _fitting(self, name: str) -> list[Path]:
        *folders, last = _parts(name)
        for found in (self._names.get(_folded(last), ()), self._stems.get(_composed(last), ())):
            if there := [path for path in found if self._ends_with(path, folders)]:
                return there
        return []

    def guess(self, name: str) -> str:
        """Return ``"; is it X or Y?"`` for photos whose name is like it; empty where none is."""
        last = _parts(name)[-1]
        stem = Path(last).stem if is_photo(Path(last)) else last
        found = self._alike.get(_composed(stem).casefold(), ())
        alike = [readable(path.relative_to(self.root)) for path in found]
        more = f", or one of {len(alike) - _GUESSES} more" * (len(alike) > _GUESSES)
        return f"; is it {' or '.join(alike[:_GUESSES])}{more}?" if alike else ""

    @cached_property
    def photos(self) -> tuple[Path, ...]:
        """The photos below `root`, shallow ones first, then in the order of their paths."""
        return tuple(sorted(photos_below(self.root), key=lambda path: (len(path.parts), readable(path))))

    @cached_property
    def _names(self) -> dict[str, list[Path]]:
        return _by(self.photos, lambda path: _folded(_text(path.name)))

    @cached_property
    def _stems(self) -> dict[str, list[Path]]:
        return _by(self.photos, _stem)

    @cached_property
    def _alike(self) -> dict[str, list[Path]]:
        return _by(self.photos, lambda path: _stem(path).casefold())

    def _ends_with(self, path: Path, folders: Sequence[str]) -> bool:
        """Return whether the photo lies in the folders that a table names, as far as it names any."""
        if not folders:
            return True
        there = [_composed(_text(part)) for part in path.relative_to(self.root).parts[:-1]]
        return there[len(there) - len(folders) :] == [_composed(folder) for folder in folders]


def _by(paths: Sequence[Path], key: Callable[[Path], str]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        found[key(path)].append(path)
    return found


def _is_there(path: Path) -> bool:
    """Return whether a file is there, or may be, in a folder that cannot be read: whoever reads it then says so."""
    try:
        return path.is_file()
    except PermissionError:
        return True
    except (OSError, ValueError):  # a name that is too long, or has a zero in it
        return False


def _parts(name: str) -> list[str]:
    return [part for part in re.split(r"[\\/]+", name) if part not in ("", ".")] or [""]


def _text(name: str) -> str:
    """Return a file's name as a person wrote it: in UTF-8, else in cp1252."""
    data = os.fsencode(name)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("cp1252", "backslashreplace")


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _stem(path: Path) -> str:
    return _composed(os.path.splitext(_text(path.name))[0])  # noqa: PTH122 - a Path for each of 10,000 names is slow


def _folded(name: str) -> str:
    stem, suffix = os.path.splitext(name)  # noqa: PTH122
    return _composed(stem) + suffix.lower()
