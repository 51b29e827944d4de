"""A compression that is under way: each step's result is kept, so that a killed run goes on after the last one."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from dermport.bundle.atomic import write_json
from dermport.compression.context import Outcome
from dermport.training.phases.state import EpochFigures

if TYPE_CHECKING:
    import keras


def keep(folder: Path, outcome: Outcome) -> None:
    """Write what a step gave back: ``network.keras``, and ``outcome.json`` once that is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    outcome.network.save(folder / "network.keras")
    write_json(
        folder / "outcome.json",
        {
            "figures": dict(outcome.figures),
            "notes": list(outcome.notes),
            "history": [asdict(epoch) for epoch in outcome.history],
            "alpha": outcome.alpha,
            "seconds": outcome.seconds,
        },
    )


def kept(folder: Path) -> Outcome | None:
    """Return what a finished step gave back, or None where it has not finished."""
    path = folder / "outcome.json"
    if not path.is_file():
        return None
    said = json.loads(path.read_text(encoding="utf-8"))
    return Outcome(
        _read(folder / "network.keras"),
        said["figures"],
        tuple(said["notes"]),
        tuple(EpochFigures(**epoch) for epoch in said["history"]),
        said["alpha"],
        said.get("seconds", 0.0),
    )


def _read(path: Path) -> keras.Model:
    import keras

    return keras.saving.load_model(path, compile=False)
