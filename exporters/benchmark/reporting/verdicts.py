"""What became better or worse since an earlier result."""

from __future__ import annotations

from exporters.benchmark.comparison import VERDICTS, Comparison, Line
from exporters.benchmark.reporting.table import Kind, Row, Section, table
from exporters.benchmark.reporting.words import DASH, digits, percent, share, signed


def verdicts_section(comparison: Comparison) -> Section:
    """Return all lines of a comparison, those that got worse first."""
    lines = sorted(comparison.lines, key=lambda line: VERDICTS.index(line.verdict))
    counts = ", ".join(f"{count} {verdict}" for verdict, count in comparison.counts().items())
    words = [f"{len(lines)} lines: {counts}.", comparison.how]
    for title, names in (("Only in this result", comparison.only_this), ("Only in the other", comparison.only_other)):
        words += [f"{title}: {', '.join(names)}."] if names else []
    head = ("", "figure", "this", "other", "change (99 % interval)", "noise", "p", "verdict", "why")
    shown = [_row(line) for line in lines]
    rows = table("This result against the other one", head, shown, comparison.remarks, words=(1, 7, 8))
    return Section("compared", "Compared with the other result", tuple(words), rows)


def _row(line: Line) -> Row:
    kinds: dict[str, Kind] = {"worse": "worse", "better": "better"}
    cells = (
        f"{line.export} ({line.machine})",
        line.name,
        digits(line.this),
        digits(line.other),
        _change(line),
        percent(line.noise),
        DASH if line.p is None else digits(line.p, 2),
        line.verdict,
        line.reason,
    )
    return Row(cells, kinds.get(line.verdict, ""))


def _change(line: Line) -> str:
    if line.change is None:
        return DASH
    write = signed if line.kind == "quality" else lambda value: f"× {share(value)}"
    ends = "" if line.low is None or line.high is None else f" ({write(line.low)} to {write(line.high)})"
    return f"{write(line.change)}{ends}"
