"""What a person should know of a data set before a night of training."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from dermport.training.data.dataset import Dataset
from dermport.training.data.report import named
from dermport.training.data_card.card import CardFinding, DataCard

_FEW_LESIONS = 30  # of a label: a fifth of them are tested, and six say little of a sensitivity
_MANY = 0.05  # of the photos


def findings(card: DataCard, dataset: Dataset) -> tuple[CardFinding, ...]:
    """Return what would make a training fail or leak, then what makes its figures doubtful."""
    failures = [CardFinding(level="failure", text=text) for text in _failures(card, dataset)]
    return (*failures, *(CardFinding(level="warning", text=text) for text in _warnings(card)))


def _failures(card: DataCard, dataset: Dataset) -> Iterator[str]:
    groups: dict[str | None, set[str]] = defaultdict(set)
    for record, group in zip(dataset.records, dataset.groups(), strict=True):
        groups[dataset.task.label_of(record.label)].add(group)
    for label in card.labels:
        if len(groups[label.id]) < 3:
            yield (
                f"{label.id} has {len(groups[label.id])} group(s) of photos; training, validation and test need one "
                "each. Add photos, or name a --task without it."
            )
    split = card.split
    for count, what in (
        (split.lesions_in_two_parts, "lesions"),
        (split.groups_in_two_parts, "groups"),
        (split.near_duplicates_apart, "near-duplicates"),
    ):
        if count:
            yield f"{count} {what} are in two parts of the split: the test part leaks into the training."


def _warnings(card: DataCard) -> Iterator[str]:
    for licence in card.licences:
        if not licence.known:
            yield f"Licence of {licence.source}: {licence.text} Find out before photos or a model leave this machine."
    if card.unknown_labels:
        yield (
            f"{sum(card.unknown_labels.values()):,} photos have labels that the task {card.task} does not know: "
            f"{named(card.unknown_labels)}. --task FILE.toml reads them; --out writes one to start with (task.toml)."
        )
    if card.split.redrawn:
        yield card.split.redrawn
    yield from _warnings_of_labels(card)
    near = card.near_duplicates
    if near.other_labels:
        yield f"{near.other_labels} pairs of near-duplicates have different labels: at least one of each pair is wrong."
    if card.patients is None:
        yield "No patient is named: photos of one person's lesions may be in several parts."
    size = card.quality.input_size
    for fault in card.quality.faults:
        if fault.photos > _MANY * card.photos:
            yield f"{fault.photos:,} of {card.photos:,} photos: {fault.code}, for an input of {size} pixels."


def _warnings_of_labels(card: DataCard) -> Iterator[str]:
    for part in card.split.parts:
        if absent := [label for label, photos in part.labels.items() if not photos]:
            seed = "" if card.split.seed is None else f"With seed {card.split.seed} "
            yield f"{seed}{'the' if seed else 'The'} {part.part} part has no photo of {', '.join(absent)}."
    if few := [f"{one.id} ({one.lesions})" for one in card.labels if one.lesions < _FEW_LESIONS]:
        yield f"Few lesions of {', '.join(few)}: intervals of their figures will be wide."
    if card.mixed_lesions:
        yield f"{card.mixed_lesions} lesions have photos with different labels."
    if conflicts := next((one.photos for one in card.dropped if one.reason == "conflicting labels"), 0):
        yield f"{conflicts} photos were left out since the same photo has different labels."
