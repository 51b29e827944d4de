"""The phone's questions about models: which one it should have, its signed manifest, its files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from pydantic import BaseModel

from dermport.bundle.signature import Envelope
from dermport.bundle.wire import LatestAnswer, Platform, RootsAnswer, SigningKeyAnswer
from dermport.errors import RequestError
from dermport.mobile_stub.client import JetsonClient, Response

_Answer = TypeVar("_Answer", bound=BaseModel)


class ReleaseClient(JetsonClient):
    """Asks one server about its models. Use it in a ``with`` block."""

    def __enter__(self) -> ReleaseClient:
        return self

    def ask(
        self,
        method: str,
        path: str,
        kind: type[_Answer],
        *,
        query: Mapping[str, str | None] | None = None,
        body: BaseModel | None = None,
    ) -> _Answer:
        """Send a question and return its answer.

        Raises:
            RequestError: The server refuses it, with its own code.
            ServerError: The server does not answer, or not in the agreed form.
        """
        sent: dict[str, Any] = {
            "params": {name: value for name, value in (query or {}).items() if value is not None},
            "json": body.model_dump(mode="json", by_alias=True) if body else None,
        }
        with self.stream(method, path, **sent) as response:
            return self._read(response, kind)

    def latest(
        self, platform: Platform, device: str | None, app_version: str | None, current: str | None
    ) -> LatestAnswer:
        """Ask which version this phone should have; raises as :meth:`ask`."""
        query = {"platform": platform, "device": device, "app_version": app_version, "current": current}
        return self.ask("GET", "/v1/models/latest", LatestAnswer, query=query)

    def signing_key(self) -> SigningKeyAnswer:
        """Ask for the server's public keys; raises as :meth:`ask`."""
        return self.ask("GET", "/v1/signing-key", SigningKeyAnswer)

    def roots(self, after: int) -> tuple[Envelope, ...]:
        """Ask for the roots after a version; none of a server before there were roots. Raises as :meth:`ask`."""
        try:
            return self.ask("GET", "/v1/roots", RootsAnswer, query={"after": str(after)}).roots
        except RequestError as error:
            if error.status == 404:
                return ()
            raise

    def document(self, path: str) -> bytes:
        """Return the document at `path` as it is; raises as :meth:`ask`."""
        with self.stream("GET", path) as response:
            return response.content

    @contextmanager
    def stream(self, method: str, path: str, *, whole: bool = True, **sent: Any) -> Iterator[Response]:
        """Open the answer to a request; it is closed when the ``with`` block ends.

        Args:
            method: The HTTP method.
            path: Below the server's address.
            whole: Whether to read the body; otherwise it is left to the caller.
            **sent: Query, body and headers, as httpx has them.

        Raises:
            RequestError: The server refuses it, with its own code.
            ServerError: The server does not answer, or not in the agreed form; also while the block reads the body.
        """
        with self._translated(path), self._client.stream(method, path, **sent) as response:
            if whole or not response.is_success:
                response.read()
            if not response.is_success:
                problem = self._problem(response)
                raise RequestError(problem.detail, code=problem.code, status=problem.status, remedy=problem.remedy)
            yield response
