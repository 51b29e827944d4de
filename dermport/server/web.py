"""The web app and the dashboard: the files of one built folder, below ``/app/`` and ``/dashboard/``.

Own code: WhiteNoise answers before the app does, so past request ids, the log and the guard, and its ETags name a time
and a size instead of the content.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from flask import Blueprint, Flask, Request, Response, redirect, request
from pydantic import TypeAdapter, ValidationError
from werkzeug.wrappers import Response as AnyResponse
from werkzeug.wsgi import FileWrapper

from dermport.bundle.hashing import sha256_stream
from dermport.bundle.wire.handout import SafePath
from dermport.errors import RequestError
from dermport.server.conditions import conditioned
from dermport.server.delivery.checked_files import FileStamp, stamp_of
from dermport.server.delivery.responses import ASK_AGAIN
from dermport.server.security.access import open_to_all
from dermport.server.security.headers import PAGE_POLICY
from dermport.server.security.limits import unlimited

TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".mjs": "text/javascript",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
}
"""What is handed out, and as what; a file with another ending is not."""
# The build lays packed variants beside a file.
_PACKED = (("br", ".br"), ("gzip", ".gz"))
_ENTRY = "index.html"
_DASHBOARD = "dashboard/"
# The page with the camera, and no other.
_CAMERA = "camera=(self), microphone=(), geolocation=(), payment=(), usb=()"
_SAFE: TypeAdapter[str] = TypeAdapter(SafePath)


def register(app: Flask, folder: Path | None) -> None:
    """Answer ``/``, ``/app/...`` and ``/dashboard/...`` with the files of `folder`.

    Args:
        app: The app.
        folder: What ``make web`` wrote; None where it was not built, which the addresses then say.
    """
    site = _Site(folder)
    pages = Blueprint("web", __name__)
    # Every form of an address is a rule of its own: Werkzeug would redirect to whatever host a request names.
    pages.add_url_rule("/", view_func=site.front, strict_slashes=False)  # "GET ?" names no path at all
    for address, view in (("/app", site.front), ("/dashboard", site.front_of_dashboard)):
        pages.add_url_rule(address, view_func=view)
    for room, files in (("app", site.app), ("dashboard", site.dashboard)):
        pages.add_url_rule(f"/{room}/", view_func=files)
        pages.add_url_rule(f"/{room}/<path:path>", view_func=files)
    app.register_blueprint(pages)


class _Site:
    """The views."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder.resolve() if folder else None
        self._known: dict[Path, tuple[FileStamp, str]] = {}
        self._lock = threading.Lock()

    @open_to_all
    @unlimited
    def front(self) -> AnyResponse:
        """Lead to the app."""
        return redirect(f"{request.script_root}/app/")

    @open_to_all
    @unlimited
    def front_of_dashboard(self) -> AnyResponse:
        """Lead to the dashboard."""
        return redirect(f"{request.script_root}/dashboard/")

    @open_to_all
    @unlimited
    def app(self, path: str = _ENTRY) -> Response:
        """Answer with a file of the app."""
        response = self._file(path)
        if path == _ENTRY:
            response.headers["Permissions-Policy"] = _CAMERA
        return response

    @open_to_all
    @unlimited
    def dashboard(self, path: str = _ENTRY) -> Response:
        """Answer with a file of the dashboard."""
        return self._file(_DASHBOARD + path)

    def _file(self, path: str) -> Response:
        """Return a file, which a browser asks for anew each time, and mostly has already.

        Raises:
            RequestError: 404: the app is not built, or has no such file.
        """
        place = self._place(path)
        response = _answer(request, place, self._sha256(place))
        response.headers["Cache-Control"] = ASK_AGAIN
        response.headers["Content-Security-Policy"] = PAGE_POLICY  # workers have the policy that they came with
        return response

    def _place(self, path: str) -> Path:
        if self._folder is None:
            raise RequestError(
                "The web app was not built on this machine.",
                code="web-not-built",
                status=404,
                remedy="Build it (`make web`) and start the server again, or name its folder: dermport serve --web.",
            )
        try:
            place = (self._folder / _SAFE.validate_python(path)).resolve()
            found = place.is_relative_to(self._folder) and place.is_file()
        except (ValidationError, OSError) as error:  # OSError: a name that is too long
            raise _no_such_file() from error
        if not found or place.suffix not in TYPES or "/." in f"/{path}":
            raise _no_such_file()
        return place

    def _sha256(self, place: Path) -> str:
        """Return a file's sha256, which is taken again whenever the file looks changed."""
        with place.open("rb") as file:
            look = stamp_of(file.fileno())
            with self._lock:
                known = self._known.get(place)
            if known is None or known[0] != look:
                known = look, sha256_stream(file)
                with self._lock:
                    self._known[place] = known
        return known[1]


def _answer(request: Request, place: Path, sha256: str) -> Response:
    encoding, variant = _variant(request, place)
    file = variant.open("rb")
    response = Response(FileWrapper(file), mimetype=TYPES[place.suffix], direct_passthrough=True)
    response.content_length = os.fstat(file.fileno()).st_size
    response.set_etag(f"{sha256}-{encoding}" if encoding else sha256)
    response.headers["Vary"] = "Accept-Encoding"
    if encoding:
        response.headers["Content-Encoding"] = encoding
    return conditioned(request, response)


def _variant(request: Request, place: Path) -> tuple[str, Path]:
    for encoding, ending in _PACKED:
        packed = place.with_name(place.name + ending)
        if request.accept_encodings[encoding] > 0 and packed.is_file():
            return encoding, packed
    return "", place


def _no_such_file() -> RequestError:
    return RequestError("The web app has no such file.", code="no-such-file", status=404)
