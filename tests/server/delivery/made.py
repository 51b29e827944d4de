"""Small bundles without Keras, and an app with the delivery's addresses alone."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from flask import g
from flask.testing import FlaskClient
from flask_openapi3 import OpenAPI

from dermport.bundle.golden import GoldenIndex, GoldenPhoto, GoldenSet, write_golden
from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.store import Bundle, write_manifest
from dermport.bundle.wire import ServedModel, ServedRuntime
from dermport.errors import StorageError
from dermport.server import problems
from dermport.server.api import delivery
from dermport.server.delivery.service import ModelDelivery
from dermport.server.delivery.signer import Signer
from dermport.server.delivery.switch import ModelSwitch
from dermport.server.serving.models import Alone, Models
from dermport.server.storage.activations import Activations
from dermport.server.storage.database import Database
from dermport.server.storage.offers import Offers
from dermport.server.storage.rollouts import Rollouts
from tests.factories import SIZE, manifest_of
from tests.server.fakes import add_files

WEIGHTS = b"weights, weights, weights; " * 4000


def make_release(
    path: Path, name: str = "ham7", version: str = "1.0.0", targets: tuple[str, ...] = ("tflite",)
) -> Bundle:
    """Write a whole bundle whose model is no model, with an export for each target."""
    random = np.random.default_rng(len(version))
    tensors = random.integers(0, 256, (3, SIZE, SIZE, 3), dtype=np.uint8)
    photos = tuple(
        GoldenPhoto(
            photo=f"photos/{i}.jpg",
            label=None,
            lesion_id=None,
            input_sha256=sha256_bytes(tensor.tobytes()),
            probabilities=(0.1, 0.2, 0.3, 0.4),
        )
        for i, tensor in enumerate(tensors)
    )
    write_golden(path / "golden", GoldenSet(GoldenIndex(photos=photos), tensors), {})
    (path / "model.keras").write_bytes(f"{name} {version}".encode())
    (path / "split.csv").write_text("photo_id\n")
    write_manifest(path, manifest_of(path, name, 1).model_copy(update={"version": version}))
    bundle = Bundle.open(path)
    for target in targets:
        add_artifact(bundle, target)
    return bundle


def add_artifact(bundle: Bundle, target: str = "tflite", precision: str = "fp16", content: bytes = WEIGHTS) -> None:
    """Record an artifact; Core ML's is a folder."""
    folder = ("model.mlpackage/Manifest.json", "model.mlpackage/Data/weight.bin")
    add_files(bundle, target, precision, folder if target == "coreml" else ("model.tflite",), content)


@dataclass
class StillLive:
    """A live model that answers nothing; loading one whose version is in `broken` fails its proof."""

    bundle: Bundle
    complaint: str = ""

    @property
    def model(self) -> ServedModel:
        manifest = self.bundle.manifest
        sha256 = self.bundle.model_sha256
        return ServedModel(
            name=manifest.name,
            version=manifest.version,
            sha256=sha256,
            artifact_sha256=sha256,
            target="x",
            precision="y",
        )

    @property
    def served_by(self) -> ServedRuntime:
        return ServedRuntime(name="Still 1.0", reason="")

    @property
    def proof(self) -> StillLive:
        return self

    def close(self) -> None:
        pass


class FullDisk(Database):
    """A database that can be told to fail."""

    full = False

    def writing(self) -> Any:
        if self.full:
            raise StorageError("full", reason="full")
        return super().writing()


@cache
def _empty_database() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/test.db")
        database.migrate()
        database.close()
        return (Path(folder) / "test.db").read_bytes()


@dataclass
class Site:
    """Everything behind a test's app, and the app's client."""

    folder: Path
    broken: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        (self.folder / "state").mkdir(exist_ok=True)
        (self.folder / "state" / "test.db").write_bytes(_empty_database())
        self.database = FullDisk(f"sqlite:///{self.folder / 'state' / 'test.db'}")
        self.activations, self.rollouts = Activations(self.database), Rollouts(self.database)
        self.signer = Signer(self.folder / "state")
        self.start()

    def start(self) -> None:
        """Start the server, again if it ran."""
        last = self.activations.last()
        self.models = Models((self.folder / "models",), self._open, Alone(last.key if last else None))
        self.delivery = ModelDelivery(
            self.models, self.rollouts, Offers(self.database), self.signer, self.folder / "state"
        )
        self.switch = ModelSwitch(self.models, self.activations, self.rollouts)
        self.app = OpenAPI(
            __name__, static_folder=None, doc_ui=False, validation_error_callback=problems.refuse_invalid
        )
        self.app.extensions["dermport"] = self
        self.app.before_request(lambda: setattr(g, "request_id", "test"))
        problems.register(self.app)
        self.app.register_api(delivery.api)

    @property
    def client(self) -> FlaskClient:
        return self.app.test_client()

    def _open(self, bundle: Bundle) -> Any:
        return StillLive(bundle, "It differs." if bundle.manifest.version in self.broken else "")
