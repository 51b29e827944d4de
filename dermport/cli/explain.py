"""``dermport explain``: what a bundle's model looks at, and whether it is what matters."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dermport.cli import output
from dermport.cli.options import BundleArgument, Json, Out
from dermport.cli.output import bar, console, emit_json, new_table, say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dermport.bundle.manifest import Manifest, Preprocessing
    from dermport.bundle.photo_set import PhotoSet
    from dermport.bundle.store import Bundle
    from dermport.exporters.deletion import Deletion

_OVERLAYS = 24  # of a data set's photos; of photos that are named, all


def explain(
    bundle: BundleArgument,
    photos: Annotated[list[Path] | None, typer.Argument(metavar="PHOTO…", help="Photos to explain.")] = None,
    out: Out = Path("artifacts/explained"),
    data: Annotated[Path | None, typer.Option("--data", help="Explain photos of this data set's test part.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="With --data: how many photos, evenly spread.")] = 200,
    json: Json = False,
) -> None:
    """Draw what the model looks at over photos, and test by deletion that it is what matters."""
    from dermport.bundle.atomic import atomic_directory, write_json
    from dermport.bundle.store import Bundle
    from dermport.errors import UsageError
    from dermport.workflows.photos import read_photos

    if (data is None) == (not photos):
        raise UsageError("Name photos, or a data set with --data.")
    opened = Bundle.open(bundle)
    asked = read_photos(opened, data, "test", progress=output).spread(limit) if data else _of_files(photos or [])
    with atomic_directory(out) as folder:
        maps, deletion = _explained(opened, asked)
        drawn = len(asked) if data is None else _OVERLAYS
        _draw(opened.manifest, asked, maps, folder, drawn)
        document = _document(opened.manifest, asked, deletion)
        write_json(folder / "deletion.json", document)
    _print(document, out)
    if json:
        emit_json(document)


def _of_files(paths: list[Path]) -> PhotoSet:
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


def _explained(bundle: Bundle, asked: PhotoSet) -> tuple[NDArray[np.float32], Deletion]:
    from dermport.exporters.deletion import deletion_curves
    from dermport.exporters.maps import keras_maps
    from dermport.exporters.source import load_model
    from dermport.training.model.network import predict

    model = load_model(bundle)
    tensors = asked.tensors(bundle.manifest.preprocessing)
    maps = keras_maps(model, tensors)
    with bar("deleting") as update:
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


def _print(document: dict[str, Any], out: Path) -> None:
    table = new_table("cells blurred", *(f"{share:.0%}" for share in document["shares"][::3]), "area")
    for order, curve in document["curves"].items():
        table.add_row(order, *(f"{value:.2f}" for value in curve[::3]), f"{document['areas'][order]:.3f}")
    console().print(table)
    for name, found in document["differences"].items():
        say(
            f"{name}: {found['mean']:+.3f} (95 % by lesion: {found['low']:+.3f} to {found['high']:+.3f}), positive in "
            f"{found['positive']:.0%} of {document['photos']} photos"
        )
    say(f"Mean probability of the predicted label; overlays and deletion.json in {out}. {document['notice']}")
