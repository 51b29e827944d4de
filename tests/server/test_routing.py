"""A request that goes where one before it went is answered as it would be without that."""

from __future__ import annotations

import pytest
from flask_openapi3 import Info

from dermport.server.routing import LeanApp


@pytest.fixture
def app() -> LeanApp:
    app = LeanApp(__name__, info=Info(title="t", version="1"), doc_ui=False, static_folder=None)
    app.add_url_rule("/one", "one", lambda: "one", methods=["GET"])
    app.add_url_rule("/one", "posted", lambda: "posted", methods=["POST"])
    app.add_url_rule("/of/<name>", "of", lambda name: name)
    app.add_url_rule("/folder/", "folder", lambda: "folder")
    return app


_REQUESTS = [
    ("GET", "/one", {}),
    ("HEAD", "/one", {}),
    ("POST", "/one", {}),
    ("DELETE", "/one", {}),
    ("OPTIONS", "/one", {}),
    ("GET", "/one?a=1", {}),
    ("GET", "/one", {"Host": "other:81"}),
    ("GET", "/one", {"Connection": "upgrade", "Upgrade": "websocket"}),
    ("GET", "/of/a", {}),
    ("GET", "/of/b", {}),
    ("GET", "/folder", {}),
    ("GET", "/nowhere", {}),
]


def test_the_second_of_two_alike_is_answered_as_the_first(app: LeanApp) -> None:
    def said(method: str, path: str, headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        answer = app.test_client().open(path, method=method, headers=headers)
        return answer.status_code, answer.data, {name: ",".join(sorted(v.split(", "))) for name, v in answer.headers}

    first = [said(*one) for one in _REQUESTS]
    assert [status for status, *_ in first] == [200, 200, 200, 405, 200, 200, 200, 405, 200, 200, 308, 404]
    assert [said(*one) for one in _REQUESTS] == first
    assert [said(*one) for one in reversed(_REQUESTS)] == first[::-1]


def test_hosts_that_somebody_makes_up_fill_no_memory(app: LeanApp) -> None:
    client = app.test_client()
    for number in range(600):
        assert client.get("/one", headers={"Host": f"h{number}"}).data == b"one"
    assert len(app._places) <= 256
