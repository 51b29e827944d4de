"""Results for people: Markdown tables on stdout, progress on stderr."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence


def say(text: str) -> None:
    """Tell how far it is, on stderr."""
    print(text, file=sys.stderr, flush=True)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose first column is text and whose others are figures."""
    widths = [max(len(row[i]) for row in [columns, *rows]) for i in range(len(columns))]
    rule = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = []
    for row in [columns, rule, *rows]:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append(f"| {' | '.join(cells)} |\n")
    return "".join(lines)


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table."""
    print(f"\n{title}\n\n{table(columns, rows)}", end="", flush=True)


def show_failures(failures: Mapping[str, str]) -> None:
    """Print who was left out, and why."""
    for name, reason in failures.items():
        print(f"\nLeft out: {name}: {reason}")
    sys.stdout.flush()
