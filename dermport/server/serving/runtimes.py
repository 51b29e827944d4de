"""Which runtime serves which artifact: the best that bundle and machine allow, and the reason in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dermport.bundle.golden import GoldenSet
from dermport.bundle.store import Bundle, Export
from dermport.errors import BundleError, EngineMismatchError, UnavailableError, UsageError
from dermport.runtimes.base import Runtime
from dermport.runtimes.registry import SERVING, RuntimeSpec
from dermport.server.config import ProcessModel, ServingConfig
from dermport.server.serving.backend import Backend
from dermport.server.serving.engine import BatchedEngine
from dermport.server.serving.single import Publish, SingleRuntime, unpublished


@dataclass(frozen=True)
class ServingCandidate:
    """A runtime that a server can use.

    Attributes:
        name: Its name in ``--runtime``.
        title: Its name for people.
        target: The export target whose artifacts it runs.
        precisions: Which of them to prefer, best first.
        process_model: Which suits it: a GPU's context is not to be shared by processes, a CPU's cores are.
        load: Opens an artifact with a number of CPU threads; UnavailableError where this machine lacks the runtime.
    """

    name: str
    title: str
    target: str
    precisions: tuple[str, ...]
    process_model: ProcessModel
    load: Callable[[Export, int | None], Runtime]


@dataclass(frozen=True)
class Chosen:
    """A loaded artifact with the reason for choosing it."""

    backend: Backend
    export: Export
    reason: str


@dataclass(frozen=True)
class BackendSetup:
    """What every backend is opened with.

    Attributes:
        bundle: The model.
        golden: Its golden set.
        serving: How photos are answered.
        publish: Is told how busy the backend is.
    """

    bundle: Bundle
    golden: GoldenSet
    serving: ServingConfig
    publish: Publish = unpublished


def _candidate(runtime: RuntimeSpec) -> ServingCandidate:
    def load(export: Export, threads: int | None) -> Runtime:
        return runtime.open(export.artifact, threads)

    model: ProcessModel = "batcher" if runtime.gpu else "workers"
    return ServingCandidate(runtime.name, runtime.title, runtime.target, runtime.precisions, model, load)


CANDIDATES = tuple(_candidate(runtime) for runtime in SERVING)


def choose(setup: BackendSetup, candidates: tuple[ServingCandidate, ...] = CANDIDATES) -> Chosen:
    """Load the first artifact, in the candidates' order, that the configuration allows and this machine can run.

    Raises:
        UsageError: The configuration names a runtime that is none.
        UnavailableError: Nothing can be served; the message names what was tried and why it was passed over.
        IntegrityError: The chosen artifact's bytes are not the recorded ones.
        BundleError: The chosen artifact carries other labels than the bundle.
    """
    bundle, serving = setup.bundle, setup.serving
    passed_over: dict[str, None] = {}  # an ordered set: three TensorRT kits fail for the same reason once
    for candidate in _allowed(candidates, serving.runtime):
        exports = _exports(bundle, candidate, serving.precision)
        if not exports:
            passed_over[f"no {candidate.title}: the bundle holds no {_wanted(candidate, serving)} export"] = None
        for export in exports:
            try:
                backend = _open(setup, candidate, export)
            except (UnavailableError, EngineMismatchError) as error:
                passed_over[f"no {candidate.title}: {error.message}"] = None
            else:
                return Chosen(backend, export, _reason(serving, tuple(passed_over)))
    raise UnavailableError(
        f"Nothing in {bundle.path} can be served here ({'; '.join(passed_over)}).",
        remedy="Run `dermport export` on the bundle, or install a runtime: pip install 'dermport[server]'.",
    )


def _allowed(candidates: tuple[ServingCandidate, ...], name: str | None) -> tuple[ServingCandidate, ...]:
    chosen = tuple(candidate for candidate in candidates if name in (None, candidate.name))
    if not chosen:
        names = ", ".join(candidate.name for candidate in candidates)
        raise UsageError(f"There is no runtime {name!r}.", remedy=f"Runtimes: {names}.")
    return chosen


def _exports(bundle: Bundle, candidate: ServingCandidate, precision: str | None) -> tuple[Export, ...]:
    by_precision = {e.record.precision: e for e in bundle.exports() if e.record.target == candidate.target}
    wanted = (precision,) if precision else candidate.precisions
    return tuple(by_precision[name] for name in wanted if name in by_precision)


def _open(setup: BackendSetup, candidate: ServingCandidate, export: Export) -> Backend:
    serving, manifest, golden = setup.serving, setup.bundle.manifest, setup.golden
    spec, surveys = manifest.preprocessing, manifest.abstention is not None
    model = candidate.process_model if serving.process_model == "auto" else serving.process_model
    export.checked()
    backend: Backend
    if model == "workers":
        runtime = candidate.load(export, 1)
        backend = SingleRuntime(runtime, spec, golden, serving, surveys=surveys, publish=setup.publish)
    else:
        backend = BatchedEngine(candidate.load(export, serving.threads), spec, golden, serving, surveys=surveys)
    if backend.labels != manifest.task.ids:
        backend.close()
        raise BundleError(
            f"{export.artifact} carries the labels {', '.join(backend.labels)}, not the bundle's.",
            remedy="Run `dermport export --force` on the bundle.",
        )
    return backend


def _wanted(candidate: ServingCandidate, serving: ServingConfig) -> str:
    return f"{candidate.target} {serving.precision}" if serving.precision else candidate.target


def _reason(serving: ServingConfig, passed_over: tuple[str, ...]) -> str:
    if serving.runtime:
        return "chosen by --runtime"
    return "; ".join(passed_over) or "the best runtime that this machine has"
