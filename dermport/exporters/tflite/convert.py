"""From Keras to one float32 TFLite model, which every precision is made from."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from dermport.errors import ExportError
from dermport.exporters.maps import has_map, named_outputs
from dermport.exporters.tflite.graph import TFLiteGraph
from dermport.runtimes.base import PROBABILITIES

if TYPE_CHECKING:
    import keras

INPUT = "image"
OUTPUT = PROBABILITIES


def float_model(model: keras.Model, *, sparse: bool = False) -> bytes:
    """Convert a Keras model to TFLite: float32 [1, S, S, 3] of 0..255 ``image`` in, [1, C] ``probabilities`` out.

    The batch is fixed to 1, because LiteRT.js refuses a file with any other. Batch normalisation is folded and no
    variable is left in the graph; equal models give equal bytes.

    Args:
        model: Takes float32 [N, S, S, 3], gives float32 [N, C], and where it gives its map too, the file's second
            output is ``activation_map`` [1, h, w, C].
        sparse: Write weights that are zero for the most part in TFLite's sparse encoding: the file holds the others
            alone, and runtimes put the zeros back when they load it.

    Raises:
        ExportError: TensorFlow could not convert the model.
    """
    import tensorflow as tf

    tf.get_logger().setLevel(logging.ERROR)
    size = model.input_shape[1]
    function = tf.function(lambda image: named_outputs(model, image), autograph=False)
    concrete = function.get_concrete_function(tf.TensorSpec((1, size, size, 3), tf.float32, name=INPUT))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], _holder(model))
    converter.optimizations = [tf.lite.Optimize.EXPERIMENTAL_SPARSITY] if sparse else []
    try:
        converted = bytes(converter.convert())
    except Exception as error:  # ConverterError is a private class of TensorFlow, and not all it raises
        raise ExportError(f"TensorFlow {tf.__version__} could not convert the model to TFLite: {error}") from error
    return _probabilities_first(converted) if has_map(model) else converted


def _probabilities_first(model: bytes) -> bytes:
    """Order two outputs: readers of one take the first. The converter orders them by name."""
    graph = TFLiteGraph(model)
    subgraph = graph.model.subgraphs[0]
    subgraph.outputs = sorted(subgraph.outputs, key=lambda index: len(graph.tensor(index).shape))
    for signature in graph.model.signatureDefs or ():
        signature.outputs.sort(key=lambda output: len(graph.tensor(output.tensorIndex).shape))
    return graph.to_bytes()


def _holder(model: keras.Model) -> Any:
    """Return a tf.Module that tracks the variables: the converter freezes only those, and cannot see into Keras 3."""
    import tensorflow as tf

    holder = tf.Module()
    holder.kept = [variable.value for variable in model.variables]
    return holder
