"""`dermport reproduce` on drawn photos: what it trains, keeps, reports, and what a kill changes (nothing)."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from dermport.bundle.notice import NOTICE
from dermport.cli.main import build_app
from dermport.errors import DataError
from dermport.training.data.slcd import CLASSES
from dermport.training.model.cost import cost_of
from dermport.training.protocols.networks import backbone, weights_of
from dermport.training.protocols.report import Report
from tests.stopping import stop_after
from tests.training.data.photos import drawn, save

pytestmark = pytest.mark.usefixtures("eagerly")

SCOPE = ("digiscope", "--set", "training.epochs=2", "--set", "training.filters=[4]", "--set", "training.dense=[]")


def _run(*arguments: str, code: int = 0) -> Any:
    result = CliRunner().invoke(build_app(), ["reproduce", *arguments, "--json"])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def trunk_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import keras

    path = tmp_path_factory.mktemp("weights") / "mobilenet_v2_tiny.weights.h5"
    keras.utils.set_random_seed(0)
    keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, include_top=False, weights=None).save_weights(path)
    return path


@pytest.fixture(scope="module")
def scope(sample_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "scope"
    document = _run(*SCOPE, "--data", str(sample_folder), "--out", str(out))
    assert document == json.loads((out / "report.json").read_text(encoding="utf-8"))
    return out


def _report(folder: Path) -> Report:
    return Report.model_validate_json((folder / "report.json").read_bytes())


def test_both_arms_are_scored_with_the_gap_between_them(scope: Path) -> None:
    report = _report(scope)
    (network,) = report.networks
    published, honest = network.arms
    assert (published.arm.name, honest.arm.name) == ("as-published", "honest")
    gap = network.gaps["accuracy"]
    ours = [one.figures["accuracy"].value or 0.0 for one in network.arms]
    assert gap.change == pytest.approx(ours[0] - ours[1])
    assert gap.low is not None
    assert gap.high is not None
    assert gap.low <= gap.change <= gap.high
    assert honest.twins.same_lesion == 0
    assert published.twins.same_photo > 0.3 * published.test
    assert honest.twins.accuracy_with is None
    assert set(report.changes) == {"training.epochs=2", "training.filters=[4]", "training.dense=[]"}
    assert not report.data.stand_in
    assert not (scope.parent / f".{scope.name}.run").exists()


def test_predictions_give_the_figures_again(scope: Path) -> None:
    for arm in _report(scope).networks[0].arms:
        with (scope / f"predictions-small-CNN-{arm.arm.name}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        columns = [name for name in rows[0] if name.startswith("p_")]
        named = [max(columns, key=lambda name: float(row[name])).removeprefix("p_") for row in rows]
        hits = np.mean([name == row["truth"] for name, row in zip(named, rows, strict=True)])
        assert len(rows) == arm.test
        assert hits == pytest.approx(arm.figures["accuracy"].value)


def test_the_page_says_what_a_reader_must_know(scope: Path) -> None:
    text = (scope / "report.md").read_text(encoding="utf-8")
    for words in (NOTICE, "0.98", "leak gap", "**Cannot be.**", "to have a copy of themselves in training", "Table 2"):
        assert words in text
    assert "None" not in text
    lines = text.splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("| figure"))
    assert lines[head + 1].startswith("|---")
    assert len({line.count("|") for line in lines[head : head + 7]}) == 1


def test_a_killed_run_goes_on_to_the_same_report(scope: Path, sample_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "again"
    arguments = [*SCOPE, "--data", str(sample_folder), "--out", str(out)]
    stop_after("dermport.training.phases.loop:save_state", ["reproduce", *arguments], stem="small")
    assert not out.exists()
    assert (tmp_path / ".again.run").exists()
    _run(*arguments)
    first, second = _report(scope), _report(out)
    assert first.networks == second.networks


def test_the_engine_runs_on_slcds_layout_with_folds(tmp_path: Path, trunk_file: Path) -> None:
    for number, name in enumerate(CLASSES):
        for photo in range(4):
            save(tmp_path / "slcd" / "train" / name / f"ISIC_00{number:02d}{photo:03d}.jpg", drawn(10 * number + photo))
    few = ("size=32", "training.alpha=0.35", "training.epochs=1", "training.last_four_epochs=1", "split.folds=2")
    tiny = (*few, f"arm={json.dumps([{'name': 'honest', 'title': 'By lesion', 'split': 'by-lesion'}])}")
    changes = [word for one in tiny for word in ("--set", one)]
    out = tmp_path / "engine"
    where = ("--data", str(tmp_path / "slcd"), "--out", str(out), "--weights", str(trunk_file))
    _run("compression-engine", *changes, *where)
    report = _report(out)
    (network,) = report.networks
    (arm,) = network.arms
    assert arm.trainings == 2
    assert {"precision", "recall", "f1", "roc_auc", "accuracy"} <= set(arm.figures)
    assert arm.spread["accuracy"] is not None
    assert [one for one in report.remarks if one.level == "cannot be" and "25,331" in one.text]
    assert network.start.startswith("mobilenet_v2_tiny.weights.h5 sha256:")
    assert not report.data.stand_in


def test_the_survey_counts_costs_and_says_what_was_not_measured_and_on_what(
    sample_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "survey"
    few = '["MobileNetV2", "SqueezeNet-like"]'
    tiny = ("training.epochs=0", "size=32", f"training.architectures={few}", 'data.readers=["slcd"]')
    changes = [word for one in tiny for word in ("--set", one)]
    _run("survey", *changes, "--data", str(sample_folder), "--out", str(out))
    networks = {one.name: one for one in _report(out).networks}
    assert set(networks) == {"MobileNetV2", "SqueezeNet-like"}
    assert networks["MobileNetV2"].parameters == 2_266_951
    assert all(not arm.figures for one in networks.values() for arm in one.arms)
    text = (out / "report.md").read_text(encoding="utf-8")
    assert "not measured" in text
    assert "A stand-in" in text


def test_a_page_without_published_figures_has_no_column_for_them(sample_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "survey"
    tiny = ("training.epochs=1", "size=32", 'training.architectures=["SqueezeNet-like"]')
    _run("survey", *(word for one in tiny for word in ("--set", one)), "--data", str(sample_folder), "--out", str(out))
    lines = (out / "report.md").read_text(encoding="utf-8").splitlines()
    head = lines.index("| figure | Parted by lesion |")
    assert lines[head - 2] == "## SqueezeNet-like"
    assert len({line.count("|") for line in lines[head : head + 6]}) == 1
    assert lines[head + 2].startswith("| Accuracy | 0.")


def test_costs_are_those_that_the_papers_of_the_backbones_give() -> None:
    for name, parameters, macs in (("MobileNetV3Small", 0.94e6, 55e6), ("SqueezeNet-like", 0.73e6, 287e6)):
        network = backbone(name, 224, 7, None, 0)  # type: ignore[arg-type]
        assert network.count_params() == pytest.approx(parameters, rel=0.01)
        assert cost_of(network).macs == pytest.approx(macs, rel=0.01)


def test_weights_are_found_by_their_architecture(tmp_path: Path, trunk_file: Path) -> None:
    assert weights_of("MobileNetV2", trunk_file.parent) == trunk_file
    assert weights_of("EfficientNetB0", trunk_file.parent) is None
    assert weights_of("MobileNetV2", None) is None
    with pytest.raises(DataError, match="does not exist"):
        weights_of("MobileNetV2", tmp_path / "nowhere")
    with pytest.raises(DataError, match="does not fit MobileNetV2"):
        backbone("MobileNetV2", 32, 7, trunk_file, 0)


def test_what_is_missing_or_there_already_is_refused(sample_folder: Path, tmp_path: Path) -> None:
    runner, app = CliRunner(), build_app()
    assert "compression-engine" in runner.invoke(app, ["reproduce", "--list"]).stderr
    assert runner.invoke(app, ["reproduce", "digiscope"]).exception
    (tmp_path / "there").mkdir()
    there = ["reproduce", "digiscope", "--data", str(sample_folder), "--out", str(tmp_path / "there")]
    assert "exists already" in str(runner.invoke(app, there).exception)
