"""MIL operators in ONNX: one small function each, and what the executor must know about them.

The semantics are those of coremltools' operator reference, ``converters/mil/mil/ops/defs/iOS15`` to ``iOS18``; the
ONNX operators are opset 17's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dermport.runtimes.mil import pieces
from dermport.runtimes.mil.call import Call
from dermport.runtimes.mil.curves import CURVES

Translate = Callable[[Call], "str | Sequence[str]"]


@dataclass(frozen=True)
class Operator:
    """How the executor treats a MIL operator.

    Attributes:
        translate: Emits ONNX nodes and returns the names of the outputs.
        rounds: Whether a float16 result needs rounding; false where each output element equals an input element.
        by_row: Whether this use of it treats the rows of the first axis separately (see :class:`.graph.Graph`).
    """

    translate: Translate
    rounds: bool = True
    by_row: Callable[[Call], bool] = lambda call: True


def _conv(call: Call) -> str:
    spatial = len(call.shape("weight")) - 2
    strides, dilations = call.ints("strides", [1] * spatial), call.ints("dilations", [1] * spatial)
    kernel = [(size - 1) * dilation + 1 for size, dilation in zip(call.shape("weight")[2:], dilations, strict=True)]
    operands = [call.tensor(name) for name in ("x", "weight", "bias") if call.has(name)]
    groups = call.ints("groups", [1])[0]
    pads = _window_pads(call, kernel, strides)
    return call.emit("Conv", *operands, strides=strides, dilations=dilations, group=groups, pads=pads)


def _window_pads(call: Call, kernel: list[int], strides: list[int]) -> list[int]:
    """Return ONNX's pads (all befores, then all afters) of a sliding window."""
    kind = call.text("pad_type", "valid")
    if kind == "valid":
        return [0] * (2 * len(kernel))
    if kind == "custom":
        pads = call.ints("pad", [0] * (2 * len(kernel)))
        return pads[0::2] + pads[1::2]
    if kind not in {"same", "same_lower"}:
        raise call.unsupported(f"pad_type {kind!r}")
    sizes = call.shape("x")[2:]
    totals = [
        max(0, (-(-size // stride) - 1) * stride + window - size)
        for size, window, stride in zip(sizes, kernel, strides, strict=True)
    ]
    small, large = [total // 2 for total in totals], [total - total // 2 for total in totals]
    return small + large if kind == "same" else large + small


def _pool(call: Call, operator: str, **attributes: int) -> str:
    kernel = call.ints("kernel_sizes", [])
    strides = call.ints("strides", [1] * len(kernel))
    pads = _window_pads(call, kernel, strides)
    if call.flag("ceil_mode"):
        attributes["ceil_mode"] = 1
    return call.emit(operator, call.tensor("x"), kernel_shape=kernel, strides=strides, pads=pads, **attributes)


def _average_pool(call: Call) -> str:
    excluded = call.flag("exclude_padding_from_average")
    return _pool(call, "AveragePool", count_include_pad=0 if excluded else 1)


def _max_pool(call: Call) -> str:
    return _pool(call, "MaxPool")


def _batch_norm(call: Call) -> str:
    channels = [1] * (len(call.shape("x")) - 2)
    column = {name: call.value(name).astype("float64").reshape(-1, *channels) for name in _statistics(call)}
    scale = column.get("gamma", 1.0) / (column["variance"] + call.number("epsilon", 1e-5)) ** 0.5
    shift = column.get("beta", 0.0) - column["mean"] * scale
    scaled = call.emit("Mul", call.tensor("x"), call.constant(scale, "float32"))
    return call.emit("Add", scaled, call.constant(shift, "float32"))


def _statistics(call: Call) -> list[str]:
    return [name for name in ("mean", "variance", "gamma", "beta") if call.has(name)]


def _linear(call: Call) -> str:
    product = call.emit("MatMul", call.tensor("x"), call.emit("Transpose", call.tensor("weight"), perm=[1, 0]))
    return call.emit("Add", product, call.tensor("bias")) if call.has("bias") else product


def _matmul(call: Call) -> str:
    return call.emit("MatMul", _operand(call, "x"), _operand(call, "y"))


def _operand(call: Call, name: str) -> str:
    if not call.flag(f"transpose_{name}"):
        return call.tensor(name)
    order = list(range(len(call.shape(name))))
    return call.emit("Transpose", call.tensor(name), perm=[*order[:-2], order[-1], order[-2]])


def _unary(operator: str) -> Translate:
    return lambda call: call.emit(operator, call.tensor("x"))


def _binary(operator: str) -> Translate:
    return lambda call: call.emit(operator, call.tensor("x"), call.tensor("y"))


def _relu6(call: Call) -> str:
    return call.emit("Clip", call.tensor("x"), call.constant(0, "float32"), call.constant(6, "float32"))


def _clip(call: Call) -> str:
    return call.emit("Clip", call.tensor("x"), call.tensor("alpha"), call.tensor("beta"))


def _cast(call: Call) -> str:
    from onnx import TensorProto

    types = {
        "fp16": TensorProto.FLOAT, "fp32": TensorProto.FLOAT, "int32": TensorProto.INT32, "bool": TensorProto.BOOL,
        "int8": TensorProto.INT8, "uint8": TensorProto.UINT8, "int16": TensorProto.INT16, "uint16": TensorProto.UINT16,
    }  # fmt: skip
    return call.emit("Cast", call.tensor("x"), to=types[call.text("dtype")])


def _reduce(operator: str) -> Translate:
    def translate(call: Call) -> str:
        axes = call.axes("axes", len(call.shape("x")))
        return call.emit(operator, call.tensor("x"), axes=axes, keepdims=int(call.flag("keep_dims")))

    return translate


def _reduce_sum(call: Call) -> str:
    axes = call.constant(call.axes("axes", len(call.shape("x"))))
    return call.emit("ReduceSum", call.tensor("x"), axes, keepdims=int(call.flag("keep_dims")))


def _softmax(call: Call) -> str:
    return call.emit("Softmax", call.tensor("x"), axis=call.ints("axis", [-1])[0])


def _pad(call: Call) -> str:
    modes = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}
    pads = _full_pads(call)
    fill = (
        [call.constant(call.number("constant_val"), "float32")] if call.text("mode", "constant") == "constant" else []
    )
    order = call.constant(pads[0::2] + pads[1::2])
    return call.emit("Pad", call.tensor("x"), order, *fill, mode=modes[call.text("mode", "constant")])


def _full_pads(call: Call) -> list[int]:
    """Return before and after of each axis; MIL names those of the last axes only."""
    pads = call.ints("pad", [])
    return [0] * (2 * len(call.shape("x")) - len(pads)) + pads


def _transpose(call: Call) -> str:
    return call.emit("Transpose", call.tensor("x"), perm=call.axes("perm", len(call.shape("x"))))


def _reshape(call: Call) -> str:
    shape = call.ints("shape", [])
    if _reshapes_rows(call):
        shape = [0, *shape[1:]]  # ONNX: 0 keeps the axis, however long it is
    return call.emit("Reshape", call.tensor("x"), call.constant(shape))


def _reshapes_rows(call: Call) -> bool:
    return call.shape("x")[:1] == (1,) and call.ints("shape", [])[:1] in ([0], [1])


def _squeeze(call: Call) -> str:
    return call.emit("Squeeze", call.tensor("x"), call.constant(_squeezed(call)))


def _squeezed(call: Call) -> list[int]:
    shape = call.shape("x")
    return call.axes("axes", len(shape)) if call.has("axes") else [i for i, size in enumerate(shape) if size == 1]


def _expand_dims(call: Call) -> str:
    return call.emit("Unsqueeze", call.tensor("x"), call.constant(call.axes("axes", call.rank())))


def _concat(call: Call) -> str:
    if call.flag("interleave"):
        raise call.unsupported("interleave")
    return call.emit("Concat", *call.tensors("values"), axis=call.ints("axis", [])[0])


def _classify(call: Call) -> list[str]:
    """Return the index of the label that Core ML would name, and the probabilities that it would list."""
    probabilities = call.tensor("probabilities")
    return [call.emit("ArgMax", probabilities, axis=-1, keepdims=0), call.emit("Identity", probabilities)]


def _same_rank(call: Call) -> bool:
    return all(len(call.shape(name)) == call.rank() for name in ("x", "y") if call.varies(name))


def _only_x(call: Call) -> bool:
    return not call.varies("weight", "bias", "alpha", "beta")


def _rows_of_x(call: Call) -> bool:
    return not call.varies("y") and len(call.shape("y")) == 2 and not call.flag("transpose_x")


def _axes_spare_rows(call: Call) -> bool:
    return 0 not in call.axes("axes", len(call.shape("x")))


def _axis_spares_rows(name: str, parameter: str) -> Callable[[Call], bool]:
    return lambda call: call.ints(parameter, [-1])[0] % len(call.shape(name)) != 0


def _concat_spares_rows(call: Call) -> bool:
    return _axis_spares_rows("values", "axis")(call) and not call.is_constant("values")


OPERATORS: dict[str, Operator] = {
    **{name: Operator(translate) for name, translate in CURVES.items()},
    "add": Operator(_binary("Add"), by_row=_same_rank),
    "avg_pool": Operator(_average_pool),
    "batch_norm": Operator(_batch_norm),
    "cast": Operator(_cast),
    "classify": Operator(_classify, rounds=False),
    "clip": Operator(_clip, rounds=False, by_row=_only_x),
    "concat": Operator(_concat, rounds=False, by_row=_concat_spares_rows),
    "conv": Operator(_conv, by_row=_only_x),
    "expand_dims": Operator(_expand_dims, rounds=False, by_row=lambda call: 0 not in call.axes("axes", call.rank())),
    "identity": Operator(_unary("Identity"), rounds=False),
    "linear": Operator(_linear, by_row=_only_x),
    "matmul": Operator(_matmul, by_row=_rows_of_x),
    "max_pool": Operator(_max_pool, rounds=False),
    "maximum": Operator(_binary("Max"), rounds=False, by_row=_same_rank),
    "minimum": Operator(_binary("Min"), rounds=False, by_row=_same_rank),
    "mul": Operator(_binary("Mul"), by_row=_same_rank),
    "pad": Operator(_pad, rounds=False, by_row=lambda call: not any(_full_pads(call)[:2])),
    "pow": Operator(_binary("Pow"), by_row=_same_rank),
    "real_div": Operator(_binary("Div"), by_row=_same_rank),
    "reduce_max": Operator(_reduce("ReduceMax"), rounds=False, by_row=_axes_spare_rows),
    "reduce_mean": Operator(_reduce("ReduceMean"), by_row=_axes_spare_rows),
    "reduce_min": Operator(_reduce("ReduceMin"), rounds=False, by_row=_axes_spare_rows),
    "reduce_sum": Operator(_reduce_sum, by_row=_axes_spare_rows),
    "relu": Operator(_unary("Relu"), rounds=False),
    "relu6": Operator(_relu6, rounds=False),
    "reshape": Operator(_reshape, rounds=False, by_row=_reshapes_rows),
    "resize_bilinear": Operator(pieces.resized_bilinear),
    "round": Operator(_unary("Round"), rounds=False),  # halves to the even number, as in ONNX
    "slice_by_index": Operator(pieces.sliced_by_index, rounds=False, by_row=pieces.index_spares_rows),
    "slice_by_size": Operator(pieces.sliced_by_size, rounds=False, by_row=pieces.size_spares_rows),
    "softmax": Operator(_softmax, by_row=_axis_spares_rows("x", "axis")),
    "split": Operator(pieces.split, rounds=False, by_row=_axis_spares_rows("x", "axis")),
    "squeeze": Operator(_squeeze, rounds=False, by_row=lambda call: 0 not in _squeezed(call)),
    "sub": Operator(_binary("Sub"), by_row=_same_rank),
    "transpose": Operator(
        _transpose, rounds=False, by_row=lambda call: call.axes("perm", len(call.shape("x")))[0] == 0
    ),
    "upsample_bilinear": Operator(pieces.upsampled_bilinear),
    "upsample_nearest_neighbor": Operator(pieces.upsampled_nearest, rounds=False),
}
