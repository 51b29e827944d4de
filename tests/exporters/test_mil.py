"""The reference executor: photos in batches, and damaged, changed or foreign packages."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dermport.errors import ExportError, UnknownOperatorError
from dermport.runtimes.mil.package import open_package
from dermport.runtimes.mil.program import read_program
from dermport.runtimes.mil.reference import MilReference
from tests.factories import LABELS, draw_set, tensors_of

Photos = NDArray[np.uint8]
Array = NDArray[Any]
DAMAGE = 0.1  # of a probability, on at least one photo; conversion itself changes less than 0.06 (test_coreml)


@pytest.fixture(scope="module")
def photos() -> Photos:
    return tensors_of(draw_set(6, first_seed=700)[0])


@pytest.fixture
def damaged(mlpackages: dict[str, Path], tmp_path: Path) -> Callable[[Callable[[Any], None]], Path]:
    """Returns a copy of the float16 package whose specification went through a function."""

    def make(change: Callable[[Any], None]) -> Path:
        path = tmp_path / "damaged.mlpackage"
        shutil.copytree(mlpackages["fp16"], path)
        package = open_package(path)
        spec = package.read_spec()
        change(spec)
        package.model_file.write_bytes(spec.SerializeToString())
        return path

    return make


def answers_of(path: Path, photos: Photos) -> NDArray[np.float32]:
    with MilReference(path) as reference:
        return reference.predict(photos)


def operations(spec: Any, kind: str) -> list[Any]:
    function = spec.mlProgram.functions["main"]
    return [o for o in function.block_specializations[function.opset].operations if o.type == kind]


def test_many_photos_give_what_each_gives_alone(mlpackages: dict[str, Path], photos: Photos) -> None:
    many = np.concatenate([photos] * 2)
    with MilReference(mlpackages["fp16"]) as reference:
        together = reference.predict(many)
        singly = np.concatenate([reference.predict(photo[None]) for photo in photos])
        assert reference.predict(photos[:0]).shape == (0, len(LABELS))
    assert (together.shape, together.dtype) == ((len(many), len(LABELS)), np.float32)
    np.testing.assert_allclose(together, np.concatenate([singly] * 2), atol=2e-3)  # one float16 step of a probability


def test_changed_weights_change_the_answer_and_cut_ones_are_refused(
    mlpackages: dict[str, Path], photos: Photos, tmp_path: Path
) -> None:
    path = tmp_path / "weights.mlpackage"
    shutil.copytree(mlpackages["int8"], path)
    (file,) = path.rglob("weight.bin")
    content = bytearray(file.read_bytes())
    before = answers_of(path, photos)
    content[len(content) // 2 : len(content) // 2 + 30_000] = bytes(30_000)
    file.write_bytes(content)
    try:
        changed = np.abs(answers_of(path, photos) - before).max() > DAMAGE
    except ExportError as error:  # an entry's header was hit
        changed = "damaged" in error.message
    assert changed
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(ExportError, match="damaged"):
        MilReference(path)
    file.unlink()
    with pytest.raises(ExportError, match=r"weight\.bin"):
        MilReference(path)


def every_type(path: Path) -> list[str]:
    return sorted({operation.type for operation in read_program(path)[0].operations})


def test_unknown_operator_is_an_error_whichever_it_is(
    mlpackages: dict[str, Path], damaged: Callable[[Callable[[Any], None]], Path], tmp_path: Path
) -> None:
    kinds = [kind for kind in every_type(mlpackages["fp16"]) if kind != "classify"]
    assert len(kinds) > 9
    path = damaged(lambda spec: None)
    package = open_package(path)
    for kind in kinds:
        spec = open_package(mlpackages["fp16"]).read_spec()
        operations(spec, kind)[-1].type = f"new_{kind}"
        package.model_file.write_bytes(spec.SerializeToString())
        with pytest.raises(UnknownOperatorError, match=f"new_{kind}"):
            MilReference(path)


@pytest.mark.parametrize(
    ("kind", "instead"),
    [("add", "mul"), ("mul", "add"), ("relu6", "tanh"), ("reduce_mean", "reduce_max"), ("softmax", "sigmoid")],
)
def test_operators_are_those_of_the_file(
    kind: str,
    instead: str,
    damaged: Callable[[Callable[[Any], None]], Path],
    mlpackages: dict[str, Path],
    photos: Photos,
) -> None:
    def swap(spec: Any) -> None:
        operations(spec, kind)[-1].type = instead

    change = np.abs(answers_of(damaged(swap), photos) - answers_of(mlpackages["fp16"], photos))
    assert change.max() > DAMAGE


def test_bgr_package_gets_its_channels_in_that_order(
    damaged: Callable[[Callable[[Any], None]], Path], mlpackages: dict[str, Path], photos: Photos
) -> None:
    def as_bgr(spec: Any) -> None:
        image = spec.description.input[0].type.imageType
        image.colorSpace = type(image).ColorSpace.Value("BGR")

    answers, right = answers_of(damaged(as_bgr), photos), answers_of(mlpackages["fp16"], photos)
    assert np.abs(answers - right).max() > DAMAGE
    np.testing.assert_array_equal(answers, answers_of(mlpackages["fp16"], photos[..., ::-1]))


def test_swapped_labels_show(damaged: Callable[[Callable[[Any], None]], Path]) -> None:
    def swap(spec: Any) -> None:
        values = operations(spec, "classify")[0].inputs["classes"].arguments[0].value.immediateValue.list.values
        first, second = (values[i].immediateValue.tensor.strings.values for i in (0, 1))
        first[0], second[0] = second[0], first[0]

    assert MilReference(damaged(swap)).labels == (LABELS[1], LABELS[0], *LABELS[2:])


def test_wrong_scale_is_noticed(
    damaged: Callable[[Callable[[Any], None]], Path], keras_model: Any, photos: Photos
) -> None:
    def rescale(spec: Any) -> None:
        factor = operations(spec, "mul")[0].inputs["y"].arguments[0].name
        (const,) = [o for o in operations(spec, "const") if o.outputs[0].name == factor]
        const.attributes["val"].immediateValue.tensor.bytes.values = np.float16(1 / 255).tobytes()

    expected = np.asarray(keras_model(photos.astype(np.float32), training=False))
    assert np.abs(answers_of(damaged(rescale), photos) - expected).max() > DAMAGE


def test_refuses_what_is_no_image_classifier(
    damaged: Callable[[Callable[[Any], None]], Path], mlpackages: dict[str, Path], photos: Photos, tmp_path: Path
) -> None:
    with pytest.raises(ExportError, match=r"Manifest\.json"):
        MilReference(tmp_path / "nothing.mlpackage")
    with MilReference(mlpackages["fp16"]) as reference:
        for wrong in (photos[:, 1:], photos.astype(np.float32)):
            with pytest.raises(ExportError, match="uint8 photos"):
                reference.predict(wrong)

    def narrower(spec: Any) -> None:
        spec.description.input[0].type.imageType.width = 48

    path = damaged(narrower)
    with pytest.raises(ExportError, match="48"):
        MilReference(path)
    open_package(path).model_file.write_bytes(b"\xff" * 40)
    with pytest.raises(ExportError, match="no Core ML model"):
        MilReference(path)
