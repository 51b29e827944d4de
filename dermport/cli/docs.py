"""The parts of README.md made from code: ``python -m dermport.cli.docs`` writes them, ``--check`` only compares.

A generated part stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from dermport.bundle.atomic import write_text
from dermport.bundle.export_record import EVIDENCE_MEANING

README = Path(__file__).parents[2] / "README.md"
_PART = re.compile(r"(<!-- generated: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = tuple(header)
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _targets() -> str:
    from dermport.exporters.registry import TARGETS

    rows = []
    for name, target in TARGETS.items():
        capabilities = target.capabilities
        precisions = "<br>".join(
            f"`{recipe.precision}` {recipe.summary}{' (if named)' * recipe.optional}" for recipe in capabilities.recipes
        )
        evidence = ", ".join(capabilities.evidence)
        rows.append((f"`{name}`", capabilities.devices, precisions, capabilities.builds_on, evidence))
    return _table(("target", "devices", "precisions", "built on", "evidence, best first"), rows)


def _commands() -> str:
    import typer.main

    from dermport.cli.main import build_app

    group = typer.main.get_command(build_app())
    commands: dict[str, typer.core.TyperCommand] = group.commands  # type: ignore[attr-defined]
    return _table(
        ("command", "what it does"), ((f"`dermport {n}`", c.get_short_help_str(200)) for n, c in commands.items())
    )


def _evidence() -> str:
    return _table(("evidence", "what was run"), ((f"`{name}`", text) for name, text in EVIDENCE_MEANING.items()))


def _recipes() -> str:
    from dermport.compression.recipe import built_in, load_recipe

    recipes = [load_recipe(name) for name in built_in()]
    rows = ((f"`{recipe.name}`", ", ".join(step.kind for step in recipe.step), recipe.summary) for recipe in recipes)
    return _table(("recipe", "steps", "what it does"), rows)


GENERATED: dict[str, Callable[[], str]] = {
    "targets": _targets,
    "recipes": _recipes,
    "commands": _commands,
    "evidence": _evidence,
}


def in_step(text: str) -> str:
    """Return the README's text with every generated part made anew."""
    return _PART.sub(lambda part: part[1] + GENERATED[part["name"]]() + part[3], text)


def main(arguments: list[str]) -> int:
    """Write README.md, or with ``--check`` return 1 where it is out of step with the code."""
    text = README.read_text(encoding="utf-8")
    fresh = in_step(text)
    if text == fresh:
        return 0
    if "--check" in arguments:
        sys.stderr.write("README.md is out of step with the code: run `make format`.\n")
        return 1
    write_text(README, fresh)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
