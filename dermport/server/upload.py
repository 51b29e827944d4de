"""The photos in a request: multipart fields, or the body itself."""

from __future__ import annotations

from typing import Any

from flask import Flask, Request, request
from werkzeug.exceptions import BadRequest, ClientDisconnected, RequestEntityTooLarge

from dermport.bundle.manifest import PREP_ID
from dermport.bundle.prep import MAX_BYTES
from dermport.bundle.wire import PHOTO_FIELD, PHOTO_TYPES, PREP_HEADER
from dermport.errors import RequestError
from dermport.server.forms import Form, read_form, refuse_packed
from dermport.server.serving.jobs import Decoding, InferenceJob

MULTIPART_OVERHEAD = 64 * 1024
MAX_BODY = MAX_BYTES + MULTIPART_OVERHEAD
MAX_BATCH = 32


class InMemoryRequest(Request):
    """A request whose JSON may be nested as it likes."""

    def get_json(self, *args: Any, **options: Any) -> Any:
        """Return the body as JSON; BadRequest where it is none, or is nested too deeply to be read."""
        try:
            return super().get_json(*args, **options)
        except RecursionError as error:
            raise BadRequest from error


def register(app: Flask) -> None:
    """Refuse packed bodies before any view of `app`, whatever it takes; after the guard."""
    app.before_request(lambda: refuse_packed(request.headers.get("Content-Encoding", "")))


def receive(request: Request) -> bytes:
    """Return the whole body, chunked or of a known length, in memory: on a disk, EXIF would be left behind.

    Raises:
        RequestEntityTooLarge: 413: it is over :data:`MAX_BODY`.
        RequestError: 400 "cut-body": it ended before the length that it was announced with.
    """
    length = request.content_length
    try:
        body = request.get_data(cache=False)
    except ClientDisconnected as error:
        raise _cut() from error
    # Where a server ends the stream by itself, Werkzeug passes over both of these in silence.
    if length is not None and len(body) < length:
        raise _cut()
    if length is None and len(body) == MAX_BODY and request.input_stream.read(1):
        raise RequestEntityTooLarge
    return body


def receive_form(request: Request) -> Form:
    """Return the parts of a request that is a form; RequestError where it cannot be read."""
    return read_form(request.headers.get("Content-Type", ""), receive(request))


def read_job(request: Request, decoding: Decoding) -> InferenceJob:
    """Return the one photo of a request, as it is to be answered.

    Raises:
        RequestError: The request carries no photo (400), several (400), or a body of another type (415), or the header
            X-Dermport-Prep names something else than ``dermport-prep/1`` (400).
    """
    form = request.headers.get(PREP_HEADER)
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
