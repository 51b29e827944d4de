"""``dermport compress``: a smaller bundle from a bundle, by a recipe."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dermport.cli.options import Jobs, Json, Seed

if TYPE_CHECKING:
    from dermport.bundle.store import Bundle


def compress(
    bundle: Annotated[
        Path | None, typer.Argument(metavar="BUNDLE", help="The parent's folder, e.g. artifacts/ham7.")
    ] = None,
    recipe: Annotated[
        str, typer.Option("--recipe", help="A recipe that comes with dermport (--list), or a FILE.toml.")
    ] = "",
    data: Annotated[
        Path | None, typer.Option("--data", help="The data set that the parent was trained on; its split is kept.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Default: beside the parent, <parent>-<recipe>.")] = None,
    name: Annotated[str, typer.Option("--name", help="The bundle's name. Default: the last part of --out.")] = "",
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KIND.OPTION=VALUE", help="Change an option of the recipe; may be repeated."),
    ] = None,
    show: Annotated[
        bool, typer.Option("--list", help="List the recipes, or show the one that --recipe names.")
    ] = False,
    seed: Seed = 0,
    jobs: Jobs = 0,
    json: Json = False,
) -> None:
    """Prune, distil or quantise a bundle's model; the result is a bundle that exports, verifies and serves like any.

    A compression that was killed goes on where it was when the same command is given again, to the same result.
    """
    from dermport.bundle.store import Bundle
    from dermport.cli import output
    from dermport.compression.pipeline import CompressionRequest
    from dermport.compression.pipeline import compress as run
    from dermport.errors import UsageError

    if show:
        _show(recipe, change or [], json)
        return
    if bundle is None or data is None or not recipe:
        raise UsageError(
            "`dermport compress` needs a BUNDLE, its --data and a --recipe.",
            remedy="`dermport compress --list` shows the recipes.",
        )
    asked = CompressionRequest.of(
        bundle,
        recipe,
        data,
        changes=change or (),
        out=out,
        name=name,
        seed=seed,
        jobs=jobs or None,
        command=shlex.join(["dermport", *sys.argv[1:]]),
    )
    child = run(asked, output)
    _print(Bundle.open(bundle), child)
    if json:
        output.emit_json(child.manifest.model_dump(mode="json", by_alias=True))


def _show(recipe: str, changes: list[str], json: bool) -> None:
    from dermport.cli import output
    from dermport.compression.recipe import built_in, load_recipe

    recipes = [load_recipe(name, changes if recipe else ()) for name in ([recipe] if recipe else built_in())]
    if json:
        documents = [one.model_dump(mode="json") for one in recipes]
        output.emit_json(documents[0] if recipe else documents)
        return
    table = output.new_table("recipe", "steps", "what it does")
    for one in recipes:
        steps = [re.sub(r"^(\S+) $", r"\1", f"{step.kind} {_options(step) if recipe else ''}") for step in one.step]
        table.add_row(one.name, "\n".join(steps), one.summary)
    output.console().print(table)


def _options(step: object) -> str:
    values = step.model_dump(mode="json", exclude={"kind"})  # type: ignore[attr-defined]
    return ", ".join(f"{name}={value}" for name, value in values.items())


def _print(parent: Bundle, child: Bundle) -> None:
    from dermport.cli.evaluate_tables import say_doubt
    from dermport.cli.output import console, new_table, say
    from dermport.statistics.metrics import TITLES
    from dermport.statistics.text import in_words

    before, after = parent.manifest, child.manifest
    table = new_table("", before.name, after.name)
    table.add_row("parameters", f"{before.model.parameters:,}", f"{after.model.parameters:,}")
    for key in ("accuracy", "balanced_accuracy", "macro_roc_auc", "decision_roc_auc"):
        figures = (manifest.metrics.figures[key] if manifest.metrics else None for manifest in (before, after))
        table.add_row(TITLES[key], *(in_words(one) if one else "–" for one in figures))
    console().print(table)
    say(
        f"[bold]{child.path}[/bold]: `dermport export {child.path}` makes its artifacts; it is a bundle like any other."
    )
    say_doubt(child)
