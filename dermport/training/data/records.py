"""What a reader yields: one record per photo, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol

from dermport.bundle.photo_folder import PhotoFinder, readable


class DropReason(str, Enum):
    """Why a photo was left out; the values are what reports and ``bundle.json`` say."""

    MISSING = "missing file"
    UNREADABLE = "unreadable photo"
    UNKNOWN_LABEL = "unknown label"
    INCOMPLETE = "incomplete metadata"
    DUPLICATE = "duplicate"
    CONFLICT = "conflicting labels"


@dataclass(frozen=True)
class Record:
    """One labelled photo.

    Attributes:
        photo_id: The source's own name of the photo, unique within a data set.
        path: Where the photo lies.
        lesion_id: What is photographed; several photos can show one lesion, and a split keeps them together.
        label: The source's label, e.g. ``"mel"``; a task maps it to one of its own.
        metadata: The source's other columns as text (age, sex, localization, ...), empty where it gives none.
        sha256: Of the photo's bytes; filled in by :func:`dermport.training.data.dataset.read_dataset`.
        group_id: What else must stay in one part with it, e.g. its patient; empty where that is the lesion alone.
        phash: Its perceptual hash (see :mod:`dermport.training.data.near_duplicates`); empty where none was asked for.
        part: The part that the data set itself puts it into (``train``, ``validation``, ``test``); empty for none.
    """

    photo_id: str
    path: Path
    lesion_id: str
    label: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    sha256: str = ""
    group_id: str = ""
    phash: str = ""
    part: str = ""

    @property
    def group(self) -> str:
        """What a split keeps in one part: `group_id`, or the lesion where that is empty."""
        return self.group_id or self.lesion_id


@dataclass(frozen=True)
class Dropped:
    """A photo that was left out: which, why, and in what way (`detail`).

    `groups` are its kept twin's and its own; `label` is the source's, where that is the reason.
    """

    photo_id: str
    reason: DropReason
    detail: str
    groups: tuple[str, str] | None = None
    label: str = ""


class Reader(Protocol):
    """A layout in which photos and labels are stored.

    Attributes:
        notes: What a person should know of how it is read: what was taken for what, and what was passed over.
    """

    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The layout's short name, as ``bundle.json`` records it."""

    @property
    def root(self) -> Path:
        """The folder or file that is read."""

    def iter_records(self) -> Iterator[Record | Dropped]:
        """Yield what the source lists, one at a time, without opening any photo.

        Raises:
            DataError: The source itself cannot be read (no such column, not a CSV).
        """


def missing(photo_id: str, finder: PhotoFinder) -> Dropped:
    """Return why a photo of a table is left out: none of its name is there, or it is not certain which one is meant."""
    where = readable(finder.root.resolve().name)
    return Dropped(photo_id, DropReason.MISSING, f"no such photo in {where}{finder.guess(photo_id)}")


def with_unnamed(notes: tuple[str, ...], finder: PhotoFinder) -> tuple[str, ...]:
    """Return the notes with how many photos lie there that no row of the table names."""
    if not (left := finder.unnamed()):
        return notes
    example = readable(left[0].relative_to(finder.root))
    return tuple(dict.fromkeys((*notes, f"{len(left):,} photos are named by no row, and not read, e.g. {example}.")))
