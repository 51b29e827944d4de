"""The photos in a request: multipart fields, or the body itself."""

from __future__ import annotations

import threading
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any, cast

from flask import Flask, Request, Response, request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge
from werkzeug.utils import cached_property

from dermport.bundle.manifest import PREP_ID
from dermport.bundle.prep import MAX_BYTES
from dermport.bundle.wire import PHOTO_FIELD, PHOTO_TYPES, PREP_HEADER
from dermport.errors import RequestError
from dermport.server.forms import Form, read_form, refuse_packed
from dermport.server.plain import plain
from dermport.server.serving.jobs import Decoding, InferenceJob
from dermport.server.serving.slots import overloaded

if TYPE_CHECKING:
    from dermport.server.routing import Place

_PREP = f"HTTP_{PREP_HEADER.upper().replace('-', '_')}"
MULTIPART_OVERHEAD = 64 * 1024
MAX_BODY = MAX_BYTES + MULTIPART_OVERHEAD
MAX_BATCH = 32


# What all requests of a process may hold together. They are kept in memory, never in a file: a photo's EXIF is nothing
# to leave on a disk.
MAX_RECEIVING = 256 * 1024 * 1024
_CHUNK = 256 * 1024


class BodyBudget:
    """How many bytes of requests a process holds.

    Args:
        most: How many it may hold.
    """

    def __init__(self, most: int = MAX_RECEIVING) -> None:
        self._most, self._lock, self._held = most, threading.Lock(), 0

    def take(self, count: int) -> None:
        """Count bytes before they are read; RequestError 503 "overloaded" where there is no room for them."""
        with self._lock:
            if self._held + count > self._most:
                raise overloaded(1.0)
            self._held += count

    def give_back(self, count: int) -> None:
        """Count bytes no more."""
        with self._lock:
            self._held -= count


class InMemoryRequest(Request):
    """A request whose body is read once, within bounds, and never touches the disk."""

    budget = BodyBudget()
    place: Place | None = None
    _counted = 0

    @property
    def is_unread(self) -> bool:
        """Whether there is a body that was not read, so that the next request cannot be found behind it."""
        return bool(self.content_length or "HTTP_TRANSFER_ENCODING" in self.environ) and "stream" not in self.__dict__

    # Werkzeug's: before Python 3.12 functools' holds one lock for all requests, which a slow body would keep.
    @cached_property
    def stream(self) -> IO[bytes]:
        """The body.

        Raises:
            RequestEntityTooLarge: It has more than :data:`MAX_BODY` bytes; no more of it was read.
            RequestError: 400 "cut-body": it ended before its length; 503 "overloaded": too much is being received.
        """
        length = self.content_length
        if length is not None and length > MAX_BODY:
            raise RequestEntityTooLarge
        self._count(length or 0)
        return BytesIO(self._chunked() if length is None else self._whole(length))

    def release(self) -> None:
        """Count the body no more; the request is over."""
        self.budget.give_back(self._counted)
        self._counted = 0

    def get_json(self, *args: Any, **options: Any) -> Any:
        """Return the body as JSON; BadRequest where it is none, or is nested too deeply to be read."""
        try:
            return super().get_json(*args, **options)
        except RecursionError as error:
            raise BadRequest from error

    def _count(self, count: int) -> None:
        self.budget.take(count)
        self._counted += count

    def _whole(self, length: int) -> bytes:
        source, parts, missing = self.environ["wsgi.input"], [], length
        while missing and (part := source.read(min(missing, _CHUNK))):
            parts.append(part)
            missing -= len(part)
        if missing:
            raise _cut()
        return b"".join(parts)

    def _chunked(self) -> bytes:
        if not self.environ.get("wsgi.input_terminated"):
            return b""
        source, parts, length = self.environ["wsgi.input"], [], 0
        while part := source.read(_CHUNK):
            length += len(part)
            if length > MAX_BODY:
                raise RequestEntityTooLarge
            self._count(len(part))
            parts.append(part)
        return b"".join(parts)


def register(app: Flask) -> None:
    """Read the bodies of `app`'s requests within bounds, and refuse packed ones before any view; after the guard.

    What was left unread ends its connection.
    """

    def end(response: Response) -> Response:
        if cast(InMemoryRequest, plain(request)).is_unread:
            response.headers["Connection"] = "close"
        return response

    app.request_class = InMemoryRequest
    app.before_request(lambda: refuse_packed(request.environ.get("HTTP_CONTENT_ENCODING", "")))
    app.after_request(end)
    app.teardown_request(lambda _: cast(InMemoryRequest, request).release())


def receive(request: Request) -> bytes:
    """Return the whole body, chunked or of a known length, in memory: on a disk, EXIF would be left behind."""
    return request.stream.read()


def receive_form(request: Request) -> Form:
    """Return the parts of a request that is a form; RequestError where it cannot be read."""
    return read_form(request.headers.get("Content-Type", ""), receive(request))


def read_job(request: Request, decoding: Decoding) -> InferenceJob:
    """Return the one photo of a request, as it is to be answered.

    Raises:
        RequestError: The request carries no photo (400), several (400), or a body of another type (415), or the header
            X-Dermport-Prep names something else than ``dermport-prep/1`` (400).
    """
    form = request.environ.get(_PREP)
    if form is None:
        return InferenceJob(_read_photo(request), decoding=decoding)
    if form != PREP_ID:  # how such a photo would be decoded otherwise is no question
        raise RequestError(
            f"{PREP_HEADER} says what the sent photo has been through: only {PREP_ID} is known.",
            code="unknown-preprocessing",
            status=400,
            remedy=f"Send the photo itself without the header, or a PNG prepared by {PREP_ID} with it.",
        )
    return InferenceJob(_read_photo(request), form="prepared")


def read_jobs(request: Request, decoding: Decoding) -> tuple[InferenceJob, ...]:
    """Return the photos of a multipart request, in the order sent.

    Raises:
        RequestError: The request is no form, carries no photo, or more than :data:`MAX_BATCH`.
    """
    if request.mimetype != "multipart/form-data":
        raise _type_refused(request, f"multipart/form-data with parts {PHOTO_FIELD!r}")
    form = receive_form(request)
    photos = form.values(PHOTO_FIELD)
    if not 1 <= len(photos) <= MAX_BATCH:
        raise RequestError(
            f"The form has {len(photos)} parts named {PHOTO_FIELD!r} ({form.told}); 1 to {MAX_BATCH} are taken.",
            code="photo-count",
            status=400,
            remedy=f"Send them in several requests of at most {MAX_BATCH}.",
        )
    return tuple(InferenceJob(photo, decoding=decoding) for photo in photos)


def _read_photo(request: Request) -> bytes:
    if request.mimetype == "multipart/form-data":
        return _field(request)
    if request.mimetype in PHOTO_TYPES:
        return receive(request)
    raise _type_refused(request, f"{' or '.join(PHOTO_TYPES)}, or multipart/form-data with a part {PHOTO_FIELD!r}")


def _field(request: Request) -> bytes:
    form = receive_form(request)
    photos = form.values(PHOTO_FIELD)
    if len(photos) != 1:
        raise RequestError(
            f"The form has {len(photos)} parts named {PHOTO_FIELD!r} instead of one: {form.told}.",
            code="one-photo",
            status=400,
            remedy=f"Send one photo, e.g. curl -F {PHOTO_FIELD}=@mole.jpg.",
        )
    return photos[0]


def _cut() -> RequestError:
    return RequestError(
        "The body ended before its Content-Length.", code="cut-body", status=400, remedy="Send it again, whole."
    )


def _type_refused(request: Request, wanted: str) -> RequestError:
    return RequestError(
        f"A body of type {request.mimetype or '(none)'} is not accepted.",
        code="unsupported-type",
        status=415,
        remedy=f"Send {wanted}.",
    )
