"""Models for phones: signed manifests, files, which version is for whom; and who decides on that."""

from __future__ import annotations

from flask import Response, request
from flask_openapi3 import Tag
from pydantic import Field

from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.signature import Envelope
from dermport.bundle.wire import (
    LARGEST_SEQUENCE,
    ActivationAnswer,
    ActivationsAnswer,
    KnownModels,
    LatestAnswer,
    Message,
    ModelKey,
    Platform,
    RolloutsAnswer,
    RolloutState,
    RolloutWish,
    RootsAnswer,
    SigningKeyAnswer,
)
from dermport.contract import Sha256
from dermport.server.api.blueprint import DescribedLater
from dermport.server.api.bodies import BINARY, Query, json_response
from dermport.server.conditions import conditioned
from dermport.server.delivery.latest import DeviceInfo
from dermport.server.delivery.responses import ASK_AGAIN
from dermport.server.security.access import open_to_all, requires
from dermport.server.security.guard import caller
from dermport.server.services import services

_PHONES = Tag(name="hand-out", description="Models for phones.")
_ADMINISTRATORS = Tag(name="administration", description="Which model is live, and who gets which.")
api = DescribedLater("delivery", __name__)
_FILE = {"content": {"application/octet-stream": {"schema": BINARY}, "application/json": {"schema": BINARY}}}


class ModelPath(Message):
    """A model's name and version."""

    name: str
    version: str


class FilePath(ModelPath):
    """A file of a model."""

    path: str = Field(description="as the manifest has it")


class FileQuery(Query):
    """Which bytes are meant."""

    sha256: Sha256 | None = Field(None, description="as the manifest has it; with it, caches need never ask again")


class RootsQuery(Query):
    """Which roots a phone knows."""

    after: int = Field(0, ge=0, le=LARGEST_SEQUENCE, description="the version of the newest that is known; 0: none")


class LatestQuery(Query):
    """What a phone says of itself."""

    platform: Platform
    device: str | None = Field(None, max_length=128, description="any name that stays; without it, no partial roll-out")
    app_version: str | None = Field(None, max_length=64, description="numbers, e.g. 2.10.1; what follows says nothing")
    current: str | None = Field(None, max_length=128, description="the model that the phone has, <name>/<version>")


@api.get("/v1/signing-key", tags=[_PHONES], responses={200: SigningKeyAnswer}, summary="The key that phones pin")
@open_to_all
def signing_key() -> Response:
    """The public key (Ed25519) by which this server signs its manifests, and the root key, which phones pin."""
    return json_response(services().delivery.signing_key)


@api.get("/v1/roots", tags=[_PHONES], responses={200: RootsAnswer}, summary="Which keys may sign")
@open_to_all
def roots(query: RootsQuery) -> Response:
    """DSSE envelopes of ``dermport-root/1`` documents, each signed by its own root key and by the one before."""
    return json_response(services().delivery.roots(query.after))


@api.get("/v1/models/latest", tags=[_PHONES], responses={200: LatestAnswer}, summary="The version for a phone")
@requires("predict")
def latest(query: LatestQuery) -> Response:
    """The version that a phone should have, and why: the live one, or one that is rolled out to it."""
    phone = DeviceInfo(query.platform, query.device, query.app_version, query.current)
    return json_response(services().delivery.latest(phone))


@api.get(
    "/v1/models/<name>/<version>/manifest",
    tags=[_PHONES],
    responses={200: Envelope, 304: {"description": "unchanged"}},
    summary="A model's signed manifest",
)
@requires("predict")
def manifest(path: ModelPath) -> Response:
    """A DSSE envelope, signed with Ed25519; its payload is a ``dermport-release/1`` document with number and end."""
    envelope = services().delivery.manifest(path.name, path.version)
    response = Response(envelope, mimetype="application/json")
    response.set_etag(sha256_bytes(envelope))
    response.headers["Cache-Control"] = ASK_AGAIN
    return conditioned(request, response)


@api.get(
    "/v1/models/<name>/<version>/files/<path:path>",
    tags=[_PHONES],
    responses={
        200: {"description": "the file, or its gzip variant", **_FILE},
        206: {"description": "the range that was asked for", **_FILE},
        304: {"description": "unchanged"},
    },
    summary="A file of a model",
)
@requires("predict")
def model_file(path: FilePath, query: FileQuery) -> Response:
    """A file that the manifest lists. Its sha256 is its ETag; one range, and gzip, are understood."""
    return services().delivery.file(request, path.name, path.version, path.path, query.sha256)


@api.post(
    "/v1/admin/models/activate", tags=[_ADMINISTRATORS], responses={200: ActivationAnswer}, summary="Make a model live"
)
@requires("admin")
def activate(body: ModelKey) -> Response:
    """Loads and proves the model, which then takes over; the one before answers until then, and no request fails."""
    return json_response(services().switch.activate(body.name, body.version, _who()))


@api.post(
    "/v1/admin/models/rollback", tags=[_ADMINISTRATORS], responses={200: ActivationAnswer}, summary="Go back one model"
)
@requires("admin")
def rollback() -> Response:
    """Makes the model live that was live before this one."""
    return json_response(services().switch.rollback(_who()))


@api.get(
    "/v1/admin/models/activations",
    tags=[_ADMINISTRATORS],
    responses={200: ActivationsAnswer},
    summary="List which models were made live",
)
@requires("admin")
def activations() -> Response:
    """The latest activations, newest first, and the model that a rollback makes live."""
    return json_response(services().switch.history())


@api.post("/v1/admin/models/rescan", tags=[_ADMINISTRATORS], responses={200: KnownModels}, summary="Look for models")
@requires("admin")
def rescan() -> Response:
    """Looks into the model folders again; the live model stays."""
    return json_response(KnownModels(models=services().delivery.rescan()))


@api.get("/v1/admin/rollouts", tags=[_ADMINISTRATORS], responses={200: RolloutsAnswer}, summary="List the roll-outs")
@requires("admin")
def rollouts() -> Response:
    """Every roll-out, sorted by model and platform."""
    return json_response(RolloutsAnswer(rollouts=services().delivery.rollouts()))


@api.put("/v1/admin/rollouts", tags=[_ADMINISTRATORS], responses={200: RolloutState}, summary="Roll a model out")
@requires("admin")
def roll_out(body: RolloutWish) -> Response:
    """Hands a version to a share of the phones of a platform, instead of the model's earlier roll-out there."""
    return json_response(services().delivery.roll_out(body))


def _who() -> str:
    return caller().key_id or "nobody"
