from __future__ import annotations

from pathlib import Path

import pytest

from dermport.errors import DataError
from dermport.training.data.tasks import load_task

HAM = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
SLCD = {
    "Actinic keratoses": "Skin Cancer",
    "Basal cell carcinoma": "Skin Cancer",
    "Benign keratosis-like-lesions": "Other",
    "Chickenpox": "Other",
    "Cowpox": "Other",
    "Dermatofibroma": "Other",
    "Healthy": "Other",
    "HFMD": "Other",
    "Measles": "Other",
    "Melanocytic nevi": "Other",
    "Melanoma": "Skin Cancer",
    "Monkeypox": "Other",
    "Squamous cell carcinoma": "Skin Cancer",
    "Vascular lesions": "Other",
}
LABELS = """
[[mine.label]]
id = "a"
name = "A"
sources = ["nv", "bkl"]
[[mine.label]]
id = "b"
name = "B"
sources = ["mel"]
"""


def test_ham7_has_the_seven_classes_in_order() -> None:
    task = load_task("ham7")
    assert task.spec.ids == HAM
    assert task.spec.positive == ("akiec", "bcc", "mel")
    assert [task.label_of(dx) for dx in HAM] == list(HAM)
    assert [task.index_of(dx) for dx in HAM] == list(range(7))
    assert task.label_of("Squamous cell carcinoma") is None


def test_cancer_covers_ham10000_and_all_of_slcd() -> None:
    task = load_task("cancer")
    assert task.spec.ids == ("Skin Cancer", "Other")
    assert task.spec.positive_indices == (0,)
    assert {name: task.label_of(name) for name in SLCD} == SLCD
    assert {dx for dx in HAM if task.label_of(dx) == "Skin Cancer"} == {"akiec", "bcc", "mel"}
    assert {dx for dx in HAM if task.label_of(dx) == "Other"} == {"bkl", "df", "nv", "vasc"}


@pytest.mark.parametrize("spelling", ["benign_keratosis_like_lesions", " BENIGN Keratosis-like  lesions", "Bkl"])
def test_the_spellings_of_copies_do_not_matter(spelling: str) -> None:
    assert load_task("ham7").label_of(spelling) == "bkl"


def test_a_task_of_the_users_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'[mine]\npositive = ["b"]\n{LABELS}')
    for name in (str(path), f"{path}:mine"):
        task = load_task(name)
        assert (task.spec.name, task.spec.ids, task.label_of("BKL")) == ("mine", ("a", "b"), "a")
    path.write_text(path.read_text() + LABELS.replace("mine", "other") + '[other]\npositive = ["a"]\n')
    assert load_task(f"{path}:other").spec.positive == ("a",)
    with pytest.raises(DataError, match=r"no task '' in .*there are: mine, other"):
        load_task(str(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "defines no task"),
        ("[mine", "cannot be read as TOML"),
        (f"[mine]\n{LABELS}", "positive is missing"),
        (f'[mine]\npositive = ["c"]\n{LABELS}', r"positive labels that are no labels: \['c'\]"),
        (f'[mine]\npositive = ["a", "b"]\n{LABELS}', "every label is positive"),
        (f'[mine]\npositive = ["b"]\ncolour = "red"\n{LABELS}', "colour is not known here"),
        (f'[mine]\npositive = ["b"]\n{LABELS.replace("mel", "NV")}', "'NV' is listed under two labels"),
        (f'[mine]\npositive = ["b"]\n{LABELS.replace(chr(34) + "b" + chr(34), chr(34) + "a" + chr(34))}', "same id"),
        ('[mine]\npositive = ["b"]\nlabel = []', "label must have 2 or more entries"),
        ('mine = "x"', "mine"),
    ],
)
def test_a_malformed_table_is_explained(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        load_task(str(path))
    assert "mine.toml" in str(caught.value)


def test_an_unknown_task_names_those_there_are() -> None:
    with pytest.raises(DataError, match="no task 'ham8'; there are: ham7, cancer"):
        load_task("ham8")
    with pytest.raises(DataError, match="does not exist"):
        load_task("nowhere.toml")
