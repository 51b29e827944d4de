"""Low-bit weights in every target: what is stored, that answers stay, and that the rounding is worth its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from dermport.errors import ExportError, UsageError
from dermport.exporters.contract import Source
from dermport.exporters.coreml.compressor import Compressor
from dermport.exporters.coreml.convert import PackageDescription, convert_all
from dermport.exporters.coreml.layers import input_statistics, layers_of
from dermport.exporters.coreml.mixed import PaletteChoice, chosen_bits
from dermport.exporters.coreml.recipes import RECIPES
from dermport.exporters.onnx.graph import OnnxGraph
from dermport.exporters.onnx.lowbit import int4_form
from dermport.exporters.onnx.operators import operators
from dermport.exporters.registry import TARGETS, select
from dermport.exporters.rounding import LARGEST_FLOAT, LARGEST_INT8, Grid, Moments, Palettes, rounded
from dermport.exporters.tflite.convert import float_model
from dermport.exporters.tflite.graph import INT4, TFLiteGraph
from dermport.exporters.tflite.lowbit import int4_weights
from dermport.exporters.tflite.metadata import stamped
from dermport.runtimes.litert import LiteRT
from dermport.runtimes.mil.program import read_program
from dermport.runtimes.mil.reference import MilReference
from dermport.runtimes.onnxruntime import open_session
from tests.factories import LABELS, draw_set, tensors_of
from tests.shallow import LARGE

Photos = NDArray[np.uint8]
PRECISIONS = ("palette3", "palette4-groups", "palette-mixed", "int4")


@pytest.fixture(scope="module")
def photos() -> Photos:
    return tensors_of(draw_set(12, first_seed=500)[0])


@pytest.fixture(scope="module")
def calibration() -> Photos:
    return tensors_of(draw_set(8, first_seed=300)[0])


@pytest.fixture(scope="module")
def packages(
    keras_model: Any, description: PackageDescription, calibration: Photos, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Optional Core ML precisions of the tiny model, calibrated."""
    folder = tmp_path_factory.mktemp("lowbit")
    outputs = {precision: folder / f"{precision}.mlpackage" for precision in PRECISIONS}
    convert_all(keras_model, LABELS, outputs, description, photos=calibration)
    return outputs


def correlated(seed: int = 0, rows: int = 24, columns: int = 48, places: int = 500) -> tuple[Any, Any]:
    """Return weights [rows, columns] and what they are multiplied by, [columns, places], of few sources."""
    random = np.random.default_rng(seed)
    weights = random.normal(size=(rows, columns))
    return weights, random.normal(size=(columns, 8)) @ random.normal(size=(8, places)) + 0.1 * random.normal(
        size=(columns, places)
    )


@pytest.mark.parametrize("kind", [Palettes, Grid])
def test_error_feedback_keeps_the_outputs_closer_than_the_nearest_values(kind: type[Palettes] | type[Grid]) -> None:
    weights, inputs = correlated()
    values, moments = kind.of(weights, 3), Moments()
    moments.add(inputs)
    plain, fed_back = rounded(weights, values), rounded(weights, values, moments.statistics().covariance)
    lost, kept = (float(((w - weights) @ inputs).var()) for w in (plain, fed_back))
    assert kept < 0.3 * lost
    for index in range(weights.shape[1]):
        np.testing.assert_array_equal(values.nearest(fed_back[:, index], index), fed_back[:, index])


def test_moments_are_those_of_all_values_together() -> None:
    _, inputs = correlated()
    moments = Moments()
    for part in np.split(inputs, 5, axis=1):
        moments.add(part)
    statistics = moments.statistics()
    np.testing.assert_allclose(statistics.mean, inputs.mean(axis=1))
    assert statistics.covariance is not None
    np.testing.assert_allclose(statistics.covariance, np.cov(inputs, bias=True), atol=1e-9)
    uncorrelated = Moments(correlated=False)
    uncorrelated.add(inputs)
    assert uncorrelated.statistics().covariance is None


def test_grid_is_found_again_from_the_rounded_weights() -> None:
    weights, inputs = correlated(1)
    grid = Grid.of(weights, 4, block=16)
    again = Grid.of(rounded(weights, grid, np.cov(inputs, bias=True)), 4, block=16)
    np.testing.assert_allclose(again.scales, grid.scales)
    assert len(np.unique(grid.scales)) == weights.shape[0] * 3


def test_palettes_of_groups_and_of_few_values() -> None:
    weights, _ = correlated(2)
    assert Palettes.of(weights, 2, group=8).tables.shape == (3, 4)
    assert Palettes.of(weights, 2, group=7).tables.shape == (1, 4), "7 does not divide 24 channels"
    few = np.where(weights > 0, 1.0, -1.0)
    np.testing.assert_array_equal(rounded(few, Palettes.of(few, 4)), few)


def test_bits_go_where_they_cost_least() -> None:
    robust = PaletteChoice("robust", 100, {2: 0.001, 3: 0.0005, 4: 0.0})
    fragile = PaletteChoice("fragile", 100, {2: 9.0, 3: 1.0, 4: 0.0})
    assert chosen_bits([robust, fragile], 3) == {"robust": 2, "fragile": 4}
    assert chosen_bits([robust, fragile], 1) == {"robust": 2, "fragile": 2}, "no fewer bits than there are"
    assert chosen_bits([robust, fragile], 4) == {"robust": 4, "fragile": 4}


def keras_answers(model: Any, photos: Photos) -> NDArray[np.float32]:
    return np.asarray(model(photos.astype(np.float32), training=False))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_package_still_agrees_with_keras(
    precision: str, packages: dict[str, Path], keras_model: Any, photos: Photos
) -> None:
    expected = keras_answers(keras_model, photos)
    with MilReference(packages[precision]) as reference:
        answers = reference.predict(photos)
    assert 0 < np.abs(answers - expected).mean() < 0.04
    assert (answers.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.9


def test_palettes_hold_as_many_values_as_their_bits(packages: dict[str, Path]) -> None:
    large = [one.weight for one in layers_of(read_program(packages["palette3"])[0]) if one.weight.size > LARGEST_INT8]
    assert {len(np.unique(weight.astype(np.float32))) for weight in large} == {8}
    grouped = layers_of(read_program(packages["palette4-groups"])[0])
    wide = next(one.weight for one in grouped if one.weight.size > LARGEST_INT8 and len(one.weight) % 16 == 0)
    groups = wide.astype(np.float32).reshape(len(wide) // 16, -1)
    assert {len(np.unique(group)) for group in groups} == {16}
    assert len(np.unique(groups)) > 16


def test_layers_are_stored_by_their_size(packages: dict[str, Path]) -> None:
    program = read_program(packages["palette3"])[0]
    layers = layers_of(program)
    counts = {(c.type, c.precision): c.count for c in program.counts}
    large = sum(layer.weight.size > LARGEST_INT8 for layer in layers)
    small = sum(LARGEST_FLOAT < layer.weight.size <= LARGEST_INT8 for layer in layers)
    assert counts["constexpr_lut_to_dense", "uint3"] == large == LARGE
    assert counts["constexpr_blockwise_shift_scale", "int8"] == small >= 8
    assert sum(count for (kind, _), count in counts.items() if kind.startswith("constexpr")) == large + small
    blocks = {(c.type, c.precision): c.count for c in read_program(packages["int4"])[0].counts}
    assert blocks["constexpr_blockwise_shift_scale", "int4"] == large
    mixed = [c for c in read_program(packages["palette-mixed"])[0].counts if c.type == "constexpr_lut_to_dense"]
    assert sum(c.count for c in mixed) == large
    assert len(mixed) > 1, "one number of bits is not mixed"


def test_sizes_follow_the_bits(packages: dict[str, Path], mlpackages: dict[str, Path]) -> None:
    sizes = {
        name: (path / "Data" / "com.apple.CoreML" / "weights" / "weight.bin").stat().st_size
        for name, path in {**packages, "fp16": mlpackages["fp16"]}.items()
    }
    assert sizes["palette3"] < sizes["palette4-groups"] < 0.5 * sizes["fp16"]
    assert sizes["palette-mixed"] < 1.05 * sizes["palette3"], "3 bits on average"


def test_statistics_are_those_of_the_layer_inputs(mlpackages: dict[str, Path], calibration: Photos) -> None:
    layers = layers_of(read_program(mlpackages["fp16"])[0])
    source = next(layer.source for layer in layers if layer.pointwise)
    found = input_statistics(mlpackages["fp16"], calibration[:4], {source})
    assert set(found) == {layer.source for layer in layers}
    assert [name for name, one in found.items() if one.covariance is not None] == [source]


def test_mixed_precision_needs_photos(mlpackages: dict[str, Path], tmp_path: Path) -> None:
    recipe = RECIPES["palette-mixed"]
    assert recipe is not None
    with pytest.raises(ExportError, match="Mixed precision"):
        Compressor(mlpackages["fp16"], None).compressed(recipe, tmp_path / "scratch")


def test_tflite_stores_large_convolutions_in_four_bits(
    source: Source, calibration: Photos, photos: Photos, tmp_path: Path
) -> None:
    original = float_model(source.model)
    model = int4_weights(original, calibration, 4)
    before, after = TFLiteGraph(original), TFLiteGraph(model)
    halves = [o for o in after.weighted() if after.tensor(o.inputs[1]).type == INT4]
    large = [layer for layer in before.layers() if layer.weights.size > LARGEST_INT8]
    assert len(halves) == len(large) == LARGE
    assert {after.type_of(operator) for operator in halves} == {"CONV_2D"}
    assert len(model) < 0.45 * len(original)
    (tmp_path / "model.tflite").write_bytes(stamped(model, source, "int4"))
    with LiteRT(tmp_path / "model.tflite") as runtime:
        answers = runtime.predict(photos)
    expected = keras_answers(source.model, photos)
    assert 0 < np.abs(answers - expected).mean() < 0.06
    assert (answers.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.85


def test_onnx_keeps_four_bits_and_answers(
    source: Source, original: onnx.ModelProto, calibration: Photos, photos: Photos
) -> None:
    model = int4_form(original, calibration)
    onnx.checker.check_model(model, full_check=True)
    graph = OnnxGraph.of(model)
    halves = [t for t in model.graph.initializer if t.data_type == onnx.TensorProto.INT4]
    assert len(halves) == LARGE
    assert all(len(t.raw_data) == (np.prod(t.dims) + 1) // 2 for t in halves)
    assert {c.precision for c in operators(model) if c.type == "DequantizeLinear"} == {"int4", "int8"}
    for node in graph.weighted():
        name = node.input[1]
        if name in graph.initializers:
            assert numpy_helper.to_array(graph.initializers[name]).size <= LARGEST_FLOAT
    (answers,) = open_session(model.SerializeToString()).run(None, {"image": photos.astype(np.float32)})
    expected = keras_answers(source.model, photos)
    assert 0 < np.abs(answers - expected).mean() < 0.04
    assert (answers.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.9


def test_optional_precisions_are_made_only_when_named() -> None:
    usual = {(t.capabilities.name, r.precision) for t, recipes in select(None, None) for r in recipes}
    named = {(t.capabilities.name, r.precision) for t, recipes in select(None, ["int4"]) for r in recipes}
    every = {(t.capabilities.name, r.precision) for t, recipes in select(None, None, optional=True) for r in recipes}
    assert named == {("coreml", "int4"), ("tflite", "int4"), ("onnx", "int4")}
    assert not named & usual
    assert every == {(name, r.precision) for name, target in TARGETS.items() for r in target.capabilities.recipes}
    assert usual | named < every
    with pytest.raises(UsageError, match="int4"):
        select(["tensorrt"], ["int4"])
