"""When the model cannot tell: the reasons, in order, and that equal inputs have equal values."""

from __future__ import annotations

import numpy as np
import pytest

from bundle.abstention import reasons
from bundle.manifest import Abstention, Preprocessing
from bundle.photo_quality import survey, survey_input
from bundle.probabilities import answer
from bundle.store import Bundle
from tests.bundle.test_photo_quality import FAULTS, Scene

RULE = Abstention(
    threshold=0.5,
    quality={"too-dark": 80, "too-bright": 210, "blurred": 0.5, "no-lesion": 40},
    answer_rate=0.95,
    answered={},
)
SURE, UNSURE = np.array([0.9, 0.1], np.float32), np.array([0.4, 0.3, 0.3], np.float32)


def tensor_of(scene: Scene) -> np.ndarray:
    return np.asarray(scene.draw().resize((96, 96)))


def codes(*asked: object) -> list[str]:
    return [reason.code for reason in reasons(*asked)]  # type: ignore[arg-type]


def test_without_a_rule_everything_is_answered() -> None:
    assert codes(None, UNSURE, {"blurred": 1.0}) == []


@pytest.mark.parametrize("fault", ["too-dark", "too-bright", "blurred", "no-lesion"])
def test_each_fault_of_the_input_is_named(fault: str) -> None:
    values = survey_input(tensor_of(FAULTS[fault]))
    assert f"quality:{fault}" in codes(RULE, SURE, values)
    assert codes(RULE, SURE, survey_input(tensor_of(Scene()))) == []


def test_the_score_is_judged_where_nothing_is_known_of_the_input() -> None:
    (reason,) = reasons(RULE, UNSURE, None)
    assert (reason.code, reason.bound) == ("out_of_distribution", 0.5)
    assert reason.value == pytest.approx(0.4)
    assert reason.words
    assert reason.remedy


def test_the_threshold_itself_is_answered() -> None:
    assert codes(RULE, np.array([0.5, 0.5]), {}) == []
    assert codes(RULE, np.array([np.nextafter(0.5, 0), 0.5 - 1e-3, 1e-3]), {}) == ["out_of_distribution"]


def test_quality_comes_before_the_score_and_what_cannot_be_said_is_no_reason() -> None:
    values = {"too-dark": 10.0, "blurred": None, "no-lesion": 1.0}
    assert codes(RULE, UNSURE, values) == ["quality:too-dark", "quality:no-lesion", "out_of_distribution"]


def test_a_withheld_decision_is_neither_yes_nor_no(shared_bundle: Bundle) -> None:
    manifest = shared_bundle.manifest.model_copy(update={"abstention": RULE})
    said = answer(manifest, np.array([0.4, 0.3, 0.2, 0.1], np.float32))
    assert said.positive is None
    assert [reason.code for reason in said.reasons] == ["out_of_distribution"]
    assert answer(shared_bundle.manifest, np.array([0.4, 0.3, 0.2, 0.1], np.float32)).positive is True
    assert answer(manifest, np.array([0.1, 0.1, 0.2, 0.6], np.float32)).positive is False


def test_the_input_is_surveyed_as_a_photo_of_its_own_size_is() -> None:
    scene = Scene(width=96, height=96)
    image = scene.draw()
    known = survey(image, np.asarray(image), Preprocessing(size=96)).values
    for code, value in survey_input(np.asarray(image)).items():
        assert value == pytest.approx(known[code], rel=1e-5), code
