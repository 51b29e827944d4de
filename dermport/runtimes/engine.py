"""``engine.json``, the sidecar of a TensorRT engine: what built it, and whether it may run here.

Engines are not portable across TensorRT versions, GPU architectures or operating systems (NVIDIA's TensorRT
documentation, "Engines"); deserialising a foreign one ends in an error at best.
"""

from __future__ import annotations

import importlib
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from dermport.bundle.hashing import sha256_file
from dermport.bundle.notice import NOTICE
from dermport.contract import Contract, Sha256
from dermport.errors import EngineMismatchError, UnavailableError
from dermport.runtimes.cuda import first_gpu
from dermport.runtimes.jetson import jetpack

ENGINE, SIDECAR, ONNX = "model.engine", "engine.json", "model.onnx"
REBUILD = "Run `dermport build-engine` on this folder (on this machine)."


@dataclass(frozen=True)
class Machine:
    """What an engine is bound to.

    Attributes:
        tensorrt: TensorRT's version.
        gpu: The GPU's name.
        compute_capability: The GPU's architecture.
        system: Operating system and processor, e.g. ``"Linux aarch64"``.
        jetpack: JetPack's version, or L4T's where JetPack itself is not installed; empty off a Jetson.
    """

    tensorrt: str
    gpu: str
    compute_capability: str
    system: str
    jetpack: str


class EngineRecord(Contract):
    """The whole of ``engine.json``."""

    schema_version: Annotated[Literal["dermport-engine/1"], Field(alias="schema")] = "dermport-engine/1"
    tensorrt: str
    gpu: str
    compute_capability: str
    system: str
    jetpack: str
    precision: str
    typing: Literal["weak", "strong"]
    flags: tuple[str, ...]
    workspace_mib: int | None
    batch: Annotated[tuple[int, int, int], Field(description="smallest, best and largest batch")]
    onnx_sha256: Sha256
    engine_sha256: Sha256
    labels: tuple[str, ...]
    seconds: float
    created: str
    notice: str = NOTICE


def load_tensorrt() -> Any:
    """Import TensorRT's Python package.

    Raises:
        UnavailableError: It is not installed, or its libraries cannot be loaded.
    """
    try:
        return importlib.import_module("tensorrt")
    except (ImportError, OSError) as error:
        raise UnavailableError(
            f"TensorRT is not installed here ({error}).",
            remedy="It comes with JetPack on a Jetson; a virtual environment there needs --system-site-packages.",
        ) from error


def this_machine() -> Machine:
    """Return what engines that are built here are bound to.

    Raises:
        UnavailableError: TensorRT or a GPU is missing.
    """
    version = str(load_tensorrt().__version__)
    gpu = first_gpu()
    system = f"{platform.system()} {platform.machine()}"
    return Machine(version, gpu.name, gpu.compute_capability, system, jetpack())


def read_sidecar(folder: Path) -> EngineRecord:
    """Read ``engine.json``.

    Raises:
        EngineMismatchError: There is none, or it is not valid: such an engine is never loaded.
    """
    path = folder / SIDECAR
    try:
        return EngineRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise EngineMismatchError(f"{folder} has no engine with its {SIDECAR}.", remedy=REBUILD) from None
    except ValidationError as error:
        raise EngineMismatchError(f"{path} is not valid: {error.errors()[0]['msg']}.", remedy=REBUILD) from error


def checked_engine(folder: Path, machine: Machine) -> EngineRecord:
    """Return the sidecar of the engine in `folder` once it is proved that the engine may run on `machine`.

    Raises:
        EngineMismatchError: The engine is missing, was built elsewhere or from another ONNX, or is damaged.
    """
    record = read_sidecar(folder)
    pairs = {
        "TensorRT": (record.tensorrt, machine.tensorrt),
        "GPU architecture": (record.compute_capability, machine.compute_capability),
        "system": (record.system, machine.system),
        "sha256 of model.onnx": (record.onnx_sha256, _sha256(folder / ONNX)),
        "sha256 of model.engine": (record.engine_sha256, _sha256(folder / ENGINE)),
    }
    wrong = [f"{name}: built with {was}, here {now}" for name, (was, now) in pairs.items() if was != now]
    if wrong:
        raise EngineMismatchError(f"{folder / ENGINE} does not fit: {'; '.join(wrong)}.", remedy=REBUILD)
    return record


def _sha256(path: Path) -> str:
    return sha256_file(path) if path.is_file() else "no such file"
