"""A server in an environment, asked for every golden photo over one connection that is kept open."""

from __future__ import annotations

import http.client
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.platforms.environments import Environment
from dermport.bundle.store import Bundle
from dermport.errors import UnavailableError

# Emulated, a photo takes seconds, and the proof at the start 24 times as long: more than a worker is given elsewhere.
_SECONDS = 600.0


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
        answers: Probabilities of each photo.
        status: The status that it ended with after SIGTERM.
    """

    environment: str
    setting: Setting
    runtime: str
    seconds: float
    proved: float
    inputs: int
    answers: tuple[tuple[float, ...], ...]
    status: int

    @property
    def is_sound(self) -> bool:
        """Whether all was as it must be."""
        return self.inputs == len(self.answers) and self.status == 0


def try_server(environment: Environment, bundle: Bundle, setting: Setting) -> ServerTrial:
    """Start a server, ask it and stop it.

    Raises:
        UnavailableError: It does not start, or answers something else than was asked.
    """
    golden = [(bundle.path / "golden" / one.photo, one.input_sha256) for one in bundle.golden().index.photos]
    began = time.monotonic()
    with _running(environment, bundle, setting) as (process, address):
        with closing(http.client.HTTPConnection(address, timeout=_SECONDS)) as connection:
            ready = json.loads(_ask(connection, "GET", "/readyz"))
            seconds = time.monotonic() - began
            answers = [json.loads(_ask(connection, "POST", "/v1/predict", path.read_bytes())) for path, _ in golden]
        process.terminate()
        status = process.wait(_SECONDS)
    return ServerTrial(
        environment=environment.name,
        setting=setting,
        runtime=ready["runtime"]["name"],
        seconds=seconds,
        proved=ready["worst_change"],
        inputs=sum(answer["input_sha256"] == sha256 for answer, (_, sha256) in zip(answers, golden, strict=True)),
        answers=tuple(tuple(answer["probabilities"].values()) for answer in answers),
        status=status,
    )


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
