"""Size, latency and balanced accuracy of many candidates against each other, the Pareto front marked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dermport.figures.style import BLACK, GREY, PALETTE, chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


class TradeOff(NamedTuple):
    """One candidate.

    Attributes:
        number: Written beside it where it is on the front.
        megabytes: Of its artifact.
        latency: By the parent's in float32.
        quality: Its balanced accuracy on validation photos.
        side: Of its input, pixels.
        export: Target and precision.
        on_front: Whether no other one dominates it.
        single: Whether it is a single recipe, no combination.
        picked: Whether the budget picked it.
    """

    number: int
    megabytes: float
    latency: float
    quality: float
    side: int
    export: str
    on_front: bool
    single: bool
    picked: bool


_Value = Callable[[TradeOff], float]
_AXES: dict[str, tuple[str, _Value]] = {
    "size": ("artifact, MB", lambda one: one.megabytes),
    "latency": ("latency by the parent's float32", lambda one: one.latency),
    "quality": ("balanced accuracy, validation photos", lambda one: one.quality),
}
_PANELS = (("size", "latency"), ("latency", "quality"), ("size", "quality"))


def draw_trade_offs(folder: Path, every: Sequence[TradeOff], device: str = "") -> None:
    """Write ``pareto.png`` and ``pareto.svg``.

    Shape tells the input's size, colour the precision, a filled mark the front, a ring a single recipe, a cross-hair
    the pick: nothing hangs on colour alone.

    Args:
        folder: Where to.
        every: The candidates.
        device: By whose profile their latency is; empty where it was measured.
    """
    title = f"{len(every)} candidates, {sum(one.on_front for one in every)} on the Pareto front"
    title += f"; latency by the profile of {device}" if device else ""
    with chart(folder / "pareto.png", title, (13.5, 5.4), ncols=3) as axes:
        for place, (x, y) in zip(axes[0], _PANELS, strict=True):
            _panel(place, every, x, y)
        figure = axes[0][0].figure
        figure.legend(handles=_legend(every), loc="outside upper right", ncols=6, fontsize=8)
        figure.savefig(folder / "pareto.svg", metadata={"Date": None})


def _panel(axes: Axes, every: Sequence[TradeOff], x: str, y: str) -> None:
    (x_title, of_x), (y_title, of_y) = _AXES[x], _AXES[y]
    axes.set(xlabel=x_title, ylabel=y_title)
    for axis, name in (("x", x), ("y", y)):
        if name != "quality":
            _logarithmic(axes, axis, [_AXES[name][1](one) for one in every])
    for one in every:
        colour = _colour(every, one.export)
        style = {"color": colour} if one.on_front else {"facecolors": "none", "edgecolors": colour, "alpha": 0.7}
        axes.scatter(
            of_x(one), of_y(one), s=42, marker=_marker(every, one.side), zorder=3 if one.on_front else 2, **style
        )
        if one.single:
            axes.scatter(of_x(one), of_y(one), s=150, facecolors="none", edgecolors=GREY, linewidths=0.9, zorder=1)
        if one.picked:
            axes.scatter(of_x(one), of_y(one), s=320, marker="+", color=BLACK, linewidths=1.2, zorder=4)
    _number(axes, [one for one in every if one.on_front], of_x, of_y)


def _number(axes: Axes, front: Sequence[TradeOff], of_x: _Value, of_y: _Value) -> None:
    """Write each front point's number, turned about the point where a neighbour is near."""
    best_first = sorted(front, key=lambda one: (-one.quality, one.latency, one.megabytes))
    turns = ((5, 4), (5, -10), (-13, 4), (-13, -10))
    for index, one in enumerate(sorted(best_first, key=of_x)):
        offset = turns[index % len(turns)]
        axes.annotate(
            str(one.number), (of_x(one), of_y(one)), xytext=offset, textcoords="offset points", fontsize=7.5, zorder=5
        )


def _logarithmic(axes: Axes, which: str, values: Sequence[float]) -> None:
    from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

    steps = [factor * 10.0**power for power in range(-4, 4) for factor in (1, 1.5, 2, 3, 5, 7)]
    low, high = min(values) / 1.15, max(values) * 1.15
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(FixedLocator([step for step in steps if low <= step <= high]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    (axes.set_xlim if which == "x" else axes.set_ylim)(low, high)


def _sides(every: Sequence[TradeOff]) -> list[int]:
    return sorted({one.side for one in every})


def _exports(every: Sequence[TradeOff]) -> list[str]:
    return sorted({one.export for one in every})


def _marker(every: Sequence[TradeOff], side: int) -> str:
    return _MARKERS[_sides(every).index(side) % len(_MARKERS)]


def _colour(every: Sequence[TradeOff], export: str) -> str:
    return PALETTE[_exports(every).index(export) % len(PALETTE)]


def _legend(every: Sequence[TradeOff]) -> list[Any]:
    from matplotlib.lines import Line2D

    def sign(label: str, **style: Any) -> Any:
        return Line2D([], [], linestyle="none", label=label, **style)

    sides = [sign(f"{side} px", marker=_marker(every, side), color=GREY, markersize=6) for side in _sides(every)]
    exports = [sign(name, marker="o", color=_colour(every, name), markersize=6) for name in _exports(every)]
    ring: dict[str, Any] = {"marker": "o", "markerfacecolor": "none", "color": GREY}
    signs = [
        sign("on the front (number: table)", marker="o", color=BLACK, markersize=6),
        sign("not on the front", markersize=6, **(ring | {"color": BLACK})),
        sign("ring: single recipe", markersize=11, **ring),
    ]
    if any(one.picked for one in every):
        signs.append(sign("picked by the budget", marker="+", color=BLACK, markersize=11))
    return [*sides, *exports, *signs]
