"""What the web app's tests share: the built app, models of a few kB that a server serves, a browser like a phone's."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dermport.bundle.hashing import sha256_file
from dermport.bundle.store import Bundle, file_entries, write_manifest
from tests.factories import draw_photo
from tests.mobile_stub.integration.golden import assemble
from tests.server.live import DERMPORT, Server, serving

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install '.[dev]'")
expect = (
    sync_api.expect
)  # its waits run beside the page: `wait_for_function` polls by eval, which the page's policy forbids

ROOT = Path(__file__).parents[3]
WEB = ROOT / "dermport" / "mobile_stub" / "web"
SCREENSHOTS = ROOT / "build" / "screenshots"
SIZE = {"width": 360, "height": 740}
CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
# Gathers what the page was not allowed to do, from its first script on.
_WATCH = """
globalThis.violations = [];
addEventListener('securitypolicyviolation', (event) => {
  violations.push(`${event.violatedDirective} ${event.blockedURI}`);
});
"""


def install_packages() -> None:
    """Have npm install what the app is built with, once; the test is skipped where Node or npm is missing."""
    if not shutil.which("npm"):
        pytest.skip("npm is not installed (apt-get install npm)")
    with (Path(tempfile.gettempdir()) / "dermport-npm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (WEB / "node_modules" / "axe-core").exists():
            subprocess.run(["npm", "ci"], cwd=WEB, check=True, capture_output=True)


def build(out: Path) -> Path:
    """Write the app to `out`, unpacked; the test is skipped where Node or npm is missing."""
    install_packages()
    command = ["node", "build.mjs", "--out", str(out), "--no-compress"]
    subprocess.run(command, cwd=WEB, check=True, capture_output=True)
    return out


def photo(path: Path, label: int = 2, width: int = 800, height: int = 600) -> Path:
    """Write a drawn photo with nothing to be said against it."""
    path.write_bytes(draw_photo(label, 7, width, height))
    return path


def dark_photo(path: Path) -> Path:
    """Write a photo in which nothing can be seen."""
    Image.new("RGB", (800, 600), (9, 7, 6)).save(path, quality=90)
    return path


def make_model(folder: Path, version: str, spoilt: bool = False) -> Bundle:
    """Write a version of the golden vectors' model; a `spoilt` one promises answers that it does not give."""
    bundle = assemble(folder / version)
    (bundle.path / "model.keras").write_text(f"no network, but version {version}")
    if spoilt:
        index = bundle.path / "golden" / "golden.json"
        document = json.loads(index.read_text())
        for one in document["photos"]:
            one["probabilities"].reverse()
        index.write_text(json.dumps(document))
    listed = {entry.path for entry in bundle.manifest.files}
    files = tuple(entry for entry in file_entries(bundle.path) if entry.path in listed)
    write_manifest(bundle.path, bundle.manifest.model_copy(update={"version": version, "files": files}))
    made = Bundle.open(bundle.path)
    for record in bundle.path.glob("exports/*/export.json"):
        said = json.loads(record.read_text())
        said["bundle"] = {"name": made.manifest.name, "version": version, "model_sha256": made.model_sha256}
        artifact = record.with_name(said["artifact"])
        artifact.write_bytes(artifact.read_bytes() + version.encode().ljust(16, b"\0"))  # no runtime reads so far
        said["artifact_sha256"], said["artifact_bytes"] = sha256_file(artifact), artifact.stat().st_size
        said["files"] = [one.model_dump(mode="json") for one in file_entries(record.parent, exclude=(record.name,))]
        record.write_text(json.dumps(said))
    return made


def make_key(state: Path) -> str:
    """Make an API key as whoever runs the server does."""
    command = (*DERMPORT, "keys", "create", "phone", "--state", str(state), "--json")
    return str(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["key"])


@contextmanager
def served(models: Path, state: Path, dist: Path, *options: str) -> Iterator[Server]:
    """Serve models and the app, with one worker."""
    with serving(models, state, "--runtime", "litert", "--workers", "1", "--web", str(dist), *options) as server:
        yield server


@contextmanager
def chromium(*flags: str) -> Iterator[Any]:
    """Start Debian's Chromium; the test is skipped where it is missing."""
    path = shutil.which("chromium")
    if not path:
        pytest.skip("Chromium is not installed (apt-get install chromium)")
    arguments = [*CAMERA, *flags, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@dataclass
class Phone:
    """The app in a browser of a phone's size.

    Attributes:
        page: Playwright's.
        problems: What the page logged as an error, or threw.
    """

    page: Any
    problems: list[str] = field(default_factory=list)

    @classmethod
    @contextmanager
    def opened(cls, browser: Any, url: str, **options: Any) -> Iterator[Phone]:
        """Open the app in a new profile, and at the end see that it did nothing that it may not."""
        context = browser.new_context(**{"viewport": SIZE, "locale": "en-GB", "permissions": ["camera"], **options})
        context.add_init_script(_WATCH)
        phone = cls(context.new_page())
        phone.page.set_default_timeout(60_000)  # a busy machine of CI
        phone.page.on("pageerror", lambda error: phone.problems.append(str(error)))
        phone.page.on("console", phone._hear)
        phone.page.goto(f"{url}/app/")
        phone.page.wait_for_selector("h1")
        yield phone
        assert phone.page.evaluate("violations") == []
        assert phone.problems == []
        context.close()

    def _hear(self, message: Any) -> None:
        if "Content Security Policy" in message.text or (message.type == "error" and "net::" not in message.text):
            self.problems.append(message.text)

    def wait_until_ready(self) -> None:
        """Wait for the model."""
        self.page.wait_for_selector(".model-state .dot.reachable")

    def wait_until_kept(self) -> None:
        """Wait until the phone has everything that it needs without a network."""
        self.wait_until_ready()
        for _ in range(100):
            if self.page.evaluate("caches.match('vendor/litert/litert_wasm_internal.wasm').then(Boolean)"):
                return
            self.page.wait_for_timeout(200)
        raise AssertionError("The runtime was not kept.")

    def enter_key(self, key: str) -> None:
        """Enter an API key, and a name of the phone."""
        self.go("settings")
        self.page.fill("#setting-key", key)
        self.page.fill("#setting-device", "ward-3")
        self.page.click("text=Save")

    def ask(self, photo: Path) -> None:
        """Choose a photo, go on whatever the hints say, and wait for the phone's answer."""
        self.page.click("#tab-photo")
        self.page.set_input_files("#input-file", photo)
        self.page.wait_for_selector(".hints, .side.phone .says")
        if self.page.locator(".hints").count():
            self.page.click(".stage .primary")
        self.page.wait_for_selector(".side.phone .says")

    def verdict(self, look: str = "good") -> str:
        """Wait for a verdict of this look, and return its words."""
        return str(self.page.wait_for_selector(f".verdict.{look}").inner_text())

    def go(self, tab: str) -> None:
        """Open a page of the app."""
        self.page.click(f"#tab-{tab}")
        self.page.wait_for_selector(f"#tab-{tab}[aria-current]")

    def picture(self, name: str) -> None:
        """Take a screenshot of the whole view, to be looked at."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")

    def percents(self, side: str) -> list[float]:
        """Return the probabilities that the bars of a side show, in the order of the view."""
        texts = self.page.locator(f".bar:has(.filled.{side}) .value").all_inner_texts()
        return [float(re.sub(r"[^\d.]", "", text)) / 100 for text in texts]
