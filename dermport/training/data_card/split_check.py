"""The split that a training would draw: what each part has, and whether anything leaks from one to another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import cast

import numpy as np

from dermport.bundle.manifest import Part
from dermport.training.data.dataset import Dataset
from dermport.training.data.splits import DEFAULT_FRACTIONS, PARTS, Split, groups_across_parts, split_dataset
from dermport.training.data_card.card import PartCount, SplitCheck


def check_split(dataset: Dataset, seed: int) -> SplitCheck:
    """Draw the split of a training with that seed, and look for leaks."""
    split = split_dataset(dataset, seed=seed)
    return SplitCheck(
        seed=seed,
        parts=tuple(_count(split, part) for part in PARTS),
        lesions_in_two_parts=groups_across_parts([record.lesion_id for record in dataset.records], split.parts),
        groups_in_two_parts=groups_across_parts(dataset.groups(), split.parts),
        near_duplicates_apart=sum(split.parts[link.first] != split.parts[link.second] for link in dataset.links),
        leak_by_photo=_leak_by_photo(dataset.groups(), seed),
    )


def _count(split: Split, part: Part) -> PartCount:
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
