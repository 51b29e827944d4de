"""Processes are killed and folders taken away while the server works: nothing is half, nothing acknowledged is lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from dermport.bundle.store import Bundle, write_manifest
from tests.server.fakes import golden_photo
from tests.server.linear_onnx import make_linear
from tests.server.live import Server, serving

OPTIONS = ("--runtime", "onnxruntime", "--workers", "2")
JPEG = {"Content-Type": "image/jpeg"}
TWO = {"name": "linear", "version": "2.0.0"}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_linear(tmp_path_factory.mktemp("linear") / "one")


@pytest.fixture
def models(bundle: Bundle, tmp_path: Path) -> Path:
    """A folder with two versions of a model."""
    folder = tmp_path / "models"
    shutil.copytree(bundle.path, folder / "one")
    shutil.copytree(bundle.path, folder / "two")
    write_manifest(folder / "two", bundle.manifest.model_copy(update={"version": "2.0.0"}))
    return folder


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def photo(bundle: Bundle) -> bytes:
    return golden_photo(bundle).read_bytes()


def _predict(url: str, photo: bytes) -> dict[str, Any]:
    response = httpx.post(f"{url}/v1/predict", content=photo, headers=JPEG, timeout=30)
    assert response.status_code == 200, response.text
    return dict(response.json())


@contextmanager
def _meanwhile(work: Callable[[], object], threads: int) -> Iterator[None]:
    """Have threads repeat `work` during the block; what they raise is raised at its end."""
    done = threading.Event()

    def repeat() -> None:
        while not done.is_set():
            work()

    with ThreadPoolExecutor(threads) as pool:
        running = [pool.submit(repeat) for _ in range(threads)]
        try:
            yield
        finally:
            done.set()
            for one in running:
                one.result()


def _until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


def _is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _is_replaced(url: str, restarts: int) -> bool:
    """Whether so many workers have died by now, and both are there again."""
    figures = httpx.get(f"{url}/metrics").text
    return f"\ndermport_worker_restarts_total {restarts}.0\n" in figures and "\ndermport_slots 2.0\n" in figures


def _kill(server: Server) -> None:
    """End the server as a power cut would, and see that its workers do not outlive it."""
    workers = server.workers()
    server.kill()
    _until(lambda: all(map(_is_gone, workers)))


def test_killed_workers_take_no_more_with_them_than_they_had(bundle: Bundle, state: Path, photo: bytes) -> None:
    answers: list[dict[str, Any]] = []
    lost: list[Exception] = []

    def ask() -> None:
        try:
            answers.append(_predict(server.url, photo))
        except httpx.TransportError as error:
            lost.append(error)

    with serving(bundle.path, state, *OPTIONS) as server, _meanwhile(ask, threads=4):
        for number in range(1, 4):
            os.kill(server.workers()[0], signal.SIGKILL)
            _until(partial(_is_replaced, server.url, number))
    assert len(answers) > 20
    assert len(lost) <= 3 * 4  # every client had one request at a time
    assert len({tuple(answer["probabilities"].values()) for answer in answers}) == 1


@pytest.mark.parametrize("seconds", [0.0, 0.3, None], ids=lambda seconds: f"after {seconds} s")
def test_a_kill_during_an_activation_leaves_the_old_or_the_new_model(
    models: Path, state: Path, photo: bytes, seconds: float | None
) -> None:
    acknowledged: list[dict[str, Any]] = []

    def activate(url: str) -> None:
        try:
            response = httpx.post(f"{url}/v1/admin/models/activate", json=TWO, timeout=30)
        except httpx.TransportError:
            return  # killed before it answered
        acknowledged.append(response.json())

    with serving(models, state, *OPTIONS) as server:
        assert _predict(server.url, photo)["model"]["version"] == "1.0.0"
        asking = threading.Thread(target=activate, args=(server.url,))
        asking.start()
        asking.join(seconds)  # None: until it is acknowledged
        _kill(server)
        asking.join()
    with serving(models, state, *OPTIONS) as server:
        version = _predict(server.url, photo)["model"]["version"]
        assert httpx.get(f"{server.url}/readyz").status_code == 200
    if acknowledged:
        assert acknowledged[0]["remembered"] is True
        assert version == "2.0.0"
    else:
        assert version in ("1.0.0", "2.0.0")
    assert acknowledged or seconds is not None


def test_a_kill_during_comparisons_loses_none_that_was_acknowledged(bundle: Bundle, state: Path, photo: bytes) -> None:
    artifact = bundle.export("onnx", "fp32").record.artifact_sha256
    acknowledged: dict[str, Any] = {}

    def compare(url: str) -> None:
        form = {"comparison": ("c", _said(answer, artifact)), "photo": ("p.jpg", photo)}
        try:
            response = httpx.post(f"{url}/v1/comparisons", files=form, timeout=30)
        except httpx.TransportError:
            time.sleep(0.01)  # killed
            return
        assert response.status_code == 201, response.text
        acknowledged[response.json()["id"]] = response.json()

    with serving(bundle.path, state, *OPTIONS, "--keep-photos") as server:
        answer = _predict(server.url, photo)
        with _meanwhile(lambda: compare(server.url), threads=4):
            _until(lambda: len(acknowledged) > 20)
            _kill(server)
    for file in (state / "photos").iterdir():
        os.utime(file, (0, 0))  # a younger one could be another process's, which is about to store its comparison
    with serving(bundle.path, state, *OPTIONS, "--keep-photos") as server, httpx.Client() as client:
        for comparison_id, told in acknowledged.items():
            assert client.get(f"{server.url}/v1/comparisons/{comparison_id}").json() == told
            assert (state / "photos" / f"{comparison_id}.png").exists()
        total = client.get(f"{server.url}/v1/comparisons/summary").json()["total"]
        assert len(acknowledged) <= total["comparisons"] <= len(acknowledged) + 4  # what was stored, but not yet said
        _until(lambda: not list((state / "photos").glob(".*.part")))  # half a photo


def _said(answer: dict[str, Any], artifact: str) -> bytes:
    return json.dumps(
        {
            "probabilities": answer["probabilities"],
            "input_sha256": answer["input_sha256"],
            "artifact_sha256": artifact,
            "runtime": "LiteRT",
            "app_version": "1",
        }
    ).encode()


def test_a_folder_that_vanishes_stops_nothing(models: Path, state: Path, photo: bytes) -> None:
    with serving(models, state, *OPTIONS) as server:
        before = _predict(server.url, photo)
        shutil.rmtree(models)
        after = _predict(server.url, photo)
        assert (after["model"], after["probabilities"]) == (before["model"], before["probabilities"])
        refused = httpx.post(f"{server.url}/v1/admin/models/activate", json=TWO, timeout=30)
        assert (refused.status_code, refused.json()["code"]) == (409, "not-activated")
        assert "cannot be loaded" in refused.json()["detail"]
        assert str(models) not in refused.text
        for path in ("/v1/models", "/v1/models/tiny/2.0.0/manifest", "/readyz", "/v1/models/latest?platform=ios"):
            response = httpx.get(f"{server.url}{path}", timeout=30)
            assert response.status_code < 500 or response.json()["code"] == "release-unavailable", response.text
            assert str(models) not in response.text
        assert _predict(server.url, photo)["model"] == before["model"]
