"""The tables of a page, made from what ``python -m benchmarks.serving throughput --json FILE`` has written.

    python -m benchmarks.serving.report build/benchmarks/throughput.json docs/server.md

What stands between ``<!-- measured: serving -->`` and ``<!-- end -->`` is written anew; without a page, it is printed.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.tables import table
from dermport.bundle.atomic import write_text

_PART = re.compile(r"(<!-- measured: serving -->\n).*?(<!-- end -->)", re.DOTALL)
_CASES = ("1", "8", "32", "128")


def report(document: dict[str, Any]) -> str:
    """Return conditions, a table for each model, and the goals, as Markdown."""
    return "\n".join([_conditions(document), *_models(document), _goals(document["throughput"]["goals"])])


def in_step(page: str, document: dict[str, Any]) -> str:
    """Return a page's text with its measured part made anew."""
    return _PART.sub(lambda part: part[1] + report(document) + part[2], page)


def _conditions(document: dict[str, Any]) -> str:
    how, photos, packages = document["conditions"], document["photos"], document["packages"]
    versions = ", ".join(f"{name} {packages[name]}" for name in ("onnxruntime", "pillow"))
    machine = f"{how['workers']} cores ({document['machine']['processor']})"
    sent = f"{photos['size']} photos of {photos['kilobytes']:.0f} kB"
    return f"{machine}, {sent}, {how['rounds']} rounds of {how['seconds']:g} s a load in turns, medians; {versions}.\n"


def _models(document: dict[str, Any]) -> Iterator[str]:
    columns = ("server", "answer", *(f"{case}, photos/s (of the limit)" for case in _CASES), "8: p50, p99 ms", "MiB, s")
    for name, found in document["throughput"]["models"].items():
        served = document["models"][name]
        rates = {server: cases["8"]["median"]["rate"] for server, cases in found["servers"].items()}
        rows = [_row(server, found) for server in sorted(rates, key=lambda server: -rates[server])]
        yield f"`{name}`: {served['precision']} at {served['input']} pixels\n\n{table(columns, rows)}"


def _row(server: str, found: dict[str, Any]) -> tuple[str, ...]:
    cases = {case: one["median"] for case, one in found["servers"][server].items()}
    takes = found["footprints"][server]
    return (
        server,
        "whole" if server in found["whole_answers"] else "label",
        *(
            f"{cases[case]['rate']:.0f} ({cases[case]['of_limit']:.2f}){_failed(cases[case]['errors'])}"
            for case in _CASES
        ),
        f"{cases['8']['p50_ms']:.0f}, {cases['8']['p99_ms']:.0f}",
        f"{takes['pss']:.0f}, {takes['seconds']:.1f}",
    )


def _failed(errors: dict[str, int]) -> str:
    return f", {sum(errors.values())} failed" if errors else ""


def _goals(goals: list[dict[str, Any]]) -> str:
    rows = [
        (goal["name"], goal["model"], goal["wanted"], goal["found"], "met" if goal["met"] else "missed")
        for goal in goals
    ]
    return table(("goal", "model", "wanted", "found", ""), rows)


def main() -> None:
    """Write a page, or print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("page", type=Path, nargs="?")
    options = parser.parse_args()
    document = json.loads(options.results.read_text(encoding="utf-8"))
    if options.page is None:
        print(report(document))
    else:
        write_text(options.page, in_step(options.page.read_text(encoding="utf-8"), document))


if __name__ == "__main__":
    main()
