"""Teachers: the parent, another bundle, a Keras model in a file, or an architecture trained on the same photos."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.hashing import sha256_file
from dermport.bundle.manifest import Preprocessing
from dermport.bundle.store import Bundle
from dermport.bundle.tables import read_rows
from dermport.compression.network import network_of
from dermport.compression.step import StepContext
from dermport.errors import DataError, UsageError
from dermport.training.model.network import class_logits, predict

if TYPE_CHECKING:
    import keras

Pixels = Literal["0..255", "-1..1", "0..1", "imagenet"]
PARENT = "parent"


@dataclass(frozen=True)
class Teacher:
    """A trained model that a student learns from.

    Attributes:
        name: In words, for reports.
        sha256: Of its file: what its kept answers are found by.
        model: float32 [N, S, S, 3] of 0..255 to (logits or log-probabilities [N, C], pooled features [N, F]).
        preprocessing: What photos go through before it.
    """

    name: str
    sha256: str
    model: keras.Model
    preprocessing: Preprocessing

    @property
    def width(self) -> int:
        """F, how many features it has."""
        return int(self.model.outputs[1].shape[1])

    def outputs(self, photos: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return logits float32 [B, C] and pooled features float32 [B, F] of prepared photos float32 [B, S, S, 3]."""
        given, features = self.model.predict_on_batch(photos)
        return class_logits(given), features

    def logits(self, tensors: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return logits float32 [N, C] of prepared photos uint8 [N, S, S, 3]."""
        import keras

        return class_logits(predict(keras.Model(self.model.input, self.model.outputs[0]), tensors))


def find_teacher(name: str, pixels: Pixels, context: StepContext) -> Teacher:
    """Return the teacher that `name` names.

    Args:
        name: ``parent``, a bundle's folder, or a ``.keras`` file.
        pixels: What the values are that a ``.keras`` file takes.
        context: The photos and the labels to be learned.

    Raises:
        UsageError: There is no such teacher, or it tells other labels apart.
        DataError: It was trained on photos that the student is to be judged by.
    """
    if name == PARENT:
        return of_bundle(context.parent)
    path = Path(name)
    if path.is_dir():
        bundle = Bundle.open(path)
        _check_labels(bundle, context.parent)
        _check_photos(bundle, context)
        return of_bundle(bundle)
    if path.is_file():
        return of_file(path, pixels, context)
    raise UsageError(
        f"There is no teacher {name!r}.",
        remedy="It is `parent`, a bundle's folder, a .keras file, or an architecture of keras.applications.",
    )


def of_bundle(bundle: Bundle) -> Teacher:
    """Return a bundle's model as a teacher."""
    manifest = bundle.manifest
    network = network_of(bundle)
    name = f"{manifest.name} {manifest.version}"
    return Teacher(name, bundle.model_sha256, with_features(network), manifest.preprocessing)


def of_file(path: Path, pixels: Pixels, context: StepContext) -> Teacher:
    """Return the Keras model in a file as a teacher; where its input has no size, it is given the student's photos.

    Raises:
        UsageError: It gives another number of outputs than there are labels.
    """
    import keras

    model = keras.saving.load_model(path, compile=False)
    if model.output_shape[-1] != context.classes:
        raise UsageError(f"{path} gives {model.output_shape[-1]} outputs for {context.classes} labels.")
    own = context.parts.train.preprocessing
    preprocessing = own.model_copy(update={"size": model.input_shape[1] or own.size})
    answering = scaled(with_features(model), pixels, preprocessing.size)
    return Teacher(path.name, sha256_file(path), answering, preprocessing)


def scaled(model: keras.Model, pixels: Pixels, size: int) -> keras.Model:
    """Return a model that takes 0..255 before one that takes `pixels`."""
    import keras

    if pixels == "0..255":
        return model
    image = keras.Input((size, size, 3), name="image")
    return keras.Model(image, model(rescaling(pixels)(image)))


def rescaling(pixels: Pixels) -> keras.layers.Layer:
    """Return the layer that makes `pixels` of 0..255; ``imagenet`` is less the mean, by the spread, of each channel."""
    import keras

    mean, spread = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    scale, offset = {
        "0..255": (1.0, 0.0),
        "-1..1": (1 / 127.5, -1.0),
        "0..1": (1 / 255, 0.0),
        "imagenet": ((1 / 255 / spread).tolist(), (-mean / spread).tolist()),
    }[pixels]
    return keras.layers.Rescaling(scale, offset=offset, name="scale")


def with_features(model: keras.Model) -> keras.Model:
    """Return images to (logits or log-probabilities, what the last layer reads)."""
    import keras

    last, answers = model.layers[-1], model.output
    if not isinstance(last, keras.layers.Dense) or len(last.input.shape) != 2:
        raise UsageError(
            f"The teacher's last layer, {last.name!r} ({type(last).__name__}), is not a dense one that gives answers."
        )
    if last.activation is keras.activations.softmax:
        answers = keras.ops.log(keras.ops.maximum(answers, np.finfo(np.float32).tiny))
    elif last.activation is not keras.activations.linear:
        raise UsageError(f"The teacher's answers are neither logits nor a softmax: {last.name!r} ends otherwise.")
    return keras.Model(model.input, (answers, last.input), name="teacher")


def _check_labels(teacher: Bundle, parent: Bundle) -> None:
    theirs, ours = teacher.manifest.task.ids, parent.manifest.task.ids
    if theirs != ours:
        raise UsageError(
            f"The teacher {teacher.path} answers the labels {', '.join(theirs)}; the student learns {', '.join(ours)}.",
            remedy="A teacher has the same labels in the same order.",
        )


def _check_photos(teacher: Bundle, context: StepContext) -> None:
    """Refuse a teacher that learned lesions which the student is chosen or judged by: its answers would leak them."""
    path = teacher.file(teacher.manifest.known_dataset.split.file)
    learned = {row["lesion_id"] for row in read_rows(path, ("lesion_id", "part")) if row["part"] == "train"}
    for part in (context.parts.validation, context.parts.test):
        if seen := learned & {record.lesion_id for record in part.records}:
            raise DataError(
                f"The teacher {teacher.path} was trained on {len(seen):,} lesions of the {part.part} part.",
                remedy="Train a teacher on the same split, or name an architecture that is trained for the purpose.",
            )
