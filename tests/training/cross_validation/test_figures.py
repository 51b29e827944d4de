"""Spread over folds, the median fold, and decisions at each model's own threshold."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from dermport.statistics.metrics import figures
from dermport.training.cross_validation.keep import median_fold
from dermport.training.cross_validation.predictions import ByFold
from dermport.training.cross_validation.report import CrossValidationReport, spread_of


def test_the_spread_has_k_minus_1_in_its_denominator_and_leaves_out_what_is_undefined() -> None:
    spread = spread_of([0.7, 0.9, None])
    assert spread.mean == pytest.approx(0.8)
    assert spread.sd == pytest.approx(0.2 / 2**0.5)
    assert (spread.lowest, spread.highest, spread.folds) == (0.7, 0.9, 2)
    assert spread_of([None]).mean is None
    assert spread_of([0.5]).sd is None


def _report(values: list[float | None]) -> CrossValidationReport:
    folds: list[Any] = [SimpleNamespace(fold=n, figures={"accuracy": v}) for n, v in enumerate(values, start=1)]
    return cast("CrossValidationReport", SimpleNamespace(folds=folds))


@pytest.mark.parametrize(
    ("values", "fold"),
    [([0.9, 0.5, 0.7], 3), ([0.9, 0.5, 0.7, 0.6], 4), ([0.7, 0.7, 0.7], 2), ([None, 0.6, 0.4], 3), ([None, None], 1)],
)
def test_the_median_fold_is_a_middling_one(values: list[float | None], fold: int) -> None:
    assert median_fold(_report(values), "accuracy") == fold


def test_each_photo_is_decided_at_its_own_models_threshold() -> None:
    probabilities = np.array([[0.4, 0.6], [0.4, 0.6], [0.8, 0.2], [0.8, 0.2]])
    truth = np.array([1, 1, 0, 0])
    thresholds = np.array([0.5, 0.7, 0.1, 0.3])
    pooled = ByFold(probabilities, truth, (1,), float(thresholds.mean()), thresholds)
    assert pooled.decided.tolist() == [True, False, True, False]
    found = figures(pooled)
    assert found["decision_sensitivity"] == found["decision_specificity"] == 0.5
    assert found["decision_roc_auc"] == found["accuracy"] == 1.0
