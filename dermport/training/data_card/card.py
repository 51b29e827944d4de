"""The data card as JSON, after Gebru et al. 2021, "Datasheets for Datasets" (doi:10.1145/3458723)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dermport.bundle.manifest import Part
from dermport.bundle.notice import NOTICE
from dermport.contract import Contract, Sha256

SCHEMA: Literal["dermport-data-card/2"] = "dermport-data-card/2"


class LabelCount(Contract):
    """One label of the task."""

    id: str
    name: str
    positive: bool
    photos: int
    lesions: int
    sources: Annotated[dict[str, int], Field(description="photos by the data set's own label")]


class ValueCount(Contract):
    """How many photos have one value."""

    value: str
    photos: int


class Distribution(Contract):
    """How the photos are spread over groups of people."""

    kind: str
    groups: tuple[ValueCount, ...]


class Column(Contract):
    """One column of the metadata."""

    name: str
    given: Annotated[int, Field(description="photos whose cell is neither empty nor a word for unknown")]
    distinct: int
    commonest: tuple[ValueCount, ...]


class LeftOut(Contract):
    """Photos that were left out for one reason."""

    reason: str
    photos: int
    examples: tuple[str, ...]


class NearDuplicates(Contract):
    """Pairs of photos that show the same picture in other bytes."""

    bits: int
    distance: Annotated[int, Field(description="bits in which the perceptual hashes of a pair differ at most")]
    within_lesions: int
    across_lesions: int
    other_labels: Annotated[int, Field(description="pairs across lesions whose labels differ in the task")]
    lesions_joined: Annotated[int, Field(description="lesions that share a group with another for it")]


class QualityFault(Contract):
    """One bound of ``dermport/bundle/photo_quality.json``, and what the photos have."""

    code: str
    what: str
    side: Literal["below", "above"]
    threshold: float
    photos: Annotated[int, Field(description="photos beyond the bound")]
    p1: float | None
    median: float | None
    p99: float | None


class Quality(Contract):
    """How good the photos are."""

    input_size: Annotated[int, Field(description="side of the model's input that they are judged for, pixels")]
    sizes: Annotated[tuple[ValueCount, ...], Field(description="the commonest stored sizes")]
    other_sizes: Annotated[int, Field(description="photos of any other size")]
    faults: tuple[QualityFault, ...]
    photos_with_a_fault: int
    black_over_tenth: Annotated[int, Field(description="photos of which more than a tenth is black")]
    white_over_tenth: Annotated[int, Field(description="photos of which more than a tenth is white")]


class Licence(Contract):
    """Under what terms one source's photos are."""

    source: str
    known: bool
    text: str
    where: str


class PartCount(Contract):
    """What one part of the split would have."""

    part: Part
    photos: int
    lesions: int
    labels: dict[str, int]


class SplitCheck(Contract):
    """The split that a training would have, and what would leak."""

    seed: Annotated[int | None, Field(description="None where the parts were given")]
    redrawn: Annotated[str, Field(description="that the data set's own parts were joined and drawn anew, in words")]
    parts: tuple[PartCount, ...]
    lesions_in_two_parts: int
    groups_in_two_parts: int
    near_duplicates_apart: int
    leak_by_photo: Annotated[
        float, Field(description="share of test photos whose group also trains, were photos dealt out one by one")
    ]


class CardFinding(Contract):
    """Something that a person should know before training."""

    level: Literal["failure", "warning"]
    text: str


class DataCard(Contract):
    """What a data set is, for one task."""

    schema_version: Annotated[Literal["dermport-data-card/2"], Field(alias="schema")] = SCHEMA
    notice: str = NOTICE
    source: str
    reader: str
    task: str
    title: str
    fingerprint: Sha256
    listed: int
    photos: int
    lesions: int
    groups: Annotated[int, Field(description="what a split keeps together: lesions, patients, near-duplicates")]
    patients: Annotated[int | None, Field(description="None where the data name none")]
    labels: tuple[LabelCount, ...]
    photos_per_lesion: tuple[ValueCount, ...]
    mixed_lesions: Annotated[int, Field(description="lesions whose photos have different labels")]
    people: tuple[Distribution, ...]
    columns: tuple[Column, ...]
    complete_rows: Annotated[
        int, Field(description="photos without an empty cell in their metadata, which --require-metadata keeps")
    ]
    dropped: tuple[LeftOut, ...]
    unknown_labels: Annotated[dict[str, int], Field(description="photos by labels that are not in the task")]
    notes: Annotated[tuple[str, ...], Field(description="what was taken for what on reading, and what passed over")]
    near_duplicates: NearDuplicates
    quality: Quality
    licences: tuple[Licence, ...]
    split: SplitCheck
    findings: tuple[CardFinding, ...]

    @property
    def failed(self) -> bool:
        """Whether a training on these photos would be refused, or leak."""
        return any(finding.level == "failure" for finding in self.findings)
