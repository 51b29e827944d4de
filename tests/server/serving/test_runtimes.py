"""Which runtime serves: the order, the fallback with its reason, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from dermport.bundle.store import Bundle, Export
from dermport.errors import BundleError, EngineMismatchError, IntegrityError, UnavailableError, UsageError
from dermport.runtimes.base import Runtime
from dermport.server.config import ServingConfig
from dermport.server.serving.runtimes import CANDIDATES, BackendSetup, Chosen, ServingCandidate, choose
from tests.server.fakes import add_export, candidate, recall


def _absent(export: Export, threads: int | None) -> Runtime:
    raise UnavailableError("it is not installed.")


def _stale(export: Export, threads: int | None) -> Runtime:
    raise EngineMismatchError("the engine is for another GPU.")


def _choose(bundle: Bundle, candidates: tuple[ServingCandidate, ...] = CANDIDATES, **serving: Any) -> Chosen:
    chosen = choose(BackendSetup(bundle, bundle.golden(), ServingConfig(**serving)), candidates)
    chosen.backend.close()
    return chosen


def test_the_order_is_tensorrt_onnx_runtime_litert() -> None:
    assert [c.name for c in CANDIDATES] == ["tensorrt", "onnxruntime", "litert"]
    assert [c.target for c in CANDIDATES] == ["tensorrt", "onnx", "tflite"]


def test_the_first_that_works_serves_and_says_why(tiny_bundle: Bundle) -> None:
    for name in ("best", "broken", "good", "spare"):
        add_export(tiny_bundle, name)
    runtime = recall(tiny_bundle)
    candidates = (
        candidate(_absent, "best"),
        candidate(_stale, "broken"),
        candidate(_absent, "unexported"),
        candidate(lambda _e, _t: runtime, "good"),
        candidate(_absent, "spare"),
    )
    chosen = _choose(tiny_bundle, candidates)
    assert chosen.backend.name == runtime.name
    assert chosen.export.record.target == "good"
    assert chosen.reason == (
        "no Best: it is not installed.; no Broken: the engine is for another GPU.; "
        "no Unexported: the bundle holds no unexported export"
    )


def test_the_best_precision_comes_first_and_threads_reach_the_runtime(tiny_bundle: Bundle) -> None:
    for precision in ("int8", "fp32"):
        add_export(tiny_bundle, precision=precision)
    loaded: list[tuple[str, int | None]] = []

    def load(export: Export, threads: int | None) -> Runtime:
        loaded.append((export.record.precision, threads))
        return recall(tiny_bundle)

    assert _choose(tiny_bundle, (candidate(load),), threads=3).reason == "the best runtime that this machine has"
    _choose(tiny_bundle, (candidate(load),), threads=3, precision="int8")
    assert loaded == [("fp32", 3), ("int8", 3)]


def test_a_named_runtime_is_not_replaced(tiny_bundle: Bundle) -> None:
    add_export(tiny_bundle, "best")
    add_export(tiny_bundle, "good")
    candidates = (candidate(_absent, "best"), candidate(lambda _e, _t: recall(tiny_bundle), "good"))
    assert _choose(tiny_bundle, candidates, runtime="good").reason == "chosen by --runtime"
    with pytest.raises(UnavailableError, match="no Best: it is not installed"):
        _choose(tiny_bundle, candidates, runtime="best")
    with pytest.raises(UsageError, match=r"(?s)no runtime 'other'.*best, good"):
        _choose(tiny_bundle, candidates, runtime="other")


def test_nothing_to_serve_says_what_was_tried(tiny_bundle: Bundle) -> None:
    with pytest.raises(UnavailableError) as error:
        _choose(tiny_bundle, precision="fp16")
    for words in (
        "no TensorRT",
        "no ONNX Runtime: the bundle holds no onnx fp16 export",
        "no LiteRT",
        "dermport export",
    ):
        assert words in str(error.value)


def test_a_changed_artifact_is_refused_before_it_is_loaded(tiny_bundle: Bundle) -> None:
    export = add_export(tiny_bundle)
    export.artifact.write_bytes(b"other")
    with pytest.raises(IntegrityError, match=r"model\.bin is not the file"):
        _choose(tiny_bundle, (candidate(_absent),))


def test_an_artifact_with_swapped_labels_is_refused(tiny_bundle: Bundle) -> None:
    add_export(tiny_bundle)
    swapped = recall(tiny_bundle)
    swapped.labels = swapped.labels[::-1]
    with pytest.raises(BundleError, match="not the bundle's"):
        _choose(tiny_bundle, (candidate(lambda _e, _t: swapped),))
