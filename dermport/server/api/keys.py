"""API keys, seen and revoked from afar; they are made where the server runs, so that no secret travels."""

from __future__ import annotations

from flask import Response
from flask_openapi3 import Tag
from pydantic import Field

from dermport.bundle.wire import KeysAnswer, KeySummary, Message
from dermport.errors import RequestError
from dermport.server.api.blueprint import DescribedLater
from dermport.server.api.bodies import json_response
from dermport.server.security.access import requires
from dermport.server.services import services
from dermport.server.storage.api_keys import ApiKey

api = DescribedLater("keys", __name__, abp_tags=[Tag(name="keys", description="Who may ask.")])


class KeyPath(Message):
    """Which key."""

    key_id: str = Field(pattern=r"^[0-9a-f]{12}$", description="the part after dp_")


@api.get("/v1/keys", responses={200: KeysAnswer}, summary="List the API keys")
@requires("admin")
def list_keys() -> Response:
    """Every key without its secret, oldest first."""
    return json_response(KeysAnswer(keys=tuple(_summary(key) for key in services().access.stored())))


@api.delete("/v1/keys/<key_id>", responses={204: None}, summary="Revoke an API key")
@requires("admin")
def revoke_key(path: KeyPath) -> Response:
    """The key is refused from the next request on."""
    if not services().access.revoke(path.key_id):
        raise RequestError(
            "There is no such key, or it is revoked already.",
            code="no-such-key",
            status=404,
            remedy="GET /v1/keys lists those there are.",
        )
    return Response(status=204)


def _summary(key: ApiKey) -> KeySummary:
    return KeySummary(
        id=key.id,
        name=key.name,
        scopes=tuple(sorted(key.scopes)),
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        last_used_at=key.last_used_at,
    )
