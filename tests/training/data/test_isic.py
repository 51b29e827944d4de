from __future__ import annotations

from pathlib import Path

import pytest

from dermport.errors import DataError
from dermport.training.data.dataset import read_dataset
from dermport.training.data.records import Dropped, Record
from dermport.training.data.sources import open_dataset
from dermport.training.data.tasks import load_task
from tests.training.data.photos import drawn, save, write_csv

HAM7 = load_task("ham7")
CLASSES_2018 = ("MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC")
CLASSES_2019 = ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK")


def ground_truth(path: Path, classes: tuple[str, ...], labels: dict[str, str]) -> None:
    """Write one row per photo; a label may be several codes, or none, apart from one another by a blank."""
    rows = [[name, *("1.0" if one in label.split() else "0.0" for one in classes)] for name, label in labels.items()]
    write_csv(path, [("image", *classes), *rows])


def photos(folder: Path, *names: str) -> None:
    for seed, name in enumerate(names):
        save(folder / f"{name}.jpg", drawn(seed))


def entries(path: Path) -> dict[str, Record | Dropped]:
    return {one.photo_id: one for one in open_dataset(path).iter_records()}


def test_the_challenge_of_2018_with_its_lesion_groupings(tmp_path: Path) -> None:
    photos(tmp_path / "ISIC2018_Task3_Training_Input", "I1", "I2", "I3")
    save(tmp_path / "ISIC2018_Task3_Test_Input/I4.jpg", drawn(9))
    ground_truth(
        tmp_path / "ISIC2018_Task3_Training_GroundTruth.csv", CLASSES_2018, {"I1": "MEL", "I2": "MEL", "I3": "AKIEC"}
    )
    ground_truth(tmp_path / "ISIC2018_Task3_Test_GroundTruth.csv", CLASSES_2018, {"I4": "DF"})
    header = ("image", "lesion_id", "diagnosis confirm type")
    rows = [("I1", "L1", "histopathology"), ("I2", "L1", "histopathology"), ("I3", "L3", "follow-up")]
    write_csv(tmp_path / "ISIC2018_Task3_Training_LesionGroupings.csv", [header, *rows])
    dataset = read_dataset(tmp_path, HAM7)
    assert dataset.report.reader == "isic-challenge"
    found = [(one.photo_id, one.lesion_id, HAM7.label_of(one.label)) for one in dataset.records]
    assert found == [("I1", "L1", "mel"), ("I2", "L1", "mel"), ("I3", "L3", "akiec"), ("I4", "I4", "df")]
    assert dataset.records[2].metadata == {"dx_type": "follow-up"}
    one_table = entries(tmp_path / "ISIC2018_Task3_Test_GroundTruth.csv")
    assert list(one_table) == ["I4"]


def test_the_challenge_of_2019_with_its_metadata(tmp_path: Path) -> None:
    # Kaggle's copy has the folder twice.
    photos(tmp_path / "ISIC_2019_Training_Input/ISIC_2019_Training_Input", "I1", "I2_downsampled", "I3", "I4", "I5")
    labels = {"I1": "AK", "I2_downsampled": "NV", "I3": "SCC", "I4": "", "I5": "MEL NV", "I6": "NV"}
    ground_truth(tmp_path / "ISIC_2019_Training_GroundTruth.csv", CLASSES_2019, labels)
    header = ("image", "age_approx", "anatom_site_general", "lesion_id", "sex")
    rows = [("I1", "55.0", "head/neck", "BCN_1", "male"), ("I2_downsampled", "", "", "", "NaN")]
    write_csv(tmp_path / "ISIC_2019_Training_Metadata.csv", [header, *rows])
    found = entries(tmp_path)
    first, second = found["I1"], found["I2_downsampled"]
    assert isinstance(first, Record)
    assert isinstance(second, Record)
    assert (first.lesion_id, first.label) == ("BCN_1", "AK")
    assert first.metadata == {"age": "55.0", "sex": "male", "localization": "head/neck"}
    assert (second.lesion_id, set(second.metadata.values())) == ("I2_downsampled", {""})
    details = {name: one.detail for name, one in found.items() if isinstance(one, Dropped)}
    assert details == {
        "I4": "ISIC_2019_Training_GroundTruth.csv marks no class",
        "I5": "ISIC_2019_Training_GroundTruth.csv marks MEL and NV",
        "I6": f"no such photo in {tmp_path.name}",
    }
    assert [one.photo_id for one in read_dataset(tmp_path, HAM7).records] == ["I1", "I2_downsampled"]
    assert load_task("cancer").label_of("SCC") == "Skin Cancer"


def test_the_archive_with_diagnoses_in_levels_and_patients(tmp_path: Path) -> None:
    names = [f"ISIC_000000{n}" for n in range(5)]
    photos(tmp_path / "images", *names)
    header = ("isic_id", "copyright_license", "age_approx", "sex", "diagnosis_1", "diagnosis_2", "diagnosis_3")
    rows = [
        (names[0], "CC-BY-NC", "40", "female", "Malignant", "Malignant ...", "Melanoma, NOS", "IL_1", "IP_1"),
        (names[1], "CC-0", "", "female", "Benign", "Benign soft tissue proliferations - Vascular", "", "IL_2", "IP_1"),
        (names[2], "CC-0", "30", "", "Benign", "Benign ...", "Solar lentigo", "", ""),
        (names[3], "CC-0", "30", "male", "", "", "", "IL_4", "IP_2"),
        (names[4], "CC-0", "30", "male", "Benign", "Benign ...", "Scar", "IL_5", "IP_2"),
    ]
    write_csv(tmp_path / "metadata.csv", [(*header, "lesion_id", "patient_id"), *rows])
    dataset = read_dataset(tmp_path, HAM7)
    assert dataset.report.reader == "isic-archive"
    assert [(HAM7.label_of(one.label), one.lesion_id, one.group) for one in dataset.records] == [
        ("mel", "IL_1", "patient IP_1"),
        ("vasc", "IL_2", "patient IP_1"),
        ("bkl", names[2], names[2]),
    ]
    assert dataset.records[0].metadata == {"age": "40", "sex": "female", "licence": "CC-BY-NC"}
    assert dataset.report.dropped == {"unknown label": 2}


def test_older_downloads_of_the_archive_name_one_diagnosis(tmp_path: Path) -> None:
    photos(tmp_path / "train", "ISIC_1", "ISIC_2")
    header = ("image_name", "patient_id", "sex", "anatom_site_general_challenge", "diagnosis", "target")
    rows = [("ISIC_1", "IP_1", "male", "torso", "nevus", "0"), ("ISIC_2", "IP_2", "male", "torso", "unknown", "0")]
    write_csv(tmp_path / "train.csv", [header, *rows])
    for source in (tmp_path, tmp_path / "train.csv"):
        (record,) = read_dataset(source, HAM7).records
        assert (record.photo_id, record.group, record.metadata["localization"]) == ("ISIC_1", "patient IP_1", "torso")


def test_tables_without_photos_are_explained(tmp_path: Path) -> None:
    ground_truth(tmp_path / "ISIC_2019_Training_GroundTruth.csv", CLASSES_2019, {"I1": "NV"})
    with pytest.raises(DataError, match="tables of ISIC but no photos"):
        entries(tmp_path)
