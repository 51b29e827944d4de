"""Chooses on validation photos when a model cannot tell, so that an asked share of them is still answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import cast, get_args

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.abstention import distance, reasons
from dermport.bundle.manifest import Abstention, InputBound, InputFault, InputReference, Part
from dermport.bundle.photo_quality import INPUT_COLOURS, Bound, bounds, survey_input
from dermport.errors import DataError, UsageError
from dermport.statistics.estimates import Share, share_of
from dermport.training.request import TrainingRequest

_OF_QUALITY = 0.1
"""The share of what may be refused that each bound of quality may take: photos of a data set are taken to be good."""
_LEAST_SPREAD = 1e-3  # of a value's variance: photos that are all alike leave a covariance without an inverse
Surveyed = Sequence[Mapping[str, float | None]]


def survey_inputs(tensors: Iterable[NDArray[np.uint8]]) -> Surveyed:
    """Return what a model's inputs, N times uint8 [S, S, 3], look like."""
    return [survey_input(tensor) for tensor in tensors]


def answered(rule: Abstention, photos: Surveyed) -> NDArray[np.bool_]:
    """Return which photos the rule answers, bool [N]."""
    return np.array([not reasons(rule, values) for values in photos], np.bool_)


def fit_abstention(validation: Surveyed, answer_rate: float) -> Abstention:
    """Return the rule that answers at least this share of the validation photos.

    Each bound of quality is that of ``photo_quality.json``, or a looser one where that would refuse more than a tenth
    of what may be refused. The rest is left to the distance. Thresholds lie half-way between two photos'.

    Args:
        validation: What the validation photos look like.
        answer_rate: Above 0, at most 1.

    Raises:
        DataError: There are fewer than two photos, or they are too small to be looked at.
        UsageError: The rate is out of range.
    """
    check_answer_rate(answer_rate)
    spared = _OF_QUALITY * (1 - answer_rate)
    reference = _reference(validation)
    gate = Abstention(
        reference=reference,
        threshold=float(np.finfo(np.float32).max),
        quality=tuple(_loosened(bound, validation, spared) for bound in bounds() if bound.code in get_args(InputFault)),
        answer_rate=answer_rate,
        answered={},
    )
    away = np.array([distance(reference, values) for values in validation], np.float64)
    threshold = _threshold(away, answered(gate, validation), answer_rate)
    return with_shares(gate.model_copy(update={"threshold": threshold}), {"validation": validation})


def check_answer_rate(answer_rate: float) -> None:
    """Raise UsageError where the rate is out of range."""
    if not 0 < answer_rate <= 1:
        raise UsageError(f"{{answer_rate}} {answer_rate:g} is not above 0 and at most 1.", of=TrainingRequest)


def with_shares(rule: Abstention, parts: Mapping[Part, Surveyed]) -> Abstention:
    """Return the rule with the share of each part's photos that it answers."""
    shares: dict[Part, Share] = {
        part: share_of(int(answered(rule, photos).sum()), len(photos)) for part, photos in parts.items()
    }
    return rule.model_copy(update={"answered": {**rule.answered, **shares}})


def _reference(photos: Surveyed) -> InputReference:
    known = [[values[name] for name in INPUT_COLOURS] for values in photos]
    rows = np.array([row for row in known if None not in row], np.float64)
    if len(rows) < 2:
        raise DataError(
            f"{len(photos)} validation photos do not tell what the model's inputs look like.",
            remedy="At least two are needed, of 16 x 16 pixels or more.",
        )
    covariance = np.cov(rows.T)
    precision = np.linalg.inv(covariance + np.diag(_LEAST_SPREAD * (1 + np.diag(covariance))))
    return InputReference(
        names=INPUT_COLOURS,
        mean=tuple(rows.mean(axis=0).tolist()),
        precision=tuple(map(tuple, precision.tolist())),
    )


def _loosened(known: Bound, photos: Surveyed, spared: float) -> InputBound:
    """Return the bound of ``photo_quality.json``, or the one that refuses no more than `spared` of these photos."""
    sign = 1 if known.side == "above" else -1
    said = sorted(sign * value for values in photos if (value := values[known.code]) is not None)
    threshold = known.threshold
    if said:
        answered = said[-1 - int(spared * len(said) + 1e-9)]
        if answered > sign * threshold:
            threshold = sign * _beyond(answered, said)
    return InputBound(code=cast("InputFault", known.code), side=known.side, threshold=threshold)


def _beyond(value: float, ordered: Sequence[float]) -> float:
    """Return what lies half-way from a value to the next larger one: on a bound itself, rounding would decide."""
    larger = next((one for one in ordered if one > value), value + 0.02 * abs(value))
    return (value + larger) / 2


def _threshold(away: NDArray[np.float64], good: NDArray[np.bool_], answer_rate: float) -> float:
    """Return the least threshold by which so many of all photos are answered; above all where quality left too few."""
    ordered = np.sort(away[good])
    least = int(np.ceil(answer_rate * len(away) - 1e-9))
    if least >= len(ordered):
        return float(ordered[-1] * 1.01) if len(ordered) else 0.0
    return float((ordered[least - 1] + ordered[least]) / 2)
