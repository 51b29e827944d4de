"""``import dermport as dp``: from a bundle to a verified artifact, with paths or objects."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dermport as dp
from tests.test_rooms import HEAVY, _loaded_after

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def bundle(shared_exports: dp.Bundle) -> dp.Bundle:
    return dp.Bundle.open(str(shared_exports.path))


@pytest.fixture(scope="module")
def photo(bundle: dp.Bundle) -> Path:
    return bundle.path / "golden" / bundle.golden().index.photos[0].photo


def test_importing_loads_next_to_nothing() -> None:
    loaded = _loaded_after("import dermport")
    assert not loaded & {*HEAVY, "numpy", "PIL", "pydantic", "flask", "typer", "rich"}


def test_every_name_is_there_and_every_type_known() -> None:
    assert {name: getattr(dp, name).__doc__ for name in dp.__all__ if not getattr(dp, name).__doc__} == {}
    assert set(dp.__all__) <= set(dir(dp))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        dp.nothing  # noqa: B018
    tree = ast.parse((ROOT / "dermport" / "__init__.py").read_text())
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert set(dp.__all__) <= imported, "what mypy and editors see"


def test_a_photo_is_answered_alike_in_every_form(bundle: dp.Bundle, photo: Path) -> None:
    with Image.open(photo) as image:
        pixels = np.asarray(image.convert("RGB"))
        answers = [bundle.predict(each) for each in (photo, str(photo), photo.read_bytes(), image, pixels)]
    first = answers[0]
    for other in answers[1:]:
        np.testing.assert_array_equal(other.probabilities, first.probabilities)
    np.testing.assert_allclose(first.probabilities, bundle.golden().probabilities[0], atol=1e-5)
    assert first.labels == bundle.manifest.task.ids
    positive = [first.probabilities[index] for index in bundle.manifest.task.positive_indices]
    assert first.score == pytest.approx(sum(positive), abs=1e-6)
    assert first.positive == (first.score >= first.threshold)
    assert first.label in first.labels
    assert dp.NOTICE in first._repr_html_()


def test_what_is_no_photo_is_refused(bundle: dp.Bundle, tmp_path: Path) -> None:
    with pytest.raises(dp.PhotoError):
        bundle.predict(b"nothing")
    with pytest.raises(dp.DataError, match="cannot be read"):
        bundle.predict(tmp_path / "missing.jpg")
    with pytest.raises(dp.UsageError, match=r"float64 \[2, 2\], not RGB"):
        bundle.predict(np.zeros((2, 2)))
    with pytest.raises(dp.UsageError, match="int is no photo"):
        bundle.predict(3)  # type: ignore[arg-type]
    with pytest.raises(dp.BundleError):
        dp.Bundle.open(tmp_path)


def test_an_export_is_loaded_and_answers_prepared_photos(bundle: dp.Bundle, photo: Path) -> None:
    tensor = dp.prepare(photo, bundle.path)
    np.testing.assert_array_equal(tensor, bundle.golden().tensors[0])
    export = bundle.export("onnx", "fp32")
    for given in (export, str(export.path)):
        with dp.load(given) as runtime:
            assert runtime.labels == bundle.manifest.task.ids
            found = runtime.predict(tensor[None])[0]
            np.testing.assert_allclose(found, bundle.predict(photo).probabilities, atol=1e-5)


def test_exports_and_proofs_are_tables(exported_bundle: dp.Bundle, capfd: pytest.CaptureFixture[str]) -> None:
    (made,) = dp.export(exported_bundle, to="tflite", precision="fp32")
    assert made.path.name == "tflite-fp32"
    found = dp.verify(exported_bundle.path, to="tflite", precision=["fp32"])
    assert found.passed
    assert "<td>tflite-fp32</td><td>pass</td>" in found._repr_html_()
    assert "tflite-fp32  pass" in repr(found)
    assert "pass, host-runtime" in dp.Bundle.open(exported_bundle).exports()._repr_html_()
    assert capfd.readouterr().out == ""


def test_names_are_escaped_in_tables() -> None:
    prediction = dp.PhotoPrediction(("<b>",), np.ones(1, np.float32), 1.0, 0.5, True)
    assert "&lt;b&gt;" in prediction._repr_html_()


def test_progress_is_told_when_it_is_asked_for(exported_bundle: dp.Bundle, capfd: pytest.CaptureFixture[str]) -> None:
    dp.verify(exported_bundle, to="onnx", precision="fp32", progress=True)
    told = capfd.readouterr().err
    assert "proving: 16 of 16" in told
    assert "onnx-fp32: pass, top-1 1.000" in told


def test_zips_are_packed(bundle: dp.Bundle, tmp_path: Path) -> None:
    (path,) = dp.package(bundle, "android", out=tmp_path)
    assert path.suffix == ".zip"
    assert path.is_file()


def test_the_server_is_an_app(bundle: dp.Bundle, tmp_path: Path) -> None:
    app = dp.create_app(bundle, state=tmp_path, serving=dp.ServingConfig(runtime="onnxruntime", workers=1))
    try:
        assert app.test_client().get("/readyz").status_code == 200
    finally:
        app.extensions["dermport"].close()


def test_a_wrong_field_is_named_as_such(tmp_path: Path) -> None:
    with pytest.raises(dp.UsageError, match="batch") as caught:
        dp.train(tmp_path, tmp_path / "out", recipe=dp.TrainingRecipe(batch=0))
    assert "--" not in str(caught.value)


def test_python_m_dermport_runs() -> None:
    done = subprocess.run([sys.executable, "-m", "dermport", "--help"], capture_output=True, check=False, cwd=ROOT)
    assert done.returncode == 0
