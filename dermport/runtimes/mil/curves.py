"""MIL's curves in ONNX: what is computed of each element by itself.

The semantics are those of coremltools' ``ops/defs/iOS15/activation.py`` and ``elementwise_unary.py``; the ONNX
operators are opset 17's, which has neither Gelu nor Erfc.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from dermport.runtimes.mil.call import Call

Curve = Callable[[Call], str]


def _constant(call: Call, value: float) -> str:
    return call.constant(value, "float32")


def _leaky_relu(call: Call) -> str:
    return call.emit("LeakyRelu", call.tensor("x"), alpha=call.number("alpha", 0.01))


def _elu(call: Call) -> str:
    return call.emit("Elu", call.tensor("x"), alpha=call.number("alpha", 1.0))


def _prelu(call: Call) -> str:
    slope = call.value("alpha").reshape(-1, *[1] * (len(call.shape("x")) - 2))
    return call.emit("PRelu", call.tensor("x"), call.constant(slope, "float32"))


def _clamped_relu(call: Call) -> str:
    return call.emit("Min", _leaky_relu(call), _constant(call, call.number("beta", 1.0)))


def _sigmoid_hard(call: Call) -> str:
    return call.emit("HardSigmoid", call.tensor("x"), alpha=call.number("alpha", 0.2), beta=call.number("beta", 0.5))


def _silu(call: Call) -> str:
    return call.emit("Mul", call.tensor("x"), call.emit("Sigmoid", call.tensor("x")))


def _gelu(call: Call) -> str:
    x, mode = call.tensor("x"), call.text("mode", "EXACT")
    if mode == "SIGMOID_APPROXIMATION":
        return call.emit("Mul", x, call.emit("Sigmoid", call.emit("Mul", x, _constant(call, 1.702))))
    if mode == "EXACT":
        curve = call.emit("Erf", call.emit("Mul", x, _constant(call, math.sqrt(0.5))))
    else:
        cube = call.emit("Mul", x, call.emit("Mul", x, x))
        inner = call.emit("Add", x, call.emit("Mul", cube, _constant(call, 0.044715)))
        curve = call.emit("Tanh", call.emit("Mul", inner, _constant(call, math.sqrt(2 / math.pi))))
    half = call.emit("Mul", x, _constant(call, 0.5))
    return call.emit("Mul", half, call.emit("Add", curve, _constant(call, 1)))


def _scaled_tanh(call: Call) -> str:
    curve = call.emit("Tanh", call.emit("Mul", call.tensor("x"), _constant(call, call.number("beta", 1.0))))
    return call.emit("Mul", curve, _constant(call, call.number("alpha", 1.0)))


def _linear_activation(call: Call) -> str:
    product = call.emit("Mul", call.tensor("x"), _constant(call, call.number("alpha", 1.0)))
    return call.emit("Add", product, _constant(call, call.number("beta")))


def _square(call: Call) -> str:
    return call.emit("Mul", call.tensor("x"), call.tensor("x"))


def _rsqrt(call: Call) -> str:
    shifted = call.emit("Add", call.tensor("x"), _constant(call, call.number("epsilon", 1e-12)))
    return call.emit("Reciprocal", call.emit("Sqrt", shifted))


def _inverse(call: Call) -> str:
    shifted = call.emit("Add", call.tensor("x"), _constant(call, call.number("epsilon", 1e-4)))
    return call.emit("Reciprocal", shifted)


def _log(call: Call) -> str:
    return call.emit("Log", call.emit("Add", call.tensor("x"), _constant(call, call.number("epsilon", 1e-45))))


def _unary(operator: str) -> Curve:
    return lambda call: call.emit(operator, call.tensor("x"))


CURVES: dict[str, Curve] = {
    "abs": _unary("Abs"),
    "ceil": _unary("Ceil"),
    "clamped_relu": _clamped_relu,
    "elu": _elu,
    "erf": _unary("Erf"),
    "exp": _unary("Exp"),
    "floor": _unary("Floor"),
    "gelu": _gelu,
    "inverse": _inverse,
    "leaky_relu": _leaky_relu,
    "linear_activation": _linear_activation,
    "log": _log,
    "prelu": _prelu,
    "rsqrt": _rsqrt,
    "scaled_tanh": _scaled_tanh,
    "sigmoid": _unary("Sigmoid"),
    "sigmoid_hard": _sigmoid_hard,
    "silu": _silu,
    "softplus": _unary("Softplus"),
    "softsign": _unary("Softsign"),
    "sqrt": _unary("Sqrt"),
    "square": _square,
    "tanh": _unary("Tanh"),
}
