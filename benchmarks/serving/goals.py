"""What the server is to reach, and whether it did: data in, data out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.tables import show

COMPARISONS = "comparisons"
_LEAST = {"large": 0.9, "small": 0.8}  # of the in-process limit; other models as the large one
_BUSY = ("8", "32")
_CROWD = "128"
_USUAL = "flask+gunicorn"
_LEVEL = 0.995  # "not behind" to two digits
_HONEST = ("503",)
_MEGABYTES = 120.0
_MIB = 1024 * 1024 / 1e6


@dataclass(frozen=True)
class Goal:
    """One goal for one model.

    Attributes:
        model: Which model.
        name: What is to be reached.
        wanted: The bound, in words.
        found: What was measured, in words.
        met: Whether it was reached.
    """

    model: str
    name: str
    wanted: str
    found: str
    met: bool

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


def goals_of(models: dict[str, dict[str, Any]]) -> list[Goal]:
    """Return the goals, judged by what ``throughput`` found of each model; none where our server was left out."""
    return [
        Goal(name, *goal)
        for name, found in models.items()
        if found["ours"] in found["servers"]
        for goal in _of(name, found)
    ]


def show_goals(goals: list[Goal]) -> None:
    """Print them."""
    rows = [(goal.name, goal.model, goal.wanted, goal.found, "met" if goal.met else "MISSED") for goal in goals]
    show("Goals", ("goal", "model", "wanted", "found", ""), rows)


def _of(model: str, found: dict[str, Any]) -> Iterator[tuple[str, str, str, bool]]:
    ours = {case: one["median"] for case, one in found["servers"][found["ours"]].items()}
    least = _LEAST.get(model, _LEAST["large"])
    for case in _BUSY:
        yield _at_least(f"of the limit at {case} clients", ours[case]["of_limit"], least)
    for case, others in found["ours_times_theirs"].items():
        rivals = {name: times for name, times in others.items() if name in found["whole_answers"]}
        if rivals and case != _CROWD:
            nearest = min(rivals, key=lambda name: rivals[name])
            times = rivals[nearest]
            words = f"{times:.2f} ({nearest})"
            yield f"times the best peer with the same answer, {case} clients", "≥ 1.00", words, times >= _LEVEL
    if usual := found["ours_times_theirs"].get(_CROWD, {}).get(_USUAL):
        yield f"times {_USUAL} at {_CROWD} clients", "≥ 1.00", f"{usual:.2f}", usual >= _LEVEL
    wrong = {f"{kind} at {case}": count for case, one in ours.items() for kind, count in one["errors"].items()}
    dishonest = {kind: count for kind, count in wrong.items() if not kind.startswith(_HONEST)}
    yield "failures but honest 503", "none", str(wrong or "none"), not dishonest
    if COMPARISONS in ours:
        yield _at_least("comparisons by predictions, 8 clients", ours[COMPARISONS]["rate"] / ours["8"]["rate"], 0.7)
    yield _at_most("p99 by p50 at 8 clients", ours["8"]["tail"], 2.0)
    takes = found["footprints"][found["ours"]]
    yield _at_most("seconds from start to first answer", takes["seconds"], 2.0)
    for kind in ("rss", "pss"):
        yield _at_most(f"largest process, MB {kind.upper()}", _MIB * takes[kind], _MEGABYTES)


def _at_least(name: str, value: float, bound: float) -> tuple[str, str, str, bool]:
    return name, f"≥ {bound:g}", f"{value:.2f}", value >= bound


def _at_most(name: str, value: float, bound: float) -> tuple[str, str, str, bool]:
    return name, f"≤ {bound:g}", f"{value:.3g}", value <= bound
