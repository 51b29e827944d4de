"""What a search tries: a network made from a start, in a precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from dermport.contract import Contract, Fraction, Sha256


@dataclass(frozen=True)
class Structure:
    """A network to be: where it starts from, and what is changed in it.

    Attributes:
        start: The name of its start.
        size: Side of the input, pixels.
        keep: Share of the start's multiply-accumulates, at that size, that pruning leaves.
    """

    start: str
    size: int
    keep: float

    @property
    def name(self) -> str:
        """A name for folders and people, e.g. ``parent-160px-50pc``."""
        pruned = "" if self.keep == 1 else f"-{100 * self.keep:g}pc"
        return f"{self.start}-{self.size}px{pruned}"


@dataclass(frozen=True)
class Candidate:
    """A structure in a precision; `export` is ``<target>-<precision>``."""

    structure: Structure
    export: str

    @property
    def name(self) -> str:
        """A name for people, e.g. ``parent-160px-50pc, tflite-int8``."""
        return f"{self.structure.name}, {self.export}"


Positive = Annotated[float, Field(gt=0)]


class LatencyRecord(Contract):
    """Time for one photo.

    `source` is "measured" where calls were timed, in rounds that the base took part in on that machine; "by profile"
    where a line through another device's measurements gave it, which is no measurement of this candidate.
    """

    source: Literal["measured", "by profile"]
    device: Annotated[str, Field(description="the processor of the machine that timed it, or the profile's device")]
    ms: Annotated[Positive, Field(description="the fast decile of the calls, milliseconds")]
    ratio: Annotated[Positive, Field(description="to the base: the parent's float32 export, timed in turns")]
    low: Annotated[float | None, Field(description="end of the ratio's 95 % bootstrap interval")] = None
    high: float | None = None
    rounds: int | None = None


class MeasuredCandidate(Contract):
    """One candidate: what it is, what it costs, and how good it is on the validation photos."""

    number: Annotated[int, Field(ge=1, description="in the order in which candidates were done")]
    start: str
    size: Annotated[int, Field(description="side of the input, pixels")]
    keep: Annotated[float, Field(description="share of the start's multiply-accumulates left by channel pruning")]
    export: Annotated[str, Field(description="<target>-<precision>")]
    techniques: Annotated[tuple[str, ...], Field(description="what differs from the parent in float32")]
    steps: Annotated[int, Field(description="of training after the change; 0 where the start is as it was")]
    macs: Annotated[int, Field(description="multiply-accumulates for one photo")]
    parameters: int
    artifact_bytes: Annotated[int, Field(gt=0)]
    artifact_sha256: Sha256
    size_ratio: Annotated[Positive, Field(description="artifact_bytes by the base's")]
    latency: LatencyRecord
    photos: Annotated[int, Field(gt=0, description="validation photos that it was judged by")]
    balanced_accuracy: Fraction
    accuracy: Fraction
    agreement: Annotated[Fraction, Field(description="share of photos with the base's most probable label")]
    points_lost: Annotated[float, Field(description="balanced accuracy of the base less its own, in points")]
    runtime: str
    seconds: Annotated[
        float, Field(description="that it took, its structure included where that was new, and waiting for others")
    ]

    @property
    def candidate(self) -> Candidate:
        """What was measured."""
        return Candidate(Structure(self.start, self.size, self.keep), self.export)

    @property
    def single(self) -> bool:
        """Whether at most one thing was done to the parent: a single recipe, or the parent itself."""
        return len(self.techniques) <= 1
