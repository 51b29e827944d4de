"""Teachers that do not exist yet: architectures of keras.applications, trained on the same photos and kept."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from dermport.bundle.hashing import sha256_file
from dermport.compression.distillation.teacher import Pixels, Teacher, rescaling, with_features
from dermport.compression.fine_tune import FineTune
from dermport.compression.step import StepContext
from dermport.contract import Contract
from dermport.errors import DataError
from dermport.training.cache import kept_folder
from dermport.training.model.network import CLASSIFIER, DROPOUT, POOL
from dermport.training.model.weights import describe_weights
from dermport.training.parts import SplitPhotos

if TYPE_CHECKING:
    import keras

ARCHITECTURES: dict[str, tuple[str, dict[str, Any], Pixels]] = {
    **{f"MobileNetV2-{alpha}": ("MobileNetV2", {"alpha": alpha}, "-1..1") for alpha in (1.0, 1.3, 1.4)},
    **{name: (name, {}, "0..255") for name in ("EfficientNetB0", "EfficientNetB1", "EfficientNetB2", "EfficientNetB3")},
    **{name: (name, {}, "0..255") for name in ("EfficientNetV2B0", "EfficientNetV2B1", "EfficientNetV2B2")},
    **{name: (name, {}, "imagenet") for name in ("DenseNet121", "DenseNet169", "DenseNet201")},
    "ResNet50V2": ("ResNet50V2", {}, "-1..1"),
    "Xception": ("Xception", {}, "-1..1"),
}
"""By the name that a recipe gives: the function of keras.applications, its options, and the values that it takes."""
_FILE = "network.keras"
_KEPT = 16


class TeacherTraining(Contract):
    """How an architecture becomes a teacher: all its layers are trained, and the best epoch is kept."""

    weights: Annotated[str, Field(min_length=1, description="imagenet, none, or a weights FILE without the top")] = (
        "imagenet"
    )
    size: Annotated[int | None, Field(ge=32, le=1024, description="side of its input; None: the student's")] = None
    epochs: Annotated[int, Field(ge=1)] = 12
    learning_rate: Annotated[float, Field(gt=0)] = 5e-4
    batch: Annotated[int, Field(ge=2)] = 32
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    augmentation: Literal["gentle", "strong"] = "strong"


def trained_teacher(name: str, options: TeacherTraining, context: StepContext) -> Teacher:
    """Return an architecture trained on the context's photos, from the cache if it is there.

    A training that was killed goes on from its checkpoints.

    Raises:
        DataError: The initial weights cannot be had, or do not fit.
    """
    import keras

    own = context.parts.train.preprocessing
    preprocessing = own.model_copy(update={"size": options.size or own.size})
    given = (context.parts.train, context.parts.validation, context.parts.test)
    parts = SplitPhotos(*(replace(part, preprocessing=preprocessing) for part in given))
    key = {
        "architecture": name,
        "options": options.model_dump(mode="json") | {"weights": describe_weights(options.weights)},
        "train": parts.train.source.key,
        "validation": parts.validation.source.key,
        "labels": list(context.parent.manifest.task.ids),
        "seed": context.seed,
        "layout": 1,
    }
    own_context = replace(context, parts=parts, folder=context.folder / "teacher")
    path = kept_folder(
        context.cache / "teachers", key, lambda part: _train(name, options, own_context, part / _FILE), keep=_KEPT
    )
    network = keras.saving.load_model(path / _FILE, compile=False)
    return Teacher(name, sha256_file(path / _FILE), with_features(network), preprocessing)


def _train(name: str, options: TeacherTraining, context: StepContext, path: Path) -> None:
    context.progress.say(f"The teacher {name} is trained first; it is kept for other students.")
    size = context.parts.train.preprocessing.size
    network = _network(name, options, size, context)
    step = FineTune(**options.model_dump(include={"epochs", "learning_rate", "batch", "augmentation"}))
    step.run(network, context).network.save(path)


def _network(name: str, options: TeacherTraining, size: int, context: StepContext) -> keras.Model:
    """Return an architecture with a classification layer: float32 [N, S, S, 3] of 0..255 to logits."""
    import keras

    function, settings, pixels = ARCHITECTURES[name]
    keras.utils.set_random_seed(context.seed)
    image = keras.Input((size, size, 3), name="image")
    scaled = rescaling(pixels)(image)
    build = partial(getattr(keras.applications, function), include_top=False, input_tensor=scaled, **settings)
    features = _with_weights(build, name, options.weights).output
    pooled = keras.layers.GlobalAveragePooling2D(name=POOL)(features)
    dropped = keras.layers.Dropout(options.dropout, seed=context.seed, name=DROPOUT)(pooled)
    outputs = 1 if context.classes == 2 else context.classes
    return keras.Model(image, keras.layers.Dense(outputs, name=CLASSIFIER)(dropped), name="teacher")


def _with_weights(build: Any, name: str, weights: str) -> keras.Model:
    try:
        return build(weights=None if weights == "none" else weights)
    except Exception as error:  # urllib, ssl, socket, h5py and Keras itself raise a dozen types here
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataError(
            f"{name} cannot start from the weights {weights}: {reason}",
            remedy="Without a network, name a weights file (of keras.applications, without the top), or none.",
        ) from error
