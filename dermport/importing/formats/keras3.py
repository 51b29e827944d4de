"""Keras 3's ``.keras`` files: a zip whose config is looked at before anything in it is loaded."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dermport.errors import ModelError
from dermport.importing.formats.tensorflow import graph_of
from dermport.importing.front import ACTIVATIONS, ARITHMETIC, flattened, on_its_own
from dermport.importing.original import FrameworkVersion, Original

if TYPE_CHECKING:
    import keras
    import onnx

_PLAIN = frozenset(
    {
        *("InputLayer", "Rescaling", "Normalization", "Resizing", "Dropout", "SpatialDropout2D", "BatchNormalization"),
        *("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Dense", "ZeroPadding2D", "Cropping2D", "UpSampling2D"),
        *("AveragePooling2D", "MaxPooling2D", "GlobalAveragePooling2D", "GlobalMaxPooling2D"),
        *("Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax"),
        *("Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract"),
        *("Flatten", "Permute", "Reshape"),
    }
)
_RUNS_CODE = "Lambda"


def keras_config(path: Path) -> dict[str, Any]:
    """Return a ``.keras`` file's config, with the version that wrote it as ``keras_version``; nothing is loaded.

    Raises:
        ModelError: It is no such file, or holds code.
    """
    try:
        with zipfile.ZipFile(path) as file:
            config: dict[str, Any] = json.loads(file.read("config.json"))
            metadata = json.loads(file.read("metadata.json"))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path} cannot be read as a .keras file: {error}.") from error
    check_no_code(config, path)
    return {**config, "keras_version": metadata.get("keras_version", "")}


def check_no_code(config: Any, path: Path) -> None:
    """Refuse a Keras config with layers that run code of its own.

    Raises:
        ModelError: It has some; the message names them.
    """
    for layer in layers_in(config):
        name = layer.get("config", {}).get("name", "")
        if layer["class_name"] == _RUNS_CODE:
            raise ModelError(
                f"{path} has a Lambda layer ({name}): Python code that loading would run. It is not loaded.",
                remedy="Put a layer of Keras in its place (Rescaling, Activation, ...), or export the model to ONNX "
                "where you trust it.",
            )
        if layer.get("registered_name") and not str(layer.get("module", "keras")).startswith("keras"):
            raise ModelError(
                f"{path} has a layer of its own, {layer['class_name']} ({name}), whose code is not in the file.",
                remedy="Export the model to ONNX, or as a SavedModel, where that code is at hand.",
            )


def layers_in(config: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of a Keras config that names a class."""
    if isinstance(config, dict):
        if isinstance(config.get("class_name"), str):
            yield config
        for value in config.values():
            yield from layers_in(value)
    elif isinstance(config, list):
        for value in config:
            yield from layers_in(value)


class KerasOriginal(Original):
    """A ``.keras`` file of Keras 3."""

    format = "keras"

    def __init__(self, path: Path) -> None:
        keras_config(path)
        self._model = load_keras(path)
        shapes = [tuple(one.shape) for one in self._model.inputs]
        check_one(len(shapes), len(self._model.outputs), path)
        super().__init__(path, shapes[0])

    @property
    def architecture(self) -> str:
        """The name of the largest model in it, or its own, where a person gave one."""
        import keras

        models = [layer for layer in self._model.layers if isinstance(layer, keras.Model)] or [self._model]
        name = str(max(models, key=lambda model: model.count_params()).name)
        return self.path.stem if name.split("_", maxsplit=1)[0] in ("functional", "sequential", "model") else name

    @property
    def framework(self) -> FrameworkVersion:
        """Keras."""
        import keras

        return FrameworkVersion("keras", keras.__version__)

    def run(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return its answers, [N, C]."""
        from dermport.training.model.network import predict

        return predict(self._model, self.arranged(images))

    def network(self) -> keras.Model | None:
        """Return the model, read anew, in one piece; None where a layer is not plain."""
        import keras

        model = load_keras(self.path)
        if self.layout != "NHWC" or not is_plain(model):
            return None
        image = keras.Input(model.inputs[0].shape[1:], name="image")
        network = on_its_own(keras.Model(image, flattened(model, image), name="network"))
        shared = any(len(layer._inbound_nodes) > 1 for layer in network.layers)
        return None if shared else network

    def onnx(self) -> onnx.ModelProto:
        """Return it as ONNX, by tf2onnx."""
        return graph_of(lambda image: self._model(image, training=False), self.shape)


def load_keras(path: Path) -> keras.Model:
    """Load a ``.keras`` file; code in it is refused.

    Raises:
        ModelError: Keras cannot.
    """
    import keras

    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises errors of many types
        raise ModelError(f"{path} cannot be read by Keras {keras.__version__}: {error}") from error
    if not isinstance(model, keras.Model) or not getattr(model, "inputs", None):
        raise ModelError(f"{path} is no functional or sequential model.", remedy="Export it to ONNX.")
    return model


def is_plain(model: keras.Model) -> bool:
    """Whether a model is functional, of layers that every exporter takes."""
    import keras

    if not isinstance(model, keras.Sequential) and type(model).__name__ != "Functional":
        return False
    operations = keras.Model(model.inputs, model.outputs).operations
    return all(is_plain(one) if isinstance(one, keras.Model) else _is_plain(one) for one in operations)


def _is_plain(operation: Any) -> bool:
    kind = type(operation).__name__
    trained_only = kind.startswith("Random") or kind in ("GaussianNoise", "GaussianDropout")
    by_number = kind in ARITHMETIC and len(operation.input if isinstance(operation.input, list) else [0]) == 1
    return kind in _PLAIN or trained_only or kind in ACTIVATIONS or by_number


def check_one(inputs: int, outputs: int, path: Path) -> None:
    """Refuse a model that takes or answers several things.

    Raises:
        ModelError: It does.
    """
    if (inputs, outputs) != (1, 1):
        raise ModelError(
            f"{path} has {inputs} inputs and {outputs} outputs; a bundle's model has one image in, one answer out.",
            remedy="Save the classifier alone: one image in, its logits or probabilities out.",
        )
