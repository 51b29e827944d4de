"""A full disk: comparisons are refused with a reason and a time, and photos are answered all the same."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.store import Bundle
from dermport.bundle.wire import ComparisonRequest
from tests.server.fakes import config_of, golden_photo, recall_app
from tests.server.small_disk import small_disk


def _compare(client: FlaskClient, bundle: Bundle) -> TestResponse:
    golden = bundle.golden().index.photos[0]
    photo = golden_photo(bundle).read_bytes()
    said = ComparisonRequest(
        probabilities=dict(zip(bundle.manifest.task.ids, golden.probabilities, strict=True)),
        input_sha256=golden.input_sha256,
        photo_sha256=sha256_bytes(photo),
        artifact_sha256="0" * 64,
        runtime="LiteRT 2",
        app_version="1.0",
    )
    form = {"comparison": said.model_dump_json(), "photo": (io.BytesIO(photo), "photo")}
    return client.post("/v1/comparisons", data=form)


def _predict(client: FlaskClient, photo: Path) -> int:
    return client.post("/v1/predict", data=photo.read_bytes(), content_type="image/jpeg").status_code


def test_a_full_disk_still_predicts(tiny_bundle: Bundle) -> None:
    with small_disk(config_of(tiny_bundle).storage.folder, megabytes=2) as state:
        app = recall_app(tiny_bundle)
        client, photo = app.test_client(), golden_photo(tiny_bundle)
        assert _compare(client, tiny_bundle).status_code == 201
        ballast = state / "ballast"
        with ballast.open("wb", buffering=0) as file:
            while file.write(bytes(4096)) == 4096 and _free(state) > 8192:
                pass
        refused = [answer for answer in (_compare(client, tiny_bundle) for _ in range(20)) if answer.status_code != 201]
        assert refused, "20 comparisons fit into 8 KiB"
        for answer in refused:
            assert answer.status_code == 507
            assert answer.json
            assert answer.json["code"] == "storage-unavailable"
            assert int(answer.headers["Retry-After"]) >= 1
        assert _predict(client, photo) == 200
        ballast.unlink()
        assert _compare(client, tiny_bundle).status_code == 201
        app.extensions["dermport"].close()


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free
