"""What the front process has decided about a head, for the worker that answers the requests that come with it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from dermport.server.serving.jobs import Decoding, Form

# What the lane writes itself, for each answer.
_VARYING = ("content-length", "date", "x-request-id")


@dataclass(frozen=True)
class Permit:
    """Requests that the worker may answer.

    Attributes:
        same: Their head (see :class:`dermport.server.express.heads.Head`).
        answer: The head of their answers: status line and fields, but for length, date and request id.
        form: What their bodies are.
        decoding: How they are decoded.
        seconds: How long the permit holds.
        key_id: The API key that was shown; empty for none.
        model: What every answer says of the model, a :class:`dermport.bundle.wire.ServedModel` as JSON.
        runtime: What every answer says of the runtime, a :class:`dermport.bundle.wire.ServedRuntime` as JSON.
    """

    same: bytes
    answer: bytes
    form: Form
    decoding: Decoding
    seconds: float
    key_id: str
    model: str
    runtime: str

    def to_json(self) -> str:
        """Return the permit as it is sent."""
        heads = {name: base64.b64encode(getattr(self, name)).decode() for name in ("same", "answer")}
        return json.dumps(asdict(self) | heads)

    @classmethod
    def from_json(cls, text: str | bytes) -> Permit:
        """Return the permit that was sent."""
        said = json.loads(text)
        heads = {name: base64.b64decode(said[name]) for name in ("same", "answer")}
        return cls(**(said | heads))


def constant_fields(status: str, fields: Iterable[tuple[str, str]]) -> bytes:
    """Return the head of an answer without what varies and without its end.

    Args:
        status: ``"200 OK"``.
        fields: Names and values.
    """
    lines = [f"{name}: {value}\r\n" for name, value in fields if name.lower() not in _VARYING]
    return f"HTTP/1.1 {status}\r\n{''.join(lines)}".encode("latin-1")
