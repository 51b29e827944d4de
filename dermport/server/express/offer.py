"""The offer of the express lane, made by a view that has answered a request in the ordinary way."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from dermport.server.express.express import Express
from dermport.server.express.permit import Permit, constant_fields
from dermport.server.serving.answers import Served
from dermport.server.serving.jobs import Decoding, Form, InferenceJob
from dermport.server.serving.live import LiveModel

_KEY = "dermport.express"
_SECONDS = 30.0
# A revoked key is to end soon, and only the front process knows of it.
_SECONDS_WITH_KEY = 2.0


@dataclass(frozen=True)
class Offer:
    """What a permit needs besides the heads.

    Attributes:
        express: The lanes of the model that answered.
        served: That model, as its answers name it.
        form: What the photo was sent as.
        decoding: How it was decoded.
        key_id: The API key that was shown; empty for none.
    """

    express: Express
    served: Served
    form: Form
    decoding: Decoding
    key_id: str

    def permit(self, same: bytes, status: str, fields: list[tuple[str, str]]) -> Permit:
        """Return the permit for requests with a head.

        Args:
            same: The head (see :class:`dermport.server.express.heads.Head`).
            status: The status of the answer to such a request.
            fields: Its fields.
        """
        return Permit(
            same=same,
            answer=constant_fields(status, fields),
            form=self.form,
            decoding=self.decoding,
            seconds=_SECONDS_WITH_KEY if self.key_id else _SECONDS,
            key_id=self.key_id,
            model=self.served.model.model_dump_json(),
            runtime=self.served.runtime.model_dump_json(),
        )


def offer(environ: MutableMapping[str, Any], live: LiveModel, job: InferenceJob, key_id: str) -> None:
    """Let workers answer what the connection asks from now on, where the listener finds it to be the same.

    To be called by a view whose answer says nothing that differs from one request to the next but the photo's own.
    """
    if live.express is not None:
        environ[_KEY] = Offer(live.express, live.served, job.form, job.decoding, key_id)


def offered(environ: MutableMapping[str, Any]) -> Offer | None:
    """Return the offer that a view made."""
    made: Offer | None = environ.get(_KEY)
    return made
