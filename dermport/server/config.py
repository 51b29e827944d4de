"""What a server is told before it starts."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from dermport.errors import UsageError
from dermport.options import Option, check_fields

ProcessModel = Literal["auto", "workers", "batcher"]


def default_state() -> Path:
    """Return where a server keeps its state unless told: systemd's folder for it, else the user's.

    Raises:
        UsageError: The user has none.
    """
    if folder := os.environ.get("STATE_DIRECTORY"):
        return Path(folder.split(":")[0])
    if folder := os.environ.get("XDG_STATE_HOME"):
        return Path(folder) / "dermport"
    try:
        return Path.home() / ".local" / "state" / "dermport"
    except RuntimeError as error:  # neither HOME nor an entry among the users: a container's, or a service's
        raise UsageError(
            "This user has no home folder to keep the server's state in.",
            remedy="Name a folder with {state}.",
            of=StorageConfig,
        ) from error


@dataclass(frozen=True)
class ServingConfig:
    """How photos are answered; each field says what it is.

    Raises:
        UsageError: A number is out of range.
    """

    runtime: Annotated[str | None, Option("tensorrt, onnxruntime or litert. Default: the best there is.")] = None
    precision: Annotated[
        str | None, Option("Precision of the export to serve. Default: the runtime's first choice.")
    ] = None
    process_model: Annotated[
        ProcessModel,
        Option(
            "Worker processes with one single-threaded runtime each (best on a CPU), or one process with batches (best "
            "on a GPU)."
        ),
    ] = "auto"
    workers: Annotated[int | None, Option("Worker processes. Default: one per core.", ge=1)] = None
    threads: Annotated[int | None, Option("CPU threads of a runtime that takes batches.", ge=1)] = None
    queue: Annotated[int, Option("Photos that may wait in a process; one more is answered 503.", ge=1)] = 64
    start_seconds: Annotated[
        float, Option("How long a worker may take to load its model and answer the golden set.", ge=1)
    ] = 60.0
    wait_seconds: float = 10.0
    """How long a photo may wait before it is answered 503."""
    answer_seconds: float = 10.0
    """How long a photo may take, once it is at work, before its process is killed and replaced."""
    batch: int = 32
    """Largest batch."""
    batch_wait: float = 0.002
    """Seconds that the first photo of a batch waits for company."""

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class AccessConfig:
    """Who may ask; each field says what it is.

    Raises:
        UsageError: A number is out of range.
    """

    keys: bool = False
    """Whether API keys are asked for."""
    rate: Annotated[int, Option("Requests a minute of one key or address; 0: any.", ge=0)] = 0
    origins: Annotated[
        tuple[str, ...], Option("Web origin whose pages may call the server (CORS); may be repeated.", name="origin")
    ] = ()
    trusted_proxies: Annotated[
        tuple[str, ...],
        Option("Address of a proxy whose X-Forwarded headers are believed; repeatable.", name="trusted-proxy"),
    ] = ()

    prefix: Annotated[
        str, Option("Path that a proxy has this server below, e.g. /dermport. Default: X-Forwarded-Prefix says it.")
    ] = ""

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class StorageConfig:
    """What is remembered; each field says what it is.

    Raises:
        UsageError: A number is out of range.
    """

    state: Annotated[Path | None, Option("Folder of the server's database, signing key and photos.")] = None
    database: Annotated[str | None, Option("SQLAlchemy URL. Default: SQLite in the folder of the state.")] = None
    keep_photos: Annotated[bool, Option("Store the pixels of compared photos (never their EXIF).")] = False
    retention_days: Annotated[int | None, Option("Delete comparisons older than this.", ge=1)] = None
    state_id: str | None = None
    """Of the state that this server began with (:mod:`dermport.server.state`): nothing is made in its place."""

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def folder(self) -> Path:
        """Where the state is: `state`, or the user's own folder for it, which is looked for only then."""
        return self.state or default_state()


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

    bundles: Annotated[
        tuple[Path, ...],
        Option("Bundles, or folders of bundles; the first is served.", argument=True, metavar="BUNDLE..."),
    ]
    storage: StorageConfig = field(default_factory=StorageConfig)
    serving: ServingConfig = field(default_factory=ServingConfig)
    access: AccessConfig = field(default_factory=AccessConfig)
    web: Path | None = None
