"""Rounds with planted times: who is called when, and what becomes of the seconds."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dermport.bundle.benchmark_record import BenchmarkSettings
from dermport.errors import UnavailableError
from dermport.exporters.benchmark.rounds import Course, run_rounds
from dermport.exporters.benchmark.timings import ratio, timing

SETTINGS = BenchmarkSettings(runs=4, repeats=3, warm_up=2, threads=1, batches=(1, 8), seed=0)


class Planted:
    """Answers in a time that the test chose, and notes what it was asked."""

    def __init__(self, name: str, calls: list[tuple[str, int]], dies_at: int | None = None) -> None:
        self.name, self.calls, self.dies_at = name, calls, dies_at
        self.own = 0

    def timed(self, indices: NDArray[np.intp]) -> float:
        """Take 1 ms a photo."""
        assert indices.max() < 5
        self.own += 1
        if self.own == self.dies_at:
            raise UnavailableError(f"{self.name} died.")
        self.calls.append((self.name, len(indices)))
        return 0.001 * len(indices)

    def peak_mib(self) -> float | None:
        """Grow with every call."""
        return float(self.own)


def test_every_round_calls_each_once_and_passes_change_the_order() -> None:
    calls: list[tuple[str, int]] = []
    names = ("a", "b", "c", "d")
    contestants = {name: Planted(name, calls) for name in names}
    progress: list[tuple[int, int]] = []
    batches = {name: (1,) if name == "d" else (1, 8) for name in names}
    courses = run_rounds(contestants, batches, 5, SETTINGS, lambda done, total: progress.append((done, total)))
    singles = [name for name, batch in calls if batch == 1]
    rounds = [tuple(singles[start : start + 4]) for start in range(0, len(singles), 4)]
    assert len(rounds) == 3 * (4 + 2)
    assert all(sorted(each) == list(names) for each in rounds)
    assert len(set(rounds)) > 1, "passes have orders of their own"
    assert len(set(rounds[:6])) == 1, "within a pass the order stays"
    assert {name for name, batch in calls if batch == 8} == {"a", "b", "c"}
    assert [len(times) for times in courses["a"].times[8]] == [4, 4, 4], "warm-up is not counted"
    assert list(courses["d"].times) == [1]
    assert courses["a"].peaks[1] == 6, "read when the first pass of the batch had ended"
    assert progress[-1] == (24, 24)


def test_one_that_dies_leaves_and_the_others_go_on() -> None:
    calls: list[tuple[str, int]] = []
    contestants = {"a": Planted("a", calls), "b": Planted("b", calls, dies_at=7)}
    courses = run_rounds(contestants, dict.fromkeys("ab", (1, 8)), 5, SETTINGS)
    assert courses["b"].failure == "b died."
    assert not courses["a"].failure
    assert [len(times) for times in courses["a"].times[1]] == [4, 4, 4]


def _course(*passes: list[float]) -> Course:
    return Course(times={1: list(passes)}, peaks={1: 90.0})


def test_figures_of_planted_times() -> None:
    course = _course([0.001 * n for n in range(1, 51)], [0.001 * n for n in range(51, 101)])
    figures = timing(course, 1, None, None, seed=0)
    assert (figures.p50_ms, figures.p90_ms, figures.p99_ms) == pytest.approx((50.5, 90.1, 99.01))
    assert figures.photos_per_s == pytest.approx(100 / 5.05, abs=0.001)
    assert figures.pass_medians_ms == pytest.approx((25.5, 75.5))
    assert figures.spread == pytest.approx(50 / 50.5, abs=1e-4)
    assert figures.ratio is None
    assert figures.peak_mib == 90


def test_few_calls_have_no_99th_percentile_and_one_pass_no_spread() -> None:
    figures = timing(_course([0.001] * 99), 1, None, None, seed=0)
    assert figures.p99_ms is None
    assert figures.spread is None


def test_ratios_pair_the_rounds() -> None:
    random = np.random.default_rng(0)
    machine = random.uniform(0.001, 0.01, (3, 40))  # the machine slows down and speeds up tenfold: both feel it
    mine, its = (machine * 0.5).tolist(), machine.tolist()
    figures = timing(_course(*mine), 1, _course(*its), None, seed=0)
    assert figures.ratio is not None
    assert (figures.ratio.value, figures.ratio.low, figures.ratio.high) == (0.5, 0.5, 0.5)
    assert figures.ratio_to_target is None


def test_a_ratios_interval_holds_passes_that_differ() -> None:
    reference = [[0.01] * 30] * 3
    narrow = ratio([[0.01 * f] * 30 for f in (1.0, 1.0, 1.0)], reference)
    wide = ratio([[0.01 * f] * 30 for f in (0.8, 1.0, 1.2)], reference)
    assert (narrow.low, narrow.high) == (1.0, 1.0)
    assert wide.low <= 0.8
    assert wide.high >= 1.2
    assert ratio([[0.01 * f] * 30 for f in (0.8, 1.0, 1.2)], reference) == wide, "seeded"
