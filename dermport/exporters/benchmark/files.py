"""``benchmark.json`` on disk."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from dermport.bundle.atomic import write_json
from dermport.bundle.benchmark_record import BenchmarkResult
from dermport.errors import DataError

FILE = "benchmark.json"


def read_result(path: Path) -> BenchmarkResult:
    """Return what a file, or the ``benchmark.json`` of a folder, holds.

    Raises:
        DataError: There is none, or it is no result of this schema version.
    """
    file = path / FILE if path.is_dir() else path
    remedy = "Name a benchmark.json that `dermport benchmark --out` wrote."
    try:
        return BenchmarkResult.model_validate_json(file.read_bytes())
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}.", remedy=remedy) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        raise DataError(f"{file} is no benchmark result: {where}: {first['msg']}.", remedy=remedy) from error


def write_result(folder: Path, result: BenchmarkResult) -> None:
    """Write ``benchmark.json`` into a folder, atomically."""
    write_json(folder / FILE, result.model_dump(mode="json", by_alias=True))
