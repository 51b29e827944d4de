"""Timing in turns: one call of every artifact in every round, so that all of them share the machine's noise.

A machine's clock, temperature and neighbours change over minutes. Artifacts that are timed one after the other differ
by that as well; within a round they do not, so ratios are taken round by round. Each pass takes another order, so that
none always runs in the caches that the same neighbour left.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.benchmark_record import BenchmarkSettings
from dermport.errors import UnavailableError
from dermport.progress import Update

Key = TypeVar("Key", bound=Hashable)
Times = dict[int, list[list[float]]]


class Timed(Protocol):
    """What can be timed (:class:`dermport.exporters.benchmark.process.Process`)."""

    def timed(self, indices: NDArray[np.intp]) -> float:
        """Return the seconds of one call with the photos of these indices."""
        ...

    def peak_mib(self) -> float | None:
        """Return the most memory that it ever held, MiB."""
        ...


@dataclass
class Course:
    """What was measured of one artifact.

    Attributes:
        times: Seconds of every call by batch size, one list for each pass, in the order of the rounds.
        peaks: The most memory ever held when the first pass with a batch size had ended, MiB, by batch size.
        failure: Why it left the course, empty where it stayed to the end.
    """

    times: Times = field(default_factory=dict)
    peaks: dict[int, float | None] = field(default_factory=dict)
    failure: str = ""


def run_rounds(
    contestants: Mapping[Key, Timed],
    batches: Mapping[Key, Sequence[int]],
    photos: int,
    settings: BenchmarkSettings,
    update: Update | None = None,
) -> dict[Key, Course]:
    """Time all artifacts in turns: `settings.repeats` passes of `settings.runs` rounds for each batch size.

    Args:
        contestants: What is timed.
        batches: The batch sizes that each of them takes.
        photos: How many photos each of them holds; calls take them in turn.
        settings: Runs, repeats, warm-up, batch sizes and seed.
        update: Called with the number of finished rounds.
    """
    courses: dict[Key, Course] = {key: Course() for key in contestants}
    random = np.random.default_rng(settings.seed)
    done, rounds = 0, settings.repeats * settings.runs * len(settings.batches)
    for _ in range(settings.repeats):
        order = [list(contestants)[index] for index in random.permutation(len(contestants))]
        for batch in settings.batches:
            turn = {key: contestants[key] for key in order if batch in batches[key]}
            for number in range(-settings.warm_up, settings.runs):
                indices = np.arange(number * batch, (number + 1) * batch) % photos
                _run_round(turn, courses, indices, new_pass=number == 0, counted=number >= 0)
                if update is not None and number >= 0:
                    update(done := done + 1, rounds)
            for key, one in turn.items():
                if not courses[key].failure:
                    courses[key].peaks.setdefault(batch, one.peak_mib())
    return courses


def _run_round(
    turn: Mapping[Key, Timed], courses: dict[Key, Course], indices: NDArray[np.intp], *, new_pass: bool, counted: bool
) -> None:
    """Call each artifact once; one that fails leaves the course, and the others go on."""
    for key, one in turn.items():
        course = courses[key]
        if course.failure:
            continue
        try:
            seconds = one.timed(indices)
        except UnavailableError as error:
            course.failure = error.message
            continue
        passes = course.times.setdefault(len(indices), [])
        if new_pass:
            passes.append([])
        if counted:
            passes[-1].append(seconds)
