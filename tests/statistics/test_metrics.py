"""The figures against scikit-learn's, on random cases with ties and absent classes, and by hand where it has none."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dermport.errors import DataError
from dermport.statistics.bootstrap import Bootstrap, intervals, paired_intervals
from dermport.statistics.metrics import (
    CLASS_TITLES,
    TITLES,
    Predictions,
    confusion_matrix,
    defined,
    figures,
    roc_auc,
    score_of,
    scores,
    statistics,
)

POSITIVE = (0, 2)


def drawn(seed: int, *, decimals: int = 8, absent: tuple[int, ...] = (), photos: int = 120) -> Predictions:
    """Random predictions of five classes, somewhat better than chance; few `decimals` make many ties."""
    generator = np.random.default_rng(seed)
    present = [index for index in range(5) if index not in absent]
    truth = generator.choice(present, size=photos)
    logits = generator.normal(size=(photos, 5)) + 1.5 * np.eye(5)[truth]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Predictions(np.round(probabilities, decimals).astype(np.float32), truth, POSITIVE, threshold=0.5)


CASES = {
    "plain": drawn(1),
    "many ties": drawn(2, decimals=1),
    "class 3 is absent": drawn(3, absent=(3,)),
    "ties, two absent": drawn(4, decimals=1, absent=(1, 4)),
    "few photos": drawn(5, photos=9, decimals=1),
}


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def case(request: pytest.FixtureRequest) -> Predictions:
    return request.param


def class_figures(predictions: Predictions) -> dict[str, tuple[float | None, ...]]:
    """The figures of each class against the rest, None where undefined."""
    per_class = statistics(predictions, np.ones((len(predictions.truth), 1))).per_class
    return {name: tuple(map(defined, values[0])) for name, values in per_class.items()}


def test_overall_figures_are_those_of_scikit_learn(case: Predictions) -> None:
    from sklearn import metrics

    present = sorted(set(case.truth))
    macro = {"labels": present, "average": "macro", "zero_division": 0}
    expected = {
        "accuracy": metrics.accuracy_score(case.truth, case.predicted),
        "balanced_accuracy": np.mean(metrics.recall_score(case.truth, case.predicted, labels=present, average=None)),
        "macro_precision": metrics.precision_score(case.truth, case.predicted, **macro),
        "macro_recall": metrics.recall_score(case.truth, case.predicted, **macro),
        "macro_f1": metrics.f1_score(case.truth, case.predicted, **macro),
        "macro_specificity": np.mean(
            [metrics.recall_score(case.truth != index, case.predicted != index) for index in present]
        ),
        "macro_roc_auc": np.mean(
            [metrics.roc_auc_score(case.truth == index, case.probabilities[:, index]) for index in present]
        ),
        "decision_roc_auc": metrics.roc_auc_score(case.is_positive, case.scores),
        "decision_sensitivity": metrics.recall_score(case.is_positive, case.decided),
        "decision_specificity": metrics.recall_score(~case.is_positive, ~case.decided),
        "decision_brier": np.mean((case.scores - case.is_positive) ** 2),
    }
    found = figures(case)
    errors = {"decision_ece", "decision_adaptive_ece", "ece", "adaptive_ece"}
    assert set(found) == set(TITLES) == {*expected, *errors, "nll"}
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-12)


def test_figures_of_each_class_are_those_of_scikit_learn(case: Predictions) -> None:
    from sklearn import metrics

    found = class_figures(case)
    assert set(found) == set(CLASS_TITLES)
    settings = {"labels": range(5), "average": None, "zero_division": np.nan}
    of_class = {
        "precision": metrics.precision_score(case.truth, case.predicted, **settings),
        "recall": metrics.recall_score(case.truth, case.predicted, **settings),
        "f1": metrics.f1_score(case.truth, case.predicted, **settings),
    }
    for name, expected in of_class.items():
        assert found[name] == tuple(pytest.approx(v) if not np.isnan(v) else None for v in expected)
    for index, value in enumerate(found["roc_auc"]):
        if index in case.truth:
            assert value == pytest.approx(metrics.roc_auc_score(case.truth == index, case.probabilities[:, index]))
        else:
            assert value is None
    assert (confusion_matrix(case) == metrics.confusion_matrix(case.truth, case.predicted, labels=range(5))).all()


def test_weighted_figures_are_those_of_the_repeated_photos(case: Predictions) -> None:
    weights = np.random.default_rng(9).integers(0, 4, size=(len(case.truth), 6)).astype(np.float64)
    found = statistics(case, weights)
    for column, repeats in enumerate(weights.T.astype(int)):
        again = Predictions(
            np.repeat(case.probabilities, repeats, axis=0), np.repeat(case.truth, repeats), POSITIVE, case.threshold
        )
        one = statistics(again, np.ones((len(again.truth), 1)))
        for name in set(found.overall) - {"adaptive_ece", "decision_adaptive_ece"}:  # theirs are the bins of all photos
            assert found.overall[name][column] == pytest.approx(one.overall[name][0], nan_ok=True), name
        for name, values in found.per_class.items():
            assert values[column] == pytest.approx(one.per_class[name][0], nan_ok=True), name


def by_hand_ece(case: Predictions) -> float:
    total = 0.0
    for number in range(15):
        low, high = number / 15, (number + 1) / 15
        inside = [i for i, row in enumerate(case.probabilities) if low < row.max() <= high]
        if inside:
            accuracy = np.mean([case.predicted[i] == case.truth[i] for i in inside])
            confidence = np.mean([float(case.probabilities[i].max()) for i in inside])
            total += len(inside) / len(case.truth) * abs(accuracy - confidence)
    return total


def test_ece_and_nll_by_hand(case: Predictions) -> None:
    found = figures(case)
    assert found["ece"] == pytest.approx(by_hand_ece(case), abs=1e-7)
    losses = [-np.log(max(float(row[t]), 1.1754944e-38)) for row, t in zip(case.probabilities, case.truth, strict=True)]
    assert found["nll"] == pytest.approx(np.mean(losses))


def test_ece_of_certainty() -> None:
    certain = Predictions(np.eye(3)[[0, 1, 2, 0]], np.array([0, 1, 2, 1]), (0,), 0.5)
    assert figures(certain)["ece"] == pytest.approx(0.25)


def test_tied_scores_count_one_half() -> None:
    positive = np.array([True, False, True, False])
    assert roc_auc(np.zeros(4), positive, np.ones((4, 1)))[0] == 0.5
    assert roc_auc(np.array([3, 1, 2, 2]), positive, np.ones((4, 1)))[0] == 0.875


def test_what_is_undefined_is_none() -> None:
    only_moles = Predictions(np.array([[0.2, 0.8], [0.6, 0.4]]), np.array([1, 1]), (0,), 0.5)
    found, of_class = figures(only_moles), class_figures(only_moles)
    undefined = {name for name, value in found.items() if value is None}
    assert undefined == {"macro_specificity", "macro_roc_auc", "decision_roc_auc", "decision_sensitivity"}
    assert found["decision_specificity"] == 0.5
    assert of_class["recall"] == (None, 0.5)
    assert of_class["roc_auc"] == (None, None)
    assert of_class["specificity"] == (0.5, None)
    of_resamples = intervals(only_moles, ["a", "b"])
    assert of_resamples.overall["decision_roc_auc"].low is None
    assert of_resamples.per_class["recall"][0].model_dump() == {"value": None, "low": None, "high": None}


@pytest.mark.parametrize(
    ("probabilities", "truth", "says"),
    [
        (np.zeros((0, 2)), np.zeros(0, int), "N >= 1"),
        (np.ones((3, 2)), np.zeros(2, int), "not \\[N, C\\]"),
        (np.ones((2, 2)), np.array([0, 2]), "only 2 classes"),
        (np.array([[np.nan, 1.0]]), np.array([0]), "not finite"),
    ],
)
def test_what_cannot_be_scored_is_refused(probabilities: NDArray, truth: NDArray, says: str) -> None:
    with pytest.raises(DataError, match=says):
        Predictions(probabilities, truth, (0,), 0.5)


def test_interval_of_independent_photos_is_the_binomial_one() -> None:
    case = drawn(6, photos=1500)
    metric = intervals(case, [str(i) for i in range(1500)]).overall["accuracy"]
    assert metric.value is not None
    assert metric.low is not None
    assert metric.high is not None
    half = 1.96 * np.sqrt(metric.value * (1 - metric.value) / 1500)
    assert (metric.value - metric.low, metric.high - metric.value) == pytest.approx((half, half), rel=0.12)


def test_lesions_are_drawn_whole() -> None:
    lesions = ["a", "b", "b", "c", "c", "c"]
    weights = np.concatenate(list(Bootstrap(resamples=200).weights(lesions)), axis=1)
    assert weights.shape == (6, 200)
    assert (weights[1] == weights[2]).all()
    assert (weights[3] == weights[4]).all()
    assert (weights[[0, 1, 3]].sum(axis=0) == 3).all()


def test_four_photos_of_each_lesion_are_worth_one() -> None:
    case = drawn(7, photos=400)
    copies = Predictions(np.repeat(case.probabilities, 4, axis=0), np.repeat(case.truth, 4), POSITIVE, case.threshold)
    lesions = [str(i) for i in range(400)]
    assert (
        intervals(copies, list(np.repeat(lesions, 4))).overall["accuracy"]
        == intervals(case, lesions).overall["accuracy"]
    )


def test_intervals_are_seeded_and_chunks_are_all_used(monkeypatch: pytest.MonkeyPatch) -> None:
    case, lesions = drawn(8), [str(i // 2) for i in range(120)]
    first = intervals(case, lesions)
    assert intervals(case, lesions) == first
    assert intervals(case, lesions, Bootstrap(seed=1)) != first
    monkeypatch.setattr("dermport.statistics.bootstrap._CHUNK", 120 * 300)  # three chunks of 300 and one of 100
    assert sum(chunk.shape[1] for chunk in Bootstrap().weights(lesions)) == 1000
    assert intervals(case, lesions) == first


def test_paired_intervals_of_an_equal_artifact_are_zero() -> None:
    case = drawn(1)
    lesions = [str(i) for i in range(120)]
    settings = {"positive": POSITIVE, "threshold": 0.5}
    deltas = paired_intervals(case.probabilities, case.probabilities, case.truth, lesions, **settings)
    assert set(deltas) == set(TITLES)
    assert {(d.change, d.low, d.high) for d in deltas.values()} == {(0.0, 0.0, 0.0)}


def test_paired_intervals_of_a_slightly_worse_artifact_exclude_zero() -> None:
    case = drawn(1, photos=1000)
    lesions = [str(i) for i in range(1000)]
    worse = case.probabilities.copy()
    worse[::20] = np.eye(5)[(case.truth[::20] + 1) % 5]
    settings = {"positive": POSITIVE, "threshold": 0.5}
    change = paired_intervals(case.probabilities, worse, case.truth, lesions, **settings)["accuracy"]
    alone = intervals(case, lesions).overall["accuracy"]
    assert change.original == figures(case)["accuracy"]
    assert change.change == pytest.approx((change.artifact or 0) - (change.original or 0))
    assert change.high is not None
    assert change.low is not None
    assert change.high < 0
    assert alone.high is not None
    assert alone.low is not None
    assert change.high - change.low < 0.7 * (alone.high - alone.low)


def test_lesions_of_another_number_are_refused() -> None:
    with pytest.raises(DataError, match="119 lesions are given for 120 photos"):
        intervals(drawn(1), ["x"] * 119)


@pytest.mark.parametrize("count", [1, 3, 7, 8, 9, 40])
def test_the_score_of_one_photo_is_that_of_many_to_the_bit(count: int) -> None:
    rows = np.random.default_rng(count).dirichlet(np.ones(count + 2), 200)
    assert [score_of(row[1 : count + 1].tolist()) for row in rows] == [
        scores(row[None], tuple(range(1, count + 1)))[0] for row in rows
    ]
