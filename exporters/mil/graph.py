"""A MIL program as an ONNX graph: the same operations, one after the other, with float16 emulated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bundle.errors import ExportError, UnknownOperatorError
from exporters.mil.call import Call
from exporters.mil.operators import OPERATORS, Operator
from exporters.mil.program import Operation, Program
from exporters.mil.values import Array

_OPSET = 17
_IR_VERSION = 9


@dataclass(frozen=True)
class Translation:
    """A program in ONNX.

    Attributes:
        model: The serialised ONNX model.
        by_row: Whether it takes any number of photos at once; else exactly one.
    """

    model: bytes
    by_row: bool


class Graph:
    """Collects ONNX nodes. Floating-point tensors are float32 throughout, float16 values included.

    The program is written for one photo, so every activation has a first axis of length 1. Where each operation keeps
    that axis in place and never reduces, moves, joins or pads it (`by_row` stays true), N photos in one run give what N
    runs give, and the axis is left open.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.varying = set(program.inputs)
        self.by_row = True
        self._nodes: list[Any] = []
        self._initializers: dict[str, Any] = {}
        self._names: dict[str, str] = {name: name for name in program.inputs}

    def add(self, operation: str, inputs: Sequence[str], attributes: dict[str, Any]) -> str:
        """Append a node with one output and return the output's name."""
        from onnx import helper

        name = f"t{len(self._nodes)}"
        self._nodes.append(helper.make_node(operation, list(inputs), [name], **attributes))
        return name

    def constant(self, value: Array, name: str = "") -> str:
        """Return the name of an initializer that holds `value`, float16 widened to float32 (which is exact)."""
        from onnx import numpy_helper

        name = f"c:{name or len(self._initializers)}"
        if name not in self._initializers:
            widened = value.astype(np.float32) if value.dtype == np.float16 else value
            self._initializers[name] = numpy_helper.from_array(widened, name)
        return name

    def variable(self, name: str) -> str:
        """Return the ONNX name of a MIL variable or constant."""
        if name in self.program.constants:
            return self.constant(self.program.constants[name], name)
        return self._names[name]

    def translate(self, operation: Operation) -> None:
        """Append the nodes of one MIL operation, and round what it calls float16 to float16."""
        operator, call = _operator(self.program, operation), Call(operation, self)
        if call.varies():
            self.varying.update(operation.outputs)
            self.by_row = self.by_row and call.keeps_first_axis() and operator.by_row(call)
        result = operator.translate(call)
        names = [result] if isinstance(result, str) else list(result)
        for output, name in zip(operation.outputs, names, strict=True):
            half = self.program.types[output].dtype == "fp16"
            self._names[output] = self._rounded(name) if half and operator.rounds else name

    def model(self, outputs: Sequence[str]) -> bytes:
        """Return the serialised ONNX model that computes the named MIL variables."""
        from onnx import TensorProto, helper

        results = [self.add("Identity", [self.variable(name)], {}) for name in outputs]
        sources = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, self._input_shape(name))
            for name in self.program.inputs
        ]
        sinks = [helper.make_empty_tensor_value_info(name) for name in results]
        graph = helper.make_graph(self._nodes, "main", sources, sinks, list(self._initializers.values()))
        opset = [helper.make_opsetid("", _OPSET)]
        return bytes(helper.make_model(graph, opset_imports=opset, ir_version=_IR_VERSION).SerializeToString())

    def _input_shape(self, name: str) -> list[int | str]:
        shape = self.program.types[name].shape
        return ["batch" if self.by_row else shape[0], *shape[1:]]

    def _rounded(self, name: str) -> str:
        from onnx import TensorProto

        half = self.add("Cast", [name], {"to": TensorProto.FLOAT16})
        return self.add("Cast", [half], {"to": TensorProto.FLOAT})


def _operator(program: Program, operation: Operation) -> Operator:
    if operation.type not in OPERATORS:
        raise UnknownOperatorError(
            f"{program.path} uses the operator {operation.type!r} ({operation.name}), which the reference executor "
            "does not know.",
            remedy="Add it to exporters/mil/operators.py, or verify on a Mac, where Core ML itself runs the file.",
        )
    return OPERATORS[operation.type]


def onnx_from_program(program: Program, outputs: Sequence[str]) -> Translation:
    """Translate every operation of a program.

    Args:
        program: The saved program.
        outputs: The MIL variables that the ONNX model is to return.

    Raises:
        UnknownOperatorError: The program has an operator without a translation.
        ExportError: There is no such variable, or an operator is used in a way that has no translation.
    """
    graph = Graph(program)
    for operation in program.operations:
        graph.translate(operation)
    if unknown := [name for name in outputs if name not in program.types]:
        raise ExportError(f"{program.path} has no variables {unknown}.")
    return Translation(graph.model(outputs), graph.by_row)
