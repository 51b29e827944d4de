"""One integer model: the same integers in the files of phone and Jetson, and the same answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from dermport.bundle.policy import read_policy
from dermport.bundle.store import Bundle
from dermport.errors import ExportError
from dermport.exporters.contract import Source
from dermport.exporters.integer.pattern import Quantisation, split
from dermport.exporters.integer.proof import differences, fingerprint, stored_in
from dermport.exporters.integer.stored import StoredLayer
from dermport.exporters.integer.tflite import integer_form
from dermport.exporters.maps import keras_maps, with_map
from dermport.exporters.matrix import export_matrix
from dermport.exporters.onnx.graph import OnnxGraph
from dermport.exporters.onnx.lint import violations
from dermport.exporters.registry import get_target, select
from dermport.exporters.source import load_source, read_calibration
from dermport.exporters.tensorrt.kit import read_kit
from dermport.exporters.tflite.convert import float_model
from dermport.exporters.tflite.graph import TFLiteGraph
from dermport.exporters.verify import golden_reference, verify
from tests.exporters.integer_model import flat_network, integer_model
from tests.factories import make_bundle
from tests.shallow import CONVOLUTIONS

INT8 = {"tflite-int8", "tflite-int8-full", "onnx-int8", "tensorrt-int8"}
FLOAT = {"tflite-fp32", "onnx-fp32"}
MIXED = ("Conv1", "block_1_project", "block_2_expand", "block_5_depthwise", "Conv_1")


def exported(source: Source, folder: Path, wanted: set[str]) -> dict[str, Path]:
    """Export some precisions; return the artifacts by target and precision."""
    made: dict[str, Path] = {}
    for name in ("tflite", "onnx", "tensorrt"):
        target = get_target(name)
        recipes = tuple(recipe for recipe in target.capabilities.recipes if f"{name}-{recipe.precision}" in wanted)
        folders = {recipe.precision: folder / f"{name}-{recipe.precision}" for recipe in recipes}
        for place in folders.values():
            place.mkdir()
        target.convert(source, recipes, folders)
        made |= {f"{name}-{p}": place / target.capabilities.artifact for p, place in folders.items()}
    return made


@pytest.fixture(scope="module")
def photos(shared_bundle: Bundle) -> NDArray[np.uint8]:
    return read_calibration(shared_bundle)


@pytest.fixture(scope="module")
def network(shared_bundle: Bundle) -> Any:
    return flat_network(load_source(shared_bundle).model)


@pytest.fixture(scope="module")
def integer(shared_bundle: Bundle, network: Any, photos: NDArray[np.uint8]) -> Source:
    return replace(load_source(shared_bundle), model=integer_model(network, photos[:64], exact=True))


@pytest.fixture(scope="module")
def table(integer: Source) -> Quantisation:
    return split(integer.model).table


@pytest.fixture(scope="module")
def files(integer: Source, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return exported(integer, tmp_path_factory.mktemp("integer"), INT8 | FLOAT)


@pytest.fixture(scope="module")
def mixed(network: Any, integer: Source, photos: NDArray[np.uint8]) -> Source:
    """Scales of any size; the first and the last layer in float, one in between, and two neighbours before a sum."""
    return replace(integer, model=integer_model(network, photos[:64], in_float=MIXED))


@pytest.fixture(scope="module")
def mixed_files(mixed: Source, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return exported(mixed, tmp_path_factory.mktemp("mixed"), INT8)


def test_every_file_holds_the_same_integers(files: dict[str, Path], table: Quantisation) -> None:
    stored = {name: stored_in(files[name]) for name in INT8}
    for name, found in stored.items():
        assert differences(stored["tflite-int8"], found) == (), name
    assert len({fingerprint(found) for found in stored.values()}) == 1
    for layer, held in zip(table.layers, stored["onnx-int8"], strict=False):
        assert held.inputs == (table.scales.get(layer.input),)
        assert held.output == table.scales.get(layer.output)
        if layer.grid is not None:
            np.testing.assert_array_equal(held.codes, layer.grid.codes)
            np.testing.assert_array_equal(held.scale, layer.grid.scale)
            np.testing.assert_array_equal(held.bias, layer.grid.bias)
    assert sum(layer.grid is not None for layer in table.layers) == CONVOLUTIONS


def test_pooling_classifier_and_softmax_stay_in_float(files: dict[str, Path]) -> None:
    graph = TFLiteGraph(files["tflite-int8"].read_bytes())
    types = {graph.type_of(o): graph.tensor(o.inputs[0]).type for o in graph.operators[-3:]}
    assert types == {"MEAN": 0, "FULLY_CONNECTED": 0, "SOFTMAX": 0}
    nodes = OnnxGraph.of(onnx.load(files["onnx-int8"]))
    [gemm] = [node for node in nodes.nodes if node.op_type in ("Gemm", "MatMul")]
    assert nodes.writer(gemm.input[0]) != "DequantizeLinear"


@pytest.mark.parametrize("name", ["onnx-int8", "tensorrt-int8"])
def test_the_graph_keeps_tensorrts_rules(files: dict[str, Path], name: str) -> None:
    assert violations(onnx.load(files[name]), mixed=True) == ()


def _one_code(graph: TFLiteGraph) -> None:
    graph.constant(graph.tensor(graph.weighted()[7].inputs[1])).reshape(-1)[5] ^= 1


def _one_scale(graph: TFLiteGraph) -> None:
    scale = graph.tensor(graph.weighted()[3].outputs[0]).quantization.scale
    scale[0] = np.nextafter(scale[0], np.float32(1))


def _one_bias(graph: TFLiteGraph) -> None:
    graph.layers()[0].bias[0] += 1


@pytest.mark.parametrize(
    ("plant", "found"),
    [
        (_one_code, "layer 8: 1 of its .* weights differ"),
        (_one_scale, "layer 4: it gives steps of"),
        (_one_bias, "layer 1: 1 of its .* biases differ"),
    ],
)
def test_a_planted_difference_is_found(
    files: dict[str, Path], tmp_path: Path, plant: Callable[[TFLiteGraph], None], found: str
) -> None:
    path = tmp_path / "model.tflite"
    graph = TFLiteGraph(files["tflite-int8"].read_bytes())
    plant(graph)
    path.write_bytes(graph.to_bytes())
    lines = differences(stored_in(files["onnx-int8"]), stored_in(path))
    assert any(re.match(found, line) for line in lines), lines
    assert fingerprint(stored_in(path)) != fingerprint(stored_in(files["onnx-int8"]))


def test_a_weight_scale_planted_in_onnx_is_found(files: dict[str, Path], tmp_path: Path) -> None:
    model = onnx.load(files["onnx-int8"])
    [constant] = [tensor for tensor in model.graph.initializer if tensor.name == "Conv_2_weight_scale"]
    changed = numpy_helper.to_array(constant).copy()
    changed[0] *= 1.001
    constant.CopyFrom(numpy_helper.from_array(changed, constant.name))
    onnx.save(model, tmp_path / "model.onnx")
    lines = differences(stored_in(files["tflite-int8"]), stored_in(tmp_path / "model.onnx"))
    assert any("weight scales differ" in line for line in lines)


def answers(files: dict[str, Path], photos: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    found = {}
    for name, path in files.items():
        with get_target(name.split("-")[0]).execution(path.parent, 1).runtime as runtime:
            found[name] = runtime.predict(photos)
    return found


def test_phone_jetson_and_keras_answer_the_same_bit_for_bit(
    files: dict[str, Path], integer: Source, photos: NDArray[np.uint8]
) -> None:
    """With exact scales not one code of any layer differs, in int8 or in float32; then float32 pools and classifies."""
    wanted = np.asarray(integer.model(photos[64:128].astype(np.float32), training=False))
    for name, answer in answers(files, photos[64:128]).items():
        np.testing.assert_allclose(answer, wanted, atol=2e-3 if name == "tflite-int8-full" else 1e-5, err_msg=name)


def test_phone_and_jetson_give_the_same_map(integer: Source, photos: NDArray[np.uint8], tmp_path: Path) -> None:
    mapped = exported(replace(integer, model=with_map(integer.model)), tmp_path, {"tflite-int8", "onnx-int8"})
    assert differences(*(stored_in(path) for path in mapped.values())) == ()
    wanted = np.asarray(integer.model(photos[64:96].astype(np.float32), training=False))
    for name, path in mapped.items():
        with get_target(name.split("-")[0]).execution(path.parent, 1).runtime as runtime:
            probabilities, maps = runtime.predict_with_maps(photos[64:96])
        np.testing.assert_allclose(probabilities, wanted, atol=1e-5, err_msg=name)
        np.testing.assert_allclose(maps, keras_maps(integer.model, photos[64:96]), atol=1e-3, err_msg=name)


def test_a_mixed_model_agrees_as_well(mixed_files: dict[str, Path], mixed: Source, photos: NDArray[np.uint8]) -> None:
    stored = {name: stored_in(path) for name, path in mixed_files.items()}
    for name, found in stored.items():
        assert differences(stored["tflite-int8"], found) == (), name
    in_float = [each for each in stored["onnx-int8"] if each.codes.dtype == np.float32 and each.codes.size]
    assert len(in_float) == len(MIXED) + 1  # and the classifier
    wanted = np.asarray(mixed.model(photos[64:128].astype(np.float32), training=False))
    for name, answer in answers(mixed_files, photos[64:128]).items():
        assert (answer.argmax(axis=1) == wanted.argmax(axis=1)).mean() > 0.95, name
        assert np.abs(answer - wanted).mean() < 0.02, name


def test_a_float_layer_reads_what_an_integer_layer_beside_it_reads(mixed_files: dict[str, Path]) -> None:
    """Where one of a tensor's readers is in float, it too reads it rounded, as in Keras."""
    graph = TFLiteGraph(mixed_files["tflite-int8"].read_bytes())
    rounded = [o.inputs[0] for o in graph.operators if graph.type_of(o) == "QUANTIZE"]
    assert len(rounded) == len({*rounded})
    for operator in graph.operators:
        assert graph.type_of(operator) == "QUANTIZE" or not set(operator.inputs) & set(rounded)
    assert sum(graph.name_of(o.outputs[0]).endswith("_rounded") for o in graph.operators) == 1


def test_a_table_of_another_network_is_refused(integer: Source, network: Any, photos: NDArray[np.uint8]) -> None:
    plain = split(integer.model).plain
    changed = plain.get_layer("block_3_expand")
    kernel, bias = changed.get_weights()
    changed.set_weights([kernel[..., ::-1].copy(), bias])
    with pytest.raises(ExportError, match="other weights than the layer block_3_expand"):
        integer_form(float_model(plain), split(integer.model).table)


def test_export_records_say_whose_integers_they_hold(integer: Source, tmp_path: Path) -> None:
    """Nothing is calibrated, phone and Jetson name the same sha256, and float32 passes as what it simulates."""
    bundle = make_bundle(tmp_path / "integer", train=lambda *_: integer.model)
    outcomes = export_matrix(bundle, select(["tflite", "onnx", "tensorrt"], ["int8", "fp32"]), jobs=1)
    records = {f"{o.export.record.target}-{o.export.record.precision}": o.export.record for o in outcomes}
    recipes = [records[name].recipe for name in ("tflite-int8", "onnx-int8", "tensorrt-int8")]
    assert len({recipe["integers_sha256"] for recipe in recipes}) == 1
    assert not any("calibration_photos" in recipe or recipe["calibrated"] for recipe in recipes)
    assert "integers_sha256" not in records["onnx-fp32"].recipe
    assert read_kit(bundle.export("tensorrt", "int8").path).recipe["integers"] == "model.keras"
    for outcome in outcomes:
        parity = verify(bundle, outcome.export, golden_reference(bundle), read_policy())
        assert parity.status == "pass", parity.reasons
        assert parity.max_change < 1e-5
    assert not any(o.fresh for o in export_matrix(bundle, select(["onnx"], ["int8"]), jobs=1))


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"no \.tflite or \.onnx file"):
        stored_in(tmp_path / "model.mlpackage")


def test_equal_files_have_no_differences_and_others_say_so() -> None:
    nothing = np.zeros(0, np.float32)
    one = StoredLayer(
        "layer 1", (0.1,), 0.2, np.ones((1, 1, 2, 2), np.int8), np.ones(2, np.float32), np.zeros(2, np.int32)
    )
    assert differences([one], [one]) == ()
    assert differences([one], [one, StoredLayer("sum 1", (), None, nothing, nothing, nothing)]) == (
        "other layers: 1 and 2",
    )
    narrow = replace(one, codes=np.ones((1, 1, 2, 1), np.int8))
    assert "its weights are int8" in differences([one], [narrow])[0]
