"""Problem documents: of refusals, of requests without the agreed form, of what is below us."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, Response, abort
from flask.testing import FlaskClient
from flask_openapi3 import OpenAPI
from pydantic import BaseModel, ConfigDict, Field

from dermport.bundle.wire import Problem
from dermport.errors import RequestError, UnavailableError
from dermport.server import problems, request_ids

REFUSALS: dict[str, Exception] = {
    "refused": RequestError("No.", code="no", status=409, remedy="Do not ask."),
    "soon": RequestError("Later.", code="overloaded", status=503, retry_after=0.2),
    "later": RequestError("Later.", code="overloaded", status=503, retry_after=2.2),
    "key": RequestError("A key.", code="no-key", status=401),
    "scope": RequestError("Another key.", code="key-scope", status=403),
    "gone": UnavailableError("There is no worker.", remedy="Wait."),
}
# Every status that a view or something below us may answer with: its own words, not the library's.
STATUSES = (400, 401, 403, 404, 405, 408, 409, 410, 412, 413, 415, 416, 422, 429, 431, 500, 501, 503)


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")
    count: int = Field(ge=1)
    names: list[str]


@pytest.fixture
def client() -> FlaskClient:
    app = OpenAPI("problems", doc_ui=False, validation_error_callback=problems.refuse_invalid)
    request_ids.register(app)
    problems.register(app)
    _add_views(app)
    return app.test_client()


def _add_views(app: Any) -> None:
    @app.post("/shape")
    def shape(body: Shape) -> str:
        return "fine"

    def refuse(name: str) -> Response:
        raise REFUSALS[name]

    Flask.add_url_rule(app, "/refuse/<name>", view_func=refuse)
    Flask.add_url_rule(app, "/abort/<int:code>", endpoint="abort", view_func=abort)


def _problem(response: Any) -> Problem:
    assert response.mimetype == "application/problem+json"
    problem = Problem.model_validate_json(response.data)
    assert problem.status == response.status_code
    assert problem.request_id == response.headers["X-Request-Id"]
    return problem


def test_a_refusal_is_told_whole(client: FlaskClient) -> None:
    problem = _problem(client.get("/refuse/refused"))
    assert (problem.status, problem.code, problem.detail, problem.remedy) == (409, "no", "No.", "Do not ask.")
    assert problem.title == "Conflict"
    assert problem.type == "urn:dermport:problem:no"


@pytest.mark.parametrize(("name", "seconds"), [("soon", "1"), ("later", "3"), ("refused", None)])
def test_retry_after_is_in_whole_seconds_and_never_zero(client: FlaskClient, name: str, seconds: str | None) -> None:
    assert client.get(f"/refuse/{name}").headers.get("Retry-After") == seconds


def test_challenges(client: FlaskClient) -> None:
    assert client.get("/refuse/key").headers["WWW-Authenticate"] == 'Bearer realm="dermport"'
    assert 'error="insufficient_scope"' in client.get("/refuse/scope").headers["WWW-Authenticate"]
    assert "WWW-Authenticate" not in client.get("/refuse/refused").headers


def test_what_cannot_be_done_now(client: FlaskClient) -> None:
    problem = _problem(client.get("/refuse/gone"))
    assert (problem.status, problem.code, problem.detail) == (503, "not-ready", "There is no worker.")


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_has_words_of_ours(client: FlaskClient, status: int) -> None:
    problem = _problem(client.get(f"/abort/{status}"))
    assert not problem.code.startswith("http-")
    assert problem.detail == problems.BY_STATUS[status].detail
    assert problem.detail.endswith(".")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"count": 0, "names": []}, ["count: Input should be greater than or equal to 1"]),
        ({"names": ["a", 1]}, ["count: Field required", "names.1: Input should be a valid string"]),
        ({"count": 1, "names": [], "colour": "s3cret"}, ["'colour' is not known here"]),
        ({"count": 1, "names": [], "x" * 500: 1}, ["xxx..."]),
        ({"count": "s3cret", "names": []}, ["count: Input should be a valid integer"]),
        ({"count": 1, "names": [0] * 9}, ["names.4", "and 4 more"]),
        ([1], ["body: Input should be"]),
    ],
)
def test_a_request_without_the_agreed_form_names_field_and_reason(
    client: FlaskClient, body: Any, told: list[str]
) -> None:
    problem = _problem(client.post("/shape", json=body))
    assert (problem.status, problem.code) == (422, "invalid")
    for part in told:
        assert part in problem.detail
    assert len(problem.detail) < 1000
    assert "s3cret" not in problem.detail
    assert "pydantic" not in problem.detail


@pytest.mark.parametrize("body", [b"{", b"", b"null"])
def test_what_is_no_json_is_refused_in_the_same_way(client: FlaskClient, body: bytes) -> None:
    problem = _problem(client.post("/shape", data=body, content_type="application/json"))
    assert (problem.status, problem.code) == (422, "invalid")
    assert "body" in problem.detail
