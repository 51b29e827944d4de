"""``export.json``: what one artifact is, how it was made and how it was proved.

The published JSON Schema is ``dermport/bundle/schema/export.schema.json``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from dermport.contract import Contract, FileEntry, Fraction, Name, RelativePath, Sha256
from dermport.statistics.estimates import Delta

SCHEMA: Literal["dermport-export/1"] = "dermport-export/1"
Evidence = Literal["device", "host-runtime", "mil-reference", "host-proxy"]
Status = Literal["pass", "warn", "fail"]

EVIDENCE_MEANING: dict[Evidence, str] = {
    "device": "the artifact itself, run by the platform's own runtime on its own hardware",
    "host-runtime": "the artifact itself, run on this machine by the runtime that the device uses",
    "mil-reference": "the saved .mlpackage's own ML Program, executed operator by operator on Linux; not Core ML",
    "host-proxy": "the ONNX that the engine is built from, run by ONNX Runtime; no engine was run",
}


class TensorSpec(Contract):
    """An input or output as the artifact declares it; -1 is a dynamic dimension."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    meaning: str = ""


class OperatorCount(Contract):
    """How often an operator occurs at a precision (the papers' Table III)."""

    type: str
    precision: str
    count: Annotated[int, Field(gt=0)]


class MapParity(Contract):
    """How an artifact's class activation maps compare with those of ``model.keras`` on the same tensors."""

    max_change: Annotated[float, Field(description="largest |change| of a cell, as a share of the map's range")]
    mean_change: Annotated[float, Field(description="mean |change| of a cell, as a share of the map's range")]
    cell_agreement: Annotated[
        Fraction, Field(description="share of photos whose highest cell, of the label that Keras predicts, is the same")
    ]


class Parity(Contract):
    """How an artifact, read back from disk and executed, compares with ``model.keras`` on the same tensors."""

    evidence: Evidence
    evidence_reason: str = ""
    data: str
    photos: Annotated[int, Field(gt=0)]
    max_change: float
    mean_change: float
    top1_agreement: Fraction
    flips_to_positive: int
    flips_to_negative: int
    labels_match: bool
    metrics: dict[str, Delta] = Field(default_factory=dict)
    maps: Annotated[MapParity | None, Field(description="null where the artifact gives no maps")] = None
    status: Status
    reasons: tuple[str, ...] = ()
    policy: str
    runtime: str
    created: str


class SourceRef(Contract):
    """The bundle that an artifact was made from."""

    name: Name
    version: str
    model_sha256: Sha256


class ExportRecord(Contract):
    """The whole of ``export.json``."""

    schema_version: Annotated[Literal["dermport-export/1"], Field(alias="schema")] = SCHEMA
    target: str
    precision: str
    bundle: SourceRef
    preprocessing: str
    labels: tuple[str, ...]
    artifact: RelativePath
    artifact_bytes: int
    artifact_sha256: Sha256
    size_ratio: Annotated[float, Field(description="artifact bytes / bytes of the Keras model's float32 weights")]
    built: bool = True
    not_built_because: str = ""
    recipe: dict[str, Any]
    policy: Annotated[
        str, Field(description="the class of bounds that judges it, a table of dermport/bundle/policy.toml")
    ]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    operators: tuple[OperatorCount, ...]
    tools: dict[str, str]
    key: Annotated[
        Sha256, Field(description="over everything that the artifact depends on; equal keys need no new export")
    ]
    seconds: float
    created: str
    parity: Parity | None = None
    files: tuple[FileEntry, ...]
