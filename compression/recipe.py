"""Recipes: what is done to a bundle, as data that a file holds and the result's manifest repeats."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from bundle.errors import UsageError
from bundle.model import Contract, Name
from bundle.toml import TOMLDecodeError, loads
from compression.steps import AnyStep

SUFFIX = ".toml"


class Recipe(Contract):
    """What is done to a bundle, step by step.

    A file holds it as TOML: ``name``, ``summary``, ``size`` where the input changes, and a ``[[step]]`` table for each
    step with its ``kind`` and options.
    """

    name: Name
    summary: str
    size: Annotated[int | None, Field(ge=32, le=1024, description="side of the input; None: the parent's")] = None
    dropout: Annotated[float, Field(ge=0, lt=1, description="share of the pooled features, while training")] = 0.2
    step: Annotated[tuple[AnyStep, ...], Field(min_length=1)]


def built_in() -> tuple[str, ...]:
    """Return the names of the recipes that come with dermport, sorted."""
    return tuple(sorted(path.name.removesuffix(SUFFIX) for path in _folder().iterdir() if path.name.endswith(SUFFIX)))


def load_recipe(name: str, changes: Sequence[str] = ()) -> Recipe:
    """Return a built-in recipe by name, or one from a TOML file.

    Args:
        name: ``int8``, or ``path/to/recipe.toml``.
        changes: Options to change, each ``KIND.OPTION=VALUE`` (every step of that kind) or ``OPTION=VALUE`` (of the
            recipe itself); values as in JSON, other words are text.

    Raises:
        UsageError: There is no such recipe, it is not valid, or a change names nothing in it.
    """
    document = _document(name)
    for change in changes:
        _change(document, change)
    try:
        return Recipe.model_validate_json(json.dumps(document))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise UsageError(f"The recipe {name} is not valid: {where}: {first['msg']}.") from error


def _document(name: str) -> dict[str, Any]:
    if name in built_in():
        text = _folder().joinpath(name + SUFFIX).read_text(encoding="utf-8")
    elif Path(name).is_file():
        text = Path(name).read_text(encoding="utf-8")
    else:
        raise UsageError(
            f"There is no recipe {name!r}.",
            remedy=f"Recipes: {', '.join(built_in())}; or name a FILE{SUFFIX} of your own.",
        )
    try:
        return loads(text)
    except TOMLDecodeError as error:
        raise UsageError(f"The recipe {name} is not TOML: {error}.") from error


def _change(document: dict[str, Any], change: str) -> None:
    target, equals, text = change.partition("=")
    kind, dot, option = target.rpartition(".")
    tables = [step for step in document.get("step", ()) if step.get("kind") == kind] if dot else [document]
    if not equals or not option or not tables:
        kinds = ", ".join(dict.fromkeys(str(step.get("kind")) for step in document.get("step", ())))
        raise UsageError(
            f"--set {change} changes nothing in the recipe {document.get('name', '')}.",
            remedy=f"It takes KIND.OPTION=VALUE; the recipe's steps are: {kinds}.",
        )
    for table in tables:
        table[option] = _value(text)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _folder() -> Any:
    return resources.files("compression") / "recipes"
