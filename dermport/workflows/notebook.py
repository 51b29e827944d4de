"""How results look at a prompt and in a notebook: a table of text, with the notice beneath."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from dermport.bundle.notice import NOTICE


def html_table(columns: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> str:
    """Return a table as HTML, every cell escaped; the notice stands beneath, as beside every result."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows)
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"<p><small>{escape(NOTICE)}</small></p>"
    )


def text_table(columns: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> str:
    """Return the same table as plain text, its columns aligned."""
    lines = [tuple(columns), *(tuple(map(str, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = ("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
    return "\n".join(filter(None, (caption, *padded, NOTICE)))
