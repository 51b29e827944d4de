"""A bundle's model for every target and precision, each artifact on its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dermport.errors import ArtifactsFailedError
from dermport.progress import SILENT, Progress

if TYPE_CHECKING:
    from dermport.bundle.store import Bundle
    from dermport.exporters.matrix import ExportOutcome


def export(
    bundle: Bundle,
    to: Sequence[str] | None = None,
    precision: Sequence[str] | None = None,
    *,
    maps: bool = False,
    force: bool = False,
    jobs: int = 0,
    progress: Progress = SILENT,
) -> list[ExportOutcome]:
    """Convert a bundle's model; what is there and unchanged costs nothing.

    Args:
        bundle: Whose model.
        to: Targets; None for all.
        precision: Precisions; None for all.
        maps: Whether artifacts give class activation maps as a second output.
        force: Whether to convert even what is unchanged.
        jobs: Processes; 0 for one per core.
        progress: What a person sees: a line for each artifact as it is finished.

    Returns:
        What became of each artifact; one that cannot be made stops no other.

    Raises:
        UsageError: A target or precision is unknown.
        IntegrityError: The model's bytes are not the recorded ones.
    """
    from dermport.exporters.matrix import export_matrix, with_maps
    from dermport.exporters.registry import select

    selection = select(list(to or ()), list(precision or ()))
    total, done = sum(len(recipes) for _, recipes in selection), 0
    with progress.bar("exporting") as update:

        def report(outcome: ExportOutcome) -> None:
            nonlocal done
            done += 1
            if outcome.fresh or outcome.failure:
                progress.say(_line(outcome))
            update(done, total)

        chosen = with_maps(selection) if maps else selection
        return export_matrix(bundle, chosen, jobs=jobs, force=force, report=report)


def require_all(outcomes: Sequence[ExportOutcome]) -> None:
    """See that every artifact could be made.

    Raises:
        ArtifactsFailedError: Some could not; the message names each with the reason.
    """
    if failed := {outcome.name: outcome.failure for outcome in outcomes if outcome.failure}:
        raise ArtifactsFailedError(failed, "exported", len(outcomes))


def _line(outcome: ExportOutcome) -> str:
    if outcome.failure:
        return f"{outcome.name}: failed: {outcome.failure.message}"
    record = outcome.export.record
    return f"{outcome.name}: {record.artifact_bytes / 1024:,.0f} KiB, {record.seconds:.1f} s"
