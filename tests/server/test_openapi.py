"""The API's description: valid, complete, and shown without anything from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator

from dermport.bundle.store import Bundle
from dermport.bundle.wire import PROBLEM_TYPE, ComparisonRequest
from dermport.server.security.access import scope_of
from dermport.server.security.headers import PAGE_POLICY
from tests.server.fakes import recall, recall_app

METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}


@pytest.fixture
def app(tiny_bundle: Bundle) -> Iterator[Flask]:
    app = recall_app(tiny_bundle, recall(tiny_bundle))
    yield app
    app.extensions["dermport"].close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    response = client.get("/openapi.json")
    assert (response.status_code, response.mimetype) == (200, "application/json")
    return dict(response.json)


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def _every(node: Any, key: str) -> Iterator[Any]:
    """Yield what every mapping below `node` has under `key`."""
    if isinstance(node, dict):
        if key in node:
            yield node[key]
        for value in node.values():
            yield from _every(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from _every(value, key)


def test_it_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert [str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_every_address_is_described_with_its_scope(app: Flask, document: dict[str, Any]) -> None:
    registered = {
        (method, re.sub(r"<(?:[^<>]*:)?(\w+)>", r"{\1}", rule.rule)): scope_of(app.view_functions[rule.endpoint])
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) & METHODS
        if not rule.endpoint.startswith(("document.", "web."))
    }
    described = {(method, path): operation.get("x-scope") for method, path, operation in _operations(document)}
    assert described == registered
    assert sum(path.startswith("/v1/") for _, path in described) >= 20
    for _, _, operation in _operations(document):
        named = {name for way in operation.get("security", []) for name in way}
        assert bool(named) == ("x-scope" in operation)
        assert named <= set(document["components"]["securitySchemes"])


def test_every_operation_has_a_name_of_its_own_and_says_what_it_does(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in _operations(document)]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z_]+", name) for name in names)
    assert "predict_batch" in names
    known = {tag["name"] for tag in document["tags"]}
    for _, path, operation in _operations(document):
        assert operation["summary"], path
        assert operation["description"], path
        assert set(operation["tags"]) <= known, path


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    references = set(_every(document, "$ref"))
    assert len(references) > 20
    for reference in references:
        assert reference.startswith("#/"), reference
        node = document
        for part in reference[2:].split("/"):
            node = node[part]


def test_every_refusal_is_a_problem_document(document: dict[str, Any]) -> None:
    for method, path, operation in _operations(document):
        refused = {status: one for status, one in operation["responses"].items() if status[0] not in "23"}
        assert {"default", "500", "503"} <= set(refused), (method, path)
        for response in refused.values():
            assert list(response["content"]) == [PROBLEM_TYPE], (method, path)
            assert response["content"][PROBLEM_TYPE]["schema"] == {"$ref": "#/components/schemas/Problem"}


def test_schemas_are_whole(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    made = ComparisonRequest.model_json_schema()["properties"]["probabilities"]
    assert schemas["ComparisonRequest"]["properties"]["probabilities"] == made
    assert [bounds["maximum"] for bounds in made["patternProperties"].values()] == [1 + 1e-6]


class _Page(HTMLParser):
    """What a page loads, where it leads, and what it has an anchor for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.anchors: set[str] = set()
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name in ("src", "href", "srcset", "action", "data", "poster"):
                self.addresses.append(value or "")
            if name == "id":
                self.anchors.add(value or "")
            assert not name.startswith("on"), f"an inline script: {name}"
            assert name != "style", "an inline style, which the policy forbids"


def test_the_page_shows_every_operation_and_loads_nothing_from_elsewhere(
    client: FlaskClient, document: dict[str, Any]
) -> None:
    response = client.get("/docs")
    assert response.headers["Content-Security-Policy"] == PAGE_POLICY
    page = _Page(response.text)
    for method, path, operation in _operations(document):
        assert operation["operationId"] in page.anchors
        assert f"<b>{method}</b> {path}<" in response.text
        assert operation["summary"] in unescape(response.text)
    assert set(document["components"]["schemas"]) <= page.anchors
    assert not page.tags & {"script", "style", "iframe", "object", "base"}
    for address in page.addresses:
        assert not re.match(r"(?i)[a-z][a-z0-9+.-]*:|//", address), address
        if address.startswith("#"):
            assert address[1:] in page.anchors, address
        else:
            assert client.get(f"/{address}").status_code == 200, address
    assert client.get("/docs/style.css").mimetype == "text/css"
    assert "url(" not in client.get("/docs/style.css").text


def test_headers_that_change_an_answer_are_described(document: dict[str, Any]) -> None:
    read = {
        path: [one["name"] for one in document["paths"][path]["post"]["parameters"] if one["in"] == "header"]
        for path in ("/v1/predict", "/v1/comparisons")
    }
    assert read == {"/v1/predict": ["X-Dermport-Prep"], "/v1/comparisons": ["Idempotency-Key"]}
