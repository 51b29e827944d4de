"""How long a phone's user waits: from opening the page to the phone's answer and to the verdict, and what travels.

    npm --prefix dermport/mobile_stub/web ci && node dermport/mobile_stub/web/build.mjs
    python -m benchmarks.web.page artifacts/ham7 photo.jpg --rounds 3

Each round is a new, empty profile of headless Chromium on loopback (cold), then another photo in the open page (warm),
then the page loaded again (again). Times are the browser's own, in milliseconds, from the start of the navigation, or
(warm) from the choice of the photo; bytes are those of the bodies as they travelled until the first verdict.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.web.browser import chromium
from benchmarks.web.parity import WEB, serving

if TYPE_CHECKING:
    from playwright.sync_api import Page

GOALS = {"cold": 5000.0, "warm": 1000.0}
"""Milliseconds within which the phone's answer is to be seen."""
PRECISIONS = ("int8", "fp16", "fp32")
# Notes when each side's answer is first drawn; reset by choosing a photo.
_CLOCK = """
globalThis.seen = {};
new MutationObserver(() => {
  const views = {phone: '.side.phone .says', verdict: '.verdict:is(.good, .warn, .bad)'};
  for (const [name, view] of Object.entries(views)) {
    if (document.querySelector(view)) globalThis.seen[name] ??= performance.now();
  }
}).observe(document, {subtree: true, childList: true});
"""


def main(argv: Sequence[str] | None = None) -> None:
    options = _options(argv)
    with serving(options.bundle, WEB) as url:
        rounds = [_round(url, options.photo, options.precision) for _ in range(options.rounds)]
    medians = {name: _median([one[name] for one in rounds]) for name in rounds[0]}
    print(json.dumps({"precision": options.precision, "rounds": options.rounds, **medians}, indent=1))
    late = [name for name, goal in GOALS.items() if medians[name]["phone"] > goal]
    raise SystemExit(f"later than the goal: {', '.join(late)}" if late else 0)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.web.page", description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--precision", choices=PRECISIONS, default=PRECISIONS[0])
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args(argv)


def _round(url: str, photo: Path, precision: str) -> dict[str, dict[str, float]]:
    with chromium() as page:
        page.set_default_timeout(60_000)
        settings = json.dumps(json.dumps({"precision": precision}))
        page.add_init_script(f"localStorage.setItem('dermport-settings', {settings});{_CLOCK}")
        travelled = _Travelled(page)
        page.goto(f"{url}/app/")
        cold = {**_ask(page, photo), "bytes": travelled.bytes}
        page.click("#tab-photo")
        page.evaluate("globalThis.began = performance.now(), globalThis.seen = {}")
        warm = _since(_ask(page, photo), page.evaluate("began"))
        page.goto(f"{url}/app/#photo")
        page.reload()
        return {"cold": cold, "warm": warm, "again": _ask(page, photo)}


def _ask(page: Page, photo: Path) -> dict[str, float]:
    page.set_input_files("#input-file", photo)
    page.wait_for_selector(".hints, .side.phone .says")
    if page.locator(".hints").count():
        page.click(".stage .primary")
    page.wait_for_selector(".verdict:is(.good, .warn, .bad)")
    seen: dict[str, float] = page.evaluate("seen")
    return seen


def _since(seen: dict[str, float], began: float) -> dict[str, float]:
    return {name: at - began for name, at in seen.items()}


class _Travelled:
    """Counts the bytes of bodies as they travelled, the service worker's and the engine's too."""

    def __init__(self, page: Page) -> None:
        self.bytes = 0
        page.context.on("requestfinished", self._add)

    def _add(self, request: Any) -> None:
        self.bytes += request.sizes()["responseBodySize"] if request.response().status == 200 else 0


def _median(values: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(one[name] for one in values)) for name in values[0]}


if __name__ == "__main__":
    main()
