"""A candidate on its way to a worker, which may be another process, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass

from dermport.compression.search.bench import Bench
from dermport.compression.search.candidate import Candidate
from dermport.compression.search.record import Measured
from dermport.compression.search.space import as_it_is
from dermport.compression.search.starts import PARENT
from dermport.errors import ExportError, UsageError
from dermport.progress import Progress

_at_hand: dict[str, Bench] = {}
"""The bench that this process measures on; it keeps what all candidates need, as decoded photos and the base."""


@dataclass(frozen=True)
class Attempt:
    """A candidate to measure.

    Attributes:
        bench: What measures it; a worker unpacks it once and keeps it for the search's next candidates.
        candidate: What is to be measured.
        number: Its number, unless another one that is under way is done before it.
    """

    bench: Bench
    candidate: Candidate
    number: int


@dataclass(frozen=True)
class Refused:
    """A candidate that cannot be made, and why."""

    candidate: Candidate
    why: str


def attempt(work: Attempt, progress: Progress) -> Measured | Refused:
    """Make and measure a candidate in this process; a network that cannot be changed so is no reason to end the search.

    Raises:
        DermportError: Nothing can be measured here: the parent as it is cannot, or something else is wrong.
    """
    bench = _kept(work.bench)
    try:
        return bench.measure(work.candidate, work.number)
    except (UsageError, ExportError) as error:
        if work.candidate.structure == as_it_is(bench.workshop.starts[PARENT]):
            raise
        return Refused(work.candidate, error.message)


def _kept(bench: Bench) -> Bench:
    """Return the bench that this process has of that search already, else this one."""
    if bench.id not in _at_hand:
        _at_hand.clear()
        _at_hand[bench.id] = bench
    return _at_hand[bench.id]
