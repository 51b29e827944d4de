"""Tasks on the machines of a Ray cluster (https://docs.ray.io/en/latest/ray-core/tasks.html)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from dataclasses import dataclass
from typing import Annotated, Any, Generic

from dermport.errors import DermportError, UnavailableError
from dermport.options import Option
from dermport.progress import Progress
from dermport.training.engines.engine import Result, Work, Worker, WorkItem, do_in_worker, run_tasks


@dataclass(frozen=True)
class RayEngine:
    """Each task is one of Ray's, spread over its nodes; every path of a task must lead to the same file on each node.

    A node needs dermport with its ``train`` extra, of the same version.

    Attributes:
        address: The cluster's, as ``ray.init`` takes it; empty for ``RAY_ADDRESS``, or a Ray of this machine alone. A
            Ray that this process is connected to already is used, and left connected.
        count: Tasks at once; 0 for as many as the cluster has room for.
        tasks_each: After how many tasks a worker process is replaced, and its memory given back; 0: never.
    """

    address: Annotated[str, Option("The cluster's.", name="ray-address")] = ""
    count: int = 0
    tasks_each: int = 0

    def run(
        self, worker: Worker[Work, Result], tasks: Iterable[WorkItem[Work]], progress: Progress
    ) -> Iterator[Result]:
        """Yield the results as they come (see :meth:`dermport.training.engines.engine.Engine.run`).

        Raises:
            UnavailableError: Ray is not installed, there is no cluster at the address, or a task was lost.
        """
        ray = _ray()
        ours = not ray.is_initialized()
        if ours:
            _connect(ray, self.address)
        cluster = _Cluster[Work, Result](ray, worker, self.tasks_each, self.count or _listed(tasks))
        try:
            yield from run_tasks(cluster, tasks)
        except ray.exceptions.RayError as error:
            raise _translated(ray, error) from error
        finally:
            cluster.stop()
            if ours:
                ray.shutdown()


class _Cluster(Generic[Work, Result]):
    """A cluster's nodes as an executor (see :class:`dermport.training.engines.engine.TaskExecutor`)."""

    def __init__(self, ray: Any, worker: Worker[Work, Result], tasks_each: int, count: int) -> None:
        self._ray, self._worker, self._count = ray, worker, count
        self._running: list[Any] = []
        self._of = "GPU" if ray.cluster_resources().get("GPU") else "CPU"
        # A task that is lost with its node begins again from its checkpoints, on another one.
        asked = {"num_cpus": 1, "num_gpus": int(self._of == "GPU"), "max_retries": 3, "scheduling_strategy": "SPREAD"}
        self._remote = ray.remote(max_calls=tasks_each, **asked)(do_in_worker)

    @property
    def room(self) -> bool:
        # Nodes come and go: how many there is room for is asked each time.
        return len(self._running) < (self._count or max(1, int(self._ray.cluster_resources().get(self._of, 1))))

    @property
    def busy(self) -> bool:
        return bool(self._running)

    def begin(self, task: WorkItem[Work]) -> None:
        self._running.append(self._remote.remote(self._worker, task))

    def finished(self) -> Iterator[Result]:
        [done], self._running = self._ray.wait(self._running)
        yield self._ray.get(done)

    def stop(self) -> None:
        for one in self._running:
            self._ray.cancel(one, force=True)


def _listed(tasks: Iterable[Any]) -> int:
    """Return how many tasks there are, which Ray may queue by itself; 0 where that shows only as they are drawn."""
    return len(tasks) if isinstance(tasks, Sized) else 0


def _connect(ray: Any, address: str) -> None:
    try:
        ray.init(address=address or None, include_dashboard=False if not address else None, logging_level="warning")
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UnavailableError(
            f"No Ray cluster answers at {address or 'this machine'}: {error}",
            remedy="`ray start --head` starts one; {address} or RAY_ADDRESS names it.",
            of=RayEngine,
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
