"""The app factory: services, guards and addresses."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version

from flask_openapi3 import Info, OpenAPI

from dermport.bundle.notice import NOTICE
from dermport.server import problems, request_ids, upload, web
from dermport.server.api import bodies, comparisons, delivery, document, keys, models, operations, predict
from dermport.server.assembly import open_services
from dermport.server.config import ServerConfig
from dermport.server.hooks import WORKER_HOOKS, WorkerHooks
from dermport.server.operations import journal
from dermport.server.routing import LeanApp
from dermport.server.security import guard, prefix, proxy
from dermport.server.services import EXTENSION, Services
from dermport.server.serving.runtimes import CANDIDATES, ServingCandidate

_TITLE = "dermport server"


def create_app(
    config: ServerConfig, candidates: tuple[ServingCandidate, ...] = CANDIDATES, in_worker: bool = False
) -> OpenAPI:
    """Open the services and return the app; ``app.extensions["dermport"]`` is the :class:`.server.services.Services`.

    A runtime that does not answer the golden set as the original did is no error here: the app then says so at
    ``/readyz`` and takes no photos.

    Any WSGI server may run it, in one process or in several on one machine: what they have to agree on they find by the
    state folder.

    Args:
        config: What the server is told.
        candidates: The runtimes to choose from, best first.
        in_worker: Whether this process is one of several that serve, and does nothing else.

    Raises:
        BundleError: A bundle or the artifact is missing or not what was recorded.
        UnavailableError: Nothing in the bundle can be served on this machine.
        StorageError: The database cannot be reached.
    """
    return app_of(open_services(config, candidates, in_worker))


def app_of(services: Services) -> OpenAPI:
    """Return the app around open services."""
    app = LeanApp(
        __name__,
        info=Info(title=_TITLE, version=version("dermport"), description=NOTICE),
        static_folder=None,
        doc_ui=False,
        validation_error_callback=problems.refuse_invalid,
    )
    app.url_map.merge_slashes = False  # no address leads to another one
    app.extensions[EXTENSION] = services
    request_ids.register(app)
    journal.register(app, services.metrics)
    problems.register(app)
    guard.register(app, services.access, services.limits, services.config.access)
    upload.register(app)
    proxy.trust_proxies(app, services.config.access.trusted_proxies)
    prefix.mount(app, services.config.access.prefix, services.config.access.trusted_proxies)
    for subject in (predict, comparisons, models, delivery, keys, operations):
        app.register_api(subject.api)
    bodies.skip_empty_queries(app)
    app.register_blueprint(document.api)
    web.register(app, services.config.web)
    app.extensions[WORKER_HOOKS] = WorkerHooks(
        partial(journal.note_outside, services.metrics), services.is_stuck, services.close
    )
    return app
