"""The float16 form: an ONNX whose tensors are typed float16, as TensorRT's strongly typed networks need it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx


def half_model(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return `model` with float16 weights and activations; input and output stay float32, cast at the edges.

    Pixel values up to 255 are exact in float16, and the softmax's results are rounded to about 5e-4.
    """
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    converted: onnx.ModelProto = convert_float_to_float16(copy, keep_io_types=True, op_block_list=[])
    OnnxModel(converted).topological_sort()  # the converter appends the input's cast after its readers
    return converted
