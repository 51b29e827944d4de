"""The whole of a search: candidates are asked for and measured, here or elsewhere, until there are enough."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dermport.bundle.store import Bundle
from dermport.compression.pipeline import split_of
from dermport.compression.search.builder import CandidateBuilder
from dermport.compression.search.candidate import Candidate, MeasuredCandidate
from dermport.compression.search.evaluator import (
    CandidateEvaluator,
    EvaluationTask,
    InfeasibleCandidate,
    evaluate_candidate,
)
from dermport.compression.search.latency import LatencySource, MeasuredLatency
from dermport.compression.search.photos import SearchPhotos
from dermport.compression.search.profile import PredictedLatency, load_profile
from dermport.compression.search.request import THIS_MACHINE, SearchRequest
from dermport.compression.search.space import SearchSpace, candidates, load_space, original_structure
from dermport.compression.search.starts import StartingBundle, open_starts
from dermport.compression.search.study import FILE, Study
from dermport.errors import UsageError
from dermport.exporters.registry import select
from dermport.progress import SILENT, Progress
from dermport.training.engines.engine import Engine, WorkItem
from dermport.training.engines.local import SerialEngine
from dermport.training.run import open_run


@dataclass(frozen=True)
class Search:
    """A search that is under way, or over.

    Attributes:
        request: What was asked.
        space: What may be combined.
        starts: The parent, and what else it starts from.
        evaluator: What measures candidates.
        study: What was measured.
        exports: Every ``<target>-<precision>`` that is searched.
    """

    request: SearchRequest
    space: SearchSpace
    starts: tuple[StartingBundle, ...]
    evaluator: CandidateEvaluator
    study: Study
    exports: tuple[str, ...]

    def run(self, progress: Progress, engine: Engine | None = None) -> tuple[MeasuredCandidate, ...]:
        """Measure candidates until there are enough, or time is over; return all, those of earlier runs with them.

        Args:
            progress: What a person sees.
            engine: Where candidates are made and measured; None for one after the other in this process.

        Raises:
            DermportError: The parent itself cannot be measured, or the engine is not there or lost a candidate.
        """
        late = _deadline(self.request.minutes)
        with progress.bar("Searching") as update:
            update(len(self.study.measured), self.request.trials)
            while self._wanted and not late():  # again where one was refused when no other was to be begun
                for outcome in (engine or SerialEngine()).run(evaluate_candidate, self._attempts(late), progress):
                    self._note(outcome, progress)
                    update(len(self.study.measured), self.request.trials)
        self._say_why(progress)
        return self.study.measured

    @property
    def _wanted(self) -> bool:
        """Whether another candidate is to be begun."""
        study = self.study
        return len(study.measured) + study.under_way < self.request.trials and bool(study.left)

    def _attempts(self, late: Callable[[], bool]) -> Iterator[WorkItem[EvaluationTask]]:
        """Yield the next candidate, as often as it is drawn; what is told meanwhile decides which one that is."""
        first = [candidate for candidate in self.singles() if candidate.export in self.exports]
        while self._wanted and not late() and (candidate := self.study.ask(first)):
            number = len(self.study.measured) + self.study.under_way
            yield WorkItem(candidate.name, EvaluationTask(self.evaluator, candidate, number))

    def _note(self, outcome: MeasuredCandidate | InfeasibleCandidate, progress: Progress) -> None:
        if isinstance(outcome, InfeasibleCandidate):
            self.study.refuse(outcome.candidate, outcome.why)
            progress.say(f"{outcome.candidate.name} cannot be made: {outcome.why}")
        else:
            progress.say(_line(self.study.tell(outcome)))

    def _say_why(self, progress: Progress) -> None:
        done, request = len(self.study.measured), self.request
        if done >= request.trials:
            return
        if not self.study.left:
            progress.say(f"All {done} candidates of the space are measured.")
        else:
            progress.say(f"{request.minutes:g} minutes are over: {done} of {request.trials} candidates.")

    def singles(self) -> list[Candidate]:
        """Return the candidates that come first: single recipes, which the combinations are held against.

        The parent in each precision; every other start in float32 (a quantised one in int8), and in the precisions
        that it was exported in.
        """
        return [Candidate(original_structure(start), export) for start in self.starts for export in self._alone(start)]

    def _alone(self, start: StartingBundle) -> tuple[str, ...]:
        if start.is_parent:
            return self.exports
        exported = {export.path.name for export in start.bundle.exports()}
        if start.changeable:
            exported.add(self.evaluator.base_export)
        return tuple(name for name in self.exports if name in exported or (not start.changeable and "int8" in name))

    def about(self) -> dict[str, Any]:
        """Return what was asked and what it started from, as JSON for the report."""
        request, parent = self.request, self.starts[0].bundle.manifest
        return {
            "parent": parent.name,
            "starts": [
                {"name": start.name, "origin": start.origin, "model_sha256": start.bundle.model_sha256}
                for start in self.starts
            ],
            "space": self.space.model_dump(mode="json"),
            "exports": list(self.exports),
            "base": self.evaluator.base_export,
            "device": self.evaluator.latency_source.device,
            "steps": request.steps,
            "rounds": request.rounds,
            "threads": request.threads,
            "seed": request.seed,
            "trials": request.trials,
            "refused": {candidate.name: why for candidate, why in self.study.refused.items()},
        }


def open_search(request: SearchRequest, progress: Progress) -> Search:
    """Begin a search, or go on with the one in its folder.

    Raises:
        UsageError: The folder holds a search that was asked for something else, or an option cannot be meant.
        DataError: The photos are not those that the parent was trained on.
        BundleError: A bundle is damaged.
    """
    starts = open_starts(Bundle.open(request.parent), request.starts)
    parent = starts[0].bundle
    space = load_space(request.space)
    exports, base = searched(request, space)
    latency_source = latency_source_of(request)
    run = open_run(request.out / "study", _identity(request, space, starts, exports, latency_source))
    if run.resumed:
        progress.say(f"Going on with the search in {request.out}.")
    split = split_of(parent, request.data.absolute(), jobs=request.jobs or None, progress=progress)
    drawn = request.steps * space.tune.batch
    photos = SearchPhotos(split, parent.manifest.preprocessing, drawn, request.seed, request.jobs or None, SILENT)
    folder = run.folder.absolute() / "structures"
    builder = CandidateBuilder(_anywhere(starts), space, request.steps, photos, folder, request.seed)
    evaluator = CandidateEvaluator(builder, photos, latency_source, base, request.threads)
    study = Study(request.out / FILE, candidates(space, starts, exports), request.seed)
    return Search(request, space, starts, evaluator, study, exports)


def _anywhere(starts: Sequence[StartingBundle]) -> dict[str, StartingBundle]:
    """Return the starts by name, with paths that mean the same in a process that runs in another folder."""
    bundles = {start.name: replace(start.bundle, path=start.bundle.path.absolute()) for start in starts}
    return {start.name: replace(start, bundle=bundles[start.name]) for start in starts}


def searched(request: SearchRequest, space: SearchSpace) -> tuple[tuple[str, ...], str]:
    """Return every ``<target>-<precision>`` that is searched, and the one of the parent that is the base.

    Raises:
        UsageError: A target or precision is unknown or left out by the space, or cannot be made here.
    """
    chosen = select(list(request.targets), list(request.precisions) or None)
    for target, _ in chosen:
        if reason := target.unavailable():
            raise UsageError(f"This machine cannot export to {target.capabilities.name}: {reason}")
    names = [
        f"{target.capabilities.name}-{recipe.precision}"
        for target, recipes in chosen
        for recipe in recipes
        if recipe.precision not in space.without
    ]
    if not names:
        raise UsageError(f"The space leaves out {', '.join(space.without)}: nothing is left to search.")
    first = chosen[0][0].capabilities
    return tuple(names), f"{first.name}-{first.recipes[0].precision}"


def latency_source_of(request: SearchRequest) -> LatencySource:
    """Return what tells latencies: this machine's watch, or a device's profile."""
    if request.device == THIS_MACHINE:
        return MeasuredLatency(request.rounds)
    return PredictedLatency(load_profile(Path(request.device)))


def _identity(
    request: SearchRequest,
    space: SearchSpace,
    starts: Sequence[StartingBundle],
    exports: Sequence[str],
    latency_source: LatencySource,
) -> dict[str, object]:
    """Return everything that decides the candidates and their figures."""
    return {
        "starts": {start.name: start.bundle.model_sha256 for start in starts},
        "space": space.model_dump(mode="json"),
        "exports": list(exports),
        "device": latency_source.device,
        "steps": request.steps,
        "rounds": request.rounds,
        "threads": request.threads,
        "seed": request.seed,
    }


def _deadline(minutes: float | None) -> Callable[[], bool]:
    """Return what tells whether so many minutes are over, from now on."""
    started = time.monotonic()
    return lambda: minutes is not None and time.monotonic() - started >= 60 * minutes


def _line(one: MeasuredCandidate) -> str:
    lost = round(one.points_lost, 1) + 0.0  # never "-0.0"
    return (
        f"{one.number}: {one.candidate.name}: {one.balanced_accuracy:.3f} balanced accuracy ({lost:.1f} points lost), "
        f"{one.latency.ratio:.2f} latency, {one.artifact_bytes / 1e6:.2f} MB; {one.seconds:.0f} s"
    )
