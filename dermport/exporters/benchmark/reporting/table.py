"""The parts of a report, before they are HTML or Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["", "published", "original", "danger", "better", "worse"]


@dataclass(frozen=True)
class Row:
    """A row of a table: its name first. `kind` says what it is, beyond what its words say."""

    cells: tuple[str, ...]
    kind: Kind = ""


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        caption: What it shows.
        head: One name for each column.
        rows: At least one, each as long as the head.
        notes: Sentences below it.
        words: The columns of words, which stand at the left; the first one always does.
        folded: Whether a page shows it only when it is asked for.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    words: tuple[int, ...] = ()
    folded: bool = False


@dataclass(frozen=True)
class Picture:
    """A chart.

    Attributes:
        title: Its name.
        svg: The drawing.
        words: Sentences below it.
        legend: Signs (SVG) and what they stand for.
    """

    title: str
    svg: str
    words: str = ""
    legend: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ReportSection:
    """A part of the report with its own heading.

    Attributes:
        id: For links within the page.
        title: The heading.
        words: Paragraphs.
        tables: Below the paragraphs.
        pictures: Below the tables.
        commands: Lines of a shell, last.
    """

    id: str
    title: str
    words: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    commands: tuple[str, ...] = ()


def table(
    caption: str,
    head: tuple[str, ...],
    rows: list[Row],
    notes: tuple[str, ...] = (),
    *,
    words: tuple[int, ...] = (),
    folded: bool = False,
) -> tuple[Table, ...]:
    """Return the table alone in a tuple, or none where it has no rows."""
    return (Table(caption, head, tuple(rows), notes, words, folded),) if rows else ()
