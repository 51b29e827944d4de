"""What became of each photo that a source lists: kept under which label, or left out and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dermport.training.data.near_duplicates import Link
from dermport.training.data.records import Dropped, DropReason, Record
from dermport.training.data.tasks import Task

_EXAMPLES = 5


@dataclass(frozen=True)
class ReadReport:
    """The account of one reading.

    Attributes:
        source: The folder's or file's name.
        reader: The layout's name.
        kept: Photos kept, by the task's label id, in the order of its labels.
        lesions: Lesions kept, likewise.
        dropped: Photos left out, by reason; reasons that did not occur are absent.
        examples: The first few photos left out, by reason.
        near_duplicates: Pairs of photos of different lesions that show the same picture; a split keeps them together.
        unknown_labels: The source's labels that are not in the task, with their photos, the commonest first.
        notes: What the reader took for what, and what it passed over.
    """

    source: str
    reader: str
    kept: Mapping[str, int]
    lesions: Mapping[str, int]
    dropped: Mapping[str, int]
    examples: Mapping[str, tuple[Dropped, ...]]
    near_duplicates: tuple[tuple[str, str], ...] = ()
    unknown_labels: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def photos_kept(self) -> int:
        """The number of photos kept."""
        return sum(self.kept.values())

    @property
    def photos_dropped(self) -> int:
        """The number of photos left out."""
        return sum(self.dropped.values())

    def to_json(self) -> dict[str, Any]:
        """Return the report as a JSON document."""
        examples = {
            reason: [{"photo_id": one.photo_id, "detail": one.detail} for one in some]
            for reason, some in self.examples.items()
        }
        return {
            "source": self.source,
            "reader": self.reader,
            "photos_listed": self.photos_kept + self.photos_dropped,
            "photos_kept": self.photos_kept,
            "kept": dict(self.kept),
            "lesions": dict(self.lesions),
            "dropped": dict(self.dropped),
            "examples": examples,
            "near_duplicates_across_lesions": [list(pair) for pair in self.near_duplicates],
            "unknown_labels": dict(self.unknown_labels),
            "notes": list(self.notes),
        }

    def to_text(self) -> str:
        """Return the report as a table for people."""
        listed = self.photos_kept + self.photos_dropped
        lines = [f"{self.source} ({self.reader}): {self.photos_kept:,} of {listed:,} photos kept"]
        lines += [f"  {label:<20} {n:>7,} photos {self.lesions[label]:>7,} lesions" for label, n in self.kept.items()]
        lines += [f"  {note}" for note in self.notes]
        for reason, count in self.dropped.items():
            lines.append(f"  left out: {reason:<20} {count:>7,}")
            lines += [f"      {one.photo_id}: {one.detail}" for one in self.examples[reason]]
            if reason == DropReason.UNKNOWN_LABEL.value and self.unknown_labels:
                lines.append(f"      labels: {named(self.unknown_labels)}")
        if self.near_duplicates:
            lines.append(
                f"  near-duplicates of different lesions, kept in one part: {len(self.near_duplicates):,} pairs"
            )
            lines += [f"      {one} and {other}" for one, other in self.near_duplicates[:_EXAMPLES]]
        return "\n".join(lines)


def build_report(
    source: str,
    reader: str,
    task: Task,
    kept: Sequence[Record],
    dropped: Sequence[Dropped],
    *,
    links: Sequence[Link] = (),
    notes: tuple[str, ...] = (),
) -> ReadReport:
    """Count the `kept` records by the task's label and the `dropped` photos by reason; `links` are among `kept`."""
    photos = Counter(task.label_of(record.label) for record in kept)
    lesions = Counter(label for label, _ in {(task.label_of(record.label), record.lesion_id) for record in kept})
    by_reason = {reason: [one for one in dropped if one.reason is reason] for reason in DropReason}
    pairs = [(kept[link.first], kept[link.second]) for link in links]
    return ReadReport(
        source=source,
        reader=reader,
        kept={label: photos[label] for label in task.spec.ids},
        lesions={label: lesions[label] for label in task.spec.ids},
        dropped={reason.value: len(some) for reason, some in by_reason.items() if some},
        examples={reason.value: tuple(some[:_EXAMPLES]) for reason, some in by_reason.items() if some},
        near_duplicates=tuple((one.photo_id, two.photo_id) for one, two in pairs if one.lesion_id != two.lesion_id),
        unknown_labels=dict(Counter(one.label for one in dropped if one.label).most_common()),
        notes=notes,
    )


def named(labels: Mapping[str, int], most: int = 8) -> str:
    """Return labels with how many photos each has, the first ones by name."""
    first = [f"{label!r} {photos:,}" for label, photos in list(labels.items())[:most]]
    return ", ".join(first + [f"{len(labels) - most} more"] * (len(labels) > most))
