"""From what a backend says to the answer that a client reads."""

from __future__ import annotations

import numpy as np

from bundle.manifest import Manifest
from bundle.prep import DRAFT_ID
from bundle.probabilities import answer
from bundle.wire import PredictionAnswer, ReceivedPhoto, Verdict
from server.serving.jobs import Done, Job
from server.serving.live import Live
from server.stages import StageClock


def verdict_of(manifest: Manifest, score: float, positive: bool) -> Verdict:
    """Return the bundle's decision rule, applied."""
    rule = manifest.decision
    return Verdict(name=rule.name, positive=positive, score=score, threshold=rule.threshold)


def prediction(live: Live, job: Job, done: Done, clock: StageClock, request_id: str) -> PredictionAnswer:
    """Return the answer to a photo; `clock` has marked "receive"."""
    manifest = live.bundle.manifest
    said = answer(manifest, np.asarray(done.probabilities))
    clock.add(done.milliseconds)
    return PredictionAnswer(
        label=said.label,
        probabilities=said.probabilities,
        decision=verdict_of(manifest, said.score, said.positive),
        model=live.model,
        runtime=live.served_by,
        preprocessing=DRAFT_ID if job.decoding == "draft" else manifest.preprocessing.id,
        input_sha256=done.input_sha256,
        photo=ReceivedPhoto(
            width=done.width, height=done.height, orientation=done.orientation, bytes=len(job.data), form=job.form
        ),
        milliseconds=clock.timing(),
        request_id=request_id,
    )
