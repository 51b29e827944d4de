from __future__ import annotations

from pathlib import Path

import pytest

from dermport.bundle.tables import dialect_of, read_header, read_rows
from dermport.errors import DataError

PLAIN = "file,label,site\na.jpg,mel,Rücken\n"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (PLAIN.encode(), ""),
        (PLAIN.encode("utf-8-sig"), ""),
        (PLAIN.encode("cp1252"), "cp1252"),
        (PLAIN.encode("utf-16"), "utf-16"),
        (PLAIN.encode("utf-16-le"), "utf-16-le"),
        (PLAIN.encode("utf-16-be"), "utf-16-be"),
        (PLAIN.replace(",", ";").encode("utf-8-sig"), "semicolons"),
        (PLAIN.replace(",", "\t").encode(), "tabs"),
        (PLAIN.replace(",", "\t").encode("utf-16"), "tabs, utf-16"),  # Excel's "Unicode text"
        (b"sep=;\r\n" + PLAIN.replace(",", ";").encode(), "semicolons"),
        (PLAIN.replace("\n", "\r\n").encode(), ""),
        (PLAIN.replace("\n", "\r").encode(), ""),
        (b'"file"\t"label"\t"site"\n"a.jpg"\t"mel"\t"R\xc3\xbccken"\n', "tabs"),
        (
            b'file;label;"site, in words"\n'.replace(b"site, in words", b"site") + "a.jpg;mel;Rücken".encode(),
            "semicolons",
        ),
        ("file,label,site\n\na.jpg,mel,Rücken\n\n".encode(), ""),
    ],
)
def test_a_table_is_read_in_every_dialect_that_is_certain(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(data)
    assert read_header(path) == ("file", "label", "site")
    assert list(read_rows(path, ("file", "label"))) == [{"file": "a.jpg", "label": "mel", "site": "Rücken"}]
    assert dialect_of(path).words == words


def test_a_comma_in_a_cell_does_not_part_columns(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("file;label;age, years\na.jpg;mel;57,5\nb.jpg;nv;60\n")
    assert [row["age, years"] for row in read_rows(path, ())] == ["57,5", "60"]


@pytest.mark.parametrize(
    "text",
    ["Köln, für, naïve, Überlänge", "à gauche; Français", "mañana ¿".replace("¿", ""), "30 µm², 37 °C, § 5", "Ærø"],
)
def test_western_european_text_is_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(f'file\n"{text}"\n'.encode("cp1252"))
    assert [row["file"] for row in read_rows(path, ())] == [text.strip()]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("file,label\nспина,mel\n".encode("cp1251"), "line 2 is not UTF-8, and it is not certain"),
        ("file,label\nspina,μελάνωμα\n".encode("cp1253"), "line 2 is not UTF-8"),
        ("file,label\na,男\nb,女\n".encode("gbk"), "line 2 is not UTF-8"),
        ("file,label\nRücken,mel\n".encode("cp850"), "line 2 is not UTF-8"),
        ("file,label\nRücken,mel\n".encode("mac-roman"), "line 2 is not UTF-8"),
        (b"file,label\n\0\1\2", "it holds zeros"),
        (b"\xff\xfea", "utf-16"),
        (b"file,label;site\na.jpg,mel;x\n", "its first line has commas and semicolons"),
    ],
)
def test_what_is_not_certain_is_refused_with_a_remedy(tmp_path: Path, data: bytes, why: str) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(data)
    with pytest.raises(DataError, match=why) as caught:
        read_header(path)
    assert str(path) in caught.value.message
    assert "CSV UTF-8" in caught.value.remedy


def test_no_file_and_no_column_are_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        read_header(tmp_path / "list.csv")
    (tmp_path / "list.csv").write_text("file,kind\n")
    with pytest.raises(DataError, match="has no column label; its first line is: file, kind"):
        list(read_rows(tmp_path / "list.csv", ("label",)))
