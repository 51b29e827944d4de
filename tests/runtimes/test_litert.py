from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dermport.errors import ExportError
from dermport.exporters.tflite.graph import TFLiteGraph
from dermport.runtimes.base import Runtime
from dermport.runtimes.litert import LiteRT
from dermport.runtimes.tflite_metadata import from_flatbuffer, read_metadata, to_flatbuffer, with_files

LABELS = {"labels.txt": "mel\nnv\n\u00e9"}
NAMED = {
    "name": "test",
    "subgraph_metadata": [
        {
            "output_tensor_metadata": [
                {
                    "associated_files": [
                        {"name": "other.txt", "type": "DESCRIPTIONS"},
                        {"name": "german.txt", "type": "TENSOR_AXIS_LABELS", "locale": "de"},
                        {"name": "labels.txt", "type": "TENSOR_AXIS_LABELS"},
                    ]
                }
            ]
        }
    ],
}


def _convert(shape: tuple[int, ...], classes: int = 3) -> bytes:
    """Return a network that gives each class the softmax of one mean colour (classes beyond three: of red)."""
    import tensorflow as tf

    def network(image: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(tf.gather(tf.reduce_mean(image, (1, 2)), [c % 3 for c in range(classes)], axis=1) / 64)

    function = tf.function(network).get_concrete_function(tf.TensorSpec(shape, tf.float32, name="image"))
    return bytes(tf.lite.TFLiteConverter.from_concrete_functions([function], tf.Module()).convert())


def _write(path: Path, model: bytes, files: dict[str, str] = LABELS) -> Path:
    graph = TFLiteGraph(model)
    graph.add_metadata("TFLITE_METADATA", to_flatbuffer(NAMED))
    path.write_bytes(with_files(graph.to_bytes(), files))
    return path


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _write(tmp_path_factory.mktemp("litert") / "m.tflite", _convert((1, 8, 8, 3)))


def test_predicts_probabilities_of_pixels(path: Path) -> None:
    photos = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    with LiteRT(path, threads=2) as runtime:
        found = runtime.predict(photos)
        assert runtime.labels == ("mel", "nv", "\u00e9")
        assert runtime.name.startswith("LiteRT ")
    means = photos.astype(np.float64).mean(axis=(1, 2)) / 64
    expected = np.exp(means) / np.exp(means).sum(axis=1, keepdims=True)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_values_that_are_no_pixels_are_fed_as_they_are(path: Path) -> None:
    values = np.random.default_rng(0).uniform(-1, 64, (1, 8, 8, 3)).astype(np.float32)
    with LiteRT(path) as runtime:
        found = runtime.predict(values)  # type: ignore[arg-type]
    means = values.astype(np.float64).mean(axis=(1, 2)) / 64
    np.testing.assert_allclose(found, np.exp(means) / np.exp(means).sum(axis=1, keepdims=True), atol=1e-6)


def test_no_photos_are_no_answers(path: Path) -> None:
    with LiteRT(path) as runtime:
        assert runtime.predict(np.empty((0, 8, 8, 3), np.uint8)).shape == (0, 3)


def test_is_a_runtime(path: Path) -> None:
    runtime: Runtime = LiteRT(path)
    with runtime as entered:
        assert entered is runtime


def test_photos_of_another_size_are_refused(path: Path) -> None:
    with LiteRT(path) as runtime, pytest.raises(ExportError, match="takes photos of"):
        runtime.predict(np.zeros((1, 9, 9, 3), np.uint8))


@pytest.mark.parametrize("shape", [(1, 8, 9, 3), (2, 8, 8, 3)], ids=["not square", "batch of 2"])
def test_a_model_of_another_shape_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = _write(tmp_path / "m.tflite", _convert(shape))
    with pytest.raises(ExportError, match="no image classifier of this project"):
        LiteRT(path)


def test_too_few_labels_are_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "m.tflite", _convert((1, 8, 8, 3), classes=5))
    with pytest.raises(ExportError, match="3 labels for 5 outputs"):
        LiteRT(path)


def test_a_model_without_metadata_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(_convert((1, 8, 8, 3)))
    with pytest.raises(ExportError, match="carries no metadata"):
        LiteRT(path)


def test_metadata_without_its_file_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "m.tflite", _convert((1, 8, 8, 3)), {"german.txt": "Melanom"})
    with pytest.raises(ExportError, match="carries no labels"):
        LiteRT(path)


@pytest.mark.parametrize("data", [b"", b"no model at all", b"\x1c\x00\x00\x00TFL3" + bytes(64)])
def test_other_files_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(data)
    with pytest.raises(ExportError, match=r"m\.tflite cannot be loaded by LiteRT"):
        LiteRT(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"none\.tflite"):
        LiteRT(tmp_path / "none.tflite")


def test_metadata_roundtrip(path: Path) -> None:
    assert read_metadata(path) == NAMED
    assert to_flatbuffer(NAMED)[4:8] == b"M001"


def test_other_flatbuffers_are_no_metadata() -> None:
    with pytest.raises(ValueError, match="M001"):
        from_flatbuffer(b"\x1c\x00\x00\x00TFL3")
