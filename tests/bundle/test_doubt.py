"""A model whose answers hardly differ is said to be one, whatever passes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from dermport.bundle.evaluation_report import ClassReport, EvaluationReport
from dermport.bundle.policy import read_policy
from dermport.bundle.store import Bundle
from dermport.exporters import verify as exporters_verify
from dermport.statistics.estimates import Metric
from dermport.workflows.verify import verify

KINDS = ("fp32", "fp16", "int8")


def _answers(top: NDArray[np.int64], confidence: float, spread: float) -> NDArray[np.float32]:
    rows = np.full((len(top), 4), (1 - confidence) / 3)
    rows[np.arange(len(top)), top] = confidence
    rows[:, 0] += np.linspace(-spread, spread, len(top))
    return (rows / rows.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize(
    ("top", "confidence", "spread", "blind"),
    [
        (np.zeros(16, int), 0.3, 0.0, KINDS),
        (np.zeros(16, int), 0.3, 0.005, ("fp16", "int8")),
        (np.zeros(16, int), 0.6, 0.1, ("int8",)),
        (np.arange(16) % 4, 0.9, 0.0, ()),
        (np.arange(100) % 4 * (np.arange(100) % 3 == 0), 0.8, 0.0, ()),
        (np.arange(16) % 4, 0.255, 0.001, ()),
    ],
    ids=["alike", "collapsed", "one label", "sound", "uneven", "undecided, yet told apart"],
)
def test_classes_by_which_an_answer_for_all_photos_would_pass(
    top: NDArray[np.int64], confidence: float, spread: float, blind: tuple[str, ...], shared_bundle: Bundle
) -> None:
    found = read_policy().blind(shared_bundle.manifest, _answers(top, confidence, spread), KINDS)
    assert found == blind


def test_verify_says_it_of_the_original(exported_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    assert verify(exported_bundle, to=["onnx"], precision=["fp32"]).doubt == ""
    reference = exporters_verify.golden_reference(exported_bundle)
    alike = np.broadcast_to(reference.probabilities.mean(axis=0), reference.probabilities.shape)
    monkeypatch.setattr(exporters_verify, "golden_reference", lambda _: replace(reference, probabilities=alike))
    found = verify(exported_bundle, to=["onnx"], precision=["fp32"])
    assert found.blind == ("fp32",)
    assert "hardly differ" in repr(found)


@pytest.mark.parametrize(
    ("low", "photos", "doubted"),
    [(0.20, (9, 9, 9, 9), True), (0.26, (9, 9, 9, 9), False), (0.26, (9, 9, 9, 0), True), (None, (9, 9, 9, 9), False)],
)
def test_an_evaluation_says_where_chance_does_as_well(
    low: float | None, photos: tuple[int, ...], doubted: bool
) -> None:
    figure = Metric(value=0.3, low=low, high=None if low is None else 0.4)
    of_class = dict.fromkeys(("precision", "recall", "f1", "specificity", "roc_auc"), figure)
    classes = tuple(ClassReport(id=str(n), name="", photos=n, lesions=n, **of_class) for n in photos)
    report = EvaluationReport.model_construct(figures={"balanced_accuracy": figure}, classes=classes)
    assert report.doubt.startswith("Not told from chance") is doubted
