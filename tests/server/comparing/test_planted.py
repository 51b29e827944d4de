"""Every planted fault is named, by models that compute; `benchmarks.planted_faults` does the same with real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.plants import PLANTS, FaultlessPhone, Plant, Scene, Values
from dermport.bundle.store import Export
from dermport.server.comparing.artifacts import ArtifactRunner
from dermport.server.comparing.case import Case, Sent
from dermport.server.comparing.judge import Judgement, judge
from tests.factories import draw_photo
from tests.server.comparing import linear

SIZE = 96


class ColourRuntime(linear.LinearRuntime):
    """Looks at red more than at blue, so that swapped channels change its answers."""

    def predict(self, tensors: NDArray[np.uint8]) -> NDArray[np.float32]:
        weighted = tensors.astype(np.float32) * np.array([1.5, 1.0, 0.5], np.float32)
        return super().predict(weighted)  # type: ignore[arg-type]


class Clinic:
    """A server with two versions of a model, and a phone for each way to be wrong."""

    def __init__(self, folder: Path) -> None:
        bundle = linear.make_bundle(folder / "v1", size=SIZE)
        old = linear.make_bundle(folder / "v0", version="0.9.0", size=SIZE)
        elsewhere = linear.make_bundle(folder / "elsewhere", size=SIZE)
        self.bundles = (bundle, old)
        self.spec = bundle.manifest.preprocessing
        self.live = linear.LinearLive(bundle, linear.export(bundle, "onnx"))
        self.live._runtime = ColourRuntime(self.live.export.artifact)
        self.phones = {
            "sound": _phone(linear.export(bundle, "tflite")),
            "other": _phone(linear.export(bundle, "tflite", "int8", scale=2.3)),
            "old": _phone(linear.export(old, "tflite", scale=3.0)),
            "damaged": _phone(linear.export(elsewhere, "tflite", scale=-4.0)),
        }
        self.runner = ArtifactRunner(lambda: self.bundles, {"tflite": ColourRuntime})

    def scene(self, seed: int) -> Scene:
        photo, before = (draw_photo(2, seed + n, 640, 480) for n in (0, 1))
        return Scene(photo, before, self.spec, half=self._half, **self.phones)

    def judge(self, sent: Sent) -> Judgement:
        return judge(Case(sent, self.live, self.bundles, self.runner), self.runner)

    def _half(self, tensor: Values) -> list[float]:
        logits = np.log(self.phones["sound"].answers(tensor))
        off = np.array([0.02, -0.02, 0.01, 0])
        raised = np.exp((logits + off).astype(np.float16).astype(np.float32))
        return [float(p) for p in raised / raised.sum()]


def _phone(export: Export) -> FaultlessPhone:
    return FaultlessPhone(export, ColourRuntime(export.artifact))


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Clinic:
    return Clinic(tmp_path_factory.mktemp("clinic"))


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_named(clinic: Clinic, plant: Plant) -> None:
    sent = plant.plant(clinic.scene(seed=3))
    assert sent is not None
    judged = clinic.judge(sent)
    assert judged.verdict.cause == plant.cause, (judged.verdict, judged.faults)
    codes = [fault.code for fault in judged.faults]
    assert (codes[0] in plant.codes) if plant.codes else not codes, judged.faults
    for fault in judged.faults:
        assert fault.words in judged.verdict.words
        assert fault.remedy


def test_a_known_hash_gives_the_tensor_back_so_that_nothing_is_missing(clinic: Clinic) -> None:
    scene = clinic.scene(seed=5)
    swapped = np.ascontiguousarray(scene.tensor[:, :, ::-1])
    judged = clinic.judge(Sent(scene.sound.says(swapped, scene.photo), scene.photo, None))
    assert judged.missing == ()
    assert judged.decomposition is not None
    assert judged.decomposition.complete
    assert judged.tensor is not None
    assert np.array_equal(judged.tensor, swapped)
    assert judged.input_difference is not None
    assert judged.input_difference.pixels > 0.9


def test_two_mistakes_are_both_named(clinic: Clinic) -> None:
    scene = clinic.scene(seed=7)
    picture = scene.picture.resize((SIZE, SIZE))
    judged = clinic.judge(scene.sends(np.asarray(picture)[:, :, ::-1]))
    assert [fault.code for fault in judged.faults] == ["channels-swapped", "resized-otherwise"]
    assert [fault.exact for fault in judged.faults] == [False, True]


def test_what_is_not_shown_is_not_named(clinic: Clinic) -> None:
    scene = clinic.scene(seed=9)
    unknown = np.asarray(scene.tensor // 3 + 17, np.uint8)
    judged = clinic.judge(Sent(scene.sound.says(unknown, scene.photo), scene.photo, None))
    assert judged.faults == ()
    assert judged.verdict.cause == "preprocessing"
    assert judged.decomposition is not None
    assert not judged.decomposition.complete


def test_of_a_file_that_is_only_packed_anew_the_export_stands_in(clinic: Clinic) -> None:
    scene = clinic.scene(seed=11)
    said = scene.other.says(scene.tensor, scene.photo, artifact_sha256="e" * 64)
    judged = clinic.judge(Sent(said, scene.photo, None))
    assert [fault.code for fault in judged.faults] == ["unknown-file"]
    assert "gives the export's numbers" in judged.faults[0].words
    assert judged.verdict.cause == "artifact"
    assert judged.decomposition is not None
    assert judged.decomposition.complete
