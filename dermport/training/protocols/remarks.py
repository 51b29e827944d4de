"""What a reader should know before the published figures are believed, or compared with ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np

from dermport.contract import Contract
from dermport.statistics.table_arithmetic import always_yes_f1
from dermport.training.data.dataset import Dataset
from dermport.training.protocols.arithmetic import Range, contradictions, least_prevalence, prevalence_behind, rounded
from dermport.training.protocols.overlap import expected_copies
from dermport.training.protocols.protocol import Counts, Protocol

Level = Literal["cannot be", "note"]


class Remark(Contract):
    """One remark: what cannot be, or what only has to be known."""

    level: Level
    text: str


def remarks_on(protocol: Protocol, dataset: Dataset) -> tuple[Remark, ...]:
    """Return the remarks on a protocol's published figures, with the class counts of the photos at hand."""
    figures = rounded(protocol.published)
    return (
        *(Remark(level="cannot be", text=text) for text in contradictions(figures)),
        *_prevalence(figures, protocol, dataset),
        *_oversampling(protocol, dataset),
        *_commonest(figures, dataset),
    )


def _prevalence(figures: Mapping[str, Range], protocol: Protocol, dataset: Dataset) -> Iterator[Remark]:
    implied, least = prevalence_behind(figures), least_prevalence(figures)
    if implied is None or not implied.within(0, 1):
        return
    yield Remark(
        level="note",
        text=f"Precision, recall and accuracy of one test set hold together only where {_percent(implied)} of its "
        f"photos are positive; there, the answer “yes” to every photo has an F1 of {always_yes_f1(implied.low):.3f}.",
    )
    if least is not None:
        yield Remark(
            level="note",
            text="F1 above accuracy needs more true positives than true negatives: at this recall more than "
            f"{100 * least:.1f} % of the photos are positive.",
        )
    for share, photos in _shares(protocol.data.counts, protocol.data.name, dataset):
        if share < implied.low:
            reason = " F1 would be below the accuracy there." if least is not None and share < least else ""
            yield Remark(
                level="cannot be",
                text=f"{photos}: {100 * share:.1f} % at the most, not {_percent(implied)}. Precision, recall and "
                f"accuracy cannot all be of a decision on a sample of these photos.{reason}",
            )


def _shares(counts: Counts | None, name: str, dataset: Dataset) -> Iterator[tuple[float, str]]:
    """Yield the greatest shares of positive photos that are known, with the words that say of what."""
    if counts is not None:
        share = counts.positive_at_most / counts.photos
        yield (
            share,
            f"{name} has at most {counts.positive_at_most:,} positive photos of {counts.photos:,} ({counts.source})",
        )
    positive = int(np.isin(dataset.targets(), dataset.task.spec.positive_indices).sum())
    yield positive / len(dataset.records), f"{positive:,} of the {len(dataset.records):,} photos at hand are positive"


def _oversampling(protocol: Protocol, dataset: Dataset) -> Iterator[Remark]:
    if not any(arm.oversample == "before-split" for arm in protocol.arm):
        return
    expected = expected_copies(_class_counts(dataset), protocol.split.train)
    text = (
        "Where classes are oversampled before the photos are parted, with the counts of the photos at hand and these "
        f"parts, {100 * expected:.1f} % of the test entries are expected to have a copy of themselves in training."
    )
    yield Remark(level="note", text=text)
    if published := next((one.value for one in protocol.published if one.figure == "accuracy"), None):
        rest = max(published - expected, 0) / (1 - expected)
        yield Remark(
            level="cannot be",
            text=f"An accuracy of {published:g} measured so is none on unseen photos: a network that knows its "
            f"training photos by heart reaches it if it is right on {100 * rest:.0f} % of those without a copy.",
        )


def _commonest(figures: Mapping[str, Range], dataset: Dataset) -> Iterator[Remark]:
    if "accuracy" in figures:
        counts = _class_counts(dataset)
        label = dataset.task.spec.ids[int(np.argmax(counts))]
        yield Remark(
            level="note",
            text=f"The answer “{label}” to every photo at hand has an accuracy of {max(counts) / sum(counts):.3f}.",
        )


def _class_counts(dataset: Dataset) -> Sequence[int]:
    return [int(count) for count in np.bincount(dataset.targets(), minlength=len(dataset.task.spec.ids))]


def _percent(share: Range) -> str:
    low, high = f"{100 * share.low:.1f}", f"{100 * share.high:.1f}"
    return f"{low} %" if low == high else f"{low} to {high} %"
