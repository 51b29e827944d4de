"""A server's signer that outlives lost keys: it then signs nothing, says why, and never begins anew by itself."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.signature import Envelope
from dermport.bundle.wire import SigningKeyAnswer
from dermport.errors import DataError, RequestError, StorageError
from dermport.server.delivery.roots import Roots
from dermport.server.delivery.signer import Signer
from dermport.server.storage.state import ServerState

_LOG = logging.getLogger("dermport.handout")
_Made = TypeVar("_Made")


class KeptSigner:
    """Signs as :class:`.server.delivery.signer.Signer`, with the keys that the database knows; looked for until found.

    Args:
        state: The server's state folder.
        known: Knows with which keys this server began.
        may_begin: Whether a server that never had keys may make them.

    Attributes:
        roots: Which keys may sign.
    """

    def __init__(self, state: Path, known: ServerState, *, may_begin: bool = True) -> None:
        self.roots = Roots(state)
        self._state, self._known, self._may_begin = state, known, may_begin
        self._signer: Signer | None = None
        self._said = ""
        with suppress(RequestError):  # the log says it
            assert self.public

    @property
    def public(self) -> SigningKeyAnswer:
        """The public keys, as phones ask for them; RequestError 503 while there are none."""
        return self._with(lambda signer: signer.public)

    def sign(self, payload: bytes, payload_type: str) -> Envelope:
        """Return `payload` in a signed envelope; RequestError 503 while there is no key."""
        return self._with(lambda signer: signer.sign(payload, payload_type))

    def _with(self, use: Callable[[Signer], _Made]) -> _Made:
        try:
            if self._signer is None:
                self._signer = self._opened()
            made = use(self._signer)
        except (DataError, StorageError) as error:
            if self._said != error.message:
                _LOG.error("nothing is signed: %s", error)
            self._said = error.message
            raise RequestError(
                "The server's signing key is missing or not the one that it began with.",
                code="signing-key-unavailable",
                status=503,
                remedy="Keep the model that you have; whoever runs the server must restore the key, as its log says.",
                retry_after=60.0,
            ) from error
        self._said = ""
        return made

    def _opened(self) -> Signer:
        expected, first = self._known.signing_keys(), self.roots.envelope(1)
        if first is None and (expected or not self._may_begin):
            raise DataError(f"The keys of this server are gone from {self._state}.", remedy=_LOST)
        if first and expected not in (None, sha256_bytes(first)):
            raise DataError(f"The keys in {self._state} are not those that this server began with.", remedy=_LOST)
        signer = Signer(self._state)
        if expected is None and (first := self.roots.envelope(1)):
            self._known.sign_with(sha256_bytes(first))
        return signer


_LOST = (
    "Restore roots/ and signing.key from a backup. Where there is none, move roots/ away, run "
    "`dermport keys new-signing-key`, restart the server, and have every phone trust the new key."
)
