"""A step of a recipe: its options as validated data, one call, what it works with, and what it gives back."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.atomic import write_json
from dermport.bundle.store import Bundle
from dermport.contract import Contract
from dermport.progress import Progress
from dermport.training.golden import choose_calibration
from dermport.training.parts import SplitPhotos
from dermport.training.phases.loop import Targets, TrainingLoop, class_weights
from dermport.training.phases.state import EpochFigures

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class StepContext:
    """What a step works with.

    Attributes:
        parent: The bundle that is compressed; never changed.
        parts: The photos of its split, prepared at the size of the model to be.
        folder: Where the step keeps checkpoints; its own, in the run's hidden folder.
        cache: What can be computed again (a teacher's answers); shared by all bundles beside this one.
        seed: Of everything random.
        progress: What a person sees.
    """

    parent: Bundle
    parts: SplitPhotos
    folder: Path
    cache: Path
    seed: int
    progress: Progress

    @property
    def classes(self) -> int:
        """The number of labels."""
        return len(self.parent.manifest.task.ids)

    def calibration(self) -> NDArray[np.uint8]:
        """Return training photos to measure activations on, uint8 [200 or fewer, S, S, 3]; the same ones each time."""
        train = self.parts.train
        return train.some_tensors(choose_calibration(len(train.records), self.seed))

    def targets(self, balance: str = "sqrt") -> Targets:
        """Return the classes of the photos and what an error on each costs: ``none``, ``sqrt`` or ``full``."""
        train = self.parts.train.targets
        return Targets(train, self.parts.validation.targets, class_weights(train, self.classes, balance))

    def loop(self, *, batch: int = 32, patience: int = 0, balance: str = "sqrt") -> TrainingLoop:
        """Return the training loop, whose phases go on from their checkpoints where a run was killed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return TrainingLoop(self.folder, self.targets(balance), batch, patience, self.seed, self.progress)


@dataclass(frozen=True)
class StepResult:
    """What a step gives back.

    Attributes:
        network: The network after it (see :mod:`dermport.compression.network`).
        figures: What was measured on the way, by short name, e.g. ``{"sparsity": 0.8}``.
        notes: What a reader of the model card has to know, in words.
        history: Epochs that it trained.
        alpha: Width multiplier of the network, where the step changed it.
        seconds: That the step took, over all its resumptions; the pipeline's to fill in.
    """

    network: keras.Model
    figures: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    history: tuple[EpochFigures, ...] = ()
    alpha: float | None = None
    seconds: float = 0.0

    def save(self, folder: Path) -> None:
        """Write ``network.keras``, and ``outcome.json`` once that is whole, so that a killed run goes on after it."""
        folder.mkdir(parents=True, exist_ok=True)
        self.network.save(folder / "network.keras")
        document = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "network"}
        write_json(folder / "outcome.json", document | {"history": [asdict(epoch) for epoch in self.history]})

    @classmethod
    def load(cls, folder: Path) -> StepResult | None:
        """Return what a finished step gave back, or None where it has not finished."""
        import keras

        path = folder / "outcome.json"
        if not path.is_file():
            return None
        document = json.loads(path.read_text(encoding="utf-8"))
        history = tuple(EpochFigures(**epoch) for epoch in document.pop("history"))
        network = keras.saving.load_model(folder / "network.keras", compile=False)
        return cls(network, notes=tuple(document.pop("notes")), history=history, **document)


class CompressionStep(Contract):
    """A step of a recipe; its fields are the options of its ``[[step]]`` table, and `kind` tells which step it is.

    A new step is a class here below with a ``kind: Literal["its-name"]``, and a line in
    :mod:`dermport.compression.recipe`.
    """

    @abstractmethod
    def run(self, network: keras.Model, context: StepContext) -> StepResult:
        """Return the changed network with what was measured.

        Args:
            network: As :mod:`dermport.compression.network` says; the step may change it in place.
            context: The parent, the photos, a folder for checkpoints. A step that trains goes on from its checkpoints,
                so that a killed run ends with the same weights as one that was not.

        Raises:
            DermportError: The options do not fit this network or these photos.
        """
