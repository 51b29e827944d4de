"""A worker process as the front process sees it."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermport.errors import BundleError, DermportError, ExportError, IntegrityError, PhotoError, UnavailableError
from dermport.server.config import ServingConfig
from dermport.server.express.express import Lender
from dermport.server.express.protocol import lane_pair
from dermport.server.serving.jobs import InferenceJob, InferenceResult

_KINDS: dict[str, type[DermportError]] = {
    kind.__name__: kind for kind in (UnavailableError, BundleError, IntegrityError, ExportError)
}
# Numerical libraries otherwise start a pool of threads in each process.
_SINGLE_THREADED = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class WorkerLostError(Exception):
    """The worker died, or was killed because it took too long; the photo may go to another one."""


@dataclass(frozen=True)
class Order:
    """What a worker loads.

    Attributes:
        bundle: The bundle's folder.
        export: The export's folder.
        runtime: A name of :data:`dermport.server.serving.runtimes.CANDIDATES`.
    """

    bundle: Path
    export: Path
    runtime: str


class WorkerProcess:
    """A started worker; :meth:`wait_until_loaded` before the first photo. One thread at a time may use it.

    Args:
        order: What it loads.
        serving: How long it may take to start, and for one photo.

    Attributes:
        name: The runtime with its version.
        labels: The labels that the artifact carries.
        golden: Its answers to the golden set, float32 [N, C].
        lender: Lends connections to it.
    """

    name: str
    labels: tuple[str, ...]
    golden: NDArray[np.float32]

    def __init__(self, order: Order, serving: ServingConfig) -> None:
        self._answer_seconds = serving.answer_seconds
        ours, theirs = socket.socketpair()
        front, lane = lane_pair()
        with theirs, lane:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "dermport.server.serving.worker", str(theirs.fileno()), str(lane.fileno())],
                pass_fds=(theirs.fileno(), lane.fileno()),
                stdin=subprocess.DEVNULL,
                env={**os.environ, **_SINGLE_THREADED},
                start_new_session=True,  # the terminal's signals are for the front process
            )
        self.lender = Lender(front)
        _give_up_after(ours, serving.start_seconds)
        self._socket = ours
        self._connection = Connection(os.dup(ours.fileno()))
        self._connection.send_bytes(json.dumps({key: str(value) for key, value in asdict(order).items()}).encode())

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def wait_until_loaded(self) -> None:
        """Wait for the worker to load its artifact and answer the golden set.

        Raises:
            UnavailableError: This machine lacks the runtime, or the worker ended without a word.
            BundleError: The bundle or artifact is missing or not what was recorded.
            ExportError: The runtime does not take the artifact.
        """
        try:
            said = self._receive()
        except WorkerLostError as error:
            raise UnavailableError(f"A worker could not be started: {error}.", remedy="See the log.") from error
        if "error" in said:
            self.stop()
            raise _KINDS.get(said["error"], BundleError)(said["message"], remedy=said["remedy"])
        self.name, self.labels = said["name"], tuple(said["labels"])
        self.golden = np.asarray(said["golden"], np.float32)
        _give_up_after(self._socket, self._answer_seconds)

    def ask(self, job: InferenceJob) -> InferenceResult:
        """Answer a photo, without "wait" among its milliseconds.

        Raises:
            PhotoError: The photo is refused.
            WorkerLostError: The worker died, or took longer than it may, and is dead now.
        """
        head = json.dumps({"form": job.form, "decoding": job.decoding, "want": job.want}).encode()
        try:
            self._connection.send_bytes(head + b"\n" + job.data)
        except OSError as error:
            raise self._lost("it had ended") from error
        said = self._receive()
        if "refused" in said:
            raise PhotoError(said["refused"], code=said["code"], remedy=said["remedy"])
        return InferenceResult(**(said | {"probabilities": tuple(said["probabilities"])}))

    def wait(self) -> int:
        """Wait until the process has ended; return its exit status."""
        return self._process.wait()

    def stop(self) -> None:
        """End the worker after what it is doing."""
        self.lender.recall()
        self._connection.close()
        self._socket.close()

    def kill(self) -> None:
        """End the worker at once."""
        self.lender.recall()
        self._process.kill()
        self._process.wait()

    def _receive(self) -> dict[str, Any]:
        try:
            said: dict[str, Any] = json.loads(self._connection.recv_bytes())
        except BlockingIOError as error:
            raise self._lost("no answer in time") from error
        except (EOFError, OSError) as error:
            raise self._lost("it ended without an answer") from error
        return said

    def _lost(self, why: str) -> WorkerLostError:
        self.kill()
        return WorkerLostError(f"worker {self.pid}: {why}")


def _give_up_after(connected: socket.socket, seconds: float) -> None:
    """Have reads fail after `seconds`: the kernel keeps the time, at no cost to each photo."""
    whole = int(seconds)
    connected.setsockopt(
        socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", whole, int(1_000_000 * (seconds - whole)))
    )
