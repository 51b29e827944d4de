"""``benchmark.json``: what artifacts cost on a machine and what they still know, measured by ``dermport benchmark``.

A result holds one or more sessions. A session is one run of the command on one machine; merged results hold several.
Bundles are listed once and named everywhere by the sha256 of their ``model.keras``. What was not measured is None, and
a neighbouring text says why: no figure here is an estimate, but for the skin tone, which says so.

The *reference* of a session is the fp32 original of the first bundle that was named: ratios of time, size and energy
are to it, and changes of accuracy are from it.

The published JSON Schema is ``dermport/bundle/schema/benchmark.schema.json``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from dermport.bundle.export_record import Evidence, OperatorCount
from dermport.bundle.notice import NOTICE
from dermport.contract import Contract, Fraction, Name, Sha256
from dermport.statistics.estimates import Metric
from dermport.statistics.subgroups import GroupKind

SCHEMA: Literal["dermport-benchmark/1"] = "dermport-benchmark/1"
SMALLEST_GROUP = 20
Bits = Annotated[str, Field(pattern="^[01]*$", description="one character for each photo, in the session's order")]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


class MachineRecord(Contract):
    """What a session ran on; None is what this kind of machine does not have or does not tell."""

    processor: str
    cores: Annotated[int, Field(gt=0)]
    memory_mib: int | None
    system: str
    python: str
    jetson: Annotated[str | None, Field(description="the module's name from the device tree")] = None
    jetpack: Annotated[str | None, Field(description="JetPack's version, or L4T's where the former is unknown")] = None
    power_mode: Annotated[str | None, Field(description="as `nvpmodel -q` names it")] = None


class BenchmarkSettings(Contract):
    """How a session measured.

    Every pass goes through the artifacts in another order, `runs` rounds for each batch size, one call of each
    artifact in every round.
    """

    runs: Annotated[int, Field(gt=0, description="rounds in a pass, for each batch size")]
    repeats: Annotated[int, Field(gt=0, description="passes")]
    warm_up: Count
    threads: Annotated[int, Field(gt=0, description="of each runtime that leaves a choice")]
    batches: tuple[int, ...]
    seed: int


class PhotoSetRecord(Contract):
    """The photos that accuracy was measured on; without labels (a golden set) only agreement can be had."""

    model_config = ConfigDict(title="PhotoSet")

    name: str
    part: Annotated[str | None, Field(description="train, validation, test or all; None for a golden set")]
    photos: Annotated[int, Field(gt=0)]
    lesions: int | None
    sha256: Annotated[Sha256, Field(description="over the photos' ids in order; equal sets can be paired")]
    positive: Annotated[Bits | None, Field(description="1: the photo truly shows a positive label (cancer)")] = None


class BundleEntry(Contract):
    """A bundle that was measured."""

    name: Name
    version: str
    model_sha256: Sha256
    parent: Annotated[str | None, Field(description="what it was compressed from, for people")] = None
    parent_sha256: Sha256 | None = None
    recipe: Annotated[str | None, Field(description="how it was compressed, for people")] = None
    input_size: Annotated[int, Field(description="side of the square input, pixels")]
    alpha: Annotated[float | None, Field(description="width, where the architecture knows one")] = None
    parameters: int
    macs: Annotated[
        int | None, Field(description="multiply-accumulates of convolutions and dense layers for one photo")
    ]
    macs_unknown_because: str = ""
    threshold: Annotated[
        Fraction | None, Field(description="of the decision; each bundle is judged by its own; null: it knows none")
    ] = None


class Size(Contract):
    """The artifact on disk (all files of a folder together)."""

    artifact_bytes: Annotated[int, Field(gt=0)]
    compressed_bytes: Annotated[int, Field(gt=0, description="DEFLATE level 9 of all its files: what a download costs")]
    ratio: Annotated[float | None, Field(description="artifact_bytes by the reference's")] = None
    ratio_to_target: Annotated[
        float | None, Field(description="artifact_bytes by those of the first bundle's fp32 export of the same target")
    ] = None


class Ratio(Contract):
    """This artifact's time by another's, each pair from one round: below 1 is faster.

    `value` is the median over all rounds; `low` and `high` are the ends of its 95 % bootstrap interval, in which whole
    passes are resampled and then their rounds.
    """

    value: Positive
    low: Positive
    high: Positive


class Timing(Contract):
    """Time for one call with a batch of photos, in milliseconds, over all rounds of all passes.

    `times_ms` holds every call, one tuple for each pass, in the order of the rounds: the artifacts of a session can be
    paired round by round. `spread` is the noise: (largest − smallest) by the middle one of the passes' medians.
    """

    batch: Annotated[int, Field(gt=0)]
    p50_ms: Positive
    p90_ms: Positive
    p99_ms: Annotated[Positive | None, Field(description="None where fewer than 100 calls were timed")]
    photos_per_s: Annotated[Positive, Field(description="photos in all calls by the sum of the calls' times")]
    peak_mib: Annotated[
        float | None, Field(description="most memory ever held by the process once this batch size had been run, MiB")
    ] = None
    pass_medians_ms: tuple[Positive, ...]
    spread: Annotated[float | None, Field(ge=0, description="None after a single pass")]
    ratio: Annotated[Ratio | None, Field(description="to the session's reference")] = None
    ratio_to_target: Annotated[
        Ratio | None, Field(description="to the first bundle's fp32 export of the same target")
    ] = None
    times_ms: tuple[tuple[Positive, ...], ...]


class Speed(Contract):
    """How an artifact ran, in a process of its own.

    Memory is in MiB: `loading_mib` is what importing the runtime, opening the artifact and the first answer added to
    the process' resident memory, `peak_mib` the most that the whole process ever held (VmHWM, Python and numpy
    included) when only single photos had been asked.
    """

    load_s: Annotated[float, Field(description="importing the runtime and opening the artifact, seconds")]
    first_answer_s: Annotated[float, Field(description="the same, and the first photo's answer, seconds")]
    loading_mib: float | None
    peak_mib: float | None
    timings: tuple[Timing, ...]
    note: Annotated[str, Field(description="e.g. why there is only batch 1")] = ""

    def at(self, batch: int) -> Timing | None:
        """Return the timing of a batch size, where it was measured."""
        return next((timing for timing in self.timings if timing.batch == batch), None)


class Energy(Contract):
    """Energy for one photo at batch 1, what the machine draws when idle subtracted.

    Either `millijoules` is there, or `not_measured_because` says why not.
    """

    millijoules: Annotated[float | None, Field(description="per photo, idle subtracted")] = None
    low: Annotated[float | None, Field(description="smallest of the passes")] = None
    high: Annotated[float | None, Field(description="largest of the passes")] = None
    idle_watts: float | None = None
    busy_watts: float | None = None
    seconds: Annotated[float | None, Field(description="of the busy windows, all passes together")] = None
    source: Annotated[str, Field(description="the sensor and its rail or domain")] = ""
    not_measured_because: str = ""

    @model_validator(mode="after")
    def _figure_or_reason(self) -> Energy:
        if (self.millijoules is None) != bool(self.not_measured_because):
            raise ValueError("an energy is either measured or says why not")
        return self


class Figure(Contract):
    """A metric of the artifact, with the reference's and the change, intervals by bootstrap over lesions (95 %)."""

    value: float | None
    low: float | None = None
    high: float | None = None
    original: Annotated[float | None, Field(description="the reference's")] = None
    change: Annotated[float | None, Field(description="value − original")] = None
    change_low: Annotated[float | None, Field(description="end of the paired interval of the change")] = None
    change_high: float | None = None


class Flips(Contract):
    """Photos on which the artifact decides or names otherwise than the reference.

    "Cancer" is any of the task's positive labels. The last three need the photos' true labels, else they are None.
    """

    to_positive: Count
    to_negative: Count
    label_changes: Annotated[int, Field(ge=0, description="photos with another most probable label")]
    dangerous: Annotated[
        int | None, Field(description="photos of cancer that the reference calls suspicious and the artifact does not")
    ] = None
    rescued: Annotated[int | None, Field(description="photos of cancer that only the artifact calls suspicious")] = None
    cancer_to_other: Annotated[
        int | None, Field(description="photos of cancer: the reference's label is positive, the artifact's is not")
    ] = None


class Subgroup(Contract):
    """One group of photos; fewer than :data:`SMALLEST_GROUP` photos have counts only (`figures` is empty).

    The skin tone is an estimate (individual typology angle of the photo's border), which a dermoscope's light shifts.
    """

    kind: GroupKind
    group: str
    photos: Count
    lesions: Count
    positive: Annotated[int, Field(ge=0, description="photos that truly show a positive label")]
    agreement: Fraction | None
    flips: Flips
    figures: dict[str, Figure]


class ClassFigures(Contract):
    """One label against the rest; `figures` are by the keys of `dermport.statistics.metrics.CLASS_TITLES`."""

    label: str
    photos: Annotated[int, Field(ge=0, description="photos that truly show it")]
    figures: dict[str, Figure]


class Accuracy(Contract):
    """What the artifact answered on the session's photos, held against the truth and against the reference.

    `figures` are by the keys of `dermport.statistics.metrics.TITLES`, and empty without labels. `correct` and `decided`
    allow a paired test between artifacts, sessions and files whose photo sets have the same sha256.
    """

    agreement: Annotated[Metric, Field(description="share of equal most probable labels, 95 % Wilson interval")]
    max_change: Annotated[float, Field(description="largest |change| of a probability")]
    mean_change: float
    flips: Flips
    figures: dict[str, Figure]
    classes: Annotated[tuple[ClassFigures, ...], Field(description="in the bundle's order; empty without labels")] = ()
    subgroups: tuple[Subgroup, ...] = ()
    correct: Annotated[Bits | None, Field(description="1: the most probable label is the true one")] = None
    decided: Annotated[Bits, Field(description="1: the decision is yes, by the bundle's own threshold")]


class ExportResult(Contract):
    """One artifact of one bundle.

    `speed` comes only of evidence "device" and "host-runtime": the speed of a reference or a stand-in says nothing
    about the artifact. `accuracy` comes of any evidence.
    """

    bundle: Annotated[Sha256, Field(description="the bundle's model_sha256")]
    target: str
    precision: str
    artifact_sha256: Sha256
    size: Size
    operators: tuple[OperatorCount, ...]
    runtime: Annotated[str | None, Field(description="with its version; None where nothing here executes it")]
    evidence: Evidence | None
    evidence_reason: str = ""
    speed: Speed | None
    speed_not_measured_because: str = ""
    energy: Energy
    accuracy: Accuracy | None
    accuracy_not_measured_because: str = ""

    @property
    def name(self) -> str:
        """``<target>-<precision>``."""
        return f"{self.target}-{self.precision}"


class Reference(Contract):
    """What ratios are to and changes are from.

    `golden_change` is the largest |change| of a probability between this export and ``model.keras`` on the bundle's
    golden set: how truly it stands for the original.
    """

    bundle: Sha256
    export: Annotated[str, Field(description="<target>-<precision>")]
    golden_change: float | None = None


class Session(Contract):
    """One run of ``dermport benchmark`` on one machine; `reference` is None where no fp32 export could be run."""

    created: Annotated[str, Field(description="UTC, ISO 8601")]
    command: str
    dermport: str
    machine: MachineRecord
    settings: BenchmarkSettings
    photos: PhotoSetRecord
    reference: Reference | None
    exports: tuple[ExportResult, ...]
    seconds: float

    def export(self, bundle: str, name: str) -> ExportResult | None:
        """Return the export ``<target>-<precision>`` of the bundle of that sha256, where it was measured."""
        return next((one for one in self.exports if (one.bundle, one.name) == (bundle, name)), None)


class BenchmarkResult(Contract):
    """The whole of ``benchmark.json``."""

    schema_version: Annotated[Literal["dermport-benchmark/1"], Field(alias="schema")] = SCHEMA
    notice: str = NOTICE
    bundles: Annotated[tuple[BundleEntry, ...], Field(min_length=1, description="the first one named comes first")]
    sessions: Annotated[tuple[Session, ...], Field(min_length=1)]

    def bundle(self, sha256: str) -> BundleEntry:
        """Return the bundle of a model's sha256; KeyError where there is none."""
        return {entry.model_sha256: entry for entry in self.bundles}[sha256]

    def label(self, sha256: str) -> str:
        """Return a bundle's name for people, unique in this result."""
        entry = self.bundle(sha256)
        namesakes = sum(other.name == entry.name for other in self.bundles)
        return entry.name if namesakes == 1 else f"{entry.name} ({sha256[:8]})"

    @model_validator(mode="after")
    def _consistent(self) -> BenchmarkResult:
        known = {entry.model_sha256 for entry in self.bundles}
        if len(known) != len(self.bundles):
            raise ValueError("a bundle is listed twice")
        if strange := {one.bundle for session in self.sessions for one in session.exports} - known:
            raise ValueError(f"exports of bundles that are not listed: {sorted(strange)}")
        return self
