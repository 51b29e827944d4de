"""How long an artifact takes for one photo: timed in turns with the base, or by another device's profile."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.export_record import Evidence
from dermport.bundle.store import Export
from dermport.compression.search.candidate import LatencyRecord
from dermport.errors import UsageError
from dermport.exporters.benchmark.machine import this_machine
from dermport.runtimes.base import Runtime
from dermport.statistics.bootstrap import percentile_interval, resampled_clusters

_WARM_UP = 3
_DECILE = 10
_GOES = 5  # at most, of the rounds that were asked
_NARROW = 0.04
_RESAMPLES = 300
_REAL: frozenset[Evidence] = frozenset({"device", "host-runtime"})


@dataclass(frozen=True)
class OpenArtifact:
    """An artifact that is open, with the photos that it is asked about.

    Attributes:
        export: The artifact.
        runtime: What executes it.
        evidence: What that is worth.
        photos: Prepared at its size, uint8 [N, S, S, 3].
        macs: Its multiply-accumulates for one photo.
    """

    export: Export
    runtime: Runtime
    evidence: Evidence
    photos: NDArray[np.uint8]
    macs: int

    @property
    def name(self) -> str:
        """``<target>-<precision>``."""
        return f"{self.export.record.target}-{self.export.record.precision}"


class LatencySource(Protocol):
    """Tells the latency of an artifact and of the base, which is what ratios are to."""

    @property
    def device(self) -> str:
        """What the latencies are of."""
        ...

    @property
    def times_calls(self) -> bool:
        """Whether it times calls, which other work on the machine disturbs."""
        ...

    def latency(self, loaded: OpenArtifact, base: OpenArtifact) -> LatencyRecord:
        """Return the latency for one photo.

        Raises:
            UsageError: This source cannot tell it of such an artifact.
        """
        ...


@dataclass(frozen=True)
class MeasuredLatency:
    """Times calls on this machine; the base takes part in every round, so that both share the machine's noise.

    What counts is the fast decile of each one's calls: other work on the machine only ever adds time, on two busy
    cores to most calls. Where the ratio's interval is wide, more rounds are taken.

    Attributes:
        rounds: Timed calls of each; several times as many on a machine that is not quiet.
    """

    rounds: int

    @property
    def device(self) -> str:
        """The processor of the machine that this is asked on."""
        return this_machine().processor

    @property
    def times_calls(self) -> bool:
        """It does."""
        return True

    def latency(self, loaded: OpenArtifact, base: OpenArtifact) -> LatencyRecord:
        """Return the fast decile over the rounds; see :class:`LatencySource`."""
        if loaded.evidence not in _REAL:
            raise UsageError(
                f"{loaded.name} cannot be timed here: this machine has only {loaded.evidence} for it.",
                remedy="Choose a target that runs here (dermport targets), or a profile of its device: --device FILE.",
            )
        for number in range(_WARM_UP):
            _round(loaded, base, number)
        times = np.empty((0, 2))
        for _ in range(_GOES):
            more = [_round(loaded, base, number) for number in range(self.rounds)]
            times = np.concatenate([times, more])
            low, high = _interval(times)
            if high - low <= _NARROW * low:
                break
        own, its = np.percentile(times, _DECILE, axis=0)
        return LatencyRecord(
            source="measured",
            device=self.device,
            ms=round(float(own) * 1000, 4),
            ratio=round(float(own / its), 4),
            low=round(low, 4),
            high=round(high, 4),
            rounds=len(times),
        )


def _interval(times: NDArray[np.float64]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the ratio of the fast deciles, of times [rounds, 2]."""
    own, its = np.percentile(times[resampled_clusters(len(times), _RESAMPLES)], _DECILE, axis=1).T
    low, high = percentile_interval(own / its)
    return float(low), float(high)


def _round(loaded: OpenArtifact, base: OpenArtifact, number: int) -> tuple[float, float]:
    """Return the seconds of one call each; which comes first changes from round to round."""
    if number % 2:
        own = _seconds(loaded, number)
        return own, _seconds(base, number)
    its = _seconds(base, number)
    return _seconds(loaded, number), its


def _seconds(loaded: OpenArtifact, number: int) -> float:
    photo = loaded.photos[number % len(loaded.photos)][None]
    started = time.perf_counter()
    loaded.runtime.predict(photo)
    return time.perf_counter() - started
