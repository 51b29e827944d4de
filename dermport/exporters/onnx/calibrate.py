"""What the calibration photos tell about a float graph: ranges for quantisation, means for bias correction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dermport.exporters.onnx.convert import INPUT
from dermport.runtimes.onnxruntime import open_session

if TYPE_CHECKING:
    import onnx

BATCH = 8


def batches(photos: NDArray[np.uint8]) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Yield the photos, uint8 [N, S, S, 3], as ONNX Runtime's feeds of up to :data:`BATCH`."""
    for start in range(0, len(photos), BATCH):
        yield {INPUT: photos[start : start + BATCH].astype(np.float32)}


def channel_means(
    model: onnx.ModelProto, tensors: Sequence[str], photos: NDArray[np.uint8]
) -> dict[str, NDArray[np.float64]]:
    """Return the mean of each channel, float64 [channels], of tensors [N, channels, ...] over all photos."""
    sums: list[NDArray[np.float64]] = [np.zeros(1)] * len(tensors)
    for means in _reduced(model, ["ReduceMean"], tensors, photos):
        sums = [total + mean.sum(axis=0, dtype=np.float64) for total, mean in zip(sums, means, strict=True)]
    return {name: total / len(photos) for name, total in zip(tensors, sums, strict=True)}


def ranges(model: onnx.ModelProto, tensors: Sequence[str], photos: NDArray[np.uint8]) -> dict[str, tuple[float, float]]:
    """Return the smallest and largest value of tensors [N, channels, ...] over all photos."""
    found = [
        np.concatenate(parts)
        for parts in zip(*_reduced(model, ["ReduceMin", "ReduceMax"], tensors, photos), strict=True)
    ]
    lows, highs = found[: len(tensors)], found[len(tensors) :]
    return {n: (float(low.min()), float(high.max())) for n, low, high in zip(tensors, lows, highs, strict=True)}


def _reduced(
    model: onnx.ModelProto, operators: Sequence[str], tensors: Sequence[str], photos: NDArray[np.uint8]
) -> Iterator[list[NDArray[np.float32]]]:
    """Yield, for a few photos at a time, each tensor reduced to [N, channels] by the first operator, then the next.

    Nothing is yielded of no tensors.

    The graph itself reduces, so that no activation ever leaves ONNX Runtime. One thread: exports run side by side.
    """
    if not tensors:
        return
    session = open_session(_with_reductions(model, operators, tensors).SerializeToString(), threads=1)
    for feed in batches(photos):
        yield session.run(None, feed)


def _with_reductions(model: onnx.ModelProto, operators: Sequence[str], tensors: Sequence[str]) -> onnx.ModelProto:
    import onnx
    from onnx import helper

    probe = onnx.ModelProto()
    probe.CopyFrom(onnx.shape_inference.infer_shapes(model))
    ranks = {info.name: len(info.type.tensor_type.shape.dim) for info in probe.graph.value_info}
    del probe.graph.output[:]
    for number, (operator, name) in enumerate(product(operators, tensors)):
        reduced = f"reduced_{number}"
        axes = list(range(2, ranks[name]))
        node = helper.make_node(operator, [name], [reduced], axes=axes, keepdims=0) if axes else None
        probe.graph.node.append(node or helper.make_node("Identity", [name], [reduced]))
        probe.graph.output.append(helper.make_tensor_value_info(reduced, onnx.TensorProto.FLOAT, None))
    return probe
