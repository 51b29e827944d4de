"""The peers under test: what a user would otherwise take."""

from __future__ import annotations

import json
import os
import struct
from dataclasses import dataclass, field
from pathlib import Path
from sysconfig import get_config_var
from typing import cast

from benchmarks.peers.model import Settings
from benchmarks.serving.environments import interpreter
from benchmarks.serving.http import request_bytes
from benchmarks.serving.models import BenchmarkModel
from benchmarks.serving.photos import RequestPhoto
from benchmarks.serving.servers import Launch
from dermport.bundle.prep import MAX_BYTES

_WSGI = ("--interface", "wsgi")
_QUIET = ("--no-access-log",)


@dataclass(frozen=True)
class Peer:
    """A peer that takes the photo as the body and answers with JSON, as ours does.

    Attributes:
        name: Its name.
        model: What it serves.
        workers: Worker processes.
        arguments: What Python is told to start it; ``{port}`` and ``{workers}`` are filled in.
        variables: Variables that it needs, filled in likewise.
        whole: Whether it gives the whole answer that ours gives; else label and probabilities alone.
    """

    name: str
    model: BenchmarkModel
    workers: int
    arguments: tuple[str, ...]
    variables: dict[str, str] = field(default_factory=dict)
    whole: bool = False

    @property
    def folder(self) -> str:
        """The name of its folder below benchmarks/peers, and of its environment."""
        return self.name.partition("+")[0]

    def launch(self, port: int) -> Launch:
        """Return how it is started, in its own environment; UnavailableError where that cannot be made."""
        python = interpreter(self.folder)
        values = {"port": port, "workers": self.workers}
        variables = {
            "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
            **Settings(self.model.bundle.resolve(), self.model.precision, port, self.workers).environment(),
            **{name: text.format(**values) for name, text in self.variables.items()},
        }
        return Launch((str(python), *(text.format(**values) for text in self.arguments)), variables)

    def request(self, photo: RequestPhoto) -> bytes:
        """Return the HTTP request that asks for a photo's label."""
        return request_bytes("POST", "/v1/predict", photo.data, {"Content-Type": photo.media})

    def probabilities(self, body: bytes) -> dict[str, float]:
        """Return the probabilities by label that the body of an answer says."""
        return cast("dict[str, float]", json.loads(body)["probabilities"])


class Triton(Peer):
    """Triton takes and gives tensors: the photo as a binary one ("binary tensor data extension" of the KServe API)."""

    def request(self, photo: RequestPhoto) -> bytes:
        """Return the HTTP request that asks for a photo's label."""
        tensor = struct.pack("<I", len(photo.data)) + photo.data
        described = {
            "inputs": [
                {
                    "name": "photo",
                    "shape": [1],
                    "datatype": "BYTES",
                    "parameters": {"binary_data_size": len(tensor)},
                }
            ]
        }
        head = json.dumps(described).encode()
        headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))}
        return request_bytes("POST", "/v2/models/photos/infer", head + tensor, headers)

    def probabilities(self, body: bytes) -> dict[str, float]:
        """Return the probabilities by label that the body of an answer says."""
        outputs = {output["name"]: output["data"] for output in json.loads(body)["outputs"]}
        return dict(zip(outputs["labels"], outputs["probabilities"], strict=True))


def peers(model: BenchmarkModel, workers: int) -> tuple[Peer, ...]:
    """Return every peer, set to serve a model with so many workers."""
    server = "benchmarks.peers.{}.server".format
    host, port = ("--host", "127.0.0.1"), ("--port", "{port}")
    many = ("--workers", "{workers}")
    gunicorn = ("--bind", "127.0.0.1:{port}", "--worker-class", "gthread", "--threads", "8", *many)
    mosec = {
        "MOSEC_ADDRESS": "127.0.0.1",
        "MOSEC_PORT": "{port}",
        "MOSEC_TIMEOUT": "60000",
        "MOSEC_LOG_LEVEL": "warning",
        "MOSEC_MAX_REQUEST_SIZE": str(MAX_BYTES),
    }
    flask, fastapi = f"{server('flask')}:app", f"{server('fastapi')}:app"
    bento = ("-m", "bentoml", "serve", f"{server('bentoml')}:PhotoService", *host, *port)
    # Its embedded Python must be this very one: https://github.com/triton-inference-server/pytriton/issues/51
    python = {"LD_LIBRARY_PATH": str(get_config_var("LIBDIR"))}
    return (
        Peer("flask+gunicorn", model, workers, ("-m", "gunicorn", *gunicorn, flask), whole=True),
        Peer("flask+granian", model, workers, ("-m", "granian", *host, *port, *many, *_WSGI, flask), whole=True),
        Peer("fastapi+uvicorn", model, workers, ("-m", "uvicorn", *host, *port, *many, *_QUIET, fastapi), whole=True),
        Peer("mosec", model, workers, ("-m", server("mosec")), mosec),
        Peer("litserve", model, workers, ("-m", server("litserve"))),
        Peer("bentoml", model, workers, bento, {"BENTOML_DO_NOT_TRACK": "True"}),
        Triton("pytriton", model, workers, ("-m", server("pytriton")), python),
    )


PEERS = tuple(peer.name for peer in peers(BenchmarkModel("", Path(), ""), 1))
