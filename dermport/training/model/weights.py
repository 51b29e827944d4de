"""What a trunk starts from: Keras' ImageNet weights, a file, or random numbers."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from dermport.bundle.hashing import sha256_file
from dermport.errors import DataError
from dermport.training.recipe import TrainingRecipe

if TYPE_CHECKING:
    import keras

_OFFLINE = "Without a network, name a weights file: {weights} FILE (MobileNetV2 without its top, .weights.h5)."
_ALPHAS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
_SIZES = (96, 128, 160, 192, 224)


def load_trunk(trunk: keras.Model, weights: str, alpha: float, size: int) -> None:
    """Give the trunk its initial weights.

    Args:
        trunk: MobileNetV2 without its top.
        weights: ``imagenet``, ``none``, or a file of ``keras.applications.MobileNetV2(include_top=False)``.
        alpha: The trunk's width multiplier.
        size: Side of its input, pixels.

    Raises:
        DataError: The download failed, Keras has no such weights, or the file is absent or does not fit.
    """
    if weights == "none":
        return
    source = _download(alpha, size) if weights == "imagenet" else _from_file(Path(weights), alpha, size)
    trunk.set_weights(source.get_weights())


def describe_weights(weights: str) -> str:
    """Return what ``bundle.json`` says of the initial weights: imagenet, none, or the file's name and sha256."""
    if weights in ("imagenet", "none"):
        return weights
    path = _existing(Path(weights))
    return f"{path.name} sha256:{sha256_file(path)}"


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise DataError(
            f"The weights file {path} does not exist.",
            remedy="{weights} takes imagenet, none or a FILE.",
            of=TrainingRecipe,
        )
    return path


def _download(alpha: float, size: int) -> keras.Model:
    import keras

    if alpha not in _ALPHAS:
        raise DataError(
            f"Keras has no ImageNet weights for {{alpha}} {alpha:g}; it has them for {', '.join(map(str, _ALPHAS))}.",
            of=TrainingRecipe,
        )
    # The weights do not depend on the size where the top is left out; Keras offers five sizes, trained alike.
    nearest = min(_SIZES, key=lambda offered: abs(offered - size))
    try:
        return keras.applications.MobileNetV2(
            input_shape=(nearest, nearest, 3), alpha=alpha, include_top=False, weights="imagenet"
        )
    except Exception as error:  # urllib, ssl, socket and Keras itself raise a dozen types here
        raise DataError(
            f"The ImageNet weights could not be downloaded: {error}", remedy=_OFFLINE, of=TrainingRecipe
        ) from error


def _from_file(path: Path, alpha: float, size: int) -> keras.Model:
    import keras

    model = keras.applications.MobileNetV2(input_shape=(size, size, 3), alpha=alpha, include_top=False, weights=None)
    load_file(
        model,
        _existing(path),
        f"MobileNetV2 with alpha {alpha:g}",
        remedy="Name the {alpha} that the file was made for. A whole model, with its classification layer, is made "
        f"a bundle instead: `dermport import {path} --out artifacts/NAME`.",
    )
    return model


def load_file(trunk: keras.Model, path: Path, name: str, *, remedy: str) -> None:
    """Give every layer of a trunk without its top the weights in a file.

    Raises:
        DataError: The file does not fit, or lacks a layer; the message calls the trunk by `name`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Keras only warns of a layer that the file lacks, and leaves it random.
            warnings.filterwarnings("error", message=".*freshly-initialized.*")
            trunk.load_weights(path)
    except (ValueError, OSError, KeyError, UserWarning) as error:
        reason = str(error).strip().splitlines()[0]
        raise DataError(
            f"{path} does not fit {name} and without its top: {reason}", remedy=remedy, of=TrainingRecipe
        ) from error
