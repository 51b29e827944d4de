"""The targets, by name. A new target is one line here."""

from __future__ import annotations

from dermport.errors import UsageError
from dermport.exporters.contract import PrecisionRecipe, Target
from dermport.exporters.targets.coreml import CoreML
from dermport.exporters.targets.microcontroller import Microcontroller
from dermport.exporters.targets.onnx import Onnx
from dermport.exporters.targets.tensorrt import TensorRT
from dermport.exporters.targets.tflite import TFLite

_ALL: tuple[Target, ...] = (Onnx(), TFLite(), CoreML(), TensorRT(), Microcontroller())
TARGETS: dict[str, Target] = {target.capabilities.name: target for target in _ALL}


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
) -> list[tuple[Target, tuple[PrecisionRecipe, ...]]]:
    """Return the recipes that ``--to`` and ``--precision`` name; all of them where an option is absent.

    Args:
        targets: Names of targets.
        precisions: Names of precisions.
        optional: Whether "all" includes the precisions that are made only where they are named.

    Raises:
        UsageError: A target or precision is unknown, or no target has any of the precisions.
    """
    every = [target for target in TARGETS.values() if optional or not _on_request(target)]
    chosen = [get_target(name) for name in targets] if targets else every
    known = {recipe.precision for target in chosen for recipe in target.capabilities.recipes}
    if unknown := set(precisions or ()) - known:
        raise UsageError(
            f"No chosen target has precision {sorted(unknown)}.", remedy=f"Known: {', '.join(sorted(known))}."
        )

    def wanted(target: Target, recipe: PrecisionRecipe) -> bool:
        if precisions:
            return recipe.precision in precisions
        return optional or not recipe.optional or _on_request(target)

    pairs = [(target, tuple(r for r in target.capabilities.recipes if wanted(target, r))) for target in chosen]
    return [(target, recipes) for target, recipes in pairs if recipes]


def _on_request(target: Target) -> bool:
    """Return whether a target is exported to only where ``--to`` names it: it has optional precisions alone."""
    return all(recipe.optional for recipe in target.capabilities.recipes)
