"""The HTTP contract: answers, problem documents, readiness."""

from __future__ import annotations

import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jsonschema
import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from numpy.typing import NDArray
from PIL import Image

from dermport.bundle.notice import NOTICE
from dermport.bundle.prep import MAX_BYTES
from dermport.bundle.schema.publish import FOLDER
from dermport.bundle.store import Bundle
from dermport.bundle.wire import ModelsAnswer, PredictionAnswer, Problem, ReadyAnswer
from dermport.server.stages import StageClock
from dermport.server.upload import MAX_BODY
from tests.server.fakes import RecallRuntime, golden_photo, recall, recall_app


@pytest.fixture
def app(tiny_bundle: Bundle) -> Flask:
    return recall_app(tiny_bundle)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def _schema_valid(name: str, document: Any) -> None:
    jsonschema.validate(document, json.loads((FOLDER / f"{name}.schema.json").read_text()))


def _post(client: FlaskClient, data: bytes, **options: Any) -> Any:
    return client.post("/v1/predict", data=data, content_type="image/jpeg", **options)


def test_a_photo_is_answered_as_the_original_would(client: FlaskClient, tiny_bundle: Bundle) -> None:
    golden = tiny_bundle.golden().index.photos[5]
    data = golden_photo(tiny_bundle, 5).read_bytes()
    response = _post(client, data)
    assert response.status_code == 200
    _schema_valid("prediction", response.json)
    answer = PredictionAnswer.model_validate_json(response.data)
    for part in (answer, answer.decision, answer.photo, answer.milliseconds, answer.model):
        assert part.model_fields_set == set(type(part).model_fields)  # nothing that is made in haste is left out
    assert answer.input_sha256 == golden.input_sha256
    assert tuple(answer.probabilities) == tiny_bundle.manifest.task.ids
    assert tuple(answer.probabilities.values()) == pytest.approx(golden.probabilities, abs=1e-7)
    assert answer.label == tiny_bundle.manifest.task.ids[int(np.argmax(golden.probabilities))]
    score = sum(golden.probabilities[i] for i in tiny_bundle.manifest.task.positive_indices)
    assert answer.decision.score == pytest.approx(score, abs=1e-6)
    assert answer.decision.threshold == tiny_bundle.manifest.decision.threshold
    assert answer.decision.positive == (score >= answer.decision.threshold)
    assert (answer.photo.width, answer.photo.height, answer.photo.orientation) == (160, 120, 1)
    assert answer.photo.bytes == len(data)
    assert answer.preprocessing == "dermport-prep/1"
    assert answer.notice == NOTICE
    stages = answer.milliseconds
    assert stages.total >= stages.receive + stages.prepare + stages.wait + stages.infer > 0


def test_the_answer_names_model_artifact_and_runtime(client: FlaskClient, tiny_bundle: Bundle) -> None:
    answer = PredictionAnswer.model_validate_json(_post(client, golden_photo(tiny_bundle).read_bytes()).data)
    record = tiny_bundle.export("fake", "fp32").record
    assert (answer.model.name, answer.model.version) == ("tiny", "1.0.0")
    assert answer.model.sha256 == tiny_bundle.model_sha256
    assert answer.model.artifact_sha256 == record.artifact_sha256
    assert (answer.model.target, answer.model.precision) == ("fake", "fp32")
    assert (answer.runtime.name, answer.runtime.reason) == ("Recall 1.0", "the best runtime that this machine has")


def test_the_ways_of_sending_a_photo_are_equal(client: FlaskClient, tiny_bundle: Bundle) -> None:
    data = golden_photo(tiny_bundle).read_bytes()
    form = client.post("/v1/predict", data={"photo": (io.BytesIO(data), "mole.jpg")})
    png = io.BytesIO()
    Image.open(io.BytesIO(data)).save(png, "PNG")
    as_png = client.post("/v1/predict", data=png.getvalue(), content_type="image/png")
    hashes = {response.json["input_sha256"] for response in (_post(client, data), form, as_png)}
    assert hashes == {tiny_bundle.golden().index.photos[0].input_sha256}


def test_request_ids_are_echoed_where_they_are_plain(client: FlaskClient) -> None:
    assert client.get("/healthz", headers={"X-Request-Id": "phone-1.42"}).headers["X-Request-Id"] == "phone-1.42"
    made = client.get("/nowhere", headers={"X-Request-Id": "<script>"})
    assert made.headers["X-Request-Id"] == made.json["request_id"] != "<script>"
    assert len(made.json["request_id"]) == 32


def _form(*names: str) -> dict[str, Any]:
    return {"data": {name: (io.BytesIO(b"x"), "x.jpg") for name in names}}


def _raw(data: bytes, kind: str = "image/jpeg") -> dict[str, Any]:
    return {"data": data, "content_type": kind}


BAD: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("GET", "/nowhere", {}, 404, "not-found"),
    ("GET", "/v1/predict", {}, 405, "method-not-allowed"),
    ("POST", "/v1/models", {}, 405, "method-not-allowed"),
    ("POST", "/v1/predict", {}, 415, "unsupported-type"),
    ("POST", "/v1/predict", _raw(b"{}", "application/json"), 415, "unsupported-type"),
    ("POST", "/v1/predict", _raw(b"GIF89a"), 415, "unsupported-type"),
    ("POST", "/v1/predict", _raw(b""), 400, "empty"),
    ("POST", "/v1/predict", _form(), 415, "unsupported-type"),
    ("POST", "/v1/predict", _form("picture"), 400, "one-photo"),
    ("POST", "/v1/predict", {"data": {"photo": [(io.BytesIO(b"x"), "x"), (io.BytesIO(b"x"), "x")]}}, 400, "one-photo"),
    ("POST", "/v1/predict", _raw(b"\xff\xd8\xff" + bytes(50)), 422, "photo-damaged"),
    ("POST", "/v1/predict", _raw(b"--x\r\nbroken", "multipart/form-data"), 400, "bad-form"),
    ("POST", "/v1/predict", _raw(bytes(MAX_BYTES + 1)), 413, "too-many-bytes"),
]


@pytest.mark.parametrize("case", BAD, ids=lambda case: f"{case[0]}-{case[1]}-{case[4]}")
def test_every_error_is_a_problem_document(
    client: FlaskClient, case: tuple[str, str, dict[str, Any], int, str]
) -> None:
    method, path, options, status, code = case
    response = client.open(path, method=method, **options)
    assert (response.status_code, response.mimetype) == (status, "application/problem+json")
    _schema_valid("problem", response.json)
    problem = Problem.model_validate_json(response.data)
    assert (problem.status, problem.code, problem.instance) == (status, code, path)
    assert problem.type == f"urn:dermport:problem:{code}"
    assert problem.detail.endswith(".")
    assert problem.request_id == response.headers["X-Request-Id"]
    assert not any(leak in response.text for leak in ("Traceback", "BytesIO", "0x7", ".py", "Error"))


def test_a_truncated_photo_is_refused(client: FlaskClient, tiny_bundle: Bundle) -> None:
    response = _post(client, golden_photo(tiny_bundle).read_bytes()[:1500])
    assert (response.status_code, response.json["code"]) == (422, "photo-damaged")


def test_allowed_methods_are_named(client: FlaskClient) -> None:
    assert "POST" in client.get("/v1/predict").headers["Allow"]


@pytest.mark.parametrize("kind", ["image/jpeg", "multipart/form-data; boundary=x"])
def test_a_body_over_the_limit_is_refused_without_reading_it(client: FlaskClient, kind: str) -> None:
    class Untouched(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            raise AssertionError("the body was read")

    response = client.open(
        "/v1/predict",
        method="POST",
        environ_overrides={
            "wsgi.input": io.BufferedReader(Untouched()),
            "CONTENT_LENGTH": str(MAX_BODY + 1),
            "CONTENT_TYPE": kind,
        },
    )
    assert (response.status_code, response.json["code"]) == (413, "too-many-bytes")


class Failing(RecallRuntime):
    """Fails once it is live."""

    healthy = True

    def predict(self, tensors: NDArray[np.uint8]) -> NDArray[np.float32]:
        if not self.healthy:
            raise RuntimeError("/secret/path exploded")
        return super().predict(tensors)


def test_a_failing_runtime_leaks_nothing_and_leaves_the_lock(
    tiny_bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    good = recall(tiny_bundle)
    runtime = Failing(good.name, good.labels, good.answers)
    client = recall_app(tiny_bundle, runtime).test_client()
    photo = golden_photo(tiny_bundle).read_bytes()
    runtime.healthy = False
    response = _post(client, photo)
    assert (response.status_code, response.json["code"]) == (500, "internal")
    assert "secret" not in response.text
    assert "/secret/path exploded" in caplog.text
    assert response.json["request_id"] in caplog.text
    runtime.healthy = True
    assert _post(client, photo).status_code == 200


def test_a_runtime_that_gives_no_number_is_an_error_not_an_answer(tiny_bundle: Bundle) -> None:
    runtime = recall(tiny_bundle)
    client = recall_app(tiny_bundle, runtime).test_client()
    runtime.answers = dict.fromkeys(runtime.answers, (float("nan"),) * len(runtime.labels))
    assert _post(client, golden_photo(tiny_bundle).read_bytes()).status_code == 500


def test_ready_says_what_was_proved(client: FlaskClient, tiny_bundle: Bundle) -> None:
    assert client.get("/healthz").json == {"status": "ok"}
    response = client.get("/readyz")
    _schema_valid("ready", response.json)
    ready = ReadyAnswer.model_validate_json(response.data)
    assert (ready.photos, ready.worst_change) == (len(tiny_bundle.golden().tensors), 0.0)


def test_an_unproved_runtime_takes_no_photos_and_says_which_differed(tiny_bundle: Bundle) -> None:
    runtime = recall(tiny_bundle)
    wrong = tiny_bundle.golden().index.photos[2]
    runtime.answers[wrong.input_sha256] = wrong.probabilities[::-1]
    client = recall_app(tiny_bundle, runtime).test_client()
    for response in (client.get("/readyz"), _post(client, golden_photo(tiny_bundle).read_bytes())):
        assert (response.status_code, response.json["code"]) == (503, "not-ready")
        assert wrong.photo in response.json["detail"]
    assert client.get("/healthz").status_code == 200


def test_a_machine_that_reads_photos_otherwise_takes_none(tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dermport.bundle.vectors.proof.failing_photos", lambda: ("ycck.jpg",))
    client = recall_app(tiny_bundle, recall(tiny_bundle)).test_client()
    for response in (client.get("/readyz"), _post(client, golden_photo(tiny_bundle).read_bytes())):
        assert (response.status_code, response.json["code"]) == (503, "not-ready")
        assert "ycck.jpg" in response.json["detail"]


def test_models_tells_a_client_how_to_read_the_answers(client: FlaskClient, tiny_bundle: Bundle) -> None:
    response = client.get("/v1/models")
    _schema_valid("models", response.json)
    [model] = ModelsAnswer.model_validate_json(response.data).models
    assert (model.task, model.decision) == (tiny_bundle.manifest.task, tiny_bundle.manifest.decision)
    assert [(e.target, e.precision, e.bytes) for e in model.exports] == [("fake", "fp32", 7)]
    assert model.live
    assert model.live.artifact_sha256 == model.exports[0].artifact_sha256


def test_many_threads_never_meet_in_the_runtime(app: Flask, tiny_bundle: Bundle) -> None:
    photos = tiny_bundle.golden().index.photos
    start = threading.Barrier(8)

    def ask(index: int) -> Any:
        start.wait()
        return _post(app.test_client(), golden_photo(tiny_bundle, index).read_bytes()).json

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert [a["input_sha256"] for a in answers] == [photo.input_sha256 for photo in photos[:8]]
    for answer, photo in zip(answers, photos, strict=False):
        assert tuple(answer["probabilities"].values()) == pytest.approx(photo.probabilities, abs=1e-7)


def test_closing_the_service_frees_the_runtime(tiny_bundle: Bundle) -> None:
    runtime = recall(tiny_bundle)
    app = recall_app(tiny_bundle, runtime)
    assert not runtime.closed
    app.extensions["dermport"].close()
    assert runtime.closed


def test_stages_are_counted_from_the_end_of_the_one_before() -> None:
    times = iter([0.0, 0.001, 0.011, 0.0112, 0.0212, 0.022])
    clock = StageClock(lambda: next(times))
    for stage in ("receive", "prepare", "wait", "infer"):
        clock.mark(stage)
    assert clock.timing().model_dump() == {"receive": 1, "prepare": 10, "wait": 0.2, "infer": 10, "total": 22}
