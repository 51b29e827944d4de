"""Figures of made-up tables of true and false answers, as they are and spoilt."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from dermport.statistics.table_arithmetic import f1_score
from dermport.training.protocols.arithmetic import (
    Range,
    auc_bounds,
    contradictions,
    least_prevalence,
    prevalence_behind,
    rounded,
    specificity_behind,
)
from dermport.training.protocols.protocol import Published

# True positives, false negatives, false positives, true negatives.
TABLES = [(240, 60, 18, 72), (30, 20, 10, 440), (400, 10, 5, 85), (1, 9, 3, 7)]


def _figures(table: tuple[int, int, int, int], **others: float) -> dict[str, Range]:
    hits, missed, alarms, rest = table
    values = {
        "precision": hits / (hits + alarms),
        "recall": hits / (hits + missed),
        "f1": 2 * hits / (2 * hits + missed + alarms),
        "accuracy": (hits + rest) / sum(table),
        **others,
    }
    return rounded(_published(values))


def _published(values: Mapping[str, float]) -> list[Published]:
    return [Published(figure=name, value=round(value, 4), source="made up") for name, value in values.items()]


@pytest.mark.parametrize("table", TABLES)
def test_figures_of_real_counts_are_never_remarked_on(table: tuple[int, int, int, int]) -> None:
    hits, missed, alarms, rest = table
    area = (hits / (hits + missed) + rest / (rest + alarms)) / 2  # of the curve that is straight through the point
    figures = _figures(table, roc_auc=area, loss=1.0)
    assert list(contradictions(figures)) == []
    share = prevalence_behind(figures)
    assert share is not None
    assert share.within((hits + missed) / sum(table), (hits + missed) / sum(table))


@pytest.mark.parametrize("table", TABLES)
def test_f1_is_above_accuracy_exactly_with_more_true_positives_than_true_negatives(
    table: tuple[int, int, int, int],
) -> None:
    hits, missed, _, rest = table
    least = least_prevalence(_figures(table))
    assert (least is not None) == (hits > rest)
    if least is not None:
        assert (hits + missed) / sum(table) > least - 1e-3


def test_an_f1_that_is_not_the_harmonic_mean_is_remarked_on() -> None:
    figures = _figures(TABLES[0], f1=0.9123)
    assert [text for text in contradictions(figures) if "harmonic mean" in text]


def test_an_accuracy_that_no_counts_give_is_remarked_on() -> None:
    figures = rounded(_published({"precision": 0.2, "recall": 0.9, "accuracy": 0.05}))
    assert [text for text in contradictions(figures) if "No share of positive photos" in text] == []
    figures = rounded(_published({"precision": 0.9, "recall": 0.9, "accuracy": 0.5}))
    assert [text for text in contradictions(figures) if "No share of positive photos" in text]


def test_an_area_above_every_curve_through_the_point_is_remarked_on() -> None:
    assert [text for text in contradictions(_figures(TABLES[0], roc_auc=0.999)) if "ROC curve" in text]


def test_a_loss_below_what_the_errors_cost_is_remarked_on() -> None:
    figures = rounded(_published({"accuracy": 0.5001, "loss": 0.3001}))
    assert [text for text in contradictions(figures) if "ln 2" in text]
    assert list(contradictions(rounded(_published({"accuracy": 0.5001, "loss": 0.3501})))) == []


def test_the_specificity_behind_and_the_areas_through_a_point() -> None:
    hits, missed, alarms, rest = TABLES[1]
    figures = _figures(TABLES[1])
    share = (hits + missed) / sum(TABLES[1])
    assert specificity_behind(figures, share) == pytest.approx(rest / (rest + alarms), abs=1e-3)
    assert auc_bounds(0.8, 0.5) == Range(0.4, pytest.approx(0.9))
    assert f1_score(0.5, 0.5) == 0.5


def test_a_figure_is_taken_as_rounded_to_its_digits() -> None:
    (one,) = rounded([Published(figure="accuracy", value=0.98, source="made up")]).values()
    assert (one.low, one.high) == (pytest.approx(0.975), pytest.approx(0.985))
