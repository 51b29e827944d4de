"""How many processes serve, and how: decided before the first one is started."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace

from dermport.bundle.store import Bundle
from dermport.server.config import ServingConfig

_GPU = "tensorrt"
_SPARE_THREADS = 8


def plan(serving: ServingConfig, bundles: Iterable[Bundle], *, gpu: bool) -> ServingConfig:
    """Return `serving` with its process model and number of workers decided.

    A GPU is used by one process, which feeds it in batches: also while ONNX Runtime answers until the first engine is
    built. A CPU is best used by as many processes as it has cores.

    Args:
        serving: What was asked for.
        bundles: What may be served.
        gpu: Whether this machine has TensorRT.
    """
    model = serving.process_model
    if model == "auto":
        wanted = gpu and serving.runtime in (None, _GPU)
        model = "batcher" if wanted and any(map(_has_engine, bundles)) else "workers"
    workers = 1 if model == "batcher" else serving.workers or os.cpu_count() or 1
    return replace(serving, process_model=model, workers=workers)


def threads_of(serving: ServingConfig) -> int:
    """Return how many requests a process may have: all that wait or are at work, and some that need no model."""
    return serving.queue + _SPARE_THREADS


def _has_engine(bundle: Bundle) -> bool:
    return any(export.record.target == _GPU for export in bundle.exports())
