"""A MIL program as an ONNX graph: the same operations, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dermport.errors import ExportError, UnknownOperatorError
from dermport.runtimes.mil.call import Call
from dermport.runtimes.mil.graph import OnnxGraphBuilder
from dermport.runtimes.mil.operators import OPERATORS, Operator
from dermport.runtimes.mil.program import Operation, Program


@dataclass(frozen=True)
class Translation:
    """A program in ONNX.

    Attributes:
        model: The serialised ONNX model.
        by_row: Whether it takes any number of photos at once; else exactly one.
    """

    model: bytes
    by_row: bool


def onnx_from_program(program: Program, outputs: Sequence[str]) -> Translation:
    """Translate every operation of a program.

    Args:
        program: The saved program.
        outputs: The MIL variables that the ONNX model is to return.

    Raises:
        UnknownOperatorError: The program has an operator without a translation.
        ExportError: There is no such variable, or an operator is used in a way that has no translation.
    """
    graph = OnnxGraphBuilder(program)
    for operation in program.operations:
        _translate(graph, operation)
    if unknown := [name for name in outputs if name not in program.types]:
        raise ExportError(f"{program.path} has no variables {unknown}.")
    return Translation(graph.model(outputs), graph.by_row)


def _translate(graph: OnnxGraphBuilder, operation: Operation) -> None:
    """Append the nodes of one MIL operation, and round what it calls float16 to float16."""
    operator, call = _operator(graph.program, operation), Call(operation, graph)
    if call.varies():
        graph.varying.update(operation.outputs)
        graph.by_row = graph.by_row and call.keeps_first_axis() and operator.by_row(call)
    result = operator.translate(call)
    names = [result] if isinstance(result, str) else list(result)
    for output, name in zip(operation.outputs, names, strict=True):
        graph.define(output, name, rounded=operator.rounds and graph.program.types[output].dtype == "fp16")


def _operator(program: Program, operation: Operation) -> Operator:
    if operation.type not in OPERATORS:
        raise UnknownOperatorError(
            f"{program.path} uses the operator {operation.type!r} ({operation.name}), which the reference executor "
            "does not know.",
            remedy="Add it to dermport/runtimes/mil/operators.py, or verify on a Mac, where Core ML itself runs the "
            "file.",
        )
    return OPERATORS[operation.type]
