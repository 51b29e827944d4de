"""Which operators the artifacts hold, at which precision."""

from __future__ import annotations

from dermport.bundle.export_record import OperatorCount
from dermport.exporters.benchmark.reporting.subjects import Subjects
from dermport.exporters.benchmark.reporting.table import Row, Section, table


def operators_section(subjects: Subjects) -> Section:
    """Return the operators of each export by precision, as its file says; once for each export."""
    rows = []
    for name, (first, *_) in subjects.by_name.items():
        by_precision: dict[str, list[OperatorCount]] = {}
        for operator in first.export.operators:
            by_precision.setdefault(operator.precision, []).append(operator)
        rows += [Row((name, precision, *_cells(found))) for precision, found in by_precision.items()]
    words = ("As the file itself lists them; a runtime may fuse operators, or compute at another precision.",)
    head = ("", "precision", "operators", "which")
    return Section(
        "operators", "Operators by precision", words, table("Operators by precision", head, rows, words=(1, 3))
    )


def _cells(operators: list[OperatorCount]) -> tuple[str, str]:
    ordered = sorted(operators, key=lambda one: -one.count)
    return str(sum(one.count for one in ordered)), ", ".join(f"{one.type} {one.count}" for one in ordered)
