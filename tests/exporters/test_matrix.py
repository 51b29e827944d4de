"""Each artifact on its own: one that cannot be made, or proved, stops no other, and is told with its reason."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

import dermport as dp
from dermport.bundle.export_record import TensorSpec
from dermport.bundle.store import Bundle
from dermport.cli.main import build_app
from dermport.errors import ArtifactsFailedError, ExportError
from dermport.exporters import exporter, workers
from dermport.exporters.contract import Capabilities, Description, PrecisionRecipe, Source, Target
from dermport.exporters.exporter import require_ends
from dermport.exporters.matrix import Selection, export_matrix

SIZE, LABELS = 64, 4
GOOD, EXTRA, RAISES, REFUSES = "good", "extra", "raises", "refuses"


class Planted(Target):
    """Writes a file, or fails in the way that the precision is called by."""

    capabilities = Capabilities(
        name="planted",
        devices="none",
        artifact="model.bin",
        recipes=tuple(PrecisionRecipe(name, name, policy="fp32") for name in (RAISES, REFUSES, EXTRA, GOOD)),
        dynamic_batch=True,
        builds_on="any",
        evidence=("host-runtime",),
        tools=(),
        converts_with=(),
    )

    def convert(self, source: Source, recipes: tuple[PrecisionRecipe, ...], folders: Mapping[str, Path]) -> None:
        for recipe in recipes:
            if recipe.precision == RAISES:
                raise KeyError("Erfc")
            if recipe.precision == REFUSES:
                raise ExportError("It has two inputs.", remedy="Give it one.")
            (folders[recipe.precision] / "model.bin").write_text(recipe.precision)

    def describe(self, folder: Path) -> Description:
        photo = TensorSpec(name="image", shape=(-1, SIZE, SIZE, 3), dtype="float32", meaning="")
        constant = TensorSpec(name="Sub/y", shape=(1, 1, 1, 3), dtype="float32", meaning="")
        answer = TensorSpec(name="probabilities", shape=(-1, LABELS), dtype="float32", meaning="")
        extra = (folder / "model.bin").read_text() == EXTRA
        return Description((photo, constant) if extra else (photo,), (answer,), ())


class Elsewhere(Planted):
    """Another target of the same kind, which converts with other libraries, and so in another process."""

    capabilities = Capabilities(**{**vars(Planted.capabilities), "name": "elsewhere", "converts_with": ("other",)})


SELECTION: Selection = [(Planted(), Planted.capabilities.recipes)]
MODEL: Any = SimpleNamespace(
    inputs=[SimpleNamespace(shape=(None, SIZE, SIZE, 3))], outputs=[SimpleNamespace(shape=(None, LABELS))]
)


@pytest.fixture
def planted(tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    """A bundle whose model nobody loads."""
    source = Source(MODEL, tiny_bundle.manifest, tiny_bundle.model_sha256, lambda: pytest.fail("not calibrated"))
    object.__setattr__(source, "_parts", None)
    monkeypatch.setattr(exporter, "load_source", lambda bundle: source)
    return tiny_bundle


def test_a_precision_that_fails_stops_no_other(planted: Bundle) -> None:
    reported: list[str] = []
    outcomes = export_matrix(planted, SELECTION, jobs=1, report=lambda outcome: reported.append(outcome.name))
    told = {outcome.name: str(outcome.failure) for outcome in outcomes}
    assert "KeyError: 'Erfc'" in told["planted-raises"]
    assert told["planted-refuses"] == "It has two inputs.\n  Give it one."
    assert "Sub/y [1, 1, 1, 3]" in told["planted-extra"]
    assert [outcome.fresh for outcome in outcomes] == [False, False, False, True]
    assert reported == list(told)
    assert [export.path.name for export in planted.exports()] == ["planted-good"]
    assert not list(planted.path.glob("exports/.*"))
    with pytest.raises(ExportError, match="two inputs"):
        _ = outcomes[1].export


def test_what_failed_is_tried_again_and_what_is_finished_is_not(planted: Bundle) -> None:
    export_matrix(planted, SELECTION, jobs=1)
    again = export_matrix(planted, SELECTION, jobs=1)
    assert [(outcome.fresh, outcome.failure is None) for outcome in again] == [(False, False)] * 3 + [(False, True)]


def test_the_command_tells_what_failed_and_ends_with_1(planted: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dermport.exporters.registry.select", lambda *_, **__: SELECTION)
    result = CliRunner().invoke(build_app(), ["export", str(planted.path), "--jobs", "1", "--json"])
    assert isinstance(result.exception, ArtifactsFailedError)
    assert "3 of 4 artifacts could not be exported" in str(result.exception)
    told = {one["precision"]: one for one in json.loads(result.stdout)["exports"]}
    assert told[GOOD]["fresh"]
    assert (told[REFUSES]["failed"], told[REFUSES]["remedy"]) == ("It has two inputs.", "Give it one.")


def test_a_full_disk_ends_the_export(planted: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporter, "write_record", full)
    with pytest.raises(OSError, match="No space"):
        export_matrix(planted, [(Planted(), Planted.capabilities.recipes[-1:])], jobs=1)


def _dies_of_one(target: Target, recipe: PrecisionRecipe) -> None:
    if recipe.precision == REFUSES:
        os._exit(9)
    raise ExportError(f"{recipe.precision} in {os.getpid()}")


def test_a_process_that_dies_takes_one_artifact_with_it(tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_export", _dies_of_one)
    selection: Selection = [*SELECTION, (Elsewhere(), Planted.capabilities.recipes[-1:])]
    told = {outcome.name: str(outcome.failure) for outcome in export_matrix(tiny_bundle, selection, jobs=2)}
    assert "ended without a word" in told.pop("planted-refuses")
    processes = {name: said.split()[-1] for name, said in told.items()}
    assert len(told) == 4
    assert processes["planted-raises"] != processes["planted-extra"] == processes["planted-good"]
    assert str(os.getpid()) not in processes.values()


def test_an_artifact_that_cannot_be_run_stops_no_other_proof(exported_bundle: Bundle) -> None:
    damaged = exported_bundle.export("onnx", "fp32")
    damaged.artifact.write_bytes(b"")
    (exported_bundle.export_folder("onnx", "int8-cpu") / "export.json").write_text("{}")
    asked = ["verify", str(exported_bundle.path), "--to", "onnx", "--json"]
    result = CliRunner().invoke(build_app(), asked)
    assert isinstance(result.exception, ArtifactsFailedError)
    assert result.exception.exit_code == 1
    assert set(result.exception.failures) == {"onnx-fp32", "onnx-int8-cpu"}
    artifacts = {one["precision"]: one for one in json.loads(result.stdout)["artifacts"]}
    assert {name: one["status"] for name, one in artifacts.items()} == {
        "int8": "pass", "fp32": "error", "int8-cpu": "error",
    }  # fmt: skip
    assert "not the file that was recorded" in artifacts["fp32"]["reasons"][0]
    found = dp.verify(exported_bundle, to="onnx")
    assert not found.passed
    assert "<td>onnx-fp32</td><td>error</td>" in found._repr_html_()


@pytest.mark.parametrize(
    ("inputs", "outputs", "fits"),
    [
        ([(-1, 64, 64, 3)], [(-1, 4)], True),
        ([(1, 64, 64, 3)], [(1, 4)], True),
        ([(-1, 64, 64, 3), (1, 1, 1, 3)], [(-1, 4)], False),
        ([(-1, 64, 32, 3)], [(-1, 4)], False),
        ([(-1, 64, 64, 3)], [(-1, 5)], False),
        ([(-1, 64, 64, 3)], [(-1, 4), (-1, 2, 2, 4)], False),
        ([(-1, 64, 64, 3), (-1, 4)], [], False),
    ],
)
def test_what_a_saved_file_takes_and_gives_is_the_models(inputs: Any, outputs: Any, fits: bool) -> None:
    specs = [
        tuple(
            TensorSpec(name=f"t{place}", shape=shape, dtype="float32", meaning="") for place, shape in enumerate(ends)
        )
        for ends in (inputs, outputs)
    ]
    source: Any = SimpleNamespace(model=MODEL)
    if fits:
        require_ends(Description(*specs, ()), source)
    else:
        with pytest.raises(ExportError, match="not the model's"):
            require_ends(Description(*specs, ()), source)
