"""The server's addresses."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, Response, current_app, g, request
from pydantic import BaseModel

from server.service import Service
from server.stages import StageClock
from server.upload import read_photo

EXTENSION = "dermport"
api = Blueprint("api", __name__)


def service() -> Service:
    """Return what the current app serves."""
    return cast(Service, current_app.extensions[EXTENSION])


def _json(answer: BaseModel) -> Response:
    return Response(answer.model_dump_json(by_alias=True), mimetype="application/json")


@api.post("/v1/predict")
def predict() -> Response:
    """Answer one photo, sent as multipart field "photo" or as the body."""
    clock = StageClock()
    service().check_ready()
    data = read_photo(request)
    clock.mark("receive")
    return _json(service().predictor.predict(data, clock, g.request_id))


@api.get("/v1/models")
def models() -> Response:
    """Say which model is served, and which artifacts of it there are."""
    return _json(service().models())


@api.get("/healthz")
def healthz() -> Response:
    """Say that the process answers."""
    return Response('{"status":"ok"}', mimetype="application/json")


@api.get("/readyz")
def readyz() -> Response:
    """Say that the live runtime is proved, or (503) which golden photo differed."""
    return _json(service().ready())
