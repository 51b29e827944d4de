"""``dermport data`` as its users type it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from dermport.bundle.notice import NOTICE
from dermport.cli.data import data
from dermport.errors import DataError, UsageError
from tests.training.data.photos import drawn, save


def run(*words: object) -> Result:
    app = typer.Typer()
    app.command()(data)
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes, six photos of each."""
    root = tmp_path_factory.mktemp("data") / "drawn"
    for seed in range(12):
        save(root / ("melanoma" if seed % 2 else "nevus") / f"{seed:02d}.jpg", drawn(seed))
    return root


def test_the_card_is_shown_and_written(photos: Path, tmp_path: Path) -> None:
    result = run(photos, "--task", "cancer", "--out", tmp_path / "card", "--input-size", 64)
    assert result.exit_code == 0
    assert result.stdout == ""
    for said in ("12 of 12 photos", "Skin Cancer", "near-duplicates", "UNKNOWN", NOTICE.split(".")[0]):
        assert said in result.stderr
    assert (tmp_path / "card/data-card.md").is_file()


def test_json_is_one_document_and_all_that_stdout_has(photos: Path) -> None:
    document = json.loads(run(photos, "--task", "cancer", "--json").stdout)
    assert document["schema"] == "dermport-data-card/2"
    assert document["photos"] == 12
    assert document["quality"]["input_size"] == 224


def test_photos_that_no_training_would_take_end_with_1(photos: Path, tmp_path: Path) -> None:
    result = run(photos, "--out", tmp_path / "card")
    assert result.exit_code == 1
    assert "failure" in result.stderr
    assert (tmp_path / "card/data-card.json").is_file()


def test_bad_input_is_refused_before_any_photo_is_read(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="exists already"):
        run(photos, "--out", tmp_path)
    with pytest.raises(DataError, match="does not exist"):
        run(tmp_path / "nowhere")
    assert run(photos, "--input-size", 8).exit_code == 2
