"""``bundle.json``: what a bundle says about its model, as frozen, validated, versioned data.

The published JSON Schema is ``dermport/bundle/schema/bundle.schema.json`` (a test holds it in step with these classes).
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, model_validator

from dermport.bundle.model_origin import ModelOrigin
from dermport.bundle.notice import NOTICE
from dermport.contract import Contract, FileEntry, Fraction, Name, RelativePath, Sha256
from dermport.errors import BundleError
from dermport.statistics.estimates import Metric, Share

SCHEMA: Literal["dermport-bundle/2"] = "dermport-bundle/2"
Crop = Literal["full-frame", "centre-square"]
Part = Literal["train", "validation", "test"]
_Known = TypeVar("_Known")


class Label(Contract):
    """One class, in the order of the model's outputs."""

    id: Annotated[str, Field(min_length=1, description="short name, as artifacts carry it")]
    name: Annotated[str, Field(min_length=1, description="name for people")]
    sources: Annotated[tuple[str, ...], Field(description="labels of data sets that count as this one")] = ()


class TaskSpec(Contract):
    """What is told apart.

    `positive` are the label ids whose summed probability is the score that the decision compares with its threshold;
    none where the model only names a label.
    """

    name: Name
    labels: Annotated[tuple[Label, ...], Field(min_length=2, max_length=1000)]
    positive: tuple[str, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """The label ids, in the order of the model's outputs."""
        return tuple(label.id for label in self.labels)

    @property
    def positive_indices(self) -> tuple[int, ...]:
        """The output indices of the positive labels."""
        return tuple(index for index, label in enumerate(self.ids) if label in self.positive)

    @model_validator(mode="after")
    def _consistent(self) -> TaskSpec:
        if len(set(self.ids)) != len(self.ids):
            raise ValueError("two labels have the same id")
        if unknown := set(self.positive) - set(self.ids):
            raise ValueError(f"positive labels that are no labels: {sorted(unknown)}")
        if set(self.positive) == set(self.ids):
            raise ValueError("every label is positive: nothing is left to tell apart")
        return self


PrepId = Literal["dermport-prep/1"]
PREP_ID: PrepId = "dermport-prep/1"
"""Names how photos are prepared; another way gets another number."""


class Preprocessing(Contract):
    """The parameters of ``dermport-prep/1`` (see :mod:`dermport.bundle.prep`)."""

    id: PrepId = PREP_ID
    size: Annotated[int, Field(ge=32, le=1024, description="side S of the square input, pixels")]
    crop: Crop = "full-frame"


class ModelSpec(Contract):
    """The trained network; input float32 [N, S, S, 3] with values 0..255, output float32 [N, C] probabilities."""

    file: RelativePath = "model.keras"
    architecture: Annotated[str, Field(min_length=1, max_length=200, description="name, for people")] = "MobileNetV2"
    operators: Annotated[
        dict[str, int],
        Field(default_factory=dict, description="how often each layer type occurs; empty in bundles of version 1"),
    ]
    alpha: Annotated[float | None, Field(gt=0, description="width, where the architecture knows one")] = None
    parameters: Annotated[int, Field(gt=0)]
    weights: Annotated[
        str | None,
        Field(description="what the trunk started from: imagenet, none, or a file's name and sha256; null: not known"),
    ] = None


class Decision(Contract):
    """The rule that turns probabilities into yes or no: score = sum over the positive labels, yes if >= threshold."""

    name: str = "suspicious"
    threshold: Fraction
    target_sensitivity: Fraction
    part: Part = "validation"


def threshold_of(decision: Decision | None) -> float:
    """Return a decision's threshold; infinity, which no score reaches, without one."""
    return decision.threshold if decision else math.inf


InputFault = Literal["too-dark", "too-bright", "blurred", "noisy", "over-compressed", "no-lesion"]
"""What of a photo's faults (``photo_quality.json``) the model's input alone shows."""
InputColour = Literal["light", "red-green", "yellow-blue", "light-spread", "red-green-spread", "yellow-blue-spread"]
"""See :func:`dermport.bundle.photo_quality.survey_input`."""


class InputBound(Contract):
    """A bound of one value of the model's input; beyond it nothing can be told."""

    code: Annotated[InputFault, Field(description="of the value, as in dermport/bundle/photo_quality.json")]
    side: Annotated[Literal["below", "above"], Field(description="on which side of the threshold nothing can be told")]
    threshold: float


class InputReference(Contract):
    """What the model's inputs look like: a Gaussian over some of their values (:mod:`.bundle.photo_quality`)."""

    names: Annotated[tuple[InputColour, ...], Field(min_length=1, description="of the values, in order")]
    mean: tuple[float, ...]
    precision: Annotated[tuple[tuple[float, ...], ...], Field(description="the inverse of their covariance")]

    @model_validator(mode="after")
    def _fits(self) -> InputReference:
        count = len(self.names)
        if len(self.mean) != count or [len(row) for row in self.precision] != [count] * count:
            raise ValueError(f"mean and precision are not of {count} values")
        return self


class Abstention(Contract):
    """When the model cannot tell and gives no decision: the reject option, by what its input looks like.

    A photo is answered where every value of the model's input keeps to its bound of `quality`, and the Mahalanobis
    distance of its colours from those of known photos to the threshold (:mod:`dermport.bundle.abstention`). Both depend
    on the input alone: where phone and server see the same input, they say the same, whatever form of the model they
    run.
    """

    score: Literal["input-distance"] = "input-distance"
    reference: InputReference
    threshold: Annotated[float, Field(ge=0, description="the largest distance that is answered")]
    quality: tuple[InputBound, ...]
    answer_rate: Annotated[Fraction, Field(description="the share of photos to be answered that was asked for")]
    part: Part = "validation"
    answered: Annotated[dict[Part, Share], Field(description="photos of each part that are answered, as measured")]


class Calibration(Contract):
    """Temperature scaling (Guo et al. 2017), folded into the last layer, so that every port is calibrated by itself."""

    temperature: Annotated[float, Field(gt=0)]
    folded: Literal[True] = True
    part: Part = "validation"


class SplitSpec(Contract):
    """How the photos were parted: no lesion is in two parts."""

    file: RelativePath
    seed: Annotated[int | None, Field(description="of the draw by lesion, stratified by label; null: read from a file")]
    photos: dict[Part, int]
    lesions: dict[Part, int]


class DatasetSpec(Contract):
    """The labelled photos that the model was trained on; of an imported one, those it was fitted and evaluated with."""

    name: str
    reader: str
    fingerprint: Annotated[Sha256, Field(description="over every photo's id, bytes, label and lesion")]
    photos: int
    lesions: int
    dropped: Annotated[dict[str, int], Field(description="photos left out, by reason")]
    lesion_pattern: Annotated[str | None, Field(description="how a file's name told its lesion, if it did")] = None
    split: SplitSpec


class Metrics(Contract):
    """The evaluation's head figures; everything else is in ``evaluation/metrics.json``."""

    part: Part
    photos: int
    confidence: Fraction = 0.95
    figures: dict[str, Metric]


class ModelRef(Contract):
    """A model by the names that stand for it everywhere."""

    name: Name
    version: str
    model_sha256: Sha256


class StepRecord(Contract):
    """A step of a compression: what was asked, and what was measured on the way."""

    kind: str
    settings: Annotated[dict[str, Any], Field(description="the step's options, defaults included")]
    figures: Annotated[dict[str, float], Field(default_factory=dict, description="what the step measured")]
    notes: tuple[str, ...] = ()


class Compression(Contract):
    """How a bundle was made from another one."""

    parent: ModelRef
    recipe: Annotated[str, Field(description="the recipe's name")]
    summary: str
    steps: tuple[StepRecord, ...]


class CrossValidationSpec(Contract):
    """How a bundle came of a cross-validation."""

    kept: Annotated[Literal["median", "ensemble"], Field(description="one fold's model, or the average of all")]
    folds: Annotated[int, Field(ge=2)]
    plan_sha256: Annotated[Sha256, Field(description="of the table that says which fold tested each photo")]
    members: Annotated[tuple[ModelRef, ...], Field(min_length=1, description="the folds' models that it holds")]
    fold: Annotated[int | None, Field(description="whose model it is; absent for an ensemble")] = None
    figures: Annotated[
        Literal["own test part", "out of fold", "held out"],
        Field(description="what the manifest's metrics are of; out of fold: of the members, not of their average"),
    ]
    words: str


class Provenance(Contract):
    """Enough to make the bundle again."""

    created: Annotated[str, Field(description="UTC, ISO 8601")]
    command: str
    seed: int
    git_commit: str | None
    python: str
    platform: str
    packages: dict[str, str]
    seconds: float


class Manifest(Contract):
    """The whole of ``bundle.json``."""

    schema_version: Annotated[Literal["dermport-bundle/1", "dermport-bundle/2"], Field(alias="schema")] = SCHEMA
    name: Name
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    notice: str = NOTICE
    task: TaskSpec
    preprocessing: Preprocessing
    model: ModelSpec
    calibration: Annotated[Calibration | None, Field(description="absent: the original's own probabilities")] = None
    decision: Annotated[Decision | None, Field(description="absent where no label is positive: labels alone")] = None
    abstention: Annotated[
        Abstention | None, Field(description="when the model cannot tell; absent: it answers every photo")
    ] = None
    dataset: Annotated[DatasetSpec | None, Field(description="absent where no labelled photos are known")] = None
    metrics: Annotated[Metrics | None, Field(description="absent where nothing was evaluated")] = None
    provenance: Provenance
    compression: Annotated[Compression | None, Field(description="absent where the model was trained, not made")] = None
    cross_validation: Annotated[
        CrossValidationSpec | None, Field(description="absent where the model is of no cross-validation")
    ] = None
    origin: Annotated[ModelOrigin | None, Field(description="where an imported model is from; absent: trained")] = None
    files: tuple[FileEntry, ...]

    @property
    def threshold(self) -> float:
        """The decision's threshold; infinity, which no score reaches, where there is no decision."""
        return threshold_of(self.decision)

    @property
    def temperature(self) -> float:
        """What the logits were divided by; 1 where nothing was calibrated."""
        return self.calibration.temperature if self.calibration else 1.0

    @property
    def known_decision(self) -> Decision:
        """The decision, for what cannot do without one.

        Raises:
            BundleError: There is none.
        """
        return self._known(self.decision, "no decision", "say which of its labels are positive")

    @property
    def known_dataset(self) -> DatasetSpec:
        """The labelled photos, for what cannot do without them.

        Raises:
            BundleError: None are known.
        """
        return self._known(self.dataset, "no data set and no split", "give labelled photos")

    @property
    def known_metrics(self) -> Metrics:
        """The head figures, for what cannot do without them.

        Raises:
            BundleError: There are none.
        """
        return self._known(self.metrics, "no figures of its own", "give labelled photos")

    def _known(self, value: _Known | None, missing: str, remedy: str) -> _Known:
        if value is None:
            raise BundleError(f"{self.name} has {missing}.", remedy=f"When importing the model, {remedy}.")
        return value

    @model_validator(mode="before")
    @classmethod
    def _upgraded(cls, document: Any) -> Any:
        """Read version 1, in which all that is optional now had to be there, as version 2."""
        if isinstance(document, dict) and document.get("schema") == "dermport-bundle/1":
            return {**document, "schema": SCHEMA}
        return document

    @model_validator(mode="after")
    def _consistent(self) -> Manifest:
        if bool(self.task.positive) != (self.decision is not None):
            raise ValueError("a decision takes positive labels, and these take a decision")
        named = {self.model.file} | ({self.dataset.split.file} if self.dataset else set())
        if missing := named - {entry.path for entry in self.files}:
            raise ValueError(f"files that are named but not listed with size and sha256: {sorted(missing)}")
        return self
