"""Under which conditions everything is measured."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.serving.dermport import Dermport
from benchmarks.serving.limit import Work
from benchmarks.serving.load import LoadDuration
from benchmarks.serving.models import BenchmarkModel
from benchmarks.serving.peers import peers
from benchmarks.serving.photos import RequestPhotos
from benchmarks.serving.servers import Server

WARM_UP = 0.25  # of the measured seconds, left out before them


@dataclass(frozen=True)
class Conditions:
    """What all measurements share.

    Attributes:
        models: What is served, one after the other; the first where one is enough.
        photos: Small photos.
        seconds: How long each load is measured.
        rounds: How often everything is measured, in turns.
        workers: Worker processes of every server, and processes of the in-process limit.
        peers: The names of the other servers.
        minutes: How long a soak or the attacks last.
    """

    models: tuple[BenchmarkModel, ...]
    photos: RequestPhotos
    seconds: float
    rounds: int
    workers: int
    peers: tuple[str, ...]
    minutes: float

    @property
    def plan(self) -> LoadDuration:
        """How long a load lasts."""
        return LoadDuration(self.seconds, WARM_UP * self.seconds)

    def ours(self, model: BenchmarkModel, runtime: str = "onnxruntime", precision: str = "") -> Dermport:
        """Return our own server."""
        return Dermport(model.bundle, self.workers, runtime, precision or model.precision)

    def servers(self, model: BenchmarkModel) -> tuple[Server, ...]:
        """Return our own server and the others."""
        return (self.ours(model), *(peer for peer in peers(model, self.workers) if peer.name in self.peers))

    def work(self, model: BenchmarkModel, runtime: str = "onnxruntime", precision: str = "") -> Work:
        """Return what the in-process limit runs."""
        return Work(model.bundle, runtime, precision or model.precision)
