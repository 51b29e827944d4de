"""What the calibration photos tell about a float graph: ranges for quantisation, means for bias correction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from exporters.onnx.convert import INPUT

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
    """Return the mean of each channel, float64 [channels], of tensors [N, channels, ...] over all photos.

    The graph itself computes the means of a photo, so that no activation ever leaves ONNX Runtime.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3
    probe = _with_means(model, tensors)
    session = ort.InferenceSession(probe.SerializeToString(), options, providers=["CPUExecutionProvider"])
    sums = [np.zeros(0)] * len(tensors)
    for feed in batches(photos):
        results = session.run(None, feed)
        sums = [
            _added(total, result.sum(axis=0, dtype=np.float64)) for total, result in zip(sums, results, strict=True)
        ]
    return {name: total / len(photos) for name, total in zip(tensors, sums, strict=True)}


def _added(total: NDArray[np.float64], more: NDArray[np.float64]) -> NDArray[np.float64]:
    return total + more if total.size else more


def _with_means(model: onnx.ModelProto, tensors: Sequence[str]) -> onnx.ModelProto:
    import onnx
    from onnx import helper

    probe = onnx.ModelProto()
    probe.CopyFrom(onnx.shape_inference.infer_shapes(model))
    ranks = {info.name: len(info.type.tensor_type.shape.dim) for info in probe.graph.value_info}
    del probe.graph.output[:]
    for number, name in enumerate(tensors):
        mean = f"channel_mean_{number}"
        axes = list(range(2, ranks[name]))
        node = helper.make_node("ReduceMean", [name], [mean], axes=axes, keepdims=0) if axes else None
        probe.graph.node.append(node or helper.make_node("Identity", [name], [mean]))
        probe.graph.output.append(helper.make_tensor_value_info(mean, onnx.TensorProto.FLOAT, None))
    return probe
