"""Where tasks run, by options of the same words: ``cross-validate`` (folds) and ``search`` (candidates)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from dermport.training.engines.engine import Engine

_WHERE = "Where it runs"

EngineName = Annotated[
    Literal["processes", "ray"],
    typer.Option("--engine", help="Processes of this machine, or tasks of a Ray cluster.", rich_help_panel=_WHERE),
]
Parallel = Annotated[
    int,
    typer.Option(
        "--parallel",
        help="How many at once. Default: 1 on this machine, on Ray as many as there is room for.",
        rich_help_panel=_WHERE,
    ),
]
RayAddress = Annotated[
    str,
    typer.Option(
        "--ray-address",
        envvar="RAY_ADDRESS",
        help="The cluster. Default: a Ray of this machine. --data and --out must be the same on every node.",
        rich_help_panel=_WHERE,
    ),
]


def engine_of(name: str, parallel: int, address: str, *, tasks_each: int = 0) -> Engine:
    """Return the engine that the options name.

    Args:
        name: ``processes`` or ``ray``.
        parallel: Tasks at once; 0 for the default.
        address: The Ray cluster's.
        tasks_each: After how many tasks a worker process is replaced, one alone too; 0: never, and a single task at a
            time is done in this process.

    Raises:
        UsageError: The number of tasks cannot be meant.
    """
    from dermport.errors import UsageError
    from dermport.training.engines.local import ProcessEngine, SerialEngine
    from dermport.training.engines.ray import RayEngine

    if parallel < 0:
        raise UsageError(f"--parallel {parallel} cannot be meant.")
    if name != "ray" and parallel <= 1 and not tasks_each:
        return SerialEngine()
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # or this process takes all memory of a GPU first
    return RayEngine(address, parallel, tasks_each) if name == "ray" else ProcessEngine(max(1, parallel), tasks_each)
