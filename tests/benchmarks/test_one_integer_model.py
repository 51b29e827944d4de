"""How the benchmark of phone against Jetson counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.one_integer_model import JETSON, PHONE, LabelAgreement, accuracies
from tests.factories import manifest_of


def test_labels_decisions_and_changes_are_counted(tmp_path: Path) -> None:
    """Of four photos one changes label and decision, and one its label alone."""
    for name in ("model.keras", "split.csv"):
        (tmp_path / name).touch()
    phone = np.array([[0.1, 0.1, 0.1, 0.7], [0.4, 0.3, 0.2, 0.1], [0.2, 0.1, 0.1, 0.6], [0, 0, 0, 1]], np.float32)
    jetson = phone.copy()
    jetson[1] = 0.3, 0.4, 0.2, 0.1
    jetson[2] = 0.41, 0.1, 0.1, 0.39
    pair = LabelAgreement.of(manifest_of(tmp_path, "drawn", 1), {PHONE: phone, JETSON: jetson}, PHONE, JETSON)
    assert (pair.top1.count, pair.top1.of) == (2, 4)
    assert pair.decision.count == 3
    assert pair.change.max == pytest.approx(0.21)
    assert pair.change.median == pytest.approx(0.05)
    assert pair.to_json()["between"] == [PHONE, JETSON]
    assert accuracies({PHONE: phone}, np.array([3, 1, 3, 3])) == {PHONE: 0.75}
