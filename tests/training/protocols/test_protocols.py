"""The presets: valid, in step with what the benchmark says of the same papers, and changeable."""

from __future__ import annotations

from pathlib import Path

import pytest

from dermport.errors import UsageError
from dermport.exporters.benchmark.published import papers
from dermport.training.data.tasks import load_task
from dermport.training.protocols.figures import TITLES
from dermport.training.protocols.protocol import Protocol, Transfer, built_in, load_protocol

_NAMES = {"roc_auc": "roc_auc", "f1": "f1", "precision": "precision", "recall": "recall"}


@pytest.fixture(params=built_in())
def protocol(request: pytest.FixtureRequest) -> Protocol:
    return load_protocol(request.param)


def test_the_four_presets_of_the_issue_are_there() -> None:
    assert built_in() == ("compression-engine", "digiscope", "on-device-app", "survey")


def test_a_preset_has_an_honest_arm_a_task_and_says_what_its_paper_leaves_open(protocol: Protocol) -> None:
    assert protocol.honest_arm is not None
    assert protocol.honest_arm.split == "by-lesion"
    assert protocol.honest_arm.oversample != "before-split"
    assert load_task(protocol.data.task).spec.ids
    assert {one.figure for one in protocol.published} <= set(TITLES)
    assert protocol.silent


def test_published_figures_are_those_that_the_benchmark_compares_with(protocol: Protocol) -> None:
    told = papers().get(protocol.name)
    there = {one.metric: one.value for one in told.of("quality")} if told else {}
    assert {one.figure: one.value for one in protocol.published} == there


def test_the_protocols_are_those_of_the_issue() -> None:
    engine, app, scope = (load_protocol(name) for name in ("compression-engine", "on-device-app", "digiscope"))
    assert isinstance(engine.training, Transfer)
    assert (engine.split.folds, engine.split.test, engine.training.epochs, engine.training.batch) == (5, 0.1, 50, 32)
    assert app.data.require_metadata
    assert app.fractions == {"train": 0.64, "validation": 0.16, "test": 0.20}
    assert isinstance(app.training, Transfer)
    changed = app.training.augmentation
    assert (changed.rotation, changed.zoom, changed.shift) == (10, 0.1, 0.15)
    assert (scope.training.epochs, scope.training.batch) == (50, 128)
    assert scope.published_arm is not None
    assert scope.published_arm.oversample == "before-split"


def test_a_change_is_made_and_checked() -> None:
    changed = load_protocol("digiscope", ["size=64", "training.epochs=2", "data.name=mine"])
    assert (changed.size, changed.training.epochs, changed.data.name) == (64, 2, "mine")
    for wrong in ("nowhere.epochs=2", "training.epochs", "training.layers=2", "split.folds=1", "split.test=0.5"):
        with pytest.raises(UsageError, match="protocol"):
            load_protocol("digiscope", [wrong])


def test_a_protocol_of_ones_own_and_one_that_is_not_there(tmp_path: Path) -> None:
    text = (Path("dermport") / "training" / "protocols" / "presets" / "digiscope.toml").read_text(encoding="utf-8")
    path = tmp_path / "mine.toml"
    path.write_text(text.replace('"digiscope"', '"mine"'), encoding="utf-8")
    assert load_protocol(str(path)).name == "mine"
    with pytest.raises(UsageError, match="compression-engine, digiscope, on-device-app, survey"):
        load_protocol("elsewhere")
    path.write_text("name = ", encoding="utf-8")
    with pytest.raises(UsageError, match="not TOML"):
        load_protocol(str(path))
