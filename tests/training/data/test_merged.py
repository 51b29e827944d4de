from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dermport.errors import DataError
from dermport.training.data.dataset import read_dataset
from dermport.training.data.sources import open_dataset
from dermport.training.data.splits import split_dataset
from dermport.training.data.tasks import load_task
from tests.training.data.photos import drawn, save, write_csv

HAM7 = load_task("ham7")
TWO = """
[[source]]
name = "ham"
path = "ham"
licence = "CC BY-NC 4.0"

[[source]]
name = "clinic"
path = "elsewhere/clinic"
labels = { "Seb_K" = "bkl", "rubbish" = "" }
lesion_pattern = "^(p\\\\d+)_"
"""


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A data set in HAM10000's layout, and a folder per class with labels of its own; both have an I1."""
    rows = [("lesion_id", "image_id", "dx", "age"), ("L1", "I1", "mel", "50"), ("L1", "I2", "mel", "")]
    write_csv(tmp_path / "ham/HAM10000_metadata.csv", rows)
    for seed, name in enumerate(("I1", "I2")):
        save(tmp_path / f"ham/images/{name}.jpg", drawn(seed))
    save(tmp_path / "elsewhere/clinic/seb k/p1_a.jpg", drawn(10))
    save(tmp_path / "elsewhere/clinic/seb k/p1_b.jpg", drawn(11))
    save(tmp_path / "elsewhere/clinic/melanoma/I1.jpg", drawn(12))
    save(tmp_path / "elsewhere/clinic/rubbish/p9_a.jpg", drawn(13))
    (tmp_path / "both.toml").write_text(TWO)
    return tmp_path / "both.toml"


def test_ids_never_clash_and_labels_are_translated(two: Path) -> None:
    dataset = read_dataset(two, HAM7)
    assert [(one.photo_id, one.lesion_id, one.label) for one in dataset.records] == [
        ("clinic/melanoma/I1.jpg", "clinic/melanoma/I1.jpg", "melanoma"),
        ("clinic/seb k/p1_a.jpg", "clinic/p1", "bkl"),
        ("clinic/seb k/p1_b.jpg", "clinic/p1", "bkl"),
        ("ham/I1", "ham/L1", "mel"),
        ("ham/I2", "ham/L1", "mel"),
    ]
    assert dataset.records[3].metadata == {"age": "50", "source": "ham"}
    assert dataset.report.dropped == {"unknown label": 1}
    assert (dataset.name, dataset.report.reader) == ("both.toml", "merged")


def test_the_same_bytes_in_two_sources_are_kept_once_and_join_their_lesions(two: Path) -> None:
    shutil.copy(two.parent / "ham/images/I1.jpg", two.parent / "elsewhere/clinic/melanoma/p1_c.jpg")
    for seed in range(30, 60):
        save(two.parent / f"elsewhere/clinic/melanoma/{seed}.jpg", drawn(seed))
    dataset = read_dataset(two, HAM7, near_duplicates=True)
    assert dataset.report.dropped["duplicate"] == 1
    assert dataset.joins == (("clinic/p1", "ham/L1"),)
    for seed in range(5):
        split = split_dataset(dataset, seed=seed)
        lesions = zip(dataset.records, split.parts, strict=True)
        assert len({part for record, part in lesions if record.lesion_id in {"clinic/p1", "ham/L1"}}) == 1


def test_the_same_bytes_with_other_labels_are_left_out_of_both(two: Path) -> None:
    shutil.copy(two.parent / "ham/images/I1.jpg", two.parent / "elsewhere/clinic/seb k/p1_c.jpg")
    assert read_dataset(two, HAM7).report.dropped["conflicting labels"] == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("source = 1", "source must be a list"),
        ("[[source]]\nname = 'a'\n", "source 1: path is missing"),
        ("[[source]]\nname = 'a'\npath = '.'\nlabel = {}", "source 1: label is not known here"),
        (
            "[[source]]\nname = 'A b'\npath = '.'\n",
            r"data sets: source 1: name may hold small letters.*letter or digit\.\n",
        ),
        ("[[source]]\nname = 'a'\npath = 3\n", "source 1: path must be text in quotes"),
        ("[[source]\n", "cannot be read as TOML"),
        ("[[source]]\nname = 'a'\npath = 'nowhere'\n", "nowhere does not exist"),
        ("[[source]]\nname = 'a'\npath = 'mine.toml'\n", "a list of sources itself"),
        ("[[source]]\nname = 'a'\npath = 'ham'\n" * 2, "several sources of the name a"),
    ],
)
def test_a_file_that_names_no_data_sets_is_explained(two: Path, text: str, message: str) -> None:
    path = two.with_name("mine.toml")
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        open_dataset(path)


def test_a_lesion_pattern_belongs_to_a_source(two: Path) -> None:
    with pytest.raises(DataError, match="names several data sets"):
        open_dataset(two, lesion_pattern="(.)")
