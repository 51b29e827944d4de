"""The web app in Chromium, in front of a real server: a photo, both answers, the verdict."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from dermport.bundle.hashing import sha256_file
from tests.mobile_stub.web.app_site import Phone, build, chromium, dark_photo, expect, make_model, photo, served

pytestmark = pytest.mark.xdist_group("web-app")  # one browser at a time


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("app")


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    make_model(folder / "models", "1.0.0")
    with served(folder / "models", folder / "state", build(folder / "dist"), "--precision", "fp32") as server:
        yield server.url


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture
def phone(browser: Any, url: str) -> Iterator[Phone]:
    with Phone.opened(browser, url) as opened:
        yield opened


def _comparisons(url: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = httpx.get(f"{url}/v1/comparisons").json()["items"]
    return items


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_photo_is_answered_by_both_and_judged(browser: Any, url: str, tmp_path: Path, scheme: str) -> None:
    mole = photo(tmp_path / "mole.jpg")
    with Phone.opened(browser, url, color_scheme=scheme, device_scale_factor=2) as phone:
        phone.wait_until_ready()
        phone.picture(f"{scheme}-photo")
        phone.ask(mole)
        words = phone.verdict()
        assert "Phone and Jetson agree" in words
        answer = _comparisons(url)[0]
        _shows(phone, answer)
        assert answer["phone"]["said"]["photo_sha256"] == sha256_file(mole)
        assert answer["verdict"]["same_input"]
        phone.picture(f"{scheme}-result")
        _fits(phone)


def _shows(phone: Phone, answer: dict[str, Any]) -> None:
    """Both sides' labels, decisions and probabilities are on the page."""
    for side, said in (("phone", answer["phone"]["said"]), ("jetson", answer["server"])):
        label = answer["phone" if side == "phone" else "server"]["label"]
        card = phone.page.inner_text(f".side.{side}")
        assert phone.page.evaluate(f"document.querySelector('.side.{side} .says').textContent") in card
        shown = phone.percents(side)
        assert sorted(shown) == pytest.approx(sorted(said["probabilities"].values()), abs=0.0006)
        assert f"{100 * said['probabilities'][label]:.1f}%" in card
    decision = answer["server"]["decision"]
    words = "Suspicious" if decision["positive"] else "Not suspicious"
    assert phone.page.inner_text(".side.jetson .decision") == words
    assert f"threshold {100 * decision['threshold']:.1f}%" in phone.page.inner_text(".side.jetson")


def _fits(phone: Phone) -> None:
    """Nothing is wider than the screen, and the notice stays in sight."""
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= 360
    phone.page.evaluate("scrollTo(0, document.body.scrollHeight)")
    assert "never a diagnosis" in phone.page.inner_text("header .notice")
    top = phone.page.locator("header .notice").bounding_box()["y"]
    assert 0 <= top < 100


def test_ids_hashes_and_times_are_in_the_details(phone: Phone, url: str, tmp_path: Path) -> None:
    phone.ask(photo(tmp_path / "mole.jpg"))
    phone.verdict()
    phone.page.click(".details summary")
    details, answer = phone.page.inner_text(".details"), _comparisons(url)[0]
    said, server = answer["phone"]["said"], answer["server"]
    for sha256 in (server["input_sha256"], said["artifact_sha256"], server["model"]["sha256"]):
        assert sha256[:12] in details
    for text in ("blotches 1.0.0", "dermport-prep/1", "LiteRT.js", "tflite int8", "tflite fp32", answer["id"]):
        assert text in details
    assert "there and back; of this" in details  # the server's own times
    assert "equal" in phone.page.inner_text(".details .tag.good")


def test_the_cause_is_told_in_words(phone: Phone, tmp_path: Path) -> None:
    phone.ask(photo(tmp_path / "mole.jpg"))
    phone.verdict()
    assert "same model in different precision" in phone.page.inner_text(".why")
    phone.go("settings")
    phone.page.select_option("#setting-precision", "fp32")
    phone.page.wait_for_selector("text=The phone now runs blotches 1.0.0")
    phone.ask(photo(tmp_path / "mole.jpg"))
    phone.verdict()
    phone.page.click(".details summary")
    assert "tflite fp32" in phone.page.inner_text(".details")
    assert phone.page.locator(".why").count() == 0  # the same file on the same input: nothing differs


_COLOURS = """() => {
  const context = document.createElement('canvas').getContext('2d');
  context.drawImage(document.querySelector('.thumbnail'), 0, 0);
  return [...context.getImageData(0, 0, 50, 50).data].filter((_, at) => at % 4 < 3);
}"""
_PREPARED = "const prepared = await this.#model.prepare(photo);"
_SWAPPED = """
    const {tensor} = prepared;
    for (let at = 0; at < tensor.length; at += 3) [tensor[at], tensor[at + 2]] = [tensor[at + 2], tensor[at]];
    prepared.inputSha256 = (await import('../engine/sha256.js')).sha256Hex(tensor);
"""


def test_a_planted_fault_is_named_and_shown(browser: Any, tmp_path: Path) -> None:
    dist = build(tmp_path / "dist")
    code = (dist / "app" / "workflow.js").read_text()
    assert _PREPARED in code
    (dist / "app" / "workflow.js").write_text(code.replace(_PREPARED, _PREPARED + _SWAPPED))
    make_model(tmp_path / "models", "1.0.0")
    with served(tmp_path / "models", tmp_path / "state", dist) as server, Phone.opened(browser, server.url) as phone:
        phone.ask(photo(tmp_path / "mole.jpg", label=0))
        phone.page.wait_for_selector(".verdict.good, .verdict.warn, .verdict.bad")
        why = phone.page.inner_text(".why")
        assert "The same photo became different inputs" in why
        assert "Red and blue are swapped." in why
        drawn = phone.page.locator(".why figure img")
        assert drawn.evaluate("(image) => image.decode().then(() => image.naturalWidth)") > 64
        phone.picture("planted-fault")
        phone.page.evaluate("document.querySelector('.why').scrollIntoView()")
        phone.page.evaluate("scrollBy(0, -110)")
        phone.picture("planted-fault-why")
        phone.page.click(".details summary")
        assert "different" in phone.page.inner_text(".details .tag.warn")


def test_the_camera(phone: Phone, url: str) -> None:
    phone.wait_until_ready()
    phone.page.click("text=Use the camera")
    phone.page.wait_for_selector("button:has-text('Take the photo'):enabled")
    while not phone.page.evaluate("document.querySelector('video').videoWidth"):
        phone.page.wait_for_timeout(50)
    phone.picture("camera")
    phone.page.click("text=Take the photo")
    phone.page.wait_for_selector(".hints, .side.phone .says")
    if phone.page.locator(".hints").count():
        phone.page.click("text=Continue with this photo")
    phone.page.wait_for_selector(".verdict.good, .verdict.warn, .verdict.bad")
    arrived = _comparisons(url)[0]
    assert arrived["verdict"]["same_input"]
    assert arrived["server"]["photo"]["width"] >= 640
    assert max(phone.page.evaluate(_COLOURS)) > 100  # Chromium's fake camera shows a bright green
    phone.picture("camera-result")


def test_hints_come_before_the_prediction(phone: Phone, url: str, tmp_path: Path) -> None:
    before = len(_comparisons(url))
    phone.wait_until_ready()
    phone.page.set_input_files("#input-file", dark_photo(tmp_path / "dark.jpg"))
    phone.page.wait_for_selector("text=The photo is dark. Use more light.")
    phone.picture("hints")
    phone.page.click("text=Another photo")
    phone.page.wait_for_selector("#input-file", state="attached")
    assert len(_comparisons(url)) == before


def test_what_is_no_photo_is_refused_in_words(phone: Phone, tmp_path: Path) -> None:
    (tmp_path / "note.jpg").write_text("no photo")
    phone.wait_until_ready()
    phone.page.set_input_files("#input-file", tmp_path / "note.jpg")
    assert "neither JPEG nor PNG" in phone.page.inner_text(".problem")


@pytest.mark.parametrize("choice", ["photo", "prepared", "nothing"])
def test_only_what_the_user_wants_leaves_the_phone(phone: Phone, url: str, tmp_path: Path, choice: str) -> None:
    posted: list[str] = []
    phone.page.on("request", lambda one: one.method == "POST" and posted.append(one.url))
    mole, before = photo(tmp_path / "mole.jpg"), len(_comparisons(url))
    phone.go("settings")
    phone.page.check(f"[name=privacy][value={choice}]")
    phone.ask(mole)
    words = phone.verdict("off" if choice == "nothing" else "good")
    assert ("Nothing was sent" in words) == (choice == "nothing")
    assert len(posted) == len(_comparisons(url)) - before == (choice != "nothing")
    if posted:
        arrived = _comparisons(url)[0]
        assert arrived["server"]["photo"]["form"] == choice
        assert (arrived["server"]["photo"]["bytes"] == mole.stat().st_size) == (choice == "photo")
        assert (arrived["phone"]["said"]["photo_sha256"] is None) == (choice == "prepared")


def test_history_is_exported_and_deleted(phone: Phone, tmp_path: Path) -> None:
    phone.ask(photo(tmp_path / "mole.jpg"))
    phone.verdict()
    phone.go("history")
    phone.page.wait_for_selector(".record")
    phone.picture("history")
    saved = {}
    for ending in ("JSON", "CSV"):
        with phone.page.expect_download() as download:
            phone.page.click(f"text=Export {ending}")
        saved[ending] = Path(download.value.path()).read_text()
    document = json.loads(saved["JSON"])
    assert "never a diagnosis" in document["notice"]
    record = document["records"][0]
    [row] = csv.DictReader(saved["CSV"].splitlines())
    assert row["phone_label"] == record["phone"]["label"]
    assert float(row["change"]) == record["jetson"]["answer"]["verdict"]["change"]
    assert row["same_input"] == "true"
    phone.page.on("dialog", lambda dialog: dialog.accept())
    phone.page.click("text=Delete all")
    phone.page.wait_for_selector("text=Nothing was asked yet.")


@pytest.mark.parametrize(
    ("locale", "title"),
    [
        ("es-AR", "Foto de una lesión cutánea"),
        ("fr-CA", "Photo d’une lésion cutanée"),
        ("de-DE", "Photo of a skin lesion"),
    ],
)
def test_it_speaks_the_browsers_language(browser: Any, url: str, tmp_path: Path, locale: str, title: str) -> None:
    decisions = {"es": ("Sospechosa", "No sospechosa"), "fr": ("Suspecte", "Non suspecte")}
    language = locale[:2] if locale[:2] in decisions else "en"
    with Phone.opened(browser, url, locale=locale) as phone:
        assert phone.page.inner_text("h1") == title
        assert phone.page.get_attribute("html", "lang") == language
        phone.ask(photo(tmp_path / "mole.jpg"))
        phone.verdict()
        assert phone.page.inner_text(".side.phone .decision") in decisions.get(
            language, ("Suspicious", "Not suspicious")
        )
        phone.picture(f"result-{language}")
        assert phone.page.evaluate("document.documentElement.scrollWidth") <= 360
        phone.go("settings")
        phone.page.select_option("#setting-language", "en")
        phone.page.wait_for_selector("h1:has-text('Settings')")


def test_the_keyboard_reaches_everything(phone: Phone) -> None:
    phone.wait_until_ready()
    phone.page.keyboard.press("Tab")
    assert phone.page.evaluate("document.activeElement.className") == "skip"
    phone.page.keyboard.press("Enter")
    assert phone.page.evaluate("document.activeElement.id") == "main"
    reached = []
    for _ in range(6):
        phone.page.keyboard.press("Tab")
        reached.append(phone.page.evaluate("document.activeElement.id || document.activeElement.textContent"))
    assert reached == ["Use the camera", "input-file", "Change", "tab-photo", "tab-history", "tab-settings"]
    phone.page.keyboard.press("Enter")
    expect(phone.page.locator("h1")).to_be_focused()
