"""Class activation maps of both sides: asked for, held against each other, drawn side by side."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dermport.bundle.store import Bundle
from dermport.mobile_stub.backoff import Backoff, Patience
from dermport.mobile_stub.client import JetsonClient
from dermport.mobile_stub.compare import judge
from dermport.mobile_stub.comparison import ArtifactComparison
from dermport.mobile_stub.csv_report import to_csv
from dermport.mobile_stub.html_report import Page, to_html
from dermport.mobile_stub.jetson import Jetson
from dermport.mobile_stub.journal import Journal
from dermport.mobile_stub.maps import map_change
from dermport.mobile_stub.phone import PhoneModel, choose_artifacts
from dermport.mobile_stub.photos import Photo, find_photos
from dermport.mobile_stub.prediction import Prediction, Refusal
from dermport.mobile_stub.results import CompletedRun, compared
from dermport.mobile_stub.run import ComparisonRun
from tests.mobile_stub.desk import Desk
from tests.mobile_stub.integration.golden import FOLDER, MAP_VECTORS, MAPS, assemble, map_vectors

VECTORS = json.loads((MAPS / MAP_VECTORS).read_text())


@pytest.fixture
def mapped_bundle(tmp_path: Path) -> Bundle:
    return assemble(tmp_path / "mapped", maps=True)


@pytest.fixture
def photos() -> tuple[Photo, ...]:
    return find_photos([FOLDER / "photos" / VECTORS["photo"]])


@contextmanager
def _compared(
    bundle: Bundle, desk: Desk, photos: tuple[Photo, ...], **options: Any
) -> Iterator[tuple[ArtifactComparison, Jetson]]:
    manifest = bundle.manifest
    with ExitStack() as stack:
        phones = [stack.enter_context(PhoneModel(manifest, one)) for one in choose_artifacts(bundle, ())]
        client = stack.enter_context(JetsonClient("http://desk", desk.transport))
        backoff = Backoff(Patience(tries=1), wait=lambda _: False)
        jetson = Jetson(client, backoff, manifest.preprocessing, maps=True, **options)
        journal = Journal()
        run = ComparisonRun(phones, manifest.preprocessing, jetson, journal, maps=True)
        run.over(photos)
        [comparison] = compared(CompletedRun(bundle, photos, run, journal, jetson), phones)
        yield comparison, jetson


def _moved(by: float) -> dict[str, Any]:
    grids: dict[str, Any] = json.loads(json.dumps(VECTORS["grids"]))
    grids["nv"][2][1] += by
    return grids


def test_the_vectors_are_what_the_phone_gives(mapped_bundle: Bundle) -> None:
    (artifact,) = choose_artifacts(mapped_bundle, ())
    made = json.loads(json.dumps(map_vectors(mapped_bundle.manifest, artifact)))
    assert made.keys() == VECTORS.keys()
    for name in ("label", "shift", "photo", "notice"):
        assert made[name] == VECTORS[name]
    for label, grid in VECTORS["grids"].items():
        np.testing.assert_allclose(made["grids"][label], grid, atol=1e-4)
    for name in ("places", "spread"):
        np.testing.assert_allclose(made[name]["values"], VECTORS[name]["values"], atol=1e-4)
    np.testing.assert_allclose(made["colours"], VECTORS["colours"], atol=1)


@pytest.mark.parametrize("send", ["photo", "prepared"])
def test_both_maps_are_asked_for_and_their_largest_difference_told(
    mapped_bundle: Bundle, photos: tuple[Photo, ...], send: Any
) -> None:
    desk = Desk(mapped_bundle)
    desk.maps = _moved(0.25)
    with _compared(mapped_bundle, desk, photos, send=send) as (comparison, jetson):
        [row] = comparison.photos
        assert row.map_change == pytest.approx(0.25, abs=1e-4)
        assert comparison.totals.map_change is not None
        assert comparison.totals.map_change.max == row.map_change
        assert not jetson.no_maps
    [line] = csv.DictReader(io.StringIO(to_csv([comparison])))
    assert float(line["map_change"]) == row.map_change


def test_a_jetson_without_maps_is_asked_once(mapped_bundle: Bundle, photos: tuple[Photo, ...]) -> None:
    desk = Desk(mapped_bundle)
    others = find_photos([FOLDER / "photos" / "grey.jpg"])
    with _compared(mapped_bundle, desk, photos + others) as (comparison, jetson):
        assert desk.predictions == 1
        assert "no-activation-map" in jetson.no_maps
    assert [row.map_change for row in comparison.photos] == [None, None]
    assert comparison.totals.map_change is None


def test_the_page_shows_both_over_the_photo(mapped_bundle: Bundle, photos: tuple[Photo, ...]) -> None:
    desk = Desk(mapped_bundle)
    desk.maps = _moved(3.0)
    with _compared(mapped_bundle, desk, photos) as (comparison, _):
        page = to_html(Page((comparison,), mapped_bundle.manifest, "http://desk", photos))
        bare = to_html(Page((comparison,), mapped_bundle.manifest, "http://desk"))
    pictures = re.findall(r'<figure><img src="data:image/jpeg;base64,([^"]+)" [^>]*alt="(Phone|Jetson): class', page)
    assert [who for _, who in pictures] == ["Phone", "Jetson"]
    drawn = [np.asarray(Image.open(io.BytesIO(base64.b64decode(one))).convert("L")).astype(int) for one, _ in pictures]
    assert drawn[0].shape == (160, 160)
    assert "largest cell difference 3" in page
    assert "largest cell difference 3" in bare
    assert '<div class="maps">' not in bare  # it would show the photo
    assert "linear-gradient(to right, rgb(68, 1, 84)" in page


def test_other_cells_are_not_compared() -> None:
    said = Prediction(
        label="mel",
        probabilities={"mel": 1.0, "nv": 0.0},
        score=1.0,
        positive=True,
        input_sha256="1" * 64,
        model_sha256=None,
        artifact_sha256="2" * 64,
        artifact="tflite fp32",
        runtime="LiteRT 2",
        milliseconds=1.0,
        activation_map={"mel": ((1.0, 2.0),), "nv": ((0.0, 0.0),)},
    )
    other = said.model_copy(update={"activation_map": {"mel": ((1.0,),), "nv": ((0.0,),)}})
    assert map_change(said, said) == 0.0
    assert map_change(said, other) is None
    assert map_change(said, Refusal(code="empty", message="")) is None
    assert judge("a photo", said, other).map_change is None


def test_an_artifact_without_maps_changes_nothing(golden_bundle: Bundle, photos: tuple[Photo, ...]) -> None:
    desk = Desk(golden_bundle)
    desk.maps = _moved(0.0)
    with _compared(golden_bundle, desk, photos) as (comparison, _):
        [row] = comparison.photos
    assert isinstance(row.phone, Prediction)
    assert (row.phone.activation_map, row.map_change, row.cause) == (None, None, "same")
