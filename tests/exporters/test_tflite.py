from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from dermport.bundle.store import Bundle
from dermport.errors import ExportError
from dermport.exporters.contract import Source
from dermport.exporters.source import load_source
from dermport.exporters.targets.tflite import TFLite
from dermport.exporters.tflite.bias import make_room_for_biases
from dermport.exporters.tflite.calibrate import Flow, Probe, ranges
from dermport.exporters.tflite.convert import float_model
from dermport.exporters.tflite.graph import TFLiteGraph
from dermport.exporters.tflite.metadata import document
from dermport.exporters.tflite.precision import model_for
from dermport.exporters.tflite.quantize import Int8, float16_weights
from dermport.runtimes.litert import LiteRT
from dermport.runtimes.tflite_metadata import read_labels, read_metadata
from dermport.training.model.network import predict
from tests.factories import LABELS, SIZE, draw_set, firm, tensors_of
from tests.shallow import CONVOLUTIONS, DEPTHWISE, PLAIN

TARGET = TFLite()
PRECISIONS = [recipe.precision for recipe in TARGET.capabilities.recipes if not recipe.optional]
INT8 = ["int8", "int8-full"]


@pytest.fixture(scope="module")
def source(shared_bundle: Bundle) -> Source:
    return load_source(shared_bundle)


@pytest.fixture(scope="module")
def folders(source: Source, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every precision, converted in one call."""
    return _convert(source, tmp_path_factory.mktemp("tflite"))


@pytest.fixture(scope="module")
def original(folders: dict[str, Path]) -> bytes:
    return (folders["fp32"] / "model.tflite").read_bytes()


def _convert(source: Source, folder: Path, precisions: list[str] = PRECISIONS) -> dict[str, Path]:
    folders = {precision: folder / precision for precision in precisions}
    for path in folders.values():
        path.mkdir()
    TARGET.convert(source, tuple(TARGET.capabilities.recipe(p) for p in precisions), folders)
    return folders


@pytest.fixture(scope="module")
def photos(source: Source) -> np.ndarray:
    return firm(source.model, tensors_of(draw_set(10, first_seed=900)[0]))


def _predictions(folder: Path, photos: np.ndarray) -> np.ndarray:
    with TARGET.execution(folder).runtime as runtime:
        return runtime.predict(photos)


def test_means_layer_by_layer_are_those_of_whole_runs(folders: dict[str, Path], photos: np.ndarray) -> None:
    graph = TFLiteGraph((folders["int8"] / "model.tflite").read_bytes())
    flow, asked = Flow(graph, photos[:3]), graph.layer_operators()[::17]
    for operator in asked:
        name, probe = graph.name_of(operator.outputs[0]), Probe(graph.to_bytes())
        means = [probe.value(name).mean(axis=(0, 1, 2), dtype=np.float64) for _ in probe.run(photos[:3])]
        np.testing.assert_allclose(flow.means(operator), np.mean(means, axis=0), rtol=1e-12)
        bias = graph.constant(graph.tensor(operator.inputs[2]))
        bias[:] += 1000  # what is changed after a layer's turn reaches the layers behind it


def test_means_of_layers_side_by_side_are_those_of_a_whole_run(photos: np.ndarray) -> None:
    import keras
    import tensorflow as tf

    image = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu")(image)
    branches = [
        keras.layers.Conv2D(4, 1)(keras.layers.Conv2D(4, 1, activation="relu")(x)),
        keras.layers.Conv2D(4, 1)(x),
    ]
    network = keras.Model(image, keras.layers.Activation("relu")(keras.layers.Add()(branches)))
    graph = TFLiteGraph(tf.lite.TFLiteConverter.from_keras_model(network).convert())
    flow, probe = Flow(graph, photos[:1]), Probe(graph.to_bytes())
    list(probe.run(photos[:1]))
    for operator in graph.layer_operators():
        value = probe.value(graph.name_of(operator.outputs[0]))
        np.testing.assert_allclose(flow.means(operator), value.mean(axis=(0, 1, 2)), rtol=1e-5)


@pytest.mark.parametrize(("precision", "mean_change"), [("fp32", 1e-5), ("fp16", 1e-3), ("int8", 0.03)])
def test_agrees_with_keras(
    folders: dict[str, Path], source: Source, photos: np.ndarray, precision: str, mean_change: float
) -> None:
    original = predict(source.model, photos)
    found = _predictions(folders[precision], photos)
    assert np.abs(found - original).mean() <= mean_change
    assert (found.argmax(axis=1) == original.argmax(axis=1)).all()
    assert len(set(original.argmax(axis=1))) > 1, "a model that always gives one label would agree by itself"


def test_raw_pixels_give_in_int8_full_exactly_what_int8_gives(folders: dict[str, Path], photos: np.ndarray) -> None:
    # The input's scale is exactly 1, so nothing is rounded on the way in; the way out has the same 256 steps.
    np.testing.assert_array_equal(_predictions(folders["int8-full"], photos), _predictions(folders["int8"], photos))


@pytest.mark.parametrize(
    ("precision", "dtype"), [("fp32", "float32"), ("fp16", "float32"), ("int8", "float32"), ("int8-full", "uint8")]
)
def test_describes_inputs_and_outputs(folders: dict[str, Path], precision: str, dtype: str) -> None:
    description = TARGET.describe(folders[precision])
    (image,), (probabilities,) = description.inputs, description.outputs
    assert (image.name, image.shape, image.dtype) == ("image", (1, SIZE, SIZE, 3), dtype)
    assert (probabilities.name, probabilities.shape, probabilities.dtype) == ("probabilities", (1, len(LABELS)), dtype)


def test_uint8_input_takes_pixels_unchanged(folders: dict[str, Path]) -> None:
    description = TARGET.describe(folders["int8-full"])
    assert description.inputs[0].meaning.endswith("value = (code - 0) * 1")
    assert description.outputs[0].meaning.endswith("value = (code - 0) * 0.00390625")


@pytest.mark.parametrize("precision", PRECISIONS)
def test_operators_are_those_of_the_file(folders: dict[str, Path], precision: str) -> None:
    graph = TFLiteGraph((folders[precision] / "model.tflite").read_bytes())
    operators = TARGET.describe(folders[precision]).operators
    assert sum(operator.count for operator in operators) == len(graph.operators)
    convolutions = {(o.type, o.precision): o.count for o in operators if "CONV" in o.type}
    computed = "int8" if precision in INT8 else "fp32"
    assert convolutions == {("CONV_2D", computed): PLAIN, ("DEPTHWISE_CONV_2D", computed): DEPTHWISE}


@pytest.mark.parametrize(
    ("precision", "stored"), [("fp32", {0}), ("fp16", {1}), ("int8", {9}), ("int8-full", {9})]
)  # TensorType: float32, float16, int8
def test_weights_are_stored_in_the_precision(folders: dict[str, Path], precision: str, stored: set[int]) -> None:
    model = schema.Model.GetRootAs((folders[precision] / "model.tflite").read_bytes(), 0)
    graph = model.Subgraphs(0)
    tensors = [graph.Tensors(index) for index in range(graph.TensorsLength())]
    weights = [t for t in tensors if t.ShapeLength() == 4 and model.Buffers(t.Buffer()).DataLength()]
    assert len(weights) == CONVOLUTIONS
    assert {tensor.Type() for tensor in weights} == stored
    if precision in INT8:
        assert all(len(t.Quantization().ScaleAsNumpy()) in (t.Shape(0), t.Shape(3)) for t in weights), "per channel"


def test_sizes(folders: dict[str, Path]) -> None:
    # Of this tiny network scales, biases and names are a larger share than of a full one.
    sizes = {
        p: (folders[p] / "model.tflite").stat().st_size / (folders["fp32"] / "model.tflite").stat().st_size
        for p in PRECISIONS
    }
    assert sizes["fp16"] < 0.55
    assert max(sizes[p] for p in INT8) < 0.45


@pytest.mark.parametrize("precision", PRECISIONS)
def test_metadata_is_read_back(folders: dict[str, Path], source: Source, precision: str) -> None:
    path = folders[precision] / "model.tflite"
    assert read_metadata(path) == document(source, precision)
    assert source.model_sha256 in read_metadata(path)["description"]
    assert read_labels(path) == LABELS
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.read("labels_en.txt").decode().splitlines() == [
            label.name for label in source.manifest.task.labels
        ]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_buffers_are_aligned_and_inside(folders: dict[str, Path], precision: str) -> None:
    data = np.fromfile(folders[precision] / "model.tflite", np.uint8)
    model = schema.Model.GetRootAs(data, 0)
    assert data[4:8].tobytes() == b"TFL3"
    buffers = [model.Buffers(index) for index in range(model.BuffersLength())]
    assert not any(buffer.Offset() for buffer in buffers)
    starts = [b.DataAsNumpy().ctypes.data - data.ctypes.data for b in buffers if b.DataLength()]
    assert len(starts) > 50
    assert {start % 16 for start in starts} == {0}


def test_signature_names_the_ends(folders: dict[str, Path]) -> None:
    from ai_edge_litert.interpreter import Interpreter

    for folder in folders.values():
        signatures = Interpreter(str(folder / "model.tflite")).get_signature_list()
        assert signatures == {"serving_default": {"inputs": ["image"], "outputs": ["probabilities"]}}


def test_equal_input_gives_equal_bytes(folders: dict[str, Path], source: Source, tmp_path: Path) -> None:
    # Neither the order of the precisions nor their company may matter.
    for precision, again in _convert(source, tmp_path, ["int8-full", "fp32"]).items():
        assert (again / "model.tflite").read_bytes() == (folders[precision] / "model.tflite").read_bytes()


def test_float32_asks_for_no_calibration_photos(source: Source) -> None:
    def refuse() -> Any:
        raise AssertionError("asked for calibration photos")

    found = model_for(TARGET.capabilities.recipe("fp32"), replace(source, calibration=refuse))
    assert found == float_model(source.model)


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_no_calibration_photos_is_an_error(source: Source, precision: str) -> None:
    bare = replace(source, calibration=lambda: np.empty((0, SIZE, SIZE, 3), np.uint8))
    with pytest.raises(ExportError, match="no calibration photos"):
        model_for(TARGET.capabilities.recipe(precision), bare)


def test_float16_takes_back_what_large_weights_shift(original: bytes, source: Source) -> None:
    """Weights of 2048 and -2047.4 all but cancel out; float16 makes the second -2047."""
    graph = TFLiteGraph(original)
    layer = graph.layers()[-1]
    layer.weights[0, :2] = 2048, -2047.4
    large = graph.to_bytes()
    photos = source.calibration()[:8]
    plain = TFLiteGraph(large)
    for other in plain.layers():
        other.weights[...] = other.weights.astype(np.float16)
    wanted, found, uncorrected = (
        np.mean([probe.value(layer.output)[..., 0].mean() for _ in probe.run(photos)])
        for probe in (Probe(large), Probe(float16_weights(large, photos)), Probe(plain.to_bytes()))
    )
    assert abs(found - wanted) < 0.05 * abs(uncorrected - wanted)


def test_bias_correction_restores_the_means(folders: dict[str, Path], original: bytes, source: Source) -> None:
    # A shifted mean is what post-training quantisation costs MobileNetV2; the head sees the sum of all shifts.
    photos = source.calibration()[:16]
    head = TFLiteGraph(original).layers()[-1].output
    probes = [Probe(original), Probe((folders["int8"] / "model.tflite").read_bytes())]
    means = [np.mean([probe.value(head)[0] for _ in probe.run(photos)], axis=0) for probe in probes]
    spread = np.std([probes[0].value(head)[0] for _ in probes[0].run(photos)], axis=0)
    assert np.abs(means[1] - means[0]).max() < 0.2 * spread.max()


def test_a_channel_of_almost_no_weight_keeps_its_bias(original: bytes, source: Source) -> None:
    graph = TFLiteGraph(original)
    layer = graph.layers()[0]
    layer.weights[3] = 1e-20
    layer.bias[3] = 2.5
    photos = source.calibration()[:4]
    measured = ranges(graph.to_bytes(), photos)
    prepared = TFLiteGraph(make_room_for_biases(graph.to_bytes(), measured)).layers()
    step = (measured[layer.input]["max"] - measured[layer.input]["min"])[0] / 255
    codes = np.abs(layer.bias) / (step * np.abs(prepared[0].weights).max(axis=(1, 2, 3)) / 127)
    assert codes.max() < 2**31
    assert np.abs(prepared[0].weights[3]).sum() < 1e-3, "still without effect"
    np.testing.assert_array_equal(np.delete(prepared[0].weights, 3, 0), np.delete(layer.weights, 3, 0))


def test_shared_and_absent_biases() -> None:
    """Two layers without bias of their own share one constant of zeros; of the last, the converter leaves it out."""
    import keras

    image = keras.Input((8, 8, 3))
    features = keras.layers.Conv2D(4, 3, activation="relu6")(keras.layers.Conv2D(4, 1, activation="relu6")(image))
    pooled = keras.layers.GlobalAveragePooling2D()(features)
    model = keras.Model(image, keras.layers.Dense(2, activation="softmax", use_bias=False)(pooled))
    first, second = TFLiteGraph(float_model(model)).layers()
    first.bias[:] = 7
    assert second.bias.tolist() == [0, 0, 0, 0]
    photos = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3), dtype=np.uint8)
    found = _run(Int8.calibrated(float_model(model), photos, 8).to_bytes(uint8_ends=False), photos)
    assert np.abs(found - predict(model, photos)).mean() < 0.02


def _run(model: bytes, photos: np.ndarray) -> np.ndarray:
    probe, graph = Probe(model), TFLiteGraph(model)
    output = graph.tensor(graph.model.subgraphs[0].outputs[0]).name.decode()
    return np.stack([probe.value(output)[0] for _ in probe.run(photos)])


def test_evidence_says_what_it_is_worth(folders: dict[str, Path]) -> None:
    execution = TARGET.execution(folders["fp32"])
    assert execution.evidence == "host-runtime"
    assert "this machine's CPU" in execution.reason
    assert isinstance(execution.runtime, LiteRT)
