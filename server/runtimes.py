"""Which runtime serves which artifact: the best that bundle and machine allow, and the reason in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bundle.errors import BundleError, EngineMismatchError, UnavailableError, UsageError
from bundle.store import Bundle, Export
from runtimes.base import Runtime
from server.config import ServerConfig


@dataclass(frozen=True)
class Candidate:
    """A runtime that a server can use.

    Attributes:
        name: Its name in ``--runtime``.
        title: Its name for people.
        target: The export target whose artifacts it runs.
        precisions: Which of them to prefer, best first.
        load: Opens an artifact with a number of CPU threads; UnavailableError where this machine lacks the runtime.
    """

    name: str
    title: str
    target: str
    precisions: tuple[str, ...]
    load: Callable[[Export, int | None], Runtime]


@dataclass(frozen=True)
class Live:
    """A loaded artifact with the reason for choosing it."""

    runtime: Runtime
    export: Export
    reason: str


def _load_tensorrt(export: Export, threads: int | None) -> Runtime:
    from runtimes.tensorrt import TensorRTEngine

    return TensorRTEngine(export.path)


def _load_onnxruntime(export: Export, threads: int | None) -> Runtime:
    from runtimes.onnxruntime import OnnxRuntime

    return OnnxRuntime(export.artifact, threads)


def _load_litert(export: Export, threads: int | None) -> Runtime:
    from runtimes.litert import LiteRT

    return LiteRT(export.artifact, threads)


CANDIDATES = (
    Candidate("tensorrt", "TensorRT", "tensorrt", ("fp16", "fp32", "int8"), _load_tensorrt),
    Candidate("onnxruntime", "ONNX Runtime", "onnx", ("fp32", "int8"), _load_onnxruntime),
    Candidate("litert", "LiteRT", "tflite", ("fp32", "fp16", "int8", "int8-full"), _load_litert),
)


def choose(bundle: Bundle, config: ServerConfig, candidates: tuple[Candidate, ...] = CANDIDATES) -> Live:
    """Load the first artifact, in the candidates' order, that `config` allows and this machine can run.

    Raises:
        UsageError: `config` names a runtime that is none.
        UnavailableError: Nothing can be served; the message names what was tried and why it was passed over.
        IntegrityError: The chosen artifact's bytes are not the recorded ones.
        BundleError: The chosen artifact carries other labels than the bundle.
    """
    passed_over: dict[str, None] = {}  # an ordered set: three TensorRT kits fail for the same reason once
    for candidate in _allowed(candidates, config.runtime):
        exports = _exports(bundle, candidate, config.precision)
        if not exports:
            passed_over[f"no {candidate.title}: the bundle holds no {_wanted(candidate, config)} export"] = None
        for export in exports:
            try:
                runtime = _load(bundle, candidate, export, config.threads)
            except (UnavailableError, EngineMismatchError) as error:
                passed_over[f"no {candidate.title}: {error.message}"] = None
            else:
                return Live(runtime, export, _reason(config, tuple(passed_over)))
    raise UnavailableError(
        f"Nothing in {bundle.path} can be served here ({'; '.join(passed_over)}).",
        remedy="Run `dermport export` on the bundle, or install a runtime: pip install 'dermport[server]'.",
    )


def _allowed(candidates: tuple[Candidate, ...], name: str | None) -> tuple[Candidate, ...]:
    chosen = tuple(candidate for candidate in candidates if name in (None, candidate.name))
    if not chosen:
        names = ", ".join(candidate.name for candidate in candidates)
        raise UsageError(f"There is no runtime {name!r}.", remedy=f"Runtimes: {names}.")
    return chosen


def _exports(bundle: Bundle, candidate: Candidate, precision: str | None) -> tuple[Export, ...]:
    by_precision = {e.record.precision: e for e in bundle.exports() if e.record.target == candidate.target}
    wanted = (precision,) if precision else candidate.precisions
    return tuple(by_precision[name] for name in wanted if name in by_precision)


def _load(bundle: Bundle, candidate: Candidate, export: Export, threads: int | None) -> Runtime:
    export.checked()
    runtime = candidate.load(export, threads)
    if runtime.labels != bundle.manifest.task.ids:
        raise BundleError(
            f"{export.artifact} carries the labels {', '.join(runtime.labels)}, not the bundle's.",
            remedy="Run `dermport export --force` on the bundle.",
        )
    return runtime


def _wanted(candidate: Candidate, config: ServerConfig) -> str:
    return f"{candidate.target} {config.precision}" if config.precision else candidate.target


def _reason(config: ServerConfig, passed_over: tuple[str, ...]) -> str:
    if config.runtime:
        return "chosen by --runtime"
    return "; ".join(passed_over) or "the best runtime that this machine has"
