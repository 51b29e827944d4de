"""The folder that is an .mlpackage: where its model and weights lie."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dermport.errors import ExportError

_REMEDY = "Export it again: dermport export BUNDLE --to coreml."


@dataclass(frozen=True)
class MilPackage:
    """A .mlpackage on disk.

    Attributes:
        path: The folder itself.
        model_file: Its ``model.mlmodel`` (a serialised ``CoreML.Specification.Model``).
    """

    path: Path
    model_file: Path

    def weight_file(self, name: str) -> Path:
        """Return the file behind a program's file name, e.g. ``@model_path/weights/weight.bin``."""
        return self.model_file.parent / name.removeprefix("@model_path/")

    def read_spec(self) -> Any:
        """Parse the model file.

        Returns:
            A ``CoreML.Specification.Model`` protobuf message.

        Raises:
            ExportError: The file is no Core ML model.
        """
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

        from dermport.runtimes.quiet import import_coremltools

        spec = import_coremltools().proto.Model_pb2.Model()
        try:
            spec.ParseFromString(self.model_file.read_bytes())
        except DecodeError as error:
            raise ExportError(f"{self.model_file} is no Core ML model: {error}.", remedy=_REMEDY) from error
        return spec


def open_package(path: Path) -> MilPackage:
    """Find the model inside a .mlpackage by its manifest, as Core ML does.

    Raises:
        ExportError: There is no such package, or its manifest or model is missing or broken.
    """
    manifest = path / "Manifest.json"
    try:
        document = json.loads(manifest.read_text())
        item = document["itemInfoEntries"][document["rootModelIdentifier"]]
        model_file = path / "Data" / item["path"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ExportError(
            f"{path} is no .mlpackage: {manifest.name} does not say where the model is ({error!r}).", remedy=_REMEDY
        ) from error
    if not model_file.is_file():
        raise ExportError(f"{path} is incomplete: {model_file} is missing.", remedy=_REMEDY)
    return MilPackage(path, model_file)
