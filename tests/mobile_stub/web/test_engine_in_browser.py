"""The web app's engine in Chromium, in front of a real server: photos, models, and what goes wrong with both."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.web.browser import BrowserPhone
from benchmarks.web.kinds import jpeg, kinds, png
from benchmarks.web.parity import BrowserComparison
from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.manifest import Preprocessing
from dermport.bundle.prep import prepare
from dermport.bundle.store import Bundle
from dermport.bundle.vectors import FOLDER, read_document, read_vectors
from dermport.bundle.vectors.draw import picture
from dermport.bundle.wire import PREP_HEADER
from dermport.runtimes.litert import LiteRT
from tests.mobile_stub.web.app_site import build, chromium, make_model, served
from tests.server.live import Server

PRECISIONS = ("fp32", "int8")
_START = """async () => {
  const {Engine} = await import('/app/engine/client.js');
  const {ModelStore} = await import('/app/engine/store.js');
  globalThis.jetson = {fetch: (path, init) => fetch(path, init)};
  globalThis.engine = await Engine.start();
  globalThis.openStore = () => ModelStore.open({prove: (release) => engine.load(release)});
  globalThis.store = await openStore();
  globalThis.answered = (work) => work().catch(({code, message, remedy}) => ({code, message, remedy}));
  globalThis.versions = async () => {
    const [current, previous] = [await store.current(), await store.previous()];
    return [current, previous].map((release) => release && `${release.manifest.version} ${release.artifact.precision}`);
  };
}"""

# What the engine's model says of a black photo.
_BLANK = """async () => {
  const {size} = (await store.current()).manifest.preprocessing;
  return (await engine.predict(new Uint8Array(size * size * 3))).probabilities;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def folder(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert browser  # where there is none, nothing need be built
    return tmp_path_factory.mktemp("engine")


@pytest.fixture(scope="module")
def dist(folder: Path) -> Path:
    return build(folder / "dist")


@pytest.fixture(scope="module")
def bundles(folder: Path) -> dict[str, Bundle]:
    """Three versions of a model, of which the last promises answers that it does not give."""
    versions = {"1.0.0": False, "1.1.0": False, "1.2.0": True}
    return {version: make_model(folder / "models", version, spoilt) for version, spoilt in versions.items()}


@pytest.fixture(scope="module")
def server(folder: Path, dist: Path, bundles: dict[str, Bundle]) -> Iterator[Server]:
    assert bundles
    # The spoilt version is not for the server itself: it would refuse it, too.
    with served(folder / "models", folder / "state", dist, "--precision", "fp32") as started:
        yield started


@pytest.fixture
def page(browser: Any, server: Server) -> Iterator[Any]:
    """A page of the app's origin in a new profile, with an engine and an empty store."""
    context = browser.new_context()
    opened = context.new_page()
    opened.goto(f"{server.url}/app/files.json")
    opened.evaluate(_START)
    yield opened
    context.close()


def activate(server: Server, version: str) -> None:
    wanted = {"name": "blotches", "version": version}
    answer = httpx.post(f"{server.url}/v1/admin/models/activate", json=wanted, timeout=60)  # a busy machine of CI
    assert answer.is_success, answer.text


def prepared(page: Any, photo: bytes, size: int = 96) -> dict[str, Any]:
    """Have the engine prepare a photo; return what it says, with the tensor's own sha256."""
    answer: dict[str, Any] = page.evaluate(
        """([photo, size]) => answered(async () => {
          const bytes = Uint8Array.from(atob(photo), (letter) => letter.charCodeAt(0));
          const spec = {id: 'dermport-prep/1', size, crop: 'full-frame'};
          const {tensor, ...said} = await engine.prepare(new Blob([bytes]), spec);
          return {...said, length: tensor.length};
        })""",
        [_base64(photo), size],
    )
    return answer


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_every_kind_of_photo_becomes_the_servers_input_and_the_same_answer(
    page: Any, server: Server, bundles: dict[str, Bundle]
) -> None:
    activate(server, "1.0.0")
    bundle = bundles["1.0.0"]
    files = {precision: bundle.path / "exports" / f"tflite-{precision}" / "model.tflite" for precision in PRECISIONS}
    with LiteRT(files["fp32"]) as fp32, LiteRT(files["int8"]) as int8:
        judge = BrowserComparison(
            BrowserPhone.on(page, server.url, PRECISIONS), server.url, bundle, {"fp32": fp32, "int8": int8}
        )
        for kind in kinds(picture(301, 199)):
            judge.look_at(kind)
    assert {name: tally.differ for name, tally in judge.groups.items() if tally.differ} == {}
    assert judge.groups["refused"].refused == judge.groups["refused"].photos > 10
    assert sum(tally.equal for tally in judge.groups.values()) > 40
    assert judge.changes["fp32"].largest <= 1e-5
    assert all(change.same_label == change.photos > 40 for change in judge.changes.values())


def test_refusals_have_the_servers_codes(page: Any, server: Server) -> None:
    for kind in kinds(picture(64, 48)):
        if kind.group == "refused":
            said = httpx.post(f"{server.url}/v1/predict", content=kind.data, headers={"Content-Type": "image/jpeg"})
            assert prepared(page, kind.data)["code"] == said.json()["code"], kind.name


def test_published_vectors_become_their_hashes(page: Any) -> None:
    """24 megapixels, read in strips, are among them."""
    for vector in read_vectors():
        if vector.preprocessing.crop == "full-frame" and vector.preprocessing.size == 96:
            said = prepared(page, (FOLDER / vector.photo).read_bytes())
            assert said["inputSha256"] == vector.input_sha256, vector.photo
            assert said["exact"], vector.photo


def test_published_refusals_have_their_codes(page: Any) -> None:
    for refused in read_document().refused:
        said = prepared(page, (FOLDER / refused.photo).read_bytes())
        assert said.get("code") == refused.code, refused.photo


def test_the_page_goes_on_while_a_large_photo_is_prepared(page: Any) -> None:
    page.evaluate("() => { globalThis.ticks = 0; setInterval(() => ticks++, 1); }")
    before = page.evaluate("ticks")
    photo = (FOLDER / "24-megapixel.jpg").read_bytes()
    said = prepared(page, photo)
    assert said["photoSha256"] == sha256_bytes(photo)
    assert page.evaluate("ticks") - before > 20


def test_a_prepared_png_is_taken_as_the_input_that_it_is(page: Any, server: Server) -> None:
    activate(server, "1.0.0")
    photo = jpeg(picture(301, 199))
    [sent, said] = page.evaluate(
        """([photo, header]) => answered(async () => {
          const {version} = await store.update(jetson);
          const bytes = Uint8Array.from(atob(photo), (letter) => letter.charCodeAt(0));
          const spec = (await store.current()).manifest.preprocessing;
          const {tensor, inputSha256} = await engine.prepare(new Blob([bytes]), spec);
          const headers = {'Content-Type': 'image/png', [header]: spec.id};
          const answer = await fetch('/v1/predict', {method: 'POST', body: await engine.png(tensor), headers});
          return [inputSha256, await answer.json()];
        })""",
        [_base64(photo), PREP_HEADER],
    )
    assert said["input_sha256"] == sent == prepare(photo, _spec(server)).input_sha256


def _spec(server: Server) -> Preprocessing:
    [live] = [model for model in httpx.get(f"{server.url}/v1/models").json()["models"] if model["live"]]
    return Preprocessing.model_validate(live["preprocessing"])


def test_a_browser_that_decodes_otherwise_is_found_out(page: Any) -> None:
    probes = json.loads(page.evaluate("fetch('/app/engine/probes.json').then((answer) => answer.text())"))
    for probe in probes["probes"]:
        if probe["kind"] == "jpeg-grey":
            probe["sha256"] = "0" * 64  # rounds otherwise
        if probe["kind"] == "jpeg-cmyk":
            probe.update(sha256="0" * 64, mean=[255 - level for level in probe["mean"]])  # inverts
    page.context.route("**/engine/probes.json", lambda route: route.fulfill(json=probes))
    drawn = picture(90, 70)
    assert prepared(page, jpeg(drawn))["exact"]
    assert not prepared(page, jpeg(drawn.convert("L")))["exact"]
    refused = prepared(page, jpeg(drawn.convert("CMYK")))
    assert (refused["code"], bool(refused["remedy"])) == ("browser-differs", True)


def test_hints_come_with_the_photo(page: Any) -> None:
    dark = picture(80, 60).point(lambda level: level // 8)
    hints = {hint["code"]: hint for hint in prepared(page, png(dark))["quality"]}
    assert hints["too-small"]["value"] == 60 / 96
    assert hints["too-dark"]["value"] < hints["too-dark"]["threshold"]


def test_models_are_fetched_kept_and_led_back(page: Any, server: Server) -> None:
    activate(server, "1.0.0")
    first = page.evaluate("store.update(jetson)")
    assert (first["changed"], first["version"], first["previousVersion"]) == (True, "1.0.0", None)
    assert first["trusted"] == httpx.get(f"{server.url}/v1/signing-key").json()["root"]["key_id"]
    assert first["selfTest"]["status"] == "pass"
    again = page.evaluate("store.update(jetson)")
    assert (again["changed"], again["trusted"]) == (False, None)
    few = page.evaluate("store.current().then((release) => engine.load(release, {photos: 2}))")
    assert (first["selfTest"]["photos"], few["selfTest"]["photos"]) == (7, 2)

    activate(server, "1.1.0")
    assert page.evaluate("store.update(jetson)")["changed"]
    assert page.evaluate("versions()") == ["1.1.0 fp32", "1.0.0 fp32"]
    assert page.evaluate("store.rollBack().then(() => versions())") == ["1.0.0 fp32", "1.1.0 fp32"]
    assert page.evaluate("store.rollBack().then(() => versions())") == ["1.1.0 fp32", "1.0.0 fp32"]
    other = "openStore().then((other) => other.current()).then(({manifest}) => manifest.version)"
    assert page.evaluate(other) == "1.1.0"


def test_an_older_version_comes_only_when_it_is_asked_for_or_was_here_before(page: Any, server: Server) -> None:
    activate(server, "1.1.0")
    page.evaluate("store.update(jetson)")
    activate(server, "1.0.0")
    declined = page.evaluate("store.update(jetson)")
    assert (declined["changed"], declined["older"], declined["version"]) == (False, True, "1.1.0")
    assert page.evaluate("versions()") == ["1.1.0 fp32", None]
    assert page.evaluate("store.update(jetson, {allowOlder: true})")["changed"]
    activate(server, "1.1.0")
    page.evaluate("store.update(jetson)")
    activate(server, "1.0.0")
    assert page.evaluate("store.update(jetson)")["changed"]  # the Jetson went back: so does the phone
    assert page.evaluate("versions()") == ["1.0.0 fp32", "1.1.0 fp32"]


def test_a_model_that_fails_its_self_test_is_never_used(page: Any, server: Server) -> None:
    activate(server, "1.1.0")
    page.evaluate("store.update(jetson)")
    before = page.evaluate(_BLANK)
    _roll_out(server, "1.2.0")
    refused = page.evaluate("answered(() => store.update(jetson))")
    _roll_out(server, "1.2.0", percentage=0)
    assert refused["code"] == "self-test-failed"
    assert "1.2.0" in refused["message"]
    assert page.evaluate("versions()") == ["1.1.0 fp32", None]
    assert page.evaluate(_BLANK) == before


def _roll_out(server: Server, version: str, percentage: int = 100) -> None:
    wish = {"model": "blotches", "platform": "web", "candidate": version, "percentage": percentage}
    httpx.put(f"{server.url}/v1/admin/rollouts", json=wish).raise_for_status()


def test_what_was_kept_on_the_way_is_not_taken_again(page: Any, server: Server) -> None:
    activate(server, "1.0.0")
    page.evaluate("store.update(jetson)")
    paths = ("latest?platform=web", "blotches/1.0.0/manifest")
    kept = [httpx.get(f"{server.url}/v1/models/{path}").text for path in paths]
    activate(server, "1.1.0")
    assert page.evaluate("store.update(jetson)")["changed"]
    page.route("**/v1/models/latest*", lambda route: route.fulfill(body=kept[0]))
    page.route("**/v1/models/*/1.0.0/manifest", lambda route: route.fulfill(body=kept[1]))
    refused = page.evaluate("answered(() => store.update(jetson, {allowOlder: true}))")
    assert refused["code"] == "replayed"
    assert page.evaluate("versions()") == ["1.1.0 fp32", "1.0.0 fp32"]


def test_a_server_that_signs_with_another_key_is_not_believed(page: Any, server: Server) -> None:
    activate(server, "1.1.0")
    page.evaluate("store.update(jetson)")
    other = {"key_id": "", "algorithm": "Ed25519", "pem": "", "raw": _base64(bytes(31) + b"\x01")}
    page.route("**/v1/signing-key", lambda route: route.fulfill(json=other))
    page.evaluate("store.trust(jetson)")
    refused = page.evaluate("answered(() => store.update(jetson))")
    assert refused["code"] == "untrusted"
    page.unroute("**/v1/signing-key")
    assert page.evaluate("store.trust(jetson)") == httpx.get(f"{server.url}/v1/signing-key").json()["root"]["key_id"]
    assert page.evaluate("versions()") == ["1.1.0 fp32", None]


def test_a_promise_that_the_manifest_breaks_is_refused(page: Any, server: Server) -> None:
    activate(server, "1.1.0")
    said = httpx.get(f"{server.url}/v1/models/latest", params={"platform": "web"}).json()
    page.route("**/v1/models/latest*", lambda route: route.fulfill(json={**said, "sha256": "0" * 64}))
    assert page.evaluate("answered(() => store.update(jetson))")["code"] == "broken-promise"


def test_a_model_that_was_damaged_on_the_phone_is_fetched_again(page: Any, server: Server) -> None:
    activate(server, "1.1.0")
    page.evaluate("store.update(jetson)")
    page.evaluate(
        """async () => {
          const {artifact} = await store.current();
          const database = await new Promise((resolve) => {
            const request = indexedDB.open('dermport-models');
            request.onsuccess = () => resolve(request.result);
          });
          const transaction = database.transaction('files', 'readwrite');
          transaction.objectStore('files').put(new Uint8Array(10), artifact.sha256);
          await new Promise((resolve) => (transaction.oncomplete = resolve));
          database.close();
        }"""
    )
    assert page.evaluate("answered(() => store.current())")["code"] == "damaged-file"
    assert page.evaluate("store.update(jetson)")["changed"]
    assert page.evaluate("versions()") == ["1.1.0 fp32", None]


def test_a_download_goes_on_after_the_page_was_closed(page: Any, server: Server) -> None:
    activate(server, "1.1.0")
    asked: list[str | None] = []
    page.on("request", lambda request: asked.append(request.headers.get("range")))
    page.evaluate(
        """async () => {
          const {payload} = await (await fetch('/v1/models/blotches/1.1.0/manifest')).json();
          const {artifacts, files} = JSON.parse(atob(payload));
          const {path} = artifacts.find(({precision}) => precision === 'fp32');
          const {sha256} = files.find((file) => file.path === path);
          const whole = new Uint8Array(await (await fetch(`/v1/models/blotches/1.1.0/files/${path}`)).arrayBuffer());
          const {Database} = await import('/app/engine/database.js');
          const database = await Database.open('dermport-models', ['state', 'files', 'parts']);
          await database.change(['parts'], ({parts}) => parts.put(whole.slice(0, 1000), [sha256, 0]));
        }"""
    )
    assert page.evaluate("store.update(jetson)")["changed"]
    assert [bytes_asked for bytes_asked in asked if bytes_asked] == ["bytes=1000-"]


def test_a_change_is_stored_whole_or_not_at_all(page: Any) -> None:
    kept = page.evaluate(
        """async () => {
          const {Database} = await import('/app/engine/database.js');
          const database = await Database.open('a-test', ['some']);
          const twice = ({some}) => [some.put('first', 'key'), some.add('second', 'key')];
          const error = await answered(() => database.change(['some'], twice));
          IDBFactory.prototype.open = () => { throw new DOMException('never here', 'SecurityError'); };
          const refused = await answered(() => Database.open('another', ['some']));
          return [error.code, await database.keys('some'), refused.code];
        }"""
    )
    assert kept == ["storage-failed", [], "storage-failed"]


def test_what_cannot_be_is_said_with_a_remedy(page: Any, server: Server) -> None:
    activate(server, "1.1.0")
    assert page.evaluate("answered(() => engine.predict(new Uint8Array(3)))")["code"] == "no-model"
    missing = page.evaluate("answered(() => store.update(jetson, {precision: 'fp16'}))")
    assert missing["code"] == "no-artifact"
    assert "fp32, int8" in missing["message"]
    assert page.evaluate("answered(() => store.rollBack())")["code"] == "no-earlier-model"
    page.evaluate("store.update(jetson, {precision: 'int8'})")
    assert page.evaluate("answered(() => engine.predict(new Uint8Array(3)))")["code"] == "wrong-input"
    page.route("**/v1/models/latest*", lambda route: route.abort())
    away = page.evaluate("answered(() => store.update(jetson))")
    assert (away["code"], bool(away["remedy"])) == ("offline", True)


def test_the_compat_build_answers_as_the_default_one(page: Any, server: Server, dist: Path) -> None:
    activate(server, "1.1.0")
    script = (dist / "vendor" / "litert" / "litert_wasm_compat_internal.js").read_text()
    page.context.route(
        "**/litert_wasm_internal.js", lambda route: route.fulfill(body=script, content_type="text/javascript")
    )
    fetched: list[str] = []
    page.on("response", lambda response: fetched.append(response.url.rpartition("/")[2]))
    assert page.evaluate("store.update(jetson)")["selfTest"]["maxChange"] < 1e-5
    assert "litert_wasm_compat_internal.wasm" in fetched
    assert "litert_wasm_internal.wasm" not in fetched


@pytest.mark.parametrize("quicker", [False, True])
def test_a_gpu_is_used_when_it_proves_itself_and_is_the_quicker(browser: Any, server: Server, quicker: bool) -> None:
    activate(server, "1.1.0")
    flags = ["--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"]
    drawing = browser.browser_type.launch(executable_path=shutil.which("chromium"), args=flags)
    page = drawing.new_page()
    if quicker:  # the CPU that plays a GPU here never is
        lost = "export function quickerThan(others, run) { return run; }"
        page.context.route("**/engine/race.js", lambda route: route.fulfill(body=lost, content_type="text/javascript"))
    page.goto(f"{server.url}/app/files.json")
    page.evaluate(_START)
    loaded = page.evaluate("store.update(jetson).then(() => store.current()).then((release) => engine.load(release))")
    said = page.evaluate(_BLANK)
    drawing.close()
    assert loaded["runtime"]["accelerator"] == ("webgpu" if quicker else "wasm")
    assert ("ms a photo" in loaded["runtime"]["why"]) != quicker
    assert loaded["selfTest"]["maxChange"] < 1e-4
    assert sum(said.values()) == pytest.approx(1, abs=1e-5)


def test_an_app_that_is_incomplete_says_so(page: Any, server: Server) -> None:
    activate(server, "1.1.0")
    page.context.route("**/vendor/versions.json", lambda route: route.fulfill(status=404))
    assert page.evaluate("answered(() => store.update(jetson))")["code"] == "runtime-not-loaded"
    refused = page.evaluate(
        "answered(() => import('/app/engine/client.js').then(({Engine}) => Engine.start('/app/nowhere/')))"
    )
    assert refused["code"] == "engine-not-started"
