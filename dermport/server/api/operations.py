"""What those who run the server, and their machines, ask it."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Response
from flask_openapi3 import Tag

from dermport.bundle.wire import HealthAnswer, ReadyAnswer
from dermport.errors import UnavailableError
from dermport.server.api.blueprint import DescribedLater
from dermport.server.api.bodies import json_response
from dermport.server.operations.metrics import CONTENT_TYPE
from dermport.server.problems import storage_words
from dermport.server.security.access import open_to_all, requires
from dermport.server.security.limits import unlimited
from dermport.server.services import services
from dermport.server.serving.live import LiveModel

api = DescribedLater("operations", __name__, abp_tags=[Tag(name="operations", description="How the server is.")])


@api.get("/healthz", responses={200: HealthAnswer}, summary="Say that the process answers")
@open_to_all
@unlimited
def healthz() -> Response:
    """Answers as long as the process does, whatever else is wrong."""
    return json_response(HealthAnswer())


@api.get("/readyz", responses={200: ReadyAnswer}, summary="Say that photos are answered")
@open_to_all
@unlimited
def readyz() -> Response:
    """Answers 503 where no worker runs, or the golden set is not answered as the model did; then it names the photo."""
    with services().models.lease() as live:
        live.check_ready()
        if not live.load().slots:
            raise UnavailableError("No worker is running.", remedy="The log says why; they are started again.")
        return json_response(_ready(live))


@api.get("/metrics", responses={200: {"content": {"text/plain": {}}}}, summary="Figures for Prometheus")
@requires("admin")
@unlimited
def metrics() -> Response:
    """Prometheus' text format; a scraper sends its key as ``authorization: {credentials: dp_...}``."""
    return Response(services().metrics.text(), content_type=CONTENT_TYPE)


def _ready(live: LiveModel) -> ReadyAnswer:
    figures = live.proof.figures
    return ReadyAnswer(
        photos=figures.photos,
        worst_photo=live.proof.worst_photo,
        worst_change=figures.max_change,
        mean_change=figures.mean_change,
        runtime=live.served_by,
        degraded=tuple(_degraded()),
    )


def _degraded() -> Iterator[str]:
    if trouble := services().database.trouble():
        yield storage_words(trouble)
    if unsigned := services().delivery.trouble():
        yield unsigned
