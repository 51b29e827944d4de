"""From what clients saw to the figures that are printed."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.serving.load import LoadResult, RequestCounts
from benchmarks.serving.photos import RequestPhoto, RequestPhotos, enlarged, prepared_by_client, stored_photos
from benchmarks.serving.rounds import LoadFigures, Results
from benchmarks.serving.soak import Trend
from dermport.bundle.manifest import Preprocessing
from dermport.bundle.prep import prepare, prepared
from dermport.errors import UnavailableError, UsageError

VECTORS = Path(__file__).parents[2] / "dermport" / "bundle" / "vectors"


def figures(rate: float, errors: dict[str, int] | None = None) -> LoadFigures:
    counts = RequestCounts([0.010] * 98 + [0.030] * 2, int(rate), Counter(errors or {}))
    return LoadFigures.of(LoadResult(1.0, {"8": counts}, own_seconds=0.01), "8", limit=200.0)


def test_figures_of_a_load() -> None:
    one = figures(100, {"503": 2})
    assert (one.rate, one.of_limit, one.errors) == (100, 0.5, {"503": 2})
    assert one.p50_ms == pytest.approx(10)
    assert one.p99_ms == pytest.approx(30)
    assert one.tail == pytest.approx(3)
    assert one.own_us == pytest.approx(100)


def test_load_without_an_answer_has_no_figures() -> None:
    outcome = LoadResult(1.0, {"8": RequestCounts(errors=Counter({"503": 9}))}, 0.0)
    with pytest.raises(UnavailableError, match="503"):
        LoadFigures.of(outcome, "8", 200.0)


def test_medians_are_of_rounds_and_ratios_of_rounds_too() -> None:
    ours, theirs = [figures(90), figures(200, {"503": 1}), figures(100)], [figures(90), figures(50), figures(80)]
    results = Results({"ours": {"8": ours}, "theirs": {"8": theirs}})
    assert results.median("ours", "8").rate == 100
    assert results.median("ours", "8").errors == {"503": 1}
    assert results.ratio("ours", "8", "theirs", "8") == 1.25
    assert results.document()["servers"]["ours"]["8"]["median"]["rate"] == 100


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
