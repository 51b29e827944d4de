"""The ONNX target: the float graph, its metadata, its operators, its runtime."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from dermport.bundle.store import Bundle
from dermport.errors import ExportError
from dermport.exporters.contract import Source
from dermport.exporters.onnx.convert import float_model, save
from dermport.exporters.onnx.operators import operators, tensors
from dermport.exporters.onnx.precision import graph_for, half_model
from dermport.exporters.source import load_source
from dermport.exporters.targets.onnx import Onnx
from dermport.exporters.targets.tensorrt import TensorRT
from dermport.runtimes.onnxruntime import OnnxRuntime, open_session
from dermport.training.model.network import predict
from tests.factories import LABELS, SIZE
from tests.shallow import CONVOLUTIONS, PLAIN, SUMS


@pytest.fixture(scope="module")
def source(shared_bundle: Bundle) -> Source:
    return load_source(shared_bundle)


@pytest.fixture(scope="module")
def model(source: Source) -> onnx.ModelProto:
    return float_model(source)


@pytest.fixture
def path(model: onnx.ModelProto, tmp_path: Path) -> Path:
    save(model, tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


def test_float_graph_equals_keras(path: Path, source: Source, shared_bundle: Bundle) -> None:
    photos = shared_bundle.golden().tensors
    with OnnxRuntime(path) as runtime:
        answers = runtime.predict(photos)
        assert runtime.labels == LABELS
    assert answers.dtype == np.float32
    np.testing.assert_allclose(answers, predict(source.model, photos), atol=1e-5)


def test_graph_is_folded_to_what_a_device_computes(model: onnx.ModelProto) -> None:
    counts = {(row.type, row.precision): row.count for row in operators(model)}
    assert counts == {
        ("Conv", "fp32"): CONVOLUTIONS,
        ("Clip", "fp32"): PLAIN,
        ("Add", "fp32"): SUMS + 1,  # and the normalisation
        ("Mul", "fp32"): 1,
        ("Transpose", "fp32"): 1,
        ("GlobalAveragePool", "fp32"): 1,
        ("Squeeze", "fp32"): 1,
        ("Gemm", "fp32"): 1,
        ("Softmax", "fp32"): 1,
    }


def test_constants_that_are_no_variables_stay_inside(source: Source) -> None:
    import keras

    image = keras.Input((SIZE, SIZE, 3), name="image")
    normal = keras.layers.Normalization(mean=[120.0, 110.0, 100.0], variance=[2500.0, 1600.0, 900.0])(image)
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(normal))
    other = keras.Model(image, keras.layers.Softmax()(pooled))
    model = float_model(replace(source, model=other))
    assert [tensor.name for tensor in model.graph.input] == ["image"]
    photos = np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 3)).astype(np.float32)
    (answers,) = open_session(model.SerializeToString()).run(None, {"image": photos})
    np.testing.assert_allclose(answers, predict(other, photos), atol=1e-5)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8", "int8-cpu", "int4"])
@pytest.mark.parametrize("kind", ["flat", "curved"])
def test_plain_networks_take_every_precision(source: Source, kind: str, precision: str) -> None:
    """No pointwise convolution, a Flatten or a mean, a first layer without a bias, and curves that are no relu6."""
    model = _plain(kind)
    photos = source.calibration()[:12]
    recipe = next(r for t in (Onnx(), TensorRT()) for r in t.capabilities.recipes if r.precision == precision)
    settings = {**recipe.settings, **({"calibration_photos": 12} if recipe.calibrated else {})}
    graph = graph_for(replace(recipe, settings=settings), replace(source, model=model))
    onnx.checker.check_model(graph, full_check=True)
    (answers,) = open_session(graph.SerializeToString()).run(None, {"image": photos.astype(np.float32)})
    tolerance = {"fp32": 1e-5, "fp16": 2e-3}.get(precision, 0.05)
    np.testing.assert_allclose(answers, predict(model, photos), atol=tolerance)


def _plain(kind: str) -> Any:
    import keras

    layers = keras.layers
    keras.utils.set_random_seed(0)
    bias = {"bias_initializer": keras.initializers.RandomNormal(stddev=0.1)}
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    if kind == "flat":
        x = layers.MaxPooling2D()(layers.Conv2D(6, 3, activation="relu", use_bias=False)(x))
        x = layers.Dense(8, activation="relu", **bias)(layers.Flatten()(x))
    else:
        x = layers.LeakyReLU(0.1)(layers.Conv2D(6, 3, **bias)(x))
        x = layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3, activation="gelu", **bias)(x))
    return keras.Model(image, layers.Dense(4, activation="softmax", **bias)(x))


def test_graph_declares_its_contract(model: onnx.ModelProto, source: Source) -> None:
    (image,) = tensors(list(model.graph.input), ("",))
    (probabilities,) = tensors(list(model.graph.output), ("",))
    assert (image.name, image.shape, image.dtype) == ("image", (-1, SIZE, SIZE, 3), "float32")
    assert (probabilities.name, probabilities.shape) == ("probabilities", (-1, len(LABELS)))
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 17)]
    properties = {item.key: item.value for item in model.metadata_props}
    assert tuple(json.loads({item.key: item.value for item in model.metadata_props}["labels"])) == LABELS
    assert properties["preprocessing"] == "dermport-prep/1"
    assert properties["model_sha256"] == source.model_sha256
    assert (properties["bundle"], properties["bundle_version"]) == ("tiny", "1.0.0")
    assert "never a diagnosis" in properties["notice"]


def test_conversion_is_reproducible(path: Path, source: Source) -> None:
    again = path.with_name("again.onnx")
    save(float_model(source), again)
    assert again.read_bytes() == path.read_bytes()


def test_half_graph_is_typed_float16_inside(model: onnx.ModelProto, path: Path, shared_bundle: Bundle) -> None:
    half = half_model(model)
    assert model.graph.initializer[0].data_type == onnx.TensorProto.FLOAT, "the original is left alone"
    half_path = path.with_name("half.onnx")
    save(half, half_path)
    counts = {(row.type, row.precision): row.count for row in operators(half)}
    assert counts["Conv", "fp16"] == CONVOLUTIONS
    assert counts["Cast", "fp16"] == counts["Cast", "fp32"] == 1
    assert [t.dtype for t in (*tensors(list(half.graph.input), ("",)), *tensors(list(half.graph.output), ("",)))] == [
        "float32",
        "float32",
    ]
    assert half_path.stat().st_size < 0.6 * path.stat().st_size
    photos = shared_bundle.golden().tensors
    with OnnxRuntime(path) as whole, OnnxRuntime(half_path) as halved:
        np.testing.assert_allclose(halved.predict(photos), whole.predict(photos), atol=0.02)


def test_checker_refuses_a_broken_graph(model: onnx.ModelProto, tmp_path: Path) -> None:
    broken = onnx.ModelProto()
    broken.CopyFrom(model)
    broken.graph.node[3].input[0] = "nothing"
    with pytest.raises(ExportError, match=r"not a valid ONNX model"):
        save(broken, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def test_runtime_refuses_other_files(tmp_path: Path, model: onnx.ModelProto) -> None:
    (tmp_path / "noise.onnx").write_bytes(b"noise")
    with pytest.raises(ExportError, match=r"noise\.onnx cannot be executed"):
        OnnxRuntime(tmp_path / "noise.onnx")
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    del bare.metadata_props[:]
    save(bare, tmp_path / "bare.onnx")
    with pytest.raises(ExportError, match="has no labels"):
        OnnxRuntime(tmp_path / "bare.onnx")


def test_runtime_takes_any_batch_and_refuses_other_sizes(path: Path) -> None:
    with OnnxRuntime(path, threads=1) as runtime:
        for batch in (0, 1, 3):
            assert runtime.predict(np.zeros((batch, SIZE, SIZE, 3), np.uint8)).shape == (batch, len(LABELS))
        with pytest.raises(ExportError, match="photos of"):
            runtime.predict(np.zeros((1, SIZE + 1, SIZE, 3), np.uint8))
