"""``dermport serve``: the Jetson's server."""

from __future__ import annotations

import json as jsons
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import BundleArgument, Json
from cli.output import say

if TYPE_CHECKING:
    from server.service import Service


def serve(
    bundle: BundleArgument,
    host: Annotated[str, typer.Option("--host", help="Address to bind; the default lets only this machine in.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0: a free one.")] = 8080,
    runtime: Annotated[
        str | None, typer.Option("--runtime", help="tensorrt, onnxruntime or litert. Default: the best there is.")
    ] = None,
    precision: Annotated[
        str | None, typer.Option("--precision", help="Precision of the export to serve. Default: the runtime's best.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="CPU threads of the runtime. Default: the runtime's own.")
    ] = None,
    json: Json = False,
) -> None:
    """Serve the model over HTTP until stopped. With --json, one line on stdout says where, once it listens."""
    from server.app import create_app
    from server.config import ServerConfig
    from server.listener import Listener, is_loopback
    from server.routes import EXTENSION

    _renew_engines(bundle)
    app = create_app(ServerConfig(bundle, runtime, precision, threads))
    service: Service = app.extensions[EXTENSION]
    listener = Listener(app, host, port)
    if not is_loopback(host):
        say(f"[yellow]Whoever can reach {host} can use this server: there is no authentication yet.[/yellow]")
    listener.run(lambda: _announce(listener.url, service, json))
    service.close()
    say("Stopped.")


def _renew_engines(bundle: Path) -> None:
    """Build engines that do not match this machine again from their kits; without TensorRT there is nothing to do."""
    from bundle.errors import UnavailableError
    from exporters.tensorrt.builder import engine_for
    from runtimes.engine import SIDECAR, this_machine

    try:
        this_machine()
    except UnavailableError:
        return
    for sidecar in sorted(bundle.glob(f"exports/tensorrt-*/{SIDECAR}")):
        engine_for(sidecar.parent, say)


def _announce(url: str, service: Service, json: bool) -> None:
    from rich.markup import escape

    served, by = service.model, service.served_by
    say(escape(f"{by.name}, {served.target} {served.precision}: {by.reason}"))
    if service.complaint:
        say(f"[red]Not ready:[/red] {escape(service.complaint)}")
    say(f"[bold]{url}[/bold] serves {served.name} {served.version}; Ctrl+C stops it.")
    if json:
        sys.stdout.write(jsons.dumps(_document(url, service)) + "\n")
        sys.stdout.flush()


def _document(url: str, service: Service) -> dict[str, object]:
    return {
        "url": url,
        "model": service.model.model_dump(mode="json"),
        "runtime": service.served_by.model_dump(mode="json"),
        "ready": not service.complaint,
    }
