"""Magnitude pruning: single weights become zero, gradually, while the others are trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from dermport.compression.fine_tune import TrainingStep, augmented
from dermport.compression.pruning.masks import (
    Kernels,
    Scope,
    kernels_of,
    prunable,
    set_kernels,
    smallest_zeroed,
    sparsity_of,
    two_of_four_zeroed,
)
from dermport.compression.step import StepContext, StepResult
from dermport.training.phases.loop import Phase
from dermport.training.phases.recipes import compile_for
from dermport.training.phases.state import EpochFigures

if TYPE_CHECKING:
    import keras


_NOTES = {
    "any": "zeros anywhere: smaller only once the file is compressed; `python -m benchmarks.pruning` tells where it "
    "is faster",
    "2:4": "two zeros of every four input channels: for TensorRT's sparse kernels (Ampere GPUs and later, Jetson Orin "
    "among them); elsewhere smaller only once the file is compressed",
}


class PruneMagnitude(TrainingStep):
    """Make weights zero before each of `ramp` epochs, then train `epochs` more with all the zeros in place.

    The share of zeros rises along a cubic curve (Zhu and Gupta 2017, arXiv:1710.01878, equation 1): fast while there is
    plenty to remove, slowly in the end. Of the last `epochs` the best is kept, as in fine-tuning.
    """

    kind: Literal["prune-magnitude"] = "prune-magnitude"
    sparsity: Annotated[float, Field(gt=0, lt=1, description="share of zeros in the pruned layers in the end")] = 0.8
    ramp: Annotated[int, Field(ge=0, description="epochs over which the share of zeros rises; 0: all at once")] = 3
    scope: Annotated[Scope, Field(description="whether layers compete for weights, or each gives the same share")] = (
        "global"
    )
    pattern: Annotated[Literal["any", "2:4"], Field(description="2:4 is half of the weights, all at once")] = "any"
    layers: Annotated[Literal["pointwise", "all"], Field(description="pointwise: the 1 x 1 convolutions")] = "pointwise"

    def run(self, network: keras.Model, context: StepContext) -> StepResult:
        """Prune and train the network; see :class:`dermport.compression.step.CompressionStep`."""
        names = prunable(network, self.layers)
        history: tuple[EpochFigures, ...] = ()
        goes = 1 if self.pattern == "2:4" else self.ramp + 1
        for number in range(1, goes + 1):
            set_kernels(network, self._zeroed(kernels_of(network, names), number / goes))
            history += self._train(network, context, number, last=number == goes)
        figures = {
            "sparsity": sparsity_of(list(kernels_of(network, prunable(network, "all")).values())),
            "sparsity_of_pruned_layers": sparsity_of(list(kernels_of(network, names).values())),
        }
        return StepResult(network, figures, (_NOTES[self.pattern],), history)

    def share(self, progress: float) -> float:
        """Return the share of zeros after a share of the schedule, 0..1."""
        return self.sparsity * (1 - (1 - progress) ** 3)

    def _zeroed(self, kernels: Kernels, progress: float) -> Kernels:
        if self.pattern == "2:4":
            return two_of_four_zeroed(kernels)
        return smallest_zeroed(kernels, self.share(progress), self.scope)

    def _train(
        self, network: keras.Model, context: StepContext, number: int, *, last: bool
    ) -> tuple[EpochFigures, ...]:
        # A phase for each epoch of the ramp: a phase keeps its best epoch, which would be one with fewer zeros.
        name, epochs = (self.kind, self.epochs) if last else (f"{self.kind}-{number}", 1)
        train, validation = context.parts.train.tensors, context.parts.validation.tensors
        title = (
            f"Training with {sparsity_of(list(kernels_of(network, prunable(network, self.layers)).values())):.0%} zeros"
        )
        with self.in_place_of(network) as trained:
            optimizer, loop = self.model_copy(update={"epochs": epochs}).prepared(trained, context)
            compile_for(trained, keeping_zeros(optimizer), self.label_smoothing)
            inputs = augmented(train, self.augmentation)
            return loop.run(Phase(name, title, trained, epochs, inputs, validation, self.mixup))


def keeping_zeros(optimizer: keras.optimizers.AdamW) -> keras.optimizers.Optimizer:
    """Return AdamW with the settings of `optimizer` that leaves the zeros of kernels zero.

    Each update is undone where the kernel was zero, before the moving average takes it in: the average, which is what
    answers in the end, has the very zeros that the weights had when training began. So which weights are zero is no
    state beside the weights, and a resumed run has it with them.
    """
    import keras

    class KeepingZeros(keras.optimizers.AdamW):  # type: ignore[misc]  # keras has no types
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            kept = keras.ops.cast(keras.ops.not_equal(variable, 0), variable.dtype)
            super().update_step(gradient, variable, learning_rate)
            if len(variable.shape) > 1:
                self.assign(variable, variable * kept)

    result = KeepingZeros.from_config(optimizer.get_config())
    result.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return result
