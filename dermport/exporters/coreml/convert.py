"""A Keras model as .mlpackage folders."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

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
    if photos is not None and len(photos) == 0:
        raise ExportError("There are no calibration photos.", remedy="Train the bundle again; it keeps some.")
    for ios in (16, 18):
        wanted = {precision: out for precision, out in outputs.items() if _ios(precision) == ios}
        if wanted:
            _write_all(classifier_from_keras(model, labels, ios=ios), wanted, description, photos)


def _ios(precision: str) -> int:
    recipe = RECIPES[precision]
    return 16 if recipe is None else recipe.ios


def _write_all(
    classifier: Any, outputs: Mapping[str, Path], description: PackageDescription, photos: NDArray[np.uint8] | None
) -> None:
    with TemporaryDirectory() as scratch:
        original = Path(scratch) / "original.mlpackage"
        write_package(classifier, original, description)
        compressor: Compressor | None = None
        for precision, out in outputs.items():
            recipe = RECIPES[precision]
            if recipe is None:
                shutil.copytree(original, out)
                continue
            compressor = compressor or Compressor(original, photos)
            write_package(compressor.compressed(recipe, Path(scratch) / precision), out, description)
            compressor.correct(out)
            settle(out)


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
