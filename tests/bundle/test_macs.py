"""Multiply-accumulates, counted without Keras, against known figures and against Keras' own layers."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from dermport.bundle.macs import count_macs
from dermport.errors import BundleError


def _saved(model: Any, folder: Path) -> Path:
    path = folder / "model.keras"
    model.save(path)
    return path


def test_mobilenet_v2_has_the_300_million_of_its_paper(tmp_path: Path) -> None:
    # Sandler et al. 2018, table 4: MobileNetV2 1.0 at 224 pixels, 300 M multiply-adds
    import keras

    model = keras.applications.MobileNetV2((224, 224, 3), weights=None)
    assert count_macs(_saved(model, tmp_path)) == pytest.approx(300e6, rel=0.01)


def test_each_kind_of_layer(tmp_path: Path) -> None:
    import keras
    from keras import layers

    image = keras.Input((11, 9, 4))
    features = layers.Conv2D(6, 3, strides=2, padding="same", groups=2)(image)  # 6 x 5 positions, 9 x 2 taps
    features = layers.DepthwiseConv2D((3, 2), padding="valid", depth_multiplier=2)(features)  # 4 x 4, 6 taps, 12 deep
    features = layers.Conv2D(5, 2, dilation_rate=2)(layers.ReLU()(features))  # 2 x 2 positions, 4 x 12 taps
    answers = layers.Dense(7)(layers.GlobalAveragePooling2D()(features))
    model = keras.Model(image, layers.Softmax()(answers))
    assert count_macs(_saved(model, tmp_path)) == 30 * 18 * 6 + 16 * 6 * 12 + 4 * 48 * 5 + 5 * 7


def test_a_model_within_a_model_counts(tmp_path: Path) -> None:
    # MobileNetV2 0.35 at 64 pixels, less the published 1000-class layer
    import keras

    trunk = keras.applications.MobileNetV2((64, 64, 3), alpha=0.35, include_top=False, weights=None)
    image = keras.Input((64, 64, 3))
    model = keras.Model(image, trunk(image))
    assert count_macs(_saved(model, tmp_path)) == pytest.approx(59.2e6 * (64 / 224) ** 2, rel=0.15)


def test_a_layer_that_cannot_be_counted_is_an_error(tmp_path: Path) -> None:
    layer = {"class_name": "Conv3D", "config": {"name": "odd"}, "inbound_nodes": []}
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        archive.writestr("config.json", json.dumps({"class_name": "Functional", "config": {"layers": [layer]}}))
    with pytest.raises(BundleError, match="Conv3D"):
        count_macs(tmp_path / "model.keras")


def test_what_is_no_model_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(b"no zip")
    with pytest.raises(BundleError, match="cannot be counted"):
        count_macs(tmp_path / "model.keras")
