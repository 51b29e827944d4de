"""From a Keras model to a Core ML image classifier in float16."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dermport.errors import ExportError
from dermport.exporters.maps import has_map, named_outputs
from dermport.runtimes.base import ACTIVATION_MAP
from dermport.runtimes.quiet import import_coremltools, quiet

if TYPE_CHECKING:
    import keras

INPUT_NAME = "image"


def classifier_from_keras(model: keras.Model, labels: Sequence[str], half: bool = True, ios: int = 16) -> Any:
    """Convert a model to an ML Program.

    A concrete function of one photo is converted: coremltools 9 refuses a SavedModel of Keras 3.

    Args:
        model: float32 [N, S, S, 3] of 0..255 in, with its normalisation inside; float32 [N, C] probabilities out, and
            its map float32 [N, h, w, C] where it gives one.
        labels: The C class labels, in the order of the outputs.
        half: Whether the program computes in float16; else in float32.
        ios: The first iOS that is to read it: 16 or 18.

    Returns:
        A ``coremltools.models.MLModel`` that takes an RGB image called ``image``, not yet saved. A map is its output
        ``activation_map``, a float32 MultiArray.

    Raises:
        ExportError: The labels do not fit the model, or coremltools cannot convert it.
    """
    if model.outputs[0].shape != (None, len(labels)):
        raise ExportError(
            f"The model's output {model.outputs[0].shape} does not fit {len(labels)} labels.",
            remedy="Give one label per output.",
        )
    with quiet():
        ct = import_coremltools()
        try:
            target = {16: ct.target.iOS16, 18: ct.target.iOS18}[ios]
            convert = _with_map if has_map(model) else _alone
            return convert(ct, model, list(labels), half=half, target=target)
        except (ValueError, NotImplementedError, RuntimeError, TypeError) as error:
            raise ExportError(
                f"coremltools cannot convert the model: {error}.",
                remedy="Give the network another layer in its place, or report it; other targets may take it.",
            ) from error


def _alone(ct: Any, model: keras.Model, labels: list[str], *, half: bool, target: Any) -> Any:
    return ct.convert(
        [_concrete_function(model)],
        source="tensorflow",
        convert_to="mlprogram",
        inputs=[_image(ct, model)],
        classifier_config=ct.ClassifierConfig(labels),
        minimum_deployment_target=target,
        compute_precision=ct.precision.FLOAT16 if half else ct.precision.FLOAT32,
        skip_model_load=True,
    )


def _with_map(ct: Any, model: keras.Model, labels: list[str], *, half: bool, target: Any) -> Any:
    """Convert in two steps: of a classifier with a second output, coremltools 9 loses count of the outputs' types.

    The types have done their work once the program is converted; its second step is told of none. What is computed from
    the map on stays in float32, so that no cast of it comes last, where coremltools expects the classifier.
    """
    import numpy as np

    program = ct.convert(
        [_concrete_function(model)],
        source="tensorflow",
        convert_to="milinternal",
        inputs=[_image(ct, model)],
        outputs=[ct.TensorType(name, dtype=np.float32) for name in ("Identity", "Identity_1")],  # TensorFlow's names
        minimum_deployment_target=target,
        compute_precision=ct.transform.FP16ComputePrecision(_has_conv_behind) if half else ct.precision.FLOAT32,
    )
    main = program.functions["main"]
    main.outputs[1].name = ACTIVATION_MAP
    main.set_output_types(None)
    return ct.convert(
        program,
        convert_to="mlprogram",
        classifier_config=ct.ClassifierConfig(labels, predicted_probabilities_output=main.outputs[0].name),
        minimum_deployment_target=target,
        pass_pipeline=ct.PassPipeline.EMPTY,
        skip_model_load=True,
    )


def _has_conv_behind(operation: Any) -> bool:
    """Whether a convolution reads, directly or not, what an operation gives: whether it is no part of the head."""
    readers = [reader for output in operation.outputs for reader in output.child_ops]
    return any(reader.op_type == "conv" or _has_conv_behind(reader) for reader in readers)


def _image(ct: Any, model: keras.Model) -> Any:
    return ct.ImageType(INPUT_NAME, (1, *model.input_shape[1:]), color_layout=ct.colorlayout.RGB)


def _concrete_function(model: keras.Model) -> Any:
    import tensorflow as tf

    signature = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32, name=INPUT_NAME)
    return tf.function(lambda image: list(named_outputs(model, image).values())).get_concrete_function(signature)
