"""The int8 form for CPUs: its rules hold, each broken rule is seen, ONNX Runtime computes it all in integers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from dermport.bundle.store import Bundle
from dermport.errors import ExportError
from dermport.exporters.contract import Source
from dermport.exporters.onnx.codes import Codes, pair_sums
from dermport.exporters.onnx.cpu import integer_form
from dermport.exporters.onnx.cpu_lint import require_integers, violations
from dermport.exporters.onnx.graph import OnnxGraph, dequantised
from dermport.exporters.onnx.operators import operators
from dermport.runtimes.onnxruntime import open_session, session_options
from tests.factories import SIZE
from tests.shallow import CONVOLUTIONS, SUMS


@pytest.fixture(scope="module")
def whole(original: onnx.ModelProto, source: Source) -> onnx.ModelProto:
    return integer_form(original, source.calibration())


@pytest.fixture
def broken(whole: onnx.ModelProto) -> onnx.ModelProto:
    """A copy to break."""
    return _copy(whole)


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def _answers(model: onnx.ModelProto, photos: NDArray[np.uint8]) -> NDArray[np.float32]:
    session = open_session(model.SerializeToString(), 1)
    return np.asarray(session.run(None, {"image": photos.astype(np.float32)})[0])


def _node(model: onnx.ModelProto, kind: str, number: int = 0) -> onnx.NodeProto:
    return [node for node in model.graph.node if node.op_type == kind][number]


def test_rules_hold(whole: onnx.ModelProto) -> None:
    assert violations(whole) == ()
    onnx.checker.check_model(whole, full_check=True)


def test_onnx_runtime_leaves_nothing_in_float(whole: onnx.ModelProto, tmp_path: Path) -> None:
    options = session_options(1)
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    ort.InferenceSession(whole.SerializeToString(), options, providers=["CPUExecutionProvider"])
    counts = Counter(node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node)
    assert counts == {
        "QuantizeLinear": 1,  # the pixels
        "Transpose": 1,
        "QLinearConv": CONVOLUTIONS,
        "QLinearAdd": SUMS,
        "QLinearGlobalAveragePool": 1,
        "Squeeze": 1,
        "QGemm": 1,
        "Softmax": 1,
    }


def test_operators_are_told_as_integers(whole: onnx.ModelProto) -> None:
    counts = {(row.type, row.precision): row.count for row in operators(whole)}
    assert counts["Conv", "int8"] == CONVOLUTIONS
    assert counts["Add", "int8"] == SUMS
    assert counts["GlobalAveragePool", "int8"] == counts["Gemm", "int8"] == 1
    assert {kind for kind, precision in counts if precision == "fp32"} == {"Softmax"}


def test_it_stays_near_float(original: onnx.ModelProto, whole: onnx.ModelProto, shared_bundle: Bundle) -> None:
    photos = shared_bundle.golden().tensors
    before, after = _answers(original, photos), _answers(whole, photos)
    assert (before.argmax(1) == after.argmax(1)).all()
    assert np.abs(before - after).mean() < 0.05
    assert whole.ByteSize() < 0.45 * original.ByteSize()


def test_codes_of_the_input_are_the_pixels(original: onnx.ModelProto, whole: onnx.ModelProto) -> None:
    """Away from the border, the first convolution's sums are those of its rounded weights on the exact pixels."""
    levels = np.random.default_rng(0).integers(0, 256, (1, SIZE, SIZE, 3), np.uint8)
    before, after = OnnxGraph.of(original), OnnxGraph.of(whole)
    first, twin = next(before.weighted()), next(after.weighted())
    exact = _copy(original)
    tensor = OnnxGraph.of(exact).initializers[first.input[1]]
    weight = dequantised(after, after.producers[twin.input[1]])
    tensor.CopyFrom(numpy_helper.from_array(weight, tensor.name))
    shift = dequantised(after, after.producers[twin.input[2]]) - before.constant(first.input[2])
    wanted = _value(exact, first.output[0], levels) + (shift + weight.sum(axis=(1, 2, 3)) / 255).reshape(1, -1, 1, 1)
    found = _value(whole, twin.output[0], levels)
    np.testing.assert_allclose(found[..., :-1, :-1], wanted[..., :-1, :-1], atol=1e-3)


def _value(model: onnx.ModelProto, tensor: str, photos: NDArray[np.uint8]) -> NDArray[np.float32]:
    probe = _copy(model)
    probe.graph.output.append(helper.make_tensor_value_info(tensor, onnx.TensorProto.FLOAT, None))
    options = session_options(1)
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(probe.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run([tensor], {"image": photos.astype(np.float32)})[0])


def test_a_dead_channel_keeps_its_constant(original: onnx.ModelProto, source: Source) -> None:
    """Weights of nearly nothing beside a bias of 5: in the weights' own steps, the bias would overflow int32."""
    dead = _copy(original)
    graph = OnnxGraph.of(dead)
    node = next(graph.weighted())
    weight, bias = graph.constant(node.input[1]).copy(), graph.constant(node.input[2]).copy()
    weight[3], bias[3] = 1e-20, 5
    for name, value in ((node.input[1], weight), (node.input[2], bias)):
        graph.initializers[name].CopyFrom(numpy_helper.from_array(value, name))
    result = OnnxGraph.of(integer_form(dead, source.calibration()))
    twin = next(result.weighted())
    assert dequantised(result, result.producers[twin.input[2]])[3] == pytest.approx(5)


def test_codes_hold_zero_and_both_ends() -> None:
    codes = Codes.of_range(-1.0, 3.0)
    values = (np.array([0, codes.zero, 255], np.float32) - codes.zero) * codes.scale
    np.testing.assert_allclose(values, [-1, 0, 3], atol=codes.scale)
    assert values[1] == 0
    relu6 = Codes.of_range(0.0, 6.0)
    assert (relu6.zero, 255 * relu6.scale) == (0, pytest.approx(6))


def test_pair_sums_take_neighbouring_channels_of_one_sign() -> None:
    conv = helper.make_node("Conv", ["x", "w"], ["y"], group=1)
    weight = np.zeros((2, 4, 1, 1), np.int32)
    weight[0, :, 0, 0] = [90, -80, 70, 60]  # 90 stands alone, 70 + 60
    weight[1, :, 0, 0] = [5, 100, 100, 5]  # the two hundreds are no neighbours
    assert pair_sums(conv, weight).tolist() == [130, 105]
    depthwise = helper.make_node("Conv", ["x", "w"], ["y"], group=4)
    assert pair_sums(depthwise, np.full((4, 1, 3, 3), -127)).tolist() == [127] * 4
    head = helper.make_node("Gemm", ["x", "w", "b"], ["y"])
    assert pair_sums(head, np.array([[1], [2], [4]])).tolist() == [4]


def test_without_photos_there_is_no_int8(original: onnx.ModelProto, source: Source) -> None:
    with pytest.raises(ExportError, match="calibration photos"):
        integer_form(original, source.calibration()[:0])


def test_a_photo_must_come_normalised_only(original: onnx.ModelProto, source: Source) -> None:
    other = _copy(original)
    _node(other, "Mul").op_type = "Pow"
    with pytest.raises(ExportError, match=r"more than one normalisation \(.*Pow"):
        integer_form(other, source.calibration())


# One way to break each rule: what is done to the graph, and what the lint must say of it.


def _set(model: onnx.ModelProto, name: str, value: NDArray[np.generic]) -> None:
    OnnxGraph.of(model).initializers[name].CopyFrom(numpy_helper.from_array(value, name))


def _float_activation(model: onnx.ModelProto) -> None:
    node = _node(model, "Conv", 3)
    node.input[0] = OnnxGraph.of(model).before_qdq(node.input[0])


def _float_bias(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(7, np.float32), "bias"))
    _node(model, "Gemm").input[2] = "bias"


def _float_sum(model: onnx.ModelProto) -> None:
    node = _node(model, "Add")
    node.input[1] = OnnxGraph.of(model).before_qdq(node.input[1])


def _float_pixels(model: onnx.ModelProto) -> None:
    _node(model, "Transpose").input[0] = "image"


def _relu6(model: onnx.ModelProto) -> None:
    node = _node(model, "QuantizeLinear", 1)
    place = list(model.graph.node).index(node)
    clip = helper.make_node("Clip", [node.input[0]], ["clipped"], name="relu6")
    node.input[0] = "clipped"
    model.graph.node.insert(place, clip)


def _large_neighbours(model: onnx.ModelProto) -> None:
    name = OnnxGraph.of(model).before_qdq(_node(model, "Gemm").input[1])
    _set(model, name, np.full_like(OnnxGraph.of(model).constant(name), 65))


def _wrong_bias_step(model: onnx.ModelProto) -> None:
    pair = OnnxGraph.of(model).producers[_node(model, "Conv").input[2]]
    _set(model, pair.input[1], OnnxGraph.of(model).constant(pair.input[1]) * 2)


def _signed_activation(model: onnx.ModelProto) -> None:
    _set(model, _node(model, "QuantizeLinear", 2).input[2], np.int8(0))


def _per_channel_activation(model: onnx.ModelProto) -> None:
    _set(model, _node(model, "QuantizeLinear", 2).input[1], np.full(3, 0.01, np.float32))


def _per_tensor_weight(model: onnx.ModelProto) -> None:
    _set(model, OnnxGraph.of(model).producers[_node(model, "Conv", 1).input[1]].input[1], np.float32(0.01))


def _zero_scale(model: onnx.ModelProto) -> None:
    _set(model, _node(model, "QuantizeLinear", 4).input[1], np.float32(0))


def _weight_with_zero_point(model: onnx.ModelProto) -> None:
    name = OnnxGraph.of(model).producers[_node(model, "Conv", 1).input[1]].input[2]
    _set(model, name, np.ones_like(OnnxGraph.of(model).constant(name)))


def _late_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 21


BREAKAGES: dict[Callable[[onnx.ModelProto], None], str] = {
    _float_activation: r"Conv '.+': its activation '.+' is not quantised",
    _float_bias: r"Gemm '.+': its bias 'bias' is not quantised",
    _float_sum: r"Add '.+': it reads '.+' \(Conv\), which is not quantised",
    _float_pixels: r"Transpose '.+': it reads 'image' \(graph input\), which is not quantised",
    _relu6: r"Clip 'relu6': it reads '.+' \(Conv\), which is not quantised",
    _large_neighbours: r"Gemm '.+': neighbouring weights add up to 130, more than 128",
    _wrong_bias_step: r"Conv '.+': a step of its bias is not its input's scale times its weight's",
    _signed_activation: r"QuantizeLinear '.+': an activation is not uint8",
    _per_channel_activation: r"QuantizeLinear '.+': an activation is scaled per channel",
    _per_tensor_weight: r"Conv '.+': the scales of its weight are not one per output channel",
    _zero_scale: r"QuantizeLinear '.+': a scale is not positive",
    _weight_with_zero_point: r"DequantizeLinear '.+': the zero-point of a constant is not 0",
    _late_opset: r"opset 21 is not in 13\.\.17",
}


@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda function: function.__name__.strip("_"))
def test_each_broken_rule_is_seen(broken: onnx.ModelProto, breakage: Callable[[onnx.ModelProto], None]) -> None:
    breakage(broken)
    with pytest.raises(ExportError, match=BREAKAGES[breakage]):
        require_integers(broken)


def test_float_graph_breaks_every_rule(original: onnx.ModelProto) -> None:
    found = violations(original)
    assert sum("its activation" in line for line in found) == CONVOLUTIONS + 1
    assert any(line.startswith("Clip") for line in found)
