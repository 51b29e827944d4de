"""Where an imported model is from: its file, what was found out of it and how, and the proof that nothing changed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dermport.contract import Contract, Sha256
from dermport.statistics.estimates import Share

ModelFormat = Literal[
    "keras",
    "keras2",
    "saved-model",
    "frozen-graph",
    "onnx",
    "torchscript",
    "torch-export",
    "state-dict",
    "hugging-face",
]
Fact = Literal["size", "layout", "scaling", "channels", "output", "labels"]
OutputKind = Literal["probabilities", "logits", "sigmoid"]
PerChannel = tuple[float, float, float]


class FoundFact(Contract):
    """How one fact was found out."""

    of: Fact
    how: Annotated[
        Literal["graph", "config", "probe", "asked"],
        Field(description="graph: read from the model; config: from a file beside it; probe: tried; asked: said"),
    ]
    words: Annotated[str, Field(min_length=1, description="what was decided and why, for people")]


class OriginalInput(Contract):
    """What the original takes: it is fed (x - mean) / std of pixels x of 0..255; `model.keras` does that itself."""

    size: Annotated[int, Field(ge=1, description="side of the square input, pixels")]
    layout: Literal["NHWC", "NCHW"]
    channels: Literal["RGB", "BGR"]
    scaling: Annotated[str, Field(min_length=1, description="name of mean and std, e.g. -1..1 or imagenet")]
    mean: Annotated[PerChannel, Field(description="levels of 0..255, in the original's order of channels")]
    std: Annotated[PerChannel, Field(description="levels of 0..255, in the original's order of channels")]


class OriginProof(Contract):
    """The original against `model.keras` on the same photos, each in its own framework."""

    photos: Annotated[int, Field(ge=1)]
    max_change: Annotated[float, Field(ge=0, description="largest change of a probability")]
    mean_change: Annotated[float, Field(ge=0, description="mean change of a probability")]
    agreement: Annotated[Share, Field(description="photos with the same first label")]
    bound: Annotated[float, Field(gt=0, description="largest change that is taken for the same model")]


class ModelOrigin(Contract):
    """The file that was imported."""

    file: Annotated[str, Field(min_length=1, description="name of the file or folder, without its path")]
    sha256: Annotated[Sha256, Field(description="of the file; of a folder, over its files' names and sha256")]
    format: ModelFormat
    framework: Annotated[str, Field(min_length=1, description="that ran the original for the proof, e.g. onnxruntime")]
    framework_version: Annotated[str, Field(min_length=1)]
    licence: Annotated[str, Field(min_length=1, description="SPDX identifier or words; unknown: nothing says it")]
    input: OriginalInput
    output: Annotated[OutputKind, Field(description="what the original's last operator gives")]
    findings: Annotated[tuple[FoundFact, ...], Field(description="how these were found out, one a fact")]
    proof: OriginProof
