"""Where a bundle comes from: enough to make it again."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from datetime import datetime, timezone
from pathlib import Path

from dermport.bundle.manifest import Provenance

_PACKAGES = ("dermport", "keras", "numpy", "pillow", "tensorflow", "tensorflow-cpu", "torch", "jax")


def provenance(command: str, seed: int, seconds: float) -> Provenance:
    """Return the provenance of what is made now.

    Args:
        command: As a person would type it.
        seed: Of everything random.
        seconds: That the training took, over all its resumptions.
    """
    return Provenance(
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        command=command,
        seed=seed,
        git_commit=_git_commit(),
        python=platform.python_version(),
        platform=platform.platform(),
        packages=_versions(),
        seconds=round(seconds, 1),
    )


def _versions() -> dict[str, str]:
    installed = {
        one.metadata["Name"].lower().replace("_", "-"): one.version for one in importlib.metadata.distributions()
    }
    return {name: installed[name] for name in _PACKAGES if name in installed}


def _git_commit() -> str | None:
    """Return the commit of this source tree, marked where the tree differs from it; None outside a clone."""
    command = ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
