"""A phone's own .tflite files against a live ONNX model: the causes with real runtimes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest

from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.prep import prepare
from dermport.bundle.store import Bundle
from dermport.bundle.wire import ComparisonRequest
from dermport.runtimes.litert import LiteRT
from dermport.server.comparing.artifacts import ArtifactRunner
from dermport.server.comparing.case import Case, Sent
from dermport.server.comparing.judge import Judgement, judge
from dermport.server.config import ServingConfig
from dermport.server.serving.live import LiveModel
from dermport.server.serving.models import Models
from tests.server.comparing.linear import png, shifted
from tests.server.fakes import golden_photo


@pytest.fixture(scope="module")
def models(shared_exports: Bundle) -> Iterator[Models]:
    serving = ServingConfig(runtime="onnxruntime", precision="fp32", process_model="batcher")
    opened = Models((shared_exports.path,), partial(LiveModel, serving=serving))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def runner(models: Models) -> Iterator[ArtifactRunner]:
    made = ArtifactRunner(models.bundles)
    yield made
    made.close()


def _judge(models: Models, runner: ArtifactRunner, sent: Sent) -> Judgement:
    with models.lease() as live:
        return judge(Case(sent, live, models.bundles(), runner), runner)


def _said(bundle: Bundle, precision: str, data: bytes) -> ComparisonRequest:
    prepared, export = prepare(data, bundle.manifest.preprocessing), bundle.export("tflite", precision)
    with LiteRT(export.checked()) as runtime:
        [row] = runtime.predict(prepared.tensor[None])
    return ComparisonRequest(
        probabilities=dict(zip(runtime.labels, row.tolist(), strict=True)),
        input_sha256=prepared.input_sha256,
        photo_sha256=sha256_bytes(data),
        artifact_sha256=export.record.artifact_sha256,
        model_sha256=bundle.model_sha256,
        runtime=runtime.name,
        app_version="1.0",
    )


def test_float32_is_the_same_on_both(models: Models, runner: ArtifactRunner, shared_exports: Bundle) -> None:
    data = golden_photo(shared_exports).read_bytes()
    judged = _judge(models, runner, Sent(_said(shared_exports, "fp32", data), data, None))
    assert judged.verdict.cause == "same", judged.verdict


def test_int8_is_another_export(models: Models, runner: ArtifactRunner, shared_exports: Bundle) -> None:
    data = golden_photo(shared_exports).read_bytes()
    judged = _judge(models, runner, Sent(_said(shared_exports, "int8", data), data, None))
    assert judged.verdict.cause == "artifact", judged.verdict
    [ran] = judged.experiments
    assert (ran.artifact, ran.change_from_phone) == ("tflite int8", pytest.approx(0, abs=1e-6))
    assert ran.change_from_server == pytest.approx(judged.verdict.change, abs=1e-6)
    assert ran.runtime.startswith("LiteRT")


def test_other_resizing_is_preprocessing(models: Models, runner: ArtifactRunner, shared_exports: Bundle) -> None:
    data = golden_photo(shared_exports).read_bytes()
    tensor = shifted(prepare(data, shared_exports.manifest.preprocessing).tensor)
    with LiteRT(shared_exports.export("tflite", "fp16").checked()) as runtime:
        [row] = runtime.predict(np.asarray(tensor[None]))
    changed = {
        "probabilities": dict(zip(runtime.labels, row.tolist(), strict=True)),
        "input_sha256": sha256_bytes(tensor.tobytes()),
    }
    said = _said(shared_exports, "fp16", data).model_copy(update=changed)
    judged = _judge(models, runner, Sent(said, data, png(tensor)))
    assert judged.verdict.cause == "preprocessing", judged.verdict
    assert [step.cause for step in judged.steps] == ["runtime", "artifact", "preprocessing"]
    assert judged.steps[1].within_policy
