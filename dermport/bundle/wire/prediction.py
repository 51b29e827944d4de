"""The answer to a photo, and its class activation map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dermport.bundle.abstention import Reason
from dermport.bundle.activation_map import MEANING, SHIFT
from dermport.bundle.notice import NOTICE
from dermport.bundle.wire.base import Message, Milliseconds
from dermport.bundle.wire.operations import Problem
from dermport.contract import Fraction, Sha256

Grid = tuple[tuple[float, ...], ...]
"""A map of one label: rows of cells, from the photo's top left."""


class ActivationMap(Message):
    """Where the model saw what it answers; research and education, and no statement of what is ill."""

    grids: Annotated[
        dict[str, Grid], Field(description="by label id: rows of cells from the top left, in units of the logit")
    ]
    shape: Annotated[tuple[int, int], Field(description="rows and columns of cells")]
    shift: Annotated[
        float,
        Field(description="cells by which each lies further to the lower right than an even division puts it"),
    ] = SHIFT
    meaning: str = MEANING


def grids_of(cells: NDArray[np.float32], labels: Sequence[str]) -> dict[str, Grid]:
    """Return a map float32 [h, w, C] by label id, to six significant digits."""
    return {label: _rows(cells[..., place]) for place, label in enumerate(labels)}


def _rows(grid: NDArray[np.float32]) -> Grid:
    return tuple(tuple(float(f"{value:.6g}") for value in row) for row in grid)


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
    decision: Annotated[Verdict | None, Field(description="null: the model knows labels alone")] = None
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
