"""The phone's updater: whatever happens on the way, there is the old model or the new one, and never a false one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dermport.bundle.atomic import write_text
from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.signature import payload_of, read_envelope
from dermport.bundle.store import Bundle
from dermport.bundle.wire import RELEASE_TYPE, RootsAnswer
from dermport.errors import DataError, ExportError, IntegrityError, TrustError, UsageError
from dermport.mobile_stub.client import httpx
from dermport.mobile_stub.model_folder import KEY, STATE, TRUST, ModelFolder
from dermport.mobile_stub.release_client import ReleaseClient
from dermport.mobile_stub.update import PhoneProfile, Updater
from dermport.server.delivery.roots import Roots
from dermport.server.delivery.signer import Signer
from tests.factories import LABELS
from tests.mobile_stub.handset import URL, Handset, Recall, Road
from tests.server.delivery.made import WEIGHTS, Site, add_artifact, make_release

TENSORS = "golden/tensors.npy"


def test_first_model(handset: Handset) -> None:
    done = handset.update()
    assert (done.changed, done.model.key, done.latest.reason) == (True, "ham7/1.0.0", "live")
    assert done.figures is not None
    assert done.figures.max_change < 1e-6
    assert done.model.checked().read_bytes() == WEIGHTS
    assert handset.folder.current() == done.model


def test_nothing_to_do(handset: Handset) -> None:
    handset.update()
    handset.road.asked.clear()
    assert not handset.update().changed
    assert handset.road.paths() == ["/v1/roots", "/v1/models/latest", "/v1/models/ham7/1.0.0/manifest"]
    assert handset.road.asked[1].url.params["current"] == "ham7/1.0.0"


def test_new_version_and_back_and_forth(handset: Handset) -> None:
    handset.update()
    handset.roll_out()
    assert handset.update().model.key == "ham7/1.1.0"
    assert handset.folder.rollback().key == "ham7/1.0.0"
    assert handset.version() == "1.0.0"
    assert handset.folder.rollback().key == "ham7/1.1.0"


def test_only_two_models_are_kept_and_nothing_else_is_touched(handset: Handset) -> None:
    keepsake = handset.folder.path / "photos" / "mine.jpg"
    write_text(keepsake, "x")
    make_release(handset.site.folder / "models" / "third", version="1.2.0")
    handset.site.models.rescan()
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        handset.roll_out(version)
        handset.update()
    models = [path.name for path in handset.folder.path.iterdir() if path.name.startswith("ham7")]
    assert sorted(name.split("-")[1] for name in models) == ["1.1.0", "1.2.0"]
    assert keepsake.read_text() == "x"


def test_roll_back_of_the_first_model(handset: Handset) -> None:
    handset.update()
    with pytest.raises(UsageError, match="no earlier model"):
        handset.folder.rollback()


def test_device_keeps_its_name_and_says_nothing_else(handset: Handset) -> None:
    handset.update(app_version="2.1")
    handset.update(app_version="2.1")
    first, second = (request.url.params for request in handset.road.asked if request.url.path.endswith("latest"))
    assert first["device"] == second["device"]
    assert set(first) == {"platform", "device", "app_version"}


def test_precision(handset: Handset) -> None:
    add_artifact(handset.site.models.bundle("ham7", "1.0.0"), precision="int8", content=b"small")
    assert handset.update(precision="int8").model.checked().read_bytes() == b"small"
    assert handset.update().model.artifact.precision == "fp16"
    with pytest.raises(UsageError, match=r"no android fp32 \(it has: fp16, int8\)"):
        handset.update(precision="fp32")


def test_core_ml_cannot_be_tested_here(handset: Handset) -> None:
    with pytest.raises(UsageError, match="Core ML"):
        handset.updater(platform="ios")


# Trust


def test_nobody_is_trusted_unless_it_was_said(handset: Handset, tmp_path: Path) -> None:
    handset.folder = ModelFolder(tmp_path / "new phone")
    handset.fails(UsageError, "trusts no server's key")
    root = handset.site.signer.public.root
    assert root is not None
    assert handset.updater().trust_first_use() == root.key_id
    assert handset.update().changed
    assert handset.updater().trust_first_use() == root.key_id  # paired anew: what is installed goes on at once
    assert handset.version() == "1.0.0"
    handset.folder.pin(root.pem)
    assert not handset.update().changed


def test_manifest_signed_by_another_key(handset: Handset, tmp_path: Path) -> None:
    handset.update()
    handset.folder.pin(Signer(tmp_path / "another").public.pem)
    with pytest.raises(IntegrityError, match="not by a trusted key"):
        handset.update()
    handset.folder.pin(handset.site.signer.public.pem)
    assert handset.version() == "1.0.0"


def test_no_key_is_pinned_that_is_none(handset: Handset) -> None:
    before = (handset.folder.path / KEY).read_bytes()
    with pytest.raises(DataError, match="PEM"):
        handset.folder.pin("no key")
    assert (handset.folder.path / KEY).read_bytes() == before


def _tampered(change: Callable[[dict[str, Any]], None]) -> Callable[[httpx.Request, httpx.Response], httpx.Response]:
    def meddle(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if not request.url.path.endswith("/manifest"):
            return response
        document = json.loads(response.read())
        change(document)
        return httpx.Response(200, json=document)

    return meddle


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(payload=d["payload"].replace(d["payload"][100:104], "AAAA", 1)),
        lambda d: d["signatures"][0].update(sig="AAAA"),
        lambda d: d.update(signatures=[]),
        lambda d: d.update(payloadType="application/json"),
        lambda d: d.pop("payload"),
    ],
)
def test_tampered_manifest(handset: Handset, change: Callable[[dict[str, Any]], None]) -> None:
    handset.update()
    handset.roll_out()
    handset.road.meddle = _tampered(change)
    handset.fails(IntegrityError, r"trusted key|no DSSE|of type")
    assert not any("1.1.0/files" in path for path in handset.road.paths())


def test_signed_manifest_of_another_version_is_not_the_promised_one(handset: Handset) -> None:
    handset.update()
    handset.roll_out()
    old = handset.site.client.get("/v1/models/ham7/1.0.0/manifest").data  # the live one, of the same number
    handset.road.meddle = lambda request, response: (
        httpx.Response(200, content=old) if request.url.path.endswith("1.1.0/manifest") else response
    )
    handset.fails(IntegrityError, "promised ham7 1.1.0 and signed another model: ham7 1.0.0")


def _kept(address: str, data: bytes) -> Callable[[httpx.Request, httpx.Response], httpx.Response]:
    """Somebody on the way answers with what was kept."""
    return lambda request, response: (
        httpx.Response(200, content=data) if request.url.path.endswith(address) else response
    )


def test_old_manifest_replayed_is_refused_and_the_way_back_is_not(handset: Handset) -> None:
    handset.update()
    kept = [
        handset.site.client.get(f"/v1/models/{path}").data for path in ("ham7/1.0.0/manifest", "latest?platform=web")
    ]
    handset.site.switch.activate("ham7", "1.1.0", "test")
    assert handset.update().model.key == "ham7/1.1.0"
    said, old = _kept("/latest", kept[1]), _kept("/1.0.0/manifest", kept[0])
    handset.road.meddle = lambda request, response: old(request, said(request, response))
    handset.fails(TrustError, r"1\.0\.0 is an old one: number \d+, \d+ was seen")
    handset.road.meddle = lambda _, response: response
    handset.site.switch.rollback("test")
    assert handset.update().model.key == "ham7/1.0.0"


def test_manifest_that_ended_installs_nothing_and_ends_nothing(handset: Handset) -> None:
    model = handset.update().model
    handset.roll_out()
    handset.now = lambda: "2099-01-01T00:00:00Z"
    handset.fails(TrustError, "this phone's clock says 2099-01-01: it was not renewed, or the clock of the phone")
    assert model.is_renewed()
    assert not model.is_renewed("2099-01-01T00:00:00Z")
    handset.now = lambda: "1970-01-01T00:00:00Z"
    assert handset.update().changed


def test_new_key_that_the_root_key_signed_is_followed_and_no_file_is_fetched_again(handset: Handset) -> None:
    handset.update()  # it had pinned the signing key, as phones did before there were roots
    Roots(handset.site.folder / "state").rotate()
    handset.road.asked.clear()
    done = handset.update()
    assert (done.changed, done.model.checked().read_bytes()) == (False, WEIGHTS)
    assert not any("/files/" in path for path in handset.road.paths())
    assert handset.version() == "1.0.0"


def test_new_key_that_the_root_key_did_not_sign_is_refused(handset: Handset, tmp_path: Path) -> None:
    handset.update()
    other = Signer(tmp_path / "other")  # whoever has the server's state folder, but not its root key
    Roots(tmp_path / "other").rotate(new_root=True)
    stranger = RootsAnswer(roots=tuple(read_envelope(other.roots.envelope(n) or b"") for n in (2,)))
    handset.road.meddle = _kept("/v1/roots", stranger.model_dump_json(by_alias=True).encode())
    handset.fails(TrustError, "not by a trusted key")


def test_server_before_there_were_roots(handset: Handset) -> None:
    release = handset.site.delivery.release("ham7", "1.0.0").manifest
    old = handset.site.signer.sign(release.model_dump_json(by_alias=True).encode(), RELEASE_TYPE)
    meddle = _kept("/manifest", old.model_dump_json(by_alias=True).encode())
    unknown = handset.site.client.get("/v1/unknown")
    absent = httpx.Response(404, content=unknown.data, headers={"Content-Type": unknown.content_type})
    handset.road.meddle = lambda request, response: (
        absent if request.url.path == "/v1/roots" else meddle(request, response)
    )
    assert handset.update().changed
    handset.road.meddle = lambda _, response: response
    handset.update()
    handset.road.meddle = meddle
    handset.fails(TrustError, "has no sequence number, and earlier ones had")


def test_what_is_believed_is_not_forgotten_silently(handset: Handset) -> None:
    handset.update()
    (handset.folder.path / TRUST).write_text("{")
    with pytest.raises(DataError, match=r"trust\.json cannot be read"):
        handset.update()


@pytest.mark.parametrize("path", ["../../evil", "/etc/evil", "exports/../../evil", "a\\..\\evil", "a\0b", "C:/evil"])
def test_signed_manifest_cannot_write_outside_its_folder(handset: Handset, path: str) -> None:
    manifest = handset.site.delivery.release("ham7", "1.0.0").manifest.model_dump(mode="json", by_alias=True)
    manifest["files"][0]["path"] = path
    signed = handset.site.signer.sign(json.dumps(manifest).encode(), RELEASE_TYPE)
    handset.road.meddle = _tampered(lambda d: d.update(signed.model_dump(mode="json", by_alias=True)))
    handset.fails(IntegrityError, "form that this version does not know")
    assert not list(handset.site.folder.rglob("*evil*"))


# The proof on the phone


def test_model_that_answers_otherwise_is_not_used(handset: Handset) -> None:
    handset.update()
    handset.roll_out()
    handset.runtime.change = 0.4
    handset.fails(IntegrityError, r"does not answer as the original does .*a probability changes by 0\.4")
    handset.runtime.change = 0.0
    assert handset.update().model.key == "ham7/1.1.0"


@pytest.mark.parametrize(
    ("labels", "message"), [(LABELS[::-1], "its labels are"), (LABELS[:3], r"answers \(3, 3\)"), (("x",) * 4, "labels")]
)
def test_model_with_other_labels_is_not_used(handset: Handset, labels: tuple[str, ...], message: str) -> None:
    handset.runtime = Recall(labels=labels)
    handset.fails(IntegrityError, message)


def test_model_that_cannot_be_loaded_is_not_used(handset: Handset, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Recall, _: object) -> object:
        raise ExportError("It is no TFLite model.")

    monkeypatch.setattr(Recall, "predict", broken)
    handset.fails(IntegrityError, "cannot be run: It is no TFLite model")


def test_golden_photos_must_be_those_of_the_manifest(handset: Handset) -> None:
    offered = read_envelope(handset.site.client.get("/v1/models/ham7/1.0.0/manifest").data)
    manifest = json.loads(payload_of(offered))
    for vector in manifest["golden"]["vectors"]:
        vector["input_sha256"] = sha256_bytes(b"another")
    signed = handset.site.signer.sign(json.dumps(manifest).encode(), RELEASE_TYPE)
    handset.road.meddle = _tampered(lambda d: d.update(signed.model_dump(mode="json", by_alias=True)))
    handset.fails(IntegrityError, "does not hold the golden photos")


# The folder


def test_damaged_model_is_fetched_again_and_the_earlier_one_is_kept(handset: Handset) -> None:
    handset.update()
    handset.roll_out()
    damaged = handset.update().model.checked()
    damaged.write_bytes(b"damaged")
    done = handset.update()
    assert (done.changed, done.model.checked().read_bytes()) == (True, WEIGHTS)
    assert handset.folder.rollback().key == "ham7/1.0.0"


def test_damaged_earlier_model_is_not_gone_back_to(handset: Handset) -> None:
    first = handset.update().model
    handset.roll_out()
    handset.update()
    first.checked().write_bytes(b"damaged")
    with pytest.raises(IntegrityError, match="missing or damaged"):
        handset.folder.rollback()
    assert handset.version() == "1.1.0"


def test_manifest_that_was_changed_on_the_phone_is_noticed(handset: Handset) -> None:
    release = handset.update().model.folder / "release.dsse.json"
    release.write_text(release.read_text().replace('"payload":"ey', '"payload":"eg'))
    with pytest.raises(IntegrityError, match="not by a trusted key"):
        handset.folder.current()
    assert handset.update().changed


def test_unreadable_state_is_told(handset: Handset) -> None:
    handset.update()
    (handset.folder.path / STATE).write_text("{")
    with pytest.raises(DataError, match=r"installed\.json cannot be read"):
        handset.update()


def test_state_that_leads_elsewhere_is_not_followed(handset: Handset) -> None:
    handset.update()
    path = handset.folder.path / STATE
    state = json.loads(path.read_text())
    state["current"]["folder"] = "../models/1.0.0"
    path.write_text(json.dumps(state))
    with pytest.raises(DataError):
        handset.folder.current()


def test_folder_that_cannot_be_written(handset: Handset) -> None:
    handset.update()
    handset.roll_out()
    release = handset.site.delivery.release("ham7", "1.1.0").manifest
    handset.folder.part(release, release.artifacts[0]).touch()
    handset.fails(UsageError, "cannot be used: .*The model that was there is untouched")


@pytest.mark.xdist_group("exports")
def test_real_model_is_fetched_and_tested_with_litert(exported_bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    exported_bundle.path.rename(tmp_path / "models" / "tiny")
    site = Site(tmp_path)
    folder = ModelFolder(tmp_path / "phone")
    with ReleaseClient(URL, Road(site)) as client:
        updater = Updater(client, folder, PhoneProfile())
        updater.trust_first_use()
        done = updater.update()
    assert done.model.artifact.precision == "fp16"
    assert done.figures is not None
    assert done.figures.photos == len(done.model.manifest.golden.vectors)
    assert 0 < done.figures.max_change < 0.1
