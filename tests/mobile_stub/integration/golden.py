"""Golden vectors for whoever ports the phone's side: photos, what they become, and what a tiny network answers.

The network tells drawn blotches apart and says nothing about skin; it is there so that the whole way (decode, prepare,
run, decide, post) can be held against known bytes and numbers, with the files of this folder alone.
"""

from __future__ import annotations

import io
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from dermport.bundle.activation_map import SHIFT, places, spread
from dermport.bundle.atomic import write_json
from dermport.bundle.golden import GoldenIndex, GoldenPhoto, GoldenSet, write_golden
from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.manifest import Manifest, Preprocessing
from dermport.bundle.notice import NOTICE
from dermport.bundle.prep import prepare
from dermport.bundle.store import Bundle, file_entries, write_manifest
from dermport.errors import PhotoError
from dermport.figures.overlay import colours
from dermport.mobile_stub.phone import PhoneArtifact, PhoneModel, choose_artifacts
from dermport.server.problems import refusal_of
from tests.factories import LABELS, draw_photo, make_bundle, manifest_of

FOLDER = Path(__file__).parents[3] / "docs" / "integration" / "golden"
VECTORS = "golden.json"
PRECISIONS = ("fp32", "int8")
TOLERANCES = {"fp32": 1e-5, "int8": 0.02}
NAME = "blotches"
MAPS = FOLDER / "maps"
MAP_VECTORS = "maps.json"
_MAPPED = "plain.jpg"


def write(folder: Path = FOLDER) -> None:
    """Draw, train, export, and write the folder anew."""
    from dermport.exporters.matrix import export_matrix
    from dermport.exporters.registry import select

    shutil.rmtree(folder, ignore_errors=True)
    (folder / "photos").mkdir(parents=True)
    for name, data in {**_photos(), **_refused()}.items():
        (folder / "photos" / name).write_bytes(data)
    with tempfile.TemporaryDirectory() as temporary:
        bundle = make_bundle(Path(temporary) / NAME, NAME, _train)
        export_matrix(bundle, select(["tflite"], list(PRECISIONS)), jobs=1)
        artifacts = choose_artifacts(bundle, PRECISIONS)
        for artifact in artifacts:
            shutil.copy(artifact.path, folder / f"{artifact.name}.tflite")
            shutil.copy(artifact.path.with_name("export.json"), folder / f"{artifact.name}.export.json")
        write_json(folder / VECTORS, _document(bundle.manifest, artifacts, folder))
        write_maps(bundle, folder / MAPS.name)


def write_maps(bundle: Bundle, folder: Path) -> None:
    """Write the same network with its class activation map, and how a client draws one; the bundle's exports change."""
    from dermport.exporters.matrix import export_matrix, with_maps
    from dermport.exporters.registry import select

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    export_matrix(bundle, with_maps(select(["tflite"], ["fp32"])), jobs=1)
    (artifact,) = choose_artifacts(bundle, ("fp32",))
    shutil.copy(artifact.path, folder / f"{artifact.name}.tflite")
    shutil.copy(artifact.path.with_name("export.json"), folder / f"{artifact.name}.export.json")
    write_json(folder / MAP_VECTORS, map_vectors(bundle.manifest, artifact))


def map_vectors(manifest: Manifest, artifact: PhoneArtifact) -> dict[str, Any]:
    """Return the map of a photo, and what its drawing goes through: places, the smooth map, colours."""
    data = (FOLDER / "photos" / _MAPPED).read_bytes()
    with PhoneModel(manifest, artifact) as phone:
        said = phone.predict(prepare(data, manifest.preprocessing), 0.0, maps=True)
    assert said.activation_map is not None
    grid = np.asarray(said.activation_map[said.label])
    smooth = spread(grid, 8)
    share = (smooth - grid.min()) / (grid.max() - grid.min())
    return {
        "notice": NOTICE,
        "photo": _MAPPED,
        "label": said.label,
        "grids": said.activation_map,
        "shift": SHIFT,
        "places": {"side": 10, "cells": 4, "values": np.round(places(10, 4), 9).tolist()},
        "spread": {"side": 8, "values": np.round(smooth, 6).tolist()},
        "colours": colours(share).tolist(),
    }


def read(folder: Path = FOLDER) -> dict[str, Any]:
    """Return the vectors."""
    document: dict[str, Any] = json.loads((folder / VECTORS).read_text(encoding="utf-8"))
    return document


def assemble(path: Path, folder: Path = FOLDER, *, maps: bool = False) -> Bundle:
    """Make a bundle of the folder's files, which a server can serve and a phone can run; no TensorFlow is needed.

    Args:
        path: Where it is made.
        folder: The files.
        maps: Whether its only export is the fp32 one that gives class activation maps.
    """
    path.mkdir(parents=True)
    (path / "model.keras").write_bytes(b"The network itself is not part of the vectors.")
    (path / "split.csv").write_text("photo_id,lesion_id,label,part\n")
    said = read(folder)["photos"]
    _write_golden_set(path, folder, said)
    write_manifest(path, manifest_of(path, NAME, 1))
    bundle = Bundle.open(path)
    for precision in PRECISIONS[:1] if maps else PRECISIONS:
        _add_export(bundle, folder / MAPS.name if maps else folder, precision)
    return bundle


def _write_golden_set(path: Path, folder: Path, said: list[dict[str, Any]]) -> None:
    photos = {f"photos/{one['photo']}": (folder / "photos" / one["photo"]).read_bytes() for one in said}
    index = GoldenIndex(
        photos=tuple(
            GoldenPhoto(
                photo=f"photos/{one['photo']}",
                label=None,
                lesion_id=None,
                input_sha256=one["input_sha256"],
                probabilities=tuple(one["answers"]["fp32"]["probabilities"].values()),
            )
            for one in said
        )
    )
    spec = manifest_spec()
    tensors = np.stack([prepare(data, spec).tensor for data in photos.values()])
    write_golden(path / "golden", GoldenSet(index, tensors), photos)


def manifest_spec() -> Preprocessing:
    """Return the vectors' preprocessing."""
    return Preprocessing.model_validate(read()["preprocessing"])


def _add_export(bundle: Bundle, folder: Path, precision: str) -> None:
    name = f"tflite-{precision}"
    export = bundle.export_folder("tflite", precision)
    export.mkdir(parents=True)
    record = json.loads((folder / f"{name}.export.json").read_text(encoding="utf-8"))
    shutil.copy(folder / f"{name}.tflite", export / record["artifact"])
    record["bundle"]["model_sha256"] = bundle.model_sha256
    record["files"] = [entry.model_dump(mode="json") for entry in file_entries(export)]
    write_json(export / "export.json", record)


def _train(tensors: NDArray[np.uint8], truth: NDArray[np.int64]) -> Any:
    """Return a network of two convolutions."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    image = keras.Input(tensors.shape[1:], name="image")
    values = layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    for filters in (8, 16):
        values = layers.ReLU(6.0)(layers.Conv2D(filters, 5, strides=4, padding="same")(values))
    mean = layers.GlobalAveragePooling2D()(values)
    model = keras.Model(image, layers.Dense(len(LABELS), activation="softmax", name="probabilities")(mean))
    model.compile(keras.optimizers.Adam(1e-2), keras.losses.CategoricalCrossentropy(label_smoothing=0.1))
    model.fit(tensors.astype(np.float32), np.eye(len(LABELS))[truth], epochs=40, batch_size=32, verbose=0)
    return model


def _document(manifest: Manifest, artifacts: tuple[PhoneArtifact, ...], folder: Path) -> dict[str, Any]:
    phones = {artifact.precision: PhoneModel(manifest, artifact) for artifact in artifacts}
    return {
        "schema": "dermport-integration/1",
        "notice": NOTICE,
        "labels": list(manifest.task.ids),
        "positive": list(manifest.task.positive),
        "threshold": manifest.decision.threshold,
        "preprocessing": manifest.preprocessing.model_dump(mode="json"),
        "artifacts": {
            f"{artifact.name}.tflite": {
                "precision": artifact.precision,
                "sha256": artifact.sha256,
                "tolerance": TOLERANCES[artifact.precision or ""],
            }
            for artifact in artifacts
        },
        "photos": [_vector(folder / "photos" / name, manifest, phones) for name in sorted(_photos())],
        "refused": [_refusal(folder / "photos" / name, manifest) for name in sorted(_refused())],
    }


def _vector(path: Path, manifest: Manifest, phones: dict[str | None, PhoneModel]) -> dict[str, Any]:
    data = path.read_bytes()
    prepared = prepare(data, manifest.preprocessing)
    answers = {}
    for precision, phone in phones.items():
        said = phone.predict(prepared, 0.0)
        answers[precision] = {
            "probabilities": {label: round(p, 7) for label, p in said.probabilities.items()},
            "label": said.label,
            "score": round(said.score, 7),
            "positive": said.positive,
        }
    return {
        "photo": path.name,
        "photo_sha256": sha256_bytes(data),
        "width": prepared.width,
        "height": prepared.height,
        "orientation": prepared.orientation,
        "input_sha256": prepared.input_sha256,
        "answers": answers,
    }


def _refusal(path: Path, manifest: Manifest) -> dict[str, Any]:
    try:
        prepare(path.read_bytes(), manifest.preprocessing)
    except PhotoError as error:
        return {"photo": path.name, "code": error.code, "status": refusal_of(error).status}
    raise AssertionError(f"{path.name} is not refused")


def _photos() -> dict[str, bytes]:
    """Return what phones meet: turned, progressive, grey, CMYK, with a colour profile, as PNG."""
    pictures = [Image.open(io.BytesIO(draw_photo(label, 500 + label))) for label in range(len(LABELS))]
    exif = Image.Exif()
    exif[274] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    return {
        "plain.jpg": draw_photo(2, 500),
        "turned-6.jpg": _jpeg(pictures[1], exif=exif.tobytes()),
        "progressive.jpg": _jpeg(pictures[3], progressive=True),
        "grey.jpg": _jpeg(pictures[0].convert("L")),
        "cmyk.jpg": _jpeg(pictures[1].convert("CMYK")),
        "profile.jpg": _jpeg(pictures[2], icc_profile=profile),
        "opaque.png": _saved(pictures[0].resize((80, 60)), "PNG"),
    }


def _refused() -> dict[str, bytes]:
    picture = Image.open(io.BytesIO(draw_photo(0, 500)))
    return {
        "transparent.png": _saved(_clear(picture.resize((40, 30))), "PNG"),
        "cut.jpg": draw_photo(1, 500)[:1500],
        "not-a-photo.gif": b"GIF89a",
        "empty.jpg": b"",
    }


def _clear(picture: Image.Image) -> Image.Image:
    picture.putalpha(200)
    return picture


def _jpeg(picture: Image.Image, **options: Any) -> bytes:
    return _saved(picture, "JPEG", quality=88, **options)


def _saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()
