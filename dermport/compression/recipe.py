"""Recipes: what is done to a bundle, as data that a file holds and the result's manifest repeats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from dermport.bundle.named_documents import NamedDocuments, value_of
from dermport.compression.distillation.distil import Distil
from dermport.compression.distillation.student import Student
from dermport.compression.fine_tune import FineTune
from dermport.compression.pruning.prune_channels import PruneChannels
from dermport.compression.pruning.prune_magnitude import PruneMagnitude
from dermport.compression.quantisation.quantise import Quantise
from dermport.contract import Contract, Name
from dermport.errors import UsageError

AnyStep = Annotated[
    FineTune | Student | Distil | PruneChannels | PruneMagnitude | Quantise,
    Field(discriminator="kind"),
]
"""The steps that recipes are made of; `kind` chooses one. A new step is one line here."""
_RECIPES = NamedDocuments("recipe", "dermport.compression", "recipes")


class CompressionRecipe(Contract):
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
    return _RECIPES.names()


def load_recipe(name: str, changes: Sequence[str] = ()) -> CompressionRecipe:
    """Return a built-in recipe by name, or one from a TOML file.

    Args:
        name: ``int8``, or ``path/to/recipe.toml``.
        changes: Options to change, each ``KIND.OPTION=VALUE`` (every step of that kind) or ``OPTION=VALUE`` (of the
            recipe itself); values as in JSON, other words are text.

    Raises:
        UsageError: There is no such recipe, it is not valid, or a change names nothing in it.
    """
    return _RECIPES.load(name, CompressionRecipe, changes, change=_change)


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
        table[option] = value_of(text)
