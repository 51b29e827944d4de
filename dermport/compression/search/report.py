"""The files of a search: candidates as CSV and JSON, the front as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dermport.bundle.atomic import write_json, write_text
from dermport.bundle.notice import NOTICE
from dermport.compression.search.candidate import MeasuredCandidate
from dermport.compression.search.result import SearchResult, verdict
from dermport.figures.pareto import TradeOff, draw_trade_offs

SCHEMA = "dermport-search/1"
_COLUMNS = (
    *("number", "front", "picked", "start", "size", "keep", "export", "techniques", "steps", "macs", "parameters"),
    *("artifact_bytes", "size_ratio", "latency_ms", "latency_ratio", "latency_low", "latency_high", "latency_source"),
    *("balanced_accuracy", "points_lost", "accuracy", "agreement", "photos", "runtime", "seconds", "artifact_sha256"),
)


def write_report(folder: Path, result: SearchResult, about: dict[str, Any]) -> None:
    """Write ``candidates.csv``, ``candidates.json``, ``pareto.md``, ``pareto.png`` and ``pareto.svg``.

    Args:
        folder: The search's folder.
        result: What it found.
        about: What it was asked, as JSON.
    """
    write_json(folder / "candidates.json", document(result, about))
    write_text(folder / "candidates.csv", _csv(result))
    write_text(folder / "pareto.md", _markdown(result))
    latency = result.measured[0].latency
    device = latency.device if latency.source == "by profile" else ""
    draw_trade_offs(folder, [_trade_off(one, result) for one in result.measured], device)


def _trade_off(one: MeasuredCandidate, result: SearchResult) -> TradeOff:
    return TradeOff(
        number=one.number,
        megabytes=one.artifact_bytes / 1e6,
        latency=one.latency.ratio,
        quality=one.balanced_accuracy,
        side=one.size,
        export=one.export,
        on_front=one in result.front,
        single=one.single,
        picked=one == result.picked,
    )


def document(result: SearchResult, about: dict[str, Any]) -> dict[str, Any]:
    """Return the search as one JSON document."""
    picked = result.picked
    return {
        "schema": SCHEMA,
        "notice": NOTICE,
        "judged_by": basis(result.measured),
        "search": about,
        "budget": [limit.text for limit in result.budget.limits],
        "picked": None if picked is None else picked.number,
        "verdict": verdict(result),
        "undominated": result.undominated,
        "front": [one.number for one in result.front],
        "single_recipes": [
            {
                "number": comparison.single.number,
                "name": comparison.single.candidate.name,
                "on_front": comparison.on_front,
                "beaten_by": [one.number for one in comparison.beaten_by],
                "beats": [one.number for one in comparison.beats],
            }
            for comparison in result.single_recipes
        ],
        "candidates": [one.model_dump(mode="json") for one in result.measured],
    }


def basis(measured: Sequence[MeasuredCandidate]) -> str:
    """Return in words what the figures rest on."""
    first = measured[0]
    if first.latency.source == "measured":
        machines = " or ".join(dict.fromkeys(one.latency.device for one in measured))
        how = f"timed on {machines} in turns with the parent in float32 there"
    else:
        how = f"by the profile of {first.latency.device}, not measured"
    return (
        f"Quality on {first.photos:,} validation photos, by which the candidates are chosen: it flatters them. No test "
        f"photo was looked at. Latency {how}."
    )


def _csv(result: SearchResult) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for one in result.measured:
        latency = {f"latency_{name}": value for name, value in one.latency.model_dump().items()}
        said = {"front": int(one in result.front), "picked": int(one == result.picked)}
        row = one.model_dump(mode="json") | latency | said
        writer.writerow(row | {"techniques": " + ".join(one.techniques)})
    return text.getvalue()


HEAD = ("no.", "MB", "of base", "ms", "latency", "bal. acc.", "lost", "agree", "candidate")


def row(one: MeasuredCandidate) -> tuple[str, ...]:
    """Return a candidate's cells under :data:`HEAD`; what is lost is in points of balanced accuracy."""
    return (
        str(one.number),
        f"{one.artifact_bytes / 1e6:.2f}",
        f"{one.size_ratio:.3f}",
        f"{one.latency.ms:.2f}",
        f"{one.latency.ratio:.2f}",
        f"{one.balanced_accuracy:.3f}",
        f"{round(one.points_lost, 1) + 0.0:.1f}",
        f"{one.agreement:.3f}",
        one.candidate.name,
    )


def _markdown(result: SearchResult) -> str:
    lines = ["# Pareto front of the search", "", "![size, latency and balanced accuracy](pareto.png)", ""]
    lines += [verdict(result), "", basis(result.measured), ""]
    if result.picked is not None:
        limits = ", ".join(limit.text for limit in result.budget.limits)
        lines += [f"The budget ({limits}) picks no. {result.picked.number}.", ""]
    lines += ["## The front", "", *_table(result.front), ""]
    lines += ["## Single recipes", ""]
    lines += _table([comparison.single for comparison in result.single_recipes])
    lines += ["", "## Every candidate", "", *_table(result.measured), "", f"*{NOTICE}*", ""]
    return "\n".join(lines)


def _table(measured: Sequence[MeasuredCandidate]) -> list[str]:
    head = [f"| {' | '.join(HEAD)} |", f"|{'|'.join('---' for _ in HEAD)}|"]
    return head + [f"| {' | '.join(row(one))} |" for one in measured]
