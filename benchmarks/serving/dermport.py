"""Our own server under test."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import cast

from benchmarks.serving.http import form_bytes, request_bytes
from benchmarks.serving.photos import RequestPhoto
from benchmarks.serving.servers import Launch
from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.manifest import PREP_ID
from dermport.bundle.prep import prepare
from dermport.bundle.store import Bundle
from dermport.bundle.wire import API_KEY_HEADER, COMPARISON_FIELD, PHOTO_FIELD, PREP_HEADER, ComparisonRequest

PROGRAM = (sys.executable, "-m", "dermport")


@dataclass(frozen=True)
class Dermport:
    """``dermport serve``.

    Attributes:
        bundles: Folder of the bundle, or of several.
        workers: Worker processes.
        runtime: ``onnxruntime`` or ``litert``.
        precision: The precision of the export.
        state: The server's state; None for a folder that ends with it.
        key: The API key that requests bring; empty where the server asks for none.
    """

    bundles: Path
    workers: int
    runtime: str = "onnxruntime"
    precision: str = "fp32"
    state: Path | None = None
    key: str = ""

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"dermport ({self.runtime} {self.precision})"

    @property
    def whole(self) -> bool:
        """Whether it gives the whole answer."""
        return True

    def launch(self, port: int) -> Launch:
        """Return how it is started."""
        options = {
            "port": port,
            "runtime": self.runtime,
            "precision": self.precision,
            "workers": self.workers,
            # The folder that it is started in is an empty one, of its own.
            "state": self.state or "state",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        keys = ("--keys",) if self.key else ()
        return Launch((*PROGRAM, "serve", str(self.bundles.resolve()), *words, *keys), {})

    def request(self, photo: RequestPhoto) -> bytes:
        """Return the HTTP request that asks for a photo's label."""
        headers = {"Content-Type": photo.media}
        if photo.form == "prepared":
            headers[PREP_HEADER] = PREP_ID
        path = "/v1/predict?decoding=draft" if photo.form == "draft" else "/v1/predict"
        return self.asking("POST", path, photo.data, headers)

    def comparison(self, photo: RequestPhoto, probabilities: dict[str, float]) -> bytes:
        """Return the HTTP request of a phone that has said the same of a photo as the server will."""
        said = ComparisonRequest(
            probabilities=probabilities,
            input_sha256=prepare(photo.data, self._bundle.manifest.preprocessing).input_sha256,
            photo_sha256=sha256_bytes(photo.data),
            artifact_sha256=self._bundle.export("onnx", self.precision).record.artifact_sha256,
            runtime="onnxruntime",
            app_version="1",
        )
        json_part = (COMPARISON_FIELD, "application/json", said.model_dump_json(exclude_none=True).encode())
        media, body = form_bytes([json_part, (PHOTO_FIELD, photo.media, photo.data)])
        return self.asking("POST", "/v1/comparisons", body, {"Content-Type": media})

    def probabilities(self, body: bytes) -> dict[str, float]:
        """Return the probabilities by label that the body of an answer says."""
        return cast("dict[str, float]", json.loads(body)["probabilities"])

    def activation(self, name: str, version: str) -> bytes:
        """Return the HTTP request that makes another model live."""
        body = json.dumps({"name": name, "version": version}).encode()
        return self.asking("POST", "/v1/admin/models/activate", body, {"Content-Type": "application/json"})

    def asking(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
        """Return any HTTP request, with the key."""
        key = {API_KEY_HEADER: self.key} if self.key else {}
        return request_bytes(method, path, body, {**(headers or {}), **key})

    @cached_property
    def _bundle(self) -> Bundle:
        return Bundle.open(self.bundles)


def new_key(state: Path, *scopes: str) -> str:
    """Make an API key in a server's state, as whoever runs the server does."""
    words = [word for scope in scopes for word in ("--scope", scope)]
    command = [*PROGRAM, "keys", "create", "benchmark", "--state", str(state), "--json", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return cast("str", json.loads(done.stdout)["key"])
