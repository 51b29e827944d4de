"""The phones' own files, run by the server: known by their sha256, loaded when they are first asked for."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.store import Bundle, Export
from dermport.errors import DermportError, UnavailableError
from dermport.runtimes.base import Runtime
from dermport.runtimes.registry import SERVING
from dermport.server.comparing.experiments import ArtifactRun, Missing
from dermport.server.comparing.likeness import Tensor

_LOG = logging.getLogger("dermport.comparing")
_UNKNOWN = Missing("no model of this server has an export with the phone's artifact_sha256, so it was not run here")
Loader = Callable[[Path], Runtime]
LOADERS: Mapping[str, Loader] = {r.target: partial(r.open, threads=1) for r in SERVING if not r.gpu}


@dataclass(frozen=True)
class KnownArtifact:
    """A file that some bundle's export record names."""

    bundle: Bundle
    export: Export


class ArtifactRunner:
    """Runs phones' files, one at a time: the runtimes are not thread-safe, and comparisons are not in a hurry.

    Args:
        bundles: Gives the bundles whose exports are known.
        loaders: How the files of a target are opened.
        kept: How many opened files are kept.
        fresh_seconds: How long an unknown sha256 is taken for unknown before the bundles are read again.
        now: A clock in seconds.
    """

    def __init__(
        self,
        bundles: Callable[[], Sequence[Bundle]],
        loaders: Mapping[str, Loader] = LOADERS,
        kept: int = 4,
        fresh_seconds: float = 10.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bundles = bundles
        self._loaders = loaders
        self._kept = kept
        self._fresh_seconds = fresh_seconds
        self._now = now
        self._running = threading.Lock()
        self._reading = threading.Lock()
        self._loaded: OrderedDict[str, Runtime] = OrderedDict()
        self._known: dict[str, KnownArtifact] = {}
        self._read_at: float | None = None

    def find(self, artifact_sha256: str) -> KnownArtifact | None:
        """Return which export of which bundle a file is; None where none is known."""
        with self._reading:
            found = self._known.get(artifact_sha256)
            stale = self._read_at is None or self._now() - self._read_at >= self._fresh_seconds
            if found is None and stale:
                self._known = {
                    export.record.artifact_sha256: KnownArtifact(bundle, export)
                    for bundle in self._bundles()
                    for export in _exports(bundle)
                }
                self._read_at = self._now()
                found = self._known.get(artifact_sha256)
            return found

    def alternatives(self, known: KnownArtifact) -> tuple[KnownArtifact, ...]:
        """Return the other known files of the same target that take the same input and tell the same labels apart."""
        like = _interface(known)
        with self._reading:
            return tuple(other for other in self._known.values() if other is not known and _interface(other) == like)

    def run(self, artifact_sha256: str, tensor: Tensor | NDArray[np.float32]) -> ArtifactRun | Missing:
        """Have a file answer a prepared photo, uint8 [S, S, 3], or say why it cannot.

        Values that are no pixels, float32, are taken as they are: what a phone with a fault may have fed.
        """
        known = self.find(artifact_sha256)
        if known is None:
            return _UNKNOWN
        record = known.export.record
        name = f"{record.target} {record.precision}"
        try:
            with self._running:
                runtime = self._opened(known)
                answer = runtime.predict(cast("Tensor", tensor[None]))[0]
        except UnavailableError as error:
            _LOG.info("the phone's %s is not run: %s", name, error.message)
            return Missing(f"{name} cannot be run on this server, which lacks its runtime")
        except Exception as error:  # runtimes raise errors of many types; the comparison goes on without this evidence
            _LOG.error("the phone's %s could not be run: %s", name, error)
            return Missing(f"{name} could not be run on this server; its log says why")
        if not np.isfinite(answer).all() or set(runtime.labels) != set(record.labels):
            return Missing(f"{name} gives no probabilities of the model's labels on this server")
        by_label = {label: float(p) for label, p in zip(runtime.labels, answer.clip(0, 1), strict=True)}
        return ArtifactRun(artifact_sha256, name, runtime.name, {label: by_label[label] for label in record.labels})

    def close(self) -> None:
        """Free every opened file."""
        with self._running:
            while self._loaded:
                _close(self._loaded.popitem()[1])

    def _opened(self, known: KnownArtifact) -> Runtime:
        record = known.export.record
        if (runtime := self._loaded.get(record.artifact_sha256)) is not None:
            self._loaded.move_to_end(record.artifact_sha256)
            return runtime
        load = self._loaders.get(record.target)
        if load is None:
            raise UnavailableError(f"no runtime here takes {record.target} files")
        runtime = load(known.export.checked()).__enter__()
        self._loaded[record.artifact_sha256] = runtime
        if len(self._loaded) > self._kept:
            _close(self._loaded.popitem(last=False)[1])
        return runtime


def _interface(known: KnownArtifact) -> tuple[str, int, frozenset[str]]:
    record = known.export.record
    return record.target, known.bundle.manifest.preprocessing.size, frozenset(record.labels)


def _exports(bundle: Bundle) -> Sequence[Export]:
    try:
        return bundle.exports()
    except DermportError as error:  # one bundle that is being replaced must not hide the others
        _LOG.error("exports are not known: %s", error.message)
        return ()


def _close(runtime: Runtime) -> None:
    runtime.__exit__(None, None, None)
