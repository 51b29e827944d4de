"""`dermport train` from photos to a bundle: what it writes, what it refuses, and what a kill changes (nothing)."""

from __future__ import annotations

import csv
import json
import shutil
import signal
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from dermport.bundle.prep import prepare
from dermport.bundle.store import Bundle, check_files
from dermport.cli.main import build_app
from dermport.errors import DataError, DermportError
from dermport.training.phases.state import load_history, load_state
from dermport.training.runs.registry import open_entry
from tests.stopping import stop_after
from tests.training.conftest import TRUNK_SIZE

pytestmark = pytest.mark.usefixtures("shallow")

HEAD_EPOCHS, EPOCHS, TAIL_EPOCHS = 3, 3, 4
SAVED = "dermport.training.phases.loop:save_state"


def _arguments(photos: Path, out: Path, *more: str) -> list[str]:
    small = ("--alpha", "0.35", "--input-size", str(TRUNK_SIZE), "--batch", "16")
    return ["train", "--data", str(photos), "--out", str(out), *small, *more]


def _two_phases(photos: Path, out: Path, trunk_file: Path) -> list[str]:
    epochs = ("--epochs", "3", "--fine-tune", "all", "--fine-tune-epochs", str(EPOCHS))
    return _arguments(photos, out, "--weights", str(trunk_file), *epochs)


def _run(arguments: list[str]) -> Any:
    result = CliRunner().invoke(build_app(), [*arguments, "--json"])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def trained(photos: Path, trunk_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    out = tmp_path_factory.mktemp("models") / "Whole Run"
    document = _run(_two_phases(photos, out, trunk_file))
    bundle = Bundle.open(out)
    assert document == bundle.manifest.model_dump(mode="json", by_alias=True)
    return bundle


def test_the_bundle_is_whole(trained: Bundle) -> None:
    check_files(trained.path, trained.manifest.files, "")
    listed = {entry.path for entry in trained.manifest.files}
    assert {path.relative_to(trained.path).as_posix() for path in trained.path.rglob("*") if path.is_file()} == {
        *listed,
        "bundle.json",
    }
    figures = {f"evaluation/{name}.png" for name in ("confusion", "roc", "reliability", "curves")}
    tables = {"evaluation/metrics.json", "evaluation/predictions.csv", "evaluation/history.csv"}
    model = {"model.keras", "split.csv", "golden/golden.json", "golden/tensors.npy", "calibration/tensors.npy"}
    assert figures | tables | model | {"evaluation/model_card.md"} <= listed
    assert not (trained.path.parent / f".{trained.path.name}.run").exists()


def test_the_manifest_says_what_was_done(trained: Bundle, trunk_file: Path) -> None:
    manifest = trained.manifest
    assert manifest.name == "whole-run"
    assert manifest.task.ids == ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
    assert (manifest.preprocessing.size, manifest.model.alpha) == (TRUNK_SIZE, 0.35)
    assert manifest.model.weights.startswith(f"{trunk_file.name} sha256:")
    assert manifest.dataset.photos == sum(manifest.dataset.split.photos.values()) == 84
    assert manifest.metrics.photos == manifest.dataset.split.photos["test"]
    assert manifest.provenance.packages["keras"]
    assert manifest.provenance.seconds > 1
    assert 0.1 <= manifest.calibration.temperature <= 10


def test_no_lesion_is_in_two_parts(trained: Bundle) -> None:
    parts = defaultdict(set)
    with trained.file("split.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            parts[row["lesion_id"]].add(row["part"])
    assert len(parts) == trained.manifest.dataset.lesions
    assert all(len(one) == 1 for one in parts.values())


def test_the_saved_model_gives_the_golden_probabilities(trained: Bundle) -> None:
    import keras

    golden = trained.golden()
    model = keras.saving.load_model(trained.file("model.keras"), compile=False)
    assert model.input_shape == (None, TRUNK_SIZE, TRUNK_SIZE, 3)
    answers = model.predict_on_batch(golden.tensors.astype(np.float32))
    np.testing.assert_allclose(answers, golden.probabilities, atol=1e-6)
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)
    for photo, tensor in zip(golden.index.photos, golden.tensors, strict=True):
        data = (trained.path / "golden" / photo.photo).read_bytes()
        assert np.array_equal(prepare(data, trained.manifest.preprocessing).tensor, tensor)


def test_the_golden_photos_are_test_photos_and_the_calibration_photos_training_photos(
    trained: Bundle, photos: Path
) -> None:
    with trained.file("split.csv").open(newline="") as file:
        rows = {row["photo_id"]: row for row in csv.DictReader(file)}
    golden = [rows[Path(one.photo).stem.split("-", 1)[1]] for one in trained.golden().index.photos]
    assert {row["part"] for row in golden} == {"test"}
    assert {row["label"] for row in golden} == {row["label"] for row in rows.values() if row["part"] == "test"}
    paths = {path.stem: path for path in photos.rglob("*.jpg")}
    training = {
        prepare(paths[photo].read_bytes(), trained.manifest.preprocessing).tensor.tobytes()
        for photo, row in rows.items()
        if row["part"] == "train"
    }
    calibration = np.load(trained.file("calibration/tensors.npy"))
    assert len(calibration) == min(200, trained.manifest.dataset.split.photos["train"])
    assert all(tensor.tobytes() in training for tensor in calibration)


def test_the_threshold_reaches_its_sensitivity_on_validation_photos(trained: Bundle, photos: Path) -> None:
    import keras

    model = keras.saving.load_model(trained.file("model.keras"), compile=False)
    paths = {path.stem: path for path in photos.rglob("*.jpg")}
    with trained.file("split.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["part"] == "validation"]
    tensors = [prepare(paths[row["photo_id"]].read_bytes(), trained.manifest.preprocessing).tensor for row in rows]
    answers = model.predict_on_batch(np.stack(tensors).astype(np.float32))
    task, decision = trained.manifest.task, trained.manifest.decision
    positive = np.array([row["label"] in task.positive for row in rows])
    found = answers[:, list(task.positive_indices)].sum(axis=1) >= decision.threshold - 1e-6
    assert found[positive].mean() >= decision.target_sensitivity == 0.9


def test_the_curves_are_drawn_and_the_history_has_every_epoch(trained: Bundle) -> None:
    from PIL import Image

    with Image.open(trained.file("evaluation/curves.png")) as image:
        assert image.size[0] > 1000
        assert len(image.convert("L").getcolors()) > 50, "a blank picture"
    with trained.file("evaluation/history.csv").open(newline="") as file:
        rows = [(row["phase"], int(row["epoch"])) for row in csv.DictReader(file)]
    assert rows == [("head", n) for n in (1, 2, 3)] + [("all", n) for n in range(1, EPOCHS + 1)]


def _weights(folder: Path) -> list[bytes]:
    import keras

    return [value.tobytes() for value in keras.saving.load_model(folder / "model.keras", compile=False).get_weights()]


@pytest.fixture(scope="module")
def published(photos: Path, trunk_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    out = tmp_path_factory.mktemp("published") / "cancer"
    _run(_published(photos, out, trunk_file))
    return Bundle.open(out)


def _published(photos: Path, out: Path, trunk_file: Path) -> list[str]:
    """The two phases on two classes."""
    task = ("--weights", str(trunk_file), "--task", "cancer", "--name", "mine", "--target-sensitivity", "0.8")
    epochs = (
        "--epochs",
        str(HEAD_EPOCHS),
        "--fine-tune-epochs",
        str(TAIL_EPOCHS),
        "--patience",
        "0",
        "--crop",
        "centre-square",
    )
    return _arguments(photos, out, *task, *epochs)


def test_the_published_recipe_on_two_classes(published: Bundle) -> None:
    manifest = published.manifest
    assert (manifest.name, manifest.preprocessing.crop) == ("mine", "centre-square")
    assert manifest.task.ids == ("Skin Cancer", "Other")
    assert manifest.decision.target_sensitivity == 0.8
    with published.file("evaluation/history.csv").open(newline="") as file:
        assert [row["phase"] for row in csv.DictReader(file)] == ["head"] * HEAD_EPOCHS + ["last4"] * TAIL_EPOCHS
    assert published.golden().probabilities.shape[1] == 2


def test_a_training_stopped_everywhere_ends_with_the_same_weights(
    published: Bundle, photos: Path, trunk_file: Path, tmp_path: Path
) -> None:
    """SIGKILL in each phase, and Ctrl-C, then the same command again: every weight is equal to the last bit."""
    out, run = tmp_path / "stopped", tmp_path / ".stopped.run"
    arguments = _published(photos, out, trunk_file)

    def there(pattern: str) -> bool:
        return any(tmp_path.glob(pattern))

    stop_after("dermport.training.features:FeatureCache._changed", arguments)
    assert there(".photos/*/key.json")
    assert there(".features/.*.part/pooled.npy")
    assert not there(".features/*/key.json")
    for phase in ("head", "last4"):
        stop_after(SAVED, arguments, stem=phase)
        assert not load_state(run / f"{phase}.npz").finished
    said = stop_after(SAVED, arguments, stem="last4", how=signal.SIGINT)
    assert str(run) in said.replace("\n", "")
    assert "go on with" in said
    assert len(load_history(run / "last4.npz")) == 2
    with (run / "log.csv").open(newline="") as file:
        phases = [row["phase"] for row in csv.DictReader(file)]
    # The log follows the checkpoint: what stops between them is made up for.
    assert phases == ["head"] * HEAD_EPOCHS + ["last4"]
    stop_after("dermport.training.assemble:saved", arguments)
    assert there(".stopped.*.part/model.keras")
    assert not out.exists()

    _run(arguments)
    assert _weights(out) == _weights(published.path)
    assert {path.name for path in tmp_path.iterdir() if path.suffix != ".part"} == {".features", ".photos", "stopped"}


def test_a_training_killed_while_all_layers_are_trained_ends_with_the_same_weights(
    trained: Bundle, photos: Path, trunk_file: Path, tmp_path: Path
) -> None:
    out, state = tmp_path / "killed", tmp_path / ".killed.run" / "all.npz"
    stop_after(SAVED, _two_phases(photos, out, trunk_file), stem="all")
    assert len(load_state(state).history) == 1
    _run(_two_phases(photos, out, trunk_file))
    assert _weights(out) == _weights(trained.path)
    assert not state.parent.exists()


def test_a_dry_run_measures_and_writes_nothing(photos: Path, trunk_file: Path, tmp_path: Path) -> None:
    head_only = ("--weights", str(trunk_file), "--fine-tune", "none", "--dry-run")
    document = _run(_arguments(photos, tmp_path / "out", *head_only))
    assert document["fits"]
    assert sum(document["photos"].values()) == 84
    assert set(document["seconds"]) == {"preparing photos", "features", "head", "scoring"}
    assert 1e8 < document["memory"] < document["memory_available"]
    assert 84 * TRUNK_SIZE**2 * 3 < document["disk"] < 1e8
    assert not list(tmp_path.iterdir())


def test_a_file_parts_the_photos(trained: Bundle, photos: Path, trunk_file: Path, tmp_path: Path) -> None:
    rows = (trained.path / "split.csv").read_text().splitlines()
    moved = {line.split(",")[1] for line in rows if line.endswith(",validation")}
    moved = set(sorted(moved)[: len(moved) // 3])
    mine = [line.replace(",validation", ",train") if line.split(",")[1] in moved else line for line in rows]
    (tmp_path / "mine.csv").write_text("\n".join(mine) + "\n")
    asked = (
        "--weights",
        str(trunk_file),
        "--epochs",
        "1",
        "--fine-tune",
        "none",
        "--split",
        str(tmp_path / "mine.csv"),
    )
    document = _run(_arguments(photos, tmp_path / "out", *asked))
    split = document["dataset"]["split"]
    assert split["seed"] is None
    assert split["photos"]["train"] > trained.manifest.dataset.split.photos["train"]
    assert sorted((tmp_path / "out" / "split.csv").read_text().splitlines()) == sorted(mine)
    assert "Parted as a file said; no lesion" in (tmp_path / "out" / "evaluation" / "model_card.md").read_text()
    ours, theirs = open_entry(trained.path), open_entry(tmp_path / "out")
    assert ours.tested_on == theirs.tested_on  # the same test part, whatever the others are


# What is refused, at once and without a trace


def test_a_file_of_parts_that_cannot_be_used_is_refused(photos: Path, trunk_file: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("photo_id,part\nISIC_0,train\n")
    asked = ("--weights", str(trunk_file), "--split", str(tmp_path / "mine.csv"))
    assert "names no part for 84 of 84 photos" in str(_refused(_arguments(photos, tmp_path / "out", *asked)))
    absent = ("--weights", str(trunk_file), "--split", str(tmp_path / "no.csv"))
    assert "no.csv" in str(_refused(_arguments(photos, tmp_path / "out", *absent)))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.csv"]


def _refused(arguments: list[str]) -> DermportError:
    result = CliRunner().invoke(build_app(), arguments)
    assert isinstance(result.exception, DermportError), result.output
    assert result.exception.exit_code == 2
    return result.exception


def test_a_bundle_that_exists_is_not_overwritten(trained: Bundle, photos: Path, trunk_file: Path) -> None:
    before = trained.model_sha256
    error = _refused(_two_phases(photos, trained.path, trunk_file))
    assert "exists already" in str(error)
    assert Bundle.open(trained.path).model_sha256 == before


def test_absent_weights_are_refused_and_nothing_is_written(photos: Path, tmp_path: Path) -> None:
    error = _refused(_arguments(photos, tmp_path / "out", "--weights", str(tmp_path / "no.weights.h5")))
    assert isinstance(error, DataError)
    assert "no.weights.h5 does not exist" in str(error)
    assert not list(tmp_path.iterdir())


def test_a_class_without_photos_is_refused_before_training(photos: Path, trunk_file: Path, tmp_path: Path) -> None:
    few = tmp_path / "few"
    shutil.copytree(photos, few)
    metadata = few / "HAM10000_metadata.csv"
    lines = metadata.read_text().splitlines()
    metadata.write_text("\n".join(line for line in lines if ",df," not in line) + "\n")
    error = _refused(_two_phases(few, tmp_path / "out", trunk_file))
    assert isinstance(error, DataError)
    assert "no training photo of df" in str(error)
    assert [path.name for path in tmp_path.iterdir()] == ["few"]
