"""From the seconds of single calls to the figures of the record."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dermport.bundle.benchmark_record import Ratio, Timing
from dermport.exporters.benchmark.rounds import Course
from dermport.statistics.bootstrap import percentile_interval, resampled_blocks

LEAST_FOR_P99 = 100
_RESAMPLES = 1000
Passes = Sequence[Sequence[float]]


def timing(course: Course, batch: int, reference: Course | None, of_target: Course | None, seed: int) -> Timing:
    """Return the figures of one artifact at one batch size.

    Args:
        course: The artifact's times.
        batch: A batch size that it was timed with.
        reference: The session's reference; None where there is none.
        of_target: The first bundle's fp32 export of the same target; None where there is none.
        seed: Of the ratios' intervals.
    """
    passes = course.times[batch]
    calls = np.concatenate([np.asarray(times) for times in passes])
    p50, p90, p99 = (_milliseconds(float(value)) for value in np.percentile(calls, (50, 90, 99)))
    medians = [float(np.median(times)) for times in passes]
    return Timing(
        batch=batch,
        p50_ms=p50,
        p90_ms=p90,
        p99_ms=p99 if len(calls) >= LEAST_FOR_P99 else None,
        photos_per_s=round(batch * len(calls) / float(calls.sum()), 3),
        peak_mib=course.peaks.get(batch),
        pass_medians_ms=tuple(map(_milliseconds, medians)),
        spread=round((max(medians) - min(medians)) / float(np.median(medians)), 4) if len(medians) > 1 else None,
        ratio=_ratio_to(course, reference, batch, seed),
        ratio_to_target=_ratio_to(course, of_target, batch, seed),
        times_ms=tuple(tuple(map(_milliseconds, times)) for times in passes),
    )


def _ratio_to(course: Course, other: Course | None, batch: int, seed: int) -> Ratio | None:
    return ratio(course.times[batch], other.times[batch], seed) if other and batch in other.times else None


def ratio(times: Passes, reference: Passes, seed: int = 0) -> Ratio:
    """Return the median over all rounds of time by the reference's time, with a 95 % bootstrap interval.

    Rounds of one pass are alike in what the machine does meanwhile, so whole passes are resampled first, then the
    rounds within each (Davison and Hinkley 1997, section 3.8).

    Args:
        times: Seconds, one sequence for each pass, of equally many rounds.
        reference: Seconds of the same rounds.
        seed: Of the resamples.
    """
    shares = np.asarray(times) / np.asarray(reference)
    drawn = resampled_blocks(shares, _RESAMPLES, np.random.default_rng(seed))
    low, high = percentile_interval(np.median(drawn, axis=(1, 2)))
    value = float(np.median(shares))
    return Ratio(value=round(value, 4), low=round(float(low), 4), high=round(float(high), 4))


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 4)
