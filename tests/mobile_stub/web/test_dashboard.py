"""The dashboard in a browser, against a live server whose comparisons were posted through its own API."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dermport.bundle.notice import NOTICE
from tests.mobile_stub.web.app_site import WEB, build, chromium
from tests.mobile_stub.web.dashboard_site import Site, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"
Open = Callable[..., "Page"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("web") / "dist")


@pytest.fixture
def page_of(browser: Browser) -> Iterator[Open]:
    """Open a site's dashboard; whatever the browser complains of, as a violation of the policy, fails the test."""
    complaints: list[str] = []
    contexts = []

    def opened(site: Site, address: str = "", refusals: tuple[int, ...] = (), **options: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, "locale": "en-GB", **options})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: _note(complaints, said.type, said.text, refusals))
        page.goto(f"{site.url}/dashboard/{address}")
        page.wait_for_selector(".status:not(.asking):not(:empty)")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def _note(complaints: list[str], kind: str, text: str, refusals: tuple[int, ...]) -> None:
    expected = any(f"status of {status} " in text for status in refusals)
    if kind in ("error", "warning") and not expected:
        complaints.append(text)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, dist: Path) -> Iterator[Site]:
    """A server on loopback, without keys, with comparisons; tests change nothing in it."""
    with serving(tmp_path_factory.mktemp("filled"), dist) as site:
        site.fill(days=10)
        yield site


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory, dist: Path) -> Iterator[Site]:
    """A server that asks for keys, without comparisons."""
    with serving(tmp_path_factory.mktemp("keyed"), dist, keys=True) as site:
        yield site


def _told(page: Page, section: str) -> str:
    return re.sub(r"[\s\u2060]+", " ", page.locator(f"#{section}").inner_text()).replace(" |", "|")


def _until(page: Page, condition: str) -> None:
    """Wait for a JavaScript condition; Playwright's own way evaluates strings in the page, which its policy forbids."""
    for _ in range(200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never: {condition}")


def _summary(site: Site, **query: str) -> dict[str, Any]:
    return dict(site.client.get("/v1/comparisons/summary", query_string=query).json)


def test_the_figures_are_the_apis(filled: Site, page_of: Open) -> None:
    page = page_of(filled)
    page.wait_for_selector("#causes li")
    summary = _summary(filled)
    total = summary["total"]
    cards = page.locator("#totals .value").all_inner_texts()
    assert cards[0] == str(total["comparisons"])
    assert cards[1] == f"{100 * total['label_agreement']['count'] / total['comparisons']:.1f}%"
    assert page.locator("#agreement .point").count() == len(summary["days"])
    assert page.locator("#changes .bar").count() == len(summary["changes"])
    counts = page.locator("#causes .figure").all_inner_texts()
    assert [int(text.split(" ")[0]) for text in counts] == sorted(summary["causes"].values(), reverse=True)
    assert {"same", "preprocessing", "photo-changed", "runtime", "model", "artifact"} <= set(summary["causes"])
    assert page.locator(".notice strong").inner_text() == NOTICE


def test_every_plot_has_its_figures_as_a_table(filled: Site, page_of: Open) -> None:
    page = page_of(filled)
    page.locator("#agreement summary").click()
    rows = page.locator("#agreement tbody tr")
    newest = _summary(filled)["days"][-1]
    assert rows.count() == len(_summary(filled)["days"])
    cells = rows.first.locator("td").all_inner_texts()
    assert cells[:2] == [str(newest["comparisons"]), str(newest["label_agreement"]["count"])]
    assert page.locator("#agreement svg").get_attribute("aria-label").startswith("Agreement (Labels) on ")
    page.locator("#agreement .segments span", has_text="Decisions").click()
    page.locator("#agreement summary").click()
    assert rows.first.locator("td").all_inner_texts()[1] == str(newest["decision_agreement"]["count"])
    page.locator("#changes summary").click()
    told = page.locator("#changes tbody td.number").all_inner_texts()
    assert sum(map(int, told)) == _summary(filled)["total"]["comparisons"]


def test_filters_narrow_every_figure_and_stay_in_the_address(filled: Site, page_of: Open) -> None:
    page = page_of(filled)
    page.locator("select[name=cause]").select_option("preprocessing")
    expected = _summary(filled, cause="preprocessing")["total"]["comparisons"]
    _until(page, f"document.querySelector('#totals .value').textContent === '{expected}'")
    assert page.evaluate("location.hash") == "#cause=preprocessing"
    assert page.locator("select[name=device] option").count() > 3, "other choices stay"
    page.reload()
    _until(page, f"document.querySelector('#totals .value')?.textContent === '{expected}'")
    page.get_by_role("button", name="Reset").click()
    _until(page, f"document.querySelector('#totals .value').textContent !== '{expected}'")
    page.locator("#groups .segments span", has_text=re.compile("^Device$")).click()
    page.locator("#groups button.link", has_text="luz-1").click()
    _until(page, "location.hash === '#device=luz-1'")
    page.locator("select[name=days]").select_option("dates")
    page.locator("input[name=from]").fill("2020-01-01")
    page.locator("input[name=to]").fill("2020-01-31")
    page.wait_for_selector(".empty")
    assert "No comparison matches" in _told(page, "totals")
    assert page.locator("#comparing").is_hidden()


def test_what_was_asked_last_is_shown_whatever_comes_last(filled: Site, page_of: Open) -> None:
    page = page_of(filled)
    page.wait_for_selector("#causes li")
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    page.route("**/summary?cause=runtime*", hold)
    page.locator("select[name=cause]").select_option("runtime")
    page.locator("select[name=cause]").select_option("same")
    expected = _summary(filled, cause="same")["total"]["comparisons"]
    _until(page, f"document.querySelector('#totals .value').textContent === '{expected}'")
    with page.expect_response("**/summary?cause=runtime*"):
        held[0].continue_()
    page.wait_for_timeout(200)
    assert page.locator("#totals .value").first.inner_text() == str(expected)


def test_groups_name_files_and_classes(filled: Site, page_of: Open) -> None:
    page = page_of(filled)
    page.locator("#groups .segments span", has_text="Phone’s file").click()
    told = _told(page, "groups")
    assert "tflite int8 · tiny 1.0.0" in told
    assert "7777777777… not known to this server" in told.replace(" |", "|")
    page.locator("#groups .segments span", has_text="Class").click()
    assert "Drawn mel" in _told(page, "groups")


def test_a_disagreement_shows_both_answers_and_why(filled: Site, page_of: Open) -> None:
    page = page_of(filled, "#cause=preprocessing")
    page.wait_for_selector(".comparison[open] .answers")
    query = {"cause": "preprocessing", "agrees": "false", "limit": "1"}
    [item] = filled.client.get("/v1/comparisons", query_string=query).json["items"]
    first = page.locator(".comparison").first
    words = re.sub(r"[\s\u2060]+", " ", first.inner_text())
    assert f"Drawn {item['phone']['label']} → Drawn {item['server']['label']}" in words
    top = first.locator(".answers td.phone.first span").inner_text()
    assert top == f"{100 * item['phone']['said']['probabilities'][item['phone']['label']]:.1f}%".replace(".0%", "%")
    assert f"score {item['server']['decision']['score']:.3f}".rstrip("0") in words
    assert "Why: Preprocessing" in words
    assert first.locator(".steps li").count() == len(item["steps"]) >= 1
    first.get_by_text("Who and what").click()
    assert item["id"] in first.inner_text()


def test_a_refresh_takes_nothing_out_of_the_readers_hands(filled: Site, page_of: Open) -> None:
    page = page_of(filled)
    page.locator(".comparison > summary").nth(0).click()
    page.locator(".comparison > summary").nth(3).click()
    page.locator("#agreement .segments span", has_text="Decisions").click()
    alike = "const all = document.querySelectorAll('.comparison > summary'); all[3].textContent = all[0].textContent"
    page.evaluate(f"() => {{ {alike} }}")  # as two of one minute may
    with page.expect_response("**/drift"):
        page.locator("#refresh").click()
    page.wait_for_selector("#causes:not([aria-busy])")
    assert page.evaluate("[...document.querySelectorAll('.comparison')].map((one) => one.open).indexOf(true)") == 3
    assert page.locator("#agreement input:checked").get_attribute("value") == "decision_agreement"
    page.locator("#causes .name", has_text="Runtime").focus()
    page.keyboard.press("Enter")
    _until(page, "document.querySelectorAll('#causes li').length === 1")
    assert page.evaluate("document.activeElement.textContent") == "Runtime"
    assert page.locator("#causes .name").get_attribute("aria-pressed") == "true"


def test_pages_follow_each_other(filled: Site, page_of: Open) -> None:
    page = page_of(filled)
    page.wait_for_selector(".comparison")
    assert all("→" in labels for labels in page.locator(".comparison .labels").all_inner_texts())
    page.locator("#latest .segments span", has_text="All").click()
    _until(page, "document.querySelector('#latest h2').textContent === 'Latest comparisons'")
    assert page.locator(".comparison").count() == 10
    page.get_by_role("button", name="Show more").click()
    _until(page, "document.querySelectorAll('.comparison').length === 20")
    assert page.evaluate("document.activeElement === document.querySelectorAll('.comparison > summary')[10]")


def test_the_csv_is_that_of_the_filters(filled: Site, page_of: Open) -> None:
    page = page_of(filled, "#cause=runtime")
    page.wait_for_selector("#causes li")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export CSV").click()
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
    assert len(rows) == _summary(filled, cause="runtime")["total"]["comparisons"]
    assert {row["cause"] for row in rows} == {"runtime"}


def test_drift_alarm_and_health_are_told(filled: Site, page_of: Open) -> None:
    page = page_of(filled)
    page.wait_for_selector("#drift tbody tr")
    assert "Drift alarm: tflite fp32 · tiny 1.1.0." in _told(page, "warned")
    rollouts = _told(page, "rollouts")
    assert "tiny 1.1.0 on android paused" in rollouts
    assert "the policy asks for 97%" in rollouts
    assert "tiny 1.1.0 on web running" in rollouts
    assert "app 2.1.0 or newer" in rollouts
    health = _told(page, "health")
    assert "Golden set of 4 photos answered" in health
    assert "0 of 1" in health
    assert page.locator("#health tbody tr").count() == 5
    assert page.locator("#status").inner_text().startswith("Ready")


def test_a_key_is_asked_for_and_kept_in_the_tab_alone(keyed: Site, page_of: Open) -> None:
    page = page_of(keyed, refusals=(401, 403))
    page.wait_for_selector("#access form")
    assert page.locator("#status").inner_text().startswith("Ready"), "which needs no key"
    assert page.locator("#dashboard").is_hidden()
    page.locator("#key").fill("dp_wrong")
    page.get_by_role("button", name="Open the dashboard").click()
    page.wait_for_selector("#access .problem")
    assert "not valid" in _told(page, "access")
    page.locator("#key").fill(keyed.keys["predict"])
    page.get_by_role("button", name="Open the dashboard").click()
    _until(page, "document.querySelector('#access .problem')?.textContent.includes('admin')")
    page.locator("#key").fill(keyed.keys["admin"])
    page.get_by_role("button", name="Open the dashboard").click()
    page.wait_for_selector(".empty")
    assert page.evaluate("[Object.keys(sessionStorage).length, localStorage.length, document.cookie]") == [1, 0, ""]
    assert keyed.keys["admin"] not in page.content()
    page.reload()
    page.wait_for_selector("#models tbody tr")
    page.get_by_role("button", name="Forget the key").click()
    page.wait_for_selector("#access form")
    assert page.evaluate("sessionStorage.length") == 0


def _with_key(page: Page, site: Site) -> None:
    page.locator("#key").fill(site.keys["admin"])
    page.get_by_role("button", name="Open the dashboard").click()
    page.wait_for_selector("#models tbody tr")


def test_nothing_was_compared_yet(keyed: Site, page_of: Open) -> None:
    page = page_of(keyed, "#days=all", refusals=(401,))
    _with_key(page, keyed)
    assert "No comparisons yet" in _told(page, "totals")
    assert page.get_by_role("button", name="Export CSV").is_disabled()
    assert "No file was compared yet." in _told(page, "drift")


def test_models_are_switched_only_after_a_question(keyed: Site, page_of: Open) -> None:
    page = page_of(keyed, refusals=(401,))
    _with_key(page, keyed)
    page.get_by_role("button", name="Make live").click()
    assert "instead of tiny 1.0.0" in page.locator("dialog").inner_text()
    page.get_by_role("button", name="Cancel").click()
    page.locator("dialog").wait_for(state="detached")
    assert keyed.services.models.current.model.version == "1.0.0"
    page.get_by_role("button", name="Make live").click()
    page.locator("dialog button.primary").click()
    page.wait_for_selector("#told .done")
    assert keyed.services.models.current.model.version == "1.1.0"
    assert "tiny 1.1.0 is live." in _told(page, "told")
    page.get_by_role("button", name="Roll back to tiny 1.0.0").click()
    page.locator("dialog button.primary").click()
    _until(page, "document.querySelector('#told')?.textContent === 'tiny 1.0.0 is live.'")
    assert keyed.services.models.current.model.version == "1.0.0"
    page.locator("#models summary").click()
    # the page may show its figures anew between any two of these: that closes nothing
    page.evaluate("document.querySelector('#models details').dataset.shown = 'earlier'")
    page.get_by_role("button", name="Refresh").click()
    _until(page, "document.querySelector('#models details:not([data-shown])')")
    assert page.locator("#models details tbody tr").count() == 3
    assert "key " in page.locator("#models details").inner_text()


def test_roll_outs_are_paused_resumed_and_widened(keyed: Site, page_of: Open) -> None:
    keyed.roll_out("web", 10)
    page = page_of(keyed, refusals=(401, 404))
    _with_key(page, keyed)

    def stored() -> tuple[int, bool, str]:
        rollout = keyed.client.get("/v1/admin/rollouts", headers=keyed.headers).json["rollouts"][0]
        return rollout["percentage"], rollout["paused"], rollout["pause_reason"]

    page.get_by_role("button", name="Pause").click()
    page.get_by_label("Reason").fill("Complaints from the ward")
    page.locator("dialog button.primary").click()
    page.wait_for_selector("#rollouts .reason")
    assert stored() == (10, True, "Complaints from the ward")
    page.get_by_role("button", name="Resume").click()
    page.locator("dialog button.primary").click()
    page.wait_for_selector("#rollouts .badge.good")
    assert stored() == (10, False, "")
    page.get_by_role("button", name="Change share").click()
    page.get_by_label("Per cent").fill("60")
    page.locator("dialog button.primary").click()
    _until(page, "document.querySelector('#rollouts').textContent.includes('60 %')")
    assert stored() == (60, False, "")


def test_what_the_server_refuses_stays_in_the_question(keyed: Site, page_of: Open) -> None:
    page = page_of(keyed, refusals=(401, 409))
    _with_key(page, keyed)
    golden = keyed.models[1].path / "golden" / "golden.json"
    kept = golden.read_bytes()
    golden.write_bytes(b"{}")
    try:
        page.get_by_role("button", name="Make live").click()
        page.locator("dialog button.primary").click()
        page.wait_for_selector("dialog .problem")
        assert page.locator("dialog button.primary").is_enabled()
        assert keyed.services.models.current.model.version == "1.0.0"
    finally:
        golden.write_bytes(kept)


def test_a_server_that_is_gone_is_told(filled: Site, page_of: Open) -> None:
    page = page_of(filled, refusals=(503,))
    page.wait_for_selector("#causes li")
    page.route("**/v1/**", lambda route: route.fulfill(status=503, content_type="application/problem+json", body=_BUSY))
    page.get_by_role("button", name="Refresh").click()
    page.wait_for_selector("#told .problem")
    assert "The database is busy. Try again in a minute." in _told(page, "told")
    page.unroute("**/v1/**")
    page.get_by_role("button", name="Refresh").click()
    page.wait_for_selector("#dashboard:visible #causes li")
    assert _told(page, "told") == ""


_BUSY = '{"code": "storage-unavailable", "detail": "The database is busy.", "remedy": "Try again in a minute."}'


@pytest.mark.parametrize("language", ["es", "fr"])
def test_other_languages_leave_nothing_in_english(filled: Site, page_of: Open, language: str) -> None:
    page = page_of(filled, locale=language)
    page.wait_for_selector("#causes li")
    assert page.evaluate("document.documentElement.lang") == language
    told = page.locator("body").inner_text()
    for word in ("Comparisons", "Agreement", "Same label", "Roll-outs", "Last 30 days", "Server\n", "undefined", "{"):
        assert word not in told
    page.get_by_label(re.compile("Idioma|Langue")).select_option("en")
    page.wait_for_selector("html[lang=en] #causes li")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_and_axe_finds_nothing(filled: Site, page_of: Open, width: int, scheme: str) -> None:
    page = page_of(filled, viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.wait_for_selector(".comparison[open] .answers")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for summary in page.locator("#agreement summary, #changes summary, .comparison[open] .more summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert _violations(page) == []
    page.get_by_role("button", name="Change share").first.click()
    assert _violations(page) == []


def test_axe_finds_nothing_where_a_key_is_asked_for(keyed: Site, page_of: Open) -> None:
    page = page_of(keyed, refusals=(401,))
    page.wait_for_selector("#access form")
    assert _violations(page) == []


def _violations(page: Page) -> list[str]:
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [f"{one['id']}: {node['html']}" for one in found for node in one["nodes"]]
