"""Run a script of cells and store it with its outputs as a notebook: ``python docs/notebooks/execute.py``.

A cell begins with ``# %%``, or with ``# %% [markdown]`` where its comments are text. What a cell prints, and how its
last expression shows itself, are its outputs; they are made anew from the script and never edited.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
_CELL = re.compile(r"^# %%( \[markdown\])?\n", re.MULTILINE)


def cells(script: str) -> Iterator[tuple[str, str]]:
    """Yield each cell's kind (``markdown`` or ``code``) and its source."""
    _, *parts = _CELL.split(script)
    for markdown, text in zip(parts[::2], parts[1::2], strict=True):
        source = text.strip("\n")
        yield ("markdown", re.sub(r"^# ?", "", source, flags=re.MULTILINE)) if markdown else ("code", source)


def run(script: str) -> dict[str, Any]:
    """Execute a script's cells in one namespace and return the notebook (nbformat 4.5)."""
    namespace: dict[str, Any] = {}
    made = []
    for number, (kind, source) in enumerate(cells(script)):
        cell = {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": source.splitlines(keepends=True)}
        if kind == "code":
            count = sum(one["cell_type"] == "code" for one in made) + 1
            cell |= {"execution_count": count, "outputs": _executed(source, namespace, count)}
        made.append(cell)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {
        "cells": made,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _executed(source: str, namespace: dict[str, Any], count: int) -> list[dict[str, Any]]:
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "<cell>", "exec"), namespace)
        value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), namespace) if last else None
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        outputs.append(
            {"output_type": "stream", "name": "stdout", "text": printed.getvalue().splitlines(keepends=True)}
        )
    if value is not None:
        data = {"text/plain": repr(value).splitlines(keepends=True)}
        if hasattr(value, "_repr_html_"):
            data["text/html"] = [value._repr_html_()]
        outputs.append({"output_type": "execute_result", "execution_count": count, "metadata": {}, "data": data})
    return outputs


def main() -> None:
    """Write the notebook beside each script that is named; all of them where none is."""
    chosen = [Path(name) for name in sys.argv[1:]] or [
        path for path in FOLDER.glob("*.py") if path.name != "execute.py"
    ]
    for path in chosen:
        notebook = run(path.read_text(encoding="utf-8"))
        text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
        path.with_suffix(".ipynb").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
