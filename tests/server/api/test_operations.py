"""Health, readiness, figures, and keys over HTTP, with keys asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from dermport.bundle.store import Bundle
from dermport.bundle.wire import KeysAnswer, ReadyAnswer
from dermport.server.config import AccessConfig
from dermport.server.services import EXTENSION, Services
from dermport.server.storage.api_keys import ApiKeys
from tests.server.fakes import golden_photo, recall_app
from tests.server.security.made import add_key, bearer


@pytest.fixture
def app(tiny_bundle: Bundle) -> Iterator[Flask]:
    app = recall_app(tiny_bundle, access=AccessConfig(keys=True))
    yield app
    _services(app).close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def keys(app: Flask) -> ApiKeys:
    return ApiKeys(_services(app).database)


def _services(app: Flask) -> Services:
    services: Services = app.extensions[EXTENSION]
    return services


def test_health_and_readiness_need_no_key(client: FlaskClient, tiny_bundle: Bundle) -> None:
    assert client.get("/healthz").json == {"status": "ok"}
    ready = ReadyAnswer.model_validate_json(client.get("/readyz").data)
    assert ready.photos == len(tiny_bundle.golden().tensors)


def test_a_scraper_has_a_key_of_its_own(client: FlaskClient, keys: ApiKeys, tiny_bundle: Bundle) -> None:
    phone, scraper = add_key(keys, "predict"), add_key(keys, "admin")
    sent = client.post(
        "/v1/predict", data=golden_photo(tiny_bundle).read_bytes(), content_type="image/jpeg", headers=bearer(phone)
    )
    assert sent.status_code == 200
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers=bearer(phone)).status_code == 403
    scraped = client.get("/metrics", headers=bearer(scraper))
    assert scraped.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert 'dermport_requests_total{method="POST",route="/v1/predict",status="200"} 1.0' in scraped.text
    assert 'dermport_stage_seconds_count{stage="infer"} 1.0' in scraped.text
    assert "dermport_ready 1.0" in scraped.text
    assert phone.id not in scraped.text


def test_every_address_but_these_asks_for_a_key(app: Flask, client: FlaskClient) -> None:
    open_to_all = set()
    for rule in app.url_map.iter_rules():
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            path = re.sub("<[^>]*>", 32 * "a", rule.rule)
            if client.open(path, method=method).status_code != 401:
                open_to_all.add(f"{method} {rule.rule}")
    assert open_to_all == {
        "GET /healthz",
        "GET /readyz",
        "GET /openapi.json",
        "GET /docs",
        "GET /docs/style.css",
        "GET /v1/signing-key",
        "GET /v1/roots",
        "GET /",
        *(f"GET /{page}{rest}" for page in ("app", "dashboard") for rest in ("", "/", "/<path:path>")),
    }


def test_keys_are_listed_and_revoked_from_afar(client: FlaskClient, keys: ApiKeys) -> None:
    admin, phone = bearer(add_key(keys, "admin")), add_key(keys, "predict")
    assert client.get("/v1/models", headers=bearer(phone)).status_code == 200
    listed = client.get("/v1/keys", headers=admin)
    [first, second] = KeysAnswer.model_validate_json(listed.data).keys
    assert (second.id, second.scopes, second.revoked_at) == (phone.id, ("predict",), None)
    assert phone.secret not in listed.text
    assert phone.secret_sha256 not in listed.text
    assert client.delete(f"/v1/keys/{phone.id}", headers=admin).status_code == 204
    assert client.get("/v1/models", headers=bearer(phone)).status_code == 401
    again = client.delete(f"/v1/keys/{phone.id}", headers=admin)
    assert (again.status_code, again.json["code"]) == (404, "no-such-key")  # type: ignore[index]
    odd = client.delete("/v1/keys/ABC", headers=admin)
    assert (odd.status_code, odd.json["code"]) == (422, "invalid")  # type: ignore[index]
    assert "key_id" in odd.json["detail"]  # type: ignore[index]
    assert first.last_used_at is None or first.last_used_at >= first.created_at
