"""``dermport explain``: what a bundle's model looks at, and whether it is what matters."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dermport.cli.options import BundleArgument, Json, Out
from dermport.cli.output import bar, console, emit_json, new_table, say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dermport.bundle.manifest import Manifest
    from dermport.bundle.store import Bundle
    from dermport.exporters.deletion import Deletion

_OVERLAYS = 24  # of a data set's photos; of photos that are named, all


@dataclass(frozen=True)
class _Photos:
    """What is explained: names [N], tensors uint8 [N, S, S, 3], lesions [N] that intervals are drawn by."""

    names: tuple[str, ...]
    tensors: NDArray[np.uint8]
    lesions: tuple[str, ...]


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

    if (data is None) == (not photos):
        raise UsageError("Name photos, or a data set with --data.")
    opened = Bundle.open(bundle)
    asked = _of_data(opened, data, limit) if data else _of_files(opened, photos or [])
    with atomic_directory(out) as folder:
        maps, deletion = _explained(opened, asked)
        drawn = len(asked.names) if data is None else _OVERLAYS
        _draw(opened.manifest, asked, maps, folder, drawn)
        document = _document(opened.manifest, asked, deletion)
        write_json(folder / "deletion.json", document)
    _print(document, out)
    if json:
        emit_json(document)


def _of_files(bundle: Bundle, paths: list[Path]) -> _Photos:
    import numpy as np

    from dermport.bundle.prep import prepare
    from dermport.errors import DataError

    tensors = []
    for path in paths:
        try:
            tensors.append(prepare(path.read_bytes(), bundle.manifest.preprocessing).tensor)
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    names = tuple(f"{number:03d}-{path.stem}" for number, path in enumerate(paths, 1))
    return _Photos(names, np.stack(tensors), names)


def _of_data(bundle: Bundle, data: Path, limit: int) -> _Photos:
    from dermport.cli.photos import part_records
    from dermport.training.data.photos import load_tensors

    records = part_records(bundle, data, "test")
    count = min(limit, len(records))
    chosen = [records[i * len(records) // count] for i in range(count)]
    names, lesions = tuple(r.photo_id for r in chosen), tuple(r.lesion_id for r in chosen)
    return _Photos(names, load_tensors(chosen, bundle.manifest.preprocessing), lesions)


def _explained(bundle: Bundle, asked: _Photos) -> tuple[NDArray[np.float32], Deletion]:
    from dermport.exporters.deletion import deletion_curves
    from dermport.exporters.maps import keras_maps
    from dermport.exporters.source import load_model
    from dermport.training.model.network import predict

    model = load_model(bundle)
    maps = keras_maps(model, asked.tensors)
    with bar("deleting") as update:
        return maps, deletion_curves(lambda photos: predict(model, photos), asked.tensors, maps, update=update)


def _draw(manifest: Manifest, asked: _Photos, maps: NDArray[np.float32], folder: Path, count: int) -> None:
    import numpy as np

    from dermport.figures.overlay import draw_overlay

    for name, photo, grid in list(zip(asked.names, asked.tensors, maps, strict=True))[:count]:
        logits = grid.mean(axis=(0, 1), dtype=np.float64)
        label = int(logits.argmax())
        probability = 1 / np.exp(logits - logits[label]).sum()
        picture = draw_overlay(photo, grid[..., label], manifest.task.labels[label].name, float(probability))
        picture.save(folder / f"{name}.png")


def _document(manifest: Manifest, asked: _Photos, deletion: Deletion) -> dict[str, Any]:
    from dermport.exporters.deletion import ORDERS, paired_difference

    largest, random, smallest = ORDERS
    pairs = {"random less largest first": (random, largest), "smallest first less random": (smallest, random)}
    return {
        "bundle": manifest.name,
        "photos": len(asked.names),
        "lesions": len(set(asked.lesions)),
        "shares": deletion.shares.tolist(),
        "curves": {order: deletion.curves[order].mean(axis=0).tolist() for order in ORDERS},
        "areas": {order: float(deletion.areas(order).mean()) for order in ORDERS},
        "differences": {
            name: asdict(paired_difference(deletion.areas(first), deletion.areas(second), asked.lesions))
            for name, (first, second) in pairs.items()
        },
        "names": list(asked.names),
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
