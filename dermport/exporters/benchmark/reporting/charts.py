"""The figures of a report: size, latency, throughput and energy, a row for each export.

Inline SVG by :mod:`dermport.figures.svg`, not PNG by matplotlib: it stays sharp on paper, takes the page's light or
dark colours, can be read aloud, and a Jetson that measures needs no matplotlib.
"""

from __future__ import annotations

from collections.abc import Sequence

from dermport.bundle.benchmark_record import Timing
from dermport.exporters.benchmark.published import COMPRESSION, papers
from dermport.exporters.benchmark.reporting.subjects import FAMILIES, Family, Subject, Subjects
from dermport.exporters.benchmark.reporting.table import Picture
from dermport.exporters.benchmark.reporting.words import digits, megabytes, share
from dermport.figures.svg import Axis, Chart, linear_axis, log_axis, swatch

HATCH: dict[Family, str] = {
    "float32": "solid",
    "float16": "up",
    "8 bit": "cross",
    "fewer bits": "dots",
    "other": "level",
}
SHAPE: dict[Family, str] = {
    "float32": "circle",
    "float16": "square",
    "8 bit": "triangle",
    "fewer bits": "diamond",
    "other": "plus",
}
_BATCH_SHAPES = ("circle", "square", "triangle", "diamond", "plus", "star")
_PLOT, _ROW, _LETTER = 330, 24, 6.6


def kind_of(family: Family) -> str:
    """Return the page's class of a family's colour."""
    return f"family-{FAMILIES.index(family)}"


def legend(subjects: Sequence[Subject], *, markers: bool = False) -> tuple[tuple[str, str], ...]:
    """Return the signs of the families that occur."""
    present = [family for family in FAMILIES if any(one.family == family for one in subjects)]
    return tuple(
        (swatch(kind_of(family), SHAPE[family] if markers else "", HATCH[family]), family) for family in present
    )


class _Rows:
    """A chart with a row for each name, from the top."""

    def __init__(self, axis: Axis, names: Sequence[str], title: str, words: str, *, behind: int) -> None:
        left = round(16 + _LETTER * max(map(len, names)))
        height = 64 + _ROW * len(names)
        self._names = names
        width = left + _PLOT + behind
        self.chart = Chart(axis, None, words, title=title, width=width, height=height, left=left, right=behind)
        for index, name in enumerate(names):
            self.chart.label(self.at(index), name)

    def at(self, index: int) -> float:
        return (index + 0.5) / len(self._names)

    def line(self, value: float) -> None:
        self.chart.line([(value, 0), (value, 1)], "bound")


def size_picture(subjects: Subjects) -> Picture:
    """Return the sizes as bars, with the published smallest one as a line where there is a reference to hold it to."""
    firsts = [group[0] for group in subjects.by_name.values()]
    sizes = [one.export.size.artifact_bytes / 1e6 for one in firsts]
    words = "; ".join(f"{one.name} {megabytes(one.export.size.artifact_bytes)} MB" for one in firsts)
    axis = linear_axis("size of the artifact, millions of bytes", 0, max(sizes))
    rows = _Rows(axis, [one.name for one in firsts], "Size of each export", words, behind=110)
    for index, (one, size) in enumerate(zip(firsts, sizes, strict=True)):
        ratio = one.export.size.ratio
        rows.chart.bar(size, rows.at(index), f"bar {kind_of(one.family)}", HATCH[one.family], title=one.name)
        rows.chart.behind(rows.at(index), f"{digits(size)} MB{f', {share(ratio)}' if ratio else ''}")
    said = _published_size(rows, firsts)
    return Picture("Size", rows.chart.svg(), said, legend(firsts))


def _published_size(rows: _Rows, firsts: Sequence[Subject]) -> str:
    reference = next((one for one in firsts if one.is_reference), None)
    published = papers()[COMPRESSION].find("size", "size_ratio", "smallest")
    if reference is None or published is None or published.value is None:
        return "Behind the bars: the size, and its ratio to the reference."
    rows.line(published.value * reference.export.size.artifact_bytes / 1e6)
    return (
        "Behind the bars: the size, and its ratio to the reference. Dashed: where the published smallest engine would "
        f"be, {published.value:g} of the reference ({published.source})."
    )


def latency_pictures(subjects: Subjects) -> tuple[Picture, ...]:
    """Return the latency of single photos for each machine: a marker at the median, a line to the 99th percentile."""
    return tuple(
        _latency(machine, group, subjects) for machine in subjects.machines if (group := _timed(subjects, machine))
    )


def _timed(subjects: Subjects, machine: str) -> list[tuple[Subject, Timing]]:
    pairs = ((one, one.export.speed.at(1) if one.export.speed else None) for one in subjects.of(machine))
    return [(one, timing) for one, timing in pairs if timing]


def _where(machine: str, subjects: Subjects) -> str:
    return f" on {machine}" if subjects.several_machines else ""


def _latency(machine: str, group: Sequence[tuple[Subject, Timing]], subjects: Subjects) -> Picture:
    ends = [timing.p99_ms or timing.p90_ms for _, timing in group]
    axis = log_axis("milliseconds for one photo (logarithmic)", min(t.p50_ms for _, t in group), max(ends))
    title = f"Latency{_where(machine, subjects)}"
    words = "; ".join(f"{one.name} {digits(timing.p50_ms)} ms" for one, timing in group)
    rows = _Rows(axis, [one.name for one, _ in group], title, words, behind=110)
    for index, ((one, timing), end) in enumerate(zip(group, ends, strict=True)):
        y, kind = rows.at(index), kind_of(one.family)
        rows.chart.line([(timing.p50_ms, y), (end, y)], "interval")
        rows.chart.mark(timing.p50_ms, y, kind, SHAPE[one.family], size=6, title=one.name)
        ratio = f", {share(timing.ratio.value)}" if timing.ratio else ""
        rows.chart.behind(y, f"{digits(timing.p50_ms)} ms{ratio}")
    said = "Marker: the median. The line ends at the 99th percentile (the 90th of few calls). Behind: median, ratio."
    return Picture(title, rows.chart.svg(), said, legend([one for one, _ in group], markers=True))


def throughput_pictures(subjects: Subjects) -> tuple[Picture, ...]:
    """Return the photos of a second by batch size, for each machine."""
    return tuple(
        _throughput(machine, group, subjects) for machine in subjects.machines if (group := _timed(subjects, machine))
    )


def _throughput(machine: str, group: Sequence[tuple[Subject, Timing]], subjects: Subjects) -> Picture:
    timings = [(one, one.export.speed.timings if one.export.speed else ()) for one, _ in group]
    rates = [timing.photos_per_s for _, found in timings for timing in found]
    batches = sorted({timing.batch for _, found in timings for timing in found})
    shape = dict(zip(batches, _BATCH_SHAPES, strict=False))
    axis = log_axis("photos in a second (logarithmic)", min(rates), max(rates))
    title = f"Throughput{_where(machine, subjects)}"
    words = "; ".join(
        f"{one.name} " + ", ".join(f"{digits(t.photos_per_s)} at batch {t.batch}" for t in found)
        for one, found in timings
    )
    rows = _Rows(axis, [one.name for one, _ in timings], title, words, behind=90)
    for index, (one, found) in enumerate(timings):
        y = rows.at(index)
        rows.chart.line([(timing.photos_per_s, y) for timing in found], "thin")
        for timing in found:
            said = f"{one.name}, batch {timing.batch}: {digits(timing.photos_per_s)}"
            mark = shape.get(timing.batch, _BATCH_SHAPES[-1])
            rows.chart.mark(timing.photos_per_s, y, "batch", mark, size=5, title=said)
        rows.chart.behind(y, f"{digits(max(timing.photos_per_s for timing in found))}/s")
    signs = tuple((swatch("batch", mark), f"batch {batch}") for batch, mark in shape.items())
    said = "Behind: the most photos in a second. Where there is one marker, the file's batch is fixed."
    return Picture(title, rows.chart.svg(), said, signs)


def energy_pictures(subjects: Subjects) -> tuple[Picture, ...]:
    """Return the energy of a photo for each machine that tells; none where no machine does."""
    pictures = []
    for machine in subjects.machines:
        group = [one for one in subjects.of(machine) if one.export.energy.millijoules is not None]
        if group:
            pictures.append(_energy(machine, group, subjects))
    return tuple(pictures)


def _energy(machine: str, group: Sequence[Subject], subjects: Subjects) -> Picture:
    values = [max(one.export.energy.millijoules or 0.0, 0.0) for one in group]
    title = f"Energy{_where(machine, subjects)}"
    words = "; ".join(f"{one.name} {digits(value)} mJ" for one, value in zip(group, values, strict=True))
    highs = [one.export.energy.high or value for one, value in zip(group, values, strict=True)]
    axis = linear_axis("millijoules for one photo, idle subtracted", 0, max(highs))
    rows = _Rows(axis, [one.name for one in group], title, words, behind=90)
    for index, (one, value) in enumerate(zip(group, values, strict=True)):
        y, energy = rows.at(index), one.export.energy
        rows.chart.bar(value, y, f"bar {kind_of(one.family)}", HATCH[one.family], title=one.name)
        if energy.low is not None and energy.high is not None:
            rows.chart.line([(energy.low, y), (energy.high, y)], "interval")
        rows.chart.behind(y, f"{digits(value)} mJ")
    said = "The line goes from the smallest to the largest of the passes. The published energies were not found."
    return Picture(title, rows.chart.svg(), said, legend(group))
