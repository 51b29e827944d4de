"""The targets, by name. A new target is one line here."""

from __future__ import annotations

from bundle.errors import UsageError
from exporters.contract import Recipe, Target
from exporters.targets.coreml import CoreML
from exporters.targets.onnx import Onnx
from exporters.targets.tensorrt import TensorRT
from exporters.targets.tflite import TFLite

TARGETS: dict[str, Target] = {target.capabilities.name: target for target in (Onnx(), TFLite(), CoreML(), TensorRT())}


def get_target(name: str) -> Target:
    """Return a target.

    Raises:
        UsageError: There is none of that name.
    """
    if name not in TARGETS:
        raise UsageError(f"There is no target {name!r}.", remedy=f"Targets: {', '.join(TARGETS)}.")
    return TARGETS[name]


def select(
    targets: list[str] | None, precisions: list[str] | None, *, optional: bool = False
) -> list[tuple[Target, tuple[Recipe, ...]]]:
    """Return the recipes that ``--to`` and ``--precision`` name; all of them where an option is absent.

    Args:
        targets: Names of targets.
        precisions: Names of precisions.
        optional: Whether "all" includes the precisions that are made only where they are named.

    Raises:
        UsageError: A target or precision is unknown, or no target has any of the precisions.
    """
    chosen = [get_target(name) for name in targets] if targets else list(TARGETS.values())
    known = {recipe.precision for target in chosen for recipe in target.capabilities.recipes}
    if unknown := set(precisions or ()) - known:
        raise UsageError(
            f"No chosen target has precision {sorted(unknown)}.", remedy=f"Known: {', '.join(sorted(known))}."
        )

    def wanted(recipe: Recipe) -> bool:
        return recipe.precision in precisions if precisions else optional or not recipe.optional

    pairs = [(target, tuple(recipe for recipe in target.capabilities.recipes if wanted(recipe))) for target in chosen]
    return [(target, recipes) for target, recipes in pairs if recipes]
