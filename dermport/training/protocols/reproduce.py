"""Run a protocol: as published and honestly, side by side, and write the report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dermport.bundle.atomic import atomic_directory
from dermport.errors import UsageError
from dermport.progress import Progress
from dermport.training.data.dataset import Dataset
from dermport.training.model.weights import describe_weights
from dermport.training.pipeline import read_all
from dermport.training.protocols.context import ReproductionContext
from dermport.training.protocols.protocol import Protocol, Transfer
from dermport.training.protocols.report import Report, build_report, write_report
from dermport.training.protocols.trainers import protocol_networks
from dermport.training.protocols.trial import Trial, run_trial, seconds_of
from dermport.training.request import TrainingRequest
from dermport.training.run import TrainingRun, close_run, open_run


@dataclass(frozen=True)
class ReproductionRequest:
    """What is asked of a reproduction.

    Attributes:
        protocol: What is done.
        data: The photos.
        out: The report's folder; must not exist.
        changes: What was changed of the protocol, as the user typed it.
        weights: What MobileNetV2 starts from: ``imagenet`` or a weights file.
        weights_dir: Files of weights of other architectures; None for none.
        lesion_pattern: How a file's name tells its lesion, for a folder per class.
        seed: Of everything random.
        jobs: Threads that decode; 0 for one per processor.
        command: What a person typed.
    """

    protocol: Protocol
    data: Path
    out: Path
    changes: tuple[str, ...] = ()
    weights: str = "imagenet"
    weights_dir: Path | None = None
    lesion_pattern: str | None = None
    seed: int = 0
    jobs: int = 0
    command: str = ""

    def __post_init__(self) -> None:
        if self.out.exists():
            raise UsageError(
                f"{self.out} exists already.",
                remedy="Choose another {out}, or remove the folder first.",
                of=ReproductionRequest,
            )


def reproduce(request: ReproductionRequest, progress: Progress) -> Report:
    """Run a protocol and write its report; one that was killed goes on where it was when it is asked for again.

    State is kept in a hidden sibling of the report's folder, ``.<name>.run``, until that is written; prepared photos
    and features of frozen trunks in caches beside it.

    Raises:
        UsageError: The folder exists, or an unfinished run there was asked for something else.
        DataError: The photos or the weights cannot be used.
    """
    dataset = _read(request, progress)
    run = open_run(request.out, _asked(request, dataset), request.command)
    if run.resumed:
        progress.say(f"Going on with the run in {run.folder}.")
    work = _context(request, dataset, run, progress)
    trials = [run_trial(work, arm, one) for one in protocol_networks(work) for arm in request.protocol.arm]
    return _written(request, work, trials)


def _read(request: ReproductionRequest, progress: Progress) -> Dataset:
    wanted = request.protocol.data
    photos = TrainingRequest(
        request.data,
        request.out,
        task=wanted.task,
        require_metadata=wanted.require_metadata,
        lesion_pattern=request.lesion_pattern,
        jobs=request.jobs,
    )
    return read_all(photos, progress)


def _context(
    request: ReproductionRequest, dataset: Dataset, run: TrainingRun, progress: Progress
) -> ReproductionContext:
    return ReproductionContext(
        request.protocol,
        dataset,
        run,
        request.seed,
        request.weights,
        request.weights_dir,
        request.jobs,
        progress,
    )


def _asked(request: ReproductionRequest, dataset: Dataset) -> dict[str, Any]:
    """Return what decides the answers; what the paper says of itself does not."""
    protocol = request.protocol
    asked = protocol.model_dump(mode="json", include={"size", "crop", "split", "training", "arm"})
    transfers = isinstance(protocol.training, Transfer)
    return {
        **asked,
        "task": dataset.task.spec.model_dump(mode="json"),
        "dataset": dataset.fingerprint,
        "joins": [list(pair) for pair in dataset.joins],
        "seed": request.seed,
        "weights": describe_weights(request.weights) if transfers else "",
        "weights_dir": "" if request.weights_dir is None else str(request.weights_dir),
    }


def _written(request: ReproductionRequest, work: ReproductionContext, trials: list[Trial]) -> Report:
    report = build_report(work, trials, request.changes, request.command, seconds_of(work.run.folder))
    with atomic_directory(request.out) as folder:
        write_report(folder, report, work, trials)
    close_run(request.out)
    return report
