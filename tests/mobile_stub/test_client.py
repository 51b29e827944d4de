"""The phone's client: what the server says reaches the phone, and what goes wrong is said in plain words."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from dermport.bundle.store import Bundle
from dermport.errors import RequestError, ServerError, UsageError
from dermport.mobile_stub.client import JetsonClient, httpx
from tests.server.fakes import golden_photo, recall, recall_app

URL = "http://localhost:8080"


@pytest.fixture
def client(tiny_bundle: Bundle) -> Iterator[JetsonClient]:
    """A client of the real app, without a socket."""
    with JetsonClient(URL, httpx.WSGITransport(recall_app(tiny_bundle))) as opened:  # type: ignore[arg-type]
        yield opened


def _client_of(handler: Callable[[httpx.Request], httpx.Response]) -> JetsonClient:
    return JetsonClient(URL, httpx.MockTransport(handler))


def test_prediction_of_the_real_app(client: JetsonClient, tiny_bundle: Bundle) -> None:
    assert client.check_ready().photos == len(tiny_bundle.golden().tensors)
    answer = client.predict(golden_photo(tiny_bundle, 1).read_bytes())
    assert answer.input_sha256 == tiny_bundle.golden().index.photos[1].input_sha256


def test_refusal_of_the_real_app_keeps_code_status_and_words(client: JetsonClient) -> None:
    with pytest.raises(RequestError, match="neither JPEG nor PNG") as refused:
        client.predict(b"GIF89a")
    assert (refused.value.code, refused.value.status) == ("unsupported-type", 415)
    assert "Most Compatible" in refused.value.remedy


def test_unproved_server_is_not_asked(tiny_bundle: Bundle) -> None:
    runtime = recall(tiny_bundle)
    runtime.answers = {}
    app = recall_app(tiny_bundle, runtime)
    with (
        JetsonClient(URL, httpx.WSGITransport(app)) as client,  # type: ignore[arg-type]
        pytest.raises(ServerError, match=r"http://localhost:8080 is not ready: .*Golden photo"),
    ):
        client.check_ready()


def test_the_name_of_the_photo_stays_on_the_phone() -> None:
    bodies: list[bytes] = []

    def handler(request: httpx.Request) -> httpx.Response:
        bodies.append(request.read())
        return httpx.Response(502)

    with _client_of(handler) as client, pytest.raises(ServerError):
        client.predict(b"photo's bytes")
    assert b"photo's bytes" in bodies[0]
    assert b'name="photo"; filename="photo"' in bodies[0]


def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with JetsonClient(url) as client, pytest.raises(ServerError, match=f"{url} does not answer") as error:
        client.check_ready()
    assert "dermport serve" in error.value.remedy


def test_a_name_that_does_not_resolve() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("Name or service not known")

    with _client_of(handler) as client, pytest.raises(ServerError, match="does not answer: Name or service not known"):
        client.check_ready()


def test_a_server_that_hangs() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("timed out")

    with _client_of(handler) as client, pytest.raises(ServerError, match=r"took too long to answer /v1/predict"):
        client.predict(b"x")


def test_something_else_answers() -> None:
    with (
        _client_of(lambda _: httpx.Response(502, text="<html>Bad gateway")) as client,
        pytest.raises(ServerError, match="HTTP 502 without saying why"),
    ):
        client.predict(b"x")
    with (
        _client_of(lambda _: httpx.Response(200, json={"status": "fine"})) as client,
        pytest.raises(ServerError, match="another form than agreed: label"),
    ):
        client.predict(b"x")
    with (
        _client_of(lambda _: httpx.Response(200, text="<html>")) as client,
        pytest.raises(ServerError, match="another form than agreed"),
    ):
        client.check_ready()


@pytest.mark.parametrize("url", ["jetson.local:8080", "ftp://jetson", "", "http://jetson:port"])
def test_no_address(url: str) -> None:
    with pytest.raises(UsageError, match="no server's address"):
        JetsonClient(url)
