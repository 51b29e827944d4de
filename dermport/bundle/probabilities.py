"""From probabilities to an answer: the one decision rule of server, phone and evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dermport.bundle.abstention import Reason, Values, reasons
from dermport.bundle.manifest import Manifest
from dermport.statistics.metrics import score_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


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


def answer(
    manifest: Manifest, probabilities: NDArray[np.floating] | Sequence[float], values: Values | None = None
) -> Answer:
    """Apply the bundle's labels, decision rule and abstention to one photo's probabilities.

    Args:
        manifest: The bundle's.
        probabilities: C of them, in the order of its labels.
        values: Of the model's input (:func:`dermport.bundle.photo_quality.survey_input`); without them, every photo is
            answered.
    """
    task = manifest.task
    by_label = dict(zip(task.ids, map(float, probabilities), strict=True))
    positive = [by_label[label] for label in by_label if label in task.positive]
    score = score_of(positive) if manifest.decision else None
    withheld = reasons(manifest.abstention, values)
    return Answer(
        label=max(by_label, key=by_label.__getitem__),
        probabilities=by_label,
        score=score,
        positive=None if withheld or score is None else score >= manifest.threshold,
        reasons=withheld,
    )
