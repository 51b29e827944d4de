"""The class activation map in the web app: drawn from the phone's own run, switched, chosen, told in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dermport.bundle.activation_map import DRAWING
from tests.mobile_stub.integration.golden import FOLDER, MAP_VECTORS, MAPS, assemble
from tests.mobile_stub.web.app_site import WEB, Phone, build, chromium, expect, served

pytestmark = pytest.mark.xdist_group("web-app")  # one browser at a time
VECTORS = json.loads((MAPS / MAP_VECTORS).read_text())
_PIXELS = """() => {
  const canvas = document.querySelector('.map canvas');
  return [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data];
}"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("map")
    bundle = assemble(folder / "models" / "mapped", maps=True)
    with served(bundle.path, folder / "state", build(folder / "dist")) as server:
        yield server.url


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


def _asked(phone: Phone) -> list[int]:
    phone.wait_until_ready()
    phone.ask(FOLDER / "photos" / VECTORS["photo"])
    phone.verdict()
    phone.page.wait_for_selector("#map-words:has-text('most')")
    return list(phone.page.evaluate(_PIXELS))


def test_the_map_is_drawn_switched_off_and_chosen_by_keyboard(browser: Any, url: str) -> None:
    with Phone.opened(browser, url) as phone:
        drawn = _asked(phone)
        phone.picture("map")
        least, largest = (one(one(row) for row in VECTORS["grids"]["mel"]) for one in (min, max))
        words = phone.page.inner_text("#map-words")
        assert "Melanoma" in words
        assert f"+{largest:.1f}" in words
        assert f"least {least:+.1f}" in words
        assert "not what is ill" in phone.page.inner_text(".map")
        assert "never a diagnosis" in phone.page.inner_text("header .notice")
        phone.page.focus("#map-on")
        phone.page.keyboard.press("Space")
        expect(phone.page.locator(".map canvas")).to_have_attribute("aria-label", "The photo as the model sees it")
        plain = phone.page.evaluate(_PIXELS)
        mixed = [2 * one - other for one, other in zip(drawn, plain, strict=True)]  # the opacity is a half
        darkest = min(map(min, DRAWING["colours"]))
        assert DRAWING["opacity"] == 0.5
        assert darkest - 2 <= min(mixed)
        assert max(mixed) <= 257
        assert drawn != plain
        phone.page.keyboard.press("Space")
        phone.page.keyboard.press("Tab")
        assert phone.page.evaluate("document.activeElement.id") == "map-label"
        phone.page.select_option("#map-label", "nv")
        expect(phone.page.locator("#map-words")).to_contain_text("Melanocytic nevus")
        assert phone.page.evaluate(_PIXELS) != drawn
        assert phone.page.evaluate("document.documentElement.scrollWidth") <= 360
        phone.page.evaluate((WEB / "node_modules" / "axe-core" / "axe.min.js").read_text())
        assert phone.page.evaluate("axe.run({resultTypes: ['violations']}).then((found) => found.violations)") == []


def test_a_model_without_maps_shows_none(browser: Any, tmp_path: Path) -> None:
    bundle = assemble(tmp_path / "models" / "plain")
    with (
        served(bundle.path, tmp_path / "state", build(tmp_path / "dist"), "--precision", "fp32") as server,
        Phone.opened(browser, server.url) as phone,
    ):
        phone.wait_until_ready()
        phone.ask(FOLDER / "photos" / VECTORS["photo"])
        phone.verdict()
        assert phone.page.locator(".map").count() == 0
