"""From the runtime that serves at once to the best one: TensorRT engines are built while ONNX Runtime answers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from dermport.bundle.store import Bundle
from dermport.errors import DermportError
from dermport.server.serving.live import LiveModel
from dermport.server.serving.models import Models

_LOG = logging.getLogger("dermport.upgrade")
BuildEngines = Callable[[Bundle], bool]
"""Builds the engines that a bundle's kits lack here; True where there are new ones. It may take many minutes."""


class Upgrade:
    """Builds engines for whatever model becomes live, in a thread of its own, and has them take over.

    Args:
        models: The models.
        build: Builds the engines of a bundle.
        record: Tells every process that there is a better artifact; returns the number that the models ask for.
        is_mine: Whether it is this process that builds.
    """

    def __init__(
        self,
        models: Models,
        build: BuildEngines,
        record: Callable[[], int] = int,
        is_mine: Callable[[], bool] = lambda: True,
    ) -> None:
        self._models, self._build = models, build
        self._record, self._is_mine = record, is_mine
        self._tried: set[str] = set()
        models.on_live(self._start)
        self._start(models.current)

    def _start(self, live: LiveModel) -> None:
        if live.model.target == "tensorrt" or live.bundle.model_sha256 in self._tried:
            return
        self._tried.add(live.bundle.model_sha256)  # once: a build that failed would fail again, and takes minutes
        threading.Thread(target=self._run, args=(live.bundle,), name="build-engines", daemon=True).start()

    def _run(self, bundle: Bundle) -> None:
        manifest = bundle.manifest
        try:
            if not self._is_mine() or not self._build(bundle):
                return
            if self._models.current.bundle.path == bundle.path:
                self._models.activate(manifest.name, manifest.version, self._record)
        except (DermportError, OSError) as error:  # OSError: the folder may be read-only to the server
            _LOG.error("%s %s goes on as it is: %s", manifest.name, manifest.version, error)
