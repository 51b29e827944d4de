"""Making structures: a start's network resized, pruned and trained on for a few steps, as a bundle that exports."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dermport.bundle.atomic import atomic_directory
from dermport.bundle.macs import count_macs
from dermport.bundle.store import Bundle, Export, file_entries, write_manifest
from dermport.compression.pipeline import take_steps
from dermport.compression.recipe import CompressionRecipe
from dermport.compression.search.candidate import Structure
from dermport.compression.search.photos import SearchPhotos
from dermport.compression.search.space import SearchSpace, original_structure, trained
from dermport.compression.search.starts import PARENT, StartingBundle
from dermport.compression.step import CompressionStep, StepContext
from dermport.exporters.matrix import export_matrix
from dermport.exporters.registry import select
from dermport.exporters.source import CALIBRATION_FILE
from dermport.progress import SILENT
from dermport.training.locks import exclusive_lock
from dermport.training.model.network import calibrated_model

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class BuiltStructure:
    """A structure on disk.

    Attributes:
        bundle: Good for exporting: a model and calibration photos, but no golden set and no evaluation.
        steps: Of training that it had after the change.
    """

    bundle: Bundle
    steps: int

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates for one photo."""
        return count_macs(self.bundle.file(self.bundle.manifest.model.file))

    def export(self, name: str) -> Export:
        """Return the artifact ``<target>-<precision>``, made now unless it is there."""
        folder = self.bundle.path
        with exclusive_lock(folder.parent / f".{folder.name}-{name}.lock"):
            return exported(self.bundle, name)


def exported(bundle: Bundle, name: str) -> Export:
    """Return a bundle's artifact ``<target>-<precision>``, made now unless it is there."""
    target, _, precision = name.partition("-")
    [outcome] = export_matrix(bundle, select([target], [precision]), jobs=1)
    return outcome.export


@dataclass
class CandidateBuilder:
    """Makes structures, each once: what one process makes, others that share the folder wait for, and take.

    Attributes:
        starts: By name.
        space: How a changed network is trained on.
        steps: For how many batches.
        photos: What it is trained on.
        folder: Where structures are kept; what is whole there is taken as it is.
        seed: Of everything random.
    """

    starts: Mapping[str, StartingBundle]
    space: SearchSpace
    steps: int
    photos: SearchPhotos
    folder: Path
    seed: int
    _made: dict[Structure, BuiltStructure] = field(default_factory=dict, init=False)

    def make(self, structure: Structure) -> BuiltStructure:
        """Return a structure, from the disk where a run before made it.

        Raises:
            DermportError: The start's network cannot be changed so.
        """
        if structure not in self._made:
            self._made[structure] = self._make(structure)
        return self._made[structure]

    def _make(self, structure: Structure) -> BuiltStructure:
        start, folder = self.starts[structure.start], self.folder / structure.name
        unchanged = structure == original_structure(start)
        with exclusive_lock(self.folder / f".{structure.name}.lock"):
            if unchanged and not folder.exists():
                _copy(start.bundle, folder)
            elif not folder.exists():
                self._build(structure, start, folder)
        return BuiltStructure(Bundle.open(folder), 0 if unchanged else self.steps)

    def recipe(self, structure: Structure) -> CompressionRecipe:
        """Return what turns the start into the structure."""
        return CompressionRecipe(
            name="search",
            summary="A candidate of a search",
            size=structure.size,
            step=(*self.space.changes(structure), self._quick()),
        )

    def _quick(self) -> CompressionStep:
        """Return the training: epochs over the drawn photos, so that it has the steps that were asked."""
        tune = self.space.tune
        steps_an_epoch = max(1, self.photos.training_photos // tune.batch)
        return trained(tune, math.ceil(self.steps / steps_an_epoch), self.starts[PARENT].bundle.path)

    def _build(self, structure: Structure, start: StartingBundle, folder: Path) -> None:
        steps = self.folder / f".{structure.name}.steps"
        parts = self.photos.parts(structure.size)
        context = StepContext(start.bundle, parts, steps, self.folder / ".cache", self.seed, SILENT)
        outcomes = take_steps(self.recipe(structure), context)
        with atomic_directory(folder) as part:
            _write(part, structure.name[:64], outcomes[-1].network, context)
        shutil.rmtree(steps, ignore_errors=True)
        _forget()


def _forget() -> None:
    """Free what Keras remembers of networks that are gone; a search makes dozens."""
    import keras

    keras.utils.clear_session()


def _copy(bundle: Bundle, folder: Path) -> None:
    """Copy a bundle with its exports, which are right still."""
    with atomic_directory(folder, replace=True) as part:
        shutil.copytree(bundle.path, part, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*"))


def _write(folder: Path, name: str, network: keras.Model, context: StepContext) -> None:
    """Write what exporters read of a bundle."""
    origin = context.parent
    manifest, split = origin.manifest, origin.manifest.known_dataset.split.file
    model = calibrated_model(network, 1.0)  # the start's temperature stays folded in: no label changes by another one
    model.save(folder / manifest.model.file)
    (folder / CALIBRATION_FILE).parent.mkdir()
    np.save(folder / CALIBRATION_FILE, context.calibration())
    shutil.copyfile(origin.file(split), folder / split)
    changed = {
        "name": name,
        "preprocessing": context.parts.train.preprocessing,
        "model": manifest.model.model_copy(update={"parameters": int(model.count_params())}),
        "files": file_entries(folder),
    }
    write_manifest(folder, manifest.model_copy(update=changed))
