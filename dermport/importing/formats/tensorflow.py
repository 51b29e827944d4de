"""TensorFlow's graphs as ONNX, by tf2onnx."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dermport.errors import ModelError

if TYPE_CHECKING:
    import onnx

_OPSET = 17
_INPUT = "image"


def graph_of(function: Callable[[Any], Any], shape: tuple[int | None, ...]) -> onnx.ModelProto:
    """Return a function of TensorFlow tensors, images float32 of `shape` to one answer, as ONNX.

    Raises:
        ModelError: tf2onnx refused it.
    """
    import tensorflow as tf

    signature = [tf.TensorSpec((None, *shape[1:]), tf.float32, name=_INPUT)]
    try:
        return _converted(tf.function(function, input_signature=signature).get_concrete_function())
    except Exception as error:  # tf2onnx raises errors of many types
        raise ModelError(f"TensorFlow's graph cannot be converted to ONNX: {error}.") from error


def _converted(function: Any) -> onnx.ModelProto:
    """Convert a concrete function without tf2onnx's optimizers.

    They fold batch normalisation, which the probe and pruning go by, and take most of the time; the rebuilding folds
    constants and passes over transposes by itself. tf2onnx.convert.from_function has no way to say so.
    """
    import tensorflow as tf
    from tf2onnx import convert, tf_loader

    inputs = [tensor.name for tensor in function.inputs if tensor.dtype != tf.resource]
    outputs = [tensor.name for tensor in function.outputs]
    graph = tf_loader.from_function(function, inputs, outputs)
    model, _ = convert._convert_common(graph, opset=_OPSET, input_names=inputs, output_names=outputs, optimizers={})
    return model
