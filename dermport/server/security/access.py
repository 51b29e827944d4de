"""Who may ask what: a key's scopes against the scope that a view asks for."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeVar, get_args

from werkzeug.datastructures import Headers

from dermport.bundle.wire import API_KEY_HEADER
from dermport.errors import RequestError
from dermport.server.config import AccessConfig
from dermport.server.security.keyring import KeyRing
from dermport.server.security.tokens import Token, parse_token
from dermport.server.storage.api_keys import ApiKey, ApiKeys
from dermport.server.storage.base import utc_now
from dermport.server.storage.database import Database

Scope = Literal["predict", "compare", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
"""Each one opens those before it, too."""
_View = TypeVar("_View", bound=Callable[..., object])
_MARK = "dermport_scope"
# What a key of another form is compared with, so that it takes the way of every other.
_NOBODY = Token("", "")
_NO_DIGEST = "-" * 64


def requires(scope: Scope) -> Callable[[_View], _View]:
    """Mark a view as open only to keys with `scope`; it goes below the route's own decorators.

    The mark is read before the request's body is::

        @api.post("/v1/predict")
        @requires("predict")
        def predict() -> Response: ...

    A view without a mark asks for "admin".
    """
    return _marked(scope)


def open_to_all(view: _View) -> _View:
    """Mark a view as open without a key; it goes below the route's own decorators."""
    return _marked(None)(view)


def scope_of(view: Callable[..., object]) -> Scope | None:
    """Return the scope that a view asks for; None where it is open to all."""
    scope: Scope | None = getattr(view, _MARK, "admin")
    return scope


def opened_by(scopes: Collection[str]) -> frozenset[str]:
    """Return what a key of these scopes opens: "admin" includes "compare", which includes "predict"."""
    known = [SCOPES.index(scope) for scope in SCOPES if scope in scopes]
    return frozenset(SCOPES[: max(known, default=-1) + 1])


def _marked(scope: Scope | None) -> Callable[[_View], _View]:
    def mark(view: _View) -> _View:
        setattr(view, _MARK, scope)
        return view

    return mark


@dataclass(frozen=True)
class Caller:
    """Who sent a request.

    Attributes:
        key_id: The id of a valid key; empty where there is none.
        scopes: What the caller may do.
        sent_key: Whether a key was sent, valid or not.
    """

    key_id: str = ""
    scopes: frozenset[str] = frozenset()
    sent_key: bool = False


_EVERYBODY = Caller(scopes=frozenset(SCOPES))


class Access:
    """Tells callers by their keys.

    Args:
        database: Where the keys are.
        config: Whether keys are asked for.
        number: Returns the number of the keys' newest change.
        now: The time, by which keys expire.

    Attributes:
        enabled: Whether keys are asked for; where not, everybody may do everything (see
            :mod:`dermport.server.security.guard` for who can be everybody).
    """

    def __init__(
        self,
        database: Database,
        config: AccessConfig,
        number: Callable[[], int],
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.enabled = config.keys
        self._now = now
        self._keys = ApiKeys(database)
        self._ring = KeyRing(self._keys, number) if config.keys else None

    def identify(self, headers: Headers) -> Caller:
        """Return who sent a request with these headers; never raises for what they hold."""
        if self._ring is None:
            return _EVERYBODY
        sent = _sent_key(headers)
        if not sent:
            return Caller()
        key = self._verified(sent, self._ring)
        if key is None:
            return Caller(sent_key=True)
        self._ring.used(key.id)
        return Caller(key.id, opened_by(key.scopes), sent_key=True)

    def check(self, caller: Caller, scope: Scope) -> None:
        """Raise RequestError where the caller has no valid key (401) or none with `scope` (403)."""
        if scope in caller.scopes:
            return
        if caller.key_id:
            raise RequestError(
                f"This API key does not open {scope!r}.",
                code="key-scope",
                status=403,
                remedy=f"Use a key with the scope {scope!r}; whoever runs the server makes keys.",
            )
        raise _invalid_key() if caller.sent_key else _no_key()

    def stored(self) -> tuple[ApiKey, ...]:
        """Return every key, oldest first; StorageError where the database fails."""
        return self._keys.all()

    def revoke(self, key_id: str) -> bool:
        """Revoke a key, for the next request of every process already; return whether there was such a key.

        Raises:
            StorageError: It cannot be stored; the key stays as it was.
        """
        return self._keys.revoke([key_id], utc_now()) > 0

    def close(self) -> None:
        """End the threads."""
        if self._ring is not None:
            self._ring.close()

    def _verified(self, text: str, ring: KeyRing) -> ApiKey | None:
        token = parse_token(text) or _NOBODY
        key = ring.find(token.id)
        equal = hmac.compare_digest(token.secret_sha256, key.secret_sha256 if key else _NO_DIGEST)
        return key if key and equal and key.valid_at(self._now()) else None


def _sent_key(headers: Headers) -> str:
    scheme, _, credentials = headers.get("Authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else headers.get(API_KEY_HEADER, "").strip()


def _no_key() -> RequestError:
    return RequestError(
        "This address needs an API key.",
        code="no-key",
        status=401,
        remedy=f"Send one as {API_KEY_HEADER} or as Authorization: Bearer; `dermport keys create` makes one.",
    )


def _invalid_key() -> RequestError:
    return RequestError(
        "The API key is not valid: it is unknown, revoked or expired.",
        code="invalid-key",
        status=401,
        remedy="Ask whoever runs the server for another.",
    )
