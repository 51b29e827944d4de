"""HAM10000 (Tschandl et al. 2018, doi:10.1038/sdata.2018.161) as its archive unpacks, and as Kaggle's copy does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dermport.bundle.photo_folder import PhotoFinder, readable, the_first
from dermport.bundle.tables import read_rows
from dermport.errors import DataError
from dermport.training.data.records import Dropped, Record, missing, with_unnamed

METADATA = "HAM10000_metadata.csv"
REQUIRED = ("lesion_id", "image_id", "dx")
OPTIONAL = ("dx_type", "age", "sex", "localization")


def is_named_metadata(path: Path) -> bool:
    """Return whether the file has the name of HAM10000's metadata: as the archive's .tab, as a CSV, without suffix."""
    return path.stem.lower() == Path(METADATA).stem.lower() and path.suffix.lower() in ("", ".csv", ".tab")


class Ham10000Reader:
    """Reads ``HAM10000_metadata`` with the photos in folders beside it.

    Kaggle's copy holds both parts of the photos twice, once in lower case: of photos of one name, the first is read.

    Args:
        metadata: The table.
        root: The folder below which the photos are; by default the table's.
    """

    name = "ham10000"

    def __init__(self, metadata: Path, root: Path | None = None) -> None:
        self.metadata = metadata
        self._root = root or metadata.parent
        self.notes: tuple[str, ...] = ()

    @property
    def root(self) -> Path:
        """The folder below which the photos are."""
        return self._root

    def iter_records(self) -> Iterator[Record | Dropped]:
        """Yield one record per row of the metadata, in its order."""
        finder = PhotoFinder(self.root)
        if not finder.photos:
            raise DataError(
                f"{readable(self.root)} has the metadata of HAM10000 but no photos.",
                remedy=f"Unpack the photos beside {self.metadata.name}, e.g. into HAM10000_images_part_1.",
            )
        for row in read_rows(self.metadata, REQUIRED):
            photo_id = row["image_id"]
            if (path := finder.find(photo_id, the_first)) is None:
                yield missing(photo_id, finder)
                continue
            metadata = {name: row[name] for name in OPTIONAL if name in row}
            yield Record(photo_id, path, row["lesion_id"] or photo_id, row["dx"], metadata)
        self.notes = with_unnamed(self.notes, finder)
