"""CSV files as rows of text, with errors that name the file."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from dermport.errors import DataError


def read_header(path: Path) -> tuple[str, ...]:
    """Return the column names in the first line of the CSV file `path`.

    Raises:
        DataError: The file cannot be read, or is not text in UTF-8.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return tuple(name.strip() for name in next(csv.reader(file), []))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(path, error) from error


def read_rows(path: Path, required: Sequence[str]) -> Iterator[dict[str, str]]:
    """Yield the rows of the CSV file `path`, each value stripped; cells that are absent are ``""``.

    Raises:
        DataError: The file cannot be read, is not text in UTF-8, or lacks a `required` column.
    """
    header = read_header(path)
    if absent := [name for name in required if name not in header]:
        raise DataError(
            f"{path} has no column {', '.join(absent)}; its first line is: {', '.join(header) or '(empty)'}.",
            remedy=f"The columns {', '.join(required)} are needed.",
        )
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file)
            next(rows)
            for row in rows:
                if row:
                    cells = [cell.strip() for cell in row] + [""] * (len(header) - len(row))
                    yield dict(zip(header, cells, strict=False))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} cannot be read as CSV: {error}.", remedy="It must be comma-separated text in UTF-8.")
