"""The networks of the protocols: all take float32 [N, S, S, 3] of 0..255 and give logits, [N, 1] for two classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dermport.errors import DataError
from dermport.training.model.network import CLASSIFIER, DROPOUT, POOL
from dermport.training.model.weights import load_file
from dermport.training.protocols.protocol import Architecture

if TYPE_CHECKING:
    import keras

_DROPOUT = 0.2
# Squeeze and expand filters of SqueezeNet 1.1's fire modules; a pooling layer before each pair but the first.
_FIRES = (((16, 64), (16, 64)), ((32, 128), (32, 128)), ((48, 192), (48, 192), (64, 256), (64, 256)))
_WEIGHTS = ".weights.h5"


def small_network(size: int, classes: int, filters: Sequence[int], dense: Sequence[int], seed: int) -> keras.Model:
    """Return a small network: for each of `filters` a 3 x 3 convolution with ReLU and 2 x 2 max pooling, then `dense`.

    Args:
        size: Side of the input, pixels.
        classes: C; two are told apart by one logit.
        filters: Of each convolution.
        dense: Units of each dense layer before the last.
        seed: Of the initial weights.
    """
    import keras

    keras.utils.set_random_seed(seed)
    image = keras.Input((size, size, 3), name="image")
    x = keras.layers.Rescaling(1 / 255, name="scale")(image)
    for count in filters:
        x = keras.layers.Conv2D(count, 3, padding="same", activation="relu")(x)
        x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.Flatten()(x)
    for units in dense:
        x = keras.layers.Dense(units, activation="relu")(x)
    return keras.Model(image, _logits(x, classes), name="small")


def backbone(architecture: Architecture, size: int, classes: int, weights: Path | None, seed: int) -> keras.Model:
    """Return a lightweight backbone with global average pooling, dropout and a classification layer.

    Args:
        architecture: Which.
        size: Side of the input, pixels.
        classes: C; two are told apart by one logit.
        weights: A file of its ``keras.applications`` weights without the top; None for random numbers.
        seed: Of what is random.

    Raises:
        DataError: The file does not fit.
    """
    import keras

    keras.utils.set_random_seed(seed)
    image = keras.Input((size, size, 3), name="image")
    trunk = _TRUNKS[architecture](image)
    if weights is not None:
        load_file(trunk, weights, f"{architecture} of Keras", remedy="It takes a file of keras.applications' weights.")
    pooled = keras.layers.GlobalAveragePooling2D(name=POOL)(trunk.output)
    dropped = keras.layers.Dropout(_DROPOUT, seed=seed, name=DROPOUT)(pooled)
    return keras.Model(image, _logits(dropped, classes), name="network")


def weights_of(architecture: str, folder: Path | None) -> Path | None:
    """Return the weights file of an architecture in `folder`, ``<architecture>*.weights.h5``; None where there is none.

    Names are compared in small letters without ``_``, so that Keras' own ``mobilenet_v2_1.0_224_...`` is found.

    Raises:
        DataError: The folder does not exist, or holds several.
    """
    if folder is None:
        return None
    if not folder.is_dir():
        raise DataError(f"The folder of weights {folder} does not exist.")
    found = [path for path in sorted(folder.glob(f"*{_WEIGHTS}")) if _plain(path.name).startswith(_plain(architecture))]
    if len(found) > 1:
        raise DataError(
            f"{folder} holds several files of weights for {architecture}: {found[0].name}, {found[1].name}."
        )
    return found[0] if found else None


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _logits(features: Any, classes: int) -> Any:
    import keras

    return keras.layers.Dense(1 if classes == 2 else classes, name=CLASSIFIER)(features)


def _mobilenet_v2(image: Any) -> keras.Model:
    import keras

    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(image)
    return keras.applications.MobileNetV2(input_tensor=scaled, include_top=False, weights=None)


def _of_keras(name: str, **options: Any) -> Callable[[Any], keras.Model]:
    def build(image: Any) -> keras.Model:
        import keras

        model: keras.Model = getattr(keras.applications, name)(
            input_tensor=image, include_top=False, weights=None, **options
        )
        return model

    return build


def _squeezenet(image: Any) -> keras.Model:
    import keras

    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(image)
    x = _convolved(x, 64, 3, strides=2)
    for pair in _FIRES:
        x = keras.layers.MaxPooling2D(3, strides=2, padding="same")(x)
        for squeezed, expanded in pair:
            x = _fire(x, squeezed, expanded)
    return keras.Model(image, x)


def _fire(x: Any, squeezed: int, expanded: int) -> Any:
    """Return a fire module (Iandola et al. 2016, "SqueezeNet"): 1 x 1 down, 1 x 1 and 3 x 3 up side by side."""
    import keras

    narrow = _convolved(x, squeezed, 1)
    return keras.layers.Concatenate()([_convolved(narrow, expanded, 1), _convolved(narrow, expanded, 3)])


def _convolved(x: Any, filters: int, kernel: int, strides: int = 1) -> Any:
    import keras

    x = keras.layers.Conv2D(filters, kernel, strides=strides, padding="same", use_bias=False)(x)
    return keras.layers.ReLU()(keras.layers.BatchNormalization()(x))


_TRUNKS: dict[Architecture, Callable[[Any], keras.Model]] = {
    "MobileNetV2": _mobilenet_v2,
    "MobileNetV3Small": _of_keras("MobileNetV3Small", include_preprocessing=True),
    "MobileNetV3Large": _of_keras("MobileNetV3Large", include_preprocessing=True),
    "EfficientNetB0": _of_keras("EfficientNetB0"),
    "SqueezeNet-like": _squeezenet,
}
