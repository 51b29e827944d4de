"""A photo of which neither phone nor Jetson can tell: no decision on either side, the reason in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dermport.bundle.manifest import Abstention, InputBound, InputReference
from dermport.bundle.store import write_manifest
from tests.mobile_stub.integration.golden import assemble
from tests.mobile_stub.web.app_site import WEB, Phone, build, chromium, dark_photo, expect, photo, served

pytestmark = pytest.mark.xdist_group("web-app")  # one browser at a time
RULE = Abstention(
    reference=InputReference(names=("light",), mean=(150.0,), precision=((0.01,),)),
    threshold=10,
    quality=(InputBound(code="too-dark", side="below", threshold=80),),
    answer_rate=0.95,
    answered={},
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("cannot-tell")
    bundle = assemble(folder / "models" / "careful")
    write_manifest(bundle.path, bundle.manifest.model_copy(update={"abstention": RULE}))
    with served(bundle.path, folder / "state", build(folder / "dist")) as server:
        yield server.url


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


def test_neither_side_decides_on_a_photo_in_which_nothing_can_be_seen(browser: Any, url: str, tmp_path: Path) -> None:
    with Phone.opened(browser, url) as phone:
        phone.wait_until_ready()
        phone.ask(dark_photo(tmp_path / "dark.jpg"))
        assert "agree" in phone.verdict()
        for side in ("phone", "jetson"):
            card = phone.page.locator(f".side.{side}")
            expect(card.locator(".decision")).to_have_text("Cannot tell: no decision")
            expect(card.locator(".reasons")).to_contain_text("The photo is dark.")
            expect(card.locator(".reasons")).to_contain_text("does not look like those")
            expect(card.locator(".quiet")).to_contain_text("For research alone: Melanoma, ")
        phone.picture("cannot-tell")
        phone.page.evaluate((WEB / "node_modules" / "axe-core" / "axe.min.js").read_text())
        assert phone.page.evaluate("axe.run({resultTypes: ['violations']}).then((found) => found.violations)") == []
        phone.ask(photo(tmp_path / "light.jpg"))
        expect(phone.page.locator(".side.phone .reasons")).to_have_count(0)
        expect(phone.page.locator(".side.jetson .decision")).not_to_have_text("Cannot tell: no decision")
