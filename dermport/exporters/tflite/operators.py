"""A saved ``.tflite`` file's operators by type and precision, and its inputs and outputs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from dermport.bundle.activation_map import MEANING
from dermport.bundle.export_record import OperatorCount, TensorSpec
from dermport.exporters.contract import Description
from dermport.exporters.tflite.graph import INT4, TFLiteGraph

_NAMES = {0: "fp32", 1: "fp16", 2: "int32", 3: "uint8", 4: "int64", 9: "int8"}  # TFLite's TensorType
_DTYPES = {0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 9: "int8"}


def describe(path: Path) -> Description:
    """Read a ``.tflite`` file back.

    An operator's precision is the type of what it reads and, where another, of what it gives ("fp32→int8"); of the
    float16 file, the weights are told as DEQUANTIZE operators "fp16→fp32" and the layers compute in fp32.
    """
    graph = TFLiteGraph(path.read_bytes())
    counts = Counter((graph.type_of(operator), _precision(graph, operator)) for operator in graph.operators)
    subgraph = graph.model.subgraphs[0]
    image, probabilities = "RGB, 0..255", "calibrated probabilities in the order of the labels"
    meanings = (probabilities, MEANING, *[""] * len(subgraph.outputs))
    return Description(
        inputs=tuple(_spec(graph.tensor(index), image) for index in subgraph.inputs),
        outputs=tuple(_spec(graph.tensor(i), meaning) for i, meaning in zip(subgraph.outputs, meanings, strict=False)),
        operators=tuple(OperatorCount(type=kind, precision=p, count=n) for (kind, p), n in sorted(counts.items())),
    )


def _precision(graph: TFLiteGraph, operator: Any) -> str:
    read, given = (_NAMES.get(graph.tensor(ends[0]).type, "other") for ends in (operator.inputs, operator.outputs))
    if operator in graph.weighted() and graph.tensor(operator.inputs[1]).type == INT4:
        return f"{read}, int4 weights"
    return read if read == given else f"{read}→{given}"


def _spec(tensor: Any, meaning: str) -> TensorSpec:
    if tensor.quantization and tensor.quantization.scale is not None:
        scale, zero_point = float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0])
        meaning = f"{meaning}; value = (code - {zero_point}) * {scale:g}"
    shape = tuple(int(side) for side in tensor.shape)
    return TensorSpec(name=tensor.name.decode(), shape=shape, dtype=_DTYPES.get(tensor.type, "other"), meaning=meaning)
