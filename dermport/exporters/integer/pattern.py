"""Quantisation inside ``model.keras``: how it is written with plain Keras operations, and how it is read back.

A tensor that devices store as int8 goes through ``clip(round(x / scale), -128, 127) * scale``: its zero-point is 0, as
TensorRT's int8 rules ask for. The weights of integer layers lie on their grid (:mod:`dermport.exporters.integer.grid`).
Any Keras loads such a file, and its answers are those of the integers, but for what float32 rounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from dermport.errors import BundleError, ExportError
from dermport.exporters.integer.grid import LayerIntegers, read_grid
from dermport.exporters.integer.trace import HIGH, LOW, REMEDY, Trace, TracedLayer, rounds

if TYPE_CHECKING:
    import keras

_AXES = {"Conv2D": 3, "DepthwiseConv2D": 2, "Dense": 1}
_Ours = TypeVar("_Ours")
_Theirs = TypeVar("_Theirs")
_DAMAGED = 0.5  # of a layer's numbers near the grid: by chance one in twenty-five, after rounding all


@dataclass(frozen=True)
class KerasLayer:
    """A convolution or dense layer.

    Attributes:
        name: Its name in Keras.
        kind: Its class in Keras.
        input: The layer that produces what it reads (padding in between is not counted).
        output: The layer whose result a device stores: its relu, or itself.
        kernel: Its weights in Keras' layout, float32.
        bias: Its bias, float32 [channels]; zeros where it has none.
        grid: Its integers; None where it stays in float.
    """

    name: str
    kind: str
    input: str
    output: str
    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]
    grid: LayerIntegers | None


@dataclass(frozen=True)
class Sum:
    """The addition that ends a skip connection; `integer` where it reads and gives int8."""

    name: str
    inputs: tuple[str, ...]
    integer: bool


@dataclass(frozen=True)
class Quantisation:
    """All integers of a model.

    Attributes:
        scales: What a step of the codes is worth, of each tensor that is int8, by the Keras layer that produces it.
        layers: Convolutions and dense layers in the order in which they run.
        sums: Skip connections in the order in which they run.
    """

    scales: Mapping[str, float]
    layers: tuple[KerasLayer, ...]
    sums: tuple[Sum, ...]


@dataclass(frozen=True)
class IntegerParts:
    """An integer model in its two parts: the float model without any rounding, and the integers."""

    plain: keras.Model
    table: Quantisation


def fake_quantised(tensor: Any, scale: float) -> Any:
    """Return `tensor` (symbolic or not, float32) rounded to int8 codes of that scale and back.

    The scale is rounded to float32 first, which is what every target stores.
    """
    from keras import ops

    step = float(np.float32(scale))
    return ops.clip(ops.round(tensor / step), LOW, HIGH) * step


def is_integer(model: keras.Model) -> bool:
    """Return whether a loaded ``model.keras`` is an integer model: whether anything in it is rounded."""
    return rounds(model)


def split(model: keras.Model) -> IntegerParts:
    """Part an integer model into a float model, with the same layers and weights, and its table of integers.

    Raises:
        BundleError: The model is none, its rounding is not whole, or weights that were rounded lie off their grid.
    """
    import keras

    if not is_integer(model):
        raise BundleError(f"The model {model.name} is no integer model: nothing in it is rounded.", remedy=REMEDY)
    trace = Trace.of(model)
    table = _table(model, trace)
    if idle := trace.scales.keys() - _touched(table):
        raise BundleError(
            f"Rounded, but neither read nor written by an integer layer: {', '.join(sorted(idle))}.", remedy=REMEDY
        )

    def call(operation: Any, *inputs: Any, **options: Any) -> Any:
        return inputs[0] if operation.name in trace.roundings else operation(*inputs, **options)

    plain = keras.models.clone_model(model, call_function=call)
    plain.set_weights(model.get_weights())
    return IntegerParts(plain, table)


def _table(model: keras.Model, trace: Trace) -> Quantisation:
    return Quantisation(
        trace.scales,
        tuple(_layer(model, trace, step) for step in trace.steps if step.kind in _AXES),
        tuple(_sum(trace, step) for step in trace.steps if step.kind == "Add"),
    )


def _touched(table: Quantisation) -> set[str]:
    """Return what integer layers and sums read and give."""
    layers = {name for layer in table.layers if layer.grid is not None for name in (layer.input, layer.output)}
    return layers | {name for total in table.sums if total.integer for name in (total.name, *total.inputs)}


def _layer(model: keras.Model, trace: Trace, step: TracedLayer) -> KerasLayer:
    layer = model.get_layer(step.name)
    kernel = np.asarray(layer.kernel)
    axis = _AXES[step.kind]
    bias = np.asarray(layer.bias) if layer.use_bias else np.zeros(kernel.shape[axis], np.float32)
    [edge], output = step.inputs, _output(trace, step)
    grid = None
    if step.kind != "Dense" and edge.quantised and output in trace.scales:
        grid, share = read_grid(kernel, bias, axis, trace.scales[edge.name])
        if grid is None and share > _DAMAGED:
            raise BundleError(
                f"{share:.1%} of the weights and biases of the layer {step.name} lie on their grid of integers, "
                "the others do not.",
                remedy=REMEDY,
            )
    return KerasLayer(step.name, step.kind, edge.name, output, kernel, bias, grid)


def _output(trace: Trace, step: TracedLayer) -> str:
    """Return the layer whose result is stored: the relu that alone reads the step's, or the step itself."""
    readers = [other for other in trace.steps if any(edge.name == step.name for edge in other.inputs)]
    if step.name not in trace.scales and [reader.kind for reader in readers] == ["ReLU"]:
        return readers[0].name
    return step.name


def _sum(trace: Trace, step: TracedLayer) -> Sum:
    integer = step.name in trace.scales and all(edge.quantised for edge in step.inputs)
    return Sum(step.name, tuple(edge.name for edge in step.inputs), integer)


def pairs(what: str, ours: Sequence[_Ours], theirs: Sequence[_Theirs]) -> list[tuple[_Ours, _Theirs]]:
    """Return the k-th of the table with the k-th of the file: the network is a chain, so that both have one order.

    Raises:
        ExportError: There are not equally many.
    """
    if len(ours) != len(theirs):
        raise ExportError(f"The model has {len(ours)} {what}, the converted file {len(theirs)}.")
    return list(zip(ours, theirs, strict=True))


def require_weights(layer: KerasLayer, found: NDArray[Any], wanted: NDArray[np.float32]) -> None:
    """Refuse a converted layer whose weights are not those of the Keras layer.

    Raises:
        ExportError: They differ: the converter changed them, or ordered the layers otherwise.
    """
    if found.shape != wanted.shape or not np.array_equal(found, wanted):
        raise ExportError(
            f"The converted file holds other weights than the layer {layer.name}, so that its integers cannot be used."
        )
