"""Answers that are made up: every figure can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dermport.bundle.photo_set import PhotoSet
from dermport.exporters.benchmark.accuracy import GROUP_FIGURES, ArtifactAnswers, Judge
from dermport.statistics.bootstrap import paired_intervals

POSITIVE = (0, 1)  # of three labels: two kinds of cancer, and one benign


def _answers(rows: list[tuple[float, float, float]], threshold: float = 0.5) -> ArtifactAnswers:
    return ArtifactAnswers(np.array(rows, np.float32), POSITIVE, threshold)


def _truth(labels: list[int], metadata: list[dict[str, str]] | None = None) -> PhotoSet:
    lesions = tuple(f"lesion-{index}" for index in range(len(labels)))
    return PhotoSet("drawn", lesions, truth=np.array(labels), groups=lesions, metadata=metadata or [{}] * len(labels))


def _photos(count: int) -> NDArray[np.uint8]:
    return np.full((count, 16, 16, 3), (225, 185, 160), np.uint8)


def test_dangerous_flips_are_those_of_cancer_only() -> None:
    truth = _truth([0, 1, 2, 0, 1, 2])
    before = _answers([(0.8, 0, 0.2), (0.1, 0.7, 0.2), (0.7, 0, 0.3), (0.2, 0, 0.8), (0.3, 0.4, 0.3), (0, 0, 1)])
    after = _answers([(0.1, 0, 0.9), (0.7, 0.1, 0.2), (0.2, 0, 0.8), (0.6, 0, 0.4), (0.2, 0.25, 0.55), (0, 0.9, 0.1)])
    judged = Judge(before, truth, _photos(6)).judged(after)
    flips = judged.flips
    assert (flips.to_negative, flips.to_positive) == (3, 2), "photos 0, 2, 4 and photos 3, 5"
    assert flips.dangerous == 2, "photos 0 and 4 are cancer; 2 is benign"
    assert flips.rescued == 1, "photo 3"
    assert flips.label_changes == 6
    assert flips.cancer_to_other == 2, "photos 0 and 4; photo 1 only changes from one cancer to another"
    assert judged.agreement.value == 0.0
    assert judged.max_change == pytest.approx(0.9)
    assert (judged.correct, judged.decided) == ("001100", "010101")


def test_each_bundle_decides_by_its_own_threshold() -> None:
    rows = [(0.3, 0.1, 0.6), (0.5, 0.1, 0.4)]
    judged = Judge(_answers(rows, 0.3), PhotoSet("drawn", "ab"), _photos(2)).judged(_answers(rows, 0.5))
    assert judged.flips.to_negative == 1
    assert judged.agreement.value == 1.0


def test_without_truth_there_is_agreement_and_no_more() -> None:
    rows = [(0.3, 0.1, 0.6), (0.5, 0.1, 0.4)]
    judged = Judge(_answers(rows), PhotoSet("drawn", "ab"), _photos(2)).judged(_answers(rows))
    assert (judged.figures, judged.subgroups, judged.correct) == ({}, (), None)
    assert judged.flips.dangerous is None
    assert judged.flips.cancer_to_other is None


def test_each_class_against_the_rest() -> None:
    truth = _truth([0, 0, 1, 1, 2, 2])
    before = _answers([(0.8, 0, 0.2), (0.7, 0.1, 0.2), (0, 0.9, 0.1), (0, 0.6, 0.4), (0, 0, 1), (0.1, 0.1, 0.8)])
    after = _answers([(0.8, 0, 0.2), (0.2, 0.1, 0.7), (0, 0.9, 0.1), (0, 0.6, 0.4), (0, 0, 1), (0.1, 0.1, 0.8)])
    first, second, third = Judge(before, truth, _photos(6), ("mel", "bcc", "nv")).judged(after).classes
    assert [(one.label, one.photos) for one in (first, second, third)] == [("mel", 2), ("bcc", 2), ("nv", 2)]
    assert (first.figures["recall"].value, first.figures["recall"].change) == (0.5, -0.5)
    assert second.figures["recall"].change == 0.0
    assert third.figures["precision"].value == pytest.approx(2 / 3)
    assert third.figures["precision"].change == pytest.approx(-1 / 3)


def _many(count: int = 120) -> tuple[ArtifactAnswers, ArtifactAnswers, PhotoSet]:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, count)
    good = random.dirichlet((1, 1, 1), count) + 0.8 * np.eye(3)[labels]
    bad = random.dirichlet((1, 1, 1), count) + 0.3 * np.eye(3)[labels]
    metadata = [{"age": "80.0" if index < 100 else "35", "sex": "female", "localization": ""} for index in range(count)]
    first, second = ((rows / rows.sum(axis=1, keepdims=True)).astype(np.float32) for rows in (good, bad))
    lesions = [f"lesion-{index // 2}" for index in range(count)]
    truth = PhotoSet("drawn", [str(index) for index in range(count)], truth=labels, groups=lesions, metadata=metadata)
    return ArtifactAnswers(first, POSITIVE, 0.5), ArtifactAnswers(second, POSITIVE, 0.5), truth


def test_figures_are_those_of_verify() -> None:
    before, after, truth = _many()
    figures = Judge(before, truth, _photos(120)).judged(after).figures
    deltas = paired_intervals(
        before.probabilities, after.probabilities, truth.targets, truth.groups, positive=POSITIVE, threshold=0.5
    )
    for name, figure in figures.items():
        assert (figure.original, figure.value, figure.change) == (
            deltas[name].original,
            deltas[name].artifact,
            deltas[name].change,
        )
        assert (figure.change_low, figure.change_high) == (deltas[name].low, deltas[name].high)
    accuracy = figures["accuracy"]
    assert accuracy.low is not None
    assert accuracy.value is not None
    assert accuracy.high is not None
    assert accuracy.low < accuracy.value < accuracy.high
    assert accuracy.change_high is not None
    assert accuracy.change_high < 0, "clearly worse"


def test_the_reference_against_itself_has_not_changed() -> None:
    before, _, truth = _many()
    judged = Judge(before, truth, _photos(120)).judged(before)
    assert judged.agreement.value == 1
    assert judged.flips.label_changes == judged.flips.dangerous == 0
    assert all(figure.change in {0, None} for figure in judged.figures.values())


def test_groups_have_figures_where_they_have_twenty_photos() -> None:
    before, after, truth = _many()
    subgroups = Judge(before, truth, _photos(120)).judged(after).subgroups
    names = {(group.kind, group.group): group for group in subgroups}
    assert set(names) == {
        ("age", "30–44"),
        ("age", "75 and over"),
        ("sex", "female"),
        ("skin tone", "very light"),
    }, "no site is known, so there is no group by site"
    old, young = names["age", "75 and over"], names["age", "30–44"]
    assert (old.photos, old.lesions, young.photos) == (100, 50, 20)
    assert set(old.figures) == set(young.figures) == set(GROUP_FIGURES)
    assert old.flips.label_changes + young.flips.label_changes == names["sex", "female"].flips.label_changes


def test_smaller_groups_have_counts_only() -> None:
    truth = _truth([0] * 19 + [2] * 30, [{"sex": "male"}] * 19 + [{"sex": "female"}] * 30)
    answers = _answers([(0.9, 0.0, 0.1)] * 49)
    groups = {group.group: group for group in Judge(answers, truth, _photos(49)).judged(answers).subgroups}
    assert (groups["male"].figures, groups["male"].agreement, groups["male"].positive) == ({}, None, 19)
    assert groups["female"].figures
