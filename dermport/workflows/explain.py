"""What a bundle's model looks at, and whether it is what matters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dermport.errors import Parameters, UsageError
from dermport.progress import SILENT, Progress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dermport.bundle.manifest import Manifest, Preprocessing
    from dermport.bundle.photo_set import PhotoSet
    from dermport.bundle.store import Bundle
    from dermport.exporters.deletion import Deletion

_OVERLAYS = 24  # of a data set's photos; of photos that are named, all


def explain(
    bundle: Bundle,
    photos: Sequence[Path],
    out: Path,
    *,
    data: Path | None = None,
    limit: int = 200,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """Draw class activation maps over photos, and test by deletion that they show what matters.

    Args:
        bundle: Whose model.
        photos: Files; none with `data`.
        out: Folder for overlays and ``deletion.json``; must not exist.
        data: A data set whose test part is explained instead.
        limit: Of `data`: how many photos, evenly spread.
        progress: What a person sees.

    Returns:
        What ``deletion.json`` holds.

    Raises:
        UsageError: Neither photos nor a data set, or both, are named, or `out` exists.
        DataError: A photo cannot be read.
    """
    from dermport.bundle.atomic import atomic_directory, write_json
    from dermport.workflows.photos import read_photos

    if (data is None) == (not photos):
        raise UsageError("Name photos, or a data set with {data}.", of=Parameters)
    asked = read_photos(bundle, data, "test", progress=progress).spread(limit) if data else _of_files(photos)
    with atomic_directory(out) as folder:
        maps, deletion = _explained(bundle, asked, progress)
        _draw(bundle.manifest, asked, maps, folder, len(asked) if data is None else _OVERLAYS)
        document = _document(bundle.manifest, asked, deletion)
        write_json(folder / "deletion.json", document)
    return document


def _of_files(paths: Sequence[Path]) -> PhotoSet:
    import numpy as np

    from dermport.bundle.photo_set import PhotoSet
    from dermport.bundle.prep import prepare
    from dermport.errors import DataError

    def load(preprocessing: Preprocessing, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        tensors = []
        for index in indices:
            try:
                tensors.append(prepare(paths[index].read_bytes(), preprocessing).tensor)
            except OSError as error:
                raise DataError(f"{paths[index]} cannot be read: {error.strerror}.") from error
        return np.stack(tensors)

    names = tuple(f"{number:03d}-{path.stem}" for number, path in enumerate(paths, 1))
    return PhotoSet("photos", names, load, groups=names, paths=paths)


def _explained(bundle: Bundle, asked: PhotoSet, progress: Progress) -> tuple[NDArray[np.float32], Deletion]:
    from dermport.exporters.deletion import deletion_curves
    from dermport.exporters.maps import keras_maps
    from dermport.exporters.source import load_model
    from dermport.training.model.network import predict

    with progress.bar("drawing maps"):
        model = load_model(bundle)
        tensors = asked.tensors(bundle.manifest.preprocessing)
        maps = keras_maps(model, tensors)
    with progress.bar("deleting") as update:
        return maps, deletion_curves(lambda photos: predict(model, photos), tensors, maps, update=update)


def _draw(manifest: Manifest, asked: PhotoSet, maps: NDArray[np.float32], folder: Path, count: int) -> None:
    import numpy as np

    from dermport.figures.overlay import draw_overlay

    for name, photo, grid in list(zip(asked.ids, asked.tensors(manifest.preprocessing), maps, strict=True))[:count]:
        logits = grid.mean(axis=(0, 1), dtype=np.float64)
        label = int(logits.argmax())
        probability = 1 / np.exp(logits - logits[label]).sum()
        picture = draw_overlay(photo, grid[..., label], manifest.task.labels[label].name, float(probability))
        picture.save(folder / f"{name}.png")


def _document(manifest: Manifest, asked: PhotoSet, deletion: Deletion) -> dict[str, Any]:
    from dermport.exporters.deletion import ORDERS
    from dermport.statistics.paired import mean_difference

    largest, random, smallest = ORDERS
    pairs = {"random less largest first": (random, largest), "smallest first less random": (smallest, random)}
    return {
        "bundle": manifest.name,
        "photos": len(asked),
        "lesions": len(set(asked.groups)),
        "shares": deletion.shares.tolist(),
        "curves": {order: deletion.curves[order].mean(axis=0).tolist() for order in ORDERS},
        "areas": {order: float(deletion.areas(order).mean()) for order in ORDERS},
        "differences": {
            name: asdict(mean_difference(deletion.areas(first), deletion.areas(second), asked.groups))
            for name, (first, second) in pairs.items()
        },
        "names": list(asked.ids),
        "notice": manifest.notice,
    }
