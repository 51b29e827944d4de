"""Artifacts in processes of their own: real ones, damaged ones, and processes that are killed."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from dermport.bundle.store import Bundle, Export
from dermport.errors import UnavailableError
from dermport.exporters.benchmark.process import Process
from dermport.exporters.registry import get_target


def _process(export: Export, bundle: Bundle) -> Process:
    return Process(export, bundle.golden().tensors, threads=1)


def test_answers_are_those_of_the_artifact(shared_exports: Bundle) -> None:
    export, photos = shared_exports.export("onnx", "fp32"), shared_exports.golden().tensors
    with get_target("onnx").execution(export.path, 1).runtime as runtime:
        expected = runtime.predict(photos)
    told: list[tuple[int, int]] = []
    with _process(export, shared_exports) as process:
        many = np.concatenate([photos] * 3)
        answers = process.answers(many, lambda done, total: told.append((done, total)))
        np.testing.assert_allclose(answers, np.concatenate([expected] * 3), atol=1e-6)
        assert told[-1] == (len(many), len(many))
        assert process.opened.labels == shared_exports.manifest.task.ids
        assert process.opened.evidence == "host-runtime"


def test_what_opening_and_calls_cost(shared_exports: Bundle) -> None:
    with _process(shared_exports.export("tflite", "fp32"), shared_exports) as process:
        opened = process.opened
        assert 0 < opened.load_s < opened.first_answer_s
        assert process.timed(np.arange(1)) > 0
        assert process.busy(0.05) > 0
        assert opened.loading_mib is None or (process.peak_mib() or 0) > opened.loading_mib > 0


def test_a_process_that_is_killed_is_an_error_and_not_the_end(shared_exports: Bundle) -> None:
    with _process(shared_exports.export("tflite", "fp32"), shared_exports) as process:
        child = process._process.pid
        assert child is not None
        os.kill(child, signal.SIGKILL)
        with pytest.raises(UnavailableError, match=r"tflite-fp32 (died \(exit code -9\)|has ended)"):
            process.timed(np.arange(1))


def test_an_artifact_that_cannot_be_opened_says_why(exported_bundle: Bundle) -> None:
    export = exported_bundle.export("onnx", "fp32")
    export.artifact.write_bytes(b"no model")
    with pytest.raises(UnavailableError, match=r"model\.onnx cannot be executed"):
        _process(export, exported_bundle).__enter__()


def test_photos_of_another_size_are_an_error_of_the_artifact(shared_exports: Bundle) -> None:
    process = _process(shared_exports.export("onnx", "fp32"), shared_exports)
    with process, pytest.raises(UnavailableError, match="takes photos of"):
        process.answers(np.zeros((1, 32, 32, 3), np.uint8))
