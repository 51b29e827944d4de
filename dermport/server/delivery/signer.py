"""What signs: the key that the newest root lists, kept in the state folder and read by nobody else."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from dermport.bundle.signature import Envelope, key_id, key_of, public_pem, raw_key, sign
from dermport.bundle.wire import PublicKey, RootDocument, SigningKeyAnswer
from dermport.server.delivery.roots import Roots

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


class Signer:
    """Signs with ``<state>/signing.key``; keys and the first root are made where the state folder never had any.

    A key that ``dermport signing rotate`` has made meanwhile is used from then on.

    Args:
        state: The server's state folder; made where it is missing.

    Attributes:
        roots: Which keys may sign.

    Raises:
        DataError: A key or a root is missing, damaged, cannot be read or written, or others may read it.
        UnavailableError: The package cryptography is not installed.
    """

    def __init__(self, state: Path) -> None:
        self.roots = Roots(state)
        self.roots.begin()
        self._key_of = lru_cache(1)(self.roots.signing_key)
        self._current()

    @property
    def public(self) -> SigningKeyAnswer:
        """The public keys, as phones ask for them."""
        root, key = self._current()
        pinned = PublicKey.model_validate(_forms(key_of(root.root_keys[0])))
        return SigningKeyAnswer.model_validate({**_forms(key.public_key()), "root": pinned})

    def sign(self, payload: bytes, payload_type: str) -> Envelope:
        """Return `payload` in a signed envelope; equal arguments give equal envelopes."""
        return sign(payload, payload_type, self._current()[1])

    def _current(self) -> tuple[RootDocument, Ed25519PrivateKey]:
        root = self.roots.begin()
        return root, self._key_of(root)


def _forms(key: Ed25519PublicKey) -> dict[str, str]:
    return {"key_id": key_id(key), "pem": public_pem(key), "raw": raw_key(key)}
