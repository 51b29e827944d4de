"""The web app's engine in headless Chromium, asked from Python."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dermport.errors import UnavailableError

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

CHROMIUM = Path("/usr/bin/chromium")
_ENGINE = """async (precisions) => {
  const {Engine} = await import('/app/engine/client.js');
  const {ModelStore} = await import('/app/engine/store.js');
  globalThis.engines = new Map();
  const loaded = {};
  for (const precision of precisions) {
    const engine = await Engine.start();
    const store = await ModelStore.open({
      prove: async (release) => (loaded[precision] = await engine.load(release, {webgpu: false})),
      database: `parity-${precision}`,
    });
    await store.update({fetch: (path, init) => fetch(path, init)}, {precision});
    engines.set(precision, engine);
    globalThis.spec = (await store.current()).manifest.preprocessing;
  }
  return loaded;
}"""
_PHOTO = """async () => {
  const photo = await (await fetch('/photo')).blob();
  const [first] = engines.values();
  const began = performance.now();
  try {
    const {tensor, ...prepared} = await first.prepare(photo, spec);
    const milliseconds = performance.now() - began;
    const probabilities = {};
    for (const [precision, engine] of engines) {
      probabilities[precision] = Object.values((await engine.predict(tensor.slice())).probabilities);
    }
    return {...prepared, milliseconds, probabilities};
  } catch ({code, message}) {
    return {refused: code, message};
  }
}"""


@dataclass
class BrowserPhone:
    """A page with the engine loaded, once for each precision.

    Attributes:
        page: Playwright's page.
        loaded: By precision: the runtime and the self-test, as the engine told them.
    """

    page: Page
    loaded: dict[str, Any]
    _photo: bytes = b""

    @classmethod
    def on(cls, page: Page, url: str, precisions: Sequence[str] = ("fp32",)) -> BrowserPhone:
        """Open the engine of a server that hands out the web app, with the live model in each of the precisions."""
        page.goto(f"{url}/app/files.json")
        opened = cls(page, {})
        page.route(f"{url}/photo", opened.hand_out)
        opened.loaded = page.evaluate(_ENGINE, list(precisions))
        return opened

    @property
    def name(self) -> str:
        """The browser and its version."""
        browser = self.page.context.browser
        return f"{browser.browser_type.name} {browser.version}" if browser else ""

    def look_at(self, photo: bytes) -> dict[str, Any]:
        """Return what the engine makes of a photo.

        Either ``inputSha256``, ``exact``, ``kind``, ``quality``, ``milliseconds`` (of the preparation) and
        ``probabilities`` by precision, or ``refused`` with the reason's code.
        """
        self._photo = photo
        answer: dict[str, Any] = self.page.evaluate(_PHOTO)
        return answer

    def hand_out(self, route: Route) -> None:
        """Answer the page's request for the photo."""
        route.fulfill(body=self._photo, content_type="application/octet-stream")


@contextmanager
def chromium(options: Sequence[str] = ()) -> Iterator[Page]:
    """Open a page of a new, empty profile; it is closed when the block ends.

    Raises:
        UnavailableError: Playwright or Chromium is not installed.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise UnavailableError("Playwright is not installed.", remedy="pip install playwright") from error
    if not CHROMIUM.exists():
        raise UnavailableError(f"{CHROMIUM} is not there.", remedy="apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *options])
        try:
            yield browser.new_page()
        finally:
            browser.close()
