"""The layers of a saved package that have weights, and what they read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermport.exporters.rounding import InputStatistics, Moments
from dermport.runtimes.mil.program import Operation, Program, read_program
from dermport.runtimes.mil.reference import ProgramSession
from dermport.runtimes.mil.values import Array


@dataclass(frozen=True)
class MilLayer:
    """A convolution or dense layer with a bias.

    Attributes:
        source: The variable that it reads.
        weight_name: The variable that is its weight.
        weight: Its weight [out, in / groups, ...], decompressed.
        bias_name: The variable that is its bias.
        bias: Its bias [out].
    """

    source: str
    weight_name: str
    weight: Array
    bias_name: str
    bias: Array

    @property
    def pointwise(self) -> bool:
        """Whether every output reads all inputs of one place: a matrix [out, in] is all there is to its weight."""
        return self.weight.ndim == 2 or (self.weight.shape[2:] == (1, 1) and self.weight.shape[1] > 1)


def layers_of(program: Program) -> list[MilLayer]:
    """Return the layers with weights and a bias in the order in which they run."""
    found = [o for o in program.operations if o.type in {"conv", "linear"} and "bias" in o.inputs]
    return [_layer(program, operation) for operation in found]


def _layer(program: Program, operation: Operation) -> MilLayer:
    weight, bias = operation.inputs["weight"][0], operation.inputs["bias"][0]
    return MilLayer(operation.inputs["x"][0], weight, program.constants[weight], bias, program.constants[bias])


def input_statistics(
    path: Path, photos: NDArray[np.uint8], correlated: Collection[str]
) -> Mapping[str, InputStatistics]:
    """Return what each layer of an uncompressed package reads, over photos and places.

    Args:
        path: The .mlpackage.
        photos: Calibration photos, uint8 [N, S, S, 3].
        correlated: The layer inputs whose covariance is wanted.
    """
    program, image = read_program(path)
    names = sorted({layer.source for layer in layers_of(program)})
    moments = {name: Moments(name in correlated) for name in names}
    for values in ProgramSession(program, image, names, threads=1).batches(photos):
        for name, value in zip(names, values, strict=True):
            moments[name].add(np.moveaxis(value, 1, 0).reshape(value.shape[1], -1))
    return {name: found.statistics() for name, found in moments.items()}
