"""An int8 TFLite model without what a microcontroller has no use for.

What stands before the first convolution (types, normalisation) becomes a table of 256 codes: the image takes an eighth
of the memory that it takes as float32 with its normalised copy. Names of tensors go, and so do the zero-points of
weights but one: all are 0, and TFLite Micro takes a single one for all channels (``micro_allocator.cc``: "as a
space-saving optimization, zero point arrays for weights can be reduced to a single value"). LiteRT refuses that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dermport.errors import ExportError, UnavailableError
from dermport.exporters.tflite.calibrate import Probe
from dermport.exporters.tflite.convert import INPUT, OUTPUT
from dermport.exporters.tflite.graph import TFLiteGraph
from dermport.runtimes.tflite_micro import ROOMY, TFLiteMicro

_INT8 = 9  # TensorType of TFLite's schema
_CONVERSIONS = {"QUANTIZE", "DEQUANTIZE"}


@dataclass(frozen=True)
class Slim:
    """A model for microcontrollers.

    Attributes:
        model: The bytes of the ``.tflite``; input int8 [1, S, S, 3], output int8 or float32 [1, C].
        codes: What the input holds for each of the pixel values 0..255, int8 [256].
        operators: The types of its operators, sorted.
    """

    model: bytes
    codes: NDArray[np.int8]
    operators: tuple[str, ...]


def slim(model: bytes) -> Slim:
    """Return the slim form of an int8 model with float32 ends.

    Raises:
        ExportError: What its first convolution reads is not int8, or not the same for equal values of all channels.
    """
    graph = TFLiteGraph(model)
    first = next(i for i, o in enumerate(graph.operators) if graph.type_of(o) in {"PAD", "CONV_2D"})
    last = max(i for i, o in enumerate(graph.operators) if graph.type_of(o) not in _CONVERSIONS)
    codes = _codes(model, graph, graph.operators[first].inputs[0])
    subgraph = graph.model.subgraphs[0]
    subgraph.inputs = np.array([graph.operators[first].inputs[0]], np.int32)
    subgraph.outputs = np.array([graph.operators[last].outputs[0]], np.int32)
    subgraph.operators = graph.operators[first : last + 1]
    graph.model.metadata, graph.model.signatureDefs = None, None
    _drop_unused(graph)
    for tensor in subgraph.tensors:
        tensor.name = b""
        _shorten(tensor)
    graph.name_ends(INPUT, OUTPUT)
    kinds = tuple(sorted({graph.type_of(operator) for operator in graph.operators}))
    return Slim(graph.to_bytes(), codes, kinds)


def _codes(model: bytes, graph: TFLiteGraph, index: int) -> NDArray[np.int8]:
    """Return what the tensor `index` holds for each pixel value, int8 [256], as the model itself computes it."""
    tensor = graph.tensor(index)
    if tensor.type != _INT8:
        raise ExportError("The first convolution does not compute in int8: a microcontroller has no room for that.")
    side = int(tensor.shape[1])
    ramp = np.resize(np.arange(256, dtype=np.uint8), side * side).reshape(side, side, 1).repeat(3, axis=2)
    probe = Probe(model)
    for _ in probe.run(ramp[None]):
        values = probe.value(tensor.name.decode()).reshape(-1, 3)[:256]
    scale, zero_point = tensor.quantization.scale[0], tensor.quantization.zeroPoint[0]
    codes = np.rint(values / scale + zero_point).astype(np.int8)
    if (codes != codes[:, :1]).any():
        raise ExportError("The model normalises the three colours differently; one table cannot stand for that.")
    return np.asarray(codes[:, 0])


def _shorten(tensor: object) -> None:
    quantisation = getattr(tensor, "quantization", None)
    zero_points = None if quantisation is None else quantisation.zeroPoint
    if quantisation is not None and zero_points is not None and len(zero_points) > 1 and not np.any(zero_points):
        quantisation.zeroPoint = zero_points[:1]


def _drop_unused(graph: TFLiteGraph) -> None:
    """Leave out the tensors and buffers that no operator reads or gives."""
    subgraph, buffers = graph.model.subgraphs[0], graph.model.buffers
    used = sorted({int(i) for o in graph.operators for i in (*o.inputs, *o.outputs) if i >= 0})
    place = {old: new for new, old in enumerate(used)} | {-1: -1}
    for operator in graph.operators:
        operator.inputs = np.array([place[int(i)] for i in operator.inputs], np.int32)
        operator.outputs = np.array([place[int(i)] for i in operator.outputs], np.int32)
    subgraph.inputs = np.array([place[int(i)] for i in subgraph.inputs], np.int32)
    subgraph.outputs = np.array([place[int(i)] for i in subgraph.outputs], np.int32)
    subgraph.tensors = [subgraph.tensors[i] for i in used]
    kept = [0, *sorted({tensor.buffer for tensor in subgraph.tensors} - {0})]  # buffer 0 is empty by the schema
    for tensor in subgraph.tensors:
        tensor.buffer = kept.index(tensor.buffer)
    graph.model.buffers = [buffers[i] for i in kept]


def output_of(model: bytes) -> tuple[float, int, bool]:
    """Return scale and zero-point of a slim model's output, and whether it is float32 (then 1 and 0)."""
    graph = TFLiteGraph(model)
    tensor = graph.tensor(graph.model.subgraphs[0].outputs[0])
    if tensor.type != _INT8:
        return 1.0, 0, True
    return float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0]), False


_STEP = 1024


def measured_arena(model: Slim) -> int | None:
    """Return the bytes of the arena that the model needs, a multiple of 1,024; it was set up in one of that size.

    None where TFLite Micro is not installed. It takes all its memory when it is set up, none while it runs. Pointers
    have 8 bytes here and 4 on a microcontroller, which needs a little less; kernels that are optimised for its
    processor (CMSIS-NN) may need scratch memory beside it. Sizes are not found by trying: where memory ends in the
    middle of a layer, TFLite Micro may crash.

    Raises:
        ExportError: It needs more than 16 MiB, or TFLite Micro lacks one of its operators.
    """
    try:
        with TFLiteMicro(model.model, (), model.codes, ROOMY) as runtime:
            used = runtime.arena_used()
    except UnavailableError:
        return None
    arena = -(-used // _STEP) * _STEP
    with TFLiteMicro(model.model, (), model.codes, arena):
        return arena
