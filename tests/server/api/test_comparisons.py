"""The addresses of comparisons, over HTTP but without a socket; the phone's client is what asks."""

from __future__ import annotations

import base64
import csv
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import g, request
from flask.testing import FlaskClient
from flask_openapi3 import OpenAPI
from werkzeug.test import TestResponse

from dermport.bundle.notice import NOTICE
from dermport.bundle.wire import ComparisonAnswer, ComparisonList, ComparisonSummary
from dermport.errors import RequestError, UsageError
from dermport.mobile_stub.client import JetsonClient, httpx
from dermport.server import problems, request_ids
from dermport.server.api import comparisons
from dermport.server.api.document import describe
from dermport.server.comparing.comparisons import Keeping
from dermport.server.security.access import Caller, scope_of
from dermport.server.services import EXTENSION
from tests.server.comparing.linear import phone_says, photo, png, shifted, tensor_of
from tests.server.comparing.test_comparisons import Desk

PHOTO = photo()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.database.close()


@pytest.fixture
def app(desk: Desk) -> OpenAPI:
    made = OpenAPI(__name__, static_folder=None, doc_ui=False, validation_error_callback=problems.refuse_invalid)
    made.extensions[EXTENSION] = SimpleNamespace(comparisons=desk.comparisons)
    request_ids.register(made)
    problems.register(made)
    made.register_api(comparisons.api)
    return made


@pytest.fixture
def client(app: OpenAPI) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def phone(app: OpenAPI) -> Iterator[JetsonClient]:
    with JetsonClient("http://jetson.test", httpx.WSGITransport(app)) as opened:  # type: ignore[arg-type]
        yield opened


def _said(desk: Desk, **other: Any) -> Any:
    return phone_says(desk.phones, tensor_of(PHOTO, desk.bundle), PHOTO, **other)


def _form(desk: Desk, **other: Any) -> dict[str, Any]:
    return {"comparison": _said(desk).model_dump_json(), "photo": (io.BytesIO(PHOTO), "mole.jpg"), **other}


def _post(client: FlaskClient, form: dict[str, Any], **headers: str) -> TestResponse:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post("/v1/comparisons", data=form, content_type="multipart/form-data", headers=names)


def _refused(response: TestResponse, status: int, code: str) -> dict[str, Any]:
    assert (response.status_code, response.mimetype) == (status, "application/problem+json")
    assert response.json
    assert response.json["code"] == code
    problem: dict[str, Any] = response.json
    return problem


def test_the_phone_learns_whether_the_server_agrees(phone: JetsonClient, desk: Desk) -> None:
    answer = phone.post_comparison(_said(desk), PHOTO)
    assert answer.verdict.cause == "same"
    stored = desk.comparisons.store.get(answer.id)
    assert (stored.notice, stored.verdict.words) == (NOTICE, answer.verdict.words)


def test_the_photo_can_stay_on_the_phone(phone: JetsonClient, desk: Desk) -> None:
    prepared = png(tensor_of(PHOTO, desk.bundle))
    answer = phone.post_comparison(_said(desk), None, prepared)
    assert answer.verdict.cause == "same"
    assert desk.comparisons.store.get(answer.id).server.photo.form == "prepared"
    assert phone.post_comparison(_said(desk), PHOTO, prepared).verdict.cause == "same"
    with pytest.raises(UsageError):
        phone.post_comparison(_said(desk), None)


def test_the_phone_may_send_it_again(phone: JetsonClient, desk: Desk) -> None:
    first = phone.post_comparison(_said(desk), PHOTO, key="k")
    assert phone.post_comparison(_said(desk), PHOTO, key="k") == first
    with pytest.raises(RequestError) as error:
        phone.post_comparison(_said(desk, runtime="another"), PHOTO, key="k")
    assert (error.value.status, error.value.code) == (422, "key-reused")
    assert phone.post_comparison(_said(desk), PHOTO).id != first.id
    assert len(desk.stored()) == 2


def test_created_once_then_found(client: FlaskClient, desk: Desk) -> None:
    created = _post(client, _form(desk), Idempotency_Key="k")
    again = _post(client, _form(desk), Idempotency_Key="k")
    assert (created.status_code, again.status_code) == (201, 200)
    assert created.data == again.data
    assert created.headers["Location"] == again.headers["Location"]
    found = client.get(created.headers["Location"])
    assert (found.status_code, found.data) == (200, created.data)
    assert ComparisonAnswer.model_validate_json(found.data).request_id == created.headers["X-Request-Id"]


def test_the_json_may_be_a_file_of_the_form(client: FlaskClient, desk: Desk) -> None:
    part = (io.BytesIO(_said(desk).model_dump_json().encode()), "comparison.json", "application/json")
    assert _post(client, _form(desk, comparison=part)).status_code == 201


def test_fields_of_a_newer_phone_are_ignored(client: FlaskClient, desk: Desk) -> None:
    newer = json.loads(_said(desk).model_dump_json()) | {"mood": "fine"}
    assert _post(client, _form(desk, comparison=json.dumps(newer))).status_code == 201


def test_nothing_to_compare_on(client: FlaskClient, desk: Desk) -> None:
    said = _said(desk).model_dump_json()
    problem = _refused(_post(client, {"comparison": said}), 400, "nothing-sent")
    assert "multipart/form-data" in problem["remedy"]
    response = client.post("/v1/comparisons", data=said, content_type="application/json")
    _refused(response, 400, "nothing-sent")
    _refused(client.post("/v1/comparisons", data=b"x", content_type="text/plain"), 415, "unsupported-type")
    _refused(client.post("/v1/comparisons"), 415, "unsupported-type")
    assert desk.stored() == []


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"comparison": "{"}, 422, "invalid"),
        ({"comparison": "[]"}, 422, "invalid"),
        ({"comparison": "x" * 70_000}, 413, "too-many-bytes"),
        ({"comparison": ["{}", "{}"]}, 400, "one-part"),
        ({"photo": [(io.BytesIO(b"a"), "a.jpg"), (io.BytesIO(b"b"), "b.jpg")]}, 400, "one-part"),
        ({"photo": (io.BytesIO(b"GIF89a"), "a.gif")}, 415, "unsupported-type"),
        ({"prepared": (io.BytesIO(b"GIF89a"), "a.gif")}, 415, "unsupported-type"),
        ({"prepared": (io.BytesIO(PHOTO), "a.jpg")}, 415, "not-prepared"),
    ],
)
def test_forms_that_are_refused(client: FlaskClient, desk: Desk, change: Any, status: int, code: str) -> None:
    _refused(_post(client, _form(desk, **change)), status, code)
    assert desk.stored() == []


@pytest.mark.parametrize(
    "change",
    [
        {"probabilities": {"mel": 1.5, "nv": -0.5}},
        {"probabilities": {"mel": 1.0}},
        {"probabilities": {"mel": "0.5", "nv": 0.5}},
        {"probabilities": {"mel": True, "nv": False}},
        {"probabilities": {"mel": 1.00001, "nv": 0.0}},
        {"cannot_tell": "true"},
        {"probabilities": {"mel": "NaN", "nv": 0.5}},
        {"probabilities": {"m\u0000l": 0.5, "nv": 0.5}},
        {"input_sha256": "ABC"},
        {"runtime": ""},
        {"runtime": "a\u0000b"},
        {"app_version": "v" * 121},
        {"device": {"id": "has spaces"}},
        {"taken": "yesterday"},
        {"taken": "2026-05-04T12:00:00"},
        {"taken": "0001-01-01T00:00:00+14:00"},
        {"client_id": "ä"},
    ],
)
def test_fields_that_are_refused(client: FlaskClient, desk: Desk, change: dict[str, Any]) -> None:
    said = json.loads(_said(desk).model_dump_json()) | change
    problem = _refused(_post(client, _form(desk, comparison=json.dumps(said))), 422, "invalid")
    assert next(iter(change)) in problem["detail"]


@pytest.mark.parametrize("key", ["", "a b", "x" * 129, "ä"])
def test_keys_that_are_refused(client: FlaskClient, desk: Desk, key: str) -> None:
    _refused(_post(client, _form(desk), Idempotency_Key=key), 400, "bad-key")


def test_other_labels(client: FlaskClient, desk: Desk) -> None:
    said = _said(desk).model_copy(update={"probabilities": {"yes": 0.4, "no": 0.6}})
    problem = _refused(_post(client, _form(desk, comparison=said.model_dump_json())), 422, "other-labels")
    assert "akiec" in problem["detail"]


def test_listing(client: FlaskClient, desk: Desk) -> None:
    for number in range(5):
        _post(client, _form(desk, comparison=_said(desk, device={"id": f"d{number % 2}"}).model_dump_json()))
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(3):
        page = ComparisonList.model_validate_json(
            client.get("/v1/comparisons", query_string={"limit": 2, **cursor}).data
        )
        seen += [item.id for item in page.items]
        cursor = {"cursor": page.next or ""}
    assert page.next is None
    assert seen == desk.stored()
    filtered = client.get(
        "/v1/comparisons?device=d1&agrees=true&cause=same&model=tiny/1.0.0&since=2026-05-04T00:00:00Z"
    )
    assert filtered.json
    assert len(filtered.json["items"]) == 2
    assert client.get("/v1/comparisons?until=2026-05-04T00:00:00Z").json["items"] == []  # type: ignore[index]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "limit=x",
        "cause=bad-luck",
        "device=a%00b",
        "model=%00",
        "since=today",
        "until=0.5",
        "since=1600000000",
        "agrees=perhaps",
    ],
)
def test_queries_that_are_refused(client: FlaskClient, query: str) -> None:
    for path in ("/v1/comparisons", "/v1/comparisons.csv", "/v1/comparisons/summary"):
        if query.startswith("limit") and path != "/v1/comparisons":
            continue
        _refused(client.get(f"{path}?{query}"), 422, "invalid")
    _refused(client.get("/v1/comparisons?cursor=x"), 422, "invalid")


def test_csv(client: FlaskClient, desk: Desk) -> None:
    _post(client, _form(desk, comparison=_said(desk, runtime="=1+1").model_dump_json()))
    response = client.get("/v1/comparisons.csv")
    assert response.mimetype == "text/csv"
    assert "attachment" in response.headers["Content-Disposition"]
    [row] = csv.DictReader(io.StringIO(response.text))
    assert (row["id"], row["phone_runtime"]) == (desk.stored()[0], "'=1+1")
    assert client.get("/v1/comparisons.csv?cause=model").text.count("\n") == 1


def test_summary(client: FlaskClient, desk: Desk) -> None:
    _post(client, _form(desk))
    summary = ComparisonSummary.model_validate_json(client.get("/v1/comparisons/summary").data)
    assert summary.total.label_agreement.count == 1
    assert summary.causes == {"same": 1}
    assert [group.key for group in summary.days] == ["2026-05-04"]


def _differing(desk: Desk) -> dict[str, Any]:
    tensor = shifted(tensor_of(PHOTO, desk.bundle))
    return {
        "comparison": phone_says(desk.phones, tensor, PHOTO).model_dump_json(),
        "photo": (io.BytesIO(PHOTO), "mole.jpg"),
        "prepared": (io.BytesIO(png(tensor)), "input.png"),
    }


def test_why_the_two_differ_is_shared_out_and_named(client: FlaskClient, desk: Desk) -> None:
    created = _post(client, _differing(desk))
    answer = ComparisonAnswer.model_validate_json(created.data)
    assert answer.decomposition is not None
    assert answer.decomposition.complete
    parts = answer.decomposition.by_label[answer.decomposition.label]
    assert parts.preprocessing == pytest.approx(parts.change, abs=1e-5)
    assert [fault.code for fault in answer.faults] == ["colours-otherwise"]
    assert answer.difference_png is None
    _refused(client.get(f"{created.headers['Location']}/difference.png"), 404, "no-difference-picture")


def test_the_picture_of_the_difference(client: FlaskClient, desk: Desk) -> None:
    asked = client.post("/v1/comparisons?difference=true", data=_differing(desk), content_type="multipart/form-data")
    assert asked.status_code == 201
    assert asked.json
    picture = base64.b64decode(asked.json["difference_png"])
    assert picture.startswith(b"\x89PNG")
    assert client.get(asked.headers["Location"]).json["difference_png"] is None  # type: ignore[index]
    refused = client.post("/v1/comparisons?difference=perhaps", data=_differing(desk))
    _refused(refused, 422, "invalid")


def test_the_picture_of_a_kept_difference(client: FlaskClient, desk: Desk) -> None:
    desk.comparisons._keeping = Keeping(photos=True)
    location = _post(client, _differing(desk)).headers["Location"]
    shown = client.get(f"{location}/difference.png")
    assert (shown.status_code, shown.mimetype) == (200, "image/png")
    assert shown.data.startswith(b"\x89PNG")
    _refused(client.get(f"/v1/comparisons/{'0' * 32}/difference.png"), 404, "no-such-comparison")


def test_deleting(client: FlaskClient, desk: Desk) -> None:
    location = _post(client, _form(desk)).headers["Location"]
    assert (client.delete(location).status_code, client.delete(location).status_code) == (204, 404)
    _refused(client.get(location), 404, "no-such-comparison")
    assert desk.stored() == []


@pytest.mark.parametrize("name", ["x", "0" * 32, "%00", "..", "A" * 32, "0" * 33])
def test_names_that_are_none(client: FlaskClient, name: str) -> None:
    for response in (client.get(f"/v1/comparisons/{name}"), client.delete(f"/v1/comparisons/{name}")):
        assert response.status_code == (422 if name == "A" * 32 else 404)


def test_an_address_beside_the_ids_takes_its_own_methods(client: FlaskClient) -> None:
    for name in ("drift", "summary"):
        refused = client.delete(f"/v1/comparisons/{name}")
        assert (refused.status_code, "DELETE" in refused.headers["Allow"]) == (405, False)


def test_storage_that_fails_is_a_problem_with_a_time(
    client: FlaskClient, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    with desk.database.writing() as session:
        session.connection().exec_driver_sql("DROP TABLE comparisons")
    with caplog.at_level(logging.CRITICAL):
        for response in (
            _post(client, _form(desk), Idempotency_Key="k"),
            _post(client, _form(desk)),
            client.get("/v1/comparisons"),
            client.get("/v1/comparisons.csv"),
            client.get("/v1/comparisons/summary"),
        ):
            problem = _refused(response, 503, "storage-unavailable")
            assert int(response.headers["Retry-After"]) >= 1
            assert "sql" not in json.dumps(problem).lower()


def test_scopes(app: OpenAPI) -> None:
    scopes = {name.partition(".")[2]: scope_of(view) for name, view in app.view_functions.items()}
    assert {name for name, scope in scopes.items() if scope == "compare"} == {
        "compare",
        "comparison",
        "delete_comparison",
        "difference_picture",
    }
    assert {name for name, scope in scopes.items() if scope == "admin"} >= {"comparisons", "comparisons_csv", "summary"}


def test_the_description_names_the_parts_of_the_form(app: OpenAPI) -> None:
    document = describe(app)
    assert {"/v1/comparisons", "/v1/comparisons/{id}", "/v1/comparisons/summary"} <= set(document["paths"])
    assert "ComparisonRequest" in document["components"]["schemas"]


@pytest.mark.parametrize(("mel", "nv"), [(0.5, 0.4), (0.7, 0.7), (0.0, 0.0), (0.5, 0.5011), (0.5, 0.515625)])
def test_a_vector_that_does_not_sum_to_one_is_none(client: FlaskClient, desk: Desk, mel: float, nv: float) -> None:
    said = json.loads(_said(desk).model_dump_json()) | {"probabilities": {"mel": mel, "nv": nv}}
    problem = _refused(_post(client, _form(desk, comparison=json.dumps(said))), 422, "not-probabilities")
    assert "sum to" in problem["detail"]


def test_roundings_of_a_softmax_are_none_of_the_servers_business(client: FlaskClient, desk: Desk) -> None:
    ids = desk.bundle.manifest.task.ids
    said = json.loads(_said(desk).model_dump_json())
    said["probabilities"] = dict.fromkeys(ids, -5e-7) | {ids[0]: 1 + 5e-7}
    kept = _post(client, _form(desk, comparison=json.dumps(said))).json
    assert kept
    assert set(kept["phone"]["said"]["probabilities"].values()) == {0.0, 1.0}


def test_an_int8_softmax_is_off_by_half_a_step_for_each_label(client: FlaskClient, desk: Desk) -> None:
    ids = desk.bundle.manifest.task.ids
    said = json.loads(_said(desk).model_dump_json())
    said["probabilities"] = dict.fromkeys(ids, 0.0) | {ids[0]: 129 / 256, ids[1]: 128 / 256}
    assert _post(client, _form(desk, comparison=json.dumps(said))).status_code == 201


def test_two_api_keys_may_use_one_idempotency_key(app: OpenAPI, desk: Desk) -> None:
    app.before_request(lambda: setattr(g, "caller", Caller(key_id=request.headers["X-Who"])))
    client = app.test_client()
    first, other, again = (_post(client, _form(desk), Idempotency_Key="k", X_Who=who) for who in ("a", "b", "a"))
    assert (first.status_code, other.status_code, again.status_code) == (201, 201, 200)
    assert first.data == again.data != other.data
