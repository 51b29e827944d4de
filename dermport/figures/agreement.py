"""The plots of two devices' answers to the same photos: agreement, Bland-Altman, milliseconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from dermport.figures.svg import Axis, Chart, linear_axis, log_axis
from dermport.statistics.bland_altman import BlandAltman
from dermport.statistics.estimates import Share

_POINTS = 200
"""Points of a curve at most."""


class ScorePair(NamedTuple):
    """Two scores of a photo: the first device's, the second's, whether the decisions differ, and a title, or none."""

    first: float
    second: float
    flips: bool
    title: str = ""


def agreement_plot(rows: Sequence[tuple[str, Share, float | None]]) -> str:
    """Return shares of agreement by name, each with Wilson's 95 % interval and, where there is one, a bound."""
    if not rows:
        return ""
    lows = [share.low for _, share, _ in rows] + [bound for _, _, bound in rows if bound is not None]
    axis = _percent_axis("photos with the same answer, %", max(0.0, min(lows) - 0.01))
    words = "; ".join(f"{name} {_percent(share)}" for name, share, _ in rows)
    longest = max(len(name) for name, _, _ in rows)
    chart = Chart(
        axis, None, f"Agreement. {words}", width=1000, height=60 + 30 * len(rows), left=24 + 7 * longest, right=200
    )
    for index, (name, share, bound) in enumerate(rows):
        y = (index + 0.5) / len(rows)
        if bound is not None:
            reach = 0.4 / len(rows)
            chart.line([(bound, y - reach), (bound, y + reach)], "bound")
        chart.line([(share.low, y), (share.high, y)], "interval")
        chart.dot(share.count / share.of, y, "value", 5)
        chart.label(y, name)
        chart.behind(y, _percent(share))
    return chart.svg()


def _percent_axis(title: str, low: float) -> Axis:
    axis = linear_axis(title, low, 1.0, words=lambda value: f"{100 * value:g}")
    return Axis(title, axis.low, 1.0, tuple(tick for tick in axis.ticks if tick <= 1), words=axis.words)


def _percent(share: Share) -> str:
    value = share.count / share.of
    return f"{100 * value:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f})"


def bland_altman_plot(figures: BlandAltman, pairs: Sequence[ScorePair], decision: str, threshold: float) -> str:
    """Return the difference of the decision scores over their mean: a dot a photo, bias and limits with intervals."""
    largest = max(abs(one.first - one.second) for one in pairs)
    reach = max(largest, abs(figures.upper.value or 0), abs(figures.lower.value or 0), 1e-6) * 1.05
    y = linear_axis("phone minus Jetson", -reach, reach)
    x = linear_axis(f"mean score of {decision}, phone and Jetson", 0, 1)
    chart = Chart(x, y, f"Bland-Altman plot of the decision's score. {_in_words(figures)}")
    for metric in (figures.upper, figures.bias, figures.lower):
        if metric.low is not None and metric.high is not None:
            chart.band(metric.low, metric.high, "band")
    chart.line([(threshold, y.low), (threshold, y.high)], "bound")
    for one in sorted(pairs, key=lambda one: one.flips):
        kind = "flip" if one.flips else "point"
        chart.dot((one.first + one.second) / 2, one.first - one.second, kind, 2, one.title)
    for metric, kind in ((figures.upper, "limit"), (figures.bias, "bias"), (figures.lower, "limit")):
        value = metric.value or 0.0
        chart.line([(0, value), (1, value)], kind)
    return chart.svg()


def _in_words(figures: BlandAltman) -> str:
    return (
        f"Bias {figures.bias.value:.2g}, limits of agreement {figures.lower.value:.2g} to {figures.upper.value:.2g}, "
        f"{figures.photos} photos"
    )


def latency_plot(sides: Mapping[str, Sequence[float | None]]) -> str:
    """Return each side's distribution of milliseconds: the share of photos (vertical) that took at most so long.

    Args:
        sides: Milliseconds by the page's class of a line: ``phone``, ``jetson`` and ``trip``; None where not known.
    """
    known = {kind: sorted(value for value in values if value is not None) for kind, values in sides.items()}
    known = {kind: values for kind, values in known.items() if values}
    if not known:
        return ""
    x = log_axis(
        "milliseconds (logarithmic)",
        max(0.01, min(values[0] for values in known.values())),
        max(0.02, *(values[-1] for values in known.values())),
    )
    y = Axis("share of the photos", 0, 1, (0, 0.25, 0.5, 0.75, 1))
    chart = Chart(x, y, "Distribution of the milliseconds of phone, Jetson and round trip.")
    for kind, values in known.items():
        shares = np.linspace(0, 1, min(_POINTS, len(values) + 1))
        chart.line([(float(np.quantile(values, share)), float(share)) for share in shares], kind)
    return chart.svg()
