"""A comparison as a table for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from dermport.bundle.notice import NOTICE
from dermport.mobile_stub.comparison import CAUSES, AgainstTruth, ArtifactComparison, Latency, PhotoComparison, Totals
from dermport.mobile_stub.prediction import Prediction, Refusal
from dermport.statistics.metrics import TITLES
from dermport.statistics.text import interval, share_text, small

_SHOWN = 60
"""Photos of a comparison that are all shown; of more, only those that differ, and at most so many."""
_FIGURES = ("accuracy", "balanced_accuracy", "decision_sensitivity", "decision_specificity", "decision_roc_auc")


def to_table(comparisons: Sequence[ArtifactComparison]) -> Group:
    """Return each artifact's photos and, below them, its figures; rich renders it."""
    parts: list[Table | Text] = []
    for comparison in comparisons:
        if comparison.artifact:
            parts.append(Text(f"\nPhone: {comparison.artifact.name}, {comparison.artifact.runtime}", "bold"))
        rows, words = _chosen(comparison)
        parts += [_photos(rows)] if rows else []
        parts += [Text(line) for line in (*words, *_lines(comparison))]
    return Group(*parts, Text(NOTICE, "dim"))


def _chosen(comparison: ArtifactComparison) -> tuple[Sequence[PhotoComparison], list[str]]:
    """Return the photos that are shown, and words about the others."""
    rows = comparison.photos
    if len(rows) <= _SHOWN:
        return rows, []
    differ = sorted((row for row in rows if row.disagrees), key=lambda row: -(row.change or 1.0))
    words = [f"{len(differ)} of {len(rows)} photos differ in label, decision, input, or one answer is missing."]
    if len(differ) > _SHOWN:
        words.append(f"The {_SHOWN} with the largest differences are shown.")
    return differ[:_SHOWN], words


def _photos(rows: Sequence[PhotoComparison]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="underline")
    for heading in ("photo", "phone", "Jetson"):
        table.add_column(heading, overflow="fold")
    for heading in ("|Δp|", "input", "cause"):
        table.add_column(heading, no_wrap=True)
    for row in rows:
        style = "bold red" if row.disagrees else ""
        table.add_row(
            Text(row.photo), _said(row.phone), _said(row.server), _change(row), _input(row), row.cause, style=style
        )
    return table


def _said(side: Prediction | Refusal) -> str:
    if isinstance(side, Refusal):
        return f"refused\n{side.code}"
    decided = {True: " yes", False: " no", None: " cannot tell" if side.withheld else ""}[side.positive]
    return f"{side.label} {side.probability:.3f}{decided}"


def _change(row: PhotoComparison) -> str:
    return "" if row.change is None else small(row.change)


def _input(row: PhotoComparison) -> str:
    return {True: "equal", False: "differs", None: ""}[row.same_input]


def _lines(comparison: ArtifactComparison) -> list[str]:
    totals = comparison.totals
    lines = [
        f"input bytes equal    {totals.inputs_equal} of {totals.predicted}",
        f"same label           {share_text(totals.label_agreement)}",
    ]
    if comparison.threshold is not None:
        lines.insert(0, f"yes, no              {comparison.decision}: score at least {comparison.threshold:g}")
        lines.append(f"same decision        {share_text(totals.decision_agreement)}; {_flips(totals)}")
    if totals.withheld_on_phone or totals.withheld_on_server:
        lines.append(f"cannot tell          {totals.withheld_on_phone} phone, {totals.withheld_on_server} Jetson")
    if totals.change:
        change = totals.change
        lines.append(
            f"|Δp|                 mean {small(change.mean)}, median {small(change.median)}, "
            f"95 % {small(change.p95)}, largest {small(change.max)}"
        )
    lines += _of_scores(comparison) + _of_time(comparison)
    lines += [f"cause: {cause:<13} {count:>3}  {CAUSES.get(cause, '')}" for cause, count in totals.causes.items()]
    if totals.parts:
        parts = ", ".join(f"{small(part)} {name}" for name, part in totals.parts.items())
        lines.append(f"of the score's difference, mean |part|: {parts}")
    lines += [f"fault: {code:<13} {count:>3}" for code, count in totals.faults.items()]
    if comparison.truth:
        lines += _of_truth(comparison.truth)
    if comparison.standing:
        lines.append(f"policy: {comparison.standing.status:<12} {comparison.standing.words}")
    return lines


def _of_scores(comparison: ArtifactComparison) -> list[str]:
    figures = comparison.bland_altman
    if figures is None:
        return []
    bias, lower, upper = (interval(metric, 4) for metric in (figures.bias, figures.lower, figures.upper))
    return [f"score, phone-Jetson  bias {bias}", f"limits of agreement  {lower}, {upper}"]


def _of_time(comparison: ArtifactComparison) -> list[str]:
    if comparison.latency is None:
        return []
    sides = {
        "phone": comparison.latency.phone,
        "Jetson": comparison.latency.server,
        "round trip": comparison.latency.round_trip,
    }
    return [f"ms, {side:<16} {_quantiles(latency)}" for side, latency in sides.items() if latency]


def _quantiles(latency: Latency) -> str:
    return f"p50 {latency.p50:.1f}, p90 {latency.p90:.1f}, p99 {latency.p99:.1f}"


def _of_truth(truth: AgainstTruth) -> list[str]:
    figures = (
        f"  {TITLES[name]}: phone {interval(truth.phone[name])}, Jetson {interval(truth.server[name])}"
        for name in _FIGURES
        if truth.phone[name].value is not None or truth.decision
    )
    tests = (
        f"  right {what} on one side only: phone {test.phone_only}, Jetson {test.server_only} "
        f"(McNemar exact, p = {test.p:.2g})"
        for what, test in (("label", truth.label), ("decision", truth.decision))
        if test
    )
    return [f"with labels          {truth.photos} photos of {truth.lesions} lesions", *figures, *tests]


def _flips(totals: Totals) -> str:
    return f"{totals.flips_to_positive} no → yes, {totals.flips_to_negative} yes → no on the Jetson"
