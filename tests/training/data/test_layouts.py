"""Data sets as they are handed out: each layout read, and what is not read, said."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dermport.errors import DataError
from dermport.training.data.dataset import read_dataset
from dermport.training.data.records import Dropped
from dermport.training.data.sources import open_dataset
from dermport.training.data.splits import PREDEFINED, parted, parts_redrawn
from dermport.training.data.tasks import load_task
from tests.training.data.photos import drawn, save

HAM7 = load_task("ham7")
META = "lesion_id\timage_id\tdx\tage\n" + "".join(f'"L{n}"\t"I{n}"\t"{"mel" if n % 2 else "nv"}"\t50\n' for n in (1, 2))
TRUTH = "image,MEL,NV,BCC\nI1,1.0,0.0,0.0\nI2,0.0,1.0,0.0\n"
ISIC2020 = "image_name,patient_id,diagnosis,benign_malignant\nI1,P1,melanoma,malignant\nI2,P2,unknown,benign\n"
LIST = "file,label\na.jpg,mel\nb.jpg,nv\n"


@dataclass(frozen=True)
class Case:
    """A layout: its tables with their text, its photos, and what is made of them."""

    reader: str
    labels: Mapping[str, int]
    tables: Mapping[str, str | bytes] = field(default_factory=dict)
    photos: tuple[str, ...] = ()
    parts: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    read: str = ""


CASES = {
    "HAM10000 as its archive hands it out": Case(
        "ham10000",
        {"mel": 1, "nv": 1},
        {"HAM10000_metadata.tab": META, "ISIC2018_Task3_Test_GroundTruth.tab": META.replace("I1", "I9")},
        ("HAM10000_images_part_1/I1.jpg", "HAM10000_images_part_2/I2.jpg"),
        notes=("ISIC2018_Task3_Test_GroundTruth.tab is not read: HAM10000_metadata.tab is", "read as: tabs"),
    ),
    "ISIC 2016": Case(
        "isic-challenge",
        {"malignant": 2, "benign": 1},
        {
            "ISBI2016_ISIC_Part3_Training_GroundTruth.csv": "ISIC_0000001,benign\nISIC_0000002,malignant\n",
            "ISBI2016_ISIC_Part3_Test_GroundTruth.csv": "ISIC_0000003,1.0\n",
        },
        (
            *(
                "ISBI2016_ISIC_Part3_Training_Data/ISIC_0000001.jpg",
                "ISBI2016_ISIC_Part3_Training_Data/ISIC_0000002.jpg",
            ),
            "ISBI2016_ISIC_Part3_Test_Data/ISIC_0000003.jpg",
        ),
        parts={"train": 2, "test": 1},
    ),
    "ISIC 2017": Case(
        "isic-challenge",
        {"melanoma": 1, "seborrheic_keratosis": 1, "nevus": 1},
        {
            "ISIC-2017_Training_Part3_GroundTruth.csv": (
                "image_id,melanoma,seborrheic_keratosis\nI1,1.0,0.0\nI2,0.0,1.0\nI3,0.0,0.0\n"
            ),
            "ISIC-2017_Training_Data_metadata.csv": "image_id,age_approximate,sex\nI1,55,female\n",
        },
        tuple(f"ISIC-2017_Training_Data/I{n}.jpg" for n in (1, 2, 3)),
        parts={"train": 3},
    ),
    "ISIC 2018, unzipped side by side": Case(
        "isic-challenge",
        {"MEL": 1, "NV": 1},
        {
            "ISIC2018_Task3_Training_GroundTruth/ISIC2018_Task3_Training_GroundTruth.csv": TRUTH,
            "ISIC2018_Task3_Training_LesionGroupings.csv": "image,lesion_id\nI1,L1\n",
        },
        ("ISIC2018_Task3_Training_Input/I1.jpg", "ISIC2018_Task3_Training_Input/I2.jpg"),
        parts={"train": 2},
    ),
    "ISIC 2018's table alone": Case(
        "isic-challenge",
        {"MEL": 1, "NV": 1},
        {"ISIC2018_Task3_Training_GroundTruth/ISIC2018_Task3_Training_GroundTruth.csv": TRUTH},
        ("ISIC2018_Task3_Training_Input/I1.jpg", "ISIC2018_Task3_Training_Input/I2.jpg"),
        parts={"train": 2},
        read="ISIC2018_Task3_Training_GroundTruth/ISIC2018_Task3_Training_GroundTruth.csv",
    ),
    "ISIC 2020's two tables": Case(
        "isic-archive",
        {"melanoma": 1, "benign": 1},
        {
            "ISIC_2020_Training_GroundTruth.csv": ISIC2020.replace("melanoma", "nevus"),
            "ISIC_2020_Training_GroundTruth_v2.csv": ISIC2020,
            "ISIC_2020_Training_Duplicates.csv": "image_name_1,image_name_2\nI1,I2\n",
        },
        ("train/I1.jpg", "train/I2.jpg"),
        parts={"train": 2},
        notes=("ISIC_2020_Training_GroundTruth.csv is not read: a newer version is",),
    ),
    "Kaggle's copy of ISIC 2020": Case(
        "isic-archive",
        {"melanoma": 1, "benign": 1},
        {
            "train.csv": ISIC2020,
            "test.csv": "image_name,patient_id\nI3,P3\n",
            "sample_submission.csv": "image_name,target\nI3,0\n",
        },
        ("jpeg/train/I1.jpg", "jpeg/train/I2.jpg", "jpeg/test/I3.jpg"),
        parts={"train": 2},
        notes=("1 photos are named by no row, and not read, e.g. jpeg/test/I3.jpg",),
    ),
    "tables of parts": Case(
        "table",
        {"mel": 2, "nv": 2},
        {"train.csv": "id,label\n1,mel\n2,nv\n", "test.csv": "id,label\n1,nv\n3,mel\n"},
        ("train/1.jpg", "train/2.jpg", "test/1.jpg", "test/3.jpg"),
        parts={"train": 2, "test": 2},
    ),
    "a table in cp1252 beside a folder": Case(
        "table",
        {"mel": 1, "nv": 1},
        {"liste.csv": "file;label;ort\r\nphotos\\a.jpg;mel;Rücken\r\nphotos\\b.JPG;nv;Fuß\r\n".encode("cp1252")},
        ("photos/a.jpg", "photos/b.jpg"),
        notes=("liste.csv is read as: semicolons, cp1252",),
    ),
    "a table in a folder of its own": Case(
        "table", {"mel": 1, "nv": 1}, {"labels/list.csv": LIST}, ("images/a.jpg", "images/b.jpg")
    ),
    "a table goes before class folders": Case(
        "table",
        {"mel": 1, "nv": 1},
        {"list.csv": LIST},
        ("akiec/a.jpg", "bcc/b.jpg", "bcc/c.jpg"),
        notes=("bcc/c.jpg",),
    ),
    "class folders, beside tables of something else": Case(
        "folders",
        {"mel": 1, "nv": 1},
        {"scores.csv": "name,score\n", "old.csv": b"file,label\n\x8e.jpg,mel\n", "list.xlsx": b"PK"},
        ("mel/a.jpg", "nv/b.jpg"),
        notes=(
            "scores.csv is not read: it has no column",
            "old.csv cannot be read as a table",
            "list.xlsx is a spread",
        ),
    ),
    "a Croissant file": Case(
        "table",
        {"mel": 1, "nv": 1},
        {
            "croissant.json": json.dumps(
                {
                    "@type": "sc:Dataset",
                    "license": "https://creativecommons.org/licenses/by/4.0/",
                    "distribution": [
                        {"@id": "archive.zip", "contentUrl": "https://host.invalid/archive.zip"},
                        {"@id": "rows", "contentUrl": "labels/rows.csv", "encodingFormat": "text/csv"},
                    ],
                    "recordSet": {
                        "field": [
                            {
                                "dataType": kind,
                                "source": {"fileObject": {"@id": "rows"}, "extract": {"column": column}},
                            }
                            for kind, column in (
                                ("sc:ImageObject", "Picture"),
                                (["sc:Text", "cr:Label"], "finding"),
                                ("sc:Text", "site"),
                            )
                        ]
                    },
                }
            ),
            "labels/rows.csv": "Picture,finding,site\na,mel,back\nb.jpg,nv,arm\n",
        },
        ("images/a.jpg", "images/b.jpg"),
        read="croissant.json",
    ),
    "class folders that lie deeper": Case(
        "folders", {"mel": 1, "nv": 1}, {}, ("archive/images/mel/a.jpg", "archive/images/nv/b.jpg")
    ),
    "class folders in parts that lie deeper": Case(
        "folders",
        {"mel": 2, "nv": 1},
        {},
        ("data/Train/mel/a.jpg", "data/Train/nv/b.jpg", "data/Test/mel/c.jpg"),
        parts={"train": 2, "test": 1},
    ),
    "a test part without classes": Case(
        "folders",
        {"mel": 1, "nv": 1},
        {},
        ("train/mel/a.jpg", "train/nv/b.jpg", "test/c.jpg"),
        parts={"train": 2},
        notes=("test holds 1 photos of no class",),
    ),
    "class folders in the folders of clinics": Case(
        "folders", {"mel": 2, "nv": 1}, {}, ("north/mel/a.jpg", "north/nv/b.jpg", "south/mel/c.jpg")
    ),
    "a folder for each person below the classes": Case(
        "folders",
        {"mel": 2, "nv": 1},
        {},
        ("mel/person 1/a.jpg", "mel/person 1/b.jpg", "nv/person 2/c.jpg"),
        notes=("each folder's photos stay in one part",),
    ),
    "masks below the classes": Case(
        "folders",
        {"mel": 1, "nv": 1},
        {},
        ("mel/a.jpg", "mel/masks/a.png", "nv/b.jpg", "loose.jpg"),
        notes=("mel/masks holds 1 photos of no class", "The folder itself holds 1 photos of no class"),
    ),
    "what systems leave behind": Case(
        "folders",
        {"mel": 1, "nv": 1},
        {"mel/Thumbs.db": "", "mel/._a.jpg": "", "__MACOSX/mel/._a.jpg": "", "lost+found/x.jpg": ""},
        ("mel/a.jpg", "nv/b.jpg"),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_layout_is_read_and_what_is_not_is_said(tmp_path: Path, case: Case) -> None:
    for name, text in case.tables.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    for seed, name in enumerate(case.photos):
        save(tmp_path / name, drawn(seed, (12, 9)))
    reader = open_dataset(tmp_path / case.read)
    records = list(reader.iter_records())
    assert not [one for one in records if isinstance(one, Dropped)]
    assert reader.name == case.reader
    assert Counter(one.label for one in records if not isinstance(one, Dropped)) == case.labels
    found = Counter(one.part for one in records if not isinstance(one, Dropped) and one.part)
    assert found == case.parts
    for note in case.notes:
        assert any(note in one for one in reader.notes), reader.notes
    assert len(reader.notes) == len(case.notes)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"a.csv": LIST, "b.csv": LIST}, "several tables of photos: a.csv, b.csv"),
        ({"a.csv": b"file,label\n\x8e.jpg,mel\n"}, "a.csv cannot be read as a table: line 2"),
        ({"list.csv": "name,kind\n"}, "list.csv has the columns name, kind"),
    ],
)
def test_a_table_is_never_passed_over_for_one_folder(
    tmp_path: Path, tables: dict[str, str | bytes], message: str
) -> None:
    for name, text in tables.items():
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    if "name" not in str(tables):
        save(tmp_path / "photos/a.jpg", drawn(1, (12, 9)))
    with pytest.raises(DataError, match=message):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.json", "[]", "is no Croissant file"),
        ("x.json", "{", "cannot be read as JSON"),
        ("x.json", '{"distribution": [{"@id": "gone.csv"}]}', "describes no table"),
        ("x.npz", "PK", "holds arrays, as MedMNIST's do"),
        ("x.xlsx", "PK", "is a spreadsheet"),
    ],
)
def test_a_file_that_is_no_table_is_explained(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        open_dataset(tmp_path / name)


def test_one_bad_file_is_left_out_by_name(tmp_path: Path) -> None:
    save(tmp_path / "mel/good.jpg", drawn(1))
    save(tmp_path / "nv/good.jpg", drawn(2))
    (tmp_path / "mel/cut.jpg").write_bytes((tmp_path / "mel/good.jpg").read_bytes()[:300])
    (tmp_path / "mel/gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    os.mkfifo(tmp_path / "mel/pipe.jpg")
    if sys.platform == "linux":
        (tmp_path / "mel" / os.fsdecode(b"l\xe4sion.jpg")).write_bytes(b"no photo")
        save(tmp_path / "mel" / os.fsdecode(b"gr\xfcn.jpg"), drawn(3))
    dataset = read_dataset(tmp_path, HAM7)
    left = {one.photo_id for some in dataset.report.examples.values() for one in some}
    assert left >= {"mel/cut.jpg", "mel/gone.jpg", "mel/pipe.jpg"}
    assert {one.photo_id for one in dataset.records} >= {"mel/good.jpg", "nv/good.jpg"}
    if sys.platform == "linux":
        assert r"mel/l\xe4sion.jpg" in left
        assert r"mel/gr\xfcn.jpg" in {one.photo_id for one in dataset.records}
    dataset.report.to_text().encode()


def test_names_of_a_table_that_are_not_certain_are_asked_back(tmp_path: Path) -> None:
    save(tmp_path / "photos/a.jpg", drawn(1))
    save(tmp_path / "photos/B.jpg", drawn(2))
    (tmp_path / "list.csv").write_text("file,label\nphotos/a.jpg,mel\nphotos/b.jpg,nv\nphotos/c.jpg,nv\n")
    report = read_dataset(tmp_path, HAM7).report
    assert [one.detail for one in report.examples["missing file"]] == [
        f"no such photo in {tmp_path.name}; is it photos/B.jpg?",
        f"no such photo in {tmp_path.name}",
    ]


def test_labels_that_the_task_does_not_know_come_with_a_task_that_does(tmp_path: Path) -> None:
    for seed, name in enumerate(("Naevus simplex/1.jpg", "Naevus simplex/2.jpg", 'say "mel"/3.jpg')):
        save(tmp_path / "data" / name, drawn(seed))
    with pytest.raises(DataError) as caught:
        read_dataset(tmp_path / "data", HAM7)
    assert "labels: 'Naevus simplex' 2, 'say \"mel\"' 1" in caught.value.message
    _, _, table = caught.value.remedy.partition("\n\n")
    (tmp_path / "mine.toml").write_text(table.replace("positive = []", 'positive = ["Naevus simplex"]'))
    dataset = read_dataset(tmp_path / "data", load_task(str(tmp_path / "mine.toml")))
    assert dataset.report.kept == {"Naevus simplex": 2, 'say "mel"': 1}


@pytest.fixture(scope="module")
def in_parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set below train/ and test/, as Kaggle hands them out."""
    root = tmp_path_factory.mktemp("kaggle") / "set"
    for seed in range(20):
        part, label = ("test", "train")[seed % 4 > 0], ("mel", "nv")[seed % 2]
        save(root / part / label / f"{seed}.jpg", drawn(seed, (16, 12)))
        save(root / part / ("nv", "mel")[seed % 2] / f"{seed}b.jpg", drawn(100 + seed, (16, 12)))
    return root


def test_parts_are_kept_when_asked_and_never_redrawn_in_silence(in_parts: Path) -> None:
    dataset = read_dataset(in_parts, HAM7)
    drawn_anew = parted(dataset, None, 0)
    assert "comes in parts (train 30, test 10 photos), which are joined" in parts_redrawn(drawn_anew)
    kept = parted(dataset, Path(PREDEFINED), 0)
    assert parts_redrawn(kept) == ""
    assert [record.part for record in kept.records("test")] == ["test"] * 10
    assert kept.photos() == {"train": 24, "validation": 6, "test": 10}
    assert kept.parts == parted(dataset, Path(PREDEFINED), 0).parts


def test_parts_that_cannot_be_kept_are_refused(in_parts: Path, tmp_path: Path) -> None:
    leaking = read_dataset(open_dataset(in_parts, lesion_pattern=r"^(\d)"), HAM7)
    with pytest.raises(DataError, match=r"the lesion \d has photos in"):
        parted(leaking, Path(PREDEFINED), 0)
    save(tmp_path / "mel/1.jpg", drawn(1, (16, 12)))
    with pytest.raises(DataError, match=r"comes without parts to train and to test on \(it has: none\)"):
        parted(read_dataset(tmp_path, HAM7), Path(PREDEFINED), 0)
