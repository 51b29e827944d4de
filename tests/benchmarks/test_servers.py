"""Servers under test: started, watched and stopped for real; the peers' descriptions."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.serving import environments, processes, servers
from benchmarks.serving.dermport import Dermport
from benchmarks.serving.http import ask, request_bytes
from benchmarks.serving.models import BenchmarkModel
from benchmarks.serving.peers import peers
from benchmarks.serving.photos import RequestPhoto
from benchmarks.serving.servers import Launch, running
from benchmarks.serving.watch import Watch
from dermport.errors import UnavailableError

PHOTO = RequestPhoto(b"photo")
MODEL = BenchmarkModel("small", Path("bundle"), "int8-cpu")
FOLDERS = sorted({peer.folder for peer in peers(MODEL, 2)})
ECHO = """
import http.server, subprocess, sys
stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"
child = subprocess.Popen([sys.executable, "-c", stubborn])
class Echo(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Echo).serve_forever()
"""


@dataclass(frozen=True)
class Script:
    """A server that is a few lines of Python."""

    code: str
    name: str = "script"
    whole: bool = False

    def launch(self, port: int) -> Launch:
        return Launch((sys.executable, "-c", self.code, str(port)), {})

    def request(self, photo: RequestPhoto) -> bytes:
        return request_bytes("POST", "/", photo.data)

    def probabilities(self, body: bytes) -> dict[str, float]:
        return {}


@pytest.fixture(autouse=True)
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "LOGS", tmp_path)


def test_server_is_up_for_the_block_and_all_its_processes_are_gone_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "_STOP_SECONDS", 0.2)
    with running(Script(ECHO), PHOTO) as live:
        assert ask(live.address, live.server.request(PHOTO), timeout=1.0) == (200, b"photo")
        family = processes.tree(live.pid)
        memory = live.memory()
        with Watch(live, period=0.01) as watch:
            pass
    assert len(family) == len(memory) == 2
    assert all(0 < one.pss <= one.rss <= one.peak for one in memory)
    assert 0 < live.seconds < 30
    (seen,) = watch.samples
    assert (seen.rss, seen.health) == (pytest.approx(sum(one.rss for one in memory), rel=0.1), 10)  # it has no /healthz
    assert seen.descriptors > len(family)
    deadline = time.monotonic() + 5
    while processes.memory_of(family) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not processes.memory_of(family)


def test_server_that_ends_is_reported_with_the_last_words_of_its_log() -> None:
    with (
        pytest.raises(UnavailableError, match="status 3; its log ends: no such model"),
        running(Script("print('no such model'); print(); raise SystemExit(3)"), PHOTO),
    ):
        pass


def test_peak_is_that_since_it_was_forgotten() -> None:
    code = "x = bytearray(50_000_000); del x; print(); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (before,) = processes.memory_of([process.pid])
        processes.forget_peaks([process.pid])
        (after,) = processes.memory_of([process.pid])
        process.kill()
    assert before.peak > before.rss + 30
    assert after.peak < before.peak - 30
    assert processes.tree(os.getpid())[0] == os.getpid()


def test_every_peer_has_a_server_and_pinned_packages() -> None:
    folder = Path(environments.ROOT, "benchmarks", "peers")
    assert sorted(path.parent.name for path in folder.glob("*/server.py")) == FOLDERS
    for name in FOLDERS:
        assert all("==" in line and "/" not in line for line in environments.requirements(name))


@pytest.mark.parametrize("name", FOLDERS)
def test_peer_decodes_and_infers_with_our_packages(name: str) -> None:
    wanted = dict(line.split("==") for line in environments.requirements(name))
    assert {package: environments.version(package) for package in ("onnxruntime", "pillow")}.items() <= wanted.items()


def test_triton_is_asked_in_tensors() -> None:
    triton = next(peer for peer in peers(MODEL, 2) if peer.name == "pytriton")
    head, _, body = triton.request(PHOTO).partition(b"\r\n\r\n")
    length = int(head.split(b"Inference-Header-Content-Length: ")[1].split()[0])
    (described,) = json.loads(body[:length])["inputs"]
    assert body[length:] == struct.pack("<I", len(PHOTO.data)) + PHOTO.data
    assert described["parameters"]["binary_data_size"] == len(body) - length
    answer = {"outputs": [{"name": "labels", "data": ["a", "b"]}, {"name": "probabilities", "data": [0.2, 0.8]}]}
    assert triton.probabilities(json.dumps(answer).encode()) == {"a": 0.2, "b": 0.8}


def test_ours_is_told_how_the_photo_was_prepared() -> None:
    ours = Dermport(Path("bundle"), 2)
    assert b"X-Dermport-Prep" not in ours.request(PHOTO)
    assert b"X-Dermport-Prep: dermport-prep/1\r\n" in ours.request(RequestPhoto(b"photo", "image/png", "prepared"))
    assert ours.request(RequestPhoto(b"photo", form="draft")).startswith(b"POST /v1/predict?decoding=draft ")
    assert b"X-Api-Key: dp_1\r\n" in Dermport(Path("bundle"), 2, key="dp_1").request(PHOTO)
