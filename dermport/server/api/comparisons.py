"""Phones post what they said of a photo; the server says whether it agrees, and why not."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Collection
from itertools import chain, islice
from typing import Annotated, Any

from flask import Request, Response, g, request
from flask_openapi3 import Tag
from pydantic import BeforeValidator, Field, ValidationError

from dermport.bundle.causes import Cause
from dermport.bundle.hashing import sha256_json
from dermport.bundle.wire import (
    COMPARISON_FIELD,
    IDEMPOTENCY_HEADER,
    PHOTO_FIELD,
    PREPARED_FIELD,
    ComparisonAnswer,
    ComparisonList,
    ComparisonRequest,
    ComparisonSummary,
    DriftAnswer,
    Message,
    Pseudonym,
    Time,
)
from dermport.bundle.wire.comparisons import ComparisonId
from dermport.contract import Sha256
from dermport.errors import RequestError
from dermport.server.api.blueprint import DescribedLater
from dermport.server.api.bodies import BINARY, IDEMPOTENT, PHOTO, Query, json_response, reads, takes
from dermport.server.comparing.case import Sent
from dermport.server.comparing.table import csv_lines
from dermport.server.forms import Form
from dermport.server.problems import refuse_invalid
from dermport.server.security.access import requires
from dermport.server.security.guard import caller
from dermport.server.services import services
from dermport.server.storage.comparisons import CURSOR, Filters
from dermport.server.upload import receive_form

api = DescribedLater(
    "comparisons", __name__, abp_tags=[Tag(name="comparisons", description="Where phone and server disagree, and why.")]
)
# What float16 leaves of a sum of 1.
_SUM = 1e-3
# The steps of an int8 softmax (TensorFlow Lite's quantisation specification): each value is off by half of one.
_STEPS = 256
MAX_JSON = 64 * 1024
MAX_PAGE = 500
_KEY = re.compile(r"[\x21-\x7e]{1,128}")
_FORM: dict[str, Any] = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "properties": {
                COMPARISON_FIELD: {"$ref": "#/components/schemas/ComparisonRequest"},
                PHOTO_FIELD: PHOTO,
                PREPARED_FIELD: PHOTO,
            },
            "required": [COMPARISON_FIELD],
            "anyOf": [{"required": [PHOTO_FIELD]}, {"required": [PREPARED_FIELD]}],
        },
        "encoding": {
            COMPARISON_FIELD: {"contentType": "application/json"},
            PHOTO_FIELD: {"contentType": "image/jpeg, image/png"},
            PREPARED_FIELD: {"contentType": "image/png"},
        },
    }
}


def _rfc_3339(text: object) -> object:
    """Refuse a bare number, which would be taken for seconds since 1970."""
    if isinstance(text, str) and not re.match(r"\d{4}-\d\d-\d\d", text):
        raise ValueError("no date and time of RFC 3339, such as 2026-05-04T12:00:00Z")
    return text


_Time = Annotated[Time, BeforeValidator(_rfc_3339)]


class FilterQuery(Query):
    """Which comparisons."""

    cause: Cause | None = None
    device: Pseudonym | None = Field(None, description="a device's pseudonym")
    artifact_sha256: Sha256 | None = Field(None, description="the file that the phone ran")
    model: str | None = Field(
        None,
        pattern=r"^[a-z0-9][a-z0-9._-]{0,63}(/[0-9.]{1,32})?$",
        description="the live model: its name, or name/version",
    )
    since: _Time | None = Field(None, description="not before")
    until: _Time | None = Field(None, description="before")
    agrees: bool | None = Field(None, description="whether both gave the same label")

    def filters(self) -> Filters:
        """Return the filters in the storage's words."""
        return Filters(**{name: getattr(self, name) for name in FilterQuery.model_fields})


class PageQuery(FilterQuery):
    """Which comparisons, and which page of them."""

    limit: int = Field(50, ge=1, le=MAX_PAGE)
    cursor: str | None = Field(None, pattern=CURSOR, description="`next` of the page before")


class CompareQuery(Query):
    """What the answer brings."""

    difference: bool = Field(False, description="whether to bring difference_png, the picture of the two tensors")


class ComparisonPath(Message):
    """The address of a comparison."""

    id: ComparisonId


@api.post(
    "/v1/comparisons",
    responses={201: ComparisonAnswer, 200: ComparisonAnswer},
    summary="Compare a phone's answer with the server's",
)
@requires("compare")
@takes(_FORM)
@reads(IDEMPOTENT)
def compare(query: CompareQuery) -> Response:
    """The form has the phone's answer (JSON), and the photo, the model's prepared input (PNG), or both.

    201 means that the comparison is on the server's disk. With an Idempotency-Key, the same request sent again gets the
    first one's answer (200); another request with that key is refused (422). Each API key has keys of its own.
    """
    answer, new = services().comparisons.compare(read_sent(request), _key(request), g.request_id, query.difference)
    response = json_response(answer, 201 if new else 200)
    response.headers["Location"] = f"{request.script_root}/v1/comparisons/{answer.id}"
    return response


@api.get("/v1/comparisons", responses={200: ComparisonList}, summary="List comparisons, newest first")
@requires("admin")
def comparisons(query: PageQuery) -> Response:
    """What comes in between two pages shifts nothing."""
    items, after = services().comparisons.store.page(query.filters(), query.limit, query.cursor)
    return json_response(ComparisonList(items=items, next=after))


@api.get(
    "/v1/comparisons.csv",
    responses={200: {"description": "OK", "content": {"text/csv": {"schema": {"type": "string"}}}}},
    summary="Export comparisons",
)
@requires("admin")
def comparisons_csv(query: FilterQuery) -> Response:
    """One row each, newest first, for spreadsheets."""
    rows = services().comparisons.store.all(query.filters())
    first = tuple(islice(rows, 1))  # read before the answer begins, while it still can be a refusal
    response = Response(csv_lines(chain(first, rows)), mimetype="text/csv")
    response.headers["Content-Disposition"] = 'attachment; filename="comparisons.csv"'
    return response


@api.get("/v1/comparisons/summary", responses={200: ComparisonSummary}, summary="Count comparisons")
@requires("admin")
def summary(query: FilterQuery) -> Response:
    """Agreement with its interval, flips, changes and causes: in total, by class, device, artifact and day."""
    return json_response(services().comparisons.summary(query.filters()))


@api.get("/v1/comparisons/drift", responses={200: DriftAnswer}, summary="Hold the latest comparisons against policy")
@requires("admin")
def drift() -> Response:
    """The latest comparisons of each file that phones run; an alarm pauses the roll-outs of the file's version."""
    return json_response(services().comparisons.drift())


@api.get("/v1/comparisons/<string(length=32):id>", responses={200: ComparisonAnswer}, summary="Read a comparison")
@requires("compare")
def comparison(path: ComparisonPath) -> Response:
    """Only who posted a comparison knows its id, and whoever may list them."""
    return json_response(services().comparisons.store.get(path.id))


@api.get(
    "/v1/comparisons/<string(length=32):id>/difference.png",
    responses={200: {"description": "OK", "content": {"image/png": {"schema": BINARY}}}},
    summary="See what sets the two tensors of a comparison apart",
)
@requires("compare")
def difference_picture(path: ComparisonPath) -> Response:
    """The phone's tensor, the server's, and their amplified difference; only of photos that are kept."""
    return Response(services().comparisons.picture(path.id), mimetype="image/png")


@api.delete(
    "/v1/comparisons/<string(length=32):id>", responses={204: None}, summary="Delete a comparison and its photo"
)
@requires("compare")
def delete_comparison(path: ComparisonPath) -> Response:
    """What a phone has posted, it may take back."""
    services().comparisons.delete(path.id)
    return Response(status=204)


def read_sent(request: Request) -> Sent:
    """Return what a phone sent.

    Raises:
        RequestError: 415, no form; 400, parts that are missing or there twice; 413 or 422, the JSON.
    """
    if request.mimetype not in ("multipart/form-data", "application/json"):
        raise RequestError(
            f"A body of type {request.mimetype or '(none)'} is not accepted.",
            code="unsupported-type",
            status=415,
            remedy=_REMEDY,
        )
    form = receive_form(request) if request.mimetype == "multipart/form-data" else Form(())
    said, photo, prepared = (_one(form, name) for name in (COMPARISON_FIELD, PHOTO_FIELD, PREPARED_FIELD))
    if photo is None and prepared is None:
        raise RequestError(
            "Neither the photo nor the phone's prepared input was sent, so there is nothing to compare on: "
            f"{form.told}.",
            code="nothing-sent",
            status=400,
            remedy=_REMEDY,
        )
    return Sent(_said(said), photo, prepared, caller().key_id)


_REMEDY = (
    f"Send multipart/form-data with a part {COMPARISON_FIELD!r} (JSON) and a file {PHOTO_FIELD!r} (JPEG or PNG), "
    f"a file {PREPARED_FIELD!r} (PNG of the model's input), or both."
)


def _one(form: Form, name: str) -> bytes | None:
    parts = form.values(name)
    if len(parts) > 1:
        raise RequestError(f"The form has {len(parts)} parts {name!r}.", code="one-part", status=400, remedy=_REMEDY)
    return parts[0] if parts else None


def _said(data: bytes | None) -> ComparisonRequest:
    if data is None:
        raise RequestError(
            f"The form has no part {COMPARISON_FIELD!r}.", code="no-comparison", status=400, remedy=_REMEDY
        )
    if len(data) > MAX_JSON:
        raise RequestError(
            f"The part {COMPARISON_FIELD!r} has {len(data):,} bytes; at most {MAX_JSON:,} are accepted.",
            code="too-many-bytes",
            status=413,
        )
    try:
        # Strict: true is no number, "0.5" neither; what is stored is read again by looser rules.
        said = ComparisonRequest.model_validate_json(data.removeprefix(BOM_UTF8), strict=True)
    except ValidationError as error:
        refuse_invalid(error)
    total = sum(said.probabilities.values())
    if abs(total - 1) > _tolerance(said.probabilities.values()):
        raise RequestError(
            f"The probabilities sum to {total:.6g}, not to 1: they are no answer of a classifier.",
            code="not-probabilities",
            status=422,
            remedy="Send the softmax's output for every label, as it is.",
        )
    return said


def _tolerance(probabilities: Collection[float]) -> float:
    stepped = all(abs(value * _STEPS - round(value * _STEPS)) < _SUM for value in probabilities)
    return _SUM + stepped * len(probabilities) / (2 * _STEPS)


def _key(request: Request) -> str | None:
    """Return what a request sent again is known by: its idempotency key among those of the same API key."""
    key = request.headers.get(IDEMPOTENCY_HEADER)
    if key is not None and not _KEY.fullmatch(key):
        raise RequestError(
            f"The header {IDEMPOTENCY_HEADER} is not 1 to 128 visible ASCII characters.",
            code="bad-key",
            status=400,
            remedy="Draw a UUID for each comparison.",
        )
    return None if key is None else sha256_json([caller().key_id, key])
