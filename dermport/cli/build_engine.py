"""``dermport build-engine``: on the Jetson, from engine kits to engines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dermport.cli.options import Json, Precision

if TYPE_CHECKING:
    from dermport.runtimes.engine import EngineRecord


def build_engine(
    path: Annotated[Path, typer.Argument(metavar="KIT_OR_BUNDLE", help="An engine kit's folder, or a bundle.")],
    precision: Precision = None,
    workspace: Annotated[
        int | None, typer.Option("--workspace", min=1, help="Scratch memory for TensorRT, MiB. Default: all there is.")
    ] = None,
    timing_cache: Annotated[
        Path | None, typer.Option("--timing-cache", help="Tactic timings to reuse and add to. Default: ~/.cache.")
    ] = None,
    json: Json = False,
) -> None:
    """Build TensorRT engines from kits, on the machine that will run them.

    An engine only runs on the TensorRT version and GPU that built it, so this is done on the Jetson, once for each
    precision (minutes at first; the timing cache makes it faster the next time). Beside the engine lies engine.json,
    which says what it was built with; an engine that does not match its machine is never loaded.
    """
    from dermport.cli.output import bar, emit_json, say
    from dermport.exporters.tensorrt import builder
    from dermport.runtimes.engine import this_machine
    from dermport.workflows.engines import engine_kits

    folders = engine_kits(path, precision)
    machine = this_machine()
    say(f"TensorRT {machine.tensorrt} on {machine.gpu} (compute capability {machine.compute_capability})")
    records: dict[str, EngineRecord] = {}
    for folder in folders:
        with bar(f"building {folder.name}"):
            record = builder.build_engine(folder, workspace_mib=workspace, timing_cache=timing_cache)
        records[str(folder)] = record
        say(f"{folder / 'model.engine'}: {record.precision}, {record.typing}ly typed, {record.seconds:.0f} s")
    if json:
        emit_json(
            {"engines": {name: record.model_dump(mode="json", by_alias=True) for name, record in records.items()}}
        )
