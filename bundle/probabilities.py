"""From probabilities to an answer: the one decision rule of server, phone and evaluation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bundle.manifest import Manifest


@dataclass(frozen=True)
class Answer:
    """What a model says of one photo.

    Attributes:
        label: The id of the most probable label.
        probabilities: Label id to probability, in the model's order.
        score: Summed probability of the positive labels, 0..1.
        positive: Whether the score reaches the threshold.
    """

    label: str
    probabilities: dict[str, float]
    score: float
    positive: bool


def scores(probabilities: NDArray[np.floating], positive: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the summed probability of the positive outputs, float64 [N], of probabilities [N, C]."""
    columns: NDArray[np.float64] = np.asarray(probabilities, dtype=np.float64)[:, list(positive)]
    return np.asarray(columns.sum(axis=1))


def answer(manifest: Manifest, probabilities: NDArray[np.floating]) -> Answer:
    """Apply the bundle's labels and decision rule to one photo's probabilities, float [C]."""
    task = manifest.task
    score = float(scores(probabilities[None], task.positive_indices)[0])
    return Answer(
        label=task.ids[int(np.argmax(probabilities))],
        probabilities={label: float(p) for label, p in zip(task.ids, probabilities, strict=True)},
        score=score,
        positive=score >= manifest.decision.threshold,
    )
