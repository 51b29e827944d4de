"""Every lowering against ONNX Runtime: the same values from Keras, channels last, as from the graph, channels first."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from dermport.importing.probe import decided, probe
from dermport.importing.rebuild.graph import read_graph
from dermport.importing.rebuild.network import rebuild
from dermport.importing.scaling import SCALINGS
from dermport.runtimes.onnxruntime import open_session
from tests.importing.graphs import graph_of

SIZE = 16
_RANDOM = np.random.default_rng(0)


def _weights(*shape: int) -> Any:
    return _RANDOM.normal(0, 0.3, shape).astype(np.float32)


def _node(kind: str, reads: str, writes: str, **attributes: Any) -> Any:
    return helper.make_node(kind, reads.split(" "), writes.split(" "), **attributes)


_CONSTANTS: dict[str, Any] = {
    "k3": _weights(8, 3, 3, 3),
    "grouped": _weights(8, 4, 3, 3),
    "depthwise": _weights(16, 1, 3, 3),
    "bias": _weights(8),
    "gate": _weights(8, 8, 1, 1),
    "by_channel": _weights(1, 8, 1, 1),
    "dense": _weights(8, 4),
    "dense_bias": _weights(4),
    "slope": _weights(8, 1, 1),
    **{f"bn{n}": np.abs(_weights(8)) + 0.1 for n in range(4)},
    **{name: np.array(value, np.float32) for name, value in {"0": 0, "1": 1, "6": 6, "half": 0.5, "3": 3}.items()},
    "sqrt2": np.array(2**0.5, np.float32),
    "spatial": np.array([2, 3], np.int64),
    "flat": np.array([0, -1], np.int64),
    "bgr": np.array([2, 1, 0], np.int64),
    "edges": np.array([0, 0, 1, 0, 0, 0, 2, 1], np.int64),
    "twice": np.array([1, 1, 2, 2], np.float32),
    "batch_at": np.array([0], np.int64),
    "rest": np.array([-1], np.int64),
}
_START = [_node("Conv", "image k3 bias", "x", pads=[1, 1, 1, 1])]
_END = [_node("GlobalAveragePool", "y", "p"), _node("Flatten", "p", "f"), _node("MatMul", "f dense", "answer")]
_BODIES: dict[str, list[Any]] = {
    "grouped, strided as PyTorch pads": [
        _node("Conv", "x grouped", "y", group=2, strides=[2, 2], pads=[1, 1, 1, 1]),
    ],
    "depthwise, two filters a channel, then halved": [
        _node("Conv", "x depthwise", "d", group=8, auto_pad="SAME_UPPER", strides=[2, 2]),
        _node("Relu", "d", "r"),
        _node("Conv", "x gate", "g", strides=[2, 2]),
        _node("Concat", "g g", "gg", axis=1),
        _node("Add", "r gg", "s"),
        _node("Transpose", "s", "t", perm=[0, 2, 3, 1]),
        _node("Transpose", "t", "u", perm=[0, 3, 1, 2]),
        _node("ReduceMean", "u", "m", axes=[2, 3], keepdims=1),
        _node("Conv", "m gate2", "y"),
    ],
    "batch normalisation and the activations": [
        _node("BatchNormalization", "x bn0 bn1 bn2 bn3", "b"),
        _node("HardSwish", "b", "c"),
        _node("PRelu", "c slope", "d"),
        _node("Elu", "d", "e"),
        _node("Tanh", "e", "g"),
        _node("HardSigmoid", "g", "h", alpha=1 / 6),
        _node("Clip", "h 0 6", "y"),
    ],
    "GELU as PyTorch writes it, numbers and channels": [
        _node("Div", "x sqrt2", "a"),
        _node("Erf", "a", "b"),
        _node("Add", "b 1", "c"),
        _node("Mul", "x c", "d"),
        _node("Mul", "d half", "e"),
        _node("Mul", "e by_channel", "g"),
        _node("Sub", "1 g", "h"),
        _node("Div", "h 3", "i"),
        _node("Neg", "i", "y"),
    ],
    "a gate on its channels": [
        _node("GlobalAveragePool", "x", "a"),
        _node("Conv", "a gate bias", "b"),
        _node("Sigmoid", "b", "c"),
        _node("Mul", "x c", "y"),
    ],
    "pooling over the edge, padding, twice the size": [
        _node("Relu", "x", "a"),
        _node("MaxPool", "a", "b", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
        _node("AveragePool", "b", "c", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
        _node("Pad", "c edges", "d"),
        _node("Resize", "d  twice", "y", mode="linear", coordinate_transformation_mode="half_pixel"),
    ],
}
_CONSTANTS["gate2"] = _weights(8, 16, 1, 1)


def _compare(nodes: list[Any], tolerance: float = 1e-5) -> None:
    used = {name for node in nodes for name in node.input}
    model = graph_of(nodes, {name: _CONSTANTS[name] for name in used & set(_CONSTANTS)}, ["N", 3, SIZE, SIZE])
    images = np.random.default_rng(1).normal(0, 1, (2, SIZE, SIZE, 3)).astype(np.float32)
    [expected] = open_session(model).run(None, {"image": images.transpose(0, 3, 1, 2)})
    made = rebuild(read_graph(onnx.load_from_string(model), "graph.onnx"), SIZE).model(images, training=False)
    assert np.abs(np.asarray(made) - expected).max() < tolerance * max(1.0, np.abs(expected).max())


@pytest.mark.parametrize("name", _BODIES)
def test_layers_answer_as_onnx_runtime(name: str) -> None:
    _compare([*_START, *_BODIES[name], *_END])


def test_blue_first_shapes_computed_from_the_batch_and_a_bias_apart() -> None:
    _compare(
        [
            _node("Gather", "image bgr", "b", axis=1),
            *[_node("Conv", "b k3", "c", strides=[8, 8]), _node("Relu", "c", "x")],
            _node("Shape", "x", "s"),
            _node("Gather", "s batch_at", "n"),
            _node("Concat", "n rest", "shape", axis=0),
            _node("GlobalMaxPool", "x", "g"),
            _node("Reshape", "g shape", "f"),
            _node("MatMul", "f dense", "m"),
            _node("Add", "m dense_bias", "l"),
            _node("Softmax", "l", "answer", axis=-1),
        ]
    )


@pytest.mark.parametrize("true", ["0..255", "0..1", "-1..1", "imagenet", "caffe", "-1..1-bgr"])
def test_the_probe_finds_what_a_network_was_trained_with(true: str) -> None:
    import keras

    keras.utils.set_random_seed(1)
    random = np.random.default_rng(2)
    colours = np.array([205, 150, 120]) + random.normal(0, 25, (24, 1, 1, 3))
    photos = (colours + random.normal(0, 30, (24, SIZE, SIZE, 3))).clip(0, 255).astype(np.uint8)
    norms = [keras.layers.BatchNormalization(momentum=0.0) for _ in range(2)]
    image = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.ReLU()(norms[0](keras.layers.Conv2D(8, 3)(image)))
    network = keras.Model(image, norms[1](keras.layers.Conv2D(8, 3)(x)))
    network(SCALINGS[true].apply(photos[:12]), training=True)
    scores = probe(network, photos[12:])
    assert decided(scores) == true, scores
