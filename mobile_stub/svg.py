"""Charts as inline SVG: a frame with axes, and marks in the coordinates of the data. Colours are the page's classes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        title: What it shows, with its unit.
        low: Value at its beginning.
        high: Value at its end.
        ticks: Where it is labelled.
        logarithmic: Whether equal ratios, instead of equal differences, have equal lengths; `low` is above 0 then.
        words: Writes a tick.
    """

    title: str
    low: float
    high: float
    ticks: tuple[float, ...]
    logarithmic: bool = False
    words: Callable[[float], str] = "{:g}".format

    def place(self, value: float) -> float:
        """Return where a value is: 0 at the beginning, 1 at the end; values beyond are put at the ends."""
        if self.logarithmic:
            value, low, high = (math.log10(max(one, 1e-12)) for one in (value, self.low, self.high))
        else:
            low, high = self.low, self.high
        return min(1.0, max(0.0, (value - low) / (high - low)))


def linear_axis(title: str, low: float, high: float, words: Callable[[float], str] = "{:g}".format) -> Axis:
    """Return an axis whose ticks are at round values (1, 2 or 5 times a power of ten apart) and that ends at ticks."""
    span = max(high - low, 1e-9)
    raw = span / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(round(index * step, 10) for index in range(first, last + 1))
    return Axis(title, ticks[0], ticks[-1], ticks, words=words)


def log_axis(title: str, low: float, high: float) -> Axis:
    """Return a logarithmic axis with ticks at 1, 2 and 5 times the powers of ten, and that ends at ticks."""
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    marks = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
    first = max(mark for mark in marks if mark <= low * (1 + 1e-9))
    last = min(mark for mark in marks if mark >= high * (1 - 1e-9))
    last = last if last > first else min(mark for mark in marks if mark > first)
    return Axis(title, first, last, tuple(mark for mark in marks if first <= mark <= last), logarithmic=True)


class Chart:
    """A chart that is being drawn.

    Args:
        x: The horizontal axis.
        y: The vertical axis; None for rows that bring their own heights (0 to 1 from the top).
        words: What it shows, for those who do not see it.
        width: Pixels, before the page scales it.
        height: Likewise.
        left: Room for the labels of the vertical axis.
        right: Room behind the frame.
    """

    def __init__(
        self,
        x: Axis,
        y: Axis | None,
        words: str,
        *,
        width: int = 520,
        height: int = 320,
        left: int = 56,
        right: int = 14,
    ) -> None:
        self._x, self._y, self._words = x, y, words
        self._width, self._height = width, height
        self._left, self._top, self._right, self._bottom = left, 12, width - right, height - 44
        self._marks: list[str] = []

    def at_x(self, value: float) -> float:
        """Return the horizontal coordinate of a value."""
        return round(self._left + (self._right - self._left) * self._x.place(value), 1)

    def at_y(self, value: float) -> float:
        """Return the vertical coordinate of a value."""
        share = 1 - self._y.place(value) if self._y else value
        return round(self._top + (self._bottom - self._top) * share, 1)

    def dot(self, x: float, y: float, kind: str, radius: float = 2.2, title: str = "") -> None:
        """Draw a dot; `title` is shown where a pointer rests on it."""
        said = f"<title>{escape(title)}</title>" if title else ""
        self._marks.append(
            f'<circle class="{kind}" cx="{self.at_x(x)}" cy="{self.at_y(y)}" r="{radius}">{said}</circle>'
        )

    def line(self, points: Sequence[tuple[float, float]], kind: str) -> None:
        """Draw a line through points."""
        path = " ".join(f"{self.at_x(x)},{self.at_y(y)}" for x, y in points)
        self._marks.append(f'<polyline class="{kind}" points="{path}"/>')

    def band(self, low: float, high: float, kind: str) -> None:
        """Fill between two heights, over the whole width."""
        top, bottom = self.at_y(high), self.at_y(low)
        size = f'width="{self._right - self._left}" height="{round(max(bottom - top, 0.5), 1)}"'
        self._marks.append(f'<rect class="{kind}" x="{self._left}" y="{top}" {size}/>')

    def label(self, y: float, words: str) -> None:
        """Write words left of the frame at a height."""
        place = f'x="{self._left - 8}" y="{round(self.at_y(y) + 4, 1)}" text-anchor="end"'
        self._marks.append(f"<text {place}>{escape(words)}</text>")

    def behind(self, y: float, words: str) -> None:
        """Write words right of the frame at a height."""
        self._marks.append(f'<text x="{self._right + 8}" y="{round(self.at_y(y) + 4, 1)}">{escape(words)}</text>')

    def svg(self) -> str:
        """Return the chart."""
        box = f'viewBox="0 0 {self._width} {self._height}" style="max-width:{self._width}px"'
        inside = "".join([*self._axes(), *self._marks])
        return f'<svg class="chart" {box} role="img" aria-label="{escape(self._words)}">{inside}</svg>'

    def _axes(self) -> list[str]:
        middle = (self._left + self._right) / 2
        at = f'x="{middle}" y="{self._height - 8}" text-anchor="middle"'
        parts = [f'<text class="axis" {at}>{escape(self._x.title)}</text>']
        for tick in self._x.ticks:
            x = self.at_x(tick)
            parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{self._top}" y2="{self._bottom}"/>')
            words = escape(self._x.words(tick))
            parts.append(f'<text x="{x}" y="{self._bottom + 17}" text-anchor="middle">{words}</text>')
        if self._y is None:
            return parts
        for tick in self._y.ticks:
            y = self.at_y(tick)
            parts.append(f'<line class="grid" x1="{self._left}" x2="{self._right}" y1="{y}" y2="{y}"/>')
            parts.append(
                f'<text x="{self._left - 7}" y="{y + 4}" text-anchor="end">{escape(self._y.words(tick))}</text>'
            )
        middle = (self._top + self._bottom) / 2
        turned = f'transform="translate(13 {middle}) rotate(-90)" text-anchor="middle"'
        return [*parts, f'<text class="axis" {turned}>{escape(self._y.title)}</text>']
