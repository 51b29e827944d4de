"""The photos in a request: multipart fields, or the body itself."""

from __future__ import annotations

from io import BytesIO
from typing import IO, Any

from flask import Request
from werkzeug.exceptions import BadRequest

from dermport.bundle.manifest import PREP_ID
from dermport.bundle.prep import DRAFT_ID, MAX_BYTES
from dermport.bundle.wire import PHOTO_FIELD, PHOTO_TYPES, PREP_HEADER
from dermport.errors import RequestError
from dermport.server.serving.jobs import Decoding, InferenceJob

MULTIPART_OVERHEAD = 64 * 1024
MAX_BODY = MAX_BYTES + MULTIPART_OVERHEAD
MAX_BATCH = 32


class InMemoryRequest(Request):
    """A request whose uploaded files never touch the disk, where EXIF would be left behind."""

    def get_json(self, *args: Any, **options: Any) -> Any:
        """Return the body as JSON; BadRequest where it is none, or is nested too deeply to be read."""
        try:
            return super().get_json(*args, **options)
        except RecursionError as error:
            raise BadRequest from error

    def _get_file_stream(self, *_: Any, **__: Any) -> IO[bytes]:
        return BytesIO()


def read_job(request: Request, decoding: Decoding) -> InferenceJob:
    """Return the one photo of a request, as it is to be answered.

    Raises:
        RequestError: The request carries no photo (400), several (400), or a body of another type (415), or the header
            X-Dermport-Prep names something else than ``dermport-prep/1`` (400).
    """
    form = request.headers.get(PREP_HEADER)
    if form is None:
        return InferenceJob(_read_photo(request), decoding=decoding)
    if form != PREP_ID or decoding != "exact":
        raise RequestError(
            f"{PREP_HEADER} says what the sent photo has been through: only {PREP_ID} is known, and not with "
            f"{DRAFT_ID}.",
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
        raise _type_refused(request, f"multipart/form-data with file fields {PHOTO_FIELD!r}")
    files = request.files.getlist(PHOTO_FIELD)
    if not 1 <= len(files) <= MAX_BATCH:
        raise RequestError(
            f"The form has {len(files)} files named {PHOTO_FIELD!r}; 1 to {MAX_BATCH} are taken.",
            code="photo-count",
            status=400,
            remedy=f"Send them in several requests of at most {MAX_BATCH}.",
        )
    return tuple(InferenceJob(file.read(), decoding=decoding) for file in files)


def _read_photo(request: Request) -> bytes:
    if request.mimetype == "multipart/form-data":
        return _field(request)
    if request.mimetype in PHOTO_TYPES:
        return request.get_data(cache=False)
    raise _type_refused(
        request, f"{' or '.join(PHOTO_TYPES)}, or multipart/form-data with a file field {PHOTO_FIELD!r}"
    )


def _field(request: Request) -> bytes:
    files = request.files.getlist(PHOTO_FIELD)
    if len(files) != 1:
        raise RequestError(
            f"The form has {len(files)} files named {PHOTO_FIELD!r} instead of one.",
            code="one-photo",
            status=400,
            remedy=f"Send one photo, e.g. curl -F {PHOTO_FIELD}=@mole.jpg.",
        )
    data: bytes = files[0].read()
    return data


def _type_refused(request: Request, wanted: str) -> RequestError:
    return RequestError(
        f"A body of type {request.mimetype or '(none)'} is not accepted.",
        code="unsupported-type",
        status=415,
        remedy=f"Send {wanted}.",
    )
