from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from dermport.bundle.manifest import Preprocessing
from dermport.errors import UsageError
from dermport.training.data.dataset import read_dataset
from dermport.training.data.photos import load_tensors
from dermport.training.data.tasks import load_task
from dermport.training.sample.camera import View, take_photo
from dermport.training.sample.cohort import SHARES, draw_cohort
from dermport.training.sample.lesions import DRAW, draw_lesion
from dermport.training.sample.sample_set import draw_sample_set
from dermport.training.sample.skin import Person


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_set_is_read_as_ham10000_without_a_drop(sample_folder: Path) -> None:
    dataset = read_dataset(sample_folder, load_task("ham7"), require_metadata=True)
    assert dataset.report.reader == "ham10000"
    assert (dataset.report.photos_kept, dataset.report.photos_dropped) == (60, 0)
    assert min(dataset.report.lesions.values()) >= 3
    assert max(Counter(record.lesion_id for record in dataset.records).values()) > 1
    with Image.open(dataset.records[0].path) as photo:
        assert (photo.format, photo.size, photo.mode) == ("JPEG", (120, 90), "RGB")


def test_the_layout_is_the_archives(sample_folder: Path) -> None:
    names = {path.name for path in sample_folder.iterdir()}
    assert names == {
        "HAM10000_metadata.csv", "HAM10000_images_part_1", "HAM10000_images_part_2", "README.md", "LICENSE",
    }  # fmt: skip
    with (sample_folder / "HAM10000_metadata.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"]
    assert all(value for row in rows for value in row.values())
    assert "None is a photo of a person" in (sample_folder / "README.md").read_text()
    assert "CC0-1.0" in (sample_folder / "LICENSE").read_text()


def test_the_same_seed_draws_the_same_set_with_any_number_of_jobs(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    for name, seed, jobs in (("a", 1, 1), ("b", 1, 2), ("c", 2, 1)):
        draw_sample_set(
            tmp_path / name, photos=21, seed=seed, size=(64, 48), jobs=jobs, update=lambda *now: steps.append(now)
        )
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")
    first, other = files_of(tmp_path / "a"), files_of(tmp_path / "c")
    photos = {name for name in first if name.endswith(".jpg")} & set(other)
    assert not any(first[name] == other[name] for name in photos)
    assert steps[-1] == (21, 21)


def test_photos_of_a_lesion_differ_but_show_the_same_lesion() -> None:
    person = Person(tone=0.1, flush=0.1, freckles=0, hair=0, hair_shade=0)
    view = View(radius=0.7, turn=0.0, shift=(0.0, 0.0))

    def centre(lesion_seed: int, photo_seed: int) -> np.ndarray:
        lesion = draw_lesion("mel", np.random.default_rng(lesion_seed))
        data = take_photo(lesion, person, view, (160, 120), np.random.default_rng(photo_seed))
        grey = np.asarray(Image.open(io.BytesIO(data)).convert("L").resize((40, 30)), np.float64)
        return grey[5:25, 8:32].ravel()

    same = np.corrcoef(centre(0, 1), centre(0, 2))[0, 1]
    other = np.corrcoef(centre(0, 1), centre(5, 1))[0, 1]
    assert same > 0.9
    assert other < same - 0.1
    assert not np.array_equal(centre(0, 1), centre(0, 2))


@pytest.mark.parametrize("dx", sorted(DRAW))
def test_lesions_stay_within_their_map(dx: str) -> None:
    for seed in range(4):
        for amount in draw_lesion(dx, np.random.default_rng(seed)).maps():
            assert amount.dtype == np.float32
            assert np.isfinite(amount).all()
            border = np.concatenate([amount[0], amount[-1], amount[:, 0], amount[:, -1]])
            assert np.abs(border).max() < 0.05


def test_the_classes_have_the_signs_they_are_named_after() -> None:
    drawn = {dx: [draw_lesion(dx, np.random.default_rng(seed)) for seed in range(12)] for dx in DRAW}
    mean = {
        dx: {name: np.mean([getattr(one, name).mean() for one in some]) for name in ("melanin", "blood", "deep")}
        for dx, some in drawn.items()
    }
    assert mean["vasc"]["blood"] == max(one["blood"] for one in mean.values())
    assert mean["mel"]["melanin"] == max(one["melanin"] for one in mean.values())
    assert mean["nv"]["deep"] == 0 < mean["mel"]["deep"]
    assert mean["bcc"]["melanin"] < 0.3 * mean["nv"]["melanin"]
    middle = slice(104, 120)
    white = {dx: np.mean([one.white[middle, middle].mean() for one in some]) for dx, some in drawn.items()}
    assert white["df"] == max(white.values())


def test_skin_tones_range_from_pale_to_dark(sample_folder: Path) -> None:
    dataset = read_dataset(sample_folder, load_task("ham7"))
    pixels = load_tensors(dataset.records, Preprocessing(size=32)).astype(float)
    # A patch left of the centre: inside the dermatoscope's field, mostly outside the lesion.
    brightness = pixels[:, 14:18, 3:6].mean(axis=(1, 2, 3))
    assert np.quantile(brightness, 0.95) > 170
    assert np.quantile(brightness, 0.1) < 120


def test_colour_statistics_place_many_photos_but_not_all(tmp_path: Path) -> None:
    """The classes are told apart, yet a nearest mean of colours must not solve the set."""
    draw_sample_set(tmp_path / "set", photos=160, seed=8, size=(64, 48))
    dataset = read_dataset(tmp_path / "set", load_task("ham7"))
    pixels = load_tensors(dataset.records, Preprocessing(size=32)).astype(float) / 255
    lesion = pixels[:, 11:21, 11:21].reshape(len(pixels), -1, 3)
    skin = np.concatenate([pixels[:, 13:19, 2:5], pixels[:, 13:19, 27:30]], axis=2).reshape(len(pixels), -1, 3)
    features = np.concatenate([np.log(lesion.mean(1) / skin.mean(1)), lesion.std(1) / lesion.mean(1)], axis=1)
    features = (features - features.mean(0)) / features.std(0)
    targets = dataset.targets()
    hits = 0
    for index, target in enumerate(targets):
        others = np.arange(len(targets)) != index
        means = np.stack([features[others & (targets == one)].mean(0) for one in range(7)])
        hits += int(np.argmin(((means - features[index]) ** 2).sum(1)) == target)
    assert 0.35 < hits / len(targets) < 0.75  # chance: 0.14


def test_a_cohort_has_exactly_the_photos_asked_for() -> None:
    for photos in (7, 21, 100, 701):
        cohort = draw_cohort(photos, seed=0)
        ids = [photo_id for lesion in cohort for photo_id in lesion.photo_ids]
        assert len(set(ids)) == len(ids) == photos
        assert {lesion.dx for lesion in cohort} == set(SHARES)
    by_class: dict[str, int] = defaultdict(int)
    for lesion in cohort:
        by_class[lesion.dx] += len(lesion.photo_ids)
    assert all(abs(by_class[dx] - 701 * share) < 8 for dx, share in SHARES.items())


def test_nothing_is_left_of_a_set_that_could_not_be_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in ({"photos": 6}, {"size": (16, 300)}, {"size": (9000, 300)}):
        with pytest.raises(UsageError):
            draw_sample_set(tmp_path / "set", **wrong)
    monkeypatch.setattr("dermport.training.sample.sample_set.take_photo", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        draw_sample_set(tmp_path / "set", photos=7)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("kept")
    with pytest.raises(UsageError, match="exists already"):
        draw_sample_set(tmp_path, photos=7)
    assert files_of(tmp_path) == {"mine": b"kept"}


def test_the_command(tmp_path: Path) -> None:
    import json

    import typer

    from dermport.cli.sample_data import sample_data

    app = typer.Typer()
    app.command()(sample_data)
    arguments = ["--photos", "7", "--size", "64x48", "--jobs", "1", "--json"]
    result = CliRunner().invoke(app, ["--out", str(tmp_path / "set"), *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["by_class"] == dict.fromkeys(SHARES, 1)
    with pytest.raises(UsageError, match="is not a size"):
        CliRunner().invoke(app, ["--out", str(tmp_path / "other"), "--size", "64"], catch_exceptions=False)
