"""One arm of a protocol with one network: trained once or for each fold, its answers kept when it is done."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.atomic import write_bytes
from dermport.statistics.temperature import at_temperature
from dermport.training.phases.state import seconds_spent
from dermport.training.protocols.context import ReproductionContext
from dermport.training.protocols.draws import Draw, draws_of
from dermport.training.protocols.protocol import Arm
from dermport.training.protocols.trainers import ProtocolNetwork

_ANSWERS = "answers.npy"


@dataclass(frozen=True)
class Trial:
    """One arm with one network.

    Attributes:
        arm: How photos were parted.
        candidate: The network.
        draws: One for each training.
        answers: Probabilities float64 [T, C] of each training for its draw's test entries; empty where nothing was
            trained.
    """

    arm: Arm
    candidate: ProtocolNetwork
    draws: tuple[Draw, ...]
    answers: tuple[NDArray[np.float64], ...]


def seconds_of(folder: Path) -> float:
    """Return the seconds that all trainings in a run's folder have taken."""
    return sum(seconds_spent(one) for one in {path.parent for path in folder.rglob("*.npz")})


def run_trial(work: ReproductionContext, arm: Arm, candidate: ProtocolNetwork) -> Trial:
    """Train what is not trained yet, and return the answers of all trainings of an arm."""
    draws = draws_of(work.protocol, arm, work.dataset, work.seed)
    if candidate.train is None:
        return Trial(arm, candidate, draws, ())
    answers = []
    for number, draw in enumerate(draws, start=1):
        folder = work.run.folder / candidate.name.replace(" ", "-") / arm.name / f"fold-{number}"
        fold = f", fold {number} of {len(draws)}" if len(draws) > 1 else ""
        work.progress.say(f"{candidate.name}: {arm.title.lower()}{fold}")
        answers.append(_answers(candidate, draw, folder))
    return Trial(arm, candidate, draws, tuple(answers))


def _answers(candidate: ProtocolNetwork, draw: Draw, folder: Path) -> NDArray[np.float64]:
    path = folder / _ANSWERS
    if path.is_file():
        return np.asarray(np.load(path, allow_pickle=False))
    assert candidate.train is not None
    folder.mkdir(parents=True, exist_ok=True)
    probabilities = at_temperature(candidate.train(draw, folder), 1.0)
    file = io.BytesIO()
    np.save(file, probabilities)
    write_bytes(path, file.getvalue())
    return probabilities
