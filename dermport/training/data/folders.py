"""A folder per class, optionally below ``train``, ``val`` and ``test``, as many published data sets are laid out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from dermport.errors import DataError
from dermport.training.data.records import Dropped, Record

# More than dermport-prep/1 accepts: a HEIC is then reported as refused, instead of passed over in silence.
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".heic"})
_PARTS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})


class FolderReader:
    """Reads ``<class>/<photo>`` or ``<part>/<class>/<photo>``; the parts are joined, for dermport splits by lesion.

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

    @property
    def root(self) -> Path:
        """The folder that holds the class folders."""
        return self._root

    def iter_records(self) -> Iterator[Record | Dropped]:
        """Yield one record per photo, class by class, in the order of their names."""
        for folder in class_folders(self.root):
            for path in sorted(folder.iterdir()):
                if is_photo(path):
                    photo_id = path.relative_to(self.root).as_posix()
                    yield Record(photo_id, path, self._lesion(path, photo_id), folder.name)

    def _lesion(self, path: Path, photo_id: str) -> str:
        match = self.lesion_pattern.search(path.stem) if self.lesion_pattern else None
        return match.group(1) if match else photo_id


def is_photo(path: Path) -> bool:
    """Return whether the file's name is that of a photo."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def class_folders(root: Path) -> list[Path]:
    """Return the folders below `root` that hold photos themselves, in the order of their names."""
    folders: list[Path] = []
    for folder in _subfolders(root):
        folders += _subfolders(folder) if folder.name.lower() in _PARTS else [folder]
    return [folder for folder in folders if any(is_photo(path) for path in folder.iterdir())]


def _subfolders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


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
