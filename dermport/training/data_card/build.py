"""From a data set that was read, and a look at its photos, to its card."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import cast

import numpy as np

from dermport.bundle.manifest import Part
from dermport.bundle.photo_quality import Bound, bounds
from dermport.statistics.subgroups import KINDS, grouped
from dermport.training.data.dataset import Dataset
from dermport.training.data.merged import MergedReader
from dermport.training.data.near_duplicates import DISTANCE, HASH_BITS
from dermport.training.data.records import Reader
from dermport.training.data.splits import DEFAULT_FRACTIONS, PARTS, Split, groups_across_parts, parts_redrawn
from dermport.training.data.table import TableReader
from dermport.training.data_card.card import (
    Column,
    DataCard,
    Distribution,
    LabelCount,
    LeftOut,
    Licence,
    NearDuplicates,
    PartCount,
    Quality,
    QualityFault,
    SplitCheck,
    ValueCount,
)
from dermport.training.data_card.findings import findings
from dermport.training.data_card.survey import Survey
from dermport.training.evaluation.model_card import read_licence

_COMMONEST = 8  # values of a column, and sizes, that are told by name
_UNKNOWN = frozenset({"unknown", "nan", "none", "na", "n/a"})
_MOST_PHOTOS = 5  # photos of a lesion from which on they are counted as one
_NO_LICENCE = "UNKNOWN: nothing beside the photos says under what terms they are."
_COLUMN = "licence"  # of the ISIC archive's metadata, photo by photo
# What the publishers say; a copy of the layout does not prove that these are the photos.
_PUBLISHED = {
    "ham10000": "HAM10000 was published as CC BY-NC 4.0 (doi:10.7910/DVN/DBW86T).",
    "isic-challenge": "The ISIC challenges of 2018 and 2019 were published as CC BY-NC 4.0.",
}


def build_card(reader: Reader, dataset: Dataset, survey: Survey, split: Split, seed: int = 0) -> DataCard:
    """Return the card of a data set.

    Args:
        reader: What read it, for its licences.
        dataset: Its photos, read with `near_duplicates`.
        survey: A look at each of them.
        split: The parts that are checked.
        seed: What they were drawn with, if they were, and photos are dealt out with.
    """
    records, report, task = dataset.records, dataset.report, dataset.task
    groups = dataset.groups()
    lesions = Counter(record.lesion_id for record in records)
    patients = {record.group_id for record in records if record.group_id}
    card = DataCard(
        source=dataset.name,
        reader=report.reader,
        task=task.spec.name,
        title=task.title,
        fingerprint=dataset.fingerprint,
        listed=report.photos_kept + report.photos_dropped,
        photos=len(records),
        lesions=len(lesions),
        groups=len(set(groups)),
        patients=len(patients) or None,
        labels=tuple(_labels(dataset)),
        photos_per_lesion=tuple(_per_lesion(lesions)),
        mixed_lesions=len(lesions) - len(_single_labels(dataset)),
        people=tuple(_people(dataset, survey)),
        columns=tuple(_columns(dataset)),
        complete_rows=sum(all(record.metadata.values()) for record in records),
        dropped=tuple(_left(dataset)),
        unknown_labels=dict(report.unknown_labels),
        notes=report.notes,
        near_duplicates=_near_duplicates(dataset),
        quality=_quality(survey),
        licences=_licences(reader, dataset),
        split=_check_split(split, seed),
        findings=(),
    )
    return card.model_copy(update={"findings": findings(card, dataset)})


def counted(counts: Counter[str], most: int | None = None) -> tuple[ValueCount, ...]:
    """Return the commonest values first; equal ones by name."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most]
    return tuple(ValueCount(value=value, photos=photos) for value, photos in ordered)


def _labels(dataset: Dataset) -> Iterator[LabelCount]:
    task, sources = dataset.task, defaultdict[str, Counter[str]](Counter)
    for record in dataset.records:
        sources[cast("str", task.label_of(record.label))][record.label] += 1
    for label in task.spec.labels:
        yield LabelCount(
            id=label.id,
            name=label.name,
            positive=label.id in task.spec.positive,
            photos=dataset.report.kept[label.id],
            lesions=dataset.report.lesions[label.id],
            sources={one.value: one.photos for one in counted(sources[label.id])},
        )


def _per_lesion(lesions: Counter[str]) -> Iterator[ValueCount]:
    sizes = Counter(min(photos, _MOST_PHOTOS) for photos in lesions.values())
    for size in sorted(sizes):
        yield ValueCount(value=f"{size} and more" if size == _MOST_PHOTOS else str(size), photos=sizes[size])


def _single_labels(dataset: Dataset) -> set[str]:
    labels: dict[str, set[str | None]] = defaultdict(set)
    for record in dataset.records:
        labels[record.lesion_id].add(dataset.task.label_of(record.label))
    return {lesion for lesion, found in labels.items() if len(found) == 1}


def _people(dataset: Dataset, survey: Survey) -> Iterator[Distribution]:
    kinds: dict[str, list[ValueCount]] = defaultdict(list)
    for kind, name, members in grouped([record.metadata for record in dataset.records], survey.pictures):
        kinds[KINDS[kind]].append(ValueCount(value=name, photos=int(members.sum())))
    for title, groups in kinds.items():
        yield Distribution(kind=title, groups=tuple(groups))


def _columns(dataset: Dataset) -> Iterator[Column]:
    names = dict.fromkeys(name for record in dataset.records for name in record.metadata)
    for name in names:
        values = Counter(value for record in dataset.records if (value := record.metadata.get(name, "")))
        given = sum(photos for value, photos in values.items() if value.casefold() not in _UNKNOWN)
        yield Column(name=name, given=given, distinct=len(values), commonest=counted(values, _COMMONEST))


def _left(dataset: Dataset) -> Iterator[LeftOut]:
    for reason, photos in dataset.report.dropped.items():
        examples = tuple(f"{one.photo_id}: {one.detail}" for one in dataset.report.examples[reason])
        yield LeftOut(reason=reason, photos=photos, examples=examples)


def _near_duplicates(dataset: Dataset) -> NearDuplicates:
    records = dataset.records
    pairs = [(records[link.first], records[link.second]) for link in dataset.links]
    across = [(one, other) for one, other in pairs if one.lesion_id != other.lesion_id]
    members: dict[str, set[str]] = defaultdict(set)
    for record, group in zip(records, dataset.groups(), strict=True):
        if not record.group_id:
            members[group].add(record.lesion_id)
    return NearDuplicates(
        bits=HASH_BITS,
        distance=DISTANCE,
        within_lesions=len(pairs) - len(across),
        across_lesions=len(across),
        other_labels=sum(dataset.task.label_of(a.label) != dataset.task.label_of(b.label) for a, b in across),
        lesions_joined=sum(len(lesions) for lesions in members.values() if len(lesions) > 1),
    )


def _quality(survey: Survey) -> Quality:
    sizes = Counter(f"{one.width} × {one.height}" for one in survey.qualities)
    named = counted(sizes, _COMMONEST)
    return Quality(
        input_size=survey.spec.size,
        sizes=named,
        other_sizes=sizes.total() - sum(one.photos for one in named),
        faults=tuple(_fault(bound, survey) for bound in bounds()),
        photos_with_a_fault=sum(bool(one.hints) for one in survey.qualities),
        black_over_tenth=sum(one.black > 0.1 for one in survey.qualities),
        white_over_tenth=sum(one.white > 0.1 for one in survey.qualities),
    )


def _fault(bound: Bound, survey: Survey) -> QualityFault:
    p1, median, p99 = _percentiles(one.values[bound.code] for one in survey.qualities)
    return QualityFault(
        code=bound.code,
        what=bound.what,
        side=bound.side,
        threshold=bound.threshold,
        photos=sum(bound.code in one.hints for one in survey.qualities),
        p1=p1,
        median=median,
        p99=p99,
    )


def _percentiles(values: Iterable[float | None]) -> tuple[float, ...] | tuple[None, ...]:
    given = [value for value in values if value is not None]
    return tuple(float(one) for one in np.percentile(given, (1, 50, 99))) if given else (None,) * 3


def _licences(reader: Reader, dataset: Dataset) -> tuple[Licence, ...]:
    """Return the licence of each source: of the file that names it, of a LICENSE beside it, or of its own metadata."""
    if isinstance(reader, MergedReader):
        return tuple(
            Licence(source=one.name, known=True, text=one.licence, where=reader.root.name)
            if one.licence
            else _beside(one.name, one.path, one.reader, dataset, f"{one.name}/")
            for one in reader.sources
        )
    return (_beside(reader.root.resolve().name, reader.root, reader, dataset, ""),)


def _beside(name: str, path: Path, reader: Reader, dataset: Dataset, prefix: str) -> Licence:
    if isinstance(reader, TableReader) and reader.licence:
        return Licence(source=name, known=True, text=reader.licence, where="the Croissant file")
    if text := read_licence(path).strip():
        return Licence(source=name, known=True, text=text, where="LICENSE beside the photos")
    column = Counter(
        record.metadata[_COLUMN]
        for record in dataset.records
        if record.photo_id.startswith(prefix) and record.metadata.get(_COLUMN)
    )
    if column:
        text = ", ".join(f"{licence}: {photos:,} photos" for licence, photos in column.most_common())
        return Licence(source=name, known=True, text=text, where="the metadata, photo by photo")
    published = _PUBLISHED.get(reader.name, "")
    return Licence(source=name, known=False, text=f"{_NO_LICENCE} {published}".strip(), where="")


def _check_split(split: Split, seed: int) -> SplitCheck:
    """Look for leaks."""
    dataset = split.dataset
    return SplitCheck(
        seed=split.seed,
        redrawn=parts_redrawn(split) if split.seed is not None else "",
        parts=tuple(_part_count(split, part) for part in PARTS),
        lesions_in_two_parts=groups_across_parts([record.lesion_id for record in dataset.records], split.parts),
        groups_in_two_parts=groups_across_parts(dataset.groups(), split.parts),
        near_duplicates_apart=sum(split.parts[link.first] != split.parts[link.second] for link in dataset.links),
        leak_by_photo=_leak_by_photo(dataset.groups(), seed),
    )


def _part_count(split: Split, part: Part) -> PartCount:
    task, records = split.dataset.task, split.records(part)
    labels = Counter(cast("str", task.label_of(record.label)) for record in records)
    return PartCount(
        part=part,
        photos=len(records),
        lesions=len({record.lesion_id for record in records}),
        labels={label: labels[label] for label in task.spec.ids},
    )


def _leak_by_photo(groups: Sequence[str], seed: int) -> float:
    """Deal the photos out one by one, as published work often did; return the share of test photos that leak."""
    order = np.random.default_rng(seed).permutation(len(groups))
    tested = max(1, round(DEFAULT_FRACTIONS["test"] * len(groups)))
    trained = {groups[index] for index in order[: round(DEFAULT_FRACTIONS["train"] * len(groups))]}
    return float(np.mean([groups[index] in trained for index in order[-tested:]]))
