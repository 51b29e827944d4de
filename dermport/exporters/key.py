"""An artifact's key: by it, a finished one is known to be still right."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from importlib import metadata

from dermport.bundle.hashing import sha256_json
from dermport.bundle.store import Bundle
from dermport.exporters.contract import PrecisionRecipe, Target
from dermport.exporters.source import CALIBRATION_FILE

# what a recipe says beside what its artifact is made by
_NOT_DECIDING = ("optional", "integers")


def key_of(bundle: Bundle, target: Target, recipe: PrecisionRecipe) -> str:
    """Return the sha256 over everything that the artifact's bytes depend on."""
    manifest = bundle.manifest
    calibration = [e.sha256 for e in manifest.files if e.path == CALIBRATION_FILE] if recipe.calibrated else []
    deciding = {name: value for name, value in asdict(recipe).items() if name not in _NOT_DECIDING}
    return sha256_json(
        {
            "bundle": [manifest.name, manifest.version, bundle.model_sha256],
            "task": manifest.task.model_dump(mode="json"),
            "preprocessing": manifest.preprocessing.model_dump(mode="json"),
            "target": target.capabilities.name,
            "recipe": deciding | {"settings": dict(recipe.settings)},
            "calibration": calibration,
            "tools": tool_versions(target),
        }
    )


def tool_versions(target: Target) -> dict[str, str]:
    """Return the installed versions of the distributions that decide the artifact's bytes, dermport among them."""
    return {name: _version(name) for name in ("dermport", *target.capabilities.tools)}


@cache  # each looks through every distribution
def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"
