"""Measured candidates out of thin air."""

from __future__ import annotations

from typing import Any

from dermport.compression.search.candidate import LatencyRecord, MeasuredCandidate


def measured(
    number: int = 1, quality: float = 0.7, ratio: float = 1.0, size: int = 1_000_000, **said: Any
) -> MeasuredCandidate:
    """Return a candidate of that balanced accuracy, latency by the base's, and bytes."""
    known: dict[str, Any] = {
        "number": number,
        "start": "parent",
        "size": 192,
        "keep": 1.0,
        "export": "tflite-int8",
        "techniques": ("int8", "160 px"),
        "steps": 0,
        "macs": 100_000_000,
        "parameters": 2_000_000,
        "artifact_bytes": size,
        "artifact_sha256": "0" * 64,
        "size_ratio": size / 9e6,
        "latency": LatencyRecord(source="measured", device="a processor", ms=10 * ratio, ratio=ratio),
        "photos": 100,
        "balanced_accuracy": quality,
        "accuracy": 0.8,
        "agreement": 0.95,
        "points_lost": round(100 * (0.7 - quality), 6),
        "runtime": "LiteRT",
        "seconds": 1.0,
    }
    return MeasuredCandidate(**(known | said))
