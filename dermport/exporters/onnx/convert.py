"""From the Keras model to a float32 ONNX graph, folded down to what a device has to compute."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dermport.bundle.atomic import write_bytes
from dermport.errors import ExportError
from dermport.exporters.contract import Source
from dermport.exporters.maps import named_outputs
from dermport.exporters.origin import origin
from dermport.runtimes.base import ACTIVATION_MAP, PROBABILITIES
from dermport.runtimes.onnxruntime import session_options

if TYPE_CHECKING:
    import onnx

OPSET = 17
INPUT = "image"
OUTPUT = PROBABILITIES
FILE = "model.onnx"


def float_model(source: Source) -> onnx.ModelProto:
    """Convert ``model.keras``: `image` float32 [N, S, S, 3] of 0..255 in, `probabilities` float32 [N, C] out.

    Where the model gives its map, `activation_map` float32 [N, h, w, C] is the second output.

    Batch normalisation, padding and biases are folded into the convolutions, relu6 is a Clip. The metadata is what
    :func:`dermport.exporters.origin.origin` lists.

    Raises:
        ExportError: tf2onnx or ONNX Runtime refused the model.
    """
    try:
        model = _folded(_converted(source))
    except Exception as error:  # tf2onnx and ONNX Runtime raise errors of many types
        raise ExportError(f"The Keras model cannot be converted to ONNX: {error}.") from error
    _name_batch(model)
    _number_names(model)
    stamp(model, source, "fp32")
    return model


def save(model: onnx.ModelProto, path: Path) -> None:
    """Write `model` once ONNX's own checker, with shape inference, accepts it.

    Raises:
        ExportError: The checker refuses it.
    """
    import onnx

    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"{path.name} is not a valid ONNX model: {error}") from error
    write_bytes(path, model.SerializeToString(deterministic=True))


def _converted(source: Source) -> onnx.ModelProto:
    import tensorflow as tf
    import tf2onnx

    size = source.manifest.preprocessing.size
    signature = [tf.TensorSpec((None, size, size, 3), tf.float32, name=INPUT)]
    function = tf.function(lambda image: named_outputs(source.model, image), input_signature=signature)
    model, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=OPSET)
    _store_captured(model, function.get_concrete_function().graph.captures)
    _write_erfc(model)
    outputs = sorted(model.graph.output, key=lambda output: output.name != OUTPUT)  # probabilities first
    copies = [type(output).FromString(output.SerializeToString()) for output in outputs]
    del model.graph.output[:]
    model.graph.output.extend(copies)
    return model


def _store_captured(model: onnx.ModelProto, captures: Iterable[tuple[Any, Any]]) -> None:
    """Make constants of what tf2onnx leaves as inputs: a layer's tensors that are no variables (Normalization's)."""
    from onnx import numpy_helper

    values = {placeholder.name: value for value, placeholder in captures}
    inputs = [tensor for tensor in model.graph.input if tensor.name not in values]
    stored = [tensor.name for tensor in model.graph.input if tensor.name in values]
    model.graph.initializer.extend(numpy_helper.from_array(values[name].numpy(), name) for name in stored)
    copies = [type(tensor).FromString(tensor.SerializeToString()) for tensor in inputs]
    del model.graph.input[:]
    model.graph.input.extend(copies)


def _write_erfc(model: onnx.ModelProto) -> None:
    """Write Erfc, Gelu's, which tf2onnx leaves as it is, in the operators that ONNX has: 1 - Erf."""
    from onnx import helper, numpy_helper

    if not any(node.op_type == "Erfc" for node in model.graph.node):
        return
    nodes = []
    for node in model.graph.node:
        if node.op_type == "Erfc":
            error = f"{node.output[0]}:erf"
            nodes.append(helper.make_node("Erf", node.input, [error]))
            nodes.append(helper.make_node("Sub", ["erfc:one", error], node.output))
        else:
            nodes.append(type(node).FromString(node.SerializeToString()))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.append(numpy_helper.from_array(np.array(1, np.float32), "erfc:one"))


def _folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """Let ONNX Runtime fold; its "basic" level writes standard operators only, on whatever machine it runs."""
    import onnx
    import onnxruntime as ort

    options = session_options()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = str(Path(folder) / FILE)
        ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        folded = onnx.load(options.optimized_model_filepath)
    standard = [entry for entry in folded.opset_import if not entry.domain]
    del folded.opset_import[:]
    folded.opset_import.extend(standard)
    return folded


def _name_batch(model: onnx.ModelProto) -> None:
    for tensor in (*model.graph.input, *model.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = "N"
    del model.graph.value_info[:]  # their own names for the batch contradict "N"; checkers infer them anew


def _number_names(model: onnx.ModelProto) -> None:
    """Name nodes by type and place (``Conv_7``), their outputs alike, constants by their reader (``Conv_7.1``).

    tf2onnx's own names count on from one conversion to the next, so that no two files would be equal.
    """
    names = {name: name for name in (INPUT, OUTPUT, ACTIVATION_MAP)}
    counts: Counter[str] = Counter()
    for node in model.graph.node:
        counts[node.op_type] += 1
        node.name = f"{node.op_type}_{counts[node.op_type]}"
        for place, name in enumerate(node.input):
            names.setdefault(name, f"{node.name}.{place}")
        names.update({name: node.name for name in node.output if name not in names})
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = [names[name] for name in node.output]
    constants = sorted(model.graph.initializer, key=lambda tensor: names[tensor.name])
    for tensor in constants:
        tensor.name = names[tensor.name]
    ordered = [type(tensor).FromString(tensor.SerializeToString()) for tensor in constants]
    del model.graph.initializer[:]
    model.graph.initializer.extend(ordered)
    model.graph.name, model.graph.doc_string = "dermport", ""


def stamp(model: onnx.ModelProto, source: Source, precision: str) -> None:
    """Replace the metadata of `model`; ``labels`` is a JSON list in the order of the outputs."""
    from onnx import helper

    helper.set_model_props(model, origin(source) | {"precision": precision})
