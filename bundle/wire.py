"""What server and phone say to each other over HTTP: the frozen classes that one writes and the other reads.

The published JSON Schemas are ``bundle/schema/{prediction,models,ready,problem}.schema.json``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from bundle.export_record import Status
from bundle.manifest import Decision, Preprocessing, TaskSpec
from bundle.model import Contract, Fraction, Sha256
from bundle.notice import NOTICE

PROBLEM_TYPE = "application/problem+json"
PHOTO_TYPES = ("image/jpeg", "image/png")
PHOTO_FIELD = "photo"
Milliseconds = Annotated[float, Field(ge=0, description="milliseconds")]


class Message(Contract):
    """The base of what travels: fields of a newer server are ignored, so that it can serve phones of last year."""

    model_config = ConfigDict(extra="ignore")


class Verdict(Message):
    """The bundle's decision rule, applied: positive if score >= threshold."""

    name: str
    positive: bool
    score: Annotated[float, Field(ge=0, description="summed probability of the positive labels")]
    threshold: Fraction


class ServedModel(Message):
    """Which model answered, and in which form."""

    name: str
    version: str
    sha256: Annotated[Sha256, Field(description="of model.keras, which names the model on every device")]
    artifact_sha256: Annotated[Sha256, Field(description="of the file that was run")]
    target: str
    precision: str


class ServedRuntime(Message):
    """What ran the artifact, and why no better one did."""

    name: str
    reason: str


class ReceivedPhoto(Message):
    """The photo as it arrived, before orientation."""

    width: int
    height: int
    orientation: Annotated[int, Field(ge=1, le=8, description="EXIF tag 274, applied")]
    bytes: int


class Timing(Message):
    """Where the time went, between the first line of the handler and the answer."""

    receive: Annotated[Milliseconds, Field(description="reading the body")]
    prepare: Annotated[Milliseconds, Field(description="decoding and resizing")]
    wait: Annotated[Milliseconds, Field(description="waiting for the runtime")]
    infer: Annotated[Milliseconds, Field(description="running the model")]
    total: Milliseconds


class PredictionAnswer(Message):
    """The answer to ``POST /v1/predict``."""

    label: str
    probabilities: Annotated[dict[str, Fraction], Field(description="by label id, in the model's order")]
    decision: Verdict
    model: ServedModel
    runtime: ServedRuntime
    preprocessing: Annotated[str, Field(description="the definition by which the input was made")]
    input_sha256: Annotated[Sha256, Field(description="of the prepared tensor; equal hashes mean equal inputs")]
    photo: ReceivedPhoto
    milliseconds: Timing
    notice: str = NOTICE
    request_id: str


class ExportSummary(Message):
    """An artifact that the bundle holds."""

    target: str
    precision: str
    artifact: str
    bytes: int
    artifact_sha256: Sha256
    built: bool
    parity: Status | None


class ModelSummary(Message):
    """A model that the server has, with what a client must know to read its answers."""

    name: str
    version: str
    sha256: Sha256
    task: TaskSpec
    preprocessing: Preprocessing
    decision: Decision
    live: ServedModel
    runtime: ServedRuntime
    exports: tuple[ExportSummary, ...]


class ModelsAnswer(Message):
    """The answer to ``GET /v1/models``."""

    models: tuple[ModelSummary, ...]
    notice: str = NOTICE


class ReadyAnswer(Message):
    """The answer of ``GET /readyz`` once the live runtime has answered the golden set."""

    status: Literal["ready"] = "ready"
    photos: int
    worst_photo: str
    worst_change: Annotated[float, Field(description="largest change of a probability on any golden photo")]
    mean_change: Annotated[float, Field(description="mean change over all probabilities")]
    runtime: ServedRuntime


class Problem(Message):
    """Every error, as RFC 9457 has it; ``code`` is stable and made for programs, ``remedy`` for people."""

    type: str
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    instance: str
    code: str
    remedy: str = ""
    request_id: str
