"""``dermport serve``: the Jetson's server."""

from __future__ import annotations

import gc
import json as jsons
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dermport.cli.options import Json
from dermport.cli.output import say
from dermport.cli.requests import asks
from dermport.server.config import ServerConfig

if TYPE_CHECKING:
    from flask import Flask

    from dermport.server.services import Services

LogFormat = Literal["text", "json"]
_SUMMARY = "serving.json"
# The pixels of a photo of 1 MP (4 bytes each) are kept for the next one; those of a larger one are given back.
_KEPT = 4 * 1024 * 1024
# Containers more than were freed, after which Python looks for circles: its own 700 come with each request, which makes
# next to none.
_ALLOCATED = 10_000
_BUILT_WEB = Path(__file__).parents[1] / "mobile_stub" / "web" / "dist"


@asks(ServerConfig)
def serve(
    config: ServerConfig,
    host: Annotated[str, typer.Option("--host", help="Address to bind; the default lets only this machine in.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0: a free one.")] = 8080,
    keys: Annotated[
        bool | None, typer.Option("--keys/--no-keys", help="Ask for API keys. Only loopback can do without.")
    ] = None,
    web: Annotated[
        Path | None, typer.Option("--web", help="Folder of the built web app. Default: what `make web` has built.")
    ] = None,
    log_format: Annotated[LogFormat, typer.Option("--log-format", help="One line per request, as text or JSON.")] = (
        "text"
    ),
    json: Json = False,
) -> None:
    """Serve the model over HTTP until stopped. With --json, one line on stdout says where, once it listens."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # read when numpy is imported, whose threads no fork survives
    gc.disable()  # until all is loaded: it would look through what stays, again and again
    from dermport.server.listener import is_loopback
    from dermport.server.operations import logs
    from dermport.server.state import claimed

    logs.configure(log_format)
    private = is_loopback(host) and not config.access.trusted_proxies
    config = replace(
        config,
        access=replace(config.access, keys=_ask_for_keys(keys, private)),
        web=_web_app(web),
    )
    with claimed(config.storage, _load) as storage:
        _run(replace(config, storage=storage), host, port, log_format, json)


def _ask_for_keys(wanted: bool | None, private: bool) -> bool:
    from dermport.errors import UsageError

    if wanted is False and not private:
        raise UsageError(
            "A server that others can reach asks for API keys.",
            remedy="Leave --no-keys out, and make a key for each phone: dermport keys create.",
        )
    return not private if wanted is None else wanted


def _web_app(wanted: Path | None) -> Path | None:
    """Return the folder of the built web app; None where there is none."""
    from dermport.errors import UsageError

    folder = wanted or _BUILT_WEB
    if (folder / "index.html").is_file():
        return folder
    if wanted:
        raise UsageError(f"{wanted} holds no built web app (no index.html).", remedy="Build it with: make web")
    return None


def _run(config: ServerConfig, host: str, port: int, log_format: LogFormat, json: bool) -> None:
    from dermport.server.listener import ListenConfig, serve
    from dermport.server.serving.models import find_bundles
    from dermport.server.serving.plan import plan, threads_of
    from dermport.server.sharing.board import count_lost, sweep
    from dermport.server.sharing.run_folder import clear_run_folder, run_folder

    tell = say if log_format == "text" else _log
    gpu = find_spec("tensorrt") is not None  # to look further would start CUDA, which no fork survives
    config = replace(config, serving=plan(config.serving, find_bundles(config.bundles).values(), gpu=gpu))
    _prepare_fork(config)
    clear_run_folder(config.storage.folder)
    meeting = run_folder(config.storage.folder)
    sweep(meeting)
    listen = ListenConfig(
        host,
        port,
        workers=config.serving.workers or 1,
        threads=threads_of(config.serving),
        trusted_proxies=config.access.trusted_proxies,
        start_seconds=config.serving.start_seconds,
        answer_seconds=max(
            ListenConfig.answer_seconds, 2 * config.serving.start_seconds
        ),  # to activate a model takes it
    )
    try:
        serve(
            lambda: _app(config, meeting),
            listen,
            lambda urls: _announce(urls, _summary(meeting), config, json, tell),
            lambda _: count_lost(meeting),
        )
    finally:
        clear_run_folder(config.storage.folder)
    tell("Stopped.")


def _load() -> None:
    """Load what every process needs, and none of what a fork would break."""
    from dermport.bundle.vectors.proof import failing_photos
    from dermport.server import app

    assert app
    failing_photos()  # once: every process knows it then


def _prepare_fork(config: ServerConfig) -> None:
    if config.serving.process_model == "workers":
        os.environ["OMP_NUM_THREADS"] = "1"
    gc.freeze()  # what is loaded stays: were it looked through, it would be copied into every process
    gc.enable()


def _app(config: ServerConfig, meeting: Path) -> Flask:
    """Return the app of a worker process."""
    from dermport.server.allocator import give_back_from
    from dermport.server.app import create_app
    from dermport.server.services import EXTENSION
    from dermport.server.serving.upgrade import Upgrade
    from dermport.server.sharing.region import OnlyOne
    from dermport.server.storage.activations import Activations
    from dermport.workflows.engines import build_missing_engines, has_tensorrt

    give_back_from(_KEPT)
    app = create_app(config, in_worker=True)
    services: Services = app.extensions[EXTENSION]
    if config.serving.process_model == "batcher" and has_tensorrt():
        builder = OnlyOne(meeting / "engines")
        renewed = Activations(services.database).renewed
        Upgrade(services.models, lambda bundle: build_missing_engines(bundle, say), renewed, builder.is_mine)
    _write_summary(services, meeting)
    gc.collect()
    gc.freeze()
    gc.set_threshold(_ALLOCATED)
    return app


def _write_summary(services: Services, meeting: Path) -> None:
    from dermport.bundle.atomic import write_bytes

    live = services.models.current
    document = {
        "model": live.model.model_dump(mode="json"),
        "runtime": live.served_by.model_dump(mode="json"),
        "ready": not live.proof.complaint,
        "complaint": live.proof.complaint,
    }
    write_bytes(meeting / _SUMMARY, jsons.dumps(document).encode())


def _summary(meeting: Path) -> dict[str, Any]:
    document: dict[str, Any] = jsons.loads((meeting / _SUMMARY).read_bytes())
    return document


def _log(words: str) -> None:
    """Log what people would be told, without its markup: a log of JSON lines has nothing else in it."""
    import logging

    from rich.text import Text

    logging.getLogger("dermport.serve").info("%s", Text.from_markup(words).plain)


def _announce(
    urls: tuple[str, ...], found: dict[str, Any], config: ServerConfig, json: bool, tell: Callable[[str], None]
) -> None:
    from rich.markup import escape

    url, served, by = urls[0], found["model"], found["runtime"]
    tell(escape(f"{by['name']}, {served['target']} {served['precision']}: {by['reason']}"))
    if complaint := found.pop("complaint"):
        tell(f"[red]Not ready:[/red] {escape(complaint)}")
    tell(f"[bold]{url}[/bold] serves {served['name']} {served['version']}; Ctrl+C stops it.")
    if config.web:
        tell(f"The web app: [bold]{url}/app/[/bold]")
    else:
        tell("The web app is not built, so /app/ and /dashboard/ are missing: make web")
    if json:
        sys.stdout.write(jsons.dumps({"url": url, **found}) + "\n")
        sys.stdout.flush()
