"""TFLite metadata: what Android's tools read about a model, from the file itself."""

from __future__ import annotations

import zipfile
from pathlib import Path

from bundle.errors import ExportError

LABELS_FILE = "labels.txt"


def read_labels(path: Path) -> tuple[str, ...]:
    """Return the labels that a ``.tflite`` file carries, in the order of its outputs.

    Raises:
        ExportError: The file carries none.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return tuple(archive.read(LABELS_FILE).decode().splitlines())
    except (zipfile.BadZipFile, KeyError) as error:
        raise ExportError(
            f"{path} carries no labels ({error}).", remedy="Use a file that `dermport export --to tflite` wrote."
        ) from error
