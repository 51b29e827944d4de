"""One MIL operation as its translation sees it: parameters by name, and nodes to emit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dermport.errors import ExportError
from dermport.runtimes.mil.graph import OnnxGraphBuilder
from dermport.runtimes.mil.program import Operation
from dermport.runtimes.mil.values import Array


class Call:
    """The parameters of an operation, typed on access, and the graph that its translation goes to."""

    def __init__(self, operation: Operation, graph: OnnxGraphBuilder) -> None:
        self._operation = operation
        self._graph = graph
        self._program = graph.program

    def has(self, parameter: str) -> bool:
        """Return whether the program gives the parameter."""
        return parameter in self._operation.inputs

    def varies(self, *parameters: str) -> bool:
        """Return whether any value of the parameters (of all of them, if none is named) depends on the photo."""
        given = self._operation.inputs
        names = (name for parameter in parameters or given for name in given.get(parameter, ()))
        return any(name in self._graph.varying for name in names)

    def is_constant(self, parameter: str) -> bool:
        """Return whether any value of the parameter is a constant of the program."""
        return any(name in self._program.constants for name in self._operation.inputs[parameter])

    def shape(self, parameter: str) -> tuple[int, ...]:
        """Return the shape of a parameter as the program states it (one photo)."""
        return self._program.types[self._operation.inputs[parameter][0]].shape

    def rank(self) -> int:
        """Return the rank of the first output."""
        return len(self._program.types[self._operation.outputs[0]].shape)

    def keeps_first_axis(self) -> bool:
        """Return whether every activation that goes in or comes out has a first axis of length 1."""
        going_in = [name for names in self._operation.inputs.values() for name in names if name in self._graph.varying]
        types = [self._program.types[name] for name in (*going_in, *self._operation.outputs)]
        return all(t.shape[:1] == (1,) for t in types if t.dtype not in {"string", "other"})

    def value(self, parameter: str) -> Array:
        """Return a constant parameter.

        Raises:
            ExportError: It is missing or no constant.
        """
        name = self._operation.inputs.get(parameter, ("",))[0]
        if name not in self._program.constants:
            raise self.unsupported(f"a parameter {parameter!r} that is no constant")
        return self._program.constants[name]

    def ints(self, parameter: str, default: Sequence[int]) -> list[int]:
        """Return a constant vector or scalar of integers, or the operator's default."""
        return [int(i) for i in np.atleast_1d(self.value(parameter))] if self.has(parameter) else list(default)

    def number(self, parameter: str, default: float = 0.0) -> float:
        """Return a constant scalar, or the operator's default."""
        return float(self.value(parameter)) if self.has(parameter) else default

    def flag(self, parameter: str, default: bool = False) -> bool:
        """Return a constant boolean, or the operator's default."""
        return bool(self.value(parameter)) if self.has(parameter) else default

    def text(self, parameter: str, default: str = "") -> str:
        """Return a constant string, or the operator's default."""
        return str(self.value(parameter)) if self.has(parameter) else default

    def axes(self, parameter: str, rank: int) -> list[int]:
        """Return a parameter that names axes, counted from 0; every axis where it is absent."""
        return [axis % rank for axis in self.ints(parameter, range(rank))]

    def unsupported(self, what: str) -> ExportError:
        """Return the error for a use of the operator that has no translation."""
        operation = self._operation
        return ExportError(
            f"{operation.type} {operation.name!r} in {self._program.path}: {what} has no translation.",
            remedy="Extend dermport/runtimes/mil/operators.py.",
        )

    def tensor(self, parameter: str) -> str:
        """Return the ONNX name of a parameter."""
        return self.tensors(parameter)[0]

    def tensors(self, parameter: str) -> list[str]:
        """Return the ONNX names of a variadic parameter."""
        return [self._graph.variable(name) for name in self._operation.inputs[parameter]]

    def constant(self, value: Any, dtype: str = "int64") -> str:
        """Return the ONNX name of a new constant."""
        return self._graph.constant(np.asarray(value, dtype=dtype))

    def emit(self, operation: str, *inputs: str, **attributes: Any) -> str:
        """Append an ONNX node with one output and return the output's name."""
        return self._graph.add(operation, inputs, attributes)
