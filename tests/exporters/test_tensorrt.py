"""The TensorRT target without TensorRT: kits, sidecars, refusals, and what building changes in a bundle."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

from dermport.bundle.hashing import sha256_file
from dermport.bundle.store import Bundle
from dermport.errors import BundleError, EngineMismatchError, IntegrityError, UnavailableError, UsageError
from dermport.exporters.exporter import Exporter
from dermport.exporters.onnx.lint import violations
from dermport.exporters.targets.tensorrt import TensorRT
from dermport.exporters.tensorrt import builder
from dermport.exporters.tensorrt.kit import TYPINGS, Typing, read_kit
from dermport.runtimes import engine
from dermport.runtimes.engine import Machine, checked_engine, read_sidecar
from tests.factories import LABELS, SIZE

ORIN = Machine("10.3.0", "Orin", "8.7", "Linux aarch64", "6.2")


@pytest.fixture(scope="module")
def exported(shared_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle with its three kits, not to be changed."""
    path = tmp_path_factory.mktemp("kits") / "tiny"
    shutil.copytree(shared_bundle.path, path)
    target = TensorRT()
    exporter = Exporter(Bundle.open(path))
    for recipe in target.capabilities.recipes:
        exporter.export(target, recipe)
    return path


@pytest.fixture
def kit_bundle(exported: Path, tmp_path: Path) -> Bundle:
    """A copy of the bundle with its kits, to change at will."""
    shutil.copytree(exported, tmp_path / "tiny")
    return Bundle.open(tmp_path / "tiny")


@pytest.fixture
def kit(kit_bundle: Bundle) -> Path:
    return kit_bundle.export_folder("tensorrt", "fp16")


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """This machine is an Orin whose TensorRT writes the same engine each time; the folders that it built."""
    built: list[Path] = []

    def serialised(folder: Path, *_: object) -> bytes:
        built.append(folder)
        return b"plan"

    monkeypatch.setattr(builder, "this_machine", lambda: ORIN)
    monkeypatch.setattr(builder, "_serialised", serialised)
    return built


def test_kits_carry_what_a_jetson_needs(exported: Path) -> None:
    bundle, target = Bundle.open(exported), TensorRT()
    photos, expected = bundle.golden().tensors, bundle.golden().probabilities
    folders = {
        recipe.precision: bundle.export_folder("tensorrt", recipe.precision) for recipe in TensorRT.capabilities.recipes
    }
    for precision, folder in folders.items():
        kit = read_kit(folder)
        assert (kit.precision, kit.labels, kit.built) == (precision, LABELS, False)
        assert "TensorRT" in kit.not_built_because
        assert kit.onnx_sha256 == sha256_file(folder / "model.onnx")
        assert (kit.profile.minimum, kit.profile.optimum, kit.profile.maximum) == (1, 8, 32)
        assert kit.inputs[0].shape == (-1, SIZE, SIZE, 3)
        execution = target.execution(folder)
        assert execution.evidence == "host-proxy"
        assert execution.reason
        with execution.runtime as runtime:
            change = np.abs(runtime.predict(photos) - expected)
        assert change.max() < {"fp32": 1e-5, "fp16": 0.02, "int8": 0.25}[precision]
        assert change.mean() < {"fp32": 1e-5, "fp16": 0.005, "int8": 0.05}[precision]
    assert violations(onnx.load(folders["int8"] / "model.onnx")) == ()


def test_typing_by_version() -> None:
    fp16, int8 = TYPINGS["fp16"], TYPINGS["int8"]
    assert [fp16.strong(v) for v in ("8.5.2", "10.3.0", "10.11.0", "10.12.0.36", "10.16.1.11", "11.4.0")] == [
        False,
        False,
        False,
        True,
        True,
        True,
    ]
    assert fp16.flags("10.3.0") == ("FP16",)
    assert int8.flags("8.6.1") == ("INT8",)
    assert int8.flags("11.0.0") == ()
    assert Typing.model_validate_json(int8.model_dump_json()) == int8


def test_building_updates_kit_and_export(kit_bundle: Bundle, kit: Path, builds: list[Path]) -> None:
    before = kit_bundle.export("tensorrt", "fp16").record
    assert not before.built
    assert before.not_built_because
    record = builder.build_engine(kit, workspace_mib=512)
    assert builds == [kit]
    assert read_sidecar(kit) == record
    assert (record.tensorrt, record.jetpack, record.typing, record.flags) == ("10.3.0", "6.2", "weak", ("FP16",))
    assert record.labels == LABELS
    assert checked_engine(kit, ORIN) == record
    after = kit_bundle.export("tensorrt", "fp16")
    assert after.record.built
    assert after.record.tools["tensorrt"] == "10.3.0"
    assert {entry.path for entry in after.record.files} >= {"model.onnx", "kit.json", "model.engine", "engine.json"}
    assert after.checked().name == "model.engine"
    assert after.record.artifact_sha256 == record.engine_sha256
    assert after.record.parity is None, "the proof was the ONNX's"
    assert after.record.key == before.key, "building is no reason to export again"
    assert read_kit(kit).built
    assert TensorRT().describe(kit).built


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"tensorrt": "10.16.1"}, "TensorRT: built with 10.3.0, here 10.16.1"),
        ({"compute_capability": "11.0"}, "GPU architecture: built with 8.7, here 11.0"),
        ({"system": "Linux x86_64"}, "system: built with Linux aarch64, here Linux x86_64"),
    ],
    ids=["tensorrt", "gpu", "system"],
)
def test_engine_of_another_machine_is_refused_and_rebuilt(
    kit: Path, builds: list[Path], monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], reason: str
) -> None:
    builder.build_engine(kit)
    here = replace(ORIN, **changed)
    with pytest.raises(EngineMismatchError, match=re.escape(reason)) as refusal:
        checked_engine(kit, here)
    assert "dermport build-engine" in str(refusal.value)
    monkeypatch.setattr(builder, "this_machine", lambda: here)
    said: list[str] = []
    assert builder.engine_for(kit, said.append) == kit / "model.engine"
    assert builds == [kit, kit]
    assert reason in said[0]
    assert checked_engine(kit, here)
    assert builder.engine_for(kit, said.append)
    assert len(builds) == 2, "an engine that fits is not built again"


def test_engine_of_another_onnx_or_damaged_is_refused(kit: Path, builds: list[Path]) -> None:
    builder.build_engine(kit)
    (kit / "model.engine").write_bytes(b"plam")
    with pytest.raises(EngineMismatchError, match=r"sha256 of model\.engine"):
        checked_engine(kit, ORIN)
    (kit / "model.onnx").write_bytes(b"other")
    with pytest.raises(EngineMismatchError, match=r"sha256 of model\.onnx"):
        checked_engine(kit, ORIN)
    with pytest.raises(IntegrityError, match="not the file that the kit describes"):
        builder.build_engine(kit)


def test_engine_without_a_valid_sidecar_is_refused(kit: Path, builds: list[Path]) -> None:
    with pytest.raises(EngineMismatchError, match=r"no engine with its engine\.json"):
        checked_engine(kit, ORIN)
    builder.build_engine(kit)
    document = json.loads((kit / "engine.json").read_text())
    (kit / "engine.json").write_text(json.dumps(document | {"schema": "dermport-engine/9"}))
    with pytest.raises(EngineMismatchError, match=r"engine\.json is not valid"):
        checked_engine(kit, ORIN)


def test_a_failed_build_leaves_the_old_engine(kit: Path, builds: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    builder.build_engine(kit)
    before = {path.name: path.read_bytes() for path in kit.iterdir()}

    def fail(*_: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(builder, "_serialised", fail)
    with pytest.raises(KeyboardInterrupt):
        builder.build_engine(kit)
    assert {path.name: path.read_bytes() for path in kit.iterdir()} == before


def test_command_builds_the_chosen_kits_of_a_bundle(
    kit_bundle: Bundle, kit: Path, builds: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "this_machine", lambda: ORIN)
    run = CliRunner().invoke(_app(), [str(kit_bundle.path), "--precision", "fp16", "--json"])
    assert run.exit_code == 0, run.output
    assert builds == [kit]
    document = json.loads(run.stdout)
    assert document["engines"][str(kit)]["schema"] == "dermport-engine/1"
    assert not read_kit(kit.with_name("tensorrt-int8")).built
    refused = CliRunner().invoke(_app(), [str(kit_bundle.path), "--precision", "int2"])
    assert isinstance(refused.exception, UsageError)
    assert "holds no engine kit of precision int2" in str(refused.exception)


def test_command_says_what_this_machine_lacks(kit: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke(_app(), [str(kit)])
    assert isinstance(run.exception, UnavailableError)
    assert "TensorRT is not installed here" in str(run.exception)
    with pytest.raises(BundleError, match=r"kit\.json does not exist"):
        read_kit(tmp_path)


def _app() -> object:
    import typer

    from dermport.cli.build_engine import build_engine

    app = typer.Typer()
    app.command()(build_engine)
    return app
