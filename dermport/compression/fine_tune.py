"""Fine-tuning: every weight of a changed network is trained on until it answers as well as before."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dermport.compression.step import CompressionStep, StepContext, StepResult
from dermport.training.augment import GENTLE, STRONG, augment
from dermport.training.phases.loop import Inputs, Phase, TrainingLoop, steps_per_epoch
from dermport.training.phases.recipes import adamw_with_cosine, compile_for
from dermport.training.phases.twin import trained_in_place_of

if TYPE_CHECKING:
    import keras

STRENGTH = {"gentle": GENTLE, "strong": STRONG}


class TrainingStep(CompressionStep):
    """A step that trains all layers: AdamW with warm-up and cosine, a moving average of the weights."""

    epochs: Annotated[int, Field(ge=1)] = 4
    learning_rate: Annotated[float, Field(gt=0, description="peak of the schedule")] = 2e-4
    batch: Annotated[int, Field(ge=2)] = 32
    balance: Literal["none", "sqrt", "full"] = "sqrt"
    augmentation: Literal["gentle", "strong"] = "strong"
    mixup: Annotated[float, Field(ge=0)] = 0.2
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.05
    patience: Annotated[int, Field(ge=0)] = 0
    fused_norm: Annotated[bool, Field(description="as --fused-norm of `dermport train`")] = False

    def in_place_of(self, network: keras.Model) -> AbstractContextManager[keras.Model]:
        """Return a context in which what is to be trained stands for `network`, which then has its weights."""
        return trained_in_place_of(network, fused_norm=self.fused_norm)

    def prepared(self, network: keras.Model, context: StepContext) -> tuple[keras.optimizers.Optimizer, TrainingLoop]:
        """Return the optimizer and the loop for `network`, whose batch normalisation then looks back about an epoch."""
        steps = steps_per_epoch(len(context.parts.train.records), self.batch)
        remember(network, steps)
        # Looks back over one epoch: there are only a few.
        optimizer = adamw_with_cosine(self.learning_rate, self.epochs * steps, max(0.9, 1 - 1 / steps))
        return optimizer, context.loop(batch=self.batch, patience=self.patience, balance=self.balance)


class FineTune(TrainingStep):
    """Train all layers on the labels; the best epoch is kept."""

    kind: Literal["fine-tune"] = "fine-tune"

    def run(self, network: keras.Model, context: StepContext) -> StepResult:
        """Train the network; see :class:`dermport.compression.step.CompressionStep`."""
        inputs = augmented(context.parts.train.tensors, self.augmentation)
        validation = context.parts.validation.tensors
        with self.in_place_of(network) as trained:
            optimizer, loop = self.prepared(trained, context)
            compile_for(trained, optimizer, self.label_smoothing)
            phase = Phase(self.kind, "Fine-tuning", trained, self.epochs, inputs, validation, self.mixup)
            return StepResult(network, history=loop.run(phase))


def augmented(tensors: NDArray[np.uint8], how: Literal["gentle", "strong"]) -> Inputs:
    """Return inputs that are freshly augmented photos of `tensors`, uint8 [N, S, S, 3]."""
    strength = STRENGTH[how]

    def inputs(indices: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.float32]:
        return augment(tensors[indices], strength, random)

    return inputs


def remember(network: keras.Model, steps: int) -> None:
    """Let batch normalisation look back about one epoch of `steps`; Keras' 0.999 is too long for a few epochs."""
    for layer in network.layers:
        if hasattr(layer, "moving_mean"):
            layer.momentum = max(0.9, 1 - 1 / steps)
