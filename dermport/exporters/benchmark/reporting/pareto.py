"""The Pareto plot: size, latency and balanced accuracy of every export at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress
from math import sqrt

from dermport.exporters.benchmark.reporting.charts import SHAPE, kind_of, legend
from dermport.exporters.benchmark.reporting.subjects import Subject, Subjects
from dermport.exporters.benchmark.reporting.table import Picture, ReportSection, Row, Table, table
from dermport.exporters.benchmark.reporting.words import digits, megabytes
from dermport.figures.svg import Axis, Chart, linear_axis, log_axis
from dermport.statistics.pareto import on_front

_SMALLEST, _LARGEST = 4.5, 14.0


@dataclass(frozen=True)
class Point:
    """One export: less is better of `ms` and `size`, more of `quality`."""

    subject: Subject
    ms: float
    size: int
    quality: float


def pareto_section(subjects: Subjects) -> ReportSection:
    """Return a plot for each machine, and a table of its points."""
    pictures: list[Picture] = []
    tables: list[Table] = []
    for machine in subjects.machines:
        points, measure = _points(subjects.of(machine))
        if not points:
            continue
        where = f" on {machine}" if subjects.several_machines else ""
        best = list(compress(points, on_front([(one.ms, one.size, -one.quality) for one in points])))
        pictures.append(_picture(points, best, f"Size, latency and {measure}{where}", measure))
        rows = [_row(number, point, point in best) for number, point in enumerate(points, start=1)]
        head = ("number", "export", "p50, ms", "MB", measure, "on the front")
        tables += table(f"The plot's points{where}", head, rows, words=(1,))
    words = (
        "An export is on the front where no other is at least as fast, as small and as good, and better in one of "
        "these. Left, up and small is good.",
    )
    if not pictures:
        words = ("No export has a latency and answers at once on this report's machines, so there is nothing to plot.",)
    return ReportSection("pareto", "Size, latency and quality at once", words, tuple(tables), tuple(pictures))


def _points(group: Sequence[Subject]) -> tuple[list[Point], str]:
    """Return the exports that have everything, and what their quality is: agreement where photos have no labels."""
    labelled = any(one.figure("balanced_accuracy") is not None for one in group)
    points = []
    for one in group:
        accuracy, ms = one.export.accuracy, one.median_ms
        quality = one.figure("balanced_accuracy") if labelled else accuracy.agreement.value if accuracy else None
        if ms is not None and quality is not None:
            points.append(Point(one, ms, one.export.size.artifact_bytes, quality))
    return points, "balanced accuracy" if labelled else "agreement with the reference"


def _picture(points: Sequence[Point], best: Sequence[Point], title: str, measure: str) -> Picture:
    words = "; ".join(
        f"{number} {one.subject.name}: {digits(one.ms)} ms, {megabytes(one.size)} MB, {one.quality:.3f}"
        for number, one in enumerate(points, start=1)
    )
    x, y = _axes(points, measure)
    chart = Chart(x, y, words, title=title, width=600, height=400, left=70, right=30)
    chart.line([(one.ms, one.quality) for one in _edge(points)], "front")
    taken: list[tuple[float, float]] = []
    for number, one in sorted(enumerate(points, start=1), key=lambda pair: -pair[1].size):
        family, size = one.subject.family, _radius(one, points)
        state = "on-front" if one in best else "beaten"
        chart.mark(one.ms, one.quality, f"{kind_of(family)} {state}", SHAPE[family], size=size, title=one.subject.name)
        dx, dy = _free_place((chart.at_x(one.ms), chart.at_y(one.quality)), size, taken)
        chart.note(one.ms, one.quality, str(number), dx=dx, dy=dy)
    said = (
        "The marker's area is the file's size. Filled: on the front; hollow: another export is as good in all three. "
        "Dotted: the edge of latency and quality alone."
    )
    return Picture(title, chart.svg(), said, legend([one.subject for one in points], markers=True))


def _axes(points: Sequence[Point], measure: str) -> tuple[Axis, Axis]:
    """Return axes with room for markers, though no quality is above 1."""
    times, qualities = [one.ms for one in points], [one.quality for one in points]
    margin = max((max(qualities) - min(qualities)) * 0.12, 0.004)
    y = linear_axis(measure, min(qualities) - margin, max(qualities) + margin)
    x = log_axis("milliseconds for one photo (logarithmic)", min(times) * 0.9, max(times) * 1.1)
    return x, replace(y, ticks=tuple(tick for tick in y.ticks if tick <= 1))


def _radius(one: Point, points: Sequence[Point]) -> float:
    return max(_SMALLEST, _LARGEST * sqrt(one.size / max(other.size for other in points)))


def _free_place(at: tuple[float, float], size: float, taken: list[tuple[float, float]]) -> tuple[float, float]:
    """Return where beside a marker its number covers no other one, and note the place in `taken`."""
    reach = size + 3
    offsets = [(reach, 4.0), (-reach, 4.0), (reach, -reach), (-reach, -reach), (reach, reach + 8), (-reach, reach + 8)]
    offsets += [(2 * dx, 2 * dy) for dx, dy in offsets]
    for dx, dy in offsets:
        x, y = at[0] + dx + (6 if dx > 0 else -6), at[1] + dy
        if all(abs(x - other_x) > 14 or abs(y - other_y) > 12 for other_x, other_y in taken):
            taken.append((x, y))
            return dx, dy
    return offsets[0]


def _edge(points: Sequence[Point]) -> list[Point]:
    """Return the points that are better than every faster one, the fastest first."""
    edge: list[Point] = []
    for one in sorted(points, key=lambda one: (one.ms, -one.quality)):
        if not edge or one.quality > edge[-1].quality:
            edge.append(one)
    return edge


def _row(number: int, point: Point, is_best: bool) -> Row:
    cells = (digits(point.ms), megabytes(point.size), f"{point.quality:.3f}", "yes" if is_best else "no")
    return Row((str(number), point.subject.name, *cells), "better" if is_best else "")
