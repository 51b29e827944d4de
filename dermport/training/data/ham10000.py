"""HAM10000 (Tschandl et al. 2018, doi:10.1038/sdata.2018.161) as its archive unpacks, and as Kaggle's copy does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dermport.errors import DataError
from dermport.training.data.records import Dropped, DropReason, Record
from dermport.training.data.rows import read_header, read_rows

METADATA = "HAM10000_metadata.csv"
REQUIRED = ("lesion_id", "image_id", "dx")
OPTIONAL = ("dx_type", "age", "sex", "localization")
_FOLDERS = ("ham10000_images_part_1", "ham10000_images_part_2", "ham10000_images", "images")
_SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})


def find_metadata(root: Path) -> Path | None:
    """Return the metadata CSV in the folder `root`, whatever its case and with or without ``.csv``; None if absent."""
    names = {METADATA.lower(), METADATA.lower().removesuffix(".csv")}
    return next((path for path in sorted(root.iterdir()) if path.name.lower() in names and path.is_file()), None)


def is_metadata(path: Path) -> bool:
    """Return whether the CSV file `path` has HAM10000's columns."""
    return set(REQUIRED) <= set(read_header(path))


class Ham10000Reader:
    """Reads a folder with ``HAM10000_metadata.csv`` and the photos in its image folders.

    The photos are looked for in ``HAM10000_images_part_1`` and ``_part_2``, ``HAM10000_images`` and ``images`` (in any
    case; Kaggle's copy holds both parts twice, once in lower case), and last beside the metadata.
    """

    name = "ham10000"

    def __init__(self, metadata: Path) -> None:
        self.metadata = metadata

    @property
    def root(self) -> Path:
        """The folder that holds the metadata and the image folders."""
        return self.metadata.parent

    def iter_records(self) -> Iterator[Record | Dropped]:
        """Yield one record per row of the metadata, in its order."""
        photos = self._photos()
        for row in read_rows(self.metadata, REQUIRED):
            photo_id = row["image_id"]
            if photo_id not in photos:
                yield Dropped(photo_id, DropReason.MISSING, f"no {photo_id}.jpg in the image folders")
                continue
            metadata = {name: row[name] for name in OPTIONAL if name in row}
            yield Record(photo_id, photos[photo_id], row["lesion_id"] or photo_id, row["dx"], metadata)

    def _photos(self) -> dict[str, Path]:
        found = {path.name.lower(): path for path in sorted(self.root.iterdir(), reverse=True) if path.is_dir()}
        photos: dict[str, Path] = {}
        for folder in (*(found[name] for name in _FOLDERS if name in found), self.root):
            for path in sorted(folder.iterdir()):
                if path.suffix.lower() in _SUFFIXES:
                    photos.setdefault(path.stem, path)
        if not photos:
            raise DataError(
                f"{self.root} has the metadata of HAM10000 but no photos.",
                remedy=f"Unpack the photos beside {self.metadata.name}, e.g. into HAM10000_images_part_1.",
            )
        return photos
