"""A tiny real bundle for the tests: a shallow MobileNetV2 (alpha 0.35, 64 pixels) that tells drawn blotches apart."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dermport.bundle.atomic import atomic_directory
from dermport.bundle.golden import GoldenIndex, GoldenPhoto, GoldenSet, write_golden
from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.manifest import (
    Calibration,
    DatasetSpec,
    Decision,
    Label,
    Manifest,
    Metrics,
    ModelSpec,
    Preprocessing,
    Provenance,
    SplitSpec,
    TaskSpec,
)
from dermport.bundle.prep import prepare
from dermport.bundle.store import Bundle, file_entries, write_manifest
from dermport.statistics.estimates import Metric
from tests.drawn_network import draw_trunk, solve_classifier
from tests.shallow import shallow_networks

SIZE = 64
LABELS = ("akiec", "bcc", "mel", "nv")
_COLOURS = np.array([(200, 70, 80), (225, 150, 160), (60, 40, 45), (150, 95, 60)], np.float32)


def draw_photo(label: int, seed: int, width: int = 160, height: int = 120) -> bytes:
    """Return a JPEG of a blotch whose colour and raggedness go with the label."""
    random = np.random.default_rng((label, seed))
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    angle = np.arctan2(y - random.normal(0, 0.15), x - random.normal(0, 0.15))
    ragged = 1 + 0.08 * (label + 1) * np.sin((3 + label) * angle + random.uniform(0, 6))
    inside = 1 / (1 + np.exp((np.hypot(x, y) * ragged - random.uniform(0.4, 0.6)) * 14))
    skin = np.array((225, 185, 160), np.float32) * random.uniform(0.75, 1.05)
    colour = _COLOURS[label] * random.uniform(0.85, 1.15, 3).astype(np.float32)
    pixels = skin + inside[..., None] * (colour - skin) + random.normal(0, 6, (height, width, 3))
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def draw_set(per_label: int, first_seed: int = 0) -> tuple[list[bytes], NDArray[np.int64]]:
    """Return photos and their label indices, the labels in turn."""
    truth = np.tile(np.arange(len(LABELS)), per_label)
    return [draw_photo(int(label), first_seed + i) for i, label in enumerate(truth)], truth


def tensors_of(photos: list[bytes], size: int = SIZE) -> NDArray[np.uint8]:
    """Prepare photos: uint8 [N, size, size, 3]."""
    return np.stack([prepare(photo, Preprocessing(size=size)).tensor for photo in photos])


def make_model(tensors: NDArray[np.uint8], truth: NDArray[np.int64], last: str = "out_relu") -> Any:
    """Return a Keras model that tells the photos apart with drawn weights (tests/drawn_network.py).

    Its trunk is that of a shallow MobileNetV2 (tests/shallow.py) up to the layer `last`.
    """
    import keras

    size = tensors.shape[1]
    with shallow_networks():
        whole = keras.applications.MobileNetV2((size, size, 3), alpha=0.35, include_top=False, weights=None)
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(whole.get_layer(last).output)
    trunk = keras.Model(whole.input, pooled, name="trunk")
    image = keras.Input((size, size, 3), name="image")
    features = trunk(keras.layers.Rescaling(1 / 127.5, offset=-1.0)(image))
    model = keras.Model(image, keras.layers.Dense(len(LABELS), activation="softmax", name="probabilities")(features))
    photos = tensors.astype(np.float32) / 127.5 - 1
    draw_trunk(trunk, photos)
    model.layers[-1].set_weights(solve_classifier(trunk.predict_on_batch(photos), truth, len(LABELS)))
    return model


def firm(model: Any, tensors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the photos whose answers are no near ties, most of them: no precision may decide these otherwise."""
    answers = np.sort(model(tensors.astype(np.float32), training=False), axis=1)
    found = tensors[answers[:, -1] - answers[:, -2] >= 0.5]
    assert len(found) > 0.8 * len(tensors)
    return found


def make_bundle(
    path: Path, name: str = "tiny", train: Callable[..., Any] = make_model, labels: tuple[str, ...] = LABELS
) -> Bundle:
    """Train the tiny model (or another) and write a whole bundle: model, golden set, split, calibration photos.

    Of fewer labels than photos are drawn of, several share one; with more, the others are on no photo, and nothing is
    decided.
    """
    photos, truth = draw_set(48)
    truth %= len(labels)
    tensors = tensors_of(photos)
    model = train(tensors, truth)
    golden_photos, golden_truth = _clear(model, *draw_set(8, first_seed=1000), per_label=4)
    with atomic_directory(path) as folder:
        model.save(folder / "model.keras")
        _write_golden(folder, model, golden_photos, golden_truth)
        (folder / "calibration").mkdir()
        np.save(folder / "calibration" / "tensors.npy", tensors)
        _write_split(folder / "split.csv", truth)
        (folder / "evaluation").mkdir()
        (folder / "evaluation" / "model_card.md").write_text(f"# {name}\n\nDrawn blotches; says nothing about skin.\n")
        write_manifest(folder, manifest_of(folder, name, int(model.count_params()), labels))
    return Bundle.open(path)


def _clear(
    model: Any, photos: list[bytes], truth: NDArray[np.int64], per_label: int
) -> tuple[list[bytes], NDArray[np.int64]]:
    """Return that many photos of each label, the labels in turn: those that are no near ties first.

    Which photo is one depends on the processor that trained the model, and even float16 decides it otherwise.
    """
    answers = np.sort(model(tensors_of(photos).astype(np.float32), training=False), axis=1)
    near_tie = answers[:, -1] - answers[:, -2] < 0.3
    order = np.argsort(near_tie, kind="stable")
    rows = [order[truth[order] == label][:per_label] for label in range(len(LABELS))]
    chosen = np.stack(rows, axis=1).ravel()
    return [photos[index] for index in chosen], truth[chosen]


def _write_golden(folder: Path, model: Any, photos: list[bytes], truth: NDArray[np.int64]) -> None:
    tensors = tensors_of(photos)
    answers = np.asarray(model(tensors.astype(np.float32), training=False))
    names = [f"photos/{i:02d}-{LABELS[label]}.jpg" for i, label in enumerate(truth)]
    index = GoldenIndex(
        photos=tuple(
            GoldenPhoto(
                photo=name,
                label=LABELS[label],
                lesion_id=f"lesion-{i}",
                input_sha256=sha256_bytes(tensor.tobytes()),
                probabilities=tuple(float(p) for p in answer),
            )
            for i, (name, label, tensor, answer) in enumerate(zip(names, truth, tensors, answers, strict=True))
        )
    )
    write_golden(folder / "golden", GoldenSet(index, tensors), dict(zip(names, photos, strict=True)))


def _write_split(path: Path, truth: NDArray[np.int64]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("photo_id", "lesion_id", "label", "part"))
        writer.writerows((f"photo-{i}", f"lesion-{i}", LABELS[label], "train") for i, label in enumerate(truth))


def manifest_of(folder: Path, name: str, parameters: int, labels: tuple[str, ...] = LABELS) -> Manifest:
    """Return the manifest of what is in `folder`."""
    positive = labels[:-1] if len(labels) <= len(LABELS) else ()
    counts = {"train": 192, "validation": 0, "test": 0}
    split = SplitSpec(file="split.csv", seed=0, photos=counts, lesions=counts)
    return Manifest(
        name=name,
        version="1.0.0",
        task=TaskSpec(
            name="blotches",
            labels=tuple(Label(id=label, name=f"Drawn {label}", sources=(label,)) for label in labels),
            positive=positive,
        ),
        preprocessing=Preprocessing(size=SIZE),
        model=ModelSpec(alpha=0.35, parameters=parameters, weights="none"),
        calibration=Calibration(temperature=1.0),
        decision=Decision(threshold=0.5, target_sensitivity=0.9) if positive else None,
        dataset=DatasetSpec(
            name="blotches", reader="drawn", fingerprint="0" * 64, photos=192, lesions=192, dropped={}, split=split
        ),
        metrics=Metrics(part="train", photos=192, figures={"accuracy": Metric(value=None)}),
        provenance=Provenance(
            created="2026-01-01T00:00:00+00:00",
            command="tests/factories.py",
            seed=0,
            git_commit=None,
            python="3",
            platform="any",
            packages={},
            seconds=0.0,
        ),
        files=file_entries(folder),
    )
