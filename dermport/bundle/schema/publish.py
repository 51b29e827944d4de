"""Write the JSON Schemas from the contract's classes: ``python -m dermport.bundle.schema.publish``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from dermport.bundle.atomic import write_json
from dermport.bundle.benchmark_record import BenchmarkResult
from dermport.bundle.export_record import ExportRecord
from dermport.bundle.golden import GoldenIndex
from dermport.bundle.manifest import Manifest
from dermport.bundle.signature import Envelope
from dermport.bundle.vectors import Vectors
from dermport.bundle.wire import (
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
    RootDocument,
)
from dermport.contract import Contract

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
    "root": RootDocument,
    "benchmark": BenchmarkResult,
}
_TITLES = {"PhotoSetRecord": "PhotoSet"}


class _Published(GenerateJsonSchema):
    """Names a class as its title does where that is another, so that what is published outlives our own names."""

    def normalize_name(self, name: str) -> str:
        return super().normalize_name(_TITLES.get(name, name))


def schema(kind: type[Contract]) -> dict[str, Any]:
    """Return the JSON Schema of a contract class, by the names that the JSON carries."""
    document = kind.model_json_schema(by_alias=True, schema_generator=_Published)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **document}


def main() -> None:
    """Write every schema."""
    for name, kind in PUBLISHED.items():
        write_json(FOLDER / f"{name}.schema.json", schema(kind))


if __name__ == "__main__":
    main()
