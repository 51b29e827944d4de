"""Risk and coverage."""

from __future__ import annotations

import numpy as np
import pytest

from dermport.statistics.bootstrap import Bootstrap
from dermport.statistics.risk_coverage import risk_coverage


def test_risk_and_coverage_by_hand() -> None:
    confidence = np.array([0.9, 0.6, 0.8, 0.7])
    curve, area = risk_coverage(
        confidence, np.array([False, True, False, True]), ["a", "b", "c", "d"], Bootstrap(resamples=20)
    )
    assert curve.tolist() == pytest.approx([0, 0, 1 / 3, 1 / 2])
    assert area.value == pytest.approx((0 + 0 + 1 / 3 + 1 / 2) / 4)
    assert area.low is not None
    assert area.low <= (area.value or 0)
