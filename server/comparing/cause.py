"""The cause of a difference: a chain of answers from the phone's to the server's, and what each step changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from bundle.causes import SAME, Cause, largest_change
from bundle.wire import Step

CAUSES: dict[Cause, str] = {
    "same": "Equal inputs and equal probabilities.",
    "photo-changed": "The photo that arrived is not the one that the phone answered.",
    "preprocessing": "The same photo became different inputs: decoding, orientation, cropping or resizing differs.",
    "model": "Phone and server run different models.",
    "artifact": "Phone and server run different exports of one model: precision or conversion differs.",
    "runtime": "The same file gives other numbers on the phone: its runtime or its hardware differs.",
    "unexplained": "The cause is not shown, for evidence is missing.",
}


@dataclass(frozen=True)
class Station:
    """One answer to the photo, and what gave it.

    Attributes:
        probabilities: By label id.
        device: Where it was computed.
        artifact: sha256 of the file that was run.
        input: sha256 of the tensor that it was given.
    """

    probabilities: Mapping[str, float]
    device: Literal["phone", "server"]
    artifact: str
    input: str


@dataclass(frozen=True)
class Facts:
    """What hashes and records say, without running anything.

    Attributes:
        photo_changed: Whether another photo arrived than the phone answered; None where its sha256 is not known.
        same_model: Whether both files were exported from one model; None where the phone's model is not known.
        allowed: How far two sound exports of these precisions may be apart by the policy; None for no bound.
    """

    photo_changed: bool | None
    same_model: bool | None
    allowed: float | None = None


_INPUT: dict[bool | None, tuple[Cause, ...]] = {
    True: ("photo-changed",),
    False: ("preprocessing",),
    None: ("photo-changed", "preprocessing"),
}
_FILE: dict[bool | None, tuple[Cause, ...]] = {True: ("artifact",), False: ("model",), None: ("model", "artifact")}


def steps_between(stations: Sequence[Station], facts: Facts) -> tuple[Step, ...]:
    """Return the steps of a chain of answers, from the phone's (first) to the server's (last)."""
    pairs = list(pairwise(stations))
    changes = [largest_change(before.probabilities, after.probabilities) for before, after in pairs]
    total = sum(changes)
    return tuple(
        _step(_candidates(before, after, facts), change, change / total if total else 0.0, facts)
        for (before, after), change in zip(pairs, changes, strict=True)
    )


def cause_of(change: float, same_input: bool, steps: Sequence[Step], facts: Facts) -> Cause:
    """Return the cause of the whole: the largest step's, or, without a change, what became of the input.

    Args:
        change: Largest |Δp| between phone and server.
        same_input: Whether the server made the phone's input of the photo.
        steps: What :func:`steps_between` found.
        facts: What hashes say.
    """
    if change > SAME:
        return max(steps, key=lambda step: step.change).cause
    return "same" if same_input else _named(_INPUT[facts.photo_changed])


def words_of(cause: Cause, change: float, steps: Sequence[Step], missing: Sequence[str]) -> str:
    """Return the cause in words."""
    words = [CAUSES[cause]]
    if change > SAME:
        largest = max(steps, key=lambda step: step.change)
        if len(steps) > 1:
            words.append(f"It makes up {largest.share:.0%} of the steps to the change of {change:.2g}.")
        if largest.also:
            words.append(f"Not told apart: {', '.join(largest.also)}.")
        if largest.within_policy:
            words.append("The policy allows that much between these precisions.")
    return " ".join([*words, *(f"Missing: {what}." for what in missing)])


def _candidates(before: Station, after: Station, facts: Facts) -> tuple[tuple[Cause, ...], ...]:
    """Return what differs between two stations, each as the causes that it may be."""
    found = []
    if before.input != after.input:
        found.append(_INPUT[facts.photo_changed])
    if before.artifact != after.artifact:
        found.append(_FILE[facts.same_model])
    if before.device != after.device:
        found.append(("runtime",))
    return tuple(found)


def _step(candidates: tuple[tuple[Cause, ...], ...], change: float, share: float, facts: Facts) -> Step:
    flat = tuple(cause for causes in candidates for cause in causes)
    # An export is the cause only where running it here gave the phone's numbers; its runtime may be, too, otherwise.
    named = "unexplained" if flat[:2] == ("artifact", "runtime") else _named(candidates[0])
    within = change <= facts.allowed if flat == ("artifact",) and facts.allowed is not None else None
    also = tuple(cause for cause in flat if cause != named)
    return Step(cause=named, change=change, share=share, also=also, within_policy=within)


def _named(causes: tuple[Cause, ...]) -> Cause:
    return causes[0] if len(causes) == 1 else "unexplained"
