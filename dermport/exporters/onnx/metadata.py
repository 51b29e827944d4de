"""What an ONNX file says of itself (``metadata_props``): labels, preprocessing, origin, notice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dermport.exporters.contract import Source
from dermport.exporters.origin import origin

if TYPE_CHECKING:
    import onnx


def stamp(model: onnx.ModelProto, source: Source, precision: str) -> None:
    """Replace the metadata of `model`; ``labels`` is a JSON list in the order of the outputs."""
    from onnx import helper

    helper.set_model_props(model, origin(source) | {"precision": precision})


def labels(model: onnx.ModelProto) -> tuple[str, ...]:
    """Return the labels that an ONNX file carries; KeyError where it carries none."""
    properties = {item.key: item.value for item in model.metadata_props}
    return tuple(json.loads(properties["labels"]))
