"""What is asked of a search, and the options of ``dermport search`` with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from dermport.options import DataPath, Jobs, Option, Seed, check_fields

THIS_MACHINE = "this"
_SPACE = "What is searched"
_MEASURE = "How candidates are measured"


@dataclass(frozen=True)
class SearchRequest:
    """What is asked of a search; each field says what it is.

    `command` is what a person typed, for the manifests of finalists.

    Raises:
        UsageError: A value is out of range.
    """

    parent: Annotated[Path, Option("Bundle folder, e.g. artifacts/ham7.", metavar="BUNDLE", argument=True)]
    data: DataPath
    out: Annotated[Path, Option("The search's folder; an unfinished search there goes on.")]
    starts: Annotated[
        tuple[Path, ...],
        Option(
            "Another bundle to start from, of the same split: pruned, distilled, quantised … May be repeated.",
            name="start",
            panel=_SPACE,
        ),
    ] = ()
    space: Annotated[Path | None, Option("TOML of sizes, pruning and training. Default: built in.", panel=_SPACE)] = (
        None
    )
    targets: Annotated[
        tuple[str, ...],
        Option("Target; may be repeated, the first one's float32 is the base.", name="to", panel=_SPACE),
    ] = ("tflite",)
    precisions: Annotated[
        tuple[str, ...], Option("Precision; may be repeated. Default: all.", name="precision", panel=_SPACE)
    ] = ()
    trials: Annotated[int, Option("Candidates in all.", ge=1, panel=_SPACE)] = 40
    minutes: Annotated[float | None, Option("Begin no candidate after so many minutes.", ge=0, panel=_SPACE)] = None
    steps: Annotated[int, Option("Batches that a changed network is trained on.", ge=1, panel=_SPACE)] = 60
    device: Annotated[
        str,
        Option("this machine, or a FILE: a device profile, or another machine's benchmark.json.", panel=_MEASURE),
    ] = THIS_MACHINE
    rounds: Annotated[int, Option("Timed calls of each candidate.", ge=4, panel=_MEASURE)] = 40
    threads: Annotated[int, Option("CPU threads of each runtime.", ge=1, panel=_MEASURE)] = 1
    seed: Seed = 0
    jobs: Jobs = 0
    command: str = ""

    def __post_init__(self) -> None:
        check_fields(self)
