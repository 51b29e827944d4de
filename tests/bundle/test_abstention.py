"""When the model cannot tell: the reasons, in order, and that equal inputs have equal values."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from pydantic import ValidationError

from dermport.bundle.abstention import Values, distance, reasons
from dermport.bundle.manifest import Abstention, InputBound, InputColour, InputFault, InputReference, Preprocessing
from dermport.bundle.photo_quality import bounds, survey, survey_input
from dermport.bundle.probabilities import answer
from dermport.bundle.store import Bundle
from tests.bundle.test_photo_quality import FAULTS, Scene

RULE = Abstention(
    reference=InputReference(names=("light", "red-green"), mean=(120, 0), precision=((0.01, 0), (0, 0.01))),
    threshold=10,
    quality=tuple(
        InputBound(code=code, side=bound.side, threshold=bound.threshold)
        for code in get_args(InputFault)
        for bound in bounds()
        if bound.code == code
    ),
    answer_rate=0.95,
    answered={},
)
LIKE, UNLIKE = {"light": 120.0, "red-green": 50.0}, {"light": 120.0, "red-green": 101.0}


def tensor_of(scene: Scene) -> np.ndarray:
    return np.asarray(scene.draw().resize((96, 96)))


def codes(rule: Abstention | None, values: Values | None) -> list[str]:
    return [reason.code for reason in reasons(rule, values)]


def test_without_a_rule_or_an_input_everything_is_answered() -> None:
    assert codes(None, UNLIKE) == codes(RULE, None) == codes(RULE, {}) == []


@pytest.mark.parametrize("fault", sorted(set(FAULTS) - {"too-small"}))
def test_each_fault_of_the_input_is_named(fault: str) -> None:
    assert f"quality:{fault}" in codes(RULE, survey_input(tensor_of(FAULTS[fault])))
    assert codes(RULE, survey_input(tensor_of(Scene()))) == []


def test_what_looks_otherwise_is_out_of_distribution() -> None:
    (reason,) = reasons(RULE, UNLIKE)
    assert (reason.code, reason.bound) == ("out_of_distribution", 10)
    assert reason.value == pytest.approx(10.1)
    assert reason.near
    assert reason.words
    assert reason.remedy
    assert codes(RULE, LIKE) == []
    assert codes(RULE, {"light": 20.0, "red-green": 0.0}) == [], "the threshold itself is answered"


def test_the_distance_is_mahalanobis() -> None:
    random = np.random.default_rng(0)
    root, away = random.normal(size=(3, 3)), random.normal(size=3)
    precision = root @ root.T
    names: tuple[InputColour, ...] = ("light", "red-green", "yellow-blue")
    reference = InputReference(names=names, mean=(1, 2, 3), precision=tuple(map(tuple, precision.tolist())))
    values = dict(zip(names, np.add(away, (1, 2, 3)).tolist(), strict=True))
    assert distance(reference, values) == pytest.approx(np.sqrt(away @ precision @ away))
    assert distance(reference, {"light": 1.0, "red-green": None, "yellow-blue": 3.0}) is None
    with pytest.raises(ValueError, match="not of 2 values"):
        InputReference(names=names[:2], mean=(1, 2), precision=((1, 0),))


def test_a_rule_of_values_that_are_not_known_is_refused() -> None:
    assert {"too-small", *get_args(InputFault)} == {bound.code for bound in bounds()}
    assert {*get_args(InputFault), *get_args(InputColour)} == set(survey_input(tensor_of(Scene())))
    with pytest.raises(ValidationError, match="code"):
        InputBound.model_validate({"code": "moiré", "side": "above", "threshold": 1})
    with pytest.raises(ValidationError, match="names"):
        InputReference.model_validate({"names": ["sharpness"], "mean": [1], "precision": [[1]]})


def test_quality_comes_before_the_distance_and_what_cannot_be_said_is_no_reason() -> None:
    values = {"too-dark": 10.0, "blurred": None, "no-lesion": 1.0, **UNLIKE}
    assert codes(RULE, values) == ["quality:too-dark", "quality:no-lesion", "out_of_distribution"]


def test_a_withheld_decision_is_neither_yes_nor_no(shared_bundle: Bundle) -> None:
    manifest = shared_bundle.manifest.model_copy(update={"abstention": RULE})
    positive = np.array([0.4, 0.3, 0.2, 0.1], np.float32)
    said = answer(manifest, positive, UNLIKE)
    assert said.positive is None
    assert [reason.code for reason in said.reasons] == ["out_of_distribution"]
    assert answer(manifest, positive, LIKE).positive is True
    assert answer(shared_bundle.manifest, positive, UNLIKE).positive is True


def test_the_input_is_surveyed_as_a_photo_of_its_own_size_is() -> None:
    scene = Scene(width=96, height=96)
    image = scene.draw()
    known, seen = survey(image, np.asarray(image), Preprocessing(size=96)).values, survey_input(np.asarray(image))
    for code in set(known) - {"too-small"}:
        assert seen[code] == pytest.approx(known[code], rel=1e-5), code


def test_colours_are_those_of_the_blocks() -> None:
    tensor = np.zeros((32, 32, 3), np.uint8)
    tensor[:, :16] = (200, 100, 30)
    seen = survey_input(tensor)
    assert [seen[name] for name in ("light", "red-green", "yellow-blue")] == [55, 50, 60]
    assert seen["yellow-blue-spread"] == pytest.approx(np.log(61))
