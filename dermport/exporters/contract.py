"""What a target is: its capabilities as data, and the few calls that make and run its artifacts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.export_record import Evidence, OperatorCount, TensorSpec
from dermport.bundle.manifest import Manifest
from dermport.runtimes.base import Runtime
from dermport.runtimes.registry import best_here

if TYPE_CHECKING:
    import keras

    from dermport.exporters.integer.pattern import IntegerParts, Quantisation

_Made = TypeVar("_Made")
_Settings = ParamSpec("_Settings")


@dataclass(frozen=True)
class PrecisionRecipe:
    """How one precision of a target is made.

    Attributes:
        precision: Its name on the command line and in folder names, e.g. ``"int8"``.
        summary: One line for people.
        policy: The row of ``dermport/bundle/policy.toml`` that judges it: ``fp32``, ``fp16``, ``int8``, ``int4`` …
        calibrated: Whether it needs calibration photos.
        settings: Everything else that decides the artifact's bytes; stored in export.json and part of the key.
        optional: Whether it is made only where ``--precision`` names it.
        integers: Whether it holds the integers of an integer model's ``model.keras``, with nothing calibrated.
    """

    precision: str
    summary: str
    policy: str
    calibrated: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    optional: bool = False
    integers: bool = False


@dataclass(frozen=True)
class Capabilities:
    """What a target can do, as data: CLI, README table, conformance checks and benchmark are made from it.

    Attributes:
        name: The target's name, as in ``--to``.
        devices: Where its artifacts run, for people.
        artifact: The artifact's file (or folder) name.
        recipes: The precisions, in the order of the table.
        dynamic_batch: Whether one artifact takes any batch size.
        builds_on: Which hosts can build it, for people.
        evidence: What can be had for it and where, best first.
        tools: The distributions whose versions decide the artifact's bytes.
        converts_with: The modules without which nothing can be converted.
        maps: Whether its artifacts can give class activation maps beside the probabilities.
    """

    name: str
    devices: str
    artifact: str
    recipes: tuple[PrecisionRecipe, ...]
    dynamic_batch: bool
    builds_on: str
    evidence: tuple[Evidence, ...]
    tools: tuple[str, ...]
    converts_with: tuple[str, ...]
    maps: bool = True

    def recipe(self, precision: str) -> PrecisionRecipe:
        """Return the recipe of a precision; KeyError where there is none."""
        return {recipe.precision: recipe for recipe in self.recipes}[precision]


@dataclass(frozen=True)
class Source:
    """What artifacts are made from.

    Attributes:
        model: The Keras model; float32 [N, S, S, 3] of 0..255 in, float32 [N, C] probabilities out, and the class
            activation map float32 [N, h, w, C] as a second output where artifacts are to give it
            (:mod:`dermport.exporters.maps`).
        manifest: The bundle's manifest (labels, preprocessing, name, version).
        model_sha256: sha256 of the model's file, which artifacts carry as their origin.
        calibration: Gives the calibration photos, uint8 [N, S, S, 3]: real training photos through the same
            preprocessing. Called only by recipes that are calibrated.
    """

    model: keras.Model
    manifest: Manifest
    model_sha256: str
    calibration: Callable[[], NDArray[np.uint8]]
    _made: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def _parts(self) -> IntegerParts | None:
        """The model's float network and its integers; None where nothing in it is rounded."""
        from dermport.exporters.integer.pattern import is_integer, split

        return split(self.model) if is_integer(self.model) else None

    @cached_property
    def plain(self) -> Source:
        """The same without the rounding of an integer model; where there is none, this source itself.

        Raises:
            BundleError: The rounding is not whole.
        """
        return self if self._parts is None else replace(self, model=self._parts.plain)

    @property
    def integers(self) -> Quantisation | None:
        """The integers of an integer model; None of any other.

        Raises:
            BundleError: The rounding is not whole.
        """
        return None if self._parts is None else self._parts.table

    def once(
        self,
        make: Callable[Concatenate[Source, _Settings], _Made],
        *settings: _Settings.args,
        **named: _Settings.kwargs,
    ) -> _Made:
        """Return what `make` makes of this source by some settings; it is called for the first precision that asks."""
        key = (make, settings, tuple(named.items()))
        if key not in self._made:
            self._made[key] = make(self, *settings, **named)
        made: _Made = self._made[key]
        return made


@dataclass(frozen=True)
class Description:
    """What a target says of an artifact that it made, read back from the saved file.

    Attributes:
        inputs: The artifact's inputs.
        outputs: The artifact's outputs.
        operators: Operators by type and precision.
        built: False where only a kit for building was written.
        not_built_because: Why, where `built` is false.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    operators: tuple[OperatorCount, ...]
    built: bool = True
    not_built_because: str = ""


@dataclass(frozen=True)
class Execution:
    """How a target's artifact gets executed on this machine, and what that is worth.

    Attributes:
        runtime: The loaded artifact.
        evidence: What running it proves.
        reason: Why it is no better evidence, where better exists for the target.
    """

    runtime: Runtime
    evidence: Evidence
    reason: str = ""


class Target(ABC):
    """One export target. Adding one: a file in ``targets/`` and a line in ``registry.py``."""

    capabilities: Capabilities

    @abstractmethod
    def convert(self, source: Source, recipes: tuple[PrecisionRecipe, ...], folders: Mapping[str, Path]) -> None:
        """Write the artifact of each recipe into ``folders[recipe.precision]``, which exists and is empty.

        Several recipes come in one call so that a conversion can be shared between them.

        Raises:
            ExportError: The conversion failed, or its result breaks the target's own rules.
        """

    @abstractmethod
    def describe(self, folder: Path) -> Description:
        """Read back the artifact in `folder`."""

    def execution(self, folder: Path, threads: int | None = None) -> Execution:
        """Load the artifact in `folder` with the best runtime that this machine has.

        Args:
            folder: The artifact's folder.
            threads: CPU threads, where the runtime leaves a choice; None is the runtime's own default.

        Raises:
            UnavailableError: This machine has none; the message says what is missing.
        """
        runtime, reason = best_here(self.capabilities.name)
        return Execution(runtime.open(folder / self.capabilities.artifact, threads), runtime.evidence, reason)

    def unavailable(self) -> str:
        """Return why this machine cannot export to the target, or an empty string where it can."""
        missing = [name for name in self.capabilities.converts_with if find_spec(name) is None]
        return f"not installed: {', '.join(missing)}; pip install 'dermport[export]'" if missing else ""

    def runs_here(self) -> str:
        """Return in a few words how this machine executes the target's artifacts, with the evidence and its reason."""
        runtime, reason = best_here(self.capabilities.name)
        if missing := runtime.unavailable():
            return f"no: {missing}"
        return f"{runtime.evidence}: {reason or f'{runtime.title} on the CPU'}"
