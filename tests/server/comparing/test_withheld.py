"""A side that cannot tell: its own answer of a comparison, named where only one side gives it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dermport.bundle.manifest import Abstention, InputReference, Manifest
from dermport.bundle.photo_quality import survey_input
from dermport.bundle.store import Bundle, write_manifest
from dermport.bundle.wire import Verdict
from dermport.server.comparing.judge import withheld_words
from dermport.server.serving.jobs import InferenceJob
from tests.server.comparing import linear
from tests.server.comparing.linear import LinearLive, phone_says
from tests.server.comparing.test_judge import PHOTO, Clinic


def _rule(manifest: Manifest, lightest: float) -> Manifest:
    reference = InputReference(names=("light",), mean=(0.0,), precision=((1.0,),))
    rule = Abstention(reference=reference, threshold=lightest, quality=(), answer_rate=0.95, answered={})
    return manifest.model_copy(update={"abstention": rule})


def _clinic(folder: Path, lightest: float) -> Clinic:
    made = linear.make_bundle(folder / "v1")
    write_manifest(made.path, _rule(made.manifest, lightest))
    bundle = Bundle.open(made.path)
    phones = linear.export(bundle, "tflite")
    return Clinic(LinearLive(bundle, linear.export(bundle, "onnx")), (bundle,), linear.runner_of(bundle), phones)


@pytest.fixture
def light(tmp_path: Path) -> float:
    found = survey_input(linear.tensor_of(PHOTO, linear.make_bundle(tmp_path / "any")))["light"]
    assert found is not None
    return found


def test_both_cannot_tell(tmp_path: Path, light: float) -> None:
    clinic = _clinic(tmp_path, light / 2)
    said = phone_says(clinic.phones, clinic.tensor, PHOTO).model_copy(update={"cannot_tell": True})
    judged = clinic.judge(said)
    for side in (judged.phone, judged.server):
        assert (side.decision.positive, side.decision.answer) == (None, "cannot_tell")
        assert [reason.code for reason in side.decision.reasons] == ["out_of_distribution"]
    assert judged.verdict.same_decision
    assert judged.verdict.cause == "same"
    assert "cannot tell" not in judged.verdict.words


@pytest.mark.parametrize(("bound", "near"), [(0.99, True), (0.5, False)])
def test_a_phone_that_does_not_withhold_disagrees(tmp_path: Path, light: float, bound: float, near: bool) -> None:
    clinic = _clinic(tmp_path, bound * light)
    judged = clinic.judge(phone_says(clinic.phones, clinic.tensor, PHOTO))
    assert judged.phone.decision.positive is not None
    assert not judged.verdict.same_decision
    assert judged.verdict.words.startswith("Only the server cannot tell: out_of_distribution (")
    assert ("within 5% of its bound" in judged.verdict.words) == near


def test_a_phones_word_counts_where_its_input_is_not_known(tmp_path: Path, light: float) -> None:
    clinic = _clinic(tmp_path, 2 * light)
    other = {"input_sha256": "f" * 64, "photo_sha256": None, "cannot_tell": True}
    judged = clinic.judge(phone_says(clinic.phones, clinic.tensor, PHOTO).model_copy(update=other))
    assert (judged.phone.decision.positive, judged.phone.decision.reasons) == (None, ())
    assert judged.verdict.words.startswith("Only the phone cannot tell")


def test_without_a_rule_nobody_withholds(tmp_path: Path) -> None:
    bundle = linear.make_bundle(tmp_path / "v1")
    assert LinearLive(bundle, linear.export(bundle, "onnx")).answer(InferenceJob(PHOTO)).values is None


def test_two_decisions_need_no_words() -> None:
    yes = Verdict(name="suspicious", positive=True, score=0.9, threshold=0.5)
    assert withheld_words(yes, yes.model_copy(update={"positive": False})) == ""


def test_without_a_decision_labels_alone_are_compared(tmp_path: Path) -> None:
    made = linear.make_bundle(tmp_path / "v1")
    labels_only = {"decision": None, "task": made.manifest.task.model_copy(update={"positive": ()})}
    write_manifest(made.path, made.manifest.model_copy(update=labels_only))
    bundle = Bundle.open(made.path)
    phones = linear.export(bundle, "tflite")
    clinic = Clinic(LinearLive(bundle, linear.export(bundle, "onnx")), (bundle,), linear.runner_of(bundle), phones)
    judged = clinic.judge(phone_says(clinic.phones, clinic.tensor, PHOTO).model_copy(update={"cannot_tell": False}))
    assert (judged.phone.decision, judged.server.decision, judged.verdict.same_decision) == (None, None, None)
    assert (judged.verdict.same_label, judged.verdict.cause) == (True, "same")
