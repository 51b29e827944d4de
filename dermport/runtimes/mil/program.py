"""A saved ML Program: its image input, its operations in order, its constants decoded, its labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.export_record import OperatorCount
from dermport.errors import ExportError
from dermport.runtimes.mil.package import MilPackage, open_package
from dermport.runtimes.mil.values import Array, TensorType, ValueReader, tensor_type
from dermport.runtimes.mil.weights import CONSTANT_OPERATORS


@dataclass(frozen=True)
class Operation:
    """One operation of the program.

    Attributes:
        type: The MIL operator, e.g. ``"conv"``.
        name: The operation's own name, for messages.
        inputs: Parameter name to the names of the variables that are bound to it (several for a variadic one).
        outputs: The names of the variables that it defines.
    """

    type: str
    name: str
    inputs: Mapping[str, tuple[str, ...]]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class ImageInput:
    """The image that Core ML hands to the program: as a tensor [1, 3, height, width] of 0..255.

    Attributes:
        name: The input's name.
        height: Pixels.
        width: Pixels.
        layout: The order in which Core ML hands over the channels, ``"RGB"`` or ``"BGR"``.
    """

    name: str
    height: int
    width: int
    layout: str

    def check(self, tensors: NDArray[np.uint8]) -> None:
        """Refuse photos that are not uint8 [N, height, width, 3].

        Raises:
            ExportError: They have another type or shape.
        """
        expected = (self.height, self.width, 3)
        if tensors.dtype != np.uint8 or tensors.shape[1:] != expected:
            raise ExportError(
                f"The model takes uint8 photos of {expected}, not {tensors.dtype} of {tensors.shape[1:]}.",
                remedy="Prepare the photos at the bundle's input size.",
            )


@dataclass(frozen=True)
class Program:
    """The main function of a saved ML Program.

    Attributes:
        path: The .mlpackage.
        inputs: The names of its inputs.
        operations: Every operation but the constant ones, in execution order.
        constants: Variable name to value, with compressed weights decompressed.
        types: Variable name to type, of every variable in the program.
        outputs: The names of the variables that the program returns.
        counts: Every operation by type and precision, plain constants left out.
    """

    path: Path
    inputs: tuple[str, ...]
    operations: tuple[Operation, ...]
    constants: Mapping[str, Array]
    types: Mapping[str, TensorType]
    outputs: tuple[str, ...]
    counts: tuple[OperatorCount, ...]

    @property
    def classifier(self) -> Operation:
        """The operation that pairs probabilities with labels.

        Raises:
            ExportError: The program is no classifier.
        """
        found = [operation for operation in self.operations if operation.type == "classify"]
        if len(found) != 1:
            raise ExportError(
                f"{self.path} is no classifier: it has {len(found)} classify operations.",
                remedy="Export it with class labels: dermport export BUNDLE --to coreml.",
            )
        return found[0]

    @property
    def labels(self) -> tuple[str, ...]:
        """The class labels that the file itself carries, in the order of its probabilities."""
        return tuple(str(label) for label in self.constants[self.classifier.inputs["classes"][0]])


def read_program(path: Path) -> tuple[Program, ImageInput]:
    """Read a saved .mlpackage: its ML Program and its image input.

    Raises:
        ExportError: The package is missing, damaged, or no image classifier in the form of an ML Program.
    """
    package = open_package(path)
    spec = package.read_spec()
    program = program_from_spec(package, spec)
    return program, _image_input(path, spec, program)


def program_from_spec(package: MilPackage, spec: Any) -> Program:
    """Read the ML Program of a parsed model file, whatever its inputs.

    Args:
        package: The package, for its weights.
        spec: Its ``CoreML.Specification.Model``.

    Raises:
        ExportError: The model is no ML Program, or its constants are damaged.
    """
    if spec.WhichOneof("Type") != "mlProgram" or "main" not in spec.mlProgram.functions:
        raise ExportError(
            f"{package.path} holds no ML Program with a main function.", remedy="Export it for iOS 16 or later."
        )
    function = spec.mlProgram.functions["main"]
    block = function.block_specializations[function.opset]
    reader = _BlockReader(ValueReader(package))
    reader.types.update({variable.name: tensor_type(variable.type) for variable in function.inputs})
    for operation in block.operations:
        reader.add(operation)
    return Program(
        path=package.path,
        inputs=tuple(variable.name for variable in function.inputs),
        operations=tuple(reader.operations),
        constants=reader.constants,
        types=reader.types,
        outputs=tuple(block.outputs),
        counts=reader.operator_counts(),
    )


def _image_input(path: Path, spec: Any, program: Program) -> ImageInput:
    inputs = spec.description.input
    if len(inputs) != 1 or inputs[0].type.WhichOneof("Type") != "imageType" or program.inputs != (inputs[0].name,):
        raise ExportError(f"{path} does not take exactly one image.", remedy="Export it with dermport.")
    image = inputs[0].type.imageType
    layout = type(image).ColorSpace.Name(image.colorSpace)
    expected = (1, 3, int(image.height), int(image.width))
    if layout not in {"RGB", "BGR"} or program.types[inputs[0].name].shape != expected:
        raise ExportError(
            f"{path} declares a {layout} image of {image.width}×{image.height}, which its program does "
            f"not take: {program.types[inputs[0].name].shape}.",
            remedy="Export it again.",
        )
    return ImageInput(inputs[0].name, int(image.height), int(image.width), layout)


# The parameter of a compressed weight that holds the stored numbers.
_STORED = {
    "constexpr_affine_dequantize": "quantized_data",
    "constexpr_blockwise_shift_scale": "data",
    "constexpr_lut_to_dense": "indices",
    "constexpr_lut_to_sparse": "indices_nonzero_data",
    "constexpr_sparse_blockwise_shift_scale": "nonzero_data",
    "constexpr_sparse_to_dense": "nonzero_data",
}


class _BlockReader:
    """Sorts a block's operations into constants, decoded at once, and those that get executed."""

    def __init__(self, values: ValueReader) -> None:
        self._values = values
        self._counts: Counter[tuple[str, str]] = Counter()
        self.constants: dict[str, Array] = {}
        self.types: dict[str, TensorType] = {}
        self.operations: list[Operation] = []

    def add(self, proto: Any) -> None:
        """Take the next operation of the block."""
        outputs = tuple(output.name for output in proto.outputs)
        self.types.update({output.name: tensor_type(output.type) for output in proto.outputs})
        defined = "".join(outputs[:1])  # unique in the program, as an operation's own name need not be
        name = self._values.read(proto.attributes["name"]).item() if "name" in proto.attributes else defined
        inputs = {key: self._bind(argument, f"{defined}.{key}") for key, argument in proto.inputs.items()}
        operation = Operation(proto.type, name, inputs, outputs)
        if proto.type in CONSTANT_OPERATORS:
            self._decode(operation, proto)
        else:
            self.operations.append(operation)
        if proto.type != "const":
            self._counts[proto.type, self._precision(operation, proto)] += 1

    def operator_counts(self) -> tuple[OperatorCount, ...]:
        """Return how often each operator occurs at each precision, sorted."""
        return tuple(OperatorCount(type=kind, precision=p, count=n) for (kind, p), n in sorted(self._counts.items()))

    def _bind(self, argument: Any, name: str) -> tuple[str, ...]:
        """Return the names of an argument's variables; a literal becomes a constant called `name`."""
        names = []
        for index, binding in enumerate(argument.arguments):
            if binding.WhichOneof("binding") == "name":
                names.append(binding.name)
                continue
            literal = f"{name}.{index}"
            self._define(literal, self._values.read(binding.value), tensor_type(binding.value.type))
            names.append(literal)
        return tuple(names)

    def _decode(self, operation: Operation, proto: Any) -> None:
        given = {key: self._values.read(value) for key, value in proto.attributes.items()}
        given.update({key: self.constants[names[0]] for key, names in operation.inputs.items()})
        decoded = CONSTANT_OPERATORS[operation.type](given)
        for output, value in zip(operation.outputs, decoded, strict=True):
            self._define(output, value, self.types[output])

    def _define(self, name: str, value: Array, declared: TensorType) -> None:
        if declared.dtype != "other" and value.shape != declared.shape:
            raise ExportError(
                f"The constant {name} decodes to {value.shape}, the program says {declared.shape}.",
                remedy="Export it again.",
            )
        self.constants[name] = value
        self.types[name] = declared

    def _precision(self, operation: Operation, proto: Any) -> str:
        """Return the stored type of compressed weights, else the type that the operation computes in."""
        if operation.type in _STORED:
            return self._stored(operation, proto)
        variables = [*operation.outputs, *(name for names in operation.inputs.values() for name in names)]
        kinds = [self.types[name].dtype for name in variables if name in self.types]
        return next((kind for kind in kinds if kind not in {"string", "other"}), "none")

    def _stored(self, operation: Operation, proto: Any) -> str:
        parameter = _STORED[operation.type]
        if parameter in operation.inputs:
            return self.types[operation.inputs[parameter][0]].dtype
        if operation.type == "constexpr_lut_to_dense":  # iOS 16 packs the indices into bytes
            return f"uint{tensor_type(proto.attributes['lut'].type).shape[0].bit_length() - 1}"
        return tensor_type(proto.attributes[parameter].type).dtype
