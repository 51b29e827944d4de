"""What every step of a recipe can use: the parent, the photos, the run's folder and the progress."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.store import Bundle
from dermport.progress import Progress
from dermport.training.golden import choose_calibration
from dermport.training.parts import SplitPhotos
from dermport.training.phases.loop import Loop, Targets, class_weights
from dermport.training.phases.state import EpochFigures

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Context:
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

    def loop(self, *, batch: int = 32, patience: int = 0, balance: str = "sqrt") -> Loop:
        """Return the training loop, whose phases go on from their checkpoints where a run was killed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return Loop(self.folder, self.targets(balance), batch, patience, self.seed, self.progress)


@dataclass(frozen=True)
class Outcome:
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
