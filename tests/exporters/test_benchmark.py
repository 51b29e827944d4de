from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from bundle.errors import IntegrityError
from bundle.store import Bundle
from cli.benchmark import benchmark as command
from exporters.benchmark.measure import Benchmark, benchmark, this_machine


@pytest.fixture(scope="module")
def result(shared_exports: Bundle) -> Benchmark:
    names = [("onnx", "fp32"), ("tflite", "int8"), ("tensorrt", "fp16")]
    exports = [shared_exports.export(*name) for name in names]
    return benchmark(exports, shared_exports.golden().tensors, runs=5, threads=1)


def test_measures_what_really_runs_here(result: Benchmark, shared_exports: Bundle) -> None:
    measured = {artifact.name: artifact for artifact in result.artifacts}
    assert set(measured) | set(result.skipped) == {"onnx-fp32", "tflite-int8", "tensorrt-fp16"}
    assert {"onnx-fp32", "tflite-int8"} <= set(measured)
    assert all("host-proxy" in reason for reason in result.skipped.values())
    for name, artifact in measured.items():
        assert artifact.artifact_bytes == shared_exports.export(*name.split("-")).record.artifact_bytes
        assert artifact.first_answer_s > 0
        assert artifact.memory_mib is None or artifact.memory_mib > 0
        assert all(0 < latency.median_ms <= latency.p90_ms for latency in artifact.latencies)


def test_batches_and_ratios(result: Benchmark) -> None:
    latencies = {artifact.name: artifact.latencies for artifact in result.artifacts}
    assert [(latency.batch, latency.ratio) for latency in latencies["onnx-fp32"]] == [(1, 1.0), (8, 1.0)]
    (only,) = latencies["tflite-int8"]
    assert only.batch == 1, "its batch is fixed"
    assert only.ratio is not None
    assert only.ratio > 0


def test_says_the_machine(result: Benchmark) -> None:
    assert result.machine == this_machine()
    assert result.machine.processor
    assert result.machine.cores >= 1
    assert (result.runs, result.threads) == (5, 1)


def test_a_damaged_artifact_is_not_measured(exported_bundle: Bundle) -> None:
    export = exported_bundle.export("onnx", "fp32")
    export.artifact.write_bytes(export.artifact.read_bytes()[:-1])
    with pytest.raises(IntegrityError):
        benchmark([export], exported_bundle.golden().tensors, runs=1, threads=1)


def test_command_prints_one_document(shared_exports: Bundle) -> None:
    app = typer.Typer()
    app.command()(command)
    arguments = [str(shared_exports.path), "--to", "tflite", "--precision", "fp32", "--runs", "2", "--json"]
    outcome = CliRunner().invoke(app, arguments)
    assert outcome.exit_code == 0
    document = json.loads(outcome.stdout)
    assert [artifact["name"] for artifact in document["artifacts"]] == ["tflite-fp32"]
    assert document["artifacts"][0]["latencies"][0]["ratio"] is None, "onnx-fp32 was not measured beside it"
    assert "tflite-fp32" in outcome.stderr
