"""Under which conditions everything is measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.dermport import Dermport
from benchmarks.serving.limit import Work
from benchmarks.serving.load import LoadDuration
from benchmarks.serving.photos import RequestPhotos
from benchmarks.serving.servers import Server

WARM_UP = 0.25  # of the measured seconds, left out before them


@dataclass(frozen=True)
class Conditions:
    """What all measurements share.

    Attributes:
        bundle: Folder of the bundle that is served.
        photos: Small photos.
        seconds: How long each load is measured.
        rounds: How often everything is measured, in turns.
        workers: Worker processes of every server, and processes of the in-process limit.
        peers: The other servers.
    """

    bundle: Path
    photos: RequestPhotos
    seconds: float
    rounds: int
    workers: int
    peers: tuple[Server, ...]

    @property
    def plan(self) -> LoadDuration:
        """How long a load lasts."""
        return LoadDuration(self.seconds, WARM_UP * self.seconds)

    def ours(self, runtime: str = "onnxruntime", precision: str = "fp32", process_model: str = "auto") -> Dermport:
        """Return our own server."""
        return Dermport(self.bundle, self.workers, runtime, precision, process_model)

    def work(self, runtime: str = "onnxruntime", precision: str = "fp32") -> Work:
        """Return what the in-process limit runs."""
        return Work(self.bundle, runtime, precision)
