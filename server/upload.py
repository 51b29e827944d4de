"""The photo in a request: a multipart field, or the body itself."""

from __future__ import annotations

from flask import Request

from bundle.errors import PhotoError
from bundle.prep import MAX_BYTES
from bundle.wire import PHOTO_FIELD, PHOTO_TYPES

MULTIPART_OVERHEAD = 64 * 1024
MAX_BODY = MAX_BYTES + MULTIPART_OVERHEAD


def read_photo(request: Request) -> bytes:
    """Return the bytes of the photo; Flask refuses a body over :data:`MAX_BODY` before any of it is read here.

    Raises:
        PhotoError: The request carries no photo (400), several (400), or a body of another type (415).
    """
    if request.mimetype == "multipart/form-data":
        return _field(request)
    if request.mimetype in PHOTO_TYPES:
        return request.get_data(cache=False)
    raise PhotoError(
        f"A body of type {request.mimetype or '(none)'} is not accepted.",
        code="unsupported-type",
        status=415,
        remedy=f"Send {' or '.join(PHOTO_TYPES)}, or multipart/form-data with a file field {PHOTO_FIELD!r}.",
    )


def _field(request: Request) -> bytes:
    files = request.files.getlist(PHOTO_FIELD)
    if len(files) != 1:
        raise PhotoError(
            f"The form has {len(files)} files named {PHOTO_FIELD!r} instead of one.",
            code="one-photo",
            status=400,
            remedy=f"Send one photo, e.g. curl -F {PHOTO_FIELD}=@mole.jpg.",
        )
    data: bytes = files[0].read()
    return data
