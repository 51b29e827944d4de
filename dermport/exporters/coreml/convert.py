"""A Keras model as .mlpackage folders."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import TYPE_CHECKING, Any
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.hashing import sha256_file
from dermport.errors import ExportError, UsageError
from dermport.exporters.coreml.compressor import Compressor
from dermport.exporters.coreml.conversion import INPUT_NAME, classifier_from_keras
from dermport.exporters.coreml.recipes import RECIPES
from dermport.runtimes.mil.package import open_package
from dermport.runtimes.quiet import quiet

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class PackageDescription:
    """The metadata of an .mlpackage.

    Attributes:
        author: Who made the model.
        licence: The licence of the model.
        text: What the model does, for whom, and that it is no medical device.
        version: The model's version.
        metadata: Anything else that an app reads from it: labels, preprocessing, origin. Values are strings.
    """

    author: str
    licence: str
    text: str
    version: str
    metadata: Mapping[str, str] = field(default_factory=dict)


_DATE = "com.github.apple.coremltools.conversion_date"


def convert(
    model: keras.Model,
    labels: Sequence[str],
    precision: str,
    out: Path,
    description: PackageDescription,
    *,
    photos: NDArray[np.uint8] | None = None,
) -> None:
    """Write one precision of a model as an .mlpackage.

    Args:
        model: float32 [N, S, S, 3] of 0..255 in, with its normalisation inside; float32 [N, C] probabilities out.
        labels: The C class labels, in the order of the outputs.
        precision: One of :data:`dermport.exporters.coreml.recipes.RECIPES`.
        out: The folder to write, ending in ``.mlpackage``; it must not exist.
        description: What the package says about itself.
        photos: Calibration photos, uint8 [N, S, S, 3], by which compressed layers keep their answers and biases are
            corrected; without any, weights take their nearest values and biases stay as they are.

    Raises:
        UsageError: There is no such precision.
        ExportError: The model cannot be converted, the labels do not fit it, `photos` is empty or absent where the
            precision chooses bits by them, or `out` exists.
    """
    convert_all(model, labels, {precision: out}, description, photos=photos)


def convert_all(
    model: keras.Model,
    labels: Sequence[str],
    outputs: Mapping[str, Path],
    description: PackageDescription,
    *,
    photos: NDArray[np.uint8] | None = None,
) -> None:
    """Write several precisions of a model, each into its folder, like :func:`convert`; an iOS is converted for once."""
    if unknown := set(outputs) - set(RECIPES):
        raise UsageError(f"Core ML has no precision {sorted(unknown)}.", remedy=f"Known: {', '.join(RECIPES)}.")
    if taken := [out for out in outputs.values() if out.exists()]:
        raise ExportError(f"{taken[0]} exists already.", remedy="Remove it, or choose another folder.")
    packages = Packages(model, labels, description, lambda: photos)
    for precision, out in outputs.items():
        packages.write(precision, out)


class Packages:
    """A model's packages, precision by precision; what they share, each iOS's original and its statistics, is kept.

    Args:
        model: As :func:`convert` takes it, like the others.
        labels: The C class labels.
        description: What each package says about itself.
        photos: Gives the calibration photos, or None; called where a precision is compressed.
    """

    def __init__(
        self,
        model: keras.Model,
        labels: Sequence[str],
        description: PackageDescription,
        photos: Callable[[], NDArray[np.uint8] | None],
    ) -> None:
        self._model, self._labels, self._description, self._photos = model, labels, description, photos
        self._scratch = Path(mkdtemp(prefix="dermport-coreml-"))
        self._end = finalize(self, shutil.rmtree, self._scratch, ignore_errors=True)
        self._compressors: dict[int, Compressor] = {}

    def write(self, precision: str, out: Path) -> None:
        """Write one precision, whose name is known, to a folder that does not exist; raises as :func:`convert` does."""
        recipe = RECIPES[precision]
        if recipe is None:
            shutil.copytree(self._original(16), out)
            return
        compressor = self._compressor(recipe.ios)
        with TemporaryDirectory(dir=self._scratch) as scratch:
            write_package(compressor.compressed(recipe, Path(scratch) / precision), out, self._description)
        compressor.correct(out)
        settle(out)

    def _original(self, ios: int) -> Path:
        """Return the uncompressed package for an iOS, converted when it is first asked for."""
        path = self._scratch / f"ios{ios}.mlpackage"
        if not path.exists():
            write_package(classifier_from_keras(self._model, self._labels, ios=ios), path, self._description)
        return path

    def _compressor(self, ios: int) -> Compressor:
        if ios not in self._compressors:
            photos = self._photos()
            if photos is not None and len(photos) == 0:
                raise ExportError("There are no calibration photos.", remedy="Train the bundle again; it keeps some.")
            self._compressors[ios] = Compressor(self._original(ios), photos)
        return self._compressors[ios]


def write_package(classifier: Any, out: Path, description: PackageDescription) -> None:
    """Save a ``coremltools.models.MLModel`` with its description; equal models give equal bytes."""
    classifier.author = description.author
    classifier.license = description.licence
    classifier.short_description = description.text
    classifier.version = description.version
    classifier.user_defined_metadata.update(description.metadata)
    classifier.input_description[INPUT_NAME] = "The prepared photo, RGB; the model scales the pixels itself."
    with quiet():
        classifier.save(str(out))
    settle(out)


def settle(out: Path) -> None:
    """Remove from a saved package what differs from one conversion to the next: date, map order, random identifiers."""
    package = open_package(out)
    spec = package.read_spec()
    spec.description.metadata.userDefined.pop(_DATE, None)
    package.model_file.write_bytes(spec.SerializeToString(deterministic=True))
    manifest = out / "Manifest.json"
    document = json.loads(manifest.read_text())
    root = document["itemInfoEntries"][document["rootModelIdentifier"]]
    entries = {_identifier(out, item): item for item in document["itemInfoEntries"].values()}
    document |= {"itemInfoEntries": entries, "rootModelIdentifier": _identifier(out, root)}
    # In the very form that coremltools writes, since it writes the manifest anew whenever it opens a package.
    manifest.write_text(json.dumps(document, indent=4, sort_keys=True) + "\n")


def _identifier(out: Path, item: Mapping[str, str]) -> str:
    """Return an identifier that follows from an item's content."""
    path = out / "Data" / item["path"]
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    content = " ".join([item["path"], *(sha256_file(file) for file in files)])
    return str(uuid.uuid5(uuid.NAMESPACE_URL, content)).upper()
