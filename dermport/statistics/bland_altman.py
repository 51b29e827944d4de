"""Limits of agreement of two measurements of the same cases (Bland and Altman 1986, "Statistical methods for assessing
agreement between two methods of clinical measurement")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from dermport.contract import Contract
from dermport.statistics.bootstrap import DEFAULT, Bootstrap
from dermport.statistics.estimates import Metric
from dermport.statistics.metrics import Floats
from dermport.statistics.wilson import Z95


class BlandAltman(Contract):
    """How two measurements differ, the first minus the second; intervals by bootstrap."""

    photos: int
    bias: Annotated[Metric, Field(description="mean difference")]
    sd: Annotated[float, Field(description="standard deviation of the differences")]
    lower: Annotated[Metric, Field(description="lower limit of agreement, bias - 1.96 sd")]
    upper: Annotated[Metric, Field(description="upper limit of agreement, bias + 1.96 sd")]


def bland_altman(differences: Floats, lesions: Sequence[str], bootstrap: Bootstrap = DEFAULT) -> BlandAltman | None:
    """Return mean and limits of agreement of differences, float64 [N]; None for fewer than two photos.

    The intervals are percentiles of a bootstrap by lesion: the differences of two exports are far from normal (most are
    nearly 0, a few are large), and photos of a lesion are no independent cases.
    """
    if len(differences) < 2:
        return None
    bias, sd = _moments(differences, np.ones((len(differences), 1)))
    drawn = [_moments(differences, weights) for weights in bootstrap.weights(lesions)]
    biases, sds = (np.concatenate(part) for part in zip(*drawn, strict=True))

    def limit(sign: int) -> Metric:
        low, high = bootstrap.bounds(biases + sign * Z95 * sds)
        return Metric(value=float(bias[0] + sign * Z95 * sd[0]), low=low, high=high)

    return BlandAltman(photos=len(differences), bias=limit(0), sd=float(sd[0]), lower=limit(-1), upper=limit(1))


def _moments(values: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return mean and sample standard deviation, float64 [B] each, of values [N] under case weights [N, B]."""
    total = weights.sum(axis=0)
    mean = values @ weights / total
    squares = np.maximum((values * values) @ weights - total * mean * mean, 0)
    return mean, np.sqrt(squares / (total - 1))
