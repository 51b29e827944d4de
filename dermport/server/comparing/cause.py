"""The cause of a difference: what each factor changed, and which of them changed the most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dermport.bundle.causes import CAUSES, SAME, Cause
from dermport.bundle.wire import Decomposition, Fault, Parts, Step


@dataclass(frozen=True)
class Facts:
    """What hashes, records and tests say of the two sides.

    Attributes:
        photo_changed: Whether another photo arrived than the phone answered; None where that is not known.
        same_model: Whether both files were exported from one model; None where the phone's model is not known.
        allowed: How far two sound exports of these precisions may be apart by the policy; None for no bound.
        inputs_differ: Whether the two tensors differ.
        files_differ: Whether the two files do.
        damaged: Whether the phone's file is shown to be another one than it is said to be.
    """

    photo_changed: bool | None
    same_model: bool | None
    allowed: float | None
    inputs_differ: bool
    files_differ: bool
    damaged: bool = False


_INPUT: dict[bool | None, tuple[Cause, ...]] = {
    True: ("photo-changed",),
    False: ("preprocessing",),
    None: ("photo-changed", "preprocessing"),
}
_FILE: dict[bool | None, tuple[Cause, ...]] = {True: ("artifact",), False: ("model",), None: ("model", "artifact")}


def steps_of(found: Decomposition, facts: Facts) -> tuple[Step, ...]:
    """Return what each factor changed; factors that the evidence does not tell apart are one step, the first one."""
    candidates: dict[str, tuple[tuple[Cause, ...], ...]] = {
        "unresolved": _together(found.score, facts),
        "runtime": (("runtime",),),
        "artifact": (_FILE[facts.same_model],) if facts.files_differ else (),
        "preprocessing": (_INPUT[facts.photo_changed],) if facts.inputs_differ else (),
    }
    told = [name for name, causes in candidates.items() if causes and getattr(found.score, name) is not None]
    changes = {name: max(abs(getattr(parts, name)) for parts in found.by_label.values()) for name in told}
    total = sum(changes.values())
    return tuple(
        _step(candidates[name], min(1.0, change), change / total if total else 0.0, facts)
        for name, change in changes.items()
    )


def cause_of(change: float, steps: Sequence[Step], facts: Facts) -> Cause:
    """Return the cause of the whole: the largest step's, or, without a change, what became of the input.

    Args:
        change: Largest |Δp| between phone and server.
        steps: What :func:`steps_of` found.
        facts: What hashes and tests say.
    """
    if change > SAME:
        return max(steps, key=lambda step: step.change).cause
    return _named(_INPUT[facts.photo_changed]) if facts.inputs_differ else "same"


def words_of(
    cause: Cause,
    steps: Sequence[Step],
    found: Decomposition | None,
    faults: Sequence[Fault],
    missing: Sequence[str],
) -> str:
    """Return the cause in words."""
    words = [CAUSES[cause], *(fault.words for fault in faults)]
    if found is not None:
        largest = max(steps, key=lambda step: step.change)
        if len(steps) > 1:
            words.append(_parts_in_words(found))
        if largest.also:
            words.append(f"Not told apart: {', '.join(largest.also)}.")
        if largest.within_policy:
            words.append("The policy allows that much between these precisions.")
    return " ".join([*words, *(f"Missing: {what}." for what in missing)])


def _parts_in_words(found: Decomposition) -> str:
    parts = found.by_label[found.label]
    shares = [
        f"{value:+.3g} from {name}"
        for name, value in (
            ("preprocessing", parts.preprocessing),
            ("the artifact", parts.artifact),
            ("the runtime", parts.runtime),
            ("what is not told apart", parts.unresolved or None),
        )
        if value is not None
    ]
    return f"The phone's probability of {found.label} differs by {parts.change:+.3g}: {', '.join(shares)}."


def _together(parts: Parts, facts: Facts) -> tuple[tuple[Cause, ...], ...]:
    """Return the factors that are not told apart, each as the causes that it may be."""
    found: list[tuple[Cause, ...]] = []
    if parts.preprocessing is None and facts.inputs_differ:
        found.append(_INPUT[facts.photo_changed])
    if parts.artifact is None and facts.files_differ:
        found.append(_FILE[facts.same_model])
    if parts.runtime is None:
        found.append(("runtime",))
    return tuple(found)


def _step(candidates: tuple[tuple[Cause, ...], ...], change: float, share: float, facts: Facts) -> Step:
    flat = tuple(cause for causes in candidates for cause in causes)
    named = _named(candidates[0])
    # An export is the cause only where running it here gave the phone's numbers, or where it is no export of ours:
    # its runtime may be, too, otherwise.
    if "artifact" in flat and len(candidates) > 1 and not facts.damaged:
        named = "unexplained"
    within = change <= facts.allowed if flat == ("artifact",) and facts.allowed is not None else None
    also = tuple(cause for cause in flat if cause != named)
    return Step(cause=named, change=change, share=share, also=also, within_policy=within)


def _named(causes: tuple[Cause, ...]) -> Cause:
    return causes[0] if len(causes) == 1 else "unexplained"
