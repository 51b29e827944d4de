"""The int8 form: explicit Q/DQ where TensorRT wants it, and nowhere else.

Placement by NVIDIA's "Explicit Quantization" (docs.nvidia.com/deeplearning/tensorrt, "Q/DQ Placement
Recommendations"): before every input of every Conv and Gemm, on the skip connection's input of every residual Add
(its other input is fused with the Conv that writes it), never between Conv and relu6. Weights per channel,
activations per tensor, all symmetric; biases stay float32.

ONNX Runtime's quantiser calibrates (min-max) and places the pairs. It is asked for Conv and Gemm alone: a pair serves
every reader of its tensor, so a skip connection, which is also the input of a Conv, is quantised with it, and the
Add's other input is not. :mod:`dermport.exporters.onnx.bias` then takes out the shift that rounding the weights causes;
:mod:`dermport.exporters.onnx.lint` proves the result.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dermport.errors import ExportError
from dermport.exporters.onnx.bias import correct_biases
from dermport.exporters.onnx.calibrate import batches
from dermport.exporters.onnx.convert import FILE
from dermport.exporters.onnx.graph import OnnxGraph, attribute, dequantised

if TYPE_CHECKING:
    import onnx


def quantised(model: onnx.ModelProto, photos: NDArray[np.uint8]) -> onnx.ModelProto:
    """Return the Q/DQ form of a float32 graph, with int8 weights.

    Args:
        model: What :func:`dermport.exporters.onnx.convert.float_model` returns.
        photos: Calibration photos, uint8 [N, S, S, 3].

    Raises:
        ExportError: There are no photos, or ONNX Runtime's quantiser failed.
    """
    if not len(photos):
        raise ExportError("int8 needs calibration photos, and there are none.", remedy="Train on a data set first.")
    try:
        result = _placed(model, photos)
    except Exception as error:  # the quantiser raises errors of many types
        raise ExportError(f"ONNX Runtime could not quantise the model: {error}.") from error
    correct_biases(model, result, photos)
    return result


def float_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a Q/DQ graph with the same numbers whose weights are float32 and followed by Q and DQ.

    TensorRT 8 takes no int8 constants ("only activation types allowed as input to this layer",
    onnxruntime issue 14229); later versions take both forms. The engine holds int8 weights either way.
    """
    import onnx
    from onnx import helper, numpy_helper

    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.node[:], result.graph.initializer[:]
    graph = OnnxGraph.of(model)
    constants = dict(graph.initializers)
    for node in graph.nodes:
        added = result.graph.node.add()
        if node.op_type == "DequantizeLinear" and node.input[0] in graph.initializers:
            weight, name = node.input[0], f"{node.input[0]}_int8"
            constants[weight] = numpy_helper.from_array(dequantised(graph, node), weight)
            axis = attribute(node, "axis", 1)
            added.CopyFrom(helper.make_node("QuantizeLinear", node.input, [name], name=f"{name}_Q", axis=axis))
            added = result.graph.node.add()
            added.CopyFrom(node)
            added.input[0] = name
        else:
            added.CopyFrom(node)
    result.graph.initializer.extend(constants.values())
    return result


def _placed(model: onnx.ModelProto, photos: NDArray[np.uint8]) -> onnx.ModelProto:
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    class Photos(CalibrationDataReader):  # type: ignore[misc]  # the library is untyped
        def __init__(self) -> None:
            self.feeds: Iterator[dict[str, NDArray[np.float32]]] = batches(photos)

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            return next(self.feeds, None)

    with tempfile.TemporaryDirectory() as folder, _quiet():
        path = Path(folder) / FILE
        path.write_bytes(model.SerializeToString())  # given the model itself, the quantiser would change it
        quantize_static(
            path,
            path,
            Photos(),
            op_types_to_quantize=["Conv", "Gemm", "MatMul"],
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            extra_options={
                "ActivationSymmetric": True,
                "WeightSymmetric": True,
                "QuantizeBias": False,
                "OpTypesToExcludeOutputQuantization": ["Conv", "Gemm", "MatMul"],
            },
        )
        return onnx.load(path)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hold back the quantiser's advice to pre-process the model: ONNX Runtime has folded it already."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
