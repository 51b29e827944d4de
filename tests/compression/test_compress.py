"""`dermport compress` from a bundle to a child: what it writes, refuses, and that a kill changes nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dermport.bundle.store import Bundle, check_files
from dermport.cli.main import build_app
from dermport.errors import DataError, UsageError
from dermport.training.run import run_folder
from tests.stopping import stop_after

pytestmark = pytest.mark.usefixtures("shallow")

RECIPE = ("--recipe", "fine-tune", "--set", "fine-tune.epochs=3", "--set", "fine-tune.batch=16")


def _compress(parent: Path, data: Path, out: Path, *more: str) -> dict[str, Any]:
    arguments = ["compress", str(parent), *RECIPE, "--data", str(data), "--out", str(out), "--json", *more]
    result = CliRunner().invoke(build_app(), arguments)
    if result.exception:
        raise result.exception
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def child(shared_parent: Bundle, drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    out = tmp_path_factory.mktemp("child") / "tuned"
    _compress(shared_parent.path, drawn, out)
    return Bundle.open(out)


def test_the_child_is_a_whole_bundle_that_names_its_parent(child: Bundle, shared_parent: Bundle) -> None:
    check_files(child.path, child.manifest.files, "")
    made = child.manifest.compression
    assert made is not None
    assert (made.parent.name, made.parent.model_sha256) == (shared_parent.manifest.name, shared_parent.model_sha256)
    assert made.steps[0].kind == "fine-tune"
    assert made.steps[0].settings["epochs"] == 3
    assert child.manifest.dataset == shared_parent.manifest.dataset
    assert child.file("split.csv").read_bytes() == shared_parent.file("split.csv").read_bytes()
    assert "drawn 1.0.0" in child.file("evaluation/model_card.md").read_text()
    assert len(child.golden().tensors) == len(shared_parent.golden().tensors)
    assert not run_folder(child.path).exists()


def test_a_killed_compression_goes_on_to_the_same_weights(
    child: Bundle, shared_parent: Bundle, drawn: Path, tmp_path: Path
) -> None:
    out = tmp_path / "tuned"
    state = run_folder(out) / "01-fine-tune" / "fine-tune.npz"
    command = ["compress", str(shared_parent.path), *RECIPE, "--data", str(drawn), "--out", str(out)]
    stop_after("dermport.training.phases.loop:save_state", command, stem="fine-tune")
    assert state.exists()
    assert not out.exists()
    _compress(shared_parent.path, drawn, out)
    again = Bundle.open(out)
    assert again.golden().probabilities.tobytes() == child.golden().probabilities.tobytes()


def test_other_photos_than_the_parents_are_refused(shared_parent: Bundle, drawn: Path, tmp_path: Path) -> None:
    shutil.copytree(drawn, tmp_path / "fewer")
    next((tmp_path / "fewer").rglob("*.jpg")).unlink()
    with pytest.raises(DataError, match="not the data set"):
        _compress(shared_parent.path, tmp_path / "fewer", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_exists_is_left_alone(shared_parent: Bundle, drawn: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="exists already"):
        _compress(shared_parent.path, drawn, tmp_path)


def test_recipes_are_listed_and_shown() -> None:
    listed = CliRunner().invoke(build_app(), ["compress", "--list", "--json"])
    assert "fine-tune" in [recipe["name"] for recipe in json.loads(listed.stdout)]
    shown = CliRunner().invoke(build_app(), ["compress", "--list", *RECIPE, "--json"])
    assert json.loads(shown.stdout)["step"][0]["epochs"] == 3
