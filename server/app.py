"""The app factory: joins models, storage, security and addresses."""

from __future__ import annotations

from functools import partial

from flask import Response
from flask_openapi3 import OpenAPI

from server import problems, request_ids
from server.api import models, predict
from server.config import ServerConfig
from server.services import EXTENSION, Services
from server.serving.live import Live
from server.serving.models import Models
from server.serving.runtimes import CANDIDATES, Candidate
from server.upload import MAX_BODY


def create_app(config: ServerConfig, candidates: tuple[Candidate, ...] = CANDIDATES) -> OpenAPI:
    """Load and prove the model, open the storage, and return the app; ``app.extensions["dermport"]`` is the Services.

    A runtime that does not answer the golden set as the original did is no error here: the app then says so at
    ``/readyz`` and takes no photos.

    Raises:
        BundleError: A bundle or the artifact is missing or not what was recorded.
        UnavailableError: Nothing in the bundle can be served on this machine.
    """
    app = OpenAPI(__name__, static_folder=None, doc_ui=False)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    open_live = partial(Live, serving=config.serving, candidates=candidates)
    app.extensions[EXTENSION] = Services(config, Models(config.bundles, open_live))
    request_ids.register(app)
    problems.register(app)
    app.after_request(_headers)
    for subject in (predict, models):
        app.register_api(subject.api)
    return app


def _headers(response: Response) -> Response:
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    return response
