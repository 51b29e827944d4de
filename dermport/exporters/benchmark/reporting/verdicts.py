"""What became better or worse since an earlier result."""

from __future__ import annotations

from dermport.exporters.benchmark.comparison import VERDICTS, BenchmarkComparison, Line
from dermport.exporters.benchmark.reporting.table import Kind, ReportSection, Row, Table, table
from dermport.exporters.benchmark.reporting.words import DASH, digits, percent, share, signed

_OPEN = 30


def verdicts_section(comparison: BenchmarkComparison) -> ReportSection:
    """Return all lines of a comparison, those that got worse first."""
    lines = sorted(comparison.lines, key=lambda line: VERDICTS.index(line.verdict))
    counts = ", ".join(f"{count} {verdict}" for verdict, count in comparison.counts().items())
    words = [f"{len(lines)} lines: {counts}.", comparison.how]
    for title, names in (("Only in this result", comparison.only_this), ("Only in the other", comparison.only_other)):
        words += [f"{title}: {', '.join(names)}."] if names else []
    changed = [line for line in lines if line.verdict in {"worse", "better"}]
    unchanged = [line for line in lines if line.verdict not in {"worse", "better"}]
    tables = (
        *_table("Worse or better than the other result", changed),
        *_table("No difference shown, or not comparable", unchanged, folded=len(unchanged) > _OPEN),
    )
    words += [f"Note: {'; '.join(comparison.remarks)}."] if comparison.remarks else []
    return ReportSection("compared", "Compared with the other result", tuple(words), tables)


def _table(caption: str, lines: list[Line], *, folded: bool = False) -> tuple[Table, ...]:
    several = len({line.machine for line in lines}) > 1
    rows = [_row(line, f"{line.export} ({line.machine})" if several else line.export) for line in lines]
    head = ("", "figure", "this", "other", "change (99 % interval)", "noise", "p", "verdict", "why")
    return table(caption, head, rows, words=(1, 7, 8), folded=folded)


def _row(line: Line, name: str) -> Row:
    kinds: dict[str, Kind] = {"worse": "worse", "better": "better"}
    cells = (
        name,
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
