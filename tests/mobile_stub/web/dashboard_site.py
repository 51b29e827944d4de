"""A server for the dashboard's tests: small models that really compute, and comparisons posted through its own API.

``python -m tests.mobile_stub.web.dashboard_site`` serves it until it is stopped, to be looked at.
"""

from __future__ import annotations

import io
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import WSGIRequestHandler, make_server

from dermport.bundle.golden import GoldenIndex, GoldenPhoto, GoldenSet, write_golden
from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.store import Bundle, file_entries, write_manifest
from dermport.bundle.wire import IDEMPOTENCY_HEADER, ComparisonRequest, PhoneDevice
from dermport.server.app import create_app
from dermport.server.comparing.artifacts import ArtifactRunner
from dermport.server.config import AccessConfig, ServerConfig, StorageConfig
from dermport.server.security.tokens import new_token
from dermport.server.services import Services
from dermport.server.serving.runtimes import ServingCandidate
from dermport.server.storage.api_keys import ApiKey, ApiKeys
from dermport.server.storage.base import utc_now
from tests.factories import LABELS, draw_photo
from tests.server.comparing import linear
from tests.server.comparing.linear import LinearRuntime, phone_says, tensor_of

SOURCES = Path(__file__).parents[3] / "dermport" / "mobile_stub" / "web"
DEVICES = (("ana-1", "Pixel 9"), ("ana-2", "Pixel 9"), ("luz-1", "iPhone 16"), ("ward-3", "Galaxy A15"))
PLANTED = ("preprocessing", "photo-changed", "model", "runtime", "unexplained")
_CANDIDATE = ServingCandidate(
    "linear", "Linear", "onnx", ("fp32",), "batcher", lambda export, _threads: LinearRuntime(export.artifact)
)


def make_models(folder: Path) -> tuple[Bundle, Bundle]:
    """Write two versions of a model, each with what server and phones run; their golden sets are their own answers."""
    return _make_model(folder / "1.0.0", 2.0), _make_model(folder / "1.1.0", 1.2)


def _make_model(folder: Path, scale: float) -> Bundle:
    bundle = linear.make_bundle(folder, folder.name)
    server = linear.export(bundle, "onnx", "fp32", scale)
    linear.export(bundle, "tflite", "fp32", scale)
    linear.export(bundle, "tflite", "int8", scale * 0.9)
    tensors = np.stack([tensor_of(draw_photo(label, 900), bundle) for label in range(len(LABELS))])
    photos = tuple(
        GoldenPhoto(
            photo=f"photos/{label}.jpg",
            label=label,
            lesion_id=None,
            input_sha256=sha256_bytes(tensor.tobytes()),
            probabilities=tuple(map(float, row)),
        )
        for label, tensor, row in zip(LABELS, tensors, LinearRuntime(server.artifact).predict(tensors), strict=True)
    )
    write_golden(folder / "golden", GoldenSet(GoldenIndex(photos=photos), tensors), {})
    golden = tuple(
        entry.model_copy(update={"path": f"golden/{entry.path}"}) for entry in file_entries(folder / "golden")
    )
    manifest = bundle.manifest
    write_manifest(folder, manifest.model_copy(update={"files": (*manifest.files, *golden)}))
    return Bundle.open(folder)


@dataclass
class Site:
    """A running server.

    Attributes:
        url: Where it answers.
        services: What is behind it.
        models: Version 1.0.0, which is live, and 1.1.0.
        keys: An API key by scope; empty where none are asked for.
        now: The time of the next comparison.
    """

    url: str
    app: Flask
    services: Services
    models: tuple[Bundle, Bundle]
    keys: dict[str, str] = field(default_factory=dict)
    now: datetime = field(default_factory=utc_now)

    def post(self, said: ComparisonRequest, photo: bytes | None, prepared: bytes | None = None) -> dict[str, Any]:
        """Post what a phone says, through the API."""
        parts = {"comparison": said.model_dump_json().encode(), "photo": photo, "prepared": prepared}
        files = {name: (io.BytesIO(data), name) for name, data in parts.items() if data is not None}
        headers = {**self.headers, IDEMPOTENCY_HEADER: said.client_id or ""}
        answer = self.client.post("/v1/comparisons", data=files, headers=headers)
        assert answer.status_code == 201, answer.text
        return dict(answer.json)

    def fill(self, days: int = 24, a_day: int = 6) -> None:
        """Post comparisons of several devices on each of some days, one of nine with a planted fault.

        Then version 1.1.0, rolled out to a quarter of the Android phones, answers wrongly on some of them: the drift
        alarm pauses it. On the web it goes on.
        """
        random = np.random.default_rng(3)
        today = self.now
        for number in range(days * a_day):
            day, hour = divmod(number, a_day)
            self.now = today - timedelta(days=days - 1 - day, minutes=7 * (a_day - hour))
            planted = PLANTED[number // 9 % len(PLANTED)] if number % 9 == 4 else ""
            if day % 7 != 5:  # nobody works on one day of the week
                self.compare(number, planted, *DEVICES[int(random.choice(4, p=(0.4, 0.1, 0.3, 0.2)))])
        self.now = today
        self.roll_out("android", 25)
        self.now = utc_now()  # a roll-out is judged by what was said since it began
        for number in range(34):
            device = (("ward-9", "Galaxy A15"), DEVICES[0])[number // 4 % 2]
            self.compare(1000 + number, "runtime" if number % 4 == 0 else "", *device, candidate=True)
        self.roll_out("web", 10, minimum_app_version="2.1.0")
        for seed in range(12):
            photo = (io.BytesIO(draw_photo(0, seed)), "photo.jpg")
            assert self.client.post("/v1/predict", data={"photo": photo}, headers=self.headers).status_code == 200

    def roll_out(self, platform: str, percentage: int, **other: Any) -> None:
        """Roll version 1.1.0 out, through the API."""
        wish = {"model": "tiny", "platform": platform, "candidate": "1.1.0", "percentage": percentage, **other}
        answer = self.client.put("/v1/admin/rollouts", json=wish, headers=self.headers)
        assert answer.status_code == 200, answer.text

    @property
    def client(self) -> FlaskClient:
        return self.app.test_client()

    @property
    def headers(self) -> dict[str, str]:
        """What opens everything."""
        return {"X-Api-Key": self.keys["admin"]} if self.keys else {}

    def compare(
        self, seed: int, planted: str = "", device: str = "ana-1", model: str | None = None, candidate: bool = False
    ) -> dict[str, Any]:
        """Post one comparison of a drawn photo, with a planted fault if one is named."""
        live, other = self.models
        bundle = other if candidate or planted == "model" else live
        photo = draw_photo(seed % len(LABELS), seed)
        tensor = tensor_of(photo, live)
        given = np.rot90(tensor, 2).copy() if planted == "preprocessing" else tensor  # as if EXIF were ignored
        exported = bundle.export("tflite", "int8" if seed % 3 == 0 and not (planted or candidate) else "fp32")
        said = phone_says(exported, given, photo, client_id=f"c-{seed}", device=PhoneDevice(id=device, model=model))
        changes = _CHANGES.get(planted, dict)(said) if planted in _CHANGES else {}
        prepared = linear.png(given) if planted == "preprocessing" else None
        return self.post(said.model_copy(update=changes), photo, prepared)


def _turned(said: ComparisonRequest) -> dict[str, Any]:
    """Give each probability to the next label."""
    labels, values = list(said.probabilities), list(said.probabilities.values())
    return {"probabilities": dict(zip(labels, [*values[1:], values[0]], strict=True))}


def _elsewhere(said: ComparisonRequest) -> dict[str, Any]:
    return {"photo_sha256": "5" * 64, "input_sha256": "6" * 64, **_turned(said)}


def _unknown(said: ComparisonRequest) -> dict[str, Any]:
    return {"artifact_sha256": "7" * 64, "model_sha256": None, **_turned(said)}


_CHANGES: dict[str, Callable[[ComparisonRequest], dict[str, Any]]] = {
    "runtime": _turned,
    "photo-changed": _elsewhere,
    "unexplained": _unknown,
}


class _Quiet(WSGIRequestHandler):
    def log_request(self, *args: object) -> None:
        """Say nothing: the page asks for dozens of files."""


@contextmanager
def serving(folder: Path, web: Path = SOURCES, keys: bool = False) -> Iterator[Site]:
    """Serve two models and the files in `web` on this machine, until the block ends."""
    models = make_models(folder / "models")
    config = ServerConfig(
        (folder / "models",), StorageConfig(folder / "state"), access=AccessConfig(keys=keys), web=web
    )
    runner = partial(ArtifactRunner, loaders={"tflite": LinearRuntime})
    with mock.patch("dermport.server.assembly.ArtifactRunner", runner):
        app = create_app(config, (_CANDIDATE,))
    services: Services = app.extensions["dermport"]
    listener = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=listener.serve_forever, daemon=True)
    thread.start()
    site = Site(f"http://127.0.0.1:{listener.server_port}", app, services, models)
    services.comparisons._now = lambda: site.now
    if keys:
        site.keys = {scope: _key(services, scope) for scope in ("predict", "admin")}
    try:
        yield site
    finally:
        listener.shutdown()
        thread.join()
        services.close()


def _key(services: Services, *scopes: str) -> str:
    token = new_token()
    scopes = ("predict", "compare", "admin") if "admin" in scopes else scopes
    ApiKeys(services.database).add(
        ApiKey(token.id, "a test's", token.secret_sha256, frozenset(scopes), utc_now(), None)
    )
    return str(token)


def main() -> None:
    """Serve a filled site until it is stopped."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as site:
        site.fill()
        print(f"{site.url}/dashboard/", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
