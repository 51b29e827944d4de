"""The answer to a photo."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dermport.bundle.abstention import Reason
from dermport.bundle.notice import NOTICE
from dermport.bundle.wire.activation_map import ActivationMap
from dermport.bundle.wire.base import Message, Milliseconds
from dermport.bundle.wire.problem import Problem
from dermport.contract import Fraction, Sha256


class Verdict(Message):
    """The bundle's decision rule, applied: positive if score >= threshold, unless the model cannot tell."""

    name: str
    positive: Annotated[bool | None, Field(description="null: withheld, for the model cannot tell")]
    score: Annotated[float, Field(ge=0, description="summed probability of the positive labels")]
    threshold: Fraction
    answer: Annotated[
        Literal["decision", "cannot_tell"],
        Field(description="cannot_tell: label and probabilities are for research alone, and decide nothing"),
    ] = "decision"
    reasons: Annotated[tuple[Reason, ...], Field(description="why the model cannot tell")] = ()


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
    form: Annotated[
        Literal["photo", "prepared", "tensor"],
        Field(description="prepared: a PNG of exactly the model's input; tensor: that input's own bytes"),
    ] = "photo"


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
    activation_map: Annotated[ActivationMap | None, Field(description="where it was asked for: ?map=")] = None
    notice: str = NOTICE
    request_id: str


class BatchItem(Message):
    """One photo of several: its answer, or why it was refused."""

    index: Annotated[int, Field(ge=0, description="place of the photo in the request")]
    answer: PredictionAnswer | None = None
    problem: Problem | None = None


class BatchAnswer(Message):
    """The answer to ``POST /v1/predict/batch``: one item a photo, in the order sent."""

    items: tuple[BatchItem, ...]
    notice: str = NOTICE
    request_id: str
