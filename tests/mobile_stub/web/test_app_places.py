"""The web app where it is hard: plain http with an API key, and for people who use a screen reader."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.mobile_stub.web.app_site import WEB, Phone, build, chromium, dark_photo, make_key, make_model, photo, served

AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"
# A name that is neither localhost nor HTTPS: to a browser, a place where anybody may listen.
CLINIC = "jetson.clinic.example"

pytestmark = pytest.mark.xdist_group("web-app")  # one browser at a time


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("places")


@pytest.fixture(scope="module")
def key(folder: Path) -> str:
    return make_key(folder / "state")


@pytest.fixture(scope="module")
def url(folder: Path, key: str) -> Iterator[str]:
    make_model(folder / "models", "1.0.0")
    with served(folder / "models", folder / "state", build(folder / "dist"), "--keys") as server:
        yield server.url


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium(f"--host-resolver-rules=MAP {CLINIC} 127.0.0.1") as started:
        yield started


def test_plain_http_says_what_is_missing_and_the_rest_works(browser: Any, url: str, key: str, tmp_path: Path) -> None:
    with Phone.opened(browser, f"http://{CLINIC}:{urlsplit(url).port}", permissions=[]) as phone:
        assert phone.page.evaluate("isSecureContext") is False
        phone.page.wait_for_selector("text=The Jetson asks for an API key: enter it in the settings.")
        notice = phone.page.inner_text(".origin")
        assert all(word in notice for word in ("no live camera", "no use without a network", "unencrypted"))
        phone.page.click("text=How to get HTTPS in a clinic’s network")
        assert "docs/phone-web.md" in phone.page.inner_text(".origin")
        assert phone.page.get_attribute("#input-app", "capture") == "environment"  # the phone's own camera app
        phone.picture("plain-http")
        phone.enter_key(key)
        phone.ask(photo(tmp_path / "mole.jpg"))
        assert "agree" in phone.verdict()
        phone.problems.clear()  # the browser logs the 401 before the key was there


def test_a_key_that_comes_late_sends_what_waits(browser: Any, url: str, key: str, tmp_path: Path) -> None:
    with Phone.opened(browser, url) as phone:
        phone.enter_key(key)
        phone.go("photo")
        phone.wait_until_ready()
        phone.enter_key("dp_of_nobody")
        phone.ask(photo(tmp_path / "mole.jpg"))
        assert "asks for an API key" in phone.verdict("warn")
        phone.enter_key(key)
        phone.go("history")
        phone.page.click(".record")
        assert "agree" in phone.verdict()
        assert phone.page.locator(".waiting").count() == 0
        phone.problems.clear()  # the 401s


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Any, url: str, key: str, tmp_path: Path, scheme: str) -> None:
    with Phone.opened(browser, url, color_scheme=scheme) as phone:
        _look(phone, "settings without a model")
        phone.enter_key(key)
        _look(phone, "settings")
        phone.go("history")
        phone.page.wait_for_selector("text=Nothing was asked yet.")
        _look(phone, "empty history")
        phone.go("photo")
        phone.wait_until_ready()
        _look(phone, "photo")
        phone.page.set_input_files("#input-file", dark_photo(tmp_path / "dark.jpg"))
        phone.page.wait_for_selector(".hints")
        _look(phone, "hints")
        phone.ask(photo(tmp_path / "mole.jpg"))
        phone.verdict()
        phone.page.click(".details summary")
        _look(phone, "result")
        phone.go("history")
        phone.page.wait_for_selector(".record")
        _look(phone, "history")
        phone.problems.clear()  # the browser logs the 401 before the key was there


def _look(phone: Phone, where: str) -> None:
    phone.page.evaluate(AXE.read_text())
    found = phone.page.evaluate("axe.run({resultTypes: ['violations']})")
    said = [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]
    assert said == [], where


def test_motion_is_reduced_where_it_is_asked_for(browser: Any, url: str) -> None:
    with Phone.opened(browser, url, reduced_motion="reduce") as phone:
        phone.page.evaluate("document.querySelector('h1').className = 'spinner'")
        assert (
            phone.page.evaluate("getComputedStyle(document.querySelector('h1')).animationTimingFunction") == "steps(8)"
        )
        phone.problems.clear()


def test_a_browser_that_keeps_nothing_is_told(browser: Any, url: str) -> None:
    with Phone.opened(browser, url) as phone:
        phone.page.add_init_script("IDBFactory.prototype.open = function () { throw new Error('closed'); };")
        phone.page.reload()
        assert "This browser cannot keep the model" in phone.page.inner_text(".problem")
        phone.problems.clear()
