"""What an ONNX file says of itself (``metadata_props``): labels, preprocessing, origin, notice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bundle.notice import NOTICE
from exporters.contract import Source

if TYPE_CHECKING:
    import onnx


def stamp(model: onnx.ModelProto, source: Source, precision: str) -> None:
    """Replace the metadata of `model`; ``labels`` is a JSON list in the order of the outputs."""
    from onnx import helper

    manifest = source.manifest
    helper.set_model_props(
        model,
        {
            "labels": json.dumps(manifest.task.ids, ensure_ascii=False),
            "preprocessing": manifest.preprocessing.id,
            "crop": manifest.preprocessing.crop,
            "bundle": manifest.name,
            "bundle_version": manifest.version,
            "model_sha256": source.model_sha256,
            "precision": precision,
            "notice": NOTICE,
        },
    )


def labels(model: onnx.ModelProto) -> tuple[str, ...]:
    """Return the labels that an ONNX file carries; KeyError where it carries none."""
    properties = {item.key: item.value for item in model.metadata_props}
    return tuple(json.loads(properties["labels"]))
