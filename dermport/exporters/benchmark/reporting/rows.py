"""A report as CSV: one row for each export and batch size, for a spreadsheet or pandas."""

from __future__ import annotations

import csv
import io

from dermport.bundle.benchmark_record import Energy, ExportResult, Ratio, Speed, Timing
from dermport.bundle.csv_table import cell
from dermport.exporters.benchmark.reporting.subjects import Subject, Subjects
from dermport.statistics.metrics import TITLES

_Cells = dict[str, object]


def to_csv(subjects: Subjects) -> str:
    """Return the text: what was not measured is empty, and its reason is in the columns `..._not_measured_because`."""
    rows = [row for subject in subjects.all for row in _rows(subject)]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    file = io.StringIO()
    writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: "" if value is None else cell(value) for name, value in row.items()} for row in rows)
    return file.getvalue()


def _rows(subject: Subject) -> list[_Cells]:
    export = subject.export
    timings: tuple[Timing | None, ...] = (export.speed.timings if export.speed else ()) or (None,)
    head, tail = _head(subject), {**_speed(export.speed), **_energy(export.energy), **_quality(subject)}
    return [{**head, **_timing(timing), **tail} for timing in timings]


def _head(subject: Subject) -> _Cells:
    export, bundle, session = subject.export, subject.bundle, subject.session
    machine = session.machine
    return {
        "bundle": bundle.name,
        "version": bundle.version,
        "model_sha256": bundle.model_sha256,
        "recipe": bundle.recipe,
        "target": export.target,
        "precision": export.precision,
        "artifact_sha256": export.artifact_sha256,
        "machine": subject.machine,
        "processor": machine.processor,
        "jetpack": machine.jetpack,
        "power_mode": machine.power_mode,
        "threads": session.settings.threads,
        "created": session.created,
        "is_reference": subject.is_reference,
        "runtime": export.runtime,
        "evidence": export.evidence,
        "input_size": bundle.input_size,
        "parameters": bundle.parameters,
        "macs": bundle.macs,
        **_size(export),
    }


def _size(export: ExportResult) -> _Cells:
    return {
        "artifact_bytes": export.size.artifact_bytes,
        "compressed_bytes": export.size.compressed_bytes,
        "size_ratio": export.size.ratio,
        "size_ratio_to_target": export.size.ratio_to_target,
        "speed_not_measured_because": export.speed_not_measured_because,
    }


def _timing(timing: Timing | None) -> _Cells:
    names = ("batch", "p50_ms", "p90_ms", "p99_ms", "photos_per_s", "spread")
    figures: _Cells = {name: getattr(timing, name) if timing else None for name in names}
    return {
        **figures,
        **_ratio("latency_ratio", timing.ratio if timing else None),
        **_ratio("latency_ratio_to_target", timing.ratio_to_target if timing else None),
    }


def _ratio(name: str, ratio: Ratio | None) -> _Cells:
    return {
        name: ratio.value if ratio else None,
        f"{name}_low": ratio.low if ratio else None,
        f"{name}_high": ratio.high if ratio else None,
    }


def _speed(speed: Speed | None) -> _Cells:
    names = ("load_s", "first_answer_s", "loading_mib", "peak_mib")
    return {name: getattr(speed, name) if speed else None for name in names}


def _energy(energy: Energy) -> _Cells:
    return {
        "energy_mj": energy.millijoules,
        "energy_low_mj": energy.low,
        "energy_high_mj": energy.high,
        "energy_source": energy.source,
        "energy_not_measured_because": energy.not_measured_because,
    }


def _quality(subject: Subject) -> _Cells:
    accuracy, photos = subject.export.accuracy, subject.session.photos
    cells: _Cells = {
        "photos": photos.photos,
        "photos_sha256": photos.sha256,
        "accuracy_not_measured_because": subject.export.accuracy_not_measured_because,
    }
    if accuracy is None:
        return cells
    cells |= {"agreement": accuracy.agreement.value, "max_change": accuracy.max_change}
    cells |= {f"flips_{name}": count for name, count in accuracy.flips.model_dump().items()}
    for name in TITLES:
        figure = accuracy.figures.get(name)
        for end in ("value", "low", "high", "change", "change_low", "change_high") if figure else ():
            cells[name if end == "value" else f"{name}_{end}"] = getattr(figure, end)
    return cells
