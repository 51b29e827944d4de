"""Several processes that are one server: what holds in one of them holds in all, through the real `dermport serve`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from dermport.server.sharing.board import Board, sweep
from dermport.server.sharing.run_folder import run_place
from tests.server.fakes import golden_photo
from tests.server.linear_onnx import make_linear
from tests.server.live import DERMPORT, Server, serving

JPEG = {"Content-Type": "image/jpeg"}
OPTIONS = ("--runtime", "onnxruntime", "--workers", "2")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("processes") / "models"
    for seed in range(1, 5):
        make_linear(folder / str(seed), f"{seed}.0.0", seed)
    return folder


@pytest.fixture(scope="module")
def photo(models: Path) -> bytes:
    from dermport.bundle.store import Bundle

    return golden_photo(Bundle.open(models / "1")).read_bytes()


@pytest.fixture(scope="module")
def server(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without keys."""
    with serving(models, tmp_path_factory.mktemp("state") / "state", *OPTIONS) as running:
        yield running


def _ask(url: str, photo: bytes, **headers: str) -> httpx.Response:
    """Post a photo over a connection of its own, which either process may take."""
    return httpx.post(f"{url}/v1/predict", content=photo, headers={**JPEG, **headers}, timeout=30)


def _figure(url: str, name: str) -> float:
    lines = httpx.get(f"{url}/metrics", timeout=30).text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def _until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.05)


def _keys(state: Path, *words: str) -> Any:
    done = subprocess.run(
        [*DERMPORT, "keys", *words, "--state", str(state), "--json"], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_a_revoked_key_ends_in_every_process_at_once(models: Path, photo: bytes, tmp_path: Path) -> None:
    state = tmp_path / "state"
    admin = _keys(state, "create", "boss", "--scope", "admin")["key"]
    with serving(models, state, *OPTIONS, "--keys") as server:
        for round_ in range(3):
            made = _keys(state, "create", f"phone {round_}")
            key = {"X-Api-Key": made["key"]}
            assert [_ask(server.url, photo, **key).status_code for _ in range(8)] == [200] * 8
            gone = httpx.delete(f"{server.url}/v1/keys/{made['id']}", headers={"X-Api-Key": admin}, timeout=30)
            assert gone.status_code == 204
            assert [_ask(server.url, photo, **key).status_code for _ in range(8)] == [401] * 8
        made = _keys(state, "create", "another")
        assert _ask(server.url, photo, **{"X-Api-Key": made["key"]}).status_code == 200
        subprocess.run([*DERMPORT, "keys", "revoke", made["id"], "--state", str(state)], check=True)  # another program
        assert [_ask(server.url, photo, **{"X-Api-Key": made["key"]}).status_code for _ in range(8)] == [401] * 8


def test_swaps_fail_no_request_and_mix_no_models(server: Server, photo: bytes) -> None:
    versions = ("1.0.0", "2.0.0", "3.0.0", "4.0.0")
    activated, answers = [0], list[tuple[int, int]]()
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            before = activated[-1]
            response = _ask(server.url, photo)
            assert response.status_code == 200, response.text
            answers.append((before, versions.index(response.json()["model"]["version"])))

    with ThreadPoolExecutor(4) as threads:
        asking = [threads.submit(ask) for _ in range(4)]
        for number in range(1, 4):
            body = {"name": "linear", "version": versions[number]}
            answered = httpx.post(f"{server.url}/v1/admin/models/activate", json=body, timeout=60)
            assert answered.status_code == 200, answered.text
            activated.append(number)
            wanted = len(answers) + 8
            _until(lambda wanted=wanted: len(answers) >= wanted)  # type: ignore[misc]
        over.set()
        for one in asking:
            one.result()
    assert [one for one in answers if one[1] < one[0]] == [], "an older model answered than the one that was live"
    assert {version for _, version in answers} == {0, 1, 2, 3}


def test_figures_are_those_of_all_processes(server: Server, photo: bytes) -> None:
    name = 'dermport_requests_total{method="POST",route="/v1/predict",status="200"}'
    before = _figure(server.url, name)
    for _ in range(12):
        assert _ask(server.url, photo).status_code == 200
    assert {_figure(server.url, name) - before for _ in range(6)} == {12}
    assert _figure(server.url, "dermport_slots ") == 2


def test_a_killed_process_is_replaced_and_the_others_go_on(server: Server, photo: bytes) -> None:
    name = 'dermport_requests_total{method="POST",route="/v1/predict",status="200"}'
    before, lost = _figure(server.url, name), _figure(server.url, "dermport_worker_restarts_total")
    victim = server.workers()[0]
    os.kill(victim, signal.SIGKILL)
    _until(lambda: victim not in server.workers() and len(server.workers()) == 2)
    _until(lambda: _figure(server.url, "dermport_slots ") == 2)
    for _ in range(8):
        assert _ask(server.url, photo).status_code == 200
    assert _figure(server.url, name) - before == 8  # what the dead one had counted is counted on
    assert _figure(server.url, "dermport_worker_restarts_total") - lost == 1


def test_limits_count_over_all_processes(models: Path, photo: bytes, tmp_path: Path) -> None:
    with serving(models, tmp_path / "state", *OPTIONS, "--rate", "20") as server:
        statuses = [_ask(server.url, photo).status_code for _ in range(30)]
    assert 20 <= statuses.count(200) <= 24  # and what was filled again meanwhile
    assert set(statuses) == {200, 429}


def test_what_killed_servers_left_is_removed_by_the_next(tmp_path: Path) -> None:
    dead, young, alive = (tmp_path / f"dermport-0-{name}" for name in ("dead", "young", "alive"))
    for folder in (dead, young, alive):
        folder.mkdir()
    boards = Board(dead, tidy=False), Board(alive)
    boards[0].close()
    (young / "board").write_bytes(b"")
    for folder in (dead, alive):
        os.utime(folder, (0, 0))
    sweep(tmp_path / "dermport-0-mine")
    assert sorted(tmp_path.iterdir()) == sorted((young, alive))
    boards[1].close()


def test_nothing_is_left_in_memory(models: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serving(models, state, *OPTIONS) as server:
        assert (run_place(state) / "board").exists()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0
    assert not run_place(state).exists()
