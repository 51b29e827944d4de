"""Tasks on the machines of a Ray cluster (https://docs.ray.io/en/latest/ray-core/tasks.html)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bundle.errors import DermportError, UnavailableError
from training.engines.engine import Lines, Named, Result, Task, Work, Worker
from training.phases.loop import Reporter


@dataclass(frozen=True)
class OnRay:
    """Each task is one of Ray's, spread over its nodes; every path of a task must lead to the same file on each node.

    A node needs dermport with its ``train`` extra, of the same version.

    Attributes:
        address: The cluster's, as ``ray.init`` takes it; empty for ``RAY_ADDRESS``, or a Ray of this machine alone. A
            Ray that this process is connected to already is used, and left connected.
        count: Tasks at once; 0 for as many as the cluster has room for.
    """

    address: str = ""
    count: int = 0

    def run(self, worker: Worker[Work, Result], tasks: Sequence[Task[Work]], reporter: Reporter) -> Iterator[Result]:
        """Yield the results as they come (see :meth:`training.engines.engine.Engine.run`).

        Raises:
            UnavailableError: Ray is not installed, there is no cluster at the address, or a task was lost.
        """
        ray = _ray()
        ours = not ray.is_initialized()
        if ours:
            _connect(ray, self.address)
        try:
            yield from self._results(ray, worker, tasks)
        except ray.exceptions.RayError as error:
            raise _translated(ray, error) from error
        finally:
            if ours:
                ray.shutdown()

    def _results(self, ray: Any, worker: Worker[Work, Result], tasks: Sequence[Task[Work]]) -> Iterator[Result]:
        gpus = 1 if ray.cluster_resources().get("GPU") else 0
        # A task that is lost with its node begins again from its checkpoints, on another one.
        remote = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=3, scheduling_strategy="SPREAD")(_do)
        left, running = list(tasks), list[Any]()
        try:
            while left or running:
                while left and (not self.count or len(running) < self.count):
                    running.append(remote.remote(worker, left.pop(0)))
                [done], running = ray.wait(running)
                yield ray.get(done)
        finally:
            for one in running:
                ray.cancel(one, force=True)


def _do(worker: Worker[Work, Result], task: Task[Work]) -> Result:
    return worker(task.work, Named(task.name, Lines()))


def _connect(ray: Any, address: str) -> None:
    try:
        ray.init(address=address or None, include_dashboard=False if not address else None, logging_level="warning")
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UnavailableError(
            f"No Ray cluster answers at {address or 'this machine'}: {error}",
            remedy="`ray start --head` starts one; --ray-address or RAY_ADDRESS names it.",
        ) from error


def _translated(ray: Any, error: Exception) -> DermportError:
    """Return our own error where a task raised one, else what became of the task."""
    cause = getattr(error, "cause", None)
    if isinstance(error, ray.exceptions.RayTaskError) and isinstance(cause, DermportError):
        return cause
    return UnavailableError(
        f"A task was lost on the Ray cluster: {str(error).strip().splitlines()[-1]}",
        remedy="Give the same command again: what is done is kept.",
    )


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise UnavailableError("Ray is not installed.", remedy="pip install 'dermport[ray]'") from error
    return ray
