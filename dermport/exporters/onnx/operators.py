"""A saved graph's operators by type and precision, and its inputs and outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dermport.bundle.export_record import OperatorCount, TensorSpec
from dermport.exporters.onnx.graph import WEIGHTED, OnnxGraph

if TYPE_CHECKING:
    import onnx

_NAMES = {1: "fp32", 10: "fp16", 3: "int8", 6: "int32", 7: "int64", 9: "bool"}  # onnx.TensorProto's data types
_DTYPES = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 10: "float16"}


def operators(model: onnx.ModelProto) -> tuple[OperatorCount, ...]:
    """Count the operators of `model` by type and the precision that they compute in.

    What reads nothing but DequantizeLinear (biases and constants aside) computes in int8 on a device, which fuses the
    pairs; everything else computes in the type of its output.
    """
    import onnx

    inferred = onnx.shape_inference.infer_shapes(model)
    graph = OnnxGraph.of(inferred)
    infos = (*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output)
    types = {info.name: info.type.tensor_type.elem_type for info in infos}
    counts = Counter((node.op_type, _precision(graph, node, types)) for node in graph.nodes)
    return tuple(OperatorCount(type=kind, precision=name, count=n) for (kind, name), n in sorted(counts.items()))


def _precision(graph: OnnxGraph, node: onnx.NodeProto, types: dict[str, int]) -> str:
    if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
        constant = graph.initializers.get(node.input[0])
        return "int4" if constant is not None and constant.data_type == constant.INT4 else "int8"
    read = node.input[:2] if node.op_type in WEIGHTED else [name for name in node.input if name in graph.producers]
    if read and all(graph.writer(name) == "DequantizeLinear" for name in read):
        return "int8"
    return _NAMES.get(types.get(node.output[0], 0), "unknown")


def tensors(infos: list[onnx.ValueInfoProto], meanings: Sequence[str]) -> tuple[TensorSpec, ...]:
    """Describe declared inputs or outputs, each with its meaning where it has one; a named dimension is -1."""
    return tuple(
        TensorSpec(
            name=info.name,
            shape=tuple(dim.dim_value if dim.HasField("dim_value") else -1 for dim in info.type.tensor_type.shape.dim),
            dtype=_DTYPES.get(info.type.tensor_type.elem_type, "unknown"),
            meaning=meaning,
        )
        for info, meaning in zip(infos, (*meanings, *[""] * len(infos)), strict=False)
    )
