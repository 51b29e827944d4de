"""From a data set that was read, and a look at its photos, to its card."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import cast

import numpy as np

from dermport.bundle.photo_quality import Bound, bounds
from dermport.statistics.subgroups import KINDS, grouped
from dermport.training.data.dataset import Dataset
from dermport.training.data.near_duplicates import DISTANCE, HASH_BITS
from dermport.training.data.records import Reader
from dermport.training.data_card.card import (
    Column,
    DataCard,
    Distribution,
    LabelCount,
    LeftOut,
    NearDuplicates,
    Quality,
    QualityFault,
    ValueCount,
)
from dermport.training.data_card.findings import findings
from dermport.training.data_card.licences import licences
from dermport.training.data_card.split_check import check_split
from dermport.training.data_card.survey import Survey

_COMMONEST = 8  # values of a column, and sizes, that are told by name
_UNKNOWN = frozenset({"unknown", "nan", "none", "na", "n/a"})
_MOST_PHOTOS = 5  # photos of a lesion from which on they are counted as one


def build_card(reader: Reader, dataset: Dataset, survey: Survey, seed: int) -> DataCard:
    """Return the card of a data set.

    Args:
        reader: What read it, for its licences.
        dataset: Its photos, read with `near_duplicates`.
        survey: A look at each of them.
        seed: Of the split that is drawn and checked.
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
        near_duplicates=_near_duplicates(dataset),
        quality=_quality(survey),
        licences=licences(reader, dataset),
        split=check_split(dataset, seed),
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
