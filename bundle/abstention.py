"""When a model cannot tell: the one rule by which server, phones and evaluation withhold a decision.

The reject option of Chow 1970, "On optimum recognition error and reject tradeoff" (doi:10.1109/TIT.1970.1054406), with
the score of Hendrycks and Gimpel 2017, "A baseline for detecting misclassified and out-of-distribution examples"
(https://arxiv.org/abs/1610.02136), behind a gate for inputs on which nothing can be seen. docs/cannot-tell.md says what
other scores were measured, and why this one travels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict

from bundle.manifest import Abstention
from bundle.model import Contract
from bundle.photo_quality import Bound, bounds

OUT_OF_DISTRIBUTION = "out_of_distribution"
QUALITY = "quality:"
"""Before the code of a bound of ``photo_quality.json``."""

_WORDS = {
    "too-dark": ("The photo is too dark.", "Take it again with more light."),
    "too-bright": ("The photo is over-exposed.", "Take it again with less light, or without the flash."),
    "blurred": ("The photo is blurred.", "Hold still, let the camera focus, and take it again."),
    "no-lesion": ("The photo shows little but even skin.", "Move closer, with the spot in the middle of the picture."),
}
_UNLIKE = (
    "No label fits well: the photo may show something else than the lesions that the model knows.",
    "Take another photo of the lesion; where the answer stays, the model is of no help with it.",
)
Values = Mapping[str, float | None]


class Reason(Contract):
    """Why a model cannot tell. What a newer server may know more is ignored."""

    model_config = ConfigDict(extra="ignore")

    code: str
    value: float
    bound: float
    words: str
    remedy: str


def answer_scores(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the score that is held against the threshold, float64 [N], of calibrated probabilities [N, C]."""
    return np.asarray(probabilities.max(axis=1), dtype=np.float64)


def quality_bounds(rule: Abstention) -> tuple[Bound, ...]:
    """Return the rule's bounds of the input's values, in the order of ``photo_quality.json``."""
    return tuple(
        Bound(bound.code, bound.side, rule.quality[bound.code], bound.what)
        for bound in bounds()
        if bound.code in rule.quality
    )


def reasons(rule: Abstention | None, probabilities: NDArray[np.floating], values: Values | None) -> tuple[Reason, ...]:
    """Return why one photo is not answered; nothing where it is.

    Args:
        rule: The bundle's; None answers every photo.
        probabilities: Calibrated, float [C].
        values: Of the model's input (:func:`bundle.photo_quality.survey_input`); None where they are not known: then
            the score alone is judged.
    """
    return tuple(_reasons(rule, probabilities, values or {})) if rule else ()


def _reasons(rule: Abstention, probabilities: NDArray[np.floating], values: Values) -> Iterator[Reason]:
    for bound in quality_bounds(rule):
        value = values.get(bound.code)
        if value is not None and bound.exceeded(value):
            words, remedy = _WORDS[bound.code]
            yield Reason(code=QUALITY + bound.code, value=value, bound=bound.threshold, words=words, remedy=remedy)
    score = float(answer_scores(probabilities[None])[0])
    if score < rule.threshold:
        words, remedy = _UNLIKE
        yield Reason(code=OUT_OF_DISTRIBUTION, value=score, bound=rule.threshold, words=words, remedy=remedy)
