from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.headroom import main, probabilities, ways
from dermport.bundle.manifest import Preprocessing
from dermport.bundle.photo_set import PhotoSet
from dermport.bundle.store import Bundle
from dermport.exporters.source import load_model
from dermport.statistics.metrics import Predictions, figures
from dermport.training.model.network import predict
from dermport.workflows.photos import read_photos

pytestmark = pytest.mark.usefixtures("shallow")


@pytest.fixture
def sample() -> PhotoSet:
    def load(spec: Preprocessing, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        return np.random.default_rng(5).integers(0, 256, (6, spec.size, spec.size, 3), np.uint8)[indices]

    return PhotoSet("drawn", tuple("abcdef"), load, "validation")


def test_each_way_answers_as_the_bundle_would(shared_parent: Bundle, sample: PhotoSet) -> None:
    model, own = load_model(shared_parent), shared_parent.manifest.preprocessing
    photos = sample.tensors(own)
    expected = predict(model, photos)
    copies = [photos, photos[:, ::-1], photos[:, :, ::-1], photos[:, ::-1, ::-1]]
    plain = probabilities(shared_parent, sample, own.size)
    np.testing.assert_allclose(plain, expected, atol=1e-6)
    mirrored = probabilities(shared_parent, sample, own.size, mirrored=True)
    np.testing.assert_allclose(mirrored, np.mean([predict(model, copy) for copy in copies], axis=0), atol=1e-6)
    assert not np.array_equal(mirrored, plain)
    assert not np.array_equal(probabilities(shared_parent, sample, own.size + 32), plain)


def test_several_bundles_are_averaged_way_by_way(shared_parent: Bundle, sample: PhotoSet) -> None:
    found = dict(ways([shared_parent, shared_parent], sample, [96]))
    name = shared_parent.path.name
    assert list(found) == [f"{one}, {way}" for one in (name, "mean of 2") for way in _ways()]
    for way in _ways():
        np.testing.assert_allclose(found[f"mean of 2, {way}"], found[f"{name}, {way}"])


def test_main_scores_the_validation_part(
    shared_parent: Bundle, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "headroom.json"
    arguments = ["headroom", str(shared_parent.path), "--data", str(drawn), "--out", str(out)]
    monkeypatch.setattr("sys.argv", arguments)
    main()
    document = json.loads(out.read_text())
    photos = read_photos(shared_parent, drawn, "validation")
    assert document["photos"] == len(photos)
    manifest = shared_parent.manifest
    answers = predict(load_model(shared_parent), photos.tensors(manifest.preprocessing))
    own = figures(Predictions(answers, photos.targets, manifest.task.positive_indices, manifest.decision.threshold))
    said = document["figures"][f"{shared_parent.path.name}, as it is"]
    for name in ("nll", "decision_brier"):  # ranks would turn over where answers are nearly equal
        assert said[name] == pytest.approx(own[name], abs=1e-6)


def _ways() -> tuple[str, ...]:
    return "as it is", "four mirrored copies", "96 pixels"
