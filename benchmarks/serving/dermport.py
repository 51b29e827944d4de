"""Our own server under test."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from benchmarks.serving.http import request_bytes
from benchmarks.serving.photos import RequestPhoto
from benchmarks.serving.servers import Launch
from dermport.bundle.manifest import PREP_ID
from dermport.bundle.wire import PREP_HEADER


@dataclass(frozen=True)
class Dermport:
    """``dermport serve``.

    Attributes:
        bundles: Folder of the bundle, or of several.
        workers: Worker processes.
        runtime: ``onnxruntime`` or ``litert``.
        precision: The precision of the export.
        process_model: ``workers``, ``batcher``, or ``auto`` for what suits the runtime.
    """

    bundles: Path
    workers: int
    runtime: str = "onnxruntime"
    precision: str = "fp32"
    process_model: str = "auto"

    @property
    def name(self) -> str:
        """What tables call it."""
        process_model = "" if self.process_model == "auto" else f", {self.process_model}"
        return f"dermport ({self.runtime} {self.precision}{process_model})"

    def launch(self, port: int) -> Launch:
        """Return how it is started."""
        program = Path(sys.executable).with_name("dermport")
        options = {
            "port": port,
            "runtime": self.runtime,
            "precision": self.precision,
            "process-model": self.process_model,
            "workers": self.workers,
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        # The folder that it is started in is an empty one, of its own.
        return Launch((str(program), "serve", str(self.bundles.resolve()), "--state", "state", *words), {})

    def request(self, photo: RequestPhoto) -> bytes:
        """Return the HTTP request that asks for a photo's label."""
        headers = {"Content-Type": photo.media}
        if photo.form == "prepared":
            headers[PREP_HEADER] = PREP_ID
        path = "/v1/predict?decoding=draft" if photo.form == "draft" else "/v1/predict"
        return request_bytes("POST", path, photo.data, headers)

    def probabilities(self, body: bytes) -> dict[str, float]:
        """Return the probabilities by label that the body of an answer says."""
        return cast("dict[str, float]", json.loads(body)["probabilities"])

    def activation(self, name: str, version: str) -> bytes:
        """Return the HTTP request that makes another model live."""
        body = json.dumps({"name": name, "version": version}).encode()
        return request_bytes("POST", "/v1/admin/models/activate", body, {"Content-Type": "application/json"})
