from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from dermport.bundle.manifest import Preprocessing
from dermport.bundle.notice import NOTICE
from dermport.bundle.photo_quality import bounds
from dermport.errors import DataError, UsageError
from dermport.training.data.dataset import Dataset, read_dataset
from dermport.training.data.sources import open_dataset
from dermport.training.data.splits import split_dataset
from dermport.training.data.tasks import load_task
from dermport.training.data_card.build import build_card
from dermport.training.data_card.card import DataCard
from dermport.training.data_card.files import render_data_card, write_data_card
from dermport.training.data_card.sheet import draw_sheet, worst_first
from dermport.training.data_card.survey import Survey, survey_records
from tests.training.data.photos import drawn, save, write_csv

HAM7 = load_task("ham7")
LABELS = HAM7.spec.ids
HEADER = ("lesion_id", "image_id", "dx", "age", "sex")
SIZE = 48


def write_ham(root: Path, lesions: int = 5) -> Path:
    """Write so many lesions of each label, two photos of the first of each; some cells are empty or say nothing."""
    rows: list[Sequence[object]] = []
    for kind, label in enumerate(LABELS):
        for lesion in range(lesions):
            for photo in range(2 if lesion == 0 else 1):
                number = 100 * kind + 10 * lesion + photo
                save(root / f"images/I{number:03d}.jpg", drawn(number))
                cells = (30 + 10 * lesion if kind else "", "female" if kind % 2 else "unknown")
                rows.append((f"L{kind}{lesion}", f"I{number:03d}", label, *cells))
    write_csv(root / "HAM10000_metadata.csv", [HEADER, *rows])
    return root


def card_of(path: Path, task: str = "ham7", seed: int = 0) -> tuple[DataCard, Dataset, Survey]:
    reader = open_dataset(path)
    dataset = read_dataset(reader, load_task(task), near_duplicates=True)
    survey = survey_records(dataset.records, Preprocessing(size=SIZE))
    return build_card(reader, dataset, survey, split_dataset(dataset, seed=seed), seed), dataset, survey


@pytest.fixture(scope="module")
def ham(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small set with a darker copy of a photo under another lesion, a blurred, a dark and an unreadable photo."""
    root = write_ham(tmp_path_factory.mktemp("card") / "ham")
    save(root / "images/copy.jpg", ImageEnhance.Brightness(drawn(100)).enhance(0.9), 85)
    save(root / "images/dim.jpg", ImageEnhance.Brightness(drawn(700)).enhance(0.2))
    save(root / "images/soft.jpg", drawn(701).filter(ImageFilter.GaussianBlur(12)))
    (root / "images/cut.jpg").write_bytes(b"\xff\xd8\xff no photo")
    with (root / "HAM10000_metadata.csv").open("a", newline="") as file:
        rows = [("C0", "copy", "mel", 60, "male"), ("C1", "dim", "nv", 60, "male"), ("C2", "soft", "nv", 60, "male")]
        csv.writer(file).writerows([*rows, ("C3", "cut", "nv", 60, "male")])
    return root


@pytest.fixture(scope="module")
def made(ham: Path) -> tuple[DataCard, Dataset, Survey]:
    return card_of(ham)


def test_everything_is_counted(made: tuple[DataCard, Dataset, Survey]) -> None:
    card = made[0]
    assert (card.listed, card.photos, card.lesions, card.groups, card.patients) == (46, 45, 38, 37, None)
    labels = {label.id: (label.photos, label.lesions, label.positive, label.sources) for label in card.labels}
    assert labels["nv"] == (8, 7, False, {"nv": 8})
    assert labels["mel"] == (7, 6, True, {"mel": 7})
    assert {one.value: one.photos for one in card.photos_per_lesion} == {"1": 31, "2": 7}
    assert [(one.reason, one.photos) for one in card.dropped] == [("unreadable photo", 1)]
    assert card.mixed_lesions == 0
    assert card.notice == NOTICE


def test_people_and_metadata_are_told_with_what_is_missing(made: tuple[DataCard, Dataset, Survey]) -> None:
    card = made[0]
    columns = {column.name: (column.given, column.distinct) for column in card.columns}
    assert columns == {"age": (39, 5), "sex": (21, 3)}
    assert card.complete_rows == 39
    kinds = {one.kind: {group.value: group.photos for group in one.groups} for one in card.people}
    assert kinds["Sex"] == {"female": 18, "male": 3, "unknown": 24}
    assert kinds["Age"]["unknown"] == 6
    assert set(kinds) == {"Age", "Sex", "Skin tone"}


def test_near_duplicates_are_told_and_kept_together(made: tuple[DataCard, Dataset, Survey]) -> None:
    near = made[0].near_duplicates
    assert (near.within_lesions, near.across_lesions, near.other_labels, near.lesions_joined) == (0, 1, 1, 2)
    for seed in range(5):
        split = build_card(
            open_dataset(made[1].records[0].path.parents[1]), made[1], made[2], split_dataset(made[1], seed=seed), seed
        ).split
        assert (split.lesions_in_two_parts, split.groups_in_two_parts, split.near_duplicates_apart) == (0, 0, 0)
    assert sum(part.photos for part in split.parts) == 45
    assert {part.part: sum(part.labels.values()) for part in split.parts} == {
        part.part: part.photos for part in split.parts
    }


def test_the_quality_of_the_photos_is_told(made: tuple[DataCard, Dataset, Survey]) -> None:
    card, dataset, survey = made
    faults = {fault.code: fault for fault in card.quality.faults}
    assert (faults["too-dark"].photos, faults["blurred"].photos, faults["too-small"].photos) == (1, 1, 0)
    assert card.quality.sizes[0].value == "120 × 90"
    worst = {bound.code: dataset.records[worst_first(bound, survey)[0]].photo_id for bound in bounds()}
    assert (worst["too-dark"], worst["blurred"]) == ("dim", "soft")


def test_what_a_person_should_know_is_said(made: tuple[DataCard, Dataset, Survey]) -> None:
    said = " ".join(finding.text for finding in made[0].findings)
    assert "Licence of ham: UNKNOWN" in said
    assert "different labels: at least one of each pair is wrong" in said
    assert "No patient is named" in said
    assert not made[0].failed


def test_a_label_that_cannot_be_in_every_part_is_a_failure(tmp_path: Path) -> None:
    card = card_of(write_ham(tmp_path / "ham", lesions=2))[0]
    assert card.failed
    assert "akiec has 2 group(s) of photos" in card.findings[0].text
    assert any("the validation part has no photo of akiec" in finding.text for finding in card.findings)


def test_dealing_photos_instead_of_lesions_leaks(tmp_path: Path) -> None:
    rows = []
    for lesion in range(12):
        for photo in range(4):
            save(tmp_path / f"{lesion}-{photo}.jpg", drawn(4 * lesion + photo))
            rows.append((f"{lesion}-{photo}.jpg", "mel" if lesion % 2 else "nv", f"L{lesion}"))
    write_csv(tmp_path / "list.csv", [("path", "label", "lesion"), *rows])
    assert card_of(tmp_path, "cancer")[0].split.leak_by_photo > 0.7


def test_the_folder_is_whole_and_reads_back(made: tuple[DataCard, Dataset, Survey], tmp_path: Path) -> None:
    write_data_card(tmp_path / "out", *made)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"data-card.json", "data-card.md", "quality.csv", "near-duplicates.csv", "contact-sheet.png"}
    assert DataCard.model_validate(json.loads((tmp_path / "out/data-card.json").read_text())) == made[0]
    with (tmp_path / "out/quality.csv").open(newline="") as file:
        rows = {row["photo_id"]: row for row in csv.DictReader(file)}
    assert len(rows) == 45
    assert rows["dim"]["hints"].split()[0] == "too-dark"
    with (tmp_path / "out/near-duplicates.csv").open(newline="") as file:
        (pair,) = csv.DictReader(file)
    assert {pair["first"], pair["second"]} == {"I100", "copy"}
    with pytest.raises(UsageError, match="exists already"):
        write_data_card(tmp_path / "out", *made)


def test_a_photo_that_vanished_leaves_no_folder(ham: Path, tmp_path: Path) -> None:
    card, dataset, survey = card_of(write_ham(tmp_path / "ham"))
    for record in dataset.records:
        record.path.unlink()
    with pytest.raises(FileNotFoundError):
        write_data_card(tmp_path / "out", card, dataset, survey)
    assert [path.name for path in tmp_path.iterdir()] == ["ham"]
    with pytest.raises(DataError, match="can no longer be read"):
        survey_records(dataset.records, Preprocessing(size=SIZE))


def test_tables_of_the_card_are_whole(made: tuple[DataCard, Dataset, Survey]) -> None:
    text = render_data_card(made[0])
    assert NOTICE in text
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 11
    for table in tables:
        assert len({line.count("|") for line in table}) == 1, table
        assert set(table[1]) <= set("|-:")


def test_the_sheet_marks_what_is_beyond_a_bound(made: tuple[DataCard, Dataset, Survey]) -> None:
    pixels = np.asarray(draw_sheet(made[1], made[2]), dtype=np.int64)
    red = np.abs(pixels - (0xB9, 0x1C, 0x1C)).sum(axis=2) == 0
    assert red.sum() > 4 * 2 * (168 + 126)  # frames of the pair and of two faults, at least
    assert pixels.shape[1] > 1400


def test_licences_come_from_the_file_from_beside_the_photos_or_from_the_metadata(tmp_path: Path) -> None:
    write_ham(tmp_path / "ham", lesions=3)
    (tmp_path / "ham/LICENSE.txt").write_text("CC0 1.0\nDrawn by a program.\n")
    save(tmp_path / "archive/A1.jpg", drawn(900))
    save(tmp_path / "archive/A2.jpg", drawn(901))
    header = ("isic_id", "diagnosis", "copyright_license", "patient_id")
    rows = [("A1", "nevus", "CC-BY", "P1"), ("A2", "nevus", "CC-0", "P1")]
    write_csv(tmp_path / "archive/metadata.csv", [header, *rows])
    save(tmp_path / "own/nv/1.jpg", drawn(902))
    save(tmp_path / "bare/nv/2.jpg", drawn(903))
    sources = [("ham", ""), ("archive", ""), ("own", 'licence = "ours"'), ("bare", "")]
    text = "".join(f'[[source]]\nname = "{name}"\npath = "{name}"\n{more}\n' for name, more in sources)
    (tmp_path / "all.toml").write_text(text)
    card = card_of(tmp_path / "all.toml")[0]
    found = {one.source: (one.known, one.text.splitlines()[0]) for one in card.licences}
    assert found["ham"] == (True, "CC0 1.0")
    assert found["archive"] == (True, "CC-BY: 1 photos, CC-0: 1 photos")
    assert found["own"] == (True, "ours")
    assert found["bare"][0] is False
    assert card.patients == 1


def test_a_picture_of_one_colour_is_surveyed_too(tmp_path: Path) -> None:
    save(tmp_path / "nv/1.jpg", Image.new("RGB", (7, 5), "white"))
    card = card_of(tmp_path)[0]
    assert {fault.code: fault.median for fault in card.quality.faults}["blurred"] is None
    assert card.failed
