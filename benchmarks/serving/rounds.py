"""Rounds: servers take turns under load, each beside the in-process limit before and after it."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from benchmarks.serving.conditions import Conditions
from benchmarks.serving.dermport import Dermport
from benchmarks.serving.http import ask
from benchmarks.serving.limit import InProcessLimit
from benchmarks.serving.load import LoadResult, Stream, drive
from benchmarks.serving.photos import RequestPhotos
from benchmarks.serving.servers import Running, Server, running
from benchmarks.tables import say
from dermport.errors import UnavailableError

TOLERANCE = 1e-5
_CHECKED = 3  # photos whose probabilities are held against the in-process ones before each load
_LIMIT_SHARE = 0.5  # of a load's seconds, for each measurement of the limit


@dataclass(frozen=True)
class LoadCase:
    """A load.

    Attributes:
        name: What tables call it.
        clients: How many.
        photos: What each of them sends in turn.
        compares: Whether they post comparisons of our own server's instead of asking for labels.
    """

    name: str
    clients: int
    photos: RequestPhotos
    compares: bool = False


@dataclass(frozen=True)
class Entry:
    """A server with the loads it is put under, and the limit of its own runtime."""

    server: Server
    limit: InProcessLimit
    cases: tuple[LoadCase, ...]


@dataclass(frozen=True)
class LoadFigures:
    """A server under one load, in one round or as the medians over all.

    Attributes:
        rate: Photos answered in a second.
        limit: The in-process limit in photos a second: the mean of before and after.
        of_limit: `rate` by `limit`.
        p50_ms: Median latency, milliseconds.
        p99_ms: 99th percentile of the latencies, milliseconds.
        tail: `p99_ms` by `p50_ms`.
        cpu_ms: Processor time that all processes of the server take for a request, milliseconds.
        own_us: The load generator's own CPU time for a request, microseconds.
        own_share: The load generator's CPU time as a share of one core's.
        errors: Requests that were not answered, or not with 200, by kind; in the medians, of all rounds together.
    """

    rate: float
    limit: float
    of_limit: float
    p50_ms: float
    p99_ms: float
    tail: float
    cpu_ms: float
    own_us: float
    own_share: float
    errors: dict[str, int]

    @classmethod
    def of(cls, outcome: LoadResult, stream: str, limit: float, cpu_seconds: float) -> LoadFigures:
        """Return what a stream of clients saw; UnavailableError where nothing was answered."""
        counts = outcome.streams[stream]
        if not (counts.answered and counts.latencies):
            raise UnavailableError(f"no photo was answered ({stream}); errors: {dict(counts.errors)}")
        p50, p99 = (1000 * counts.percentile(percent) for percent in (50, 99))
        rate = counts.answered / outcome.seconds
        own = outcome.own_microseconds, outcome.own_seconds / outcome.seconds
        cpu_ms = 1000 * cpu_seconds / counts.requests
        return cls(rate, limit, rate / limit, p50, p99, p99 / p50, cpu_ms, *own, dict(counts.errors))

    @classmethod
    def median(cls, rounds: Sequence[LoadFigures]) -> LoadFigures:
        """Return the medians over rounds."""
        names = [one.name for one in fields(cls) if one.name != "errors"]
        medians = {name: statistics.median(getattr(one, name) for one in rounds) for name in names}
        return cls(**medians, errors=dict(sum((Counter(one.errors) for one in rounds), Counter())))


@dataclass(frozen=True)
class Footprint:
    """One server in one round.

    Attributes:
        seconds: From its start to its first answer.
        processes: How many it has.
        rss: MiB of the process with the most resident memory, after all loads.
        pss: MiB of the process with the most, pages shared with others counted in proportion.
        total: MiB of all processes together, pages that they share counted once.
    """

    seconds: float
    processes: int
    rss: float
    pss: float
    total: float

    @classmethod
    def of(cls, live: Running) -> Footprint:
        """Return what a server takes now."""
        memory = live.memory()
        rss, pss = [one.rss for one in memory], [one.pss for one in memory]
        return cls(live.seconds, len(memory), max(rss), max(pss), sum(pss))

    @classmethod
    def median(cls, rounds: Sequence[Footprint]) -> Footprint:
        """Return the medians over rounds."""
        return cls(*(statistics.median(getattr(one, name.name) for one in rounds) for name in fields(cls)))


@dataclass
class Results:
    """What came of the rounds.

    Attributes:
        figures: By server and case, one a round.
        footprints: By server, one a round.
        failures: Why a server was left out, by its name.
    """

    figures: dict[str, dict[str, list[LoadFigures]]] = field(default_factory=dict)
    footprints: dict[str, list[Footprint]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def median(self, server: str, case: str) -> LoadFigures:
        """Return the medians of a server under a load."""
        return LoadFigures.median(self.figures[server][case])

    def ratio(self, server: str, case: str, to_server: str, to_case: str) -> float:
        """Return how many times the rate is that of another load: the median of each round's ratio."""
        pairs = zip(self.figures[server][case], self.figures[to_server][to_case], strict=True)
        return statistics.median(one.rate / other.rate for one, other in pairs)

    def document(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        servers = {
            server: {
                case: {"median": asdict(LoadFigures.median(rounds)), "rounds": [asdict(one) for one in rounds]}
                for case, rounds in cases.items()
            }
            for server, cases in self.figures.items()
        }
        footprints = {server: asdict(Footprint.median(rounds)) for server, rounds in self.footprints.items()}
        return {"servers": servers, "footprints": footprints, "failures": self.failures}


def in_turns(entries: Sequence[Entry], conditions: Conditions) -> Results:
    """Put every server under its loads, in every round; one that fails is reported, and left out from then on."""
    results = Results()
    for number in range(conditions.rounds):
        first = number % len(entries)  # who comes first would otherwise always meet the coolest machine
        for entry in [*entries[first:], *entries[:first]]:
            name = entry.server.name
            if name in results.failures:
                continue
            say(f"round {number + 1} of {conditions.rounds}: {name}")
            try:
                measured, footprint = _measure(entry, conditions)
            except UnavailableError as error:
                results.failures[name] = error.message
                results.figures.pop(name, None)
                say(f"  left out: {error.message}")
                continue
            results.footprints.setdefault(name, []).append(footprint)
            for case, figures in measured.items():
                results.figures.setdefault(name, {}).setdefault(case, []).append(figures)
    return results


def check(live: Running, limit: InProcessLimit, photos: RequestPhotos) -> float:
    """Return by how much any probability differs at most from the in-process one, on a few photos.

    Raises:
        UnavailableError: By more than :data:`TOLERANCE`, or there is no answer.
    """
    few = photos.photos[:_CHECKED]
    worst = 0.0
    for photo, expected in zip(few, limit.probabilities(few), strict=True):
        status, body = ask(live.address, live.server.request(photo), timeout=60.0)
        if status != 200:
            raise UnavailableError(f"a {photos.name} photo was answered with {status}: {body[:200]!r}")
        answer = live.server.probabilities(body)
        if answer.keys() != expected.keys():
            raise UnavailableError(f"the labels are {', '.join(answer)}, not {', '.join(expected)}")
        worst = max(worst, *(abs(answer[label] - value) for label, value in expected.items()))
    if worst > TOLERANCE:
        raise UnavailableError(f"a probability differs by {worst:.2g} from the in-process one")
    return worst


def stream(server: Server, case: LoadCase) -> Stream:
    """Return the clients of a case that ask for labels, for that server."""
    return Stream(case.name, case.clients, [server.request(photo) for photo in case.photos.photos])


def comparisons(server: Dermport, case: LoadCase, limit: InProcessLimit) -> Stream:
    """Return the clients of a case that post what a phone has said, for our own server."""
    photos = case.photos.photos
    pairs = zip(photos, limit.probabilities(photos), strict=True)
    return Stream(case.name, case.clients, [server.comparison(photo, said) for photo, said in pairs])


def _measure(entry: Entry, conditions: Conditions) -> tuple[dict[str, LoadFigures], Footprint]:
    kinds = {case.photos.name: case.photos for case in entry.cases}
    before = _limits(entry.limit, kinds, conditions)
    outcomes, cpu = {}, {}
    with running(entry.server, entry.cases[0].photos.photos[0]) as live:
        for photos in kinds.values():
            check(live, entry.limit, photos)
        for case in entry.cases:
            one, began = _stream(entry, case), live.cpu_seconds()
            outcomes[case.name] = drive(live.address, [one], conditions.plan)
            cpu[case.name] = live.cpu_seconds() - began
        footprint = Footprint.of(live)
    after = _limits(entry.limit, kinds, conditions)
    limits = {kind: (before[kind] + after[kind]) / 2 for kind in kinds}
    figures = (
        LoadFigures.of(outcomes[case.name], case.name, limits[case.photos.name], cpu[case.name]) for case in entry.cases
    )
    return dict(zip(outcomes, figures, strict=True)), footprint


def _stream(entry: Entry, case: LoadCase) -> Stream:
    if case.compares and isinstance(entry.server, Dermport):
        return comparisons(entry.server, case, entry.limit)
    return stream(entry.server, case)


def _limits(limit: InProcessLimit, kinds: dict[str, RequestPhotos], conditions: Conditions) -> dict[str, float]:
    seconds = _LIMIT_SHARE * conditions.seconds
    return {kind: limit.measure(photos.photos, seconds) for kind, photos in kinds.items()}
