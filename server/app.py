"""The Flask app factory."""

from __future__ import annotations

from flask import Flask, Response

from server import problems, request_ids
from server.config import ServerConfig
from server.routes import EXTENSION, api
from server.runtimes import CANDIDATES, Candidate
from server.service import Service
from server.upload import MAX_BODY


def create_app(config: ServerConfig, candidates: tuple[Candidate, ...] = CANDIDATES) -> Flask:
    """Open the bundle, load and prove its runtime, and return the app; ``app.extensions["dermport"]`` is the Service.

    A runtime that does not answer the golden set as the original did is no error here: the app then says so at
    ``/readyz`` and takes no photos.

    Raises:
        BundleError: The bundle or the artifact is missing or not what was recorded.
        UnavailableError: Nothing in the bundle can be served on this machine.
    """
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.extensions[EXTENSION] = Service(config, candidates)
    request_ids.register(app)
    problems.register(app)
    app.after_request(_headers)
    app.register_blueprint(api)
    return app


def _headers(response: Response) -> Response:
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    return response
