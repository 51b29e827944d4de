"""The figures of an evaluation."""

from __future__ import annotations

import numpy as np
import pytest

from dermport.bundle.manifest import Decision, Label, TaskSpec
from dermport.bundle.photo_set import PhotoSet
from dermport.errors import DataError
from dermport.statistics.bootstrap import Bootstrap
from dermport.statistics.metrics import Predictions, figures
from dermport.statistics.temperature import at_temperature
from dermport.training.evaluation.evaluation import Evaluation, evaluate
from tests.statistics.test_temperature import drawn_logits

TASK = TaskSpec(
    name="three", labels=tuple(Label(id=one, name=one.title()) for one in ("mel", "nv", "df")), positive=("mel",)
)
DECISION = Decision(threshold=0.4, target_sensitivity=0.9)


def evaluated(photos: int = 240, temperature: float = 2.0) -> Evaluation:
    logits, truth = drawn_logits(photos)
    probabilities = at_temperature(logits, 1.0).astype(np.float32)
    ids = [f"photo-{i}" for i in range(photos)]
    scored = PhotoSet("drawn", ids, part="test", truth=truth, groups=[f"lesion-{i // 2}" for i in range(photos)])
    return evaluate(probabilities, scored, TASK, DECISION, temperature=temperature, bootstrap=Bootstrap(resamples=50))


def test_report_agrees_with_itself_and_with_the_metrics() -> None:
    evaluation = evaluated()
    report, predictions = evaluation.report, evaluation.predictions
    matrix = np.array(report.confusion_matrix)
    assert (report.photos, report.lesions) == (matrix.sum(), 120) == (240, 120)
    assert [one.photos for one in report.classes] == matrix.sum(axis=1).tolist()
    assert {name: metric.value for name, metric in report.figures.items()} == figures(predictions)
    for index, one in enumerate(report.classes):
        assert one.recall.value == pytest.approx(matrix[index, index] / matrix[index].sum())
        assert one.precision.value == pytest.approx(matrix[index, index] / matrix[:, index].sum())
    decision = report.decision
    found = decision.true_positives / (decision.true_positives + decision.false_negatives)
    assert report.figures["decision_sensitivity"].value == pytest.approx(found)
    passed = decision.true_negatives / (decision.true_negatives + decision.false_positives)
    assert report.figures["decision_specificity"].value == pytest.approx(passed)
    assert evaluation.metrics("test").figures == report.figures


def test_calibration_before_follows_from_the_folded_temperature() -> None:
    logits, truth = drawn_logits(240)
    before = figures(Predictions(at_temperature(logits, 0.5), truth, (0,), 0.4))  # 2.0 was folded away
    calibration = evaluated().report.calibration
    assert calibration.before.nll == pytest.approx(before["nll"], rel=1e-5)
    assert calibration.before.ece == pytest.approx(before["ece"], rel=1e-4)
    assert calibration.after.nll < calibration.before.nll
    for reliability in (calibration.before, calibration.after):
        gaps = [one.photos * abs(one.accuracy - one.mean_confidence) for one in reliability.bins if one.photos]
        assert sum(one.photos for one in reliability.bins) == 240
        assert sum(gaps) / 240 == pytest.approx(reliability.ece, abs=1e-6)


def test_shapes_that_do_not_fit_are_refused() -> None:
    scored = PhotoSet("drawn", ["a", "b"], truth=np.array([0, 1]), groups=["a", "b"])
    for shape in ((3, 3), (2, 4)):
        with pytest.raises(DataError, match="not of 2 photos and 3 labels"):
            evaluate(np.full(shape, 0.1), scored, TASK, DECISION, temperature=1.0)
