"""The tiny bundle's Keras model, its float32 ONNX, and its Core ML packages, made once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import pytest

from dermport.bundle.store import Bundle
from dermport.exporters.contract import Source
from dermport.exporters.coreml.convert import PackageDescription, convert_all
from dermport.exporters.onnx.convert import float_model
from dermport.exporters.source import load_source
from tests.factories import LABELS


@pytest.fixture(scope="session")
def keras_model(shared_bundle: Bundle) -> Any:
    """The model of the tiny bundle; do not change it."""
    import keras

    return keras.models.load_model(shared_bundle.path / "model.keras", compile=False)


@pytest.fixture(scope="session")
def description() -> PackageDescription:
    """What the packages below say of themselves."""
    return PackageDescription(
        author="The dermport developers",
        licence="Apache-2.0",
        text="Tells drawn blotches apart. Research only.",
        version="1.2.3",
        metadata={"labels": json.dumps(LABELS), "preprocessing": "dermport-prep/1"},
    )


@pytest.fixture(scope="session")
def mlpackages(
    keras_model: Any, description: PackageDescription, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The tiny model as an .mlpackage in the usual precisions, rounded without photos; do not change them."""
    folder = tmp_path_factory.mktemp("coreml")
    outputs = {precision: folder / f"{precision}.mlpackage" for precision in ("fp16", "int8", "palette4")}
    convert_all(keras_model, LABELS, outputs, description)
    return outputs


@pytest.fixture(scope="module")
def source(shared_bundle: Bundle) -> Source:
    """What exporters read of the tiny bundle."""
    return load_source(shared_bundle)


@pytest.fixture(scope="module")
def original(source: Source) -> onnx.ModelProto:
    """The tiny model as float32 ONNX; do not change it."""
    return float_model(source)
