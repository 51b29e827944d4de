from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from dermport.bundle.hashing import sha256_file
from dermport.bundle.store import Bundle
from dermport.compression.distillation import architectures
from dermport.compression.distillation.architectures import TeacherTraining, trained_teacher
from dermport.compression.distillation.teacher import find_teacher
from dermport.compression.step import StepContext
from dermport.errors import DataError, UsageError
from dermport.statistics.temperature import at_temperature
from tests.compression.distillation.networks import small_network


def test_the_parent_answers_what_its_bundle_answers(context: StepContext) -> None:
    golden = context.parent.golden()
    teacher = find_teacher("parent", "0..255", context)
    found = at_temperature(teacher.logits(golden.tensors[:4]), 1.0)
    np.testing.assert_allclose(found, golden.probabilities[:4], atol=1e-5)
    assert (teacher.sha256, teacher.width) == (context.parent.model_sha256, 1280)


def test_a_bundle_of_other_labels_is_refused(context: StepContext, tmp_path: Path) -> None:
    path = _copied(context.parent, tmp_path)
    document = json.loads((path / "bundle.json").read_text())
    document["task"]["labels"] = document["task"]["labels"][::-1]
    (path / "bundle.json").write_text(json.dumps(document))
    ours = context.parent.manifest.task.ids
    message = f"answers the labels {', '.join(ours[::-1])}; the student learns {', '.join(ours)}"
    with pytest.raises(UsageError, match=message):
        find_teacher(str(path), "0..255", context)


def test_a_teacher_that_saw_the_test_photos_is_refused(context: StepContext, tmp_path: Path) -> None:
    path = _copied(context.parent, tmp_path)
    rows = list(csv.DictReader((path / "split.csv").open()))
    with (path / "split.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "part": "train" if row["part"] == "test" else row["part"]} for row in rows)
    document = json.loads((path / "bundle.json").read_text())
    (entry,) = (one for one in document["files"] if one["path"] == "split.csv")
    entry["size"], entry["sha256"] = (path / "split.csv").stat().st_size, sha256_file(path / "split.csv")
    (path / "bundle.json").write_text(json.dumps(document))
    with pytest.raises(DataError, match="lesions of the test part"):
        find_teacher(str(path), "0..255", context)


def _copied(bundle: Bundle, folder: Path) -> Path:
    return Path(shutil.copytree(bundle.path, folder / "teacher"))


def test_a_keras_file_teaches_whatever_it_takes(context: StepContext, tmp_path: Path) -> None:
    image = keras.Input((48, 48, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(6, 3)(image))
    model = keras.Model(image, keras.layers.Dense(context.classes, activation="softmax")(pooled))
    model.save(tmp_path / "own.keras")
    teacher = find_teacher(str(tmp_path / "own.keras"), "-1..1", context)
    photos = np.random.default_rng(0).uniform(0, 255, (3, 48, 48, 3)).astype(np.float32)
    logits, features = teacher.outputs(photos)
    np.testing.assert_allclose(at_temperature(logits, 1), model.predict_on_batch(photos / 127.5 - 1), atol=1e-5)
    assert (teacher.preprocessing.size, teacher.width, features.shape) == (48, 6, (3, 6))
    with pytest.raises(UsageError, match="no teacher 'nobody'"):
        find_teacher("nobody", "0..255", context)


def test_a_keras_file_of_other_outputs_is_refused(context: StepContext, tmp_path: Path) -> None:
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(image)))
    model.save(tmp_path / "three.keras")
    with pytest.raises(UsageError, match=f"3 outputs for {context.classes} labels"):
        find_teacher(str(tmp_path / "three.keras"), "0..255", context)


def test_an_architecture_is_trained_once_and_kept(context: StepContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        architectures, "_network", lambda name, options, size, context: small_network(context, 1, size=size)
    )
    options = TeacherTraining(weights="none", size=32, epochs=1, batch=32)
    teacher = trained_teacher("DenseNet121", options, context)
    monkeypatch.setattr(architectures, "_train", None)
    again = trained_teacher("DenseNet121", options, replace(context, folder=context.folder / "other"))
    assert teacher.sha256 == again.sha256
    assert teacher.preprocessing.size == 32


def test_an_architecture_gets_the_pixels_that_it_was_made_for(context: StepContext) -> None:
    options = TeacherTraining(weights="none")
    network = architectures._network("MobileNetV2-1.0", options, 32, context)
    assert network.output_shape == (None, context.classes)
    assert network.input_shape == (None, 32, 32, 3)
    scaled = network.get_layer("scale")(np.array([0.0, 255.0]).reshape(2, 1, 1, 1))
    np.testing.assert_allclose(np.ravel(scaled), [-1, 1], atol=1e-6)


def test_weights_that_cannot_be_had_are_refused() -> None:
    with pytest.raises(DataError, match="cannot start from the weights imagenet: division by zero"):
        architectures._with_weights(lambda weights: 1 / 0, "DenseNet121", "imagenet")
