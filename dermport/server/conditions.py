"""Conditional requests and ranges (RFC 9110, 13 and 14).

Own code: Werkzeug's `make_conditional` looks at the range before the conditions (206 in spite of a wrong If-Match),
does not know ``If-Match: *``, sends the body with a 412, matches weak tags in If-Range, and refuses a suffix that is
longer than the file. It still cuts the body to the range that is found here.
"""

from __future__ import annotations

import re

from flask import Request, Response
from werkzeug.exceptions import PreconditionFailed, RequestedRangeNotSatisfiable

_ONE_RANGE = re.compile(r"bytes=[ \t]*(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))[ \t]*", re.ASCII)


def conditioned(request: Request, response: Response) -> Response:
    """Return an answer to GET or HEAD as the request's conditions want it: itself, or 304 without its body.

    Args:
        request: Its If-Match comes before its If-None-Match; dates are passed over, since answers have none.
        response: With its strong ETag.

    Raises:
        PreconditionFailed: 412.
    """
    etag, _ = response.get_etag()
    known = request.if_none_match
    assert etag is not None
    if request.if_match and etag not in request.if_match:
        raise PreconditionFailed
    if not known.contains_weak(etag):
        return response
    response.close()
    unchanged = Response(status=304)
    for name in ("ETag", "Cache-Control", "Vary", "Content-Security-Policy", "Permissions-Policy"):
        if name in response.headers:
            unchanged.headers[name] = response.headers[name]
    return unchanged


def ranged(request: Request, response: Response, size: int) -> Response:
    """Return a whole answer, or the one range of it that is asked for; call it after :func:`conditioned`.

    Raises:
        RequestedRangeNotSatisfiable: 416, with the size.
    """
    environ = {"REQUEST_METHOD": request.method}
    if response.status_code == 200 and has_range(request) and _is_the_one_begun(request, response):
        start, stop = _span(request.headers["Range"], size)
        environ["HTTP_RANGE"] = f"bytes={start}-{stop - 1}"
    response.make_conditional(environ, accept_ranges=True, complete_length=size)
    return response


def has_range(request: Request) -> bool:
    """Whether one range of bytes is asked for; RFC 9110, 14.2, lets a server pass over any other."""
    return request.method == "GET" and bool(_ONE_RANGE.fullmatch(request.headers.get("Range", "")))


def _is_the_one_begun(request: Request, response: Response) -> bool:
    """Whether If-Range, where it is sent, names this very file: by its strong tag, as answers have no date."""
    return request.headers.get("If-Range", response.headers["ETag"]).strip() == response.headers["ETag"]


def _span(text: str, size: int) -> tuple[int, int]:
    found = _ONE_RANGE.fullmatch(text)
    assert found is not None
    first, last, suffix = found.groups()
    start = max(0, size - int(suffix)) if suffix else int(first)
    stop = min(size, int(last) + 1) if last else size
    if start >= stop:
        raise RequestedRangeNotSatisfiable(size)
    return start, stop
