"""A comparison as a table for the terminal."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from mobile_stub.comparison import CAUSES, Comparison, PhotoComparison, Totals
from mobile_stub.prediction import Prediction, Refusal
from mobile_stub.text import share_text, small


def to_table(comparison: Comparison) -> Group:
    """Return the photos and, below them, the totals; rich renders it."""
    return Group(_photos(comparison), *(Text(line) for line in _lines(comparison)), Text(comparison.notice, "dim"))


def _photos(comparison: Comparison) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="underline")
    for heading in ("photo", "phone", "Jetson"):
        table.add_column(heading, overflow="fold")
    for heading, width in (("|Δp|", 7), ("input", 7), ("cause", 8)):
        table.add_column(heading, min_width=width)
    for row in comparison.photos:
        style = "bold red" if row.disagrees else ""
        table.add_row(
            Text(row.photo), _said(row.phone), _said(row.server), _change(row), _input(row), row.cause, style=style
        )
    return table


def _said(side: Prediction | Refusal) -> str:
    if isinstance(side, Refusal):
        return f"refused\n{side.code}"
    return f"{side.label} {side.probability:.3f} {'yes' if side.positive else 'no'}"


def _change(row: PhotoComparison) -> str:
    return "" if row.change is None else small(row.change)


def _input(row: PhotoComparison) -> str:
    return {True: "equal", False: "differs", None: ""}[row.same_input]


def _lines(comparison: Comparison) -> list[str]:
    totals = comparison.totals
    lines = [
        f"yes, no              {comparison.decision}: score at least {comparison.threshold:g}",
        f"input bytes equal    {totals.inputs_equal} of {totals.predicted}",
        f"same label           {share_text(totals.label_agreement)}",
        f"same decision        {share_text(totals.decision_agreement)}; {_flips(totals)}",
    ]
    if totals.change:
        change = totals.change
        lines.append(
            f"|Δp|                 mean {small(change.mean)}, median {small(change.median)}, "
            f"95 % {small(change.p95)}, largest {small(change.max)}"
        )
    lines += [f"cause: {cause:<13} {count:>3}  {CAUSES[cause]}" for cause, count in totals.causes.items()]
    return lines


def _flips(totals: Totals) -> str:
    return f"{totals.flips_to_positive} no → yes, {totals.flips_to_negative} yes → no on the Jetson"
