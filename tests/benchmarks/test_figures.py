"""From what clients saw to the figures that are printed."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from PIL import Image

from benchmarks.serving.goals import goals_of
from benchmarks.serving.hostile_photos import damaged, scan_bomb
from benchmarks.serving.load import LoadResult, RequestCounts
from benchmarks.serving.photos import RequestPhoto, RequestPhotos, enlarged, prepared_by_client, stored_photos
from benchmarks.serving.report import in_step
from benchmarks.serving.rounds import Footprint, LoadFigures, Results
from benchmarks.serving.soak import right
from benchmarks.serving.watch import Trend
from dermport.bundle.manifest import Preprocessing
from dermport.bundle.prep import prepare, prepared
from dermport.errors import UnavailableError, UsageError

VECTORS = Path(__file__).parents[2] / "dermport" / "bundle" / "vectors"


def figures(rate: float, errors: dict[str, int] | None = None) -> LoadFigures:
    counts = RequestCounts([0.010] * 98 + [0.030] * 2, int(rate), Counter(errors or {}), requests=100)
    return LoadFigures.of(LoadResult(1.0, {"8": counts}, own_seconds=0.01), "8", limit=200.0, cpu_seconds=0.5)


def test_figures_of_a_load() -> None:
    one = figures(100, {"503": 2})
    assert (one.rate, one.of_limit, one.errors) == (100, 0.5, {"503": 2})
    assert one.p50_ms == pytest.approx(10)
    assert one.p99_ms == pytest.approx(30)
    assert one.tail == pytest.approx(3)
    assert one.own_us == pytest.approx(1e6 * 0.01 / 102)  # refusals cost time, too
    assert one.cpu_ms == pytest.approx(5)
    assert one.own_share == pytest.approx(0.01)


def test_load_without_an_answer_has_no_figures() -> None:
    outcome = LoadResult(1.0, {"8": RequestCounts(errors=Counter({"503": 9}))}, 0.0)
    with pytest.raises(UnavailableError, match="503"):
        LoadFigures.of(outcome, "8", 200.0, 0.0)


def test_medians_are_of_rounds_and_ratios_of_rounds_too() -> None:
    ours, theirs = [figures(90), figures(200, {"503": 1}), figures(100)], [figures(90), figures(50), figures(80)]
    results = Results({"ours": {"8": ours}, "theirs": {"8": theirs}})
    assert results.median("ours", "8").rate == 100
    assert results.median("ours", "8").errors == {"503": 1}
    assert results.ratio("ours", "8", "theirs", "8") == 1.25
    assert results.document()["servers"]["ours"]["8"]["median"]["rate"] == 100


def throughput(rate: float, errors: dict[str, int] | None = None) -> dict[str, Any]:
    """What ``throughput`` says of one model: a peer answers 100 photos a second, ours `rate`."""
    cases = ("1", "8", "32", "128")
    ours = {case: [figures(rate, errors)] for case in cases} | {"comparisons": [figures(70)]}
    rivals = {name: {case: [figures(100)] for case in cases} for name in ("flask+gunicorn", "mosec")}
    footprints = {name: [Footprint(1.5, 3, 110.0, 90.0, 200.0)] for name in ("ours", *rivals)}
    results = Results({"ours": ours, **rivals}, footprints)
    ahead = {case: {name: results.ratio("ours", case, name, case) for name in rivals} for case in cases}
    return {
        **results.document(),
        "ours": "ours",
        "whole_answers": ["ours", "flask+gunicorn"],
        "ours_times_theirs": ahead,
    }


_LIMIT = [f"of the limit at {clients} clients" for clients in (8, 32)]
_RIVALS = [f"times the best peer with the same answer, {clients} clients" for clients in (1, 8, 32)]
_COMPARED, _TAIL = "comparisons by predictions, 8 clients", "p99 by p50 at 8 clients"


@pytest.mark.parametrize(
    ("model", "rate", "errors", "missed"),
    [
        ("large", 180, {}, [_COMPARED, _TAIL]),
        ("small", 100, {"503": 1}, [*_LIMIT, _TAIL]),
        ("small", 160, {"500": 1}, ["failures but honest 503", _COMPARED, _TAIL]),
        ("large", 99, {}, [*_LIMIT, *_RIVALS, "times flask+gunicorn at 128 clients", _TAIL]),
    ],
)
def test_goals_are_judged_by_what_was_found(model: str, rate: float, errors: dict[str, int], missed: list[str]) -> None:
    goals = goals_of({model: throughput(rate, errors)})
    assert [goal.name for goal in goals if not goal.met] == missed
    assert len(goals) == 12


def test_page_is_made_from_what_was_measured() -> None:
    document = {
        "conditions": {"workers": 2, "rounds": 3, "seconds": 1.5},
        "machine": {"processor": "Some CPU"},
        "packages": {"onnxruntime": "1", "pillow": "2"},
        "photos": {"size": "600x450", "kilobytes": 51.4},
        "models": {"large": {"precision": "fp32", "input": 224}},
        "throughput": {
            "models": {"large": throughput(180, {"503": 2})},
            "goals": [goal.document() for goal in goals_of({"large": throughput(180)})],
        },
    }
    page = in_step("before\n<!-- measured: serving -->\nold\n<!-- end -->\nafter\n", document)
    assert page.startswith("before\n<!-- measured: serving -->\n2 cores (Some CPU), 600x450 photos of 51 kB, 3 rounds")
    assert page.endswith("<!-- end -->\nafter\n")
    assert "old" not in page
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:6] == "| ours"]
    assert rows == [["ours", "whole", *["180 (0.90), 2 failed"] * 4, "10, 30", "90, 1.5"]]


def test_answer_is_held_against_the_model_that_it_names() -> None:
    expected = {"a": [{"x": 0.25, "y": 0.75}], "b": [{"x": 0.5, "y": 0.5}]}

    def answer(model: str, x: float) -> bytes:
        return json.dumps({"model": {"name": model}, "probabilities": {"x": x, "y": 1 - x}}).encode()

    assert right(expected, 0, 200, answer("a", 0.25)) == right(expected, 0, 200, answer("b", 0.5)) == ""
    assert right(expected, 0, 201, b'{"server": ' + answer("a", 0.25) + b"}") == ""
    assert right(expected, 0, 200, answer("b", 0.25)) == "wrong answer"
    assert right(expected, 0, 503, b"") == "503"


def test_hostile_photos_are_what_they_say() -> None:
    bomb = scan_bomb(scans=50, side=64)
    assert bomb.count(b"\xff\xda") == 51
    with Image.open(io.BytesIO(bomb)) as image:
        assert image.size == (64, 64)
        assert image.getextrema() == (128, 128)
    photo = (VECTORS / "grey.jpg").read_bytes()
    found = {damaged(photo, Random(seed)) for seed in range(9)}
    assert len(found) > 3
    assert not found & {photo}
    assert all(one[:2] == photo[:2] and one[-2:] == photo[-2:] for one in found)


def test_trend_tells_growth_from_a_short_rise() -> None:
    steady = [(float(second), 300.0 + (100.0 if 40 <= second < 45 else 0.0)) for second in range(100)]
    growing = [(second, 300.0 + second / 3.6) for second, _ in steady]
    assert Trend.of(steady).slope == 0
    assert Trend.of(steady).change == 0
    assert Trend.of(growing).slope == pytest.approx(1000)
    assert Trend.of(growing).change == pytest.approx(80 / 3.6 / (300 + 9.5 / 3.6), rel=0.01)


def test_photos_are_found_enlarged_and_prepared(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no"):
        stored_photos(tmp_path)
    stored = stored_photos(VECTORS, count=2)
    large = enlarged(stored.photos, 1200, 1000)
    assert large.name == "1 MP"
    assert Image.open(io.BytesIO(large.photos[0].data)).size == (1200, 1000)
    spec = Preprocessing(size=32, crop="full-frame")
    photo = RequestPhoto((VECTORS / "grey.jpg").read_bytes())
    (png,) = prepared_by_client(RequestPhotos("grey", (photo,)), spec).photos
    assert prepared(png.data, spec).input_sha256 == prepare(photo.data, spec).input_sha256
