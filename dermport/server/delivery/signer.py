"""The server's signing key: made once, kept in the state folder, read by nobody else."""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from dermport.bundle.signature import Envelope, key_id, not_installed, public_pem, sign
from dermport.bundle.wire import SigningKeyAnswer
from dermport.errors import DataError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FILE = "signing.key"
_OTHERS = 0o077


class Signer:
    """Signs with the key in ``<state>/signing.key`` (PEM, mode 0600), which is made where there is none.

    Args:
        state: The server's state folder; made where it is missing.

    Attributes:
        public: The public key, as phones ask for it.

    Raises:
        DataError: The file is no Ed25519 key, cannot be read or written, or others may read it.
        UnavailableError: The package cryptography is not installed.
    """

    def __init__(self, state: Path) -> None:
        self._key = _load_or_make(state / FILE)
        public = self._key.public_key()
        self.public = SigningKeyAnswer(
            key_id=key_id(public), pem=public_pem(public), raw=base64.b64encode(public.public_bytes_raw()).decode()
        )

    def sign(self, payload: bytes, payload_type: str) -> Envelope:
        """Return `payload` in a signed envelope; equal arguments give equal envelopes."""
        return sign(payload, payload_type, self._key)


def _load_or_make(path: Path) -> Ed25519PrivateKey:
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _make(path)
        return _load(path)
    except OSError as error:
        raise DataError(f"The signing key {path} cannot be read or written: {error.strerror}.") from error


def _make(path: Path) -> None:
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(_new_key())
            file.flush()
            os.fsync(file.fileno())
        # A link fails where another server was quicker; a rename would throw away the key that it signs with.
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(part)
    finally:
        part.unlink()


def _new_key() -> bytes:
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    except ImportError as error:
        raise not_installed(error) from error
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _load(path: Path) -> Ed25519PrivateKey:
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError as error:
        raise not_installed(error) from error
    if os.name == "posix" and path.stat().st_mode & _OTHERS:
        raise DataError(f"Others may read the signing key {path}.", remedy=f"chmod 600 {path}")
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise DataError(f"{path} is no key in PEM form without a password.", remedy=_REPLACE) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise DataError(f"{path} is not an Ed25519 key.", remedy=_REPLACE)
    return key


_REPLACE = "Restore it from a backup. A new key, made where the file is missing, must be pinned again on every phone."
