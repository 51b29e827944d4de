"""The phone's HTTP client of the Jetson's server."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from dermport.bundle.manifest import PREP_ID
from dermport.bundle.wire import (
    API_KEY_HEADER,
    COMPARISON_FIELD,
    IDEMPOTENCY_HEADER,
    PHOTO_FIELD,
    PREP_HEADER,
    PREPARED_FIELD,
    PROBLEM_TYPE,
    ComparisonRequest,
    ModelsAnswer,
    PredictionAnswer,
    Problem,
    ReadyAnswer,
)
from dermport.errors import RequestError, ServerError, UnreachableError, UsageError
from dermport.mobile_stub.received import ReceivedComparison
from dermport.mobile_stub.tls import tls_failure, trust

if sys.version_info >= (3, 11):  # httpx stands still; this goes on with it
    import httpx2 as httpx
else:
    import httpx

Response: TypeAlias = httpx.Response
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 60.0
CONNECT_RETRIES = 2

_Message = TypeVar("_Message", bound=BaseModel)


class JetsonClient:
    """Asks one server. Use it in a ``with`` block; the connection is kept alive.

    Proxies that the environment names are not used: the Jetson stands on the local network, and photos stay there.

    Args:
        url: Where the server answers, e.g. ``http://jetson.local:8080``.
        transport: Another way to reach it, for tests; None connects, trying again twice where that fails.
        api_key: An API key, where the server asks for one.
        ca: A PEM file with the authorities to trust; None for those of SSL_CERT_FILE, or of the system.

    Raises:
        UsageError: `url` is none, or `ca` holds no certificate.
    """

    def __init__(
        self,
        url: str,
        transport: httpx.BaseTransport | None = None,
        api_key: str | None = None,
        ca: Path | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        if not self.url.startswith(("http://", "https://")):
            raise UsageError(f"{url!r} is no server's address.", remedy="It looks like http://jetson.local:8080.")
        try:
            self._client = httpx.Client(
                base_url=self.url,
                headers={API_KEY_HEADER: api_key} if api_key else None,
                timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
                transport=transport or httpx.HTTPTransport(verify=trust(ca), retries=CONNECT_RETRIES),
                trust_env=False,
            )
        except httpx.InvalidURL as error:
            raise UsageError(f"{url!r} is no server's address: {error}.") from error

    def __enter__(self) -> JetsonClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def check_ready(self) -> ReadyAnswer:
        """Return the proof of the server's live runtime.

        Raises:
            ServerError: The server does not answer, or says that it is not ready.
        """
        response = self._send("GET", "/readyz")
        if response.is_error:
            raise ServerError(f"{self.url} is not ready: {self._problem(response).detail}")
        return self._read(response, ReadyAnswer)

    def models(self) -> ModelsAnswer:
        """Return the server's models.

        Raises:
            RequestError: The server refuses to tell, with its own code.
            ServerError: The server does not answer, or not in the agreed form.
        """
        response = self._send("GET", "/v1/models")
        if response.is_error:
            raise self._refusal(response)
        return self._read(response, ModelsAnswer)

    def predict(self, data: bytes, prepared: bool = False, maps: bool = False) -> PredictionAnswer:
        """Ask for a prediction. The photo's name stays on the phone.

        Args:
            data: The photo, or the model's input as a PNG.
            prepared: Which of the two.
            maps: Whether the class activation maps of all labels are to come with it.

        Raises:
            RequestError: The server refuses the photo or whoever asks, with its own code, or has no time.
            ServerError: The server does not answer, or not in the agreed form.
        """
        headers = {PREP_HEADER: PREP_ID} if prepared else None
        response = self._send(
            "POST", "/v1/predict?map=all" if maps else "/v1/predict", {PHOTO_FIELD: (PHOTO_FIELD, data)}, headers
        )
        if response.is_error:
            raise self._refusal(response)
        return self._read(response, PredictionAnswer)

    def post_comparison(
        self, said: ComparisonRequest, photo: bytes | None, prepared: bytes | None = None, key: str | None = None
    ) -> ReceivedComparison:
        """Tell the server what the phone's own model said of a photo, and learn whether it agrees, and why not.

        Args:
            said: The phone's answer.
            photo: The photo, as the phone's model was given it.
            prepared: The model's input as a PNG: instead of the photo, which then stays on the phone, or beside it,
                which lets the server tell a difference of preparation from all others.
            key: Names this comparison, so that sending it again stores nothing twice; None draws one.

        Raises:
            UsageError: Neither photo nor prepared input is given.
            RequestError: The server refuses it, with its own code.
            ServerError: The server does not answer, or not in the agreed form.
        """
        parts = {PHOTO_FIELD: photo, PREPARED_FIELD: prepared}
        files = {name: (name, data) for name, data in parts.items() if data is not None}
        if not files:
            raise UsageError("A comparison needs the photo, the prepared input, or both.")
        files[COMPARISON_FIELD] = (COMPARISON_FIELD, said.model_dump_json(exclude_none=True).encode())
        headers = {IDEMPOTENCY_HEADER: key or str(uuid.uuid4())}
        response = self._send("POST", "/v1/comparisons", files, headers)
        if response.is_error:
            raise self._refusal(response)
        return self._read(response, ReceivedComparison)

    def _send(
        self,
        method: str,
        path: str,
        files: Mapping[str, tuple[str, bytes]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        with self._translated(path):
            return self._client.request(method, path, files=files, headers=headers)

    @contextmanager
    def _translated(self, path: str) -> Iterator[None]:
        try:
            yield
        except httpx.TimeoutException as error:
            raise UnreachableError(f"{self.url} took too long to answer {path}.", remedy="Is it overloaded?") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            if failure := tls_failure(self.url, error):
                raise failure from error
            raise UnreachableError(
                f"{self.url} does not answer: {error}.",
                remedy="Start it with `dermport serve BUNDLE`, and check the address and the network.",
            ) from error

    def _refusal(self, response: Response) -> RequestError:
        problem = self._problem(response)
        wait = response.headers.get("Retry-After", "")
        return RequestError(
            problem.detail,
            code=problem.code,
            status=problem.status,
            remedy=problem.remedy,
            retry_after=float(wait) if wait.isdigit() else None,
        )

    def _problem(self, response: Response) -> Problem:
        if response.headers.get("content-type", "").split(";")[0] != PROBLEM_TYPE:
            kind = UnreachableError if response.status_code in {502, 503, 504} else ServerError
            raise kind(
                f"{self.url} answers HTTP {response.status_code} without saying why.",
                remedy="Is it dermport's server? A proxy in between?",
            )
        return self._read(response, Problem)

    def _read(self, response: Response, kind: type[_Message]) -> _Message:
        try:
            return kind.model_validate_json(response.content)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the whole"
            raise ServerError(
                f"{self.url} answers in another form than agreed: {where}: {first['msg']}.",
                remedy="Do phone and server have the same version of dermport?",
            ) from error
