"""Which photos a comparison is over: files, folders, patterns, a CSV with labels, a data set by its split."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from dermport.bundle.manifest import Label, TaskSpec
from dermport.errors import DataError, UsageError
from dermport.mobile_stub.photos import Photo, find_photos, left_out, path_of, photos_of_split, text_of

TASK = TaskSpec(
    name="two",
    labels=(Label(id="mel", name="Melanoma", sources=("melanoma in_situ",)), Label(id="nv", name="Naevus")),
    positive=("mel",),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("in/b.JPG", "in/deep/a.png", "in/notes.txt", "alone.heic"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def test_photos_of_files_and_folders(folder: Path) -> None:
    found = find_photos([folder / "in", folder / "alone.heic"])
    assert [photo.name for photo in found] == ["b.JPG", "deep/a.png", "alone.heic"]
    for name in ("in/._b.JPG", "in/__MACOSX/b.JPG", "in/lost+found/b.JPG", "in/Thumbs.db"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"x")
    assert find_photos([folder / "in", folder / "alone.heic"]) == found


@pytest.mark.skipif(sys.platform != "linux", reason="a name there is text")
def test_a_name_that_is_not_utf8_is_read_and_written_down(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"l\xe4sion.jpg")
    path.write_bytes(b"x")
    (photo,) = find_photos([tmp_path])
    assert photo.name == r"l\xe4sion.jpg"
    assert path_of(text_of(path)) == path
    text_of(path).encode()
    (tmp_path / "list.csv").write_text("photo\nläsion.JPG\n")
    assert [one.path for one in find_photos([tmp_path / "list.csv"])] == [path]


def test_what_cannot_be_read_is_left_out_by_name(folder: Path) -> None:
    os.mkfifo(folder / "in/pipe.jpg")
    (folder / "in/gone.jpg").symlink_to(folder / "nowhere")
    found = left_out(find_photos([folder / "in"]))
    assert {photo.name: reason for photo, reason in found.items()} == {
        "gone.jpg": "No such file or directory",
        "pipe.jpg": "it is no file",
    }


def test_a_table_may_have_tabs_or_semicolons(folder: Path) -> None:
    (folder / "photos.tab").write_text("Photo\tLabel\nin\\b.jpg\tnv\n")
    assert find_photos([folder / "photos.tab"], TASK) == (Photo("in\\b.jpg", folder / "in" / "b.JPG", "nv"),)


def test_photos_of_a_pattern(folder: Path) -> None:
    assert [photo.name for photo in find_photos([folder / "in" / "**" / "*.png"])] == ["deep/a.png"]
    assert [photo.path for photo in find_photos([folder / "i[n]" / "?.JPG"])] == [folder / "in" / "b.JPG"]
    with pytest.raises(UsageError, match="fits no file"):
        find_photos([folder / "*.png"])


def test_photos_of_a_csv(folder: Path) -> None:
    (folder / "photos.csv").write_text(
        "\ufeffPhoto,Label,id,lesion_id\nin/b.JPG,Melanoma In-Situ,p1,l1\nin/deep/a.png,nv,,\nalone.heic,Unknown,,\n"
    )
    found = find_photos([folder / "photos.csv"], TASK)
    assert found == (
        Photo("p1", folder / "in" / "b.JPG", "mel", "l1"),
        Photo("in/deep/a.png", folder / "in" / "deep" / "a.png", "nv"),
        Photo("alone.heic", folder / "alone.heic"),
    )
    assert [photo.truth for photo in find_photos([folder / "photos.csv"])] == [None] * 3


def test_a_csv_may_call_its_columns_as_for_training(folder: Path) -> None:
    (folder / "photos.csv").write_text("file,dx,lesion\nin/b.JPG,nv,l1\n")
    assert find_photos([folder / "photos.csv"], TASK) == (Photo("in/b.JPG", folder / "in" / "b.JPG", "nv", "l1"),)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name,label\nin/b.JPG,nv\n", r"no column 'photo' \(it has: name, label\)"),
        ("photo,label\nin/c.jpg,nv\n", "names in/c.jpg, which is not there"),
        ("photo,label\nin/b.JPG,wart\n", r"'wart' is no label of this bundle \(it has: mel, nv\)"),
        ("", r"no column 'photo' \(it has: none\)"),
    ],
)
def test_a_csv_that_cannot_be_used(folder: Path, text: str, complaint: str) -> None:
    (folder / "photos.csv").write_text(text)
    with pytest.raises(DataError, match=complaint):
        find_photos([folder / "photos.csv"], TASK)


def test_photos_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no\.jpg does not exist"):
        find_photos([tmp_path / "no.jpg"])
    with pytest.raises(UsageError, match="no photos"):
        find_photos([tmp_path])
    with pytest.raises(UsageError, match=r"gone\.jpg cannot be read"):
        Photo("gone.jpg", tmp_path / "gone.jpg").read()


def test_photos_of_a_split(folder: Path) -> None:
    split = folder / "split.csv"
    split.write_text("photo_id,lesion_id,label,part\nb,l1,mel,test\ndeep/a.png,l2,nv,test\nz,l3,nv,train\n")
    found = photos_of_split(split, "test", folder / "in", TASK)
    assert found == (
        Photo("b", folder / "in" / "b.JPG", "mel", "l1"),
        Photo("deep/a.png", folder / "in" / "deep" / "a.png", "nv", "l2"),
    )
    with pytest.raises(DataError, match=r"1 of the 3 photos of .* are not below .*, e\.g\. z\."):
        photos_of_split(split, "all", folder / "in", TASK)
    with pytest.raises(DataError, match="names no photo of the part validation"):
        photos_of_split(split, "validation", folder / "in", TASK)
    with pytest.raises(UsageError, match="no part 'tests'"):
        photos_of_split(split, "tests", folder / "in", TASK)
    with pytest.raises(UsageError, match="is no folder"):
        photos_of_split(split, "test", folder / "gone", TASK)
