"""A phone of the tests: its folder of models, and its way to a server, where answers may be changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dermport.bundle.trust import utc
from dermport.errors import DermportError
from dermport.mobile_stub.client import httpx
from dermport.mobile_stub.model_folder import ModelFolder
from dermport.mobile_stub.release_client import ReleaseClient
from dermport.mobile_stub.update import PhoneProfile, UpdateOutcome, Updater
from dermport.server.storage.rollouts import Rollout
from tests.factories import LABELS
from tests.server.delivery.made import Site

URL = "http://jetson.test"


@dataclass
class Recall:
    """Answers what the original answers to every golden photo, or something else."""

    change: float = 0.0
    labels: tuple[str, ...] = LABELS
    name: str = "Recall 1.0"

    def __enter__(self) -> Recall:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def predict(self, tensors: NDArray[np.uint8]) -> NDArray[np.float32]:
        answer = [0.1 + self.change, 0.2, 0.3, 0.4 - self.change]
        return np.asarray([answer[: len(self.labels)]] * len(tensors), np.float32)


@dataclass
class Road(httpx.BaseTransport):
    """The way to the server, where `meddle` may change an answer; it keeps what was asked."""

    site: Site
    meddle: Callable[[httpx.Request, httpx.Response], httpx.Response] = lambda _, response: response
    asked: list[httpx.Request] = field(default_factory=list)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        response = httpx.WSGITransport(self.site.app).handle_request(request)  # type: ignore[arg-type]
        return self.meddle(request, response)

    def paths(self) -> list[str]:
        return [request.url.path for request in self.asked]


@dataclass
class Handset:
    """A phone of the test, its folder and its way to the server."""

    site: Site
    folder: ModelFolder
    road: Road
    runtime: Recall = field(default_factory=Recall)
    now: Callable[[], str] = utc

    def updater(self, **wishes: Any) -> Updater:
        client = ReleaseClient(URL, self.road)
        return Updater(
            client,
            self.folder,
            PhoneProfile(**wishes),
            open_runtime=lambda _path: self.runtime,
            sleep=lambda _: None,
            now=self.now,
        )

    def update(self, **wishes: Any) -> UpdateOutcome:
        return self.updater(**wishes).update()

    def version(self) -> str | None:
        current = self.folder.current()
        return current.manifest.version if current else None

    def fails(self, kind: type[DermportError], message: str) -> None:
        """An update fails, and the model in use is what it was."""
        before = self.folder.current()
        with pytest.raises(kind, match=message):
            self.update()
        assert self.folder.current() == before
        if before:
            before.checked()

    def roll_out(self, version: str = "1.1.0") -> None:
        self.site.rollouts.set(Rollout("ham7", "android", version, 100))
