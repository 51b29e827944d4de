"""The web app without its Jetson: it opens, answers and queues; and how it gets another model, or another build."""

from __future__ import annotations

import json
import select
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from dermport.bundle.hashing import sha256_bytes
from tests.mobile_stub.web.app_site import Phone, build, chromium, make_model, photo, served

pytestmark = pytest.mark.xdist_group("web-app")  # one browser at a time


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("built") / "dist")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    make_model(tmp_path / "models", "1.0.0")
    return tmp_path / "models"


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _count(url: str) -> int:
    return int(httpx.get(f"{url}/v1/comparisons/summary").json()["total"]["comparisons"])


def test_offline_it_opens_answers_and_sends_later_exactly_once(
    browser: Any, dist: Path, models: Path, tmp_path: Path
) -> None:
    mole = photo(tmp_path / "mole.jpg")
    where = (models, tmp_path / "state", dist, "--port", str(_free_port()))
    with ExitStack() as stack:
        with served(*where) as server:
            phone = stack.enter_context(Phone.opened(browser, server.url))
            phone.wait_until_kept()
        phone.page.reload()  # without a server
        phone.wait_until_ready()
        phone.ask(mole)
        assert "sent by itself" in phone.verdict("wait")
        assert "Jetson not reachable" in phone.page.inner_text("header .status")
        phone.page.wait_for_selector("header .status:has-text('1 waiting')")
        phone.picture("offline")
        phone.page.reload()  # the queue is not in the page's memory
        phone.page.wait_for_selector("header .status:has-text('1 waiting')")
        with served(*where) as server:
            assert "agree" in phone.verdict()
            assert phone.page.locator(".waiting").count() == 0
            phone.page.reload()
            phone.verdict()
            assert _count(server.url) == 1


def test_an_answer_that_was_lost_counts_once(browser: Any, dist: Path, models: Path, tmp_path: Path) -> None:
    with served(models, tmp_path / "state", dist) as server, LossyLine(server.url) as line:
        with Phone.opened(browser, line.url) as phone:
            phone.wait_until_ready()
            line.losing = True
            phone.ask(photo(tmp_path / "mole.jpg"))
            assert "agree" in phone.verdict()
        assert line.lost == 1
        assert _count(server.url) == 1


def test_a_model_is_updated_proved_and_rolled_back(browser: Any, dist: Path, models: Path, tmp_path: Path) -> None:
    make_model(models, "1.1.0")
    make_model(models, "1.2.0", spoilt=True)
    with served(models, tmp_path / "state", dist) as server, Phone.opened(browser, server.url) as phone:
        phone.wait_until_ready()
        assert "blotches 1.0.0" in phone.page.inner_text(".model-state")
        httpx.post(
            f"{server.url}/v1/admin/models/activate", json={"name": "blotches", "version": "1.1.0"}
        ).raise_for_status()
        phone.go("settings")
        phone.page.click("text=Look for an update")
        phone.page.wait_for_selector("text=The phone now runs blotches 1.1.0.")
        phone.picture("settings")
        phone.page.click("text=Back to the version before")
        phone.page.wait_for_selector("text=The phone now runs blotches 1.0.0.")
        phone.ask(photo(tmp_path / "mole.jpg"))
        phone.verdict()
        phone.page.click(".details summary")
        assert "blotches 1.0.0" in phone.page.inner_text(".details dd.of:has(.phone) >> nth=1")
        wish = {"model": "blotches", "platform": "web", "candidate": "1.2.0", "percentage": 100}
        httpx.put(f"{server.url}/v1/admin/rollouts", json=wish).raise_for_status()
        phone.go("settings")
        phone.page.click("text=Look for an update")
        phone.page.wait_for_selector("text=does not answer known photos as the original does")
        assert "blotches 1.0.0" in phone.page.inner_text(".facts")


def test_a_newer_build_is_offered_and_taken(browser: Any, dist: Path, models: Path, tmp_path: Path) -> None:
    mine = tmp_path / "dist"
    shutil.copytree(dist, mine)
    with served(models, tmp_path / "state", mine) as server, Phone.opened(browser, server.url) as phone:
        phone.wait_until_kept()
        _change(mine, "app.css", "/* build 2 */")
        phone.page.reload()
        phone.page.wait_for_selector("text=A newer version of this app is on the phone.")
        assert "build 2" not in phone.page.evaluate(_STYLE)  # one build at a time
        with phone.page.expect_navigation():
            phone.page.click("text=Use it now")
        phone.wait_until_ready()
        assert phone.page.evaluate(_STYLE).endswith("/* build 2 */")
        assert phone.page.locator(".newer:visible").count() == 0
        assert len(phone.page.evaluate("caches.keys()")) == 1


def test_a_file_that_is_not_the_listed_one_is_not_kept(browser: Any, dist: Path, models: Path, tmp_path: Path) -> None:
    mine = tmp_path / "dist"
    shutil.copytree(dist, mine)
    (mine / "app.css").write_bytes((mine / "app.css").read_bytes() + b"/* by whom? */")
    with served(models, tmp_path / "state", mine) as server, Phone.opened(browser, server.url) as phone:
        phone.wait_until_ready()
        assert phone.page.evaluate("navigator.serviceWorker.controller") is None
        assert phone.page.evaluate("caches.match('app.css')") is None


_STYLE = "fetch('app.css').then((response) => response.text())"


def _change(dist: Path, name: str, added: str) -> None:
    """Change a file, and list it as a build would."""
    content = (dist / name).read_bytes() + added.encode()
    (dist / name).write_bytes(content)
    listing = json.loads((dist / "files.json").read_text())
    for file in listing["files"]:
        if file["path"] == name:
            file.update(bytes=len(content), sha256=sha256_bytes(content))
    listing["id"] = sha256_bytes(json.dumps(listing["files"]).encode())
    (dist / "files.json").write_text(json.dumps(listing))


class LossyLine:
    """A line to the server on which, once, a comparison arrives and its answer is lost.

    Attributes:
        url: Where it begins.
        losing: Whether the next answer to a comparison is to be lost.
        lost: How many were.
    """

    def __init__(self, url: str) -> None:
        self._server = (urlsplit(url).hostname, urlsplit(url).port)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.losing = False
        self.lost = 0

    def __enter__(self) -> LossyLine:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=self._join, args=(self._socket.accept()[0],), daemon=True).start()

    def _join(self, phone: socket.socket) -> None:
        with phone, socket.create_connection(self._server) as server, suppress(OSError):
            ends = {phone: server, server: phone}
            compares = False
            while True:
                for end in select.select(list(ends), [], [])[0]:
                    data = end.recv(1 << 16)
                    if end is phone and b" /v1/" in data[:200]:
                        compares = data.startswith(b"POST /v1/comparisons")
                    if not data or (end is server and compares and self._loses()):
                        return
                    ends[end].sendall(data)

    def _loses(self) -> bool:
        losing, self.losing = self.losing, False
        self.lost += losing
        return losing
