"""What an app and the process that serves it know of each other; any other WSGI server leaves it unread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

WORKER_HOOKS = "dermport.worker"


@dataclass(frozen=True)
class WorkerHooks:
    """What an app that knows of its worker leaves in ``app.extensions[WORKER_HOOKS]``.

    Attributes:
        refused: Hears of a request that did not pass the app, with the status that it was refused with.
        stuck: Whether a job is older than its limit; the worker is then replaced. It must return soon.
        close: Frees what the app holds, once no request is being answered.
    """

    refused: Callable[[int], None] = lambda _: None
    stuck: Callable[[], bool] = bool
    close: Callable[[], None] = lambda: None
