"""Operators that keep the shape: arithmetic, activations, batch normalisation; and dense layers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dermport.importing.rebuild.call import LoweredTensor, LoweringCall, lowers

_WORDS = {"Sigmoid": "sigmoid", "Tanh": "tanh", "HardSwish": "hard_silu", "Softplus": "softplus", "Swish": "silu"}
_MERGES = {"Add": "Add", "Mul": "Multiply", "Sub": "Subtract"}


@lowers("Add", "Mul", "Sub", "Div")
def _arithmetic(call: LoweringCall) -> LoweredTensor:
    import keras

    first, second = call.inputs
    if isinstance(first, LoweredTensor) and isinstance(second, LoweredTensor):
        if call.node.type not in _MERGES:
            call.refuse("both operands are computed")
        if (first.layout, first.order, first.mirrored) != (second.layout, second.order, second.mirrored):
            call.refuse("its operands are laid out differently")
        layer = getattr(keras.layers, _MERGES[call.node.type])(name=call.named())
        return first.with_tensor(layer([first.tensor, second.tensor]))
    if isinstance(first, LoweredTensor):
        scale, offset = _affine(call, first.spread(call.constant(1)))
        return _rescaled(call, first, scale, offset)
    value = call.tensor(1)
    scale, offset = _affine(call, value.spread(call.constant(0)))
    if call.node.type == "Sub":  # c - x
        scale, offset = -scale, -offset
    elif call.node.type == "Div":
        call.refuse("a constant is divided by something computed")
    return _rescaled(call, value, scale, offset)


def _affine(call: LoweringCall, constant: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return scale and offset of what a constant does to x."""
    c, one = constant.astype(np.float64), np.ones_like(constant, np.float64)
    return {"Add": (one, c), "Sub": (one, -c), "Mul": (c, 0 * c), "Div": (1 / np.where(c == 0, 1, c), 0 * c)}[
        call.node.type
    ]


def _rescaled(
    call: LoweringCall, value: LoweredTensor, scale: NDArray[np.float64], offset: NDArray[np.float64]
) -> LoweredTensor:
    import keras

    if value.order or scale.size != scale.shape[-1] or scale.size not in (1, value.tensor.shape[-1]):
        call.refuse("its constant is of another shape than one value, or one for each channel")
    numbers = [float(scale.flat[0]), float(offset.flat[0])] if scale.size == 1 else [_list(scale), _list(offset)]
    return value.with_tensor(keras.layers.Rescaling(*numbers, name=call.named("scale"))(value.tensor))


@lowers("Neg")
def _negative(call: LoweringCall) -> LoweredTensor:
    return _rescaled(call, call.tensor(), -np.ones(1), np.zeros(1))


def _list(values: NDArray[np.float64]) -> list[float]:
    return [float(value) for value in values.reshape(-1)]


@lowers("BatchNormalization")
def _batch_norm(call: LoweringCall) -> LoweredTensor:
    import keras

    value = call.tensor()
    if value.layout == "NHWC":
        call.refuse("it normalises rows, not channels")
    layer = keras.layers.BatchNormalization(epsilon=call.attribute("epsilon", 1e-5), name=call.named("batch_norm"))
    made = layer(value.tensor)
    step = -1 if value.mirrored else 1
    layer.set_weights([call.constant(place).astype(np.float32)[::step] for place in range(1, 5)])
    return value.with_tensor(made)


@lowers("Relu")
def _relu(call: LoweringCall) -> LoweredTensor:
    import keras

    return call.tensor().with_tensor(keras.layers.ReLU(name=call.named())(call.tensor().tensor))


@lowers("Clip")
def _clip(call: LoweringCall) -> LoweredTensor:
    import keras

    low, high = call.setting("min", 1, -np.inf), call.setting("max", 2, np.inf)
    if low != 0:
        call.refuse(f"it clips at {low:g}, not at 0")
    layer = keras.layers.ReLU(None if high > 1e30 else float(high), name=call.named("relu"))
    return call.tensor().with_tensor(layer(call.tensor().tensor))


@lowers("LeakyRelu")
def _leaky_relu(call: LoweringCall) -> LoweredTensor:
    import keras

    layer = keras.layers.LeakyReLU(negative_slope=call.attribute("alpha", 0.01), name=call.named("leaky_relu"))
    return call.tensor().with_tensor(layer(call.tensor().tensor))


@lowers("PRelu")
def _prelu(call: LoweringCall) -> LoweredTensor:
    import keras

    value = call.tensor()
    slope = value.spread(call.constant(1))[0]
    if slope.size not in (1, value.tensor.shape[-1]):
        call.refuse("its slope differs from pixel to pixel")
    layer = keras.layers.PReLU(shared_axes=[1, 2] if value.layout != "flat" else None, name=call.named())
    made = layer(value.tensor)
    layer.set_weights([np.broadcast_to(slope, layer.alpha.shape)])
    return value.with_tensor(made)


@lowers("HardSigmoid")
def _hard_sigmoid(call: LoweringCall) -> LoweredTensor:
    if not np.isclose(call.attribute("alpha", 0.2), 1 / 6, rtol=1e-3) or call.attribute("beta", 0.5) != 0.5:
        call.refuse("its slope is not 1/6, as in Keras and PyTorch")
    return _activated(call, "hard_sigmoid")


@lowers("Gelu")
def _gelu(call: LoweringCall) -> LoweredTensor:
    if call.attribute("approximate", "none") != "none":
        call.refuse("it is the approximation by tanh")
    return _activated(call, "gelu")


@lowers("Elu")
def _elu(call: LoweringCall) -> LoweredTensor:
    return _activated(call, "elu") if call.attribute("alpha", 1.0) == 1 else call.refuse("its alpha is not 1")


@lowers(*_WORDS)
def _activation(call: LoweringCall) -> LoweredTensor:
    return _activated(call, _WORDS[call.node.type])


def _activated(call: LoweringCall, word: str) -> LoweredTensor:
    import keras

    return call.tensor().with_tensor(keras.layers.Activation(word, name=call.named(word))(call.tensor().tensor))


@lowers("Softmax", "LogSoftmax")
def _softmax(call: LoweringCall) -> LoweredTensor:
    import keras

    value = call.tensor()
    if value.layout != "flat" or call.attribute("axis", -1) % 2 != 1:
        call.refuse("it is not over the classes")
    word = {"Softmax": "softmax", "LogSoftmax": "log_softmax"}[call.node.type]
    return value.with_tensor(keras.layers.Activation(word, name=call.named(word))(value.tensor))


@lowers("Gemm", "MatMul")
def _dense(call: LoweringCall) -> LoweredTensor:
    import keras

    value, weights, bias = call.tensor(), call.constant(1).astype(np.float32), call.optional(2)
    if value.layout != "flat" or weights.ndim != 2 or call.attribute("transA", 0):
        call.refuse("it multiplies something else than features by a matrix")
    kernel = (weights.T if call.attribute("transB", 0) else weights) * call.attribute("alpha", 1.0)
    if value.order:
        places = np.arange(len(kernel)).reshape(value.order)  # ONNX's row of each (channel, height, width)
        kernel = kernel[places.transpose(1, 2, 0).reshape(-1)]
    layer = keras.layers.Dense(kernel.shape[1], use_bias=bias is not None, name=call.named("dense"))
    made = layer(value.tensor)
    added = [] if bias is None else [np.broadcast_to(bias.reshape(-1), kernel.shape[1:]) * call.attribute("beta", 1.0)]
    layer.set_weights([kernel, *added])
    return LoweredTensor(made, "flat")
