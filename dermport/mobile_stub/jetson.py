"""The Jetson's side of a photo: by /v1/comparisons with the cause by experiment, else by /v1/predict."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import TypeVar

from PIL import Image

from dermport.bundle.manifest import Preprocessing
from dermport.bundle.prep import prepare
from dermport.errors import RequestError, ServerError
from dermport.mobile_stub.backoff import Backoff
from dermport.mobile_stub.client import JetsonClient
from dermport.mobile_stub.journal import PhoneEntry, Send, ServerEntry
from dermport.mobile_stub.prediction import Prediction, Refusal, check_labels, from_answer
from dermport.mobile_stub.received import ReceivedComparison

_Answer = TypeVar("_Answer")
_LACKS_COMPARISONS = frozenset({403, 404, 405})


class Jetson:
    """Asks one server about photos, for any number of threads.

    Args:
        client: The connection.
        backoff: Asks again where the server is busy.
        preprocessing: How the phone's input is made, for what is sent prepared.
        send: What leaves the phone: the photo, only the model's input, or both.
        maps: Whether class activation maps are asked for, too, with a request of their own.

    Attributes:
        url: The server's address.
        send: What leaves the phone.
        served: sha256 of the file that the server runs; None where it does not say.
        predicts_only: Why comparisons are not posted, in words; empty where they are.
        no_maps: Why there are no maps though they are asked for, in words; empty where there are.
    """

    def __init__(
        self,
        client: JetsonClient,
        backoff: Backoff,
        preprocessing: Preprocessing,
        send: Send = "photo",
        *,
        maps: bool = False,
    ) -> None:
        self._client, self._backoff = client, backoff
        self._preprocessing, self.send = preprocessing, send
        self.url = client.url
        self.served: str | None = None
        self.predicts_only = self.no_maps = ""
        self._maps = maps

    def meet(self) -> None:
        """See that the server is ready, and what it runs.

        Raises:
            ServerError: It is not ready.
            UnreachableError: It does not answer.
        """
        self._backoff.ask(self._client.check_ready)
        try:
            models = self._backoff.ask(self._client.models).models
        except RequestError:  # what it runs is then read off its answers
            return
        self.served = next((model.live.artifact_sha256 for model in models if model.live), None)

    def answer(self, asked: PhoneEntry, data: bytes) -> ServerEntry:
        """Return the server's side of a photo that the phone has answered.

        Args:
            asked: The phone's side.
            data: The photo.

        Raises:
            RequestError: The key is refused.
            ServerError: The server fails, answers in another form than agreed, or knows other labels.
            UnreachableError: It does not answer, or has no time.
        """
        try:
            return self._with_map(self._asked(asked, data), asked, data)
        except RequestError as error:
            if error.code == "other-labels":
                raise ServerError(error.message, remedy=error.remedy) from error
            if error.status >= 500 or error.status in (401, 403):
                raise
            refusal = Refusal(code=error.code, message=error.message)
            return ServerEntry(id=asked.id, server=refusal, served=self.served or "")

    def _asked(self, asked: PhoneEntry, data: bytes) -> ServerEntry:
        if asked.said is not None and not self.predicts_only:
            try:
                return self._compared(asked, data)
            except RequestError as error:
                if error.status not in _LACKS_COMPARISONS:
                    raise
                self.predicts_only = error.message
        return self._predicted(asked, data)

    def _compared(self, asked: PhoneEntry, data: bytes) -> ServerEntry:
        said = asked.said
        assert said is not None
        photo = data if asked.send != "prepared" else None
        prepared = self._png(data) if asked.send != "photo" else None
        answer, spent = self._timed(lambda: self._client.post_comparison(said, photo, prepared, asked.id))
        check_labels(asked.phone, from_answer(answer.server))
        return _answered(asked, answer, spent)

    def _predicted(self, asked: PhoneEntry, data: bytes) -> ServerEntry:
        if asked.send == "prepared" and asked.said is not None:
            answer, spent = self._timed(lambda: self._client.predict(self._png(data), prepared=True))
        elif asked.send == "prepared":  # a photo that the phone refuses has no prepared form, and stays on the phone
            return ServerEntry(id=asked.id, server=Refusal(code="not-sent", message="It was not sent."), served="")
        else:
            answer, spent = self._timed(lambda: self._client.predict(data))
        said = from_answer(answer)
        check_labels(asked.phone, said)
        return ServerEntry(id=asked.id, server=said, served=said.artifact_sha256, round_trip=spent)

    def _with_map(self, answered: ServerEntry, asked: PhoneEntry, data: bytes) -> ServerEntry:
        if not self._maps or self.no_maps or not isinstance(answered.server, Prediction):
            return answered
        prepared = asked.send == "prepared"
        photo = self._png(data) if prepared else data
        try:
            said = self._backoff.ask(lambda: self._client.predict(photo, prepared=prepared, maps=True))
        except RequestError as error:
            if error.status >= 500:
                raise
            self.no_maps = f"{error.message} {error.remedy}"
            return answered
        grids = said.activation_map.grids if said.activation_map else None
        server = answered.server.model_copy(update={"activation_map": grids})
        return answered.model_copy(update={"server": server})

    def _timed(self, question: Callable[[], _Answer]) -> tuple[_Answer, float]:
        """Return an answer, and the milliseconds of the attempt that got it: back-off is no latency."""
        start = 0.0

        def timed() -> _Answer:
            nonlocal start
            start = time.perf_counter()
            return question()

        return self._backoff.ask(timed), round(1000 * (time.perf_counter() - start), 3)

    def _png(self, data: bytes) -> bytes:
        file = io.BytesIO()
        Image.fromarray(prepare(data, self._preprocessing).tensor).save(file, "PNG")
        return file.getvalue()


def _answered(asked: PhoneEntry, answer: ReceivedComparison, round_trip: float) -> ServerEntry:
    server = from_answer(answer.server)
    return ServerEntry(
        id=asked.id,
        server=server,
        served=server.artifact_sha256,
        comparison=answer.id,
        cause=answer.verdict.cause,
        words=answer.verdict.words,
        steps=answer.steps,
        parts=answer.decomposition.score if answer.decomposition and answer.server.decision else None,
        faults=answer.faults,
        round_trip=round_trip,
    )
