"""Chooses on validation photos when a model cannot tell, so that an asked share of them is still answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bundle.abstention import answer_scores, quality_bounds
from bundle.agreement import Share, share_of
from bundle.errors import DataError, UsageError
from bundle.manifest import Abstention, Part
from bundle.photo_quality import bounds, survey_input

_OF_QUALITY = 0.1
"""The share of what may be refused that each bound of quality may take: photos of a data set are taken to be good."""


@dataclass(frozen=True)
class Asked:
    """What a model answered to some photos.

    Attributes:
        probabilities: Calibrated, float [N, C].
        values: Of the model's inputs, float64 [N] by code; NaN where it cannot be said.
    """

    probabilities: NDArray[np.floating]
    values: Mapping[str, NDArray[np.float64]]


def asked(probabilities: NDArray[np.floating], tensors: Sequence[NDArray[np.uint8]]) -> Asked:
    """Return a model's answers float [N, C] with what its inputs, N times uint8 [S, S, 3], look like."""
    surveyed = [survey_input(tensor) for tensor in tensors]
    codes = surveyed[0] if surveyed else {}
    return Asked(probabilities, {code: np.array([one[code] for one in surveyed], np.float64) for code in codes})


def answered(rule: Abstention, photos: Asked) -> NDArray[np.bool_]:
    """Return which photos the rule answers, bool [N]: as :func:`bundle.abstention.reasons`, for many at once."""
    good = answer_scores(photos.probabilities) >= rule.threshold
    for bound in quality_bounds(rule):
        values = photos.values[bound.code]
        # A comparison with NaN is False: what cannot be said is no reason.
        good &= ~(values < bound.threshold if bound.side == "below" else values > bound.threshold)
    return np.asarray(good)


def fit_abstention(validation: Asked, answer_rate: float) -> Abstention:
    """Return the rule that answers at least this share of the validation photos.

    Each bound of quality is that of ``photo_quality.json``, or a looser one where that would refuse more than a tenth
    of what may be refused. The rest is left to the score, whose threshold lies half-way between two photos' scores, so
    that a device's rounding refuses none of them.

    Args:
        validation: The model's answers to the validation photos.
        answer_rate: Above 0, at most 1.

    Raises:
        DataError: There is no photo.
        UsageError: The rate is out of range.
    """
    if not 0 < answer_rate <= 1:
        raise UsageError(f"--answer-rate {answer_rate:g} is not above 0 and at most 1.")
    photos = len(validation.probabilities)
    if not photos:
        raise DataError("No validation photo is there to calibrate on when the model cannot tell.")
    spared = _OF_QUALITY * (1 - answer_rate)
    quality = {code: _bound(code, values, spared) for code, values in validation.values.items()}
    gate = Abstention(threshold=0.0, quality=quality, answer_rate=answer_rate, answered={})
    threshold = _threshold(answer_scores(validation.probabilities), answered(gate, validation), answer_rate)
    return with_shares(gate.model_copy(update={"threshold": threshold}), {"validation": validation})


def with_shares(rule: Abstention, parts: Mapping[Part, Asked]) -> Abstention:
    """Return the rule with the share of each part's photos that it answers."""
    shares: dict[Part, Share] = {
        part: share_of(int(answered(rule, one).sum()), len(one.probabilities)) for part, one in parts.items()
    }
    return rule.model_copy(update={"answered": {**rule.answered, **shares}})


def _bound(code: str, values: NDArray[np.float64], spared: float) -> float:
    """Return the bound of ``photo_quality.json``, or the one that refuses no more than `spared` of these photos."""
    [known] = (bound for bound in bounds() if bound.code == code)
    said = np.sort(values[~np.isnan(values)])
    if not said.size:
        return known.threshold
    refused = int(spared * len(said) + 1e-9)
    if known.side == "below":
        return min(known.threshold, float(said[refused]))
    return max(known.threshold, float(said[-1 - refused]))


def _threshold(scores: NDArray[np.float64], good: NDArray[np.bool_], answer_rate: float) -> float:
    """Return the highest threshold by which so many of all photos are answered; 0 where quality left too few."""
    ordered = np.sort(scores[good])[::-1]
    least = int(np.ceil(answer_rate * len(scores) - 1e-9))
    if least >= len(ordered):
        return 0.0
    return float((ordered[least - 1] + ordered[least]) / 2)
