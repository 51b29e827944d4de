"""Every check on every registered target and precision; a new target is tested by being registered."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from dermport.bundle.hashing import sha256_file
from dermport.bundle.policy import read_policy
from dermport.bundle.schema.publish import FOLDER as SCHEMAS
from dermport.bundle.store import Bundle
from dermport.errors import ExportError, IntegrityError
from dermport.exporters import exporter
from dermport.exporters.contract import PrecisionRecipe, Source, Target
from dermport.exporters.matrix import export_matrix
from dermport.exporters.registry import TARGETS, select
from dermport.exporters.source import load_source
from dermport.exporters.verify import golden_reference, verify
from dermport.workflows.verify import verify as prove
from tests.conformance.damage import DAMAGE
from tests.factories import make_bundle, make_model
from tests.shallow import CONVOLUTIONS

MATRIX = [(target, recipe) for target, recipes in select(None, None) for recipe in recipes]
EVERY = pytest.mark.parametrize(
    ("target", "recipe"), MATRIX, ids=[f"{target.capabilities.name}-{recipe.precision}" for target, recipe in MATRIX]
)


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_capabilities_are_complete(target: Target) -> None:
    capabilities = target.capabilities
    precisions = [recipe.precision for recipe in capabilities.recipes]
    assert len(set(precisions)) == len(precisions) > 0
    assert capabilities.evidence
    assert capabilities.devices
    assert capabilities.builds_on
    assert {recipe.policy for recipe in capabilities.recipes} <= set(read_policy().rules)
    assert all(recipe.summary for recipe in capabilities.recipes)
    assert target.runs_here()


@EVERY
def test_record_says_what_is_on_disk(target: Target, recipe: PrecisionRecipe, shared_exports: Bundle) -> None:
    export = shared_exports.export(target.capabilities.name, recipe.precision)
    record = export.record
    document = json.loads((export.path / "export.json").read_text())
    jsonschema.validate(document, json.loads((SCHEMAS / "export.schema.json").read_text()))
    assert export.checked().exists()
    on_disk = {p.relative_to(export.path).as_posix() for p in export.path.rglob("*") if p.is_file()} - {"export.json"}
    assert {entry.path for entry in record.files} == on_disk
    assert all(sha256_file(export.path / entry.path) == entry.sha256 for entry in record.files)
    assert record.bundle.model_sha256 == shared_exports.model_sha256
    assert record.labels == shared_exports.manifest.task.ids
    assert record.built or record.not_built_because
    assert set(target.capabilities.tools) <= set(record.tools)


@EVERY
def test_operators_and_inputs_are_read_from_the_artifact(
    target: Target, recipe: PrecisionRecipe, shared_exports: Bundle
) -> None:
    record = shared_exports.export(target.capabilities.name, recipe.precision).record
    size = shared_exports.manifest.preprocessing.size
    convolutions = sum(o.count for o in record.operators if "conv" in o.type.lower())
    assert convolutions == CONVOLUTIONS
    assert len(record.inputs) == len(record.outputs) >= 1
    assert set(record.inputs[0].shape) & {size}


@EVERY
def test_artifact_agrees_with_the_original(target: Target, recipe: PrecisionRecipe, exported_bundle: Bundle) -> None:
    ((_, parity),) = prove(exported_bundle, to=[target.capabilities.name], precision=[recipe.precision]).proofs
    assert (parity.status, parity.top1_agreement) == ("pass", 1.0), parity.reasons
    assert parity.evidence in target.capabilities.evidence
    assert parity.labels_match
    assert parity.photos == len(exported_bundle.golden().tensors)
    assert exported_bundle.export(target.capabilities.name, recipe.precision).record.parity == parity


@pytest.fixture(scope="module")
def shallow_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The first blocks of the tiny model: what a damage does, it does at any depth, and they convert sooner."""
    make = partial(make_model, last="block_2_add")
    return make_bundle(tmp_path_factory.mktemp("shallow") / "tiny", train=make)


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_damage_fails_in_every_precision(
    target: Target, kind: str, shallow_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged_source(bundle: Bundle) -> Source:
        return DAMAGE[kind](load_source(bundle))

    monkeypatch.setattr(exporter, "load_source", damaged_source)
    shutil.copytree(shallow_bundle.path, tmp_path / "tiny")
    bundle = Bundle.open(tmp_path / "tiny")
    ((_, recipes),) = select([target.capabilities.name], None)
    exports = exporter.Exporter(bundle)
    for recipe in recipes:
        exports.export(target, recipe)
        export = bundle.export(target.capabilities.name, recipe.precision)
        parity = verify(bundle, export, golden_reference(bundle), read_policy())
        wanted = "pass" if kind == "none" else "fail"
        assert parity.status == wanted, f"{export.path.name}: {parity}"


@EVERY
def test_changed_bytes_are_refused(target: Target, recipe: PrecisionRecipe, exported_bundle: Bundle) -> None:
    export = exported_bundle.export(target.capabilities.name, recipe.precision)
    largest = max(export.record.files, key=lambda entry: entry.size)
    path = export.path / largest.path
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match="is not the file that was recorded"):
        verify(exported_bundle, export, golden_reference(exported_bundle), read_policy())


def test_artifact_of_another_model_is_refused(exported_bundle: Bundle, shared_exports: Bundle) -> None:
    export = exported_bundle.exports()[0]
    other = export.record.bundle.model_copy(update={"model_sha256": "0" * 64})
    stale = type(export)(export.path, export.record.model_copy(update={"bundle": other}))
    with pytest.raises(ExportError, match="another model"):
        verify(exported_bundle, stale, golden_reference(exported_bundle), read_policy())


@EVERY
def test_runtime_answers_photos_in_their_order(target: Target, recipe: PrecisionRecipe, shared_exports: Bundle) -> None:
    tensors = shared_exports.golden().tensors[:3]
    export = shared_exports.export(target.capabilities.name, recipe.precision)
    with target.execution(export.path).runtime as runtime:
        together, alone = runtime.predict(tensors), [runtime.predict(tensor[None])[0] for tensor in tensors]
        assert runtime.labels == shared_exports.manifest.task.ids
        assert runtime.name
    assert together.dtype == np.float32
    assert together.shape == (3, len(shared_exports.manifest.task.labels))
    # float16 of Core ML's output rounds each probability to 2^-11.
    np.testing.assert_allclose(together.sum(axis=1), 1, atol=4e-3 if recipe.precision.startswith("int8") else 2e-3)
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_second_export_does_nothing(exported_bundle: Bundle) -> None:
    before = {p: p.stat().st_mtime_ns for p in exported_bundle.path.rglob("*")}
    outcomes = export_matrix(exported_bundle, select(None, None))
    assert len(outcomes) == len(MATRIX)
    assert not any(outcome.fresh for outcome in outcomes)
    assert before == {p: p.stat().st_mtime_ns for p in exported_bundle.path.rglob("*")}


def test_a_damaged_export_is_made_again(exported_bundle: Bundle) -> None:
    export = exported_bundle.export("onnx", "fp32")
    export.artifact.write_bytes(b"")
    (outcome,) = export_matrix(exported_bundle, select(["onnx"], ["fp32"]))
    assert outcome.fresh
    assert outcome.export.checked().stat().st_size > 0


def test_a_failed_export_leaves_the_old_one(
    exported_bundle: Bundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(_: Bundle) -> Source:
        raise ExportError("no")

    monkeypatch.setattr(exporter, "load_source", fail)
    before = exported_bundle.export("onnx", "fp32").record
    (outcome,) = export_matrix(exported_bundle, select(["onnx"], ["fp32"]), force=True)
    assert str(outcome.failure) == "no"
    assert exported_bundle.export("onnx", "fp32").record == before
    assert not list(exported_bundle.path.glob("exports/.*"))
