from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dermport.bundle.notice import NOTICE
from dermport.bundle.policy import read_policy
from dermport.bundle.store import Bundle
from dermport.errors import BundleError, ExportError, IntegrityError, UnavailableError
from dermport.exporters.contract import Source
from dermport.exporters.exporter import Exporter
from dermport.exporters.microcontroller.slim import Slim, measured_arena, slim
from dermport.exporters.microcontroller.sources import METHODS
from dermport.exporters.registry import select
from dermport.exporters.source import load_source
from dermport.exporters.targets.microcontroller import Microcontroller
from dermport.exporters.targets.tflite import TFLite
from dermport.exporters.tflite.calibrate import Probe
from dermport.exporters.tflite.graph import TFLiteGraph
from dermport.exporters.tflite.precision import model_for
from dermport.exporters.verify import golden_reference, verify
from dermport.runtimes.microcontroller_card import CARD, read_card
from dermport.runtimes.tflite_micro import TFLiteMicro
from tests.conftest import made_once
from tests.exporters.integer_model import flat_network, integer_model
from tests.shallow import CONVOLUTIONS, DEPTHWISE, PLAIN

TARGET = Microcontroller()


@pytest.fixture(scope="module")
def exported(shared_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The tiny bundle exported for microcontrollers; do not change it."""

    def make(path: Path) -> None:
        shutil.copytree(shared_bundle.path, path)
        Exporter(Bundle.open(path)).export(TARGET, *TARGET.capabilities.recipes)

    return made_once(tmp_path_factory, "microcontroller", make)


@pytest.fixture(scope="module")
def folder(exported: Bundle) -> Path:
    return exported.export("microcontroller", "int8").path


@pytest.fixture
def copy(exported: Bundle, tmp_path: Path) -> Bundle:
    shutil.copytree(exported.path, tmp_path / "tiny")
    return Bundle.open(tmp_path / "tiny")


def _bytes_of(source: str, array: str) -> list[int]:
    (body,) = re.findall(rf"{array}\[\w+\] = \{{(.*?)\}};", source, re.DOTALL)
    return [int(word, 0) for word in re.findall(r"-?\w+", body)]


def test_the_artifact_agrees_with_the_original_in_tflite_micro(copy: Bundle) -> None:
    parity = verify(copy, copy.export("microcontroller", "int8"), golden_reference(copy), read_policy())
    assert parity.status in {"pass", "warn"}, parity.reasons
    assert parity.evidence == "host-runtime"
    assert parity.runtime.startswith("TFLite Micro")
    assert parity.labels_match


def test_changed_bytes_are_refused(copy: Bundle) -> None:
    export = copy.export("microcontroller", "int8")
    (export.path / "model_data.cc").write_text("other")
    with pytest.raises(IntegrityError, match=r"model_data\.cc"):
        verify(copy, export, golden_reference(copy), read_policy())


def test_the_array_is_the_model_and_the_codes_are_the_cards(folder: Path) -> None:
    source, card = (folder / "model_data.cc").read_text(), read_card(folder)
    model = (folder / "model.tflite").read_bytes()
    assert bytes(_bytes_of(source, "g_model")) == model
    assert tuple(_bytes_of(source, "kInputCodes")) == card.input_codes
    assert card.flash_bytes == len(model)
    assert "alignas(16) const unsigned char g_model" in source


def test_every_file_bears_the_notice(folder: Path) -> None:
    texts = [(folder / name).read_text() for name in ("model_data.h", "model_data.cc", "README.md", CARD)]
    assert all(NOTICE in text for text in texts)
    header, guide = texts[0], texts[2]
    card = read_card(folder)
    assert f"constexpr int kArenaBytes = {card.arena_bytes};" in header
    assert f"{card.arena_bytes:,} bytes" in guide
    assert all(f"resolver.{METHODS[kind]}();" in guide for kind in card.operators)


@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")
def test_the_sources_compile(folder: Path, tmp_path: Path) -> None:
    main = "int main() { return g_model[4] == 0x54 && kInputCodes[255] && *kLabelNames[0] ? 0 : 1; }"
    (tmp_path / "main.cc").write_text(f'#include "model_data.h"\n{main}\n')
    sources = [str(tmp_path / "main.cc"), str(folder / "model_data.cc")]
    flags = ["-std=c++17", "-Wall", "-Werror", f"-I{folder}", "-o", str(tmp_path / "main")]
    subprocess.run(["g++", *flags, *sources], check=True)
    assert subprocess.run([str(tmp_path / "main")], check=False).returncode == 0


def test_the_model_runs_in_the_arena_that_was_measured(folder: Path, exported: Bundle) -> None:
    card, model = read_card(folder), (folder / "model.tflite").read_bytes()
    codes = np.array(card.input_codes, np.int8)
    assert card.arena_bytes is not None
    with TFLiteMicro(model, card.labels, codes, card.arena_bytes) as runtime:
        given = runtime.predict(exported.golden().tensors[:2])
    with TFLiteMicro(model, card.labels, codes, 1 << 20) as runtime:
        np.testing.assert_array_equal(given, runtime.predict(exported.golden().tensors[:2]))
    assert 64 * 1024 < card.arena_bytes < 256 * 1024
    with pytest.raises(ExportError, match="cannot run the model in an arena"):
        TFLiteMicro(model, card.labels, codes, card.arena_bytes - 16 * 1024)


@pytest.fixture(scope="module")
def source(shared_bundle: Bundle) -> Source:
    return load_source(shared_bundle)


def test_slimming_changes_no_layer(source: Source, folder: Path) -> None:
    fat = model_for(TFLite.capabilities.recipe("int8"), source)
    made = slim(fat)
    assert made.model == (folder / "model.tflite").read_bytes(), "equal models give equal bytes"
    assert len(fat) - len(made.model) > 2458 * CONVOLUTIONS  # bytes: a fifth of a whole MobileNetV2
    assert "QUANTIZE" not in made.operators
    kinds = {operator.type: operator.count for operator in TARGET.describe(folder).operators}
    assert (kinds["CONV_2D"], kinds["DEPTHWISE_CONV_2D"]) == (PLAIN, DEPTHWISE)
    image, answers = TARGET.describe(folder).inputs[0], TARGET.describe(folder).outputs[0]
    assert (image.name, image.dtype, answers.name, answers.dtype) == ("image", "int8", "probabilities", "int8")


def test_an_integer_models_float_end_stays_float(source: Source, shared_bundle: Bundle) -> None:
    photos = source.calibration()
    model = integer_model(flat_network(source.model), photos[:16])
    fat = model_for(TFLite.capabilities.recipe("int8"), replace(source, model=model))
    made = slim(fat)
    tensors = shared_bundle.golden().tensors
    with TFLiteMicro(made.model, ("a", "b", "c", "d"), made.codes, 1 << 20) as runtime:
        found = runtime.predict(tensors)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-4)
    probe, graph = Probe(fat), TFLiteGraph(fat)
    output = graph.name_of(graph.ends[1])
    lite = [probe.value(output)[0] for _ in probe.run(tensors)]
    assert (found.argmax(axis=1) == np.argmax(lite, axis=1)).mean() > 0.8
    assert set(made.operators) <= set(METHODS)


def test_a_model_that_is_too_large_is_refused_before_it_is_converted(source: Source, tmp_path: Path) -> None:
    large = source.manifest.model.model_copy(update={"parameters": 2_266_951})
    manifest = source.manifest.model_copy(update={"model": large})
    with pytest.raises(ExportError, match=r"at least 2,266,951 bytes of flash.*1,000,000"):
        TARGET.convert(replace(source, manifest=manifest), TARGET.capabilities.recipes, {"int8": tmp_path})
    assert not list(tmp_path.iterdir())


def test_it_is_exported_to_only_where_it_is_named() -> None:
    names = lambda *given: [target.capabilities.name for target, _ in select(*given)]  # noqa: E731
    assert "microcontroller" not in names(None, None)
    assert "microcontroller" not in names(None, ["int8"])
    assert names(["microcontroller"], None) == names(["microcontroller"], ["int8"]) == ["microcontroller"]


def test_without_tflite_micro_nothing_is_claimed(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from dermport.runtimes import tflite_micro as module

    def refuse(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(module, "import_module", refuse)
    model = Slim((folder / "model.tflite").read_bytes(), np.zeros(256, np.int8), ())
    assert measured_arena(model) is None
    with pytest.raises(UnavailableError, match="wheels for x86-64"):
        TARGET.execution(folder)
    with pytest.raises(BundleError, match="cannot be read"):
        read_card(tmp_path)
