"""Photos in, answers out."""

from __future__ import annotations

from dataclasses import replace

from flask import Response, g, request
from flask_openapi3 import Tag
from pydantic import Field

from dermport.bundle.wire import MANIFEST_HEADER, BatchAnswer, BatchItem, PredictionAnswer
from dermport.errors import PhotoError, RequestError
from dermport.server.api.blueprint import DescribedLater
from dermport.server.api.bodies import BINARY, ONE_PHOTO, PHOTOS, PREPARED, Query, json_response, reads, takes
from dermport.server.operations.journal import note
from dermport.server.plain import plain
from dermport.server.problems import problem_of
from dermport.server.security.access import requires
from dermport.server.security.guard import charge
from dermport.server.services import services
from dermport.server.serving.answers import prediction
from dermport.server.serving.jobs import Decoding, InferenceJob, InferenceResult
from dermport.server.serving.live import LiveModel
from dermport.server.serving.maps import TOP, check_map, map_of, overlay_png
from dermport.server.stages import StageClock
from dermport.server.upload import read_job, read_jobs

api = DescribedLater("predict", __name__, abp_tags=[Tag(name="predict", description="Photos in, answers out.")])


class PredictQuery(Query):
    """How the photo is decoded."""

    decoding: Decoding = Field(
        "exact",
        description="draft: libjpeg decodes at a fraction of the size, faster on large photos; not dermport-prep/1",
    )
    map: str = Field(
        "",
        max_length=64,
        description="also give the class activation map: top (of the likeliest label), all, or a label's id; "
        "409 where the served artifact gives none (export it with --maps)",
    )


class OverlayQuery(Query):
    """Whose map is drawn."""

    map: str = Field(TOP, max_length=64, description="top (the likeliest label), or a label's id")


@api.post("/v1/predict", responses={200: PredictionAnswer}, summary="Answer one photo")
@requires("predict")
@takes(ONE_PHOTO)
@reads(PREPARED)
def predict(query: PredictQuery) -> Response:
    """The photo is the body (image/jpeg or image/png) or the file field "photo" of a form.

    A PNG of exactly the model's input size with the header ``X-Dermport-Prep: dermport-prep/1`` is the model's input.
    """
    clock = StageClock()
    sent = read_job(plain(request), query.decoding)
    clock.mark("receive")
    with services().models.lease() as live:  # only now: while a slow sender was sending, another may have become live
        live.check_ready()
        job = _for_map(live, sent, query.map)
        done = live.answer(job)
        answer = _with_its_map(prediction(live.served, job, done, clock, g.request_id), live, done, query.map)
    note(answer, done.batch)
    return _by_its_manifest(json_response(answer), live)


def _by_its_manifest(response: Response, live: LiveModel) -> Response:
    response.headers[MANIFEST_HEADER] = live.manifest_sha256
    return response


def _for_map(live: LiveModel, job: InferenceJob, wanted: str) -> InferenceJob:
    if not wanted:
        return job
    check_map(live, wanted)
    return replace(job, map_too=True)


def _with_its_map(answer: PredictionAnswer, live: LiveModel, done: InferenceResult, wanted: str) -> PredictionAnswer:
    if not wanted:
        return answer
    return answer.model_copy(update={"activation_map": map_of(done, live.bundle.manifest, wanted)})


@api.post(
    "/v1/predict/overlay",
    responses={200: {"content": {"image/png": {"schema": BINARY}}}},
    summary="Draw the class activation map over one photo",
)
@requires("predict")
@takes(ONE_PHOTO)
@reads(PREPARED)
def predict_overlay(query: OverlayQuery) -> Response:
    """A PNG: what the model saw, the same under the map of one label, a legend, and the notice."""
    job = replace(read_job(request, "exact"), map_too=True)
    with services().models.lease() as live:
        live.check_ready()
        check_map(live, query.map, one=True)
        picture = overlay_png(live.answer(job), live.bundle.manifest, query.map)
    return _by_its_manifest(Response(picture, mimetype="image/png"), live)


@api.post("/v1/predict/batch", responses={200: BatchAnswer}, summary="Answer several photos")
@requires("predict")
@takes(PHOTOS)
def predict_batch(query: PredictQuery) -> Response:
    """The photos are file fields "photo" of a form; each has an answer, or a problem, of its own.

    Where requests are limited, each photo counts as one.
    """
    clock = StageClock()
    sent = read_jobs(request, query.decoding)
    charge(len(sent) - 1)
    clock.mark("receive")
    with services().models.lease() as live:
        live.check_ready()
        jobs = tuple(_for_map(live, job, query.map) for job in sent)
        items = tuple(_item(live, index, job, clock.fork(), query.map) for index, job in enumerate(jobs))
    for item in items:
        if item.answer:
            note(item.answer)
    return _by_its_manifest(json_response(BatchAnswer(items=items, request_id=g.request_id)), live)


def _item(live: LiveModel, index: int, job: InferenceJob, clock: StageClock, wanted: str) -> BatchItem:
    """Return one photo's answer, or why it was refused."""
    try:
        done = live.answer(job)
        answer = _with_its_map(prediction(live.served, job, done, clock, g.request_id), live, done, wanted)
    except (PhotoError, RequestError) as error:
        return BatchItem(index=index, problem=problem_of(error, instance=request.path, request_id=g.request_id))
    return BatchItem(index=index, answer=answer)
