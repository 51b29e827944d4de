"""What every artifact says of itself, whatever its format."""

from __future__ import annotations

import json

from dermport.bundle.manifest import Manifest
from dermport.bundle.notice import NOTICE
from dermport.exporters.contract import Source

AUTHOR = "dermport"
_NAMED = 20  # labels that a sentence names


def licence(source: Source) -> str:
    """Return what may be done with the weights."""
    return licence_of(source.manifest)


def licence_of(manifest: Manifest) -> str:
    """Return what may be done with a bundle's weights."""
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
    manifest = source.manifest
    names = [label.name for label in manifest.task.labels]
    others = f" and {len(names) - _NAMED:,} others" if len(names) > _NAMED else ""
    photos = "photos" if manifest.origin else "photos of skin lesions"
    return f"{manifest.model.architecture} that tells apart, in {photos}: {', '.join(names[:_NAMED])}{others}. {NOTICE}"
