"""Charts as inline SVG: a frame with axes, and marks in the coordinates of the data. Colours are the page's classes.

Shapes and hatches tell apart what a print in black and white must tell apart, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

SHAPES = {
    "circle": "M-1 0a1 1 0 1 0 2 0a1 1 0 1 0 -2 0Z",
    "square": "M-.9-.9h1.8v1.8h-1.8Z",
    "triangle": "M0-1.15L1.1.85H-1.1Z",
    "diamond": "M0-1.25L1.25 0 0 1.25-1.25 0Z",
    "plus": "M-.35-1.1h.7v.75h.75v.7h-.75v.75h-.7v-.75h-.75v-.7h.75Z",
    "drop": "M0 1.15L1.1-.85H-1.1Z",
    "star": "M0-1.3L.35-.4 1.24-.4.55.15.76 1.05 0 .5-.76 1.05-.55.15-1.24-.4-.35-.4Z",
    "hexagon": "M-.6-1.05h1.2L1.2 0 .6 1.05h-1.2L-1.2 0Z",
}
"""Paths of markers about the origin, as large as a circle of radius 1."""

_HATCHES = {
    "up": '<path d="M0 6L6 0M-1 1L1-1M5 7L7 5"/>',
    "down": '<path d="M0 0L6 6M-1 5L1 7M5-1L7 1"/>',
    "dots": '<circle cx="3" cy="3" r="1.1"/>',
    "upright": '<path d="M3 0V6"/>',
    "level": '<path d="M0 3H6"/>',
    "cross": '<path d="M3 0V6M0 3H6"/>',
}
HATCHES = ("solid", *_HATCHES)
"""How bars are filled; a page that uses one other than `solid` holds :func:`hatch_definitions` once."""


def hatch_definitions() -> str:
    """Return an invisible SVG with the patterns `hatch-NAME`; they take their ink from the page's class ``hatch``."""
    size = 'width="6" height="6" patternUnits="userSpaceOnUse"'
    patterns = "".join(
        f'<pattern id="hatch-{name}" class="hatch" {size}>{drawn}</pattern>' for name, drawn in _HATCHES.items()
    )
    return f'<svg width="0" height="0" style="position:absolute" aria-hidden="true"><defs>{patterns}</defs></svg>'


def swatch(kind: str, shape: str = "", hatch: str = "solid") -> str:
    """Return a legend's sign of 16 × 12 pixels: a marker where a shape is named, else a filled bar."""
    if shape:
        drawn = f'<path class="{kind}" transform="translate(8 6) scale(4.6)" d="{SHAPES[shape]}"/>'
    else:
        drawn = _filled('x=".5" y="1.5" width="15" height="9"', kind, hatch)
    return f'<svg class="swatch" viewBox="0 0 16 12" width="16" height="12" aria-hidden="true">{drawn}</svg>'


def _filled(place: str, kind: str, hatch: str, said: str = "") -> str:
    plain = f'<rect class="{kind}" {place}>{said}</rect>'
    return plain if hatch == "solid" else f'{plain}<rect class="over" {place} fill="url(#hatch-{hatch})">{said}</rect>'


def _title(words: str) -> str:
    return f"<title>{escape(words)}</title>" if words else ""


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
        title: A short name; `words` then describes what it names.
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
        title: str = "",
        width: int = 520,
        height: int = 320,
        left: int = 56,
        right: int = 14,
    ) -> None:
        self._x, self._y, self._words, self._title = x, y, words, title
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
        place = f'cx="{self.at_x(x)}" cy="{self.at_y(y)}" r="{radius}"'
        self._marks.append(f'<circle class="{kind}" {place}>{_title(title)}</circle>')

    def mark(self, x: float, y: float, kind: str, shape: str, *, size: float = 5, title: str = "") -> None:
        """Draw a marker of :data:`SHAPES`, as large as a circle of radius `size`."""
        place = f'transform="translate({self.at_x(x)} {self.at_y(y)}) scale({round(size, 2)})"'
        self._marks.append(f'<path class="{kind}" {place} d="{SHAPES[shape]}">{_title(title)}</path>')

    def bar(
        self, value: float, y: float, kind: str, hatch: str = "solid", *, thick: float = 12, title: str = ""
    ) -> None:
        """Draw a level bar from the beginning of the horizontal axis to a value, `thick` pixels about a height."""
        start, width = self._left, max(round(self.at_x(value) - self._left, 1), 1.0)
        place = f'x="{start}" y="{round(self.at_y(y) - thick / 2, 1)}" width="{width}" height="{thick}"'
        self._marks.append(_filled(place, kind, hatch, _title(title)))

    def note(self, x: float, y: float, words: str, *, dx: float = 8, dy: float = 4, kind: str = "note") -> None:
        """Write words beside a point; left of it where `dx` is negative."""
        anchor = "end" if dx < 0 else "start"
        place = f'x="{round(self.at_x(x) + dx, 1)}" y="{round(self.at_y(y) + dy, 1)}" text-anchor="{anchor}"'
        self._marks.append(f'<text class="{kind}" {place}>{escape(words)}</text>')

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
        if self._title:
            named = f"{_title(self._title)}<desc>{escape(self._words)}</desc>"
            return f'<svg class="chart" {box} role="img">{named}{inside}</svg>'
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
