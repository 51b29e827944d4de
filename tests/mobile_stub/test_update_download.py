"""The files that the updater fetches: broken off, changed on the way, or answered by something else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dermport.errors import IntegrityError, RequestError, ServerError
from dermport.mobile_stub import download as downloads
from dermport.mobile_stub.client import httpx
from dermport.mobile_stub.release_client import ReleaseClient
from tests.mobile_stub.handset import URL, Handset
from tests.server.delivery.made import WEIGHTS


def _only(path: str, answer: Callable[[httpx.Request, httpx.Response], httpx.Response]) -> Any:
    return lambda request, response: answer(request, response) if request.url.path.endswith(path) else response


def _with_body(response: httpx.Response, body: bytes) -> httpx.Response:
    headers = {name: value for name, value in response.headers.items() if name == "content-range"}
    return httpx.Response(response.status_code, content=body, headers=headers)


def _file(response: httpx.Response) -> bytes:
    return b"".join(response.iter_bytes())


def test_download_goes_on_where_it_broke(handset: Handset) -> None:
    handset.road.meddle = _only("model.tflite", lambda _, response: _with_body(response, _file(response)[:40_000]))
    assert handset.update().model.checked().read_bytes() == WEIGHTS
    asked = [request.headers.get("Range") for request in handset.road.asked if request.url.path.endswith("tflite")]
    assert asked == [None, "bytes=40000-", "bytes=80000-"]


def test_download_goes_on_after_the_phone_was_off(handset: Handset) -> None:
    def break_off(_: httpx.Request, response: httpx.Response) -> httpx.Response:
        class Broken(httpx.SyncByteStream):
            def __iter__(self) -> Iterator[bytes]:
                yield _file(response)[:1000] if len(broken) < 1 else b""
                broken.append(1)
                raise httpx.ReadError("connection reset")

        return httpx.Response(response.status_code, stream=Broken(), headers=_with_body(response, b"").headers)

    broken: list[int] = []
    handset.road.meddle = _only("model.tflite", break_off)
    handset.fails(ServerError, "connection reset")
    assert len(broken) == 1 + downloads.TRIES
    handset.road.meddle = lambda _, response: response
    handset.road.asked.clear()
    assert handset.update().changed
    [again] = [request for request in handset.road.asked if request.url.path.endswith("tflite")]
    assert again.headers["Range"].startswith("bytes=")


def test_server_that_knows_no_ranges(handset: Handset) -> None:
    def whole(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        return httpx.Response(200, content=WEIGHTS[:50_000] if "Range" not in request.headers else WEIGHTS)

    handset.road.meddle = _only("model.tflite", whole)
    assert handset.update().model.checked().read_bytes() == WEIGHTS


def test_gzip_is_asked_for_first(handset: Handset) -> None:
    handset.update()
    [asked] = [request for request in handset.road.asked if request.url.path.endswith("tflite")]
    assert asked.headers["Accept-Encoding"] == "gzip"
    assert list((handset.site.folder / "state" / "compressed").glob("*.gz"))


@pytest.mark.parametrize("content", [WEIGHTS[:-1] + b"!", b"x" * len(WEIGHTS), WEIGHTS + b"!", WEIGHTS * 3])
def test_file_that_was_changed_on_the_way(handset: Handset, content: bytes) -> None:
    handset.update()
    handset.roll_out()
    handset.road.meddle = _only(
        "1.1.0/files/exports/tflite-fp16/model.tflite", lambda *_: httpx.Response(200, content=content)
    )
    if content[: len(WEIGHTS)] != WEIGHTS:
        handset.fails(IntegrityError, "model.tflite is not the file that the signed manifest lists")
    handset.road.meddle = lambda _, response: response
    assert handset.update().model.key == "ham7/1.1.0"


def test_server_that_sends_nothing(handset: Handset) -> None:
    handset.road.meddle = _only("model.tflite", lambda *_: httpx.Response(200, content=b""))
    handset.fails(ServerError, "sends less of exports/tflite-fp16/model.tflite than it promised")


def test_file_that_changed_on_the_server(handset: Handset) -> None:
    handset.update()
    handset.roll_out()
    bundle = handset.site.models.bundle("ham7", "1.1.0")
    (bundle.export_folder("tflite", "fp16") / "model.tflite").write_bytes(b"another")
    handset.fails(RequestError, "not the one that the manifest lists")


@pytest.mark.parametrize("status", [301, 304, 502])
def test_something_else_answers(handset: Handset, status: int) -> None:
    handset.road.meddle = lambda *_: httpx.Response(status, text="<html>", headers={"Location": "http://evil.test/"})
    handset.fails(ServerError, f"HTTP {status} without saying why")
    assert {request.url.host for request in handset.road.asked} == {"jetson.test"}


def test_api_key_is_sent(handset: Handset) -> None:
    with ReleaseClient(URL, handset.road, api_key="dp_1") as client:
        client.signing_key()
    assert handset.road.asked[-1].headers["X-Api-Key"] == "dp_1"
