from __future__ import annotations

from pathlib import Path

import pytest

from dermport.training.data.dataset import read_dataset
from dermport.training.data.slcd import CLASSES
from dermport.training.data.sources import open_dataset
from dermport.training.data.tasks import load_task
from tests.training.data.photos import drawn, save, write_csv

CANCER = load_task("cancer")


@pytest.fixture
def slcd(tmp_path: Path) -> Path:
    """Every class below train; a few of the photos below test, as augmented copies are."""
    for seed, name in enumerate(CLASSES):
        save(tmp_path / "train" / name / f"ISIC_00000{seed:02d}.jpg", drawn(seed))
    names = ("MKP_17_01_ORIGINAL", "MKP_17_01_3", "MKP_17_02_1", "MKP_18_01_1", "other 1")
    for seed, name in enumerate(names, start=20):
        save(tmp_path / ("test" if seed % 2 else "train") / "Monkeypox" / f"{name}.jpg", drawn(seed))
    save(tmp_path / "test" / "Melanoma" / "ISIC_0000010_downsampled.jpg", drawn(40))
    return tmp_path


def test_all_fourteen_folders_are_read_for_the_two_classes_of_the_paper(slcd: Path) -> None:
    dataset = read_dataset(slcd, CANCER)
    assert dataset.report.reader == "slcd"
    assert dataset.report.dropped == {}
    assert dataset.report.kept == {"Skin Cancer": 5, "Other": 15}


def test_copies_of_a_photo_and_photos_of_a_patient_belong_together(slcd: Path) -> None:
    found = {one.path.stem: (one.lesion_id, one.group) for one in read_dataset(slcd, CANCER).records}
    assert found["ISIC_0000010"] == found["ISIC_0000010_downsampled"] == ("ISIC_0000010", "ISIC_0000010")
    assert found["MKP_17_01_ORIGINAL"] == found["MKP_17_01_3"] == ("MKP_17_01", "patient MKP_17")
    assert found["MKP_17_02_1"] == ("MKP_17_02", "patient MKP_17")
    assert found["MKP_18_01_1"][1] == "patient MKP_18"
    assert found["other 1"][1].endswith("Monkeypox/other 1.jpg")


def test_the_lesions_of_isic_2019_are_taken_over_where_they_are_there(slcd: Path) -> None:
    rows = [("ISIC_0000000", "BCN_7"), ("ISIC_0000010_downsampled", "MSK_1"), ("ISIC_0000011", "")]
    write_csv(slcd / "ISIC_2019_Training_Metadata.csv", [("image", "lesion_id"), *rows])
    found = {one.path.stem: one.lesion_id for one in read_dataset(slcd, CANCER).records}
    assert found["ISIC_0000000"] == "BCN_7"
    assert found["ISIC_0000010"] == found["ISIC_0000010_downsampled"] == "MSK_1"
    assert found["ISIC_0000011"] == "ISIC_0000011"


def test_a_lesion_pattern_of_the_users_comes_first(slcd: Path) -> None:
    reader = open_dataset(slcd, lesion_pattern="^([A-Z]+)_")
    assert {one.lesion_id for one in read_dataset(reader, CANCER).records if "_" in one.path.stem} == {"ISIC", "MKP"}


@pytest.mark.parametrize("folders", [CLASSES[:6], (*CLASSES, "Psoriasis")])
def test_other_folders_are_no_slcd(folders: tuple[str, ...], tmp_path: Path) -> None:
    for name in folders:
        save(tmp_path / name / "1.jpg", drawn(0))
    assert open_dataset(tmp_path).name == "folders"
