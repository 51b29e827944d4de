"""A report as Markdown with GitHub's tables; the charts are in the HTML page alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dermport.bundle.notice import NOTICE
from dermport.exporters.benchmark.reporting.table import ReportSection, Row, Table

_SIGNS = {"danger": "▲ ", "worse": "▼ ", "better": "● "}


def to_markdown(title: str, sections: Sequence[ReportSection]) -> str:
    """Return the text."""
    lines = [f"# {_text(title)}", "", f"**{NOTICE}**", ""]
    for section in sections:
        lines += _section(section)
    return "\n".join([*lines, f"Made by `dermport benchmark`. {NOTICE}", ""])


def _section(section: ReportSection) -> Iterator[str]:
    yield from (f"## {_text(section.title)}", "")
    for words in section.words:
        yield from (_text(words), "")
    for table in section.tables:
        yield from _table(table)
    if section.commands:
        yield from ("```sh", *section.commands, "```", "")


def _table(table: Table) -> Iterator[str]:
    yield from (f"**{_text(table.caption)}**", "")
    yield _line(table.head)
    yield f"|{'|'.join('---' if column in (0, *table.words) else '---:' for column in range(len(table.head)))}|"
    yield from (_line(_cells(row)) for row in table.rows)
    yield ""
    for note in table.notes:
        yield from (_text(note), "")


def _cells(row: Row) -> tuple[str, ...]:
    return (_SIGNS.get(row.kind, "") + row.cells[0], *row.cells[1:])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_text, cells))} |"


def _text(words: str) -> str:
    """Return words that Markdown takes as they are, on one line."""
    escaped = "".join(f"\\{letter}" if letter in "\\`*_|<>[]" else letter for letter in words)
    return " ".join(escaped.split())
