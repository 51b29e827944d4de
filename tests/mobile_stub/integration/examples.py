"""Real requests and the server's answers to them, as docs/integration/README.md shows them.

An example stands between ``<!-- example: NAME -->`` and ``<!-- end -->``. What differs from run to run (ids, times,
keys, milliseconds, versions) is replaced by fixed values, and probabilities have three digits.
"""

from __future__ import annotations

import base64
import io
import json
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from dermport.bundle.atomic import write_text
from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.prep import prepare
from dermport.bundle.signature import read_envelope
from dermport.bundle.wire import (
    API_KEY_HEADER,
    COMPARISON_FIELD,
    IDEMPOTENCY_HEADER,
    PHOTO_FIELD,
    PREP_HEADER,
    PREPARED_FIELD,
)
from dermport.mobile_stub.phone import PhoneModel, choose_artifacts
from dermport.mobile_stub.prediction import Prediction
from dermport.server.app import create_app
from dermport.server.config import AccessConfig, ServerConfig, ServingConfig, StorageConfig
from tests.mobile_stub.integration.golden import FOLDER, assemble, manifest_spec

README = FOLDER.parent / "README.md"
PHOTO = "progressive.jpg"
KEY = "9b2c1f4e-7d06-4c0a-8a53-0f6f1f0f8f11"
_PART = re.compile(r"(<!-- example: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_FIXED: dict[str, Any] = {
    "id": "4f1d2c3b5a697887a6b5c4d3e2f10fed",
    "created": "2026-01-02T03:04:05Z",
    "released": "2026-01-02T03:04:05Z",
    "request_id": "b7c0de5a4f3e4d2c9a8b7c6d5e4f3a2b",
    "key_id": "0123456789abcdef",
    "keyid": "0123456789abcdef",
    "pem": "-----BEGIN PUBLIC KEY----- … -----END PUBLIC KEY-----",
    "raw": "… 44 characters of base64 …",
    "sig": "… 88 characters of base64 …",
    "sequence": 1_767_323_045,
    "expires": "2026-02-01T03:04:05Z",
    "payload": "… base64 of the signed document …",
}


def in_step(text: str) -> str:
    """Return the README's text with every example asked for anew."""
    with tempfile.TemporaryDirectory() as folder:
        desk = _Servers(Path(folder))
        return _PART.sub(lambda part: part[1] + EXAMPLES[part["name"]](desk) + part[3], text)


def write() -> None:
    """Write the README."""
    write_text(README, in_step(README.read_text(encoding="utf-8")))


class _Servers:
    """A server that asks for nothing, and one that asks for keys."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.bundle = assemble(folder / "blotches")

    @contextmanager
    def client(self, **access: Any) -> Iterator[FlaskClient]:
        serving = ServingConfig(runtime="litert", precision="fp32", process_model="batcher")
        storage = StorageConfig(Path(tempfile.mkdtemp(dir=self._folder)))
        app = create_app(ServerConfig((self.bundle.path,), storage, serving=serving, access=AccessConfig(**access)))
        try:
            yield app.test_client()
        finally:
            app.extensions["dermport"].close()


def _photo(name: str) -> bytes:
    return (FOLDER / "photos" / name).read_bytes()


def _png(data: bytes) -> bytes:
    file = io.BytesIO()
    Image.fromarray(prepare(data, manifest_spec()).tensor).save(file, "PNG")
    return file.getvalue()


def said(prediction: Prediction, data: bytes, model_sha256: str) -> dict[str, Any]:
    """Return what a phone posts of its prediction."""
    return {
        "probabilities": prediction.probabilities,
        "input_sha256": prediction.input_sha256,
        "photo_sha256": sha256_bytes(data),
        "artifact_sha256": prediction.artifact_sha256,
        "model_sha256": model_sha256,
        "target": "tflite",
        "precision": "int8",
        "runtime": "LiteRT 2.3.0",
        "device": {"id": "0c6f7a1e-5b7d-4f55-9a37-2d3c0f9f6a10", "model": "Pixel 9"},
        "app_version": "1.4.0",
        "asked": "2026-01-02T03:04:05Z",
    }


def _phone(servers: _Servers, data: bytes, orientation: int | None = None) -> dict[str, Any]:
    """Return what the phone says of a photo, whose EXIF orientation it may take for another one."""
    tensor = prepare(data if orientation is None else _upright(data), manifest_spec())
    bundle = servers.bundle
    (artifact,) = choose_artifacts(bundle, ("int8",))
    with PhoneModel(bundle.manifest, artifact) as phone:
        return said(phone.predict(tensor, 0.0), data, bundle.model_sha256)


def _upright(data: bytes) -> bytes:
    """Return the photo as an app sees it that does not read EXIF."""
    file = io.BytesIO()
    Image.open(io.BytesIO(data)).save(file, "PNG", exif=b"")
    return file.getvalue()


def _post(client: FlaskClient, phone: dict[str, Any], photo: bytes, prepared: bytes | None = None) -> TestResponse:
    form = {
        COMPARISON_FIELD: (io.BytesIO(json.dumps(phone).encode()), COMPARISON_FIELD, "application/json"),
        PHOTO_FIELD: (io.BytesIO(photo), PHOTO_FIELD),
    }
    if prepared is not None:
        form[PREPARED_FIELD] = (io.BytesIO(prepared), PREPARED_FIELD)
    return client.post("/v1/comparisons", data=form, headers={IDEMPOTENCY_HEADER: KEY})


def _ready(servers: _Servers) -> str:
    return _got(servers, "/readyz")


def _latest(servers: _Servers) -> str:
    return _got(servers, "/v1/models/latest?platform=android&device=0c6f7a1e&app_version=1.4.0")


def _signing_key(servers: _Servers) -> str:
    return _got(servers, "/v1/signing-key")


def _roots(servers: _Servers) -> str:
    return _got(servers, "/v1/roots?after=0")


def _manifest(servers: _Servers) -> str:
    address = "/v1/models/blotches/1.0.0/manifest"
    with servers.client() as client:
        answer = client.get(address)
    payload = json.loads(base64.b64decode(read_envelope(answer.data).payload))
    inside = "Its payload, once the signature is found good:\n\n" + _json(_shortened(payload))
    return _asked(f"GET {address}") + _answered(answer) + inside


def _predict(servers: _Servers) -> str:
    with servers.client() as client:
        answer = client.post("/v1/predict", data=_photo("plain.jpg"), content_type="image/jpeg")
    return _asked("POST /v1/predict", "Content-Type: image/jpeg", "", "(the photo's bytes)") + _answered(answer)


def _predict_prepared(servers: _Servers) -> str:
    headers = {PREP_HEADER: "dermport-prep/1"}
    with servers.client() as client:
        answer = client.post("/v1/predict", data=_png(_photo("plain.jpg")), content_type="image/png", headers=headers)
    document = answer.json or {}
    wanted = {name: document[name] for name in ("label", "preprocessing", "input_sha256")}
    lines = ("POST /v1/predict", "Content-Type: image/png", f"{PREP_HEADER}: dermport-prep/1", "", "(64 x 64 PNG)")
    return _asked(*lines) + f"`{_status(answer)}`, in part:\n\n" + _json(wanted)


def _compare(servers: _Servers) -> str:
    photo = _photo(PHOTO)
    phone = _phone(servers, photo)
    with servers.client() as client:
        answer = _post(client, phone, photo)
    lines = (
        *("POST /v1/comparisons", f"{IDEMPOTENCY_HEADER}: {KEY}", "Content-Type: multipart/form-data; boundary=…", ""),
        *(f"part {COMPARISON_FIELD}, application/json:", json.dumps(_fixed(phone), indent=2), ""),
        *(f"part {PHOTO_FIELD}, a file:", "(the photo's bytes)"),
    )
    return _asked(*lines) + _answered(answer)


def _compare_fault(servers: _Servers) -> str:
    photo = _photo("turned-6.jpg")
    with servers.client() as client:
        answer = _post(client, _phone(servers, photo, orientation=1), photo, _png(_upright(photo)))
    document = answer.json or {}
    wanted = {name: document[name] for name in ("verdict", "faults", "input_difference")}
    return f"`{_status(answer)}`, in part:\n\n" + _json(_shortened(_fixed(wanted)))


def _compare_again(servers: _Servers) -> str:
    photo = _photo(PHOTO)
    phone = _phone(servers, photo)
    with servers.client() as client:
        _post(client, phone, photo)
        again, other = _post(client, phone, photo), _post(client, phone, _photo("grey.jpg"))
    assert again.status_code == 200
    return (
        f"The same request with the same key: `{_status(again)}`, and the same document as the first time. "
        f"Another request with that key:\n\n{_answered(other)}"
    )


def _not_a_photo(servers: _Servers) -> str:
    with servers.client() as client:
        answer = client.post("/v1/predict", data=_photo("not-a-photo.gif"), content_type="image/jpeg")
    return _answered(answer)


def _no_key(servers: _Servers) -> str:
    with servers.client(keys=True) as client:
        answer = client.post("/v1/predict", data=_photo("plain.jpg"), content_type="image/jpeg")
        wrong = client.get("/v1/models", headers={API_KEY_HEADER: "dermport_nobody"})
    assert (answer.status_code, wrong.status_code) == (401, 401)
    return _answered(answer)


def _too_often(servers: _Servers) -> str:
    with servers.client(rate=1) as client:
        answers = [client.get("/v1/models") for _ in range(2)]
    return f"`{_status(answers[1])}`, `Retry-After: {answers[1].headers['Retry-After']}`:\n\n" + _json(
        _shortened(_fixed(answers[1].json))
    )


def _got(servers: _Servers, address: str) -> str:
    with servers.client() as client:
        return _asked(f"GET {address}") + _answered(client.get(address))


def _asked(*lines: str) -> str:
    return "```http\n" + "\n".join(lines) + "\n```\n\n"


def _answered(answer: TestResponse) -> str:
    return f"`{_status(answer)}`\n\n" + _json(_shortened(_fixed(answer.json)))


def _status(answer: TestResponse) -> str:
    return f"{answer.status_code} {HTTPStatus(answer.status_code).phrase}"


def _json(document: Any) -> str:
    return f"```json\n{json.dumps(document, indent=2, ensure_ascii=False)}\n```\n\n"


def _fixed(value: Any, name: str = "") -> Any:
    """Return a document without what differs from run to run."""
    if (
        name in _FIXED
        and isinstance(value, type(_FIXED[name]))
        and (name != "id" or re.fullmatch("[0-9a-f]{32}", value))
    ):
        return _FIXED[name]
    if isinstance(value, dict):
        return {key: 1.0 if name == "milliseconds" else _fixed(one, key) for key, one in value.items()}
    if isinstance(value, list):
        return [_fixed(one) for one in value]
    if isinstance(value, float):
        return round(value, 3) + 0.0
    if isinstance(value, str):
        return re.sub(r"LiteRT \d[\w.]*", "LiteRT 2.3.0", value)
    return value


def _shortened(value: Any, name: str = "") -> Any:
    """Return a document whose long lists are cut after their first item."""
    if isinstance(value, dict) and name == "by_label":
        first = next(iter(value))
        return {first: value[first], "…": f"{len(value) - 1} more"}
    if isinstance(value, dict):
        return {key: _shortened(one, key) for key, one in value.items()}
    if isinstance(value, list) and name in ("files", "vectors", "labels", "artifacts") and len(value) > 1:
        return [_shortened(_fixed(value[0])), f"… {len(value) - 1} more"]
    return _fixed(value, name) if not isinstance(value, list) else [_shortened(one) for one in value]


EXAMPLES: dict[str, Callable[[_Servers], str]] = {
    "ready": _ready,
    "latest": _latest,
    "signing-key": _signing_key,
    "roots": _roots,
    "manifest": _manifest,
    "predict": _predict,
    "predict-prepared": _predict_prepared,
    "compare": _compare,
    "compare-fault": _compare_fault,
    "compare-again": _compare_again,
    "not-a-photo": _not_a_photo,
    "no-key": _no_key,
    "too-often": _too_often,
}
