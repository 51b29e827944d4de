"""The one look of all charts: fonts, grid, colours that colour-blind readers tell apart, the notice in small print."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dermport.bundle.notice import NOTICE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito 2008, "Color universal design", without the yellow, which is too pale for a line.
BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION, BLACK = PALETTE = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#000000",
)
GREY = "#6B7280"
CHANCE: Any = {"color": GREY, "linewidth": 0.8, "linestyle": (0, (4, 4))}
_LINES = ("-", "--", ":")
_COLUMNS = 4
_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#E5E7EB",
    "grid.linewidth": 0.8,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": "black",
    "ytick.labelcolor": "black",
    "legend.frameon": False,
    "legend.fontsize": 8,
}


def line_style(index: int) -> dict[str, Any]:
    """Return colour and dashes of the index-th line; 21 of them differ."""
    return {"color": PALETTE[index % len(PALETTE)], "linestyle": _LINES[index // len(PALETTE) % len(_LINES)]}


@contextlib.contextmanager
def chart(path: Path, title: str, size: tuple[float, float], **grid: Any) -> Iterator[Any]:
    """Yield the axes of a new figure, as an array [rows, columns], and save it as PNG when the block ends.

    Args:
        path: The PNG.
        title: The line above all panels.
        size: Width and height, inches.
        **grid: As for ``Figure.subplots``: ``nrows``, ``ncols``, ``width_ratios`` ...
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=size)
        below = 0.22 / size[1]  # room for the notice
        figure.set_layout_engine("constrained", rect=(0, below, 1, 1 - below), h_pad=0.08)
        figure.suptitle(title, x=0.01, ha="left", fontsize=11)
        figure.text(0.01, 0.06 / size[1], NOTICE, fontsize=6.5, color=GREY)
        yield figure.subplots(squeeze=False, **grid)
        # Without the library's version, so that equal figures are equal files.
        figure.savefig(path, dpi=150, metadata={"Software": None})


def panels(count: int) -> tuple[int, int]:
    """Return rows and columns of a grid that holds so many panels, at most four in a row."""
    rows = -(-count // _COLUMNS)
    return rows, -(-count // rows)


def unit_square(axes: Axes, x: str, y: str) -> None:
    """Label the axes and let both run from 0 to 1, at equal scale."""
    axes.set(xlabel=x, ylabel=y, xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
