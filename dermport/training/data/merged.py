"""Several data sets read as one, from a TOML file that names them::

    [[source]]
    name = "ham"                  # prefix of its photos and lesions, so that none of two sources clash
    path = "ham10000"             # relative to this file
    licence = "CC BY-NC 4.0"      # optional: for the data card, where no LICENSE lies beside the photos

    [[source]]
    name = "clinic"
    path = "clinic/photos"
    labels = { "SK" = "bkl", "naevus" = "nv" }   # optional: their label = the label that the task knows
    lesion_pattern = "^(\\\\d+)_"                  # optional: for a folder per class

The same photo in two sources is kept once (and not at all where their labels contradict each other), and its lesions in
both are kept in one part of a split.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from dermport.bundle import toml
from dermport.contract import Contract, Name, explained
from dermport.errors import DataError
from dermport.training.data.records import Dropped, Reader, Record
from dermport.training.data.tasks import plain


class _Source(Contract):
    name: Name
    path: Annotated[str, Field(min_length=1)]
    labels: Annotated[dict[str, str], Field(default_factory=dict)]
    lesion_pattern: str | None = None
    licence: str = ""


class _File(Contract):
    source: Annotated[tuple[_Source, ...], Field(min_length=1)]


@dataclass(frozen=True)
class MergedSource:
    """One of the data sets.

    Attributes:
        name: Prefix of its ids.
        reader: Of its photos.
        path: Where they lie.
        labels: From its label in plain form to the one that is meant.
        licence: As the file says; empty where it says nothing.
    """

    name: str
    reader: Reader
    path: Path
    labels: Mapping[str, str]
    licence: str

    def iter_records(self) -> Iterator[Record | Dropped]:
        """Yield what the reader yields, under the merged data set's names."""
        for entry in self.reader.iter_records():
            photo_id = f"{self.name}/{entry.photo_id}"
            if isinstance(entry, Dropped):
                yield replace(entry, photo_id=photo_id)
            else:
                yield replace(
                    entry,
                    photo_id=photo_id,
                    lesion_id=f"{self.name}/{entry.lesion_id}",
                    group_id=entry.group_id and f"{self.name}/{entry.group_id}",
                    label=self.labels.get(plain(entry.label), entry.label),
                    metadata={**entry.metadata, "source": self.name},
                )


class MergedReader:
    """Reads the data sets that a TOML file names, one after the other.

    Args:
        path: The file.
        open_dataset: Finds the reader of a source: (path, lesion pattern).

    Raises:
        DataError: The file is none of that form, or a source cannot be read.
    """

    name = "merged"

    def __init__(self, path: Path, open_dataset: Callable[[Path, str | None], Reader]) -> None:
        self._root = path
        self.notes: tuple[str, ...] = ()
        self.sources = tuple(_opened(path, source, open_dataset) for source in _read(path).source)

    @property
    def root(self) -> Path:
        """The TOML file."""
        return self._root

    def iter_records(self) -> Iterator[Record | Dropped]:
        """Yield the records of each source in turn."""
        for source in self.sources:
            yield from source.iter_records()
        self.notes = tuple(f"{source.name}: {note}" for source in self.sources for note in source.reader.notes)


def _read(path: Path) -> _File:
    try:
        file = _File.model_validate(toml.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, toml.TOMLDecodeError) as error:
        raise DataError(f"{path} cannot be read as TOML: {error}.") from error
    except ValidationError as error:
        raise DataError(
            f"{path} does not name data sets: {explained(error)}.",
            remedy="Needed: [[source]] with name and path; optional: labels, lesion_pattern, licence.",
        ) from error
    names = [source.name for source in file.source]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"{path} has several sources of the name {', '.join(repeated)}.", remedy="Names must differ.")
    return file


def _opened(path: Path, source: _Source, open_dataset: Callable[[Path, str | None], Reader]) -> MergedSource:
    where = path.parent / source.path
    if where.suffix == path.suffix:
        raise DataError(
            f"{path}: the source {source.name} is a list of sources itself.", remedy="Name its sources here."
        )
    labels = {plain(theirs): ours for theirs, ours in source.labels.items()}
    return MergedSource(source.name, open_dataset(where, source.lesion_pattern), where, labels, source.licence)
