"""How fast and how large the artifacts are on this machine, each by a runtime that its devices use.

What only a reference or a stand-in could execute here (evidence "mil-reference", "host-proxy") is left out: its speed
says nothing about the artifact.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bundle.errors import UnavailableError
from bundle.export_record import Evidence
from bundle.store import Export
from exporters.contract import Execution
from exporters.registry import get_target
from runtimes.base import Runtime

BASE = "onnx-fp32"
BATCHES = (1, 8)
_REAL: frozenset[Evidence] = frozenset({"device", "host-runtime"})
_WARM_UP = 3
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Machine:
    """What the figures were taken on."""

    processor: str
    cores: int
    system: str
    python: str


@dataclass(frozen=True)
class Latency:
    """Time for one call with a batch of photos.

    Attributes:
        batch: Photos in the call.
        median_ms: Median over the runs, milliseconds.
        p90_ms: 90th percentile over the runs, milliseconds.
        ratio: Median over the rounds of this time by :data:`BASE`'s of the same round; None without the latter.
    """

    batch: int
    median_ms: float
    p90_ms: float
    ratio: float | None


@dataclass(frozen=True)
class Measured:
    """One artifact's figures.

    Attributes:
        name: ``<target>-<precision>``.
        runtime: The runtime with its version.
        evidence: What running it here is worth.
        artifact_bytes: Size of the artifact.
        first_answer_s: From a process without the runtime to the first answer: import, load, first photo; seconds.
        memory_mib: What that adds to the process' resident memory, MiB; None where the system does not tell.
        latencies: One for each batch size that the artifact takes.
    """

    name: str
    runtime: str
    evidence: Evidence
    artifact_bytes: int
    first_answer_s: float
    memory_mib: float | None
    latencies: tuple[Latency, ...]


@dataclass(frozen=True)
class Benchmark:
    """The whole result; `skipped` maps the artifacts that this machine cannot really execute to the reason."""

    machine: Machine
    threads: int
    runs: int
    artifacts: tuple[Measured, ...]
    skipped: dict[str, str]


def benchmark(
    exports: Sequence[Export],
    photos: NDArray[np.uint8],
    *,
    runs: int,
    threads: int,
    progress: Progress | None = None,
) -> Benchmark:
    """Measure artifacts in turns, one call of each in every round, so that all share the machine's noise.

    Args:
        exports: What to measure.
        photos: Prepared photos, uint8 [N, S, S, 3]; calls take them in turn.
        runs: Rounds for each batch size, after a few to warm up.
        threads: CPU threads of each runtime that leaves a choice.
        progress: Called with the number of finished rounds.

    Raises:
        IntegrityError: An artifact's bytes are not the recorded ones.
    """
    with ExitStack() as stack:
        loaded, skipped = _load_all(exports, threads, stack)
        times = _all_times(loaded, photos, runs, progress)
    starts = {name: _fresh_start(one.export, photos[:1], threads) for name, one in loaded.items()}
    artifacts = tuple(
        Measured(
            name=name,
            runtime=one.execution.runtime.name,
            evidence=one.execution.evidence,
            artifact_bytes=one.export.record.artifact_bytes,
            first_answer_s=starts[name][0],
            memory_mib=starts[name][1],
            latencies=tuple(_latency(batch, rounds, name) for batch, rounds in times.items() if name in rounds),
        )
        for name, one in loaded.items()
    )
    return Benchmark(this_machine(), threads, runs, artifacts, skipped)


@dataclass(frozen=True)
class _Loaded:
    export: Export
    execution: Execution

    def takes(self, batch: int) -> bool:
        return batch == 1 or get_target(self.export.record.target).capabilities.dynamic_batch


def _load_all(exports: Sequence[Export], threads: int, stack: ExitStack) -> tuple[dict[str, _Loaded], dict[str, str]]:
    """Return what this machine can really execute, opened on `stack`, and why it cannot the rest; both by name."""
    loaded: dict[str, _Loaded] = {}
    skipped: dict[str, str] = {}
    for export in exports:
        export.checked()
        try:
            execution = get_target(export.record.target).execution(export.path, threads)
        except UnavailableError as error:
            skipped[export.path.name] = error.message
            continue
        stack.enter_context(execution.runtime)
        if execution.evidence in _REAL:
            loaded[export.path.name] = _Loaded(export, execution)
        else:
            skipped[export.path.name] = f"only {execution.evidence} here: {execution.reason}"
    return loaded, skipped


def this_machine() -> Machine:
    """Return what this process runs on."""
    return Machine(_processor(), os.cpu_count() or 1, platform.platform(), platform.python_version())


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model"))]
    return names[0] if names else platform.processor() or platform.machine()


def _all_times(
    loaded: dict[str, _Loaded], photos: NDArray[np.uint8], runs: int, progress: Progress | None
) -> dict[int, dict[str, list[float]]]:
    """Return seconds by batch size and artifact, one for each round."""
    times: dict[int, dict[str, list[float]]] = {}
    for done, batch in enumerate(BATCHES):
        runtimes = {name: one.execution.runtime for name, one in loaded.items() if one.takes(batch)}
        times[batch] = {name: [] for name in runtimes}
        for number, timed in enumerate(_rounds(runtimes, photos, batch, _WARM_UP + runs), start=1 - _WARM_UP):
            for name, seconds in timed.items() if number > 0 else ():
                times[batch][name].append(seconds)
            if progress is not None:
                progress(done * runs + max(number, 0), len(BATCHES) * runs)
    return times


def _rounds(
    runtimes: dict[str, Runtime], photos: NDArray[np.uint8], batch: int, rounds: int
) -> Iterator[dict[str, float]]:
    for number in range(rounds):
        tensors = photos[np.arange(number * batch, (number + 1) * batch) % len(photos)]
        yield {name: _seconds(runtime, tensors) for name, runtime in runtimes.items()}


def _seconds(runtime: Runtime, tensors: NDArray[np.uint8]) -> float:
    started = time.perf_counter()
    runtime.predict(tensors)
    return time.perf_counter() - started


def _latency(batch: int, rounds: dict[str, list[float]], name: str) -> Latency:
    seconds = np.asarray(rounds[name])
    ratio = float(np.median(seconds / np.asarray(rounds[BASE]))) if BASE in rounds else None
    median, p90 = (float(value) * 1000 for value in np.percentile(seconds, (50, 90)))
    return Latency(batch, round(median, 3), round(p90, 3), None if ratio is None else round(ratio, 3))


def _fresh_start(export: Export, photo: NDArray[np.uint8], threads: int) -> tuple[float, float | None]:
    """Return the seconds and the MiB up to the first answer in a process of its own."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_first_answer, (export.record.target, export.path, photo, threads))


def _first_answer(target: str, folder: Path, photo: NDArray[np.uint8], threads: int) -> tuple[float, float | None]:
    before, started = _resident_mib(), time.perf_counter()
    with get_target(target).execution(folder, threads).runtime as runtime:
        runtime.predict(photo)
        seconds, after = time.perf_counter() - started, _resident_mib()
    return round(seconds, 3), None if before is None or after is None else round(after - before, 1)


def _resident_mib() -> float | None:
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    found = [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:")]
    return found[0] if found else None
