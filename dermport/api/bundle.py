"""A bundle that answers photos, what it answers, and its artifacts."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Union

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.abstention import Reason
from dermport.bundle.notice import NOTICE
from dermport.bundle.store import Bundle, Export
from dermport.errors import DataError, UsageError
from dermport.workflows.notebook import html_table, text_table

if TYPE_CHECKING:
    import keras
    from PIL import Image

    from dermport.bundle.manifest import Preprocessing
    from dermport.runtimes.base import Runtime

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # quiet; TensorFlow reads it when it is first imported
PathLike = str | Path
BundleLike = PathLike | Bundle
PhotoLike = Union[PathLike, bytes, "Image.Image", NDArray[np.uint8]]

_COLUMNS = ("artifact", "KiB", "of Keras", "proof")


@dataclass(frozen=True)
class PhotoPrediction:
    """What a model says of one photo; research, never a diagnosis.

    Attributes:
        labels: The labels' ids, [C].
        probabilities: Calibrated, float32 [C], in the order of `labels`; they sum to 1.
        score: The summed probability of the positive labels, 0 to 1; None where the model knows no decision.
        threshold: From which `score` on the photo is positive; None likewise.
        positive: The decision; None where the model cannot tell (see `reasons`), or knows no decision.
        reasons: Why it cannot tell; empty where it can, or the bundle has no rule for it.
        notice: To be shown beside the result.
    """

    labels: tuple[str, ...]
    probabilities: NDArray[np.float32]
    score: float | None
    threshold: float | None
    positive: bool | None
    reasons: tuple[Reason, ...] = ()
    notice: str = field(default=NOTICE, repr=False)

    @property
    def label(self) -> str:
        """The most probable label's id."""
        return self.labels[int(self.probabilities.argmax())]

    @property
    def decision(self) -> str:
        """``positive``, ``negative`` or ``cannot tell``; empty where the model knows no decision."""
        if self.score is None:
            return ""
        return "cannot tell" if self.positive is None else "positive" if self.positive else "negative"

    def _repr_html_(self) -> str:
        order = np.argsort(-self.probabilities)
        rows = [(self.labels[index], f"{self.probabilities[index]:.3f}") for index in order]
        caption = [f"{self.decision}: score {self.score:.3f}, threshold {self.threshold:.3f}"] if self.decision else []
        return html_table(("label", "probability"), rows, ". ".join([*caption, *(one.words for one in self.reasons)]))


class ExportList(tuple[Export, ...]):
    """The exports of a bundle: a tuple that is a table in a notebook."""

    __slots__ = ()

    def __repr__(self) -> str:
        return text_table(_COLUMNS, map(_row, self))

    def _repr_html_(self) -> str:
        return html_table(_COLUMNS, map(_row, self))


def _row(export: Export) -> tuple[str, ...]:
    record, parity = export.record, export.record.parity
    proof = f"{parity.status}, {parity.evidence}" if parity else "not verified"
    return export.path.name, f"{record.artifact_bytes / 1024:,.0f}", f"{record.size_ratio:.3f}", proof


class OpenBundle(Bundle):
    """A bundle that answers photos: its folder (`path`), its validated `manifest`, its exports and its model."""

    @classmethod
    def open(cls, path: BundleLike) -> OpenBundle:
        """Read and validate a bundle's folder.

        Raises:
            BundleError: The folder holds no bundle of this schema version.
        """
        bundle = path if isinstance(path, Bundle) else Bundle.open(Path(path))
        return cls(bundle.path, bundle.manifest)

    @cached_property
    def model(self) -> keras.Model:
        """The Keras model, loaded when first used: float32 [N, S, S, 3] of 0..255 in, float32 [N, C] out."""
        from dermport.exporters.source import load_model

        return load_model(self)

    def predict(self, photo: PhotoLike) -> PhotoPrediction:
        """Return what ``model.keras`` says of a photo.

        Args:
            photo: A path, the bytes of a JPEG or PNG, a PIL image, or RGB pixels uint8 [H, W, 3].

        Raises:
            PhotoError: The photo's bytes are refused; `code` names the reason.
            DataError: The file cannot be read.
            UsageError: It is nothing of the kind.
        """
        from dermport.training.model.network import predict

        tensor = prepare(photo, self)
        return _prediction(self, predict(self.model, tensor[None])[0], tensor)

    def exports(self) -> ExportList:
        """Return every export of this bundle, sorted by folder name."""
        return ExportList(super().exports())

    def __repr__(self) -> str:
        return f"Bundle({str(self.path)!r})"

    def _repr_html_(self) -> str:
        manifest = self.manifest
        rows = [
            ("labels", ", ".join(manifest.task.ids)),
            ("input", f"{manifest.preprocessing.size} × {manifest.preprocessing.size} pixels"),
            ("parameters", f"{manifest.model.parameters:,}"),
            ("exports", ", ".join(export.path.name for export in self.exports()) or "none"),
        ]
        return html_table((manifest.name, manifest.version), rows)


def prepare(photo: PhotoLike, bundle: BundleLike) -> NDArray[np.uint8]:
    """Return a photo as a bundle's model and artifacts take it: uint8 [S, S, 3], RGB.

    Bytes and files go through ``dermport-prep/1``, which every device computes alike; a PIL image or an array of pixels
    uint8 [H, W, 3] is taken as decoded already, and only cropped and resized as it says.

    Raises:
        PhotoError: The photo's bytes are refused; `code` names the reason.
        DataError: The file cannot be read.
        UsageError: It is nothing of the kind.
    """
    from dermport.bundle.prep import prepare as prepare_bytes

    spec = OpenBundle.open(bundle).manifest.preprocessing
    if isinstance(photo, (str, Path)):
        photo = _read(Path(photo))
    return prepare_bytes(photo, spec).tensor if isinstance(photo, bytes) else _prepared_pixels(photo, spec)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error


def _prepared_pixels(photo: Image.Image | NDArray[np.uint8], spec: Preprocessing) -> NDArray[np.uint8]:
    from PIL import Image, ImageOps

    from dermport.bundle.prep import tensor_of

    if isinstance(photo, np.ndarray):
        if photo.dtype != np.uint8 or photo.shape[2:] != (3,):
            raise UsageError(f"The array is {photo.dtype} {list(photo.shape)}, not RGB pixels uint8 [H, W, 3].")
        return tensor_of(Image.fromarray(photo), spec)
    if not isinstance(photo, Image.Image):
        raise UsageError(f"{type(photo).__name__} is no photo: give a path, bytes, a PIL image or uint8 [H, W, 3].")
    return tensor_of(ImageOps.exif_transpose(photo).convert("RGB"), spec)


def _prediction(bundle: Bundle, probabilities: NDArray[np.float32], tensor: NDArray[np.uint8]) -> PhotoPrediction:
    from dermport.bundle.photo_quality import survey_input
    from dermport.bundle.probabilities import answer

    manifest = bundle.manifest
    said = answer(manifest, probabilities, survey_input(tensor) if manifest.abstention else None)
    threshold = manifest.decision.threshold if manifest.decision else None
    return PhotoPrediction(tuple(manifest.task.ids), probabilities, said.score, threshold, said.positive, said.reasons)


def load(export: PathLike | Export, *, threads: int | None = None) -> Runtime:
    """Load an artifact with the best runtime that this machine has; also a ``with`` block's.

    Its ``predict(tensors)`` takes prepared photos uint8 [N, S, S, 3] (see :func:`prepare`) and returns probabilities
    float32 [N, C] in the order of its ``labels``. It is not thread-safe.

    Args:
        export: An export, or its folder, e.g. ``artifacts/ham7/exports/tflite-fp32``.
        threads: CPU threads, where the runtime leaves a choice; None for the runtime's own default.

    Raises:
        BundleError: There is no export.
        IntegrityError: The artifact's bytes are not the recorded ones.
        UnavailableError: This machine has no runtime for it.
    """
    from dermport.exporters.registry import get_target

    opened = export if isinstance(export, Export) else Export.open(Path(export))
    opened.checked()
    return get_target(opened.record.target).execution(opened.path, threads).runtime
