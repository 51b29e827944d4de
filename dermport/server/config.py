"""What a server is told before it starts."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from dermport.options import Option

ProcessModel = Literal["auto", "workers", "batcher"]


@dataclass(frozen=True)
class ServingConfig:
    """How photos are answered.

    Attributes:
        runtime: A name of :data:`dermport.server.serving.runtimes.CANDIDATES`; None takes the best that this machine
            has.
        precision: An export's precision; None takes the runtime's first choice.
        process_model: ``workers``: processes with one single-threaded runtime each; ``batcher``: one runtime in the
            server's own process, fed in batches; ``auto``: batches for TensorRT, workers for what runs on the CPU.
        workers: Worker processes; None is one per core.
        threads: CPU threads of the runtime in the server's own process; None leaves it to the runtime.
        queue: Photos that may wait; one more is answered 503.
        wait_seconds: How long one may wait before it is answered 503.
        start_seconds: How long a worker may take to load its model and answer the golden set.
        answer_seconds: How long a worker may take for one photo before it is killed.
        batch: Largest batch.
        batch_wait: Seconds that the first photo of a batch waits for company.
    """

    runtime: str | None = None
    precision: str | None = None
    process_model: ProcessModel = "auto"
    workers: int | None = None
    threads: int | None = None
    queue: int = 64
    wait_seconds: float = 10.0
    start_seconds: float = 60.0
    answer_seconds: float = 60.0
    batch: int = 32
    batch_wait: float = 0.002


@dataclass(frozen=True)
class AccessConfig:
    """Who may ask.

    Attributes:
        keys: Whether API keys are asked for.
        rate: Requests a minute of one key (or address, where no keys are asked for); 0 for no limit.
        origins: Web origins, besides the server's own, whose pages may call it (CORS).
        trusted_proxies: Addresses or networks of proxies whose X-Forwarded headers are believed.
    """

    keys: bool = False
    rate: int = 0
    origins: tuple[str, ...] = ()
    trusted_proxies: Annotated[
        tuple[str, ...],
        Option("Address of a proxy whose X-Forwarded headers are believed; repeatable.", name="trusted-proxy"),
    ] = ()


@dataclass(frozen=True)
class StorageConfig:
    """What is remembered.

    Attributes:
        state: Folder of the database, the signing key and stored photos.
        database: SQLAlchemy URL; None is SQLite in `state`.
        keep_photos: Whether photos of comparisons are stored (as pixels; never with EXIF).
        retention_days: Comparisons older than this are deleted; None keeps them.
    """

    state: Path
    database: str | None = None
    keep_photos: bool = False
    retention_days: int | None = None


@dataclass(frozen=True)
class ServerConfig:
    """Everything that :func:`dermport.server.app.create_app` needs.

    Attributes:
        bundles: Bundle folders, or folders of bundles; the first bundle is served unless another was activated.
        storage: What is remembered, and where.
        serving: How photos are answered.
        access: Who may ask.
        web: The built web app; None where there is none.
    """

    bundles: tuple[Path, ...]
    storage: StorageConfig
    serving: ServingConfig = field(default_factory=ServingConfig)
    access: AccessConfig = field(default_factory=AccessConfig)
    web: Path | None = None


def default_state() -> Path:
    """Return where a server keeps its state unless told: systemd's folder for it, else the user's."""
    if folder := os.environ.get("STATE_DIRECTORY"):
        return Path(folder.split(":")[0])
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "dermport"
