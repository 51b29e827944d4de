"""Groups of people: planted gaps are found, chance makes none, few lesions say nothing."""

from __future__ import annotations

import numpy as np
import pytest

from dermport.statistics.bootstrap import Bootstrap, intervals
from dermport.statistics.fairness import FIGURES, SMALLEST, Fairness, Gap, fairness
from dermport.statistics.metrics import Predictions, figures
from dermport.statistics.subgroups import Group, GroupKind

BOOTSTRAP = Bootstrap(resamples=200)
PHOTOS = 480


def scored(missed: float = 0.0) -> Predictions:
    """Half of the photos are positive; of those at even places, `missed` are scored low besides."""
    random = np.random.default_rng(0)
    truth = (np.arange(PHOTOS) // 2 % 2).astype(int)
    score = random.beta(2 + 4 * truth, 6 - 4 * truth)
    low = (np.arange(PHOTOS) % 2 == 0) & (truth == 1) & (random.random(PHOTOS) < missed)
    score[low] *= 0.2
    return Predictions(np.stack([1 - score, score], axis=1), truth, (1,), 0.4)


def group(name: str, members: np.ndarray, kind: GroupKind = "sex") -> Group:
    return kind, name, members


def halves() -> list[Group]:
    even = np.arange(PHOTOS) % 2 == 0
    return [group("even", even), group("odd", ~even)]


def found(predictions: Predictions, groups: list[Group], photos_of_lesion: int = 1) -> Fairness:
    lesions = [str(index // photos_of_lesion) for index in range(len(predictions.truth))]
    result = fairness(predictions, lesions, groups, BOOTSTRAP)
    assert result is not None
    return result


def gap(result: Fairness, figure: str) -> Gap:
    return next(one for one in result.gaps if one.figure == figure)


def test_a_planted_gap_is_told_from_chance() -> None:
    planted = gap(found(scored(missed=0.5), halves()), "decision_sensitivity")
    assert (planted.lowest, planted.highest, planted.groups) == ("even", "odd", 2)
    assert planted.gap.value > 0.3 > 3 * planted.by_chance
    assert planted.gap.low > 0.15
    assert planted.p == pytest.approx(1 / 201)
    none = gap(found(scored(), halves()), "decision_sensitivity")
    assert none.gap.value < 3 * none.by_chance
    assert none.p > 0.05


def test_a_group_of_all_photos_has_the_figures_of_all() -> None:
    predictions = scored()
    (report,) = found(predictions, [group("all", np.ones(PHOTOS, bool))]).groups
    every = intervals(predictions, [str(index) for index in range(PHOTOS)], BOOTSTRAP).overall
    assert report.figures == {name: every[name] for name in FIGURES}
    assert (report.photos, report.lesions, report.positives) == (PHOTOS, PHOTOS, PHOTOS / 2)


def test_a_groups_figures_are_those_of_its_photos() -> None:
    predictions, (even, _) = scored(missed=0.3), halves()
    report = found(predictions, halves()).groups[0]
    alone = figures(
        Predictions(predictions.probabilities[even[2]], predictions.truth[even[2]], (1,), predictions.threshold)
    )
    assert {name: metric.value for name, metric in report.figures.items()} == {name: alone[name] for name in FIGURES}


@pytest.mark.parametrize("photos_of_lesion", [1, 2])
def test_what_too_few_lesions_carry_is_left_out(photos_of_lesion: int) -> None:
    """The group has 2 × 19 positive photos: 38 lesions, or 19 where two show one."""
    predictions = scored()
    members = np.zeros(PHOTOS, bool)
    members[np.flatnonzero(predictions.truth == 1)[: 2 * (SMALLEST - 1)]] = True
    members[np.flatnonzero(predictions.truth == 0)[:20]] = True
    report = found(predictions, [group("some", members)], photos_of_lesion).groups[0]
    assert ("decision_sensitivity" in report.figures) == (photos_of_lesion == 1)
    assert ("decision_specificity" in report.figures) == (photos_of_lesion == 1)
    assert "accuracy" in report.figures
    assert "ece" not in report.figures


def test_the_unknown_and_the_too_small_make_no_gap() -> None:
    members = np.arange(PHOTOS) < 12
    result = found(scored(), [group("unknown", ~members), group("few", members), group("other", ~members)])
    assert result.gaps == ()
    assert result.groups[1].figures == {}
    assert fairness(scored(), [str(i) for i in range(PHOTOS)], [], BOOTSTRAP) is None


def test_kinds_are_compared_apart() -> None:
    young = np.arange(PHOTOS) < PHOTOS // 2
    result = found(scored(), [*halves(), group("young", young, "age"), group("old", ~young, "age")])
    assert [(one.kind, one.figure) for one in result.gaps] == [
        (kind, name) for kind in ("sex", "age") for name in FIGURES
    ]
