"""Figures of a benchmark as people read them."""

from __future__ import annotations

from collections.abc import Iterable

from dermport.bundle.benchmark_record import Figure, Ratio

NOT_MEASURED = "not measured"
DASH = "–"


def megabytes(size: int) -> str:
    """Return bytes as millions of bytes with three digits, e.g. ``2.61``."""
    return digits(size / 1e6)


def digits(value: float | None, count: int = 3) -> str:
    """Return a number with `count` significant digits and no exponent, a dash for None."""
    if value is None:
        return DASH
    if value == 0:
        return "0"
    whole = len(str(int(abs(value))))
    if abs(value) >= 1:
        return f"{value:,.{max(0, count - whole)}f}"
    shown = f"{value:.{count}g}"
    return shown if "e" not in shown else f"{value:.1e}"


def share(value: float | None) -> str:
    """Return a ratio with two decimals, three below 0.1; a dash for None."""
    if value is None:
        return DASH
    return f"{value:.3f}" if value < 0.0995 else f"{value:.2f}"


def ratio(value: Ratio | None) -> str:
    """Return a ratio of times with its interval, e.g. ``0.42 (0.41 to 0.43)``; a dash for None."""
    return DASH if value is None else f"{share(value.value)} ({share(value.low)} to {share(value.high)})"


def signed(value: float | None, decimals: int = 3) -> str:
    """Return a difference with its sign, e.g. ``−0.012``; a dash for None."""
    if value is None:
        return DASH
    shown = f"{abs(value):.{decimals}f}"
    return shown if float(shown) == 0 else f"{'−' if value < 0 else '+'}{shown}"


def change(figure: Figure | None) -> str:
    """Return a figure's change with its interval, e.g. ``−0.012 (−0.020 to +0.003)``; a dash where undefined."""
    if figure is None or figure.change is None:
        return DASH
    if figure.change_low is None or figure.change_high is None:
        return signed(figure.change)
    return f"{signed(figure.change)} ({signed(figure.change_low)} to {signed(figure.change_high)})"


def with_change(figure: Figure | None) -> str:
    """Return a figure with its change and that one's interval, e.g. ``0.770 (−0.030, −0.040 to −0.025)``."""
    if figure is None or figure.value is None:
        return DASH
    if figure.change is None or figure.change_low is None or figure.change_high is None:
        return f"{figure.value:.3f}"
    ends = f"{signed(figure.change_low)} to {signed(figure.change_high)}"
    return f"{figure.value:.3f} ({signed(figure.change)}, {ends})"


def shows_loss(figure: Figure | None) -> bool:
    """Return whether the interval of a change lies below 0."""
    return figure is not None and figure.change_high is not None and figure.change_high < 0


def percent(value: float | None) -> str:
    """Return a share as per cent, e.g. ``3.1 %``; a dash for None."""
    return DASH if value is None else f"{100 * value:.1f} %"


def counted(count: int | None) -> str:
    """Return a count, or that it is not known."""
    return "not known" if count is None else str(count)


def reasons(said: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return a sentence for each reason, with the names that it holds for.

    Args:
        said: Name and reason; empty reasons are left out.
    """
    by_reason: dict[str, list[str]] = {}
    for name, reason in said:
        if reason:
            by_reason.setdefault(reason, []).append(name)
    return tuple(f"{', '.join(dict.fromkeys(names))}: {reason}" for reason, names in by_reason.items())
