"""What a server is told before it starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ServerConfig:
    """Everything that :func:`server.app.create_app` needs.

    Attributes:
        bundle: The bundle's folder; its exports are what can be served.
        runtime: A name of :data:`server.runtimes.CANDIDATES`; None takes the best that this machine has.
        precision: An export's precision; None takes the runtime's first choice.
        threads: CPU threads of the runtime; None leaves it to the runtime.
    """

    bundle: Path
    runtime: str | None = None
    precision: str | None = None
    threads: int | None = None
