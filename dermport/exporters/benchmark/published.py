"""What papers published, as data with their sources (``published.toml``): never a guess, and a gap is called one."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Literal

from dermport.contract import Contract

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NOT_FOUND = "not found in the sources we could read"
COMPRESSION = "compression-engine"
"""The paper whose Tables I to IV a benchmark's report does again."""
Table = Literal["quality", "size", "speed", "energy"]

_FILE = Path(__file__).with_name("published.toml")


class Value(Contract):
    """One published figure.

    Attributes:
        table: What it is about.
        metric: Which figure, e.g. ``recall`` or ``size_ratio`` (to the paper's own original).
        precision: Which of the paper's models, empty for its model as such.
        value: The figure; None where only `words` were published, or read.
        words: How it was said, where that matters.
        source: Where we read it.
    """

    table: Table
    metric: str
    precision: str = ""
    value: float | None = None
    words: str = ""
    source: str


class Paper(Contract):
    """A publication, what it is about, and what we could read of it."""

    id: str
    title: str
    authors: str
    year: int
    address: str
    model: str
    data: str
    device: str
    limits: str
    values: tuple[Value, ...]

    def find(self, table: Table, metric: str, precision: str = "") -> Value | None:
        """Return a figure, or None where we did not find it."""
        key = (table, metric, precision)
        return next((one for one in self.values if (one.table, one.metric, one.precision) == key), None)

    def says(self, table: Table, metric: str, precision: str = "") -> str:
        """Return a figure as people read it, or :data:`NOT_FOUND`."""
        found = self.find(table, metric, precision)
        if found is None:
            return NOT_FOUND
        return found.words if found.value is None else f"{found.value:g}"

    def of(self, table: Table) -> tuple[Value, ...]:
        """Return the figures of a table."""
        return tuple(one for one in self.values if one.table == table)


@cache
def papers() -> dict[str, Paper]:
    """Return the papers by id, in the file's order."""
    document = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return {one["id"]: Paper.model_validate(one) for one in document["papers"]}
