"""A server's double behind a transport: it keeps what was posted, and is busy, gone or without comparisons at will."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from typing import Any

from dermport.bundle.prep import prepare
from dermport.bundle.store import Bundle
from dermport.errors import PhotoError
from dermport.mobile_stub.client import httpx
from dermport.server.problems import refusal_of

SERVED = "5" * 64


def problem(status: int, code: str, **headers: str) -> httpx.Response:
    document = {
        "type": "about:blank",
        "title": code,
        "status": status,
        "detail": f"said the desk: {code}",
        "instance": "/",
        "code": code,
        "request_id": "r",
    }
    sent = {"content-type": "application/problem+json", **headers}
    return httpx.Response(status, content=json.dumps(document), headers=sent)


class Desk:
    """Answers as the server does.

    Attributes:
        stored: What was posted, by idempotency key.
        posts: How often something was posted.
        troubles: What the next posts get instead of an answer: a response, or an error to raise.
        gone: Whether nobody answers.
        served: sha256 of the file that it runs.
        comparisons: Whether it takes comparisons, or the problem that it answers.
        maps: The class activation maps that it gives, by label; None: it has none.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._manifest, self._model = bundle.manifest, bundle.model_sha256
        self.stored: dict[str, bytes] = {}
        self.posts = 0
        self.predictions = 0
        self.troubles: list[httpx.Response | Exception] = []
        self.gone = False
        self.served = SERVED
        self.comparisons: httpx.Response | None = None
        self.maps: dict[str, Any] | None = None
        self.shift = 0.0
        self._lock = threading.Lock()

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._handle)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        if self.gone:
            raise httpx.ConnectError("No route to host")
        match request.url.path:
            case "/readyz":
                return httpx.Response(200, json=self._ready())
            case "/v1/models":
                return httpx.Response(200, json={"models": [self._summary()]})
            case "/v1/comparisons":
                return self._compare(request)
            case "/v1/predict":
                return self._predict(request)
        return problem(404, "not-found")

    def _compare(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            self.posts += 1
            if self.comparisons is not None:
                return self.comparisons
            if self.troubles:
                trouble = self.troubles.pop(0)
                if isinstance(trouble, Exception):
                    raise trouble
                return trouble
            parts = dict(_parts(request))
            key, body = request.headers["Idempotency-Key"], b"".join(parts[name] for name in sorted(parts))
            if self.stored.setdefault(key, body) != body:
                return problem(422, "key-reused")
        return httpx.Response(201, json=self._answer(json.loads(parts["comparison"])))

    def _predict(self, request: httpx.Request) -> httpx.Response:
        self.predictions += 1
        data = dict(_parts(request))["photo"]
        try:
            tensor = prepare(data, self._manifest.preprocessing)
        except PhotoError as error:
            return problem(refusal_of(error).status, error.code)
        if "map" in request.url.params and self.maps is None:
            return problem(409, "no-activation-map")
        even = {label: 1 / len(self._manifest.task.ids) for label in self._manifest.task.ids}
        timing = {"receive": 1.0, "prepare": 2.0, "wait": 3.0, "infer": 4.0, "total": 10.0}
        rest = {"preprocessing": "dermport-prep/1", "photo": _PHOTO, "milliseconds": timing, "request_id": "r"}
        told = {"activation_map": {"grids": self.maps, "shape": [4, 4]}} if "map" in request.url.params else {}
        return httpx.Response(200, json=self._side(even, tensor.input_sha256) | rest | told)

    def _answer(self, said: dict[str, Any]) -> dict[str, Any]:
        first, *others = said["probabilities"]
        moved = dict(said["probabilities"])
        moved[first] = min(1.0, moved[first] + self.shift)
        for other in others:
            moved[other] *= (1 - moved[first]) / max(1e-9, 1 - said["probabilities"][first])
        side = self._side(moved, said["input_sha256"])
        verdict = {
            "same_label": True,
            "same_decision": True,
            "same_input": True,
            "change": self.shift,
            "cause": "artifact" if self.shift else "same",
            "words": "In the desk's words.",
        }
        step = {"cause": "artifact", "change": self.shift, "share": 1.0, "a_field_of_next_year": 1}
        server = side | {"milliseconds": {"wait": 1.0, "prepare": 2.0, "infer": 3.0}}
        return {"id": "c" * 32, "verdict": verdict, "steps": [step], "server": server, "a_field_of_next_year": {}}

    def _side(self, probabilities: dict[str, float], input_sha256: str) -> dict[str, Any]:
        score = min(1.0, sum(probabilities[label] for label in self._manifest.task.positive))
        threshold = self._manifest.decision.threshold
        decision = {"name": "suspicious", "positive": score >= threshold, "score": score, "threshold": threshold}
        return {
            "label": max(probabilities, key=lambda label: probabilities[label]),
            "probabilities": probabilities,
            "decision": decision,
            "model": self._live(),
            "runtime": {"name": "Desk 1.0", "reason": "the only one"},
            "input_sha256": input_sha256,
        }

    def _live(self) -> dict[str, str]:
        named = {"name": "blotches", "version": "1.0.0", "target": "onnx", "precision": "fp32"}
        return named | {"sha256": self._model, "artifact_sha256": self.served}

    def _ready(self) -> dict[str, Any]:
        figures = {"photos": 1, "worst_photo": "x", "worst_change": 0.0, "mean_change": 0.0}
        return figures | {"runtime": {"name": "Desk 1.0", "reason": "the only one"}}

    def _summary(self) -> dict[str, Any]:
        manifest = self._manifest.model_dump(mode="json", include={"task", "preprocessing", "decision"})
        named = {"name": "blotches", "version": "1.0.0", "sha256": self._model, "exports": []}
        return manifest | named | {"live": self._live(), "runtime": {"name": "Desk 1.0", "reason": "the only one"}}


_PHOTO = {"width": 1, "height": 1, "orientation": 1, "bytes": 1}


def _parts(request: httpx.Request) -> Iterator[tuple[str, bytes]]:
    boundary = request.headers["content-type"].split("boundary=")[1].encode()
    for part in request.read().split(b"--" + boundary)[1:-1]:
        head, _, body = part.partition(b"\r\n\r\n")
        found = re.search(rb'name="(\w+)"', head)
        assert found is not None
        yield found[1].decode(), body[:-2]
