"""The folder of a training that is under way: what it was asked, and its checkpoints."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dermport.bundle.atomic import write_json, write_text
from dermport.errors import UsageError

QUESTION, COMMAND = "run.json", "command.txt"
_FEATURES, _PHOTOS = ".features", ".photos"


@dataclass(frozen=True)
class TrainingRun:
    """A training that is under way.

    Attributes:
        folder: Its checkpoints, one ``<phase>.npz`` for each phase.
        cache: Features of photos, which all bundles beside this one share; can be removed at any time.
        photos: Decoded photos, likewise.
        resumed: Whether the folder was there.
    """

    folder: Path
    cache: Path
    photos: Path
    resumed: bool


def run_folder(out: Path) -> Path:
    """Return where the training of the bundle `out` keeps its state: a hidden sibling of it."""
    return out.parent / f".{out.name}.run"


def cache_folders(folder: Path) -> tuple[Path, Path]:
    """Return where below `folder` features and decoded photos are kept."""
    return folder / _FEATURES, folder / _PHOTOS


def open_run(out: Path, asked: dict[str, Any], command: str = "", caches: Path | None = None) -> TrainingRun:
    """Begin the training of `out`, or go on with one that was killed.

    Args:
        out: The bundle to be.
        asked: Everything that decides the result, as a JSON document.
        command: What a person typed; kept for who looks at the run.
        caches: Where features and decoded photos are kept; None for beside the bundle.

    Raises:
        UsageError: An unfinished run there was asked for something else.
    """
    folder, (features, photos) = run_folder(out), cache_folders(caches or out.parent)
    question = folder / QUESTION
    if not question.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        if command:
            write_text(folder / COMMAND, command + "\n")
        write_json(question, asked)
        return TrainingRun(folder, features, photos, resumed=False)
    before = json.loads(question.read_text(encoding="utf-8"))
    if differing := differences(before, json.loads(json.dumps(asked))):
        raise UsageError(
            f"{folder} holds an unfinished training with another {', '.join(differing)}.",
            remedy=f"Repeat its options to go on with it, or remove the folder to start again: rm -r {folder}",
        )
    return TrainingRun(folder, features, photos, resumed=True)


def close_run(out: Path) -> None:
    """Remove the run's folder once its bundle is written."""
    shutil.rmtree(run_folder(out), ignore_errors=True)


def differences(before: dict[str, Any], now: dict[str, Any], prefix: str = "") -> list[str]:
    """Return in what two JSON documents differ, each as ``name (old then, new now)``."""
    differing: list[str] = []
    for name in sorted({*before, *now}):
        old, new = before.get(name), now.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            differing += differences(old, new, f"{prefix}{name}.")
        elif old != new:
            differing.append(f"{prefix}{name} ({old} then, {new} now)")
    return differing
