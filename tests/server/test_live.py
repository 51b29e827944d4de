"""The whole way on real artifacts: `dermport serve` on a free port, `dermport compare` against it."""

from __future__ import annotations

import csv
import http.client
import io
import json
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from PIL import Image

from dermport.bundle.prep import prepare
from dermport.bundle.store import Bundle
from dermport.bundle.vectors import FOLDER as VECTORS
from dermport.bundle.wire import Problem
from dermport.mobile_stub.client import JetsonClient
from dermport.server.upload import MAX_BODY

pytestmark = pytest.mark.xdist_group("exports")
DERMPORT = (sys.executable, "-m", "dermport")


@dataclass(frozen=True)
class Served:
    """A running server, with the line that it printed when it listened."""

    process: subprocess.Popen[str]
    ready: dict[str, Any]

    @property
    def url(self) -> str:
        return str(self.ready["url"])


@contextmanager
def _served(bundle: Bundle, *options: str) -> Iterator[Served]:
    with tempfile.TemporaryDirectory() as state, _process(bundle, "--state", state, *options) as server:
        yield server


@contextmanager
def _process(bundle: Bundle, *options: str) -> Iterator[Served]:
    command = (*DERMPORT, "serve", str(bundle.path), "--port", "0", "--json", *options)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Served(process, json.loads(process.stdout.readline()))
        finally:
            process.kill()


def _run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*DERMPORT, *map(str, command)], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def served(shared_exports: Bundle) -> Iterator[Served]:
    """The tiny bundle, served by LiteRT: the phone's own file."""
    with _served(shared_exports, "--runtime", "litert") as server:
        yield server


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """What phones send: every orientation, a 24-megapixel photo, and a few that must be refused."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for photo in VECTORS.glob("*.[jp][pn]g"):
        (folder / photo.name).write_bytes(photo.read_bytes())
    (folder / "cut.jpg").write_bytes((VECTORS / "exif-1.jpg").read_bytes()[:900])
    (folder / "text.png").write_text("no photo")
    (folder / "empty.jpg").touch()
    return folder


def test_the_same_file_gives_the_same_answers(
    served: Served, shared_exports: Bundle, photos: Path, tmp_path: Path
) -> None:
    assert served.ready["ready"]
    assert served.ready["runtime"]["reason"] == "chosen by --runtime"
    assert served.ready["model"]["precision"] == "fp32"
    html, table = tmp_path / "report.html", tmp_path / "report.csv"
    done = _run("compare", shared_exports.path, photos, "--server", served.url, "--out", html, "--out", table, "--json")
    assert done.returncode == 0, done.stderr
    comparison = json.loads(done.stdout)
    totals = comparison["totals"]
    assert totals["inputs_equal"] == totals["predicted"] == totals["photos"] - 3 >= 15
    assert totals["change"]["max"] <= 1e-5
    assert totals["causes"] == {"same": totals["predicted"], "refused": 3}
    assert {row["phone"]["artifact_sha256"] for row in comparison["photos"] if row["cause"] == "same"} == {
        shared_exports.export("tflite", "fp32").record.artifact_sha256
    }
    assert len(list(csv.DictReader(table.open()))) == totals["photos"]
    assert "24-megapixel.jpg" in html.read_text()
    again = _run("compare", shared_exports.path, photos, "--server", served.url, "--out", html)
    assert (again.returncode, again.stdout) == (2, "")
    assert f"{html} exists already" in again.stderr


def test_another_precision_is_the_artifacts_doing(served: Served, shared_exports: Bundle) -> None:
    golden = shared_exports.path / "golden" / "photos"
    command = ("compare", shared_exports.path, "--server", served.url, golden, "--phone-precision", "int8", "--json")
    done = _run(*command)
    assert done.returncode == 0, done.stderr
    totals = json.loads(done.stdout)["totals"]
    assert totals["inputs_equal"] == totals["predicted"] == totals["photos"]
    assert totals["causes"].get("artifact", 0) > totals["photos"] / 2
    assert set(totals["causes"]) <= {"artifact", "same"}


def test_compare_fails_a_check_where_the_inputs_differ(served: Served, exported_bundle: Bundle) -> None:
    manifest = exported_bundle.path / "bundle.json"
    manifest.write_text(manifest.read_text().replace('"full-frame"', '"centre-square"'))
    photo = VECTORS / "exif-1.jpg"
    done = _run("compare", exported_bundle.path, photo, "--server", served.url, "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["totals"]["causes"] == {"preprocessing": 1}


def test_onnx_runtime_comes_before_litert_and_says_why_it_is_not_tensorrt(shared_exports: Bundle) -> None:
    with _served(shared_exports) as server, JetsonClient(server.url) as client:
        ready = client.check_ready()
        answer = client.predict((VECTORS / "exif-6.jpg").read_bytes())
        assert answer.runtime.name.startswith("ONNX Runtime")
        assert answer.runtime.reason.startswith("no TensorRT: ")
        assert answer.photo.orientation == 6
        assert (answer.model.target, answer.model.precision) == ("onnx", "fp32")
        assert 0 < ready.worst_change < 1e-4
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(10) == 0
        assert server.process.stderr is not None
        assert server.process.stderr.read().endswith("Stopped.\n")


_LARGE = f"POST /v1/predict HTTP/1.1\r\nContent-Type: image/jpeg\r\nContent-Length: {MAX_BODY + 1}\r\n\r\n"


def _raw(url: str, head: bytes) -> tuple[int, str, bytes]:
    """Send bytes that no client would, and return status, content type and body."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(head)
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status, response.headers["Content-Type"], response.read()


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        (_LARGE.encode(), 413, "too-many-bytes"),
        (b"nonsense\r\n\r\n", 400, "bad-request"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 300_000 + b"\r\n\r\n", 431, "headers-too-large"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 400, "bad-request"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: magic\r\n\r\n", 501, "not-implemented"),
        (b"GET / HTTP/1.1\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\n", 400, "bad-request"),
    ],
)
def test_what_never_reaches_the_app_is_a_problem_too(served: Served, head: bytes, status: int, code: str) -> None:
    answered, kind, body = _raw(served.url, head)
    assert (answered, kind) == (status, "application/problem+json")
    assert Problem.model_validate_json(body).code == code


def test_nobody_answers(shared_exports: Bundle, tmp_path: Path) -> None:
    photo, report = VECTORS / "exif-1.jpg", tmp_path / "report.html"
    done = _run("compare", shared_exports.path, photo, "--server", "http://127.0.0.1:9", "--out", report)
    assert done.returncode == 2
    assert "http://127.0.0.1:9 does not answer" in done.stderr
    assert not report.exists()


def test_a_taken_port_is_said_in_plain_words(served: Served, shared_exports: Bundle, tmp_path: Path) -> None:
    port = str(urlsplit(served.url).port)
    done = _run("serve", shared_exports.path, "--port", port, "--runtime", "litert", "--state", tmp_path)
    assert done.returncode == 2
    assert f"port {port} cannot be bound" in done.stderr


def test_open_to_the_network_means_keys(shared_exports: Bundle, tmp_path: Path) -> None:
    made = _run("keys", "create", "phone", "--state", tmp_path, "--json")
    key = json.loads(made.stdout)["key"]
    photo = (VECTORS / "exif-1.jpg").read_bytes()
    with _process(shared_exports, "--state", str(tmp_path), "--runtime", "litert", "--host", "0.0.0.0") as server:
        url = server.url.replace("0.0.0.0", "127.0.0.1")
        headers = {"Content-Type": "image/jpeg"}
        refused = httpx.post(f"{url}/v1/predict", content=photo, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (401, "no-key")
        answered = httpx.post(f"{url}/v1/predict", content=photo, headers={**headers, "X-Api-Key": key})
        assert answered.status_code == 200
        assert httpx.get(f"{url}/readyz").status_code == 200
    refused = _run("serve", shared_exports.path, "--host", "0.0.0.0", "--no-keys", "--state", tmp_path)
    assert refused.returncode == 2
    assert "dermport keys create" in refused.stderr


def test_a_prepared_photo_is_its_own_input(served: Served, shared_exports: Bundle) -> None:
    spec = shared_exports.manifest.preprocessing
    made = prepare((VECTORS / "exif-6.jpg").read_bytes(), spec)
    png = io.BytesIO()
    Image.fromarray(made.tensor).save(png, "PNG")
    headers = {"Content-Type": "image/png", "X-Dermport-Prep": "dermport-prep/1"}
    answered = httpx.post(f"{served.url}/v1/predict", content=png.getvalue(), headers=headers).json()
    assert answered["input_sha256"] == made.input_sha256
    assert answered["photo"]["form"] == "prepared"
    wrong = httpx.post(f"{served.url}/v1/predict", content=(VECTORS / "exif-6.jpg").read_bytes(), headers=headers)
    assert wrong.json()["code"] == "not-prepared"
    other = httpx.post(
        f"{served.url}/v1/predict", content=png.getvalue(), headers={**headers, "X-Dermport-Prep": "dermport-prep/2"}
    )
    assert (other.status_code, other.json()["code"]) == (400, "unknown-preprocessing")


def test_a_draft_says_that_it_is_one(served: Served) -> None:
    photo = (VECTORS / "24-megapixel.jpg").read_bytes()
    answers = [
        httpx.post(f"{served.url}/v1/predict{query}", content=photo, headers={"Content-Type": "image/jpeg"}).json()
        for query in ("", "?decoding=draft")
    ]
    assert [answer["preprocessing"] for answer in answers] == ["dermport-prep/1", "dermport-prep/1-draft"]
    assert answers[0]["photo"] == answers[1]["photo"]
    unknown = httpx.post(f"{served.url}/v1/predict?decoding=quick", content=photo)
    assert unknown.status_code == 422
    assert "decoding" in unknown.json()["detail"]


def test_of_several_photos_each_has_its_own_answer(served: Served) -> None:
    photos = [(VECTORS / "exif-1.jpg").read_bytes(), b"no photo", (VECTORS / "exif-3.jpg").read_bytes()]
    files = [("photo", (f"{n}.jpg", photo, "image/jpeg")) for n, photo in enumerate(photos)]
    items = httpx.post(f"{served.url}/v1/predict/batch", files=files).json()["items"]
    assert [item["index"] for item in items] == [0, 1, 2]
    assert [(item["answer"] or {}).get("photo", {}).get("orientation") for item in items] == [1, None, 3]
    assert items[1]["problem"]["code"] == "unsupported-type"
    none = httpx.post(f"{served.url}/v1/predict/batch", files=[("other", b"x")])
    assert (none.status_code, none.json()["code"]) == (400, "photo-count")


def test_a_slow_sender_holds_up_nobody(served: Served) -> None:
    address = urlsplit(served.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as slow:
        slow.sendall(b"POST /v1/predict HTTP/1.1\r\nContent-Type: image/jpeg\r\nContent-Length: 1000\r\n\r\nabc")
        assert httpx.get(f"{served.url}/healthz").status_code == 200  # others are not held up meanwhile
