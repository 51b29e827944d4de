"""From a photo to an answer: decode and resize in the caller's thread, then the runtime, one photo at a time."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from bundle.manifest import Manifest
from bundle.prep import Prepared, prepare
from bundle.probabilities import answer
from bundle.wire import PredictionAnswer, ReceivedPhoto, ServedModel, ServedRuntime, Verdict
from runtimes.base import Runtime
from server.stages import StageClock


class Predictor:
    """Answers photos from any number of threads.

    Args:
        manifest: The bundle's labels, preprocessing and decision rule.
        runtime: The loaded artifact. Runtimes are not thread-safe, so a lock guards it.
        model: What every answer says of the model.
        served_by: What every answer says of the runtime.
    """

    def __init__(self, manifest: Manifest, runtime: Runtime, model: ServedModel, served_by: ServedRuntime) -> None:
        self._manifest = manifest
        self._runtime = runtime
        self._model = model
        self._served_by = served_by
        self._lock = threading.Lock()

    def predict(self, data: bytes, clock: StageClock, request_id: str) -> PredictionAnswer:
        """Answer one photo; `clock` has marked "receive".

        Raises:
            PhotoError: The photo is refused.
        """
        prepared = prepare(data, self._manifest.preprocessing)
        clock.mark("prepare")
        probabilities = self._infer(prepared.tensor, clock)
        said = answer(self._manifest, probabilities)
        rule = self._manifest.decision
        return PredictionAnswer(
            label=said.label,
            probabilities=said.probabilities,
            decision=Verdict(name=rule.name, positive=said.positive, score=said.score, threshold=rule.threshold),
            model=self._model,
            runtime=self._served_by,
            preprocessing=self._manifest.preprocessing.id,
            input_sha256=prepared.input_sha256,
            photo=_received(prepared, data),
            milliseconds=clock.timing(),
            request_id=request_id,
        )

    def _infer(self, tensor: NDArray[np.uint8], clock: StageClock) -> NDArray[np.float32]:
        with self._lock:
            clock.mark("wait")
            probabilities: NDArray[np.float32] = self._runtime.predict(tensor[None])[0]
            clock.mark("infer")
        return probabilities


def _received(prepared: Prepared, data: bytes) -> ReceivedPhoto:
    return ReceivedPhoto(
        width=prepared.width, height=prepared.height, orientation=prepared.orientation, bytes=len(data)
    )
