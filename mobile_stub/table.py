"""A comparison as a table for the terminal."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from mobile_stub.comparison import CAUSES, Comparison, PhotoComparison, Share, Totals
from mobile_stub.prediction import Prediction, Refusal


def to_table(comparison: Comparison) -> Group:
    """Return the photos and, below them, the totals; rich renders it."""
    return Group(_photos(comparison), *(Text(line) for line in _lines(comparison)), Text(comparison.notice, "dim"))


def _photos(comparison: Comparison) -> Table:
    table = Table("photo", "phone", "Jetson", "|Δp|", "input", "cause", title_justify="left")
    for row in comparison.photos:
        style = "bold red" if row.disagrees else ""
        table.add_row(row.photo, _said(row.phone), _said(row.server), _change(row), _input(row), row.cause, style=style)
    return table


def _said(side: Prediction | Refusal) -> str:
    if isinstance(side, Refusal):
        return f"refused: {side.code}"
    return f"{side.label} {side.probability:.3f} {'yes' if side.positive else 'no'}"


def _change(row: PhotoComparison) -> str:
    return "" if row.change is None else f"{row.change:.1e}"


def _input(row: PhotoComparison) -> str:
    return {True: "equal", False: "differs", None: ""}[row.same_input]


def share_text(share: Share) -> str:
    """Return a share with its interval, e.g. ``21 of 21 (95 % interval 84.5 to 100.0 %)``."""
    return f"{share.count} of {share.of} (95 % interval {100 * share.low:.1f} to {100 * share.high:.1f} %)"


def _lines(comparison: Comparison) -> list[str]:
    totals = comparison.totals
    lines = [
        f"input bytes equal    {totals.inputs_equal} of {totals.predicted}",
        f"same label           {share_text(totals.label_agreement)}",
        f"same decision        {share_text(totals.decision_agreement)}; {_flips(totals)}",
    ]
    if totals.change:
        change = totals.change
        lines.append(
            f"|Δp|                 mean {change.mean:.1e}, median {change.median:.1e}, 95 % {change.p95:.1e}, "
            f"largest {change.max:.1e}"
        )
    lines += [f"cause: {cause:<13} {count:>3}  {CAUSES[cause]}" for cause, count in totals.causes.items()]
    return lines


def _flips(totals: Totals) -> str:
    return f"{totals.flips_to_positive} no → yes, {totals.flips_to_negative} yes → no on the Jetson"
