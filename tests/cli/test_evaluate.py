"""``dermport evaluate`` as its users type it, on the tiny bundle."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from dermport.bundle.store import Bundle, file_entries, write_manifest
from dermport.cli.evaluate import evaluate
from dermport.errors import DataError, IntegrityError, UsageError
from tests.factories import LABELS, draw_set


def run(*words: object) -> Result:
    app = typer.Typer()
    app.command()(evaluate)
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder per class with 24 drawn photos."""
    folder = tmp_path_factory.mktemp("photos") / "drawn"
    for index, (photo, label) in enumerate(zip(*draw_set(6, first_seed=500), strict=True)):
        path = folder / LABELS[label] / f"{index:02d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photo)
    return folder


def made_with(bundle: Bundle, photos: Path) -> Bundle:
    """Make `photos` the data set of the bundle: of each class three trained, one validated and two tested."""
    from dermport.training.data.dataset import read_dataset
    from dermport.training.data.tasks import task_from_spec

    manifest = bundle.manifest
    found = read_dataset(photos, task_from_spec(manifest.task))
    with (bundle.path / "split.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("photo_id", "part"))
        for place, record in enumerate(found.records):
            writer.writerow((record.photo_id, ("train", "train", "train", "validation", "test", "test")[place % 6]))
    split = manifest.dataset.split.model_copy(update={"photos": {"train": 12, "validation": 4, "test": 8}})
    dataset = manifest.dataset.model_copy(update={"fingerprint": found.fingerprint, "split": split})
    entries = file_entries(bundle.path, exclude=("bundle.json",))
    write_manifest(bundle.path, manifest.model_copy(update={"dataset": dataset, "files": entries}))
    return Bundle.open(bundle.path)


def test_another_data_set_is_scored_whole_and_said_to_be_another(
    shared_bundle: Bundle, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "scored"
    result = run(shared_bundle.path, "--data", photos, "--out", out, "--json")
    assert "all of its photos are taken" in result.stderr
    document = json.loads(result.stdout)
    assert result.exit_code == 0
    assert "External validation" in result.stderr
    assert (document["external"], document["photos"], document["data"]) == (True, 24, "drawn")
    assert document["figures"]["accuracy"]["value"] > 0.5
    assert json.loads((out / "metrics.json").read_text()) == document
    assert (out / "roc.png").exists()
    assert not (out / "model_card.md").exists()


def test_a_part_of_another_data_set_is_refused_and_leaves_nothing(
    shared_bundle: Bundle, photos: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="not the data set"):
        run(shared_bundle.path, "--data", photos, "--part", "test", "--out", tmp_path / "scored")
    assert list(tmp_path.iterdir()) == []


def test_the_test_part_is_that_of_the_bundles_split(tiny_bundle: Bundle, photos: Path) -> None:
    bundle = made_with(tiny_bundle, photos)
    before = {path: path.stat().st_mtime_ns for path in bundle.path.rglob("*")}
    result = run(bundle.path, "--data", photos, "--json")
    document = json.loads(result.stdout)
    assert (document["part"], document["photos"], document["external"]) == ("test", 8, False)
    assert [one["photos"] for one in document["classes"]] == [2, 2, 2, 2]
    assert "Balanced accuracy" in result.stderr
    assert "flatter" not in result.stderr
    assert {path: path.stat().st_mtime_ns for path in bundle.path.rglob("*")} == before
    assert "does not keep the scores" in result.stderr
    assert (document["threshold"]["photos"], document["threshold"]["positives"]) == (4, 3)
    kept = bundle.path / "evaluation" / "validation.csv"
    kept.write_text("photo_id,lesion_id,positive,score\n" + "".join(f"p{i},l{i},1,0.{i}\n" for i in range(1, 8)))
    again = run(made_with(bundle, photos).path, "--data", photos, "--part", "train", "--json")
    assert "flatter" in again.stderr
    assert "does not keep the scores" not in again.stderr
    assert json.loads(again.stdout)["threshold"]["photos"] == 7


def test_another_bundle_is_asked_the_same_photos(shared_bundle: Bundle, tiny_bundle: Bundle, photos: Path) -> None:
    other = made_with(tiny_bundle, photos)
    result = run(shared_bundle.path, "--data", photos, "--part", "all", "--against", other.path, "--json")
    against = json.loads(result.stdout)["against"]
    assert against["model"]["model_sha256"] == other.model_sha256
    assert against["seen"] == {"train": 12, "validation": 4}
    assert "its figures are flattered" in result.stderr
    assert "DeLong" in result.stderr
    assert against["figures"]["accuracy"]["change"] == 0, "it is the same model"


def test_a_bundle_that_tells_other_things_apart_is_refused(
    shared_bundle: Bundle, tiny_bundle: Bundle, photos: Path
) -> None:
    task = tiny_bundle.manifest.task.model_copy(update={"positive": ("mel",)})
    write_manifest(tiny_bundle.path, tiny_bundle.manifest.model_copy(update={"task": task}))
    with pytest.raises(UsageError, match="mel positive"):
        run(shared_bundle.path, "--data", photos, "--against", tiny_bundle.path)


def test_saved_figures_are_shown_without_photos(tiny_bundle: Bundle, photos: Path, tmp_path: Path) -> None:
    run(tiny_bundle.path, "--data", photos, "--part", "all", "--out", tmp_path / "scored")
    metrics = tiny_bundle.path / "evaluation" / "metrics.json"
    metrics.write_bytes((tmp_path / "scored" / "metrics.json").read_bytes())
    bundle = made_with(tiny_bundle, photos)
    result = run(bundle.path, "--json")
    assert json.loads(result.stdout) == json.loads(metrics.read_text())
    assert "nothing was run" in result.stderr
    metrics.write_text(metrics.read_text().replace("0.", "0.1", 1))
    with pytest.raises(IntegrityError):
        run(bundle.path)


@pytest.mark.parametrize("words", [("--part", "test"), ("--out", "somewhere"), ("--against", "x")])
def test_options_that_need_photos_are_refused_without(shared_bundle: Bundle, words: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match="need photos"):
        run(shared_bundle.path, *words)


def test_an_existing_folder_is_not_overwritten(shared_bundle: Bundle, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="exists already"):
        run(shared_bundle.path, "--data", photos, "--part", "all", "--out", tmp_path)
