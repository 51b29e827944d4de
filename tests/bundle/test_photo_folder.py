from __future__ import annotations

import os
import sys
import unicodedata
from pathlib import Path

import pytest

from dermport.bundle.photo_folder import PhotoFinder, Unlisted, photos_below, readable, the_first, walk

LESION = "Läsion"
NOISE = (".DS_Store", "._a.jpg", ".hidden.jpg", "Thumbs.db", "desktop.ini", "Desktop.ini", "notes.txt")
FOLDERS_OF_SYSTEMS = ("__MACOSX", "lost+found", ".Trashes", "$RECYCLE.BIN", "@eaDir")

bytes_in_names = pytest.mark.skipif(sys.platform != "linux", reason="a name there is text")


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def test_a_bundle_among_the_photos_is_passed_over_unless_it_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "nv/1.png", "model/bundle.json", "model/golden/2.png")
    assert [path.name for path in photos_below(tmp_path)] == ["1.png"]
    assert [path.name for path in photos_below(tmp_path / "model")] == ["2.png"]


def test_what_systems_leave_behind_is_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "below/b.JPEG", "below/c.heic", *NOISE, *(f"{one}/x.jpg" for one in FOLDERS_OF_SYSTEMS))
    assert [readable(path.relative_to(tmp_path)) for path in photos_below(tmp_path)] == [
        *("a.jpg", "below/b.JPEG", "below/c.heic"),
    ]


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.jpg")
    (tmp_path / "a/again").symlink_to(tmp_path, target_is_directory=True)
    assert len(photos_below(tmp_path)) == 1


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_may_not_be_read_is_told_and_stops_nothing(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.jpg", "b/2.jpg")
    (tmp_path / "a").chmod(0)
    told: list[Unlisted] = []
    assert [path.name for path in photos_below(tmp_path, told.append)] == ["2.jpg"]
    assert [one.path.name for one in told] == ["a"]


def test_a_folder_that_is_not_there_is_unlisted(tmp_path: Path) -> None:
    (entry,) = walk(tmp_path / "nowhere")
    assert isinstance(entry, Unlisted)
    assert "No such file" in entry.reason


@bytes_in_names
def test_a_name_that_is_not_utf8_reads_as_text(tmp_path: Path) -> None:
    raw = Path(os.fsdecode(b"l\xe4sion.jpg"))
    assert readable(raw) == r"l\xe4sion.jpg"
    assert readable(unicodedata.normalize("NFD", LESION)) == LESION


@pytest.mark.parametrize(
    ("there", "named"),
    [
        ("photos/a.jpg", "photos/a.jpg"),
        ("photos/a.jpg", r"photos\a.jpg"),
        ("photos/a.jpg", r".\photos\a.jpg"),
        ("photos/a.JPG", "photos/a.jpg"),
        ("photos/a.jpg", "photos/a"),
        ("photos/a.jpg", "a.jpg"),
        ("photos/deep/a.jpg", "a"),
        ("photos/a.b.jpg", "a.b"),
        (unicodedata.normalize("NFD", f"photos/{LESION}.jpg"), f"photos/{LESION}.jpg"),
        (unicodedata.normalize("NFC", f"photos/{LESION}.jpg"), unicodedata.normalize("NFD", LESION)),
    ],
)
def test_a_photo_is_found_where_it_is_certain(tmp_path: Path, there: str, named: str) -> None:
    touch(tmp_path, there, "photos/other.jpg")
    assert PhotoFinder(tmp_path).find(named) == tmp_path / there


@bytes_in_names
@pytest.mark.parametrize("raw", [b"L\xe4sion.jpg", unicodedata.normalize("NFD", f"{LESION}.JPG").encode()])
def test_a_name_in_another_encoding_is_found(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / os.fsdecode(raw)
    path.write_bytes(b"")
    assert PhotoFinder(tmp_path).find(f"{LESION}.jpg") == path


@pytest.mark.parametrize(
    ("there", "named", "question"),
    [
        (("photos/a.jpg",), "nowhere", ""),
        (("photos/a.jpg",), "photos/A.jpg", "; is it photos/a.jpg?"),
        (("photos/a.jpg",), "other/a.jpg", "; is it photos/a.jpg?"),
        (("photos/a.png",), "photos/a.jpg", "; is it photos/a.png?"),
        (("photos/a.jpg",), r"C:\Users\me\a.jpg", "; is it photos/a.jpg?"),
        (("x/a.jpg", "y/a.jpg"), "a.jpg", "; is it x/a.jpg or y/a.jpg?"),
        (("a.jpg", "a.png"), "a", "; is it a.jpg or a.png?"),
        (tuple(f"{n}/a.jpg" for n in range(5)), "a", "; is it 0/a.jpg or 1/a.jpg or 2/a.jpg, or one of 2 more?"),
    ],
)
def test_of_anything_else_it_is_asked(tmp_path: Path, there: tuple[str, ...], named: str, question: str) -> None:
    finder = PhotoFinder(touch(tmp_path, *there))
    assert finder.find(named) is None
    assert finder.guess(named) == question


def test_copies_are_taken_in_the_order_of_their_paths_where_asked(tmp_path: Path) -> None:
    finder = PhotoFinder(touch(tmp_path, "part_1/a.jpg", "PART_1/a.jpg", "b.jpg"))
    assert finder.find("a", the_first) == tmp_path / "PART_1/a.jpg"
    assert [path.name for path in finder.unnamed()] == ["b.jpg"]


@pytest.mark.parametrize("named", ["", "/", "..", "a\0.jpg", "x" * 5000 + ".jpg"])
def test_a_name_that_is_none_is_not_found(tmp_path: Path, named: str) -> None:
    finder = PhotoFinder(touch(tmp_path, "a.jpg"))
    assert finder.find(named) is None
    assert finder.guess(named) == ""
