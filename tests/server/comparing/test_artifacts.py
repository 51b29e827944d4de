"""Phones' files on the server: found by sha256, opened once, a few at a time."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

import numpy as np
import pytest
from numpy.typing import NDArray

from dermport.bundle.store import Bundle
from dermport.errors import UnavailableError
from dermport.server.comparing.artifacts import LOADERS, ArtifactRunner
from dermport.server.comparing.experiments import ArtifactRun, Missing
from tests.server.comparing import linear

TENSOR = np.zeros((64, 64, 3), np.uint8)


class Watched(linear.LinearRuntime):
    """Knows when it is open, and that it is never used by two."""

    open_now: set[float] = set()  # noqa: RUF012
    opened = 0
    busy = threading.Lock()

    def __enter__(self) -> Watched:
        Watched.open_now.add(self._scale)
        Watched.opened += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        Watched.open_now.discard(self._scale)

    def predict(self, tensors: NDArray[np.uint8]) -> NDArray[np.float32]:
        assert Watched.busy.acquire(blocking=False), "two threads are in the runtime at once"
        time.sleep(0.001)
        Watched.busy.release()
        return super().predict(tensors)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return linear.make_bundle(tmp_path / "bundle")


@pytest.fixture(autouse=True)
def _nothing_open() -> None:
    Watched.open_now, Watched.opened = set(), 0


def _runner(*bundles: Bundle, kept: int = 2) -> ArtifactRunner:
    return ArtifactRunner(lambda: bundles, {"tflite": Watched}, kept=kept)


def test_a_file_is_found_and_run(bundle: Bundle) -> None:
    exported = linear.export(bundle, "tflite")
    runner = _runner(bundle)
    known = runner.find(exported.record.artifact_sha256)
    assert known is not None
    assert (known.bundle, known.export.record) == (bundle, exported.record)
    run = runner.run(exported.record.artifact_sha256, TENSOR)
    assert isinstance(run, ArtifactRun)
    assert (run.artifact, run.runtime) == ("tflite fp32", "Linear 1.0")
    assert sum(run.probabilities.values()) == pytest.approx(1)


def test_files_are_opened_once_and_the_least_recently_used_one_is_closed(bundle: Bundle) -> None:
    shas = [linear.export(bundle, "tflite", f"p{i}", scale=float(i)).record.artifact_sha256 for i in range(3)]
    runner = _runner(bundle, kept=2)
    for index in (0, 1, 0, 0, 2):
        runner.run(shas[index], TENSOR)
    assert Watched.opened == 3
    assert Watched.open_now == {0.0, 2.0}
    runner.close()
    assert Watched.open_now == set()


def test_any_number_of_threads(bundle: Bundle) -> None:
    shas = [linear.export(bundle, "tflite", f"p{i}", scale=float(i)).record.artifact_sha256 for i in range(3)]
    runner = _runner(bundle, kept=1)
    with ThreadPoolExecutor(6) as threads:
        runs = list(threads.map(lambda i: runner.run(shas[i % 3], TENSOR), range(24)))
    assert all(isinstance(run, ArtifactRun) and run.artifact_sha256 == shas[i % 3] for i, run in enumerate(runs))
    assert len(Watched.open_now) == 1


def test_bundles_are_read_again_for_an_unknown_file_but_not_at_once(bundle: Bundle) -> None:
    now, reads = [0.0], []

    def bundles() -> tuple[Bundle, ...]:
        reads.append(now[0])
        return (bundle,)

    runner = ArtifactRunner(bundles, {"tflite": Watched}, fresh_seconds=10, now=lambda: now[0])
    late = linear.export(bundle, "tflite", "late").record.artifact_sha256
    assert runner.find("0" * 64) is None
    assert runner.find(late)
    later = linear.export(bundle, "tflite", "later", scale=3.0).record.artifact_sha256
    assert runner.find(later) is None
    now[0] = 10
    assert runner.find(later)
    assert reads == [0, 10]


def test_a_damaged_bundle_hides_no_other(bundle: Bundle, tmp_path: Path) -> None:
    broken = linear.make_bundle(tmp_path / "broken")
    (linear.export(broken, "tflite").path / "export.json").write_text("{")
    exported = linear.export(bundle, "tflite")
    assert _runner(broken, bundle).find(exported.record.artifact_sha256)


def _why(bundle: Bundle, sha256: str, runner: ArtifactRunner | None = None, tensor: linear.Tensor = TENSOR) -> str:
    run = (runner or _runner(bundle)).run(sha256, tensor)
    assert isinstance(run, Missing)
    assert str(bundle.path) not in run.words
    return run.words


def test_what_cannot_be_run_says_so(bundle: Bundle) -> None:
    assert "no model of this server" in _why(bundle, "0" * 64)
    coreml = linear.export(bundle, "coreml").record.artifact_sha256
    assert _why(bundle, coreml) == "coreml fp32 cannot be run on this server, which lacks its runtime"
    exported = linear.export(bundle, "tflite")
    absent = ArtifactRunner(lambda: (bundle,), {"tflite": _absent})
    assert "lacks its runtime" in _why(bundle, exported.record.artifact_sha256, absent)
    with_nan = ArtifactRunner(lambda: (bundle,), {"tflite": _nan})
    assert "no probabilities" in _why(bundle, exported.record.artifact_sha256, with_nan)
    exported.artifact.write_text(json.dumps({"scale": 1}))
    assert "its log says why" in _why(bundle, exported.record.artifact_sha256)
    exported.artifact.unlink()
    assert "its log says why" in _why(bundle, exported.record.artifact_sha256)


def _absent(path: Path) -> linear.LinearRuntime:
    raise UnavailableError("LiteRT is not installed (No module named 'ai_edge_litert').")


def _nan(path: Path) -> linear.LinearRuntime:
    runtime = linear.LinearRuntime(path)
    runtime._scale = float("nan")
    return runtime


def test_phones_and_browsers_files_can_be_run() -> None:
    assert set(LOADERS) == {"tflite", "onnx"}
