"""A TFLite model in memory: its layers, its constants (to be changed in place), and back to bytes.

Built on the object API that ai-edge-litert generates from TFLite's schema.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from numpy.typing import NDArray

WEIGHTED = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}


@dataclass(frozen=True)
class TFLiteLayer:
    """A convolution or dense layer.

    Attributes:
        output: Name of its output tensor; the same in a float model and in one quantised from it.
        input: Name of its input tensor.
        weights: Its weights, with the output channels as the first axis; a view into the model.
        bias: Its bias [channels], float32 or int32; a view into the model.
        bias_scale: What one step of an int32 bias is worth, [channels]; ones for float32.
    """

    output: str
    input: str
    weights: NDArray[Any]
    bias: NDArray[Any]
    bias_scale: NDArray[np.float64]


class TFLiteGraph:
    """The one graph of a TFLite model.

    Args:
        data: The model's bytes; copied.

    Biases that layers share (equal constants are stored once) are parted, so that each can be changed by itself.

    Attributes:
        model: TFLite's ``ModelT``.
    """

    def __init__(self, data: bytes) -> None:
        from ai_edge_litert.tools import flatbuffer_utils

        self.model = flatbuffer_utils.read_model_from_bytearray(memoryview(bytearray(data)))
        self._name_of = flatbuffer_utils.opcode_to_name
        for buffer in self.model.buffers:
            if buffer.data is not None:
                buffer.data = np.frombuffer(buffer.data, np.uint8)
        self._part_biases()

    @property
    def operators(self) -> list[Any]:
        """The operators (``OperatorT``) in the order in which they run."""
        return list(self.model.subgraphs[0].operators)

    def type_of(self, operator: Any) -> str:
        """Return the operator's type, e.g. ``"CONV_2D"``."""
        return str(self._name_of(self.model, operator.opcodeIndex))

    def tensor(self, index: int) -> Any:
        """Return a tensor (``TensorT``) by its index."""
        return self.model.subgraphs[0].tensors[index]

    def name_of(self, index: int) -> str:
        """Return a tensor's name by its index."""
        return str(self.tensor(index).name.decode())

    @property
    def ends(self) -> tuple[int, int]:
        """The indices of the model's input and of its first output tensor, the probabilities."""
        subgraph = self.model.subgraphs[0]
        return int(subgraph.inputs[0]), int(subgraph.outputs[0])

    @property
    def map_index(self) -> int | None:
        """The index of the class activation map, the second output; None where the model has but one."""
        outputs = self.model.subgraphs[0].outputs
        return int(outputs[1]) if len(outputs) > 1 else None

    def writer(self, index: int) -> Any:
        """Return the operator that writes a tensor; None for the model's input and for constants."""
        return next((operator for operator in self.operators if index in operator.outputs), None)

    def sums(self) -> list[Any]:
        """Return the additions of two activations: the ends of the skip connections."""
        adds = [operator for operator in self.operators if self.type_of(operator) == "ADD"]
        return [add for add in adds if all(self.writer(index) is not None for index in add.inputs)]

    def weighted(self) -> list[Any]:
        """Return the convolutions and dense layers (``OperatorT``) in the order in which they run."""
        return [operator for operator in self.operators if self.type_of(operator) in WEIGHTED]

    def layers(self) -> list[TFLiteLayer]:
        """Return the convolutions and dense layers with a bias in the order in which they run."""
        return [self._layer(operator) for operator in self.layer_operators()]

    def layer_operators(self) -> list[Any]:
        """Return the operators of :meth:`layers`, in the same order."""
        return [operator for operator in self.weighted() if _has_bias(operator)]

    def _part_biases(self) -> None:
        tensors, buffers = self.model.subgraphs[0].tensors, self.model.buffers
        seen: set[int] = set()
        for operator in self.layer_operators():
            bias = tensors[operator.inputs[2]]
            if bias.buffer in seen:
                bias, buffer = copy(bias), copy(buffers[bias.buffer])
                buffer.data, bias.buffer = buffer.data.copy(), len(buffers)
                bias.name = bias.name + b";%d" % bias.buffer
                operator.inputs[2] = len(tensors)
                tensors.append(bias)
                buffers.append(buffer)
            seen.add(bias.buffer)

    def _layer(self, operator: Any) -> TFLiteLayer:
        source, weights, bias = (self.tensor(index) for index in operator.inputs[:3])
        channels = WEIGHTED[self.type_of(operator)]
        scale = bias.quantization.scale if bias.quantization else None
        return TFLiteLayer(
            output=self.tensor(operator.outputs[0]).name.decode(),
            input=source.name.decode(),
            weights=np.moveaxis(self.constant(weights), channels, 0),
            bias=self.constant(bias),
            bias_scale=np.ones(bias.shape) if scale is None else np.asarray(scale, np.float64),
        )

    def constant(self, tensor: Any) -> NDArray[Any]:
        """Return a constant tensor's values in its shape and dtype; a view into the model, but of int4 a copy."""
        data = self.model.buffers[tensor.buffer].data
        if tensor.type == INT4:
            return _unpacked(data, int(np.prod(tensor.shape))).reshape(tensor.shape)
        return np.asarray(data.view(_DTYPES[tensor.type]).reshape(tensor.shape))

    def add_dequantisation(self, quantisation: Any) -> int:
        """Add a DEQUANTIZE behind a QUANTIZE operator; return the index of its float tensor."""
        from ai_edge_litert import schema_py_generated as schema

        subgraph, tensor = self.model.subgraphs[0], copy(self.tensor(quantisation.inputs[0]))
        tensor.name, index = tensor.name + b"_rounded", len(subgraph.tensors)
        subgraph.tensors.append(tensor)
        operator, code = schema.OperatorT(), schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.DEQUANTIZE
        code.version = 2  # the first that reads int8
        operator.opcodeIndex = len(self.model.operatorCodes)
        operator.inputs, operator.outputs = [quantisation.outputs[0]], [index]
        self.model.operatorCodes.append(code)
        subgraph.operators.insert(subgraph.operators.index(quantisation) + 1, operator)
        return index

    def name_ends(self, source: str, *results: str) -> None:
        """Name the model's input tensor and its output tensors, as many as there are."""
        subgraph = self.model.subgraphs[0]
        for index, name in zip([*subgraph.inputs, *subgraph.outputs], (source, *results), strict=False):
            self.tensor(index).name = name

    def leave_map_in_float(self) -> None:
        """Give the class activation map as it was before a QUANTIZE that ends the model, where there is one."""
        if self.map_index is None or self.type_of(last := self.writer(self.map_index)) != "QUANTIZE":
            return
        subgraph, before = self.model.subgraphs[0], int(last.inputs[0])
        for signature in self.model.signatureDefs or ():
            for output in signature.outputs:
                output.tensorIndex = before if output.tensorIndex == self.map_index else output.tensorIndex
        subgraph.outputs = [self.ends[1], before]
        subgraph.operators.remove(last)

    def part(self, operators: Sequence[Any], inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """Return some operators, in their order, as a model from tensors to tensors, all numbered as here."""
        part, subgraph = copy(self.model), copy(self.model.subgraphs[0])
        subgraph.operators, subgraph.inputs, subgraph.outputs = operators, inputs, outputs
        part.subgraphs, part.signatureDefs, part.metadata = [subgraph], None, None
        read = {self.tensor(index).buffer for operator in operators for index in operator.inputs if index >= 0}
        part.buffers = [buffer if place in read else type(buffer)() for place, buffer in enumerate(self.model.buffers)]
        return _packed(part)

    def add_metadata(self, name: str, data: bytes) -> None:
        """Add a named buffer, which runtimes ignore and tools look for."""
        from ai_edge_litert import schema_py_generated as schema

        buffer, entry = schema.BufferT(), schema.MetadataT()
        buffer.data = np.frombuffer(data, np.uint8)
        entry.name, entry.buffer = name, len(self.model.buffers)
        self.model.buffers.append(buffer)
        self.model.metadata = [*(self.model.metadata or ()), entry]

    def to_bytes(self) -> bytes:
        """Return the model as a file: every buffer inside the flatbuffer, at a multiple of 16 bytes.

        The quantiser keeps buffers behind the flatbuffer (``Buffer.offset``), which older runtimes cannot read.
        """
        return _packed(self.model)


# By TensorType of TFLite's schema: float32, float16, int32, int8.
_DTYPES = {0: np.float32, 1: np.float16, 2: np.int32, 9: np.int8}
INT4 = 17


def _has_bias(operator: Any) -> bool:
    # An optional input that is absent has the index -1: a bias of zeros, which the converter leaves out.
    return len(operator.inputs) > 2 and operator.inputs[2] >= 0


def _packed(model: Any) -> bytes:
    builder = _AlignedBuilder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _unpacked(data: NDArray[np.uint8], count: int) -> NDArray[np.int8]:
    """Return int4 codes, two to a byte, the first in the low half."""
    halves = np.stack([data & 15, data >> 4], axis=-1).reshape(-1)[:count]
    return ((halves ^ 8).astype(np.int8) - 8).astype(np.int8)


class _AlignedBuilder(flatbuffers.Builder):  # type: ignore[misc]
    """The schema asks for ``force_align: 16``, which Python's generated code does not do."""

    def CreateNumpyVector(self, x: NDArray[Any]) -> int:  # noqa: N802
        self.Prep(16, x.nbytes)
        return int(super().CreateNumpyVector(x))
