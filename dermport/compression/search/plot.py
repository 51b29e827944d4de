"""The plot of a search: size, latency and balanced accuracy against each other, the front marked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dermport.compression.search.record import Measured
from dermport.compression.search.verdict import Result
from dermport.figures.style import BLACK, GREY, PALETTE, chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_Value = Callable[[Measured], float]
_AXES: dict[str, tuple[str, _Value]] = {
    "size": ("artifact, MB", lambda one: one.artifact_bytes / 1e6),
    "latency": ("latency by the parent's float32", lambda one: one.latency.ratio),
    "quality": ("balanced accuracy, validation photos", lambda one: one.balanced_accuracy),
}
_PANELS = (("size", "latency"), ("latency", "quality"), ("size", "quality"))


def draw(folder: Path, result: Result) -> None:
    """Write ``pareto.png`` and ``pareto.svg``.

    Shape tells the input's size, colour the precision, a filled mark the front (its number is the table's), a ring a
    single recipe, a cross-hair the pick: nothing hangs on colour alone.
    """
    by_profile = result.measured[0].latency.source == "by profile"
    title = f"{len(result.measured)} candidates, {len(result.front)} on the Pareto front"
    title += f"; latency by the profile of {result.measured[0].latency.device}" if by_profile else ""
    with chart(folder / "pareto.png", title, (13.5, 5.4), ncols=3) as axes:
        for place, (x, y) in zip(axes[0], _PANELS, strict=True):
            _panel(place, result, x, y)
        figure = axes[0][0].figure
        figure.legend(handles=_legend(result), loc="outside upper right", ncols=6, fontsize=8)
        figure.savefig(folder / "pareto.svg", metadata={"Date": None})


def _panel(axes: Axes, result: Result, x: str, y: str) -> None:
    (x_title, of_x), (y_title, of_y) = _AXES[x], _AXES[y]
    axes.set(xlabel=x_title, ylabel=y_title)
    for axis, name in (("x", x), ("y", y)):
        if name != "quality":
            _logarithmic(axes, axis, [_AXES[name][1](one) for one in result.measured])
    for one in result.measured:
        on_front = one in result.front
        colour = _colour(result, one.export)
        style = {"color": colour} if on_front else {"facecolors": "none", "edgecolors": colour, "alpha": 0.7}
        axes.scatter(of_x(one), of_y(one), s=42, marker=_marker(result, one.size), zorder=3 if on_front else 2, **style)
        if one.single:
            axes.scatter(of_x(one), of_y(one), s=150, facecolors="none", edgecolors=GREY, linewidths=0.9, zorder=1)
    if result.picked is not None:
        axes.scatter(of_x(result.picked), of_y(result.picked), s=320, marker="+", color=BLACK, linewidths=1.2, zorder=4)
    _number(axes, result.front, of_x, of_y)


def _number(axes: Axes, front: Sequence[Measured], of_x: _Value, of_y: _Value) -> None:
    """Write each front point's number, turned about the point where a neighbour is near."""
    turns = ((5, 4), (5, -10), (-13, 4), (-13, -10))
    for index, one in enumerate(sorted(front, key=of_x)):
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


def _sizes(result: Result) -> list[int]:
    return sorted({one.size for one in result.measured})


def _exports(result: Result) -> list[str]:
    return sorted({one.export for one in result.measured})


def _marker(result: Result, size: int) -> str:
    return _MARKERS[_sizes(result).index(size) % len(_MARKERS)]


def _colour(result: Result, export: str) -> str:
    return PALETTE[_exports(result).index(export) % len(PALETTE)]


def _legend(result: Result) -> list[Any]:
    from matplotlib.lines import Line2D

    def sign(label: str, **style: Any) -> Any:
        return Line2D([], [], linestyle="none", label=label, **style)

    sizes = [sign(f"{size} px", marker=_marker(result, size), color=GREY, markersize=6) for size in _sizes(result)]
    exports = [sign(name, marker="o", color=_colour(result, name), markersize=6) for name in _exports(result)]
    ring: dict[str, Any] = {"marker": "o", "markerfacecolor": "none", "color": GREY}
    signs = [
        sign("on the front (number: table)", marker="o", color=BLACK, markersize=6),
        sign("not on the front", markersize=6, **(ring | {"color": BLACK})),
        sign("ring: single recipe", markersize=11, **ring),
    ]
    if result.picked is not None:
        signs.append(sign("picked by the budget", marker="+", color=BLACK, markersize=11))
    return [*sizes, *exports, *signs]
