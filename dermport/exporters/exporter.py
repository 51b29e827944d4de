"""One artifact after the other: made from what they share, looked at once it is saved, renamed into place whole."""

from __future__ import annotations

import os
import time
import traceback
from dataclasses import replace

from dermport.bundle.atomic import atomic_directory
from dermport.bundle.store import Bundle, write_record
from dermport.errors import DermportError, ExportError
from dermport.exporters.contract import Description, PrecisionRecipe, Source, Target
from dermport.exporters.integer.proof import recipe_for
from dermport.exporters.maps import SETTING, with_map
from dermport.exporters.record import record_of
from dermport.exporters.source import load_source


class Exporter:
    """Exports a bundle's model; what its artifacts are made from is made once.

    Args:
        bundle: What to export.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._sources: dict[bool, Source] = {}

    def export(self, target: Target, recipe: PrecisionRecipe) -> None:
        """Write one artifact with its record into the bundle; where that fails, what was there stays.

        Raises:
            ExportError: The conversion failed, or what it saved takes or gives something else than the model.
            BundleError: The model or its calibration photos cannot be read.
            OSError: The disk does not take it.
        """
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        try:
            self._export(target, recipe)
        except (DermportError, OSError):
            raise
        except Exception as error:  # converters raise errors of any type
            traceback.print_exc()  # the command line's log has it
            raise ExportError(
                f"The converter failed: {type(error).__name__}: {error}.",
                remedy=f"{target.capabilities.name} may not know a layer of this network; others do.",
            ) from error

    def _export(self, target: Target, recipe: PrecisionRecipe) -> None:
        started = time.perf_counter()
        place = self._bundle.export_folder(target.capabilities.name, recipe.precision)
        with atomic_directory(place, replace=True) as folder:
            source = self._source(maps=SETTING in recipe.settings)
            carried_out = recipe_for(recipe, source)
            target.convert(source, (carried_out,), {recipe.precision: folder})
            description = target.describe(folder)
            require_ends(description, source)
            record = record_of(
                self._bundle, target, recipe, carried_out=carried_out, folder=folder, description=description
            )
            write_record(folder, record.model_copy(update={"seconds": round(time.perf_counter() - started, 2)}))

    def _source(self, *, maps: bool) -> Source:
        if False not in self._sources:
            self._sources[False] = load_source(self._bundle)
        if maps not in self._sources:
            plain = self._sources[False]
            self._sources[maps] = replace(plain, model=with_map(plain.model))
        return self._sources[maps]


def require_ends(description: Description, source: Source) -> None:
    """See that a saved artifact takes one photo, and gives what the model gives, in its shapes.

    Raises:
        ExportError: It does not; the message names what it takes and gives.
    """
    model = source.model
    wanted = [tuple(tensor.shape[1:]) for tensor in (*model.inputs, *model.outputs)]
    found = [*description.inputs, *description.outputs]
    if [tensor.shape[1:] for tensor in found] != wanted or len(description.inputs) != len(model.inputs):
        named = ", ".join(f"{tensor.name} {list(tensor.shape)}" for tensor in found)
        raise ExportError(
            f"The saved file's inputs and outputs ({named}) are not the model's "
            f"({', '.join(str(['N', *shape]) for shape in wanted)}).",
            remedy="The converter changed what the network takes or gives: report the layer that stands there.",
        )
