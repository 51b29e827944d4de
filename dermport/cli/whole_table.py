"""A table that a narrow terminal shows whole."""

from __future__ import annotations

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

_BESIDE = 2
"""Characters that a column takes beside its cells."""


class WholeTable(Table):
    """Folds cells between words where it must; where that is not enough, each row is a paragraph.

    Rich would break words, and cut off what must not be folded.
    """

    def __init__(self, title: str | None = None) -> None:
        super().__init__(title=title, box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table, or its rows as paragraphs."""
        least, most = zip(*(_ends(column, console, options) for column in self.columns), strict=True)
        room = options.max_width - _BESIDE * len(self.columns) - sum(least)
        if room < 0:
            yield from self._paragraphs()
            return
        for column, width in zip(self.columns, _widths(least, most, room), strict=True):
            column.width = width
        yield from super().__rich_console__(console, options)

    def _paragraphs(self) -> RenderResult:
        first, *others = self.columns
        if self.title:
            yield Text.assemble((str(self.title), "italic"))
        for name, *cells in zip(first.cells, *(column.cells for column in others), strict=True):
            if str(name):
                yield name
            for column, cell in zip(others, cells, strict=True):
                if str(cell):
                    yield f"  {column.header}: {cell}"


def _widths(least: tuple[int, ...], most: tuple[int, ...], room: int) -> list[int]:
    """Return the columns' widths: `room` goes, character by character, to whichever is folded most."""
    widths = list(least)
    for _ in range(min(room, sum(most) - sum(least))):
        widths[max(range(len(most)), key=lambda place: most[place] / max(1, widths[place]))] += 1
    return widths


def _ends(column: Column, console: Console, options: ConsoleOptions) -> tuple[int, int]:
    """Return the least and the most characters that a column needs."""
    found = [Measurement.get(console, options, cell) for cell in (column.header, *column.cells)]
    most = max(one.maximum for one in found)
    return (most if column.no_wrap else max(one.minimum for one in found)), most
