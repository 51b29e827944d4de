"""What all trainings of a reproduction share: the protocol, the photos, where state is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.hashing import sha256_json
from dermport.progress import Progress
from dermport.training.data.dataset import Dataset
from dermport.training.data.photos import Rows, cached_tensors
from dermport.training.features import PhotoSource
from dermport.training.phases.loop import Targets, TrainingLoop, class_weights
from dermport.training.protocols.draws import Draw, Indices
from dermport.training.protocols.protocol import Protocol
from dermport.training.run import TrainingRun


@dataclass(frozen=True)
class ReproductionContext:
    """What all trainings of a reproduction share.

    Attributes:
        protocol: What is done.
        dataset: The photos.
        run: Where features, photos and checkpoints are kept.
        seed: Of everything random.
        weights: What MobileNetV2 starts from: ``imagenet`` or a weights file.
        weights_dir: Files of weights of other architectures; None for none.
        jobs: Threads that decode; None for one per processor.
        progress: What a person sees.
    """

    protocol: Protocol
    dataset: Dataset
    run: TrainingRun
    seed: int
    weights: str
    weights_dir: Path | None
    jobs: int | None
    progress: Progress

    @property
    def classes(self) -> int:
        """C."""
        return len(self.dataset.task.spec.ids)

    def tensors(self, indices: Indices | None = None) -> NDArray[np.uint8]:
        """Return photos as the model's inputs, uint8 [N, S, S, 3], read as they are indexed; None for all of them."""
        bar = self.progress.bar("Preparing photos")
        records, spec = self.dataset.records, self.protocol.preprocessing
        path = cached_tensors(self.run.photos, records, spec, jobs=self.jobs, bar=bar)
        rows = np.arange(len(records)) if indices is None else indices
        return cast("NDArray[np.uint8]", Rows.opened(path, rows))

    @property
    def source(self) -> PhotoSource:
        """All photos, as the feature cache identifies them: every arm and fold takes its own rows of the features."""
        key = {
            "dataset": self.dataset.fingerprint,
            "photos": sha256_json([[record.photo_id, record.sha256] for record in self.dataset.records]),
            "preprocessing": self.protocol.preprocessing.model_dump(),
        }
        return PhotoSource(key, len(self.dataset.records), self.tensors)

    def loop(self, draw: Draw, folder: Path, batch: int, patience: int = 0) -> TrainingLoop:
        """Return the loop of one training, whose checkpoints are in `folder`."""
        labels = self.dataset.targets()
        train = labels[draw.train]
        targets = Targets(train, labels[draw.validation], class_weights(train, self.classes, "none"))
        return TrainingLoop(folder, targets, batch, patience, self.seed, self.progress)


def of_each(test: Indices, answer: Callable[[Indices], NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return the answers for all entries of a test part, asking once about a photo that is there repeatedly."""
    photos, entries = np.unique(test, return_inverse=True)
    return answer(photos)[entries]
