"""The fallback serves while engines are built, and the engine takes over; a failed build changes nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

from dermport.bundle.store import Bundle
from dermport.errors import ExportError
from dermport.server.config import ServingConfig
from dermport.server.serving.live import LiveModel
from dermport.server.serving.models import Models
from dermport.server.serving.upgrade import Upgrade
from tests.server.fakes import add_export, candidate, recall


def _models(bundle: Bundle) -> Models:
    """A bundle whose "tensorrt" can be loaded only once there is such an export; "onnx" is there."""
    add_export(bundle, "onnx")
    candidates = tuple(
        candidate(lambda _export, _threads: recall(bundle, "fake"), name) for name in ("tensorrt", "onnx")
    )
    return Models((bundle.path,), partial(LiveModel, serving=ServingConfig(), candidates=candidates))


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.002)


def test_the_engine_takes_over_once_it_is_built(tiny_bundle: Bundle) -> None:
    models, go = _models(tiny_bundle), threading.Event()

    def build(bundle: Bundle) -> bool:
        go.wait(5)
        add_export(bundle, "tensorrt")
        return True

    Upgrade(models, build)
    assert models.current.model.target == "onnx"
    assert models.current.served_by.reason.startswith("no Tensorrt: ")
    go.set()
    _until(lambda: models.current.model.target == "tensorrt")
    assert models.current.served_by.reason == "the best runtime that this machine has"


def test_a_failed_build_leaves_the_fallback_and_is_not_tried_again(tiny_bundle: Bundle) -> None:
    models, tried = _models(tiny_bundle), list[str]()

    def build(bundle: Bundle) -> bool:
        tried.append(bundle.manifest.version)
        raise ExportError("out of memory")

    Upgrade(models, build)
    _until(lambda: len(tried) == 1)
    models.activate("tiny", "1.0.0")
    time.sleep(0.02)
    assert tried == ["1.0.0"]
    assert models.current.model.target == "onnx"


def test_nothing_to_build_changes_nothing(tiny_bundle: Bundle) -> None:
    models, asked = _models(tiny_bundle), threading.Event()
    before = models.current

    def build(bundle: Bundle) -> bool:
        asked.set()
        return False

    Upgrade(models, build)
    assert asked.wait(5)
    assert models.current is before
