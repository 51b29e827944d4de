"""Write the JSON Schemas from the contract's classes: ``python -m bundle.schema.publish``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bundle.atomic import write_json
from bundle.benchmark_record import BenchmarkResult
from bundle.export_record import ExportRecord
from bundle.golden import GoldenIndex
from bundle.manifest import Manifest
from bundle.model import Contract
from bundle.signature import Envelope
from bundle.vectors import Vectors
from bundle.wire import (
    BatchAnswer,
    ComparisonAnswer,
    ComparisonRequest,
    ComparisonSummary,
    LatestAnswer,
    ModelsAnswer,
    PredictionAnswer,
    Problem,
    ReadyAnswer,
    ReleaseManifest,
)

FOLDER = Path(__file__).parent
PUBLISHED: dict[str, type[Contract]] = {
    "bundle": Manifest,
    "export": ExportRecord,
    "golden": GoldenIndex,
    "vectors": Vectors,
    "prediction": PredictionAnswer,
    "models": ModelsAnswer,
    "ready": ReadyAnswer,
    "problem": Problem,
    "batch": BatchAnswer,
    "comparison-request": ComparisonRequest,
    "comparison": ComparisonAnswer,
    "comparison-summary": ComparisonSummary,
    "latest": LatestAnswer,
    "envelope": Envelope,
    "release": ReleaseManifest,
    "benchmark": BenchmarkResult,
}


def schema(kind: type[Contract]) -> dict[str, Any]:
    """Return the JSON Schema of a contract class, by the names that the JSON carries."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **kind.model_json_schema(by_alias=True)}


def main() -> None:
    """Write every schema."""
    for name, kind in PUBLISHED.items():
        write_json(FOLDER / f"{name}.schema.json", schema(kind))


if __name__ == "__main__":
    main()
