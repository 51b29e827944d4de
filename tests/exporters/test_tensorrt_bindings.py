"""Every attribute, flag and signature that our code uses, held against NVIDIA's real bindings of four versions."""

from __future__ import annotations

import ast
import functools
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dermport.bundle.store import Bundle
from dermport.exporters.maps import with_map
from dermport.exporters.source import load_source
from dermport.exporters.targets.tensorrt import TensorRT
from dermport.exporters.tensorrt.kit import TYPINGS
from tests.exporters.trt_bindings.prepare import NoWheelError, prepared
from tests.exporters.trt_bindings.versions import BINDINGS
from tests.factories import SIZE

ROOT = Path(__file__).parents[2]
SOURCES = [ROOT / "dermport/runtimes/tensorrt.py", ROOT / "dermport/exporters/tensorrt/builder.py"]
STRONG = {"8.6.1": False, "10.3.0": False, "10.16.1.11": True, "11.4.0.106": True}
FLAGS = {"fp32": [], "fp16": ["BuilderFlag.FP16"], "int8": ["BuilderFlag.INT8"]}
VERSIONS = pytest.mark.parametrize("version", BINDINGS)


def run(version: str, module: str, *args: str, text: str = "") -> Any:
    """Run a module of `trt_bindings` with the bindings of a version; return the JSON that it prints."""
    try:
        folder = prepared(version)
    except NoWheelError as reason:
        pytest.skip(str(reason))
    environment = os.environ | {
        "LD_LIBRARY_PATH": str(folder / "lib"),
        "PYTHONPATH": os.pathsep.join([str(folder / "site"), str(ROOT)]),
    }
    command = [sys.executable, "-m", f"tests.exporters.trt_bindings.{module}", *args]
    done = subprocess.run(command, env=environment, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def probe(version: str, expressions: list[str]) -> list[str]:
    """Return what comes of expressions on the double of a version: ``ok``, or the name of an error."""
    outcomes: list[str] = run(version, "probe", text=json.dumps(expressions))
    return outcomes


def square(batch: int) -> str:
    return str((batch, SIZE, SIZE, 3))


@pytest.fixture(scope="module")
def kits(shared_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle's three kits, each in a folder named by its precision (int8 with its map), and forty photos."""
    folder = tmp_path_factory.mktemp("kits")
    target = TensorRT()
    folders = {recipe.precision: folder / recipe.precision for recipe in target.capabilities.recipes}
    for path in folders.values():
        path.mkdir()
    source = load_source(shared_bundle)
    mapped = replace(source, model=with_map(source.model))
    for recipe in target.capabilities.recipes:  # engines with one output, and one with two
        target.convert(source if recipe.precision != "int8" else mapped, (recipe,), folders)
    np.save(folder / "photos.npy", np.tile(shared_bundle.golden().tensors, (3, 1, 1, 1))[:40])
    return folder


@pytest.fixture(scope="module")
def session(kits: Path) -> Any:
    """Build and run the three kits with the bindings of a version, once."""

    @functools.cache
    def cached(version: str) -> dict[str, Any]:
        result: dict[str, Any] = run(version, "session", str(kits / "photos.npy"), *(str(kits / p) for p in FLAGS))
        return result

    return cached


def calls(result: dict[str, Any], name: str) -> list[list[str]]:
    return [arguments for called, arguments in result["calls"] if called == name]


@VERSIONS
@pytest.mark.parametrize("precision", FLAGS)
def test_networks_are_typed_as_the_version_wants(session: Any, version: str, precision: str) -> None:
    result = session(version)[precision]
    flags = [flag for (flag,) in calls(result, "IBuilderConfig.set_flag")]
    assert flags == ([] if STRONG[version] else FLAGS[precision])
    assert result["engine"]["typing"] == ("strong" if STRONG[version] else "weak")
    assert result["engine"]["flags"] == [flag.partition(".")[2] for flag in flags]


@VERSIONS
def test_network_creation_flags_are_the_versions_own(session: Any, version: str) -> None:
    name = "STRONGLY_TYPED" if STRONG[version] else "EXPLICIT_BATCH"
    [[given]] = calls(session(version)["fp32"], "Builder.create_network")
    wanted = "0" if version == "10.3.0" else f"1 << int(trt.NetworkDefinitionCreationFlag.{name})"
    assert probe(version, [f"1 / ({given} == {wanted})"]) == ["ok"], f"{given} is not {wanted}"


@VERSIONS
def test_profile_workspace_and_timing_cache_arrive(session: Any, version: str) -> None:
    first, second = session(version)["fp32"], session(version)["fp16"]
    shapes = [["image", square(1), square(8), square(32)]]
    assert calls(first, "IOptimizationProfile.set_shape") == shapes
    assert calls(first, "IBuilderConfig.set_memory_pool_limit") == [["MemoryPoolType.WORKSPACE", str(64 << 20)]]
    assert calls(first, "IBuilderConfig.create_timing_cache")[0] == ["b''"]
    assert calls(second, "IBuilderConfig.create_timing_cache")[0] == ["b'timings'"]


@VERSIONS
def test_runtime_moves_every_photo_there_and_back(session: Any, version: str, kits: Path) -> None:
    from dermport.runtimes.onnxruntime import OnnxRuntime

    photos = np.load(kits / "photos.npy")
    for precision, result in session(version).items():
        with OnnxRuntime(kits / precision / "model.onnx", threads=1) as runtime:
            expected, maps = runtime.predict_with_maps(photos)
            assert tuple(result["labels"]) == runtime.labels
        np.testing.assert_allclose(result["probabilities"], expected, atol=1e-5)
        assert (result["maps"] is None) == (maps is None) == (precision != "int8")
        if maps is not None:
            np.testing.assert_allclose(result["maps"], maps, atol=1e-3)
        assert result["runtime"] == f"TensorRT {version}"
        batches = [shape for _, shape in calls(result, "IExecutionContext.set_input_shape")]
        assert batches == [square(32), square(8)]


@VERSIONS
def test_sidecar_says_what_built_the_engine(session: Any, version: str) -> None:
    engine = session(version)["int8"]["engine"]
    assert (engine["tensorrt"], engine["gpu"], engine["compute_capability"]) == (version, "Stub Orin", "8.7")
    assert engine["precision"] == "int8"
    assert engine["workspace_mib"] == 64


@VERSIONS
def test_every_name_in_our_source_is_in_the_bindings(session: Any, version: str) -> None:
    trees = [ast.parse(source.read_text()) for source in SOURCES]
    dotted = {ast.unparse(node) for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    constants = sorted(name for name in dotted if name.startswith("trt."))
    assert {"trt.Runtime", "trt.Logger.WARNING", "trt.MemoryPoolType.WORKSPACE"} <= set(constants)
    assert set(probe(version, constants)) == {"ok"}
    owners = ("self._runtime.", "self._engine.", "self._context.")
    methods = {name.rpartition(".")[2] for name in dotted if name.startswith(owners)}
    used = {name.partition(".")[2] for name, _ in session(version)["fp32"]["calls"]}
    assert len(methods) == 8
    assert methods <= used, "called in our source, but never held against the bindings"


@VERSIONS
def test_flags_of_our_table_exist_exactly_where_they_are_used(version: str) -> None:
    flags = sorted({flag for typing in TYPINGS.values() for flag in typing.weak_flags})
    assert flags == ["FP16", "INT8"]
    found = probe(version, [f"trt.BuilderFlag.{flag}" for flag in flags])
    assert found == (["AttributeError"] * 2 if version.startswith("11.") else ["ok"] * 2)
    assert all(not typing.flags(version) for typing in TYPINGS.values() if STRONG[version])


@VERSIONS
def test_what_the_bindings_lack_is_refused(version: str) -> None:
    """The double itself: were it lenient, the tests above would prove nothing."""
    expected = {
        "trt.NoSuchName": "AttributeError",
        "builder.no_such_method()": "AttributeError",
        "builder.create_network(flags=0)": "ok",
        "builder.create_network(flag=0)": "TypeError",
        "builder.create_network(0, 1)": "TypeError",
        "trt.Builder(trt.Logger())": "ok",
        "trt.Builder(3)": "TypeError",
        "config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, 1)": "ok",
        "config.set_memory_pool_limit('WORKSPACE', 1)": "TypeError",
        "config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE)": "TypeError",
        "setattr(config, 'no_such_property', 1)": "AttributeError",
        "context.set_tensor_address('image', 'nowhere')": "TypeError",
        "context.set_input_shape('image', (1, 96, 96, 3))": "ok",
        "context.set_input_shape('image', 'square')": "TypeError",
        "engine.num_bindings": "ok" if version == "8.6.1" else "AttributeError",
        "context.execute_async_v2([], 0)": "ok" if version == "8.6.1" else "AttributeError",
    }
    assert dict(zip(expected, probe(version, list(expected)), strict=True)) == expected
