"""The state folder of a running server: deleted, taken by a second one, open to others, without its key."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.store import Bundle
from dermport.bundle.wire import ComparisonRequest
from tests.server.fakes import golden_photo
from tests.server.live import DERMPORT, Server, serving

pytestmark = pytest.mark.xdist_group("exports")
OPTIONS = ("--runtime", "litert", "--workers", "2")
JPEG = {"Content-Type": "image/jpeg"}


def _compare(server: Server, bundle: Bundle) -> httpx.Response:
    golden, photo = bundle.golden().index.photos[0], golden_photo(bundle).read_bytes()
    said = ComparisonRequest(
        probabilities=dict(zip(bundle.manifest.task.ids, golden.probabilities, strict=True)),
        input_sha256=golden.input_sha256,
        photo_sha256=sha256_bytes(photo),
        artifact_sha256="0" * 64,
        runtime="LiteRT 2",
        app_version="1.0",
    )
    files = {"comparison": (None, said.model_dump_json()), "photo": ("photo", photo)}
    return httpx.post(f"{server.url}/v1/comparisons", files=files, timeout=30)


def _predicts(server: Server, bundle: Bundle) -> bool:
    photo = golden_photo(bundle).read_bytes()
    return httpx.post(f"{server.url}/v1/predict", content=photo, headers=JPEG, timeout=30).is_success


def _degraded(server: Server) -> list[str]:
    return list(httpx.get(f"{server.url}/readyz", timeout=30).json()["degraded"])


def _manifest(server: Server, bundle: Bundle) -> httpx.Response:
    path = f"/v1/models/{bundle.manifest.name}/{bundle.manifest.version}/manifest"
    return httpx.get(f"{server.url}{path}", timeout=30)


def _modes(state: Path) -> dict[str, int]:
    paths = [state, *state.rglob("*")]
    return {str(path): stat.S_IMODE(path.stat().st_mode) for path in paths if path.exists()}


def _refused(state: Path, bundle: Bundle) -> str:
    command = (*DERMPORT, "serve", str(bundle.path), "--port", "0", "--state", str(state))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    return done.stderr


def _until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.1)


def test_the_life_of_a_state_folder(shared_exports: Bundle, tmp_path: Path) -> None:
    state, away = tmp_path / "state", tmp_path / "away"
    old = os.umask(0)  # as careless as can be
    try:
        with serving(shared_exports.path, state, *OPTIONS, "--keep-photos") as server:
            assert _compare(server, shared_exports).status_code == 201
            assert _degraded(server) == []
            assert [path for path, mode in _modes(state).items() if mode & 0o077] == []

            said = _refused(state, shared_exports)  # a second server
            assert "Another server" in said
            assert "--state" in said
            keys = (*DERMPORT, "keys", "create", "beside", "--state", str(state))
            assert subprocess.run(keys, check=False, capture_output=True).returncode == 0

            state.rename(away)
            _until(lambda: _degraded(server) == ["The server's storage is gone."])
            assert _compare(server, shared_exports).status_code == 507
            assert _predicts(server, shared_exports)
            for pid in server.workers()[:1]:  # the one that takes its place makes no state, either
                os.kill(pid, 9)
            _until(lambda: _predicts(server, shared_exports))
            assert _compare(server, shared_exports).status_code == 507
            assert not state.exists()
            assert "is gone" in server.said()

            away.rename(state)
            _until(lambda: _degraded(server) == [])
            assert _compare(server, shared_exports).status_code == 201
    finally:
        os.umask(old)


def test_lost_keys_are_not_replaced(shared_exports: Bundle, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serving(shared_exports.path, state, *OPTIONS) as server:
        first = httpx.get(f"{server.url}/v1/signing-key", timeout=30).json()
        assert _manifest(server, shared_exports).is_success
    kept = tmp_path / "kept"
    shutil.copytree(state, kept)
    shutil.rmtree(state / "roots")
    for key in state.glob("*.key"):
        key.unlink()
    (state / "dermport.db").chmod(0o644)  # as an older version left it
    with serving(shared_exports.path, state, *OPTIONS) as server:
        assert (state / "dermport.db").stat().st_mode & 0o077 == 0
        answer = _manifest(server, shared_exports)
        assert (answer.status_code, answer.json()["code"]) == (503, "signing-key-unavailable")
        assert _predicts(server, shared_exports)
        assert any("signing key" in words for words in _degraded(server))
        assert "new-signing-key" in server.said()
        assert not list(state.glob("*.key"))
        shutil.copytree(kept / "roots", state / "roots")
        for key in kept.glob("*.key"):
            shutil.copy2(key, state)
        _until(lambda: _manifest(server, shared_exports).is_success)
        assert httpx.get(f"{server.url}/v1/signing-key", timeout=30).json() == first
    shutil.rmtree(state / "roots")
    (state / "signing.key").unlink()
    command = (*DERMPORT, "keys", "new-signing-key", "--state", str(state))
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    with serving(shared_exports.path, state, *OPTIONS) as server:
        assert _manifest(server, shared_exports).is_success
        assert httpx.get(f"{server.url}/v1/signing-key", timeout=30).json()["key_id"] != first["key_id"]
