"""Release manifests: signed, complete, the same bytes for the same offer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dermport.bundle.hashing import sha256_bytes, sha256_file
from dermport.bundle.signature import read_envelope, read_public_key, verify
from dermport.bundle.wire import RELEASE_TYPE, ReleaseManifest
from tests.server.delivery.made import Site, add_artifact, make_release

MANIFEST = "/v1/models/ham7/1.0.0/manifest"


def _manifest(site: Site, url: str = MANIFEST) -> ReleaseManifest:
    key = read_public_key(site.client.get("/v1/signing-key").json["pem"].encode())
    envelope = read_envelope(site.client.get(url).data)
    return ReleaseManifest.model_validate_json(verify(envelope, RELEASE_TYPE, [key]))


def test_manifest_says_what_a_phone_needs(site: Site) -> None:
    manifest = _manifest(site)
    bundle = site.models.bundle("ham7", "1.0.0")
    assert (manifest.name, manifest.version, manifest.sha256) == ("ham7", "1.0.0", bundle.model_sha256)
    assert manifest.task == bundle.manifest.task
    assert manifest.released == "2026-01-01T00:00:00+00:00"
    assert "diagnosis" in manifest.notice
    [artifact] = manifest.artifacts
    assert (artifact.path, artifact.platforms) == ("exports/tflite-fp16/model.tflite", ("android", "web"))
    golden = bundle.golden().index.photos
    assert [v.input_sha256 for v in manifest.golden.vectors] == [photo.input_sha256 for photo in golden]
    for file in manifest.files:
        assert sha256_file(bundle.path / file.path) == file.sha256
    assert manifest.golden.tensors in {file.path for file in manifest.files}


def test_every_file_of_a_folder_is_listed_by_itself(tmp_path: Path) -> None:
    make_release(tmp_path / "models" / "one", targets=("coreml", "tflite", "onnx"))
    manifest = _manifest(Site(tmp_path))
    core_ml = [file.path for file in manifest.files if file.platforms == ("ios",)]
    folder = "exports/coreml-fp16/model.mlpackage"
    assert core_ml == [f"{folder}/Data/weight.bin", f"{folder}/Manifest.json"]
    assert {file.target for file in manifest.files} == {"coreml", "tflite", None}
    assert [artifact.path for artifact in manifest.artifacts if artifact.target == "coreml"] == [folder]


def test_same_offer_same_bytes_also_after_a_restart(site: Site) -> None:
    first = site.client.get(MANIFEST)
    site.start()
    again = site.client.get(MANIFEST)
    assert again.data == first.data
    assert first.headers["ETag"] == again.headers["ETag"] == f'"{sha256_bytes(first.data)}"'
    unchanged = site.client.get(MANIFEST, headers={"If-None-Match": first.headers["ETag"]})
    assert (unchanged.status_code, unchanged.data) == (304, b"")


def test_new_export_is_listed_at_once(site: Site) -> None:
    before = _manifest(site)
    add_artifact(site.models.bundle("ham7", "1.0.0"), precision="int8", content=b"small")
    after = _manifest(site)
    assert {a.precision for a in after.artifacts} == {"fp16", "int8"}
    assert {file.path for file in before.files} < {file.path for file in after.files}


def test_artifact_that_failed_or_is_of_another_model_is_not_handed_out(site: Site) -> None:
    bundle = site.models.bundle("ham7", "1.0.0")
    add_artifact(bundle, precision="int8", content=b"int8")
    path = bundle.export_folder("tflite", "int8") / "export.json"
    path.write_text(path.read_text().replace(bundle.model_sha256, "f" * 64))
    assert [artifact.precision for artifact in _manifest(site).artifacts] == ["fp16"]
    parity = {
        **{"evidence": "device", "data": "golden", "photos": 1, "max_change": 1, "mean_change": 1, "policy": "fp16"},
        **{"top1_agreement": 0, "flips_to_positive": 0, "flips_to_negative": 0, "labels_match": True, "status": "fail"},
        **{"runtime": "x", "created": "now"},
    }
    path = bundle.export_folder("tflite", "fp16") / "export.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "parity": parity}))
    assert _manifest(site).artifacts == ()


@pytest.mark.parametrize("damage", ["golden/tensors.npy", "golden/golden.json", "exports/tflite-fp16/export.json"])
def test_damaged_bundle_has_no_release(site: Site, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    (site.models.bundle("ham7", "1.0.0").path / damage).write_bytes(b"{}")
    answer = site.client.get(MANIFEST)
    assert (answer.status_code, answer.json["code"]) == (503, "release-unavailable")
    assert damage in caplog.text
    assert damage not in answer.text


def test_record_that_leads_out_of_the_bundle_is_refused(site: Site) -> None:
    bundle = site.models.bundle("ham7", "1.0.0")
    path = bundle.export_folder("tflite", "fp16") / "export.json"
    path.write_text(path.read_text().replace('"path": "model.tflite"', '"path": "../../../../etc/passwd"'))
    assert site.client.get(MANIFEST).json["code"] == "release-unavailable"


@pytest.mark.parametrize("url", ["/v1/models/ham7/9.9.9/manifest", "/v1/models/%2e%2e/1.0.0/manifest"])
def test_unknown_model(site: Site, url: str) -> None:
    assert site.client.get(url).status_code == 404
