"""Files over HTTP: validators, ranges and gzip, for phones on a poor network."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from flask import Request, Response
from werkzeug.wsgi import FileWrapper

from dermport.bundle.wire import SHA256_HEADER, ReleaseFile
from dermport.server.conditions import conditioned, has_range, ranged
from dermport.server.delivery.checked_files import CheckedFiles
from dermport.server.delivery.gzip_variants import GzipVariants

FOREVER = "private, max-age=31536000, immutable"
ASK_AGAIN = "private, no-cache"
_BLOCK = 1 << 16


class FileResponder:
    """Answers with listed files.

    Args:
        files: Opens files whose bytes are the listed ones.
        compressed: Their gzip variants.
    """

    def __init__(self, files: CheckedFiles, compressed: GzipVariants) -> None:
        self._files = files
        self._compressed = compressed

    def response(self, request: Request, path: Path, listed: ReleaseFile, forever: bool) -> Response:
        """Return a file as `request` wants it.

        A range is of the file itself, never of its gzip variant; several ranges at once are not served as such.

        Args:
            request: What its headers ask for: encoding, validators, one range.
            path: Where the file is.
            listed: What it must be.
            forever: Whether this address will never name other bytes, so that caches need not ask again.

        Raises:
            RequestError: 503: the file is missing or changed.
            PreconditionFailed: 412.
            RequestedRangeNotSatisfiable: 416.
        """
        file = self._files.open(path, listed)
        try:
            variant = self._compressed.open(file, listed.sha256) if _takes_gzip(request, listed) else None
            if variant:
                file.close()
                file = variant
            response = _response(request, file, listed, packed=variant is not None)
        except BaseException:
            file.close()
            raise
        response.headers["Cache-Control"] = FOREVER if forever else ASK_AGAIN
        return response


def _response(request: Request, file: BinaryIO, listed: ReleaseFile, packed: bool) -> Response:
    size = os.fstat(file.fileno()).st_size
    response = Response(FileWrapper(file, _BLOCK), mimetype=listed.media_type, direct_passthrough=True)
    response.content_length = size
    response.set_etag(f"{listed.sha256}-gzip" if packed else listed.sha256)
    response.headers[SHA256_HEADER] = listed.sha256
    response.headers["Vary"] = "Accept-Encoding"
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    answer = conditioned(request, response)
    return answer if packed else ranged(request, answer, size)


def _takes_gzip(request: Request, listed: ReleaseFile) -> bool:
    """Whether gzip is welcome, and neither a range is asked for nor is the file itself, had already, named."""
    accepted = request.accept_encodings
    wanted = accepted["gzip"] > 0 and accepted["gzip"] >= accepted["identity"]
    named = request.if_none_match.contains_weak(listed.sha256) or request.if_match.is_strong(listed.sha256)
    return wanted and not has_range(request) and not named
