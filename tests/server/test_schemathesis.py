"""What schemathesis makes of the API's description, sent to a live server: no failure, and answers as described."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from dermport.bundle.store import Bundle
from tests.server.fakes import golden_photo
from tests.server.live import Server, serving

pytestmark = pytest.mark.xdist_group("exports")
EXAMPLES = 20
CONFIG = schemathesis.Config.from_path(Path(__file__).with_name("schemathesis.toml"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    allow_header_conformance,
]
ONCE = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def server(shared_exports: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(shared_exports.path, tmp_path_factory.mktemp("state"), "--runtime", "litert") as server:
        yield server


def _known(bundle: Bundle) -> dict[str, dict[str, Any]]:
    """Return what is really there, by operation: random names and bytes would only ever be refused."""
    photo = golden_photo(bundle).read_bytes()
    export = bundle.export("tflite", "fp32")
    model = {"name": bundle.manifest.name, "version": bundle.manifest.version}
    phone = {
        "probabilities": dict.fromkeys(bundle.manifest.task.ids, 0.25),
        "input_sha256": "0" * 64,
        "artifact_sha256": export.record.artifact_sha256,
        "runtime": "LiteRT",
        "app_version": "1",
    }
    return {
        "POST /v1/predict": {"body": photo, "media_type": "image/jpeg"},
        "POST /v1/predict/batch": {"body": {"photo": [photo, b"no photo"]}},
        "POST /v1/comparisons": {"body": {"comparison": phone, "photo": photo}},
        "GET /v1/models/{name}/{version}/manifest": {"path_parameters": model},
        "GET /v1/models/{name}/{version}/files/{path}": {
            "path_parameters": {**model, "path": str((export.path / export.record.artifact).relative_to(bundle.path))}
        },
        "POST /v1/admin/models/activate": {"body": model},
        "PUT /v1/admin/rollouts": {
            "body": {"model": model["name"], "candidate": model["version"], "platform": "ios", "percentage": 10}
        },
    }


def _try(operation: Any, cases: st.SearchStrategy[Any]) -> set[int]:
    """Send examples of an operation; return the statuses of their answers."""
    statuses = set()

    @ONCE
    @given(case=cases)
    def send(case: Any) -> None:
        response = case.call(timeout=30)
        statuses.add(response.status_code)
        case.validate_response(response, checks=CHECKS)

    send()
    return statuses


def test_every_operation_answers_as_it_is_described(server: Server, shared_exports: Bundle) -> None:
    known = _known(shared_exports)
    for found in schemathesis.openapi.from_url(f"{server.url}/openapi.json", config=CONFIG).get_all_operations():
        operation = found.ok()
        _try(operation, operation.as_strategy())
        with suppress(Unsatisfiable):  # some operations take nothing that could be wrong
            _try(operation, operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
        if given_values := known.pop(operation.label, None):
            statuses = _try(operation, operation.as_strategy(**given_values))
            assert statuses & {200, 201, 206}, (operation.label, statuses)
    assert not known, "these are not described"
    assert server.process.poll() is None
