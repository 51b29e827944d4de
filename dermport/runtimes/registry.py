"""The runtimes, by name. A new runtime is a file with its class and one line here."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dermport.bundle.export_record import Evidence

if TYPE_CHECKING:
    from dermport.runtimes.base import Runtime


@dataclass(frozen=True)
class RuntimeSpec:
    """A runtime as data: nothing of it is imported before it is asked for.

    Attributes:
        name: Its name, as in ``--runtime``.
        title: Its name for people.
        target: The export target whose artifacts it runs.
        where: Its class, as ``"module:Class"`` below ``dermport.runtimes``.
        evidence: What running an artifact proves.
        reason: Why it is no better evidence, where better exists for the target.
        precisions: Which artifacts a server prefers, best first; empty: no server uses it.
        gpu: Whether it holds a GPU's context, which processes cannot share; a CPU's cores they can.
    """

    name: str
    title: str
    target: str
    where: str
    evidence: Evidence
    reason: str = ""
    precisions: tuple[str, ...] = ()
    gpu: bool = False

    def runtime(self) -> type[Runtime]:
        """Import its class."""
        module, _, name = self.where.partition(":")
        return cast("type[Runtime]", getattr(import_module(f"dermport.runtimes.{module}"), name))

    def unavailable(self) -> str:
        """Return why this machine cannot run its artifacts, or an empty string where it can."""
        return self.runtime().unavailable()

    def open(self, artifact: Path, threads: int | None = None) -> Runtime:
        """Load an artifact; see :meth:`dermport.runtimes.base.Runtime.open`."""
        return self.runtime().open(artifact, threads)


_LITERT = "LiteRT on this machine's CPU; phones may use other delegates"
_MICRO = "TFLite Micro's reference kernels on this machine; no board was run"
_GPU_ORDER, _CPU_ORDER = ("fp16", "fp32", "int8"), ("fp32", "int8-cpu", "int8")
_LITERT_ORDER = ("fp32", "fp16", "int8", "int8-full")
# Of one target the better evidence comes first, of all the order in which a server prefers them.
RUNTIMES = (
    RuntimeSpec("tensorrt", "TensorRT", "tensorrt", "tensorrt:TensorRTEngine", "device", "", _GPU_ORDER, gpu=True),
    RuntimeSpec("onnxruntime", "ONNX Runtime", "onnx", "onnxruntime:OnnxRuntime", "host-runtime", "", _CPU_ORDER),
    RuntimeSpec("litert", "LiteRT", "tflite", "litert:LiteRT", "host-runtime", _LITERT, _LITERT_ORDER),
    RuntimeSpec("coreml", "Core ML", "coreml", "coreml:CoreMLRuntime", "device"),
    RuntimeSpec("mil-reference", "mil-reference", "coreml", "mil.reference:MilReference", "mil-reference"),
    RuntimeSpec("tflite-micro", "TFLite Micro", "microcontroller", "tflite_micro:TFLiteMicro", "host-runtime", _MICRO),
)
SERVING = tuple(runtime for runtime in RUNTIMES if runtime.precisions)
"""Those that a server uses, in the order in which it prefers them."""


def get_runtime(name: str) -> RuntimeSpec:
    """Return the runtime of that name (StopIteration where there is none)."""
    return next(runtime for runtime in RUNTIMES if runtime.name == name)


def best_here(target: str) -> tuple[RuntimeSpec, str]:
    """Return the best runtime that this machine has for a target's artifacts, and why there is no better evidence.

    Where it has none, it is the last one, whose :meth:`RuntimeSpec.open` says what is missing.
    """
    passed_over = ""
    *better, last = (runtime for runtime in RUNTIMES if runtime.target == target)
    for runtime in better:
        if not (reason := runtime.unavailable()):
            return runtime, passed_over or runtime.reason
        passed_over = passed_over or reason
    return last, passed_over or last.reason
