"""A Croissant file (MLCommons, JSON-LD, http://mlcommons.org/croissant/1.0): the table that it describes.

Read is the simple case: a CSV among its files that lies beside it, whose photo and label its fields name (by type, else
by the names that every table may use). ``mlcroissant`` does the rest of the format, with pandas and rdflib for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dermport.bundle.photo_folder import readable
from dermport.bundle.tables import SUFFIXES, tables_below
from dermport.errors import DataError
from dermport.training.data.table import TableReader


def open_croissant(path: Path) -> TableReader:
    """Return the reader of the table that a Croissant file describes.

    Raises:
        DataError: The file is none, or describes no table that lies beside it.
    """
    document = _document(path)
    beside = {table.name: table for table in tables_below(path.parent)}
    for described in _list(document.get("distribution")):
        names = (str(described.get(key, "")).rsplit("/", 1)[-1] for key in ("contentUrl", "name", "@id"))
        if table := next((beside[name] for name in names if name in beside), None):
            reader = TableReader((table,), path.parent, columns=_columns(document, described.get("@id")))
            reader.licence = ", ".join(map(str, _list(document.get("license"))))
            return reader
    raise DataError(
        f"{readable(path)} describes no table ({', '.join(sorted(SUFFIXES))}) that lies beside it.",
        remedy="Unpack its files beside it; or name a folder of photos.",
    )


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise DataError(f"{readable(path)} cannot be read as JSON: {error}.") from error
    if not isinstance(document, dict) or "distribution" not in document:
        raise DataError(f"{readable(path)} is no Croissant file: it has no distribution.")
    return document


def _columns(document: Mapping[str, Any], table: object) -> dict[str, str]:
    """Return the columns of the photo and of its label, as far as the fields say which they are."""
    columns: dict[str, str] = {}
    for field in _fields(document):
        source = field.get("source", {})
        column = source.get("extract", {}).get("column")
        types = " ".join(map(str, _list(field.get("dataType"))))
        if column and source.get("fileObject", {}).get("@id") == table:
            if "ImageObject" in types:
                columns.setdefault("photo", column)
            elif types.endswith("Label") or "cr:Label" in types:
                columns.setdefault("label", column)
    return columns


def _fields(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for records in _list(document.get("recordSet")):
        yield from _list(records.get("field"))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
