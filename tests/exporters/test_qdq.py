"""The int8 graph: TensorRT's rules hold, each broken rule is seen, biases are corrected."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from dermport.bundle.store import Bundle
from dermport.errors import ExportError
from dermport.exporters.contract import Source
from dermport.exporters.onnx.bias import correct_biases
from dermport.exporters.onnx.calibrate import channel_means
from dermport.exporters.onnx.graph import OnnxGraph
from dermport.exporters.onnx.lint import require_qdq, violations
from dermport.exporters.onnx.operators import operators
from dermport.exporters.onnx.qdq import float_weights, quantised
from tests.shallow import CONVOLUTIONS, SUMS


@pytest.fixture(scope="module")
def whole(original: onnx.ModelProto, source: Source) -> onnx.ModelProto:
    return quantised(original, source.calibration())


@pytest.fixture
def qdq(whole: onnx.ModelProto) -> onnx.ModelProto:
    """A copy to break."""
    copy = onnx.ModelProto()
    copy.CopyFrom(whole)
    return copy


def answers(model: onnx.ModelProto, photos: NDArray[np.uint8]) -> NDArray[np.float32]:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"image": photos.astype(np.float32)})[0])


def test_rules_hold_in_both_forms(whole: onnx.ModelProto) -> None:
    assert violations(whole) == ()
    assert violations(float_weights(whole)) == ()


def test_every_convolution_and_the_head_are_int8(whole: onnx.ModelProto) -> None:
    counts = {(row.type, row.precision): row.count for row in operators(whole)}
    assert counts["Conv", "int8"] == CONVOLUTIONS
    assert counts["Gemm", "int8"] == 1
    assert not any(kind in ("Conv", "Gemm") and precision != "int8" for kind, precision in counts)


def test_float_weights_change_no_number(whole: onnx.ModelProto, shared_bundle: Bundle) -> None:
    photos = shared_bundle.golden().tensors
    wide = float_weights(whole)
    np.testing.assert_allclose(answers(wide, photos), answers(whole, photos), atol=1e-6)
    types = {tensor.data_type for tensor in wide.graph.initializer if len(tensor.dims) == 4}
    assert types == {onnx.TensorProto.FLOAT}, "TensorRT 8 takes no int8 constants"


def test_int8_stays_near_float(original: onnx.ModelProto, whole: onnx.ModelProto, shared_bundle: Bundle) -> None:
    photos = shared_bundle.golden().tensors
    before, after = answers(original, photos), answers(whole, photos)
    assert (before.argmax(1) == after.argmax(1)).all()
    assert np.abs(before - after).mean() < 0.05
    assert whole.ByteSize() < 0.45 * original.ByteSize()


def test_bias_correction_restores_the_means(original: onnx.ModelProto, source: Source) -> None:
    """With weights rounded very coarsely, the corrected graph's channel means are nearer to the float ones."""
    photos = source.calibration()
    coarse, fixed = _coarse(original), _coarse(original)
    correct_biases(original, fixed, photos)
    conv = next(node for node in OnnxGraph.of(original).nodes if node.op_type == "Conv")
    mean, shifted, restored = (
        channel_means(model, [conv.output[0]], photos)[conv.output[0]] for model in (original, coarse, fixed)
    )
    assert np.abs(restored - mean).max() < 0.1 * np.abs(shifted - mean).max()


def _coarse(model: onnx.ModelProto) -> onnx.ModelProto:
    """Round the weights to multiples of a seventh of their channel's largest, as int8 constants behind a DQ."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = OnnxGraph.of(model)
    pairs = []
    for node in result.graph.node:
        if node.op_type in ("Conv", "Gemm"):
            weight = graph.constant(node.input[1])
            axis = 0 if node.op_type == "Conv" else 1
            others = tuple(i for i in range(weight.ndim) if i != axis)
            scale = np.maximum(np.abs(weight).max(axis=others), 1e-6).astype(np.float32) / 7
            shape = [-1 if i == axis else 1 for i in range(weight.ndim)]
            name = f"{node.input[1]}_coarse"
            codes = np.round(weight / scale.reshape(shape)).astype(np.int8)
            values = {"q": codes, "s": scale, "z": np.zeros(len(scale), np.int8)}
            result.graph.initializer.extend(numpy_helper.from_array(v, f"{name}_{k}") for k, v in values.items())
            inputs = [f"{name}_{key}" for key in values]
            pairs.append(helper.make_node("DequantizeLinear", inputs, [name], axis=axis))
            node.input[1] = name
    nodes = [*pairs, *(onnx.NodeProto.FromString(node.SerializeToString()) for node in result.graph.node)]
    del result.graph.node[:]
    result.graph.node.extend(nodes)
    return result


# One way to break each rule: what is done to the graph, and what the lint must say of it.


def _node(model: onnx.ModelProto, kind: str, number: int = 0) -> onnx.NodeProto:
    return [node for node in model.graph.node if node.op_type == kind][number]


def _set(model: onnx.ModelProto, name: str, value: NDArray[np.generic]) -> None:
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == name)
    tensor.CopyFrom(numpy_helper.from_array(value, name))


def _bypass(model: onnx.ModelProto, node: onnx.NodeProto, index: int) -> None:
    """Let an input read what lies before its Q/DQ pair."""
    node.input[index] = OnnxGraph.of(model).before_qdq(node.input[index])


def _residual(model: onnx.ModelProto) -> tuple[onnx.NodeProto, int]:
    graph = OnnxGraph.of(model)
    name = next(graph.residual_adds()).name
    add = next(node for node in model.graph.node if node.name == name)
    return add, graph.residual_input(add)


def _weight_pair(model: onnx.ModelProto) -> onnx.NodeProto:
    name = _node(model, "Conv", 1).input[1]
    return next(node for node in model.graph.node if node.output[0] == name)


def _float_activation(model: onnx.ModelProto) -> None:
    _bypass(model, _node(model, "Conv", 3), 0)


def _float_head(model: onnx.ModelProto) -> None:
    _bypass(model, _node(model, "Gemm"), 0)


def _float_weight(model: onnx.ModelProto) -> None:
    _bypass(model, _node(model, "Conv", 3), 1)


def _float_residual(model: onnx.ModelProto) -> None:
    _bypass(model, *_residual(model))


def _quantised_branch(model: onnx.ModelProto) -> None:
    add, skip = _residual(model)
    _insert_pair(model, add, 1 - skip)


def _pair_before_relu6(model: onnx.ModelProto) -> None:
    _insert_pair(model, _node(model, "Clip", 2), 0)


def _insert_pair(model: onnx.ModelProto, reader: onnx.NodeProto, index: int) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.float32(0.05), "new_scale"))
    model.graph.initializer.append(numpy_helper.from_array(np.int8(0), "new_zero"))
    start = reader.input[index]
    place = list(model.graph.node).index(reader)
    reader.input[index] = "new_dq"
    dequantise = helper.make_node("DequantizeLinear", ["new_q", "new_scale", "new_zero"], ["new_dq"], name="new_DQ")
    quantise = helper.make_node("QuantizeLinear", [start, "new_scale", "new_zero"], ["new_q"], name="new_Q")
    model.graph.node.insert(place, dequantise)
    model.graph.node.insert(place, quantise)


def _per_tensor_weight(model: onnx.ModelProto) -> None:
    pair = _weight_pair(model)
    _set(model, pair.input[1], np.float32(0.01))
    _set(model, pair.input[2], np.int8(0))


def _wrong_axis(model: onnx.ModelProto) -> None:
    attribute = next(item for item in _weight_pair(model).attribute if item.name == "axis")
    attribute.i = 1


def _per_channel_activation(model: onnx.ModelProto) -> None:
    _set(model, _node(model, "QuantizeLinear").input[1], np.full(3, 0.01, np.float32))


def _zero_point(model: onnx.ModelProto) -> None:
    _set(model, _node(model, "QuantizeLinear", 4).input[2], np.int8(3))


def _uint8(model: onnx.ModelProto) -> None:
    _set(model, _node(model, "QuantizeLinear", 4).input[2], np.uint8(0))


def _zero_scale(model: onnx.ModelProto) -> None:
    _set(model, _node(model, "QuantizeLinear", 4).input[1], np.float32(0))


def _quantised_bias(model: onnx.ModelProto) -> None:
    conv = _node(model, "Conv", 2)
    conv.input[2] = _node(model, "DequantizeLinear").output[0]


def _late_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 21


def _foreign_operators(model: onnx.ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))


BREAKAGES: dict[Callable[[onnx.ModelProto], None], str] = {
    _float_activation: r"Conv '.+': its activation '.+' is not quantised",
    _float_head: r"Gemm '.+': its activation '.+' is not quantised",
    _float_weight: r"Conv '.+': its weight '.+' is not quantised",
    _float_residual: r"Add '.+': its residual input '.+' is not quantised",
    _quantised_branch: r"Add '.+': a Q/DQ pair keeps its other input '.+' from being fused",
    _pair_before_relu6: r"Conv '.+': a Q/DQ pair stands between it and its relu6",
    _per_tensor_weight: r"Conv '.+': the scales of its weight are not one per output channel",
    _wrong_axis: r"Conv '.+': its weight is scaled along axis 1, not 0",
    _per_channel_activation: r"QuantizeLinear '.+': an activation is scaled per channel",
    _zero_point: r"QuantizeLinear '.+': its zero-point is not 0",
    _uint8: r"QuantizeLinear '.+': it quantises to uint8, not int8",
    _zero_scale: r"QuantizeLinear '.+': a scale is not positive",
    _quantised_bias: r"Conv '.+': its bias '.+' is not a float constant",
    _late_opset: r"opset 21 is not in 13\.\.17",
    _foreign_operators: r"operator set 'com\.microsoft' is not ONNX's own",
}


@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda function: function.__name__.strip("_"))
def test_each_broken_rule_is_seen(qdq: onnx.ModelProto, breakage: Callable[[onnx.ModelProto], None]) -> None:
    breakage(qdq)
    with pytest.raises(ExportError, match=BREAKAGES[breakage]):
        require_qdq(qdq)


def test_float_graph_breaks_every_placement_rule(original: onnx.ModelProto) -> None:
    found = violations(original)
    assert sum("its activation" in line for line in found) == CONVOLUTIONS + 1
    assert sum("its residual input" in line for line in found) == SUMS


def test_without_photos_there_is_no_int8(original: onnx.ModelProto, source: Source) -> None:
    with pytest.raises(ExportError, match="calibration photos"):
        quantised(original, source.calibration()[:0])
