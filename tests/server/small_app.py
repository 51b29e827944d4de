"""The listener around an app that does nothing but answer, as a process of its own: what it does needs no model."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.server.live import Server

ROOT = Path(__file__).parents[2]


@contextmanager
def running(
    options: dict[str, Any] | None = None, *, cwd: Path | None = None, files: int = 0, **listen: Any
) -> Iterator[Server]:
    """Run the app until the block ends.

    Args:
        options: ``trusted`` proxies, ``broken`` (a file: while it exists, no app can be made), ``guarded`` (a folder
            for the guard's database: then the app asks for no keys, and answers nobody from elsewhere).
        cwd: The current folder.
        files: How many descriptors it may have; 0 for as many as we.
        listen: Fields of ListenConfig.
    """
    process, log = start({"listen": {"port": 0, "threads": 24, **listen}, **(options or {})}, cwd, files)
    with log, process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line, Path(log.name).read_text()
            yield Server(process, json.loads(line)[0], log)
        finally:
            process.kill()


def start(
    told: dict[str, Any], cwd: Path | None = None, files: int = 0, **environ: str
) -> tuple[subprocess.Popen[str], Any]:
    """Start the app; return the process, and the file of what it says on stderr.

    Args:
        told: Its options, and ``listen``.
        cwd: The current folder.
        files: How many descriptors it may have; 0 for as many as we.
        environ: Environment variables.
    """
    log = tempfile.NamedTemporaryFile("w+", suffix=".log")  # noqa: SIM115
    limited = ("prlimit", f"--nofile={files}:{files}") if files else ()
    command = (*limited, sys.executable, "-m", "tests.server.small_app", json.dumps(told))
    environ = {**os.environ, "PYTHONPATH": str(ROOT), **environ}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=cwd, env=environ), log


def _serve(told: dict[str, Any]) -> None:
    import logging

    from flask import Flask, request

    from dermport.errors import DermportError, UsageError
    from dermport.server import problems, request_ids
    from dermport.server.connections.connection import ConnectionBounds
    from dermport.server.hooks import WORKER_HOOKS, WorkerHooks
    from dermport.server.listener import ListenConfig, serve
    from dermport.server.security.proxy import trust_proxies
    from tests.server.security.made import guarded_app, sqlite

    def create_app() -> Flask:
        if Path(told.get("broken", "/nowhere")).exists():
            raise UsageError("{workers} is odd.", remedy="Make it even.", of=ListenConfig)
        app = Flask("small", static_folder=None)
        if "guarded" in told:
            app, _ = guarded_app(sqlite(Path(told["guarded"])))
        app.extensions[WORKER_HOOKS] = WorkerHooks(refused=lambda status: print("refused", status, file=sys.stderr))
        for path, view in _VIEWS.items():
            app.add_url_rule(path, path, lambda view=view, **given: view(request, **given), methods=["GET", "POST"])
        if "guarded" not in told:
            request_ids.register(app)
            problems.register(app)
        trust_proxies(app, tuple(told.get("trusted", ())))
        return app

    logging.basicConfig(level=logging.INFO)
    listen = {**told["listen"], "bounds": ConnectionBounds(**told["listen"].pop("bounds", {}))}
    try:
        serve(
            create_app,
            ListenConfig(**listen, trusted_proxies=tuple(told.get("trusted", ()))),
            lambda urls: print(json.dumps(urls), flush=True),
        )
    except DermportError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


_BIG = bytes(8_000_000)
_VIEWS: dict[str, Any] = {
    "/": lambda request: str(len(request.get_data())),
    "/unread": lambda request: ("no", 401),
    "/big": lambda request: iter((_BIG,)),
    "/stream": lambda request: iter(("one", "two")),
    "/broken-stream": lambda request: (1 / (2 - n) and "x" for n in range(4)),
    "/fails": lambda request: 1 / 0,
    "/sleep/<float:seconds>": lambda request, seconds: time.sleep(seconds) or "slept",
    "/hang": lambda request: str(re.match("(a+)+$", "a" * 64 + "b")),  # no other thread of the process runs meanwhile
    "/pid": lambda request: str(os.getpid()),
    "/who": lambda request: {"from": request.remote_addr, "scheme": request.scheme, "headers": dict(request.headers)},
    "/path": lambda request: {"path": sys.path, "pil": str(sys.modules.get("PIL"))},
}

if __name__ == "__main__":
    _serve(json.loads(sys.argv[1]))
