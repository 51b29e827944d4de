"""A trained classifier becomes a bundle: what is found out, what is proved, and what is refused."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dermport as dp
from dermport.importing.rebuild import call
from tests.factories import LABELS, draw_set, tensors_of
from tests.importing.graphs import nchw_classifier

SIZE = 32


def _network(last: int = len(LABELS), activation: str | None = "softmax", front: bool = True) -> Any:
    """Return a small network whose batch normalisation holds the moments of drawn photos, scaled to -1..1."""
    import keras

    keras.utils.set_random_seed(3)
    layers = keras.layers
    image = keras.Input((SIZE, SIZE, 3))
    scaled = layers.Rescaling(1 / 127.5, -1)(image) if front else image
    inner = keras.Input((SIZE, SIZE, 3))
    x = layers.Conv2D(8, 3, strides=2, use_bias=False)(inner)
    norm = layers.BatchNormalization(momentum=0.0)
    x = layers.DepthwiseConv2D(3, padding="same")(layers.ReLU(6.0)(norm(x)))
    trunk = keras.Model(inner, layers.GlobalAveragePooling2D()(layers.Activation("silu")(x)), name="trunk")
    answer = layers.Dense(last, activation=activation)(layers.Dropout(0.2)(trunk(scaled)))
    model = keras.Model(image, answer)
    pixels = tensors_of(draw_set(8)[0], SIZE).astype(np.float32)
    model(pixels if front else pixels / 127.5 - 1, training=True)
    norm.momentum = 0.99
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with models, and photos in a folder per class (``photos``) and without labels (``plain``)."""
    folder = tmp_path_factory.mktemp("originals")
    photos, truth = draw_set(16)
    for index, (photo, label) in enumerate(zip(photos, truth, strict=True)):
        for place in (folder / "photos" / LABELS[label], folder / "plain"):
            place.mkdir(parents=True, exist_ok=True)
            (place / f"photo-{index}.jpg").write_bytes(photo)
    _network().save(folder / "whole.keras")
    _network(1, "sigmoid", front=False).save(folder / "sigmoid.keras")
    _network(4, "sigmoid").save(folder / "independent.keras")
    (folder / "nchw.onnx").write_bytes(nchw_classifier(SIZE))
    return folder


def test_photos_without_labels_give_golden_set_and_proof_alone(folder: Path, tmp_path: Path) -> None:
    bundle = dp.import_model(folder / "whole.keras", tmp_path / "b", data=folder / "plain", labels=",".join(LABELS))
    manifest = bundle.manifest
    assert (manifest.decision, manifest.dataset, manifest.calibration) == (None, None, None)
    assert manifest.origin is not None
    assert manifest.origin.proof.photos == 64
    assert manifest.origin.proof.max_change < 1e-5
    assert manifest.origin.input.scaling == "0..255"  # for the graph scales by itself
    assert manifest.task.ids == LABELS
    assert len(bundle.golden().index.photos) == 24
    assert {photo.label for photo in bundle.golden().index.photos} == {None}
    assert "probabilities, as the original gives them" in (bundle.path / "evaluation/model_card.md").read_text()


def test_labelled_photos_fit_and_evaluate_it_as_training_does(folder: Path, tmp_path: Path) -> None:
    bundle = dp.import_model(
        folder / "sigmoid.keras",
        tmp_path / "b",
        data=folder / "photos",
        labels="harmless,cancer",
        task=str(_two_labels(tmp_path)),
    )
    manifest = bundle.manifest
    assert manifest.origin is not None
    assert (manifest.origin.output, manifest.origin.input.scaling) == ("sigmoid", "-1..1")
    [scaling] = [one for one in manifest.origin.findings if one.of == "scaling"]
    assert scaling.how == "probe"
    assert manifest.known_decision.part == "validation"
    assert manifest.known_metrics.photos > 0
    assert "may have been trained on these very photos" in (bundle.path / "evaluation/model_card.md").read_text()


def _two_labels(folder: Path) -> Path:
    table = folder / "two.toml"
    table.write_text(
        '[two]\npositive = ["cancer"]\n'
        '[[two.label]]\nid = "harmless"\nname = "Harmless"\nsources = ["nv"]\n'
        '[[two.label]]\nid = "cancer"\nname = "Cancer"\nsources = ["akiec", "bcc", "mel"]\n'
    )
    return table


def test_channels_first_and_blue_first_come_out_as_ordinary_keras(folder: Path, tmp_path: Path) -> None:
    asked = {"scaling": "caffe", "data": folder / "plain"}
    manifest = dp.import_model(folder / "nchw.onnx", tmp_path / "b", **asked).manifest
    assert manifest.origin is not None
    assert (manifest.origin.input.layout, manifest.origin.input.channels) == ("NCHW", "BGR")
    assert manifest.origin.proof.max_change < 1e-5
    assert manifest.task.ids == ("left", "right", "neither")  # as its metadata says
    assert manifest.model.operators["Conv2D"] == 1


def test_a_saved_model_is_run_by_its_signature(folder: Path, tmp_path: Path) -> None:
    import keras

    keras.saving.load_model(folder / "whole.keras").export(tmp_path / "saved", verbose=False)
    manifest = dp.import_model(tmp_path / "saved", tmp_path / "b", data=folder / "plain").manifest
    assert manifest.origin is not None
    assert (manifest.origin.format, manifest.origin.framework) == ("saved-model", "tensorflow")
    assert manifest.origin.proof.max_change < 1e-5


def test_a_wrong_lowering_is_found_and_named(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(call.LOWERINGS, "LeakyRelu", call.LOWERINGS["Relu"])
    with pytest.raises(dp.ModelError, match="first layer that differs is leakyrelu_1"):
        dp.import_model(folder / "nchw.onnx", tmp_path / "b", data=folder / "plain", scaling="0..1")
    assert not (tmp_path / "b").exists()


def _with_lambda(folder: Path) -> Path:
    """Return a .keras file whose config has a Lambda layer; its code would raise were it loaded."""
    path = folder / "lambda.keras"
    with zipfile.ZipFile(folder / "whole.keras") as whole, zipfile.ZipFile(path, "w") as made:
        config = json.loads(whole.read("config.json"))
        config["config"]["layers"][1] |= {"class_name": "Lambda", "config": {"name": "run_me"}}
        made.writestr("config.json", json.dumps(config))
        made.writestr("metadata.json", whole.read("metadata.json"))
    return path


def _file(name: str) -> Any:
    def made(folder: Path) -> Path:
        (folder / name).write_bytes(b"\x80\x04")
        return folder / name

    return made


def _graph(**settings: Any) -> Any:
    def made(folder: Path) -> Path:
        path = folder / f"{next(iter(settings))}.onnx"
        path.write_bytes(nchw_classifier(SIZE, **settings))
        return path

    return made


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_file("whole.pkl"), "pickled: reading it runs whatever code is in it"),
        (_file("phone.tflite"), "Import the model that it was made from"),
        (_file("notes.docx"), "of no format that is read"),
        (_with_lambda, r"Lambda layer \(run_me\)"),
        (_graph(operator="Sin"), r"operator Sin \(odd_one\) is not known"),
        (_graph(inputs=2), r"has 2 inputs \(image, other\)"),
        (_graph(width=SIZE + 32), r"takes images of 32 × 64"),
        (lambda folder: folder / "independent.keras", "ends in 4 sigmoids, each label by itself"),
        (lambda folder: folder / "sigmoid.keras", "no photos to probe it with"),
    ],
    ids=["pickle", "artifact", "format", "lambda", "operator", "inputs", "not-square", "sigmoids", "scaling"],
)
def test_what_cannot_be_taken_over_is_named_with_the_way_out(
    folder: Path, tmp_path: Path, make: Any, said: str
) -> None:
    with pytest.raises(dp.ModelError, match=said):
        dp.import_model(make(folder), tmp_path / "b")
    assert not list(tmp_path.iterdir())
