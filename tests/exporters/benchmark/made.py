"""Results as `dermport benchmark` writes them, with figures that are made up."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.benchmark_record import (
    Accuracy,
    BenchmarkResult,
    BenchmarkSettings,
    BundleEntry,
    ClassFigures,
    Energy,
    ExportResult,
    Figure,
    Flips,
    MachineRecord,
    PhotoSetRecord,
    Ratio,
    Reference,
    Session,
    Size,
    Speed,
    Subgroup,
    Timing,
)
from dermport.bundle.export_record import Evidence, OperatorCount
from dermport.statistics.estimates import Metric, share_of
from dermport.statistics.metrics import CLASS_TITLES, TITLES

PHOTOS = 400
X86 = MachineRecord(
    processor="Intel(R) Xeon(R) Processor @ 2.80GHz",
    cores=2,
    memory_mib=8000,
    system="Linux-6.1-x86_64",
    python="3.11.4",
)
JETSON = MachineRecord(
    processor="ARMv8 Processor rev 1 (v8l)",
    cores=6,
    memory_mib=7620,
    system="Linux-5.15-tegra-aarch64",
    python="3.10.12",
    jetson="NVIDIA Jetson Orin Nano Developer Kit",
    jetpack="6.2",
    power_mode="15W",
)
# Name, bytes, milliseconds at batch 1, photos of cancer that it misses though the original does not, operators.
EXPORTS: dict[str, tuple[int, float, int, str]] = {
    "onnx-fp32": (9_000_000, 10.0, 0, "float32"),
    "tflite-fp16": (4_500_000, 9.0, 0, "float16"),
    "tflite-int8": (2_600_000, 5.0, 3, "int8"),
    "onnx-int8": (2_450_000, 20.0, 5, "int8"),
    "coreml-palette4": (1_450_000, 0.0, 9, "palette4"),
}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def bits(flags: NDArray[np.bool_]) -> str:
    return "".join("1" if flag else "0" for flag in flags)


def truth() -> NDArray[np.bool_]:
    """A fifth of the photos shows cancer."""
    return np.arange(PHOTOS) % 5 == 0


def timing(batch: int, ms: float, seed: int = 0, *, passes: int = 4, noise: float = 0.02) -> Timing:
    """Passes that are `noise` apart at most, of calls that vary by a tenth."""
    generator = np.random.default_rng(seed)
    levels = np.linspace(1 - noise / 2, 1 + noise / 2, passes)
    calls = [ms * batch**0.9 * level * generator.uniform(0.95, 1.05, 40) for level in levels]
    medians = [float(np.median(one)) for one in calls]
    joined = np.concatenate(calls)
    return Timing(
        batch=batch,
        p50_ms=float(np.median(joined)),
        p90_ms=float(np.quantile(joined, 0.9)),
        p99_ms=float(np.quantile(joined, 0.99)),
        photos_per_s=float(1000 * batch * joined.size / joined.sum()),
        pass_medians_ms=tuple(medians),
        spread=(max(medians) - min(medians)) / float(np.median(medians)) if passes > 1 else None,
        ratio=Ratio(value=ms / 10, low=ms / 10 * 0.98, high=ms / 10 * 1.03),
        ratio_to_target=Ratio(value=ms / 10, low=ms / 10 * 0.98, high=ms / 10 * 1.03),
        times_ms=tuple(tuple(map(float, one)) for one in calls),
    )


def accuracy(missed: int, *, labels: bool = True) -> Accuracy:
    """Answers that miss `missed` more photos of cancer than the original, which misses ten and errs on forty others."""
    positive = truth()
    decided = positive.copy()
    decided[np.flatnonzero(positive)[: 10 + missed]] = False
    correct = np.ones(PHOTOS, dtype=bool)
    correct[np.flatnonzero(~positive)[:40]] = False
    correct[np.flatnonzero(positive)[: 10 + missed]] = False
    flips = Flips(
        to_positive=0,
        to_negative=missed,
        label_changes=missed,
        dangerous=missed if labels else None,
        rescued=0 if labels else None,
        cancer_to_other=missed if labels else None,
    )
    agreement = share_of(PHOTOS - missed, PHOTOS)
    return Accuracy(
        agreement=Metric(value=1 - missed / PHOTOS, low=agreement.low, high=agreement.high),
        max_change=0.01 * missed,
        mean_change=0.001 * missed,
        flips=flips,
        figures=_figures(missed) if labels else {},
        classes=_classes(missed) if labels else (),
        subgroups=_subgroups(missed) if labels else (),
        correct=bits(correct) if labels else None,
        decided=bits(decided),
    )


def _figures(missed: int) -> dict[str, Figure]:
    lost = missed / 100
    return {
        name: Figure(
            value=0.8 - lost,
            low=0.76 - lost,
            high=0.84 - lost,
            original=0.8,
            change=-lost,
            change_low=-lost - 0.01,
            change_high=-lost + 0.005,
        )
        for name in TITLES
    }


def _classes(missed: int) -> tuple[ClassFigures, ...]:
    figures = {name: _figures(missed)["accuracy"] for name in CLASS_TITLES}
    return tuple(ClassFigures(label=label, photos=PHOTOS // 2, figures=figures) for label in ("mel", "nv"))


def _subgroups(missed: int) -> tuple[Subgroup, ...]:
    flips = Flips(
        to_positive=0, to_negative=missed, label_changes=missed, dangerous=missed, rescued=0, cancer_to_other=missed
    )
    groups = (("age", "0 to 39", 150), ("age", "80 and above", 7), ("sex", "female", 190), ("skin tone", "light", 300))
    return tuple(
        Subgroup(
            kind=kind,  # type: ignore[arg-type]
            group=group,
            photos=photos,
            lesions=photos,
            positive=photos // 5,
            agreement=0.98,
            flips=flips,
            figures=_figures(missed) if photos >= 20 else {},
        )
        for kind, group, photos in groups
    )


def export(name: str, bundle: str, *, factor: float = 1.0, energy: bool = False, labels: bool = True) -> ExportResult:
    """One export; `factor` is on its time, and on its size."""
    target, precision = name.split("-")
    size, ms, missed, kind = EXPORTS[name]
    evidence: Evidence = "mil-reference" if target == "coreml" else "host-runtime"
    timings = tuple(timing(batch, ms * factor, 7 * batch) for batch in (1, 8)) if ms else ()
    return ExportResult(
        bundle=sha256(bundle),
        target=target,
        precision=precision,
        artifact_sha256=sha256(f"{bundle} {name}"),
        size=Size(
            artifact_bytes=round(size * factor),
            compressed_bytes=round(size * factor * 0.9),
            ratio=size * factor / 9_000_000,
            ratio_to_target=size * factor / 9_000_000,
        ),
        operators=(
            OperatorCount(type="Conv", precision=kind, count=52),
            OperatorCount(type="Softmax", precision="float32", count=1),
        ),
        runtime="LiteRT 2.3.0" if target == "tflite" else "ONNX Runtime 1.31.0",
        evidence=evidence,
        evidence_reason="Core ML cannot be run on Linux" if evidence == "mil-reference" else "",
        speed=Speed(
            load_s=0.31, first_answer_s=0.35, loading_mib=41.0, peak_mib=120.5, timings=timings, note="fixed batch"
        )
        if timings
        else None,
        speed_not_measured_because="" if timings else "only mil-reference here",
        energy=_energy(ms * factor)
        if energy and timings
        else Energy(not_measured_because="the processor's RAPL counters cannot be read"),
        accuracy=accuracy(missed, labels=labels),
    )


def _energy(ms: float) -> Energy:
    return Energy(
        millijoules=3 * ms,
        low=2.9 * ms,
        high=3.2 * ms,
        idle_watts=4.1,
        busy_watts=7.2,
        seconds=12.0,
        source="INA3221 VDD_IN",
    )


def photo_set(*, labels: bool = True, name: str = "ham10000") -> PhotoSetRecord:
    return PhotoSetRecord(
        name=name,
        part="test",
        photos=PHOTOS,
        lesions=320,
        sha256=sha256(name),
        positive=bits(truth()) if labels else None,
    )


def session(machine: MachineRecord = X86, bundles: tuple[str, ...] = ("ham7",), **changes: Any) -> Session:
    """One run over all exports of the bundles; `factor`, `energy` and `labels` as for :func:`export`."""
    options = {name: changes.pop(name) for name in ("factor", "energy", "labels") if name in changes}
    names = changes.pop("names", tuple(EXPORTS))
    fields: dict[str, Any] = {
        "created": "2026-11-21T11:00:00+00:00",
        "command": "dermport benchmark artifacts/ham7 --data ham10000",
        "dermport": "0.1.0",
        "machine": machine,
        "settings": BenchmarkSettings(runs=40, repeats=4, warm_up=3, threads=1, batches=(1, 8), seed=0),
        "photos": photo_set(labels=options.get("labels", True)),
        "reference": Reference(bundle=sha256(bundles[0]), export="onnx-fp32", golden_change=2e-6),
        "exports": tuple(export(name, bundle, **options) for bundle in bundles for name in names),
        "seconds": 95.0,
    }
    return Session(**{**fields, **changes})


def entry(name: str = "ham7", **changes: Any) -> BundleEntry:
    fields: dict[str, Any] = {
        "name": name,
        "version": "1",
        "model_sha256": sha256(name),
        "input_size": 192,
        "alpha": 1.0,
        "parameters": 2_266_951,
        "macs": 221_000_000,
        "threshold": 0.3,
    }
    return BundleEntry(**{**fields, **changes})


def result(*sessions: Session, bundles: tuple[str, ...] = ("ham7",)) -> BenchmarkResult:
    return BenchmarkResult(bundles=tuple(map(entry, bundles)), sessions=sessions or (session(bundles=bundles),))
