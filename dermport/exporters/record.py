"""What is recorded of an artifact, read back from disk."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from dermport.bundle.export_record import ExportRecord, SourceRef
from dermport.bundle.hashing import sha256_file, sha256_json
from dermport.bundle.store import RECORD, Bundle, file_entries
from dermport.contract import FileEntry
from dermport.exporters.contract import PrecisionRecipe, Target
from dermport.exporters.integer.proof import proof_of
from dermport.exporters.key import key_of, tool_versions

if TYPE_CHECKING:
    from dermport.exporters.contract import Description


def record_of(
    bundle: Bundle,
    target: Target,
    recipe: PrecisionRecipe,
    *,
    carried_out: PrecisionRecipe,
    folder: Path,
    description: Description,
) -> ExportRecord:
    """Return the record of a finished artifact.

    Args:
        bundle: What it was made from.
        target: Its target.
        recipe: What was asked for: its key.
        carried_out: The recipe as it was carried out (:func:`.integer.proof.recipe_for`).
        folder: Where it is.
        description: What its target says of it.
    """
    files = file_entries(folder, exclude=(RECORD,))
    artifact = target.capabilities.artifact
    size, sha256 = _identity(folder, artifact, files)
    return ExportRecord(
        target=target.capabilities.name,
        precision=carried_out.precision,
        bundle=SourceRef(name=bundle.manifest.name, version=bundle.manifest.version, model_sha256=bundle.model_sha256),
        preprocessing=bundle.manifest.preprocessing.id,
        labels=bundle.manifest.task.ids,
        artifact=artifact,
        artifact_bytes=size,
        artifact_sha256=sha256,
        size_ratio=size / (4 * bundle.manifest.model.parameters),
        built=description.built,
        not_built_because=description.not_built_because,
        recipe={
            "summary": carried_out.summary,
            "calibrated": carried_out.calibrated,
            **carried_out.settings,
            **proof_of(carried_out, folder / artifact),
        },
        policy=carried_out.policy,
        inputs=description.inputs,
        outputs=description.outputs,
        operators=description.operators,
        tools=tool_versions(target),
        key=key_of(bundle, target, recipe),
        seconds=0.0,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        files=files,
    )


def _identity(folder: Path, artifact: str, files: tuple[FileEntry, ...]) -> tuple[int, str]:
    """Return the bytes and sha256 of an artifact; of a folder, the sum and the sha256 over its sorted entries."""
    path = folder / artifact
    if path.is_file():
        return path.stat().st_size, sha256_file(path)
    inside = [entry for entry in files if entry.path.startswith(f"{artifact}/")]
    return sum(e.size for e in inside), sha256_json([e.model_dump(mode="json") for e in inside])
