"""From a Keras model to a Core ML image classifier in float16."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bundle.errors import ExportError
from exporters.coreml.quiet import import_coremltools, quiet

if TYPE_CHECKING:
    import keras

INPUT_NAME = "image"


def classifier_from_keras(model: keras.Model, labels: Sequence[str], half: bool = True, ios: int = 16) -> Any:
    """Convert a model to an ML Program.

    A concrete function of one photo is converted: coremltools 9 refuses a SavedModel of Keras 3.

    Args:
        model: float32 [N, S, S, 3] of 0..255 in, with its normalisation inside; float32 [N, C] probabilities out.
        labels: The C class labels, in the order of the outputs.
        half: Whether the program computes in float16; else in float32.
        ios: The first iOS that is to read it: 16 or 18.

    Returns:
        A ``coremltools.models.MLModel`` that takes an RGB image called ``image``, not yet saved.

    Raises:
        ExportError: The labels do not fit the model, or coremltools cannot convert it.
    """
    if model.output_shape != (None, len(labels)):
        raise ExportError(
            f"The model's output {model.output_shape} does not fit {len(labels)} labels.",
            remedy="Give one label per output.",
        )
    with quiet():
        ct = import_coremltools()
        try:
            return ct.convert(
                [_concrete_function(model)],
                source="tensorflow",
                convert_to="mlprogram",
                minimum_deployment_target={16: ct.target.iOS16, 18: ct.target.iOS18}[ios],
                compute_precision=ct.precision.FLOAT16 if half else ct.precision.FLOAT32,
                inputs=[ct.ImageType(INPUT_NAME, (1, *model.input_shape[1:]), color_layout=ct.colorlayout.RGB)],
                classifier_config=ct.ClassifierConfig(list(labels)),
                skip_model_load=True,
            )
        except (ValueError, NotImplementedError, RuntimeError, TypeError) as error:
            raise ExportError(
                f"coremltools cannot convert the model: {error}.",
                remedy="Use a model that dermport trained, or report the layer.",
            ) from error


def _concrete_function(model: keras.Model) -> Any:
    import tensorflow as tf

    signature = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32, name=INPUT_NAME)
    return tf.function(lambda image: model(image, training=False)).get_concrete_function(signature)
