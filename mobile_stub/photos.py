"""Which photos a comparison is over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bundle.errors import UsageError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})


@dataclass(frozen=True)
class Photo:
    """A photo on disk.

    Attributes:
        name: How reports call it: its file name, or its path below the folder that was named.
        path: Where it is.
    """

    name: str
    path: Path

    def read(self) -> bytes:
        """Return its bytes; UsageError where that fails."""
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise UsageError(f"{self.path} cannot be read: {error.strerror}.") from error


def find_photos(paths: Iterable[Path]) -> tuple[Photo, ...]:
    """Return the named files, whatever they are, and the JPEG and PNG files below the named folders, sorted.

    Raises:
        UsageError: A path does not exist, or there is no photo at all.
    """
    photos = tuple(photo for path in paths for photo in _below(path))
    if not photos:
        raise UsageError("There are no photos.", remedy="Name JPEG or PNG files, or folders that hold some.")
    return photos


def _below(path: Path) -> Iterator[Photo]:
    if path.is_dir():
        found = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
        yield from (Photo(file.relative_to(path).as_posix(), file) for file in found)
    elif path.is_file():
        yield Photo(path.name, path)
    else:
        raise UsageError(f"{path} does not exist.")
