"""What a server says of the models that it has, and of its readiness."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dermport.bundle.export_record import Status
from dermport.bundle.manifest import Decision, Preprocessing, TaskSpec
from dermport.bundle.notice import NOTICE
from dermport.bundle.wire.base import Message
from dermport.bundle.wire.prediction import ServedModel, ServedRuntime
from dermport.contract import Sha256


class ExportSummary(Message):
    """An artifact that the bundle holds."""

    target: str
    precision: str
    artifact: str
    bytes: int
    artifact_sha256: Sha256
    built: bool
    parity: Status | None
    activation_map: Annotated[bool, Field(description="whether it gives class activation maps (?map=)")] = False


class ModelSummary(Message):
    """A model that the server has, with what a client must know to read its answers."""

    name: str
    version: str
    sha256: Sha256
    task: TaskSpec
    preprocessing: Preprocessing
    decision: Annotated[Decision | None, Field(description="null: the model knows labels alone")] = None
    live: Annotated[ServedModel | None, Field(description="how it is served; null where another model is live")]
    runtime: ServedRuntime | None
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
    degraded: Annotated[tuple[str, ...], Field(description="what fails besides photos, which are answered")] = ()
