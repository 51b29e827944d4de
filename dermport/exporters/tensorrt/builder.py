"""From an engine kit to an engine, on the machine that will run it.

Polygraphy (NVIDIA's) parses, configures and builds across TensorRT 8.5 to 11 and keeps the timing cache; here is what
it is asked for, and what is recorded about the result.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from dermport.bundle.atomic import write_bytes, write_json
from dermport.bundle.hashing import sha256_bytes, sha256_file
from dermport.bundle.store import RECORD, Export, file_entries, write_record
from dermport.errors import EngineMismatchError, ExportError, IntegrityError, UnavailableError
from dermport.exporters.tensorrt.kit import Kit, read_kit, write_kit
from dermport.runtimes.engine import ENGINE, SIDECAR, EngineRecord, Machine, checked_engine, load_tensorrt, this_machine


def default_timing_cache(machine: Machine) -> Path:
    """Return where tactic timings are kept between builds: they are what takes long, and good for every model."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "dermport" / f"tensorrt-{machine.tensorrt}-sm{machine.compute_capability}.timing-cache"


def engine_for(folder: Path, report: Callable[[str], None] = lambda _: None) -> Path:
    """Return the engine of a kit, built anew where there is none that fits this machine.

    Args:
        folder: An engine kit.
        report: Called with a sentence that says why the engine is (re)built, before that is done.

    Raises:
        UnavailableError: TensorRT or a GPU is missing.
        ExportError: TensorRT could not build the engine.
    """
    try:
        checked_engine(folder, this_machine())
    except EngineMismatchError as mismatch:
        report(f"{mismatch.message} Building it from the kit; this takes minutes.")
        build_engine(folder)
    return folder / ENGINE


def build_engine(folder: Path, *, workspace_mib: int | None = None, timing_cache: Path | None = None) -> EngineRecord:
    """Build the engine of the kit in `folder`: ``model.engine``, then its sidecar, then the records that list them.

    Args:
        folder: An engine kit.
        workspace_mib: Scratch memory that TensorRT's tactics may use; None leaves it to TensorRT (all there is).
        timing_cache: Where tactic timings are read from and added to; None is :func:`default_timing_cache`.

    Raises:
        UnavailableError: TensorRT, a GPU or polygraphy is missing.
        BundleError: The folder holds no kit.
        IntegrityError: ``model.onnx`` is not the one that the kit describes.
        ExportError: TensorRT could not build the engine.
    """
    kit = read_kit(folder)
    machine = this_machine()
    if sha256_file(folder / kit.onnx) != kit.onnx_sha256:
        raise IntegrityError(f"{folder / kit.onnx} is not the file that the kit describes.", remedy="Export it again.")
    started = time.perf_counter()
    with contextlib.redirect_stdout(sys.stderr):  # Polygraphy logs to stdout, which belongs to --json
        engine = _serialised(folder, kit, machine, workspace_mib, timing_cache or default_timing_cache(machine))
    seconds = round(time.perf_counter() - started, 2)
    record = _record(kit, machine, engine, workspace_mib, seconds)
    write_bytes(folder / ENGINE, engine)
    write_json(folder / SIDECAR, record.model_dump(mode="json", by_alias=True))
    write_kit(folder, kit.model_copy(update={"built": True, "not_built_because": ""}))
    _update_export(folder, machine)
    return record


def _serialised(folder: Path, kit: Kit, machine: Machine, workspace_mib: int | None, timing_cache: Path) -> bytes:
    trt = load_tensorrt()
    backend, polygraphy_error = _polygraphy()
    size = kit.inputs[0].shape[1:]
    shapes = [(batch, *size) for batch in (kit.profile.minimum, kit.profile.optimum, kit.profile.maximum)]
    limits = {} if workspace_mib is None else {trt.MemoryPoolType.WORKSPACE: workspace_mib << 20}
    timing_cache.parent.mkdir(parents=True, exist_ok=True)
    network = backend.NetworkFromOnnxPath(str(folder / kit.onnx), strongly_typed=kit.typing.strong(machine.tensorrt))
    config = backend.CreateConfig(
        profiles=[backend.Profile().add(kit.inputs[0].name, *shapes)],
        memory_pool_limits=limits,
        load_timing_cache=str(timing_cache) if timing_cache.is_file() else None,
        **{flag.lower(): True for flag in kit.flags(machine.tensorrt)},
    )
    try:
        return bytes(backend.EngineBytesFromNetwork(network, config=config, save_timing_cache=str(timing_cache))())
    except polygraphy_error as error:
        raise ExportError(f"TensorRT {machine.tensorrt} could not build {folder / kit.onnx}: {error}") from error


def _polygraphy() -> tuple[Any, type[Exception]]:
    """Return Polygraphy's TensorRT backend and its error."""
    try:
        from polygraphy.backend import trt
        from polygraphy.exception import PolygraphyException
    except ImportError as error:
        raise UnavailableError("polygraphy is not installed.", remedy="pip install 'dermport[jetson]'") from error
    return trt, PolygraphyException


def _record(kit: Kit, machine: Machine, engine: bytes, workspace_mib: int | None, seconds: float) -> EngineRecord:
    return EngineRecord(
        **asdict(machine),
        precision=kit.precision,
        typing="strong" if kit.typing.strong(machine.tensorrt) else "weak",
        flags=kit.flags(machine.tensorrt),
        workspace_mib=workspace_mib,
        batch=(kit.profile.minimum, kit.profile.optimum, kit.profile.maximum),
        onnx_sha256=kit.onnx_sha256,
        engine_sha256=sha256_bytes(engine),
        labels=kit.labels,
        seconds=seconds,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )


def _update_export(folder: Path, machine: Machine) -> None:
    """Let the bundle's ``export.json`` name the engine, where the kit lies in a bundle; it has yet to be verified."""
    if not (folder / RECORD).is_file():
        return
    record = Export.open(folder).record
    size = (folder / ENGINE).stat().st_size
    built = {
        "built": True,
        "not_built_because": "",
        "artifact": ENGINE,
        "artifact_bytes": size,
        "artifact_sha256": sha256_file(folder / ENGINE),
        "size_ratio": record.size_ratio * size / record.artifact_bytes,
        "parity": None,
        "tools": record.tools | {"tensorrt": machine.tensorrt},
        "files": file_entries(folder, exclude=(RECORD,)),
    }
    write_record(folder, record.model_copy(update=built))
