"""What every artifact says of itself, whatever its format."""

from __future__ import annotations

import json

from dermport.bundle.notice import NOTICE
from dermport.exporters.contract import Source

AUTHOR = "dermport"


def licence(source: Source) -> str:
    """Return what may be done with the weights."""
    manifest = source.manifest
    if manifest.origin:
        return f"The weights: {manifest.origin.licence} (of {manifest.origin.file}); see the model card."
    return (
        f"The weights: that of the data set they were trained on ({manifest.known_dataset.name}); see the model card."
    )


def origin(source: Source) -> dict[str, str]:
    """Return the metadata of an artifact; ``labels`` is a JSON list in the order of the outputs."""
    manifest = source.manifest
    return {
        "labels": json.dumps(manifest.task.ids, ensure_ascii=False),
        "preprocessing": manifest.preprocessing.id,
        "crop": manifest.preprocessing.crop,
        "bundle": manifest.name,
        "bundle_version": manifest.version,
        "model_sha256": source.model_sha256,
        "notice": NOTICE,
    }


def summary(source: Source) -> str:
    """Return what the model does, in a sentence, with the notice."""
    labels = ", ".join(label.name for label in source.manifest.task.labels)
    return f"MobileNetV2 that tells apart, in photos of skin lesions: {labels}. {NOTICE}"
