"""What a network costs: multiply-accumulates and parameters, layer by layer, as functions of the layers' widths."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dermport.bundle.macs import kernel_weights

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Cost:
    """What computing one photo, and keeping the weights, takes.

    Attributes:
        macs: Multiply-accumulates of convolutions and dense layers; batch normalisation is folded into them on devices.
        parameters: All numbers that the model holds, the statistics of batch normalisation among them, as
            ``bundle.json`` counts them.
    """

    macs: int = 0
    parameters: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.macs + other.macs, self.parameters + other.parameters)


def cost_of(network: keras.Model) -> Cost:
    """Return the cost of a network for one photo."""
    return sum((layer_cost(layer, *widths(layer)) for layer in network.layers if layer.weights), Cost())


def widths(layer: keras.Layer) -> tuple[int, int]:
    """Return the channels that a layer with weights takes in its network, and those that it gives."""
    return int(layer.input.shape[-1]), int(layer.output.shape[-1])


def layer_cost(layer: keras.Layer, inputs: int, outputs: int) -> Cost:
    """Return what a layer would cost, took it `inputs` channels and gave `outputs`."""
    import keras

    kind = type(layer).__name__
    if isinstance(layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)):
        groups = 1 if kind == "DepthwiseConv2D" else layer.groups
        kernel = kernel_weights(kind, math.prod(layer.kernel_size), inputs, outputs, groups)
        return Cost(math.prod(layer.output.shape[1:3]) * kernel, kernel + layer.use_bias * outputs)
    if isinstance(layer, keras.layers.Dense):
        kernel = kernel_weights(kind, 1, inputs, outputs)
        return Cost(kernel, kernel + layer.use_bias * outputs)
    return Cost(0, len(layer.weights) * outputs if isinstance(layer, keras.layers.BatchNormalization) else 0)
