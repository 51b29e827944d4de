"""What a search found: its front, the pick of a budget, and how single recipes stand against the front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

from dermport.compression.search.budget import Budget
from dermport.compression.search.candidate import MeasuredCandidate
from dermport.statistics.pareto import on_front

NOISE = 0.03
"""Latencies closer than this share are not told apart when the front is held against single recipes."""


@dataclass(frozen=True)
class SingleRecipeComparison:
    """A single recipe against the combinations.

    Attributes:
        single: The recipe: the parent in a precision, or a start as it is in float32.
        on_front: Whether nothing dominates it.
        beaten_by: Combinations that are better by more than the noise of latency.
        beats: Combinations of the front that it is better than by more than that noise: none, by the front's nature.
    """

    single: MeasuredCandidate
    on_front: bool
    beaten_by: tuple[MeasuredCandidate, ...]
    beats: tuple[MeasuredCandidate, ...]


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        measured: Every candidate, in the order of the search.
        front: Those that none dominates, the most accurate first.
        single_recipes: How each single recipe stands.
        budget: What was set.
        picked: The candidate of the front that the budget picks; None where none was set, or none fits.
    """

    measured: tuple[MeasuredCandidate, ...]
    front: tuple[MeasuredCandidate, ...]
    single_recipes: tuple[SingleRecipeComparison, ...]
    budget: Budget
    picked: MeasuredCandidate | None

    @property
    def undominated(self) -> bool:
        """Whether no single recipe is better than a point of the front."""
        return not any(comparison.beats for comparison in self.single_recipes)


def result_of(measured: Sequence[MeasuredCandidate], budget: Budget) -> SearchResult:
    """Return what the candidates that were measured amount to."""
    best = front(measured)
    combined = [one for one in measured if not one.single]
    single_recipes = tuple(
        SingleRecipeComparison(
            single=one,
            on_front=one in best,
            beaten_by=tuple(other for other in combined if beats(other, one)),
            beats=tuple(other for other in best if beats(one, other)),
        )
        for one in measured
        if one.single
    )
    return SearchResult(tuple(measured), best, single_recipes, budget, budget.pick(best) if budget.limits else None)


def verdict(result: SearchResult) -> str:
    """Return in words whether any single recipe dominates the front, and what combining them gained."""
    singles = result.single_recipes
    if not singles:
        return "No single recipe was measured beside the combinations."
    if not result.undominated:
        names = ", ".join(comparison.single.candidate.name for comparison in singles if comparison.beats)
        return f"A single recipe dominates a point of the front: {names}."
    beaten, on_front = (
        sum(bool(comparison.beaten_by) for comparison in singles),
        sum(comparison.on_front for comparison in singles),
    )
    combined = sum(not one.single for one in result.front)
    return (
        f"No single recipe dominates a point of the front ({len(result.front)} points, {combined} of them "
        f"combinations). Of {len(singles)} single recipes, the parent as it is among them, {on_front} "
        f"{'is' if on_front == 1 else 'are'} on the front, and {beaten} {'is' if beaten == 1 else 'are'} dominated by "
        f"a combination, latencies within {NOISE:.0%} of each other taken as equal."
    )


def objectives(one: MeasuredCandidate) -> tuple[float, float, float]:
    """Return what is to be small: minus balanced accuracy, latency in milliseconds by the parent's, bytes."""
    return -one.balanced_accuracy, one.latency.ratio, float(one.artifact_bytes)


def front(measured: Sequence[MeasuredCandidate]) -> tuple[MeasuredCandidate, ...]:
    """Return those that no other one dominates, the best first; of equals all."""
    return tuple(sorted(compress(measured, on_front([objectives(one) for one in measured])), key=objectives))


def beats(one: MeasuredCandidate, other: MeasuredCandidate) -> bool:
    """Return whether `one` dominates `other`, latencies within the noise of each other taken as equal."""
    (quality, time, size), (its_quality, its_time, its_size) = objectives(one), objectives(other)
    clearly = time < its_time * (1 - NOISE)
    no_slower = time <= its_time * (1 + NOISE)
    no_worse = quality <= its_quality and size <= its_size and no_slower
    return no_worse and (quality < its_quality or size < its_size or clearly)
