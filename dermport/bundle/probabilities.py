"""From probabilities to an answer: the one decision rule of server, phone and evaluation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.abstention import Reason, Values, reasons
from dermport.bundle.manifest import Manifest
from dermport.statistics.metrics import scores


@dataclass(frozen=True)
class Answer:
    """What a model says of one photo.

    Attributes:
        label: The id of the most probable label.
        probabilities: Label id to probability, in the model's order.
        score: Summed probability of the positive labels, 0..1; None where the model knows no decision.
        positive: Whether the score reaches the threshold; None where the model cannot tell, or knows no decision.
        reasons: Why it cannot tell; empty where it can.
    """

    label: str
    probabilities: dict[str, float]
    score: float | None
    positive: bool | None
    reasons: tuple[Reason, ...] = ()


def answer(manifest: Manifest, probabilities: NDArray[np.floating], values: Values | None = None) -> Answer:
    """Apply the bundle's labels, decision rule and abstention to one photo's probabilities, float [C].

    Args:
        manifest: The bundle's.
        probabilities: In the order of its labels.
        values: Of the model's input (:func:`dermport.bundle.photo_quality.survey_input`); without them, every photo is
            answered.
    """
    task, decision = manifest.task, manifest.decision
    score = float(scores(probabilities[None], task.positive_indices)[0]) if decision else None
    withheld = reasons(manifest.abstention, values)
    return Answer(
        label=task.ids[int(np.argmax(probabilities))],
        probabilities={label: float(p) for label, p in zip(task.ids, probabilities, strict=True)},
        score=score,
        positive=None if withheld or score is None else score >= manifest.threshold,
        reasons=withheld,
    )
