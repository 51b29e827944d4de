"""Core ML packages: what they say of themselves, their sizes, and that they are the model that was given."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dermport.bundle.hashing import sha256_file
from dermport.errors import ExportError, UnavailableError, UsageError
from dermport.exporters.coreml.conversion import classifier_from_keras
from dermport.exporters.coreml.convert import PackageDescription, convert, convert_all, write_package
from dermport.exporters.rounding import LARGEST_INT8
from dermport.runtimes.coreml import CoreMLRuntime
from dermport.runtimes.mil.program import read_program
from dermport.runtimes.mil.reference import MilReference, ProgramSession
from dermport.runtimes.quiet import import_coremltools
from tests.factories import LABELS, SIZE, draw_set, firm, tensors_of
from tests.shallow import CONVOLUTIONS, LARGE, PLAIN, shallow_networks

Photos = NDArray[np.uint8]

# Mean change of a probability. Each of some hundred operations rounds to 11 bits, which batch normalisation amplifies;
# int8 adds 1/254 of a channel's largest weight to weights, a palette of 16 values about a tenth of each.
# Wrong channels, labels or normalisation change probabilities by 0.1 and more (test_mil).
BOUNDS = {"fp16": 0.008, "int8": 0.01, "palette4": 0.03}


@pytest.fixture(scope="module")
def photos(keras_model: Any) -> Photos:
    return firm(keras_model, tensors_of(draw_set(12, first_seed=500)[0]))


@pytest.fixture(scope="module")
def calibrated(keras_model: Any, description: PackageDescription, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The packages as exports are: means that rounding shifts are taken back."""
    folder = tmp_path_factory.mktemp("calibrated")
    outputs = {precision: folder / f"{precision}.mlpackage" for precision in BOUNDS}
    convert_all(keras_model, LABELS, outputs, description, photos=tensors_of(draw_set(8, first_seed=300)[0]))
    return outputs


def weight_file(path: Path) -> Path:
    return path / "Data" / "com.apple.CoreML" / "weights" / "weight.bin"


def weight_bytes(path: Path) -> int:
    return weight_file(path).stat().st_size


def keras_answers(model: Any, photos: Photos) -> NDArray[np.float32]:
    return np.asarray(model(photos.astype(np.float32), training=False))


def reference_answers(path: Path, photos: Photos) -> NDArray[np.float32]:
    with MilReference(path) as reference:
        return reference.predict(photos)


def small_model(photos: Photos, classes: int, pruned: bool) -> Any:
    """A random shallow MobileNetV2, batch normalisation of the photos' statistics; pruned: with half its weights."""
    import keras

    keras.utils.set_random_seed(classes)
    size = photos.shape[1]
    with shallow_networks():
        trunk = keras.applications.MobileNetV2((size, size, 3), 0.35, include_top=False, weights=None, pooling="avg")
    for layer in trunk.layers:
        if hasattr(layer, "moving_mean"):
            layer.momentum = 0.0
        elif pruned:
            weights = layer.get_weights()
            layer.set_weights([np.where(np.abs(w) > np.quantile(np.abs(w), 0.5), w, 0) for w in weights])
    trunk(photos.astype(np.float32) / 127.5 - 1, training=True)
    image = keras.Input((size, size, 3))
    features = trunk(keras.layers.Rescaling(1 / 127.5, offset=-1.0)(image), training=False)
    kernel = keras.initializers.RandomNormal(stddev=0.05, seed=classes)
    return keras.Model(image, keras.layers.Dense(classes, "softmax", kernel_initializer=kernel)(features))


@pytest.mark.parametrize("precision", BOUNDS)
def test_saved_package_agrees_with_keras(
    precision: str, calibrated: dict[str, Path], keras_model: Any, photos: Photos
) -> None:
    expected, answers = keras_answers(keras_model, photos), reference_answers(calibrated[precision], photos)
    assert len(set(expected.argmax(axis=1))) == len(LABELS), "every label must win, or agreement says nothing"
    assert 0 < np.abs(answers - expected).mean() < BOUNDS[precision]
    assert (answers.argmax(axis=1) == expected.argmax(axis=1)).all()
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=2e-3)


def test_palette_has_four_bits(mlpackages: dict[str, Path]) -> None:
    program, _ = read_program(mlpackages["palette4"])
    weights = [program.constants[o.inputs["weight"][0]] for o in program.operations if o.type == "conv"]
    compressed = [weight for weight in weights if weight.size > LARGEST_INT8]
    # NumPy 2.4 sorts float16 wrongly where AVX512_ICL is used and values repeat, so as float32.
    assert {len(np.unique(weight.astype(np.float32))) for weight in compressed} == {16}


def test_float32_program_agrees_to_rounding(
    keras_model: Any, photos: Photos, tmp_path: Path, description: PackageDescription
) -> None:
    path = tmp_path / "fp32.mlpackage"
    write_package(classifier_from_keras(keras_model, LABELS, half=False), path, description)
    assert np.abs(reference_answers(path, photos) - keras_answers(keras_model, photos)).max() < 1e-4


@pytest.mark.parametrize(("size", "classes", "pruned"), [(64, 2, False), (80, 7, True)])
def test_other_sizes_binary_and_pruned_models(
    size: int, classes: int, pruned: bool, tmp_path: Path, description: PackageDescription
) -> None:
    photos, labels = tensors_of(draw_set(4)[0], size), tuple(f"class {i}" for i in range(classes))
    model = small_model(photos, classes, pruned)
    write_package(classifier_from_keras(model, labels, half=False), tmp_path / "fp32.mlpackage", description)
    convert(model, labels, "int8", tmp_path / "int8.mlpackage", description)
    expected = keras_answers(model, photos)
    assert expected.std(axis=0).max() > 0.01, "the photos must make a difference"
    with MilReference(tmp_path / "fp32.mlpackage") as reference:
        assert reference.labels == labels
        assert np.abs(reference.predict(photos) - expected).max() < 1e-4
    assert 0 < np.abs(reference_answers(tmp_path / "int8.mlpackage", photos) - expected).mean() < 0.05


def test_calibration_takes_back_the_mean_shift_of_compressed_layers(
    mlpackages: dict[str, Path], calibrated: dict[str, Path], keras_model: Any, photos: Photos
) -> None:
    calibration = tensors_of(draw_set(8, first_seed=300)[0])
    first = next(
        operation.outputs[0]
        for operation in read_program(mlpackages["palette4"])[0].operations
        if operation.inputs.get("weight", ("",))[0].endswith(("_palettized", "_quantized"))
    )

    def channel_means(path: Path) -> NDArray[np.float64]:
        batches = ProgramSession(*read_program(path), [first]).batches(calibration)
        values = np.concatenate([batch[0] for batch in batches])
        return np.asarray(values.mean(axis=(0, 2, 3), dtype=np.float64))

    exact = channel_means(mlpackages["fp16"])
    shift = np.abs(channel_means(mlpackages["palette4"]) - exact).max()
    assert np.abs(channel_means(calibrated["palette4"]) - exact).max() < 0.1 * shift

    expected = keras_answers(keras_model, photos)
    corrected, plain = (
        np.abs(reference_answers(path, photos) - expected).mean()
        for path in (calibrated["palette4"], mlpackages["palette4"])
    )
    assert corrected < plain
    assert weight_bytes(calibrated["palette4"]) == weight_bytes(mlpackages["palette4"])
    assert sha256_file(weight_file(calibrated["fp16"])) == sha256_file(weight_file(mlpackages["fp16"]))


def test_calibration_needs_photos(
    keras_model: Any, photos: Photos, description: PackageDescription, tmp_path: Path
) -> None:
    with pytest.raises(ExportError, match="no calibration photos"):
        convert(keras_model, LABELS, "int8", tmp_path / "a.mlpackage", description, photos=photos[:0])
    assert list(tmp_path.iterdir()) == []


def test_package_says_what_it_is(mlpackages: dict[str, Path], description: PackageDescription) -> None:
    ct = import_coremltools()
    for path in mlpackages.values():
        manifest = (path / "Manifest.json").read_bytes()
        saved = ct.models.MLModel(str(path), skip_model_load=True)
        assert (path / "Manifest.json").read_bytes() == manifest, "opening a package must not change its sha256"
        spec = saved.get_spec()
        assert spec.WhichOneof("Type") == "mlProgram"
        assert spec.specificationVersion == ct.target.iOS16
        assert (saved.author, saved.license) == (description.author, description.licence)
        assert (saved.short_description, saved.version) == (description.text, description.version)
        assert dict(saved.user_defined_metadata).items() >= dict(description.metadata).items()
        (image,) = spec.description.input
        assert image.name == "image"
        assert image.shortDescription
        assert (image.type.imageType.width, image.type.imageType.height) == (SIZE, SIZE)
        assert [output.name for output in spec.description.output] == ["classLabel", "classLabel_probs"]


def test_sizes_follow_the_precision(mlpackages: dict[str, Path], keras_model: Any) -> None:
    float32 = 4 * keras_model.count_params()
    assert weight_bytes(mlpackages["fp16"]) / float32 < 0.51
    # Alpha 0.35 has a larger share of small tensors, which stay float16, than alpha 1.0.
    assert weight_bytes(mlpackages["int8"]) < 0.68 * weight_bytes(mlpackages["fp16"])
    assert weight_bytes(mlpackages["palette4"]) < 0.52 * weight_bytes(mlpackages["fp16"])


def test_operators_are_counted_by_precision(mlpackages: dict[str, Path]) -> None:
    counts = {
        precision: {(c.type, c.precision): c.count for c in MilReference(path).operators}
        for precision, path in mlpackages.items()
    }
    for count in counts.values():
        assert count["conv", "fp16"] == CONVOLUTIONS
        assert count["relu6", "fp16"] == PLAIN
        assert count["classify", "fp32"] == 1
    compressed = counts["int8"]["constexpr_affine_dequantize", "int8"]
    large = counts["palette4"]["constexpr_lut_to_dense", "uint4"]
    assert compressed - large == counts["palette4"]["constexpr_affine_dequantize", "int8"] >= 8
    assert large == LARGE
    assert not any(kind.startswith("constexpr") for kind, _ in counts["fp16"])


def test_converting_again_is_silent_and_gives_the_same_bytes(
    mlpackages: dict[str, Path],
    keras_model: Any,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    description: PackageDescription,
) -> None:
    again = tmp_path / "again.mlpackage"
    convert(keras_model, LABELS, "palette4", again, description)
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "%|" not in printed.err
    assert "Warning" not in printed.err
    files = [file.relative_to(again) for file in sorted(again.rglob("*")) if file.is_file()]
    assert len(files) == 3
    assert [name for name in files if (again / name).read_bytes() != (mlpackages["palette4"] / name).read_bytes()] == []


def test_refuses_what_cannot_be_meant(
    keras_model: Any, mlpackages: dict[str, Path], tmp_path: Path, description: PackageDescription
) -> None:
    with pytest.raises(ExportError, match="2 labels"):
        convert(keras_model, ["a", "b"], "fp16", tmp_path / "a.mlpackage", description)
    with pytest.raises(UsageError, match="int3"):
        convert(keras_model, LABELS, "int3", tmp_path / "a.mlpackage", description)
    with pytest.raises(ExportError, match="exists"):
        convert(keras_model, LABELS, "fp16", mlpackages["fp16"], description)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "darwin", reason="a Mac has Core ML")
def test_core_ml_itself_is_refused_off_a_mac(mlpackages: dict[str, Path]) -> None:
    assert "macOS" in CoreMLRuntime.unavailable()
    with pytest.raises(UnavailableError, match="macOS"):
        CoreMLRuntime(mlpackages["fp16"])


def test_core_ml_runtime_speaks_the_documented_interface(
    mlpackages: dict[str, Path], photos: Photos, monkeypatch: pytest.MonkeyPatch
) -> None:
    ct = import_coremltools()
    assert list(inspect.signature(ct.models.MLModel.predict).parameters)[:2] == ["self", "data"]
    assert "compute_units" in inspect.signature(ct.models.MLModel.__init__).parameters
    spec = ct.models.MLModel(str(mlpackages["fp16"]), skip_model_load=True).get_spec()
    shown = []

    class OnAMac:
        def __init__(self, path: str, compute_units: Any) -> None:
            assert (path, compute_units) == (str(mlpackages["fp16"]), ct.ComputeUnit.ALL)

        def get_spec(self) -> Any:
            return spec

        def predict(self, data: dict[str, Any]) -> dict[str, Any]:
            shown.append(data["image"])
            return {"classLabel": "nv", "classLabel_probs": {"nv": 0.4, "mel": 0.3, "bcc": 0.2, "akiec": 0.1}}

    monkeypatch.setattr(CoreMLRuntime, "unavailable", classmethod(lambda _cls: ""))
    fake = SimpleNamespace(
        models=SimpleNamespace(MLModel=OnAMac), ComputeUnit=ct.ComputeUnit, __version__=ct.__version__
    )
    monkeypatch.setattr("dermport.runtimes.coreml.import_coremltools", lambda: fake)
    with CoreMLRuntime(mlpackages["fp16"]) as runtime:
        answers = runtime.predict(photos[:2])
        with pytest.raises(ExportError, match="uint8"):
            runtime.predict(photos[:1].astype(np.float32))
    assert answers.dtype == np.float32
    np.testing.assert_allclose(answers, [[0.1, 0.2, 0.3, 0.4]] * 2, rtol=1e-6)
    assert all(image.mode == "RGB" for image in shown)
    np.testing.assert_array_equal([np.asarray(image) for image in shown], photos[:2])
