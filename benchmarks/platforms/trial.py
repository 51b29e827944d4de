"""A server in an environment, asked for every golden photo over one connection that is kept open."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.platforms.environments import Environment
from dermport.bundle.store import Bundle
from dermport.errors import UnavailableError

# Emulated, a photo takes seconds, and the proof at the start 24 times as long: more than a worker is given elsewhere.
_SECONDS = 600.0
_LENT = re.compile(r"^dermport_connections_lent (\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Setting:
    """What is served how.

    Attributes:
        runtime: ``onnxruntime`` or ``litert``.
        precision: The precision of the export.
    """

    runtime: str
    precision: str


@dataclass(frozen=True)
class ServerTrial:
    """What one server did.

    Attributes:
        environment: Where it ran.
        setting: What was served.
        runtime: What answered, with its version.
        seconds: From its start until it was ready.
        proved: The largest change of a probability that its own proof found (``/readyz``).
        inputs: Photos whose ``input_sha256`` is the recorded one.
        lent: Photos that a worker answered by itself: the connection was lent to it before and after.
        answers: Probabilities of each photo.
        status: The status that it ended with after SIGTERM.
    """

    environment: str
    setting: Setting
    runtime: str
    seconds: float
    proved: float
    inputs: int
    lent: int
    answers: tuple[tuple[float, ...], ...]
    status: int

    @property
    def is_sound(self) -> bool:
        """Whether all was as it must be."""
        return self.inputs == len(self.answers) and self.lent > 0 and self.status == 0


def try_server(environment: Environment, bundle: Bundle, setting: Setting) -> ServerTrial:
    """Start a server, ask it and stop it.

    Raises:
        UnavailableError: It does not start, or answers something else than was asked.
    """
    golden = [(bundle.path / "golden" / one.photo, one.input_sha256) for one in bundle.golden().index.photos]
    began = time.monotonic()
    with _running(environment, bundle, setting) as (process, address):
        with closing(http.client.HTTPConnection(address, timeout=_SECONDS)) as side:
            ready = json.loads(_ask(side, "GET", "/readyz"))
            seconds = time.monotonic() - began
            with closing(http.client.HTTPConnection(address, timeout=_SECONDS)) as connection:
                answers, lent = _predicted(connection, side, [path for path, _ in golden])
        process.terminate()
        status = process.wait(_SECONDS)
    return ServerTrial(
        environment=environment.name,
        setting=setting,
        runtime=ready["runtime"]["name"],
        seconds=seconds,
        proved=ready["worst_change"],
        inputs=sum(answer["input_sha256"] == sha256 for answer, (_, sha256) in zip(answers, golden, strict=True)),
        lent=lent,
        answers=tuple(tuple(answer["probabilities"].values()) for answer in answers),
        status=status,
    )


def _predicted(
    connection: http.client.HTTPConnection, side: http.client.HTTPConnection, photos: list[Path]
) -> tuple[list[dict[str, Any]], int]:
    """Return the answers, and how many of them came over a lent connection, as the gauge of /metrics says."""
    answers, lent = [], [_is_lent(side)]
    for photo in photos:
        answers.append(json.loads(_ask(connection, "POST", "/v1/predict", photo.read_bytes())))
        lent.append(_is_lent(side))
    return answers, sum(before and after for before, after in pairwise(lent))


def _is_lent(side: http.client.HTTPConnection) -> bool:
    found = _LENT.search(_ask(side, "GET", "/metrics").decode())
    return found is not None and float(found[1]) == 1


def _ask(connection: http.client.HTTPConnection, method: str, path: str, photo: bytes | None = None) -> bytes:
    connection.request(method, path, photo, {"Content-Type": "image/jpeg"} if photo else {})
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise UnavailableError(f"{method} {path} was answered {answer.status}: {body[:300].decode(errors='replace')}")
    return body


def serve_command(environment: Environment, bundle: Bundle, setting: Setting) -> list[str]:
    """Return the command that starts a server in an environment."""
    options = ["--port", "0", "--workers", "1", "--state", "state", "--json"]
    options += ["--runtime", setting.runtime, "--precision", setting.precision]
    options += ["--start-seconds", str(_SECONDS)] if environment.is_emulated else []
    return [str(environment.interpreter), "-m", "dermport", "serve", str(bundle.path.resolve()), *options]


@contextmanager
def _running(environment: Environment, bundle: Bundle, setting: Setting) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = serve_command(environment, bundle, setting)
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w+") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            if not said:
                process.wait()
                log.seek(0)
                words = [line.strip() for line in log.read().splitlines() if line.strip()]
                raise UnavailableError(f"The server ended with status {process.returncode}: {' '.join(words[-2:])}")
            yield process, json.loads(said)["url"].removeprefix("http://")
        finally:
            process.kill()
            process.wait()
