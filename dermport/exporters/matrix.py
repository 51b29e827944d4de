"""The whole matrix: every target and precision that changed, each on its own, renamed into place whole."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from dermport.bundle.store import Bundle, Export
from dermport.errors import BundleError, DermportError, IntegrityError
from dermport.exporters.contract import PrecisionRecipe, Target
from dermport.exporters.key import key_of
from dermport.exporters.maps import SETTING
from dermport.exporters.workers import Piece, name_of, worked_through

Selection = list[tuple[Target, tuple[PrecisionRecipe, ...]]]


@dataclass(frozen=True)
class ExportOutcome:
    """What became of one target and precision.

    Attributes:
        name: ``<target>-<precision>``.
        fresh: Whether it was made now; false where the finished one was still right, or none could be made.
        failure: Why there is none; None where there is.
        made: The artifact; None where there is none.
    """

    name: str
    fresh: bool
    failure: DermportError | None = None
    made: Export | None = None

    @property
    def export(self) -> Export:
        """The artifact with its record; where none could be made, its failure is raised."""
        if self.failure is not None:
            raise self.failure
        assert self.made is not None
        return self.made


def with_maps(selection: Selection) -> Selection:
    """Return the selection with recipes whose artifacts give class activation maps too, where their target can."""
    return [
        (target, tuple(_mapped(r) for r in recipes) if target.capabilities.maps else recipes)
        for target, recipes in selection
    ]


def _mapped(recipe: PrecisionRecipe) -> PrecisionRecipe:
    return replace(recipe, settings={**recipe.settings, SETTING: True})


def export_matrix(
    bundle: Bundle,
    selection: Selection,
    *,
    jobs: int = 0,
    force: bool = False,
    report: Callable[[ExportOutcome], None] = lambda outcome: None,
) -> list[ExportOutcome]:
    """Export every selected target and precision that is missing or stale, each on its own.

    Args:
        bundle: What to export.
        selection: Targets with their recipes (see :func:`dermport.exporters.registry.select` and :func:`with_maps`).
        jobs: Processes; 0 is one per core. Targets that share conversions share a process.
        force: Export even what is still right.
        report: Called with each outcome, in the order in which they are known.

    Returns:
        The outcomes in the selection's order; one that failed stops no other, and says why.

    Raises:
        BundleError: The model's bytes are not the recorded ones, so that nothing can be made of it.
        OSError: The disk does not take an artifact. What was finished before stays.
    """
    outcomes = {}
    for outcome in _outcomes(bundle, selection, jobs or os.cpu_count() or 1, force=force):
        outcomes[outcome.name] = outcome
        report(outcome)
    return [outcomes[name_of((target, recipe))] for target, recipes in selection for recipe in recipes]


def _outcomes(bundle: Bundle, selection: Selection, jobs: int, *, force: bool) -> Iterator[ExportOutcome]:
    stale: list[Piece] = []
    for piece in ((target, recipe) for target, recipes in selection for recipe in recipes):
        finished = None if force else _current(bundle, *piece)
        if finished is None:
            stale.append(piece)
        else:
            yield ExportOutcome(name_of(piece), fresh=False, made=finished)
    if stale:
        bundle.file(bundle.manifest.model.file)
    for (target, recipe), failure in worked_through(bundle, stale, jobs):
        made = None if failure else bundle.export(target.capabilities.name, recipe.precision)
        yield ExportOutcome(name_of((target, recipe)), made is not None, failure, made)


def _current(bundle: Bundle, target: Target, recipe: PrecisionRecipe) -> Export | None:
    """Return the finished artifact, where there is one that is still right."""
    try:
        export = bundle.export(target.capabilities.name, recipe.precision)
        export.checked()
    except (BundleError, IntegrityError):
        return None
    return export if export.record.key == key_of(bundle, target, recipe) else None
