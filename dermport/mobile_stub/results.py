"""From a run's journal to comparisons, and from comparisons to the one JSON document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dermport.bundle.store import Bundle
from dermport.mobile_stub.agreement import policy_class
from dermport.mobile_stub.compare import comparison_of, row_of
from dermport.mobile_stub.comparison import ArtifactComparison, ArtifactSummary, ComparisonDocument, PhotoComparison
from dermport.mobile_stub.jetson import Jetson
from dermport.mobile_stub.journal import Journal
from dermport.mobile_stub.phone import PhoneModel
from dermport.mobile_stub.photos import Photo
from dermport.mobile_stub.prediction import Prediction
from dermport.mobile_stub.run import ComparisonRun


@dataclass(frozen=True)
class CompletedRun:
    """A run that is done.

    Attributes:
        bundle: What the phones' artifacts were exported from.
        photos: What it was over.
        run: The run.
        journal: Its journal.
        jetson: The server.
    """

    bundle: Bundle
    photos: Sequence[Photo]
    run: ComparisonRun
    journal: Journal
    jetson: Jetson


def compared(outcome: CompletedRun, phones: Sequence[PhoneModel]) -> tuple[ArtifactComparison, ...]:
    """Return a comparison for each of the phones' artifacts."""
    classes = {export.record.precision: export.record.policy for export in outcome.bundle.exports()}
    return tuple(_compared(outcome, phone, classes) for phone in phones)


def _compared(outcome: CompletedRun, phone: PhoneModel, classes: dict[str, str]) -> ArtifactComparison:
    artifact, rows = phone.artifact, []
    for photo in outcome.photos:
        sha256 = outcome.run.hashes[photo.path]
        found = outcome.journal.find(sha256, artifact.sha256, outcome.jetson.served)
        if found is not None and found[1] is not None:
            rows.append(row_of(photo, found[0], found[1]))
    summary = ArtifactSummary(
        name=artifact.name,
        sha256=artifact.sha256,
        bytes=artifact.bytes,
        precision=artifact.precision,
        runtime=phone.runtime,
    )
    judged = (artifact.policy, policy_class(_served_precision(rows), classes))
    waiting = len(outcome.photos) - len(rows)
    return comparison_of(outcome.bundle.manifest, rows, summary, outcome.jetson.url, classes=judged, waiting=waiting)


def _served_precision(rows: Sequence[PhotoComparison]) -> str | None:
    said = next((row.server for row in rows if isinstance(row.server, Prediction)), None)
    return said.artifact.split(" ", 1)[-1] if said else None


def document_of(comparisons: Sequence[ArtifactComparison]) -> dict[str, Any]:
    """Return one artifact's comparison as it is, and several in one document."""
    one = comparisons[0] if len(comparisons) == 1 else ComparisonDocument(comparisons=tuple(comparisons))
    return one.model_dump(mode="json", by_alias=True)
