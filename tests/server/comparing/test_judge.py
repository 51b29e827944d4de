"""Every cause, shown by models that really compute: what the phone did differently is known, and must be found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from dermport.bundle.causes import CAUSES
from dermport.bundle.store import Bundle, Export
from dermport.bundle.wire import ComparisonRequest
from dermport.errors import PhotoError, RequestError
from dermport.server.comparing.artifacts import ArtifactRunner
from dermport.server.comparing.case import Case, Sent
from dermport.server.comparing.judge import Judgement, judge
from tests.server.comparing import linear
from tests.server.comparing.linear import LinearLive, phone_says, png, shifted, tensor_of

PHOTO = linear.photo()
OTHER = "f" * 64


@dataclass
class Clinic:
    """A server whose live model is an ONNX export, and whose bundle has exports for phones."""

    live: LinearLive
    bundles: tuple[Bundle, ...]
    runner: ArtifactRunner
    phones: Export

    @property
    def tensor(self) -> linear.Tensor:
        return tensor_of(PHOTO, self.live.bundle)

    def judge(
        self, said: ComparisonRequest, photo: bytes | None = PHOTO, prepared: linear.Tensor | None = None
    ) -> Judgement:
        sent = Sent(said, photo, None if prepared is None else png(prepared))
        return judge(Case(sent, self.live, self.bundles, self.runner), self.runner)


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    bundle = linear.make_bundle(tmp_path / "v1")
    phones = linear.export(bundle, "tflite")
    live = LinearLive(bundle, linear.export(bundle, "onnx"))
    return Clinic(live, (bundle,), linear.runner_of(bundle), phones)


_ALL = ["phone-artifact-on-phone-input", "phone-artifact-on-server-input", "live-model-on-phone-input"]


def _steps(judged: Judgement) -> dict[str, float]:
    return {step.cause: round(step.share, 3) for step in judged.steps}


def _names(judged: Judgement) -> list[str]:
    return [experiment.name for experiment in judged.experiments]


def test_same(clinic: Clinic) -> None:
    judged = clinic.judge(phone_says(clinic.phones, clinic.tensor, PHOTO))
    verdict = judged.verdict
    assert (verdict.cause, verdict.same_label, verdict.same_decision, verdict.same_input) == ("same", True, True, True)
    assert (verdict.change, verdict.words) == (0, CAUSES["same"])
    assert (judged.steps, judged.experiments, judged.missing) == ((), (), ())
    assert len(clinic.live.jobs) == 1, "nothing needs to be run to find that nothing differs"
    assert judged.phone.known
    assert (judged.phone.known.version, judged.phone.known.target) == ("1.0.0", "tflite")


def test_same_without_photo(clinic: Clinic) -> None:
    judged = clinic.judge(phone_says(clinic.phones, clinic.tensor, None), photo=None, prepared=clinic.tensor)
    assert judged.verdict.cause == "same"
    assert judged.server.photo.form == "prepared"


def test_preprocessing_is_shown_by_the_phones_own_input(clinic: Clinic) -> None:
    tensor = shifted(clinic.tensor)
    judged = clinic.judge(phone_says(clinic.phones, tensor, PHOTO), prepared=tensor)
    assert judged.verdict.cause == "preprocessing"
    assert not judged.verdict.same_input
    assert judged.verdict.change > 0.05
    assert _names(judged) == _ALL
    changes = [e.change_from_phone for e in judged.experiments]
    assert changes == pytest.approx([0, judged.verdict.change, 0], abs=1e-6)
    assert judged.experiments[2].change_from_server == pytest.approx(judged.verdict.change)
    assert _steps(judged) == {"runtime": 0, "artifact": 0, "preprocessing": 1}
    assert judged.missing == ()


def test_preprocessing_without_the_phones_input_is_shown_by_its_file(clinic: Clinic) -> None:
    judged = clinic.judge(phone_says(clinic.phones, shifted(clinic.tensor), PHOTO))
    assert judged.verdict.cause == "preprocessing"
    assert _names(judged) == ["phone-artifact-on-server-input"]
    assert _steps(judged) == {"preprocessing": 1, "artifact": 0}
    assert judged.steps[0].also == ("runtime",)
    assert "prepared input was not sent" in judged.missing[0]


def test_another_input_that_changes_nothing_is_named_all_the_same(clinic: Clinic) -> None:
    tensor = clinic.tensor
    tensor = tensor[:, :, ::-1].copy()  # the channels swapped: this model looks at their mean
    judged = clinic.judge(phone_says(clinic.phones, tensor, PHOTO), prepared=tensor)
    assert judged.verdict.change < 1e-5
    assert (judged.verdict.cause, judged.verdict.same_input) == ("preprocessing", False)
    assert judged.experiments == ()


def test_photo_that_changed_on_the_way(clinic: Clinic) -> None:
    arrived = linear.photo(seed=1)
    judged = clinic.judge(phone_says(clinic.phones, clinic.tensor, PHOTO), photo=arrived)
    assert judged.verdict.cause == "photo-changed"
    assert _steps(judged) == {"photo-changed": 1, "artifact": 0}


def test_photo_with_other_bytes_and_equal_pixels_is_no_cause(clinic: Clinic) -> None:
    judged = clinic.judge(phone_says(clinic.phones, clinic.tensor, PHOTO, photo_sha256=OTHER))
    assert judged.verdict.cause == "same"


def test_prepared_input_that_is_not_the_phones_is_a_changed_photo(clinic: Clinic) -> None:
    said = phone_says(clinic.phones, clinic.tensor, None)
    judged = clinic.judge(said, photo=None, prepared=shifted(clinic.tensor))
    assert judged.verdict.cause == "photo-changed"
    assert "not the one that the phone's input_sha256 names" in judged.missing[0]


def test_without_the_photos_hash_another_input_is_unexplained(clinic: Clinic) -> None:
    tensor = shifted(clinic.tensor)
    judged = clinic.judge(phone_says(clinic.phones, tensor, None), prepared=tensor)
    assert judged.verdict.cause == "unexplained"
    assert judged.steps[-1].also == ("photo-changed", "preprocessing")
    assert judged.steps[-1].share == pytest.approx(1)
    assert "photo_sha256" in judged.missing[0]
    assert "photo_sha256" in judged.verdict.words


def test_another_export_is_shown_by_running_it(clinic: Clinic) -> None:
    int8 = linear.export(clinic.live.bundle, "tflite", "int8", scale=2.4)
    judged = clinic.judge(phone_says(int8, clinic.tensor, PHOTO))
    assert judged.verdict.cause == "artifact"
    assert _names(judged) == ["phone-artifact-on-phone-input"]
    assert judged.experiments[0].change_from_phone < 1e-6
    assert judged.experiments[0].artifact == "tflite int8"
    assert _steps(judged) == {"runtime": 0, "artifact": 1}
    assert judged.steps[1].within_policy is None, "the policy bounds no single photo of int8"


@pytest.mark.parametrize(("scale", "within"), [(2.1, True), (12.0, False)])
def test_the_policy_says_how_far_exports_may_be_apart(clinic: Clinic, scale: float, within: bool) -> None:
    half = linear.export(clinic.live.bundle, "tflite", "fp16", scale=scale)
    judged = clinic.judge(phone_says(half, clinic.tensor, PHOTO))
    assert judged.verdict.cause == "artifact"
    assert judged.steps[1].within_policy is within
    assert ("allows" in judged.verdict.words) is within


def test_an_export_that_the_server_does_not_have_is_unexplained(clinic: Clinic) -> None:
    elsewhere = linear.export(clinic.live.bundle, "tflite", "int8", scale=2.4)
    (elsewhere.path / "export.json").unlink()
    judged = clinic.judge(phone_says(elsewhere, clinic.tensor, PHOTO))
    assert judged.verdict.cause == "unexplained"
    assert judged.steps[0].also == ("artifact", "runtime")
    assert "no model of this server has an export" in judged.missing[0]
    assert judged.phone.known is None


def test_a_file_of_an_unknown_model_is_unexplained(clinic: Clinic) -> None:
    elsewhere = linear.export(clinic.live.bundle, "tflite", "int8", scale=2.4)
    (elsewhere.path / "export.json").unlink()
    judged = clinic.judge(phone_says(elsewhere, clinic.tensor, PHOTO, model_sha256=None))
    assert judged.verdict.cause == "unexplained"
    assert judged.steps[0].also == ("model", "artifact", "runtime")
    assert any("which model the phone runs" in words for words in judged.missing)


def test_another_model_is_known_by_its_file(clinic: Clinic, tmp_path: Path) -> None:
    old = linear.make_bundle(tmp_path / "v0", version="0.9.0", threshold=0.2)
    phones = linear.export(old, "tflite", scale=4.0)
    clinic.bundles += (old,)
    clinic.runner = linear.runner_of(*clinic.bundles)
    judged = clinic.judge(phone_says(phones, clinic.tensor, PHOTO, model_sha256=None))
    assert judged.verdict.cause == "model"
    assert _steps(judged) == {"runtime": 0, "model": 1}
    assert judged.phone.known
    assert judged.phone.known.version == "0.9.0"
    assert judged.phone.decision.threshold == 0.2, "the phone decides by its own model's rule"
    assert judged.server.decision.threshold == 0.5


def test_another_model_that_is_only_named(clinic: Clinic) -> None:
    said = phone_says(clinic.phones, clinic.tensor, PHOTO, artifact_sha256=OTHER, model_sha256=OTHER)
    changed = dict(zip(said.probabilities, reversed(said.probabilities.values()), strict=True))
    judged = clinic.judge(said.model_copy(update={"probabilities": changed}))
    assert judged.verdict.cause == "model"
    assert judged.steps[0].also == ("runtime",)


def test_another_model_with_another_input_size_is_not_preprocessing(clinic: Clinic, tmp_path: Path) -> None:
    old = linear.make_bundle(tmp_path / "v0", version="0.9.0", size=48)
    phones = linear.export(old, "tflite", scale=4.0)
    clinic.bundles += (old,)
    clinic.runner = linear.runner_of(*clinic.bundles)
    tensor = tensor_of(PHOTO, old)
    judged = clinic.judge(phone_says(phones, tensor, PHOTO))
    assert (judged.verdict.cause, judged.verdict.same_input) == ("model", True)
    assert _steps(judged) == {"runtime": 0, "model": 1}
    otherwise = shifted(tensor)
    judged = clinic.judge(phone_says(phones, otherwise, PHOTO), prepared=otherwise)
    assert not judged.verdict.same_input
    assert _names(judged) == ["phone-artifact-on-phone-input", "phone-artifact-on-server-input"]
    assert [step.cause for step in judged.steps] == ["runtime", "model", "preprocessing"]
    assert judged.steps[1].change > 0.02
    assert judged.steps[2].change > 0.05


def test_runtime_is_shown_by_the_same_file_on_the_same_input(clinic: Clinic) -> None:
    said = phone_says(clinic.phones, clinic.tensor, PHOTO)
    probabilities = dict(said.probabilities)
    first, second = list(probabilities)[:2]
    probabilities[first] += 0.03
    probabilities[second] -= 0.03
    judged = clinic.judge(said.model_copy(update={"probabilities": probabilities}))
    assert judged.verdict.cause == "runtime"
    assert judged.verdict.change == pytest.approx(0.03)
    assert _steps(judged) == {"runtime": 1, "artifact": 0}


def test_the_live_file_itself_needs_no_experiment(clinic: Clinic) -> None:
    said = phone_says(clinic.live.export, clinic.tensor, PHOTO)
    changed = dict(zip(said.probabilities, reversed(said.probabilities.values()), strict=True))
    judged = clinic.judge(said.model_copy(update={"probabilities": changed}))
    assert (judged.verdict.cause, judged.experiments) == ("runtime", ())
    tensor = shifted(clinic.tensor)
    judged = clinic.judge(phone_says(clinic.live.export, tensor, PHOTO), prepared=tensor)
    assert judged.verdict.cause == "preprocessing"
    assert _names(judged) == ["live-model-on-phone-input"]


def test_several_causes_have_their_shares(clinic: Clinic) -> None:
    int8 = linear.export(clinic.live.bundle, "tflite", "int8", scale=3.0)
    tensor = shifted(clinic.tensor)
    judged = clinic.judge(phone_says(int8, tensor, PHOTO), prepared=tensor)
    shares = _steps(judged)
    assert list(shares) == ["runtime", "artifact", "preprocessing"]
    assert sum(shares.values()) == pytest.approx(1, abs=0.002)
    assert 0.01 < shares["artifact"] < shares["preprocessing"]
    assert judged.verdict.cause == "preprocessing"
    assert judged.decomposition is not None
    parts = judged.decomposition.by_label[judged.decomposition.label]
    assert f"{parts.preprocessing:+.3g} from preprocessing" in judged.verdict.words


def test_other_labels_are_refused(clinic: Clinic) -> None:
    said = phone_says(clinic.phones, clinic.tensor, PHOTO).model_copy(update={"probabilities": {"yes": 0.3, "no": 0.7}})
    with pytest.raises(RequestError) as error:
        clinic.judge(said)
    assert (error.value.status, error.value.code) == (422, "other-labels")
    assert clinic.live.jobs == []


def test_what_is_no_photo_is_refused(clinic: Clinic) -> None:
    said = phone_says(clinic.phones, clinic.tensor, PHOTO)
    with pytest.raises(PhotoError):
        clinic.judge(said, photo=b"GIF89a")
    with pytest.raises(PhotoError) as error:
        clinic.judge(said, prepared=clinic.tensor[:32, :32])
    assert error.value.code == "not-prepared"


def test_a_file_that_cannot_be_run_is_missing_evidence(clinic: Clinic) -> None:
    int8 = linear.export(clinic.live.bundle, "tflite", "int8", scale=2.4)
    said = phone_says(int8, clinic.tensor, PHOTO)
    int8.artifact.write_bytes(b"damaged")
    judged = clinic.judge(said)
    assert judged.verdict.cause == "unexplained"
    assert judged.missing == ("tflite int8 could not be run on this server; its log says why",)


def test_the_experiments_order_of_labels_does_not_matter(clinic: Clinic) -> None:
    said = phone_says(clinic.phones, clinic.tensor, PHOTO)
    turned = dict(reversed(said.probabilities.items()))
    judged = clinic.judge(said.model_copy(update={"probabilities": turned}))
    assert (judged.verdict.cause, judged.verdict.same_label) == ("same", True)
