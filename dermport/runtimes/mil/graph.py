"""The ONNX graph that a MIL program becomes, node by node, with float16 emulated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dermport.runtimes.mil.program import Program
from dermport.runtimes.mil.values import Array

_OPSET = 17
_IR_VERSION = 9


class OnnxGraphBuilder:
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

    def define(self, variable: str, name: str, *, rounded: bool) -> None:
        """Let an ONNX tensor stand for a MIL variable, rounded to float16 first where that is asked."""
        self._names[variable] = self._rounded(name) if rounded else name

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
