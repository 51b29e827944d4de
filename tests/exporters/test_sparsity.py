"""The 2:4 pattern in exported graphs, and that TensorRT is told of it by the name that its bindings know."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from dermport.bundle.atomic import write_json
from dermport.bundle.store import Bundle
from dermport.exporters.contract import Source
from dermport.exporters.onnx.sparsity import has_pattern, pattern_violations
from dermport.exporters.source import load_source
from dermport.exporters.targets.tensorrt import TensorRT
from dermport.exporters.tensorrt.kit import KIT, read_kit
from tests.exporters.test_tensorrt_bindings import VERSIONS, calls, probe, run

Weights = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


def graph(weights: Weights) -> onnx.ModelProto:
    """Return a graph of one convolution with these weights, float32 [outputs, inputs, h, w]."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("x", "y")]
    node = helper.make_node("Conv", ["x", "w"], ["y"], name="Conv_1")
    constant = numpy_helper.from_array(weights, "w")
    return helper.make_model(helper.make_graph([node], "g", ends[:1], ends[1:], [constant]))


def patterned(outputs: int = 3, inputs: int = 8) -> Weights:
    weights = np.ones((outputs, inputs, 1, 1), np.float32)
    weights[:, ::2] = 0
    return weights


def test_one_weight_too_many_is_found_where_it_is() -> None:
    weights = patterned()
    assert has_pattern(graph(weights))
    weights[2, 6] = 1e-6
    [line] = pattern_violations(graph(weights))
    assert line == "Conv 'Conv_1': 3 of the weights 4 to 7 of output channel 2 are not zero"
    assert not has_pattern(graph(weights))


def test_the_pattern_is_along_the_input_channels() -> None:
    across = np.ones((8, 8, 1, 1), np.float32)
    across[::2] = 0  # every second output channel: as many zeros, but no pattern
    assert not has_pattern(graph(across))


@pytest.mark.parametrize("weights", [np.ones((4, 6, 1, 1), np.float32), np.ones((4, 8, 3, 3), np.float32)])
def test_what_cannot_have_the_pattern_is_passed_over(
    weights: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
) -> None:
    assert pattern_violations(graph(weights)) == ()
    assert not has_pattern(graph(weights))


@pytest.fixture(scope="module")
def kits(shared_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kits of the tiny bundle with the pattern in its pointwise convolutions, by precision, and its photos."""
    folder = tmp_path_factory.mktemp("kits")
    source = load_source(shared_bundle)
    _prune(source)
    target = TensorRT()
    recipes = tuple(target.capabilities.recipe(precision) for precision in ("fp32", "fp16", "int8"))
    folders = {recipe.precision: folder / recipe.precision for recipe in recipes}
    for path in folders.values():
        path.mkdir()
    target.convert(source, recipes, folders)
    np.save(folder / "photos.npy", shared_bundle.golden().tensors)
    return folder


def _prune(source: Source) -> None:
    from dermport.compression.pruning.masks import kernels_of, prunable, set_kernels, two_of_four_zeroed

    [trunk] = [layer for layer in source.model.layers if hasattr(layer, "layers")]
    set_kernels(trunk, two_of_four_zeroed(kernels_of(trunk, prunable(trunk, "pointwise"))))


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_the_pattern_survives_every_precision_and_the_kit_says_so(kits: Path, precision: str) -> None:
    assert pattern_violations(onnx.load(kits / precision / "model.onnx")) == ()
    assert read_kit(kits / precision).sparse_weights


@VERSIONS
def test_tensorrt_is_told_of_the_pattern(kits: Path, version: str, tmp_path: Path) -> None:
    assert probe(version, ["trt.BuilderFlag.SPARSE_WEIGHTS"]) == ["ok"]
    shutil.copytree(kits / "fp32", tmp_path / "sparse")
    shutil.copytree(kits / "fp32", tmp_path / "dense")
    write_json(tmp_path / "dense" / KIT, json.loads((kits / "fp32" / KIT).read_text()) | {"sparse_weights": False})
    result = run(version, "session", str(kits / "photos.npy"), str(tmp_path / "sparse"), str(tmp_path / "dense"))
    assert calls(result["sparse"], "IBuilderConfig.set_flag") == [["BuilderFlag.SPARSE_WEIGHTS"]]
    assert result["sparse"]["engine"]["flags"] == ["SPARSE_WEIGHTS"]
    assert calls(result["dense"], "IBuilderConfig.set_flag") == []
