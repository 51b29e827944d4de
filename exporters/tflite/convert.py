"""From Keras to one float32 TFLite model, which every precision is made from."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from bundle.errors import ExportError

if TYPE_CHECKING:
    import keras

INPUT = "image"
OUTPUT = "probabilities"


def float_model(model: keras.Model, *, sparse: bool = False) -> bytes:
    """Convert a Keras model to TFLite: float32 [1, S, S, 3] of 0..255 ``image`` in, [1, C] ``probabilities`` out.

    The batch is fixed to 1, because LiteRT.js refuses a file with any other. Batch normalisation is folded and no
    variable is left in the graph; equal models give equal bytes.

    Args:
        model: Takes float32 [N, S, S, 3], gives float32 [N, C].
        sparse: Write weights that are zero for the most part in TFLite's sparse encoding: the file holds the others
            alone, and runtimes put the zeros back when they load it.

    Raises:
        ExportError: TensorFlow could not convert the model.
    """
    import tensorflow as tf

    tf.get_logger().setLevel(logging.ERROR)
    size = model.input_shape[1]
    function = tf.function(lambda image: {OUTPUT: model(image, training=False)}, autograph=False)
    concrete = function.get_concrete_function(tf.TensorSpec((1, size, size, 3), tf.float32, name=INPUT))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], _holder(model))
    converter.optimizations = [tf.lite.Optimize.EXPERIMENTAL_SPARSITY] if sparse else []
    try:
        return bytes(converter.convert())
    except Exception as error:  # ConverterError is a private class of TensorFlow, and not all it raises
        raise ExportError(f"TensorFlow {tf.__version__} could not convert the model to TFLite: {error}") from error


def _holder(model: keras.Model) -> Any:
    """Return a tf.Module that tracks the variables: the converter freezes only those, and cannot see into Keras 3."""
    import tensorflow as tf

    holder = tf.Module()
    holder.kept = [variable.value for variable in model.variables]
    return holder
