"""When a model cannot tell: the one rule by which server, phones and evaluation withhold a decision.

A reject option (Chow 1970, doi:10.1109/TIT.1970.1054406) by the Mahalanobis distance, as Lee et al. 2018
(https://arxiv.org/abs/1807.03888) take it of a network's features; here it is taken of the colours of the network's
input, behind a gate for inputs on which nothing can be seen. docs/cannot-tell.md says what other scores were measured,
and why this one travels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from pydantic import ConfigDict

from dermport.bundle.manifest import Abstention, InputReference
from dermport.contract import Contract

OUT_OF_DISTRIBUTION = "out_of_distribution"
QUALITY = "quality:"
"""Before the code of a bound of ``photo_quality.json``."""
NEAR = 0.05
"""A value this near to its bound, as a share of it, falls to either side by how a photo was decoded or resized."""

_WORDS = {
    "too-dark": ("The photo is too dark.", "Take it again with more light."),
    "too-bright": ("The photo is over-exposed.", "Take it again with less light, or without the flash."),
    "blurred": ("The photo is blurred.", "Hold still, let the camera focus, and take it again."),
    "noisy": ("The photo is noisy, or full of hairs.", "Take it again with more light, and the hair put aside."),
    "over-compressed": (
        "The photo has lost its fine detail to compression.",
        "Give the photo as the camera stored it, not a small copy of it.",
    ),
    "no-lesion": ("The photo shows little but even skin.", "Move closer, with the spot in the middle of the picture."),
}
_UNLIKE = (
    "The photo does not look like those that the model learnt from.",
    "Photograph the lesion alone, by even white light; where the answer stays, the model is of no help with it.",
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

    @property
    def near(self) -> bool:
        """Whether the value lies within :data:`NEAR` of its bound."""
        return abs(self.value - self.bound) <= NEAR * abs(self.bound)


def distance(reference: InputReference, values: Values) -> float | None:
    """Return the Mahalanobis distance of an input's values from the reference; None where one cannot be said."""
    said = [values.get(name) for name in reference.names]
    away = [value - mean for value, mean in zip(said, reference.mean, strict=True) if value is not None]
    if len(away) < len(said):
        return None
    square = sum(
        one * weight * other
        for one, row in zip(away, reference.precision, strict=True)
        for weight, other in zip(row, away, strict=True)
    )
    return math.sqrt(max(0.0, square))


def reasons(rule: Abstention | None, values: Values | None) -> tuple[Reason, ...]:
    """Return why one photo is not answered; nothing where it is.

    Args:
        rule: The bundle's; None answers every photo.
        values: Of the model's input (:func:`dermport.bundle.photo_quality.survey_input`); None where they are not
            known: then nothing is judged.
    """
    return () if rule is None or values is None else tuple(_reasons(rule, values))


def words_of(code: str) -> tuple[str, str]:
    """Return what a person is told of a reason's code, and what they can do."""
    return _WORDS.get(code.removeprefix(QUALITY), _UNLIKE)


def _reasons(rule: Abstention, values: Values) -> Iterator[Reason]:
    for bound in rule.quality:
        value = values.get(bound.code)
        if value is not None and (value < bound.threshold if bound.side == "below" else value > bound.threshold):
            yield _reason(QUALITY + bound.code, value, bound.threshold)
    away = distance(rule.reference, values)
    if away is not None and away > rule.threshold:
        yield _reason(OUT_OF_DISTRIBUTION, away, rule.threshold)


def _reason(code: str, value: float, bound: float) -> Reason:
    words, remedy = words_of(code)
    return Reason(code=code, value=value, bound=bound, words=words, remedy=remedy)
