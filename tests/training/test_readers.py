from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dermport.bundle.manifest import Preprocessing
from dermport.bundle.prep import prepare
from dermport.errors import DataError
from dermport.training.data.dataset import Dataset, read_dataset
from dermport.training.data.photos import load_tensor, load_tensors, stream_tensors
from dermport.training.data.records import Dropped, Record
from dermport.training.data.sources import open_dataset
from dermport.training.data.tasks import load_task

HAM7 = load_task("ham7")


def save_photo(path: Path, seed: int = 0, size: tuple[int, int] = (40, 30)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def write_ham(root: Path, rows: list[tuple[str, str, str, str]], folders: tuple[str, ...]) -> None:
    """Write (lesion, image, dx, age) rows, and a photo for each, spread over the image folders."""
    root.mkdir(exist_ok=True)
    with (root / "HAM10000_metadata.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("lesion_id", "image_id", "dx", "age"), *rows])
    for index, row in enumerate(rows):
        save_photo(root / folders[index % len(folders)] / f"{row[1]}.jpg", index)


def drops(dataset: Dataset) -> dict[str, set[str]]:
    return {reason: {one.photo_id for one in some} for reason, some in dataset.report.examples.items()}


@pytest.mark.parametrize(
    "folders",
    [
        ("HAM10000_images_part_1", "HAM10000_images_part_2"),
        ("ham10000_images_part_1", "ham10000_images_part_2"),
        ("HAM10000_images",),
        ("images",),
        (".",),
    ],
)
def test_ham10000_is_read_in_every_layout_it_is_copied_in(tmp_path: Path, folders: tuple[str, ...]) -> None:
    write_ham(tmp_path, [("L1", "I1", "mel", "50"), ("L1", "I2", "mel", ""), ("L2", "I3", "nv", "30")], folders)
    dataset = read_dataset(tmp_path, HAM7)
    assert [(one.photo_id, one.lesion_id, one.label) for one in dataset.records] == [
        ("I1", "L1", "mel"),
        ("I2", "L1", "mel"),
        ("I3", "L2", "nv"),
    ]
    assert dataset.records[0].metadata == {"age": "50"}
    assert dataset.targets().tolist() == [HAM7.spec.ids.index("mel")] * 2 + [HAM7.spec.ids.index("nv")]
    assert dataset.report.reader == "ham10000"


def test_ham10000_copied_twice_in_upper_and_lower_case_is_read_once(tmp_path: Path) -> None:
    write_ham(tmp_path, [("L1", "I1", "mel", "50")], ("HAM10000_images_part_1",))
    shutil.copytree(tmp_path / "HAM10000_images_part_1", tmp_path / "ham10000_images_part_1_copy")
    (tmp_path / "ham10000_images_part_1_copy").rename(tmp_path / "ham10000_images_part_2")
    dataset = read_dataset(tmp_path, HAM7)
    assert len(dataset.records) == 1
    assert dataset.report.photos_dropped == 0


def test_every_photo_left_out_is_counted_with_its_reason(tmp_path: Path) -> None:
    rows = [("L", name, "mel", "50") for name in ("good", "gone", "cut", "alpha", "text", "twin_a", "twin_b")]
    rows += [("L", "odd", "unheard-of", "50"), ("L", "liar_a", "mel", "1"), ("M", "liar_b", "nv", "1")]
    rows += [("L", "good", "mel", "50"), ("L", "ageless", "mel", "")]
    write_ham(tmp_path, rows, ("images",))
    images = tmp_path / "images"
    (images / "gone.jpg").unlink()
    (images / "cut.jpg").write_bytes((images / "good.jpg").read_bytes()[:-400])
    Image.new("RGBA", (40, 30), (1, 2, 3, 4)).save(images / "alpha.png")
    (images / "alpha.jpg").unlink()
    (images / "text.jpg").write_text("no photo")
    shutil.copy(images / "twin_a.jpg", images / "twin_b.jpg")
    shutil.copy(images / "liar_a.jpg", images / "liar_b.jpg")
    seen: list[tuple[int, int]] = []
    dataset = read_dataset(tmp_path, HAM7, require_metadata=True, update=lambda done, total: seen.append((done, total)))
    assert [one.photo_id for one in dataset.records] == ["good", "twin_a"]
    assert drops(dataset) == {
        "missing file": {"gone"},
        "unreadable photo": {"cut", "alpha", "text"},
        "unknown label": {"odd"},
        "incomplete metadata": {"ageless"},
        "duplicate": {"twin_b", "good"},
        "conflicting labels": {"liar_a", "liar_b"},
    }
    assert dataset.report.dropped["conflicting labels"] == 2
    assert dataset.report.photos_kept + dataset.report.photos_dropped == len(rows)
    assert seen[-1] == (len(rows), len(rows))
    assert "mel and nv" in dataset.report.to_text()
    assert json.loads(json.dumps(dataset.report.to_json()))["photos_listed"] == len(rows)


def test_incomplete_metadata_are_kept_unless_asked_for(tmp_path: Path) -> None:
    write_ham(tmp_path, [("L1", "I1", "mel", ""), ("L2", "I2", "nv", "3")], ("images",))
    assert len(read_dataset(tmp_path, HAM7).records) == 2
    assert [one.photo_id for one in read_dataset(tmp_path, HAM7, require_metadata=True).records] == ["I2"]


def test_labels_that_contradict_only_outside_the_task_do_not_drop_a_photo(tmp_path: Path) -> None:
    write_ham(tmp_path, [("L1", "I1", "mel", ""), ("L1", "I2", "bcc", "")], ("images",))
    shutil.copy(tmp_path / "images/I1.jpg", tmp_path / "images/I2.jpg")
    assert [one.photo_id for one in read_dataset(tmp_path, load_task("cancer")).records] == ["I1"]
    with pytest.raises(DataError, match="conflicting labels"):
        read_dataset(tmp_path, HAM7)


def test_folder_per_class(tmp_path: Path) -> None:
    save_photo(tmp_path / "Melanoma/p1_a.jpg", 1)
    save_photo(tmp_path / "Melanoma/p1_b.PNG", 2)
    save_photo(tmp_path / "Melanocytic nevi/p1_a.jpg", 3)
    (tmp_path / "Melanoma/Thumbs.db").write_text("")
    (tmp_path / "empty").mkdir()
    dataset = read_dataset(tmp_path, HAM7)
    assert [(one.photo_id, one.lesion_id) for one in dataset.records] == [
        (name, name) for name in ("Melanocytic nevi/p1_a.jpg", "Melanoma/p1_a.jpg", "Melanoma/p1_b.PNG")
    ]
    assert dataset.report.kept == {"akiec": 0, "bcc": 0, "bkl": 0, "df": 0, "mel": 2, "nv": 1, "vasc": 0}
    by_patient = read_dataset(open_dataset(tmp_path, lesion_pattern=r"^(p\d+)_"), HAM7)
    assert {one.lesion_id for one in by_patient.records} == {"p1"}
    assert by_patient.report.lesions["mel"] == 1


def test_folder_per_class_below_train_val_and_test(tmp_path: Path) -> None:
    for index, part in enumerate(("train", "val", "test")):
        save_photo(tmp_path / part / "Squamous cell carcinoma/1.jpg", index)
    (tmp_path / "train/Healthy").mkdir()
    (tmp_path / "train/Healthy/x.heic").write_bytes(b"\0\0\0\x18ftypheic")
    dataset = read_dataset(tmp_path, load_task("cancer"))
    assert [one.photo_id.split("/")[0] for one in dataset.records] == ["test", "train", "val"]
    assert drops(dataset) == {"unreadable photo": {"train/Healthy/x.heic"}}


@pytest.mark.parametrize(("pattern", "message"), [("(", "not a regular expression"), ("abc", "has no group")])
def test_a_lesion_pattern_that_cannot_name_a_lesion_is_refused(tmp_path: Path, pattern: str, message: str) -> None:
    save_photo(tmp_path / "mel/1.jpg")
    with pytest.raises(DataError, match=message):
        open_dataset(tmp_path, lesion_pattern=pattern)


def test_table(tmp_path: Path) -> None:
    save_photo(tmp_path / "photos/a.jpg", 1)
    save_photo(tmp_path / "photos/b.jpg", 2)
    text = "\ufeffFile,Diagnosis,lesion_id,age\nphotos/a.jpg,mel,L1,40\nphotos/b.jpg,nv\n,nv\nphotos/c.jpg,nv,L9,1\n"
    (tmp_path / "list.csv").write_text(text, encoding="utf-8")
    for source in (tmp_path, tmp_path / "list.csv"):
        dataset = read_dataset(source, HAM7)
        assert [(one.photo_id, one.label, one.lesion_id) for one in dataset.records] == [
            ("photos/a.jpg", "mel", "L1"),
            ("photos/b.jpg", "nv", "photos/b.jpg"),
        ]
        assert dataset.records[0].metadata == {"age": "40"}
        assert dataset.report.dropped == {"missing file": 2}


def test_a_table_that_is_none_does_not_hide_class_folders(tmp_path: Path) -> None:
    save_photo(tmp_path / "mel/1.jpg")
    (tmp_path / "notes.csv").write_bytes(b"\xe9t\xe9")
    (tmp_path / "scores.csv").write_text("name,score\n")
    assert open_dataset(tmp_path).name == "folders"


def test_reading_streams_without_opening_a_photo(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("path,label\nnowhere.jpg,mel\nhere.jpg,mel\n")
    (tmp_path / "here.jpg").write_text("no photo")
    nowhere, here = open_dataset(tmp_path / "list.csv").iter_records()
    assert isinstance(nowhere, Dropped)
    assert isinstance(here, Record)
    write_ham(tmp_path / "ham", [("L1", "I1", "mel", "")], ("images",))
    (tmp_path / "ham/images/I1.jpg").rename(tmp_path / "ham/images/other.jpg")
    assert isinstance(next(open_dataset(tmp_path / "ham").iter_records()), Dropped)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, r"Looked for: HAM10000_metadata\.csv"),
        ({"a.csv": "path,label\n", "b.csv": "path,label\n"}, "several tables of photos: a.csv, b.csv"),
        ({"HAM10000_metadata.csv": "lesion_id,image_id\n"}, "has the metadata of HAM10000 but no photos"),
        ({"HAM10000_metadata.csv": "image_id,dx\n", "x.jpg": ""}, "no column lesion_id"),
    ],
)
def test_a_folder_that_is_no_data_set_is_explained(tmp_path: Path, files: dict[str, str], message: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        list(open_dataset(tmp_path).iter_records())


def test_what_cannot_be_read_as_a_table_is_explained(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        open_dataset(tmp_path / "nowhere")
    (tmp_path / "binary.csv").write_bytes(b"path,label\n\x89\x80")
    with pytest.raises(DataError, match="line 2 is not UTF-8, and it is not certain what else it is"):
        open_dataset(tmp_path / "binary.csv")
    (tmp_path / "columns.csv").write_text("name,kind\n")
    with pytest.raises(DataError, match=r"needs a column for the photo's path .* name, kind"):
        list(open_dataset(tmp_path / "columns.csv").iter_records())


def test_the_fingerprint_follows_the_content_alone(tmp_path: Path) -> None:
    rows = [("L1", "I1", "mel", "50"), ("L2", "I2", "nv", "30")]
    write_ham(tmp_path / "a", rows, ("images",))
    shutil.copytree(tmp_path / "a", tmp_path / "moved")
    (tmp_path / "moved/images").rename(tmp_path / "moved/HAM10000_images_part_1")
    lines = (tmp_path / "moved/HAM10000_metadata.csv").read_text().splitlines()
    (tmp_path / "moved/HAM10000_metadata.csv").write_text("\n".join([lines[0], lines[2], lines[1]]))
    first = read_dataset(tmp_path / "a", HAM7).fingerprint
    assert read_dataset(tmp_path / "moved", HAM7).fingerprint == first
    assert read_dataset(tmp_path / "a", load_task("cancer")).fingerprint == first
    write_ham(tmp_path / "a", [("L1", "I1", "bkl", "50"), rows[1]], ("images",))
    relabelled = read_dataset(tmp_path / "a", HAM7).fingerprint
    save_photo(tmp_path / "a/images/I2.jpg", 99)
    assert len({first, relabelled, read_dataset(tmp_path / "a", HAM7).fingerprint}) == 3


def test_tensors_are_those_of_the_one_preprocessing(sample_folder: Path) -> None:
    dataset, spec = read_dataset(sample_folder, HAM7), Preprocessing(size=64, crop="centre-square")
    done: list[int] = []
    tensors = load_tensors(dataset.records, spec, update=lambda now, _: done.append(now))
    assert tensors.shape == (len(dataset.records), 64, 64, 3)
    assert done[-1] == len(dataset.records)
    for index in (0, 31, 32, len(dataset.records) - 1):
        expected = prepare(dataset.records[index].path.read_bytes(), spec).tensor
        np.testing.assert_array_equal(tensors[index], expected)
    batches = list(stream_tensors(dataset.records, spec, batch=25, jobs=2))
    assert [len(batch) for batch in batches] == [25, 25, 10]
    np.testing.assert_array_equal(np.concatenate(batches), tensors)


def test_a_photo_that_vanishes_after_reading_is_named(tmp_path: Path) -> None:
    record = Record("x", tmp_path / "x.jpg", "x", "mel")
    with pytest.raises(DataError, match=r"x\.jpg can no longer be read"):
        load_tensor(record, Preprocessing(size=32))
