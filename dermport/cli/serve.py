"""``dermport serve``: the Jetson's server."""

from __future__ import annotations

import json as jsons
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dermport.cli.options import Json
from dermport.cli.output import say
from dermport.cli.requests import asks
from dermport.server.config import ServerConfig

if TYPE_CHECKING:
    from dermport.server.services import Services

LogFormat = Literal["text", "json"]
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
    with claimed(config.storage) as storage:
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
    from dermport.server.allocator import give_back_from
    from dermport.server.app import create_app
    from dermport.server.listener import Listener
    from dermport.server.operations import systemd
    from dermport.server.operations.journal import OutsideJournal
    from dermport.server.services import EXTENSION
    from dermport.server.serving.upgrade import Upgrade
    from dermport.workflows.engines import build_missing_engines, has_tensorrt

    tell = say if log_format == "text" else _log
    give_back_from(256 * 1024)  # no photo that was received stays behind
    app = create_app(config)
    services: Services = app.extensions[EXTENSION]
    try:
        listener = Listener(app, host, port, _threads(services), OutsideJournal(services.metrics))
        if has_tensorrt():
            Upgrade(services.models, lambda bundle: build_missing_engines(bundle, say))
        watchdog = systemd.Watchdog(listener.is_alive)

        def ready() -> None:
            systemd.notify(systemd.READY)
            watchdog.start()
            _announce(listener.url, services, json, tell)

        listener.run(ready, stopping=lambda: systemd.notify(systemd.STOPPING))
        watchdog.close()
    finally:
        services.close()
    tell("Stopped.")


def _threads(services: Services) -> int:
    """Return how many requests may be inside at once: all that wait or are at work, and some that need no model."""
    return services.config.serving.queue + services.models.current.load().slots + 8


def _log(words: str) -> None:
    """Log what people would be told, without its markup: a log of JSON lines has nothing else in it."""
    import logging

    from rich.text import Text

    logging.getLogger("dermport.serve").info("%s", Text.from_markup(words).plain)


def _announce(url: str, services: Services, json: bool, tell: Callable[[str], None]) -> None:
    from rich.markup import escape

    live = services.models.current
    served, by = live.model, live.served_by
    tell(escape(f"{by.name}, {served.target} {served.precision}: {by.reason}"))
    if live.proof.complaint:
        tell(f"[red]Not ready:[/red] {escape(live.proof.complaint)}")
    tell(f"[bold]{url}[/bold] serves {served.name} {served.version}; Ctrl+C stops it.")
    if services.config.web:
        tell(f"The web app: [bold]{url}/app/[/bold]")
    else:
        tell("The web app is not built, so /app/ and /dashboard/ are missing: make web")
    if json:
        document = {
            "url": url,
            "model": served.model_dump(mode="json"),
            "runtime": by.model_dump(mode="json"),
            "ready": not live.proof.complaint,
        }
        sys.stdout.write(jsons.dumps(document) + "\n")
        sys.stdout.flush()
