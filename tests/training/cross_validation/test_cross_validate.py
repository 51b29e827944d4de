"""`dermport cross-validate` from photos to a report and a kept bundle, through a kill."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from dermport.bundle.notice import NOTICE
from dermport.bundle.store import Bundle, check_files
from dermport.cli.main import build_app
from dermport.errors import UsageError
from dermport.training.cross_validation.folds import read_folds
from dermport.training.cross_validation.plan import read_plan
from dermport.training.engines.engine import LineProgress
from dermport.training.pipeline import read_all, train_split
from dermport.training.recipe import TrainingRecipe
from dermport.training.request import TrainingRequest
from tests.stopping import stop_after
from tests.training.conftest import TRUNK_SIZE

pytestmark = pytest.mark.usefixtures("shallow")


@pytest.fixture(scope="module")
def arguments(photos: Path, trunk_file: Path) -> list[str]:
    small = ("--alpha", "0.35", "--input-size", str(TRUNK_SIZE), "--batch", "8", "--views", "1", "--lr", "0.01")
    head = ("--weights", str(trunk_file), "--fine-tune", "none", "--epochs", "2")
    folds = ("--folds", "2", "--held-out", "0.15", "--task", "cancer")
    return ["cross-validate", "--data", str(photos), *small, *head, *folds]


def run(arguments: list[str]) -> Any:
    result = CliRunner().invoke(build_app(), [*arguments, "--json"])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def whole(arguments: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-validation that was killed after the first epoch of its first fold, and then went on."""
    out = tmp_path_factory.mktemp("whole") / "cv"
    command = [*arguments, "--out", str(out), "--keep", "median"]
    stop_after("dermport.training.phases.loop:save_state", command, stem="head")
    assert (out / ".fold-1.run" / "head.npz").is_file()
    with pytest.raises(UsageError, match="another folds"):
        run([*command, "--folds", "3"])
    document = run(command)
    assert document == json.loads((out / "cross_validation.json").read_text())
    return out


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_each_photo_has_one_prediction_by_the_model_of_its_fold(whole: Path) -> None:
    plan = {row["photo_id"]: row["fold"] for row in rows(whole / "folds.csv")}
    found = {row["photo_id"]: row for row in rows(whole / "predictions.csv")}
    assert set(found) == {photo for photo, fold in plan.items() if fold != "held-out"}
    for fold in ("1", "2"):
        tested = rows(whole / f"fold-{fold}" / "evaluation" / "predictions.csv")
        assert {row["photo_id"] for row in tested} == {photo for photo, one in plan.items() if one == fold}
        for row in tested:
            assert found[row["photo_id"]]["fold"] == fold
            assert found[row["photo_id"]]["score"] == row["score"]
            assert found[row["photo_id"]]["positive"] == row["positive"]


def test_the_report_has_every_fold_and_says_what_its_intervals_are(whole: Path) -> None:
    document = json.loads((whole / "cross_validation.json").read_text())
    own = [Bundle.open(whole / f"fold-{fold}").manifest.metrics.figures["accuracy"].value for fold in (1, 2)]
    assert [fold["figures"]["accuracy"] for fold in document["folds"]] == own
    assert document["spread"]["accuracy"]["mean"] == pytest.approx(np.mean(own))
    assert document["spread"]["accuracy"]["sd"] == pytest.approx(np.std(own, ddof=1))
    tested = rows(whole / "predictions.csv")
    assert document["pooled"]["photos"] == len(tested)
    right = np.mean([row["label"] == row["predicted"] for row in tested])
    pooled = document["pooled"]["figures"]["accuracy"]
    assert pooled["value"] == pytest.approx(right)
    assert pooled["low"] <= right <= pooled["high"]
    text = (whole / "report.md").read_text()
    assert NOTICE in text
    assert "no confidence interval follows" in text
    assert "bootstrap over groups" in text
    assert (whole / "folds.png").stat().st_size > 10_000
    assert not list(whole.glob(".*")), "caches and half-written files are gone"


def test_the_median_folds_bundle_is_kept_and_scored_on_what_no_fold_saw(whole: Path) -> None:
    document = json.loads((whole / "cross_validation.json").read_text())
    kept = Bundle.open(whole / "bundle")
    check_files(kept.path, kept.manifest.files, "")
    of = kept.manifest.cross_validation
    assert of is not None
    assert (of.kept, of.folds, of.figures, kept.manifest.name) == ("median", 2, "own test part", "cv")
    assert kept.model_sha256 == document["folds"][of.fold - 1]["model_sha256"] if of.fold else False
    assert of.words in (kept.path / "evaluation" / "model_card.md").read_text()
    held_out = [row for row in rows(whole / "folds.csv") if row["fold"] == "held-out"]
    assert document["held_out"]["photos"] == document["held_out_photos"] == len(held_out) > 5
    assert {row["part"] for row in rows(kept.path / "split.csv")} == {"train", "validation", "test", "set-aside"}


def test_a_killed_fold_ends_as_one_that_was_trained_at_once(
    whole: Path, photos: Path, trunk_file: Path, tmp_path: Path
) -> None:
    manifest = Bundle.open(whole / "fold-1").manifest
    recipe = TrainingRecipe(**{**read_plan(whole).asked["recipe"], "weights": str(trunk_file)})
    request = TrainingRequest(photos, tmp_path / "plain", "plain", "cancer", recipe)
    dataset = read_all(request, LineProgress())
    folds = read_folds(whole / "folds.csv", dataset, count=2, validation=0.2, seed=0)
    plain = train_split(request, folds.split(1), LineProgress(), caches=tmp_path)
    assert plain.manifest.decision == manifest.decision
    for name in ("predictions.csv", "validation.csv"):
        here, there = (folder / "evaluation" / name for folder in (plain.path, whole / "fold-1"))
        assert here.read_bytes() == there.read_bytes()


def test_finished_folds_stay_and_an_ensemble_averages_them(whole: Path, arguments: list[str]) -> None:
    import keras

    before = {path: path.stat().st_mtime_ns for path in whole.glob("fold-*/*")}
    with pytest.raises(UsageError, match="kept already, as another choice"):
        run([*arguments, "--out", str(whole), "--keep", "ensemble"])
    (whole / "bundle").rename(whole / "median")
    document = run([*arguments, "--out", str(whole), "--keep", "ensemble"])
    assert {path: path.stat().st_mtime_ns for path in whole.glob("fold-*/*")} == before
    kept = Bundle.open(whole / "bundle")
    check_files(kept.path, kept.manifest.files, "")
    of, split = kept.manifest.cross_validation, kept.manifest.dataset.split
    assert of is not None
    assert [one.model_sha256 for one in of.members] == [fold["model_sha256"] for fold in document["folds"]]
    assert (of.figures, kept.manifest.metrics.part, split.photos["test"]) == (
        "held out",
        "test",
        document["held_out_photos"],
    )
    assert document["held_out"]["figures"]["accuracy"]["value"] == kept.manifest.metrics.figures["accuracy"].value
    golden = kept.golden()
    members = [keras.saving.load_model(whole / f"fold-{fold}" / "model.keras", compile=False) for fold in (1, 2)]
    mean = np.mean([model.predict_on_batch(golden.tensors.astype(np.float32)) for model in members], axis=0)
    np.testing.assert_allclose(golden.probabilities, mean, atol=1e-6)
    _exports_and_verifies(kept)


def _exports_and_verifies(bundle: Bundle) -> None:
    for target in ("onnx", "tflite"):
        result = CliRunner().invoke(build_app(), ["export", str(bundle.path), "--to", target, "--precision", "fp32"])
        assert result.exit_code == 0, result.output
    result = CliRunner().invoke(build_app(), ["verify", str(bundle.path)])
    assert result.exit_code == 0, result.output
