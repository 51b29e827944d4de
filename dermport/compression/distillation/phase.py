"""A phase whose batches carry what a teacher says of them, beside the labels."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from dermport.compression.distillation.objective import Objective
from dermport.compression.distillation.teacher import Teacher
from dermport.compression.distillation.teacher_outputs import TeacherOutputs, Views
from dermport.training.model.network import class_logits, predict
from dermport.training.phases.loop import Batch, Inputs, Mixture, Phase, Targets

if TYPE_CHECKING:
    import keras


class SoftTargets(Protocol):
    """Where a teacher's answers to a batch come from."""

    def of_batch(
        self, indices: NDArray[np.int64], inputs: NDArray[np.float32], mixup: float, random: np.random.Generator
    ) -> NDArray[np.float32]:
        """Return what :meth:`Objective.soft_targets` returns, for a batch as the student sees it.

        Args:
            indices: Of the photos, int64 [B].
            inputs: What the student is shown, augmented and blended, float32 [B, S, S, 3].
            mixup: Of the phase.
            random: In the state in which the batch was drawn, so that the same draws can be made again.
        """


@dataclass(frozen=True, kw_only=True)
class DistillationPhase(Phase):
    """A phase of distillation.

    Attributes:
        network: The student; `model` has the same layers, and the map of its features where they count.
        soft_targets: Gives the teacher's answers.
    """

    network: keras.Model
    soft_targets: SoftTargets

    def batch(self, indices: NDArray[np.int64], targets: Targets, random: np.random.Generator) -> Batch:
        """Return what a step trains on: the targets are the labels, then what the teacher says."""
        again = deepcopy(random)
        inputs, labels, weights = super().batch(indices, targets, random)
        soft_targets = self.soft_targets.of_batch(indices, inputs, self.mixup, again)
        return inputs, np.concatenate([labels, soft_targets], axis=1), weights

    def logits(self) -> NDArray[np.float32]:
        """Return the student's logits of the validation photos, float32 [N, C]."""
        return class_logits(predict(self.network, self.validation))


@dataclass(frozen=True)
class OnlineTargets:
    """The teacher sees the very photos that the student sees, blended as they are (Beyer et al. 2022).

    "Knowledge distillation: a good teacher is patient and consistent", arXiv:2106.05237. It costs a forward pass of the
    teacher each step.

    Attributes:
        teacher: The teacher.
        objective: What its answers are made ready for.
        inputs: The photos as the teacher takes them, drawn as the student's are; None where it takes the student's.
    """

    teacher: Teacher
    objective: Objective
    inputs: Inputs | None = None

    def of_batch(
        self, indices: NDArray[np.int64], inputs: NDArray[np.float32], mixup: float, random: np.random.Generator
    ) -> NDArray[np.float32]:
        """See :class:`SoftTargets`."""
        if self.inputs is not None:
            inputs = self.inputs(indices, random)
            inputs = Mixture.drawn(mixup, len(indices), random).of(inputs) if mixup else inputs
        return self.objective.soft_targets(*self.teacher.outputs(inputs))


@dataclass(frozen=True)
class CachedTargets:
    """The teacher's kept answers to some views of each photo, blended as the labels are.

    Attributes:
        answers: The answers.
        objective: What they are made ready for.
        views: Of which the answers are.
    """

    answers: TeacherOutputs
    objective: Objective
    views: Views

    def inputs(self, tensors: NDArray[np.uint8]) -> Inputs:
        """Return the student's inputs: a view of each photo of `tensors`, uint8 [N, S, S, 3], at random."""

        def inputs(indices: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.float32]:
            return self.views.of(tensors, indices, self._chosen(indices, random))

        return inputs

    def of_batch(
        self, indices: NDArray[np.int64], inputs: NDArray[np.float32], mixup: float, random: np.random.Generator
    ) -> NDArray[np.float32]:
        """See :class:`SoftTargets`."""
        soft_targets = self.objective.soft_targets(*self.answers.of(indices, self._chosen(indices, random)))
        return Mixture.drawn(mixup, len(indices), random).of(soft_targets) if mixup else soft_targets

    def _chosen(self, indices: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
        return random.integers(self.views.count, size=len(indices))
