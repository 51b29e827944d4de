"""The plots of a comparison's page."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dermport.figures.svg import Axis, Chart, linear_axis, log_axis
from dermport.mobile_stub.comparison import BlandAltman, Comparison
from dermport.mobile_stub.figures import Pair, pairs_of
from dermport.statistics.estimates import Share

_POINTS = 200
"""Points of a curve at most."""


def agreement_plot(comparisons: Sequence[Comparison]) -> str:
    """Return how often each artifact agrees with the Jetson, with Wilson's 95 % interval and the policy's bound."""
    rows = [
        (f"{_name(one)}, {what}", share, bound)
        for one in comparisons
        for what, share, bound in (
            ("label", one.totals.label_agreement, one.standing.least if one.standing else None),
            ("decision", one.totals.decision_agreement, None),
        )
        if share.of
    ]
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


def _name(comparison: Comparison) -> str:
    return comparison.artifact.name if comparison.artifact else "phone"


def bland_altman_plot(comparison: Comparison) -> str:
    """Return the difference of the decision scores over their mean: a dot a photo, bias and limits with intervals."""
    figures, pairs = comparison.bland_altman, pairs_of(comparison.photos)
    if figures is None:
        return ""
    largest = max(abs(phone.score - server.score) for _, phone, server in pairs)
    reach = max(largest, abs(figures.upper.value or 0), abs(figures.lower.value or 0), 1e-6) * 1.05
    y = linear_axis("phone minus Jetson", -reach, reach)
    x = linear_axis(f"mean score of {comparison.decision}, phone and Jetson", 0, 1)
    chart = Chart(x, y, f"Bland-Altman plot of the decision's score. {_in_words(figures)}")
    for metric in (figures.upper, figures.bias, figures.lower):
        if metric.low is not None and metric.high is not None:
            chart.band(metric.low, metric.high, "band")
    chart.line([(comparison.threshold, y.low), (comparison.threshold, y.high)], "bound")
    for pair in sorted(pairs, key=lambda pair: pair[0].same_decision is False):
        _dot(chart, pair)
    for metric, kind in ((figures.upper, "limit"), (figures.bias, "bias"), (figures.lower, "limit")):
        value = metric.value or 0.0
        chart.line([(0, value), (1, value)], kind)
    return chart.svg()


def _dot(chart: Chart, pair: Pair) -> None:
    row, phone, server = pair
    flips = row.same_decision is False
    title = f"{row.photo}: phone {phone.score:.3f}, Jetson {server.score:.3f}" if row.disagrees else ""
    chart.dot((phone.score + server.score) / 2, phone.score - server.score, "flip" if flips else "point", 2, title)


def _in_words(figures: BlandAltman) -> str:
    return (
        f"Bias {figures.bias.value:.2g}, limits of agreement {figures.lower.value:.2g} to {figures.upper.value:.2g}, "
        f"{figures.photos} photos"
    )


def latency_plot(comparison: Comparison) -> str:
    """Return each side's distribution of milliseconds: the share of photos (vertical) that took at most so long."""
    pairs = pairs_of(comparison.photos)
    sides = {
        "phone": [phone.milliseconds for _, phone, _ in pairs],
        "jetson": [server.milliseconds for _, _, server in pairs],
        "trip": [row.round_trip for row, _, _ in pairs],
    }
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
