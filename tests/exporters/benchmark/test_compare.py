from __future__ import annotations

import pytest

from dermport.bundle.benchmark_record import BenchmarkResult, BenchmarkSettings
from dermport.exporters.benchmark.compare import compare
from dermport.exporters.benchmark.comparison import BenchmarkComparison, Line
from tests.exporters.benchmark.made import JETSON, X86, accuracy, export, photo_set, result, session, timing


def _lines(comparison: BenchmarkComparison, export: str, kind: str) -> dict[str, Line]:
    return {line.name: line for line in comparison.lines if (line.export, line.kind) == (f"ham7 {export}", kind)}


def _changed(name: str, **update: object) -> BenchmarkResult:
    """Return a result in which one export is another than usual."""
    usual = session()
    changed = tuple(one.model_copy(update=update) if one.name == name else one for one in usual.exports)
    return result(usual.model_copy(update={"exports": changed}))


def _faster(name: str, ms: float, **options: float) -> BenchmarkResult:
    speed = export(name, "ham7").speed
    assert speed is not None
    timings = tuple(timing(batch, ms, 99 * batch, **options) for batch in (1, 8))  # type: ignore[arg-type]
    return _changed(name, speed=speed.model_copy(update={"timings": timings}))


def test_a_result_is_neither_better_nor_worse_than_itself() -> None:
    comparison = compare(result(), result())
    assert comparison.lines
    assert {line.verdict for line in comparison.lines} == {"no difference shown"}
    assert not comparison.worse
    assert comparison.only_this == comparison.only_other == comparison.remarks == ()


@pytest.mark.parametrize(("ms", "verdict"), [(2.5, "better"), (5.0, "no difference shown"), (10.0, "worse")])
def test_latency_is_judged_by_its_median(ms: float, verdict: str) -> None:
    lines = _lines(compare(_faster("tflite-int8", ms), result()), "tflite-int8", "latency")
    assert [line.verdict for line in lines.values()] == [verdict, verdict]
    line = lines["latency of batch 1, ms"]
    assert line.change == pytest.approx(ms / 5, rel=0.02)
    assert line.low is not None
    assert line.high is not None
    assert line.low <= line.change <= line.high


def test_what_the_machine_does_by_itself_is_no_difference() -> None:
    line = _lines(compare(_faster("tflite-int8", 5.6, noise=0.3), result()), "tflite-int8", "latency")
    assert line["latency of batch 1, ms"].verdict == "no difference shown"
    assert line["latency of batch 1, ms"].noise == pytest.approx(0.3, rel=0.2)


def test_a_single_pass_shows_nothing() -> None:
    line = _lines(compare(_faster("tflite-int8", 50.0, passes=1), result()), "tflite-int8", "latency")
    assert line["latency of batch 1, ms"].verdict == "no difference shown"
    assert "single pass" in line["latency of batch 1, ms"].reason


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (session(JETSON), "another machine"),
        (session(X86.model_copy(update={"power_mode": "MAXN"})), "another power mode"),
        (
            session(
                settings=BenchmarkSettings(runs=40, repeats=4, warm_up=3, threads=2, batches=(1, 8), seed=0),
            ),
            "another number of threads",
        ),
    ],
)
def test_times_of_other_conditions_are_not_comparable(other: object, reason: str) -> None:
    comparison = compare(result(), result(other))  # type: ignore[arg-type]
    latency = _lines(comparison, "tflite-int8", "latency")
    assert latency
    assert all(line.verdict == "not comparable" and reason in line.reason for line in latency.values())
    assert _lines(comparison, "tflite-int8", "size")["size, bytes"].verdict == "no difference shown"
    assert not comparison.worse


def test_sizes() -> None:
    usual = export("tflite-int8", "ham7").size
    for bytes_, verdict in ((1_000_000, "better"), (2_600_900, "no difference shown"), (3_000_000, "worse")):
        smaller = _changed("tflite-int8", size=usual.model_copy(update={"artifact_bytes": bytes_}))
        line = _lines(compare(smaller, result()), "tflite-int8", "size")["size, bytes"]
        assert line.verdict == verdict
        assert line.change == pytest.approx(bytes_ / 2_600_000)


def test_lost_cancers_are_worse_and_said_so_three_times() -> None:
    comparison = compare(_changed("tflite-int8", accuracy=accuracy(30)), result())
    lines = _lines(comparison, "tflite-int8", "quality")
    assert lines["Accuracy"].verdict == "worse"
    assert lines["Sensitivity of the decision"].verdict == "worse"
    assert lines["Sensitivity of the decision"].change == pytest.approx(-27 / 80)
    assert lines["Specificity of the decision"].verdict == "no difference shown"
    assert lines["dangerous flips"].verdict == "worse"
    assert (lines["dangerous flips"].this, lines["dangerous flips"].other) == (30, 3)
    assert lines["Expected calibration error"].verdict == "better", "less of it, with intervals apart"
    assert {line.name for line in comparison.worse} >= {"Accuracy", "dangerous flips"}
    assert _lines(compare(result(), _changed("tflite-int8", accuracy=accuracy(30))), "tflite-int8", "quality")[
        "Accuracy"
    ].verdict == ("better")


def test_a_few_flips_show_nothing() -> None:
    lines = _lines(compare(_changed("tflite-int8", accuracy=accuracy(6)), result()), "tflite-int8", "quality")
    assert {line.verdict for line in lines.values()} == {"no difference shown"}
    assert lines["Accuracy"].p == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (session(photos=photo_set(name="other")), "other photos"),
        (session(labels=False), "without labels"),
    ],
)
def test_answers_to_other_photos_are_not_comparable(other: object, reason: str) -> None:
    this = result(session(labels=False)) if "labels" in reason else result()
    lines = _lines(compare(this, result(other)), "onnx-int8", "quality")  # type: ignore[arg-type]
    (line,) = lines.values()
    assert line.verdict == "not comparable"
    assert reason in line.reason


def test_energy_needs_ranges_that_are_apart() -> None:
    usual, thrifty = result(session(JETSON, energy=True)), result(session(JETSON, energy=True, factor=0.5))
    assert (
        _lines(compare(usual, usual), "onnx-fp32", "energy")["energy of a photo, mJ"].verdict == "no difference shown"
    )
    line = _lines(compare(thrifty, usual), "onnx-fp32", "energy")["energy of a photo, mJ"]
    assert (line.verdict, line.change) == ("better", pytest.approx(0.5))


def test_counterparts() -> None:
    """The same model first, then the same name, then the one that is left; what has none is named."""
    this = result(session(bundles=("ham7",)), bundles=("ham7",))
    small = result(session(bundles=("small",), names=("onnx-fp32", "tflite-int8")), bundles=("small",))
    comparison = compare(this, small)
    assert {line.export for line in comparison.lines} == {"ham7 onnx-fp32", "ham7 tflite-int8"}
    assert comparison.only_this == ("ham7 tflite-fp16", "ham7 onnx-int8", "ham7 coreml-palette4")
    assert not comparison.only_other
    assert any("another model" in remark for remark in comparison.remarks)
    both = result(session(bundles=("ham7", "small")), bundles=("ham7", "small"))
    assert len(compare(both, this).only_this) == len(compare(this, both).only_other) == 5


def test_each_machine_is_held_against_itself() -> None:
    slower = result(session(X86), session(JETSON, factor=2.0))
    comparison = compare(slower, result(session(JETSON), session(X86)))
    verdicts = {(line.machine, line.verdict) for line in comparison.lines if line.kind == "latency"}
    assert verdicts == {
        ("NVIDIA Jetson Orin Nano Developer Kit, 15W", "worse"),
        ("Intel Xeon Processor", "no difference shown"),
    }


def test_counts_have_every_verdict() -> None:
    counts = compare(_faster("tflite-int8", 10.0), result()).counts()
    assert list(counts) == ["worse", "better", "no difference shown", "not comparable"]
    assert counts["worse"] == 2
