"""The whole measurement on the tiny bundle's real artifacts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dermport.bundle.benchmark_record import BenchmarkResult, BenchmarkSettings, ExportResult
from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.manifest import Compression, ModelRef, TaskSpec
from dermport.bundle.photo_set import PhotoSet, golden_photos
from dermport.bundle.store import Bundle, file_entries, write_manifest, write_record
from dermport.errors import DataError, ExportError, IntegrityError, UsageError
from dermport.exporters.benchmark.accuracy import described
from dermport.exporters.benchmark.candidates import bundle_entry, choose
from dermport.exporters.benchmark.files import read_result, write_result
from dermport.exporters.benchmark.measure import benchmark

SETTINGS = BenchmarkSettings(runs=3, repeats=2, warm_up=1, threads=1, batches=(1, 8), seed=0)
ROOT = Path(__file__).parents[3]


def _labelled(bundle: Bundle) -> PhotoSet:
    golden = golden_photos(bundle)
    labels = [bundle.manifest.task.ids.index(photo.label or "") for photo in bundle.golden().index.photos]
    people = [{"sex": "female"} for _ in labels]
    return PhotoSet(
        "drawn", golden.ids, golden.load, "test", truth=np.array(labels), groups=golden.ids, metadata=people
    )


@pytest.fixture(scope="module")
def result(shared_exports: Bundle) -> BenchmarkResult:
    names = ("onnx-int8", "tflite-int8", "tensorrt-fp16")
    return benchmark(choose([shared_exports], names=names), _labelled(shared_exports), SETTINGS, command="typed")


def _export(result: BenchmarkResult, name: str) -> ExportResult:
    (session,) = result.sessions
    export = session.export(result.bundles[0].model_sha256, name)
    assert export is not None
    return export


def test_the_original_is_measured_beside_what_was_named(result: BenchmarkResult) -> None:
    (session,) = result.sessions
    assert [export.name for export in session.exports] == [
        "onnx-fp32",
        "tflite-fp32",
        "tensorrt-fp32",
        "onnx-int8",
        "tensorrt-fp16",
        "tflite-int8",
    ]
    assert session.reference is not None
    assert session.reference.export == "onnx-fp32"
    assert session.reference.golden_change is not None
    assert session.reference.golden_change < 1e-4, "it stands truly for model.keras"


def test_speed_of_what_really_runs_here(result: BenchmarkResult, shared_exports: Bundle) -> None:
    for name, batches in (("onnx-int8", [1, 8]), ("tflite-int8", [1])):
        export = _export(result, name)
        assert export.speed is not None
        assert [timing.batch for timing in export.speed.timings] == batches
        assert ("one photo a call" in export.speed.note) == (batches == [1]), "a fixed batch is said to be one"
        assert export.evidence_reason in export.speed.note
        for timing in export.speed.timings:
            assert [len(times) for times in timing.times_ms] == [3, 3]
            assert timing.ratio is not None
            assert timing.ratio_to_target is not None
            assert timing.ratio.low <= timing.ratio.value <= timing.ratio.high
        assert export.size.artifact_bytes == shared_exports.export(*name.split("-")).record.artifact_bytes
        assert export.size.ratio_to_target is not None
        assert export.size.ratio_to_target < 0.6
        assert export.size.compressed_bytes < export.size.artifact_bytes
        assert export.operators
    original = _export(result, "onnx-fp32").speed
    assert original is not None
    assert original.timings[0].ratio is not None
    assert original.timings[0].ratio.value == 1


def test_a_stand_in_has_accuracy_and_no_speed(result: BenchmarkResult) -> None:
    export = _export(result, "tensorrt-fp16")
    if export.evidence == "device":
        pytest.skip("TensorRT runs here")
    assert export.evidence == "host-proxy"
    assert export.speed is None
    assert "host-proxy" in export.speed_not_measured_because
    assert export.energy.not_measured_because
    assert export.accuracy is not None
    assert export.accuracy.agreement.value == 1


def test_accuracy_is_held_against_the_original(result: BenchmarkResult) -> None:
    original, artifact = _export(result, "onnx-fp32").accuracy, _export(result, "tflite-int8").accuracy
    assert original is not None
    assert artifact is not None
    assert original.figures["accuracy"].change == 0
    assert artifact.figures["accuracy"].original == original.figures["accuracy"].value
    assert artifact.correct is not None
    assert artifact.figures["accuracy"].value == pytest.approx(artifact.correct.count("1") / 16)
    groups = {(group.kind, group.group): group for group in artifact.subgroups}
    assert groups["sex", "female"].photos == 16
    assert not groups["sex", "female"].figures, "too few photos"
    assert result.sessions[0].photos.positive == "1110" * 4


def test_the_record_is_whole_and_survives_the_disk(result: BenchmarkResult, tmp_path: Path) -> None:
    write_result(tmp_path, result)
    assert read_result(tmp_path) == read_result(tmp_path / "benchmark.json") == result
    assert (result.sessions[0].command, result.sessions[0].settings) == ("typed", SETTINGS)
    assert result.bundles[0].macs is not None
    assert "never a diagnosis" in (tmp_path / "benchmark.json").read_text()
    (tmp_path / "benchmark.json").write_text('{"schema": "dermport-benchmark/9"}')
    with pytest.raises(DataError, match="schema"):
        read_result(tmp_path)
    with pytest.raises(DataError, match="cannot be read"):
        read_result(tmp_path / "absent.json")


def _child(parent: Bundle, folder: Path, **changes: object) -> Bundle:
    """Return a copy of a bundle that passes for another model, made from the first."""
    shutil.copytree(parent.path, folder)
    model = folder / "model.keras"
    model.write_bytes(model.read_bytes() + b" ")
    made = Compression(
        parent=ModelRef(name="tiny", version="1.0.0", model_sha256=parent.model_sha256),
        recipe="int8",
        summary="",
        steps=(),
    )
    update = {"name": "child", "compression": made, "files": file_entries(folder, exclude=("bundle.json",)), **changes}
    write_manifest(folder, parent.manifest.model_copy(update=update))
    child = Bundle.open(folder)
    for export in child.exports():
        ref = export.record.bundle.model_copy(update={"model_sha256": child.model_sha256})
        write_record(export.path, export.record.model_copy(update={"bundle": ref}))
    return child


def test_a_child_is_held_against_its_parent(shared_exports: Bundle, tmp_path: Path) -> None:
    decision = shared_exports.manifest.decision.model_copy(update={"threshold": 1.0})
    child = _child(shared_exports, tmp_path / "child", decision=decision)
    candidates = choose([shared_exports, child], names=["onnx-int8-cpu"])
    result = benchmark(candidates, _labelled(shared_exports), SETTINGS)
    assert [entry.parent for entry in result.bundles] == [None, "tiny"]
    assert result.bundles[1].parent_sha256 == shared_exports.model_sha256
    assert [result.label(entry.model_sha256) for entry in result.bundles] == ["tiny", "child"]
    (session,) = result.sessions
    assert [(result.label(one.bundle), one.name) for one in session.exports] == [
        ("tiny", "onnx-fp32"),
        ("tiny", "onnx-int8-cpu"),
        ("child", "onnx-int8-cpu"),
    ]
    accuracy = session.exports[2].accuracy
    assert accuracy is not None
    assert accuracy.flips.to_negative > 0, "its threshold lets nothing pass"
    assert "1" not in accuracy.decided


def test_the_golden_photos_are_prepared_for_bundles_of_another_size(shared_bundle: Bundle) -> None:
    golden = golden_photos(shared_bundle)
    own = shared_bundle.manifest.preprocessing
    assert golden.tensors(own) is not None
    smaller = golden.tensors(own.model_copy(update={"size": 48}))
    assert smaller.shape == (16, 48, 48, 3)
    assert described(golden, (0,)).sha256 == sha256_bytes("\n".join(golden.ids).encode())


def test_whatever_is_named_is_held_against_the_same_original(shared_exports: Bundle) -> None:
    names = [one.name for one in choose([shared_exports], names=["coreml-palette4"])]
    assert names == ["onnx-fp32", "coreml-palette4"]
    assert [one.name for one in choose([shared_exports], targets=["tflite"], precisions=["int8"])] == [
        "onnx-fp32",
        "tflite-fp32",
        "tflite-int8",
    ]
    assert [one.name for one in choose([shared_exports])].count("onnx-fp32") == 1


def test_a_first_bundle_without_exports_is_refused(shared_exports: Bundle, tiny_bundle: Bundle, tmp_path: Path) -> None:
    child = _child(shared_exports, tmp_path / "child")
    with pytest.raises(UsageError, match="nor an fp32 one"):
        choose([tiny_bundle, child], names=["onnx-fp32"])


def test_what_cannot_be_compared_is_refused(shared_exports: Bundle, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="same model"):
        choose([shared_exports, shared_exports])
    with pytest.raises(UsageError, match="onnx-int3"):
        choose([shared_exports], names=["onnx-int3"])
    with pytest.raises(UsageError, match="exports names what"):
        choose([shared_exports], names=["onnx-fp32"], targets=["onnx"])
    labels = tuple(reversed(shared_exports.manifest.task.labels))
    task = TaskSpec(name="other", labels=labels, positive=("mel",))
    with pytest.raises(UsageError, match="other labels"):
        choose([shared_exports, _child(shared_exports, tmp_path / "child", task=task)])


def test_damaged_and_foreign_artifacts_are_refused(exported_bundle: Bundle) -> None:
    candidates = choose([exported_bundle], names=["onnx-fp32"])
    export = candidates[0].export
    stranger = export.record.bundle.model_copy(update={"model_sha256": "0" * 64})
    write_record(export.path, export.record.model_copy(update={"bundle": stranger}))
    with pytest.raises(ExportError, match="another model"):
        benchmark(choose([exported_bundle], names=["onnx-fp32"]), golden_photos(exported_bundle), SETTINGS)
    write_record(export.path, export.record)
    export.artifact.write_bytes(export.artifact.read_bytes()[:-1])
    with pytest.raises(IntegrityError):
        benchmark(candidates, golden_photos(exported_bundle), SETTINGS)


def test_an_uncountable_model_says_why_its_macs_are_unknown(tiny_bundle: Bundle) -> None:
    (tiny_bundle.path / "model.keras").write_bytes(b"no zip")
    entry = bundle_entry(tiny_bundle)
    assert entry.macs is None
    assert entry.macs_unknown_because


_ABSENT = """
import importlib.abc, sys
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"tensorflow", "keras", "tf2onnx", "onnx", "coremltools", "litert_quantizer"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
"""
_MEASURE = """
import sys
from pathlib import Path
from dermport.bundle.benchmark_record import BenchmarkSettings
from dermport.bundle.store import Bundle
from dermport.exporters.benchmark.accuracy import described
from dermport.exporters.benchmark.candidates import choose
from dermport.exporters.benchmark.measure import benchmark
from dermport.bundle.photo_set import golden_photos
if __name__ == "__main__":
    bundle = Bundle.open(Path(sys.argv[1]))
    settings = BenchmarkSettings(runs=1, repeats=1, warm_up=0, threads=1, batches=(1,), seed=0)
    names = ["tflite-fp32", "onnx-fp32", "coreml-fp16"]
    print(benchmark(choose([bundle], names=names), golden_photos(bundle), settings).model_dump_json())
"""


def test_a_jetson_without_tensorflow_measures_with_the_same_code(shared_exports: Bundle, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(_ABSENT)
    (tmp_path / "measure.py").write_text(_MEASURE)
    paths = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    command = [sys.executable, str(tmp_path / "measure.py"), str(shared_exports.path)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | paths, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    exports = {f"{one['target']}-{one['precision']}": one for one in json.loads(done.stdout)["sessions"][0]["exports"]}
    assert exports["onnx-fp32"]["speed"]
    assert exports["tflite-fp32"]["speed"]
    assert exports["coreml-fp16"]["speed"] is None, "nothing here executes it"
    assert "No module named" in exports["coreml-fp16"]["accuracy_not_measured_because"]
