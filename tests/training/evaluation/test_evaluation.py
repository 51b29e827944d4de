"""Temperature, threshold and the figures of an evaluation."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dermport.bundle.manifest import Decision, Label, TaskSpec
from dermport.bundle.photo_set import PhotoSet
from dermport.errors import DataError, UsageError
from dermport.statistics.bootstrap import Bootstrap
from dermport.statistics.metrics import Predictions, figures
from dermport.training.evaluation.calibration import at_temperature, fit_temperature, log_probabilities
from dermport.training.evaluation.evaluation import Evaluation, evaluate
from dermport.training.evaluation.threshold import choose_threshold

TASK = TaskSpec(
    name="three", labels=tuple(Label(id=one, name=one.title()) for one in ("mel", "nv", "df")), positive=("mel",)
)
DECISION = Decision(threshold=0.4, target_sensitivity=0.9)


def drawn_logits(photos: int = 3000, seed: int = 0) -> tuple[NDArray, NDArray]:
    """Logits that are calibrated by construction: the truth is drawn from their softmax."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 2, size=(photos, 3))
    chances = at_temperature(logits, 1.0).cumsum(axis=1)
    truth = (generator.random((photos, 1)) > chances).sum(axis=1)
    return logits, np.minimum(truth, 2)


def nll(logits: NDArray, truth: NDArray, temperature: float) -> float:
    return float(figures(Predictions(at_temperature(logits, temperature), truth, (0,), 0.5))["nll"] or 0)


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 2.5])
def test_temperature_is_found_again(true_temperature: float) -> None:
    logits, truth = drawn_logits()
    found = fit_temperature(logits * true_temperature, truth)
    assert found == pytest.approx(true_temperature, rel=0.06)
    best = nll(logits * true_temperature, truth, found)
    assert best < min(nll(logits * true_temperature, truth, found * step) for step in (0.99, 1.01))


def test_log_probabilities_serve_as_logits() -> None:
    logits, truth = drawn_logits(200)
    softmax = at_temperature(logits, 1.0)
    assert fit_temperature(log_probabilities(softmax), truth) == pytest.approx(fit_temperature(logits, truth))


@pytest.mark.parametrize(
    ("logits", "truth", "expected"),
    [
        pytest.param(np.eye(3) * 5, np.array([1, 2, 0]), 10.0, id="always wrong"),
        pytest.param(np.ones((4, 3)), np.zeros(4, int), 1.0, id="nothing told apart"),
        pytest.param(np.eye(3) * 3e4, np.arange(3), 1.0, id="certain, and right"),
    ],
)
def test_temperature_stays_in_bounds(logits: NDArray, truth: NDArray, expected: float) -> None:
    assert fit_temperature(logits, truth) == pytest.approx(expected)


def test_temperature_of_photos_told_apart_without_an_error_is_low_and_in_bounds() -> None:
    assert 0.1 <= fit_temperature(np.eye(3) * 2, np.arange(3)) < 0.12
    assert 0.1 <= fit_temperature(np.eye(3) * 5, np.arange(3)) < 0.3


@pytest.mark.parametrize("logits", [np.zeros((0, 3)), np.array([[np.nan, 0.0, 1.0]])])
def test_no_temperature_without_usable_photos(logits: NDArray) -> None:
    with pytest.raises(DataError):
        fit_temperature(logits, np.zeros(len(logits), int))


@pytest.mark.parametrize("target", [0.05, 0.5, 0.55, 0.9, 0.99, 1.0])
@pytest.mark.parametrize("decimals", [1, 8])
def test_threshold_reaches_the_sensitivity_with_the_fewest_alarms(target: float, decimals: int) -> None:
    generator = np.random.default_rng(4)
    scores = np.round(generator.random(300), decimals)
    positive = generator.random(300) < 0.33
    threshold = choose_threshold(scores, positive, target)

    def reached(candidate: float) -> bool:
        return bool(np.mean(scores[positive] >= candidate) >= target)

    assert reached(threshold)
    alarms = (scores >= threshold).sum()
    assert not any(reached(candidate) for candidate in scores if (scores >= candidate).sum() < alarms)
    assert np.abs(scores - threshold).min() > 0 or scores.min() >= threshold, "a photo's decision hangs on rounding"


def test_exact_shares_need_no_photo_more() -> None:
    scores = np.arange(1, 101) / 100
    assert choose_threshold(scores, np.ones(100, bool), 0.55) == pytest.approx(0.455)  # 0.55 * 100 is 55.00000000000001


def test_threshold_stays_a_probability() -> None:
    assert choose_threshold(np.array([1.0000001, 1.0000002]), np.array([False, True]), 1.0) == 1.0


def test_threshold_needs_positives_and_a_sensitivity() -> None:
    with pytest.raises(DataError, match="Not one of 3 photos"):
        choose_threshold(np.zeros(3), np.zeros(3, bool), 0.9)
    for target in (0, 1.5):
        with pytest.raises(UsageError, match="cannot be aimed at"):
            choose_threshold(np.zeros(3), np.ones(3, bool), target)


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
