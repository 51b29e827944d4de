"""TFLite Micro: the interpreter of microcontrollers, in its Python build for x86-64 Linux with reference kernels."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermport.errors import ExportError, UnavailableError
from dermport.runtimes.base import Runtime
from dermport.runtimes.microcontroller_card import read_card

ROOMY = 16 << 20
"""Bytes of an arena that any of our models fits in."""


NOT_INSTALLED = "TFLite Micro is not installed (it has wheels for x86-64 Linux alone)"


class TFLiteMicro(Runtime):
    """A ``.tflite`` model in an arena of a given size.

    Args:
        model: The file's bytes; input int8 [1, S, S, 3], output int8 or float32 [1, C].
        labels: In the order of the outputs.
        codes: What the input holds for each of the pixel values 0..255, int8 [256].
        arena: Bytes for its tensors.

    Attributes:
        name: ``"TFLite Micro <version>"``.
        labels: As given.

    Raises:
        UnavailableError: tflite-micro is not installed.
        ExportError: The arena is too small, or an operator is unknown.
    """

    def __init__(self, model: bytes, labels: tuple[str, ...], codes: NDArray[np.int8], arena: int) -> None:
        self._interpreter = _interpreter(model, arena)
        self._codes = codes
        details = self._interpreter.get_output_details(0)
        quantisation = details["quantization_parameters"]
        self._scale, self._zero_point = (
            (1.0, 0)
            if details["dtype"] == np.float32
            else (float(quantisation["scales"][0]), int(quantisation["zero_points"][0]))
        )
        self.labels = labels
        self.input_shape = tuple(int(side) for side in self._interpreter.get_input_details(0)["shape"][1:])
        self.name = f"TFLite Micro {version('tflite-micro')}"

    @classmethod
    def open(cls, artifact: Path, threads: int | None = None) -> TFLiteMicro:
        """Run ``model.tflite`` as its ``microcontroller.json`` says; it has one thread, whatever `threads` says."""
        card = read_card(artifact.parent)
        return cls(artifact.read_bytes(), card.labels, np.array(card.input_codes, np.int8), card.arena_bytes or ROOMY)

    @classmethod
    def unavailable(cls) -> str:
        """Return whether it is not installed."""
        return "" if find_spec("tflite_micro") else f"{NOT_INSTALLED}; pip install tflite-micro"

    def close(self) -> None:
        """Free the interpreter and its arena."""
        del self._interpreter

    def _run(self, tensors: NDArray[np.uint8], *, maps: bool) -> list[NDArray[np.float32]]:
        rows = [self._predict_one(tensor) for tensor in tensors]
        return [np.stack(rows) if rows else np.empty((0, len(self.labels)), np.float32)]

    def arena_used(self) -> int:
        """Return how many bytes of its arena the model takes, as TFLite Micro's recording allocator says.

        Raises:
            ExportError: It says nothing that can be read.
        """
        said = _said_to_stderr(self._interpreter.print_allocations)
        found = re.search(r"Arena allocation total (\d+) bytes", said)
        if found is None:
            raise ExportError(f"TFLite Micro does not say how much of its arena it took: {said[:200]!r}")
        return int(found[1])

    def _predict_one(self, tensor: NDArray[np.uint8]) -> NDArray[np.float32]:
        self._interpreter.set_input(self._codes[tensor][None], 0)
        self._interpreter.invoke()
        answer = self._interpreter.get_output(0)[0].astype(np.float32)
        return np.asarray((answer - self._zero_point) * self._scale, dtype=np.float32)


def _said_to_stderr(call: Callable[[], None]) -> str:
    """Return what C++ writes to stderr during a call."""
    with tempfile.TemporaryFile() as file:
        kept = os.dup(2)
        try:
            os.dup2(file.fileno(), 2)
            call()
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        file.seek(0)
        return file.read().decode(errors="replace")


def _interpreter(model: bytes, arena: int) -> Any:
    try:
        runtime: Any = import_module("tflite_micro.python.tflite_micro.runtime")
    except ImportError as error:
        raise UnavailableError(
            f"TFLite Micro is not installed ({error}).",
            remedy="pip install tflite-micro: it has wheels for x86-64 Linux; elsewhere, flash the board.",
        ) from error
    try:
        return runtime.Interpreter.from_bytes(model, arena_size=arena)
    except RuntimeError as error:
        raise ExportError(f"TFLite Micro cannot run the model in an arena of {arena:,} bytes: {error}") from error
