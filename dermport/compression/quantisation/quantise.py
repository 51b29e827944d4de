"""The step ``quantise``: a network becomes the integer model that every target takes its integers from."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dermport.compression.quantisation.graph import KerasGraph
from dermport.compression.quantisation.integers import nearest
from dermport.compression.quantisation.layerwise import LayerwiseRounding
from dermport.compression.quantisation.qat import Loss, QatSettings, trained
from dermport.compression.quantisation.ranges import Ranges
from dermport.compression.quantisation.stages import (
    LAYERWISE_PHOTOS,
    QuantisationMethods,
    QuantisationStage,
    rounded_layerwise,
    stages,
)
from dermport.compression.step import CompressionStep, StepContext, StepResult
from dermport.errors import UsageError
from dermport.statistics.temperature import at_temperature
from dermport.training.model.network import class_logits, predict
from dermport.training.phases.state import EpochFigures

if TYPE_CHECKING:
    import keras

Answers = NDArray[np.float64]


class Quantise(CompressionStep):
    """Fold, equalise and round; batch normalisation is gone afterwards, and the network is for inference alone."""

    kind: Literal["quantise"] = "quantise"
    ranges: Annotated[Ranges, Field(description="how far int8 activations reach")] = "min-max"
    exact: Annotated[bool, Field(description="scales with which every runtime computes the same codes")] = True
    equalise: Annotated[bool, Field(description="cross-layer equalisation and absorbed biases")] = True
    correct_biases: Annotated[bool, Field(description="empirical bias correction, layer by layer")] = True
    learn_rounding: Annotated[bool, Field(description="AdaRound, layer by layer")] = True
    photos: Annotated[int, Field(ge=1, le=200, description="calibration photos")] = 200
    float_layers: Annotated[int, Field(ge=0, description="most sensitive convolutions left in float")] = 0
    float_bytes: Annotated[int, Field(ge=0, description="bytes that such layers may cost more; 0: any")] = 0
    keep_float: Annotated[tuple[str, ...], Field(description="convolutions left in float, by name")] = ()
    qat_epochs: Annotated[int, Field(ge=0, description="of quantisation-aware training; 0: none")] = 0
    learning_rate: Annotated[float, Field(gt=0, description="in codes of a weight, at the start")] = 0.02
    batch: Annotated[int, Field(ge=2)] = 32
    loss: Annotated[Loss, Field(description="held to the float network's answers, or to the labels")] = "distil"
    augmentation: Literal["gentle", "strong"] = "strong"

    def run(self, network: keras.Model, context: StepContext) -> StepResult:
        """Quantise the network; see :class:`dermport.compression.step.CompressionStep`.

        Raises:
            UsageError: `keep_float` names no convolution of it, or a layer has no place in an integer model.
        """
        validation = context.parts.validation.tensors
        wanted = _answers(network, validation)
        figures: dict[str, float] = {}
        history: tuple[EpochFigures, ...] = ()
        for stage in stages(network, context.calibration()[: self.photos], self.methods(), context.progress):
            self._check(stage)
            result, found = stage, _answers(stage.network(), validation)
            figures[f"agreement_{stage.name}"] = agreement(wanted, found)
        if self.qat_epochs:
            result, history = self.trained(result, context)
            found = _answers(result.network(), validation)
            figures["agreement_qat"] = agreement(wanted, found)
        figures |= {
            "agreement": agreement(wanted, found),
            "mean_change": float(np.abs(wanted - found).mean()),
            "weight_bytes": result.weight_bytes(),
            "float_layers": len(result.floats),
        }
        return StepResult(result.network(), figures, _notes(result), history)

    def methods(self) -> QuantisationMethods:
        """Return the methods that need no training."""
        return QuantisationMethods(**{one.name: getattr(self, one.name) for one in fields(QuantisationMethods)})

    def trained(
        self, stage: QuantisationStage, context: StepContext
    ) -> tuple[QuantisationStage, tuple[EpochFigures, ...]]:
        """Return the stage after quantisation-aware training, and its epochs.

        Training begins from float weights with corrected biases: those that learned rounding gives lie in the middle
        of their codes, farthest from any change.
        """
        layerwise = LayerwiseRounding(stage.scales, corrected=True, exact=self.exact, floats=stage.floats)
        photos = context.calibration()[: min(self.photos, LAYERWISE_PHOTOS)]
        begun = rounded_layerwise("corrected", stage, layerwise, photos, context.progress)
        graph = KerasGraph.of(stage.template)
        start = {node.name: (node.weights()[0], begun.weights[node.name][1]) for node in graph.convolutions}
        training = QatSettings(self.qat_epochs, self.learning_rate, self.batch, self.loss, self.augmentation)
        result = trained(replace(begun, weights=start), training, context)
        weights = nearest(graph, result.weights, result.scales, stage.floats, exact=self.exact)
        return replace(stage, name="qat", weights=weights, scales=result.scales), result.history

    def _check(self, stage: QuantisationStage) -> None:
        if absent := sorted(set(self.keep_float) - set(stage.weights)):
            raise UsageError(
                f"keep_float names {', '.join(absent)}, which the network does not have.",
                remedy=f"Its convolutions: {', '.join(stage.weights)}.",
            )


def agreement(wanted: NDArray[np.floating], found: NDArray[np.floating]) -> float:
    """Return the share of photos with the same most probable label, of probabilities [N, C]."""
    return float((wanted.argmax(axis=1) == found.argmax(axis=1)).mean())


def _answers(network: keras.Model, photos: NDArray[np.uint8]) -> Answers:
    return at_temperature(class_logits(predict(network, photos)), 1.0)


def _notes(stage: QuantisationStage) -> tuple[str, ...]:
    if not stage.floats:
        return ("every convolution is int8; pooling and classifier stay float",)
    return (f"left in float: {', '.join(name for name in stage.weights if name in stage.floats)}",)
