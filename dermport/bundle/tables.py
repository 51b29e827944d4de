"""Tables as rows of text, in the dialects that spreadsheets and archives write them in; errors name the file.

Commas, semicolons or tabs stand between the columns, by the first line; the text is UTF-8, UTF-16 or, where no other
reading is likely, Western European (cp1252). What was taken is said; what is not certain is refused.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dermport.bundle.photo_folder import Unlisted, readable, walk
from dermport.errors import DataError

SUFFIXES = frozenset({".csv", ".tab", ".tsv"})
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# Letters of cp1252 (À to ÿ but for Ð, ×, Þ, ð, ÷, þ), and signs of a measure. Words in Cyrillic, Greek or Chinese are
# longer runs of such bytes; text from DOS or an old Mac has its letters elsewhere.
_WESTERN = rb"[\xc0-\xcf\xd1-\xd6\xd8-\xdd\xdf-\xef\xf1-\xf6\xf8-\xfd\xff]"
_LETTER = re.compile(rb"%b|[\xa7\xb0\xb2\xb5]" % _WESTERN)
_TWO_LETTERS = re.compile(rb"[A-Za-z]%b{2}|%b{2}[A-Za-z]" % (_WESTERN, _WESTERN))
_FOREIGN = re.compile(rb"[\x80-\xff]+")
_SEPARATOR = re.compile(r"sep=([,;\t])\r?\n")  # a line for Excel


@dataclass(frozen=True)
class Dialect:
    """How a table is written.

    Attributes:
        encoding: Python's name of it.
        delimiter: What stands between the columns.
    """

    encoding: str = "utf-8"
    delimiter: str = ","

    @property
    def words(self) -> str:
        """What differs from commas and UTF-8, e.g. ``"semicolons, cp1252"``; empty where nothing does."""
        encoding = "" if self.encoding.startswith("utf-8") else self.encoding
        return ", ".join(filter(None, (_DELIMITERS[self.delimiter] * (self.delimiter != ","), encoding)))


def tables_below(root: Path) -> list[Path]:
    """Return the tables in a folder and two levels below it, by their suffix, shallow ones first, then by name."""
    entries = [entry for entry in walk(root, depth=2) if not isinstance(entry, Unlisted)]
    found = [path for _, files in entries for path in files if path.suffix.lower() in SUFFIXES]
    return sorted(found, key=lambda path: (len(path.parts), readable(path)))


def dialect_of(path: Path) -> Dialect:
    """Return how the table `path` is written.

    Raises:
        DataError: The file cannot be read, or it is not certain how.
    """
    return _opened(path)[0]


def read_header(path: Path) -> tuple[str, ...]:
    """Return the column names in the first line of the table `path`.

    Raises:
        DataError: The file cannot be read, or it is not certain how.
    """
    return tuple(name.strip() for name in next(_rows(path), []))


def read_rows(path: Path, required: Sequence[str]) -> Iterator[dict[str, str]]:
    """Yield the rows of the table `path`, each value stripped; cells that are absent are ``""``.

    Raises:
        DataError: The file cannot be read, it is not certain how, or it lacks a `required` column.
    """
    header = read_header(path)
    if absent := [name for name in required if name not in header]:
        raise DataError(
            f"{readable(path)} has no column {', '.join(absent)}; its first line is: {', '.join(header) or '(empty)'}.",
            remedy=f"The columns {', '.join(required)} are needed.",
        )
    rows = _rows(path)
    next(rows)
    for row in rows:
        cells = [cell.strip() for cell in row] + [""] * (len(header) - len(row))
        yield dict(zip(header, cells, strict=False))


def plain_rows(path: Path) -> Iterator[list[str]]:
    """Yield the rows of a table without a header, each value stripped.

    Raises:
        DataError: The file cannot be read, or it is not certain how.
    """
    return ([cell.strip() for cell in row] for row in _rows(path))


def _rows(path: Path) -> Iterator[list[str]]:
    dialect, text = _opened(path)
    try:
        yield from _parsed(text, dialect.delimiter)
    except csv.Error as error:
        raise _unreadable(path, str(error)) from error


def _parsed(text: str, delimiter: str) -> Iterator[list[str]]:
    return (row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row)


def _opened(path: Path) -> tuple[Dialect, str]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    encoding = _encoding(path, data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise _unreadable(path, str(error)) from error
    if said := _SEPARATOR.match(text):
        return Dialect(encoding, said[1]), text[said.end() :]
    return Dialect(encoding, _delimiter(path, text)), text


def _encoding(path: Path, data: bytes) -> str:
    if data.startswith(_UTF16):
        return "utf-16"
    if b"\0" in data:
        return _without_mark(path, data)
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if _is_western(data):
            return "cp1252"
        line = data.count(b"\n", 0, error.start) + 1
        raise _unreadable(path, f"line {line} is not UTF-8, and it is not certain what else it is") from error
    return "utf-8-sig"


def _is_western(data: bytes) -> bool:
    """Return whether each byte beyond ASCII is a letter of Western Europe in a place where one is likely."""
    return all(
        _LETTER.fullmatch(run[0])
        or (len(run[0]) == 2 and _TWO_LETTERS.search(data, max(0, run.start() - 1), run.start() + 3))
        for run in _FOREIGN.finditer(data)
    )


def _without_mark(path: Path, data: bytes) -> str:
    """Return the encoding of UTF-16 without its mark, whose first line is ASCII: every other byte of it is zero."""
    head = data[: data.find(b"\n") & ~1]
    for name, zeros, letters in (("utf-16-le", head[1::2], head[::2]), ("utf-16-be", head[::2], head[1::2])):
        if head and not any(zeros) and all(letters):
            return name
    raise _unreadable(path, "it holds zeros, as no text does")


def _delimiter(path: Path, text: str) -> str:
    first = re.split(r"[\r\n]", text, maxsplit=1)[0]
    there = [one for one in _DELIMITERS if any(len(row) > 1 for row in _tried(first, one))]
    if len(there) > 1:  # some stand in the columns' names, or in quotes: rows as long as the first line tell
        even = [one for one in there if len({len(row) for row in _tried(text, one)}) == 1]
        if len(even) != 1:
            words = " and ".join(_DELIMITERS[one] for one in there)
            raise _unreadable(path, f"its first line has {words}, and either could stand between the columns")
        there = even
    return there[0] if there else ","


def _tried(text: str, delimiter: str) -> list[list[str]]:
    try:
        return list(_parsed(text, delimiter))
    except csv.Error:
        return []


def _unreadable(path: Path, why: str) -> DataError:
    return DataError(
        f"{readable(path)} cannot be read as a table: {why}.",
        remedy='Save it as "CSV UTF-8", with commas between the columns.',
    )
